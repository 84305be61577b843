"""What a newcomer runs first: hack/quickstart, as it is, and what it shows."""
import os
import re
import subprocess
import unittest

from cluster import ROOT, only_on_kubesim

FOLDER = os.path.join(ROOT, "build", "quickstart")


def kept_pids():
    """Of the kubesim and the controller that the last quickstart started, those that run."""
    try:
        with open(os.path.join(FOLDER, "pids")) as file:
            pids = file.read().split()
    except FileNotFoundError:
        return []
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


@only_on_kubesim("it is about kubesim")
class Quickstart(unittest.TestCase):
    def test_from_the_first_training_to_the_retraining(self):
        if kept_pids():
            self.skipTest("hack/quickstart --keep is running, and another one would stop it")
        done = subprocess.run([os.path.join(ROOT, "hack", "quickstart")], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("\033", done.stdout)  # colours are for terminals
        self.assertEqual(re.findall("(?m)^last decision: .*", done.stdout),
                         ["last decision: Skipped, ImageDigestUnchanged; trainings run: 1, skipped: 2",
                          "last decision: Started, ImageDigestChanged; trainings run: 2, skipped: 2"])
        self.assertIn("\ncustomerID,churn_probability,churn_prediction,reason_1,", done.stdout)
        for week in ("01", "02", "03"):
            self.assertRegex(done.stdout, rf"\nweek-{week} +telco +[0-9a-f]{{16}} +Complete ")
        report = re.search(r"report of the model +(\S+)", done.stdout).group(1)
        self.assertTrue(os.path.exists(os.path.join(ROOT, report)))
        self.assertEqual(kept_pids(), [])

