"""Two controllers on a real cluster: what a leader that was cut off does late leaves nothing."""
import json
import os
import signal
import sys
import threading
import unittest
import urllib.parse

import paused_run
from cluster import DEADLINE_SECONDS, ROOT, ClusterTest

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
from proxy import Proxy  # noqa: E402

LEASE = "churn-operator"


class LateLeader(ClusterTest):
    controller_arguments = None

    def setUp(self):
        super().setUp()
        server = urllib.parse.urlsplit(self.cluster.server)
        self.held, self.is_held, self.job_may_pass = None, threading.Event(), threading.Event()
        self.proxy = Proxy(server.hostname, server.port, before=self.hold_job)
        self.addCleanup(self.proxy.close)
        self.addCleanup(self.job_may_pass.set)
        self.cluster.set_image("churn-trainer", "held", program="held-churn-trainer")

    def hold_job(self, piece):
        if piece.data.startswith(b"POST ") and b"/jobs" in piece.data.partition(b"\r\n")[0]:
            self.held = piece
            self.is_held.set()
            self.job_may_pass.wait()

    def start_leader(self):
        """Its requests go through the proxy."""
        with open(self.cluster.kubeconfig) as file:
            config = json.load(file)
        config["clusters"][0]["cluster"] = {"server": f"http://{self.proxy.address}"}
        config["users"][0]["user"] = {}
        path = os.path.join(self.cluster.folder, "proxied.kubeconfig")
        with open(path, "w") as file:
            json.dump(config, file)
        return self.cluster.start_controller("--identity", "first", "--kubeconfig", path)

    def wait_holder(self, identity):
        self.cluster.wait("lease", LEASE, lambda found: found and found["spec"]["holderIdentity"] == identity, identity)

    def start_training(self, seed, before=None):
        """Returns the name of its Job, which is another than that of the training before."""
        self.cluster.apply(self.cluster.model(seed=seed))
        model = self.cluster.wait("churnmodel", "telco",
                                  lambda found: paused_run.active_job(found) not in (None, before), "a training")
        return paused_run.active_job(model)

    def test_a_job_that_is_posted_late_is_deleted_and_leaves_nothing(self):
        first = self.start_leader()
        self.wait_holder("first")
        late = self.start_training(seed=1)
        self.assertTrue(self.is_held.wait(DEADLINE_SECONDS), "no Job was posted")
        first.process.send_signal(signal.SIGSTOP)
        self.addCleanup(first.process.send_signal, signal.SIGCONT)
        self.cluster.start_controller("--identity", "second")
        self.wait_holder("second")
        self.cluster.wait("job", late, lambda found: found, "the second leader's Job of the same name")
        job = self.start_training(seed=2, before=late)
        self.cluster.wait_job_gone(late)
        self.cluster.wait("job", job, lambda found: found and found["status"].get("ready"), "a pod that runs")
        status = self.cluster.get("churnmodel", "telco")["status"]

        self.job_may_pass.set()
        answer = self.proxy.find(lambda piece: not piece.up and piece.connection == self.held.connection,
                                 after=self.held.time, timeout_seconds=DEADLINE_SECONDS)
        self.assertTrue(answer and answer.data.startswith(b"HTTP/1.1 201"), answer)
        self.cluster.wait_job_gone(late)
        first.process.send_signal(signal.SIGCONT)
        self.assertNotEqual(first.process.wait(DEADLINE_SECONDS), 0)
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"], status)

        self.cluster.open_gate()
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertEqual(model["status"]["trainingsRun"], 2)
        self.assertEqual([found["metadata"]["name"] for found in self.cluster.jobs()], [job])
        folder = self.cluster.file("models", f"{self.cluster.namespace}.telco")
        self.assertEqual(set(os.listdir(folder)), {"runs", model["status"]["model"]["version"]})
        self.assertEqual(len(os.listdir(os.path.join(folder, "runs"))), 1)


if __name__ == "__main__":
    unittest.main()
