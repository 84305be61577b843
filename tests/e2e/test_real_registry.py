"""Digests from a real registry: docker-registry with a private authority, in each way of access; and one that fails.

Jobs are those of kubesim, which is told what program the registry's image runs."""
import json
import os
import re
import signal
import time
import urllib.request

import registry_server
from cluster import DEADLINE_SECONDS, POLL_SECONDS, ClusterTest, NotInTime, condition_of, only_on_kubesim
from registry_server import PASSWORD, USER, Registry, trainer


def wait_for(holds, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise NotInTime(f"{what} did not come")
        time.sleep(POLL_SECONDS)


class RegistryTest(ClusterTest):
    controller_arguments = None
    registry_arguments = {}

    def setUp(self):
        registry_server.check()
        registry_server.own_address()
        super().setUp()
        self.registry = Registry(os.path.join(self.cluster.folder, "docker-registry"), **self.registry_arguments)
        self.addCleanup(self.registry.close)

    def start(self, *arguments):
        self.cluster.start_controller("--no-leader-elect", *arguments)

    def start_trusting(self):
        self.start("--registry-ca", self.registry.authority.path("ca.crt"))

    def push(self, *images):
        """Moves the tag; the image runs a trainer."""
        digest = self.registry.push(*images)
        self.cluster.sim("image", "set", f"{self.registry.host}/bank/trainer@{digest}", "--program", "churn-trainer")
        return digest

    def apply(self, image=None, **spec):
        self.cluster.apply(self.cluster.model(image=image or self.registry.image, **spec))

    def wait_trained(self, digest, trainings):
        """With that image, the last of so many Jobs, which names the digest and no tag."""
        def holds(found):
            done = ((found or {}).get("status") or {}).get("model") or {}
            return done.get("imageDigest") == digest and condition_of(found, "Ready")["status"] == "True"
        model = self.cluster.wait("churnmodel", "telco", holds, f"a version of {digest}")
        images = [job["spec"]["template"]["spec"]["containers"][0]["image"] for job in self.cluster.jobs("trainer")]
        self.assertEqual(len(images), trainings)
        self.assertIn(f"{self.registry.host}/bank/trainer@{digest}", images)
        self.assertEqual(model["status"]["image"]["digest"], digest)
        return model

    def wait_refused(self, reason, *advice):
        """Until the model says so; nothing runs."""
        def holds(found):
            entry = condition_of(found, "ImageResolved") or {"reason": None, "message": ""}
            return entry["reason"] == reason and all(text in entry["message"] for text in advice)
        model = self.cluster.wait("churnmodel", "telco", holds, f"{reason} {advice}")
        self.assertEqual(condition_of(model, "ImageResolved")["status"], "False")
        self.assertEqual(condition_of(model, "Reconciling")["reason"], reason)
        self.assertEqual(self.cluster.jobs(), [])

    def figure(self, name):
        port = re.search(r'"metricsPort":(\d+)', self.cluster.controller.log()).group(1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return int(re.search(rf'^{name}{{of="image"}} (\d+)$', answer.read().decode(), re.MULTILINE).group(1))

    def wait_lookups(self, name="churn_lookups_total", count=2):
        """Until so many more have ended: of two, the second began after now."""
        wanted = self.figure(name) + count
        wait_for(lambda: self.figure(name) >= wanted, f"{name} {wanted}")

    def assert_unmoved(self, digest, trainings):
        """What is known stays, whatever the registry says now."""
        self.wait_lookups("churn_lookup_failures_total", 1)
        self.wait_trained(digest, trainings)

    def give_secret(self, password=PASSWORD, name="regcred"):
        made = self.cluster.kubectl("create", "secret", "docker-registry", name, f"--docker-server={self.registry.host}",
                                    f"--docker-username={USER}", f"--docker-password={password}", "--dry-run=client",
                                    "-o", "json")
        self.cluster.kubectl("apply", "-f", "-", text=made)

    def give_account(self, name, *secrets):
        self.cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount",
                            "metadata": {"name": name, "namespace": self.cluster.namespace},
                            "imagePullSecrets": [{"name": secret} for secret in secrets]})


