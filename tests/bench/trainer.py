"""Group trainer: churn-trainer beside pandas and xgboost."""
import os
import sys

import data
from measure import Failed, median, paired, run, say
from report import Goal, speedup

ROWS = 10000


class Trainer:
    def __init__(self, report, folder, quick, seed):
        self.report, self.folder = report, folder
        self.rounds = 1 if quick else 3
        self.history = data.generate(os.path.join(folder, "history.csv"), ROWS, seed, history=True)
        self.count = 0

    def train(self, threads=1, **members):
        """Each training under a name of its own, so that nothing is found done already."""
        self.count += 1
        job = data.train_job(self.folder, self.history, f"run-{self.count}", **members)
        usage, result = data.train(self.folder, job, threads)
        usage.result = result
        return usage

    def reference(self):
        return run([sys.executable, os.path.join(data.HERE, "reference_train.py"), self.history,
                    os.path.join(self.folder, "reference.ubj"), "--target", data.TARGET, "--positive",
                    data.POSITIVE, "--id", data.IDENTITY, "--trees", str(data.TREES), "--depth",
                    str(data.DEPTH), "--rate", str(data.RATE)])

    def measure(self):
        self.fixed()
        self.auto()
        self.report.missing("train 400 x depth 4, 1,000,000 rows", "training a million rows is not "
                            "part of a run yet", Goal("<=", 1.0, "ratio", stretch=0.7))

    def fixed(self):
        say(f"{data.TREES} trees of depth {data.DEPTH}")
        ours, theirs = paired(self.rounds, lambda: self.train(parameters=data.reference_parameters(),
                                                              validation={"folds": 2}), self.reference)
        value, reference = median(ours, "cpu"), median(theirs, "cpu")
        steps = {step["name"]: float(step["seconds"]) for step in ours[0].result["steps"]}
        self.report.add(
            f"train {data.TREES} x depth {data.DEPTH}, {ROWS:,} rows", value, "CPU s", reference,
            value / reference, Goal("<=", 0.35, "ratio", stretch=0.25),
            note=f"ours fits four such boosters (2 folds, hold-out, final) and reports: fit "
                 f"{steps.get('Fit', 0):.2f} s, explain {steps.get('Explain', 0):.2f} s; the reference "
                 "fits one")

    def auto(self):
        threads = os.cpu_count()
        say("Auto")
        usages = [self.train(threads, algorithm="Auto") for _ in range(self.rounds)]
        wall = median(usages, "wall")
        chosen = usages[0].result["model"]["algorithm"]
        self.report.add(f"Auto, {ROWS:,} rows, {threads} threads", wall, "s",
                        goal=Goal("<=", 10, stretch=5, unit="s"), note=f"chose {chosen}")
        self.report.add(f"Auto, {ROWS:,} rows", median(usages, "cpu"), "CPU s")
        self.report.missing("Auto beside a blend of libraries", "LightGBM and CatBoost are PyPI "
                            "packages, which the repository does not pin yet")


def measure(report, folder, options):
    try:
        data.program("churn-trainer")
    except Failed as failure:
        report.missing("trainer", str(failure))
        return
    Trainer(report, folder, options.quick, options.seed).measure()
