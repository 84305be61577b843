"""Digests from a real registry: docker-registry with a private authority, in each way of access; and one that fails.

Jobs are those of kubesim, which is told what program the registry's image runs."""
import os
import re
import time
import urllib.request

import registry_server
from cluster import DEADLINE_SECONDS, POLL_SECONDS, ClusterTest, NotInTime, condition_of, only_on_kubesim
from registry_server import PASSWORD, USER, Registry, trainer


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
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.figure(name) < wanted:
            if time.monotonic() > deadline:
                raise NotInTime(f"{name} did not reach {wanted}:\n" + self.cluster.controller.log()[-4000:])
            time.sleep(POLL_SECONDS)

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
