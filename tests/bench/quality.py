#!/usr/bin/env python3
"""Group quality: `algorithm: Auto`, or another one, measured with the real programs beside libraries.

For every data file and each of its five folds: churn-trainer learns from the other four (its
hold-out and everything it chooses lie inside them), churn-scorer scores the fold, and the scores
are compared with the labels, which the scorer has not seen. A data folder holds NAME.csv and
folds/NAME.csv (row, src_row, fold; src_row counts data lines from 0). Files that are not there are
left out, but for the telco file: it is put together from the samples and telco_folds.csv, which has
the folds and the labels of all its customers in the order of the file.

Then customers of families that nothing was tuned to (families.py), drawn by a seed that is another
one in each run. Their chances are known, so log-loss is that of the chances: luck of labels does
not enter. The libraries (peer_quality.py) learn from the same rows and are scored on the same.

Alone it takes a folder of data, prints a table, and ends with 1 when a goal is not met.
"""
import argparse
import csv
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import families
import peers
from measure import Failed, say
from report import Goal, Report

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "manifests" / "samples"
TELCO = "telco_ibm"
TELCO_FOLDS = Path(__file__).with_name("telco_folds.csv")
PEERS_SCRIPT = Path(__file__).with_name("peer_quality.py")

# "auc": the floor; "within": how far log-loss may be above the lowest of the libraries
FILES = {
    "bank_churn_modelling": {
        "data": {"target": "Exited", "positiveLabel": "1", "id": "CustomerId",
                 "drop": ["RowNumber", "Surname"]}, "auc": 0.866, "within": 0.004},
    "bank_churners": {
        "data": {"target": "Attrition_Flag", "positiveLabel": "Attrited Customer",
                 "id": "CLIENTNUM"}, "auc": 0.993, "within": 0.005},
    TELCO: {
        "data": {"target": "Churn", "positiveLabel": "Yes", "id": "customerID"}, "auc": 0.846,
        "within": 0.004},
}
ECE_GOAL = 0.02
EARLY_XGBOOST = "xgboost-early"
FILE_PEERS = (EARLY_XGBOOST, "xgboost", "lightgbm", "lightgbm-early", "catboost", "logistic")
FAMILY_PEERS = ("xgboost", EARLY_XGBOOST, "lightgbm", "lightgbm-early", "catboost", "catboost-early")
ABOVE_EARLY_XGBOOST, ABOVE_FAMILY_PEERS = 0.0005, 0.001
FAMILY_ROWS, FAMILY_TEST_ROWS = 4000, 4000


def auc(scores, labels):
    """The chance that a churner ranks above another customer; ties count half."""
    rows = sorted(zip(scores, labels))
    below = wins = 0.0
    begin = 0
    while begin < len(rows):
        end = begin
        while end < len(rows) and rows[end][0] == rows[begin][0]:
            end += 1
        positives = sum(label for _, label in rows[begin:end])
        negatives = end - begin - positives
        wins += positives * (below + negatives / 2)
        below += negatives
        begin = end
    return wins / (sum(labels) * (len(labels) - sum(labels)))


def log_loss(scores, labels):
    """Labels may be chances."""
    def log(score):
        return math.log(min(max(score, 1e-15), 1.0))
    return -statistics.fmean(label * log(score) + (1 - label) * log(1 - score)
                             for score, label in zip(scores, labels))


