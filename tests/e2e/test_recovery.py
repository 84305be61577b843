"""Crashes, lost results, deleted children: same end state, nothing trained or scored twice."""
import contextlib
import os
import random
import shutil
import signal
import threading
import time

import main_run
from cluster import DEADLINE_SECONDS, LEASE_SECONDS, POLL_SECONDS, REAL, ClusterTest, NotInTime, condition_of

LEASE = "churn-operator"


def file_identities(folder):
    """What tells a file that was left alone from one that was written again with the same bytes."""
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            status = os.stat(os.path.join(path, name))
            found[os.path.join(path, name)] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return found


class NothingRunsAgain(ClusterTest):
    def finished(self):
        return self.train(), self.score()

    def assert_nothing_new(self, model, batch):
        """A later batch goes through, and everything before it is as it was."""
        self.cluster.put_week(2)
        self.score("later", week="week-2.csv")
        now = self.cluster.get("churnmodel", "telco")
        self.assertEqual(now["status"]["model"], model["status"]["model"])
        self.assertEqual(now["status"]["trainingsRun"], 1)
        self.assertEqual(self.cluster.get("churnbatch", "week-1")["status"], batch["status"])
        return {job["metadata"]["name"] for job in self.cluster.jobs()}

    def test_finished_jobs_deleted(self):
        model, batch = self.finished()
        self.cluster.kubectl("delete", "jobs", "--all")
        [job] = self.assert_nothing_new(model, batch)
        self.assertEqual(job, self.cluster.get("churnbatch", "later")["status"]["job"])

    def test_finished_jobs_deleted_while_the_controller_is_away(self):
        model, batch = self.finished()
        self.cluster.controller.stop(signal.SIGKILL)
        self.cluster.kubectl("delete", "jobs", "--all")
        self.cluster.start_controller("--no-leader-elect")
        [job] = self.assert_nothing_new(model, batch)
        self.assertEqual(job, self.cluster.get("churnbatch", "later")["status"]["job"])

    def test_pods_of_finished_jobs_deleted(self):
        model, batch = self.finished()
        before = {job["metadata"]["name"] for job in self.cluster.jobs()}
        self.cluster.kubectl("delete", "pods", "--all")
        after = self.assert_nothing_new(model, batch)
        self.assertEqual(after - before, {self.cluster.get("churnbatch", "later")["status"]["job"]})
        self.assertEqual(len(self.cluster.list("pod")), 1)

    def test_a_restart_alone(self):
        model, batch = self.finished()
        before = {job["metadata"]["name"] for job in self.cluster.jobs()}
        self.cluster.controller.stop()
        self.cluster.start_controller("--no-leader-elect")
        after = self.assert_nothing_new(model, batch)
        self.assertEqual(after - before, {self.cluster.get("churnbatch", "later")["status"]["job"]})


