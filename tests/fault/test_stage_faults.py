"""Goal: whatever fails below one stage of churn-trainer, what it leaves in its folder appears whole or not
at all, and the stage can be run again there.

Method: faults.py. The stages of a small training, one by one, each in the folder that the stage before
has left."""
import json
import shutil

from faults import KINDS, FaultTest, Scenario, sample, temporary_folder
from test_trainer_faults import training
from trainer_case import STAGES


class Stages(FaultTest):
    @classmethod
    def setUpClass(cls):
        folder = temporary_folder(cls)
        published = folder / "package" / "out"
        document = training(folder, artifacts={"uri": f"file://{published}/"})
        before = folder / "before"
        before.mkdir()
        (before / "job.json").write_text(json.dumps(document))
        cls.scenarios = []
        for stage in STAGES:
            (folder / stage).mkdir()
            state = folder / stage / "out" / "state"
            scenario = Scenario(folder / stage, "churn-trainer", document,
                                lambda out, before=before: shutil.copytree(before, out / "state"),
                                arguments=[stage, "--in", state, "--out", state])
            before = folder / f"after-{stage}"
            shutil.copytree(state, before)
            cls.scenarios.append(scenario)

    def statuses(self, scenario, run):
        """What a stage has put into its folder it reads again."""
        return super().statuses(scenario, run) | ({75} if run.kind == "EIO" else set())

    def test_memory(self):
        for scenario in self.scenarios:
            self.every(scenario, "memory", "ENOMEM", sample(0, 8))


def add_tests():
    for kind in KINDS:
        def test(self, kind=kind):
            for scenario in self.scenarios:
                self.every(scenario, "calls", kind, sample(0, 10))
        setattr(Stages, f"test_{kind}", test)


add_tests()
