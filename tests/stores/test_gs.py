"""Goal: gs:// does what lib/store promises on servers that others wrote.

Method: every operation through our probe against fake-gcs-server; Google's own client writes and reads the
same objects; a proxy in between cuts, stalls, corrupts and refuses at chosen bytes, and after each of that an
object is whole or absent. Where an upload stands after a cut, only gcp-storage-emulator tells truly. Tokens
come from a front whose assertions google-auth checks."""
import gzip
import json
import os
import subprocess
import tempfile
import unittest
import urllib.parse
import urllib.request

import gs_server
import parts
from bucket_case import MIB, BucketCase, content, digest
from fault_proxy import FaultProxy

PIECE = 8 * MIB  # of a resumable upload


class GsCase(BucketCase):
    """A server of its own for each class."""
    through_proxy = False
    start = staticmethod(gs_server.start_gcs)

    @classmethod
    def setUpClass(cls):
        cls.proxy = FaultProxy() if cls.through_proxy else None
        cls.server = cls.start(cls.proxy.port) if cls.through_proxy else cls.start()
        if cls.proxy:
            cls.proxy.upstream_port = cls.server.port
            cls.addClassCleanup(cls.proxy.close)
        cls.addClassCleanup(cls.server.close)
        gs_server.make_gcs_bucket(cls.server.port, cls.bucket)
        port = cls.proxy.port if cls.proxy else cls.server.port
        cls.environment = {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}

    def client(self, *arguments, data=b""):
        """Google's own."""
        result = subprocess.run([str(gs_server.programs() / "python3"), str(gs_server.HERE / "gs_client.py"), *arguments],
                                input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                                env=dict(os.environ, **self.environment))
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout


class Operations(GsCase):
    def test_objects_come_back_whatever_their_names_and_sizes(self):
        for name in ("a.csv", "in/d e+f=ü&%25#?.csv", "日本/週.csv", "x" * 900):
            with self.subTest(name):
                data = content(1000, name)
                generation = self.put(name, data)
                self.assertContent(name, data)
                self.assertEqual(json.loads(self.probe("stat", self.uri(name), check=0)[1])["generation"],
                                 generation)
                self.probe("delete", self.uri(name), check=0)
                self.get(name, code=66)
                self.probe("delete", self.uri(name), check=66)
        for size in (0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE):
            with self.subTest(size=size):
                data = content(size)
                self.put("sized.bin", data)
                self.assertContent("sized.bin", data)

    def test_parts_of_objects(self):
        data = content(100000)
        self.put("parts.bin", data)
        for offset, length in ((0, 10), (99990, 0), (5, 99995), (0, 0), (100000, 0), (200000, 5)):
            with self.subTest(offset=offset, length=length):
                self.assertEqual(self.get("parts.bin", "--offset", offset, "--length", length),
                                 data[offset:offset + length if length else None])

    def test_googles_client_and_ours_read_each_other(self):
        for size in (10, 3 * PIECE + 5):
            with self.subTest(size=size):
                data = content(size, "client")
                self.put("ours.bin", data)
                self.assertEqual(self.client("get", self.bucket, "ours.bin"), data)
                self.client("put", self.bucket, "theirs ü.bin", data=data)
                self.assertContent("theirs ü.bin", data)

    def test_objects_that_are_kept_as_gzip_are_read_as_what_they_hold(self):
        plain = b"id,age\n" + b"1,57\n" * 100000
        self.client("put", self.bucket, "packed.csv", "gzip", data=gzip.compress(plain))
        self.assertContent("packed.csv", plain)
        self.get("packed.csv", "--offset", 5, code=64)

    def test_conditions(self):
        first = self.put("once.csv", b"one", "--absent")
        self.put("once.csv", b"two", "--absent", code=73)
        self.assertIn("exists already", self.errors)
        self.assertContent("once.csv", b"one")
        second = self.put("once.csv", b"two", "--generation", first)
        self.put("once.csv", b"three", "--generation", first, code=73)
        self.get("once.csv", "--generation", first, code=66)
        self.assertIn("InputChanged", self.errors)
        self.assertEqual(self.get("once.csv", "--generation", second), b"two")
        self.put("never.csv", b"x", "--generation", first, code=73)

    def test_folders(self):
        for name in ("f/", "f/a", "f/b/c", "f/b/d", "fa", "f/.churn-part.x.1-0"):
            self.put_by_hand(name)
        self.assertEqual(self.names("f/"), ["a", "b/"])
        self.assertEqual(self.names("f/b/"), ["c", "d"])
        self.assertEqual(self.names("none/"), [])
        self.assertIn("f/", self.names(""))
        self.probe("clear", self.uri("f/"), check=0)
        self.assertEqual([name for name in self.names("") if name.startswith("f")], ["fa"])

    def put_by_hand(self, name, data=b"x"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.server.port}/upload/storage/v1/b/{self.bucket}/o?uploadType=media&name="
            + urllib.parse.quote(name, safe=""), data=data)
        urllib.request.urlopen(request, timeout=30).close()

    def test_long_listings_come_in_pages(self):
        for number in range(1100):
            self.put_by_hand(f"many/{number:05}")
        self.assertEqual(self.names("many/"), [f"{number:05}" for number in range(1100)])

    def test_many_objects_become_one(self):
        for count in (0, 1, 33, 70):
            with self.subTest(count=count):
                pieces = [content(number * 10, number) for number in range(count)]  # the first is empty
                for number, piece in enumerate(pieces):
                    self.put_by_hand(f"whole.csv.parts/{number:03}", piece)
                self.probe("compose", self.uri("whole.csv"), *(self.uri(f"whole.csv.parts/{number:03}")
                                                               for number in range(count)),
                           data=b"header\n", check=0)
                self.assertContent("whole.csv", b"header\n" + b"".join(pieces))
        everything = self.client("list", self.bucket).decode().splitlines()
        self.assertEqual([name for name in everything if ".churn-part." in name], [])

    def test_a_missing_bucket_is_named(self):
        self.probe("get", "gs://no-such-bucket/a.csv", check=66)
        self.assertIn("gs://no-such-bucket/a.csv", self.errors)


