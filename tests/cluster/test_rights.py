"""What the manifests let the controller do is exactly what it asks for: with all of it nothing is refused, and
whichever right is taken away, something that it has to do is refused."""
import http.server
import json
import os
import re
import signal
import sys
import threading
import time
import unittest
import urllib.parse

import yaml

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "e2e"))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "bench"))
from cluster import DEADLINE_SECONDS, POLL_SECONDS, ROOT, NotInTime, condition_of  # noqa: E402
from proxy import Proxy  # noqa: E402
from real_cluster import ApiProxy, RealCluster  # noqa: E402

ACCOUNT = "controller"
REFUSAL = re.compile(rb' cannot (\w+) resource \\"([\w/]+)\\"')
SOURCES = ("manifests/rights/controller.yaml", "manifests/base/leader-election.yaml")


def rules_of_manifests():
    """One for each right: a verb on a resource."""
    for source in SOURCES:
        with open(os.path.join(ROOT, source)) as file:
            for found in yaml.safe_load_all(file):
                for rule in found.get("rules", ()):
                    yield from ({**rule, "resources": [resource], "verbs": [verb]}
                                for resource in rule["resources"] for verb in rule["verbs"])


def right_of(rule):
    return rule["verbs"][0], rule["resources"][0]


class DenyingRegistry(http.server.BaseHTTPRequestHandler):
    """Wants to know who asks: secrets are looked for that a model or the account of its pods names."""

    def do_HEAD(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="bank"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *_):
        pass


class RestrictedCluster(RealCluster):
    """The controller has a ServiceAccount with some rules, and all of its requests pass a proxy."""

    def begin(self):
        super().begin()
        self.disturbed = set()
        self.account_proxy = None
        self.denying = http.server.ThreadingHTTPServer(("127.0.0.1", 0), DenyingRegistry)
        threading.Thread(target=self.denying.serve_forever).start()
        self.denying_address = f"127.0.0.1:{self.denying.server_port}"

    def grant(self, rules):
        account = {"kind": "ServiceAccount", "name": ACCOUNT}
        self.kubectl("create", "serviceaccount", ACCOUNT)
        self.apply(
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": ACCOUNT}, "rules": rules},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": ACCOUNT},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
             "subjects": [{**account, "namespace": self.namespace}]})

    def start_as_account(self):
        with open(self.kubeconfig) as file:
            config = json.load(file)
        config["users"][0]["user"] = {"token": self.kubectl("create", "token", ACCOUNT).strip()}
        self.account_proxy = ApiProxy(self.write("account.kubeconfig", config),
                                      os.path.join(self.folder, "account-proxy.log"))
        server = urllib.parse.urlsplit(self.account_proxy.url)
        self.tap = Proxy(server.hostname, server.port, before=self.make_conflict)
        config["clusters"][0]["cluster"] = {"server": f"http://{self.tap.address}"}
        config["users"][0]["user"] = {}
        self.start_controller("--kubeconfig", self.write("tapped.kubeconfig", config),
                              "--insecure-registry", self.denying_address)

    def write(self, name, config):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            json.dump(config, file)
        return path

    def make_conflict(self, piece):
        """Somebody else writes just before the first status of each kind."""
        verb, _, path = piece.data.partition(b"\r\n")[0].decode(errors="replace").partition(" ")
        path = path.partition("?")[0].partition(" ")[0].split("/")
        if verb == "PATCH" and path[-1] == "status" and path[-3] not in self.disturbed:
            self.disturbed.add(path[-3])
            self.kubectl("annotate", path[-3], path[-2], "example.org/seen=true")

    def refused(self):
        """Every right that was missing, as (verb, resource)."""
        with self.tap.changed:
            answers = b"".join(piece.data for piece in self.tap.pieces if not piece.up)
        found = {(match[1].decode(), match[2].decode()) for match in re.finditer(REFUSAL, answers)}
        return found | ({("update", "finalizers")} if b"cannot set blockOwnerDeletion" in answers else set())

    def end(self):
        self.denying.shutdown()
        self.denying.server_close()
        if self.account_proxy:
            self.tap.close()
            self.account_proxy.stop()
        return super().end()


