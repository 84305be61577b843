"""kubesim as the cluster: it can be told to fail, counts requests, and runs programs without containers; trainer
and scorer come from $CHURN_JOB_BIN where that is given."""
import json
import os
import re
import subprocess
import time

import kubesim_faults
from cluster import BIN, POLL_SECONDS, ROOT, WAYS, Cluster, NotInTime, Process, trouble_of

JOB_BIN = os.environ.get("CHURN_JOB_BIN", BIN)

# One for each of WAYS.
SCRIPTS = ("read line <{gate}", '[ "$JOB_COMPLETION_INDEX" ] || read line <{gate}',
           '[ "$JOB_COMPLETION_INDEX" = 1 ] && mkdir {gate}.failed && exit 75')


class KubesimCluster(Cluster):
    def begin(self, *arguments):
        if not os.path.exists(os.path.join(self.folder, "bin")):
            self.bin = self.make_programs()
        self.start_kubesim(*arguments)
        self.set_image("churn-trainer", "1")
        self.set_image("churn-scorer", "1")
        self.kubectl("apply", "-f", os.path.join(ROOT, "crds"))
        kubesim_faults.add_from_the_beginning(self)

    def end(self):
        os.unlink(os.path.join(self.folder, "address"))
        return trouble_of(self.kubesim)

    def make_programs(self):
        """What images may name: our programs, and WAY-PROGRAM, by one of WAYS."""
        folder = os.path.join(self.folder, "bin")
        os.makedirs(folder)
        for program in ("churn-trainer", "churn-scorer"):
            os.symlink(os.path.join(JOB_BIN, program), os.path.join(folder, program))
            for way, line in zip(WAYS, SCRIPTS, strict=True):
                path = os.path.join(folder, f"{way}-{program}")
                with open(path, "w") as script:
                    script.write(f"#!/bin/sh\n{line.format(gate=self.gate)}\nexec {folder}/{program}\n")
                os.chmod(path, 0o755)
        return folder

    def start_kubesim(self, *arguments):
        ready = os.path.join(self.folder, "address")
        self.kubesim = Process("kubesim", [
            os.path.join(BIN, "kubesim"), "serve", "--listen", "127.0.0.1:0", "--bin", self.bin,
            "--data", os.path.join(self.folder, "pods"), "--kubeconfig", self.kubeconfig,
            "--ready-file", ready, "--pod-backoff", "200ms", *arguments],
            os.path.join(self.folder, "kubesim.log"))
        deadline = time.monotonic() + 30
        while not (os.path.exists(ready) and os.path.getsize(ready)):
            if not self.kubesim.alive() or time.monotonic() > deadline:
                raise NotInTime("kubesim did not start:\n" + self.kubesim.log())
            time.sleep(POLL_SECONDS)
        with open(ready) as file:
            self.address = self.registry = file.read().strip()
        with open(self.kubeconfig) as file:
            self.server = re.search(r"server: \"([^\"]+)\"", file.read()).group(1)

    def sim(self, *arguments):
        return subprocess.run([os.path.join(BIN, "kubesim"), *arguments, "--kubeconfig",
                               self.kubeconfig], check=True, capture_output=True, text=True).stdout

    def set_image(self, name, revision, tag="stable", program=None):
        made = json.loads(self.sim("image", "set", f"{self.address}/{name}:{tag}",
                                   "--program", program or name, "--revision", revision))
        return f"{self.address}/{name}@{made['digest']}"

    def add_namespace(self):
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
        return "other"

    def requests(self):
        return json.loads(self.sim("stats"))["requests"]
