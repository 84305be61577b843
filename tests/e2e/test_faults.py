"""The API server at its worst: the main run comes to the same end."""
import json
import threading

import main_run
from cluster import ClusterTest, only_on_kubesim

CONTROLLER = ("--user-agent", "churn-controller")
OFTEN = ("--count", "1000000", "--probability", "0.3")
FEW = ("--count", "6", "--probability", "0.5")
OURS = ("churnmodels", "churnbatches", "jobs")

# What kubesim is told to do to the controller's requests and watches, from before its start.
FAULTS = {
    "conflicts": [("--verb", "patch", "--action", "status", "--code", "409", *OFTEN)],
    "throttled": [("--action", "status", "--code", "429", "--retry-after", "1", *FEW)],
    "internal errors": [("--action", "status", "--code", "500", *OFTEN)],
    "unavailable at the start": [("--action", "status", "--code", "503", "--count", "8")],
    "gateway time-outs of writes": [("--verb", verb, "--action", "status", "--code", "504", *OFTEN)
                                    for verb in ("create", "patch")],
    "cut connections": [("--action", "drop", *OFTEN)],
    "slow answers": [("--action", "slow", "--delay", "300ms", *OFTEN)],
    "dropped watches": [("--verb", "event", "--action", "drop", *OFTEN)],
    "expired watches": [("--verb", "event", "--action", "status", "--code", "410", *OFTEN)],
    "expired lists and watches": [("--verb", verb, "--action", "status", "--code", "410", *FEW)
                                  for verb in ("list", "watch")],
    "lost bookmarks": [("--verb", "bookmark", "--action", "lose", "--count", "1000000"),
                       ("--verb", "event", "--action", "drop", *OFTEN)],
    "stale lists": [("--verb", "list", "--resource", resource, "--action", "stale", "--revisions", "4",
                     "--count", "2") for resource in OURS] +
                   [("--verb", "event", "--resource", resource, "--action", "status", "--code", "410",
                     "--after", "2") for resource in OURS],
}


@only_on_kubesim("its API server fails when told to")
class Faults(ClusterTest):
    """One test for each entry of FAULTS, made below."""
    controller_arguments = None
    # A watch that comes back late finds its position forgotten.
    kubesim_arguments = ("--bookmark-interval", "100ms", "--watch-window", "8")
    expected = None  # what the run comes to when nothing goes wrong

    def setUp(self):
        super().setUp()
        self.cluster.put_week(2)

    def run_with(self, faults):
        for number, fault in enumerate(faults):
            self.cluster.sim("fault", "add", *fault, "--seed", str(number + 1), *CONTROLLER)
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
        for resource in OURS:
            self.cluster.sim("fault", "add", "--verb", "event", "--resource", resource, "--action", "stall",
                             "--after", "1", *CONTROLLER)
        cut = threading.Timer(5, self.cluster.sim, ("fault", "drop-watches"))
        cut.start()
        self.addCleanup(cut.join)
        self.assertEqual(self.run_with([]), self.undisturbed())
        self.assertEqual([fault["count"] for fault in json.loads(self.cluster.sim("fault", "list"))], [0, 0, 0])


def add_tests():
    for name, faults in FAULTS.items():
        def test(self, faults=faults):
            self.assert_same_end(faults)
        setattr(Faults, "test_" + name.replace(" ", "_").replace("-", "_"), test)


add_tests()