class LostResults(ClusterTest):
    """The Job ended, and what it reported is gone before the controller read it: its pod, or the
    Job with its pod. The program runs once more and finds that all is done."""

    def end_unseen(self, job, lose):
        """The Job comes to its end while no controller looks; then `lose` happens."""
        self.cluster.wait("job", job, lambda found: found, "the Job")
        self.cluster.controller.stop(signal.SIGKILL)
        self.cluster.open_gate()
        self.cluster.wait("job", job, lambda found: condition_of(found, "Complete"), "the Job's end")
        before = file_identities(self.cluster.data)
        self.cluster.kubectl("delete", *lose)
        self.cluster.start_controller("--no-leader-elect")
        return before

    def start_training(self):
        self.cluster.set_image("churn-trainer", "held", program="held-churn-trainer")
        self.cluster.apply(self.cluster.model())
        model = self.cluster.wait("churnmodel", "telco",
                                  lambda model: (model or {}).get("status", {}).get("training"), "a training")
        return model["status"]["training"]["job"]

    def start_scoring(self):
        self.train()
        self.cluster.set_image("churn-scorer", "held", program="held-churn-scorer")
        self.cluster.apply(self.cluster.batch("week-1"))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Ready", "False", "Running")
        return batch["status"]["job"]

    def assert_training_is_found_again(self, before):
        self.cluster.open_gate()
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        status = model["status"]
        self.assertEqual(status["lastTraining"]["outcome"], "Reused")
        self.assertEqual(status["trainingsRun"], 1)
        self.assertEqual(file_identities(self.cluster.data), before)
        versions = set(os.listdir(self.cluster.file("models", f"{self.cluster.namespace}.telco"))) - {"runs"}
        self.assertEqual(versions, {status["model"]["version"]})
        return status["training"]

    def assert_scoring_is_found_again(self, before):
        self.cluster.open_gate()
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Complete", reason="Reused")
        self.assertEqual(file_identities(self.cluster.data), before)
        self.assertEqual(batch["status"]["rows"], {"read": 40, "scored": 40, "rejected": 0})
        self.assertIn("scores", batch["status"])
        return batch["status"]

    def test_the_pod_of_a_training(self):
        job = self.start_training()
        before = self.end_unseen(job, ("pods", "--all"))
        training = self.assert_training_is_found_again(before)
        self.assertEqual(training["attempt"], 2)
        self.assertEqual(len(self.cluster.jobs()), 2)
        self.cluster.wait_event("Recovered")

    def test_the_job_of_a_training(self):
        job = self.start_training()
        before = self.end_unseen(job, ("job", job))
        training = self.assert_training_is_found_again(before)
        self.assertEqual((training["job"], training["attempt"]), (job, 1))

    def test_the_pod_of_a_scoring(self):
        job = self.start_scoring()
        before = self.end_unseen(job, ("pods", "--selector", f"job-name={job}"))
        status = self.assert_scoring_is_found_again(before)
        self.assertEqual(status["attempt"], 2)

    def test_the_job_of_a_scoring(self):
        job = self.start_scoring()
        before = self.end_unseen(job, ("job", job))
        status = self.assert_scoring_is_found_again(before)
        self.assertEqual((status["job"], status["attempt"]), (job, 1))

    def test_twice_is_enough(self):
        job = self.start_scoring()
        before = self.end_unseen(job, ("pods", "--selector", f"job-name={job}"))
        second = self.cluster.wait("churnbatch", "week-1", lambda batch: batch["status"]["attempt"] == 2,
                                   "a second attempt")["status"]["job"]
        self.end_unseen(second, ("pods", "--selector", f"job-name={second}"))
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Failed", reason="ResultLost")
        self.assertEqual(condition_of(batch, "Stalled")["status"], "True")
        self.assertEqual(file_identities(self.cluster.data), before)


