"""Pushes about new objects: who may push, and that they reach the leader wherever they arrive."""
import os

from cluster import ClusterTest
from hook_client import Issuer, metric, pubsub, push, s3_event, wait_metric

AUDIENCE = "https://churn.bank.example/v1/hooks/storage"
PUSHER = "push@bank.iam.gserviceaccount.com"
ISSUER = "https://accounts.google.com"
SECRET = "a-shared-token-of-stores"


class Hooks(ClusterTest):
    controller_arguments = None

    def setUp(self):
        super().setUp()
        self.issuer = Issuer(self.cluster.folder)
        self.addCleanup(self.issuer.close)
        self.issuer.add_key("first")
        self.token_file = os.path.join(self.cluster.folder, "hook-token")
        with open(self.token_file, "w") as file:
            file.write(SECRET + "\n")

    def start(self, *arguments):
        return self.cluster.start_controller(
            "--hooks-address", "127.0.0.1:0", "--hooks-audience", AUDIENCE, "--hooks-service-account", PUSHER,
            "--hooks-keys-url", self.issuer.url, "--hooks-token-file", self.token_file, *arguments)

    def token(self, key="first", **claims):
        return self.issuer.token(key, **{"iss": ISSUER, "aud": AUDIENCE, "email": PUSHER,
                                         "email_verified": True, **claims})

    def assert_taken(self, answer):
        status, text = answer
        self.assertEqual(status, 204, text)

    def test_who_may_push(self):
        controller = self.start("--no-leader-elect")
        body = pubsub("bank", "weekly_folder/w1.csv")
        self.issuer.add_key("unknown", publish=False)
        cases = [(204, self.token()), (204, SECRET), (401, None), (401, "not-the-token-of-stores"),
                 (401, self.token(exp=1)), (401, self.token(iss="https://issuer.example")),
                 (401, self.issuer.token("first", signer="unknown", iss=ISSUER, aud=AUDIENCE)),
                 (401, self.token("unknown")), (403, self.token(aud="https://else.example")),
                 (403, self.token(email="else@bank.iam.gserviceaccount.com")),
                 (403, self.token(email_verified=False))]
        for status, token in cases:
            with self.subTest(token=token):
                self.assertEqual(push(controller, body, token)[0], status)
        self.assertEqual(self.issuer.asked, 1)
        self.assertEqual(push(controller, body, path=f"/v1/hooks/storage?token={SECRET}")[0], 204)
        self.assertEqual(push(controller, s3_event("bank", "weekly+folder/w1.csv"), SECRET)[0], 204)
        status, text = push(controller, {"hello": 1}, SECRET)
        self.assertEqual((status, "Records" in text), (400, True))
        self.assertEqual(push(controller, b"x" * 300000, SECRET)[0], 413)
        self.assertEqual(push(controller, body, SECRET, path="/")[0], 404)
        self.assertEqual(push(controller, body, SECRET, method="PUT")[0], 405)
        wait_metric(controller, "churn_hook_objects_total", 4)
        self.assertNotIn(SECRET, controller.log())

    def test_a_standby_tells_the_leader(self):
        leader = self.start()
        wait_metric(leader, "churn_leader", 1)
        standby = self.start()
        wait_metric(standby, "churn_ready", 1)
        self.assert_taken(push(standby, pubsub("bank", "weekly_folder/w1.csv"), self.token()))
        self.assert_taken(push(standby, s3_event("bank", "weekly_folder/w1.csv"), SECRET))
        wait_metric(standby, "churn_hook_forwarded_total", 2)
        wait_metric(leader, "churn_hook_objects_total", 2)
        self.assertEqual(metric(standby, "churn_hook_objects_total"), 0)
        leader.stop()
        wait_metric(standby, "churn_leader", 1)
        self.assert_taken(push(standby, s3_event("bank", "weekly_folder/w1.csv"), SECRET))
        wait_metric(standby, "churn_hook_objects_total", 1)

