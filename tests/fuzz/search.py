"""Lets one libFuzzer program look for new inputs: search.py PROGRAM RUNS.

It starts from the committed seeds and works on a copy, so the checkout stays as it is. Chance is
seeded by $CHURN_SEED, by default 1, and the number of runs is fixed: the same code gives the same
verdict every time. An input that fails is kept in build/fuzz/findings and named."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    program, runs = sys.argv[1:]
    parser = os.path.basename(program)[len("fuzz_"):]
    findings = os.path.join(ROOT, "build", "fuzz", "findings", parser + "-")
    os.makedirs(os.path.dirname(findings), exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        return subprocess.run([program, f"-runs={runs}", "-max_total_time=120",
                               f"-seed={os.environ.get('CHURN_SEED', '1')}", "-rss_limit_mb=2048",
                               "-timeout=10", "-print_final_stats=0", "-verbosity=0",
                               f"-artifact_prefix={findings}", corpus,
                               os.path.join(ROOT, "tests", "fuzz", "corpus", parser)]).returncode


sys.exit(main())
