"""versitygw, another S3 server: strict, and it sends events to a webhook. Built from its Go module."""
import pathlib
import subprocess

import parts
import s3_server

MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"


class Server(s3_server.Account):
    """As s3_server.Server; `webhook`: a URL that is told of every object."""

    def __init__(self, folder, host="127.0.0.1", webhook=None):
        folder = pathlib.Path(folder)
        port, = parts.free_ports(1)
        self.endpoint = f"http://{host}:{port}"
        self.log = folder / "versitygw.log"
        program = str(parts.go_program(MODULE))
        key, secret = s3_server.ADMIN
        for name in ("objects", "users"):
            (folder / name).mkdir()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [program, "--port", f"{host}:{port}", "--access", key, "--secret", secret, "--region", "us-east-1",
                 "--iam-dir", str(folder / "users"), *(["--event-webhook-url", webhook] if webhook else []),
                 "posix", str(folder / "objects")],
                stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        parts.wait_for(self.endpoint, self.process, self.log)
        subprocess.run([program, "admin", "--access", key, "--secret", secret, "--region", "us-east-1",
                        "--endpoint-url", self.endpoint, "create-user", "--access", s3_server.READER[0], "--secret",
                        s3_server.READER[1], "--role", "user"], check=True, capture_output=True)

    def stop(self):
        parts.stop(self.process)

    def make_bucket(self, name):
        """One that the reader may read."""
        super().make_bucket(name)
        self.allow(name, s3_server.READER[0], "s3:GetObject", "s3:ListBucket")
