"""The weekly flow in a bucket: history, models, weekly files and scored files are objects of Google Cloud
Storage, on a server that nobody here wrote; nothing of it is a file."""
import csv
import io
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

from cluster import ClusterTest, condition_of, first_lines, only_on_kubesim

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "stores"))
import gs_server  # noqa: E402

BUCKET = "bank"


@only_on_kubesim("the server listens on this machine alone")
class Buckets(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = gs_server.start_gcs()
        cls.addClassCleanup(cls.server.close)
        gs_server.make_gcs_bucket(cls.server.port, BUCKET)

    def setUp(self):
        super().setUp()
        self.folder = self.id().rsplit(".", 1)[-1]

    def uri(self, name):
        return f"gs://{BUCKET}/{self.folder}/{name}"

    def ask(self, path, data=None):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}{path}", data, timeout=30) as answer:
            return answer.read()

    def upload(self, name, text):
        self.ask(f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name="
                 + urllib.parse.quote(f"{self.folder}/{name}", safe=""), text.encode())

    def read(self, name):
        return self.ask(f"/storage/v1/b/{BUCKET}/o/" + urllib.parse.quote(f"{self.folder}/{name}", safe="")
                        + "?alt=media").decode()

    def objects(self):
        listing = self.ask(f"/storage/v1/b/{BUCKET}/o?maxResults=1000&prefix={self.folder}/").decode()
        return sorted(part.split('"', 1)[0].removeprefix(self.folder + "/")
                      for part in listing.split('"name":"')[1:])

    def template(self):
        return {**self.cluster.pod_template(),
                "env": [{"name": "STORAGE_EMULATOR_HOST", "value": f"http://127.0.0.1:{self.server.port}"}]}

    def model_in_bucket(self, **spec):
        model = self.cluster.model(artifacts={"uri": self.uri("models/")}, podTemplate=self.template(), **spec)
        model["spec"]["data"]["uri"] = self.uri("input_folder/history.csv")
        return model

    def score_week(self, number, **spec):
        name = f"week-{number}"
        self.upload(f"weekly_folder/{name}.csv", first_lines(f"telco_week_0{number}.csv", 60))
        self.cluster.apply(self.cluster.batch(name, output={"uri": self.uri("output_folder/")},
                                              input={"uri": self.uri(f"weekly_folder/{name}.csv")}, **spec))
        batch = self.cluster.wait_condition("churnbatch", name, "Complete")
        self.assertEqual(batch["status"]["output"]["uri"], self.uri(f"output_folder/{name}.csv"))
        return batch, self.read(f"output_folder/{name}.csv")

    def test_three_weeks_and_a_new_image(self):
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        self.cluster.apply(self.model_in_bucket())
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        version = model["status"]["model"]["version"]
        self.assertTrue(model["status"]["model"]["uri"].startswith(self.uri("models/")))

        first, text = self.score_week(1)
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual(len(rows), 60)
        self.assertEqual(first["status"]["rows"], {"read": 60, "scored": 60, "rejected": 0})
        second, _ = self.score_week(2)
        self.assertEqual(second["status"]["model"]["version"], version)
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 1)

        self.cluster.set_image("churn-trainer", "two")
        third, _ = self.score_week(3)
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 2)
        self.assertEqual(third["status"]["input"]["uri"], self.uri("weekly_folder/week-3.csv"))
        self.assert_kstatus(third)

    def test_shards_make_the_same_bytes_and_leave_nothing(self):
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        self.cluster.apply(self.model_in_bucket())
        self.cluster.wait_condition("churnmodel", "telco", "Ready")
        _, whole = self.score_week(1)
        self.upload("weekly_folder/again.csv", first_lines("telco_week_01.csv", 60))
        self.cluster.apply(self.cluster.batch("again", output={"uri": self.uri("output_folder/")}, shards=5,
                                              input={"uri": self.uri("weekly_folder/again.csv")}))
        batch = self.cluster.wait_condition("churnbatch", "again", "Complete")
        self.assertEqual(batch["status"]["shards"], {"total": 5, "succeeded": 5, "failed": 0})
        self.assertEqual(self.read("output_folder/again.csv"), whole)
        self.assertEqual([name for name in self.objects() if "part" in name], [])

    def test_what_is_missing_is_named(self):
        self.cluster.apply(self.model_in_bucket())
        model = self.cluster.wait_condition("churnmodel", "telco", "Trained", status="False",
                                            reason="InputNotFound")
        self.assertIn(self.uri("input_folder/history.csv"), condition_of(model, "Trained")["message"])

    def test_folders_of_buckets_are_refused_by_name(self):
        model = self.model_in_bucket()
        model["spec"]["data"]["uri"] = self.uri("input_folder/")
        self.cluster.apply(model)
        found = self.cluster.wait_condition("churnmodel", "telco", "Stalled", reason="NotVisibleToController")
        self.assertIn("this version lists no buckets", condition_of(found, "Stalled")["message"])
