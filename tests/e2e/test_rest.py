"""At rest nothing is written, whatever there is to look after."""
import time

from cluster import ClusterTest


class AtRest(ClusterTest):
    controller_arguments = ()
    MODELS, BATCHES, SECONDS = 20, 180, 60

    def test_no_writes_but_the_lease(self):
        for number in range(self.MODELS):
            self.cluster.apply(self.cluster.model(f"model-{number}", suspend=number > 0))
        self.cluster.wait_condition("churnmodel", "model-0", "Ready")
        self.cluster.apply(*[self.cluster.batch(f"batch-{number}", model=f"model-{number % self.MODELS}")
                             for number in range(self.BATCHES)])
        for number in range(self.BATCHES):
            model = number % self.MODELS
            self.cluster.wait_condition("churnbatch", f"batch-{number}", "Ready",
                                        *(("True",) if model == 0 else ("False", "WaitingForModel")))
        before = self.writes()
        self.observe(self.SECONDS)
        self.assertEqual(self.writes(), before)

    def observe(self, seconds):
        """A span of time is what is tested here, so this one waits by the clock."""
        time.sleep(seconds)

    def writes(self):
        return {key: count for key, count in self.cluster.stats()["requests"].items()
                if key.split()[0] in ("create", "patch", "update", "delete") and "leases" not in key
                and "churn-controller" in key}
