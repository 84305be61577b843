"""The main job: train, score, skip, retrain when the image, the spec or the token changes."""
import csv
import hashlib
import io
import os

from cluster import ClusterTest, changed, condition_of, first_lines


def decision(model):
    return model["status"]["lastDecision"]["action"], model["status"]["lastDecision"]["reason"]


def training(model):
    """The run key of the training that is active, or None."""
    status = (model or {}).get("status", {})
    run_key = status.get("training", {}).get("runKey")
    return run_key if run_key != status.get("lastTraining", {}).get("runKey") else None


class FirstTraining(ClusterTest):
    def test_status_and_artifacts_tell_the_same(self):
        model = self.train(algorithm="Auto")
        status = model["status"]
        self.assert_kstatus(model)
        self.assertEqual(status["trainingsRun"], 1)
        self.assertEqual(status["lastTraining"]["outcome"], "Trained")
        self.assertEqual(decision(model), ("Started", "First"))
        folder = self.cluster.file("models", f"{self.cluster.namespace}.telco", status["model"]["version"])
        self.assertEqual(status["model"]["uri"], f"file://{folder}/")
        for name in ("model.json", "metrics.json", "report.html"):
            self.assertTrue(os.path.getsize(os.path.join(folder, name)), name)
        with open(os.path.join(folder, "model.json"), "rb") as file:
            self.assertEqual(status["model"]["sha256"], hashlib.sha256(file.read()).hexdigest())
        history = self.cluster.read("input_folder", "history.csv").encode()
        self.assertEqual(status["model"]["dataSHA256"], hashlib.sha256(history).hexdigest())
        self.assertEqual(status["model"]["rows"], 400)
        auc = next(float(metric["value"]) for metric in status["metrics"] if metric["name"] == "auc")
        self.assertGreater(auc, 0.7)

    def test_columns_and_events_for_people(self):
        self.train()
        table = self.cluster.kubectl("get", "chm").splitlines()
        self.assertEqual(table[0].split(),
                         ["NAME", "READY", "REASON", "VERSION", "AUC", "LAST-DECISION", "IMAGE", "AGE"])
        self.assertEqual(table[1].split()[:2], ["telco", "True"])
        self.assertIn("churnmodel.churnops.io/telco", self.cluster.kubectl("get", "churn", "--output=name"))
        described = self.cluster.kubectl("describe", "churnmodel", "telco")
        self.assertIn("Trained", described)
        self.cluster.wait_event("First")
        self.cluster.wait_event("Trained")

    def test_the_job_is_locked_down(self):
        self.train()
        [job] = self.cluster.jobs("trainer")
        pod = job["spec"]["template"]["spec"]
        container = pod["containers"][0]
        self.assertFalse(pod["automountServiceAccountToken"])
        self.assertTrue(pod["securityContext"]["runAsNonRoot"])
        self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
        self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
        self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
        self.assertIn("@sha256:", container["image"])
        owner = job["metadata"]["ownerReferences"][0]
        self.assertEqual((owner["kind"], owner["name"], owner["controller"]), ("ChurnModel", "telco", True))


