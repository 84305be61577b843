"""A cluster for one test: an API server, the controller, kubectl, data folders; all in one temporary folder,
all gone when it ends.

There are two kinds: kubesim (kubesim_cluster.py), and a namespace of a real cluster (real_cluster.py) when
$CHURN_CLUSTER is "real". Programs come from $CHURN_BIN. Waiting is done on watches of the API, with a deadline."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("CHURN_BIN", os.path.join(ROOT, "build", "bin"))
REAL = os.environ.get("CHURN_CLUSTER") == "real"
SAMPLES = os.path.join(ROOT, "manifests", "samples")
GROUP = "/apis/churnops.io/v1alpha1"
RESOURCES = {
    "churnmodel": (GROUP, "churnmodels"),
    "churnbatch": (GROUP, "churnbatches"),
    "job": ("/apis/batch/v1", "jobs"),
    "pod": ("/api/v1", "pods"),
    "event": ("/apis/events.k8s.io/v1", "events"),
    "lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "secret": ("/api/v1", "secrets"),
}
# What an image's program may do first: wait at the gate; only so when it composes shards; fail once as shard 1.
WAYS = ("held", "held-composing", "failing-once")
DEADLINE_SECONDS = 180 if REAL else 60
# Of a real cluster as they are by default: it may be slow for seconds.
LEASE_SECONDS = 15 if REAL else 3
LEASE_TIMES = () if REAL else ("--lease-duration", "3s", "--lease-renew-deadline", "2s", "--lease-retry-period", "500ms")
POLL_SECONDS = 0.01  # between looks at what cannot be watched


def kubectl_program():
    pinned = os.path.join(ROOT, "build", "tools", "kubectl")
    return pinned if os.access(pinned, os.X_OK) else shutil.which("kubectl")


class NotInTime(AssertionError):
    pass


class Process:
    """A program with its log; what it printed is shown when a wait fails."""

    def __init__(self, name, command, log_path):
        self.name, self.log_path = name, log_path
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)

    def alive(self):
        return self.process.poll() is None

    def stop(self, number=signal.SIGTERM, timeout_seconds=30):
        if self.alive():
            self.process.send_signal(number)
        return self.process.wait(timeout_seconds)

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()


def trouble_of(process):
    """Stops a program of ours; a list of what it had to complain about."""
    if process.alive():
        status = process.stop()
        return [f"{process.name} ended with {status}:\n{process.log()[-4000:]}"] if status != 0 else []
    return [f"{process.name}:\n{process.log()[-4000:]}"] if "Sanitizer" in process.log() else []


class Cluster:
    """What all kinds have. A kind begins a cluster (`begin`, `end`), sets images (`set_image`), counts requests
    (`requests`), and sets: server, the URL of the API; kubeconfig; registry, as HOST:PORT; address, where
    images are in it; namespace, that of the test's objects; controller_options."""
    namespace = "default"
    controller_options = ()

    def __init__(self, *arguments):
        self.folder = tempfile.mkdtemp(prefix="churn-e2e-")
        os.chmod(self.folder, 0o755)
        self.data = os.path.join(self.folder, "data")
        for name in ("input_folder", "weekly_folder", "output_folder", "models"):
            self.make_folder(name)
        self.kubeconfig = os.path.join(self.folder, "kubeconfig")
        self.gate = os.path.join(self.folder, "gates", "gate")
        os.mkdir(os.path.dirname(self.gate))
        os.chmod(os.path.dirname(self.gate), 0o777)
        os.mkfifo(self.gate)
        os.chmod(self.gate, 0o666)
        self.controllers = []
        self.begin(*arguments)

    def begin(self, *arguments):
        raise NotImplementedError

    def end(self):
        """Returns what went wrong, as a list of texts."""
        raise NotImplementedError

    def begin_anew(self):
        """Only the data folders stay: what a second cluster with the same storage finds."""
        for process in self.controllers:
            process.stop()
        self.end()
        self.begin()

    def set_image(self, name, revision, tag="stable", program=None):
        """Makes or moves a tag; returns the reference by digest. The program may be WAY-NAME, by one of WAYS."""
        raise NotImplementedError

    def add_namespace(self):
        """Another one with a controller that looks after it; returns its name."""
        raise NotImplementedError

    def requests(self):
        """How many requests there were: {"VERB RESOURCE USER-AGENT": count}."""
        raise NotImplementedError

    # --- processes ---

    def open_gate(self):
        """Lets one held program go on; waits until one is there."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            try:
                gate = os.open(self.gate, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                time.sleep(POLL_SECONDS)
                continue
            os.write(gate, b"go\n")
            os.close(gate)
            return
        raise NotInTime("no held program came to the gate")

    def start_controller(self, *arguments):
        number = len(self.controllers)
        controller = Process(f"controller {number}", [
            os.path.join(BIN, "churn-controller"), "--kubeconfig", self.kubeconfig,
            "--metrics-address", "127.0.0.1:0",
            "--default-trainer-image", f"{self.address}/churn-trainer:stable",
            "--default-scorer-image", f"{self.address}/churn-scorer:stable",
            "--insecure-registry", self.registry, "--file-root", self.data,
            *LEASE_TIMES, *self.controller_options, *arguments], os.path.join(self.folder, f"controller-{number}.log"))
        self.controllers.append(controller)
        return controller

    @property
    def controller(self):
        return self.controllers[-1]

    def close(self):
        problems = [text for process in self.controllers for text in trouble_of(process)] + self.end()
        shutil.rmtree(self.folder)
        if problems:
            raise AssertionError("\n".join(problems))

    # --- kubectl and the API ---

    def kubectl(self, *arguments, check=True, text=None):
        done = subprocess.run(
            [kubectl_program(), "--kubeconfig", self.kubeconfig, "--cache-dir",
             os.path.join(self.folder, "kube-cache"), *arguments],
            input=text, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done if not check else done.stdout

    def apply(self, *objects):
        return self.kubectl("apply", "-f", "-", text=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": objects}))

    def request(self, path, timeout_seconds=30, **query):
        url = self.server + path + ("?" + urllib.parse.urlencode(query) if query else "")
        return urllib.request.urlopen(url, timeout=timeout_seconds)

    def path(self, kind, namespace=None, name=None):
        prefix, plural = RESOURCES[kind]
        return f"{prefix}/namespaces/{namespace or self.namespace}/{plural}" + (f"/{name}" if name else "")

    def get(self, kind, name, namespace=None):
        """The object, or None."""
        try:
            with self.request(self.path(kind, namespace, name)) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind, namespace=None, **query):
        with self.request(self.path(kind, namespace), **query) as answer:
            return json.load(answer)["items"]

    def watch(self, kind, namespace, seconds, **query):
        """Every event of a watch, beginning with what is there; one that is cut or expires is begun again."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                left_seconds = max(1, int(deadline - time.monotonic()))
                with self.request(self.path(kind, namespace), timeout_seconds=left_seconds + 5,
                                  timeoutSeconds=left_seconds, watch="true", sendInitialEvents="true",
                                  allowWatchBookmarks="true", resourceVersionMatch="NotOlderThan", **query) as stream:
                    for line in stream:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            break
                        yield event["type"], event["object"]

    def wait(self, kind, name, holds, what, namespace=None, seconds=DEADLINE_SECONDS):
        """Watches one object until `holds(object or None)`; returns the object."""
        last = None
        for change, found in self.watch(kind, namespace, seconds, fieldSelector=f"metadata.name={name}"):
            if change == "DELETED":
                last = None
            elif change != "BOOKMARK":
                last = found
            if holds(last):
                return last
        raise NotInTime(f"{kind} {namespace or self.namespace}/{name}: {what} did not come within {seconds} s; last seen: "
                        f"{json.dumps(last, indent=1)}\n{self.controller.log()[-6000:]}")

    def wait_event(self, reason, seconds=DEADLINE_SECONDS):
        """An Event of the controller; it may be written later than the status that says the same."""
        for change, found in self.watch("event", None, seconds):
            if (change != "BOOKMARK" and found["reason"] == reason and
                    found["reportingController"] == "churnops.io/churn-controller"):
                return found
        raise NotInTime(f"no Event {reason} came within {seconds} s\n{self.controller.log()[-6000:]}")

    def wait_none(self, kind, **query):
        for found in self.list(kind, **query):
            self.wait(kind, found["metadata"]["name"], lambda left: left is None, "deletion")

    def wait_job_gone(self, name):
        """And its pods, which end a little later."""
        self.wait("job", name, lambda left: left is None, "deletion")
        self.wait_none("pod", labelSelector=f"job-name={name}")

    def wait_condition(self, kind, name, condition, status="True", reason=None, **options):
        def holds(found):
            entry = condition_of(found, condition)
            return (entry is not None and entry["status"] == status and
                    reason in (None, entry["reason"]) and
                    found["status"].get("observedGeneration") == found["metadata"]["generation"])
        return self.wait(kind, name, holds, f"{condition}={status} {reason or ''}", **options)

    # --- what the scenarios speak of ---

    def jobs(self, component=None, namespace=None):
        selector = f"app.kubernetes.io/component={component}" if component else ""
        return self.list("job", namespace, labelSelector=selector)

    def file(self, *parts):
        return os.path.join(self.data, *parts)

    def uri(self, *parts):
        return "file://" + self.file(*parts)

    def make_folder(self, *parts):
        """Where pods may write: they do not run as we do."""
        os.makedirs(self.file(*parts))
        os.chmod(self.file(*parts), 0o777)

    def read(self, *parts):
        with open(self.file(*parts), newline="") as file:
            return file.read()

    def put(self, text, *parts):
        """Appears whole, as an upload does."""
        target = self.file(*parts)
        with open(target + ".upload", "w", newline="") as file:
            file.write(text)
        os.rename(target + ".upload", target)
        return "file://" + target

    def put_history(self, rows=400, name="history.csv"):
        return self.put(first_lines("telco_history.csv", rows), "input_folder", name)

    def put_week(self, number=1, rows=40, name=None):
        return self.put(first_lines(f"telco_week_0{number}.csv", rows), "weekly_folder",
                        name or f"week-{number}.csv")

    def pod_template(self):
        folders = {"churn": self.data, "gates": os.path.dirname(self.gate)}
        return {"resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
                "volumes": [{"name": name, "hostPath": {"path": path}} for name, path in folders.items()],
                "volumeMounts": [{"name": name, "mountPath": path} for name, path in folders.items()]}

    def model(self, name="telco", namespace=None, **spec):
        """A model that trains in a blink."""
        return {"apiVersion": "churnops.io/v1alpha1", "kind": "ChurnModel",
                "metadata": {"name": name, "namespace": namespace or self.namespace},
                "spec": {"data": {"uri": self.uri("input_folder", "history.csv"), "target": "Churn",
                                  "positiveLabel": "Yes", "id": "customerID"},
                         "algorithm": "LogisticRegression", "imagePollInterval": "1s",
                         "artifacts": {"uri": self.uri("models") + "/"},
                         "podTemplate": self.pod_template(), **spec}}

    def batch(self, name, model="telco", namespace=None, week="week-1.csv", output=None, **spec):
        return {"apiVersion": "churnops.io/v1alpha1", "kind": "ChurnBatch",
                "metadata": {"name": name, "namespace": namespace or self.namespace},
                "spec": {"modelRef": {"name": model},
                         "input": {"uri": self.uri("weekly_folder", week)},
                         "output": output or {"uri": self.uri("output_folder") + "/"}, **spec}}


