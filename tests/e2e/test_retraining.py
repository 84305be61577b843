"""When a model is trained again: data that are new, and what a schedule says."""
import datetime
import unittest

from cluster import REAL, ClusterTest, changed, condition_of


class NewData(ClusterTest):
    def history(self, **spec):
        return self.cluster.model(data={**self.cluster.model()["spec"]["data"],
                                        "uri": self.cluster.uri("input_folder") + "/",
                                        "pollInterval": "1s"},
                                  retrain={"on": ["Data"]}, **spec)

    def trained_from(self, name):
        return self.cluster.wait(
            "churnmodel", "telco",
            lambda model: ((model or {}).get("status", {}).get("lastTraining", {}).get("data", {})
                           .get("uri") == self.cluster.uri("input_folder", name)),
            f"a training from {name}")

    def test_a_newer_file_in_the_folder_trains_once(self):
        self.cluster.apply(self.history())
        first = self.trained_from("history.csv")
        self.assertTrue(first["status"]["lastTraining"]["data"]["generation"])
        self.cluster.put_history(rows=500, name="later.csv")
        second = self.trained_from("later.csv")
        self.assertEqual(second["status"]["lastTraining"]["outcome"], "Trained")
        self.assertEqual(second["status"]["model"]["rows"], 500)
        self.assertEqual(second["status"]["lastDecision"]["reason"], "DataChanged")
        self.assertEqual(second["status"]["trainingsRun"], 2)
        self.assertEqual(self.cluster.wait_event("DataChanged")["action"], "Train")

    def test_a_replaced_file_trains_once_and_an_old_one_never(self):
        self.cluster.apply(self.history())
        first = self.trained_from("history.csv")
        self.cluster.put_history(rows=450)
        generation = first["status"]["lastTraining"]["data"]["generation"]
        second = self.cluster.wait(
            "churnmodel", "telco",
            lambda model: model["status"]["lastTraining"]["data"]["generation"] != generation,
            "a training from the new content")
        self.assertEqual(second["status"]["model"]["rows"], 450)
        # the token asks for one more: had a poll started another, there would be more than three
        self.cluster.apply(changed(self.history(), retrain={"on": ["Data"], "token": "again"}))
        self.cluster.wait("churnmodel", "telco",
                          lambda model: model["status"]["lastTraining"].get("token") == "again",
                          "the training of the token")
        self.assertEqual(len(self.cluster.jobs("trainer")), 3)


class Schedule(ClusterTest):
    def test_a_tick_trains_and_is_in_status_with_its_time(self):
        model = self.train(retrain={"on": ["Schedule"], "schedule": "* * * * *", "timeZone": "Europe/Berlin"})
        begun = model["status"]["lastScheduleTime"]
        ticked = self.cluster.wait(
            "churnmodel", "telco",
            lambda model: model["status"]["lastTraining"].get("scheduledTime"),
            "a training of a tick", seconds=130)
        status = ticked["status"]
        tick = datetime.datetime.fromisoformat(status["lastTraining"]["scheduledTime"])
        self.assertEqual(tick.second, 0)
        self.assertGreaterEqual(tick, datetime.datetime.fromisoformat(begun))  # it may have ticked by then
        self.assertLessEqual(tick - datetime.datetime.fromisoformat(begun), datetime.timedelta(minutes=1))
        self.assertEqual(status["lastDecision"]["reason"], "Scheduled")
        self.assertEqual(status["trainingsRun"], 2)
        self.assertEqual(self.cluster.wait_event("Scheduled")["action"], "Train")

    def test_a_zone_or_schedule_that_is_none_is_told_and_mended(self):
        for retrain, field in (
                ({"on": ["Schedule"], "schedule": "0 3 * * 0", "timeZone": "Mars/Olympus"}, "timeZone"),
                ({"on": ["Schedule"], "schedule": "0 3 30 2 *"}, "schedule"),
                ({"on": ["Schedule"]}, "schedule")):
            model = self.cluster.model(retrain=retrain)
            if REAL and "schedule" not in retrain:
                self.refuse(model, "schedule must be set")
                continue
            self.cluster.apply(model)
            stalled = self.cluster.wait_condition("churnmodel", "telco", "Stalled", "True", "SpecInvalid")
            self.assertIn(f"spec.retrain.{field}: ", condition_of(stalled, "Stalled")["message"])
        self.train(retrain={"on": ["Schedule"], "schedule": "0 3 * * 0", "timeZone": "Europe/Berlin"})


if __name__ == "__main__":
    unittest.main()
