"""Goal: hack/deps leaves a kubectl that is recent enough, and runs no program that is not the pinned one.

Method: hack/deps in a tree of its own, on a PATH that holds nothing but what it calls; dpkg-query and
kubectl are shell scripts. The wheel is a small one that the test makes, so that it can be another than
the pinned one; once it is the pinned one.
"""
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

HACK = Path(__file__).resolve().parents[2] / "hack"
CALLED = ["bash", "dirname", "env", "grep", "id", "mkdir", "mktemp", "rm", "sed"]
NO_INDEX = re.compile("No matching distribution|Connection|Temporary failure|Read timed out")


def kubectl(version):
    return f"#!/bin/sh\necho 'Client Version: {version}'\necho 'Kustomize Version: v5.0.0'\n"


def pack(program):
    """The wheel as its publisher makes it: an npm archive in it, layer.zip in that, the program in that."""
    layer, package, wheel = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(layer, "w") as archive:
        archive.writestr("kubectl/kubectl", program)
    with tarfile.open(fileobj=package, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/lib/layer.zip")
        member.size = layer.tell()
        archive.addfile(member, io.BytesIO(layer.getvalue()))
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("kubectl/_jsii/layer-kubectl@1.0.0.jsii.tgz", package.getvalue())
        archive.writestr("pinned-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: pinned\nVersion: 1.0\n")
        archive.writestr("pinned-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("pinned-1.0.dist-info/RECORD", "")
    return wheel.getvalue()


class Kubectl(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="churn-deps-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path, self.wheels = self.folder / "path", self.folder / "wheels"
        self.scratch = self.folder / "scratch"
        self.fetched = self.folder / "build" / "tools" / "kubectl"
        for each in (self.folder / "hack", self.path, self.wheels, self.scratch):
            each.mkdir()
        for name in ("deps", "unpack-kubectl", "kubectl.requirements"):
            shutil.copy(HACK / name, self.folder / "hack")
        for name in CALLED:
            (self.path / name).symlink_to(shutil.which(name))
        self.program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        self.program("dpkg-query", "#!/bin/sh\nprintf 'install ok installed'\n")

    def program(self, name, text):
        path = self.path / name
        path.write_text(text)
        path.chmod(0o755)

    def pin(self, wheel, pinned=None):
        """`wheel` is what there is to fetch, `pinned` what the requirements name."""
        (self.wheels / "pinned-1.0-py3-none-any.whl").write_bytes(wheel)
        digest = hashlib.sha256(pinned or wheel).hexdigest()
        (self.folder / "hack" / "kubectl.requirements").write_text(f"pinned==1.0 --hash=sha256:{digest}\n")

    def deps(self, environment=None):
        """Pip looks nowhere but at the wheels, or where `environment` says."""
        environment = environment or {"PIP_FIND_LINKS": str(self.wheels), "PIP_NO_INDEX": "1"}
        return subprocess.run([self.folder / "hack" / "deps"], capture_output=True, text=True, timeout=300,
                              env={"HOME": str(self.folder), **environment, "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                                   "TMPDIR": str(self.scratch), "PATH": str(self.path)})

    def version_of(self, program):
        return subprocess.run([program, "version", "--client"], capture_output=True, text=True,
                              check=True).stdout.splitlines()[0]

    def assert_fetched(self):
        self.pin(pack(kubectl("v1.34.5")))
        done = self.deps()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("no kubectl >= 1.31 on PATH, fetching one", done.stdout)
        self.assertEqual(self.version_of(self.fetched), "Client Version: v1.34.5")
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_a_recent_one_on_the_path_is_enough(self):
        for version in ("v1.31.0", "v1.40.2", "v1.32.4-vendor"):
            with self.subTest(version):
                self.program("kubectl", kubectl(version))
                done = self.deps()
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
                self.assertFalse(self.fetched.exists())

    def test_one_is_fetched_when_there_is_none(self):
        self.assert_fetched()
        self.pin(b"nothing that could be fetched again")
        done = self.deps()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_one_is_fetched_when_that_on_the_path_is_old(self):
        self.program("kubectl", kubectl("v1.30.14"))
        self.assert_fetched()

    def test_one_is_fetched_when_that_on_the_path_does_not_run(self):
        self.program("kubectl", "#!/bin/sh\nexit 1\n")
        self.assert_fetched()

    def test_one_that_was_fetched_and_is_old_is_replaced(self):
        self.fetched.parent.mkdir(parents=True)
        self.fetched.write_text(kubectl("v1.29.0"))
        self.fetched.chmod(0o755)
        self.assert_fetched()

    def test_another_wheel_than_the_pinned_one_is_refused(self):
        self.pin(pack(kubectl("v1.34.5") + "# and something else\n"), pinned=pack(kubectl("v1.34.5")))
        done = self.deps()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("DO NOT MATCH THE HASHES", done.stderr)
        self.assertFalse(self.fetched.exists())
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_the_pinned_one(self):
        """From the package index of this machine."""
        done = self.deps({**os.environ, "PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "60"})
        if NO_INDEX.search(done.stderr):
            self.skipTest("the package index is not within reach")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        pinned = (HACK / "kubectl.requirements").read_text()
        version = re.search(r"stock kubectl (1\.\d+\.\d+)", pinned)[1]
        self.assertEqual(self.version_of(self.fetched), f"Client Version: v{version}")


if __name__ == "__main__":
    unittest.main()
