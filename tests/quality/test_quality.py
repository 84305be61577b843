"""Goal: what `algorithm: Auto` learns ranks customers well, and its probabilities are what happens.

Method: bench/quality.py, five stratified folds of a published file, fixed for good: trained on four of
them, measured on the fifth. Floors, not goals: a model below them is a mistake. The telco file comes
with the repository; $CHURN_DATA names a folder with the others.
"""
import os
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench"))

import quality  # noqa: E402

BIN = os.environ.get("CHURN_BIN", ROOT / "build" / "bin")


class Auto(unittest.TestCase):
    def assert_floors(self, name):
        with tempfile.TemporaryDirectory(prefix="churn-quality-") as folder:
            bench = quality.Bench(os.environ.get("CHURN_DATA"), BIN, folder)
            if not bench.has(name):
                self.skipTest(f"hack/test --data DIR says where {name}.csv and folds/{name}.csv are")
            measured = bench.measure(name)
        self.assertGreaterEqual(measured["auc"], quality.FILES[name]["auc"])
        self.assertLessEqual(measured["ece"], quality.ECE_GOAL)

    def test_telco_ibm(self):
        self.assert_floors("telco_ibm")

    def test_bank_churn_modelling(self):
        self.assert_floors("bank_churn_modelling")

    def test_bank_churners(self):
        self.assert_floors("bank_churners")


if __name__ == "__main__":
    unittest.main()
