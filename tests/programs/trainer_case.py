"""What the tests of churn-trainer share: generated customers, and a folder for each test with a history
and a job document."""
import csv
import filecmp
import json
import os
import random
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("CHURN_BIN", ROOT / "build" / "bin")).resolve() / "churn-trainer"
SCORER = PROGRAM.with_name("churn-scorer")
TELCO = ROOT / "manifests" / "samples" / "telco_history.csv"
STAGES = ["ingest", "split", "fit", "calibrate", "evaluate", "explain", "package"]
RUN_KEY = "0123456789abcdef0123456789abcdef"
# Trains in a moment.
QUICK = {"max_depth": "2", "min_child_weight": "5", "learning_rate": "0.2", "max_trees": "20", "lambda": "1"}
QUICK_NETWORK = {"hidden_units": "8", "dropout": "0.1", "weight_decay": "1", "epochs": "4", "ensemble": "2"}

HEADER = "id,age,city,income,member,left"


def customer(number, source):
    """One row: the old and the members of Oslo leave."""
    age = source.randint(18, 80)
    city = source.choice(["Rome", "Oslo", "Bonn"])
    income = "" if source.random() < 0.1 else str(source.randint(800, 9000))
    member = source.choice(["yes", "no"])
    chance = 0.05 + (0.6 if age > 60 else 0) + (0.3 if city == "Oslo" and member == "yes" else 0)
    return f"c{number},{age},{city},{income},{member},{int(source.random() < chance)}"


def history(rows=300, seed=1):
    source = random.Random(seed)
    return [HEADER] + [customer(number, source) for number in range(rows)]


class TrainerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="churn-trainer-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = self.folder / "history.csv"
        self.models = self.folder / "models"

    def write(self, lines, end="\n"):
        self.data.write_text("\n".join(lines) + end)

    def job(self, data=None, models="models", **changes):
        document = {
            "version": 1, "kind": "Train", "model": "bank/retail", "algorithm": "GradientBoosting",
            "data": {"uri": f"file://{self.data}", "target": "left", "id": "id", **(data or {})},
            "artifacts": {"uri": f"file://{self.folder}/{models}/"},
        }
        document.update(changes)
        path = self.folder / f"{models}.job.json"
        path.write_text(json.dumps(document))
        return path

    def run_program(self, *arguments, expect=0):
        result = self.folder / "result.json"
        result.unlink(missing_ok=True)
        run = subprocess.run([PROGRAM, "--result", result, *map(str, arguments)],
                             capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, expect, run.stderr)
        return json.loads(result.read_text()) if result.exists() else None

    def train(self, **changes):
        result = self.run_program("--job", self.job(**changes))
        return result, Path(result["model"]["uri"].removeprefix("file://"))

    def score(self, version, lines):
        """The probabilities of a weekly file, in its order, by the real scorer."""
        weekly, output = self.folder / "weekly.csv", self.folder / "scores.csv"
        weekly.write_text("\n".join(lines) + "\n")
        job = self.folder / "score.json"
        job.write_text(json.dumps({
            "version": 1, "kind": "Score", "batch": "weekly", "model": {"uri": f"file://{version}/"},
            "input": {"uri": f"file://{weekly}"},
            "output": {"uri": f"file://{output}", "overwrite": True}}))
        run = subprocess.run([SCORER, "--job", job, "--result", self.folder / "score.result.json"],
                             capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stderr)
        with open(output, newline="", encoding="utf-8") as file:
            return [float(row["churn_probability"]) for row in csv.DictReader(file)]

    def same_files(self, left, right):
        for name in ["model.json", "booster.ubj", "evaluation/model.json",
                     "evaluation/booster.ubj", "report.html"]:
            self.assertTrue(filecmp.cmp(left / name, right / name, shallow=False), name)
