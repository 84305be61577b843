"""A world for the controller: kubesim with programs that answer at once, our controller, and the
bare client. Built on the cluster of the end-to-end tests."""
import copy
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

import data
from measure import Failed, cpu, memory, run

sys.path.insert(0, os.path.join(data.ROOT, "tests", "e2e"))
os.environ["CHURN_BIN"] = data.BIN

from cluster import NotInTime, condition_of  # noqa: E402
from kubesim_cluster import KubesimCluster  # noqa: E402

VERSION = "0123456789abcdef"
SHA = "a" * 64
MODEL = {"group": "churnops.io", "version": "v1alpha1", "plural": "churnmodels", "kind": "ChurnModel"}
BATCH = {"group": "churnops.io", "version": "v1alpha1", "plural": "churnbatches", "kind": "ChurnBatch"}
JOB = {"group": "batch", "version": "v1", "plural": "jobs", "kind": "Job"}

RESULTS = {
    "churn-trainer": {
        "outcome": "Trained",
        "model": {"version": VERSION, "uri": f"file:///models/default.telco/{VERSION}/", "sha256": SHA,
                  "dataURI": "file:///history.csv", "dataSHA256": SHA, "rows": 10000,
                  "algorithm": "GradientBoosting"},
        "metrics": [{"name": name, "value": "0.8671"} for name in
                    ("auc", "pr_auc", "log_loss", "brier", "ece", "ks", "gini", "threshold")]},
    "churn-scorer": {
        "outcome": "Scored",
        "input": {"uri": "file:///weekly.csv", "generation": "1", "bytes": 68000, "sha256": SHA},
        "output": {"uri": "file:///output.csv", "manifestURI": "file:///output.csv.manifest.json",
                   "bytes": 65000, "sha256": SHA},
        "model": {"version": VERSION, "uri": f"file:///models/default.telco/{VERSION}/"},
        "rows": {"read": 1000, "scored": 1000, "rejected": 0},
        "scores": {"mean": "0.21", "p50": "0.12", "p90": "0.61", "p99": "0.93", "aboveThreshold": 200,
                   "threshold": "0.5"}},
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Controller:
    """A running churn-controller."""

    def __init__(self, command, port, log_path):
        self.port, self.log_path = port, log_path
        with open(log_path, "ab") as log:
            self.begun = time.monotonic()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in connection.recv(4096).split(b"\r\n")[0]
        except OSError:
            return False

    def wait_ready(self, timeout_seconds=60):
        """Seconds from exec to the first 200 of /readyz."""
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - self.begun > timeout_seconds:
                raise Failed(f"the controller does not become ready:\n{self.log()[-2000:]}")
            # to 2 %: answering all the time would be a part of the CPU that a long start is said to take
            time.sleep(max(0.0005, (time.monotonic() - self.begun) / 50))
        return time.monotonic() - self.begun

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def cache_bytes(self):
        """Bytes that the caches hold for an object, by resource."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/metrics")
        found = re.findall(r'^churn_cache_(entries|bytes)\{resource="(\w+)"\} (\d+)',
                           connection.getresponse().read().decode(), re.MULTILINE)
        connection.close()
        figures = {(kind, resource): int(value) for kind, resource, value in found}
        return {resource: figures["bytes", resource] / max(1, count)
                for (kind, resource), count in figures.items() if kind == "entries"}

    def cpu(self):
        return cpu(self.process.pid)

    def memory(self):
        return memory(self.process.pid)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(30)


class World(KubesimCluster):
    """A fresh API server; `with` ends everything."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __init__(self):
        self.kubesim = None
        try:
            super().__init__()
        except BaseException:
            if self.kubesim:
                self.kubesim.stop(signal.SIGKILL)
            raise
        self.put("customerID,Churn\n1,Yes\n2,No\n", "input_folder", "history.csv")
        self.put("customerID\n1\n", "weekly_folder", "week-1.csv")
        self.api_address = self.address  # of the API over plain HTTP
        self.connection = http.client.HTTPConnection(self.api_address)
        self.count = 0
        self.running = []

    def close(self):
        for controller in self.running:
            if controller.process.poll() is None:
                controller.stop(signal.SIGKILL)
        super().close()

    # --- processes ---

    def make_programs(self):
        """Images whose programs report a result and do nothing."""
        folder = os.path.join(self.folder, "bin")
        os.makedirs(folder)
        for program, result in RESULTS.items():
            path = os.path.join(folder, program)
            with open(path, "w") as script:
                script.write(f"#!/bin/sh\nprintf '%s' '{json.dumps(result)}' >\"$CHURN_RESULT\"\n")
            os.chmod(path, 0o755)
        return folder

    def image(self, name):
        """By digest, so that no look-up lies in what is measured."""
        answer = json.loads(self.sim("image", "set", f"{self.address}/{name}:stable", "--program", name,
                                     "--revision", "1"))
        return f"{self.address}/{name}@{answer['digest']}"

    def start(self, *arguments, kubeconfig=None, elect=False):
        port = free_port()
        self.count += 1
        controller = Controller(
            [data.program("churn-controller"), "--kubeconfig", kubeconfig or self.kubeconfig,
             "--metrics-address", f"127.0.0.1:{port}",
             "--default-trainer-image", f"{self.address}/churn-trainer:stable",
             "--default-scorer-image", self.image("churn-scorer"), "--insecure-registry", self.address,
             *([] if elect else ["--no-leader-elect"]), *arguments],
            port, os.path.join(self.folder, f"bench-controller-{self.count}.log"))
        self.running.append(controller)
        return controller

    def client(self, *arguments, background=False):
        command = [data.program("bench-client"), *arguments, "--kubeconfig", self.kubeconfig]
        if background:
            return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return run(command, keep_output=True)

    def replay(self, steps, count, concurrency=64):
        path = data.write_json(os.path.join(self.folder, "steps.json"), steps)
        return json.loads(self.client("replay", path, "--count", str(count), "--concurrency",
                                      str(concurrency)).output)

    def watch_jobs(self, count):
        """Begins to watch; call the result for the times of the first and the last of `count` Jobs."""
        watcher = self.client("watch", "--count", str(count), background=True)
        if "watching" not in watcher.stdout.readline():
            raise Failed("the bare client cannot watch Jobs")

        def finish(timeout_seconds=180):
            try:
                output, _ = watcher.communicate(timeout=timeout_seconds)
            except subprocess.TimeoutExpired:
                watcher.kill()
                watcher.communicate()
                raise Failed(f"{count} Jobs did not appear within {timeout_seconds} s") from None
            if watcher.returncode != 0:
                raise Failed(f"the bare client's watch ended before it had seen {count} Jobs")
            return json.loads(output)
        return finish

    def kubeconfig_through(self, address):
        """For a proxy in front of the API."""
        path = os.path.join(self.folder, "kubeconfig-proxy")
        with open(self.kubeconfig) as source, open(path, "w") as target:
            target.write(source.read().replace(self.api_address, address))
        return path

    # --- objects ---

    def post(self, kind, found):
        path = urllib.parse.urlsplit(self.server).path + self.path(kind, "default")
        self.connection.request("POST", path, json.dumps(found), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 201:
            raise Failed(f"POST {kind}: {answer.status} {text[:500]}")
        return json.loads(text)

    def trained_model(self):
        """A model that this controller has trained."""
        self.post("churnmodel", self.model(imagePollInterval="5m"))
        return self.wait_condition("churnmodel", "telco", "Ready")

    def current_batch(self, name, **spec):
        return self.batch(name, freshness="Current",
                          output={"uri": self.uri("output_folder", f"{name}.csv")}, **spec)

    def writes(self):
        """Writes of controllers by what was written, without the Lease; and the Lease's."""
        writes, lease = {}, 0
        for key, count in self.requests().items():
            verb, resource, agent = (key.split(" ", 2) + ["", ""])[:3]
            if not agent.startswith("churn-controller") or verb not in (
                    "create", "update", "patch", "delete"):
                continue
            if resource.startswith("leases"):
                lease += count
            else:
                writes[f"{verb} {resource}"] = writes.get(f"{verb} {resource}", 0) + count
        return writes, lease

    def reset_stats(self):
        self.sim("stats", "--reset")

    def complete(self):
        return sum(1 for batch in self.list("churnbatch")
                   if (condition_of(batch, "Complete") or {}).get("status") == "True")

    def wait_complete(self, count, timeout_seconds=180):
        deadline = time.monotonic() + timeout_seconds
        while self.complete() < count:
            if time.monotonic() > deadline:
                raise Failed(f"{self.complete()} of {count} batches are Complete after {timeout_seconds} s")
            time.sleep(0.25)


# --- steps for the bare client ---

def create_step(resource, body):
    return {"verb": "create", "namespace": "default", "body": body, **resource}


def status_step(resource, name, status):
    return {"verb": "patch", "namespace": "default", "name": name, "subresource": "status",
            "body": {"status": status}, **resource}


def fresh(found, name, **changes):
    """A copy to be created under another name: without what the server sets."""
    copied = copy.deepcopy(found)
    metadata = {key: copied["metadata"][key] for key in ("labels", "annotations")
                if key in copied["metadata"]}
    spec = copied["spec"]
    if copied["kind"] == "Job":
        for member in ("selector", "completions", "parallelism", "completionMode"):
            spec.pop(member, None)
        labels = spec["template"]["metadata"].get("labels", {})
        for label in [label for label in labels if re.search(r"controller-uid|job-name", label)]:
            del labels[label]
        metadata["labels"] = {key: value for key, value in metadata["labels"].items() if key in labels}
    return {"apiVersion": copied["apiVersion"], "kind": copied["kind"],
            "metadata": {"name": name, "namespace": "default", **metadata}, "spec": {**spec, **changes}}


def owned(job, kind, name, uid):
    job["metadata"]["ownerReferences"] = [{
        "apiVersion": "churnops.io/v1alpha1", "kind": kind, "name": name, "uid": uid, "controller": True,
        "blockOwnerDeletion": True}]
    return job


def finished_steps(resource, found, job, prefix):
    """An object that is done, and its finished Job (suspended, so that no pod runs)."""
    name = f"{prefix}-{{i}}"
    job_name = f"{name}-x0123456789"
    copied = owned(fresh(job, job_name, suspend=True), found["kind"], name, "{uid.0}")
    return [create_step(resource, fresh(found, name)), status_step(resource, name, found["status"]),
            create_step(JOB, copied), status_step(JOB, job_name, job["status"])]


__all__ = ["BATCH", "JOB", "MODEL", "NotInTime", "World", "create_step", "finished_steps", "fresh",
           "owned", "status_step"]
