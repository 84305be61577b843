"""The node of the cluster that this run made, in the hands of a test: its components are killed and started
again, its cable is cut. $CHURN_CLUSTER_STATE is the folder of hack/cluster; a cluster of somebody else has none."""
import contextlib
import json
import os
import subprocess
import sys
import unittest

from cluster import ROOT, kubectl_program

sys.path.insert(0, os.path.join(ROOT, "hack", "kubenode"))
import boundary  # noqa: E402
import build  # noqa: E402
import node  # noqa: E402
from state import State  # noqa: E402

ETCD = "http://127.0.0.1:2379"
NOBODY = "02:00:00:00:00:01"  # a hardware address that none of our interfaces has


class OwnNode:
    def __init__(self):
        folder = os.environ.get("CHURN_CLUSTER_STATE")
        if not folder:
            raise unittest.SkipTest("the processes of this cluster are not ours to restart")
        self.state = State(folder)
        programs = build.find_programs(self.state.facts["version"], build.default_cache(), print)
        self.node = node.Node(self.state, programs)
        self.name = node.NODE

    # --- components end without notice ---

    def kill(self, name):
        boundary.kill({self.state.pid(name)})

    def stop_api_server(self):
        self.kill("kube-apiserver")

    def start_api_server(self):
        self.node.start_control_plane()

    def restart_api_server(self):
        self.stop_api_server()
        self.start_api_server()

    def restart_etcd(self):
        self.kill("etcd")
        self.node.start_control_plane()

    def restart_kubelet(self):
        self.kill("kubelet")
        self.node.start_kubelet()

    # --- etcd and network ---

    def inside(self, *command):
        """Runs a command within the cluster's network; returns what it prints."""
        done = subprocess.run(boundary.enter(self.state, command), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def kubectl(self, *arguments):
        """Works while the cable is cut."""
        return self.inside(kubectl_program(), "--kubeconfig", self.state.path("kubeconfig"), *arguments)

    def ask_etcd(self, path, **question):
        program = ("import sys, urllib.request\n"
                   "print(urllib.request.urlopen(sys.argv[1], sys.argv[2].encode()).read().decode())")
        return json.loads(self.inside(sys.executable, "-c", program, ETCD + path, json.dumps(question)))

    def compact_etcd(self):
        """Nobody can go on from a revision that was read before."""
        revision = self.ask_etcd("/v3/kv/range", key="AA==", limit=1)["header"]["revision"]
        self.ask_etcd("/v3/kv/compaction", revision=revision, physical=True)

    @contextlib.contextmanager
    def cut_cable(self):
        """Packets of both directions go to nobody: no connection ends, nothing answers. Routes stay."""
        host, there = self.state.facts["address"].rpartition(".")[0] + ".1", self.state.facts["address"]
        cable = boundary.identity(self.state)
        ends = (([], there, cable), (boundary.enter(self.state, []), host, "eth0"))
        for where, address, device in ends:
            boundary.run(*where, "ip", "neighbour", "replace", address, "lladdr", NOBODY, "dev", device)
        try:
            yield
        finally:
            for where, address, device in ends:
                boundary.run(*where, "ip", "neighbour", "del", address, "dev", device)
