"""The components of the node: what each is started with, and how one sees that it works."""
import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import boundary
import certificates
import oci
import probe
from state import Failed
from unavailable import Unavailable

NODE = "node1"
REGISTRY_PORT = 5000
PAUSE = "pause:1"
CNI_PLUGINS = "/usr/lib/cni"
# Commands, and the Debian packages that have them: hack/deps --cluster installs these.
NEEDED = {"containerd": "containerd", "runc": "runc", "docker-registry": "docker-registry", "gcc": "gcc",
          "openssl": "openssl", "ip": "iproute2", "nsenter": "util-linux"}
FAVOURED = ("nice", "-n", "-5")  # a busy machine makes pods slow, not the API server unreachable
FAST = ["--kube-api-qps=500", "--kube-api-burst=1000"]  # the defaults, 20 and 30, are for larger clusters

CONTAINERD = """\
version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{registry}/{pause}"
  restrict_oom_score_adj = true # works without CAP_SYS_RESOURCE
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{folder}/registries"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni}"
  conf_dir = "{folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "{runc}"
"""
PLAIN_HTTP = 'server = "http://{registry}"\n[host."http://{registry}"]\n'
REGISTRY = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/registry}}, delete: {{enabled: true}}}}
http: {{addr: "{registry}", relativeurls: false, secret: one-node}}
"""
# Who wrote what, for tests that count writes: log/audit.log.
AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
"""


def check():
    """That this machine can have a cluster; Unavailable says why not."""
    if os.geteuid() != 0:
        raise Unavailable("a cluster needs root: namespaces, mounts and control groups")
    missing = sorted({package for command, package in NEEDED.items() if not shutil.which(command)})
    if not os.path.exists(os.path.join(CNI_PLUGINS, "bridge")):
        missing.append("containernetworking-plugins")
    if missing:
        raise Unavailable(f"missing: {' '.join(missing)}; hack/deps --cluster installs them")
    probe.check_rights()


def start(state, programs):
    """Brings up what does not run, in the order of need; returns when the node is Ready."""
    node = Node(state, programs)
    node.make_certificates()
    node.start_registry()
    node.start_containerd()
    node.start_control_plane()
    node.start_kubelet()


