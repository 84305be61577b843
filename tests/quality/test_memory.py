"""Goal: a training's memory grows by so little with each row that ten million rows fit into 2 GiB.

Method: two files of bench-generate, both longer than what the search learns from, so that all that
differs is what every row takes: the table, and the rows as bins while a model is fitted. What the
longer one takes more at its peak, divided by the rows that it has more, is below a bound. With
`min_child_weight`, so that all trees are XGBoost's, this file does not keep it (bench/README.md).
"""
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


if __name__ == "__main__":
    unittest.main()
