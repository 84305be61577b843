"""Goal: churn-scorer writes where it was told and nowhere else, and each output once.

Method: runs whose places are missing, taken or written by several runs at once, and runs that find
what an earlier one left; exit code, message and every published byte are looked at.
"""
import hashlib
import json
import shutil
import signal
import subprocess
import time
import unittest

from scorer_case import BIN, ScorerTest, weekly


class Places(ScorerTest):
    def test_columns_are_carried_once(self):
        self.write(weekly(3))
        self.score(self.job(output={"columns": ["city", "id", "city"]}))
        header = self.output.read_text().splitlines()[0]
        self.assertTrue(header.startswith("id,city,churn_probability,"), header)

    def test_carried_columns_do_not_hide_our_own(self):
        self.write([line + (",x" if number else ",reason_1")
                    for number, line in enumerate(weekly(3))])
        self.assert_refused(65, "DataInvalid", "output.columns: reason_1 is a name of the output's",
                            self.job(output={"columns": ["reason_1"]}))

    def test_the_input_is_never_written(self):
        self.write(weekly(3))
        before = self.input.read_bytes()
        for uri in [f"file://{self.input}", f"file://{self.folder}/w"]:
            with self.subTest(uri):
                if uri.endswith("/w"):  # the place of its rejects
                    self.input = self.folder / "w.rejects.csv"
                    self.input.write_bytes(before)
                code, result = self.score(self.job(output={"uri": uri, "overwrite": True}))
                self.assertEqual((code, result["reason"]), (73, "OutputExists"), result)
                self.assertIn(f"{self.input} is the input itself", result["message"])
                self.assertEqual(self.input.read_bytes(), before)

    def test_missing_things(self):
        self.write(weekly(5))
        gone = f"file://{self.folder}/gone"
        self.assert_refused(66, "InputNotFound", "gone.csv", self.job(input={"uri": gone + ".csv"}))
        self.assert_refused(66, "InputNotFound", "gone/", self.job(input={"uri": gone + "/"}))
        self.assert_refused(66, "InputNotFound", "gone/model.json",
                            self.job(model={"uri": gone + "/"}))
        self.assert_refused(64, "UsageError", "kind", self.job(kind="Train"))
        self.assert_refused(64, "UsageError", "shards", self.job(shards=2))

    def test_input_of_another_generation(self):
        self.write(weekly(5))
        _, result = self.score(self.job())
        generation = result["input"]["generation"]
        shutil.rmtree(self.out, ignore_errors=True)
        code, _ = self.score(self.job(input={"generation": generation}))
        self.assertEqual(code, 0)
        shutil.rmtree(self.out, ignore_errors=True)
        self.write(weekly(6))
        self.assert_refused(66, "InputChanged", "weekly.csv",
                            self.job(input={"generation": generation}))

    def test_model_that_is_not_what_it_says(self):
        self.write(weekly(5))
        self.assert_refused(65, "DataInvalid", "expected version 0000000000000000",
                            self.job(model={"version": "0000000000000000"}))
        copy = self.folder / "model"
        shutil.copytree(self.model["uri"].removeprefix("file://"), copy)
        model = json.loads((copy / "model.json").read_text())
        model["threshold"] = 0.123
        (copy / "model.json").write_text(json.dumps(model))
        self.assert_refused(65, "DataInvalid", "version",
                            self.job(model={"uri": f"file://{copy}/"}))

    def test_output_that_cannot_be_written(self):
        self.write(weekly(5))
        blocked = self.folder / "blocked"
        blocked.write_text("a file, not a folder")
        code, result = self.score(self.job(output={"uri": f"file://{blocked}/x.csv"}))
        self.assertEqual((code, result["reason"]), (73, "OutputFailed"), result)

    def test_terminated(self):
        self.write(weekly(200000))
        job = self.job(reasons=3)
        program = subprocess.Popen([BIN / "churn-scorer", "--job", job, "--result",
                                    self.folder / "result.json"], stderr=subprocess.DEVNULL)
        while not list(self.out.glob(".churn-part.*")):
            time.sleep(0.01)
        program.send_signal(signal.SIGTERM)
        self.assertEqual(program.wait(timeout=60), 143)
        self.assertEqual(list(self.out.iterdir()), [])
        self.assertEqual(json.loads((self.folder / "result.json").read_text())["reason"],
                         "Terminated")