class Rights(unittest.TestCase):
    """Everything that the controller does, step by step, until it is done or something is refused."""

    def begin(self, rules):
        self.cluster = RestrictedCluster()
        self.addCleanup(self.cluster.close)
        self.cluster.grant(rules)
        self.cluster.put_history()
        self.cluster.put_week(1)
        self.cluster.start_as_account()

    def reached(self, holds):
        """Waits; False: something was refused before."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self.cluster.refused():
            if holds():
                return True
            if time.monotonic() > deadline:
                raise NotInTime(f"a step does not end:\n{self.cluster.controller.log()[-6000:]}")
            time.sleep(POLL_SECONDS)
        return False

    def is_true(self, kind, name, condition):
        return (condition_of(self.cluster.get(kind, name), condition) or {}).get("status") == "True"

    def do_everything(self):
        return all(step() for step in (self.supersede, self.train_and_score, self.score_another, self.catch_up))

    def supersede(self):
        """Runs that never begin, one after the other; what is said of the third was said of the first."""
        cluster, jobs = self.cluster, set()
        for seed in (1, 2, 1):
            cluster.apply(cluster.model("other", seed=seed, image=f"{cluster.address}/none@sha256:{'0' * 64}"))

            def begun():
                model = cluster.get("churnmodel", "other")
                training = model.get("status", {}).get("training", {})
                return (model["status"].get("observedGeneration") == model["metadata"]["generation"]
                        if training else False) and cluster.get("job", training["job"])
            if not self.reached(begun):
                return False
            jobs.add(cluster.get("churnmodel", "other")["status"]["training"]["job"])
        self.assertEqual(len(jobs), 2)
        return True

    def train_and_score(self):
        cluster = self.cluster
        template = {"output": {"uri": cluster.uri("output_folder") + "/"}, "ttlSecondsAfterFinished": 3600}
        inbox = {"uri": cluster.uri("weekly_folder") + "/", "pollInterval": "1s", "existing": "All", "keep": 1,
                 "template": template}
        denied = f"{cluster.denying_address}/churn-trainer:stable"
        cluster.apply(cluster.model(inbox=inbox), cluster.model("of-account", image=denied),
                      cluster.model("named", image=denied, imagePullSecrets=[{"name": "regcred"}]))
        return self.reached(lambda: any(job["spec"].get("ttlSecondsAfterFinished") for job in cluster.jobs("scorer")))

    def score_another(self):
        """The first batch goes."""
        self.first = {batch["metadata"]["name"] for batch in self.cluster.list("churnbatch")}
        self.cluster.put_week(2)

        def replaced():
            names = {batch["metadata"]["name"] for batch in self.cluster.list("churnbatch")}
            return len(names) == 1 and names != self.first
        return self.reached(replaced)

    def catch_up(self):
        """Events come last."""
        return self.reached(lambda: any(event.get("series") for event in self.cluster.list("event")))

    def check(self, *resources):
        """Without each right on one of these resources something is refused, and just for this right."""
        rules = list(rules_of_manifests())
        for rule in rules:
            verb, resource = right_of(rule)
            if resource not in resources:
                continue
            with self.subTest(f"{verb} {resource}"):
                self.begin([other for other in rules if other is not rule])
                self.assertFalse(self.do_everything(), "it was not needed")
                missing = ("update", "finalizers") if resource.endswith("/finalizers") else (verb, resource)
                self.assertEqual(self.cluster.refused(), {missing})
                self.cluster.controller.stop(signal.SIGKILL)  # some rights it cannot even stop without
                self.doCleanups()


class Enough(Rights):
    def test_with_all_rights_nothing_is_refused(self):
        self.begin(list(rules_of_manifests()))
        self.assertTrue(self.do_everything())

    def test_rights_of_all_resources_are_taken_away_below(self):
        self.assertEqual({right_of(rule)[1] for rule in rules_of_manifests()},
                         {*OF_KINDS, *OF_WRITES, *OF_JOBS, *OF_THE_REST})


OF_KINDS = ("churnmodels", "churnbatches")
OF_WRITES = ("churnmodels/status", "churnbatches/status", "churnmodels/finalizers", "churnbatches/finalizers", "pods")
OF_JOBS = ("jobs",)
OF_THE_REST = ("secrets", "serviceaccounts", "events", "leases")


class Kinds(Rights):
    def test_each_right_is_needed(self):
        self.check(*OF_KINDS)


class Writes(Rights):
    def test_each_right_is_needed(self):
        self.check(*OF_WRITES)


class Jobs(Rights):
    def test_each_right_is_needed(self):
        self.check(*OF_JOBS)


class TheRest(Rights):
    def test_each_right_is_needed(self):
        self.check(*OF_THE_REST)


if __name__ == "__main__":
    unittest.main()
