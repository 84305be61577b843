"""The Helm chart installs what kustomize installs, and its values do what they say."""
import pathlib
import tempfile
import unittest

import parts
import yaml


class Chart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.helm = str(parts.go_program("helm"))
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        parts.run(str(parts.ROOT / "hack/helm-chart"), "--output", folder.name)
        cls.chart = str(pathlib.Path(folder.name) / "churn-operator")

    def render(self, namespace="churn-operator", **values):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(values, file)
            file.flush()
            return {parts.name_of(object_): object_ for object_ in parts.objects(
                parts.run(self.helm, "template", "release", self.chart, "--namespace", namespace,
                          "--kube-version", "1.31.0", "--values", file.name))}

    def test_lint_finds_nothing(self):
        self.assertIn("0 chart(s) failed", parts.run(self.helm, "lint", "--strict", self.chart))

    def test_it_is_what_kustomize_makes(self):
        expected = {parts.name_of(object_): object_
                    for object_ in parts.objects(parts.kustomize("manifests"))
                    if object_["kind"] != "Namespace"}
        found = self.render()
        self.assertEqual(set(found), set(expected))
        for name, object_ in found.items():
            if object_["kind"] == "CustomResourceDefinition":
                self.assertEqual(object_["metadata"].pop("annotations"), {"helm.sh/resource-policy": "keep"})
            if object_["kind"] == "Deployment":
                pod = object_["spec"]["template"]["spec"]
                for empty in (pod.pop("nodeSelector"), pod.pop("tolerations"), pod.pop("volumes"),
                              pod["containers"][0].pop("volumeMounts")):
                    self.assertFalse(empty)
            self.assertEqual(object_, expected[name])

    def test_values_reach_their_places(self):
        found = self.render("elsewhere", replicas=1, images={"controller": "r.example/c@sha256:1"},
                            tolerations=[{"key": "batch", "operator": "Exists"}],
                            arguments=["--log-level=debug"])
        deployment = found["Deployment/churn-operator"]
        pod = deployment["spec"]["template"]["spec"]
        self.assertEqual(deployment["metadata"]["namespace"], "elsewhere")
        self.assertEqual(deployment["spec"]["replicas"], 1)
        self.assertEqual(pod["tolerations"], [{"key": "batch", "operator": "Exists"}])
        self.assertEqual(pod["containers"][0]["image"], "r.example/c@sha256:1")
        self.assertEqual(pod["containers"][0]["args"], ["--log-level=debug"])
        subjects = found["ClusterRoleBinding/churn-operator"]["subjects"]
        self.assertEqual([subject["namespace"] for subject in subjects], ["elsewhere"])


if __name__ == "__main__":
    unittest.main()
