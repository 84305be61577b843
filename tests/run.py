"""Runs the test groups and counts. Called by hack/test, which installs what is needed.

A suite is one process. Its verdicts are read from its output: cmocka's lines, or the lines that
tests/verdicts.py prints for Python's unittest. A suite that dies, times out or gives no verdict
counts as a failure, so nothing is lost silently."""
import argparse
import concurrent.futures
import dataclasses
import glob
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PARALLEL = os.cpu_count() or 1
GRACE_SECONDS = 60
UNAVAILABLE = 69  # how scripts end when this machine lacks what they need
# Of presets that are not built whole, or not only what is built by default.
TARGETS = {"sim": ["sim", "sim-properties"], "release": ["all", "churn-fault", "bench-generate"]}


@dataclasses.dataclass
class Suite:
    name: str
    command: list
    environment: dict = dataclasses.field(default_factory=dict)
    timeout_seconds: int = 600
    whole: bool = False  # the exit status is the verdict: one test


@dataclasses.dataclass
class Outcome:
    passed: int = 0
    failed: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


CMOCKA = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+)$")
VERDICT = re.compile(r"^(PASS|FAIL|SKIP) (\S+)(?: (.*))?$")


def read_verdicts(suite, output):
    """cmocka names a failed test again in its summary; a set keeps it counted once."""
    passed, failed, skipped = set(), set(), {}
    for line in output.splitlines():
        if match := CMOCKA.match(line):
            word, test = match.groups()
            if word == "OK":
                passed.add(test)
            elif word == "FAILED":
                failed.add(test)
            else:
                skipped[test] = "skipped by the test"
        elif match := VERDICT.match(line):
            word, test, reason = match.groups()
            if word == "PASS":
                passed.add(test)
            elif word == "FAIL":
                failed.add(test)
            else:
                skipped[test] = reason
    return Outcome(len(passed - failed), [f"{suite.name}: {test}" for test in sorted(failed)],
                   [f"{suite.name}: {test}: {reason}" for test, reason in skipped.items()])


