"""Goal: churn-trainer keeps the contract of its job document on good data, as a program and stage by stage.

Method: the real program on small generated files and on the sample history; what it publishes is
compared byte by byte and with what the data were made of.
"""
import gzip
import json
import os
import random
import re
import signal
import subprocess
import unittest
from pathlib import Path
from xml.etree import ElementTree

from trainer_case import PROGRAM, QUICK, QUICK_NETWORK, RUN_KEY, STAGES, TELCO, TrainerTest, history


class Training(TrainerTest):
    def test_publishes_a_version(self):
        self.write(history())
        result, version = self.train()
        self.assertEqual(result["outcome"], "Trained")
        self.assertEqual(version.parent, self.models / "bank.retail")
        self.assertEqual(version.name, result["model"]["version"])
        self.assertEqual(result["model"]["rows"], 300)
        self.assertEqual(sorted(path.name for path in version.iterdir()),
                         ["booster.ubj", "evaluation", "metrics.json", "model.json",
                          "report.html"])
        metrics = {entry["name"]: float(entry["value"]) for entry in result["metrics"]}
        self.assertEqual(result["metrics"][0]["name"], "auc")
        self.assertGreater(metrics["auc"], 0.7)
        self.assertEqual([step["name"] for step in result["steps"]],
                         [stage.capitalize() for stage in STAGES])
        self.assertLessEqual((self.folder / "result.json").stat().st_size, 2048)
        model = json.loads((version / "model.json").read_text())
        self.assertEqual(model["version"], version.name)

    def test_report_escapes_and_stands_alone(self):
        lines = history()
        lines[0] = lines[0].replace("city", "<script>alert(1)</script>")
        self.write(lines)
        _, version = self.train()
        page = (version / "report.html").read_text()
        self.assertIn("&lt;script&gt;", page)
        for word in ["<script", "http://", "https://", "src=", "@import"]:
            self.assertNotIn(word, page)

    def test_report_has_its_plots(self):
        self.write(history())
        _, version = self.train(parameters=QUICK)
        page = (version / "report.html").read_text()
        plots = {}
        for text in re.findall(r"<svg.*?</svg>", page, re.S):
            plot = ElementTree.fromstring(re.sub(r"&(?!amp;|lt;|gt;|quot;|#)\w+;", " ", text))  # XML knows few names
            plots[plot.get("aria-label")] = plot
            self.assertNotRegex(text, r"\b(nan|inf)\b")
        for name, shape in [("ROC curve of the held-out customers", "polyline"),
                            ("Predicted against observed churn", "circle"),
                            ("Lift of each tenth", "rect"), ("Importance of columns", "rect")]:
            with self.subTest(name):
                self.assertTrue(list(plots[name].iter(shape)), {item.tag for item in plots[name].iter()})

    def test_threads_do_not_change_bytes(self):
        self.write(history())
        versions = []
        for threads in [1, 3]:
            result = self.run_program("--job", self.job(models=f"m{threads}", algorithm="Auto"),
                                      "--threads", threads)
            versions.append(Path(result["model"]["uri"].removeprefix("file://")))
        self.assertEqual(versions[0].name, versions[1].name)
        self.same_files(*versions)

    def test_stages_one_by_one_give_the_same(self):
        self.write(history())
        for algorithm in ["GradientBoosting", "LogisticRegression", "NeuralNetwork"]:
            models = algorithm.lower()
            recipe = {"algorithm": algorithm,
                      "parameters": QUICK_NETWORK if algorithm == "NeuralNetwork" else {}}
            whole, version = self.train(models=models, **recipe)
            before = self.folder / f"{models}.start"
            before.mkdir()
            self.job(models=f"{models}.staged", **recipe).rename(before / "job.json")
            for stage in STAGES:
                after = self.folder / f"{models}.{stage}"
                after.mkdir()
                result = self.run_program(stage, "--in", before, "--out", after)
                before = after
            staged = Path(result["model"]["uri"].removeprefix("file://"))
            self.assertEqual(staged.name, version.name)
            self.assertEqual(result["metrics"], whole["metrics"])
            for path in version.rglob("*"):
                if path.is_file() and path.name != "metrics.json":
                    other = staged / path.relative_to(version)
                    self.assertEqual(path.read_bytes(), other.read_bytes(), path)

    def test_same_run_is_reused(self):
        self.write(history())
        first, version = self.train(runKey=RUN_KEY)
        times = {path: path.stat().st_mtime_ns for path in version.rglob("*")}
        again, _ = self.train(runKey=RUN_KEY)
        self.assertEqual(again["outcome"], "Reused")
        self.assertEqual(again["model"], first["model"])
        self.assertEqual(again["metrics"], first["metrics"])
        self.assertEqual(times, {path: path.stat().st_mtime_ns for path in version.rglob("*")})

    def test_changed_data_are_not_reused(self):
        self.write(history())
        first, _ = self.train(runKey=RUN_KEY)
        self.write(history(seed=2))
        again, _ = self.train(runKey=RUN_KEY)
        self.assertEqual(again["outcome"], "Trained")
        self.assertNotEqual(again["model"]["version"], first["model"]["version"])

    def test_damaged_version_is_not_reused(self):
        self.write(history())
        _, version = self.train(runKey=RUN_KEY)
        trees = bytearray((version / "booster.ubj").read_bytes())
        trees[len(trees) // 2] ^= 1
        (version / "booster.ubj").write_bytes(trees)
        result = self.run_program("--job", self.job(runKey=RUN_KEY), expect=73)
        self.assertEqual(result["reason"], "OutputExists")

    def test_publishing_over_equal_content_is_success(self):
        self.write(history())
        first, _ = self.train(runKey=RUN_KEY)
        second, _ = self.train(runKey="f" * 32)
        self.assertEqual(second["outcome"], "Trained")
        self.assertEqual(second["model"], first["model"])

    def test_compressed_history_gives_the_same_model(self):
        self.write(history())
        _, version = self.train()
        packed = self.folder / "history.csv.gz"
        packed.write_bytes(gzip.compress(self.data.read_bytes()))
        _, other = self.train(models="packed", data={"uri": f"file://{packed}"})
        self.assertEqual(other.name, version.name)

    def test_folder_means_its_newest_file(self):
        self.write(history())
        inbox = self.folder / "inbox"
        inbox.mkdir()
        for name, seconds in [("old.csv", 100), ("new.csv", 200), ("_newest.csv", 300)]:
            (inbox / name).write_bytes(self.data.read_bytes())
            os.utime(inbox / name, (seconds, seconds))
        result, _ = self.train(data={"uri": f"file://{inbox}/"})
        self.assertEqual(result["model"]["dataURI"], f"file://{inbox}/new.csv")

    def test_user_parameters_are_kept(self):
        self.write(history())
        _, version = self.train(parameters={"max_depth": "2", "min_child_weight": "3",
                                            "learning_rate": "0.2", "max_trees": "9",
                                            "lambda": "4"})
        metrics = json.loads((version / "metrics.json").read_text())
        self.assertEqual(len(metrics["candidates"]), 1)
        self.assertRegex(metrics["candidates"][0]["recipe"], r"depth 2, leaf weight 3, lambda 4, rate 0.2")

    def test_direction_of_effects(self):
        source = random.Random(5)
        lines = ["id,up,down,both,left"]
        for number in range(600):
            up, down, both = (source.randint(0, 100) for _ in range(3))
            chance = 0.4 * (up > 50) + 0.3 * (down < 50) + 0.3 * (abs(both - 50) > 25)
            lines.append(f"c{number},{up},{down},{both},{int(source.random() < chance)}")
        self.write(lines)
        _, version = self.train()
        direction = json.loads((version / "metrics.json").read_text())["direction"]
        self.assertGreater(direction["up"], 0.5)
        self.assertLess(direction["down"], -0.5)
        self.assertLess(abs(direction["both"]), 0.5)
        report = (version / "report.html").read_text()
        self.assertEqual((report.count(" \u25b2<"), report.count(" \u25bc<")), (1, 1))

    def test_directions_are_kept(self):
        """Older customers leave less often up to 40 and more often after; the model only knows more often."""
        source = random.Random(7)
        lines = ["id,age,member,left"]
        for number in range(600):
            age, member = source.randint(18, 80), source.choice(["yes", "no"])
            chance = 0.1 + 0.6 * (age < 30) + 0.3 * (age > 60) + 0.2 * (member == "no")
            lines.append(f"c{number},{age},{member},{int(source.random() < chance)}")
        self.write(lines)
        columns = [{"name": "age", "type": "Numeric", "monotone": "Increasing"}]
        result, version = self.train(algorithm="Auto", data={"columns": columns})
        self.assertEqual(result["model"]["algorithm"], "GradientBoosting")
        self.assertIn("<code>age = Increasing</code>", (version / "report.html").read_text())
        for member in ["yes", "no", ""]:
            chances = self.score(version, ["id,age,member", *(f"c{age},{age},{member}" for age in range(10, 100))])
            self.assertEqual(chances, sorted(chances))
            self.assertGreater(chances[-1], chances[0])

    def test_auto_takes_the_better_algorithm(self):
        source = random.Random(6)
        lines = ["id,a,b,c,left"]
        for number in range(1000):
            values = [source.gauss(0, 1) for _ in range(3)]
            lines.append(",".join([f"c{number}", *(f"{value:.3f}" for value in values),
                                   str(int(sum(values) + source.gauss(0, 0.5) > 0))]))
        self.write(lines)
        result, version = self.train(algorithm="Auto", parameters={"max_depth": "2"})
        self.assertEqual(result["model"]["algorithm"], "LogisticRegression")
        self.assertTrue((version / "weights.json").exists())
        self.assertFalse((version / "booster.ubj").exists())

    def test_neural_network(self):
        """It learns what is there to learn, for any number of threads the same, and its reasons add up."""
        self.write(history(rows=800))
        versions = []
        for threads in [1, 3]:
            path = self.job(models=f"n{threads}", algorithm="NeuralNetwork", parameters={"ensemble": "2"})
            result = self.run_program("--job", path, "--threads", threads)
            versions.append(Path(result["model"]["uri"].removeprefix("file://")))
        self.assertEqual(result["model"]["algorithm"], "NeuralNetwork")
        self.assertEqual(versions[0].name, versions[1].name)
        for name in ["model.json", "network.bin", "evaluation/network.bin", "report.html"]:
            self.assertEqual((versions[0] / name).read_bytes(), (versions[1] / name).read_bytes(), name)
        metrics = json.loads((versions[0] / "metrics.json").read_text())
        self.assertGreater(metrics["metrics"]["auc"], 0.7)
        self.assertLess(metrics["additivityError"], 1e-4)
        self.assertGreater(metrics["importance"]["age"], metrics["importance"]["income"])
        report = (versions[0] / "report.html").read_text()
        self.assertIn("Neural network, version", report)
        self.assertIn("integrated gradients", report)
        damaged = bytearray((versions[0] / "evaluation" / "network.bin").read_bytes())
        damaged[len(damaged) // 2] ^= 1
        (versions[0] / "evaluation" / "network.bin").write_bytes(damaged)
        champion = {"version": versions[0].name, "uri": f"file://{versions[0]}/"}
        again, _ = self.train(models="n4", algorithm="NeuralNetwork", parameters=QUICK_NETWORK, champion=champion)
        self.assertIn("does not match", " ".join(again["warnings"]))

    def test_numbers_beyond_floats(self):
        lines = history()
        for number in range(10, 40):
            cells = lines[number].split(",")
            lines[number] = ",".join([*cells[:3], f"{number % 7}e300", *cells[4:]])
        self.write(lines)
        for algorithm in ["GradientBoosting", "LogisticRegression", "NeuralNetwork"]:
            with self.subTest(algorithm):
                result, _ = self.train(algorithm=algorithm)
                self.assertGreater(float(result["metrics"][0]["value"]), 0.5)

    def test_threshold_by_profit(self):
        """An offer pays from a probability of 0.055 / 0.335 on; greatest F1 wants more of one here."""
        self.write(history(rows=3000))
        figures = {}
        for objective in ["F1", "Profit"]:
            result, version = self.train(models=objective, threshold={"objective": objective})
            figures[objective] = {item["name"]: float(item["value"]) for item in result["metrics"]}
            model = json.loads((version / "model.json").read_text())
            self.assertAlmostEqual(model["threshold"], figures[objective]["threshold"], 3)
            self.assertIn("expected profit" if objective == "Profit" else "greatest F1",
                          (version / "report.html").read_text())
        self.assertTrue(0.08 < figures["Profit"]["threshold"] < 0.28, figures["Profit"])
        self.assertGreater(figures["F1"]["threshold"], figures["Profit"]["threshold"])
        self.assertGreater(figures["Profit"]["profit"], figures["F1"]["profit"])
        self.assertEqual(figures["Profit"]["auc"], figures["F1"]["auc"])

    def test_sensitive_columns_are_reported_by_group(self):
        lines = history(rows=1000)
        self.write([lines[0] + ",sex"] + [f"{line},{'<f>' if number % 3 else 'm'}"
                                          for number, line in enumerate(lines[1:])])
        plain, version = self.train(models="plain", data={"drop": ["sex"]},
                                    parameters=QUICK)
        same, _ = self.train(models="same", data={"drop": ["sex"], "sensitive": ["sex", "age"]},
                             parameters=QUICK)
        self.assertEqual(same["model"]["version"], plain["model"]["version"])  # only looked at
        folder = Path(same["model"]["uri"].removeprefix("file://"))
        sex, age = json.loads((folder / "metrics.json").read_text())["sensitive"]
        self.assertEqual([sex["column"], age["column"]], ["sex", "age"])
        self.assertEqual([group["group"] for group in sex["groups"]], ["<f>", "m"])
        self.assertEqual(len(age["groups"]), 4)
        rows = sum(group["rows"] for group in sex["groups"])
        self.assertEqual(rows, sum(group["rows"] for group in age["groups"]))
        called = sum(group["rows"] * group["selectionRate"] for group in sex["groups"])
        figures = {item["name"]: float(item["value"]) for item in same["metrics"]}
        churners = figures["churn_rate"] * rows
        self.assertAlmostEqual(called * figures["precision"], churners * figures["recall"], delta=0.1)
        page = (folder / "report.html").read_text()
        self.assertIn("Groups of customers", page)
        self.assertIn("<td>&lt;f&gt;</td>", page)
        self.assertNotIn("Groups of customers", (version / "report.html").read_text())
        used, _ = self.train(models="used", data={"sensitive": ["sex"]}, parameters=QUICK)
        self.assertNotEqual(used["model"]["version"], plain["model"]["version"])

    def test_report_has_a_model_card(self):
        self.write(history())
        result, version = self.train(runKey=RUN_KEY, seed=7, parameters=QUICK)
        page = (version / "report.html").read_text()
        for text in ["Model card", result["model"]["dataSHA256"], RUN_KEY, "<dd>7</dd>",
                     result["model"]["version"]]:
            self.assertIn(text, page)

    def test_few_rows_are_warned_about(self):
        self.write(history(rows=120))
        result, _ = self.train()
        self.assertIn("only 120 rows", " ".join(result["warnings"]))

    def test_leak_is_warned_about(self):
        lines = history()
        self.write([lines[0] + ",closed"] + [f"{line},{line[-1]}" for line in lines[1:]])
        result, _ = self.train()
        self.assertIn("column closed alone has an AUC of 1.000", " ".join(result["warnings"]))

    def test_leak_of_a_code_is_warned_about(self):
        lines = history(rows=1000)
        self.write([lines[0] + ",status"] + [
            f"{line},{number % 3 + 4 if line[-1] == '1' else number % 7 + (4 if number % 7 > 3 else 0)}"
            for number, line in enumerate(lines[1:])])
        result, _ = self.train(parameters=QUICK)
        self.assertIn("column status alone has an AUC of 1.000", " ".join(result["warnings"]))

    def test_leak_in_many_categories_is_warned_about(self):
        lines = history(rows=1000)
        self.write([lines[0] + ",file,agent"] + [
            f"{line},{'closed' if line[-1] == '1' else 'open'}-{number % 60},a{number % 200}"
            for number, line in enumerate(lines[1:])])
        result, _ = self.train(parameters=QUICK)
        warnings = " ".join(result["warnings"])
        self.assertIn("column file alone has an AUC of ", warnings)
        self.assertNotIn("column agent", warnings)

    def test_useless_columns_are_listed(self):
        lines = history()
        self.write([lines[0] + ",since,note,branch,number"] + [
            f"{line},2020-{number % 12 + 1:02}-01,,7,{number}"
            for number, line in enumerate(lines[1:])])
        _, version = self.train(parameters=QUICK)
        page = (version / "report.html").read_text()
        warnings = " ".join(json.loads((version / "metrics.json").read_text())["warnings"])
        for column, why in [("since", "it holds dates"), ("note", "it has no values"),
                            ("branch", "it has one value only"), ("number", "as in an id")]:
            self.assertRegex(warnings, f"column {column} is left out: .*{why}")
            self.assertRegex(page, f"<td>{column}</td><td>left out: [^<]*{why}")
        kept, _ = self.train(models="kept", parameters=QUICK,
                             data={"columns": [{"name": "since", "type": "Categorical"}]})
        self.assertNotIn("since", " ".join(kept["warnings"]))

    @unittest.skipUnless(TELCO.exists(), "the sample history is not here")
    def test_telco_is_learned(self):
        lines = TELCO.read_text().splitlines()[:3001]
        self.write(lines)
        result, version = self.train(algorithm="Auto", data={
            "target": "Churn", "positiveLabel": "Yes", "id": "customerID"})
        self.assertGreater(float(result["metrics"][0]["value"]), 0.78)
        figures = {item["name"]: float(item["value"]) for item in result["metrics"]}
        self.assertGreater(figures["f1"], 0.58)  # a quarter leaves: 0.5 would call too few
        self.assertTrue(0.15 < figures["threshold"] < 0.45, figures["threshold"])
        model = json.loads((version / "model.json").read_text())
        self.assertAlmostEqual(model["threshold"], figures["threshold"], 3)


class Processes(TrainerTest):
    def test_paths_come_from_the_environment_unless_flags_say_otherwise(self):
        """As in a pod, where no arguments are passed."""
        (self.folder / "job.json").write_text('{"version": 1, "kind": "Train", "colour": 1}')
        (self.folder / "other.json").write_text('{"version": 1, "kind": "Train", "shape": 1}')
        environment = dict(os.environ, CHURN_JOB=self.folder / "job.json",
                           CHURN_RESULT=self.folder / "result.json")
        for arguments, result, member in [((), "result.json", "colour"),
                                          (("--job", self.folder / "other.json", "--result",
                                            self.folder / "said.json"), "said.json", "shape")]:
            run = subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True)
            self.assertEqual(run.returncode, 64)
            self.assertIn(member, json.loads((self.folder / result).read_text())["message"])

    def test_sigterm_leaves_nothing(self):
        self.write(history(rows=20000))
        run = subprocess.Popen([PROGRAM, "--job", self.job(algorithm="Auto"), "--result",
                                self.folder / "result.json", "--threads", "1"],
                               stderr=subprocess.PIPE, text=True)
        with run.stderr:
            for line in run.stderr:  # Split has ended: Fit runs now and takes its time
                if '"Split"' in line:
                    break
            run.send_signal(signal.SIGTERM)
            self.assertEqual(run.wait(timeout=10), 143)
        self.assertEqual(list(self.models.rglob("model.json")), [])

    def test_usage_errors(self):
        for arguments in [["--colour"], ["refine", "--in", "a", "--out", "b"], ["fit"],
                          ["--in", "a"], ["fit", "split"]]:
            run = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60)
            self.assertEqual(run.returncode, 64, arguments)

    def test_help_and_version(self):
        for option, text in [("--help", "--job"), ("--help", "max_depth. Auto, GradientBoosting: integer, 1 to 10, depth of each tree"),
                             ("--version", "churn-trainer")]:
            run = subprocess.run([PROGRAM, option], capture_output=True, text=True, timeout=60)
            self.assertEqual(run.returncode, 0)
            self.assertIn(text, " ".join(run.stdout.split()))
            self.assertEqual(run.stdout.count("learning_rate. "), option == "--help")

    def test_unwritable_artifacts(self):
        self.write(history())
        self.models.write_text("a file where a folder should be")
        result = self.run_program("--job", self.job(), expect=73)
        self.assertEqual(result["outcome"], "Failed")


if __name__ == "__main__":
    unittest.main()
