"""Servers and clients that nobody here wrote, pinned, installed once and kept in a cache."""
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "churn-operator"


def environment(name, *packages):
    """A virtual environment with pinned packages; its bin folder."""
    folder = CACHE / name
    if not folder.exists():
        building = folder.with_suffix(f".{os.getpid()}")
        subprocess.run([sys.executable, "-m", "venv", str(building)], check=True)
        subprocess.run([str(building / "bin" / "python3"), "-m", "pip", "install", "--quiet", *packages], check=True)
        try:
            building.rename(folder)
        except OSError:  # another test was quicker
            subprocess.run(["rm", "-rf", str(building)], check=True)
    return folder / "bin"


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
