"""The inbox of a model: one batch for every file, whatever crashes; old files, few at a time, outputs
in the same folder, finished batches that go."""
import os
import signal
import time

from cluster import DEADLINE_SECONDS, POLL_SECONDS, REAL, ClusterTest, NotInTime, condition_of


class Inbox(ClusterTest):
    def inbox(self, output="output_folder", **options):
        return {"uri": self.cluster.uri("weekly_folder") + "/", "pollInterval": "1s",
                "template": {"output": {"uri": self.cluster.uri(output) + "/"}}, **options}

    def begin(self, **options):
        """A trained model with an inbox that has looked at its folder."""
        self.cluster.apply(self.cluster.model(inbox=self.inbox(**options)))
        self.cluster.wait("churnmodel", "telco",
                          lambda found: (found or {}).get("status", {}).get("inbox"), "a first look")
        return self.cluster.wait_condition("churnmodel", "telco", "Ready")

    def wait_batches(self, count):
        """So many batches are Complete, and there are no others."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            batches = self.cluster.list("churnbatch")
            complete = [batch for batch in batches
                        if (condition_of(batch, "Complete") or {}).get("status") == "True"]
            if len(complete) >= count:
                self.assertEqual(len(batches), count)
                return sorted(batches, key=lambda batch: batch["spec"]["input"]["uri"])
            time.sleep(POLL_SECONDS)
        raise NotInTime(f"{count} batches: {batches}\n{self.cluster.controller.log()[-6000:]}")

    def files(self, batches):
        return [os.path.basename(batch["spec"]["input"]["uri"]) for batch in batches]

    def test_one_batch_for_every_new_file(self):
        model = self.begin()
        self.assertEqual(self.cluster.list("churnbatch"), [])  # week-1.csv was there before
        self.cluster.put_week(2, name="b.csv")
        self.cluster.put_week(3, name="c.csv")
        self.cluster.put("", "weekly_folder", "empty.csv")
        self.cluster.put("ignored", "weekly_folder", "_later.csv")
        batches = self.wait_batches(2)
        self.assertEqual(self.files(batches), ["b.csv", "c.csv"])
        for batch in batches:
            [owner] = batch["metadata"]["ownerReferences"]
            self.assertEqual((owner["kind"], owner["uid"]), ("ChurnModel", model["metadata"]["uid"]))
            self.assertEqual(batch["status"]["input"]["generation"], batch["spec"]["input"]["generation"])
            self.assertTrue(os.path.exists(batch["status"]["output"]["uri"][len("file://"):]))
        model = self.cluster.wait("churnmodel", "telco",
                                  lambda found: found["status"]["inbox"]["active"] == 0, "rest")
        self.assertEqual(model["status"]["inbox"]["created"], 2)
        self.assertNotIn("pending", model["status"]["inbox"])
        self.assert_kstatus(model)

    def test_a_file_that_is_uploaded_again(self):
        self.begin()
        self.cluster.put_week(2, name="week.csv")
        [first] = self.wait_batches(1)
        self.cluster.put_week(3, name="week.csv")
        batches = self.wait_batches(2)
        self.assertEqual(self.files(batches), ["week.csv", "week.csv"])
        self.assertEqual(len({batch["status"]["output"]["sha256"] for batch in batches}), 2)
        self.assertIn(first["metadata"]["name"], {batch["metadata"]["name"] for batch in batches})

    def test_outputs_in_the_same_folder_are_no_inputs(self):
        self.begin(output="weekly_folder")
        self.cluster.put_week(2, name="b.csv")
        self.wait_batches(1)
        self.cluster.put_week(3, name="c.csv")
        self.assertEqual(self.files(self.wait_batches(2)), ["b.csv", "c.csv"])

    def test_files_that_were_there(self):
        self.cluster.put_week(2)
        # the end of the first batch brings the second, not the next look at the folder
        self.begin(existing="All", maxActive=1, pollInterval="10m")
        self.assertEqual(self.files(self.wait_batches(2)), ["week-1.csv", "week-2.csv"])

    def test_few_batches_stay(self):
        self.begin(keep=1)
        self.cluster.put_week(2)
        [old] = self.wait_batches(1)
        self.cluster.put_week(3)
        self.cluster.wait("churnbatch", old["metadata"]["name"], lambda found: found is None, "deletion")
        self.assertEqual(self.files(self.wait_batches(1)), ["week-3.csv"])
        model = self.cluster.wait("churnmodel", "telco",
                                  lambda found: found["status"]["inbox"]["active"] == 0, "rest")
        self.assertEqual(model["status"]["inbox"]["created"], 2)
        outputs = [name for name in os.listdir(self.cluster.file("output_folder")) if name.endswith(".csv")]
        self.assertEqual(len(outputs), 2)

    def kill_within(self, number, file):
        """The controller dies after so many requests, on a real cluster after as many tenths of a second, or when
        the file is scored."""
        controller = self.cluster.controller
        moment = time.monotonic() + number / 10
        if not REAL:
            self.cluster.sim("fault", "kill", "--user-agent", "churn-controller", "--after", str(number),
                             "--pid", str(controller.process.pid))
        while controller.alive() and not self.is_scored(file) and not (REAL and time.monotonic() > moment):
            time.sleep(POLL_SECONDS)
        controller.stop(signal.SIGKILL)
        if not REAL:
            self.cluster.sim("fault", "clear")  # before its pid can be another's
        self.cluster.start_controller("--no-leader-elect")

    def is_scored(self, file):
        return any(self.files([batch]) == [file] and condition_of(batch, "Complete") and
                   condition_of(batch, "Complete")["status"] == "True"
                   for batch in self.cluster.list("churnbatch"))

    def test_a_controller_that_dies_all_the_time(self):
        self.begin(maxActive=2)
        for number in range(8):
            file = f"week-{number:02}.csv"
            self.cluster.put_week(1 + number % 3, rows=30 + number, name=file)
            self.kill_within(number, file)
        batches = self.wait_batches(8)
        self.assertEqual(self.files(batches), [f"week-{number:02}.csv" for number in range(8)])
        model = self.cluster.wait("churnmodel", "telco",
                                  lambda found: found["status"]["inbox"]["active"] == 0, "rest")
        self.assertEqual(model["status"]["inbox"]["created"], 8)
        self.assertEqual(len(self.cluster.jobs("scorer")), 8)

    def test_deleting_the_model_deletes_its_batches(self):
        self.begin()
        self.cluster.put_week(2)
        [batch] = self.wait_batches(1)
        self.cluster.controller.stop(signal.SIGTERM)
        self.cluster.kubectl("delete", "churnmodel", "telco")
        self.cluster.wait("churnbatch", batch["metadata"]["name"], lambda found: found is None, "deletion")
        self.assertTrue(os.path.exists(batch["status"]["output"]["uri"][len("file://"):]))
