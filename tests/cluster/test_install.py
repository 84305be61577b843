"""kubectl apply -k, as the README says: two replicas in pods; upgraded in the middle of a run, taken over, uninstalled.
Nobody else may use the cluster meanwhile: these controllers look after all namespaces."""
import contextlib
import glob
import os
import signal
import time
import unittest

import paused_run
import yaml
from cluster import DEADLINE_SECONDS, POLL_SECONDS, ROOT, NotInTime
from own_node import OwnNode

NAMESPACE = "churn-operator"
GONE_BY_ITSELF = ("events", "events.events.k8s.io", "endpoints", "leases.coordination.k8s.io")


def pid_of_pod(name):
    """Of the controller in this pod; the node runs on this machine."""
    for path in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError), open(path + "/environ") as file, open(path + "/cmdline") as command:
            if f"HOSTNAME={name}\0" in file.read() and "churn-controller" in command.read().split("\0")[0]:
                return int(os.path.basename(path))
    raise AssertionError(f"no process of pod {name}")


class Installed(paused_run.PausedRun):
    def setUp(self):
        OwnNode()  # an installation would stand in the way of others on a shared cluster
        super().setUp()
        self.folder = os.path.join(self.cluster.folder, "install")
        os.mkdir(self.folder)
        self.before = self.everything()
        self.addCleanup(self.uninstall)

    def begin(self):
        self.install("1")

    def install(self, revision):
        """A version: its image differs, as any other's does."""
        tag = f"revision-{revision}"
        self.cluster.set_image("churn-controller", revision, tag)
        folder = self.folder
        images = {name: f"{self.cluster.address}/churn-{name}:stable" for name in ("trainer", "scorer")}
        with open(os.path.join(folder, "kustomization.yaml"), "w") as file:
            yaml.safe_dump({
                "resources": [os.path.relpath(os.path.join(ROOT, "manifests"), folder)],
                "images": [{"name": "ghcr.io/churn-operator/churn-controller",
                            "newName": f"{self.cluster.address}/churn-controller", "newTag": tag}],
                "patches": [
                    {"patch": yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "data": images, "metadata": {
                        "name": "churn-operator-images", "namespace": NAMESPACE}})},
                    {"target": {"kind": "Deployment"}, "patch": yaml.safe_dump([
                        {"op": "add", "path": "/spec/template/spec/containers/0/args/-",
                         "value": f"--insecure-registry={self.cluster.registry}"}])}]}, file)
        self.cluster.kubectl("apply", "-k", folder)
        self.operator("rollout", "status", "deployment/churn-operator", f"--timeout={DEADLINE_SECONDS}s")

    def uninstall(self):
        if os.listdir(self.folder):
            self.cluster.kubectl("delete", "-k", self.folder, "--ignore-not-found", "--timeout=120s")

    def operator(self, *arguments):
        """kubectl in the operator's namespace."""
        return self.cluster.kubectl("--namespace", NAMESPACE, *arguments)

    def everything(self):
        """The name of every object in the cluster, of every kind that stays."""
        kinds = self.cluster.kubectl("api-resources", "--verbs=list", "--output=name").split()
        listed = self.cluster.kubectl("get", ",".join(sorted(set(kinds) - set(GONE_BY_ITSELF))), "--all-namespaces",
                                      "--ignore-not-found", "--output", "custom-columns=K:.kind,S:.metadata.namespace,"
                                      "N:.metadata.name", "--no-headers")
        return {tuple(line.split()) for line in listed.splitlines()}

    def holder(self):
        return self.operator("get", "lease", "churn-operator", "--output", "jsonpath={.spec.holderIdentity}")

    def test_it_is_upgraded_in_the_middle_of_a_run(self):
        revisions = iter(("2", "3"))

        def disturb(job):
            uid = self.cluster.get("job", job)["metadata"]["uid"]
            self.install(next(revisions))
            self.assertEqual(self.cluster.get("job", job)["metadata"]["uid"], uid)
            self.cluster.open_gate()
        self.assert_same_end(disturb)

    def generations(self):
        """The API server counts each change of what is asked for."""
        return self.cluster.kubectl("get", "-k", self.folder, "--no-headers", "--output", "custom-columns="
                                    "K:.kind,N:.metadata.name,U:.metadata.uid,G:.metadata.generation,R:.data")

    def test_applying_it_again_changes_nothing(self):
        self.install("1")
        before = self.generations()
        self.assertEqual(self.cluster.kubectl("diff", "-k", self.folder), "")
        self.cluster.kubectl("apply", "-k", self.folder)
        self.assertEqual(self.generations(), before)

    def test_uninstalling_leaves_nothing(self):
        self.install("1")
        self.train()
        self.score()
        self.uninstall()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while left := self.everything() - self.before:
            if time.monotonic() > deadline:
                raise NotInTime(f"these are left: {left}")
            time.sleep(1)

    def test_the_other_replica_takes_over(self):
        self.install("1")
        for what, end in (("a graceful stop", signal.SIGTERM), ("a crash", signal.SIGKILL)):
            first = self.holder()
            os.kill(pid_of_pod(first.rpartition("_")[0]), end)
            began = time.monotonic()
            self.cluster.wait("lease", "churn-operator", lambda found: found["spec"]["holderIdentity"] not in ("", first),
                              "another leader", namespace=NAMESPACE)
            print(f"taken over {time.monotonic() - began:.1f} s after {what}")
        self.train()


if __name__ == "__main__":
    unittest.main()