@only_on_kubesim("nodes would have to trust the registry's authority")
class Public(RegistryTest):
    def test_a_tag_that_moves_and_goes(self):
        first = self.push(trainer("1"))
        self.start_trusting()
        self.apply()
        self.wait_trained(first, 1)
        index = self.push(trainer("2"), trainer("2", "arm64"))  # of platforms: as a whole
        self.assertNotIn(index, (trainer("2").digest, trainer("2", "arm64").digest))
        self.wait_trained(index, 2)
        self.assertEqual(self.push(trainer("2"), trainer("2", "arm64")), index)  # the same again is no news
        self.wait_lookups()
        self.wait_trained(index, 2)
        self.registry.delete()
        self.assert_unmoved(index, 2)
        self.assertEqual(self.push(trainer("3")), trainer("3").digest)
        self.wait_trained(trainer("3").digest, 3)

    def test_an_authority_that_is_not_trusted(self):
        digest = self.push(trainer("1"))
        self.start()
        self.apply()
        self.wait_refused("RegistryUnreachable", "certificate", "--registry-ca")
        self.cluster.controller.stop()
        self.start_trusting()
        self.wait_trained(digest, 1)

    def test_by_digest_nobody_is_asked(self):
        digest = self.push(trainer("1"))
        self.registry.process.stop()
        self.start()
        self.apply(image=f"{self.registry.host}/bank/trainer:gone@{digest}")
        self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertEqual([job["spec"]["template"]["spec"]["containers"][0]["image"] for job in self.cluster.jobs()],
                         [f"{self.registry.host}/bank/trainer@{digest}"])
        self.assertEqual(self.figure("churn_lookups_total"), 0)


@only_on_kubesim("nodes would have to be told of the registry")
class Plain(RegistryTest):
    registry_arguments = {"plain": True}

    def test_only_when_it_is_named(self):
        digest = self.push(trainer("1"))
        self.start()
        self.apply()
        self.wait_refused("RegistryUnreachable", f"--insecure-registry {self.registry.host}")
        self.cluster.controller.stop()
        self.start("--insecure-registry", self.registry.host)
        self.wait_trained(digest, 1)


class Private(RegistryTest):
    def check_access(self):
        digest = self.push(trainer("1"))
        self.start_trusting()
        self.apply()
        self.wait_refused("RegistryDenied", "name a pull secret in imagePullSecrets", "@sha256:")
        self.give_secret("guessed")
        self.apply(imagePullSecrets=[{"name": "regcred"}])
        self.wait_refused("RegistryDenied", "were refused")
        self.give_secret()
        self.wait_trained(digest, 1)

        self.give_secret(name="of-robot")  # an account's counts where none is named
        self.give_account("robot", "of-robot")
        other = self.push(trainer("2"))
        self.apply(imagePullSecrets=None, podTemplate={**self.cluster.pod_template(), "serviceAccountName": "robot"})
        self.wait_trained(other, 2)
        self.give_account("robot")
        self.assert_unmoved(other, 2)
        for secret in (PASSWORD, "guessed"):
            self.assertNotIn(secret, self.cluster.controller.log())


@only_on_kubesim("nodes would have to trust the registry's authority")
class Htpasswd(Private):
    registry_arguments = {"access": "basic"}

    def test_access(self):
        self.check_access()


@only_on_kubesim("nodes would have to trust the registry's authority")
class Token(Private):
    registry_arguments = {"access": "bearer"}

    def test_access(self):
        self.check_access()