class Faults(GsCase):
    through_proxy = True

    def tearDown(self):
        self.proxy.heal()

    def test_reading_goes_on_after_cuts_and_stalls(self):
        data = content(3 * MIB)
        self.put("read.bin", data)
        for kind in ("cut", "stall"):
            for after in (0, 5, 400, 1000, 100000, 2 * MIB, 3 * MIB - 1):
                with self.subTest(kind=kind, after=after):
                    harm = self.proxy.harm(kind, after=after, matches=b"alt=media")
                    self.assertEqual(digest(self.get("read.bin", "--stall", "500ms")), digest(data))
                    self.assertEqual(harm.done, 1)
        harm = self.proxy.harm("cut", after=300000, times=8, matches=b"alt=media")
        self.assertContent("read.bin", data)
        self.assertEqual(harm.done, 8)

    def test_damage_is_noticed(self):
        data = content(MIB)
        self.put("damaged.bin", data)
        self.proxy.harm("corrupt", after=500000, times=100, matches=b"alt=media")
        self.get("damaged.bin", code=69)
        self.assertIn("damaged on its way", self.errors)

    def test_busy_servers_are_asked_again(self):
        for status in (408, 429, 500, 503):
            with self.subTest(status=status):
                harm = self.proxy.harm("answer", status=status, times=2)
                self.put("busy.csv", b"x" * status)
                self.assertContent("busy.csv", b"x" * status)
                self.assertEqual(harm.done, 2)

    def test_small_objects_are_whole_or_absent(self):
        data = content(100000)
        for side, places in (("up", (0, 10, 300, 600, 50000, 100000)), ("down", (0, 10, 200))):
            for kind in ("cut", "corrupt"):
                for after in places:
                    with self.subTest(side=side, kind=kind, after=after):
                        name = f"small-{side}-{kind}-{after}.bin"
                        harm = self.proxy.harm(kind, side=side, after=after, matches=b"uploadType")
                        patience = "20s" if kind == "cut" else "1s"  # damage need not be waited out
                        code, _ = self.probe("put", "--absent", "--patience", patience, self.uri(name), data=data)
                        self.assertEqual(harm.done, 1)
                        self.proxy.heal()
                        self.assertWholeOrAbsent(name, data, None, code)
                        if kind == "cut":
                            self.assertEqual(code, 0, self.errors)

    def test_a_server_that_is_gone_is_told_in_time(self):
        self.proxy.harm("answer", status=503, times=1000)
        code, _ = self.probe("stat", "--patience", "2s", self.uri("x.csv"))
        self.assertEqual(code, 69)
        self.assertRegex(self.errors, r"gs://bank/x.csv: 503 Service Unavailable \(\d+ attempts in")


