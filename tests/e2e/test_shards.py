"""Sharded scoring: the same bytes, failed shards alone again, nothing left behind; finished Jobs
that go; versions that are pinned."""
import os
import signal

from cluster import ClusterTest, condition_of, first_lines


class Shards(ClusterTest):
    def put_quoted_week(self):
        """Rows whose first column has line breaks: wherever a range ends, it may be inside of one."""
        header, *lines = first_lines("telco_week_01.csv", 300).splitlines()
        rows = ['"' + line.replace(",", '\n, still the id\n",', 1) for line in lines]
        return self.cluster.put("\n".join([header, *rows]) + "\n", "weekly_folder", "quoted.csv")

    def leftovers(self):
        return sorted(name for name in os.listdir(self.cluster.file("output_folder"))
                      if name.endswith(".parts"))

    def jobs_of(self, batch):
        return sorted(job["metadata"]["name"] for job in self.cluster.jobs("scorer")
                      if job["metadata"]["labels"]["churnops.io/batch"] == batch)

    def test_the_same_bytes(self):
        self.train()
        self.put_quoted_week()
        whole = self.score("whole", week="quoted.csv", output={
            "uri": self.cluster.uri("output_folder") + "/", "columns": ["gender"]})
        sharded = self.score("sharded", week="quoted.csv", shards=7, output={
            "uri": self.cluster.uri("output_folder") + "/", "columns": ["gender"]})
        self.assertEqual(self.cluster.read("output_folder", "sharded.csv"),
                         self.cluster.read("output_folder", "whole.csv"))
        for member in ("rows", "scores", "drift", "model"):
            self.assertEqual(sharded["status"].get(member), whole["status"].get(member))
        self.assertEqual(sharded["status"]["rows"], {"read": 300, "scored": 300, "rejected": 0})
        self.assertEqual(sharded["status"]["shards"], {"total": 7, "succeeded": 7, "failed": 0})
        self.assertNotIn("shards", whole["status"])
        self.assertEqual(self.leftovers(), [])
        self.assertEqual(len(self.jobs_of("sharded")), 2)
        self.assertEqual(len(self.jobs_of("whole")), 1)
        self.assert_kstatus(sharded)

    def test_a_failed_shard_is_tried_again_alone(self):
        self.train()
        self.cluster.put_week(1, rows=400)
        self.cluster.set_image("churn-scorer", "failing", program="failing-once-churn-scorer")
        batch = self.score("week-1", shards=3)
        self.assertEqual(batch["status"]["shards"], {"total": 3, "succeeded": 3, "failed": 0})
        indexes = sorted(pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]
                         for pod in self.cluster.list("pod")
                         if "batch.kubernetes.io/job-completion-index" in pod["metadata"]["labels"])
        self.assertEqual(indexes, ["0", "1", "1", "2"])
        self.assertEqual(batch["status"]["attempt"], 1)

    def test_a_failed_run_leaves_no_parts(self):
        self.train()
        week = first_lines("telco_week_01.csv", 90)
        self.cluster.put(week + "one field,too few\n", "weekly_folder", "week-1.csv")
        batch = self.cluster.batch("week-1", shards=3, maxRejected="0")
        self.cluster.apply(batch)
        self.cluster.wait_condition("churnbatch", "week-1", "Failed", reason="DataInvalid")
        failed = self.cluster.wait("churnbatch", "week-1",
                                   lambda found: not found["status"]["shards"].get("discarding"), "removal")
        self.assertEqual(condition_of(failed, "Stalled")["status"], "True")
        self.assertEqual(self.leftovers(), [])
        self.assertFalse(os.path.exists(self.cluster.file("output_folder", "week-1.csv")))
        self.cluster.put(week, "weekly_folder", "week-1.csv")
        self.cluster.apply(self.cluster.batch("week-1", shards=3, maxRejected="0", retryToken="2"))
        done = self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        self.assertEqual(done["status"]["rows"]["scored"], 90)
        self.assertEqual(self.leftovers(), [])

    def test_a_controller_that_dies_at_every_stage(self):
        self.train()
        self.cluster.put_week(1, rows=400)
        self.cluster.set_image("churn-scorer", "held", program="held-composing-churn-scorer")
        self.cluster.apply(self.cluster.batch("week-1", shards=2))
        running = self.cluster.wait_condition("churnbatch", "week-1", "Ready", "False", "Running")
        self.cluster.wait("job", running["status"]["job"], lambda job: job, "the Job")
        self.cluster.controller.stop(signal.SIGKILL)
        self.cluster.wait("job", running["status"]["job"], lambda job: condition_of(job, "Complete"), "the parts")
        self.cluster.start_controller("--no-leader-elect")
        composing = self.cluster.wait(
            "churnbatch", "week-1", lambda found: found["status"]["shards"]["succeeded"] == 2, "the parts' record")
        self.cluster.wait("job", composing["status"]["job"], lambda job: job, "the second Job")
        self.cluster.controller.stop(signal.SIGKILL)
        self.cluster.open_gate()
        self.cluster.wait("job", composing["status"]["job"], lambda job: condition_of(job, "Complete"), "the output")
        self.cluster.start_controller("--no-leader-elect")
        self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        self.assertEqual(self.jobs_of("week-1"),
                         sorted([running["status"]["job"], composing["status"]["job"]]))

    def test_shards_by_size(self):
        self.train()
        batch = self.score("week-1", shards=0)
        self.assertNotIn("shards", batch["status"])
        self.assertTrue(batch["status"]["input"]["generation"])


