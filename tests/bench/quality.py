#!/usr/bin/env python3
"""Model quality of `algorithm: Auto`, or of another one, measured with the real programs.

For every data file and each of its five folds: churn-trainer learns from the other four (its
hold-out and everything it chooses lie inside them), churn-scorer scores the fold, and the scores
are compared with the labels, which the scorer has not seen. A data folder holds NAME.csv and
folds/NAME.csv (row, src_row, fold; src_row counts data lines from 0). Files that are not there are
left out, but for the telco file: it is put together from the samples and telco_folds.csv, which has
the folds and the labels of all its customers in the order of the file.

Prints a table, and with --json one JSON line per figure:
  {"name", "value", "unit", "reference", "ratio", "goal", "met"}
"""
import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Failed

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "manifests" / "samples"
TELCO = "telco_ibm"
TELCO_FOLDS = Path(__file__).with_name("telco_folds.csv")

FILES = {
    "bank_churn_modelling": {
        "data": {"target": "Exited", "positiveLabel": "1", "id": "CustomerId",
                 "drop": ["RowNumber", "Surname"]}, "auc": 0.866},
    "bank_churners": {
        "data": {"target": "Attrition_Flag", "positiveLabel": "Attrited Customer",
                 "id": "CLIENTNUM"}, "auc": 0.993},
    TELCO: {
        "data": {"target": "Churn", "positiveLabel": "Yes", "id": "customerID"}, "auc": 0.846},
}
ECE_GOAL = 0.02


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
    floor = 1e-15
    return -sum(math.log(min(max(score if label else 1 - score, floor), 1.0))
                for score, label in zip(scores, labels)) / len(labels)


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


class Bench:
    """`data` is a folder or None, `programs` that of the programs, `folder` one to work in."""

    def __init__(self, data, programs, folder, algorithm="Auto"):
        self.algorithm = algorithm
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

    def fold(self, name, header, rows, folds, fold):
        """Scores and labels of one fold, and the seconds of its training."""
        spec = FILES[name]["data"]
        target, key = header.index(spec["target"]), header.index(spec["id"])
        work = f"{name}-{fold}".replace("_", "-")  # names of models and batches: RFC 1123
        train, test = self.folder / f"{work}.train.csv", self.folder / f"{work}.test.csv"
        held = [row for row, of in zip(rows, folds) if of == fold]
        self.write_rows(train, header, [row for row, of in zip(rows, folds) if of != fold])
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
        return ([scores[row[key]] for row in held],
                [int(row[target] == spec["positiveLabel"]) for row in held], seconds)

    def measure(self, name):
        header, rows, folds = self.read(name)
        results = [self.fold(name, header, rows, folds, fold) for fold in sorted(set(folds))]
        scores = [score for part in results for score in part[0]]
        labels = [label for part in results for label in part[1]]
        mean = lambda figure: sum(figure(part[0], part[1]) for part in results) / len(results)
        return {"auc": mean(auc), "log_loss": mean(log_loss), "ece": ece(scores, labels),
                "train_seconds": max(part[2] for part in results)}


def figures(name, measured):
    """What is reported: value, unit, goal (None: only reported) and whether it is met."""
    floor = FILES[name]["auc"]
    yield f"quality.{name}.auc", measured["auc"], "", floor, measured["auc"] >= floor
    yield f"quality.{name}.log_loss", measured["log_loss"], "", None, None
    yield f"quality.{name}.ece", measured["ece"], "", ECE_GOAL, measured["ece"] <= ECE_GOAL
    yield f"quality.{name}.train_seconds", measured["train_seconds"], "s", None, None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", help="folder with NAME.csv and folds/NAME.csv")
    parser.add_argument("--bin", default=os.environ.get("CHURN_BIN", ROOT / "build" / "bin"),
                        help="folder of the programs")
    parser.add_argument("--algorithm", default="Auto", help="of the ChurnModels; the floors are Auto's")
    parser.add_argument("--json", help="file for JSON lines, - for standard output")
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory(prefix="churn-quality-") as folder:
        bench = Bench(options.data, options.bin, folder, options.algorithm)
        for name in filter(bench.has, FILES):
            for figure, value, unit, goal, met in figures(name, bench.measure(name)):
                lines.append({"name": figure, "value": round(value, 4), "unit": unit,
                              "reference": None, "ratio": None, "goal": goal, "met": met})
                verdict = "" if met is None else f"goal {goal:<6} {'met' if met else 'NOT MET'}"
                print(f"{figure:<44} {value:9.4f} {unit:<2} {verdict}", flush=True)
    if options.json:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        sys.stdout.write(text) if options.json == "-" else Path(options.json).write_text(text)
    return 0 if all(line["met"] is not False for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
