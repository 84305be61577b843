"""What a cluster remembers between commands: facts in cluster.json, a log and a pid for each process."""
import json
import os
import signal
import subprocess
import time

POLL_SECONDS = 0.05


class Failed(Exception):
    """The cluster did not do what it should; the text holds the end of the log in question."""


class State:
    def __init__(self, folder):
        self.folder = os.path.realpath(folder)
        self.facts = {}
        if os.path.exists(self.path("cluster.json")):
            with open(self.path("cluster.json")) as file:
                self.facts = json.load(file)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def remember(self, **facts):
        self.facts.update(facts)
        self.write("cluster.json", json.dumps(self.facts, indent=1))

    def write(self, name, text):
        """The file appears whole; returns its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def processes(self):
        return self.facts.get("processes", {})

    def start(self, name, command):
        """In a session of its own, so that it outlives this program; does nothing while it runs."""
        if self.alive(name):
            return
        os.makedirs(self.path("log"), exist_ok=True)
        with open(self.path("log", name + ".log"), "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, cwd="/")
        self.remember(processes={**self.processes(), name: [process.pid, started_at(process.pid)]})

    def pid(self, name):
        """Of a process that runs; None when it ended, even if another has its number by now."""
        pid, begin = self.processes().get(name, (None, None))
        return pid if pid and started_at(pid) == begin else None

    def alive(self, name):
        return self.pid(name) is not None

    def stop(self, name, seconds=10):
        pid = self.pid(name)
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + seconds
        while self.alive(name) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        if self.alive(name):
            os.kill(pid, signal.SIGKILL)

    def wait(self, name, holds, what, seconds=90):
        """Until holds() is true; gives up at once when the process `name` has died."""
        end = time.monotonic() + seconds
        while not holds():
            if not self.alive(name):
                raise Failed(f"{name} ended:\n{self.end_of_log(name)}")
            if time.monotonic() > end:
                raise Failed(f"{name}: {what} did not come within {seconds} s:\n{self.end_of_log(name)}")
            time.sleep(POLL_SECONDS)

    def end_of_log(self, name):
        with open(self.path("log", name + ".log"), errors="replace") as file:
            return "".join(file.readlines()[-15:])


def started_at(pid):
    """When a process began, in ticks since boot: with the pid it is unique. None: it is not there, or
    only waits for its parent to take note of its end. Its first thread may wait for that while
    others still hold its ports."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    threads = int(fields[17])
    return None if fields[0] in "ZX" and threads <= 1 else int(fields[19])
