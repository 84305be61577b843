"""s3:// against SeaweedFS: what is written by us is what boto3 reads, and the other way round."""
import concurrent.futures
import itertools
import random
import tempfile
import unittest

import s3_server
import tool
from bucket_case import MIB, BucketCase, content, digest
from fault_proxy import FaultProxy

PART = 6 << 20  # S3_PART_BYTES of lib/store/store_s3.h


def some_bytes(count, seed=1):
    return random.Random(seed).randbytes(count)


class S3(unittest.TestCase):
    start = staticmethod(s3_server.Server)

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = cls.start(cls.folder.name)
        cls.addClassCleanup(cls.server.stop)
        cls.boto3 = cls.server.client()
        cls.variables = cls.server.variables()
        cls.bucket = "bank"
        cls.server.make_bucket(cls.bucket)

    def uri(self, key):
        return f"s3://{self.bucket}/{key}"

    def read(self, key):
        return self.boto3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def write(self, key, data):
        self.boto3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def test_what_is_put_is_what_boto3_reads(self):
        for size in (0, 1, 100_000, PART, PART + 1, 3 * PART + 5):
            with self.subTest(size=size):
                data = some_bytes(size)
                info = tool.put(self.variables, self.uri(f"put/{size}"), data)
                self.assertEqual(info.bytes, size)
                self.assertEqual(self.read(f"put/{size}"), data)

    def test_what_boto3_puts_is_what_is_got(self):
        for size in (0, 1, 20_000_000):
            with self.subTest(size=size):
                data = some_bytes(size)
                self.write(f"got/{size}", data)
                self.assertEqual(tool.run(self.variables, "get", self.uri(f"got/{size}")), data)

    def test_a_part_of_an_object_is_got(self):
        data = some_bytes(100_000)
        self.write("ranges", data)
        for offset, length in ((0, 1), (10, 20), (99_999, 5), (50_000, 0), (100_000, 0), (200_000, 3)):
            with self.subTest(offset=offset, length=length):
                got = tool.run(self.variables, "--offset", str(offset), "--length", str(length), "get",
                               self.uri("ranges"))
                self.assertEqual(got, data[offset:offset + length] if length else data[offset:])

    def test_names_are_as_they_are(self):
        keys = ["d e+f=ü.csv", "a&b<c>'\"d.csv", "100%25.csv", "#?;:@,$!*()[]~.csv", "x/y z/ü.csv", "plus+.csv"]
        for key in keys:
            with self.subTest(key=key):
                tool.put(self.variables, self.uri("n/" + key), key.encode())
                self.assertEqual(self.read("n/" + key), key.encode())
                self.assertEqual(tool.run(self.variables, "get", self.uri("n/" + key)), key.encode())
        self.assertEqual(set(tool.listing(self.variables, self.uri("n/"))),
                         {key for key in keys if "/" not in key} | {"x/"})

    def test_a_folder_is_listed_page_by_page(self):
        count = 1003  # a page has 1000 entries at most
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: self.write(f"many/{number:05}.csv", b"x"), range(count)))
        self.write("many/below/deep.csv", b"x")
        self.write("manyother.csv", b"x")
        entries = tool.listing(self.variables, self.uri("many/"))
        self.assertEqual(set(entries), {f"{number:05}.csv" for number in range(count)} | {"below/"})
        seen = self.boto3.head_object(Bucket=self.bucket, Key="many/00007.csv")
        self.assertEqual(entries["00007.csv"].bytes, 1)
        self.assertEqual(entries["00007.csv"].updated // 10**9, seen["LastModified"].timestamp())
        self.assertEqual(entries["00007.csv"].generation,
                         tool.stat(self.variables, self.uri("many/00007.csv")).generation)
        self.assertEqual(tool.listing(self.variables, self.uri("nothing/")), {})

    def test_a_generation_holds(self):
        first = tool.put(self.variables, self.uri("g"), b"one")
        self.assertEqual(tool.run(self.variables, "--generation", first.generation, "get", self.uri("g")), b"one")
        second = tool.put(self.variables, self.uri("g"), b"two")
        with self.assertRaises(tool.Refused) as refused:
            tool.run(self.variables, "--generation", first.generation, "get", self.uri("g"))
        self.assertEqual(refused.exception.kind, "Gone")
        with self.assertRaises(tool.Refused) as refused:
            tool.put(self.variables, self.uri("g"), b"three", "--generation", first.generation)
        self.assertEqual(refused.exception.kind, "Conflict")
        tool.put(self.variables, self.uri("g"), b"four", "--generation", second.generation)
        self.assertEqual(self.read("g"), b"four")

    def test_what_is_there_is_not_replaced(self):
        for size in (3, PART + 1):
            with self.subTest(size=size):
                key, data = f"absent/{size}", some_bytes(size)
                tool.put(self.variables, self.uri(key), data, "--absent")
                with self.assertRaises(tool.Refused) as refused:
                    tool.put(self.variables, self.uri(key), b"z" + data, "--absent")
                self.assertEqual(refused.exception.kind, "Exists")
                self.assertEqual(self.read(key), data)
        self.assertNotIn("Uploads", self.boto3.list_multipart_uploads(Bucket=self.bucket))

    def test_objects_become_one(self):
        """Parts of every size beside the 5 MiB that a part must have."""
        minimum = 5 << 20
        sizes = [10, minimum + 3, 0, minimum - 1, 7, minimum, 2 * PART + 1, 1, 1]
        data = [some_bytes(size, seed) for seed, size in enumerate(sizes)]
        parts = [self.uri(f"w.parts/{number}") for number in range(len(sizes))]
        for number, content in enumerate(data):
            self.write(f"w.parts/{number}", content)
        info = tool.compose(self.variables, self.uri("w.csv"), *parts)
        self.assertEqual(info.bytes, sum(sizes))
        self.assertEqual(self.read("w.csv"), b"".join(data))
        tool.compose(self.variables, self.uri("small.csv"), parts[0], parts[4], parts[2])
        self.assertEqual(self.read("small.csv"), data[0] + data[4])

    def test_removing(self):
        for key in ("r/a", "r/b/c", "r/b/d/e", "rest"):
            self.write(key, b"x")
        tool.run(self.variables, "delete", self.uri("r/a"))
        with self.assertRaises(tool.Refused) as refused:
            tool.run(self.variables, "delete", self.uri("r/a"))
        self.assertEqual(refused.exception.kind, "NotFound")
        tool.run(self.variables, "clear", self.uri("r/"))
        left = self.boto3.list_objects_v2(Bucket=self.bucket, Prefix="r")["Contents"]
        self.assertIn("rest", [entry["Key"] for entry in left])
        self.assertFalse([entry["Key"] for entry in left if entry["Key"].startswith("r/")])

    def test_errors_name_the_object_and_the_right(self):
        reader = self.server.variables(s3_server.READER)
        self.write("x.csv", b"x")
        cases = [(self.variables, "get", "nope.csv", "NotFound", "404"),
                 (reader, "put", "x.csv", "Denied", "AccessDenied: Access Denied. (the right needed is s3:PutObject)"),
                 (reader, "delete", "x.csv", "Denied", "(the right needed is s3:DeleteObject)"),
                 (dict(reader, AWS_SECRET_ACCESS_KEY="wrong"), "list", "", "Denied", "SignatureDoesNotMatch")]
        for variables, verb, key, kind, text in cases:
            with self.subTest(verb=verb, kind=kind):
                with self.assertRaises(tool.Refused) as refused:
                    tool.run(variables, verb, self.uri(key))
                self.assertEqual(refused.exception.kind, kind)
                self.assertIn(self.uri(key), str(refused.exception))
                self.assertIn(text, str(refused.exception))
                self.assertNotIn(s3_server.READER[1], str(refused.exception))

    def test_hosts_of_users_do_not_lead_here(self):
        with self.assertRaises(tool.Refused) as refused:
            tool.run(self.variables, "--public-hosts", "list", self.uri(""))
        self.assertEqual(refused.exception.kind, "Denied")
        self.assertIn("127.0.0.1", str(refused.exception))


class Faults(BucketCase):
    """A proxy in between: after every fault an object is whole or absent, never different."""
    scheme = "s3"
    start = staticmethod(s3_server.Server)

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = cls.start(folder.name)
        cls.addClassCleanup(cls.server.stop)
        cls.proxy = FaultProxy(int(cls.server.endpoint.rsplit(":", 1)[1]))
        cls.addClassCleanup(cls.proxy.close)
        cls.boto3 = cls.server.client()
        cls.server.make_bucket(cls.bucket)
        cls.environment = cls.server.variables(endpoint=f"http://127.0.0.1:{cls.proxy.port}")

    def tearDown(self):
        self.proxy.heal()

    def uploads(self):
        """Those that were begun and neither completed nor aborted."""
        return self.boto3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])

    def test_reading_goes_on_after_cuts_and_stalls(self):
        data = content(3 * MIB)
        self.put("read.bin", data)
        for kind in ("cut", "stall", "delay"):
            for after in (0, 5, 400, 100000, 2 * MIB, 3 * MIB - 1):
                with self.subTest(kind=kind, after=after):
                    harm = self.proxy.harm(kind, after=after, seconds=0.3, matches=b"GET /bank/read.bin")
                    self.assertEqual(digest(self.get("read.bin", "--stall", "500ms")), digest(data))
                    self.assertEqual(harm.done, 1)
        harm = self.proxy.harm("cut", after=300000, times=8, matches=b"GET /bank/read.bin")
        self.assertContent("read.bin", data)
        self.assertEqual(harm.done, 8)

    def test_damage_is_noticed(self):
        for name, size in (("small.bin", MIB), ("large.bin", 2 * PART + 5)):
            with self.subTest(name):
                self.put(name, content(size))
                self.proxy.harm("corrupt", after=500000, times=100, matches=f"GET /bank/{name}".encode())
                self.get(name, code=69)
                self.assertIn("damaged on its way", self.errors)
                self.proxy.heal()

    def test_busy_servers_are_asked_again(self):
        slow = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please wait</Message></Error>"
        for status, body in ((408, b""), (429, b""), (500, b""), (503, b""), (503, slow), (200, slow)):
            with self.subTest(status=status, body=body):
                harm = self.proxy.harm("answer", status=status, body=body, times=2, matches=b"PUT ")
                self.put("busy.csv", b"x" * status)
                self.assertContent("busy.csv", b"x" * status)
                self.assertEqual(harm.done, 2)

    def test_small_objects_are_whole_or_absent(self):
        data = content(100000)
        places = (("up", 0), ("up", 10), ("up", 300), ("up", 600), ("up", 50000), ("up", 100000),
                  ("down", 0), ("down", 10), ("down", 100))
        for kind, (side, after) in itertools.product(("cut", "corrupt", "delay"), places):
            with self.subTest(side=side, kind=kind, after=after):
                name = f"small-{side}-{kind}-{after}.bin"
                harm = self.proxy.harm(kind, side=side, after=after, seconds=0.2, matches=b"PUT /bank/")
                patience = "1s" if kind == "corrupt" else "20s"  # damage need not be waited out
                code, _ = self.probe("put", "--absent", "--patience", patience, self.uri(name), data=data)
                self.assertEqual(harm.done, 1)
                self.proxy.heal()
                self.assertWholeOrAbsent(name, data, None, code)
                if kind != "corrupt":
                    self.assertEqual(code, 0, self.errors)

    def test_large_objects_are_whole_or_absent(self):
        """Harm to the begin of an upload, to a part, and to its end; what was there before stays until then."""
        before, data = content(1000), content(PART + 1000, 1)
        questions = {"begin": b"uploads=", "part": b"partNumber=1", "end": b"POST /bank/large.bin?uploadId="}
        harms = (("cut", "up", 0), ("cut", "up", 500), ("cut", "down", 0), ("cut", "down", 30), ("stall", "up", 500),
                 ("stall", "down", 30), ("corrupt", "up", 500), ("corrupt", "down", 30))
        cases = [*itertools.product(questions.items(), harms),
                 *((("part", questions["part"]), (kind, "up", 3 * MIB)) for kind in ("cut", "stall", "corrupt"))]
        for (question, matches), (kind, side, after) in cases:
            with self.subTest(question=question, side=side, kind=kind, after=after):
                self.put("large.bin", before)
                harm = self.proxy.harm(kind, side=side, after=after, matches=matches)
                code, _ = self.probe("put", "--stall", "1s", self.uri("large.bin"), data=data)
                self.assertEqual(harm.done, 1)
                self.proxy.heal()
                self.assertWholeOrAbsent("large.bin", data, before, code)
                if kind != "corrupt":
                    self.assertEqual(code, 0, self.errors)

    def test_an_upload_that_fails_leaves_no_parts(self):
        self.proxy.harm("answer", status=403, times=1000, matches=b"partNumber=2")
        code, _ = self.probe("put", self.uri("denied.bin"), data=content(2 * PART))
        self.assertEqual(code, 77)
        self.get("denied.bin", code=66)
        self.assertEqual(self.uploads(), [])

    def test_a_server_that_is_gone_is_told_in_time(self):
        self.proxy.harm("answer", status=503, times=1000)
        code, _ = self.probe("stat", "--patience", "2s", self.uri("x.csv"))
        self.assertEqual(code, 69)
        self.assertRegex(self.errors, r"s3://bank/x.csv: 503 Service Unavailable \(\d+ attempts in")


if __name__ == "__main__":
    unittest.main()
