"""Which version of a model is in use: promotion, rollback, and what is kept of the others."""
import os
import unittest

from cluster import ClusterTest, condition_of


class Versions(ClusterTest):
    def other(self, penalty, **spec):
        """A model like the first one but for its penalty: it can be compared with it."""
        return self.cluster.model(parameters={"l2": str(penalty)}, **spec)

    def train_again(self, penalty, **spec):
        """Another training; returns the model when it ended."""
        before = self.cluster.get("churnmodel", "telco")["status"]["lastTraining"]["runKey"]
        self.cluster.apply(self.other(penalty, **spec))
        return self.cluster.wait(
            "churnmodel", "telco",
            lambda model: model["status"]["lastTraining"]["runKey"] != before, f"a training with penalty {penalty}")

    def folder(self, version):
        return self.cluster.file("models", f"{self.cluster.namespace}.telco", version)

    def versions_kept(self):
        root = self.cluster.file("models", f"{self.cluster.namespace}.telco")
        return {name for name in os.listdir(root)
                if os.path.exists(os.path.join(root, name, "model.json"))}


class Promotion(Versions):
    def test_a_challenger_that_is_not_better_is_kept_from_use(self):
        first = self.train()["status"]["model"]["version"]
        status = self.train_again(7, promotion={"minImprovement": "0.5"})["status"]
        challenger = status["lastTraining"]["version"]
        self.assertNotEqual(challenger, first)
        self.assertEqual(status["model"]["version"], first)
        newest = status["history"][0]
        self.assertEqual((newest["version"], newest["outcome"], newest["champion"]),
                         (challenger, "Kept", first))
        self.assertGreater(float(newest["comparison"]["challenger"]), 0.5)
        self.assertGreater(float(newest["comparison"]["champion"]), 0.5)
        self.assertGreater(newest["comparison"]["rows"], 0)
        promoted = condition_of({"status": status}, "Promoted")
        self.assertEqual((promoted["status"], promoted["reason"]), ("False", "Kept"))
        self.assertIn(newest["comparison"]["champion"], promoted["message"])
        self.assertEqual(self.score()["status"]["model"]["version"], first)
        self.cluster.wait_event("Kept")

    def test_a_first_version_below_the_minimum_is_not_used(self):
        self.cluster.apply(self.cluster.model(promotion={"minimum": "0.999"}))
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready", "False", "Kept")
        self.assertNotIn("model", model["status"])
        status = self.train_again(7, promotion={"minimum": "0.6"})["status"]
        self.assertEqual(status["model"]["version"], status["lastTraining"]["version"])


class Rollback(Versions):
    def test_a_pinned_version_scores_until_the_pin_goes(self):
        first = self.train()["status"]["model"]["version"]
        second = self.train_again(7, promotion={"metric": "ks", "minimum": "0.1"})
        second = second["status"]["lastTraining"]["version"]
        self.cluster.apply(self.other(7, pinnedVersion=first))
        model = self.cluster.wait_condition("churnmodel", "telco", "Ready", "True", "Pinned")
        self.assertEqual(model["status"]["model"]["version"], first)
        self.assertEqual(self.score()["status"]["model"]["version"], first)
        status = self.train_again(8, pinnedVersion=first)["status"]
        self.assertEqual(status["model"]["version"], first)
        self.assertEqual(status["history"][0]["outcome"], "Pinned")
        third = status["lastTraining"]["version"]
        self.assertEqual(len({first, second, third}), 3)
        self.cluster.apply(self.other(8))
        judged = self.cluster.wait(
            "churnmodel", "telco",
            lambda model: model["status"]["history"][0]["outcome"] in ("Promoted", "Kept"), "a verdict")
        expected = third if judged["status"]["history"][0]["outcome"] == "Promoted" else first
        self.assertEqual(judged["status"]["model"]["version"], expected)

    def test_a_version_that_is_not_there_changes_nothing(self):
        version = self.train()["status"]["model"]["version"]
        self.cluster.apply(self.cluster.model(pinnedVersion="0123456789abcdef"))
        model = self.cluster.wait_condition("churnmodel", "telco", "Stalled", "True", "VersionNotFound")
        self.assertEqual(model["status"]["model"]["version"], version)
        self.assertEqual(self.score()["status"]["model"]["version"], version)
        self.cluster.apply(self.cluster.model())
        self.cluster.wait_condition("churnmodel", "telco", "Stalled", "False")


class Retention(Versions):
    def test_old_versions_go_but_the_pinned_one_stays(self):
        first = self.train(artifacts={"uri": self.cluster.uri("models") + "/", "keep": 1})
        first = first["status"]["model"]["version"]
        spec = {"artifacts": {"uri": self.cluster.uri("models") + "/", "keep": 1},
                "pinnedVersion": first}
        made = [self.train_again(penalty, **spec)["status"]["lastTraining"]["version"]
                for penalty in (1, 2, 3, 4)]
        kept = self.versions_kept()
        self.assertIn(first, kept)
        self.assertIn(made[-1], kept)
        self.assertNotIn(made[0], kept)
        # The pinned one, the newest, the one that the end of the pin would have used until then, and one more.
        self.assertLessEqual(len(kept), 4)


if __name__ == "__main__":
    unittest.main()
