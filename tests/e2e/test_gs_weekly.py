"""The bank's weeks in a bucket of Google Cloud Storage, on a server that nobody here wrote: history in its
input_folder, a file a week in its weekly_folder, each scored by itself; nothing of it is a local file."""
import os
import sys
import tempfile
import urllib.parse
import urllib.request

from cluster import REAL, condition_of, first_lines, only_on_kubesim
from s3_cluster import enter_network
from weekly import ROWS, WeeklyTest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "stores"))
import gs_server  # noqa: E402
import parts  # noqa: E402
from hook_client import PATH, Issuer  # noqa: E402

BUCKET = "bank"


class GsTest(WeeklyTest):
    server = None
    host = "127.0.0.1"

    @classmethod
    def setUpClass(cls):
        gs_server.programs()
        if REAL:
            network = enter_network()
            cls.addClassCleanup(network.leave)
            cls.host = network.address
        cls.start_server()
        cls.addClassCleanup(cls.server.close)
        gs_server.make_gcs_bucket(cls.server.port, BUCKET)
        cls.endpoint = f"http://{cls.host}:{cls.server.port}"
        os.environ["STORAGE_EMULATOR_HOST"] = cls.endpoint  # the controller's
        cls.addClassCleanup(os.environ.pop, "STORAGE_EMULATOR_HOST")

    @classmethod
    def start_server(cls):
        cls.server = gs_server.start_gcs(host=cls.host)

    def uri(self, name):
        return f"gs://{BUCKET}/{self.folder}/{name}"

    def ask(self, path, data=None):
        with urllib.request.urlopen(f"{self.endpoint}{path}", data, timeout=30) as answer:
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
                "env": [{"name": "STORAGE_EMULATOR_HOST", "value": self.endpoint}]}

    def model_in_bucket(self, **spec):
        model = self.cluster.model(artifacts={"uri": self.uri("models/")}, podTemplate=self.template(), **spec)
        model["spec"]["data"]["uri"] = self.uri("input_folder/")
        return model


class Weeks(GsTest):
    controller_arguments = None

    def setUp(self):
        super().setUp()
        self.cluster.start_controller("--no-leader-elect", "--allowed-uri",
                                      f"gs://{BUCKET}/test_three_weeks_and_a_new_image/={self.cluster.namespace}")

    def test_three_weeks_and_a_new_image(self):
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        self.cluster.apply(self.model_in_bucket(inbox=self.inbox()))
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready")
        version = model["status"]["model"]["version"]
        self.assertTrue(model["status"]["model"]["uri"].startswith(self.uri(f"models/{self.cluster.namespace}.telco/")))
        weeks = [self.drop_week(1), self.drop_week(2)]
        self.assertEqual([batch["status"]["model"]["version"] for batch in weeks], [version, version])
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 1)
        self.cluster.set_image("churn-trainer", "two")
        weeks.append(self.drop_week(3))
        self.assertEqual(self.cluster.get("churnmodel", "telco")["status"]["trainingsRun"], 2)
        for batch in weeks:
            self.check_scored(batch)
            self.assertEqual(batch["spec"]["input"]["generation"], batch["status"]["input"]["generation"])
        self.assertEqual(len(self.cluster.list("churnbatch")), 3)

    def test_shards_make_the_same_bytes_and_leave_nothing(self):
        """The controller may not look at these files: the shards have to agree by themselves."""
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        model = self.model_in_bucket()
        model["spec"]["data"]["uri"] = self.uri("input_folder/history.csv")
        self.cluster.apply(model)
        self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.upload("weekly_folder/week-1.csv", first_lines("telco_week_01.csv", ROWS))
        for name, shards in (("whole", 1), ("sharded", 5)):
            self.cluster.apply(self.cluster.batch(name, output={"uri": self.uri("output_folder/")}, shards=shards,
                                                  input={"uri": self.uri("weekly_folder/week-1.csv")}))
            batch = self.cluster.wait_condition("churnbatch", name, "Complete")
        self.assertEqual(batch["status"]["shards"], {"total": 5, "succeeded": 5, "failed": 0})
        self.assertEqual(self.read("output_folder/sharded.csv"), self.read("output_folder/whole.csv"))
        self.assertEqual([name for name in self.objects() if "part" in name], [])

    def test_what_is_missing_is_named(self):
        model = self.model_in_bucket()
        model["spec"]["data"]["uri"] = self.uri("input_folder/history.csv")
        self.cluster.apply(model)
        model = self.cluster.wait_condition("churnmodel", "telco", "Trained", status="False",
                                            reason="InputNotFound")
        self.assertIn(self.uri("input_folder/history.csv"), condition_of(model, "Trained")["message"])


@only_on_kubesim("the server listens on this machine alone")
class Notifications(GsTest):
    """The store itself says that a file has come: by Pub/Sub, whose subscription pushes to the controller."""
    start_pubsub = staticmethod(gs_server.start_pubsub)

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        issuer = Issuer(folder.name)
        cls.addClassCleanup(issuer.close)
        issuer.add_key("first")
        hook, = parts.free_ports(1)
        address = f"http://127.0.0.1:{hook}{PATH}"
        token = issuer.token("first", iss="https://accounts.google.com", aud=address, email_verified=True,
                             email="push@bank.iam.gserviceaccount.com")
        cls.pubsub = cls.start_pubsub(address, token)
        cls.addClassCleanup(cls.pubsub.close)
        cls.controller_arguments = (
            "--no-leader-elect", "--allowed-uri", f"gs://{BUCKET}/", "--hooks-address", f"127.0.0.1:{hook}",
            "--hooks-audience", address, "--hooks-service-account", "push@bank.iam.gserviceaccount.com",
            "--hooks-keys-url", issuer.url)
        super().setUpClass()

    @classmethod
    def start_server(cls):
        cls.server = gs_server.start_gcs(pubsub_port=cls.pubsub.port)

    def test_a_notification_is_enough(self):
        """The inbox is polled once an hour."""
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        self.cluster.apply(self.model_in_bucket(inbox=self.inbox("1h")))
        self.cluster.wait("churnmodel", "telco",
                          lambda found: (found or {}).get("status", {}).get("inbox"), "a first look")
        self.cluster.wait_condition("churnmodel", "telco", "Ready")
        for week in 1, 2:
            self.drop_week(week)
