"""Bad specs and bad data: what the user is told, and that mending them is enough."""
import os

from cluster import REAL, ClusterTest, changed, condition_of, first_lines


class RefusedAtApply(ClusterTest):
    """What a schema knows never reaches the controller."""
    controller_arguments = None

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
            "a column twice": (changed(model, data={**data, "columns": 2 * [{"name": "a", "type": "Numeric"}]}),
                               "spec.data.columns[1]", "Duplicate value"),
            "a sensitive column twice": (changed(model, data={**data, "sensitive": ["gender", "gender"]}),
                                         "spec.data.sensitive[1]", "Duplicate value"),
            "later feature": (changed(model, serving={}), 'unknown field "spec.serving"'),
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
            "later feature": (changed(batch, mlflow={}), 'unknown field "spec.mlflow"'),
        }
        for name, (found, *expected) in cases.items():
            with self.subTest(name):
                self.refuse(found, *expected)


class Stalled(ClusterTest):
    """What only the controller knows is said in Stalled with the field's path, and mending heals. A real API
    server refuses what a rule of the schema (CEL) catches; kubesim knows no rules, so there the controller
    says that too, as it does where the CRDs are older."""

    def check(self, kind, found, path, words, rule):
        """Each case has another generation, so the condition that is waited for is this one's."""
        name = found["metadata"]["name"]
        with self.subTest(path, words=words):
            if REAL and rule:
                self.refuse(found, rule)
                return
            self.cluster.apply(found)
            stalled = self.cluster.wait_condition(kind, name, "Stalled", reason="SpecInvalid")
            message = condition_of(stalled, "Stalled")["message"]
            self.assertIn(path + ":", message)
            self.assertIn(words, message)

    def test_rules_of_models(self):
        model = self.cluster.model()
        template = model["spec"]["podTemplate"]

        def data(**members):
            return {"data": {**model["spec"]["data"], **members}}

        def pods(**members):
            return {"podTemplate": {**template, **members}}

        for path, words, rule, spec in (
                ("spec.image", "image reference", None, {"image": "Not An Image"}),
                ("spec.imagePollInterval", "24h", "must be a duration from 1s to 24h", {"imagePollInterval": "48h"}),
                ("spec.data.uri", "must begin with file://", "must begin with file://, gs:// or s3://",
                 data(uri="ftp://bank/history.csv")),
                ("spec.data.uri", "must name a bucket", "must name a bucket and a path", data(uri="gs://b/h.csv")),
                ("spec.data.uri", "", "must have three slashes", data(uri="file://bank/history.csv")),
                ("spec.data.uri", "", None, data(uri="file:///bank/../history.csv")),
                ("spec.data.id", "another column than data.target", "data.id must be another column than data.target",
                 data(id="Churn")),
                ("spec.data.drop[1]", "must not be data.target", "data.drop must not name data.target",
                 data(drop=["gender", "Churn"])),
                ("spec.data.sensitive[1]", "neither", "data.sensitive must name neither",
                 data(sensitive=["gender", "Churn"])),
                ("spec.data.columns[0].name", "neither", None, data(columns=[{"name": "Churn", "type": "Numeric"}])),
                ("spec.parameters.max_depth", "LogisticRegression: l2", "the parameter of LogisticRegression is l2",
                 {"parameters": {"max_depth": "6"}}),
                ("spec.parameters.lambda", "NeuralNetwork: hidden_layers", "parameters of NeuralNetwork are hidden_layers",
                 {"algorithm": "NeuralNetwork", "parameters": {"lambda": "1"}}),
                ("spec.parameters.l2", "decimal number from", None, {"parameters": {"l2": "-1"}}),
                ("spec.parameters.max_depth", "an integer from", None,
                 {"algorithm": "Auto", "parameters": {"max_depth": "2.5"}}),
                ("spec.validation.holdout", "at most 0.5", "decimal number within [0.05,0.5]",
                 {"validation": {"holdout": "1.5"}}),
                ("spec.artifacts.uri", "folder", "must name a folder", {"artifacts": {"uri": self.cluster.uri("models")}}),
                ("spec.artifacts.uri", "folder", "must name a folder", {"artifacts": {"uri": "s3://bank/models"}}),
                ("spec.podTemplate.resources.limits.memory", "quantity", None,
                 pods(resources={"limits": {"memory": "much"}})),
                ("spec.podTemplate.labels", "churnops.io/model", "are the operator's",
                 pods(labels={"churnops.io/model": "x"})),
                ("spec.podTemplate.annotations", "churnops.io/job", "are the operator's",
                 pods(annotations={"churnops.io/job": "x"})),
                ("spec.podTemplate.env[0].name", "CHURN_", "that begin with CHURN_",
                 pods(env=[{"name": "CHURN_JOB", "value": "x"}])),
                ("spec.podTemplate.volumes[0].name", "churn-", "that begin with churn-",
                 pods(volumes=[{"name": "churn-job", "emptyDir": {}}]))):
            self.check("churnmodel", changed(model, **spec), path, words, rule)
        self.assertEqual(self.cluster.jobs(), [])
        self.cluster.apply(model)
        self.assert_kstatus(self.cluster.wait_condition("churnmodel", "telco", "Ready"))

    def test_rules_of_batches(self):
        self.train()
        batch = self.cluster.batch("week-1")
        output = batch["spec"]["output"]
        for path, words, rule, spec in (
                ("spec.image", "image reference", None, {"image": "Not An Image"}),
                ("spec.input.uri", "must begin with file://", "must begin with file://", {"input": {"uri": "http://bank/week.csv"}}),
                ("spec.output.uri", "must begin with file://", "must begin with file://", {"output": {"uri": "/bank/out/"}}),
                ("spec.output.columns[0]", "", None, {"output": {**output, "columns": [" gender"]}}),
                ("spec.threshold", "Auto or a decimal number within [0,1]", "Auto or a decimal number within [0,1]",
                 {"threshold": "1.5"}),
                ("spec.maxRejected", "at most 1", "a decimal number within [0,1]", {"maxRejected": "2"}),
                ("spec.podTemplate.env[0].name", "CHURN_", "that begin with CHURN_",
                 {"podTemplate": {"env": [{"name": "CHURN_JOB", "value": "x"}]}})):
            self.check("churnbatch", changed(batch, **spec), path, words, rule)
        self.assertEqual(self.cluster.jobs("scorer"), [])
        self.score("week-1")

    def test_a_started_batch_cannot_be_edited(self):
        self.train()
        done = self.score("week-1")
        if REAL:
            self.refuse(self.cluster.batch("week-1", reasons=1), "may change while the batch runs or is Complete")
            self.assertEqual(self.cluster.get("churnbatch", "week-1")["spec"], done["spec"])
            return
        self.cluster.apply(self.cluster.batch("week-1", reasons=1))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Stalled", reason="SpecImmutable")
        self.assertIn("spec.reasons:", condition_of(batch, "Stalled")["message"])
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
