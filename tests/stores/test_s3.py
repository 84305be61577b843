"""s3:// against SeaweedFS: what is written by us is what boto3 reads, and the other way round."""
import concurrent.futures
import random
import tempfile
import unittest

import s3_server
import tool

PART = 8 << 20  # S3_PART_BYTES of lib/store/store_s3.h


def some_bytes(count, seed=1):
    return random.Random(seed).randbytes(count)


class S3(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = s3_server.Server(cls.folder.name)
        cls.addClassCleanup(cls.server.stop)
        cls.boto3 = cls.server.client()
        cls.variables = cls.server.variables()
        cls.bucket = "bank"
        cls.boto3.create_bucket(Bucket=cls.bucket)

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


if __name__ == "__main__":
    unittest.main()