def run_process(suite):
    """Its own process group, so that a time-out leaves nothing behind."""
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="stdout", **suite.environment)
    process = subprocess.Popen(suite.command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        output, _ = process.communicate(timeout=suite.timeout_seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        output = end_group(process)
        status = f"no end after {suite.timeout_seconds} s"
    return status, output.decode(errors="replace")


def end_group(process):
    """Whoever has something to clear away gets the time for it. Returns the output."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        output, _ = process.communicate(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    return output


def run_suite(suite):
    status, output = run_process(suite)
    outcome = Outcome() if suite.whole else read_verdicts(suite, output)
    if status == 0 and suite.whole:
        outcome.passed = 1
    elif status == UNAVAILABLE and suite.whole:
        outcome.skipped.append(f"{suite.name}: {output.splitlines()[-1]}")
    elif status != 0 and not outcome.failed:
        outcome.failed.append(f"{suite.name}: ended with status {status}")
    elif not suite.whole and not (outcome.passed or outcome.failed or outcome.skipped):
        outcome.failed.append(f"{suite.name}: gave no verdict")
    if outcome.failed:
        print(f"----- {suite.name} (status {status})\n{output}-----", flush=True)
    return outcome


def build(preset):
    """Building is a test of its own: warnings are errors."""
    return run_suite(Suite(f"build {preset}", ["hack/build", "--preset", preset, *TARGETS.get(preset, [])],
                           timeout_seconds=2400, whole=True))


def programs_in(folder):
    return [path for path in sorted(glob.glob(os.path.join(ROOT, folder, "*")))
            if os.access(path, os.X_OK) and os.path.isfile(path)]


def cmocka_suites(preset, only=r"test_(?!golden)", full=False):
    environment = {"CHURN_FULL": "1"} if full else {}
    return [Suite(f"{preset}:{os.path.basename(path)}", [path], environment, 3600 if full else 600)
            for path in programs_in(f"build/{preset}/unit")
            if re.match(only, os.path.basename(path))]


def python_suites(folder, preset, timeout_seconds, only="test_*.py", **environment):
    environment["CHURN_BIN"] = os.path.join(ROOT, "build", preset, "bin")
    return [Suite(f"{preset}:{os.path.relpath(path, ROOT)}", [sys.executable, "tests/verdicts.py", path],
                  environment, timeout_seconds)
            for path in sorted(glob.glob(os.path.join(ROOT, folder, only)))]


def without_built(suites, options):
    """Of buckets' tests, what needs a program that is built from its Go module is for --full."""
    return [suite for suite in suites if options.full or not suite.name.endswith(BUILT)]


def style(options):
    return [], lambda: [Suite("style", ["hack/check-style"], whole=True)]


def unit(options):
    """Every module under the address and undefined behaviour sanitizers with both compilers; what
    runs beside other threads also under the thread sanitizer."""
    if options.quick:
        return ["dev"], lambda: cmocka_suites("dev")
    return (["dev", "clang", "tsan"], lambda: cmocka_suites("dev", full=options.exhaustive) + cmocka_suites("clang") +
            cmocka_suites("tsan", only=r"test_(facts|folder_(lister|share)|google_token|hooks|http|image_resolver|leadership|log|manager|parallel|pipeline|registry|search|senders|sockets|telemetry)"))


def golden(options):
    return ["dev"], lambda: cmocka_suites("dev", only="test_golden")


def fuzz(options):
    """The seeds always; without --quick each target also looks for new inputs."""
    def seeds():
        return [Suite(os.path.basename(path),
                      [path, "tests/fuzz/corpus/" + os.path.basename(path)[len("fuzz_"):]],
                      whole=True) for path in programs_in("build/dev/fuzz")]

    def search():
        runs = 100000 if options.full else 10000
        return [Suite(f"search {os.path.basename(path)}",
                      [sys.executable, "tests/fuzz/search.py", path, str(runs)], whole=True)
                for path in programs_in("build/fuzz/fuzz")]

    if options.quick:
        return ["dev"], seeds
    return ["dev", "fuzz"], lambda: seeds() + search()


def seeds_of(preset, count, processes, seconds_per_seed):
    """Seeds 1 to count, in so many processes. A seed that fails is made small and told."""
    share = -(-count // processes)
    return [Suite(f"{preset}:seeds from {first}",
                  [f"build/{preset}/bin/sim", "--from", str(first), "--seeds",
                   str(min(share, count - first + 1))],
                  timeout_seconds=600 + seconds_per_seed * share)
            for first in range(1, count + 1, share)]


def sim(options):
    """Seeded schedules of users and trouble: many optimised, some under the sanitizers; without
    --quick also each property of the API alone."""
    count = options.seeds or (300 if options.quick else 1000)
    sanitized = 12 if options.quick else 40
    kinds = [] if options.quick else ["churnmodels", "churnbatches"]
    return ["sim", "dev"], lambda: ([Suite(f"properties of {kind}", ["build/sim/bin/sim-properties", kind])
                                     for kind in kinds] +
                                    seeds_of("sim", count, PARALLEL, 2) +
                                    seeds_of("dev", sanitized, PARALLEL, 20))


def programs(options):
    return ["dev"], lambda: python_suites("tests/programs", "dev", 900)


def quality(options):
    """Floors of what Auto learns, with the programs that images ship, one training at a time."""
    data = {"CHURN_DATA": os.path.abspath(options.data)} if options.data else {}
    return ["release"], lambda: python_suites("tests/quality", "release", 3600, **data)


def fault(options):
    return ["release"], lambda: python_suites(
        "tests/fault", "release", 3600 if options.exhaustive else 900,
        CHURN_FAULT=os.path.join(ROOT, "build", "release", "fault"),
        CHURN_FULL="1" if options.exhaustive else "")


def e2e(options):
    """Without --quick the main job also with controller and kubesim under the thread sanitizer; with
    --full also what needs a program that is built from its Go module; with --exhaustive scenarios also
    on an API server that fails in each way that kubesim knows."""
    def suites():
        return without_built(python_suites("tests/e2e", "dev", 1500), options)

    def tsan_suites():
        return python_suites("tests/e2e", "tsan", 1500, only="test_main_job.py",
                             CHURN_JOB_BIN=os.path.join(ROOT, "build", "dev", "bin"))

    def disturbed_suites():
        sys.path.append(os.path.join(ROOT, "tests", "e2e"))
        import kubesim_faults
        return [dataclasses.replace(suite, name=f"{suite.name} ({fault})")
                for fault in kubesim_faults.FAULTS for scenarios in DISTURBED
                for suite in python_suites("tests/e2e", "dev", 1500, only=scenarios, CHURN_FAULTS=fault)]

    if options.quick:
        return ["dev", "release"], suites
    return ["dev", "release", "tsan"], lambda: (suites() + tsan_suites() +
                                                (disturbed_suites() if options.exhaustive else []))


def stores(options):
    """lib/store against servers that nobody here wrote, and faults on the way to them. With --full also
    with those that are built from their Go modules."""
    return ["dev"], lambda: without_built(python_suites("tests/stores", "dev", 1800), options)


def manifests(options):
    """With --full also what needs programs that are built from Go modules."""
    suites = python_suites("tests/manifests", "release", 1800, CHURN_FULL="1" if options.full else "")
    if not options.full:
        suites = [suite for suite in suites if suite.name.endswith(("/test_overlays.py", "/test_terraform.py"))]
    return ["release"], lambda: suites


def images(options):
    def suites():
        return [Suite("hack/images --check-reproducible", ["hack/images", "--check-reproducible"],
                      timeout_seconds=2400, whole=True), *python_suites("tests/images", "release", 1500)]
    return ["release"], suites


def apiserver(options):
    """The client on a real API server, without a node. Its first run builds Kubernetes, too."""
    return ["dev"], lambda: python_suites("tests/apiserver", "dev", 5000)


def cluster(options):
    """The scenarios of e2e on a real cluster, and what only such a one has. Its first run builds Kubernetes,
    which takes its time. A machine that cannot have a cluster says why, and that is counted as skipped."""
    command = [sys.executable, "tests/e2e/on_real_cluster.py", "--version", options.cluster_version]
    if options.use_existing:
        command.append("--use-existing")
    suite = Suite("cluster", command, {"CHURN_BIN": os.path.join(ROOT, "build", "dev", "bin")}, 3600)
    return ["dev", "release"], lambda: [suite]


# The scenarios whose ends do not depend on how often something was asked or how long it took.
DISTURBED = ("test_batches.py", "test_main_job.py", "test_retraining.py")
GROUPS = {"style": style, "unit": unit, "golden": golden, "fuzz": fuzz, "sim": sim, "programs": programs,
          "quality": quality, "fault": fault, "stores": stores, "e2e": e2e, "manifests": manifests,
          "images": images, "apiserver": apiserver, "cluster": cluster}
NOT_QUICK = ("quality",)
BUILT = ("/test_pstest_push.py", "/test_toxiproxy.py", "/test_versitygw.py", "/test_versitygw_push.py")
ONLY_FULL = ("images", "apiserver", "cluster")


def groups_of(options):
    left_out = (() if options.full else ONLY_FULL) + (NOT_QUICK if options.quick else ())
    return [name for name in GROUPS if name not in left_out]


def run_group(name, options, built):
    started = time.monotonic()
    total = Outcome()
    presets, suites = GROUPS[name](options)
    for preset in presets:
        if preset not in built:
            built[preset] = build(preset)
            total.add(built[preset])
    if any(built[preset].failed for preset in presets):
        total.failed.append(f"{name}: not run, because the build failed")
    else:
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            for outcome in pool.map(run_suite, suites()):
                total.add(outcome)
    print(f"{name:10} {total.passed:5} passed {len(total.failed):3} failed "
          f"{len(total.skipped):3} skipped {time.monotonic() - started:8.1f} s", flush=True)
    return total


def main():
    parser = argparse.ArgumentParser(prog="hack/test", description="Runs the tests.")
    parser.add_argument("--quick", action="store_true",
                        help="one compiler, no thread sanitizer, no search for new fuzz inputs, not the group " +
                        ", ".join(NOT_QUICK))
    parser.add_argument("--full", action="store_true",
                        help="longer fuzzing, tools built from Go modules, and the groups " +
                        ", ".join(ONLY_FULL))
    parser.add_argument("--exhaustive", action="store_true",
                        help="every fault instead of a seeded choice, scenarios under each of them, "
                        "a million events: takes hours")
    parser.add_argument("--seeds", type=int, metavar="N",
                        help="so many seeds of the simulation (1000; with --quick 300)")
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="GROUP",
                        help="only this group (repeatable): " + ", ".join(GROUPS))
    parser.add_argument("--data", metavar="DIR",
                        help="group quality: files and folds that do not come with the repository")
    parser.add_argument("--use-existing", action="store_true",
                        help="group cluster: on the cluster of $KUBECONFIG with the registry $CHURN_REGISTRY")
    parser.add_argument("--cluster-version", default="1.34.4", metavar="VERSION",
                        help="group cluster: which Kubernetes (%(default)s)")
    options = parser.parse_args()

    total, built = Outcome(), {}
    for name in options.only or groups_of(options):
        total.add(run_group(name, options, built))
    for skipped in total.skipped:
        print(f"skipped  {skipped}")
    for failed in total.failed:
        print(f"failed   {failed}")
    counts = f"{total.passed} passed, {len(total.failed)} failed"
    print(counts + (f", {len(total.skipped)} skipped" if total.skipped else ""))
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
