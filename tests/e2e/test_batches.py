"""Batches: suspend and resume, folders, outputs that two want, deletion."""
import os

from cluster import ClusterTest, condition_of


class SuspendAndResume(ClusterTest):
    def run_held_batch(self):
        """A batch whose Job waits at the gate."""
        self.train()
        self.cluster.set_image("churn-scorer", "held", program="held-churn-scorer")
        self.cluster.apply(self.cluster.batch("week-1"))
        running = self.cluster.wait_condition("churnbatch", "week-1", "Ready", "False", "Running")
        self.cluster.wait("job", running["status"]["job"], lambda job: job, "the Job")
        return running["status"]["job"]

    def test_a_running_batch(self):
        job = self.run_held_batch()
        self.cluster.apply(self.cluster.batch("week-1", suspend=True))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Suspended")
        self.cluster.wait_job_gone(job)
        self.assertEqual(condition_of(batch, "Ready")["reason"], "Suspended")
        self.assertEqual(os.listdir(self.cluster.file("output_folder")), [])
        self.cluster.apply(self.cluster.batch("week-1", suspend=False))
        self.cluster.open_gate()
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        self.assertEqual(condition_of(batch, "Suspended")["status"], "False")
        self.assertEqual(batch["status"]["attempt"], 2)
        self.assertEqual([found["metadata"]["name"] for found in self.cluster.jobs("scorer")],
                         [batch["status"]["job"]])

    def test_a_batch_that_has_not_begun(self):
        self.train()
        self.cluster.apply(self.cluster.batch("week-1", suspend=True))
        self.cluster.wait_condition("churnbatch", "week-1", "Suspended")
        self.assertEqual(self.cluster.jobs("scorer"), [])
        self.cluster.apply(self.cluster.batch("week-1", suspend=False))
        self.cluster.wait_condition("churnbatch", "week-1", "Complete")

    def test_a_model(self):
        self.cluster.apply(self.cluster.model(suspend=True))
        self.cluster.apply(self.cluster.batch("week-1"))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "ModelReady", "False", "ModelSuspended")
        self.assertEqual(condition_of(batch, "Ready")["reason"], "WaitingForModel")
        self.assertEqual(self.cluster.jobs(), [])
        self.cluster.apply(self.cluster.model(suspend=False))
        self.cluster.wait_condition("churnbatch", "week-1", "Complete")

    def test_a_running_training(self):
        self.cluster.set_image("churn-trainer", "held", program="held-churn-trainer")
        self.cluster.apply(self.cluster.model())
        model = self.cluster.wait_condition("churnmodel", "telco", "Reconciling", reason="Training")
        job = model["status"]["training"]["job"]
        self.cluster.wait("job", job, lambda found: found, "the Job")
        self.cluster.apply(self.cluster.model(suspend=True))
        self.cluster.wait_condition("churnmodel", "telco", "Ready", "False", "Suspended")
        self.cluster.wait_job_gone(job)
        self.cluster.apply(self.cluster.model(suspend=False))
        self.cluster.open_gate()
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertEqual(model["status"]["trainingsRun"], 1)
        self.assertEqual([found["metadata"]["name"] for found in self.cluster.jobs("trainer")],
                         [model["status"]["training"]["job"]])


class Deletion(ClusterTest):
    def test_children_go_and_artifacts_stay(self):
        model = self.train()
        self.score()
        self.cluster.kubectl("delete", "churnbatch", "week-1")
        self.cluster.kubectl("delete", "churnmodel", "telco")
        self.cluster.wait_none("job")
        self.cluster.wait_none("pod")
        self.assertTrue(os.path.exists(self.cluster.file("output_folder", "week-1.csv")))
        folder = self.cluster.file("models", f"{self.cluster.namespace}.telco", model["status"]["model"]["version"])
        self.assertTrue(os.path.exists(os.path.join(folder, "model.json")))

    def test_a_running_job_goes_with_its_batch(self):
        self.train()
        self.cluster.set_image("churn-scorer", "held", program="held-churn-scorer")
        self.cluster.apply(self.cluster.batch("week-1"))
        running = self.cluster.wait_condition("churnbatch", "week-1", "Ready", "False", "Running")
        self.cluster.wait("job", running["status"]["job"], lambda job: job, "the Job")
        self.cluster.kubectl("delete", "churnbatch", "week-1")
        self.cluster.wait_job_gone(running["status"]["job"])
        self.assertEqual(os.listdir(self.cluster.file("output_folder")), [])


