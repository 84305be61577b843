"""A cluster for one test class: kubesim, the controller, kubectl, data folders; all on loopback, all
in one temporary folder, all gone when it ends.

Programs come from $CHURN_BIN, trainer and scorer from $CHURN_JOB_BIN where that is given. Waiting
is done on watches of the API, with a deadline."""
import contextlib
import json
import os
import re
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
JOB_BIN = os.environ.get("CHURN_JOB_BIN", BIN)
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
DEADLINE_SECONDS = 60
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


class Cluster:
    def __init__(self, kubesim_arguments=()):
        self.folder = tempfile.mkdtemp(prefix="churn-e2e-")
        self.data = os.path.join(self.folder, "data")
        for name in ("input_folder", "weekly_folder", "output_folder", "models"):
            os.makedirs(os.path.join(self.data, name))
        self.kubeconfig = os.path.join(self.folder, "kubeconfig")
        self.gate = os.path.join(self.folder, "gate")
        self.bin = self.make_programs()
        self.controllers = []
        self.begin(*kubesim_arguments)

    def begin(self, *kubesim_arguments):
        self.start_kubesim(*kubesim_arguments)
        self.set_image("churn-trainer", "1")
        self.set_image("churn-scorer", "1")
        self.kubectl("apply", "-f", os.path.join(ROOT, "crds"))

    def begin_anew(self):
        """Only the data folders stay: what a second cluster with the same storage finds."""
        for process in [*self.controllers, self.kubesim]:
            process.stop()
        os.unlink(os.path.join(self.folder, "address"))
        self.begin()

    # --- processes ---

    def make_programs(self):
        """What images may name: our programs, and held-PROGRAM, which waits at the gate first."""
        folder = os.path.join(self.folder, "bin")
        os.makedirs(folder)
        os.mkfifo(self.gate)
        for program in ("churn-trainer", "churn-scorer"):
            os.symlink(os.path.join(JOB_BIN, program), os.path.join(folder, program))
            held = os.path.join(folder, "held-" + program)
            with open(held, "w") as script:
                script.write(f"#!/bin/sh\nread line <{self.gate}\nexec {folder}/{program}\n")
            os.chmod(held, 0o755)
        return folder

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

    def start_kubesim(self, *arguments):
        ready = os.path.join(self.folder, "address")
        self.kubesim = Process("kubesim", [
            os.path.join(BIN, "kubesim"), "serve", "--listen", "127.0.0.1:0", "--bin", self.bin,
            "--data", os.path.join(self.folder, "pods"), "--kubeconfig", self.kubeconfig,
            "--ready-file", ready, "--pod-backoff", "200ms", *arguments],
            os.path.join(self.folder, "kubesim.log"))
        deadline = time.monotonic() + 30
        while not (os.path.exists(ready) and os.path.getsize(ready)):
            if not self.kubesim.alive() or time.monotonic() > deadline:
                raise NotInTime("kubesim did not start:\n" + self.kubesim.log())
            time.sleep(POLL_SECONDS)
        with open(ready) as file:
            self.address = file.read().strip()
        with open(self.kubeconfig) as file:
            self.server = re.search(r"server: \"([^\"]+)\"", file.read()).group(1)

    def start_controller(self, *arguments):
        number = len(self.controllers)
        controller = Process(f"controller {number}", [
            os.path.join(BIN, "churn-controller"), "--kubeconfig", self.kubeconfig,
            "--metrics-address", "127.0.0.1:0",
            "--default-trainer-image", f"{self.address}/churn-trainer:stable",
            "--default-scorer-image", f"{self.address}/churn-scorer:stable",
            "--insecure-registry", self.address, "--file-root", self.data,
            "--lease-duration", "3s", "--lease-renew-deadline", "2s", "--lease-retry-period", "500ms",
            *arguments], os.path.join(self.folder, f"controller-{number}.log"))
        self.controllers.append(controller)
        return controller

    @property
    def controller(self):
        return self.controllers[-1]

    def close(self):
        problems = []
        for process in [*self.controllers, self.kubesim]:
            if process.alive():
                status = process.stop()
                if status != 0:
                    problems.append(f"{process.name} ended with {status}:\n{process.log()[-4000:]}")
            elif "Sanitizer" in process.log():
                problems.append(f"{process.name}:\n{process.log()[-4000:]}")
        shutil.rmtree(self.folder)
        if problems:
            raise AssertionError("\n".join(problems))

    def sim(self, *arguments):
        return subprocess.run([os.path.join(BIN, "kubesim"), *arguments, "--kubeconfig",
                               self.kubeconfig], check=True, capture_output=True, text=True).stdout

    def set_image(self, name, revision, tag="stable", program=None):
        """Makes or moves a tag; returns the reference by digest."""
        made = json.loads(self.sim("image", "set", f"{self.address}/{name}:{tag}",
                                   "--program", program or name, "--revision", revision))
        return f"{self.address}/{name}@{made['digest']}"

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

    @staticmethod
    def path(kind, namespace, name=None):
        prefix, plural = RESOURCES[kind]
        return f"{prefix}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")

    def get(self, kind, name, namespace="default"):
        """The object, or None."""
        try:
            with self.request(self.path(kind, namespace, name)) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind, namespace="default", **query):
        with self.request(self.path(kind, namespace), **query) as answer:
            return json.load(answer)["items"]

    def wait(self, kind, name, holds, what, namespace="default", seconds=DEADLINE_SECONDS):
        """Watches one object until `holds(object or None)`; returns the object."""
        deadline = time.monotonic() + seconds
        last = None
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):  # a cut watch is begun again
                left_seconds = max(1, int(deadline - time.monotonic()))
                with self.request(self.path(kind, namespace), timeout_seconds=left_seconds + 5,
                                  timeoutSeconds=left_seconds, watch="true", sendInitialEvents="true",
                                  allowWatchBookmarks="true", resourceVersionMatch="NotOlderThan",
                                  fieldSelector=f"metadata.name={name}") as stream:
                    for line in stream:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            break
                        if event["type"] == "DELETED":
                            last = None
                        elif event["type"] != "BOOKMARK":
                            last = event["object"]
                        if holds(last):
                            return last
        raise NotInTime(f"{kind} {namespace}/{name}: {what} did not come within {seconds} s; last seen: "
                        f"{json.dumps(last, indent=1)}\n{self.controller.log()[-6000:]}")

    def wait_condition(self, kind, name, condition, status="True", reason=None, **options):
        def holds(found):
            entry = condition_of(found, condition)
            return (entry is not None and entry["status"] == status and
                    reason in (None, entry["reason"]) and
                    found["status"].get("observedGeneration") == found["metadata"]["generation"])
        return self.wait(kind, name, holds, f"{condition}={status} {reason or ''}", **options)

    # --- what the scenarios speak of ---

    def jobs(self, component=None, namespace="default"):
        selector = f"app.kubernetes.io/component={component}" if component else ""
        return self.list("job", namespace, labelSelector=selector)

    def stats(self):
        return json.loads(self.sim("stats"))

    def file(self, *parts):
        return os.path.join(self.data, *parts)

    def uri(self, *parts):
        return "file://" + self.file(*parts)

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
        return {"volumes": [{"name": "churn", "hostPath": {"path": self.data}}],
                "volumeMounts": [{"name": "churn", "mountPath": self.data}]}

    def model(self, name="telco", namespace="default", **spec):
        """A model that trains in a blink."""
        return {"apiVersion": "churnops.io/v1alpha1", "kind": "ChurnModel",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"data": {"uri": self.uri("input_folder", "history.csv"), "target": "Churn",
                                  "positiveLabel": "Yes", "id": "customerID"},
                         "algorithm": "LogisticRegression", "imagePollInterval": "1s",
                         "artifacts": {"uri": self.uri("models") + "/"},
                         "podTemplate": self.pod_template(), **spec}}

    def batch(self, name, model="telco", namespace="default", week="week-1.csv", output=None, **spec):
        return {"apiVersion": "churnops.io/v1alpha1", "kind": "ChurnBatch",
                "metadata": {"name": name, "namespace": namespace},
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


class ClusterTest(unittest.TestCase):
    """Each test has a cluster of its own, with history and a first weekly file, and a controller
    unless the class says otherwise."""
    controller_arguments = ("--no-leader-elect",)
    kubesim_arguments = ()

    def setUp(self):
        self.cluster = Cluster(self.kubesim_arguments)
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

    def assert_kstatus(self, found):
        """Every condition speaks of this generation, and none of trouble."""
        for entry in found["status"]["conditions"]:
            self.assertEqual(entry["observedGeneration"], found["metadata"]["generation"], entry)
        self.assertEqual(condition_of(found, "Reconciling")["status"], "False")
        self.assertEqual(condition_of(found, "Stalled")["status"], "False")
