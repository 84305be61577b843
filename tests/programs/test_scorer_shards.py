"""Goal: a sharded run publishes what the unsharded one does, byte by byte, whatever becomes of its pods.

Method: the shards of a small weekly file one after the other, at once, damaged, and again after each
point at which a run can end.
"""
import gzip
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from scorer_case import BIN, ScorerTest, weekly


class Shards(ScorerTest):
    """A sharded run publishes what the unsharded one does, byte by byte."""

    def whole(self):
        """What one run over the whole file says and publishes; then it is put away."""
        code, result = self.score(self.job())
        files = self.published()
        shutil.rmtree(self.out, ignore_errors=True)
        return code, result, files

    def published(self):
        return {path.name: path.read_bytes() for path in self.out.glob("*") if path.is_file()}

    def shard(self, count, index, **changes):
        return self.score(self.job(shard={"count": count}, **changes), "--shard-index", str(index))

    def shards(self, count, **changes):
        for index in range(count):
            code, result = self.shard(count, index, **changes)
            self.assertEqual((code, result["outcome"]), (0, "Part"), result)
            self.assertEqual(result["shard"], {"index": index})
        return self.parts()

    def parts(self):
        """The one folder of parts."""
        (folder,) = (self.out / "week-07.csv.parts").iterdir()
        return folder

    def compose(self, count, parts, **changes):
        return self.score(self.job(kind="Compose", shard={"count": count},
                                   parts=f"file://{parts}/", **changes))

    def sharded(self, count, **changes):
        return self.compose(count, self.shards(count, **changes), **changes)

    def assert_same(self, whole, sharded):
        """Exit code, result (apart from steps) and files."""
        code, result, files = whole
        found_code, found = sharded
        for each in (result, found):
            each.pop("steps", None)
        self.assertEqual((found_code, found), (code, result))
        self.assertEqual(self.published(), files)
        if code == 0:
            self.assertFalse((self.out / "week-07.csv.parts").exists())

    def test_many_rows_and_threads(self):
        lines = weekly(5000)
        self.write([line.replace("Rome", '"Ro\nme"') for line in lines])
        whole = self.whole()
        self.assert_same(whole, self.sharded(3))

    def test_more_shards_than_rows(self):
        self.write(weekly(3))
        whole = self.whole()
        self.assert_same(whole, self.sharded(20))

    def test_packed_files_are_the_last_shards(self):
        self.input = self.folder / "weekly.csv.gz"
        self.input.write_bytes(gzip.compress("\n".join(weekly(300)).encode()))
        whole = self.whole()
        for index, rows in [(0, 0), (1, 0), (2, 300)]:
            self.assertEqual(self.shard(3, index)[1]["rows"]["read"], rows)
        self.assert_same(whole, self.compose(3, self.parts()))

    def test_rejects_have_the_lines_of_the_whole_file(self):
        lines = weekly(200)
        for number in (3, 90, 91, 197):
            lines[number] = f'"a\nb{number}",old,Rome,1,yes'
        self.write(lines)
        job = {"maxRejected": "0.05"}
        whole = self.score(self.job(**job)) + (self.published(),)
        self.assertEqual(whole[1]["rows"]["rejected"], 4)
        shutil.rmtree(self.out)
        self.assert_same(whole, self.sharded(4, **job))

    def test_what_only_the_whole_file_shows(self):
        lines = weekly(300)
        double = lines.copy()
        double[290] = double[5]
        bad = lines.copy()
        bad[1:8] = ["c,1,Rome"] * 7
        moved = lines[:1] + [line.replace("Rome", "Oslo") for line in lines[1:]]
        cases = {
            "an id twice": (double, {}, "DataInvalid", "line 291, id: the id is there already, in "
                            "line 6"),
            "too many bad rows": (bad, {}, "DataInvalid", "7 of 300 rows are bad"),
            "drift": (moved, {"drift": {"fail": "0.2"}}, "DriftExceeded", "column city"),
            "no rows": (lines[:1], {}, "DataInvalid", "has a header but no rows"),
        }
        for name, (rows, changes, reason, message) in cases.items():
            with self.subTest(name):
                shutil.rmtree(self.out, ignore_errors=True)
                self.write(rows)
                whole = self.score(self.job(**changes)) + (self.published(),)
                self.assertEqual((whole[0], whole[1]["reason"]), (65, reason))
                self.assertIn(message, whole[1]["message"])
                shutil.rmtree(self.out, ignore_errors=True)
                self.assert_same(whole, self.sharded(3, **changes))

    def test_what_is_wrong_in_one_place_is_said_by_its_shard(self):
        self.write(weekly(200) + ['"c900,1,Rome,1,yes'])
        code, result = self.shard(3, 2)
        self.assertEqual((code, result["reason"]), (65, "DataInvalid"))
        self.assertIn("line 202: a quote is opened here and never closed", result["message"])
        self.assertEqual(self.shard(3, 0)[0], 0)

    def test_a_part_that_is_there_is_kept(self):
        self.write(weekly(100))
        parts = self.shards(2)
        before = {path: path.read_bytes() for path in parts.iterdir()}
        code, result = self.shard(2, 1)
        self.assertEqual((code, result["outcome"]), (0, "Part"))
        self.assertEqual({path: path.read_bytes() for path in parts.iterdir()}, before)
        self.assertNotIn("Score", self.stderr)

    def test_a_damaged_part_is_made_again(self):
        self.write(weekly(100))
        whole = self.whole()
        parts = self.shards(2)
        for damage in ["part-00001.json", "part-00001-*.csv", "part-00001-*.ids"]:
            for change in [lambda data: data[:-1] + b"?", lambda data: data[:5], None]:
                with self.subTest(damage):
                    (path,) = [path for path in parts.glob(damage) if self.is_current(path)]
                    path.write_bytes(change(path.read_bytes())) if change else path.unlink()
                    code, result = self.shard(2, 1)
                    self.assertEqual((code, result["outcome"]), (0, "Part"), result)
        self.assert_same(whole, self.compose(2, parts))

    @staticmethod
    def is_current(path):
        """Is the object one that the document names?"""
        document = path.parent / f"{path.name[:10]}.json"
        return path == document or path.name in document.read_text()

    def test_compose_refuses_what_is_not_whole(self):
        self.write(weekly(100))
        for damage, code, message in [("part-00000.json", 66, "part-00000.json"),
                                      ("part-00000-*.csv", 65, "was damaged"),
                                      ("part-00000-*.ids", 65, "was damaged")]:
            with self.subTest(damage):
                shutil.rmtree(self.out, ignore_errors=True)
                parts = self.shards(2)
                (path,) = parts.glob(damage)
                if path.suffix == ".json":
                    path.unlink()
                else:
                    path.write_bytes(path.read_bytes()[:-1] + b"?")
                found, result = self.compose(2, parts)
                self.assertEqual(found, code, result)
                self.assertIn(message, result["message"])
                self.assertEqual(self.published(), {})

    def test_parts_of_another_run_are_not_taken(self):
        self.write(weekly(100))
        parts = self.shards(2)
        self.shard(2, 0, specHash="f" * 32)
        self.assertEqual(len(list(parts.parent.iterdir())), 2)

    def test_parts_of_another_upload_of_the_file_are_not_taken(self):
        self.write(weekly(100))
        parts = self.shards(2)
        self.write(weekly(90))
        code, result = self.shard(2, 0)
        self.assertEqual((code, result["outcome"]), (0, "Part"))
        self.assertIn("Score", self.stderr)  # the part that was there is not kept
        code, result = self.compose(2, parts)
        self.assertEqual((code, result["reason"]), (65, "DataInvalid"))
        self.assertIn("is of another run", result["message"])
        self.assertEqual(self.published(), {})

    def test_two_pods_of_one_index(self):
        self.write(weekly(1000))
        whole = self.whole()
        runs = []
        for number in range(3):
            job, result = self.folder / f"job-{number}.json", self.folder / f"result-{number}.json"
            self.job(shard={"count": 2}).rename(job)
            runs.append(subprocess.Popen([BIN / "churn-scorer", "--job", job, "--result", result,
                                          "--shard-index", "1"], stderr=subprocess.DEVNULL))
        self.assertEqual([run.wait(120) for run in runs], [0, 0, 0])
        self.shard(2, 0)
        parts = self.parts()
        self.assertEqual(len(list(parts.glob("part-00001*"))), 3)  # losers leave nothing
        self.assert_same(whole, self.compose(2, parts))

    def test_the_index_comes_from_the_job(self):
        self.write(weekly(10))
        job = self.job(shard={"count": 2})
        environment = {**os.environ, "JOB_COMPLETION_INDEX": "1"}
        path = self.folder / "result.json"
        subprocess.run([BIN / "churn-scorer", "--job", job, "--result", path], env=environment,
                       stderr=subprocess.DEVNULL, check=True)
        self.assertEqual(json.loads(path.read_text())["shard"], {"index": 1})
        for arguments in [[], ["--shard-index", "2"]]:
            code, result = self.score(job, *arguments)
            self.assertEqual((code, result["reason"]), (64, "UsageError"))
            self.assertIn("must be from 0 to 1", result["message"])

    def test_composing_is_idempotent(self):
        """A crash between any two things that Compose does, and a run after its end."""
        self.write(weekly(100))
        whole = self.whole()
        parts = self.shards(2)
        backup = self.folder / "backup"
        shutil.copytree(self.out, backup)
        self.assert_same(whole, self.compose(2, parts))
        for lost in [["week-07.csv"], ["week-07.csv.manifest.json", "week-07.csv"]]:
            shutil.copytree(backup, self.out, dirs_exist_ok=True)
            for name in lost:
                (self.out / name).unlink()
            self.assert_same(whole, self.compose(2, parts))
        shutil.copytree(backup, self.out, dirs_exist_ok=True)  # crashed before removing parts
        (parts / "part-00000.json").unlink()                   # or while it did
        self.input.unlink()
        for _ in range(2):
            code, result = self.compose(2, parts)
            self.assertEqual((code, result["outcome"]), (0, "Reused"))
            self.assertEqual(self.published(), whole[2])
            self.assertFalse(parts.parent.exists())
        code, result = self.shard(2, 1)  # a pod of a node that was cut off
        self.assertEqual((code, result["outcome"]), (0, "Reused"))
        self.assertFalse(parts.parent.exists())

    def test_discard(self):
        self.write(weekly(100))
        parts = self.shards(2)
        code, result = self.compose(2, parts, discard=True)
        self.assertEqual((code, result["outcome"]), (0, "Discarded"))
        self.assertEqual(list(self.out.iterdir()), [])
        self.assertEqual(self.compose(2, parts, discard=True)[0], 0)  # again: nothing to do

    def test_discard_removes_nothing_else(self):
        self.write(weekly(10))
        parts = self.shards(2)
        other = parts.parent / ("0" * 32)
        other.mkdir()
        kept = other / "part-00000.json"
        kept.write_text("{}")
        for folder in [self.folder, self.out, parts.parent, f"{parts}/x"]:
            code, result = self.compose(2, folder, discard=True)
            self.assertEqual((code, result["reason"]), (64, "UsageError"), folder)
            self.assertIn("parts: must be a folder", result["message"])
        self.assertTrue(parts.exists())
        self.assertEqual(self.compose(2, parts, discard=True)[0], 0)
        self.assertTrue(kept.exists())
        self.assertFalse(parts.exists())

    def test_somebody_elses_output(self):
        self.write(weekly(10))
        self.out.mkdir()
        self.output.write_text("theirs")
        for run in [lambda: self.shard(2, 0), lambda: self.compose(2, f"{self.output}.parts/{'0' * 32}")]:
            code, result = run()
            self.assertEqual((code, result["reason"]), (73, "OutputExists"), result)
        self.assertEqual(self.published(), {"week-07.csv": b"theirs"})

    def test_terminated(self):
        self.write(weekly(200000))
        job = self.job(shard={"count": 2})
        program = subprocess.Popen([BIN / "churn-scorer", "--job", job, "--shard-index", "1",
                                    "--result", self.folder / "result.json"],
                                   stderr=subprocess.DEVNULL)
        while not list(self.out.glob("*/*/.churn-part.*")):
            time.sleep(0.01)
        program.send_signal(signal.SIGTERM)
        self.assertEqual(program.wait(timeout=60), 143)
        self.assertEqual(list(self.parts().iterdir()), [])


if __name__ == "__main__":
    unittest.main()
