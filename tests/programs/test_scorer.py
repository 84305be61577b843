"""Goal: churn-scorer keeps the contract of its job document, on good data and bad.

Method: one model trained on generated customers by the real trainer; the scorer is
run on small weekly files. What it publishes is compared with the input and, byte by
byte, between runs; what it refuses by exit code, message and the absence of output.
"""

import contextlib
import csv
import gzip
import hashlib
import json
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("CHURN_BIN", ROOT / "build" / "bin")).resolve()
SPEC_HASH = "0123456789abcdef0123456789abcdef"
HEADER = "id,age,city,income,member"


def customer(number, source):
    income = "" if source.random() < 0.1 else str(source.randint(800, 9000))
    city = source.choice(["Rome", "Oslo", "Bonn"])
    return f"c{number},{source.randint(18, 80)},{city},{income},{source.choice(['yes', 'no'])}"


def leaves(row, source):
    age, city = int(row.split(",")[1]), row.split(",")[2]
    return int(source.random() < 0.05 + 0.5 * (age > 60) + 0.3 * (city == "Oslo"))


def weekly(rows, seed=2):
    source = random.Random(seed)
    return [HEADER] + [customer(number, source) for number in range(rows)]


def train(folder):
    source = random.Random(1)
    rows = [customer(number, source) for number in range(400)]
    history = [HEADER + ",left"] + [f"{row},{leaves(row, source)}" for row in rows]
    (folder / "history.csv").write_text("\n".join(history) + "\n")
    job = {
        "version": 1, "kind": "Train", "model": "retail", "algorithm": "GradientBoosting",
        "data": {"uri": f"file://{folder}/history.csv", "target": "left", "positiveLabel": "1",
                 "id": "id"},
        "artifacts": {"uri": f"file://{folder}/models/"},
    }
    (folder / "train.json").write_text(json.dumps(job))
    subprocess.run([BIN / "churn-trainer", "--job", folder / "train.json", "--result",
                    folder / "trained.json"], check=True, stderr=subprocess.DEVNULL)
    return json.loads((folder / "trained.json").read_text())["model"]


class ScorerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="churn-scorer-model-")
        cls.addClassCleanup(folder.cleanup)
        cls.model = train(Path(folder.name))

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="churn-scorer-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.input = self.folder / "weekly.csv"
        self.out = self.folder / "out"
        self.output = self.out / "week-07.csv"
        self.manifest = self.out / "week-07.csv.manifest.json"
        self.rejects = self.out / "week-07.csv.rejects.csv"

    def write(self, lines, end="\n"):
        self.input.write_text("\n".join(lines) + end)

    def job(self, output=None, input=None, model=None, **changes):
        document = {
            "version": 1, "kind": "Score", "batch": "bank/week-07", "specHash": SPEC_HASH,
            "model": {"uri": self.model["uri"], **(model or {})},
            "input": {"uri": f"file://{self.input}", **(input or {})},
            "output": {"uri": f"file://{self.out}/", **(output or {})}, **changes,
        }
        path = self.folder / "job.json"
        path.write_text(json.dumps(document))
        return path

    def score(self, job, *arguments):
        """The exit code and the result document."""
        path = self.folder / "result.json"
        done = subprocess.run([BIN / "churn-scorer", "--job", job, "--result", path, *arguments],
                              stderr=subprocess.PIPE, text=True, timeout=120)
        self.stderr = done.stderr
        return done.returncode, json.loads(path.read_text())

    def rows(self):
        with self.output.open(newline="") as file:
            return list(csv.DictReader(file))

    def assert_refused(self, code, reason, message, job=None):
        found_code, result = self.score(job or self.job())
        self.assertEqual((found_code, result["exitCode"], result["reason"]), (code, code, reason),
                         result)
        self.assertIn(message, result["message"])
        self.assertFalse(self.output.exists())
        self.assertFalse(self.manifest.exists())
        leftovers = [path.name for path in self.out.glob("*") if path != self.rejects]
        self.assertEqual(leftovers, [])
        return result


