"""A registry for a test: Debian's docker-registry with TLS of a private authority, filled by skopeo.

It listens on this machine's own address, because the controller goes to loopback only where it is told so.
Before it, if asked for, stands a Front that fails as it is told; beside it a realm that signs tokens."""
import base64
import contextlib
import ctypes
import http.client
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse
import uuid

from cluster import POLL_SECONDS, ROOT, NotInTime, Process

sys.path.insert(0, os.path.join(ROOT, "hack", "kubenode"))
import certificates  # noqa: E402
import oci  # noqa: E402

USER, PASSWORD = "bank", "hunter2"
INDEX = "application/vnd.oci.image.index.v1+json"
NEEDED = ("docker-registry", "skopeo", "openssl")
SETTINGS = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/content}}, delete: {{enabled: true}}}}
http: {http}
"""


def own_address():
    """The address by which this machine reaches others; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
            address = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        raise unittest.SkipTest("this machine has no address besides loopback")
    return address


def check():
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing:
        raise unittest.SkipTest(f"missing: {' '.join(missing)}; hack/deps installs them")


def free_port(address):
    with socket.socket() as listener:
        listener.bind((address, 0))
        return listener.getsockname()[1]


def trainer(revision, architecture="amd64"):
    """An image like a trainer's: nobody runs it here, but its digest counts."""
    config = {"architecture": architecture, "os": "linux",
              "config": {"Entrypoint": ["/churn-trainer"], "Labels": {"revision": revision}}}
    return oci.Image(config, [oci.layer({"/churn-trainer": revision.encode()})])



def bcrypt(password):
    """For an htpasswd file; of a fixed salt, by the C library's own crypt(3)."""
    libcrypt = ctypes.CDLL("libcrypt.so.1")
    libcrypt.crypt.restype = ctypes.c_char_p
    return libcrypt.crypt(password.encode(), b"$2b$04$" + 22 * b".").decode()

class Authority:
    """A private certificate authority, and what it issued for an address."""

    def __init__(self, folder, address):
        self.folder = folder
        os.makedirs(folder)
        certificates.openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                             "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=private",
                             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        os.makedirs(self.path("trust"))  # skopeo takes a key beside it for a client's
        shutil.copy(self.path("ca.crt"), self.path("trust"))
        certificates.issue(folder, "server", "/CN=registry", "serverAuth", [f"IP:{address}"])

    def path(self, name):
        return os.path.join(self.folder, name)

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path("server.crt"), self.path("server.key"))
        return context


class Server:
    """An HTTP server on a thread of its own, over TLS."""

    def __init__(self, address, authority, handle):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                with contextlib.suppress(OSError):  # the peer went away
                    handle(self)
            do_HEAD = do_GET

            def log_message(self, *_):
                pass
        self.httpd = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.httpd.socket = authority.server_context().wrap_socket(self.httpd.socket, server_side=True,
                                                                   do_handshake_on_connect=False)
        self.host = f"{address}:{self.httpd.server_port}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, args=(POLL_SECONDS,))
        self.thread.start()

    def close(self):
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()


def reply(request, status, body=b"", **headers):
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


class Front(Server):
    """Stands before a registry, hands requests on, and fails as it is told."""

    def __init__(self, address, authority, backend):
        self.backend = backend
        self.asked = []  # "HEAD /v2/...", in order
        self.status, self.retry_after, self.no_head = None, None, None
        self.open = threading.Event()  # closed: requests wait
        self.open.set()
        super().__init__(address, authority, self.answer)

    def answer(self, request):
        self.asked.append(f"{request.command} {request.path}")
        self.open.wait(120)
        if self.status:
            reply(request, self.status, b"{}", **({"Retry_After": self.retry_after} if self.retry_after else {}))
        elif self.no_head and request.command == "HEAD":
            reply(request, self.no_head)
        else:
            self.hand_on(request)

    def close(self):
        self.open.set()
        super().close()

    def hand_on(self, request):
        connection = http.client.HTTPConnection(self.backend, timeout=30)
        with contextlib.closing(connection):
            connection.request(request.command, request.path, headers={"Accept": request.headers.get("Accept", "")})
            answer = connection.getresponse()
            body = answer.read()
            kept = {name.replace("-", "_"): value for name, value in answer.getheaders()
                    if name in ("Content-Type", "Docker-Content-Digest")}
            reply(request, answer.status, body, **kept)


