#!/usr/bin/env python3
"""Runs the scenarios, and the tests of tests/cluster, on a real cluster; prints a verdict a line as verdicts.py
does. Several run at once, each in a namespace of its own; then those that need the cluster for themselves.

The cluster is hack/cluster's, made for this run and removed after it; or with --use-existing the one that
$KUBECONFIG names (see real_cluster.py for what it must have)."""
import argparse
import ast
import concurrent.futures
import contextlib
import glob
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from cluster import ROOT, kubectl_program

sys.path.insert(0, os.path.join(ROOT, "hack", "kubenode"))
import boundary  # noqa: E402
from state import State  # noqa: E402

# The scenarios, and what only a real cluster has.
FOLDERS = [os.path.join(ROOT, "tests", name) for name in ("e2e", "cluster")]
# Break the cluster for all its users, or serve all namespaces: one after the other when the others have ended.
ALONE = ("test_outages.py", "test_install.py")
UNAVAILABLE = 69  # how scripts end when this machine lacks what they need
PARALLEL = 5  # a Job waits for most of its five seconds
SUITE_SECONDS = 1200


class Skipped(Exception):
    """Its text is the reason."""


def run_or_skip(*command):
    """Its messages are shown; returns what it prints."""
    done = subprocess.run([os.path.join(ROOT, command[0]), *command[1:]], capture_output=True, text=True, check=False)
    print(done.stderr, end="", flush=True)
    if done.returncode == UNAVAILABLE:
        raise Skipped(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def classes_with_tests(path):
    with open(path) as file:
        tree = ast.parse(file.read())
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and
            any(isinstance(part, ast.FunctionDef) and part.name.startswith("test_") for part in node.body)]


def run_suite(path, name, environment):
    """One class of one file; its output at once, so that those of several do not mix."""
    command = [sys.executable, os.path.join(ROOT, "tests", "verdicts.py"), path, name]
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=SUITE_SECONDS, check=False)
        output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as expired:
        output, status = (expired.stdout or b"").decode(errors="replace"), 1
    if status != 0 and "\nFAIL " not in "\n" + output:
        output += f"FAIL {os.path.basename(path)}.{name} did not come to its end\n"
    print(output, end="", flush=True)
    return status


def find_suites(names):
    """Pairs of a file and a class in it: those that may run beside others, and those that may not."""
    paths = sorted(path for folder in FOLDERS for path in glob.glob(os.path.join(folder, "test_*.py"))
                   if not names or os.path.basename(path) in names)
    if missing := set(names) - set(map(os.path.basename, paths)):
        raise SystemExit(f"no such file: {' '.join(missing)}")
    together = [path for path in paths if os.path.basename(path) not in ALONE]
    alone = [path for name in ALONE for path in paths if os.path.basename(path) == name]
    return [[(path, name) for path in group for name in classes_with_tests(path)] for group in (together, alone)]


def run_suites(names, environment):
    together, alone = find_suites(names)
    subprocess.run([kubectl_program(), "apply", "-f", os.path.join(ROOT, "crds")], env=environment, check=True)
    subprocess.run([kubectl_program(), "wait", "--for=condition=Established", "--timeout=60s", "-f",
                    os.path.join(ROOT, "crds")], env=environment, check=True)
    pool = concurrent.futures.ThreadPoolExecutor(PARALLEL)
    try:
        statuses = list(pool.map(lambda suite: run_suite(*suite, environment), together))
    finally:
        pool.shutdown(cancel_futures=True)
    statuses += [run_suite(*suite, environment) for suite in alone]
    return max(statuses)


def left_behind(state):
    """What is still there of a cluster that is down."""
    name = boundary.identity(State(state))
    found = glob.glob(f"/sys/fs/cgroup/**/{name}") + glob.glob(f"/sys/class/net/{name}")
    with open("/proc/self/mounts") as mounts:
        found += [line.strip() for line in mounts if state in line]
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path) as file:
            found += [command for command in [file.read().replace("\0", " ")] if state in command]
    return found + ([state] if os.path.exists(state) else [])


def sysctls():
    return [pathlib.Path("/proc/sys", name).read_text() for name in boundary.SYSCTLS]


def changed_machine(before):
    """What all clusters of a machine share goes back with the last of them."""
    alone = not glob.glob(os.path.join(boundary.MACHINE, "churn-*"))
    return ["other sysctls"] if alone and sysctls() != before else []


def on_own_cluster(options, environment):
    before = sysctls()
    with tempfile.TemporaryDirectory(prefix="churn-real-") as folder:
        state = os.path.join(folder, "cluster")
        try:
            run_or_skip("hack/cluster", "up", "--state", state, "--version", options.version)
            with open(os.path.join(state, "cluster.json")) as file:
                registry = json.load(file)["registry"]
            return run_suites(options.files, {
                **environment, "KUBECONFIG": os.path.join(state, "kubeconfig"), "CHURN_REGISTRY": registry,
                "CHURN_AUDIT_LOG": os.path.join(state, "log", "audit.log"), "CHURN_CLUSTER_STATE": state})
        finally:
            run_or_skip("hack/cluster", "down", "--state", state)
            found = left_behind(state) + changed_machine(before)
            print("\n".join([*found, ("FAIL" if found else "PASS") + " cluster.leaves_nothing_behind"]), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--use-existing", action="store_true", help="needs $KUBECONFIG and $CHURN_REGISTRY")
    parser.add_argument("--version", default="1.34.4", help="of hack/cluster (%(default)s)")
    parser.add_argument("files", nargs="*", metavar="FILE", help="test_main_job.py, ...; default: all")
    options = parser.parse_args()
    if options.use_existing and not os.environ.get("CHURN_REGISTRY"):
        parser.error("--use-existing needs CHURN_REGISTRY=HOST:PORT, a registry that the nodes reach")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    environment = dict(os.environ, CHURN_CLUSTER="real")
    try:
        run_or_skip("hack/images")
        if options.use_existing:
            return run_suites(options.files, environment)
        return on_own_cluster(options, environment)
    except Skipped as reason:
        print(f"SKIP cluster {reason}")
        return 0


if __name__ == "__main__":
    sys.exit(main())
