"""Goal: whoever has an API server and etcd, or a whole cluster, has the tests run on these: $KUBEBUILDER_ASSETS and
--use-existing are honoured, and nothing is built or started in their place. One that the tests stop has ended when
another begins.

Method: scripts and a small HTTP server stand in for them, and tell what was asked of them.
"""
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "hack" / "kubenode"), str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "apiserver")]
import apiserver  # noqa: E402
import build  # noqa: E402
import on_real_cluster  # noqa: E402
import state  # noqa: E402
from unavailable import Unavailable  # noqa: E402


# The first thread ends, another one waits for the end of the input.
ENDS_IN_PART = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
print("begun", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


class Ends(unittest.TestCase):
    def test_a_process_is_there_until_its_last_thread_has_ended(self):
        """The ports of an API server that is killed are free when the last of its threads is gone."""
        with subprocess.Popen([sys.executable, "-c", ENDS_IN_PART], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.readline(), b"begun\n")
            while "State:\tZ" not in Path(f"/proc/{process.pid}/status").read_text():
                pass
            self.assertIsNotNone(state.started_at(process.pid))
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self.assertIsNone(state.started_at(process.pid))


class Assets(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="churn-assets-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # A machine without Go, which has built nothing before.
        environment = mock.patch.dict(os.environ, {"KUBEBUILDER_ASSETS": str(self.folder), "PATH": "/nowhere",
                                                   "XDG_CACHE_HOME": str(self.folder / "cache")})
        environment.start()
        self.addCleanup(environment.stop)

    def add(self, name, script="exit 0"):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def find(self, *names):
        return build.find_programs(build.DEFAULT_VERSION, build.default_cache(), print, names)

    def test_what_is_there_is_used_and_nothing_is_built(self):
        self.add("etcd")
        self.add("kube-apiserver")
        self.assertEqual(self.find("etcd", "kube-apiserver"),
                         {name: [str(self.folder / name)] for name in ("etcd", "kube-apiserver")})

    def test_what_is_not_there_would_be_built(self):
        self.add("etcd")
        (self.folder / "kube-apiserver").write_text("no program")
        with self.assertRaisesRegex(Unavailable, "Go .* is not on PATH"):
            self.find("etcd", "kube-apiserver")

    def test_the_tests_of_the_client_run_on_them(self):
        self.add("etcd", 'echo "$@" >"$KUBEBUILDER_ASSETS/asked"; exec /bin/sleep 60')
        self.add("kube-apiserver", 'until [ -s "$KUBEBUILDER_ASSETS/asked" ]; do sleep 0.05; done; '
                                   'echo "the stand-in was started with $1"; exit 1')
        with mock.patch.dict(os.environ, {"PATH": os.defpath}), \
                self.assertRaisesRegex(AssertionError, "the stand-in was started with --etcd-servers="):
            apiserver.ApiServer()
        self.assertIn("--listen-client-urls=", (self.folder / "asked").read_text())


class StandIn(http.server.BaseHTTPRequestHandler):
    """An API server that serves nothing."""

    def do_GET(self):
        self.server.asked.append(self.path)
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
                           "message": "the stand-in refuses"}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Existing(unittest.TestCase):
    def setUp(self):
        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
        self.httpd.asked = []
        thread = threading.Thread(target=self.httpd.serve_forever, args=(0.05,))
        thread.start()
        folder = tempfile.TemporaryDirectory(prefix="churn-existing-")
        for cleanup in (folder.cleanup, self.httpd.server_close, thread.join, self.httpd.shutdown):
            self.addCleanup(cleanup)
        self.kubeconfig = os.path.join(folder.name, "kubeconfig")
        with open(self.kubeconfig, "w") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "mine",
                       "clusters": [{"name": "mine", "cluster": {
                           "server": f"http://127.0.0.1:{self.httpd.server_port}"}}],
                       "contexts": [{"name": "mine", "context": {"cluster": "mine", "user": ""}}]}, file)
        self.ran = []
        self.environment = {"KUBECONFIG": self.kubeconfig, "HOME": folder.name}

    def run_scenarios(self, *arguments, **environment):
        """With a stand-in for scripts that build or start something."""
        with mock.patch.dict(os.environ, {**self.environment, **environment}), \
                mock.patch.object(sys, "argv", ["on_real_cluster.py", *arguments]), \
                mock.patch.object(on_real_cluster, "run_or_skip", lambda *command: self.ran.append(command)):
            return on_real_cluster.main()

    def test_the_cluster_of_the_kubeconfig_is_asked(self):
        with self.assertRaises(subprocess.CalledProcessError) as refused:  # the CRDs come first
            self.run_scenarios("--use-existing", "test_main_job.py", CHURN_REGISTRY="registry.test:5000")
        self.assertEqual(refused.exception.cmd[1:3], ["apply", "-f"])
        self.assertEqual(self.ran, [("hack/images",)])  # and no hack/cluster
        self.assertGreater(len(self.httpd.asked), 0)

    def test_its_scenarios_go_there_too(self):
        suites = []
        with mock.patch.object(on_real_cluster, "subprocess"), \
                mock.patch.object(on_real_cluster, "run_suite", lambda *suite: suites.append(suite) or 0):
            self.run_scenarios("--use-existing", "test_main_job.py", CHURN_REGISTRY="registry.test:5000")
        self.assertGreater(len(suites), 0)
        for _, _, environment in suites:
            self.assertEqual((environment["KUBECONFIG"], environment["CHURN_CLUSTER"], environment["CHURN_REGISTRY"]),
                             (self.kubeconfig, "real", "registry.test:5000"))

    def test_without_a_registry_it_says_so(self):
        with mock.patch("sys.stderr"), self.assertRaises(SystemExit) as ended:
            self.run_scenarios("--use-existing", CHURN_REGISTRY="")
        self.assertEqual((ended.exception.code, self.ran), (2, []))


if __name__ == "__main__":
    unittest.main()
