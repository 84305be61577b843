"""Processes and what they cost: CPU seconds, wall seconds, memory."""
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A program that was to be measured did not do its work."""


@dataclasses.dataclass
class Usage:
    cpu: float  # seconds, user and system, of the process and the children it waited for
    wall: float  # seconds, from exec to the end of the process
    peak_kib: int  # largest resident set
    output: str = ""


def run(command, *, threads=1, keep_output=False, stdout=None):
    """Runs a program to its end. Ours take the number of threads from CHURN_THREADS alone; the
    reference side is Python, where numpy's OpenMP and OpenBLAS have to be told too."""
    environment = {**os.environ, "CHURN_THREADS": str(threads)}
    if os.path.basename(command[0]).startswith("python"):
        environment.update(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads),
                           POLARS_MAX_THREADS=str(threads))
    with tempfile.TemporaryFile("w+") as errors:
        begin = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE if keep_output else stdout or subprocess.DEVNULL,
                                   stderr=errors, text=True)
        output = process.stdout.read() if keep_output else ""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if keep_output:
            process.stdout.close()
        if process.returncode != 0:
            errors.seek(0)
            raise Failed(f"{' '.join(command)}: exit code {process.returncode}\n{errors.read()[-2000:]}")
    return Usage(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss, output)


def median(usages, member):
    return statistics.median(getattr(usage, member) for usage in usages)


def paired(rounds, *jobs):
    """Runs the jobs one after the other, `rounds` times over, so that what disturbs the machine
    disturbs all of them; returns a list of results for each."""
    results = [[] for _ in jobs]
    for _ in range(rounds):
        for job, list_of_results in zip(jobs, results):
            list_of_results.append(job())
    return results


@dataclasses.dataclass
class Memory:
    anonymous_kib: int
    resident_kib: int


def memory(pid):
    """Of a running process; RssAnon is what it has for itself, VmRSS counts shared libraries too."""
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return Memory(int(fields["RssAnon"].split()[0]), int(fields["VmRSS"].split()[0]))


def cpu(pid):
    """CPU seconds that a running process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_name():
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown CPU"


def say(text):
    """Progress, so that a long run does not look hung."""
    print(f"  {text} ...", file=sys.stderr, flush=True)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
