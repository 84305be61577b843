"""What can happen to a pod, as the kubelet does it: what the user is told, and what then mends it."""
import json
import unittest

import paused_run
from cluster import ClusterTest, changed, condition_of


class Evicted(paused_run.PausedRun):
    def begin(self):
        self.cluster.start_controller("--no-leader-elect")

    def test_a_pod_that_is_evicted_is_no_failure(self):
        def disturb(job):
            [pod] = self.cluster.list("pod", labelSelector=f"job-name={job}")
            name = pod["metadata"]["name"]
            self.cluster.kubectl("create", "-f", "-", "--raw", self.cluster.path("pod", name=name) + "/eviction",
                                 text=json.dumps({"apiVersion": "policy/v1", "kind": "Eviction",
                                                  "metadata": {"name": name}}))
            self.cluster.wait("pod", name, lambda found: found is None, "the eviction")
            found = self.cluster.wait("job", job, lambda found: found["status"].get("ready"), "another pod")
            self.assertFalse(found["status"].get("failed"))
            self.cluster.open_gate()
        self.assert_same_end(disturb)


class InTheWay(ClusterTest):
    def limited(self, limit, **spec):
        template = self.cluster.pod_template()
        template["resources"] = {"requests": {"cpu": "20m"}, "limits": {"memory": limit}}
        return self.cluster.model(podTemplate=template, algorithm="GradientBoosting", **spec)

    def test_memory_that_is_too_small_is_told_and_raised(self):
        self.cluster.put_history(rows=6000)
        hungry = {"min_child_weight": "1"}  # XGBoost's trees: ours have room in 16 MiB
        self.cluster.apply(self.limited("16Mi", parameters=hungry))
        model = self.cluster.wait_condition("churnmodel", "telco", "Trained", "False", "OutOfMemory")
        message = condition_of(model, "Trained")["message"]
        self.assertIn("raise spec.podTemplate.resources.limits.memory (16Mi)", message)
        self.assertEqual(len(self.cluster.list("pod")), 1)  # trying again would end the same way
        self.cluster.apply(self.limited("512Mi", parameters=hungry, retrain={"token": "raised"}))
        self.cluster.wait_condition("churnmodel", "telco", "Ready")

    def test_an_image_that_cannot_be_pulled_is_told_and_replaced(self):
        missing = f"{self.cluster.address}/churn-trainer@sha256:{'0' * 64}"
        model = self.cluster.model(image=missing)
        self.cluster.apply(model)
        found = self.cluster.wait_condition("churnmodel", "telco", "Reconciling", reason="PodNotReady")
        message = condition_of(found, "Reconciling")["message"]
        self.assertRegex(message, "ErrImagePull|ImagePullBackOff")
        self.assertIn("churn-trainer@sha256:0000", message)
        good = changed(model, image=f"{self.cluster.address}/churn-trainer:stable")
        self.cluster.apply(good)
        self.cluster.wait_condition("churnmodel", "telco", "Ready")
        self.assertEqual([job["status"].get("succeeded") for job in self.cluster.jobs()], [1])

    def test_a_disk_that_is_full_is_told_and_made_larger(self):
        self.train()
        self.cluster.put_week(rows=400)

        def batch(size, **spec):
            template = self.cluster.pod_template()
            template["volumes"].append({"name": "small", "emptyDir": {"medium": "Memory", "sizeLimit": size}})
            template["volumeMounts"].append({"name": "small", "mountPath": "/small"})
            return self.cluster.batch("week-1", output={"uri": "file:///small/week-1.csv"}, podTemplate=template,
                                      backoffLimit=0, **spec)
        self.cluster.apply(batch("8Ki"))
        failed = self.cluster.wait_condition("churnbatch", "week-1", "Failed")
        message = condition_of(failed, "Failed")["message"]
        self.assertIn("/small/week-1.csv", message)
        self.assertIn("No space left on device", message)
        self.cluster.apply(batch("8Mi", retryToken="larger"))
        self.cluster.wait_condition("churnbatch", "week-1", "Complete")


if __name__ == "__main__":
    unittest.main()
