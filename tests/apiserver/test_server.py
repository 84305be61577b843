"""What a real API server does to its clients: it forgets, throttles, refuses, restarts, and loses its kinds."""
import os
import re
import shutil
import signal
import subprocess
import urllib.error

from apiserver import (MODELS, ApiServerTest, setUpModule, tearDownModule,  # noqa: F401
                       wait_until)

ADMISSION = "admissionregistration.k8s.io/v1"
FLOW = "flowcontrol.apiserver.k8s.io/v1"
BEGINNING = "429 Too Many Requests: storage is (re)initializing"  # to watches, for a while after its start


class Lists(ApiServerTest):
    def test_what_was_compacted_is_listed_again(self):
        """The position of the watch is older than all that etcd and the API server still know."""
        controller = self.start()
        self.assert_works("before")
        controller.process.send_signal(signal.SIGSTOP)
        try:
            self.server.restart()  # what it sends now reaches nobody, not even a buffer
            self.server.request("DELETE", self.place(MODELS, "before"))
            self.make_model("meanwhile")
            self.server.compact()
            self.server.restart()
        finally:
            controller.process.send_signal(signal.SIGCONT)
        self.wait_job("meanwhile")
        self.assertRegex(self.log(), "410 Gone|too old resource version|Expired")
        self.assert_works("after")

    def start_streaming(self):
        self.make_model("before")
        self.start(arguments=("--no-leader-elect", "--watch-list"))
        self.wait_job("before")
        self.assert_works("after")

    def test_the_state_as_a_stream(self):
        """WatchList: its events end with a bookmark, and go on. After a compaction, again."""
        self.start_streaming()
        self.controllers[-1].process.send_signal(signal.SIGSTOP)
        try:
            self.server.restart()
            self.server.request("DELETE", self.place(MODELS, "before"))
            self.make_model("meanwhile")
            self.server.compact()
            self.server.restart()
        finally:
            self.controllers[-1].process.send_signal(signal.SIGCONT)
        self.wait_job("meanwhile")
        self.assert_works("again")
        self.assertEqual(self.figure('verb="list"'), 0)

    def test_the_state_where_there_are_no_streams(self):
        self.addCleanup(self.server.restart)
        self.server.restart("--feature-gates=WatchList=false")
        self.start_streaming()
        self.assertGreaterEqual(self.figure('verb="list"'), 3)
        self.assertIn("sendInitialEvents", self.log())

    def test_more_than_a_page(self):
        """Of 500 objects; each is there once."""
        names = [f"model-{number}" for number in range(510)]
        for name in names:
            self.make_model(name, suspend=True)
        self.start()
        for name in (names[0], names[-1]):
            self.wait_condition(name, "Reconciling", "Suspended")
        self.assertEqual(self.figure('verb="list",resource="churnmodels",code="200"'), 2)