class Scoring(ClusterTest):
    def test_rows_and_sums_agree_with_the_file(self):
        self.train()
        batch = self.score()
        self.assert_kstatus(batch)
        status = batch["status"]
        text = self.cluster.read("output_folder", "week-1.csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        week = list(csv.DictReader(io.StringIO(self.cluster.read("weekly_folder", "week-1.csv"))))
        self.assertEqual([row["customerID"] for row in rows], [row["customerID"] for row in week])
        self.assertEqual(status["rows"], {"read": 40, "scored": 40, "rejected": 0})
        self.assertEqual(status["output"]["sha256"], hashlib.sha256(text.encode()).hexdigest())
        self.assertEqual(status["output"]["bytes"], len(text.encode()))
        probabilities = [float(row["churn_probability"]) for row in rows]
        self.assertAlmostEqual(float(status["scores"]["mean"]), sum(probabilities) / 40, places=4)
        threshold = float(status["scores"]["threshold"])
        above = sum(value >= threshold for value in probabilities)
        self.assertEqual(status["scores"]["aboveThreshold"], above)
        self.assertEqual(sum(row["churn_prediction"] == "1" for row in rows), above)
        for row in rows:
            self.assertRegex(row["reason_1"], r"^[A-Za-z]+=.* \([+-][0-9.]+\)$")
        table = self.cluster.kubectl("get", "chb").splitlines()
        self.assertEqual(table[0].split(),
                         ["NAME", "MODEL", "VERSION", "STATUS", "ROWS", "CHURNERS", "OUTPUT", "AGE"])
        self.assertEqual(table[1].split()[1], "telco")

    def test_second_batch_skips_the_training(self):
        self.train()
        first = self.score()
        self.cluster.put_week(2)
        batch = self.score("week-2", week="week-2.csv")
        # A first batch that came before the controller saw the training's end has waited for it.
        skipped = 1 + (first["status"]["training"]["action"] == "Skipped")
        self.assertEqual(batch["status"]["training"]["action"], "Skipped")
        self.assertEqual(batch["status"]["training"]["reason"], "ImageDigestUnchanged")
        model = self.cluster.wait("churnmodel", "telco",
                                  lambda model: model["status"].get("trainingsSkipped") == skipped,
                                  "all skipped trainings")
        self.assertEqual(decision(model), ("Skipped", "ImageDigestUnchanged"))
        self.assertEqual(model["status"]["trainingsRun"], 1)
        self.assertEqual(len(self.cluster.jobs("trainer")), 1)

    def test_current_takes_what_is_there(self):
        model = self.train(imagePollInterval="1h")
        self.cluster.set_image("churn-trainer", "2")
        batch = self.score(freshness="Current")
        self.assertEqual(condition_of(batch, "ModelReady")["status"], "True")
        self.assertEqual(batch["status"]["model"]["version"], model["status"]["model"]["version"])
        self.assertEqual(len(self.cluster.jobs("trainer")), 1)

    def test_a_batch_applied_before_its_model_waits(self):
        self.cluster.apply(self.cluster.batch("early"))
        waiting = self.cluster.wait_condition("churnbatch", "early", "Ready", "False", "WaitingForModel")
        self.assertEqual(condition_of(waiting, "ModelReady")["reason"], "ModelNotFound")
        self.train()
        self.cluster.wait_condition("churnbatch", "early", "Complete")


class Retraining(ClusterTest):
    def wait_trained(self, count):
        return self.cluster.wait(
            "churnmodel", "telco",
            lambda model: model["status"].get("trainingsRun") == count and not training(model),
            f"{count} trainings")

    def test_a_moved_tag_retrains_once(self):
        first = self.train()
        self.cluster.set_image("churn-trainer", "2")
        batch = self.score()
        model = self.wait_trained(2)
        self.assertEqual(model["status"]["lastTraining"]["imageDigest"], batch["status"]["requiredDigest"])
        self.assertNotEqual(first["status"]["image"]["digest"], model["status"]["image"]["digest"])
        self.assertEqual(len(self.cluster.jobs("trainer")), 2)

    def test_a_tag_moved_while_a_batch_waits(self):
        self.train()
        self.cluster.set_image("churn-trainer", "2", program="held-churn-trainer")
        self.cluster.apply(self.cluster.batch("week-1"))
        self.cluster.wait_condition("churnbatch", "week-1", "Ready", "False", "WaitingForModel")
        self.cluster.open_gate()
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        model = self.wait_trained(2)
        self.assertEqual(model["status"]["lastTraining"]["imageDigest"], batch["status"]["requiredDigest"])
        self.assertEqual(len(self.cluster.jobs("trainer")), 2)

    def test_a_tag_moved_while_a_training_runs_retrains_after_it(self):
        self.cluster.set_image("churn-trainer", "held", program="held-churn-trainer")
        self.cluster.apply(self.cluster.model())
        self.cluster.wait("churnmodel", "telco", training, "a training")
        self.cluster.set_image("churn-trainer", "2")
        self.cluster.open_gate()
        model = self.wait_trained(2)
        self.assertEqual(decision(model)[1], "ImageDigestChanged")
        self.assertEqual(len(self.cluster.jobs("trainer")), 2)

    def test_a_spec_change_during_a_training_supersedes_it(self):
        self.cluster.set_image("churn-trainer", "held", program="held-churn-trainer")
        first = self.cluster.model()
        self.cluster.apply(first)
        running = self.cluster.wait("churnmodel", "telco", training, "a training")
        self.cluster.apply(changed(first, seed=7))
        self.cluster.wait("churnmodel", "telco",
                          lambda model: training(model) not in (None, training(running)), "another run key")
        self.cluster.wait_job_gone(running["status"]["training"]["job"])
        self.cluster.open_gate()
        self.wait_trained(2)  # both were started
        self.cluster.wait_event("Superseded")

    def test_a_change_that_training_does_not_see_does_not_retrain(self):
        self.train()
        self.cluster.apply(self.cluster.model(activeDeadlineSeconds=1000))
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertEqual(model["status"]["trainingsRun"], 1)
        self.assertEqual(len(self.cluster.jobs("trainer")), 1)

    def test_a_token_forces_one_training(self):
        first = self.train()
        self.cluster.apply(self.cluster.model(retrain={"token": "again"}))
        model = self.wait_trained(2)
        self.assertEqual(decision(model)[1], "Token")
        self.assertEqual(model["status"]["model"]["version"], first["status"]["model"]["version"])
        self.assertEqual(model["status"]["lastTraining"]["token"], "again")
