"""Parts of the cluster fail while a run is under way; nobody else may use the cluster meanwhile."""
import threading

import paused_run
from cluster import POLL_SECONDS
from own_node import OwnNode


class Outages(paused_run.PausedRun):
    def setUp(self):
        self.own = OwnNode()
        super().setUp()

    def begin(self):
        """Two controllers; whichever ends is started again, as by a Deployment."""
        over = threading.Event()
        thread = threading.Thread(target=self.keep_running, args=(over,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)

    def keep_running(self, over):
        running = {}
        while not over.wait(POLL_SECONDS):
            for name in ("first", "second"):
                if name not in running or not running[name].alive():
                    running[name] = self.cluster.start_controller("--identity", name)

    def assert_same_end_after(self, *restarts):
        def disturb(_job):
            for restart in restarts:
                restart()
            self.cluster.open_gate()
        self.assert_same_end(disturb)

    def test_the_api_server_is_restarted(self):
        self.assert_same_end_after(self.own.restart_api_server)

    def test_etcd_is_restarted(self):
        self.assert_same_end_after(self.own.restart_etcd)

    def test_etcd_is_compacted_while_the_api_server_is_away(self):
        """Every watch begins where nothing is kept any more."""
        self.assert_same_end_after(self.own.stop_api_server, self.own.compact_etcd, self.own.start_api_server)

    def test_the_kubelet_is_restarted(self):
        self.assert_same_end_after(self.own.restart_kubelet)

    def test_the_cable_is_cut_until_the_job_has_ended(self):
        def disturb(job):
            with self.own.cut_cable():
                self.cluster.open_gate()
                self.own.kubectl("wait", "--namespace", self.cluster.namespace, "--for=condition=Complete",
                                 "--timeout=120s", "job/" + job)
        self.assert_same_end(disturb)

    def test_the_node_is_drained(self):
        """A pod that has to go is no failure of its Job; another begins when there is a place for it."""
        def disturb(job):
            self.own.kubectl("drain", self.own.name, "--force", "--delete-emptydir-data", "--timeout=120s")
            self.cluster.wait("job", job, lambda found: not found["status"].get("ready"), "no pod that runs")
            self.own.kubectl("uncordon", self.own.name)
            found = self.cluster.wait("job", job, lambda found: found["status"].get("ready"), "another pod")
            self.assertFalse(found["status"].get("failed"))
            self.cluster.open_gate()
        self.assert_same_end(disturb)