class Folders(ClusterTest):
    def test_the_newest_file_is_scored_and_named(self):
        self.train()
        old = self.cluster.put_week(1, name="a.csv")
        new = self.cluster.put_week(2, name="b.csv")
        self.cluster.put("ignored", "weekly_folder", "_later.csv")
        self.cluster.put("", "weekly_folder", "z.csv")
        os.utime(old[len("file://"):], (1, 1))
        batch = self.score("folder", input={"uri": self.cluster.uri("weekly_folder") + "/"})
        self.assertEqual(batch["status"]["input"]["uri"], new)
        scored = [line.split(",")[0] for line in self.cluster.read("output_folder", "folder.csv").splitlines()]
        week = [line.split(",")[0] for line in self.cluster.read("weekly_folder", "b.csv").splitlines()]
        self.assertEqual(scored, week)

    def test_an_empty_folder_is_waited_for(self):
        self.train()
        os.mkdir(self.cluster.file("weekly_folder", "next"))
        self.cluster.apply(self.cluster.batch("next", input={"uri": self.cluster.uri("weekly_folder", "next") + "/"}))
        batch = self.cluster.wait_condition("churnbatch", "next", "Reconciling", reason="FolderEmpty")
        self.assertEqual(condition_of(batch, "Ready")["reason"], "Pending")
        file = self.cluster.put_week(1, name="next/week.csv")
        batch = self.cluster.wait_condition("churnbatch", "next", "Complete")
        self.assertEqual(batch["status"]["input"]["uri"], file)

    def test_a_folder_of_history(self):
        data = {**self.cluster.model()["spec"]["data"], "uri": self.cluster.uri("input_folder") + "/"}
        model = self.train(data=data)
        self.assertEqual(model["status"]["model"]["dataURI"], self.cluster.uri("input_folder", "history.csv"))

    def test_a_folder_the_controller_cannot_see(self):
        self.train()
        self.cluster.apply(self.cluster.batch("elsewhere", input={"uri": "file:///nowhere/to/be/seen/"}))
        found = self.cluster.wait_condition("churnbatch", "elsewhere", "Stalled", reason="NotVisibleToController")
        self.assertIn("--file-root", condition_of(found, "Stalled")["message"])
        self.assertEqual(self.cluster.jobs("scorer"), [])


class Outputs(ClusterTest):
    OUTPUT = ("output_folder", "churn.csv")

    def target(self):
        return {"uri": self.cluster.uri(*self.OUTPUT)}

    def stat(self):
        """Tells whether the output or its manifest was written again."""
        output = self.cluster.file(*self.OUTPUT)
        return [(found.st_ino, found.st_mtime_ns, found.st_size)
                for found in map(os.stat, (output, output + ".manifest.json"))]

    def start_two(self):
        self.train()
        self.cluster.set_image("churn-scorer", "held", program="held-churn-scorer")
        self.cluster.apply(self.cluster.batch("elder", output=self.target()))
        self.cluster.wait_condition("churnbatch", "elder", "Ready", "False", "Running")
        self.cluster.apply(self.cluster.batch("younger", output=self.target()))
        younger = self.cluster.wait_condition("churnbatch", "younger", "Reconciling", reason="OutputInUse")
        self.assertEqual(condition_of(younger, "Ready")["reason"], "Pending")
        self.assertEqual(len(self.cluster.jobs("scorer")), 1)

    def test_the_younger_of_two_waits_and_then_fails(self):
        self.start_two()
        self.cluster.open_gate()
        self.cluster.wait_condition("churnbatch", "elder", "Complete")
        before = self.stat()
        self.cluster.open_gate()
        self.cluster.wait_condition("churnbatch", "younger", "Failed", reason="OutputExists")
        self.assertEqual(self.stat(), before)

    def test_the_younger_goes_on_when_the_elder_is_deleted(self):
        self.start_two()
        job = self.cluster.get("churnbatch", "elder")["status"]["job"]
        self.cluster.kubectl("delete", "churnbatch", "elder")
        self.cluster.wait_job_gone(job)
        self.cluster.open_gate()
        self.cluster.wait_condition("churnbatch", "younger", "Complete")

    def test_the_same_batch_in_a_fresh_cluster_is_reused(self):
        first = self.train()
        done = self.score("week-1", output=self.target())
        before = self.stat()
        self.cluster.begin_anew()
        self.cluster.start_controller("--no-leader-elect")
        newer = self.train(algorithm="GradientBoosting")
        self.assertNotEqual(newer["status"]["model"]["version"], first["status"]["model"]["version"])
        batch = self.score("week-1", output=self.target())
        self.assertEqual(condition_of(batch, "Complete")["reason"], "Reused")
        self.assertEqual(batch["status"]["model"]["version"], first["status"]["model"]["version"])
        for member in ("rows", "output", "scores"):
            self.assertEqual(batch["status"][member], done["status"][member])
        self.assertEqual(self.stat(), before)

    def test_the_same_batch_in_another_namespace_fails(self):
        self.train()
        self.score("week-1", output=self.target())
        before = self.stat()
        other = self.cluster.add_namespace()
        self.cluster.apply(self.cluster.model(namespace=other))
        self.cluster.apply(self.cluster.batch("week-1", namespace=other, output=self.target()))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Failed", reason="OutputExists",
                                            namespace=other)
        self.assertIn("churn.csv", condition_of(batch, "Failed")["message"])
        self.assertEqual(self.stat(), before)

    def test_overwrite_replaces(self):
        self.train()
        self.score("week-1", output=self.target())
        before = self.stat()
        self.cluster.put_week(2)
        self.score("week-2", week="week-2.csv", output={**self.target(), "overwrite": True})
        self.assertNotEqual(self.stat(), before)
