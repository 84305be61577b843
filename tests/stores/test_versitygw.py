"""s3:// against a second server, which is strict where the first is not: it compares every hash with its bytes."""
import json
import pathlib
import unittest

import test_s3
import tool
import versitygw


class S3(test_s3.S3):
    start = staticmethod(versitygw.Server)

    def test_a_hundred_thousand_objects_are_listed(self):
        """Put there as files, which this server takes for objects."""
        folder = pathlib.Path(self.folder.name) / "objects" / self.bucket / "huge"
        folder.mkdir()
        names = [f"week-{number:06}.csv" for number in range(100_000)]
        for name in names:
            (folder / name).write_bytes(b"x")
        lines = tool.run(self.variables, "list", self.uri("huge/"), timeout=600)
        self.assertEqual(json.loads(lines), names)


class Faults(test_s3.Faults):
    start = staticmethod(versitygw.Server)


if __name__ == "__main__":
    unittest.main()
