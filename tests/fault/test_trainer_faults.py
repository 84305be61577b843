"""Goal: whatever fails below churn-trainer, a version and a run record appear whole or not at all, and
the program says rightly what failed.

Method: faults.py. A small training that publishes a version and a run record, and the same training
once more, which finds them."""
import shutil

from faults import KINDS, FaultTest, Scenario, sample, temporary_folder
from trainer_case import history

RUN_KEY = "0123456789abcdef0123456789abcdef"


def training(folder, **changes):
    (folder / "history.csv").write_text("\n".join(history(150)) + "\n")
    return {"version": 1, "kind": "Train", "model": "bank/retail", "runKey": RUN_KEY,
            "algorithm": "LogisticRegression",
            "data": {"uri": f"file://{folder}/history.csv", "target": "left", "id": "id"},
            "artifacts": {"uri": f"file://{folder}/out/"}, **changes}


class Trainer(FaultTest):
    @classmethod
    def setUpClass(cls):
        folder = temporary_folder(cls)
        cls.fresh = Scenario(folder, "churn-trainer", training(folder))
        made = folder / "made"
        shutil.copytree(cls.fresh.out, made)
        cls.again = Scenario(folder, "churn-trainer", cls.fresh.document,
                             lambda out: shutil.copytree(made, out, dirs_exist_ok=True))

    def test_memory(self):
        self.every(self.fresh, "memory", "ENOMEM", sample(80, 80))

    def test_memory_of_boosting(self):
        folder = temporary_folder(type(self))
        scenario = Scenario(folder, "churn-trainer",
                            training(folder, algorithm="GradientBoosting",
                                     parameters={"max_trees": "5"}))
        self.every(scenario, "memory", "ENOMEM", sample(0, 60))


    def test_threads(self):
        """Of those that search and fit."""
        folder = temporary_folder(type(self))
        scenario = Scenario(folder, "churn-trainer",
                            training(folder, algorithm="Auto", parameters={"max_trees": "5"}), threads=3)
        self.every(scenario, "memory", "ENOMEM", sample(0, 30))
        for kind in KINDS:
            self.every(scenario, "calls", kind, sample(0, 8))


def add_tests():
    for kind in KINDS:
        def test(self, kind=kind):
            self.every(self.fresh, "calls", kind)
            self.every(self.again, "calls", kind)
        setattr(Trainer, f"test_{kind}", test)


add_tests()
