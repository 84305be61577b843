"""The bank's weeks in a bucket, whatever kind it is of: a folder of the bucket for each test, an inbox, and files
that come into it."""
import csv
import io
import time

from cluster import DEADLINE_SECONDS, POLL_SECONDS, ClusterTest, NotInTime, first_lines

ROWS = 60


class WeeklyTest(ClusterTest):
    """Each kind of bucket adds uri(name), upload(name, text) and read(name), of names in the test's folder."""

    def setUp(self):
        super().setUp()
        self.folder = self.id().rsplit(".", 1)[-1]

    def inbox(self, poll_interval="1s", output="output_folder/"):
        return {"uri": self.uri("weekly_folder/"), "pollInterval": poll_interval,
                "template": {"output": {"uri": self.uri(output)}}}

    def drop_week(self, number):
        """The file of a week comes; returns its batch when it is Complete."""
        name = f"week-{number}.csv"
        self.upload(f"weekly_folder/{name}", first_lines(f"telco_week_0{number}.csv", ROWS))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            for batch in self.cluster.list("churnbatch"):
                if batch["spec"]["input"]["uri"] == self.uri(f"weekly_folder/{name}"):
                    return self.cluster.wait_condition("churnbatch", batch["metadata"]["name"], "Complete")
            time.sleep(POLL_SECONDS)
        raise NotInTime(f"no batch for {name}\n{self.cluster.controller.log()[-6000:]}")

    def check_scored(self, batch):
        """Every row of its week is in its output."""
        text = self.read(batch["status"]["output"]["uri"].removeprefix(self.uri("")))
        self.assertEqual(len(list(csv.DictReader(io.StringIO(text)))), ROWS)
        self.assertEqual(batch["status"]["rows"], {"read": ROWS, "scored": ROWS, "rejected": 0})
