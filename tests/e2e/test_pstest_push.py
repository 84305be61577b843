"""A bucket's notifications by way of Pub/Sub's own fake server, which is built from its Go module."""
import unittest

import test_gs_weekly
from test_gs_weekly import gs_server


class Notifications(test_gs_weekly.Notifications):
    start_pubsub = staticmethod(gs_server.start_pstest)


if __name__ == "__main__":
    unittest.main()
