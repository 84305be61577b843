"""How the controller gets to a real API server, proves who it is, and says which right it lacks."""
import contextlib
import http.server
import itertools
import os
import re
import select
import signal
import socket
import stat
import subprocess
import threading
import time
import unittest.mock

from apiserver import (ACCOUNT, BATCHES, DIGEST, JOBS, NAME, ApiServerTest, setUpModule,  # noqa: F401
                       tearDownModule, wait_until)

OTHER_CLOCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "other_clock.c")
PLUGIN = """\
#!/bin/sh
echo called >>{folder}/calls
printf '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"%s"}}}}' \\
    "$(cat {folder}/token)"
"""


class Proxy:
    """Opens tunnels (CONNECT) and remembers where to."""

    def __init__(self, led_to=None):
        proxy, self.asked = self, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self):
                proxy.asked.append(self.path)
                host, port = (led_to or self.path).rsplit(":", 1)
                with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=30) as peer:
                    self.send_response(200)
                    self.end_headers()
                    tunnel(self.connection, peer)
                self.close_connection = True

            def log_message(self, *_):
                pass
        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self):
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()


def tunnel(left, right):
    while True:
        for source in select.select([left, right], [], [])[0]:
            data = source.recv(65536)
            if not data:
                return
            (right if source is left else left).sendall(data)


