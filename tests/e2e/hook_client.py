"""Stores that push, and the issuer whose tokens Pub/Sub sends: made of openssl's command line, so that
what the controller checks was signed by something else."""
import base64
import contextlib
import http.server
import json
import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

from cluster import DEADLINE_SECONDS, POLL_SECONDS, NotInTime

PATH = "/v1/hooks/storage"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Serves a JWKS on a free port, and signs with any of its keys."""

    def __init__(self, folder):
        self.folder, self.keys, self.asked = folder, {}, 0
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked += 1
                body = json.dumps({"keys": list(issuer.keys.values())}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/certs"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def add_key(self, name, publish=True):
        path = os.path.join(self.folder, name + ".pem")
        subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
        shown = subprocess.run(["openssl", "rsa", "-in", path, "-noout", "-modulus"], check=True,
                               capture_output=True, text=True).stdout
        modulus = bytes.fromhex(shown.strip().removeprefix("Modulus="))
        if publish:
            self.keys[name] = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": name,
                               "n": base64url(modulus), "e": "AQAB"}

    def token(self, key, signer=None, **claims):
        parts = [{"alg": "RS256", "kid": key, "typ": "JWT"},
                 {"iat": int(time.time()), "exp": int(time.time()) + 3600, **claims}]
        text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", os.path.join(self.folder, (signer or key) + ".pem")],
            input=text.encode(), check=True, capture_output=True).stdout
        return text + "." + base64url(signature)


def pubsub(bucket, name, event="OBJECT_FINALIZE"):
    """What Pub/Sub pushes of a bucket's notification."""
    return {"message": {"attributes": {"bucketId": bucket, "objectId": name, "eventType": event,
                                       "objectGeneration": "1", "payloadFormat": "JSON_API_V1"},
                        "data": "e30=", "messageId": "1", "publishTime": "2026-11-22T10:16:08Z"},
            "subscription": "projects/p/subscriptions/churn"}


def s3_event(bucket, key, event="ObjectCreated:Put"):
    return {"Records": [{"eventVersion": "2.1", "eventName": event,
                         "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}}}]}


def port_of(controller, name="hooksPort"):
    """Of a controller that has started, by its log."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if found := re.search(rf'"{name}":(\d+)', controller.log()):
            return int(found.group(1))
        time.sleep(POLL_SECONDS)
    raise NotInTime(f"{controller.name} did not start:\n{controller.log()}")


def push(controller, body, token=None, path=PATH, method="POST"):
    """The status of the answer, and its text."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port_of(controller)}{path}", data, method=method)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    with contextlib.closing(open_any(request)) as answer:
        return answer.status, answer.read().decode()


def open_any(request):
    try:
        return urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        return error


def metric(controller, name):
    """A figure of /metrics; 0 when it is not there."""
    url = f"http://127.0.0.1:{port_of(controller, 'metricsPort')}/metrics"
    with urllib.request.urlopen(url, timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
    return 0


def wait_metric(controller, name, value):
    """Figures are published once a second."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if metric(controller, name) >= value:
            return
        time.sleep(POLL_SECONDS)
    raise NotInTime(f"{name} is {metric(controller, name)}, not {value}\n{controller.log()}")
