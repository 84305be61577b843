"""The programs of a Kubernetes node. Ready-made ones from $KUBEBUILDER_ASSETS come first; the others are
kubenode, one binary built from the Go modules that go.mod and go.sum pin (go-VERSION.mod and .sum for
another version than the default).

The binary is kept as CACHE/kubenode-VERSION-KEY. KEY hashes all that it is made of but the compiler, so
nothing is built twice while the pins stay."""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess

from unavailable import Unavailable

FOLDER = os.path.dirname(os.path.abspath(__file__))
DEFAULT_VERSION = "1.34.4"
VERSIONS = (DEFAULT_VERSION, "1.36.3")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
FLAGS = ["-trimpath", "-buildvcs=false", "-mod=readonly"]


def default_cache():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "churn-operator")


def find_programs(version, cache, say, names=PROGRAMS):
    """For each of them the beginning of its command line; builds kubenode when one needs it."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    found = {name: [os.path.join(assets, name)] for name in names
             if assets and os.access(os.path.join(assets, name), os.X_OK)}
    if len(found) < len(names):
        kubenode = find_kubenode(version, cache, say)
        found = {name: found.get(name, [kubenode, name]) for name in names}
    return found


def find_kubenode(version, cache, say):
    os.makedirs(cache, exist_ok=True)
    target = os.path.join(cache, f"kubenode-{version}-{key(version)}")
    with open(target + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second waits for the first one's
        if not os.access(target, os.X_OK):
            check_go(version)
            say(f"building kubenode {version} from Go modules: once, about 800 CPU seconds")
            build(version, target)
    return target


def module_file(version):
    return "go.mod" if version == DEFAULT_VERSION else f"go-{version}.mod"


def linker_flags(version):
    package = "k8s.io/component-base/version"
    major, minor, _ = version.split(".")
    values = {"gitVersion": "v" + version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(["-s", "-w", *(f"-X {package}.{name}={value}" for name, value in values.items())])


def key(version):
    hashed = hashlib.sha256(" ".join([*FLAGS, linker_flags(version)]).encode())
    module = module_file(version)
    for name in ("main.go", module, module.removesuffix(".mod") + ".sum"):
        with open(os.path.join(FOLDER, name), "rb") as file:
            hashed.update(b"\0" + file.read())
    return hashed.hexdigest()[:12]


def check_go(version):
    with open(os.path.join(FOLDER, module_file(version))) as file:
        wanted = re.search(r"^go (\d+)\.(\d+)", file.read(), re.MULTILINE).groups()
    if not shutil.which("go"):
        raise Unavailable(f"Go {'.'.join(wanted)} or newer is not on PATH")
    found = subprocess.run(["go", "version"], capture_output=True, text=True, check=False).stdout.strip()
    match = re.search(r"go(\d+)\.(\d+)", found)
    if not match or tuple(map(int, match.groups())) < tuple(map(int, wanted)):
        raise Unavailable(f"Go {'.'.join(wanted)} or newer is needed, this is {found or 'not working'}")


def build(version, target):
    """Appears whole: a build that was cut off leaves nothing that looks finished."""
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="")
    module = ["-modfile", module_file(version)]
    fetched = subprocess.run(["go", "mod", "download", *module], cwd=FOLDER, env=environment, capture_output=True,
                             text=True, check=False)
    if fetched.returncode != 0:
        raise Unavailable(f"Go's modules cannot be fetched: {fetched.stderr.strip().splitlines()[-1]}")
    subprocess.run(["go", "build", *FLAGS, *module, "-ldflags", linker_flags(version), "-o", target + ".new", "."],
                   cwd=FOLDER, env=environment, check=True)
    os.rename(target + ".new", target)
