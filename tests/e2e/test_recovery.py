"""Crashes, lost results, deleted children: same end state, nothing trained or scored twice."""
import os
import random
import signal
import urllib.request

from cluster import ClusterTest, condition_of


class NothingRunsAgain(ClusterTest):
    def finished(self):
        model = self.train()
        batch = self.score()
        return model, batch

    def assert_nothing_new(self, model, batch):
        """A later batch goes through, and everything before it is as it was."""
        self.cluster.put_week(2)
        self.score("later", week="week-2.csv")
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["model"], model["status"]["model"])
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 1)
        self.assertEqual(self.cluster.get("churnbatch", "week-1")["status"], batch["status"])
        self.assertEqual([job["metadata"]["labels"]["churnops.io/batch"] for job in self.cluster.jobs()
                          if "churnops.io/batch" in job["metadata"]["labels"]], ["later"])

    def test_finished_jobs_deleted(self):
        model, batch = self.finished()
        self.cluster.kubectl("delete", "jobs", "--all")
        self.assert_nothing_new(model, batch)

    def test_finished_jobs_deleted_while_the_controller_is_away(self):
        model, batch = self.finished()
        self.cluster.controller.stop(signal.SIGKILL)
        self.cluster.kubectl("delete", "jobs", "--all")
        self.cluster.start_controller("--no-leader-elect")
        self.assert_nothing_new(model, batch)

    def test_pods_of_finished_jobs_deleted(self):
        model, batch = self.finished()
        self.cluster.kubectl("delete", "pods", "--all")
        self.cluster.put_week(2)
        self.score("later", week="week-2.csv")
        self.assertEqual(self.cluster.get("churnbatch", "week-1")["status"], batch["status"])
        self.assertEqual(len(self.cluster.jobs()), 3)


class LostResults(ClusterTest):
    """The Job ended, and what it reported is gone before the controller read it."""

    def test_a_training_is_found_again(self):
        self.cluster.set_image("churn-trainer", "held", program="held-churn-trainer")
        self.cluster.apply(self.cluster.model())
        running = self.cluster.wait("churnmodel", "telco",
                                    lambda model: (model or {}).get("status", {}).get("training"), "a training")
        name = running["status"]["training"]["job"]
        self.cluster.wait("job", name, lambda job: job, "the Job")
        self.cluster.controller.stop(signal.SIGKILL)
        self.cluster.open_gate()
        self.cluster.wait("job", name, lambda job: condition_of(job, "Complete"), "the Job's end")
        self.cluster.kubectl("delete", "pods", "--all")
        self.cluster.set_image("churn-trainer", "held")  # the digest stays that of the first run
        self.cluster.start_controller("--no-leader-elect")
        self.cluster.open_gate()
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertEqual(model["status"]["lastTraining"]["outcome"], "Reused")
        self.assertEqual(model["status"]["trainingsRun"], 1)
        versions = [name for name in os.listdir(self.cluster.file("models", "default.telco")) if name != "runs"]
        self.assertEqual(versions, [model["status"]["model"]["version"]])

    def test_a_scoring_is_found_again(self):
        self.train()
        self.cluster.set_image("churn-scorer", "held", program="held-churn-scorer")
        self.cluster.apply(self.cluster.batch("week-1"))
        running = self.cluster.wait("churnbatch", "week-1",
                                    lambda batch: (batch or {}).get("status", {}).get("job"), "a Job's name")
        name = running["status"]["job"]
        self.cluster.wait("job", name, lambda job: job, "the Job")
        self.cluster.controller.stop(signal.SIGKILL)
        self.cluster.open_gate()
        self.cluster.wait("job", name, lambda job: condition_of(job, "Complete"), "the Job's end")
        before = os.stat(self.cluster.file("output_folder", "week-1.csv"))
        self.cluster.kubectl("delete", "job", name)
        self.cluster.start_controller("--no-leader-elect")
        self.cluster.open_gate()
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        after = os.stat(self.cluster.file("output_folder", "week-1.csv"))
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))
        self.assertEqual(batch["status"]["rows"]["scored"], 40)


class Crashes(ClusterTest):
    """SIGKILL at random moments of a whole run. The seed is printed; CHURN_SEED replays it."""
    controller_arguments = None
    ROUNDS = 30

    def run_to_the_end(self, kill_after):
        """One model and one batch; the controller is killed when so many of its requests were seen."""
        cluster = self.cluster
        cluster.start_controller("--no-leader-elect")
        cluster.apply(cluster.model(), cluster.batch("week-1"))
        if kill_after is not None:
            cluster.sim("fault", "kill", "--user-agent", "churn-controller", "--after", str(kill_after),
                        "--pid", str(cluster.controller.process.pid))
            cluster.controller.process.wait(60)
            cluster.start_controller("--no-leader-elect")
        cluster.wait_condition("churnbatch", "week-1", "Complete")
        model = cluster.wait_condition("churnmodel", "telco", "Ready")
        batch = cluster.get("churnbatch", "week-1")
        jobs = len(cluster.jobs())
        state = (model["status"]["model"]["version"], model["status"]["trainingsRun"],
                 batch["status"]["rows"], batch["status"]["output"]["sha256"],
                 batch["status"]["training"], jobs)
        cluster.controller.stop()
        cluster.kubectl("delete", "churnbatch,churnmodel", "--all")
        for folder in ("models", "output_folder"):
            for found, folders, files in os.walk(cluster.file(folder), topdown=False):
                for name in files:
                    os.unlink(os.path.join(found, name))
                for name in folders:
                    os.rmdir(os.path.join(found, name))
        return state

    def test_killed_at_random_moments(self):
        seed = int(os.environ.get("CHURN_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"CHURN_SEED={seed}")
        chance = random.Random(seed)
        expected = self.run_to_the_end(None)
        for number in range(self.ROUNDS):
            moment = chance.randrange(1, 24)
            with self.subTest(round=number, moment=moment):
                self.assertEqual(self.run_to_the_end(moment), expected)


class Takeover(ClusterTest):
    controller_arguments = ("--identity", "first")

    def holder(self):
        return self.cluster.get("lease", "churn-operator")["spec"]["holderIdentity"]

    def test_a_second_controller_takes_over(self):
        self.train()
        first = self.cluster.controller
        second = self.cluster.start_controller("--identity", "second")
        self.assertEqual(self.holder(), "first")
        first.stop(signal.SIGKILL)
        self.score()
        self.assertEqual(self.holder(), "second")
        self.assertTrue(second.alive())

    def test_a_stopped_leader_hands_over_at_once(self):
        self.train()
        first = self.cluster.controller
        self.cluster.start_controller("--identity", "second")
        self.assertEqual(first.stop(), 0)
        self.cluster.wait("lease", "churn-operator",
                          lambda lease: lease["spec"]["holderIdentity"] == "second", "the new holder", seconds=5)
        self.score()
