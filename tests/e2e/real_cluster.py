"""A namespace of a real cluster as the cluster of a test: real API server, kubelet, containers, registry.

$KUBECONFIG names the cluster, $CHURN_REGISTRY a registry (HOST:PORT, plain HTTP) that this machine and the
nodes reach. Nodes must see this machine's temporary folder: data are in hostPath volumes. $CHURN_AUDIT_LOG is
the API server's audit log, for tests that count writes. on_real_cluster.py sets all of it."""
import collections
import contextlib
import functools
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

from cluster import POLL_SECONDS, ROOT, Cluster, NotInTime, Process, kubectl_program

sys.path.insert(0, os.path.join(ROOT, "hack", "kubenode"))
import oci  # noqa: E402

REGISTRY = os.environ.get("CHURN_REGISTRY")
AUDIT_LOG = os.environ.get("CHURN_AUDIT_LOG")
NUMBERS = itertools.count(1)


@functools.cache
def image(name):
    """What hack/images built."""
    return oci.read_archive(os.path.join(ROOT, "build", "images", name.removeprefix("churn-") + ".tar"))


@functools.cache
def held_layer():
    """A static program: there is no shell in our images."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "held.c")
    with tempfile.NamedTemporaryFile() as program:
        subprocess.run(["gcc", "-Os", "-static", "-s", "-o", program.name, source], check=True)
        with open(program.name, "rb") as file:
            return oci.layer({"/held": file.read()})


class ApiProxy(Process):
    """kubectl proxy, which knows all ways to prove who one is; `url` needs none."""

    def __init__(self, kubeconfig, log_path):
        super().__init__("kubectl proxy", [kubectl_program(), "--kubeconfig", kubeconfig, "proxy", "--port=0"], log_path)
        deadline = time.monotonic() + 30
        while not (found := re.search(r"Starting to serve on (\S+)", self.log())):
            if not self.alive() or time.monotonic() > deadline:
                raise NotInTime("kubectl proxy did not start:\n" + self.log())
            time.sleep(POLL_SECONDS)
        self.url = "http://" + found.group(1)


class RealCluster(Cluster):
    def __init__(self):
        self.namespace = f"e2e-{os.getpid()}-{next(NUMBERS)}"
        self.registry, self.address = REGISTRY, f"{REGISTRY}/{self.namespace}"
        self.controller_options = ("--namespace", self.namespace)
        super().__init__()

    def begin(self):
        self.write_kubeconfig()
        self.kubectl("wait", "--for=delete", "namespace/" + self.namespace, "--timeout=50s")  # a former cluster
        self.kubectl("create", "namespace", self.namespace)
        self.namespaces = [self.namespace]
        self.proxy = ApiProxy(self.kubeconfig, os.path.join(self.folder, "proxy.log"))
        self.server = self.proxy.url
        self.set_image("churn-trainer", "1")
        self.set_image("churn-scorer", "1")

    def write_kubeconfig(self):
        """As the user's, for our namespace."""
        config = json.loads(subprocess.run(
            [kubectl_program(), "config", "view", "--minify", "--flatten", "--output=json"], check=True,
            capture_output=True).stdout)
        config["contexts"][0]["context"]["namespace"] = self.namespace
        with open(self.kubeconfig, "w") as file:
            json.dump(config, file)

    def end(self):
        self.proxy.stop()
        os.unlink(self.proxy.log_path)
        self.kubectl("delete", "namespace", *self.namespaces, "--wait=false")
        for namespace in self.namespaces:  # what still runs writes to our folder
            self.kubectl("delete", "pods", "--namespace", namespace, "--grace-period=1", "--wait", "--timeout=50s",
                         "--field-selector=status.phase!=Succeeded,status.phase!=Failed")
        return []

    def set_image(self, name, revision, tag="stable", program=None):
        base = image(name)
        settings = {**base.config["config"]}
        settings["Labels"] = {**settings["Labels"], "churn.test/revision": revision}
        layers = base.layers
        if program and program != name:
            settings["Entrypoint"] = ["/held", program.removesuffix("-" + name), self.gate, *settings["Entrypoint"]]
            layers = [*layers, held_layer()]
        made = oci.Image({**base.config, "config": settings}, layers)
        return oci.push(made, self.registry, f"{self.namespace}/{name}", tag)

    def add_namespace(self):
        name = self.namespace + "-other"
        self.kubectl("create", "namespace", name)
        self.namespaces.append(name)
        self.start_controller("--no-leader-elect", "--namespace", name)
        return name

    def sim(self, *arguments):
        """Tests that know before say only_on_kubesim."""
        raise unittest.SkipTest(f"only on kubesim: {' '.join(arguments[:2])}")

    def requests(self):
        """Writes only, from the audit log."""
        if not AUDIT_LOG:
            raise unittest.SkipTest("the cluster's audit log is not at hand")
        counts = collections.Counter()
        with open(AUDIT_LOG) as file:
            for line in file:
                with contextlib.suppress(ValueError):  # the last line may still be on its way
                    entry = json.loads(line)
                    found = entry.get("objectRef", {})
                    if found.get("namespace") == self.namespace:
                        counts[f"{entry['verb']} {found['resource']} {entry['userAgent']}"] += 1
        return counts
