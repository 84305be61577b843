"""The bank's weeks on an S3 server that nobody here wrote: history in a bucket's input_folder, a file a week in
its weekly_folder, each scored by itself; nothing of it is a local file. The controller looks into the bucket with
the user's Secret, which may not lead to its own machine: so all of this runs in a network with another address."""
import csv
import io
import os
import sys
import tempfile
import time
import unittest

from cluster import DEADLINE_SECONDS, POLL_SECONDS, ClusterTest, NotInTime, condition_of, first_lines, only_on_kubesim

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "stores"))
import s3_server  # noqa: E402
from own_network import OwnNetwork, ADDRESS  # noqa: E402
from hook_client import push, s3_event  # noqa: E402

ROWS = 60
TOKEN = "a-shared-token-of-stores"


@only_on_kubesim("the server listens on this machine alone")
@unittest.skipIf(os.geteuid() != 0, "needs root for a network of its own")
class Weeks(ClusterTest):
    controller_arguments = ("--no-leader-elect",)

    @classmethod
    def setUpClass(cls):
        s3_server.programs()  # fetched from elsewhere the first time
        cls.addClassCleanup(OwnNetwork().leave)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        token_file = os.path.join(folder.name, "hook-token")
        with open(token_file, "w") as file:
            file.write(TOKEN)
        cls.controller_arguments += ("--hooks-address", "127.0.0.1:0", "--hooks-token-file", token_file)
        cls.server = s3_server.Server(folder.name, ADDRESS)
        cls.addClassCleanup(cls.server.stop)
        cls.boto3 = cls.server.client()
        cls.boto3.create_bucket(Bucket="bank")

    def setUp(self):
        super().setUp()
        self.folder = self.id().rsplit(".", 1)[-1]
        self.put_secret(self.server.endpoint)

    def put_secret(self, endpoint):
        key, secret = s3_server.ADMIN
        self.cluster.apply({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bucket-key"},
            "stringData": {"endpoint": endpoint, "region": "us-east-1",
                           "aws-credentials": f"[default]\naws_access_key_id = {key}\n"
                                              f"aws_secret_access_key = {secret}\n"}})

    def uri(self, name):
        return f"s3://bank/{self.folder}/{name}"

    def upload(self, name, text):
        self.boto3.put_object(Bucket="bank", Key=f"{self.folder}/{name}", Body=text.encode())

    def read(self, name):
        return self.boto3.get_object(Bucket="bank", Key=f"{self.folder}/{name}")["Body"].read().decode()

    def model(self, **spec):
        model = self.cluster.model(artifacts={"uri": self.uri("models/")},
                                   credentials={"secretRef": {"name": "bucket-key"}}, **spec)
        model["spec"]["data"]["uri"] = self.uri("input_folder/")
        return model

    def inbox(self, poll_interval="1s", output="output_folder/"):
        return {"uri": self.uri("weekly_folder/"), "pollInterval": poll_interval,
                "template": {"output": {"uri": self.uri(output)}}}

    def drop_week(self, number):
        """The file of a week comes; returns its batch when it is Complete."""
        name = f"week-{number}.csv"
        self.upload(f"weekly_folder/{name}", first_lines(f"telco_week_0{number}.csv", ROWS))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            for batch in self.cluster.list("churnbatch"):
                if batch["spec"]["input"]["uri"] == self.uri(f"weekly_folder/{name}"):
                    return self.cluster.wait_condition("churnbatch", batch["metadata"]["name"], "Complete")
            time.sleep(POLL_SECONDS)
        raise NotInTime(f"no batch for {name}\n{self.cluster.controller.log()[-6000:]}")

    def test_three_weeks_and_a_new_image(self):
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        self.cluster.apply(self.model(inbox=self.inbox()))
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertTrue(model["status"]["model"]["uri"].startswith(self.uri("models/default.telco/")))
        batches = [self.drop_week(1), self.drop_week(2)]
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 1)
        self.cluster.set_image("churn-trainer", "two")
        batches.append(self.drop_week(3))
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 2)
        for batch in batches:
            output = batch["status"]["output"]["uri"]
            rows = list(csv.DictReader(io.StringIO(self.read(output.removeprefix(self.uri(""))))))
            self.assertEqual(len(rows), ROWS)
            self.assertEqual(batch["status"]["rows"], {"read": ROWS, "scored": ROWS, "rejected": 0})
            self.assertEqual(batch["spec"]["input"]["generation"], batch["status"]["input"]["generation"])
        self.assertEqual(len(self.cluster.list("churnbatch")), 3)

    def announce(self, name):
        """As the store does, which says each thing at least once."""
        for _ in range(2):
            self.assertEqual(push(self.cluster.controller, s3_event("bank", f"{self.folder}/{name}"), TOKEN)[0], 204)

    def test_a_push_is_enough(self):
        """The inbox is polled once an hour; old files, empty ones and outputs in the same folder are left."""
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        self.upload("weekly_folder/old.csv", first_lines("telco_week_01.csv", ROWS))
        self.cluster.apply(self.model(inbox=self.inbox("1h", "weekly_folder/")))
        self.cluster.wait("churnmodel", "telco",
                          lambda found: (found or {}).get("status", {}).get("inbox"), "a first look")
        self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.upload("weekly_folder/empty.csv", "")
        self.announce("weekly_folder/empty.csv")
        for number in 1, 2:
            name = f"week-{number}.csv"
            self.upload(f"weekly_folder/{name}", first_lines(f"telco_week_0{number}.csv", ROWS))
            self.announce(f"weekly_folder/{name}")
            self.cluster.wait("churnmodel", "telco", lambda found: found["status"]["inbox"]["created"] == number
                              and found["status"]["inbox"]["active"] == 0, f"{number} batches")
        inputs = [batch["spec"]["input"]["uri"] for batch in self.cluster.list("churnbatch")]
        self.assertEqual(sorted(inputs), [self.uri(f"weekly_folder/week-{number}.csv") for number in (1, 2)])

    def test_a_secret_does_not_lead_to_the_machine_of_the_controller(self):
        for host in "127.0.0.1", "localhost":
            with self.subTest(host):
                self.put_secret(self.server.endpoint.replace(ADDRESS, host))
                self.cluster.apply(self.model())
                found = self.cluster.wait_condition("churnmodel", "telco", "Reconciling", reason="FolderUnreadable")
                message = condition_of(found, "Reconciling")["message"]
                self.assertIn("spec.data.uri", message)
                self.assertIn("which is not allowed", message)
                self.cluster.kubectl("delete", "churnmodel", "telco")

    def test_a_folder_of_others_is_not_looked_into(self):
        model = self.model()
        del model["spec"]["credentials"]
        model["spec"]["data"]["uri"] = "s3://elsewhere/input_folder/"
        self.cluster.apply(model)
        found = self.cluster.wait_condition("churnmodel", "telco", "Stalled", reason="NotVisibleToController")
        self.assertIn("below an --allowed-uri", condition_of(found, "Stalled")["message"])
