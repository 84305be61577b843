"""Libraries that scoring and quality are measured beside, each in its newest version that Debian's Python takes.

They come from PyPI into an environment of their own, which is made once and kept in the cache."""
import json
import os
import subprocess
import sys

import data
from measure import run, say

REQUIREMENTS = os.path.join(data.HERE, "peer.requirements")
SCRIPT = os.path.join(data.HERE, "peer_score.py")
POLARS = ("import polars, sys, time\nt = time.process_time()\npolars.read_csv(sys.argv[1])\n"
          "print(time.process_time() - t)")


class Missing(Exception):
    """The libraries cannot be had; says why."""


def python():
    """The interpreter of the environment that has them."""
    sys.path.insert(0, os.path.join(data.ROOT, "tests", "stores"))
    import parts
    say("libraries to measure beside")
    try:
        return str(parts.environment("bench-peers-2", "-r", REQUIREMENTS) / "python3")
    except (OSError, subprocess.CalledProcessError) as failure:
        raise Missing(f"tests/bench/peer.requirements cannot be installed: {failure}") from failure


class Peers:
    """`missing` says why there are none."""

    def __init__(self, model, history, output):
        self.model, self.output, self.missing = model, output, None
        try:
            self.python = python()
        except Missing as missing:
            self.missing = str(missing)
            return
        for name in ("catboost", "lightgbm"):
            run([self.python, SCRIPT, name, model, history, f"{data.TARGET}={data.POSITIVE}", "--train"])

    def score(self, name, weekly, reasons, rows=None):
        """What it took, and the CPU seconds of its phases."""
        usage = run([self.python, SCRIPT, name, self.model, weekly, self.output, "--reasons", str(reasons),
                     *(["--rows", str(rows)] if rows else [])], keep_output=True)
        return usage, json.loads(usage.output)

    def parse(self, weekly):
        """CPU seconds of polars for reading a file into typed columns."""
        return float(run([self.python, "-c", POLARS, weekly], keep_output=True).output)
