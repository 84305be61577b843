"""Goal: versions are compared fairly with the one in use, and the right ones of the old are deleted.

Method: the real program trains a few versions of small generated files; its results, and which folders
and run records are left.
"""
import gzip
import json
import os
import unittest
from pathlib import Path

from trainer_case import HEADER, QUICK, RUN_KEY, TrainerTest, history


class Champions(TrainerTest):
    """The version in use and the new one on the same held-out customers."""

    def train(self, **changes):
        return super().train(**{"parameters": QUICK, **changes})

    def champion(self, lines=None):
        self.write(lines or history(rows=2000))
        result, version = self.train(algorithm="LogisticRegression", parameters={"l2": "1"})
        return {"version": result["model"]["version"], "uri": result["model"]["uri"]}, version

    def skipped(self, champion, why, **changes):
        result, version = self.train(champion=champion, **changes)
        self.assertEqual(result["outcome"], "Trained")
        self.assertRegex(result["warnings"][0], "^ComparisonSkipped: .*" + why)
        self.assertNotIn("champion", result["comparison"])
        self.assertIn("challenger", result["comparison"])
        return version

    def test_first_version_stands_alone(self):
        self.write(history(rows=1000))
        result, version = self.train()
        self.assertEqual(result["comparison"]["metric"], "auc")
        self.assertEqual(result["comparison"]["challenger"], result["metrics"][0]["value"])
        self.assertNotIn("champion", result["comparison"])
        held_out = json.loads((version / "metrics.json").read_text())["data"]["heldOut"]
        self.assertEqual(result["comparison"]["rows"], held_out)

    def test_both_are_measured_on_the_same_rows(self):
        champion, version = self.champion(history(rows=6000))  # more than are scored at once
        before = json.loads((version / "metrics.json").read_text())["metrics"]
        result, _ = self.train(champion=champion, promotion={"metric": "emp"})
        comparison = result["comparison"]
        self.assertEqual(comparison["metric"], "emp")
        self.assertEqual(result["metrics"][0], {"name": "emp", "value": comparison["challenger"]})
        # The same file: the champion gets exactly what it got when it was trained.
        self.assertAlmostEqual(float(comparison["champion"]), before["emp"], delta=6e-5)
        self.assertNotEqual(comparison["challenger"], comparison["champion"])
        figures = json.loads((Path(result["model"]["uri"].removeprefix("file://")) /
                              "metrics.json").read_text())["comparison"]
        for name in ["auc", "log_loss", "f1", "threshold"]:
            self.assertAlmostEqual(figures["championMetrics"][name], before[name], 6)
            self.assertAlmostEqual(
                figures["challengerMetrics"][name],
                next(float(item["value"]) for item in result["metrics"] if item["name"] == name), 4)

    def test_champion_reads_columns_that_were_dropped_since(self):
        lines = [line.replace(",,", f",{number},") for number, line in enumerate(history(rows=2000))]
        champion, version = self.champion(lines)
        before = json.loads((version / "metrics.json").read_text())["metrics"]["auc"]
        result, _ = self.train(champion=champion, data={"drop": ["age"]})
        # Without ages a few more held-out rows are copies, which are not measured.
        self.assertAlmostEqual(float(result["comparison"]["champion"]), before, delta=0.01)
        self.assertLess(float(result["comparison"]["challenger"]), before - 0.1)

    def test_held_out_customers_stay_held_out_in_later_files(self):
        champion, version = self.champion()
        rows = json.loads((version / "metrics.json").read_text())["data"]["heldOut"]
        self.write([HEADER] + history(rows=4000)[:0:-1])  # twice the customers, the last first
        result, _ = self.train(champion=champion)
        self.assertGreater(result["comparison"]["rows"], rows)
        self.assertTrue(0.5 < float(result["comparison"]["champion"]) < 1)

    def test_compressed_and_quoted_history(self):
        champion, version = self.champion()
        before = json.loads((version / "metrics.json").read_text())["metrics"]["auc"]
        lines = self.data.read_text().splitlines()
        lines[0] += ",note"
        lines[1:] = [f'{line},"two\nlines"' if number % 3 else f"{line},one"
                     for number, line in enumerate(lines[1:])]
        self.write(lines)
        packed = self.folder / "packed.csv.gz"
        packed.write_bytes(gzip.compress(self.data.read_bytes()))
        result, _ = self.train(champion=champion, data={"uri": f"file://{packed}"})
        self.assertAlmostEqual(float(result["comparison"]["champion"]), before, delta=0.005)

    def test_reused_run_is_compared_with_the_champion_of_its_document(self):
        champion, _ = self.champion()
        first, _ = self.train(champion=champion, runKey=RUN_KEY)
        alone, _ = self.train(runKey=RUN_KEY)
        self.assertEqual(alone["outcome"], "Reused")
        self.assertNotIn("champion", alone["comparison"])
        again, _ = self.train(champion=champion, runKey=RUN_KEY)
        self.assertEqual(again["outcome"], "Reused")
        self.assertEqual(again["comparison"], first["comparison"])
        itself = {"version": first["model"]["version"], "uri": first["model"]["uri"]}
        same, _ = self.train(champion=itself, runKey=RUN_KEY)
        self.assertNotIn("comparison", same)
        self.assertEqual(same["metrics"], first["metrics"])

    def test_comparison_is_skipped_when_it_would_not_be_fair(self):
        champion, version = self.champion()
        self.skipped(champion, "seed 42 and holdout 0.2, not 7 and 0.2", seed=7)
        self.skipped(champion, "holdout 0.2, not 42 and 0.3", validation={"holdout": "0.3"})
        lines = history(rows=1000)
        self.write([HEADER] + [line[:-1] + ("gone" if line[-1] == "1" else "here")
                               for line in lines[1:]])
        self.skipped(champion, "positiveLabel 1, not gone", data={"positiveLabel": "gone"})

    def test_champion_that_cannot_read_the_file(self):
        champion, version = self.champion()
        lines = history(rows=2000)
        self.write([line.replace(",", ",x", 1) if number else line
                    for number, line in enumerate(lines)])
        self.skipped(champion, r"cannot read \d+ of \d+ held-out rows of history.csv; the first: line "
                     r"\d+, age: \"x\d+\" is not a number")
        self.write([line.replace("income", "salary") for line in lines])
        self.skipped(champion, "has no column income")

    def test_champion_that_is_gone_or_damaged(self):
        champion, version = self.champion()
        trees = bytearray((version / "evaluation" / "weights.json").read_bytes())
        trees[len(trees) // 2] ^= 1
        (version / "evaluation" / "weights.json").write_bytes(trees)
        self.skipped(champion, "does not match it")
        (version / "metrics.json").unlink()
        self.skipped(champion, "metrics.json")
        self.skipped({**champion, "uri": f"file://{self.folder}/elsewhere/"}, "elsewhere")

    def test_generation_of_the_file(self):
        self.write(history())
        status = self.data.stat()
        generation = (f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns // 10**9}."
                      f"{status.st_mtime_ns % 10**9:09d}")
        result, _ = self.train(data={"generation": generation})
        self.assertEqual(result["outcome"], "Trained")
        self.write(history(rows=301))
        job = self.job(data={"generation": generation}, models="other")
        result = self.run_program("--job", job, expect=66)
        self.assertEqual(result["reason"], "InputChanged")
        self.assertFalse((self.folder / "other").exists())
        (self.folder / "in").mkdir()
        (self.folder / "out").mkdir()
        job.rename(self.folder / "in" / "job.json")
        result = self.run_program("ingest", "--in", self.folder / "in", "--out", self.folder / "out",
                                  expect=66)
        self.assertEqual(result["reason"], "InputChanged")


class Retention(TrainerTest):
    """Old versions go; the champion, those that are named, and the new one stay."""

    def versions(self):
        folder = self.models / "bank.retail"
        return {path.parent.name for path in folder.glob("*/model.json")}

    def records(self):
        return {path.stem for path in (self.models / "bank.retail" / "runs").iterdir()}

    def train_seed(self, seed, **changes):
        """The seed decides the version."""
        result, version = self.train(seed=seed, runKey=f"{seed:032x}",
                                     parameters=QUICK, **changes)
        return result, version

    def old(self, count):
        """Versions of the past: of seed n it was trained on day n."""
        self.write(history())
        names = []
        for seed in range(1, count + 1):
            _, version = self.train_seed(seed, keep=100)
            path = version / "metrics.json"
            path.write_text(path.read_text().replace(
                json.loads(path.read_text())["trainedAt"], f"2020-01-{seed:02}T00:00:00Z"))
            names.append(version.name)
        return names

    def test_the_oldest_go(self):
        names = self.old(4)
        _, version = self.train_seed(9, keep=2)
        self.assertEqual(self.versions(), {names[2], names[3], version.name})
        self.assertEqual(self.records(), {f"{seed:032x}" for seed in (3, 4, 9)})
        self.assertFalse((version.parent / names[0]).exists())

    def test_the_champion_and_named_ones_stay(self):
        names = self.old(4)
        champion = {"version": names[0], "uri": f"file://{self.models}/bank.retail/{names[0]}/"}
        _, version = self.train_seed(9, keep=1, champion=champion, keepVersions=[names[1]])
        self.assertEqual(self.versions(), {names[0], names[1], names[3], version.name})
        # Found again: the same versions stay, whatever is asked to be kept beside them.
        again, _ = self.train_seed(9, keep=1)
        self.assertEqual(again["outcome"], "Reused")
        self.assertEqual(self.versions(), {names[3], version.name})

    def test_what_an_interruption_leaves_is_finished(self):
        names = self.old(3)
        folder = self.models / "bank.retail"
        for name in names[:2]:  # deletions that ended after model.json, one of them just now
            (folder / name / "model.json").unlink()
        for path in [*(folder / names[0]).rglob("*"), folder / names[0]]:
            os.utime(path, (1, 1))
        (folder / "not-a-version").mkdir()
        self.train_seed(9)
        self.assertEqual({path.name for path in folder.iterdir()} - self.versions(),
                         {names[1], "not-a-version", "runs"})
        self.assertEqual(self.records(), {f"{seed:032x}" for seed in (3, 9)})

    def test_a_version_in_the_making_is_left_alone(self):
        """Only its evaluation model is there yet, or nothing but an unfinished file."""
        self.write(history())
        begun = self.models / "bank.retail" / ("a" * 16)
        (begun / "evaluation").mkdir(parents=True)
        (begun / "evaluation" / ".churn-part.booster.ubj.0").write_text("x")
        self.train_seed(1, keep=1)
        self.assertTrue((begun / "evaluation" / ".churn-part.booster.ubj.0").exists())
        (begun / "evaluation" / "booster.ubj").write_text("x")
        self.train_seed(2, keep=1)
        self.assertTrue((begun / "evaluation" / "booster.ubj").exists())

    def test_failing_to_delete_is_a_warning(self):
        names = self.old(2)
        deep = self.models / "bank.retail" / names[0]
        (deep / "a/b/c/d/e/f/g/h").mkdir(parents=True)
        result, version = self.train_seed(9, keep=1)
        self.assertEqual(result["outcome"], "Trained")
        self.assertIn("an old version could not be deleted", " ".join(result["warnings"]))
        self.assertEqual(self.versions(), {names[1], version.name})  # model.json goes first


if __name__ == "__main__":
    unittest.main()
