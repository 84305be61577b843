"""What kubectl apply -k installs: every overlay builds, asks for no right that it should not have,
and runs under the restricted Pod Security profile."""
import os
import pathlib
import tempfile
import unittest

import parts
import yaml

OVERLAYS = ["default", "high-availability", "namespaced"]
CLUSTER_WIDE = {"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}


def overlay(name):
    return parts.objects(parts.kustomize(f"manifests/overlays/{name}"))


def one(objects, kind):
    found = [object_ for object_ in objects if object_["kind"] == kind]
    assert len(found) == 1, f"{len(found)} of {kind}"
    return found[0]


class Overlays(unittest.TestCase):
    def test_the_plain_folder_is_the_default_overlay(self):
        self.assertEqual(parts.objects(parts.kustomize("manifests")), overlay("default"))

    def test_no_two_objects_have_one_name(self):
        for name in OVERLAYS:
            names = [parts.name_of(object_) for object_ in overlay(name)]
            self.assertEqual(len(names), len(set(names)), name)

    def test_everything_is_marked_as_ours(self):
        for name in OVERLAYS:
            for object_ in overlay(name):
                if object_["kind"] == "CustomResourceDefinition":
                    continue
                labels = object_["metadata"].get("labels", {})
                self.assertEqual(labels.get("app.kubernetes.io/part-of"), "churn-operator",
                                 f"{name}: {parts.name_of(object_)}")

    def test_the_namespaced_overlay_asks_for_nothing_outside_its_namespace(self):
        for object_ in overlay("namespaced"):
            self.assertNotIn(object_["kind"], CLUSTER_WIDE)
            self.assertEqual(object_["metadata"]["namespace"], "churn-operator")
        arguments = one(overlay("namespaced"), "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
        self.assertIn("--namespace=$(NAMESPACE)", arguments)

    def test_the_namespaced_overlay_goes_where_a_kustomization_says(self):
        with tempfile.TemporaryDirectory() as folder:
            overlay_path = os.path.relpath(parts.ROOT / "manifests/overlays/namespaced", os.path.realpath(folder))
            pathlib.Path(folder, "kustomization.yaml").write_text(
                f"namespace: retail-bank\nresources: [{overlay_path}]\n")
            made = parts.objects(parts.run("kubectl", "kustomize", folder))
        for object_ in made:
            self.assertEqual(object_["metadata"]["namespace"], "retail-bank", parts.name_of(object_))
            for subject in object_.get("subjects", []):
                self.assertEqual(subject["namespace"], "retail-bank", parts.name_of(object_))

    def test_the_rules_are_the_same_for_one_namespace_and_for_all(self):
        def rules(objects, kind):
            return [object_["rules"] for object_ in objects
                    if object_["kind"] == kind and object_["metadata"]["name"] == "churn-operator"]
        self.assertEqual(rules(overlay("default"), "ClusterRole"), rules(overlay("namespaced"), "Role"))

    def test_secrets_are_only_read_and_no_rule_has_a_star(self):
        for object_ in overlay("default"):
            for rule in object_.get("rules", []):
                self.assertNotIn("*", rule["verbs"] + rule["resources"] + rule["apiGroups"])
                if "secrets" in rule["resources"]:
                    self.assertEqual(rule["verbs"], ["get"])

    def test_pods_fit_the_restricted_profile(self):
        for name in OVERLAYS:
            pod = one(overlay(name), "Deployment")["spec"]["template"]["spec"]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertFalse(any("hostPath" in volume for volume in pod.get("volumes", [])))
            for container in pod["containers"]:
                context = container["securityContext"]
                self.assertFalse(context["allowPrivilegeEscalation"])
                self.assertTrue(context["readOnlyRootFilesystem"])
                self.assertEqual(context["capabilities"], {"drop": ["ALL"]})

    def test_components_go_together(self):
        """In any order, on every overlay."""
        components = ["file-root", "hooks", "probe-pods", "registry-ca"]
        for name in OVERLAYS:
            for order in (components, components[::-1]):
                with self.subTest(overlay=name, order=order), tempfile.TemporaryDirectory() as folder:
                    def path(*places):
                        return os.path.relpath(os.path.join(parts.ROOT, "manifests", *places), os.path.realpath(folder))
                    with open(os.path.join(folder, "kustomization.yaml"), "w") as file:
                        yaml.safe_dump({"resources": [path("overlays", name)],
                                        "components": [path("components", part) for part in order]}, file)
                    pod = one(parts.objects(parts.kustomize(folder)), "Deployment")["spec"]["template"]["spec"]
                    container = pod["containers"][0]
                    self.assertIn("--registry-ca=/etc/churn-operator/registry-ca/ca.crt", container["args"])
                    self.assertIn("--hooks-address=0.0.0.0:8081", container["args"])
                    self.assertIn("--file-root=/var/lib/churn", container["args"])
                    self.assertIn("--probe-pods", container["args"])
                    self.assertEqual(sorted(mount["name"] for mount in container["volumeMounts"]),
                                     ["churn-data", "hooks", "registry-ca"])
                    self.assertEqual(sorted(volume["name"] for volume in pod["volumes"]),
                                     ["churn-data", "hooks", "registry-ca"])
                    self.assertIn("CHURN_TRAINER_IMAGE", [entry["name"] for entry in container["env"]])
                    self.assert_pushes_find_their_port(parts.objects(parts.kustomize(folder)))

    def assert_pushes_find_their_port(self, objects):
        [container] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        [service] = [object_ for object_ in objects if parts.name_of(object_) == "Service/churn-operator-hooks"]
        self.assertEqual(ports[service["spec"]["ports"][0]["targetPort"]], 8081)
        policy = one(objects, "NetworkPolicy")["spec"]
        self.assertEqual(sorted(port["port"] for rule in policy["ingress"] for port in rule["ports"]), sorted(ports))

    def test_the_controller_reaches_the_metadata_servers_of_clouds(self):
        rules = one(overlay("default"), "NetworkPolicy")["spec"]["egress"]
        [rule] = [rule for rule in rules if "to" in rule]
        self.assertEqual([port["port"] for port in rule["ports"]], [80, 988])
        self.assertEqual([peer["ipBlock"]["cidr"] for peer in rule["to"]],
                         ["169.254.169.254/32", "169.254.169.252/32", "169.254.170.23/32"])

    def test_high_availability_spreads_three_replicas_over_nodes(self):
        deployment = one(overlay("high-availability"), "Deployment")
        affinity = deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
        self.assertEqual(deployment["spec"]["replicas"], 3)
        self.assertEqual(
            [term["topologyKey"] for term in affinity["requiredDuringSchedulingIgnoredDuringExecution"]],
            ["kubernetes.io/hostname"])


if __name__ == "__main__":
    unittest.main()
