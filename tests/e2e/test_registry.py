"""The registry: down, refusing, without the image, slow; and what the user is told."""
import time

from cluster import ClusterTest, condition_of, only_on_kubesim

TOLD = only_on_kubesim("its registry fails when told to")
PATIENCE_SECONDS = 60  # REGISTRY_PATIENCE_MS: after that the last known digest is used


class Trouble(ClusterTest):
    def refused(self, reason):
        """What the model says while its image cannot be resolved."""
        model = self.cluster.wait_condition("churnmodel", "telco", "ImageResolved", "False", reason)
        self.assertEqual(condition_of(model, "Ready")["status"], "False")
        self.assertEqual(condition_of(model, "Reconciling")["reason"], reason)
        self.assertEqual(self.cluster.jobs(), [])
        return condition_of(model, "ImageResolved")["message"]

    def assert_trains_once(self):
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertEqual(condition_of(model, "ImageResolved")["status"], "True")
        self.assertEqual(len(self.cluster.jobs("trainer")), 1)

    def create_pull_secret(self, password):
        made = self.cluster.kubectl("create", "secret", "docker-registry", "regcred",
                                    f"--docker-server={self.cluster.address}", "--docker-username=bank",
                                    f"--docker-password={password}", "--dry-run=client", "-o", "json")
        self.cluster.kubectl("apply", "-f", "-", text=made)

    def test_no_image(self):
        self.cluster.apply(self.cluster.model(image=f"{self.cluster.address}/churn-trainer:missing"))
        self.assertIn("churn-trainer:missing", self.refused("ImageNotFound"))
        self.cluster.set_image("churn-trainer", "1", tag="missing")
        self.assert_trains_once()

    @TOLD
    def test_refused_then_given_a_pull_secret(self):
        for scheme in ("basic", "bearer"):
            with self.subTest(scheme=scheme):
                self.cluster.sim("fault", "registry", scheme, "--username", "bank", "--password", "hunter2")
                self.cluster.apply(self.cluster.model(image=f"{self.cluster.address}/churn-trainer:stable"))
                self.refused("RegistryDenied")
                self.create_pull_secret("hunter2")
                self.cluster.apply(self.cluster.model(image=f"{self.cluster.address}/churn-trainer:stable",
                                                      imagePullSecrets=[{"name": "regcred"}]))
                self.assert_trains_once()
                self.assertNotIn("hunter2", self.cluster.controller.log())
                self.cluster.kubectl("delete", "secret/regcred", "churnmodel/telco")

    @TOLD
    def test_a_wrong_password_is_told(self):
        self.cluster.sim("fault", "registry", "basic", "--username", "bank", "--password", "hunter2")
        self.create_pull_secret("guessed")
        self.cluster.apply(self.cluster.model(imagePullSecrets=[{"name": "regcred"}]))
        self.assertNotIn("guessed", self.refused("RegistryDenied"))

    @TOLD
    def test_down_at_first_and_back(self):
        self.cluster.sim("fault", "registry", "down")
        self.cluster.apply(self.cluster.model())
        self.refused("RegistryUnreachable")
        self.cluster.sim("fault", "registry", "up")
        self.assert_trains_once()

    @TOLD
    def test_down_when_a_batch_asks(self):
        """It waits at first; then the last known digest is good enough, and that is said."""
        scorer = self.cluster.set_image("churn-scorer", "1")
        self.train()
        self.cluster.sim("fault", "registry", "down")
        began = time.monotonic()
        self.cluster.apply(self.cluster.batch("week-1", image=scorer))
        waiting = self.cluster.wait_condition("churnbatch", "week-1", "ModelReady", "False", "RegistryUnreachable")
        self.assertEqual(condition_of(waiting, "Ready")["reason"], "WaitingForModel")
        batch = self.cluster.wait_condition("churnbatch", "week-1", "Complete", seconds=2 * PATIENCE_SECONDS)
        self.assertGreater(time.monotonic() - began, PATIENCE_SECONDS - 2)  # the model's polls may fail first
        self.assertEqual(condition_of(batch, "ModelReady")["reason"], "RegistryUnreachable")
        self.assertEqual(len(self.cluster.jobs("trainer")), 1)

    @TOLD
    def test_slower_than_the_poll_interval(self):
        self.cluster.sim("fault", "registry", "slow", "--delay", "4s")  # worth a word after 2 s
        self.cluster.apply(self.cluster.model(imagePollInterval="1s"))
        model = self.cluster.wait_condition("churnmodel", "telco", "ImageResolved", "Unknown", "Resolving")
        self.assertIn("is being looked up", condition_of(model, "ImageResolved")["message"])
        self.assert_trains_once()
        batch = self.score()
        self.assertEqual(batch["status"]["training"]["action"], "Skipped")
