"""Runs a program again and again, each time with another call failing.

A Scenario is a folder with inputs, a job document, and what the program makes of it when nothing
fails. Faults come from a library that is preloaded (fault_calls.c, fault_memory.c), so the program is
the one that images ship. After each fault:

- what stands under a final name is what an undisturbed run puts there, byte by byte, or what was
  there before;
- nothing unfinished is left behind, unless the process was killed or was not let remove it;
- the exit code says what failed; stderr and the result document say it in words, once;
- the same job, undisturbed, then ends in the same bytes as if nothing had ever happened.

$CHURN_BIN names the folder of the programs, $CHURN_FAULT that of the libraries. $CHURN_FULL=1: every
allocation fails in turn, not a sample."""
import collections
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("CHURN_BIN", ROOT / "build" / "release" / "bin")).resolve()
LIBRARIES = Path(os.environ.get("CHURN_FAULT", ROOT / "build" / "release" / "fault")).resolve()
FULL = os.environ.get("CHURN_FULL") == "1"
sys.path.insert(0, str(ROOT / "tests" / "programs"))

RECORD = struct.Struct("16sQQ16s232s")  # struct fault of fault.h
PART = ".churn-part."
KINDS = ["EIO", "ENOSPC", "EACCES", "EINTR", "SHORT", "SIGTERM"]
TERMINATED, OUT_OF_MEMORY = 143, 70
# The only text that differs between two runs: times, and the numbers in the names of parts.
TIMED = re.compile(rb'"trainedAt": "[^"]*"|(?<=part-\d{5}-)[0-9a-f]{8}')

Run = collections.namedtuple("Run", "kind number count call file status stderr result")


