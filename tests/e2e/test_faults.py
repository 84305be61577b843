"""The API server at its worst: the main run comes to the same end."""
import json
import threading

import kubesim_faults
import main_run
from cluster import ClusterTest, only_on_kubesim


@only_on_kubesim("its API server fails when told to")
class Faults(ClusterTest):
    """One test for each entry of kubesim_faults.FAULTS, made below."""
    controller_arguments = None
    # A watch that comes back late finds its position forgotten.
    kubesim_arguments = ("--bookmark-interval", "100ms", "--watch-window", "8")
    expected = None  # what the run comes to when nothing goes wrong

    def setUp(self):
        super().setUp()
        self.cluster.put_week(2)

    def run_with(self, faults):
        kubesim_faults.add(self.cluster, faults)
        self.cluster.start_controller("--no-leader-elect")
        return main_run.run(self.cluster)

    def assert_same_end(self, faults):
        state = self.run_with(faults)
        for fault, told in zip(json.loads(self.cluster.sim("fault", "list")), faults):
            self.assertLess(fault["count"], self.first_count(told), "a fault did not happen")
        self.assertEqual(state, self.undisturbed())

    @staticmethod
    def first_count(fault):
        return int(fault[fault.index("--count") + 1]) if "--count" in fault else 1

    def undisturbed(self):
        """In a cluster of its own, once for all tests."""
        if Faults.expected is None:
            calm = Faults()
            calm.setUp()
            try:
                Faults.expected = calm.run_with([])
            finally:
                calm.doCleanups()
        return Faults.expected

    def test_watches_that_fall_silent(self):
        """Nothing comes any more from the first event on, until somebody on the way cuts the
        connection."""
        for resource in kubesim_faults.OURS:
            self.cluster.sim("fault", "add", "--verb", "event", "--resource", resource, "--action", "stall",
                             "--after", "1", *kubesim_faults.CONTROLLER)
        cut = threading.Timer(5, self.cluster.sim, ("fault", "drop-watches"))
        cut.start()
        self.addCleanup(cut.join)
        self.assertEqual(self.run_with([]), self.undisturbed())
        self.assertEqual([fault["count"] for fault in json.loads(self.cluster.sim("fault", "list"))], [0, 0, 0])


def add_tests():
    for name, faults in kubesim_faults.FAULTS.items():
        def test(self, faults=faults):
            self.assert_same_end(faults)
        setattr(Faults, "test_" + name.replace(" ", "_").replace("-", "_"), test)


add_tests()
