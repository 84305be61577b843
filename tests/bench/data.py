"""Files for the benchmarks: customers by bench-generate, job documents, a reference model."""
import json
import os

from measure import Failed, run, say

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(ROOT, "build", "bin")
HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = os.path.join(ROOT, "manifests", "samples", "telco_history.csv")
TARGET, POSITIVE, IDENTITY = "Churn", "Yes", "customerID"
HISTORY = "history.csv"  # of the reference model
JITTER = ("tenure", "MonthlyCharges", "TotalCharges")

# Trees of the reference booster. The rate is so small that validation, which chooses the number of
# trees up to max_trees, takes them all.
TREES, DEPTH, RATE = 400, 4, 0.01


def program(name):
    path = os.path.join(BIN, name)
    if not os.access(path, os.X_OK):
        raise Failed(f"{path} is not there")
    return path


def generate(path, rows, seed, history=False):
    """A history, or a weekly file: the same without the target."""
    say(f"{rows:,} rows into {os.path.basename(path)}")
    command = [program("bench-generate"), "--rows", str(rows), "--seed", str(seed), "--id", IDENTITY]
    for column in JITTER:
        command += ["--jitter", column]
    if not history:
        command += ["--drop", TARGET]
    with open(path, "wb") as file:
        run([*command, SAMPLE], stdout=file)
    return path


def write_json(path, document):
    with open(path, "w") as file:
        json.dump(document, file)
    return path


def train_job(folder, history, name, algorithm="GradientBoosting", **members):
    return write_json(os.path.join(folder, f"train-{name}.json"), {
        "version": 1, "kind": "Train", "model": name,
        "data": {"uri": f"file://{history}", "target": TARGET, "positiveLabel": POSITIVE,
                 "id": IDENTITY},
        "algorithm": algorithm, "artifacts": {"uri": f"file://{folder}/models/"}, **members})


def reference_parameters():
    return {"max_depth": str(DEPTH), "min_child_weight": "1", "learning_rate": str(RATE),
            "max_trees": str(TREES), "lambda": "1"}


def train(folder, job, threads=1):
    """Runs a training job; returns its usage and result document."""
    result = os.path.join(folder, "result.json")
    usage = run([program("churn-trainer"), "--job", job, "--result", result], threads=threads)
    with open(result) as file:
        return usage, json.load(file)


def reference_model(folder, seed):
    """The folder of a published model of TREES trees of depth DEPTH."""
    history = generate(os.path.join(folder, HISTORY), 10000, seed, history=True)
    say(f"a model of {TREES} trees of depth {DEPTH}")
    job = train_job(folder, history, "reference", parameters=reference_parameters(),
                    validation={"folds": 2})
    _, result = train(folder, job, threads=os.cpu_count())
    return result["model"]["uri"].removeprefix("file://")
