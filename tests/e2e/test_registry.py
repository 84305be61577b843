"""The registry: down, refusing, without the image, slow; and what the user is told."""
from cluster import ClusterTest, condition_of


class Trouble(ClusterTest):
    def test_no_image(self):
        self.cluster.apply(self.cluster.model(image=f"{self.cluster.address}/churn-trainer:missing"))
        model = self.cluster.wait_condition("churnmodel", "telco", "ImageResolved", "False", "ImageNotFound")
        self.assertIn("churn-trainer:missing", condition_of(model, "ImageResolved")["message"])
        self.assertEqual(self.cluster.jobs(), [])
        self.cluster.set_image("churn-trainer", "1", tag="missing")
        self.cluster.wait_condition("churnmodel", "telco", "Ready")

    def test_refused_then_given_a_pull_secret(self):
        self.cluster.sim("fault", "registry", "basic", "--username", "bank", "--password", "secret")
        self.cluster.apply(self.cluster.model())
        self.cluster.wait_condition("churnmodel", "telco", "ImageResolved", "False", "RegistryDenied")
        self.cluster.kubectl("create", "secret", "docker-registry", "regcred",
                             f"--docker-server={self.cluster.address}", "--docker-username=bank",
                             "--docker-password=secret")
        self.cluster.apply(self.cluster.model(imagePullSecrets=[{"name": "regcred"}]))
        self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertNotIn("secret", self.cluster.controller.log().replace("secrets", ""))

    def test_down_at_first_and_back(self):
        self.cluster.sim("fault", "registry", "down")
        self.cluster.apply(self.cluster.model())
        model = self.cluster.wait_condition("churnmodel", "telco", "ImageResolved", "False", "RegistryUnreachable")
        self.assertEqual(condition_of(model, "Ready")["status"], "False")
        self.cluster.sim("fault", "registry", "up")
        self.cluster.wait_condition("churnmodel", "telco", "Ready")

    def test_slow(self):
        self.cluster.sim("fault", "registry", "slow", "--delay", "2s")
        self.train()
        self.score()
