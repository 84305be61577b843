"""Trainer and scorer on s3://: what they make there is what they make in folders, byte by byte."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import s3_server

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SAMPLES = ROOT / "manifests" / "samples"
BIN = pathlib.Path(os.environ["CHURN_BIN"])


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        (cls.folder / "server").mkdir()
        cls.server = s3_server.Server(cls.folder / "server")
        cls.addClassCleanup(cls.server.stop)
        cls.boto3 = cls.server.client()
        cls.boto3.create_bucket(Bucket="bank")
        for place, name in (("input_folder", "telco_history.csv"), ("weekly_folder", "telco_week_01.csv")):
            data = (SAMPLES / name).read_bytes()
            cls.boto3.put_object(Bucket="bank", Key=f"{place}/{name}", Body=data)
            (cls.folder / "local" / place).mkdir(parents=True)
            (cls.folder / "local" / place / name).write_bytes(data)
        cls.bases = {"s3": "s3://bank/", "file": f"file://{cls.folder}/local/"}
        cls.models = {scheme: cls.train(base) for scheme, base in cls.bases.items()}

    @classmethod
    def run_program(cls, program, document, *arguments):
        """Exit code and result of a program with that job document."""
        job, result = cls.folder / "job.json", cls.folder / "result.json"
        job.write_text(json.dumps(document))
        done = subprocess.run([str(BIN / program), "--job", str(job), "--result", str(result), *arguments],
                              env={"PATH": os.environ["PATH"], **cls.server.variables()}, capture_output=True,
                              timeout=300, check=False)
        text = json.loads(result.read_text())
        assert done.returncode == text.get("exitCode", 0), done.stderr.decode()
        return done.returncode, text

    @classmethod
    def train(cls, base):
        code, result = cls.run_program("churn-trainer", {
            "version": 1, "kind": "Train", "model": "telco", "algorithm": "LogisticRegression",
            "artifacts": {"uri": base + "models/"},
            "data": {"uri": base + "input_folder/", "target": "Churn", "positiveLabel": "Yes", "id": "customerID"}})
        assert code == 0, result
        return result["model"]

    def score(self, scheme, name, *arguments, **members):
        base, model = self.bases[scheme], self.models[scheme]
        return self.run_program("churn-scorer", {
            "version": 1, "kind": "Score", "batch": "bank/" + name, "specHash": "0" * 32,
            "model": {"uri": model["uri"], "version": model["version"]},
            "input": {"uri": base + "weekly_folder/telco_week_01.csv"},
            "output": {"uri": f"{base}output_folder/{name}.csv"}, **members}, *arguments)

    def keys(self, prefix):
        return [entry["Key"] for entry in
                self.boto3.list_objects_v2(Bucket="bank", Prefix=prefix).get("Contents", [])]

    def read(self, key):
        return self.boto3.get_object(Bucket="bank", Key=key)["Body"].read()

    def test_a_model_is_the_same(self):
        self.assertEqual(self.models["s3"]["version"], self.models["file"]["version"])
        folder = f"models/telco/{self.models['s3']['version']}/"
        local = self.folder / "local" / folder
        self.assertEqual(self.read(folder + "model.json"), (local / "model.json").read_bytes())
        self.assertEqual({key.removeprefix(folder) for key in self.keys(folder) if not key.endswith("/")},
                         {str(path.relative_to(local)) for path in local.rglob("*") if path.is_file()})

    def test_an_output_is_the_same_and_made_once(self):
        for scheme in self.bases:
            self.assertEqual(self.score(scheme, "w1")[1]["outcome"], "Scored")
        self.assertEqual(self.read("output_folder/w1.csv"),
                         (self.folder / "local/output_folder/w1.csv").read_bytes())
        before = self.boto3.head_object(Bucket="bank", Key="output_folder/w1.csv")["LastModified"]
        self.assertEqual(self.score("s3", "w1")[0], 0)
        self.assertEqual(self.boto3.head_object(Bucket="bank", Key="output_folder/w1.csv")["LastModified"], before)
        self.boto3.put_object(Bucket="bank", Key="output_folder/other.csv", Body=b"mine")
        self.assertEqual(self.score("s3", "other")[0], 73)
        self.assertEqual(self.read("output_folder/other.csv"), b"mine")

    def test_shards_become_the_same_output(self):
        self.score("s3", "whole")
        for index in range(3):
            code, _ = self.score("s3", "sharded", "--shard-index", str(index), shard={"count": 3})
            self.assertEqual(code, 0)
        parts = {key.rsplit("/", 1)[0] for key in self.keys("output_folder/sharded.csv.parts/")
                 if not key.endswith("/")}
        self.assertEqual(len(parts), 1)
        code, result = self.score("s3", "sharded", kind="Compose", shard={"count": 3},
                                  parts=f"s3://bank/{parts.pop()}/")
        self.assertEqual((code, result["outcome"]), (0, "Scored"))
        self.assertEqual(self.read("output_folder/sharded.csv"), self.read("output_folder/whole.csv"))
        self.assertEqual([key for key in self.keys("output_folder/sharded.csv.parts/")
                          if not key.endswith("/")], [])

    def test_what_is_missing_is_named(self):
        code, result = self.score("s3", "gone", input={"uri": "s3://bank/weekly_folder/none.csv"})
        self.assertEqual(code, 66)
        self.assertIn("s3://bank/weekly_folder/none.csv", result["message"])
        self.assertEqual(self.keys("output_folder/gone"), [])


if __name__ == "__main__":
    unittest.main()
