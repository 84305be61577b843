"""Group stores: objects moved to and from an S3 server and listed, beside curl doing the same; memory; and
the time from a dropped file to its Job, with pushes."""
import concurrent.futures
import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import data
from measure import Failed, median, paired, percentile, run, say
from report import Goal, share, speedup
from world import World

sys.path.insert(0, os.path.join(data.HERE, "..", "stores"))
import s3_server  # noqa: E402

MIB = 1 << 20
TOKEN = "a-shared-token-of-stores"


def make_file(path, mebibytes):
    with open(path, "wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(MIB))
    return path


def peak_kib(operation, stdin):
    """The largest resident set of our program, looked at while it runs: what the kernel tells when it has ended
    counts the process that started it."""
    process = subprocess.Popen([data.program("churn-store-probe"), "--piece", "1048576", operation, "s3://bank/sized"],
                               stdin=stdin, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
        peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.002)
    if process.returncode != 0:
        raise Failed(f"{operation}: exit code {process.returncode}")
    return peak


class Stores:
    def __init__(self, report, folder, quick):
        self.report, self.folder, self.quick = report, folder, quick
        self.rounds = 3 if quick else 5
        self.server = s3_server.Server(folder)
        self.use(self.server.secure_endpoint)
        self.server.make_bucket("bank")

    def use(self, endpoint):
        """From now on, for both sides."""
        self.endpoint = endpoint
        os.environ.update(self.server.variables(endpoint=endpoint), AWS_CA_BUNDLE=str(self.server.certificate))

    def curl(self, *arguments, output="/dev/null", keep_output=False, payload="UNSIGNED-PAYLOAD"):
        key, secret = s3_server.ADMIN
        return run(["curl", "--silent", "--fail", "--http1.1", "--cacert", str(self.server.certificate), "--output", output,
                    "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{key}:{secret}",
                    "--header", f"x-amz-content-sha256: {payload}", *arguments], keep_output=keep_output)

    def ours(self, operation, key, redirection):
        return run(["/bin/sh", "-c", f"exec {data.program('churn-store-probe')} --piece 1048576 {operation} "
                    f"s3://bank/{key} {redirection}"])

    def measure(self):
        for figures in self.throughput, self.memory, self.listing, self.pushes:
            try:
                figures()
            except (Failed, AssertionError, subprocess.CalledProcessError) as failure:
                self.report.missing(f"stores: {figures.__name__}", str(failure))

    # --- moving ---

    def throughput(self):
        size = 64 if self.quick else 512
        path = make_file(os.path.join(self.folder, "object"), size)
        for endpoint, way, signed in ((self.server.secure_endpoint, "TLS", "by neither side"),
                                      (self.server.endpoint, "plain HTTP", "by both sides")):
            self.use(endpoint)
            payload = "UNSIGNED-PAYLOAD"
            if endpoint == self.server.endpoint:  # curl is told it, and does not have to find it
                with open(path, "rb") as file:
                    payload = hashlib.file_digest(file, "sha256").hexdigest()
            say(f"put, {way}")
            self.add(f"put {size} MiB, {way}", size, f"whose body is signed {signed}", *paired(
                self.rounds, lambda: self.ours("put", "ours", f"<{path}"),
                lambda: self.curl("--upload-file", path, f"{endpoint}/bank/theirs", payload=payload)))
            say(f"get, {way}")
            self.add(f"get {size} MiB, {way}", size, "which checks nothing", *paired(
                self.rounds, lambda: self.ours("get", "ours", ">/dev/null"),
                lambda: self.curl(f"{endpoint}/bank/ours")))
        self.use(self.server.secure_endpoint)
        os.unlink(path)

    def add(self, name, size, how, ours, theirs):
        value, reference = median(ours, "wall"), median(theirs, "wall")
        self.report.add(name, value, "s", reference, speedup(value, reference), Goal(">=", 0.9, "ratio"),
                        note=f"{size / value:.0f} MiB/s; CPU: {median(ours, 'cpu'):.2f} s, curl "
                             f"{median(theirs, 'cpu'):.2f} s; reference: curl, {how}")

    def memory(self):
        small, large = 5, 256 if self.quick else 2048
        say(f"memory at {large} MiB")
        peaks = {}
        for size in small, large:
            path = make_file(os.path.join(self.folder, "object"), size)
            with open(path, "rb") as file:
                peaks["put", size] = peak_kib("put", file)
            os.unlink(path)
            peaks["get", size] = peak_kib("get", subprocess.DEVNULL)
        for operation in "put", "get":
            value, reference = peaks[operation, large] / 1024, peaks[operation, small] / 1024
            self.report.add(f"resident memory, {operation} {large} MiB", value, "MiB", reference,
                            share(value, reference), Goal("<=", 48, unit="MiB"),
                            note=f"reference: {small} MiB, less than one part")

    # --- listing ---

    def fill(self, count):
        """Small objects, put without signatures."""
        def put_some(first):
            connection = http.client.HTTPConnection(self.server.files)
            for number in range(first, count, 8):
                connection.request("PUT", f"/buckets/bank/many/{number:06}.csv", b"x")
                answer = connection.getresponse()
                answer.read()
                if answer.status >= 300:
                    raise Failed(f"the server does not take objects: {answer.status}")
            connection.close()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(put_some, range(8)))

    def list_with_curl(self):
        """Seconds that the server takes for the pages of many/, one after the other."""
        page, seconds, token = os.path.join(self.folder, "page"), 0.0, ""
        while True:
            query = f"{token}delimiter=%2F&encoding-type=url&list-type=2&prefix=many%2F"
            seconds += float(self.curl("--write-out", "%{time_total}", f"{self.endpoint}/bank?{query}",
                                       output=page, keep_output=True).output)
            with open(page, encoding="utf-8") as file:
                found = re.search("<NextContinuationToken>([^<]+)<", file.read())
            if not found:
                return seconds
            token = f"continuation-token={urllib.parse.quote(found[1], safe='')}&"

    def listing(self):
        count = 5000 if self.quick else 100000
        say(f"{count} objects are put")
        self.fill(count)
        say("they are listed")
        ours, theirs = paired(3, lambda: self.ours("list", "many/", ">/dev/null"), self.list_with_curl)
        value, reference = median(ours, "wall"), sorted(theirs)[1]
        self.report.add(f"list {count:,} objects", value, "s", reference, speedup(value, reference),
                        Goal(">=", 0.7, "ratio"),
                        note=f"CPU {median(ours, 'cpu'):.2f} s; reference: curl's time for the same pages, which it does not read")

    # --- pushes ---

    def pushes(self):
        say("pushes")
        with World() as world:
            times = PushedWeeks(world, self.server, self.folder).measure(5 if self.quick else 30)
        for name, part, bound in ("p50", 0.5, 1), ("p90", 0.9, 2):
            self.report.add(f"file dropped to Job created, {name}", percentile(times, part), "s",
                            goal=Goal("<=", bound, unit="s"),
                            note="with a push; the inbox is polled once an hour" if name == "p50" else "")