def ece(scores, labels, bins=10):
    """Mean distance of predicted and observed over bins of equal mass."""
    rows = sorted(zip(scores, labels))
    total = 0.0
    for i in range(bins):
        part = rows[i * len(rows) // bins:(i + 1) * len(rows) // bins]
        total += abs(sum(score for score, _ in part) - sum(label for _, label in part))
    return total / len(rows)


def read_table(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        header, *rows = csv.reader(file)
    return [cell.strip() for cell in header], rows


def read_samples():
    """The whole telco file: header, rows and the fold of each row."""
    customers = {}
    header, rows = read_table(SAMPLES / "telco_history.csv")
    for week in ("01", "02", "03"):
        rows += read_table(SAMPLES / f"telco_week_{week}.csv")[1]
    for row in rows:
        customers[row[0]] = row[:len(header) - 1]  # the label is the last column of the history
    _, lines = read_table(TELCO_FOLDS)
    return header, [[*customers[name], label] for name, label, _ in lines], [fold for *_, fold in lines]


@dataclass
class Learned:
    scores: list
    seconds: float  # of the training
    peers: dict  # scores by library


class Bench:
    """`data` is a folder or None, `programs` that of the programs, `folder` one to work in, `python` the
    interpreter of the libraries or None."""

    def __init__(self, data, programs, folder, algorithm="Auto", python=None):
        self.algorithm, self.python = algorithm, python
        self.data = Path(data) if data else None
        self.programs, self.folder = Path(programs), Path(folder)

    def is_in_data(self, name):
        return self.data is not None and (self.data / f"{name}.csv").exists()

    def has(self, name):
        return name == TELCO or self.is_in_data(name)

    def run(self, program, job, name):
        path, result = self.folder / f"{name}.json", self.folder / f"{name}.result.json"
        path.write_text(json.dumps(job))
        run = subprocess.run([self.programs / program, "--job", path, "--result", result],
                             stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            raise Failed(f"{program} {name}: exit code {run.returncode}\n{run.stderr}")
        return json.loads(result.read_text())

    def write_rows(self, path, header, rows):
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])

    def read(self, name):
        if not self.is_in_data(name):
            return read_samples()
        header, rows = read_table(self.data / f"{name}.csv")
        _, lines = read_table(self.data / "folds" / f"{name}.csv")
        folds = {int(row): fold for _, row, fold in lines}
        return header, rows, [folds[i] for i in range(len(rows))]

    def learn(self, work, spec, header, rows, held, libraries):
        """From `rows`; scores for `held`, whose labels are not shown. `work` names files and models."""
        target, key = header.index(spec["target"]), header.index(spec["id"])
        train, test = self.folder / f"{work}.train.csv", self.folder / f"{work}.test.csv"
        self.write_rows(train, header, rows)
        self.write_rows(test, header[:target] + header[target + 1:],
                        [row[:target] + row[target + 1:] for row in held])
        begin = time.monotonic()
        trained = self.run("churn-trainer", {
            "version": 1, "kind": "Train", "model": work, "algorithm": self.algorithm,
            "data": {"uri": f"file://{train}", **spec},
            "artifacts": {"uri": f"file://{self.folder}/models/"}}, f"{work}.train")
        seconds = time.monotonic() - begin
        output = self.folder / f"{work}.scores.csv"
        self.run("churn-scorer", {
            "version": 1, "kind": "Score", "batch": work,
            "model": {key: trained["model"][key] for key in ("uri", "version")},
            "input": {"uri": f"file://{test}"}, "output": {"uri": f"file://{output}"},
            "reasons": 0}, f"{work}.score")
        with open(output, newline="", encoding="utf-8") as file:
            scores = {row[spec["id"]]: float(row["churn_probability"])
                      for row in csv.DictReader(file)}
        beside = self.learn_peers(train, test, spec, libraries) if self.python else {}
        return Learned([scores[row[key]] for row in held], seconds, beside)

    def learn_peers(self, train, test, spec, libraries):
        path = self.folder / "peers.json"
        path.write_text(json.dumps(spec))
        one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        run = subprocess.run([self.python, PEERS_SCRIPT, train, test, path, *libraries],
                             env={**os.environ, **one_thread}, capture_output=True, text=True)
        if run.returncode != 0:
            raise Failed(f"peer_quality.py: exit code {run.returncode}\n{run.stderr[-2000:]}")
        return json.loads(run.stdout)

    def measure(self, name):
        """Means over the folds; ECE over all rows; log-losses of the libraries."""
        spec = FILES[name]["data"]
        header, rows, folds = self.read(name)
        target = header.index(spec["target"])
        results, truth = [], []
        for fold in sorted(set(folds)):
            held = [row for row, of in zip(rows, folds) if of == fold]
            results.append(self.learn(f"{name}-{fold}".replace("_", "-"), spec, header,
                                      [row for row, of in zip(rows, folds) if of != fold], held, FILE_PEERS))
            truth.append([int(row[target] == spec["positiveLabel"]) for row in held])

        def mean(figure, parts):
            return statistics.fmean(figure(scores, labels) for scores, labels in zip(parts, truth))
        ours = [result.scores for result in results]
        return {"auc": mean(auc, ours), "log_loss": mean(log_loss, ours),
                "ece": ece(sum(ours, []), sum(truth, [])),
                "train_seconds": max(result.seconds for result in results),
                "peers": {peer: mean(log_loss, [result.peers[peer] for result in results])
                          for peer in results[0].peers}}

    def measure_family(self, name, seed, rows=FAMILY_ROWS):
        """Log-loss on other customers of the family: ours, the libraries', and that of the truth."""
        rng = random.Random(f"{name} {seed}")
        drawn, chances = families.sample(families.FAMILIES[name](rng), rng, rows + FAMILY_TEST_ROWS)
        header, lines = families.table(drawn, [rng.random() < chance for chance in chances])
        learned = self.learn(f"family-{name}", families.SPEC, header, lines[:rows], lines[rows:], FAMILY_PEERS)
        truth = chances[rows:]
        return {"log_loss": log_loss(learned.scores, truth), "truth": log_loss(truth, truth),
                "peers": {peer: log_loss(scores, truth) for peer, scores in learned.peers.items()}}


def named(losses):
    return ", ".join(f"{name} {loss:.4f}" for name, loss in sorted(losses.items(), key=lambda item: item[1]))


def add_file(report, name, measured):
    floor, loss, losses = FILES[name]["auc"], measured["log_loss"], measured["peers"]
    report.add(f"{name}.auc", measured["auc"], goal=Goal(">=", floor),
               note=f"AUC {measured['auc']:.4f}, log-loss {loss:.4f}")
    report.add(f"{name}.log_loss", loss, note=named(losses))
    report.add(f"{name}.ece", measured["ece"], goal=Goal("<=", ECE_GOAL))
    report.add(f"{name}.train_seconds", measured["train_seconds"], "s")
    if losses:
        report.add(f"{name}.log_loss over {EARLY_XGBOOST}", loss - losses[EARLY_XGBOOST],
                   goal=Goal("<=", ABOVE_EARLY_XGBOOST))
        report.add(f"{name}.log_loss over the lowest", loss - min(losses.values()),
                   goal=Goal("<=", FILES[name]["within"]))


def add_family(report, name, measured):
    losses = measured["peers"]
    report.add(f"family {name}.log_loss over the lowest", measured["log_loss"] - min(losses.values()),
               goal=Goal("<=", ABOVE_FAMILY_PEERS),
               note=f"ours {measured['log_loss']:.4f}, the truth {measured['truth']:.4f}, {named(losses)}")


def measure(report, folder, options):
    report = report.under("quality.")
    try:
        python = peers.python()
    except peers.Missing as missing:
        report.missing("beside libraries", str(missing))
        python = None
    bench = Bench(options.data, options.bin, folder, options.algorithm, python)
    for name in FILES:
        if not bench.has(name):
            report.missing(name, "--data DIR says where NAME.csv and folds/NAME.csv are")
            continue
        say(name)
        add_file(report, name, bench.measure(name))
    for name in families.FAMILIES if python else ():
        say(f"family {name}")
        add_family(report, name, bench.measure_family(name, options.seed, FAMILY_ROWS // (2 if options.quick else 1)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", help="folder with NAME.csv and folds/NAME.csv")
    parser.add_argument("--bin", default=os.environ.get("CHURN_BIN", ROOT / "build" / "bin"),
                        help="folder of the programs")
    parser.add_argument("--algorithm", default="Auto", help="of the ChurnModels; the floors are Auto's")
    parser.add_argument("--quick", action="store_true", help="fewer rows")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="of the families")
    parser.add_argument("--json", type=argparse.FileType("w"), help="file for JSON lines, - for standard output")
    options = parser.parse_args()
    report = Report(options.json)
    with tempfile.TemporaryDirectory(prefix="churn-quality-") as folder:
        measure(report, folder, options)
    print(f"seed {options.seed}")
    report.show()
    return 0 if all(figure.met() is not False for figure in report.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
