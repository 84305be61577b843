"""The main run of the scenarios with something happening in the middle of its training and of its first scoring:
the same end, nothing trained or scored twice."""
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "e2e"))
import main_run  # noqa: E402
from cluster import ClusterTest  # noqa: E402


def active_job(found):
    """The name of the Job that the status of a model or batch speaks of."""
    status = (found or {}).get("status", {})
    return status.get("job") or status.get("training", {}).get("job")


def wait_at_gate(cluster, kind, name):
    """Until the object's Job has a pod that runs; returns the Job's name."""
    job = active_job(cluster.wait(kind, name, active_job, "a Job in status"))
    cluster.wait("job", job, lambda found: found and found["status"].get("ready"), "a pod that runs")
    return job


def run(cluster, disturb):
    """Calls disturb(job) when the training's and when the first scoring's program waits at the gate, which it
    has to open; returns the end state."""
    for program in ("churn-trainer", "churn-scorer"):
        cluster.set_image(program, "held", program="held-" + program)
    cluster.apply(cluster.model(), cluster.batch("week-1"))
    for kind, name in (("churnmodel", "telco"), ("churnbatch", "week-1")):
        disturb(wait_at_gate(cluster, kind, name))
    cluster.wait_condition("churnbatch", "week-1", "Complete")
    cluster.set_image("churn-scorer", "1")
    state = main_run.run(cluster)
    del state["pods"]  # of those that ended some go with what disturbs, as with a node
    for batch in state["batches"]:  # held images know the folder of their test
        del batch["requiredDigest"], batch["training"]["digest"]
    return state


class PausedRun(ClusterTest):
    """Two controllers, each started again when it ends, as by a Deployment."""
    controller_arguments = None
    maxDiff = None
    undisturbed = {}  # what the run comes to, by class

    def setUp(self):
        super().setUp()
        self.cluster.put_week(2)

    def assert_same_end(self, disturb):
        """As that of a run without trouble, in a cluster of its own, once for all tests of a class."""
        kind = type(self)
        if kind not in PausedRun.undisturbed:
            calm = kind()
            calm.setUp()
            try:
                calm.begin()
                PausedRun.undisturbed[kind] = run(calm.cluster, lambda job: calm.cluster.open_gate())
            finally:
                calm.doCleanups()
        self.begin()
        self.assertEqual(run(self.cluster, disturb), PausedRun.undisturbed[kind])

    def begin(self):
        """Starts the controllers."""
        raise NotImplementedError