class Crashes(ClusterTest):
    """SIGKILL at random moments of a whole run. CHURN_SEED replays the printed seed. kubesim can kill the
    controller after so many requests."""
    controller_arguments = None
    ROUNDS = 4 if REAL else 30

    def setUp(self):
        super().setUp()
        self.cluster.put_week(2)

    def torment(self, moments, over):
        """Kills the controller after so many requests (int) or seconds (float), again and again."""
        for moment in moments:
            controller = self.cluster.controller
            if isinstance(moment, int):
                self.cluster.sim("fault", "kill", "--user-agent", "churn-controller", "--after",
                                 str(moment), "--pid", str(controller.process.pid))
                while controller.alive() and not over.wait(POLL_SECONDS):
                    pass
            elif not over.wait(moment):
                controller.stop(signal.SIGKILL)
            if over.is_set():
                break
            self.kills += 1
            self.cluster.start_controller("--no-leader-elect")

    @contextlib.contextmanager
    def tormented(self, moments):
        over = threading.Event()
        thread = threading.Thread(target=self.torment, args=(moments, over))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            if not REAL:
                self.cluster.sim("fault", "clear")  # before its pid can be another's

    def run_to_the_end(self, moments):
        self.cluster.start_controller("--no-leader-elect")
        with self.tormented(moments):
            state = main_run.run(self.cluster)
        if not self.cluster.controller.alive():
            self.cluster.start_controller("--no-leader-elect")
        return state

    def clear(self):
        """Nothing is left of the last round."""
        cluster = self.cluster
        cluster.controller.stop()
        cluster.kubectl("delete", "churnbatch,churnmodel", "--all")
        cluster.wait_none("job")
        cluster.wait_none("pod")
        for folder in ("models", "output_folder"):
            shutil.rmtree(cluster.file(folder))
            cluster.make_folder(folder)

    def count_requests(self):
        return sum(count for key, count in self.cluster.requests().items() if "churn-controller" in key)

    @staticmethod
    def some_moment(chance, requests, seconds):
        return chance.uniform(0, seconds) if REAL else chance.choice(
            (chance.randrange(requests), chance.uniform(0, seconds)))

    def test_killed_at_random_moments(self):
        seed = int(os.environ.get("CHURN_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"CHURN_SEED={seed}")
        chance = random.Random(seed)
        self.kills = 0
        requests_before = self.count_requests()
        began = time.monotonic()
        expected = self.run_to_the_end([])
        seconds = time.monotonic() - began
        requests = self.count_requests() - requests_before
        self.assertEqual((expected["jobs"], expected["pods"]), (3, 3))
        self.assertEqual(expected["recoveries"], 0)  # no pod is lost, so no result is
        self.clear()
        for number in range(self.ROUNDS):
            moments = [self.some_moment(chance, requests, seconds)]
            moments += [self.some_moment(chance, requests // 3, seconds / 3)
                        for _ in range(chance.randint(0, 2))]
            with self.subTest(round=number, moments=moments):
                self.assertEqual(self.run_to_the_end(moments), expected)
            self.clear()
        print(f"{self.kills} kills; undisturbed: {requests} requests in {seconds:.1f} s")
        self.assertGreater(self.kills, self.ROUNDS // 2)  # a round may be over before its moment comes


class Takeover(ClusterTest):
    controller_arguments = ("--identity", "first")

    def setUp(self):
        super().setUp()
        self.first = self.cluster.controller
        self.wait_holder("first")
        self.second = self.cluster.start_controller("--identity", "second")
        self.wait_log(self.second, "another process is the leader")

    def holder(self):
        return self.cluster.get("lease", LEASE)["spec"]["holderIdentity"]

    def wait_holder(self, identity):
        self.cluster.wait("lease", LEASE,
                          lambda lease: lease and lease["spec"]["holderIdentity"] == identity, identity)

    @staticmethod
    def wait_log(process, text):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in process.log():
            if time.monotonic() > deadline or not process.alive():
                raise NotInTime(f"{process.name} did not say {text}:\n{process.log()}")
            time.sleep(POLL_SECONDS)

    def test_the_leader_is_killed(self):
        self.train()
        self.assertEqual(self.holder(), "first")
        self.first.stop(signal.SIGKILL)
        self.score()
        self.assertEqual(self.holder(), "second")
        self.assertEqual(len(self.cluster.jobs()), 2)

    def test_the_leader_is_killed_in_the_middle_of_a_run(self):
        self.cluster.set_image("churn-trainer", "held", program="held-churn-trainer")
        self.cluster.apply(self.cluster.model(), self.cluster.batch("week-1"))
        model = self.cluster.wait_condition("churnmodel", "telco", "Reconciling", reason="Training")
        self.cluster.wait("job", model["status"]["training"]["job"], lambda job: job, "the Job")
        self.first.stop(signal.SIGKILL)
        self.cluster.open_gate()
        self.cluster.wait_condition("churnbatch", "week-1", "Complete")
        self.assertEqual(self.holder(), "second")
        self.assertEqual(len(self.cluster.jobs()), 2)
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 1)

    def test_a_stopped_leader_hands_over_at_once(self):
        self.train()
        began = time.monotonic()
        self.assertEqual(self.first.stop(), 0)
        self.wait_holder("second")
        self.assertLess(time.monotonic() - began, LEASE_SECONDS)
        self.score()

    def test_a_frozen_leader_does_nothing_when_it_thaws(self):
        self.train()
        self.first.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.first.process.send_signal, signal.SIGCONT)
        self.wait_holder("second")
        batch = self.score()
        self.first.process.send_signal(signal.SIGCONT)
        self.assertNotEqual(self.first.process.wait(DEADLINE_SECONDS), 0)  # whoever runs it starts it again
        self.assertEqual(self.holder(), "second")
        self.assertEqual(self.cluster.get("churnbatch", "week-1"), batch)
        self.assertEqual(len(self.cluster.jobs()), 2)
