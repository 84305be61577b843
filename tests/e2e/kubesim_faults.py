"""What can go wrong between the controller and kubesim.

Each entry of FAULTS is what kubesim is told to do to the controller's requests and watches, from before
its start. $CHURN_FAULTS names one that every cluster of a run then has from its beginning."""
import os

CONTROLLER = ("--user-agent", "churn-controller")
OFTEN = ("--count", "1000000", "--probability", "0.3")
FEW = ("--count", "6", "--probability", "0.5")
OURS = ("churnmodels", "churnbatches", "jobs")

FAULTS = {
    "conflicts": [("--verb", "patch", "--action", "status", "--code", "409", *OFTEN)],
    "throttled": [("--action", "status", "--code", "429", "--retry-after", "1", *FEW)],
    "internal errors": [("--action", "status", "--code", "500", *OFTEN)],
    "unavailable at the start": [("--action", "status", "--code", "503", "--count", "8")],
    "gateway time-outs of writes": [("--verb", verb, "--action", "status", "--code", "504", *OFTEN)
                                    for verb in ("create", "patch")],
    "cut connections": [("--action", "drop", *OFTEN)],
    "slow answers": [("--action", "slow", "--delay", "300ms", *OFTEN)],
    "dropped watches": [("--verb", "event", "--action", "drop", *OFTEN)],
    "expired watches": [("--verb", "event", "--action", "status", "--code", "410", *OFTEN)],
    "expired lists and watches": [("--verb", verb, "--action", "status", "--code", "410", *FEW)
                                  for verb in ("list", "watch")],
    "lost bookmarks": [("--verb", "bookmark", "--action", "lose", "--count", "1000000"),
                       ("--verb", "event", "--action", "drop", *OFTEN)],
    "stale lists": [("--verb", "list", "--resource", resource, "--action", "stale", "--revisions", "4",
                     "--count", "2") for resource in OURS] +
                   [("--verb", "event", "--resource", resource, "--action", "status", "--code", "410",
                     "--after", "2") for resource in OURS],
}
FROM_THE_BEGINNING = os.environ.get("CHURN_FAULTS", "")


def add(cluster, faults):
    for number, fault in enumerate(faults):
        cluster.sim("fault", "add", *fault, "--seed", str(number + 1), *CONTROLLER)


def add_from_the_beginning(cluster):
    if FROM_THE_BEGINNING:
        add(cluster, FAULTS[FROM_THE_BEGINNING])
