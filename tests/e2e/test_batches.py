"""Batches: suspend and resume, folders, outputs that two want, deletion."""
import os

from cluster import ClusterTest, condition_of


class SuspendAndResume(ClusterTest):
    def test_a_batch(self):
        self.train()
        self.cluster.set_image("churn-scorer", "held", program="held-churn-scorer")
        self.cluster.apply(self.cluster.batch("week-1"))
        running = self.cluster.wait_condition("churnbatch", "week-1", "Ready", "False", "Running")
        self.cluster.wait("job", running["status"]["job"], lambda job: job, "the Job")
        self.cluster.apply(self.cluster.batch("week-1", suspend=True))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Suspended")
        self.cluster.wait("job", running["status"]["job"], lambda job: job is None, "the Job's deletion")
        self.assertEqual(condition_of(batch, "Ready")["reason"], "Suspended")
        self.cluster.apply(self.cluster.batch("week-1", suspend=False))
        self.cluster.open_gate()
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        self.assertEqual(condition_of(batch, "Suspended")["status"], "False")

    def test_a_model(self):
        self.cluster.apply(self.cluster.model(suspend=True))
        self.cluster.apply(self.cluster.batch("week-1"))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "ModelReady", "False", "ModelSuspended")
        self.assertEqual(condition_of(batch, "Ready")["reason"], "WaitingForModel")
        self.assertEqual(self.cluster.jobs(), [])
        self.cluster.apply(self.cluster.model(suspend=False))
        self.cluster.wait_condition("churnbatch", "week-1", "Complete")


class Deletion(ClusterTest):
    def test_children_go_and_artifacts_stay(self):
        model = self.train()
        self.score()
        self.cluster.kubectl("delete", "churnbatch", "week-1")
        self.cluster.kubectl("delete", "churnmodel", "telco")
        for job in self.cluster.jobs():
            self.cluster.wait("job", job["metadata"]["name"], lambda found: found is None, "deletion")
        self.assertEqual(self.cluster.list("pod"), [])
        self.assertTrue(os.path.exists(self.cluster.file("output_folder", "week-1.csv")))
        version = model["status"]["model"]["version"]
        self.assertTrue(os.path.exists(self.cluster.file("models", "default.telco", version, "model.json")))

    def test_a_running_job_goes_with_its_batch(self):
        self.train()
        self.cluster.set_image("churn-scorer", "held", program="held-churn-scorer")
        self.cluster.apply(self.cluster.batch("week-1"))
        running = self.cluster.wait_condition("churnbatch", "week-1", "Ready", "False", "Running")
        self.cluster.wait("job", running["status"]["job"], lambda job: job, "the Job")
        self.cluster.kubectl("delete", "churnbatch", "week-1")
        self.cluster.wait("job", running["status"]["job"], lambda job: job is None, "deletion")
        self.assertEqual(os.listdir(self.cluster.file("output_folder")), [])


class Folders(ClusterTest):
    def test_the_newest_file_is_scored_and_named(self):
        self.train()
        old = self.cluster.put_week(1, name="a.csv")
        new = self.cluster.put_week(2, name="b.csv")
        self.cluster.put("ignored", "weekly_folder", "_later.csv")
        self.cluster.put("", "weekly_folder", "z.csv")
        os.utime(old[len("file://"):], (1, 1))
        batch = self.score("folder", input=None) if False else self.score_folder()
        self.assertEqual(batch["status"]["input"]["uri"], new)

    def score_folder(self):
        batch = self.cluster.batch("folder")
        batch["spec"]["input"]["uri"] = self.cluster.uri("weekly_folder") + "/"
        self.cluster.apply(batch)
        return self.cluster.wait_condition("churnbatch", "folder", "Complete")

    def test_a_folder_of_history(self):
        data = {**self.cluster.model()["spec"]["data"], "uri": self.cluster.uri("input_folder") + "/"}
        model = self.train(data=data)
        self.assertEqual(model["status"]["model"]["dataURI"], self.cluster.uri("input_folder", "history.csv"))

    def test_a_folder_the_controller_cannot_see(self):
        self.train()
        batch = self.cluster.batch("elsewhere")
        batch["spec"]["input"]["uri"] = "file:///nowhere/to/be/seen/"
        self.cluster.apply(batch)
        found = self.cluster.wait_condition("churnbatch", "elsewhere", "Stalled", reason="NotVisibleToController")
        self.assertIn("--file-root", condition_of(found, "Stalled")["message"])


class Outputs(ClusterTest):
    OUTPUT = ("output_folder", "churn.csv")

    def target(self):
        return {"uri": self.cluster.uri(*self.OUTPUT)}

    def stat(self):
        found = os.stat(self.cluster.file(*self.OUTPUT))
        return found.st_ino, found.st_mtime_ns, found.st_size

    def test_the_younger_of_two_waits_and_then_fails(self):
        self.train()
        self.cluster.set_image("churn-scorer", "held", program="held-churn-scorer")
        self.cluster.apply(self.cluster.batch("elder", output=self.target()))
        self.cluster.wait_condition("churnbatch", "elder", "Ready", "False", "Running")
        self.cluster.apply(self.cluster.batch("younger", output=self.target()))
        younger = self.cluster.wait_condition("churnbatch", "younger", "Reconciling", reason="OutputInUse")
        self.assertEqual(condition_of(younger, "Ready")["reason"], "Pending")
        self.cluster.open_gate()
        self.cluster.wait_condition("churnbatch", "elder", "Complete")
        before = self.stat()
        self.cluster.open_gate()
        younger = self.cluster.wait_condition("churnbatch", "younger", "Failed", reason="OutputExists")
        self.assertEqual(self.stat(), before)

    def test_the_same_batch_in_a_fresh_cluster_is_reused(self):
        self.train()
        self.score("week-1", output=self.target())
        before = self.stat()
        self.cluster.kubectl("delete", "churnbatch", "week-1")
        self.cluster.kubectl("delete", "churnmodel", "telco")
        self.cluster.set_image("churn-trainer", "2")
        self.train(seed=7)
        batch = self.score("week-1", output=self.target())
        self.assertEqual(condition_of(batch, "Complete")["reason"], "Reused")
        self.assertEqual(self.stat(), before)

    def test_the_same_batch_in_another_namespace_fails(self):
        self.train()
        self.score("week-1", output=self.target())
        before = self.stat()
        self.cluster.kubectl("create", "namespace", "other")
        self.cluster.apply(self.cluster.model(namespace="other"))
        self.cluster.apply(self.cluster.batch("week-1", namespace="other", output=self.target()))
        self.cluster.wait_condition("churnbatch", "week-1", "Failed", reason="OutputExists", namespace="other")
        self.assertEqual(self.stat(), before)

    def test_overwrite_replaces(self):
        self.train()
        self.score("week-1", output=self.target())
        before = self.stat()
        self.cluster.put_week(2)
        self.score("week-2", week="week-2.csv", output={**self.target(), "overwrite": True})
        self.assertNotEqual(self.stat(), before)