class Idempotence(ScorerTest):
    def setUp(self):
        super().setUp()
        self.write(weekly(100))
        self.code, self.first = self.score(self.job())

    def state(self):
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns)
                for path in self.out.iterdir()}

    def test_the_same_batch_is_reused(self):
        before = self.state()
        self.input.unlink()  # it is not even opened
        code, result = self.score(self.job(model={"uri": f"file://{self.folder}/newer/"}))
        self.assertEqual((code, result["outcome"]), (0, "Reused"))
        for part in ["input", "output", "model", "rows", "scores"]:
            self.assertEqual(result[part], self.first[part])
        self.assertEqual(self.state(), before)

    def at_once(self, batches):
        """Exit codes and results of scorers that run side by side for one output."""
        runs = []
        for number, batch in enumerate(batches):
            job, result = self.folder / f"job-{number}.json", self.folder / f"result-{number}.json"
            self.job(output={"uri": f"file://{self.output}"}, batch=batch).rename(job)
            runs.append((result, subprocess.Popen(
                [BIN / "churn-scorer", "--job", job, "--result", result],
                stderr=subprocess.DEVNULL)))
        codes = [run.wait(120) for _, run in runs]
        manifest = json.loads(self.manifest.read_text())
        self.assertEqual(hashlib.sha256(self.output.read_bytes()).hexdigest(),
                         manifest["output"]["sha256"])
        return codes, [json.loads(result.read_text()) for result, _ in runs]

    def test_two_pods_of_one_batch(self):
        self.write(weekly(3000))
        codes, _ = self.at_once(["bank/week-07"] * 3)
        self.assertIn(0, codes)
        self.assertLessEqual(set(codes), {0, 75})  # never final: 73 would fail the batch
        code, result = self.score(self.job(output={"uri": f"file://{self.output}"}))
        self.assertEqual((code, result["outcome"]), (0, "Reused"))

    def test_two_batches_at_once(self):
        self.write(weekly(3000))
        codes, results = self.at_once(["bank/week-07", "bank/week-08", "bank/week-09"])
        self.assertEqual(sorted(codes), [0, 73, 73])
        self.assertEqual(sorted(result.get("reason", "") for result in results),
                         ["", "OutputExists", "OutputExists"])

    def test_somebody_elses_output_is_left_alone(self):
        before = self.state()
        for name, change in [("namespace", {"batch": "other/week-07"}),
                             ("spec", {"specHash": "f" * 32}), ("laptop", {"specHash": None})]:
            with self.subTest(name):
                code, result = self.score(self.job(**change))
                self.assertEqual((code, result["reason"]), (73, "OutputExists"))
                self.assertIn(str(self.output), result["message"])
                self.assertEqual(self.state(), before)
        self.manifest.unlink()
        code, _ = self.score(self.job())
        self.assertEqual(code, 73)
        self.assertEqual(self.output.read_bytes(), before[self.output.name][0])

    def test_overwrite(self):
        code, result = self.score(self.job(batch="other/week-07", reasons=1,
                                           output={"overwrite": True}))
        self.assertEqual((code, result["outcome"]), (0, "Scored"))
        self.assertEqual(json.loads(self.manifest.read_text())["batch"], "other/week-07")
        self.assertNotIn("reason_2", self.rows()[0])

    def test_an_unfinished_run_is_finished(self):
        """A crash between manifest and output, and a damaged output."""
        whole = self.output.read_bytes()
        self.output.unlink()
        code, result = self.score(self.job())
        self.assertEqual((code, result["outcome"]), (0, "Scored"))
        self.assertEqual(self.output.read_bytes(), whole)
        self.output.write_bytes(whole[:-1] + b"?")
        code, result = self.score(self.job())
        self.assertEqual((code, result["outcome"]), (0, "Scored"))
        self.assertEqual(self.output.read_bytes(), whole)

    def test_another_input_of_the_same_batch(self):
        """After a lost result and a retry the input is resolved anew."""
        self.write(weekly(50, seed=3))
        other = self.folder / "other.csv"
        self.input.rename(other)
        code, result = self.score(self.job(input={"uri": f"file://{other}"}))
        self.assertEqual((code, result["outcome"], result["rows"]["read"]), (0, "Scored", 50))


if __name__ == "__main__":
    unittest.main()