class GoodData(ScorerTest):
    def test_one_line_per_row_in_order(self):
        lines = weekly(2500)
        self.write(lines)
        code, result = self.score(self.job(output={"columns": ["city", "age"]}, reasons=2))
        self.assertEqual((code, result["outcome"]), (0, "Scored"))
        self.assertEqual(result["rows"], {"read": 2500, "scored": 2500, "rejected": 0})
        rows = self.rows()
        self.assertEqual(list(rows[0]), ["id", "city", "age", "churn_probability",
                                         "churn_prediction", "reason_1", "reason_2"])
        self.assertEqual([row["id"] for row in rows], [line.split(",")[0] for line in lines[1:]])
        self.assertEqual([row["city"] for row in rows], [line.split(",")[2] for line in lines[1:]])
        for row in rows:
            self.assertRegex(row["churn_probability"], r"^[01]\.\d{6}$")
            self.assertRegex(row["reason_1"], r"^(age|city|income|member)=\S+ \([+-]\d+\.\d\d\)$")
            if row["reason_1"].startswith("age="):
                self.assertTrue(row["reason_1"].startswith(f"age={row['age']} ("))
        self.assertFalse(self.rejects.exists())

    def test_figures_agree_with_the_output(self):
        self.write(weekly(1500))
        _, result = self.score(self.job(threshold="0.3"))
        data, rows = self.output.read_bytes(), self.rows()
        probabilities = sorted(float(row["churn_probability"]) for row in rows)
        scores = result["scores"]
        self.assertEqual(float(scores["threshold"]), 0.3)
        self.assertAlmostEqual(float(scores["mean"]), sum(probabilities) / 1500, places=4)
        self.assertAlmostEqual(float(scores["p50"]), probabilities[749], places=4)
        self.assertAlmostEqual(float(scores["p99"]), probabilities[1484], places=4)
        self.assertEqual(scores["aboveThreshold"],
                         sum(row["churn_prediction"] == "1" for row in rows))
        self.assertEqual(scores["aboveThreshold"], sum(value >= 0.3 for value in probabilities))
        self.assertEqual(result["output"]["bytes"], len(data))
        self.assertEqual(result["output"]["sha256"], hashlib.sha256(data).hexdigest())
        self.assertEqual(result["input"]["sha256"],
                         hashlib.sha256(self.input.read_bytes()).hexdigest())

    def test_old_customers_of_oslo_are_the_likely_leavers(self):
        self.write(weekly(2000))
        self.score(self.job(output={"columns": ["city", "age"]}))
        rows = self.rows()

        def mean(chosen):
            values = [float(row["churn_probability"]) for row in rows if chosen(row)]
            return sum(values) / len(values)
        old = mean(lambda row: int(row["age"]) > 65 and row["city"] == "Oslo")
        young = mean(lambda row: int(row["age"]) < 55 and row["city"] == "Rome")
        self.assertGreater(old, young + 0.4)

    def test_same_bytes_however_many_threads(self):
        self.write(weekly(5000))
        hashes = set()
        for threads in ["1", "2", "5"]:
            shutil.rmtree(self.out, ignore_errors=True)
            self.assertEqual(self.score(self.job(), "--threads", threads)[0], 0)
            hashes.add(self.output.read_bytes() + self.manifest.read_bytes())
        self.assertEqual(len(hashes), 1)

    def test_forms_of_one_file(self):
        lines = weekly(300)
        self.write(lines)
        self.score(self.job())
        expected = self.output.read_bytes()
        quoted = [",".join(f'"{cell}"' for cell in line.split(",")) for line in lines]
        forms = {
            "no newline at the end": "\n".join(lines).encode(),
            "CRLF": "\r\n".join(lines).encode(),
            "byte order mark": b"\xef\xbb\xbf" + "\n".join(lines).encode(),
            "quoted": "\n".join(quoted).encode(),
            "blanks in the header": "\n".join([" id, age ,city,income,member"] + lines[1:]).encode(),
        }
        for name, data in forms.items():
            with self.subTest(name):
                shutil.rmtree(self.out, ignore_errors=True)
                self.input.write_bytes(data)
                self.assertEqual(self.score(self.job())[0], 0)
                self.assertEqual(self.output.read_bytes(), expected)

    def test_compressed_files(self):
        text = "\n".join(weekly(300)).encode()
        self.input.write_bytes(text)
        self.score(self.job())
        expected = self.output.read_bytes()
        for suffix, data in self.archives(text).items():
            with self.subTest(suffix):
                shutil.rmtree(self.out, ignore_errors=True)
                self.input = self.folder / f"weekly.csv{suffix}"
                self.input.write_bytes(data)
                code, result = self.score(self.job())
                self.assertEqual(code, 0, result)
                self.assertEqual(self.output.read_bytes(), expected)
                self.assertEqual(result["input"]["sha256"], hashlib.sha256(data).hexdigest())
                shutil.rmtree(self.out, ignore_errors=True)
                self.input.write_bytes(data[:-20])
                self.assert_refused(65, "DataInvalid", f"weekly.csv{suffix}: the ")

    @staticmethod
    def archives(text):
        found = {".gz": gzip.compress(text)}
        if shutil.which("zstd"):
            found[".zst"] = subprocess.run(["zstd", "-q", "-c"], input=text, check=True,
                                           stdout=subprocess.PIPE).stdout
        return found

    def test_no_reasons(self):
        self.write(weekly(10))
        self.score(self.job(reasons=0))
        self.assertEqual(list(self.rows()[0]), ["id", "churn_probability", "churn_prediction"])

    def test_columns_in_another_order_and_more_of_them(self):
        lines = weekly(50)
        self.write(lines)
        self.score(self.job())
        expected = self.output.read_bytes()
        shutil.rmtree(self.out, ignore_errors=True)
        turned = [",".join(["x", *reversed(line.split(","))]) for line in lines]
        self.write(turned)
        self.score(self.job())
        self.assertEqual(self.output.read_bytes(), expected)

    def test_newest_file_of_a_folder(self):
        inbox = self.folder / "inbox"
        inbox.mkdir()
        for name, seconds in [("a.csv", 2000), ("b.csv", 3000), ("_c.csv", 4000), ("d.txt", 5000)]:
            (inbox / name).write_text("\n".join(weekly(5)))
            os.utime(inbox / name, (seconds, seconds))
        code, result = self.score(self.job(input={"uri": f"file://{inbox}/"}))
        self.assertEqual((code, result["input"]["uri"]), (0, f"file://{inbox}/b.csv"))

    def test_a_category_never_seen_and_drift_are_warned_of(self):
        lines = weekly(500)
        self.write([lines[0]] + [line.replace("Rome", "Paris") for line in lines[1:]])
        code, result = self.score(self.job())
        self.assertEqual(code, 0)
        text = " ".join(result["warnings"])
        self.assertRegex(text, r"weekly.csv: cells with a category that was never seen in training: \d+")
        self.assertIn("column city is distributed otherwise", text)
        drift = json.loads(self.manifest.read_text())["drift"]
        self.assertEqual(drift["feature"], "city")
        self.assertGreater(float(drift["max"]), 0.25)
        self.assertEqual({item["name"] for item in drift["features"]}, set(HEADER.split(",")[1:]))
        self.assertEqual(result["drift"], drift)

    def test_drift_fails_a_run_when_asked(self):
        lines = weekly(500)
        self.write([lines[0]] + [line.replace("Rome", "Oslo") for line in lines[1:]])
        job = self.job(drift={"warn": "", "fail": "0.2"})
        result = self.assert_refused(65, "DriftExceeded", "weekly.csv: column city is distributed "
                                     "otherwise than in training: PSI ", job)
        psi = float(result["message"].split("PSI ")[1].split(",")[0])
        for fail, code in [(str(psi - 0.0001), 65), (str(psi + 0.0001), 0)]:
            shutil.rmtree(self.out, ignore_errors=True)
            found, result = self.score(self.job(drift={"warn": "", "fail": fail}))
            self.assertEqual(found, code, result)
        self.assertEqual(result["drift"]["max"], f"{psi:.4f}")
        self.assertNotIn("warnings", result)  # drift.warn is empty

    def test_drift_is_warned_of_from_the_figure_on_that_was_asked_for(self):
        lines = weekly(500)
        self.write([lines[0]] + [line.replace("Rome", "Oslo") for line in lines[1:]])
        _, result = self.score(self.job())
        psi = float(result["drift"]["max"])
        for warn, warned in [(str(psi - 0.0001), True), (str(psi + 0.0001), False)]:
            shutil.rmtree(self.out, ignore_errors=True)
            _, result = self.score(self.job(drift={"warn": warn}))
            self.assertEqual("column city" in " ".join(result.get("warnings", [])), warned)

    def test_few_rows_are_not_called_drifted(self):
        self.write(weekly(2))
        code, result = self.score(self.job())
        self.assertEqual((code, result.get("warnings", [])), (0, []))

    def test_numbers_beyond_floats(self):
        lines = weekly(3)
        self.write(lines[:1] + [f"x{number},{age},Rome,1000,yes"
                                for number, age in enumerate(["80", "1e300", "-1e300", "18"])])
        code, _ = self.score(self.job(reasons=1))
        self.assertEqual(code, 0)
        rows = self.rows()
        for large, ordinary in [(1, 0), (2, 3)]:
            self.assertEqual(rows[large]["churn_probability"], rows[ordinary]["churn_probability"])
        self.assertIn("age=1e300", rows[1]["reason_1"])

    def test_progress(self):
        self.write(weekly(10))
        self.score(self.job())
        steps = [json.loads(line) for line in self.stderr.splitlines()]
        self.assertEqual([step["step"] for step in steps], ["Load", "Score"])

    def test_bar_on_a_terminal(self):
        self.write(weekly(20))
        try:
            ours, theirs = pty.openpty()
        except OSError as error:
            self.skipTest(f"no pseudo-terminal here: {error}")
        done = subprocess.run([BIN / "churn-scorer", "--job", self.job(), "--result", "/dev/null"],
                              stderr=theirs)
        os.close(theirs)
        text = b""
        while select.select([ours], [], [], 1)[0]:
            with contextlib.suppress(OSError):
                piece = os.read(ours, 4096)
                if piece:
                    text += piece
                    continue
            break
        os.close(ours)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"Score", text)
        self.assertNotIn(b"{", text)


