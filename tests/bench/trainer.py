"""Group trainer: churn-trainer beside pandas and xgboost."""
import os
import sys

import data
from measure import Failed, median, paired, run, say
from report import Goal, speedup

ROWS = 10000
MANY = 1_000_000
MOST = 10_000_000  # --large


class Trainer:
    def __init__(self, report, folder, options):
        self.report, self.folder, self.options = report, folder, options
        self.rounds = 1 if options.quick else 3
        self.history = self.generate(ROWS)
        self.count = 0

    def generate(self, rows):
        return data.generate(os.path.join(self.folder, f"history-{rows}.csv"), rows,
                             self.options.seed, history=True)

    def train(self, threads=1, history=None, **members):
        """Each training under a name of its own, so that nothing is found done already."""
        self.count += 1
        job = data.train_job(self.folder, history or self.history, f"run-{self.count}", **members)
        usage, result = data.train(self.folder, job, threads)
        usage.result = result
        return usage

    def reference(self, history=None):
        return run([sys.executable, os.path.join(data.HERE, "reference_train.py"),
                    history or self.history,
                    os.path.join(self.folder, "reference.ubj"), "--target", data.TARGET, "--positive",
                    data.POSITIVE, "--id", data.IDENTITY, "--trees", str(data.TREES), "--depth",
                    str(data.DEPTH), "--rate", str(data.RATE)])

    def measure(self):
        self.fixed()
        self.auto()
        for rows, wanted in ((MANY, not self.options.quick), (MOST, self.options.large)):
            if wanted:
                self.large(rows)
            else:
                self.report.missing(f"train {data.TREES} x depth {data.DEPTH}, {rows:,} rows",
                                    "left out by --quick" if rows == MANY else "with --large",
                                    Goal("<=", 1.0, "ratio", stretch=0.7))

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

    def large(self, rows):
        """Once: what takes minutes is not disturbed by seconds."""
        say(f"{data.TREES} trees of depth {data.DEPTH} on {rows:,} rows")
        history = self.generate(rows)
        (ours,), (theirs,) = paired(1, lambda: self.train(history=history,
                                                          parameters=data.reference_parameters(),
                                                          validation={"folds": 2}),
                                    lambda: self.reference(history))
        os.remove(history)
        steps = ", ".join(f"{step['name'].lower()} {float(step['seconds']):.0f} s"
                          for step in ours.result["steps"] if step["name"] in ("Ingest", "Split", "Fit"))
        name = f"{data.TREES} x depth {data.DEPTH}, {rows:,} rows"
        self.report.add(f"train {name}", ours.cpu, "CPU s", theirs.cpu, ours.cpu / theirs.cpu,
                        Goal("<=", 1.0, "ratio", stretch=0.7),
                        note=f"ours chooses on a sample, fits twice and reports ({steps}); the "
                             "reference fits once")
        self.report.add(f"memory, {name}", ours.peak_kib / 1024, "MiB", theirs.peak_kib / 1024,
                        ours.peak_kib / theirs.peak_kib,
                        Goal("<=", 2048, unit="MiB") if rows == MOST else None,
                        note="largest resident set, shared libraries included")

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
    Trainer(report, folder, options).measure()
