"""A real API server with its etcd, on loopback and free ports: no root, no node, no network of its own.

Nothing runs Jobs here; a Job that was created is proof enough that its controller works. The programs are those of
hack/cluster. Each test has a namespace and a ServiceAccount of its own, with the rights of manifests/rights."""
import contextlib
import glob
import itertools
import json
import os
import re
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path += [os.path.join(ROOT, "tests", "e2e"), os.path.join(ROOT, "hack", "kubenode")]
import build  # noqa: E402
import certificates  # noqa: E402
import yaml  # noqa: E402
from cluster import BIN, Process, condition_of, trouble_of  # noqa: E402
from unavailable import Unavailable  # noqa: E402

DEADLINE_SECONDS = 240
POLL_SECONDS = 0.05
NAME = "api.test"  # which the certificate has besides 127.0.0.1
DIGEST = "sha256:" + "0" * 64
ACCOUNT = "controller"
MODELS, BATCHES = "/apis/churnops.io/v1alpha1/{}/churnmodels", "/apis/churnops.io/v1alpha1/{}/churnbatches"
JOBS, EVENTS = "/apis/batch/v1/{}/jobs", "/apis/events.k8s.io/v1/{}/events"
SERVER, NAMESPACES = None, itertools.count(1)


def setUpModule():
    """Of each file of tests here."""
    global SERVER  # noqa: PLW0603
    try:
        SERVER = ApiServer()
    except Unavailable as missing:
        raise unittest.SkipTest(str(missing)) from missing


def tearDownModule():
    SERVER.close()


def free_ports(count):
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def path_of(found):
    """Of an object."""
    version, kind, metadata = found["apiVersion"], found["kind"].lower(), found["metadata"]
    plural = kind[:-1] + "ies" if kind.endswith("y") else kind + "s"
    namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"/{'apis' if '/' in version else 'api'}/{version}{namespace}/{plural}/{metadata['name']}"


