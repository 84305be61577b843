"""Scenarios with a bucket on an S3 server that nobody here wrote. The controller looks into it with the user's
Secret, which may not lead to its own machine: so all of this runs in a network with another address. On a real
cluster that is the node's, which is all that pods can reach."""
import os
import sys
import tempfile
import unittest

from cluster import REAL, ROOT
from weekly import WeeklyTest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "stores"))
import parts  # noqa: E402
import s3_server  # noqa: E402
from own_network import NetworkOf, OwnNetwork  # noqa: E402

sys.path.insert(0, os.path.join(ROOT, "hack", "kubenode"))
from state import State  # noqa: E402

TOKEN = "a-shared-token-of-stores"


def enter_network():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root for a network of its own")
    if not REAL:
        return OwnNetwork()
    folder = os.environ.get("CHURN_CLUSTER_STATE")
    if not folder:
        raise unittest.SkipTest("the node of this cluster is not ours to run a server on")
    state = State(folder)
    return NetworkOf(state.pid("namespaces"), state.facts["address"])


class S3Test(WeeklyTest):
    """The controller takes pushes at `hooks_port`."""

    @classmethod
    def setUpClass(cls):
        cls.fetch()
        network = enter_network()
        cls.addClassCleanup(network.leave)
        cls.address = network.address
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        token_file = os.path.join(cls.scratch.name, "hook-token")
        with open(token_file, "w") as file:
            file.write(TOKEN)
        cls.hooks_port, = parts.free_ports(1)
        cls.controller_arguments = ("--no-leader-elect", "--hooks-address", f"127.0.0.1:{cls.hooks_port}",
                                    "--hooks-token-file", token_file)

    @classmethod
    def fetch(cls):
        """What the tests need from elsewhere, the first time."""
        s3_server.programs()

    @classmethod
    def use(cls, server):
        cls.server = server
        cls.server.make_bucket("bank")
        cls.boto3 = cls.server.client()

    def start_server(self):
        """For a class whose server is another one for each test."""

    def setUp(self):
        super().setUp()
        self.start_server()
        self.put_secret(self.server.endpoint)

    def put_secret(self, endpoint):
        """As the README says."""
        key, secret = s3_server.ADMIN
        with tempfile.NamedTemporaryFile("w") as credentials:
            credentials.write(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
            credentials.flush()
            made = self.cluster.kubectl(
                "create", "secret", "generic", "bucket-key", f"--from-file=aws-credentials={credentials.name}",
                "--from-literal=region=us-east-1", f"--from-literal=endpoint={endpoint}", "--dry-run=client", "-o", "json")
        self.cluster.kubectl("apply", "-f", "-", text=made)

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