class PushedWeeks:
    """A trained model with an inbox in the bucket; its controller takes pushes."""

    def __init__(self, world, server, folder):
        self.world, self.bucket = world, server.client()
        token_file = os.path.join(folder, "hook-token")
        with open(token_file, "w", encoding="ascii") as file:
            file.write(TOKEN)
        self.controller = world.start("--allowed-uri", "s3://bank/", "--hooks-address", "127.0.0.1:0",
                                      "--hooks-token-file", token_file)
        self.controller.wait_ready()
        found = re.search(r'"hooksPort":(\d+)', self.controller.log())
        self.hook = f"http://127.0.0.1:{found[1]}/v1/hooks/storage?token={TOKEN}"

    def push(self, key):
        event = {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "bank"}, "object": {"key": key}}}]}
        urllib.request.urlopen(urllib.request.Request(self.hook, json.dumps(event).encode()), timeout=30).close()

    def wait_for_jobs(self, count):
        deadline = time.monotonic() + 60
        while len(self.world.jobs("scorer")) < count:
            if time.monotonic() > deadline:
                raise Failed(f"no Job after 60 s\n{self.controller.log()[-2000:]}")
            time.sleep(0.002)

    def measure(self, count):
        inbox = {"uri": "s3://bank/weekly_folder/", "pollInterval": "1h", "keep": 1000,
                 "template": {"output": {"uri": "s3://bank/output_folder/"}}}
        self.world.post("churnmodel", self.world.model(imagePollInterval="5m", inbox=inbox))
        self.world.wait_condition("churnmodel", "telco", "Ready")
        self.world.wait("churnmodel", "telco", lambda found: found["status"].get("inbox"), "a first look")
        times = []
        for number in range(count):
            key = f"weekly_folder/week-{number:03}.csv"
            begin = time.monotonic()
            self.bucket.put_object(Bucket="bank", Key=key, Body=b"customerID\n1\n")
            self.push(key)
            self.wait_for_jobs(number + 1)
            times.append(time.monotonic() - begin)
        return times


def measure(report, folder, options):
    with tempfile.TemporaryDirectory(dir=folder) as own:
        bench = Stores(report, own, options.quick)
        try:
            bench.measure()
        finally:
            bench.server.stop()