def first_lines(sample, rows):
    with open(os.path.join(SAMPLES, sample), newline="") as file:
        return "".join(line for line, _ in zip(file, range(rows + 1)))


def condition_of(found, name):
    conditions = ((found or {}).get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == name), None)


def changed(found, **spec):
    """A copy of the object with other spec members."""
    return {**found, "spec": {**found["spec"], **spec}}


def new_cluster(*arguments):
    """Imported here, as each kind is made from what is above."""
    if REAL:
        from real_cluster import RealCluster as kind
    else:
        from kubesim_cluster import KubesimCluster as kind
    return kind(*arguments)


def only_on_kubesim(reason):
    """For classes and tests; the reason is printed where there is a real cluster instead."""
    return unittest.skipIf(REAL, "only on kubesim: " + reason)


class ClusterTest(unittest.TestCase):
    """Each test has a cluster of its own, with history and a first weekly file, and a controller
    unless the class says otherwise."""
    controller_arguments = ("--no-leader-elect",)
    kubesim_arguments = ()

    def setUp(self):
        self.cluster = new_cluster(*self.kubesim_arguments)
        self.addCleanup(self.cluster.close)
        self.cluster.put_history()
        self.cluster.put_week()
        if self.controller_arguments is not None:
            self.cluster.start_controller(*self.controller_arguments)

    def train(self, **spec):
        self.cluster.apply(self.cluster.model(**spec))
        return self.cluster.wait_condition("churnmodel", "telco", "Ready")

    def score(self, name="week-1", **options):
        self.cluster.apply(self.cluster.batch(name, **options))
        return self.cluster.wait_condition("churnbatch", name, "Complete")

    def refuse(self, found, *expected):
        """The API server does, when it is applied."""
        done = self.cluster.kubectl("apply", "-f", "-", check=False, text=json.dumps(found))
        self.assertNotEqual(done.returncode, 0, found)
        if "strict decoding" not in done.stderr:
            self.assertIn(f'"{found["metadata"]["name"]}" is invalid', done.stderr)
        for text in expected:
            self.assertIn(text, done.stderr)

    def assert_kstatus(self, found):
        """Every condition speaks of this generation, and none of trouble."""
        for entry in found["status"]["conditions"]:
            self.assertEqual(entry["observedGeneration"], found["metadata"]["generation"], entry)
        self.assertEqual(condition_of(found, "Reconciling")["status"], "False")
        self.assertEqual(condition_of(found, "Stalled")["status"], "False")
