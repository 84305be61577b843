"""churn-store-probe from Python: one operation of lib/store in a process of its own."""
import dataclasses
import json
import os
import subprocess

PROGRAM = os.path.join(os.environ["CHURN_BIN"], "churn-store-probe")


class Refused(Exception):
    """The failure that the program told; `troubles` is what it waited out before."""

    def __init__(self, code, log):
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        super().__init__(lines[-1]["error"] if lines else log)
        self.code = code
        self.kind = lines[-1].get("kind") if lines else None
        self.troubles = [line["error"] for line in lines[:-1]]


@dataclasses.dataclass
class Info:
    bytes: int
    updated: int
    generation: str


def run(variables, *arguments, data=b"", timeout=120):
    """Standard output of the program, whose environment is `variables`."""
    kept = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS") if name in os.environ}
    result = subprocess.run([PROGRAM, *arguments], input=data, capture_output=True, env={**kept, **variables},
                            timeout=timeout, check=False)
    if result.returncode != 0:
        raise Refused(result.returncode, result.stderr.decode(errors="replace"))
    return result.stdout


def put(variables, uri, data, *options):
    return Info(**json.loads(run(variables, *options, "put", uri, data=data)))


def compose(variables, uri, *parts):
    return Info(**json.loads(run(variables, "compose", uri, *parts)))


def stat(variables, uri):
    return Info(**json.loads(run(variables, "stat", uri)))


def listing(variables, uri):
    """{name: Info}; folders end in "/"."""
    entries = [json.loads(line) for line in run(variables, "entries", uri).splitlines()]
    return {entry.pop("name"): Info(**entry) for entry in entries}