class Node:
    def __init__(self, state, programs):
        self.state, self.programs = state, programs
        self.address = state.facts["address"]
        self.registry = f"{self.address}:{REGISTRY_PORT}"
        self.socket = state.path("containerd.sock")

    def run(self, name, *command):
        self.state.start(name, boundary.enter(self.state, command))

    def run_program(self, name, *arguments, before=()):
        self.run(name, *before, *self.programs[name], *arguments)

    def pki(self, name):
        return self.state.path("pki", name)

    def make_certificates(self):
        if not os.path.exists(self.state.path("pki")):
            certificates.create(self.state.path("pki"), NODE, self.address, boundary.SERVICE_ADDRESS)
        shutil.copy(self.pki("admin.kubeconfig"), self.state.path("kubeconfig"))

    # --- containers ---

    def start_registry(self):
        self.state.remember(registry=self.registry)
        settings = self.state.write("registry.yml", REGISTRY.format(folder=self.state.folder, registry=self.registry))
        self.run("docker-registry", "docker-registry", "serve", settings)
        self.state.wait("docker-registry", lambda: answers(f"http://{self.registry}/v2/"), "an answer")
        self.push_pause()

    def push_pause(self):
        program = self.state.path("pause")
        if not os.path.exists(program):
            source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pause.c")
            subprocess.run(["gcc", "-Os", "-static", "-s", "-o", program, source], check=True)
            with open(program, "rb") as file:
                image = oci.Image({"architecture": machine(), "os": "linux", "config": {"Entrypoint": ["/pause"]}},
                                  [oci.layer({"/pause": file.read()})])
            oci.push(image, self.registry, *PAUSE.split(":"))

    def start_containerd(self):
        state = self.state
        settings = state.write("containerd.toml", CONTAINERD.format(
            folder=state.folder, registry=self.registry, pause=PAUSE, cni=CNI_PLUGINS, runc=shutil.which("runc")))
        state.write(f"registries/{self.registry}/hosts.toml", PLAIN_HTTP.format(registry=self.registry))
        state.write("cni/10-bridge.conflist", json.dumps({
            "cniVersion": "0.4.0", "name": "pods", "plugins": [{
                "type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True,
                "ipam": {"type": "host-local", "dataDir": state.path("cni-data"),
                         "ranges": [[{"subnet": boundary.PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}))
        self.run("containerd", "containerd", "--config", settings)
        state.wait("containerd", lambda: listens(self.socket), "its socket")

    # --- control plane ---

    def start_control_plane(self):
        self.start_storage()
        self.start_api_server()
        self.start_controllers("kube-controller-manager",
                               f"--service-account-private-key-file={self.pki('service-accounts.key')}",
                               f"--root-ca-file={self.pki('ca.crt')}", "--use-service-account-credentials=true",
                               "--allocate-node-cidrs=false",
                               f"--cluster-signing-cert-file={self.pki('ca.crt')}",
                               f"--cluster-signing-key-file={self.pki('ca.key')}")
        self.start_controllers("kube-scheduler")

    def start_storage(self):
        self.run_program("etcd", "--name=etcd", f"--data-dir={self.state.path('etcd')}", "--unsafe-no-fsync",
                         "--listen-client-urls=http://127.0.0.1:2379",
                         "--advertise-client-urls=http://127.0.0.1:2379", "--listen-peer-urls=http://127.0.0.1:2380",
                         "--initial-advertise-peer-urls=http://127.0.0.1:2380",
                         "--initial-cluster=etcd=http://127.0.0.1:2380", "--quota-backend-bytes=4294967296",
                         before=FAVOURED)

    def start_api_server(self):
        pki, state = self.pki, self.state
        self.run_program(
            "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--bind-address=0.0.0.0", "--secure-port=443",
            f"--advertise-address={self.address}", f"--service-cluster-ip-range={boundary.SERVICES}",
            f"--tls-cert-file={pki('apiserver.crt')}", f"--tls-private-key-file={pki('apiserver.key')}",
            f"--client-ca-file={pki('ca.crt')}", f"--kubelet-certificate-authority={pki('ca.crt')}",
            f"--kubelet-client-certificate={pki('apiserver-to-kubelet.crt')}",
            f"--kubelet-client-key={pki('apiserver-to-kubelet.key')}", "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc", "--allow-privileged=true",
            f"--service-account-key-file={pki('service-accounts.key')}",
            f"--service-account-signing-key-file={pki('service-accounts.key')}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
            f"--audit-policy-file={state.write('audit.yaml', AUDIT)}",
            f"--audit-log-path={state.path('log', 'audit.log')}", before=FAVOURED)
        state.wait("kube-apiserver", lambda: self.get("/readyz") is not None, "/readyz")

    def start_controllers(self, name, *arguments):
        config = self.pki(name + ".kubeconfig")
        self.run_program(name, f"--kubeconfig={config}", f"--authentication-kubeconfig={config}",
                         f"--authorization-kubeconfig={config}", "--bind-address=127.0.0.1",
                         "--leader-elect=false", *FAST, *arguments)

    def get(self, path):
        """What the API server answers to the administrator, or None."""
        trust = ssl.create_default_context(cafile=self.pki("ca.crt"))
        trust.load_cert_chain(self.pki("admin.crt"), self.pki("admin.key"))
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"https://{self.address}{path}", timeout=5, context=trust) as answer:
                return answer.read()
        return None

    # --- kubelet ---

    def start_kubelet(self):
        state = self.state
        state.write("resolv.conf", "nameserver 127.0.0.1\n")
        settings = state.write("kubelet.json", json.dumps(self.kubelet_settings(), indent=1))
        self.run_program("kubelet", f"--config={settings}", f"--kubeconfig={self.pki('kubelet.kubeconfig')}",
                         f"--root-dir={state.path('kubelet')}", f"--cert-dir={state.path('kubelet-pki')}",
                         f"--hostname-override={NODE}", f"--node-ip={self.address}")
        state.wait("kubelet", self.is_ready, "a Ready node")
        state.wait("kube-controller-manager",
                   lambda: self.get("/api/v1/namespaces/default/serviceaccounts/default"), "a ServiceAccount")

    def kubelet_settings(self):
        nothing = {name: "0%" for name in ("memory.available", "nodefs.available", "nodefs.inodesFree",
                                           "imagefs.available")}
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "address": self.address, "readOnlyPort": 0, "healthzBindAddress": "127.0.0.1",
            "containerRuntimeEndpoint": "unix://" + self.socket,
            "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": self.pki("ca.crt")}},
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": self.pki("kubelet-server.crt"), "tlsPrivateKeyFile": self.pki("kubelet-server.key"),
            "cgroupDriver": "cgroupfs", "cgroupRoot": "/" + boundary.identity(self.state),
            "failCgroupV1": False, "failSwapOn": False, "enforceNodeAllocatable": [],
            "oomScoreAdj": 0, "maxOpenFiles": 16384, "makeIPTablesUtilChains": False,
            "evictionHard": nothing, "imageGCHighThresholdPercent": 100,  # a full disk is no reason to kill pods
            "nodeStatusUpdateFrequency": "2s", "serializeImagePulls": False, "maxPods": 250,
            "resolvConf": self.state.path("resolv.conf"), "clusterDNS": ["127.0.0.1"],  # there is none
            "podLogsDir": self.state.path("pods"), "volumePluginDir": self.state.path("volume-plugins"),
        }

    def is_ready(self):
        node = json.loads(self.get(f"/api/v1/nodes/{NODE}") or "{}")
        return any(entry["type"] == "Ready" and entry["status"] == "True"
                   for entry in node.get("status", {}).get("conditions", ()))


def answers(url):
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(url, timeout=5):
            return True
    return False


def listens(path):
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(path) == 0


def machine():
    """As Go and OCI call it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
