"""What the tests of churn-scorer share: one model trained on generated customers by the real trainer,
and a folder for each test with a small weekly file and a job document."""
import csv
import json
import os
import random
import subprocess
import tempfile
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
