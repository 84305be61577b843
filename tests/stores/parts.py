"""Servers and clients that nobody here wrote, pinned, installed once and kept in a cache."""
import fcntl
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "churn-operator"


def environment(name, *packages):
    """A virtual environment with pinned packages; its bin folder. Programs in it know its path, so it is
    made where it stays, by one test while the others wait."""
    folder, unfinished = CACHE / name, CACHE / f"{name}.unfinished"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if unfinished.exists() or not folder.exists():
            unfinished.touch()
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            subprocess.run([str(folder / "bin" / "python3"), "-m", "pip", "install", "--quiet", *packages], check=True)
            unfinished.unlink()
    return folder / "bin"


def go_program(module):
    """A program built from a released Go module, by its module path with its version."""
    folder = CACHE / module.replace("/", "_")
    program = folder / module.split("@")[0].rsplit("/", 1)[1]
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{folder.name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            subprocess.run(["go", "install", "-trimpath", "-ldflags", "-s -w", module], check=True,
                           env=dict(os.environ, GOBIN=str(folder), CGO_ENABLED="0"))
    return program


def own_go_program(source):
    """A program of ours of a few lines around released Go modules, which its go.sum pins; `source`: its folder."""
    key = hashlib.sha256(b"".join((source / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))).hexdigest()
    program = CACHE / f"{source.name}-{key[:16]}" / source.name
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{program.parent.name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            subprocess.run(["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", str(program), "."], check=True,
                           cwd=source, env=dict(os.environ, CGO_ENABLED="0"))
    return program


def packages_of(bin_folder):
    """Makes the packages of an environment importable here."""
    for folder in (bin_folder.parent / "lib").glob("python3*/site-packages"):
        sys.path.insert(0, str(folder))


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answers(url):
    """Does the server speak HTTP, whatever it says?"""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def wait_for(url, process, log, seconds=60):
    deadline = time.monotonic() + seconds
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{url} does not answer:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)


def stop(process):
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
