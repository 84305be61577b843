"""Group cluster: the figures of group controller against etcd and the API server of Kubernetes, which hack/cluster
knows to build and start. No Job controller and no kubelet: else they are what is measured. What they would do is
played by a thread that ends pods and Jobs through their status."""
import collections
import contextlib
import http.client
import json
import os
import shutil
import sys
import tempfile
import threading
import urllib.parse

import data
from controller import NOWHERE, ControllerGroup
from measure import Failed, say
from world import RESULTS, World

sys.path.insert(0, os.path.join(data.ROOT, "hack", "kubenode"))
import boundary  # noqa: E402
import build  # noqa: E402
import node  # noqa: E402
from real_cluster import ApiProxy  # noqa: E402
from state import Failed as NotStarted  # noqa: E402
from state import State  # noqa: E402
from unavailable import Unavailable  # noqa: E402

PATCH = {"Content-Type": "application/merge-patch+json"}
WHEN = "2026-01-01T00:00:00Z"


class ApiServer:
    """etcd and the API server, in namespaces of their own."""

    def __init__(self, programs):
        self.folder = tempfile.mkdtemp(prefix="churn-bench-")
        self.state = State(os.path.join(self.folder, "cluster"))
        os.mkdir(self.state.folder)
        try:
            boundary.create(self.state)
            running = node.Node(self.state, programs)
            running.make_certificates()
            running.start_storage()
            running.start_api_server()
        except BaseException:
            self.stop()
            raise
        self.kubeconfig = self.state.path("kubeconfig")
        self.audit_log = self.state.path("log", "audit.log")

    def stop(self):
        boundary.remove(self.state)
        shutil.rmtree(self.folder)


class Player(threading.Thread):
    """Makes a pod for each Job, whose program reports the usual result, and ends both. Suspended Jobs and those of NOWHERE stay."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.connection, self.watch = (http.client.HTTPConnection(address) for _ in range(2))
        self.watch.request("GET", "/apis/batch/v1/namespaces/default/jobs?watch=true&resourceVersion=0")
        self.stream = self.watch.getresponse()

    def run(self):
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):  # the server is gone: the end
            for line in self.stream:
                event = json.loads(line)
                job = event["object"]
                if event["type"] == "ADDED" and NOWHERE not in line.decode() and not job["spec"].get("suspend"):
                    self.play(job)

    def play(self, job):
        name, template = job["metadata"]["name"], job["spec"]["template"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"], "controller": True}
        self.send("POST", "/api/v1/namespaces/default/pods", {
            "metadata": {"name": name, "labels": template["metadata"]["labels"],
                         "annotations": template["metadata"].get("annotations", {}), "ownerReferences": [owner]},
            "spec": template["spec"]})
        program = job["metadata"]["labels"]["app.kubernetes.io/component"]
        container = template["spec"]["containers"][0]
        ended = {"exitCode": 0, "reason": "Completed", "startedAt": WHEN, "finishedAt": WHEN,
                 "message": json.dumps(RESULTS[f"churn-{program}"])}
        self.send("PATCH", f"/api/v1/namespaces/default/pods/{name}/status", {"status": {
            "phase": "Succeeded", "startTime": WHEN, "containerStatuses": [{
                "name": container["name"], "image": container["image"], "imageID": container["image"], "ready": False,
                "restartCount": 0, "state": {"terminated": ended}}]}})
        self.send("PATCH", f"/apis/batch/v1/namespaces/default/jobs/{name}/status", {"status": {
            "startTime": WHEN, "completionTime": WHEN, "succeeded": 1, "uncountedTerminatedPods": {}, "conditions": [
                {"type": kind, "status": "True", "lastProbeTime": WHEN, "lastTransitionTime": WHEN}
                for kind in ("SuccessCriteriaMet", "Complete")]}})

    def send(self, verb, path, body):
        self.connection.request(verb, path, json.dumps(body),
                                PATCH if verb == "PATCH" else {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            print(f"bench: {verb} {path}: {answer.status} {text.decode()[:500]}", file=sys.stderr)


class ApiServerWorld(World):
    """kubesim stays as the registry."""
    server_process = kubesim_kubeconfig = None

    def __init__(self, programs):
        super().__init__()
        self.kubesim_kubeconfig = self.kubeconfig
        try:
            self.server_process = ApiServer(programs)
            self.move_in()
        except BaseException:
            self.close()
            raise

    def move_in(self):
        self.kubeconfig = self.server_process.kubeconfig
        self.proxy = ApiProxy(self.kubeconfig, os.path.join(self.folder, "proxy.log"))
        self.server, self.counted = self.proxy.url, 0
        self.api_address = urllib.parse.urlsplit(self.server).netloc
        self.connection = http.client.HTTPConnection(self.api_address)
        self.kubectl("apply", "-f", os.path.join(data.ROOT, "crds"))
        self.kubectl("wait", "--for=condition=Established", "-f", os.path.join(data.ROOT, "crds"))
        self.kubectl("wait", "--for=create", "namespace/default", "--timeout=60s")
        self.kubectl("create", "serviceaccount", "default")  # which the controller manager makes elsewhere
        Player(self.api_address).start()

    def close(self):
        super().close()
        if self.server_process:
            self.server_process.stop()

    def end(self):
        if self.kubeconfig != self.kubesim_kubeconfig:
            self.proxy.stop()
        return super().end()

    def sim(self, *arguments):
        kept = self.kubeconfig
        self.kubeconfig = self.kubesim_kubeconfig or kept
        try:
            return super().sim(*arguments)
        finally:
            self.kubeconfig = kept

    def kubeconfig_through(self, address):
        """The proxy's other side is kubectl's, so it speaks plain HTTP."""
        path = os.path.join(self.folder, "kubeconfig-proxy")
        named = {"cluster": "proxy", "user": "proxy"}
        data.write_json(path, {
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": f"http://{address}"}}],
            "users": [{"name": "proxy", "user": {}}], "contexts": [{"name": "proxy", "context": named}]})
        return path

    def audited(self):
        with open(self.server_process.audit_log) as file:
            for line in file:
                with contextlib.suppress(ValueError):  # the last line may still be on its way
                    yield json.loads(line)

    def requests(self):
        """Writes only, from the audit log."""
        counts = collections.Counter()
        for number, entry in enumerate(self.audited()):
            if number >= self.counted:
                counts[f"{entry['verb']} {entry['objectRef']['resource']} {entry['userAgent']}"] += 1
        return counts

    def reset_stats(self):
        self.counted = sum(1 for _ in self.audited())


def measure(report, _folder, options):
    try:
        node.check()
        programs = build.find_programs(build.DEFAULT_VERSION, build.default_cache(), say)
    except Unavailable as missing:
        report.missing("cluster", str(missing))
        return
    try:
        ControllerGroup(report.under("API server: "), options.quick, lambda: ApiServerWorld(programs)).measure()
    except NotStarted as failure:
        raise Failed(str(failure)) from failure
