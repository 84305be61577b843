"""Programs that these tests need and Debian does not have: pinned, built once, kept in a cache."""
import hashlib
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
LINTER = "checkov==3.3.30"
HCL = "python-hcl2==8.1.4"
# The arguments that resources of these Terraform providers really have, as types: the providers
# themselves come from a registry of their own.
PROVIDER_TYPES = ["@cdktf/provider-google@16.12.1", "@cdktf/provider-aws@21.22.1", "cdktf@0.21.0",
                  "constructs@10.4.2", "typescript@5.9.3"]


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


def kept(name, make):
    """A folder of the cache, made once: `make(folder)` fills another one, which is then renamed."""
    folder = CACHE / name
    if not folder.exists():
        building = CACHE / f"{name}.{os.getpid()}"
        make(building)
        building.rename(folder)
    return folder


def python_with(requirement):
    """The interpreter of a virtual environment that has it."""
    def make(folder):
        run(sys.executable, "-m", "venv", str(folder))
        run(str(folder / "bin" / "pip"), "install", "--quiet", requirement)
    return str(kept(requirement, make) / "bin" / "python3")


def validator():
    """kubernetes-validate with its schemas."""
    return [python_with(VALIDATOR), "-m", "kubernetes_validate"]


def linter():
    """checkov, which knows what is unsafe in Terraform."""
    return [python_with(LINTER), "-m", "checkov.main"]


def provider_types():
    """The folder that holds node_modules with PROVIDER_TYPES."""
    def make(folder):
        folder.mkdir(parents=True)
        (folder / "package.json").write_text("{}")
        run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--legacy-peer-deps", *PROVIDER_TYPES,
            cwd=folder)
        for path in (folder / "node_modules" / "@cdktf").rglob("*.js"):  # only the types are of interest
            path.unlink()
    return kept("terraform-types-" + hashlib.sha256(" ".join(PROVIDER_TYPES).encode()).hexdigest()[:12], make)


def kustomize(folder):
    return run("kubectl", "kustomize", str(ROOT / folder))


def objects(text):
    return [document for document in yaml.safe_load_all(text) if document]


def name_of(object_):
    return f"{object_['kind']}/{object_['metadata']['name']}"
