"""Bad specs and bad data: what the user is told, and that mending them is enough."""
import json
import os

from cluster import ClusterTest, changed, condition_of, first_lines


class RefusedAtApply(ClusterTest):
    """What a schema knows never reaches the controller."""
    controller_arguments = None

    def refuse(self, found, *expected):
        done = self.cluster.kubectl("apply", "-f", "-", check=False, text=json.dumps(found))
        self.assertNotEqual(done.returncode, 0, found)
        if "strict decoding" not in done.stderr:
            self.assertIn(f'"{found["metadata"]["name"]}" is invalid', done.stderr)
        for text in expected:
            self.assertIn(text, done.stderr)

    def test_models(self):
        model = self.cluster.model()
        data = model["spec"]["data"]
        cases = {
            "unknown field": (changed(model, imag="x"), 'unknown field "spec.imag"'),
            "unknown nested field": (changed(model, data={**data, "targt": "x"}),
                                     'unknown field "spec.data.targt"'),
            "missing target": (changed(model, data={"uri": data["uri"]}), "spec.data.target", "Required"),
            "wrong type": (changed(model, seed="x"), "spec.seed", "integer"),
            "unknown algorithm": (changed(model, algorithm="Magic"), "spec.algorithm", "Unsupported value"),
            "out of range": (changed(model, backoffLimit=-1), "spec.backoffLimit", "greater than or equal to"),
            "number as a number": (changed(model, validation={"holdout": 0.2}), "spec.validation.holdout",
                                   "string"),
            "later feature": (changed(model, pinnedVersion="3f9c"), 'unknown field "spec.pinnedVersion"'),
        }
        for name, (found, *expected) in cases.items():
            with self.subTest(name):
                self.refuse(found, *expected)

    def test_batches(self):
        batch = self.cluster.batch("week-1")
        cases = {
            "missing model": ({**batch, "spec": {k: v for k, v in batch["spec"].items() if k != "modelRef"}},
                              "spec.modelRef", "Required"),
            "too many reasons": (changed(batch, reasons=1000), "spec.reasons", "less than or equal to"),
            "freshness": (changed(batch, freshness="Newest"), "spec.freshness", "Unsupported value"),
            "later feature": (changed(batch, shards=4), 'unknown field "spec.shards"'),
        }
        for name, (found, *expected) in cases.items():
            with self.subTest(name):
                self.refuse(found, *expected)


class Stalled(ClusterTest):
    """What only the controller knows is said in Stalled with the field's path, and mending heals."""

    def check_model(self, path, **spec):
        self.cluster.apply(self.cluster.model(**spec))
        model = self.cluster.wait_condition("churnmodel", "telco", "Stalled", reason="SpecInvalid")
        self.assertIn(path, condition_of(model, "Stalled")["message"])
        self.assertEqual(self.cluster.jobs(), [])

    def test_rules_of_models(self):
        data = self.cluster.model()["spec"]["data"]
        self.check_model("spec.data.uri", data={**data, "uri": "ftp://bank/history.csv"})
        self.check_model("spec.data.uri", data={**data, "uri": "gs://bank/history.csv"})
        self.check_model("spec.artifacts.uri", artifacts={"uri": self.cluster.uri("models")})
        self.check_model("spec.parameters", parameters={"max_dpth": "6"})
        self.check_model("spec.parameters.l2", parameters={"l2": "-1"})
        self.check_model("spec.validation.holdout", validation={"holdout": "1.5"})
        self.check_model("spec.image", image="Not An Image")
        self.cluster.apply(self.cluster.model())
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assert_kstatus(model)

    def test_rules_of_batches(self):
        self.train()
        for path, spec in {
                "spec.input.uri": {"input": {"uri": "s3://bank/week.csv"}},
                "spec.threshold": {"threshold": "1.5"},
                "spec.maxRejected": {"maxRejected": "2"}}.items():
            with self.subTest(path):
                self.cluster.apply(self.cluster.batch("week-1", **spec))
                batch = self.cluster.wait_condition("churnbatch", "week-1", "Stalled", reason="SpecInvalid")
                self.assertIn(path, condition_of(batch, "Stalled")["message"])
        self.assertEqual(self.cluster.jobs("scorer"), [])
        self.score("week-1")

    def test_a_started_batch_cannot_be_edited(self):
        self.train()
        done = self.score("week-1")
        self.cluster.apply(self.cluster.batch("week-1", reasons=1))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Stalled", reason="SpecImmutable")
        self.assertIn("spec", condition_of(batch, "Stalled")["message"])
        self.assertEqual(condition_of(batch, "Complete")["status"], "True")
        self.cluster.apply(self.cluster.batch("week-1"))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Stalled", "False")
        self.assertEqual(batch["status"]["output"], done["status"]["output"])
        self.assertEqual(len(self.cluster.jobs("scorer")), 1)


class BadData(ClusterTest):
    def test_training_says_the_programs_line_and_heals_when_retried(self):
        self.cluster.put(first_lines("telco_history.csv", 300).replace("Churn", "Churned", 1),
                         "input_folder", "history.csv")
        self.cluster.apply(self.cluster.model())
        model = self.cluster.wait_condition("churnmodel", "telco", "Trained", "False", "DataInvalid")
        message = condition_of(model, "Trained")["message"]
        self.assertIn("history.csv", message)
        self.assertIn("Churn", message)
        [job] = self.cluster.jobs("trainer")
        self.assertEqual(job["status"].get("failed"), 1)
        self.assertEqual(os.listdir(self.cluster.file("models")), [])
        self.cluster.put_history()
        self.cluster.apply(self.cluster.model(retrain={"token": "mended"}))
        self.cluster.wait_condition("churnmodel", "telco", "Ready")

    def test_scoring_says_the_programs_line_and_retries_by_token(self):
        self.train()
        good = first_lines("telco_week_01.csv", 40)
        lines = good.splitlines(keepends=True)
        for number in range(3, 20):
            lines[number] = "too,few\n"
        self.cluster.put("".join(lines), "weekly_folder", "week-1.csv")
        self.cluster.apply(self.cluster.batch("week-1"))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Failed", reason="DataInvalid")
        message = condition_of(batch, "Failed")["message"]
        self.assertIn("week-1.csv line 4", message)
        self.assertEqual(condition_of(batch, "Stalled")["status"], "True")
        self.assertEqual(condition_of(batch, "Ready")["reason"], "Failed")
        self.assertFalse(os.path.exists(self.cluster.file("output_folder", "week-1.csv")))
        self.assertIn("line,column", self.cluster.read("output_folder", "week-1.csv.rejects.csv"))
        [job] = self.cluster.jobs("scorer")
        self.assertEqual(job["status"].get("failed"), 1)
        self.cluster.put(good, "weekly_folder", "week-1.csv")
        self.cluster.apply(self.cluster.batch("week-1", retryToken="mended"))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        self.assert_kstatus(batch)
        self.assertEqual(batch["status"]["rows"]["scored"], 40)
