"""At rest nothing is written but the Lease, whatever there is to look after."""
import time

from cluster import REAL, ClusterTest

WRITES = ("create", "patch", "update", "delete", "deletecollection")


class AtRest(ClusterTest):
    """Two hundred objects, in every state that lasts; on a real cluster fewer, as each scoring is a pod. Seventy
    programs that begin at once may keep the server from its answers for a while, and no leader has to go."""
    controller_arguments = ("--lease-duration", "60s", "--lease-renew-deadline", "40s",
                            "--lease-retry-period", "2s")
    SECONDS = 60
    COMPLETE, FAILED = (6, 2) if REAL else (60, 10)

    def model_states(self):
        """For each state, its number of models, what they have in the spec, and how it shows."""
        cluster = self.cluster
        data = cluster.model()["spec"]["data"]
        missing = {**data, "uri": cluster.uri("input_folder", "missing.csv")}
        return {
            "trained": (4, {}, ("Ready", "True")),
            "suspended": (10, {"suspend": True}, ("Ready", "False", "Suspended")),
            "stalled": (3, {"image": "Not An Image"}, ("Stalled", "True", "SpecInvalid")),
            "failed": (2, {"data": missing}, ("Trained", "False")),
            "no-image": (1, {"image": f"{cluster.address}/churn-trainer:missing"},
                         ("ImageResolved", "False", "ImageNotFound")),
            "at-work": (1, {"image": f"{cluster.address}/churn-trainer:held"},
                        ("Reconciling", "True", "Training")),
        }

    def batch_states(self):
        missing = {"uri": self.cluster.uri("weekly_folder", "missing.csv")}
        taken = {"uri": self.cluster.uri("output_folder", "taken.csv")}
        return {
            "complete": (self.COMPLETE, "trained-0", {}, ("Complete", "True")),
            "failed": (self.FAILED, "trained-1", {"input": missing}, ("Failed", "True", "InputNotFound")),
            "suspended": (10, "trained-2", {"suspend": True}, ("Suspended", "True")),
            "no-model": (47, "nothing", {}, ("ModelReady", "False", "ModelNotFound")),
            "model-suspended": (50, "suspended-0", {}, ("ModelReady", "False", "ModelSuspended")),
            "at-work": (1, "trained-3", {"image": f"{self.cluster.address}/churn-scorer:held", "output": taken},
                        ("Ready", "False", "Running")),
            "output-taken": (1, "trained-3", {"output": taken}, ("Reconciling", "True", "OutputInUse")),
        }

    def test_nothing_is_written(self):
        for name in ("churn-trainer", "churn-scorer"):
            self.cluster.set_image(name, "held", tag="held", program="held-" + name)
        self.assertEqual(self.settle("churnmodel", self.model_objects()) +
                         self.settle("churnbatch", self.batch_objects()), 130 + self.COMPLETE + self.FAILED)
        before, renewals = self.writes(), self.renewals()
        time.sleep(self.SECONDS)  # a span of time is what is tested here
        self.assertEqual(self.writes(), before)
        self.assertGreater(self.renewals(), renewals)
        self.cluster.apply(self.cluster.model("suspended-9", suspend=False))  # it was not asleep
        self.cluster.wait_condition("churnmodel", "suspended-9", "Ready")

    def model_objects(self):
        for state, (count, spec, condition) in self.model_states().items():
            for number in range(count):
                yield self.cluster.model(f"{state}-{number}", **spec), condition

    def batch_objects(self):
        for state, (count, model, spec, condition) in self.batch_states().items():
            for number in range(count):
                yield self.cluster.batch(f"{state}-{number}", model=model, **spec), condition

    def settle(self, kind, objects):
        objects = list(objects)
        self.cluster.apply(*(found for found, _ in objects))
        for found, condition in objects:
            self.cluster.wait_condition(kind, found["metadata"]["name"], *condition)
        return len(objects)

    def writes(self):
        return {key: count for key, count in self.requests() if key.split()[1] != "leases"}

    def renewals(self):
        return sum(count for key, count in self.requests() if key.split()[1] == "leases")

    def requests(self):
        return [(key, count) for key, count in self.cluster.requests().items()
                if key.split()[0] in WRITES and key.split()[2].startswith("churn-controller")]
