"""Nodes with an identity of their own: the registry wants a password, which containerd alone has been given."""
import base64
import os
import shutil
import sys
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "e2e"))
import own_node  # noqa: E402
import real_cluster  # noqa: E402
import registry_server  # noqa: E402
from cluster import ClusterTest, condition_of  # noqa: E402

HOSTS = """\
server = "https://{host}"
[host."https://{host}"]
  ca = "{ca}"
  [host."https://{host}".header]
    Authorization = "{authorization}"
"""


class Probe(ClusterTest):
    controller_arguments = None

    def setUp(self):
        registry_server.check()
        node = own_node.OwnNode()
        super().setUp()
        address = node.state.facts["address"].rpartition(".")[0] + ".1"  # ours, on the cable to the node
        self.registry = registry_server.Registry(os.path.join(self.cluster.folder, "docker-registry"), access="basic",
                                                 address=address)
        self.addCleanup(self.registry.close)
        self.settings = node.state.path(f"registries/{self.registry.host}")
        self.addCleanup(shutil.rmtree, self.settings, ignore_errors=True)

    def tell_node(self):
        """Read anew for every pull."""
        os.makedirs(self.settings)
        given = base64.b64encode(f"{registry_server.USER}:{registry_server.PASSWORD}".encode()).decode()
        with open(os.path.join(self.settings, "hosts.toml"), "w") as file:
            file.write(HOSTS.format(host=self.registry.host, ca=self.registry.authority.path("ca.crt"),
                                    authorization=f"Basic {given}"))

    def push(self, revision):
        """Another trainer, which does the same."""
        base = real_cluster.image("churn-trainer")
        settings = {**base.config["config"]}
        settings["Labels"] = {**settings["Labels"], "churn.test/revision": revision}
        return self.registry.push(real_cluster.oci.Image({**base.config, "config": settings}, base.layers))

    def start(self, *arguments):
        self.cluster.start_controller("--no-leader-elect", "--registry-ca", self.registry.authority.path("ca.crt"),
                                      *arguments)

    def wait_trained(self, digest):
        def holds(found):
            return ((found.get("status") or {}).get("model") or {}).get("imageDigest") == digest
        return self.cluster.wait("churnmodel", "telco", holds, f"a version of {digest}")

    def test_what_only_a_node_may_pull(self):
        digest = self.push("1")
        self.start()
        self.cluster.apply(self.cluster.model(image=self.registry.image, imagePollInterval="10s"))
        refused = self.cluster.wait_condition("churnmodel", "telco", "ImageResolved", "False", "RegistryDenied")
        self.assertIn("401", condition_of(refused, "ImageResolved")["message"])
        self.assertEqual(self.cluster.list("pod"), [])
        self.cluster.controller.stop()

        self.start("--probe-pods")
        refused = self.cluster.wait_condition("churnmodel", "telco", "ImageResolved", "False", "DigestUnresolvable")
        self.assertRegex(condition_of(refused, "ImageResolved")["message"], "ErrImagePull|ImagePullBackOff")
        self.cluster.controller.stop()

        self.tell_node()
        self.start("--probe-pods")
        self.wait_trained(digest)
        moved = self.push("2")
        found = self.wait_trained(moved)
        self.assertEqual(found["status"]["trainingsRun"], 2)
        images = {job["spec"]["template"]["spec"]["containers"][0]["image"] for job in self.cluster.jobs("trainer")}
        self.assertEqual(images, {f"{self.registry.host}/bank/trainer@{each}" for each in (digest, moved)})
        self.cluster.kubectl("delete", "churnmodel", "telco")
        for kind in ("job", "pod"):
            self.cluster.wait_none(kind, labelSelector="app.kubernetes.io/component=probe")


if __name__ == "__main__":
    unittest.main()
