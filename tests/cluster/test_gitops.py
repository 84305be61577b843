"""What Argo CD and Flux rely on: the controller leaves specs alone, and applying the same again changes nothing."""
import json
import os
import sys
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "e2e"))
from cluster import ClusterTest  # noqa: E402


class SameManifest(ClusterTest):
    def specs(self):
        """The API server counts each change of a spec in metadata.generation."""
        found = [*self.cluster.list("churnmodel"), *self.cluster.list("churnbatch")]
        return {entry["metadata"]["name"]: (entry["metadata"]["generation"], entry["spec"]) for entry in found}

    def assert_same(self, objects, before):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.assertEqual(self.cluster.kubectl("diff", "-f", "-", text=text), "")
        for how in ([], ["--server-side", "--force-conflicts", "--field-manager=argocd-controller"]):
            self.cluster.kubectl("apply", "-f", "-", *how, text=text)
            self.assertEqual(self.specs(), before)

    def test_nothing_changes_in_a_spec_through_two_trainings_and_two_scorings(self):
        cluster = self.cluster
        objects = [cluster.model(), cluster.batch("week-1")]
        cluster.apply(*objects)
        before = self.specs()
        cluster.wait_condition("churnbatch", "week-1", "Complete")
        self.assert_same(objects, before)
        cluster.set_image("churn-trainer", "2")
        cluster.put_week(2)
        objects.append(cluster.batch("week-2", week="week-2.csv"))
        cluster.apply(*objects)
        before["week-2"] = self.specs()["week-2"]
        cluster.wait_condition("churnbatch", "week-2", "Complete")
        model = cluster.wait("churnmodel", "telco", lambda found: found["status"]["trainingsRun"] == 2, "a retraining")
        self.assert_same(objects, before)
        for found in (model, *cluster.list("churnbatch")):
            fields = [entry["fieldsV1"] for entry in found["metadata"]["managedFields"]
                      if entry["manager"].startswith("churn-controller")]
            self.assertEqual([set(entry) for entry in fields], [{"f:status"}])


if __name__ == "__main__":
    unittest.main()
