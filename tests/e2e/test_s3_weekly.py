"""The bank's weeks on an S3 server: history in a bucket's input_folder, a file a week in its weekly_folder, each
scored by itself; nothing of it is a local file."""
import json

from cluster import condition_of, first_lines
from s3_cluster import TOKEN, S3Test, s3_server
from weekly import ROWS
from hook_client import push, s3_event


class Weeks(S3Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.use(s3_server.Server(cls.scratch.name, cls.address))
        cls.addClassCleanup(cls.server.stop)

    def test_three_weeks_and_a_new_image(self):
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        self.cluster.apply(self.model(inbox=self.inbox()))
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertTrue(model["status"]["model"]["uri"].startswith(self.uri(f"models/{self.cluster.namespace}.telco/")))
        batches = [self.drop_week(1), self.drop_week(2)]
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 1)
        self.cluster.set_image("churn-trainer", "two")
        batches.append(self.drop_week(3))
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 2)
        for batch in batches:
            self.check_scored(batch)
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

    def copy_version(self, version, name, damaged=False):
        """Puts the folder of a version of telco's where a model of this name looks for it, as a person would."""
        namespace = self.cluster.namespace
        source = f"{self.folder}/models/{namespace}.telco/{version}/"
        weights = json.loads(self.read(f"models/{namespace}.telco/{version}/model.json"))["weights"]["file"]
        for entry in self.boto3.list_objects_v2(Bucket="bank", Prefix=source)["Contents"]:
            file = entry["Key"].removeprefix(source)
            body = self.boto3.get_object(Bucket="bank", Key=entry["Key"])["Body"].read()
            if damaged and file == weights:
                body = body[:-50] + bytes([body[-50] ^ 1]) + body[-49:]
            self.boto3.put_object(Bucket="bank", Body=body,
                                  Key=f"{self.folder}/elsewhere/{namespace}.{name}/{version}/{file}")

    def adopt(self, name, version):
        """A batch of a model that is told to use a version which it has never made."""
        model = self.model(pinnedVersion=version)
        model["metadata"]["name"] = name
        model["spec"]["artifacts"]["uri"] = self.uri("elsewhere/")
        self.cluster.apply(model)
        found = self.cluster.wait_condition("churnmodel", name, "Ready", "True", "Pinned")
        self.assertEqual(found["status"]["model"]["version"], version)
        self.cluster.apply(self.cluster.batch(name, model=name, input={"uri": self.uri("weekly_folder/week-1.csv")},
                                              output={"uri": self.uri("output_folder/")}))

    def test_a_version_put_there_by_hand_is_adopted(self):
        """Whole, it scores as in the model that made it; with a bit flipped, not at all."""
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        self.upload("weekly_folder/week-1.csv", first_lines("telco_week_01.csv", ROWS))
        self.cluster.apply(self.model())
        version = self.cluster.wait_condition("churnmodel", "telco", "Ready")["status"]["model"]["version"]
        self.cluster.apply(self.cluster.batch("own", input={"uri": self.uri("weekly_folder/week-1.csv")},
                                              output={"uri": self.uri("output_folder/")}))
        self.cluster.wait_condition("churnbatch", "own", "Complete")
        self.copy_version(version, "adopted")
        self.adopt("adopted", version)
        batch = self.cluster.wait_condition("churnbatch", "adopted", "Complete")
        self.assertEqual(batch["status"]["model"]["version"], version)
        self.assertEqual(self.read("output_folder/adopted.csv"), self.read("output_folder/own.csv"))
        self.copy_version(version, "damaged", damaged=True)
        self.adopt("damaged", version)
        batch = self.cluster.wait_condition("churnbatch", "damaged", "Failed")
        self.assertIn(f"model version {version}: the content of model.json", str(batch["status"]))

    def test_a_secret_does_not_lead_to_the_machine_of_the_controller(self):
        for host in "127.0.0.1", "localhost":
            with self.subTest(host):
                self.put_secret(self.server.endpoint.replace(self.address, host))
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