def wait_until(holds, what, shown=lambda: ""):
    """The first true thing that holds() returns."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {DEADLINE_SECONDS} s\n{shown()}")
        time.sleep(POLL_SECONDS)


class ApiServer:
    def __init__(self):
        self.programs = build.find_programs(build.DEFAULT_VERSION, build.default_cache(), print,
                                            ("etcd", "kube-apiserver"))
        self.folder = tempfile.mkdtemp(prefix="churn-apiserver-")
        self.etcd_port, self.peer_port, self.port = free_ports(3)
        self.url = f"https://127.0.0.1:{self.port}"
        self.numbers = itertools.count()
        self.processes = {}
        self.make_certificates()
        try:
            self.start_etcd()
            self.start()
            self.install()
        except BaseException:
            self.close()
            raise

    def pki(self, name):
        return os.path.join(self.folder, "pki", name)

    def make_certificates(self):
        self.make_authority(self.pki(""))
        certificates.issue(self.pki(""), "admin", "/O=system:masters/CN=admin", "clientAuth")
        certificates.openssl(self.pki(""), "genrsa", "-out", "service-accounts.key", "2048")

    def make_authority(self, folder):
        """And what it issues for the API server."""
        os.makedirs(folder, exist_ok=True)
        certificates.openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                             "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=cluster",
                             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        certificates.issue(folder, "server", "/CN=kube-apiserver", "serverAuth", ["IP:127.0.0.1", f"DNS:{NAME}"])

    def another_authority(self):
        """Arguments for a restart with a certificate of one."""
        self.make_authority(self.pki("next"))
        return (f"--tls-cert-file={self.pki('next/server.crt')}",
                f"--tls-private-key-file={self.pki('next/server.key')}")

    def run(self, name, *arguments):
        log = os.path.join(self.folder, f"{name}.log")
        self.processes[name] = Process(name, [*self.programs[name], *arguments], log)

    def start_etcd(self):
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, self.peer_port))
        self.etcd = client
        self.run("etcd", "--name=etcd", f"--data-dir={self.folder}/etcd", "--unsafe-no-fsync",
                 f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
                 f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=etcd={peer}")

    def start(self, *arguments):
        self.run("kube-apiserver", f"--etcd-servers={self.etcd}", "--bind-address=127.0.0.1",
                 f"--secure-port={self.port}", "--endpoint-reconciler-type=none",
                 "--service-cluster-ip-range=10.96.0.0/16", f"--tls-cert-file={self.pki('server.crt')}",
                 f"--tls-private-key-file={self.pki('server.key')}", f"--client-ca-file={self.pki('ca.crt')}",
                 "--service-account-issuer=https://kubernetes.default.svc",
                 f"--service-account-key-file={self.pki('service-accounts.key')}",
                 f"--service-account-signing-key-file={self.pki('service-accounts.key')}",
                 "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount", *arguments)
        wait_until(self.is_ready, "the API server", lambda: self.processes["kube-apiserver"].log()[-2000:])

    def is_ready(self):
        process = self.processes["kube-apiserver"]
        if not process.alive():
            raise AssertionError("the API server ended:\n" + process.log()[-4000:])
        with contextlib.suppress(OSError):
            return self.request("GET", "/readyz", decoded=False) == b"ok"
        return False

    def restart(self, *arguments):
        """At once: a graceful end waits a minute for those who watch."""
        self.processes["kube-apiserver"].stop(signal.SIGKILL)
        self.start(*arguments)

    def install(self):
        self.apply(*self.definitions())
        self.wait_served()

    def definitions(self):
        """The CRDs."""
        for path in sorted(glob.glob(os.path.join(ROOT, "crds", "*.yaml"))):
            with open(path) as file:
                yield from yaml.safe_load_all(file)

    def wait_served(self):
        def served():
            with contextlib.suppress(urllib.error.HTTPError):
                return self.get(MODELS.format("").replace("//", "/")) and self.get(BATCHES.format("").replace("//", "/"))
            return None
        wait_until(served, "the custom resources")

    def compact(self):
        """Of etcd, up to now: what was before is no more to be had."""
        revision = self.ask_etcd("range", {"key": "AA=="})["header"]["revision"]
        self.ask_etcd("compaction", {"revision": revision, "physical": True})

    def ask_etcd(self, operation, body):
        request = urllib.request.Request(f"{self.etcd}/v3/kv/{operation}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def close(self):
        for name in ("kube-apiserver", "etcd"):
            if name in self.processes:
                self.processes[name].stop(signal.SIGKILL)
        shutil.rmtree(self.folder)

    # --- as its administrator ---

    def context(self):
        context = ssl.create_default_context(cafile=self.pki("ca.crt"))
        if os.path.exists(self.pki("next/ca.crt")):
            context.load_verify_locations(self.pki("next/ca.crt"))
        context.load_cert_chain(self.pki("admin.crt"), self.pki("admin.key"))
        return context

    def request(self, method, path, body=None, kind="application/json", decoded=True):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.context()) as answer:
                return json.load(answer) if decoded else answer.read()
        except urllib.error.HTTPError as error:
            error.msg += ": " + error.read().decode(errors="replace")
            raise

    def get(self, path):
        return self.request("GET", path)

    def patch(self, path, body):
        return self.request("PATCH", path, body, "application/merge-patch+json")

    def apply(self, *objects):
        """Server-side; all that was said before and is not said now goes."""
        for found in objects:
            self.request("PATCH", f"{path_of(found)}?fieldManager=test&force=true", found, "application/apply-patch+yaml")

    def delete(self, *objects):
        """And waits until they are gone."""
        for found in objects:
            self.request("DELETE", path_of(found))
            wait_until(lambda path=path_of(found): not self.is_there(path), f"the end of {path_of(found)}")

    def is_there(self, path):
        try:
            return self.get(path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def write_kubeconfig(self, name, user, **cluster):
        """Returns its path. `cluster` adds to, or replaces, what is said of the cluster."""
        path = os.path.join(self.folder, f"{name}-{next(self.numbers)}.kubeconfig")
        with open(path, "w") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "test",
                       "clusters": [{"name": "test", "cluster": {
                           "server": self.url, "certificate-authority": self.pki("ca.crt"),
                           **{key.replace("_", "-"): value for key, value in cluster.items()}}}],
                       "users": [{"name": name, "user": user}],
                       "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}]}, file)
        return path


class ApiServerTest(unittest.TestCase):
    def setUp(self):
        self.server = SERVER
        self.namespace = f"test-{next(NAMESPACES)}"
        self.folder = tempfile.mkdtemp(prefix="churn-apiserver-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.server.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
            "name": ACCOUNT, "namespace": self.namespace}})
        with open(os.path.join(ROOT, "manifests", "rights", "controller.yaml")) as file:
            self.rules = next(yaml.safe_load_all(file))["rules"]
        self.set_rules(self.rules)
        self.token_file = os.path.join(self.folder, "token")
        self.write_token()
        self.controllers = []
        self.addCleanup(self.stop_controllers)

    def set_rules(self, rules, of_lease=("create", "get", "update")):
        """What the controller of this test may do, in its namespace and with its Lease."""
        group = "rbac.authorization.k8s.io"
        metadata = {"name": ACCOUNT, "namespace": self.namespace}
        lease = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": list(of_lease)}
        self.server.apply(
            {"apiVersion": group + "/v1", "kind": "Role", "metadata": metadata, "rules": [*rules, lease]},
            {"apiVersion": group + "/v1", "kind": "RoleBinding", "metadata": metadata,
             "roleRef": {"apiGroup": group, "kind": "Role", "name": ACCOUNT},
             "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}]})

    def write_token(self):
        """Appears whole, as the kubelet's do."""
        made = self.server.request("POST", f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{ACCOUNT}/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}})
        with open(self.token_file + ".new", "w") as file:
            file.write(made["status"]["token"])
        os.rename(self.token_file + ".new", self.token_file)

    def start(self, kubeconfig=None, arguments=("--no-leader-elect",), environment=None):
        kubeconfig = kubeconfig or self.server.write_kubeconfig(ACCOUNT, {"tokenFile": self.token_file})
        command = [os.path.join(BIN, "churn-controller"), "--kubeconfig", kubeconfig, "--namespace", self.namespace,
                   "--metrics-address", "127.0.0.1:0", "--default-scorer-image", f"r.test/scorer@{DIGEST}",
                   "--lease-namespace", self.namespace, "--file-root", self.folder, *arguments]
        if environment:
            command = ["env", *(f"{name}={value}" for name, value in environment.items()), *command]
        controller = Process("controller", command, os.path.join(self.folder, f"{len(self.controllers)}.log"))
        self.controllers.append(controller)
        return controller

    def stop_controllers(self):
        problems = [text for controller in self.controllers for text in trouble_of(controller)]
        if problems:
            raise AssertionError("\n".join(problems))

    def log(self):
        return self.controllers[-1].log()

    def figure(self, label):
        """How many requests there were with it, as the controller's metrics say."""
        port = re.search(r'"metricsPort":(\d+)', self.log()).group(1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return sum(int(line.split()[-1]) for line in answer.read().decode().splitlines()
                       if line.startswith("churn_api_requests_total{") and label in line)

    def wait_log(self, text):
        wait_until(lambda: text in self.log(), f"\"{text}\" in the log", lambda: self.log()[-6000:])

    def place(self, path, name=None):
        return path.format("namespaces/" + self.namespace) + (f"/{name}" if name else "")

    def model(self, name, **spec):
        """One whose training is due at once: its image is named by digest."""
        return {"apiVersion": "churnops.io/v1alpha1", "kind": "ChurnModel",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"image": f"r.test/trainer@{DIGEST}",
                         "data": {"uri": "file:///data/history.csv", "target": "Churn", "id": "customerID"},
                         "artifacts": {"uri": "file:///data/models/"}, **spec}}

    def make_model(self, name, **spec):
        self.server.request("POST", self.place(MODELS), self.model(name, **spec))

    def make_batch(self, name, model):
        self.server.request("POST", self.place(BATCHES), {
            "apiVersion": "churnops.io/v1alpha1", "kind": "ChurnBatch",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"modelRef": {"name": model}, "input": {"uri": "file:///data/week.csv"},
                     "output": {"uri": "file:///data/out/"}}})

    def jobs_of(self, model):
        return [job for job in self.server.get(self.place(JOBS))["items"]
                if any(owner["name"] == model for owner in job["metadata"]["ownerReferences"])]

    def wait_job(self, model):
        """Of a model: the controller works."""
        return wait_until(lambda: self.jobs_of(model), f"a Job of {model}", lambda: self.log()[-6000:])[0]

    def assert_works(self, model):
        self.make_model(model)
        self.wait_job(model)

    def wait_condition(self, model, name, reason, text=""):
        def holds():
            entry = condition_of(self.server.get(self.place(MODELS, model)), name)
            return entry if entry and entry["reason"] == reason and text in entry["message"] else None
        return wait_until(holds, f"{name} {reason} {text}", lambda: self.log()[-6000:])

    def wait_event(self, kind, name, *texts):
        """An Event that says that a right is missing, and which."""
        def holds():
            return [found for found in self.server.get(self.place(EVENTS))["items"]
                    if found["regarding"]["kind"] == kind and found["regarding"]["name"] == name and
                    found["reason"] == "PermissionDenied" and all(text in found["note"] for text in texts)]
        return wait_until(holds, f"an Event about {kind} {name}: {texts}", lambda: self.log()[-6000:])
