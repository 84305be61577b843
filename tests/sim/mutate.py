#!/usr/bin/env python3
"""Breaks the controller on purpose, one mutation of mutations.py after the other, in a copy below
build/mutations, and expects the simulation or a unit test to fail. What survives shows a missing
test.

usage: tests/sim/mutate.py [--seeds N] [NAME...]   only the mutations whose name contains a NAME
"""
import argparse
import concurrent.futures
import glob
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
              for path in sorted(glob.glob(os.path.join(ROOT, "tests/unit", folder, "test_*.c")))]
TIMEOUT_SECONDS = 900


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
        if name == "CMakeLists.txt":
            content = content.replace(b" -Werror", b"")  # broken code need not be tidy
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


def who_notices(seeds):
    """The name of what fails, "" when nothing does."""
    if not build(["sim"]):
        return "the compiler"
    share = -(-seeds // PROCESSES)
    commands = [["build/sim/bin/sim", "--stop", "--from", str(1 + i * share), "--seeds",
                 str(share)] for i in range(PROCESSES)]
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        if not all(pool.map(run, commands)):
            return "the simulation"
    if not build(UNIT_TESTS):
        return "the compiler"
    for test in UNIT_TESTS:
        if not run([f"build/sim/unit/{test}"]):
            return test
    return ""


def try_mutation(mutation, seeds):
    """What became of it, in words; None: all is well."""
    name, file, before, after = mutation
    path = os.path.join(COPY, file)
    with open(path, encoding="utf-8") as source:
        original = source.read()
    mutated = mutate(original, before, after)
    if mutated is None:
        return "does not apply: the code changed, mend mutations.py"
    write_if_other(path, mutated.encode())
    try:
        noticed_by = who_notices(seeds)
    finally:
        write_if_other(path, original.encode())
    print(f"{name:52} {noticed_by or 'SURVIVES'}", flush=True)
    if noticed_by == "the compiler":
        return "does not compile: mend mutations.py"
    return None if noticed_by else "survives"


def main():
    parser = argparse.ArgumentParser(prog="tests/sim/mutate.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=100, help="per mutation (100)")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="only mutations whose name contains this")
    options = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS
              if not options.names or any(name in mutation[0] for name in options.names)]

    copy_tree()
    if not build(["sim"]) or not run(["build/sim/bin/sim", "--seeds", "5"]):
        sys.exit("the copy without any mutation does not work")
    complaints = []
    for mutation in chosen:
        complaint = try_mutation(mutation, options.seeds)
        if complaint:
            complaints.append(f"{mutation[0]}: {complaint}")
    print("\n".join(complaints))
    print(f"{len(chosen) - len(complaints)} of {len(chosen)} mutations are noticed")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
