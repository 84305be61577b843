"""Group scorer: churn-scorer, end to end and by parts, beside pandas and xgboost."""
import concurrent.futures
import json
import os
import sys

import data
import peers
from measure import Failed, median, paired, run, say
from report import Goal, share, speedup

# By published figures, exact SHAP by xgboost 3.4.1, which wants a newer Python than Debian has, is
# 1.6 times as fast as by 3.2.
NEWER_XGBOOST = 3.7 / 2.3
EXPLAINED_ROWS = 20000  # of the reference, which is slow; the rest is scaled by rows
TRIAL_ROWS = 20000  # enough for the start of the program not to count
IDLE = 0.9  # of a processor is what a single thread gets on a machine that is free for it


class Scorer:
    def __init__(self, report, folder, quick, seed):
        self.report, self.folder = report, folder
        self.rows = 100_000 if quick else 1_000_000
        self.many_rows = 1_000_000 if quick else 10_000_000
        self.rounds = 3
        self.seconds = 10 if quick else 30  # what one run with reasons may take, else it is scaled
        self.seed = seed
        self.model = data.reference_model(folder, seed)
        self.weekly = data.generate(self.path("weekly.csv"), self.rows, seed + 1)
        self.peers = peers.Peers(self.model, self.path(data.HISTORY), self.path("peer.csv"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def head(self, rows):
        """The first rows of the weekly file as a file of its own."""
        path = self.path(f"weekly-{rows}.csv")
        if not os.path.exists(path):
            with open(self.weekly) as source, open(path, "w") as target:
                target.writelines(line for line, _ in zip(source, range(rows + 1)))
        return path

    def score(self, weekly, reasons, threads=1, arguments=(), name="score", **members):
        output = self.path(f"{name}d.csv")
        job = data.write_json(self.path(f"{name}.json"), {
            "version": 1, "kind": "Score", "batch": "bench", "model": {"uri": f"file://{self.model}"},
            "input": {"uri": f"file://{weekly}"},
            "output": {"uri": f"file://{output}", "overwrite": True}, "reasons": reasons, **members})
        result = self.path("result.json" if name == "score" else f"{name}-result.json")
        return run([data.program("churn-scorer"), "--job", job, "--result", result, *arguments],
                   threads=threads)

    def score_twice(self, weekly, reasons):
        """Two runs of one thread at the same time: how long the slower one takes."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(self.score, weekly, reasons, name=name) for name in ("score", "rescore")]
            return max(usage.result().wall for usage in runs)

    def sharded_cpu(self, weekly, count):
        """Processor time of all shards and of the job that composes them."""
        shard = {"count": count}
        cpu = sum(self.score(weekly, 0, arguments=["--shard-index", str(index)], shard=shard).cpu
                  for index in range(count))
        with open(self.path("result.json")) as file:
            parts = os.path.dirname(json.load(file)["output"]["uri"]) + "/"
        return cpu + self.score(weekly, 0, kind="Compose", shard=shard, parts=parts).cpu

    def reference(self, weekly, reasons, rows=None):
        usage = run([sys.executable, os.path.join(data.HERE, "reference_score.py"), self.model, weekly,
                     self.path("reference.csv"), "--reasons", str(reasons),
                     *(["--rows", str(rows)] if rows else [])], keep_output=True)
        return usage, json.loads(usage.output)

    def kernel(self, weekly, rows, *options):
        return json.loads(run([data.program("bench-kernel"), "--rows", str(rows), *options, self.model,
                               weekly], keep_output=True).output)

    # --- the figures ---

    def measure(self):
        self.predictions()
        self.reasons()
        self.kernels()
        self.parsing()
        self.threads()
        self.shards()
        self.memory()
        self.start()
        self.exactness()

    def predictions(self):
        say(f"{self.rows:,} rows without reasons")
        ours, theirs = paired(self.rounds, lambda: self.score(self.weekly, 0),
                              lambda: self.reference(self.weekly, 0)[0])
        value, reference = median(ours, "cpu"), median(theirs, "cpu")
        self.report.add(f"score {self.rows:,} rows, reasons 0", value, "CPU s", reference,
                        speedup(value, reference), note="reference: pandas + xgboost")
        for name, goal in (("catboost", Goal(">=", 2.5, "ratio", stretch=4)), ("onedal", None),
                           ("lightgbm", None)):
            self.beside(f"score {self.rows:,} rows, reasons 0, beside {name}", name, value, goal)

    def beside(self, title, name, value, goal):
        """The whole pipeline of a peer, in Python with pandas."""
        if self.peers.missing:
            self.report.missing(title, self.peers.missing, goal)
            return
        usage, phases = self.peers.score(name, self.weekly, 0)
        self.report.add(title, value, "CPU s", usage.cpu, speedup(value, usage.cpu), goal,
                        note=f"reference without start-up: {usage.cpu - phases['start']:.1f} s, "
                             f"{speedup(value, usage.cpu - phases['start']):.1f}x")

    def reasons(self):
        trial = self.score(self.head(TRIAL_ROWS), 3)
        rows = int(min(self.rows, max(TRIAL_ROWS, self.seconds / (trial.cpu / TRIAL_ROWS))))
        say(f"{rows:,} rows with reasons")
        weekly = self.weekly if rows == self.rows else self.head(rows)
        reference_rows = min(EXPLAINED_ROWS, rows)
        [ours], [theirs] = paired(1, lambda: self.score(weekly, 3),
                                  lambda: self.reference(weekly, 3, reference_rows))
        usage, phases = theirs
        value = ours.cpu * self.rows / rows
        fixed = phases["load"]
        reference = fixed + (usage.cpu - fixed) * self.rows / reference_rows
        scaled = f"; ours scaled from {rows:,} rows" if rows < self.rows else ""
        self.report.add(f"score {self.rows:,} rows, reasons 3", value, "CPU s", reference,
                        speedup(value, reference),
                        Goal("<=", 4.0 * self.rows / 1e6, stretch=2.0 * self.rows / 1e6, unit="s"),
                        note=f"reference: pandas + xgboost, scaled from {reference_rows:,} rows{scaled}")
        self.beside_woodelf(value)

    def beside_woodelf(self, value):
        """It prepares trees at length, so two sizes tell what a row takes."""
        title, goal = "score, reasons 3, beside woodelf", Goal(">=", 8, "ratio", stretch=16)
        kernel, kernel_goal = "exact SHAP kernel beside woodelf", Goal(">=", 10, "ratio", stretch=25)
        if self.peers.missing:
            self.report.missing(title, self.peers.missing, goal)
            self.report.missing(kernel, self.peers.missing, kernel_goal)
            return
        many = 5 * EXPLAINED_ROWS
        few_usage, few_phases = self.peers.score("onedal", self.weekly, 3, EXPLAINED_ROWS)
        usage, phases = self.peers.score("onedal", self.weekly, 3, many)
        row = (usage.cpu - few_usage.cpu) / (many - EXPLAINED_ROWS)
        reference = usage.cpu + row * (self.rows - many)
        self.report.add(title, value, "CPU s", reference, speedup(value, reference), goal,
                        note=f"reference scaled from {EXPLAINED_ROWS:,} and {many:,} rows")
        own = self.kernel(self.weekly, many)["explain"]
        theirs = (phases["explain"] - few_phases["explain"]) * many / (many - EXPLAINED_ROWS)
        self.add_rate(kernel, many, own, theirs, kernel_goal, "without what it prepares")

    def kernels(self):
        say("kernels")
        rows = min(self.rows, 100_000)
        weekly = self.head(rows)
        ours, theirs = paired(self.rounds, lambda: self.kernel(weekly, rows, "--no-explain"),
                              lambda: self.reference(weekly, 0)[1])
        own = min(part["predict"] for part in ours)
        self.add_rate("predict kernel", rows, own, min(part["predict"] for part in theirs), None,
                      "reference: xgboost 1.7")
        self.peer_kernel("predict", "onedal", weekly, rows, own, Goal(">=", 2, "ratio", stretch=4))
        few = 2000
        own = min(self.kernel(weekly, rows)["explain"] for _ in range(self.rounds)) * few / rows
        theirs = min(self.reference(weekly, 1, few)[1]["explain"] for _ in range(self.rounds))
        self.add_rate("exact SHAP kernel", few, own, theirs, None, "reference: xgboost 1.7")
        bound = 100 * NEWER_XGBOOST
        self.peer_kernel("explain", "xgboost", weekly, few, own,
                         Goal(">=", bound, "ratio", stretch=2.5 * bound),
                         "goal: 100 times xgboost 3.4.1, which is 1.6 times the reference, 3.2")
        self.peer_kernel("explain", "lightgbm", weekly, few, own, None)
        single = min(self.kernel(weekly, few)["single"] for _ in range(self.rounds))
        self.report.add("one row alone, reasons 3", single * 1e6, "us", note="encoded, scored, explained")

    def peer_kernel(self, phase, name, weekly, rows, own, goal, note=""):
        title = f"{phase} kernel beside {name}"
        if self.peers.missing:
            self.report.missing(title, self.peers.missing, goal)
            return
        theirs = min(self.peers.score(name, weekly, int(phase == "explain"), rows)[1][phase]
                     for _ in range(self.rounds))
        self.add_rate(title, rows, own, theirs, goal, note)

    def add_rate(self, name, rows, ours, theirs, goal, note):
        self.report.add(name, rows / ours, "rows/s", rows / theirs, speedup(ours, theirs), goal, note)

    def parsing(self):
        say("parsing")
        script = ("import pandas, sys, time\nt = time.process_time()\npandas.read_csv(sys.argv[1])\n"
                  "print(time.process_time() - t)")
        kernels, lines, pandas_ = paired(
            self.rounds, lambda: self.kernel(self.weekly, self.rows, "--no-explain"),
            lambda: run(["wc", "-l", self.weekly]).cpu,
            lambda: float(run([sys.executable, "-c", script, self.weekly], keep_output=True).output))
        value, copy = (min(part[name] for part in kernels) for name in ("parse", "copy"))
        self.report.add("typed CSV parse", value, "CPU s", min(pandas_), speedup(value, min(pandas_)),
                        note="reference: pandas.read_csv")
        goal = Goal(">=", 2.5, "ratio", stretch=4)
        if self.peers.missing:
            self.report.missing("typed CSV parse beside polars", self.peers.missing, goal)
        else:
            polars = min(self.peers.parse(self.weekly) for _ in range(self.rounds))
            self.report.add("typed CSV parse beside polars", value, "CPU s", polars,
                            speedup(value, polars), goal)
        self.report.add("typed CSV parse beside wc -l", value, "CPU s", min(lines),
                        share(value, min(lines)), Goal("<=", 4, "ratio"))
        self.report.add("typed CSV parse beside memcpy", value, "CPU s", copy, share(value, copy))

    def threads(self):
        say("two threads")
        if os.cpu_count() < 2:
            self.report.missing("two threads, reasons 3", "this machine has one processor",
                                Goal(">=", 1.8, "ratio", stretch=1.95))
            return
        for reasons in (0, 3):
            two, one, both = paired(self.rounds, lambda: self.score(self.weekly, reasons, threads=2),
                                    lambda: self.score(self.weekly, reasons),
                                    lambda: self.score_twice(self.weekly, reasons))
            name, goal = (f"two threads, {self.rows:,} rows, reasons {reasons}",
                          Goal(">=", 1.8, "ratio", stretch=1.95))
            value, reference = (min(usage.wall for usage in usages) for usages in (two, one))
            got = max(usage.cpu / usage.wall for usage in one)
            if got < IDLE:
                self.report.missing(name, f"the machine is busy: one thread got {got:.0%} of a processor",
                                    goal)
                continue
            self.report.add(name, value, "s", reference, speedup(value, reference), goal,
                            note=f"reference: one thread; two runs at once are {2 * reference / min(both):.2f} "
                                 "times as fast as one after the other")

    def shards(self):
        say("two shards")
        ours, theirs = paired(self.rounds, lambda: self.sharded_cpu(self.weekly, 2),
                              lambda: self.score(self.weekly, 0).cpu)
        value, reference = min(ours), min(theirs)
        self.report.add(f"two shards, {self.rows:,} rows, reasons 0", value, "CPU s", reference,
                        share(value, reference), Goal("<=", 1.25, "ratio"),
                        note="both shards and composing; reference: one run over the whole file")

    def memory(self):
        say(f"{self.many_rows:,} rows")
        many = data.generate(self.path("many.csv"), self.many_rows, self.seed + 2)
        few = self.score(self.head(100_000), 0, threads=2)
        usage = self.score(many, 0, threads=2)
        os.unlink(many)
        self.report.add(f"resident memory, {self.many_rows:,} rows", usage.peak_kib / 1024, "MiB",
                        few.peak_kib / 1024, share(usage.peak_kib, few.peak_kib),
                        Goal("<=", 64, stretch=32, unit="MiB"), note="reference: at 100,000 rows")
        self.report.add("resident memory, growth with rows", usage.peak_kib / 1024, "MiB",
                        few.peak_kib / 1024, share(usage.peak_kib, few.peak_kib),
                        Goal("<=", 1.05, "ratio"))

    def start(self):
        weekly = self.head(100)
        ours, theirs = paired(7, lambda: self.score(weekly, 3), lambda: self.reference(weekly, 3)[0])
        value, reference = median(ours, "wall"), median(theirs, "wall")
        self.report.add("100 rows, start to closed output", value, "s", reference,
                        speedup(value, reference), Goal("<=", 0.1, stretch=0.05, unit="s"))

    def exactness(self):
        try:
            import exactness
        except ImportError as missing:
            self.report.missing("exactness to pred_contribs", str(missing), Goal("<=", 1e-5))
            return
        rows = 1000
        dump = self.path("dump")
        shape = self.kernel(self.head(2000), rows, "--dump", dump)
        found = exactness.compare(self.model, dump, shape)
        self.report.add("contributions, largest difference", found.contributions, "log-odds",
                        goal=Goal("<=", 1e-5, stretch=1e-6),
                        note="to xgboost's pred_contribs on the same encoded rows")
        self.report.add("rows with the same three reasons", found.same_reasons, "share",
                        goal=Goal(">=", 1.0))
        self.report.add("sum of contributions and margin", found.additivity, "log-odds",
                        goal=Goal("<=", 1e-5), note="largest difference")


def measure(report, folder, options):
    try:
        data.program("churn-scorer")
    except Failed as failure:
        report.missing("scorer", str(failure))
        return
    Scorer(report, folder, options.quick, options.seed).measure()
