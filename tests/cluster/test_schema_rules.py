"""Every rule (CEL) in the schemas of both kinds is one that the API server refuses by, with its message at its field."""
import copy
import json
import os
import sys
import unittest
import urllib.error
import urllib.request

import yaml

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "e2e"))
from cluster import RESOURCES, ROOT, ClusterTest  # noqa: E402

# What each message refuses: a value of the field, or members of the spec that is merged with.
REFUSED = {
    "must begin with file://, gs:// or s3://": "ftp://bank/x/",
    "must name a bucket and a path in it": "s3://bank",
    "must have three slashes": "file://bank/x/",
    "must name a folder": "file:///bank/x",
    "generation must not be given with a folder": {"uri": "file:///bank/", "generation": "1"},
    "must be Auto or a decimal number within [0,1]": "1.5",
    "must be a decimal number within [0,1]": "1.5",
    "must be a decimal number within [0.05,0.5]": "0.6",
    "must be a decimal number greater than 0": "0.0",
    "must be a duration from 1s to 24h": "48h",
    "labels that begin with churnops.io/": {"labels": {"churnops.io/model": "x"}},
    "annotations that begin with churnops.io/": {"annotations": {"churnops.io/job": "x"}},
    "names that begin with CHURN_": [{"name": "CHURN_JOB", "value": "x"}],
    "names that begin with churn-": [{"name": "churn-x", "mountPath": "/x"}],
    "data.id must be another column": {"data": {"id": "Churn"}},
    "data.drop must not name data.target": {"data": {"drop": ["Churn"]}},
    "data.sensitive must name neither": {"data": {"sensitive": ["Churn"]}},
    "parameters must be": {"algorithm": "Auto", "parameters": {"depth": "6"}},
    "the parameter of LogisticRegression": {"parameters": {"max_depth": "6"}},
    "parameters of NeuralNetwork": {"algorithm": "NeuralNetwork", "parameters": {"max_depth": "6"}},
    "schedule must be set": {"on": ["Schedule"]},
    "monotone must not be set": [{"name": "Age", "type": "Categorical", "monotone": "Increasing"}],
    "data.columns with monotone": {"algorithm": "LogisticRegression", "data": {
        "columns": [{"name": "Age", "type": "Numeric", "monotone": "Increasing"}]}},
}
NAMES = "metadata.name must be"  # of the object itself
CHANGES = "oldSelf"  # what may follow what: a scenario of tests/e2e


def rules_of(schema, path=()):
    """(path, message) of every rule that speaks of one state."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if CHANGES not in rule["rule"]:
            yield path, rule["message"]
    for name, member in schema.get("properties", {}).items():
        yield from rules_of(member, (*path, name))
    if "items" in schema:
        yield from rules_of(schema["items"], path)


def merged(old, new):
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}


def with_value(object_, path, value):
    """A copy that has the value there, merged with what is there."""
    if not path:
        return merged(object_, value)
    copied = copy.copy(object_) if object_ is not None else {}
    copied[path[0]] = with_value(copied.get(path[0]), path[1:], value)
    return copied


class SchemaRules(ClusterTest):
    controller_arguments = None

    def create(self, kind, object_):
        """What the API server would answer."""
        request = urllib.request.Request(self.cluster.server + self.cluster.path(kind) + "?dryRun=All",
                                         json.dumps(object_).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)["message"]

    def check(self, kind, good):
        with open(os.path.join(ROOT, "crds", RESOURCES[kind][1] + ".yaml")) as file:
            schema = yaml.safe_load(file)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        self.assertEqual(self.create(kind, good), (201, ""))
        rules = list(rules_of(schema))
        self.assertGreater(len(rules), 10)
        for path, message in rules:
            with self.subTest(path=".".join(path), message=message):
                if message.startswith(NAMES):
                    bad = merged(good, {"metadata": {"name": "with.dots"}})
                else:
                    [value] = [value for words, value in REFUSED.items() if message.startswith(words)]
                    bad = with_value(good, path, value)
                status, told = self.create(kind, bad)
                self.assertEqual(status, 422, told)
                self.assertIn(message, told)
                self.assertIn(".".join(path), told)

    def test_models(self):
        inbox = {"uri": "file:///bank/", "template": {"output": {"uri": "file:///bank/"}}}
        self.check("churnmodel", self.cluster.model(inbox=inbox))

    def test_batches(self):
        self.check("churnbatch", self.cluster.batch("week-1"))


if __name__ == "__main__":
    unittest.main()
