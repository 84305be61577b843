"""Programs that these tests need and Debian does not have: pinned, built once, kept in a cache."""
import os
import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "churn-operator"
GO_PROGRAMS = {"helm": "helm.sh/helm/v3/cmd/helm@v3.22.0",
               "kube-score": "github.com/zegl/kube-score/cmd/kube-score@v1.20.0"}
VALIDATOR = "kubernetes-validate==1.37.0"


def run(*command, **options):
    """The standard output of a command that must succeed."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


def go_program(name):
    """A released program, by its module path."""
    module = GO_PROGRAMS[name]
    folder = CACHE / module.replace("/", "_")
    if not (folder / name).exists():
        run("go", "install", "-trimpath", module, env=dict(os.environ, GOBIN=str(folder)))
    return folder / name


def sandbox():
    """Argo CD's Lua sandbox, from the sources beside this file."""
    program = ROOT / "build" / "tools" / "lua-sandbox"
    run("go", "build", "-trimpath", "-o", str(program), ".", cwd=ROOT / "tests/manifests/sandbox")
    return program


def validator():
    """kubernetes-validate with its schemas, in a folder of its own."""
    folder = CACHE / VALIDATOR
    if not folder.exists():
        building = folder.with_suffix(f".{os.getpid()}")
        run(sys.executable, "-m", "venv", str(building))
        run(str(building / "bin" / "pip"), "install", "--quiet", VALIDATOR)
        building.rename(folder)
    return [str(folder / "bin" / "python3"), "-m", "kubernetes_validate"]


def kustomize(folder):
    return run("kubectl", "kustomize", str(ROOT / folder))


def objects(text):
    return [document for document in yaml.safe_load_all(text) if document]


def name_of(object_):
    return f"{object_['kind']}/{object_['metadata']['name']}"
