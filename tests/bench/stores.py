"""Group stores: objects moved to and from an S3 server, beside curl moving the same ones."""
import os
import sys

import data
from measure import median, paired, run, say
from report import Goal, speedup

sys.path.insert(0, os.path.join(data.HERE, "..", "stores"))
import s3_server  # noqa: E402

MIB = 1 << 20


class Stores:
    def __init__(self, report, folder, quick):
        self.report, self.folder = report, folder
        self.size = (64 if quick else 512) * MIB
        self.rounds = 3 if quick else 5
        self.server = s3_server.Server(folder)
        os.environ.update(self.server.variables())
        self.file = os.path.join(folder, "object")
        with open(self.file, "wb") as file:
            for _ in range(self.size // MIB):
                file.write(os.urandom(MIB))

    def curl(self, *arguments):
        key, secret = s3_server.ADMIN
        return run(["curl", "--silent", "--fail", "--output", "/dev/null", "--aws-sigv4", "aws:amz:us-east-1:s3",
                    "--user", f"{key}:{secret}", "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", *arguments])

    def ours(self, operation, redirection):
        return run(["/bin/sh", "-c", f"exec {data.program('churn-store-probe')} --piece 1048576 {operation} "
                    f"s3://bank/ours {redirection}"])

    def add(self, name, ours, theirs):
        value, reference = median(ours, "wall"), median(theirs, "wall")
        self.report.add(f"{name} {self.size // MIB} MiB", value, "s", reference, speedup(value, reference),
                        Goal(">=", 0.9, "ratio"),
                        note=f"{self.size / MIB / value:.0f} MiB/s, {median(ours, 'peak_kib') / 1024:.0f} MiB of memory; "
                             "reference: curl, whose body is not signed")

    def measure(self):
        self.curl("--request", "PUT", self.server.endpoint + "/bank")
        say("put")
        self.add("put", *paired(self.rounds, lambda: self.ours("put", f"<{self.file}"),
                                lambda: self.curl("--upload-file", self.file, self.server.endpoint + "/bank/theirs")))
        say("get")
        self.add("get", *paired(self.rounds, lambda: self.ours("get", ">/dev/null"),
                                lambda: self.curl(self.server.endpoint + "/bank/ours")))


def measure(report, folder, options):
    bench = Stores(report, folder, options.quick)
    try:
        bench.measure()
    finally:
        bench.server.stop()
