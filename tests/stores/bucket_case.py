"""What tests of buckets share: our probe, run against a server, and what may never be seen."""
import hashlib
import json
import os
import random
import subprocess
import unittest

PROBE = os.path.join(os.environ["CHURN_BIN"], "churn-store-probe")
MIB = 1024 * 1024


def content(size, seed=0):
    return random.Random(seed).randbytes(size)


def digest(data):
    """For messages of tests that compare megabytes."""
    return len(data), hashlib.sha256(data).hexdigest()


class BucketCase(unittest.TestCase):
    scheme = "gs"
    bucket = "bank"
    environment = {}  # how the probe finds the server

    def uri(self, name):
        return f"{self.scheme}://{self.bucket}/{name}"

    def probe(self, *arguments, data=b"", check=None, environment=None):
        """(exit code, standard output); `check`: the code that is expected."""
        result = subprocess.run([PROBE, *map(str, arguments)], input=data, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=60,
                                env={**os.environ, **self.environment, **(environment or {})})
        self.errors = result.stderr.decode()
        if check is not None:
            self.assertEqual(result.returncode, check, self.errors)
        return result.returncode, result.stdout

    def put(self, name, data, *options, code=0):
        _, output = self.probe("put", *options, self.uri(name), data=data, check=code)
        return json.loads(output)["generation"] if code == 0 else None

    def get(self, name, *options, code=0):
        return self.probe("get", *options, self.uri(name), check=code)[1]

    def names(self, folder):
        return json.loads(self.probe("list", self.uri(folder), check=0)[1])

    def assertContent(self, name, data):
        self.assertEqual(digest(self.get(name)), digest(data))

    def assertWholeOrAbsent(self, name, data, before, code):
        """After a put that trouble met: success means that it is there, and whatever is there is whole."""
        found, output = self.probe("get", self.uri(name))
        states = [data] if code == 0 else [data, before]
        self.assertIn((found, digest(output) if found == 0 else None),
                      [(66, None) if state is None else (0, digest(state)) for state in states], self.errors)
