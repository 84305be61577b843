"""Whether this machine lets us do what a node does: namespaces, mounts, interfaces, control groups, containers. A
container in a container, or a kernel without a part, often does not; it is better to know before the node starts."""
import json
import os
import shlex
import subprocess
import tempfile

from boundary import SYSCTLS
from unavailable import Unavailable

# Within namespaces of their own, so that nothing is left of them.
ISOLATED = {
    "a file system in memory": "mount -t tmpfs tmpfs {folder}/lower",
    "an overlay file system":
        "mount -t overlay -o lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work overlay {folder}/lower",
    "a network of its own": "ip link set lo up && ip address add 10.96.0.1/32 dev lo",
    "a pair of interfaces": "ip link add one type veth peer name two",
    "a bridge": "ip link add bridge type bridge",
}


def refuse(what, why):
    lines = why.strip().splitlines() or ["no reason given"]
    raise Unavailable(f"this machine does not allow {what}: {lines[-1]}")


def check_rights():
    """Raises Unavailable with what is refused, and in whose words."""
    with tempfile.TemporaryDirectory(prefix="churn-probe-") as folder:
        for name in ("lower", "upper", "work"):
            os.mkdir(os.path.join(folder, name))
        for what, command in ISOLATED.items():
            done = subprocess.run(["unshare", "--net", "--mount", "sh", "-c", command.format(folder=shlex.quote(folder))],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                refuse(what, done.stderr)
        check_kernel()
        check_container(folder)


def check_kernel():
    """What the kubelet reads and writes, and does not start without."""
    try:
        with open("/dev/kmsg"):
            pass
        for name in SYSCTLS:
            with open("/proc/sys/" + name, "r+") as file:
                value = file.read()
                file.seek(0)
                file.write(value)
    except OSError as error:
        refuse("the kubelet its files", str(error))


def check_container(folder):
    """Runs a program that does nothing, with a limit of memory as pods have."""
    bundle = os.path.join(folder, "bundle")
    os.makedirs(os.path.join(bundle, "rootfs"))
    subprocess.run(["gcc", "-static", "-x", "c", "-o", os.path.join(bundle, "rootfs", "nothing"), "-"],
                   input="int main(void) { return 0; }\n", text=True, check=True)
    subprocess.run(["runc", "spec"], cwd=bundle, check=True)
    path, name = os.path.join(bundle, "config.json"), "churn-probe-" + str(os.getpid())
    with open(path) as file:
        config = json.load(file)
    config["process"].update(args=["/nothing"], terminal=False)
    config["linux"].update(cgroupsPath="/" + name)
    config["linux"]["resources"]["memory"] = {"limit": 64 << 20}
    with open(path, "w") as file:
        json.dump(config, file)
    done = subprocess.run(["runc", "--root", os.path.join(folder, "runc"), "run", "--bundle", bundle, name],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        refuse("containers", done.stderr)
