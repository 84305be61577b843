"""Goal: on a network in trouble an object is whole or absent, never different, and what was there before stays until then.

Method: our probe by way of toxiproxy, which slows, slices, cuts and silences every connection as long as its toxic
is there, to each kind of store. Nothing depends on how long it takes."""
import itertools
import subprocess
import tempfile
import unittest

import gs_server
import s3_server
from bucket_case import MIB, PROBE, BucketCase, content, digest
from toxiproxy import Toxiproxy

ONE_REQUEST, IN_PIECES = 3 * MIB, 8 * MIB + 100_000  # more than S3_PART_BYTES and GS_PIECE_BYTES
GENTLE = (("latency", {"latency": 20, "jitter": 10}), ("bandwidth", {"rate": 20000}),
          ("slicer", {"average_size": 5000, "size_variation": 2500, "delay": 1}), ("slow_close", {"delay": 50}))
DEADLY = (("reset_peer", {"timeout": 0}), ("timeout", {"timeout": 50}), ("timeout", {"timeout": 0}),
          ("limit_data", {"bytes": 10}))  # nothing gets through
STREAMS = ("upstream", "downstream")
HURRY = ("--patience", "400ms", "--stall", "200ms")


class Toxics:
    """Of one kind of store: start_server() leads `toxiproxy` to it and makes the bucket."""
    sizes = (ONE_REQUEST, IN_PIECES)

    @classmethod
    def setUpClass(cls):
        cls.toxiproxy = Toxiproxy()
        cls.addClassCleanup(cls.toxiproxy.close)
        cls.start_server()

    def test_slow_networks_change_nothing(self):
        for (kind, attributes), stream, size in itertools.product(GENTLE, STREAMS, self.sizes):
            with self.subTest(kind=kind, stream=stream, size=size):
                data = content(size, kind)
                with self.toxiproxy.toxic(kind, stream, **attributes):
                    self.put("slow.bin", data)
                    self.assertContent("slow.bin", data)

    def test_reading_goes_on_where_connections_end(self):
        data = content(ONE_REQUEST)
        self.put("read.bin", data)
        for limit in (400_000, MIB, 3 * MIB - 1):
            with self.subTest(limit=limit), self.toxiproxy.toxic("limit_data", "downstream", bytes=limit):
                self.assertEqual(digest(self.get("read.bin")), digest(data))

    def test_what_fails_to_be_written_is_whole_or_absent(self):
        for (kind, attributes), stream, size in itertools.product(DEADLY, STREAMS, self.sizes):
            with self.subTest(kind=kind, attributes=attributes, stream=stream, size=size):
                name, data = f"{kind}-{stream}-{size}.bin", content(size, kind)
                with self.toxiproxy.toxic(kind, stream, **attributes):
                    code, _ = self.probe("put", *HURRY, self.uri(name), data=data)
                    self.probe("get", *HURRY, self.uri(name), check=69)
                self.assertEqual(code, 69, self.errors)
                self.assertWholeOrAbsent(name, data, None, code)

    def test_what_was_there_stays_until_it_is_replaced(self):
        before = content(1000)
        for stream, limit, size in itertools.product(STREAMS, (0, 150, 700, MIB), self.sizes):
            with self.subTest(stream=stream, limit=limit, size=size):
                self.put("old.bin", before)
                data = content(size, limit)
                with self.toxiproxy.toxic("limit_data", stream, bytes=limit):
                    code, _ = self.probe("put", *HURRY, self.uri("old.bin"), data=data)
                self.assertWholeOrAbsent("old.bin", data, before, code)

    def test_trouble_that_ends_is_waited_out(self):
        for kind, attributes in DEADLY:
            with self.subTest(kind=kind, attributes=attributes):
                data = content(self.sizes[-1], str(attributes))
                with self.toxiproxy.toxic(kind, "upstream", **attributes), self.begin_put("waited.bin", data) as process:
                    self.assertIn("http", process.stderr.readline().decode())  # it told of its first failure
                    self.toxiproxy.heal()
                    self.assertEqual(process.wait(60), 0, process.stderr.read())
                    process.stderr.close()
                self.assertContent("waited.bin", data)

    def begin_put(self, name, data):
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            return subprocess.Popen([PROBE, "put", "--stall", "300ms", self.uri(name)], stdin=file,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment)


class Gs(Toxics, BucketCase):
    sizes = (ONE_REQUEST,)  # of larger ones the server takes a part for the whole
    start_gcs = staticmethod(gs_server.start_gcs)

    @classmethod
    def start_server(cls):
        server = cls.start_gcs(cls.toxiproxy.proxy_port)
        cls.addClassCleanup(server.close)
        cls.toxiproxy.lead_to(server.port)
        gs_server.make_gcs_bucket(server.port, cls.bucket)
        cls.environment = {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{cls.toxiproxy.proxy_port}"}


class GsInPieces(Gs):
    sizes = (IN_PIECES,)

    @staticmethod
    def start_gcs(_port):
        return gs_server.start_gcs_emulator()


class S3(Toxics, BucketCase):
    scheme = "s3"

    @classmethod
    def start_server(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        server = s3_server.Server(folder.name)
        cls.addClassCleanup(server.stop)
        cls.toxiproxy.lead_to(int(server.endpoint.rsplit(":", 1)[1]))
        server.make_bucket(cls.bucket)
        cls.environment = server.variables(endpoint=f"http://127.0.0.1:{cls.toxiproxy.proxy_port}")


if __name__ == "__main__":
    unittest.main()