class Resuming(GsCase):
    """Uploads in pieces: where they stand, this server tells as Google does."""
    through_proxy = True

    @staticmethod
    def start(_port):
        return gs_server.start_gcs_emulator()

    def tearDown(self):
        self.proxy.heal()

    def test_large_objects_are_whole_or_absent(self):
        data = content(2 * PIECE + 1000)
        for side, places in (("up", (0, 1000, 3 * MIB, PIECE)), ("down", (0, 30))):
            for kind in ("cut", "stall"):
                for after in places:
                    with self.subTest(side=side, kind=kind, after=after):
                        harm = self.proxy.harm(kind, side=side, after=after, matches=b"Content-Range")
                        code, _ = self.probe("put", "--stall", "1s", self.uri("large.bin"), data=data)
                        self.assertEqual((code, harm.done), (0, 1), self.errors)
                        self.proxy.heal()
                        self.assertContent("large.bin", data)
                        self.probe("delete", self.uri("large.bin"), check=0)

    def test_damage_does_not_stay(self):
        data = content(2 * PIECE)
        self.proxy.harm("corrupt", side="up", after=MIB, matches=b"Content-Range")
        code, _ = self.probe("put", self.uri("wrong.bin"), data=data)
        self.assertEqual(code, 69)
        self.proxy.heal()
        self.get("wrong.bin", code=66)


class Credentials(GsCase):
    """A front that lets nobody in without a token."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="churn-stores-")
        self.addCleanup(self.folder.cleanup)
        self.key, self.certificate = (os.path.join(self.folder.name, name) for name in ("key.pem", "cert.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=churn", "-keyout",
                        self.key, "-out", self.certificate], check=True, stderr=subprocess.DEVNULL)

    def front(self, uses=1000, refusals=0):
        port, = parts.free_ports(1)
        server = gs_server.Server([str(gs_server.programs() / "python3"), str(gs_server.HERE / "google_front.py"), str(port),
                               str(self.server.port), self.certificate, str(uses), str(refusals)], port)
        self.addCleanup(server.close)
        self.port = port
        return f"http://127.0.0.1:{port}"

    def key_file(self, front, **changes):
        with open(self.key, encoding="utf-8") as file:
            document = {"type": "service_account", "client_email": "churn@bank.iam.gserviceaccount.com",
                        "private_key_id": "k1", "private_key": file.read(), "token_uri": front + "/token",
                        **changes}
        path = os.path.join(self.folder.name, "gcs.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
        return path

    def issued(self):
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.port}/issued", timeout=30))

    def test_a_service_accounts_key(self):
        front = self.front()
        environment = {"STORAGE_EMULATOR_HOST": front, "GOOGLE_APPLICATION_CREDENTIALS": self.key_file(front)}
        self.probe("put", self.uri("signed.csv"), data=b"signed", check=0, environment=environment)
        self.probe("stat", "--repeat", 5, self.uri("signed.csv"), check=0, environment=environment)
        self.assertEqual(self.issued(), 2)  # one each: they are kept
        self.probe("put", self.uri("large.bin"), data=content(PIECE + 1), check=0, environment=environment)

    def test_tokens_that_expire_early_are_replaced(self):
        front = self.front(uses=7)
        environment = {"STORAGE_EMULATOR_HOST": front, "GOOGLE_APPLICATION_CREDENTIALS": self.key_file(front)}
        self.put("short.csv", b"x")
        self.probe("stat", "--repeat", 40, self.uri("short.csv"), check=0, environment=environment)
        self.assertEqual(self.issued(), 6)

    def test_another_accounts_key_is_refused_without_showing_it(self):
        front = self.front()
        other = os.path.join(self.folder.name, "other.pem")
        subprocess.run(["openssl", "genrsa", "-out", other, "2048"], check=True, stderr=subprocess.DEVNULL)
        with open(other, encoding="utf-8") as file:
            secret = file.read()
        environment = {"STORAGE_EMULATOR_HOST": front,
                       "GOOGLE_APPLICATION_CREDENTIALS": self.key_file(front, private_key=secret)}
        self.probe("stat", self.uri("x.csv"), check=77, environment=environment)
        self.assertIn("Invalid JWT", self.errors)
        self.assertIn("churn@bank.iam.gserviceaccount.com", self.errors)
        self.assertNotIn(secret.splitlines()[1], self.errors)

    def test_a_workload_identity_that_comes_late(self):
        front = self.front(refusals=2)
        environment = {"STORAGE_EMULATOR_HOST": "", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": front,
                       "GCE_METADATA_HOST": front.removeprefix("http://")}
        self.put("identity.csv", b"mine")
        _, output = self.probe("get", "--denied-patience", "60s", self.uri("identity.csv"), check=0,
                               environment=environment)
        self.assertEqual(output, b"mine")

    def test_nobody_is_told_what_is_missing(self):
        front = self.front()
        self.probe("get", self.uri("x.csv"), check=77, environment={"STORAGE_EMULATOR_HOST": front})
        self.assertIn("gs://bank/x.csv: 401 Unauthorized: Invalid Credentials", self.errors)
        self.probe("get", self.uri("x.csv"), check=77,
                   environment={"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere.json"})
        self.assertIn("GOOGLE_APPLICATION_CREDENTIALS: /nowhere.json", self.errors)


if __name__ == "__main__":
    unittest.main()
