"""How the controller gets to a real API server, proves who it is, and says which right it lacks."""
import contextlib
import http.server
import itertools
import os
import select
import socket
import stat
import threading

from apiserver import (ACCOUNT, BATCHES, NAME, ApiServerTest, setUpModule,  # noqa: F401
                       tearDownModule, wait_until)

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


class Credentials(ApiServerTest):
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

    def test_to_follow_jobs(self):
        for verb in ("list", "watch"):
            with self.subTest(verb=verb):
                self.without(verb, "jobs")
                controller = self.start(arguments=())
                self.wait_event("Lease", "churn-operator", f'cannot {verb} resource "jobs"')
                controller.stop()

    def test_to_delete_jobs(self):
        self.start()
        self.assert_works("model")
        self.without("delete", "jobs")
        self.server.patch(f"/apis/churnops.io/v1alpha1/namespaces/{self.namespace}/churnmodels/model",
                          {"spec": {"seed": 7}})
        self.wait_event("ChurnModel", "model", 'cannot delete resource "jobs"')

    def test_to_hold_the_lease(self):
        self.server.patch(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}/roles/{ACCOUNT}",
                          {"rules": [rule for rule in self.rules if "events" in rule["resources"]]})
        self.start(arguments=())
        self.wait_event("Lease", "churn-operator", 'cannot get resource "leases"')

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

    def start_registry(self):
        """One that refuses everybody."""
        import registry_server
        address = registry_server.own_address()
        authority = registry_server.Authority(os.path.join(self.folder, "pki"), address)
        front = registry_server.Front(address, authority, None)
        self.addCleanup(front.close)
        front.status, front.authority, front.registry_image = 401, authority, f"{front.host}/bank/trainer:stable"
        return front

    def test_to_make_batches(self):
        os.makedirs(os.path.join(self.folder, "inbox"))
        with open(os.path.join(self.folder, "inbox", "week.csv"), "w") as file:
            file.write("customerID\n1\n")
        self.without("create", "churnbatches")
        self.start()
        self.make_model("model", inbox={
            "uri": f"file://{self.folder}/inbox/", "pollInterval": "1s", "existing": "All",
            "template": {"output": {"uri": "file:///data/out/"}}})
        self.wait_condition("model", "Stalled", "BatchRejected", 'cannot create resource "churnbatches"')
        self.assertEqual(self.server.get(self.place(BATCHES))["items"], [])
