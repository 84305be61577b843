"""The main run, and what it comes to: the same whatever went wrong on the way."""


def run(cluster):
    """A model and two batches, one after the other, each to its end; returns the end state."""
    cluster.apply(cluster.model(), cluster.batch("week-1"))
    first = cluster.wait_condition("churnbatch", "week-1", "Complete")
    cluster.apply(cluster.batch("week-2", week="week-2.csv"))
    second = cluster.wait_condition("churnbatch", "week-2", "Complete")
    model = cluster.wait_condition("churnmodel", "telco", "Ready")
    statuses = [found["status"] for found in (model, first, second)]
    attempts = [statuses[0]["training"]["attempt"], *(status["attempt"] for status in statuses[1:])]
    return {"model": model_state(statuses[0]),
            "batches": [batch_state(status) for status in statuses[1:]],
            "recoveries": sum(attempts) - len(attempts),
            "jobs": len(cluster.jobs()), "pods": len(cluster.list("pod"))}


def model_state(status):
    """Without trainingsSkipped and lastDecision: a Skipped that was not yet written dies with its
    process."""
    return {"version": status["model"]["version"], "trainingsRun": status["trainingsRun"],
            "outcome": status["lastTraining"]["outcome"], "metrics": status["metrics"],
            "conditions": conditions(status)}


def batch_state(status):
    return {"version": status["model"]["version"], "rows": status["rows"], "scores": status["scores"],
            "sha256": status["output"]["sha256"], "requiredDigest": status["requiredDigest"],
            "training": status["training"], "conditions": conditions(status)}


def conditions(status):
    return sorted((entry["type"], entry["status"], entry["reason"]) for entry in status["conditions"])