def read_json(path):
    """None when there is none, or half of one."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def plain(text):
    return TIMED.sub(b"", text)


def read_tree(folder):
    """Every finished file, by its path."""
    return {plain(str(path.relative_to(folder)).encode()).decode(): plain(path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(PART)}


class Scenario:
    """What the program publishes is below <folder>/out/, where `prepare(out)` has put what is there
    before each run. With more than one thread it is chance which call is the n-th, and whether there is one."""

    def __init__(self, folder, program, job, prepare=None, status=0, arguments=(), threads=1):
        self.folder, self.program, self.status = folder, program, status
        self.arguments, self.threads = arguments, threads
        self.out, self.job, self.result = folder / "out", folder / "job.json", folder / "result.json"
        self.document = job
        self.job.write_text(json.dumps(job))
        self.prepare = prepare or (lambda out: None)
        self.recovered = set()  # states from which an undisturbed run was seen to end well
        self.clear()
        self.before = self.tree()
        calm = self.run()
        assert calm.status == status, calm
        self.after = self.tree()

    def clear(self):
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        self.prepare(self.out)

    def run(self, library="", kind="", number=0):
        """Undisturbed without a library; counting only without a number."""
        record = self.folder / "fault"
        record.write_bytes(RECORD.pack(kind.encode(), number, 0, b"", b""))
        environment = dict(os.environ, TMPDIR=str(self.folder), FAULT_FILE=str(record))
        if library:
            environment["LD_PRELOAD"] = str(LIBRARIES / f"libchurn-fault-{library}.so")
        self.result.unlink(missing_ok=True)
        done = subprocess.run([BIN / self.program, "--job", self.job, "--result", self.result,
                               "--threads", str(self.threads), *self.arguments], env=environment, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        _, _, count, call, file = RECORD.unpack(record.read_bytes())
        return Run(kind, number, count, call.rstrip(b"\0").decode(), file.rstrip(b"\0").decode(),
                   done.returncode, done.stderr.decode(), read_json(self.result))

    def tree(self):
        return read_tree(self.out)

    def parts(self):
        return [path.name for path in self.out.rglob(PART + "*")]

    def is_output(self, file):
        """Parts are opened and renamed by their names alone, in their folder; folders above are made."""
        return file.startswith(str(self.out)) or str(self.out).startswith(file) or "/" not in file

    def was_there(self, file):
        return any(str(self.out / name) == plain(file.encode()).decode() for name in self.before)

    def is_report(self, file):
        return file == str(self.result)


def is_log(file):
    return file.startswith("pipe:")


class FaultTest(unittest.TestCase):
    """What holds after each fault."""

    def every(self, scenario, library, kind, choose=lambda count: range(1, count + 1)):
        """One run for each call that the kind can happen to, or for those that are chosen."""
        scenario.clear()
        count = scenario.run(library, kind).count
        self.assertGreater(count, 0, "no call was counted: is the library of faults built?")
        numbers = choose(count)
        for number in numbers:
            scenario.clear()
            run = scenario.run(library, kind, number)
            with self.subTest(kind=kind, number=number, call=run.call, file=run.file):
                if scenario.threads == 1:
                    self.assertNotEqual(run.call, "", "the call was not made")
                self.assert_status(scenario, run)
                self.assert_whole_or_absent(scenario, run)
                self.assert_says_so(scenario, run)
                self.assert_recovers(scenario)
        print(f"{scenario.program} {kind}: {len(numbers)} of {count} calls", flush=True)

    def assert_status(self, scenario, run):
        self.assertIn(run.status, {scenario.status, *self.statuses(scenario, run)}, run)

    def assert_whole_or_absent(self, scenario, run):
        tree = scenario.tree()
        for name, content in tree.items():
            self.assertIn(content, (scenario.before.get(name), scenario.after.get(name)),
                          f"{name}: {run}")
        for name in scenario.before.keys() & scenario.after.keys():
            self.assertIn(name, tree, run)
        if run.status == scenario.status:  # parts that cannot be removed any more do no harm
            parts = {name for name in scenario.before if ".parts/" in name}
            self.assertEqual(sorted(tree.keys() - parts), sorted(scenario.after.keys() - parts), run)
        if run.status not in (OUT_OF_MEMORY, TERMINATED) and "unlink" not in run.call:
            self.assertEqual(scenario.parts(), [], run)

    def assert_says_so(self, scenario, run):
        """Once on stderr, and the same in the result document, unless that is what failed."""
        if run.status in (0, TERMINATED) or is_log(run.file):
            return
        if run.kind == "ENOMEM" and "out of memory" in run.stderr.splitlines()[-1].lower():
            return
        errors = [line["error"] for line in map(json.loads, run.stderr.splitlines())
                  if line["level"] == "error"]
        if scenario.is_report(run.file) and run.result is None:
            self.assertIn(str(scenario.result), errors[-1], run)
        else:
            self.assertEqual([run.result["message"]], errors, run)
            self.assertEqual(run.result["exitCode"], run.status, run)

    def assert_recovers(self, scenario):
        """Once for each state that faults leave."""
        state = (frozenset(scenario.tree().items()), len(scenario.parts()))
        if state in scenario.recovered:
            return
        run = scenario.run()
        self.assertEqual(run.status, scenario.status, run)
        self.assertEqual(scenario.tree(), scenario.after)
        scenario.recovered.add(state)

    def statuses(self, scenario, run):
        """The exit codes that tell the truth about this fault. That of an undisturbed run is good
        too: what failed did not matter, which the files prove."""
        if run.kind == "ENOMEM":
            return {OUT_OF_MEMORY}
        if run.kind.startswith("SIGTERM"):
            return {TERMINATED}
        if run.kind == "SHORT":
            return set()
        if run.kind == "EINTR":
            return {69, 75}
        if scenario.is_report(run.file):
            return {73}
        if run.kind == "EACCES":
            return {77}
        if not scenario.is_output(run.file):
            return {75}
        return {73, 75} if scenario.was_there(run.file) else {73}  # 75: it could not be read


def sample(first, further):
    """All when $CHURN_FULL=1, else the first ones and a seeded choice of the others."""
    def choose(count):
        if FULL or count <= first + further:
            return range(1, count + 1)
        later = random.Random(1).sample(range(first + 1, count + 1), further)
        return [*range(1, first + 1), *sorted(later)]
    return choose


def temporary_folder(test_class):
    folder = tempfile.TemporaryDirectory(prefix="churn-fault-")
    test_class.addClassCleanup(folder.cleanup)
    return Path(folder.name)
