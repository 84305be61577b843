"""Goal: whatever fails below churn-scorer, output, manifest and rejects appear whole or not at all, and
the program says rightly what failed.

Method: faults.py. A small weekly file with two bad rows is scored; then with its output there
already, with another's output there that it may replace, and with fewer bad rows allowed than there
are. A long file is scored too, whose ids need a scratch file. A shard makes its part, and Compose the
output of two."""
import shutil

from faults import KINDS, FaultTest, Scenario, sample, temporary_folder
from scorer_case import weekly
from test_trainer_faults import training

LONG = 135_000  # rows; from the 131,072nd on ids are in a scratch file
SPEC_HASH = "0123456789abcdef0123456789abcdef"


def train(test_class):
    """The URI of a model that knows the columns of weekly()."""
    folder = temporary_folder(test_class)
    Scenario(folder, "churn-trainer", training(folder))
    [document] = folder.glob("out/*/*/model.json")
    return f"file://{document.parent}/"


def scoring(folder, model, rows, **changes):
    (folder / "week.csv").write_text("\n".join([*rows, "no customer"]) + "\n")
    return {"version": 1, "kind": "Score", "batch": "bank/week", "specHash": SPEC_HASH,
            "model": {"uri": model}, "input": {"uri": f"file://{folder}/week.csv"},
            "output": {"uri": f"file://{folder}/out/", **changes.pop("output", {})},
            "reasons": 2, "maxRejected": "0.1", **changes}


def put_others_output(out):
    for name in ("week.csv", "week.csv.manifest.json", "week.csv.rejects.csv"):
        (out / name).write_text("another's\n")


class Scorer(FaultTest):
    @classmethod
    def setUpClass(cls):
        cls.model = train(cls)
        cls.fresh = cls.scenario()
        made = cls.fresh.folder / "made"
        shutil.copytree(cls.fresh.out, made)
        again = Scenario(cls.fresh.folder, "churn-scorer", cls.fresh.document,
                         lambda out: shutil.copytree(made, out, dirs_exist_ok=True))
        replacing = cls.scenario(put_others_output, output={"overwrite": True})
        refused = cls.scenario(status=65, maxRejected="0.001")
        cls.scenarios = [cls.fresh, again, replacing, refused, *cls.sharded()]

    @classmethod
    def sharded(cls):
        """The second of two shards, and composing both."""
        folder, other = temporary_folder(cls), temporary_folder(cls)
        job = scoring(folder, cls.model, weekly(100), shard={"count": 2})
        made = folder / "made"
        for index in range(2):
            shard = Scenario(folder, "churn-scorer", job, arguments=["--shard-index", str(index)])
            shutil.copytree(shard.out, made, dirs_exist_ok=True)
        [parts] = made.glob("*.parts/*")
        compose = {**job, "kind": "Compose", "parts": f"file://{shard.out / parts.relative_to(made)}/"}
        job = scoring(other, cls.model, weekly(100), shard={"count": 2})
        return [Scenario(other, "churn-scorer", job, arguments=["--shard-index", "1"]),
                Scenario(folder, "churn-scorer", compose,
                         lambda out: shutil.copytree(made, out, dirs_exist_ok=True))]

    @classmethod
    def scenario(cls, prepare=None, status=0, rows=100, threads=1, **changes):
        folder = temporary_folder(cls)
        return Scenario(folder, "churn-scorer",
                        scoring(folder, cls.model, weekly(rows), **changes), prepare, status, threads=threads)

    def test_memory(self):
        self.every(self.fresh, "memory", "ENOMEM", sample(40, 60))
        for scenario in self.scenarios[1:]:
            self.every(scenario, "memory", "ENOMEM", sample(0, 20))

    def test_threads(self):
        """Of those that score blocks of rows; the file has several."""
        scenario = self.scenario(rows=20_000, threads=3)
        self.every(scenario, "memory", "ENOMEM", sample(0, 30))
        for kind in KINDS:
            self.every(scenario, "calls", kind, sample(0, 12))

    def test_scratch_file(self):
        scenario = self.scenario(rows=LONG, reasons=0)
        for kind in ["EIO", "ENOSPC", "SHORT", "SIGTERM"]:
            self.every(scenario, "calls", kind, sample(0, 12))


def add_tests():
    for kind in [*KINDS, "SIGTERM+EINTR"]:
        def test(self, kind=kind):
            for scenario in self.scenarios:
                self.every(scenario, "calls", kind)
        setattr(Scorer, f"test_{kind}".replace("+", "_and_"), test)


add_tests()
