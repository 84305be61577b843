"""What Argo CD shows of our objects and does to them: its scripts, in its sandbox, on objects that
the controller made."""
import copy
import json
import sys
import tempfile
import unittest

import parts
import yaml

sys.path.insert(0, str(parts.ROOT / "tests" / "e2e"))
import cluster as e2e  # noqa: E402

SCRIPTS = parts.ROOT / "manifests" / "argocd"


class ArgoCD(e2e.ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = str(parts.sandbox())

    def run_script(self, path, object_):
        return json.loads(parts.run(self.sandbox, str(path), input=json.dumps(object_)))

    def health(self, object_):
        return self.run_script(SCRIPTS / object_["kind"] / "health.lua", object_)

    def assert_health(self, object_, status, message=""):
        answer = self.health(object_)
        self.assertEqual(answer["status"], status, answer)
        self.assertIn(message, answer["message"])

    def actions(self, object_):
        return yaml.safe_load((SCRIPTS / object_["kind"] / "actions.yaml").read_text())

    def run_text(self, text, object_):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(text)
            script.flush()
            return self.run_script(script.name, object_)

    def offered(self, object_):
        answer = self.run_text(self.actions(object_)["discovery.lua"], object_)
        return {name for name, action in answer.items() if not action["disabled"]}

    def act(self, name, object_):
        """The spec that an action leads to."""
        definitions = self.actions(object_)["definitions"]
        text = next(entry["action.lua"] for entry in definitions if entry["name"] == name)
        return self.run_text(text, object_)["spec"]

    def suspended(self, kind, name):
        self.cluster.kubectl("patch", kind, name, "--type=merge", "-p", '{"spec":{"suspend":true}}')
        return self.cluster.wait(kind, name, lambda object_: object_["status"].get(
            "observedGeneration") == object_["metadata"]["generation"], "the new generation")

    def test_model_from_first_training_to_suspension(self):
        self.cluster.set_image("churn-trainer", "1", tag="held", program="held-churn-trainer")
        image = f"{self.cluster.address}/churn-trainer:held"
        self.cluster.apply(self.cluster.model(image=image))
        training = self.cluster.wait_condition("churnmodel", "telco", "Reconciling", reason="Training")
        self.assert_health(training, "Progressing", "Training: Job telco-t")
        self.cluster.open_gate()
        ready = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assert_health(ready, "Healthy", "Trained: version ")
        edited = copy.deepcopy(ready)
        edited["metadata"]["generation"] += 1
        self.assert_health(edited, "Progressing", "has not seen this generation")
        unseen = copy.deepcopy(ready)
        del unseen["status"]
        self.assert_health(unseen, "Progressing", "has not seen this generation")
        deleted = copy.deepcopy(ready)
        deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.assert_health(deleted, "Progressing", "being deleted")
        self.assert_health(self.suspended("churnmodel", "telco"), "Suspended")

    def test_model_with_an_error_in_its_spec_or_data_is_degraded(self):
        self.cluster.apply(self.cluster.model(parameters={"max_depth": "1"}))
        stalled = self.cluster.wait_condition("churnmodel", "telco", "Stalled")
        self.assert_health(stalled, "Degraded", "SpecInvalid: spec.parameters.max_depth")
        self.cluster.put("customerID,Churn\n", "input_folder", "history.csv")
        self.cluster.apply(self.cluster.model())
        failed = self.cluster.wait_condition("churnmodel", "telco", "Stalled", reason="DataInvalid")
        self.assert_health(failed, "Degraded", "DataInvalid: ")

    def test_batch_from_waiting_to_complete(self):
        self.cluster.apply(self.cluster.batch("week-1"))
        waiting = self.cluster.wait_condition("churnbatch", "week-1", "Ready", "False", "WaitingForModel")
        self.assert_health(waiting, "Progressing", "WaitingForModel: ")
        self.train()
        complete = self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        self.assert_health(complete, "Healthy", "40")

    def test_batch_that_failed_is_degraded_and_may_be_tried_again(self):
        self.train()
        self.cluster.put("nothing,of,use\n1,2,3\n", "weekly_folder", "week-1.csv")
        self.cluster.apply(self.cluster.batch("week-1"))
        failed = self.cluster.wait_condition("churnbatch", "week-1", "Failed")
        self.assert_health(failed, "Degraded", "DataInvalid: ")
        self.assertEqual(self.offered(failed), {"retry", "suspend"})
        self.assertTrue(self.act("retry", failed)["retryToken"].startswith("argocd-"))

    def test_batch_that_is_suspended(self):
        self.cluster.apply(self.cluster.batch("week-1", suspend=True))
        suspended = self.cluster.wait_condition("churnbatch", "week-1", "Suspended")
        self.assert_health(suspended, "Suspended")
        self.assertEqual(self.offered(suspended), {"resume"})
        self.assertFalse(self.act("resume", suspended)["suspend"])

    def test_actions_of_a_model_are_accepted_by_the_api_server(self):
        model = self.train()
        self.assertEqual(self.offered(model), {"retrain", "suspend"})
        spec = self.act("retrain", model)
        self.cluster.apply({**self.cluster.model(), "spec": spec})
        self.cluster.wait("churnmodel", "telco", lambda found: found["status"].get(
            "lastTraining", {}).get("token") == spec["retrain"]["token"], "the training")

    def test_a_model_is_rolled_back_to_the_version_before_and_let_go(self):
        first = self.train()["status"]["model"]["version"]
        self.cluster.apply(self.cluster.model(seed=7))
        second = self.cluster.wait(
            "churnmodel", "telco", lambda found: len(found["status"].get("history", [])) == 2 and
            found["status"]["model"]["version"] != first, "a second version")
        self.assertEqual(self.offered(second), {"retrain", "suspend", "roll-back"})
        self.cluster.apply({**self.cluster.model(), "spec": self.act("roll-back", second)})
        pinned = self.cluster.wait("churnmodel", "telco", lambda found: found["status"]["model"][
            "version"] == first, "the first version in use")
        self.assertIn("unpin", self.offered(pinned))
        self.cluster.apply({**self.cluster.model(), "spec": self.act("unpin", pinned)})
        self.cluster.wait("churnmodel", "telco", lambda found: found["status"]["model"]["version"] ==
                          second["status"]["model"]["version"], "the second version in use")


if __name__ == "__main__":
    unittest.main()