class AccountTest(ApiServerTest):
    def renew_account(self):
        """The tokens that there are cease to be good."""
        self.server.request("DELETE", f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{ACCOUNT}")
        self.server.apply({"apiVersion": "v1", "kind": "ServiceAccount",
                           "metadata": {"name": ACCOUNT, "namespace": self.namespace}})

    def assert_works_until(self, holds, what):
        """The API server remembers for some seconds that a token was good."""
        names = itertools.count()

        def worked():
            self.assert_works(f"after-{next(names)}")
            return holds()
        wait_until(worked, what, self.log)


class Credentials(AccountTest):
    def test_a_token_that_is_rotated(self):
        """Nobody sees it: a 401 is answered with the token that the file has by then."""
        self.start()
        self.assert_works("before")
        self.renew_account()
        self.write_token()
        self.assert_works_until(lambda: self.figure('code="401"') > 0, "a token that is refused")
        self.assertNotIn("401 Unauthorized", self.log())

    def test_a_token_that_comes_late(self):
        self.start()
        self.assert_works("before")
        self.renew_account()
        self.make_model("meanwhile")
        self.server.restart()  # ends the watches, whose token was good when they began
        self.wait_log("401 Unauthorized")
        self.write_token()
        self.wait_job("meanwhile")

    def test_a_client_certificate(self):
        kubeconfig = self.server.write_kubeconfig("admin", {"client-certificate": self.server.pki("admin.crt"),
                                                            "client-key": self.server.pki("admin.key")})
        self.start(kubeconfig)
        self.assert_works("model")

    def test_an_exec_plugin(self):
        plugin = os.path.join(self.folder, "plugin")
        with open(plugin, "w") as file:
            file.write(PLUGIN.format(folder=self.folder))
        os.chmod(plugin, os.stat(plugin).st_mode | stat.S_IXUSR)
        self.start(self.server.write_kubeconfig(ACCOUNT, {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"}}))
        self.assert_works("before")
        self.renew_account()
        self.write_token()

        def calls():
            with open(os.path.join(self.folder, "calls")) as file:
                return len(file.readlines())
        self.assert_works_until(lambda: calls() > 1, "another call of the plugin")


class Clocks(AccountTest):
    """The controller's clock is hours ahead, or behind."""

    def clock(self, hours):
        """The environment of a program whose clock is so far ahead."""
        library = os.path.join(self.folder, "other_clock.so")
        if not os.path.exists(library):
            subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, OTHER_CLOCK, "-ldl"], check=True)
        return {"LD_PRELOAD": library, "CLOCK_AHEAD_SECONDS": str(hours * 3600),
                "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}

    def start_ahead(self, hours, **options):
        return self.start(environment=self.clock(hours), **options)

    def restart_with_old_certificates(self, hours):
        """That have been valid for so long. Returns what a kubeconfig says of the cluster then."""
        with unittest.mock.patch.dict(os.environ, self.clock(-hours)):
            arguments = self.server.another_authority()
        self.addCleanup(self.server.restart)
        self.server.restart(*arguments)
        return {"certificate_authority": self.server.pki("next/ca.crt")}

    def lease(self):
        return self.server.get(f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/churn-operator")["spec"]

    def wait_renewed(self, times):
        """By its holder, while others look."""
        holder, seen = self.lease()["holderIdentity"], set()

        def renewed():
            self.assertEqual(self.lease()["holderIdentity"], holder)
            seen.add(self.lease()["renewTime"])
            return len(seen) > times
        wait_until(renewed, "renewals of the Lease", self.log)

    def test_leases_and_what_is_said(self):
        """A Lease expires when nothing was heard of its holder, whatever time it says."""
        times = ("--lease-duration=4s", "--lease-renew-deadline=3s", "--lease-retry-period=500ms")
        leader = self.start(arguments=times)
        self.wait_log("this process is the leader")
        for hours, model in ((3, "ahead"), (0, "right again")):
            standby = self.start_ahead(hours, arguments=times)
            self.wait_log("another process is the leader")
            self.wait_renewed(10)
            self.assertNotIn("this process is the leader", standby.log())
            leader.stop(signal.SIGKILL)
            self.wait_log("this process is the leader")
            self.assert_works(model.replace(" ", "-"))
            leader = standby
        self.assertNotIn("this clock is not the API server's", self.log())
        self.assertRegex(self.controllers[1].log(), "this clock is not the API server's.*\"aheadSeconds\":10(79|80)")

    def test_credentials_that_expire(self):
        """By this clock they have, when they come; the API server takes them."""
        plugin = os.path.join(self.folder, "plugin")
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        with open(plugin, "w") as file:
            file.write(PLUGIN.format(folder=self.folder).replace('"%s"}}', f'"%s","expirationTimestamp":"{expires}"}}}}'))
        os.chmod(plugin, os.stat(plugin).st_mode | stat.S_IXUSR)
        self.start_ahead(3, kubeconfig=self.server.write_kubeconfig(ACCOUNT, {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"}}))
        for number in range(5):
            self.assert_works(f"model-{number}")

        def is_rare():
            with open(os.path.join(self.folder, "calls")) as file:
                return 3 * len(file.readlines()) < self.figure('code="20')
        wait_until(is_rare, "more requests than calls of the plugin", self.log)

    def test_behind(self):
        """Leases pass from hand to hand, work is done once, what is told has the time of this clock."""
        cluster = self.restart_with_old_certificates(hours=4)
        options = {"arguments": ("--lease-duration=4s", "--lease-renew-deadline=3s", "--lease-retry-period=500ms"),
                   "kubeconfig": self.server.write_kubeconfig(ACCOUNT, {"tokenFile": self.token_file}, **cluster)}
        leader = self.start_ahead(-3, **options)
        self.wait_log("this process is the leader")
        self.assert_works("behind")
        for hours, model in ((0, "right"), (-3, "behind-again")):
            standby = self.start_ahead(hours, **options)
            self.wait_log("another process is the leader")
            self.wait_renewed(10)
            self.assertNotIn("this process is the leader", standby.log())
            leader.stop(signal.SIGKILL)
            self.wait_log("this process is the leader")
            self.assert_works(model)
            leader = standby
        for model in ("behind", "right", "behind-again"):
            self.assertEqual(len(self.jobs_of(model)), 1)
        for controller, is_behind in zip(self.controllers, (True, False, True)):
            found = re.search("this clock is not the API server's.*\"aheadSeconds\":-10(79|80)", controller.log())
            self.assertEqual(found is not None, is_behind, controller.log())

    def test_credentials_that_are_good_for_longer_here(self):
        """By this clock they have hours when the API server refuses them."""
        plugin = os.path.join(self.folder, "plugin")
        cluster = self.restart_with_old_certificates(hours=4)
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
        with open(plugin, "w") as file:
            file.write(PLUGIN.format(folder=self.folder).replace('"%s"}}', f'"%s","expirationTimestamp":"{expires}"}}}}'))
        os.chmod(plugin, os.stat(plugin).st_mode | stat.S_IXUSR)
        self.start_ahead(-3, kubeconfig=self.server.write_kubeconfig(ACCOUNT, {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"}}, **cluster))
        self.assert_works("before")
        self.renew_account()
        self.write_token()
        self.assert_works_until(lambda: self.figure('code="401"') > 0, "a token that is refused")
        self.assert_works("after")

    def test_certificates_that_are_not_valid_yet(self):
        self.start_ahead(-3)
        self.wait_log("certificate is not yet valid")


class Ways(ApiServerTest):
    def user(self):
        return {"tokenFile": self.token_file}

    def start_proxy(self, led_to=None):
        proxy = Proxy(led_to)
        self.addCleanup(proxy.close)
        return proxy

    def test_a_proxy_of_the_kubeconfig(self):
        proxy = self.start_proxy()
        self.start(self.server.write_kubeconfig(ACCOUNT, self.user(), proxy_url=proxy.url))
        self.assert_works("model")
        self.assertEqual(set(proxy.asked), {f"127.0.0.1:{self.server.port}"})

    def test_connections_are_used_again(self):
        """However much there is to do at once."""
        proxy = self.start_proxy()
        models = [f"model-{number}" for number in range(200)]
        for model in models:
            self.make_model(model)
        self.start(self.server.write_kubeconfig(ACCOUNT, self.user(), proxy_url=proxy.url))
        for model in models:
            self.wait_job(model)
        self.assertLessEqual(len(proxy.asked), 96)

    def test_a_proxy_of_the_environment(self):
        """Which knows names that this machine does not."""
        proxy = self.start_proxy(led_to=f"127.0.0.1:{self.server.port}")
        self.start(self.server.write_kubeconfig(ACCOUNT, self.user(), server=f"https://{NAME}"),
                   environment={"HTTPS_PROXY": proxy.url, "NO_PROXY": "10.0.0.0/8,.svc"})
        self.assert_works("model")
        self.assertEqual(set(proxy.asked), {f"{NAME}:443"})

    def test_an_exception_from_the_proxy(self):
        proxy = self.start_proxy()
        self.start(self.server.write_kubeconfig(ACCOUNT, self.user(), server=f"https://{NAME}:{self.server.port}"),
                   environment={"HTTPS_PROXY": proxy.url, "NO_PROXY": ".svc,api.test"})
        self.wait_log("Could not resolve host")
        self.assertEqual(proxy.asked, [])

    def test_another_server_name(self):
        server = f"https://localhost:{self.server.port}"  # the certificate is for 127.0.0.1 and for NAME
        self.start(self.server.write_kubeconfig(ACCOUNT, self.user(), server=server))
        self.wait_log("SSL")
        self.controllers[-1].stop()
        self.start(self.server.write_kubeconfig(ACCOUNT, self.user(), server=server, tls_server_name=NAME))
        self.assert_works("model")


class Rights(ApiServerTest):
    """Each right is taken away in turn."""

    def without(self, verb, resource):
        rules = [{**rule, "verbs": [kept for kept in rule["verbs"] if resource not in rule["resources"] or kept != verb]}
                 for rule in self.rules]
        self.set_rules([rule for rule in rules if rule["verbs"]])

    def test_to_make_jobs(self):
        self.without("create", "jobs")
        self.start()
        self.make_model("model")
        self.wait_condition("model", "Stalled", "JobRejected", 'cannot create resource "jobs"')

    def test_to_write_status(self):
        self.without("patch", "churnmodels/status")
        self.start()
        self.make_model("model")
        self.wait_event("ChurnModel", "model", 'cannot patch resource "churnmodels/status"')

    def test_to_write_status_of_batches(self):
        self.without("patch", "churnbatches/status")
        self.start()
        self.make_batch("week", "telco")
        self.wait_event("ChurnBatch", "week", 'cannot patch resource "churnbatches/status"')

    def test_to_follow_objects(self):
        for resource in ("churnmodels", "churnbatches", "jobs"):
            for verb in ("list", "watch"):
                with self.subTest(resource=resource, verb=verb):
                    self.without(verb, resource)
                    controller = self.start(arguments=())
                    self.wait_event("Lease", "churn-operator", f'cannot {verb} resource "{resource}"')
                    controller.stop()

    def test_to_make_a_job_again(self):
        """One that went without its outcome: it and its model are read past the cache."""
        self.start()
        for resource in ("jobs", "churnmodels"):
            with self.subTest(resource=resource):
                self.make_model(resource)
                job = self.wait_job(resource)
                self.without("get", resource)
                self.server.request("DELETE", self.place(JOBS, job["metadata"]["name"]) + "?propagationPolicy=Background")
                self.wait_event("ChurnModel", resource, f'cannot get resource "{resource}"')
                self.set_rules(self.rules)

    def test_to_read_results(self):
        self.without("list", "pods")
        self.start()
        self.make_model("model")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.server.patch(self.place(JOBS, self.wait_job("model")["metadata"]["name"]) + "/status", {"status": {
            "startTime": now, "completionTime": now, "succeeded": 1, "conditions": [
                {"type": name, "status": "True", "lastTransitionTime": now} for name in ("SuccessCriteriaMet", "Complete")]}})
        self.wait_event("ChurnModel", "model", 'cannot list resource "pods"')

    def test_to_own_jobs(self):
        """Where owner references that block a deletion need a right of their own."""
        self.addCleanup(self.server.restart)
        self.server.restart("--enable-admission-plugins=OwnerReferencesPermissionEnforcement")
        self.without("update", "churnmodels/finalizers")
        self.start()
        self.make_model("model")
        self.wait_condition("model", "Stalled", "JobRejected", "cannot set blockOwnerDeletion")

    def test_to_delete_jobs(self):
        self.start()
        self.assert_works("model")
        self.without("delete", "jobs")
        self.server.patch(f"/apis/churnops.io/v1alpha1/namespaces/{self.namespace}/churnmodels/model",
                          {"spec": {"seed": 7}})
        self.wait_event("ChurnModel", "model", 'cannot delete resource "jobs"')

    def test_to_hold_the_lease(self):
        for verb, others in (("get", ("create", "update")), ("create", ("get", "update")), ("update", ("get", "create"))):
            with self.subTest(verb=verb):
                self.set_rules(self.rules, of_lease=others)
                controller = self.start(arguments=())
                self.wait_event("Lease", "churn-operator", f'cannot {verb} resource "leases"')
                controller.stop()
                if verb == "create":
                    self.leave_lease()

    def leave_lease(self):
        """That was given back."""
        self.set_rules(self.rules)
        controller = self.start(arguments=())
        self.wait_log("this process is the leader")
        controller.stop()

    def test_to_record_events(self):
        """What cannot be told by an Event is in the log, and work goes on."""
        self.without("create", "events")
        self.start()
        self.assert_works("model")
        self.wait_log('cannot create resource \\"events\\"')

    def test_to_read_pull_secrets_and_accounts(self):
        front = self.start_registry()
        self.without("get", "serviceaccounts")
        self.start(arguments=("--no-leader-elect", "--registry-ca", front.authority.path("ca.crt")))
        image = front.registry_image
        self.make_model("plain", image=image)
        self.wait_condition("plain", "ImageResolved", "RegistryDenied", "may not be read by the controller")
        self.without("get", "secrets")
        self.make_model("named", image=image, imagePullSecrets=[{"name": "regcred"}])
        self.wait_condition("named", "ImageResolved", "RegistryDenied",
                            f"pull secret {self.namespace}/regcred may not be read by the controller")

    def test_to_probe_images(self):
        """The same rights as for trainings are enough. What the kubelet would say is said here."""
        front = self.start_registry()
        self.server.patch(f"/api/v1/namespaces/{self.namespace}", {
            "metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
        self.without("create", "jobs")
        self.start(arguments=("--no-leader-elect", "--registry-ca", front.authority.path("ca.crt"), "--probe-pods"))
        self.make_model("refused", image=front.registry_image)
        self.wait_condition("refused", "ImageResolved", "DigestUnresolvable", 'cannot create resource "jobs"')
        self.set_rules(self.rules)
        self.make_model("model", image=front.registry_image, podTemplate={"serviceAccountName": "robot"})
        probe = self.wait_job("model")
        self.assertEqual(probe["metadata"]["labels"]["app.kubernetes.io/component"], "probe")
        self.make_pod(probe, front.registry_image.rpartition(":")[0] + "@" + DIGEST)

        def is_training():
            return [job["metadata"]["labels"]["app.kubernetes.io/component"] for job in self.jobs_of("model")] == ["trainer"]
        wait_until(is_training, "a training alone", self.log)

    def make_pod(self, job, image_id):
        """Which runs an image."""
        pods, name = f"/api/v1/namespaces/{self.namespace}/pods", job["metadata"]["name"]
        template = job["spec"]["template"]
        self.server.request("POST", pods, {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"], "metadata": {
            "name": name, "labels": template["metadata"]["labels"], "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"]}]}})
        self.server.patch(f"{pods}/{name}/status", {"status": {"phase": "Running", "containerStatuses": [
            {"name": "churn", "image": "i", "imageID": image_id, "ready": True, "restartCount": 0, "state": {
                "running": {"startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}}]}})

    def start_registry(self):
        """One that refuses everybody."""
        import registry_server
        address = registry_server.own_address()
        authority = registry_server.Authority(os.path.join(self.folder, "pki"), address)
        front = registry_server.Front(address, authority, None)
        self.addCleanup(front.close)
        front.status, front.authority, front.registry_image = 401, authority, f"{front.host}/bank/trainer:stable"
        return front

    def make_inbox(self, *names, **spec):
        os.makedirs(os.path.join(self.folder, "inbox"))
        for name in names:
            with open(os.path.join(self.folder, "inbox", name), "w") as file:
                file.write("customerID\n1\n")
        self.make_model("model", inbox={
            "uri": f"file://{self.folder}/inbox/", "pollInterval": "1s", "existing": "All",
            "template": {"output": {"uri": "file:///data/out/"}}, **spec})

    def test_to_make_batches(self):
        self.without("create", "churnbatches")
        self.start()
        self.make_inbox("week.csv")
        self.wait_condition("model", "Stalled", "BatchRejected", 'cannot create resource "churnbatches"')
        self.assertEqual(self.server.get(self.place(BATCHES))["items"], [])

    def test_to_delete_batches(self):
        """Finished ones, of which an inbox keeps some."""
        self.without("delete", "churnbatches")
        self.start()
        self.make_inbox("week-1.csv", "week-2.csv", keep=1)

        def batches():
            return self.server.get(self.place(BATCHES))["items"]
        wait_until(lambda: len(batches()) == 2, "two batches", self.log)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for batch in batches():
            self.server.patch(self.place(BATCHES, batch["metadata"]["name"]) + "/status", {"status": {
                "observedGeneration": 1, "completionTime": now, "conditions": [
                    {"type": "Complete", "status": "True", "reason": "Scored", "message": "", "observedGeneration": 1,
                     "lastTransitionTime": now}]}})
        self.wait_event("ChurnModel", "model", 'cannot delete resource "churnbatches"')