class FinishedJobs(ClusterTest):
    def test_they_go_and_the_batch_stays(self):
        self.train()
        batch = self.score("week-1", ttlSecondsAfterFinished=0)
        self.cluster.wait("job", batch["status"]["job"], lambda job: job is None, "the Job's end")
        self.cluster.controller.stop()
        self.cluster.start_controller("--no-leader-elect")
        self.cluster.put_week(2)
        self.score("week-2", week="week-2.csv")
        self.assertEqual(self.cluster.get("churnbatch", "week-1")["status"], batch["status"])
        self.assertEqual(len(self.cluster.jobs("scorer")), 1)

    def test_a_time_that_is_set_later(self):
        self.train()
        batch = self.score("week-1")
        job = self.cluster.get("job", batch["status"]["job"])
        self.assertNotIn("ttlSecondsAfterFinished", job["spec"])
        self.cluster.apply(self.cluster.batch("week-1", ttlSecondsAfterFinished=0))
        self.cluster.wait("job", batch["status"]["job"], lambda found: found is None, "the Job's end")
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        self.assert_kstatus(batch)


class Versions(ClusterTest):
    def test_a_version_that_is_not_in_use(self):
        first = self.train()["status"]["model"]["version"]
        self.cluster.apply(self.cluster.model(algorithm="GradientBoosting"))
        model = self.cluster.wait("churnmodel", "telco",
                                  lambda found: found["status"]["lastTraining"]["version"] != first, "another version")
        [other] = {first, model["status"]["lastTraining"]["version"]} - {model["status"]["model"]["version"]}
        batch = self.score("week-1", modelVersion=other)
        self.assertEqual(batch["status"]["model"]["version"], other)
        self.assertEqual(condition_of(batch, "ModelReady")["reason"], "UsingPinned")

    def test_a_version_that_is_not_there(self):
        self.train()
        self.cluster.apply(self.cluster.batch("week-1", modelVersion="0123456789abcdef"))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "ModelReady", "False", "VersionNotFound")
        self.assertEqual(condition_of(batch, "Ready")["reason"], "WaitingForModel")
        self.assertEqual(self.cluster.jobs("scorer"), [])

    def test_a_file_that_was_replaced(self):
        self.train()
        uri = self.cluster.uri("weekly_folder", "week-1.csv")
        self.cluster.apply(self.cluster.batch("week-1", input={"uri": uri, "generation": "another"}))
        self.cluster.wait_condition("churnbatch", "week-1", "Failed", reason="InputChanged")


class Drift(ClusterTest):
    def shifted_week(self):
        """Customers who all stayed as long as none did in training."""
        header, *lines = first_lines("telco_week_01.csv", 300).splitlines()
        tenure = header.split(",").index("tenure")
        rows = [line.split(",") for line in lines]
        for row in rows:
            row[tenure] = "400"
        self.cluster.put("\n".join([header, *(",".join(row) for row in rows)]) + "\n",
                         "weekly_folder", "shifted.csv")

    def test_it_is_told(self):
        self.train()
        self.shifted_week()
        batch = self.score("shifted", week="shifted.csv")
        self.assertEqual(batch["status"]["drift"]["feature"], "tenure")
        self.assertEqual(batch["status"]["drift"]["features"][0]["name"], "tenure")
        self.cluster.wait_event("DriftNoticed")

    def test_too_much_of_it_fails(self):
        self.train()
        self.shifted_week()
        self.cluster.apply(self.cluster.batch("shifted", week="shifted.csv", drift={"fail": "0.25"}))
        batch = self.cluster.wait_condition("churnbatch", "shifted", "Failed", reason="DriftExceeded")
        self.assertIn("tenure", condition_of(batch, "Failed")["message"])
        self.assertFalse(os.path.exists(self.cluster.file("output_folder", "shifted.csv")))
