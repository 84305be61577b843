"""Groups controller and cluster: churn-controller against kubesim, or against Kubernetes' API server, beside a bare
client in the same run."""
import os
import re
import signal
import statistics
import time

import data
from measure import Failed, percentile, say
from proxy import Proxy
from report import Goal, share
from world import (BATCH, JOB, MODEL, World, create_step, finished_steps, fresh, owned, status_step)

NOWHERE = "none@sha256:" + "0" * 64  # an image that no pod can start from: Jobs stay pending


class ControllerGroup:
    def __init__(self, report, quick, world=World):
        """`world` makes a fresh one each time it is called."""
        self.report, self.world = report, world
        self.quick = quick
        self.objects = 500 if quick else 5000  # of each kind
        self.queues = [200] if quick else [1000, 5000]
        self.rounds = 2 if quick else 3
        self.events = 40 if quick else 200
        self.completed = 200 if quick else 500
        self.rest_seconds = 5 if quick else 30

    def measure(self):
        for figures in (self.empty, self.own_time, self.run_to_complete, self.queue, self.many,
                        self.failover):
            try:
                figures()
            except (Failed, AssertionError) as failure:
                self.report.missing(f"controller: {figures.__name__.replace('_', ' ')}", str(failure))

    def at_full_size(self, goal):
        """A goal that speaks of 10,000 resources says nothing about fewer."""
        return None if self.quick else goal

    # --- nothing to do ---

    def empty(self):
        say("an empty cluster")
        with self.world() as world:
            times = []
            for _ in range(5 if self.quick else 15):
                controller = world.start()
                times.append(controller.wait_ready())
                controller.stop()
            controller = world.start()
            controller.wait_ready()
            time.sleep(3)  # what it looks like at rest is what is asked
            memory = controller.memory()
        self.report.add("memory, no resources", memory.anonymous_kib / 1024, "MiB RssAnon",
                        goal=Goal("<=", 4, unit="MiB"),
                        note=f"VmRSS, shared libraries included: {memory.resident_kib / 1024:.1f} MiB")
        self.report.add("exec to first 200 of /readyz", statistics.median(times) * 1000, "ms",
                        goal=Goal("<=", 30, unit="ms"), note=f"slowest of {len(times)}: "
                        f"{max(times) * 1000:.1f} ms")

    # --- own time ---

    def own_time(self):
        say("own time at a proxy")
        with self.world() as world:
            host, port = world.api_address.split(":")
            proxy = Proxy(host, int(port))
            controller = world.start(kubeconfig=world.kubeconfig_through(proxy.address))
            world.controllers.append(ControllerLog(controller))
            world.trained_model()
            times = [self.own_time_of(world, proxy, f"own-{number}") for number in range(self.events)]
            controller.stop()
            proxy.close()
        for name, value, bound in (("p50", 0.5, 1), ("p99", 0.99, 10)):
            self.report.add(f"own time per batch, {name}", percentile(times, value) * 1000, "ms",
                            goal=Goal("<=", bound, unit="ms"),
                            note="event to status PATCH sent, and its answer to Job POST sent, one batch "
                                 "at a time" if name == "p50" else "")

    @staticmethod
    def own_time_of(world, proxy, name):
        proxy.wait_quiet(0.03)
        proxy.clear()
        world.post("churnbatch", world.current_batch(name))
        # kubesim's paths begin with a secret
        patching = re.compile(rb"PATCH \S*/churnbatches/%s/status[? ]" % name.encode())
        posting = re.compile(rb"POST \S*/namespaces/default/jobs[? ]")
        quoted = re.compile(rb'"name": ?"%s"' % name.encode())

        def wait(what, holds, after=0.0):
            piece = proxy.find(holds, after)
            if not piece:
                raise Failed(f"{what} of batch {name} did not pass the proxy")
            return piece
        event = wait("the event", lambda piece: not piece.up and b'"ADDED"' in piece.data
                     and quoted.search(piece.data))
        patch = wait("the status PATCH", lambda piece: piece.up and patching.match(piece.data))
        answer = wait("its answer", lambda piece: not piece.up and
                      piece.connection == patch.connection, patch.time)
        post = wait("the POST", lambda piece: piece.up and posting.match(piece.data), answer.time)
        return (patch.time - event.time) + (post.time - answer.time)

    # --- whole runs ---

    def run_to_complete(self):
        say(f"{self.completed} batches to Complete")
        with self.world() as world:
            controller = world.start()
            world.controllers.append(ControllerLog(controller))
            world.trained_model()
            time.sleep(1)
            world.reset_stats()
            world.post("churnbatch", world.current_batch("single"))
            world.wait_complete(1)
            time.sleep(2)  # Events come after the status
            writes, _ = world.writes()
            before = controller.cpu()
            steps = [create_step(BATCH, world.current_batch("many-{i}"))]
            world.replay(steps, self.completed, concurrency=4)
            world.wait_complete(self.completed + 1)
            time.sleep(1)
            spent = controller.cpu() - before
        events = sum(count for key, count in writes.items() if "events" in key)
        others = sum(writes.values()) - events
        told = ", ".join(f"{count} {key}" for key, count in sorted(writes.items()))
        self.report.add("API writes per run, without Events", others, "", goal=Goal("<=", 3), note=told)
        self.report.add("Events per run", events, "", goal=Goal("<=", 2))
        self.report.add("own CPU per batch, to Complete", spent / self.completed * 1000, "CPU ms",
                        goal=Goal("<=", 0.6, unit="ms"), note=f"over {self.completed} batches")

    # --- a queue ---

    def queue(self):
        for count in self.queues:
            say(f"{count:,} queued batches")
            try:
                rounds = [self.queue_round(count) for _ in range(self.rounds)]
            except (Failed, AssertionError) as failure:
                self.report.missing(f"ChurnBatch to Job, {count:,} queued", str(failure),
                                    Goal(">=", 0.9, "ratio"))
                continue
            ours, bare = (statistics.median(rates) for rates in zip(*rounds))
            ratio = statistics.median(mine / other for mine, other in rounds)
            self.report.add(f"ChurnBatch to Job, {count:,} queued", ours, "Jobs/s", bare, ratio,
                            Goal(">=", 0.9, "ratio"),
                            note="reference: bare client, the same writes, 64 at once; "
                                 f"median of {self.rounds} pairs")

    def queue_round(self, count):
        """Rates of the controller and of the bare client, each on a fresh server."""
        with self.world() as world:
            self.fill_queue(world, count)
            finish = world.watch_jobs(count)
            controller = world.start()
            seen = finish()
            time.sleep(1)
            writes, _ = world.writes()
            batch = world.get("churnbatch", "queued-0")
            job = world.get("job", batch["status"]["job"])
            controller.stop()
            events = round(sum(number for key, number in writes.items() if "events" in key) / count)
            event = (world.list("event") or [None])[0]
        ours = (count - 1) / (seen["last"] - seen["first"])
        steps = [status_step(BATCH, "queued-{i}", batch["status"]),
                 create_step(JOB, owned(fresh(job, "queued-{i}-s0123456789"), "ChurnBatch", "queued-{i}",
                                        "{uid.0}"))]
        steps += [event_step(event)] * (events if event else 0)
        with self.world() as world:
            self.fill_queue(world, count)
            finish = world.watch_jobs(count)
            world.replay(steps, count)
            seen = finish()
        return ours, (count - 1) / (seen["last"] - seen["first"])

    def fill_queue(self, world, count):
        """Batches that wait for a controller, and a trained model; their pods cannot start, so that
        the server's processor time goes to the API."""
        controller = world.start()
        world.controllers.append(ControllerLog(controller))
        world.trained_model()
        controller.stop()
        world.reset_stats()
        batch = world.current_batch("queued-{i}", image=f"{world.address}/{NOWHERE}")
        world.replay([create_step(BATCH, batch)], count)

    # --- many objects ---

    def many(self):
        total = 2 * self.objects
        say(f"{total:,} resources and as many Jobs")
        with self.world() as world:
            self.populate(world)
            bare, cold, cpu = [], [], []
            for _ in range(self.rounds):
                bare.append(world.client("drain").wall)
                controller = world.start()
                cold.append(controller.wait_ready())
                cpu.append(controller.cpu())
                controller.stop()
            controller = world.start()
            controller.wait_ready()
            time.sleep(5)  # the first look at every object
            world.reset_stats()
            time.sleep(self.rest_seconds)
            writes, _ = world.writes()
            memory = controller.memory()
            cached = ", ".join(f"{size:,.0f} B of {resource}"
                               for resource, size in controller.cache_bytes().items())
            controller.stop()
        self.report.add(f"memory, {total:,} resources + {total:,} Jobs", memory.anonymous_kib / 1024,
                        "MiB RssAnon", goal=self.at_full_size(Goal("<=", 20, unit="MiB")),
                        note=f"VmRSS: {memory.resident_kib / 1024:.1f} MiB; cached per object: {cached}")
        value, reference = statistics.median(cold), statistics.median(bare)
        self.report.add(f"cold start to synced, {total:,} resources", value, "s", reference,
                        share(value, reference), Goal("<=", 1.3, "ratio"),
                        note="reference: bare client, exec to exit, draining the same pages")
        self.report.add("cold start, own CPU", statistics.median(cpu), "CPU s",
                        goal=self.at_full_size(Goal("<=", 1.0, unit="s")))
        told = ", ".join(f"{count} {key}" for key, count in sorted(writes.items()))
        self.report.add(f"API writes at rest in {self.rest_seconds} s, but the Lease",
                        sum(writes.values()), "", goal=Goal("<=", 0), note=told)

    def populate(self, world):
        controller = world.start()
        world.controllers.append(ControllerLog(controller))
        model = world.trained_model()
        world.post("churnbatch", world.current_batch("template"))
        batch = world.wait_condition("churnbatch", "template", "Complete")
        training = world.get("job", [job for job in world.jobs("trainer")][0]["metadata"]["name"])
        scoring = world.get("job", batch["status"]["job"])
        controller.stop()
        world.replay(finished_steps(MODEL, model, training, "model"), self.objects)
        world.replay(finished_steps(BATCH, batch, scoring, "batch"), self.objects)

    # --- fail-over ---

    def failover(self):
        for name, number, bound in (("graceful", signal.SIGTERM, 2.5), ("crash", signal.SIGKILL, 17.5)):
            say(f"fail-over, {name}")
            with self.world() as world:
                times = [self.failover_once(world, number)
                         for _ in range(1 if self.quick or name == "crash" else 3)]
            self.report.add(f"fail-over, {name}", max(times), "s", goal=Goal("<=", bound, unit="s"),
                            note="signal to the Lease of the other, default timings; "
                                 f"slowest of {len(times)}")

    @staticmethod
    def holder(world):
        return next((lease["spec"].get("holderIdentity") for lease in world.list("lease")), None)

    def failover_once(self, world, number):
        first = world.start("--identity", f"first-{world.count}", elect=True)
        first.wait_ready()
        self.wait_holder(world, f"first-{world.count - 1}", 30)
        second = world.start("--identity", f"second-{world.count}", elect=True)
        second.wait_ready()
        time.sleep(3)  # it has seen the Lease
        begun = time.monotonic()
        first.process.send_signal(number)
        self.wait_holder(world, f"second-{world.count - 1}", 60)
        taken = time.monotonic() - begun
        first.process.wait(30)
        second.stop()
        return taken

    def wait_holder(self, world, identity, timeout_seconds):
        deadline = time.monotonic() + timeout_seconds
        while self.holder(world) != identity:
            if time.monotonic() > deadline:
                raise Failed(f"{identity} did not take the Lease; its holder is {self.holder(world)}")
            time.sleep(0.01)


class ControllerLog:
    """What the cluster of the end-to-end tests asks of a controller: its log, for messages."""

    def __init__(self, controller):
        self.controller, self.name = controller, "churn-controller"

    def alive(self):
        return False  # the world ends it

    def log(self):
        return self.controller.log()


def event_step(event):
    body = {key: value for key, value in event.items() if key != "metadata"}
    body["metadata"] = {"generateName": "queued-{i}-", "namespace": "default"}
    return {"verb": "create", "group": "events.k8s.io", "version": "v1", "plural": "events",
            "kind": "Event", "namespace": "default", "body": body}


def measure(report, _folder, options):
    try:
        for name in ("churn-controller", "kubesim", "bench-client"):
            data.program(name)
    except Failed as failure:
        report.missing("controller", str(failure))
        return
    ControllerGroup(report, options.quick).measure()
    report.missing("controller image", "hack/images builds it, which this group does not", Goal("<=", 12, unit="MiB"))
