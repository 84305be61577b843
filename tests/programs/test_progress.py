"""Goal: a person at a terminal sees how far trainer and scorer are, a log collector one JSON line a step.

Method: the programs on a pseudo-terminal, on files that keep them busy for a while; what they wrote
to it is cut into what stood on a line, one after the other.
"""
import json
import os
import pty
import re
import subprocess
import threading
import unittest

from scorer_case import BIN, ScorerTest, weekly
from trainer_case import QUICK, STAGES, TrainerTest, history

REDRAW = "\r\x1b[K"  # to the begin of the line, and nothing on it
STEP = re.compile(r"(\w+) +\d+\.\d\d s")
BAR = re.compile(r"(\w+) +\[(#* *)\] +(\d+) %( +\d+ rows/s)?  \d+ s left")


def run_on_terminal(test, program, job):
    """Its exit code and the lines of the screen, each a list of what stood there, the last for good."""
    try:
        ours, theirs = pty.openpty()
    except OSError as error:
        test.skipTest(f"no pseudo-terminal here: {error}")
    pieces = []

    def read():
        try:
            while piece := os.read(ours, 4096):
                pieces.append(piece)
        except OSError:  # the other side is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    done = subprocess.run([BIN / program, "--job", job, "--result", job.parent / "result.json"],
                          stderr=theirs, timeout=300)
    os.close(theirs)
    reader.join()
    os.close(ours)
    text = b"".join(pieces).decode().replace("\r\n", "\n")
    return done.returncode, [line.removeprefix(REDRAW).split(REDRAW) for line in text.rstrip("\n").split("\n")]


class Terminal:
    """What tests of both programs look at."""

    def assert_steps(self, lines, names):
        """A line a step, with its seconds, and no JSON."""
        self.assertEqual([STEP.fullmatch(line[-1])[1] for line in lines], names)
        self.assertNotIn("{", str(lines))

    def assert_bars(self, line, name, rows):
        """Bars that grow, with the time left, and with rows a second if the step has rows."""
        self.assertEqual(line[0].rstrip(), name)
        bars = [BAR.fullmatch(text) for text in line[1:-1]]
        self.assertTrue(bars and all(bars), line)
        percents = [int(bar[3]) for bar in bars]
        self.assertEqual(percents, sorted(percents))
        for bar in bars:
            self.assertEqual((bar[1], len(bar[2]), bool(bar[4])), (name, 30, rows), bar[0])
            self.assertAlmostEqual(bar[2].count("#") / 30, int(bar[3]) / 100, delta=0.05)


class Scorer(ScorerTest, Terminal):
    def test_a_terminal_shows_a_bar_and_the_outcome(self):
        self.write(weekly(300000))
        code, lines = run_on_terminal(self, "churn-scorer", self.job())
        self.assertEqual(code, 0)
        self.assert_steps(lines[:-1], ["Load", "Score"])
        self.assert_bars(lines[1], "Score", rows=True)
        self.assertEqual(lines[-1], [f"Scored: 300000 rows, file://{self.output}"])

    def test_a_terminal_shows_an_error_as_a_sentence(self):
        self.write(["id,age", "c1,3"])
        code, lines = run_on_terminal(self, "churn-scorer", self.job())
        self.assertEqual(code, 65)
        self.assertEqual(lines[-1], ["churn-scorer: weekly.csv has no column city (its header: id, age)"])

    def test_elsewhere_each_step_is_a_line_of_json(self):
        self.write(weekly(10))
        self.score(self.job())
        steps = [json.loads(line) for line in self.stderr.splitlines()]
        self.assertEqual([(step["level"], step["step"], step["state"]) for step in steps],
                         [("info", "Load", "Succeeded"), ("info", "Score", "Succeeded")])
        self.assertTrue(all(step["seconds"] >= 0 for step in steps))


class Trainer(TrainerTest, Terminal):
    STEPS = [stage.capitalize() for stage in STAGES]

    def test_a_terminal_shows_a_bar_and_the_outcome(self):
        self.write(history(rows=1000))
        code, lines = run_on_terminal(self, "churn-trainer", self.job())
        self.assertEqual(code, 0)
        self.assert_steps(lines[:-1], self.STEPS)
        self.assert_bars(lines[self.STEPS.index("Fit")], "Fit", rows=False)
        model = json.loads((self.folder / "result.json").read_text())["model"]
        self.assertEqual(lines[-1], [f"Trained: version {model['version']}, {model['uri']}report.html"])

    def test_the_bar_of_a_long_history_has_rows_a_second(self):
        """The file has one class only, so that nothing comes after Ingest; its ids come thrice."""
        header, *rows = history(rows=300_000)
        self.write([header] + 3 * [f"{row[:-1]}0" for row in rows])
        code, lines = run_on_terminal(self, "churn-trainer", self.job())
        self.assertEqual(code, 65)
        self.assert_bars(lines[0], "Ingest", rows=True)

    def test_elsewhere_each_step_is_a_line_of_json(self):
        self.write(history())
        done = subprocess.run([BIN / "churn-trainer", "--job", self.job(parameters=QUICK), "--result",
                               self.folder / "result.json"], stderr=subprocess.PIPE, text=True, timeout=120)
        steps = [json.loads(line) for line in done.stderr.splitlines()]
        self.assertEqual([(step["step"], step["state"]) for step in steps],
                         [(name, "Succeeded") for name in self.STEPS])


if __name__ == "__main__":
    unittest.main()