class Refusals(ApiServerTest):
    def test_throttled(self):
        """Priority and fairness answer 429 to all that this account asks; then no more."""
        self.start()
        self.assert_works("before")
        user = f"system:serviceaccount:{self.namespace}:controller"
        self.server.apply(
            {"apiVersion": FLOW, "kind": "PriorityLevelConfiguration", "metadata": {"name": "shut"},
             "spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 0, "lendablePercent": 0,
                                                     "borrowingLimitPercent": 0,
                                                     "limitResponse": {"type": "Reject"}}}},
            {"apiVersion": FLOW, "kind": "FlowSchema", "metadata": {"name": "shut"},
             "spec": {"priorityLevelConfiguration": {"name": "shut"}, "matchingPrecedence": 2,
                      "rules": [{"subjects": [{"kind": "User", "user": {"name": user}}],
                                 "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"],
                                                    "namespaces": ["*"], "clusterScope": True}]}]}})
        names = iter(range(1000))

        def is_throttled():
            self.make_model(f"throttled-{next(names)}")
            return re.search("429 Too Many Requests.*of FlowSchema", self.log())
        wait_until(is_throttled, "a request that is throttled", lambda: self.log()[-6000:])
        self.server.request("DELETE", f"/apis/{FLOW}/flowschemas/shut")
        for number in range(next(names)):
            self.wait_job(f"throttled-{number}")

    def test_an_admission_policy(self):
        rule = {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}
        binding = {"policyName": "no-jobs", "validationActions": ["Deny"], "matchResources": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}}}
        self.server.apply(
            {"apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "no-jobs"},
             "spec": {"matchConstraints": {"resourceRules": [rule]}, "failurePolicy": "Fail",
                      "validations": [{"expression": "false", "message": "the bank forbids it"}]}},
            {"apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "no-jobs"},
             "spec": binding})
        self.start()
        self.make_until_refused()
        self.wait_condition("refused", "Stalled", "JobRejected", "the bank forbids it")
        self.server.request("DELETE", f"/apis/{ADMISSION}/validatingadmissionpolicybindings/no-jobs")
        self.make_until_admitted()

    def make_until_refused(self):
        """A policy takes effect a moment after it was made."""
        def is_refused():
            try:
                self.server.request("POST", f"/apis/batch/v1/namespaces/{self.namespace}/jobs?dryRun=All", {
                    "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "probe"}, "spec": {"template": {
                        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}})
            except urllib.error.HTTPError as error:
                return error.code == 422
            return False
        wait_until(is_refused, "the policy")
        self.make_model("refused")

    def make_until_admitted(self):
        """An edit is tried at once; a moment after the policy went it is admitted."""
        names = iter(range(1, 1000))

        def is_admitted():
            self.server.patch(self.place(MODELS, "refused"), {"spec": {"seed": next(names)}})
            return self.jobs_of("refused")
        wait_until(is_admitted, "a Job once the policy is gone", lambda: self.log()[-6000:])

    def test_a_namespace_that_is_being_deleted(self):
        """Nobody ends its deletion here: the model is still there, and nothing more may be made for it."""
        self.start()
        self.make_model("model", suspend=True)
        self.wait_condition("model", "Reconciling", "Suspended")
        self.server.request("DELETE", f"/api/v1/namespaces/{self.namespace}")
        self.server.patch(self.place(MODELS, "model"), {"spec": {"suspend": False}})
        self.wait_condition("model", "Stalled", "JobRejected", "being terminated")


class Definitions(ApiServerTest):
    def test_not_yet_installed_and_installed_again(self):
        self.server.delete(*self.server.definitions())
        self.start()
        self.wait_log("the CRDs of churnops.io are not installed, will try again")
        self.server.install()
        self.assert_works("first")
        self.server.delete(*self.server.definitions())  # while it runs: all models go, and what follows them
        self.wait_log('"resource":"churnmodels","error":"watch churnmodels')
        self.server.install()
        self.assert_works("again")


class Restarts(ApiServerTest):
    def test_connections_that_are_to_be_left(self):
        """Balancing, the API server sends a GOAWAY after one of fifty requests of HTTP/2. We speak HTTP/1.1, each request
        on a connection that is idle: none is answered by the end of another."""
        self.addCleanup(self.server.restart)
        self.server.restart("--goaway-chance=0.02")
        done = subprocess.run(["curl", "-sv", "--http2", "--cacert", self.server.pki("ca.crt"),
                               *["-o", "/dev/null", f"{self.server.url}/version"] * 500], capture_output=True, text=True)
        self.assertIn("using HTTP/2", done.stderr)
        self.assertGreater(done.stderr.count("Connected to"), 1)  # that is what it does
        self.start()
        self.make_model("first")
        self.wait_job("first")
        begun, unanswered = len(self.log()), self.figure('code="0"')
        names = [f"model-{number}" for number in range(60)]
        for name in names:
            self.make_model(name)
        for name in names:
            self.wait_job(name)
        self.assertEqual(self.figure('code="0"') - unanswered, 0, self.log()[begun:])  # cut off, or without an answer
        warnings = [line for line in self.log()[begun:].splitlines() if '"level":"warning"' in line]
        self.assertEqual([line for line in warnings if BEGINNING not in line], [])

    def test_another_authority(self):
        """The API server comes back with a certificate of another authority, which is added to the file later."""
        trusted = os.path.join(self.folder, "ca.crt")
        shutil.copy(self.server.pki("ca.crt"), trusted)
        self.start(self.server.write_kubeconfig("controller", {"tokenFile": self.token_file},
                                                certificate_authority=trusted))
        self.assert_works("before")
        self.addCleanup(self.server.restart)
        self.server.restart(*self.server.another_authority())
        self.wait_log("certificate")
        with open(trusted, "a") as file, open(self.server.pki("next/ca.crt")) as following:
            file.write(following.read())
        self.server.request("POST", self.place(MODELS), self.model("after"))
        self.wait_job("after")
