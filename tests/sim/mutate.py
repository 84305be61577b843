#!/usr/bin/env python3
"""Breaks the controller on purpose, one mutation of mutations.py after the other, in a copy below
build/mutations, and expects the simulation or a unit test to fail. What survives shows a missing
test. The cheapest test that may notice comes first: whoever noticed the last time, unit tests whose name
has a word of the file's, few seeds of the simulation, all other unit tests, more seeds, each property of
the API.

usage: tests/sim/mutate.py [--seeds N] [--quick] [NAME...]   only the mutations whose name contains a NAME
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys

from mutations import MUTATIONS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COPY = os.path.join(ROOT, "build", "mutations")
PROCESSES = os.cpu_count() or 1
UNIT_TESTS = [os.path.basename(path)[:-2]
              for folder in ("controller", "kube")
              for path in sorted(glob.glob(os.path.join(ROOT, "tests/unit", folder, "test_*.c")))] + ["test_golden"]
TIMEOUT_SECONDS = 600
# Broken code need not be tidy. Not by other options of the compiler: nothing else is to be built again.
UNTIDY = "".join(f'#pragma GCC diagnostic ignored "-W{kind}"\n' for kind in (
    "unused-function", "unused-variable", "unused-parameter", "unused-but-set-variable"))
FIRST_SEEDS = 20
NOTICED = os.path.join(COPY, "build", "noticed.json")  # mutation -> who noticed it the last time
SIMULATION = "the simulation"
PROPERTIES = "the properties"
KINDS = ["churnmodels", "churnbatches"]
COMPILER = "the compiler"


def run(command):
    """Whether it succeeds; a time-out is a failure."""
    try:
        return subprocess.run(command, cwd=COPY, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=TIMEOUT_SECONDS,
                              check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def copy_tree():
    """Files that did not change keep their times, so that little is built again."""
    os.makedirs(COPY, exist_ok=True)
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = {name for name in names if os.path.isfile(os.path.join(ROOT, name))}
    for name in wanted:
        source, target = os.path.join(ROOT, name), os.path.join(COPY, name)
        with open(source, "rb") as file:
            content = file.read()
        os.makedirs(os.path.dirname(target), exist_ok=True)
        write_if_other(target, content)
        os.chmod(target, os.stat(source).st_mode)
    for folder, folders, files in os.walk(COPY):
        folders[:] = [name for name in folders if name != "build"]
        for name in files:
            if os.path.relpath(os.path.join(folder, name), COPY) not in wanted:
                os.remove(os.path.join(folder, name))


def write_if_other(path, content):
    if os.path.isfile(path):
        with open(path, "rb") as file:
            if file.read() == content:
                return
    with open(path, "wb") as file:
        file.write(content)


def mutate(text, before, after):
    """The mutated text, None unless `before` stands there once; white space does not count."""
    pattern = r"\s*".join(re.escape(word) for word in re.findall(r"\w+|[^\w\s]", before))
    matches = list(re.finditer(pattern, text))
    if len(matches) != 1:
        return None
    return text[:matches[0].start()] + after + text[matches[0].end():]


def build(targets):
    return run(["hack/build", "--preset", "sim", *targets])


def simulate(first, count):
    """Whether so many seeds hold, played by all processors."""
    share = -(-count // PROCESSES)
    commands = [["build/sim/bin/sim", "--stop", "--from", str(first + i * share), "--seeds",
                 str(share)] for i in range(PROCESSES)]
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        return all(pool.map(run, commands))


def noticed_by_seeds(first, count):
    if not build(["sim"]):
        return COMPILER
    return "" if simulate(first, count) else SIMULATION


def noticed_by_properties():
    if not build(["sim-properties"]):
        return COMPILER
    return "" if run(["build/sim/bin/sim-properties", *KINDS]) else PROPERTIES


def noticed_by_tests(tests):
    if not build(tests):
        return COMPILER
    return next((test for test in tests if not run([f"build/sim/unit/{test}"])), "")


def who_notices(file, seeds, last, quick):
    """The name of what fails, "" when nothing does."""
    words = set(os.path.splitext(os.path.basename(file))[0].split("_"))
    own = [test for test in UNIT_TESTS if words & set(test.split("_"))]
    first = [test for test in dict.fromkeys((last, *own)) if test in UNIT_TESTS]
    near = [(noticed_by_tests, first)] if first else []
    few = [(noticed_by_seeds, 1, FIRST_SEEDS)]
    attempts = few + near if last == SIMULATION else near + few
    attempts.append((noticed_by_tests, [test for test in UNIT_TESTS if test not in first]))
    if not quick:
        attempts.append((noticed_by_seeds, 1 + FIRST_SEEDS, seeds))
        attempts.append((noticed_by_properties,))
    if last == PROPERTIES:
        attempts.insert(0, (noticed_by_properties,))
    for function, *arguments in attempts:
        noticed = function(*arguments)
        if noticed:
            return noticed
    return ""


def read_noticed():
    try:
        with open(NOTICED, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def try_mutation(mutation, options, noticed):
    """What became of it, in words; None: all is well."""
    name, file, before, after = mutation
    path = os.path.join(COPY, file)
    with open(path, encoding="utf-8") as source:
        original = source.read()
    mutated = mutate(original, before, after)
    if mutated is None:
        return "does not apply: the code changed, mend mutations.py"
    write_if_other(path, (UNTIDY + mutated).encode())
    try:
        noticed_by = who_notices(file, options.seeds, noticed.get(name), options.quick)
    finally:
        write_if_other(path, original.encode())
    print(f"{name:52} {noticed_by or 'SURVIVES'}", flush=True)
    noticed[name] = noticed_by
    with open(NOTICED, "w", encoding="utf-8") as kept:
        json.dump(noticed, kept, indent=1)
    if noticed_by == "the compiler":
        return "does not compile: mend mutations.py"
    return None if noticed_by else "survives"


def main():
    parser = argparse.ArgumentParser(prog="tests/sim/mutate.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=200, help="per mutation (200)")
    parser.add_argument("--quick", action="store_true", help="only few seeds and the unit tests")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="only mutations whose name contains this")
    options = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS
              if not options.names or any(name in mutation[0] for name in options.names)]

    copy_tree()
    if not build(["sim"]) or not run(["build/sim/bin/sim", "--seeds", "5"]):
        sys.exit("the copy without any mutation does not work")
    complaints, noticed = [], read_noticed()
    for mutation in chosen:
        complaint = try_mutation(mutation, options, noticed)
        if complaint:
            complaints.append(f"{mutation[0]}: {complaint}")
    print("\n".join(complaints))
    print(f"{len(chosen) - len(complaints)} of {len(chosen)} mutations are noticed")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
