"""What keeps a cluster apart from its machine: a network and a mount namespace, control groups of its own,
one cable to the machine; and how all of it goes away.

The namespaces live as long as a process in them. Pods have no route to anything but the cluster."""
import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

from state import POLL_SECONDS, Failed, started_at

SERVICE_ADDRESS = "10.96.0.1"  # the API server is reached at it directly, so no kube-proxy is needed
SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/24"
# The kubelet sets these for the whole machine.
SYSCTLS = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory")
# Written outside of the state folder by the kubelet, containerd and the CNI plugins, whatever they are told.
STRAY_FOLDERS = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/usr/libexec/kubernetes",
                 "/opt/containerd")
# How the machine was before the first of its clusters, and a file for each cluster.
MACHINE = "/run/churn-clusters"


def identity(state):
    """Tells clusters of one machine apart."""
    return "churn-" + hashlib.sha256(state.folder.encode()).hexdigest()[:6]


def create(state):
    """Makes the namespaces and the cable; does nothing while they are there."""
    if state.alive("namespaces"):
        return
    join_machine(state)
    state.start("namespaces", ["unshare", "--net", "--mount", "sleep", "infinity"])
    pid = state.pid("namespaces")
    state.wait("namespaces", lambda: namespace(pid, "mnt") != namespace("self", "mnt"), "its namespaces")
    inside(state, "mount", "-t", "tmpfs", "tmpfs", "/run")
    inside(state, "ip", "link", "set", "lo", "up")
    inside(state, "ip", "address", "add", SERVICE_ADDRESS + "/32", "dev", "lo")
    lay_cable(state, pid)
    make_control_groups(state)


def namespace(pid, kind):
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    return None


def enter(state, command):
    """The command line that runs `command` within the namespaces."""
    return ["nsenter", f"--target={state.pid('namespaces')}", "--net", "--mount", "--", *command]


def inside(state, *command):
    run(*enter(state, command))


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def lay_cable(state, pid):
    """A pair of interfaces with four addresses for benchmarks (RFC 2544), the first that are free."""
    used = run("ip", "-4", "-o", "address")
    third = next(number for number in range(256) if f" 198.18.{number}." not in used)
    host, address = f"198.18.{third}.1", f"198.18.{third}.2"
    cable = identity(state)
    run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    run("ip", "address", "add", host + "/30", "dev", cable)
    run("ip", "link", "set", cable, "up")
    inside(state, "ip", "address", "add", address + "/30", "dev", "eth0")
    inside(state, "ip", "link", "set", "eth0", "up")
    state.remember(address=address)


# --- control groups ---

def control_group_mounts():
    with open("/proc/self/mounts") as file:
        for line in file:
            _, folder, kind, *_ = line.split()
            if kind in ("cgroup", "cgroup2"):
                yield folder, kind


def make_control_groups(state):
    for folder, kind in control_group_mounts():
        if kind == "cgroup2":
            share_controllers(folder)
        os.makedirs(os.path.join(folder, identity(state)), exist_ok=True)


def share_controllers(folder):
    """Version 2: children have the controllers that their parent hands on."""
    with open(os.path.join(folder, "cgroup.controllers")) as file:
        controllers = file.read().split()
    for controller in controllers:
        with contextlib.suppress(OSError), open(os.path.join(folder, "cgroup.subtree_control"), "w") as file:
            file.write("+" + controller)


def control_groups(state):
    """All folders, children before their parents."""
    for folder, _ in control_group_mounts():
        for path, _, _ in os.walk(os.path.join(folder, identity(state)), topdown=False):
            yield path


# --- the end ---

@contextlib.contextmanager
def machine_locked():
    os.makedirs(MACHINE, exist_ok=True)
    with open(os.path.join(MACHINE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def join_machine(state):
    """The first cluster takes note of what all of them change."""
    with machine_locked():
        before = os.path.join(MACHINE, "before.json")
        if not glob.glob(os.path.join(MACHINE, "churn-*")):
            values = {}
            for name in SYSCTLS:
                with open("/proc/sys/" + name) as file:
                    values[name] = file.read().strip()
            stray = [folder for folder in STRAY_FOLDERS if not os.path.exists(folder)]
            with open(before, "w") as file:
                json.dump({"sysctls": values, "stray": stray}, file)
        with open(os.path.join(MACHINE, identity(state)), "w"):
            pass


def leave_machine(state):
    """The last cluster puts it back."""
    with machine_locked():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(MACHINE, identity(state)))
        before = os.path.join(MACHINE, "before.json")
        if glob.glob(os.path.join(MACHINE, "churn-*")) or not os.path.exists(before):
            return
        with open(before) as file:
            found = json.load(file)
        for name, value in found["sysctls"].items():
            with open("/proc/sys/" + name, "w") as file:
                file.write(value)
        for folder in found["stray"]:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(MACHINE)


def pod_processes(state):
    for group in control_groups(state):
        with contextlib.suppress(OSError), open(os.path.join(group, "cgroup.procs")) as file:
            yield from map(int, file.read().split())


def namespace_processes(state):
    """Everything that runs within the cluster's mounts: components, and the parents of containers."""
    ours = {namespace(state.pid(name), "mnt") for name in state.processes() if state.alive(name)}
    for path in glob.glob("/proc/[0-9]*"):
        pid = int(os.path.basename(path))
        if namespace(pid, "mnt") in ours - {None}:
            yield pid


def kill(pids):
    """SIGKILL, and waits until they are gone."""
    pids = set(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while any(started_at(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)


def remove(state):
    """Ends all processes of the cluster; nothing of it is left on the machine but the state folder."""
    state.stop("kubelet")  # else it starts again what ends
    kill(pod_processes(state))
    kill(namespace_processes(state))
    for group in control_groups(state):
        with contextlib.suppress(OSError):
            os.rmdir(group)
    leave_machine(state)