@only_on_kubesim("nodes would have to trust the registry's authority")
class Failing(RegistryTest):
    registry_arguments = {"fronted": True}

    def test_until_it_answers(self):
        """Each failure in turn, before anything is known."""
        digest = self.push(trainer("1"))
        front = self.registry.front
        front.status, front.retry_after = 429, "1"
        self.start_trusting()
        self.apply()
        for status, reason, advice in ((429, "RegistryUnreachable", "429"), (503, "RegistryUnreachable", "503"),
                                       (404, "ImageNotFound", "push it, or correct its name"),
                                       (418, "DigestUnresolvable", "pin the image by digest")):
            with self.subTest(status=status):
                front.status = status
                self.wait_refused(reason, advice)
        front.status = None
        self.wait_trained(digest, 1)

    def test_slow(self):
        digest = self.push(trainer("1"))
        self.registry.front.open.clear()
        self.start_trusting()
        self.apply()
        model = self.cluster.wait_condition("churnmodel", "telco", "ImageResolved", "Unknown", "Resolving")
        self.assertIn("is being looked up", condition_of(model, "ImageResolved")["message"])
        self.registry.front.open.set()
        self.wait_trained(digest, 1)

    def test_without_head(self):
        digest = self.push(trainer("1"))
        front = self.registry.front
        front.no_head = 403
        self.start_trusting()
        self.apply()
        self.wait_trained(digest, 1)
        self.assertEqual([request.split()[0] for request in front.asked[:2]], ["HEAD", "GET"])

    def test_what_is_known_stays(self):
        digest = self.push(trainer("1"))
        front = self.registry.front
        self.start_trusting()
        self.apply()
        self.wait_trained(digest, 1)
        for status in (500, 404):
            with self.subTest(status=status):
                front.status = status
                self.assert_unmoved(digest, 1)
        front.close()  # now nobody listens
        self.registry.front = None
        self.assert_unmoved(digest, 1)


@only_on_kubesim("nodes would have to be told of the registry")
class Probed(RegistryTest):
    """A registry that refuses everybody but the node, which has an identity of its own."""
    registry_arguments = {"fronted": True}

    def setUp(self):
        super().setUp()
        self.registry.front.status = 403

    def move_tag(self, revision):
        return json.loads(self.cluster.sim("image", "set", self.registry.image, "--program", "churn-trainer",
                                           "--revision", revision))["digest"]

    def start_probing(self):
        self.start("--registry-ca", self.registry.authority.path("ca.crt"), "--probe-pods")

    def wait_no_probe(self):
        self.cluster.wait_none("job", labelSelector="app.kubernetes.io/component=probe")
        self.cluster.wait_none("pod", labelSelector="app.kubernetes.io/component=probe")

    def test_a_pod_tells_the_digest(self):
        first = self.move_tag("1")
        self.start_trusting()
        self.apply()
        self.wait_refused("RegistryDenied", "pin the image by digest")
        self.assertEqual(self.cluster.list("pod"), [])  # nobody has allowed it
        self.cluster.controller.stop()
        self.start_probing()
        self.wait_trained(first, 1)
        self.wait_lookups()  # the same answer trains nothing
        self.wait_trained(first, 1)
        self.wait_trained(self.move_tag("2"), 2)
        self.apply(imagePollInterval="1h")
        self.wait_no_probe()

    def test_a_node_that_may_not_pull_either(self):
        self.start_probing()
        self.apply()
        self.wait_refused("DigestUnresolvable", "403", "pin the image by digest", "ErrImagePull")
        self.wait_no_probe()

    def leave_probe(self):
        """Of a controller that is killed while its pod is there; returns the Job."""
        while True:
            self.start_probing()
            wait_for(lambda: self.cluster.jobs("probe"), "a probe")
            self.cluster.controller.stop(signal.SIGKILL)
            if left := self.cluster.jobs("probe"):
                return left[0]

    def test_a_probe_that_a_crash_left(self):
        """Its answer is of before: another is made, by the same name. Nothing stays."""
        digest = self.move_tag("1")
        self.apply()
        left = self.leave_probe()
        self.start_probing()
        self.wait_trained(digest, 1)
        self.apply(imagePollInterval="1h")
        self.wait_no_probe()
        self.assertEqual(left["metadata"]["ownerReferences"][0]["name"], "telco")
        self.cluster.controller.stop()
        self.apply(imagePollInterval="1s")
        self.leave_probe()  # now with nobody who would delete it
        self.cluster.kubectl("delete", "churnmodel", "telco")
        self.wait_no_probe()