class Realm(Server):
    """Signs tokens that docker-registry verifies: for who knows the password, and empty ones for all others."""

    def __init__(self, address, authority):
        self.key = authority.path("realm.key")
        self.certificate = authority.path("realm.crt")
        certificates.openssl(authority.folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "realm.key",
                             "-out", "realm.crt", "-days", "2", "-subj", "/CN=realm")
        realm = self

        def handle(request):
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.path).query))
            given = request.headers.get("Authorization")
            if given not in (None, basic(USER, PASSWORD)):
                reply(request, 401, b'{"details": "wrong"}')
                return
            kind, name, actions = query["scope"].split(":")
            access = [{"type": kind, "name": name, "actions": actions.split(",")}] if given else []
            reply(request, 200, json.dumps({"token": realm.sign(query["service"], access),
                                            "expires_in": 300}).encode())
        super().__init__(address, authority, handle)

    def sign(self, service, access):
        with open(self.certificate) as file:
            der = ssl.PEM_cert_to_DER_cert(file.read())
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        claims = {"iss": "churn", "sub": USER, "aud": service, "exp": now + 300, "nbf": now - 60, "iat": now,
                  "jti": uuid.uuid4().hex, "access": access}
        text = ".".join(url_base64(json.dumps(part).encode()) for part in (head, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(), check=True,
                                   capture_output=True).stdout
        return f"{text}.{url_base64(signature)}"


def url_base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Registry:
    """`access` is "public", "basic" or "bearer"; `plain`: over HTTP; `fronted`: behind a Front, which is
    what `host` then names; `address`: of this machine. Everything is in `folder`."""

    def __init__(self, folder, access="public", plain=False, fronted=False, address=None):
        check()
        self.folder, self.access, self.plain = folder, access, plain
        address = address or own_address()
        os.makedirs(folder)
        self.authority = Authority(os.path.join(folder, "pki"), address)
        self.realm = Realm(address, self.authority) if access == "bearer" else None
        self.backend = f"{'127.0.0.1' if fronted else address}:{free_port(address)}"
        self.secure = not (plain or fronted)
        self.process = self.start()
        self.front = Front(address, self.authority, self.backend) if fronted else None
        self.host = self.front.host if fronted else self.backend
        self.image = f"{self.host}/bank/trainer:stable"

    def settings(self):
        http_settings = {"addr": self.backend, "relativeurls": False, "secret": "one-test"}
        if self.secure:
            http_settings["tls"] = {"certificate": self.authority.path("server.crt"),
                                    "key": self.authority.path("server.key")}
        text = SETTINGS.format(folder=self.folder, http=json.dumps(http_settings))
        if self.access == "basic":
            with open(os.path.join(self.folder, "htpasswd"), "w") as file:
                file.write(f"{USER}:{bcrypt(PASSWORD)}\n")
            text += f"auth: {{htpasswd: {{realm: churn, path: {self.folder}/htpasswd}}}}\n"
        elif self.access == "bearer":
            text += "auth: " + json.dumps({"token": {
                "realm": f"https://{self.realm.host}/token", "service": "registry", "issuer": "churn",
                "rootcertbundle": self.realm.certificate}}) + "\n"
        return text

    def start(self):
        path = os.path.join(self.folder, "registry.yml")
        with open(path, "w") as file:
            file.write(self.settings())
        process = Process("docker-registry", ["docker-registry", "serve", path], os.path.join(self.folder, "log"))
        deadline = time.monotonic() + 30
        address, port = self.backend.rsplit(":", 1)
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((address, int(port))) == 0:
                    return process
            if not process.alive() or time.monotonic() > deadline:
                raise NotInTime("docker-registry did not start:\n" + process.log())
            time.sleep(POLL_SECONDS)

    def close(self):
        for server in (self.front, self.realm):
            if server:
                server.close()
        self.process.stop()

    # --- content ---

    def skopeo(self, *arguments):
        """Which knows how to push, and trusts the authority."""
        done = subprocess.run(["skopeo", "--insecure-policy", *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"skopeo {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def options(self, prefix=""):
        known = [f"--{prefix}creds", f"{USER}:{PASSWORD}"] if self.access != "public" else []
        if not self.secure:
            return [*known, f"--{prefix}tls-verify=false"]
        return [*known, f"--{prefix}cert-dir", self.authority.path("trust")]

    def push(self, *images, tag="stable"):
        """One image, or several as an index of platforms; the tag moves. Returns the digest."""
        layout = os.path.join(self.folder, "layout")
        shutil.rmtree(layout, ignore_errors=True)
        digest = write_layout(layout, images)
        self.skopeo("copy", "--all", *self.options("dest-"), f"oci:{layout}:pushed",
                    f"docker://{self.backend}/bank/trainer:{tag}")
        return digest

    def delete(self):
        """The manifest that the tag names; tags go with it."""
        self.skopeo("delete", *self.options(), f"docker://{self.backend}/bank/trainer:stable")


def write_layout(folder, images):
    """An OCI layout; returns the digest of what is tagged in it."""
    blobs = {digest: data for image in images for digest, data in image.blobs.items()}
    blobs.update({image.digest: image.manifest for image in images})
    entries = [{"mediaType": oci.MANIFEST, "digest": image.digest, "size": len(image.manifest),
                "platform": {"os": "linux", "architecture": image.config["architecture"]}} for image in images]
    [top, *others] = entries
    if others:
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        top = {"mediaType": INDEX, "digest": oci.digest_of(index), "size": len(index)}
        blobs[top["digest"]] = index
    os.makedirs(os.path.join(folder, "blobs", "sha256"))
    for digest, data in blobs.items():
        with open(os.path.join(folder, "blobs", *digest.split(":")), "wb") as file:
            file.write(data)
    for name, content in {"oci-layout": {"imageLayoutVersion": "1.0.0"},
                          "index.json": {"schemaVersion": 2, "manifests": [
                              {**top, "annotations": {"org.opencontainers.image.ref.name": "pushed"}}]}}.items():
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file)
    return top["digest"]
