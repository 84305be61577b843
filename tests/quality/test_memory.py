"""Goal: a training's memory grows by so little with each row that ten million rows fit into 2 GiB.

Method: two files of bench-generate, both longer than what the search learns from, so that all that
differs is what every row takes: the table, and the rows as bins while a model is fitted. What the
longer one takes more at its peak, divided by the rows that it has more, is below a bound. With
`min_child_weight`, so that all trees are XGBoost's, this file does not keep it (bench/README.md).

Goal: a training that would fit is never refused for its memory, and one that takes many times what
it may have is. Method: the figure of the refusal, beside what the same training takes more at its
peak than one on a few rows.
"""
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench"))

import data  # noqa: E402

FEW, MANY = 260_000, 520_000
BYTES_PER_ROW = 2 * 2**30 / 10_000_000  # 214

# Little is learned: memory does not depend on how long it takes.
PARAMETERS = {"max_trees": "10", "learning_rate": "0.3", "max_depth": "4"}


class Memory(unittest.TestCase):
    def peak(self, folder, rows):
        """The largest resident memory of a training in bytes."""
        history = data.generate(str(Path(folder) / f"{rows}.csv"), rows, 3, history=True)
        job = data.train_job(folder, history, f"rows-{rows}", parameters=PARAMETERS,
                             validation={"folds": 2})
        usage, result = data.train(folder, job)
        self.assertEqual(result["outcome"], "Trained")
        return usage.peak_kib * 1024

    def test_rows_take_little(self):
        with tempfile.TemporaryDirectory(prefix="churn-memory-") as folder:
            few, many = (self.peak(folder, rows) for rows in (FEW, MANY))
        growth = (many - few) / (MANY - FEW)
        self.assertLessEqual(growth, BYTES_PER_ROW, f"{few} bytes at {FEW} rows, {many} at {MANY}")

    def least(self, job):
        """The most that the trainer asks for, in bytes: what is enough for one stage may be refused by another."""
        asked = 1
        while True:
            run = subprocess.run([data.program("churn-trainer"), "--job", job, "--memory", str(asked)],
                                 capture_output=True, text=True, timeout=120)
            if run.returncode == 0:
                return (asked - 1) * 2**20
            self.assertEqual(run.returncode, 65, run.stderr)
            asked = int(re.search(r"takes more than (\d+) MiB", run.stderr)[1]) + 1

    def test_what_is_refused_would_not_fit(self):
        few, many = 400, 50_000
        trees = {"max_depth": "4", "learning_rate": "0.3", "max_trees": "10"}
        network = {"hidden_units": "8", "hidden_layers": "1", "epochs": "1", "ensemble": "1",
                   "dropout": "0.1", "weight_decay": "1"}
        with tempfile.TemporaryDirectory(prefix="churn-memory-") as folder:
            histories = [data.generate(str(Path(folder) / f"{rows}.csv"), rows, 3, history=True)
                         for rows in (few, many)]
            for name, algorithm, parameters in (
                    ("both", "GradientBoosting", trees),
                    ("xgboost", "GradientBoosting", {**trees, "min_child_weight": "1"}),
                    ("regression", "LogisticRegression", {"l2": "10"}),
                    ("network", "NeuralNetwork", network)):
                with self.subTest(name):
                    jobs = [data.train_job(folder, history, f"{name}-{place}", algorithm, parameters=parameters,
                                           validation={"folds": 2}) for place, history in enumerate(histories)]
                    base, peak = (data.train(folder, job)[0].peak_kib * 1024 for job in jobs)
                    least = self.least(data.train_job(folder, histories[1], f"{name}-least", algorithm,
                                                      parameters=parameters, validation={"folds": 2}))
                    self.assertLess(least, peak - base)
                    self.assertGreater(least, (peak - base) / 5)


if __name__ == "__main__":
    unittest.main()
