"""What the images hold: the program and what it needs to run, nothing to break in with; and that the bill of
materials tells all of it. hack/images --check-reproducible tests that they are the same everywhere."""
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGES = os.path.join(ROOT, "build", "images")
MEBIBYTE = 1 << 20
UNAVAILABLE = 69  # hack/images: this machine lacks a program


class Image:
    def __init__(self, name):
        with tarfile.open(os.path.join(IMAGES, name + ".tar")) as archive:
            def blob(descriptor):
                return archive.extractfile("blobs/" + descriptor["digest"].replace(":", "/"))

            [entry] = json.load(archive.extractfile("index.json"))["manifests"]
            manifest = json.load(blob(entry))
            self.digest = entry["digest"]
            self.compressed_bytes = sum(part["size"] for part in manifest["layers"])
            self.config = json.load(blob(manifest["config"]))["config"]
            [layer] = manifest["layers"]
            with tarfile.open(fileobj=blob(layer)) as tar:
                self.entries = {"/" + entry.name: entry for entry in tar}
                self.hashes = {path: hashlib.sha256(tar.extractfile(entry).read()).hexdigest()
                               for path, entry in self.entries.items() if entry.isfile()}
        with open(os.path.join(IMAGES, name + ".spdx.json")) as file:
            self.bill = json.load(file)


def setUpModule():
    done = subprocess.run([os.path.join(ROOT, "hack", "images")], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == UNAVAILABLE:
        raise unittest.SkipTest(done.stderr.strip())
    if done.returncode != 0:
        raise AssertionError(done.stderr)


class ImageTest:
    """One class below for each image."""
    name = None

    @classmethod
    def setUpClass(cls):
        cls.image = Image(cls.name)
        cls.program = f"/usr/bin/churn-{cls.name}"
        cls.root = os.path.join(IMAGES, "root", cls.name)

    def test_there_is_one_program_and_no_shell(self):
        programs = [path for path in self.image.hashes if "/bin/" in path or "/sbin/" in path]
        self.assertEqual(programs, [self.program])
        runnable = [path for path, entry in self.image.entries.items() if entry.isfile() and entry.mode & 0o111]
        self.assertEqual([path for path in runnable if path not in programs and ".so" not in path], [])

    def test_nothing_gives_rights(self):
        for path, entry in self.image.entries.items():
            self.assertEqual((entry.uid, entry.gid), (0, 0), path)
            self.assertFalse(entry.mode & 0o6000, path)
            if not entry.issym() and path != "/tmp":
                self.assertFalse(entry.mode & 0o022, path)

    def test_it_runs_as_a_number_that_is_not_root(self):
        self.assertRegex(self.image.config["User"], r"^[1-9]\d*:[1-9]\d*$")  # runAsNonRoot needs a number
        self.assertEqual(self.image.config["Entrypoint"], [self.program])

    @unittest.skipIf(os.geteuid() != 0, "needs root to change its root folder")
    def test_the_program_finds_its_libraries(self):
        done = subprocess.run([shutil.which("chroot"), "--userspec=65532:65532", self.root, self.program, "--help"],
                              capture_output=True, text=True, check=False, env={})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("churn-" + self.name, done.stdout)

    def test_certificates_and_time_zones(self):
        self.assertIn("/etc/ssl/certs/ca-certificates.crt", self.image.hashes)
        self.assertIn("/usr/share/zoneinfo/Europe/Berlin", self.image.entries)

    def test_labels(self):
        labels = {key.removeprefix("org.opencontainers.image."): value
                  for key, value in self.image.config["Labels"].items()}
        self.assertEqual(labels["title"], "churn-" + self.name)
        self.assertEqual(labels["licenses"], "Apache-2.0")
        self.assertRegex(labels["version"], r"^\d+\.\d+\.\d+$")
        self.assertRegex(labels["revision"], r"^[0-9a-f]{40}(-changed)?$")
        self.assertRegex(labels["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_the_bill_has_every_program_and_library(self):
        told = {entry["fileName"].removeprefix("."): entry["checksums"] for entry in self.image.bill["files"]}
        for path, found in self.image.hashes.items():
            if path.startswith(("/usr/bin/", "/usr/lib/", "/lib")):
                self.assertIn({"algorithm": "SHA256", "checksumValue": found}, told[path])
        packages = {package["name"]: package for package in self.image.bill["packages"]}
        self.assertEqual(packages[f"churn-{self.name} image"]["checksums"][0]["checksumValue"],
                         self.image.digest.removeprefix("sha256:"))
        [reference] = packages["libc6"]["externalRefs"]
        self.assertRegex(reference["referenceLocator"], r"^pkg:deb/debian/libc6@2[^?]+\?arch=\w+$")

    def test_the_bill_is_well_formed(self):
        """What a reader of SPDX 2.3 relies on: names are unique, and every relation has two ends."""
        bill = self.image.bill
        self.assertEqual(bill["spdxVersion"], "SPDX-2.3")
        names = [entry["SPDXID"] for entry in [bill, *bill["packages"], *bill["files"]]]
        self.assertEqual(len(names), len(set(names)))
        for entry in names:
            self.assertRegex(entry, r"^SPDXRef-[A-Za-z0-9.-]+$")
        for relation in bill["relationships"]:
            self.assertIn(relation["spdxElementId"], names)
        owned = {relation["relatedSpdxElement"] for relation in bill["relationships"]}
        self.assertEqual(owned, set(names) - {"SPDXRef-DOCUMENT"})

    def test_no_path_of_this_machine_is_inside(self):
        with open(self.root + self.program, "rb") as file:
            self.assertNotIn(ROOT.encode(), file.read())


class Controller(ImageTest, unittest.TestCase):
    name = "controller"

    def test_it_is_small(self):
        self.assertLess(self.image.compressed_bytes, 12 * MEBIBYTE)


class Trainer(ImageTest, unittest.TestCase):
    name = "trainer"


class Scorer(ImageTest, unittest.TestCase):
    name = "scorer"