class BadData(ScorerTest):
    def test_files_that_cannot_be_read(self):
        good = weekly(200)
        text = "\n".join(good).encode()
        cases = [
            ("empty file", b"", "weekly.csv is empty"),
            ("header only", HEADER.encode(), "weekly.csv has a header but no rows"),
            ("unclosed quote", text + b'\n"c900,1,Rome,1,yes\n',
             "weekly.csv line 202: a quote is opened here and never closed"),
            ("binary file", b"\x7fELF\x02\x01\x00\x00", "weekly.csv line 1 column 7: a NUL byte"),
            ("binary row", text + b"\nc900,1,Ro\0me,1,yes\n",
             "weekly.csv line 202 column 10: a NUL byte"),
            ("wrong encoding", text + "\nc900,1,M\xfcnchen,1,yes\n".encode("latin-1"),
             "weekly.csv line 202 column 9: byte 0xfc is not UTF-8"),
            ("UTF-16", "\n".join(good).encode("utf-16"), "weekly.csv line 1 column 1: the file is "
             "UTF-16"),
            ("duplicate header", text.replace(b"member", b"age", 1),
             "weekly.csv line 1: column age is in the header twice (fields 2 and 5)"),
            ("empty header name", text.replace(b"member", b" ", 1),
             "weekly.csv line 1: field 5 of the header is empty"),
            ("column missing", text.replace(b"income", b"Income_EUR", 1),
             "weekly.csv has no column income"),
            ("other separator", text.replace(b",", b";"),
             "weekly.csv has no column id (its header: id;age;city;income;member: one column; "
             "fields are separated by commas)"),
            ("old line ends", text.replace(b"\n", b"\r"),
             "weekly.csv line 1: a carriage return in field 5 of the header"),
            ("spreadsheet", b"PK\x03\x04\x14\x00\x06\x00",
             "weekly.csv is a zip archive or a spreadsheet (.xlsx)"),
            ("id missing", text.replace(b"id,", b"customer,", 1), "weekly.csv has no column id"),
            ("id twice", text + b"\nc7,20,Rome,1,yes\n",
             "weekly.csv line 202, id: the id is there already, in line 9"),
        ]
        for name, data, message in cases:
            with self.subTest(name):
                self.input.write_bytes(data)
                self.assert_refused(65, "DataInvalid", message)
                self.assertFalse(self.rejects.exists())

    def bad_rows(self, count):
        lines = weekly(200)
        for number in range(count):
            lines[10 + number] = ["c,1,Rome", "c,old,Rome,1,yes", "c,1,Rome,1,perhaps",
                                  ",1,Rome,1,yes"][number % 4]
        self.write(lines)

    def test_five_percent_bad_rows(self):
        self.bad_rows(10)
        result = self.assert_refused(
            65, "DataInvalid", "weekly.csv line 11: 3 fields, header has 5 (10 of 200 rows are bad, "
            "maxRejected is 0.01")
        self.assertIn(str(self.rejects), result["message"])
        rejects = list(csv.reader(self.rejects.read_text().splitlines()))
        self.assertEqual(rejects[:5], [
            ["line", "column", "why"], ["11", "", "3 fields, header has 5"],
            ["12", "age", '"old" is not a number'], ["13", "member", '"perhaps" is not a boolean'],
            ["14", "id", "the id is blank"]])
        self.assertEqual(len(rejects), 11)

    def test_tolerated_bad_rows(self):
        self.bad_rows(2)
        code, result = self.score(self.job())
        self.assertEqual(code, 0)
        self.assertEqual(result["rows"], {"read": 200, "scored": 198, "rejected": 2})
        self.assertEqual(result["output"]["rejectsURI"], f"file://{self.rejects}")
        self.assertEqual(len(self.rows()), 198)
        self.assertEqual(len(self.rejects.read_text().splitlines()), 3)

    def test_mended_file_has_no_rejects_left(self):
        self.bad_rows(10)
        self.assert_refused(65, "DataInvalid", "10 of 200")
        self.write(weekly(200))
        self.assertEqual(self.score(self.job())[0], 0)
        self.assertFalse(self.rejects.exists())

    def test_an_id_twice_far_apart(self):
        """More ids than are kept in memory at once."""
        lines = weekly(300000)
        lines[299000] = lines[5]
        self.write(lines)
        self.assert_refused(65, "DataInvalid",
                            "weekly.csv line 299001, id: the id is there already, in line 6",
                            self.job(reasons=0))

    def test_column_to_carry_is_missing(self):
        self.write(weekly(5))
        self.assert_refused(65, "DataInvalid", "output.columns: weekly.csv has no column City "
                            "(closest: city)", self.job(output={"columns": ["City"]}))


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
        before = set(parts.parent.iterdir())
        self.assertEqual(len(before), 2)
        self.write(weekly(90))
        self.shard(2, 0)  # of another generation of the file
        (newest,) = set(parts.parent.iterdir()) - before
        shutil.copy(newest / "part-00000.json", parts)
        code, result = self.compose(2, parts)
        self.assertEqual((code, result["reason"]), (65, "DataInvalid"))
        self.assertIn("is of another run", result["message"])

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
