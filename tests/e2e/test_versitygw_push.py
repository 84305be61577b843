"""versitygw says by itself that a file has come: its webhook is the controller's."""
import pathlib

from cluster import first_lines, only_on_kubesim
from s3_cluster import TOKEN, S3Test
from hook_client import PATH
import parts
import versitygw


@only_on_kubesim("the server listens on this machine alone")
class Webhook(S3Test):
    @classmethod
    def fetch(cls):
        super().fetch()
        parts.go_program(versitygw.MODULE)

    def start_server(self):
        """It ends at once when its webhook does not answer."""
        hook, controller = f"http://127.0.0.1:{self.hooks_port}{PATH}", self.cluster.controller
        parts.wait_for(hook, controller.process, pathlib.Path(controller.log_path))
        server = versitygw.Server(self.scratch.name, self.address, f"{hook}?token={TOKEN}")
        self.addCleanup(server.stop)
        self.use(server)

    def test_an_event_is_enough(self):
        """The inbox is polled once an hour."""
        self.upload("input_folder/history.csv", first_lines("telco_history.csv", 400))
        self.cluster.apply(self.model(inbox=self.inbox("1h")))
        self.cluster.wait("churnmodel", "telco",
                          lambda found: (found or {}).get("status", {}).get("inbox"), "a first look")
        self.cluster.wait_condition("churnmodel", "telco", "Ready")
        for week in 1, 2:
            self.check_scored(self.drop_week(week))
