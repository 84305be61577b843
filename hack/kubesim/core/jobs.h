/* jobs.h - the Job controller, as far as our Jobs need it.
 *
 * Pods are made up to parallelism and completions, failed ones are judged by
 * podFailurePolicy (onExitCodes, onPodConditions; Ignore, FailJob, FailIndex,
 * Count) and counted against backoffLimit, in Indexed Jobs against
 * backoffLimitPerIndex, with a doubling delay; suspend, deadline, TTL.
 * Each pod is counted once: a finalizer keeps it until then.
 * https://kubernetes.io/docs/concepts/workloads/controllers/job/ */
#pragma once

#include "base/timer.h"
#include "kubesim/core/store.h"

struct cluster;

struct jobs {
    struct cluster *cluster;
    int64_t backoff_ms;
    struct watcher watcher;
    struct index states; /* job key -> struct job_state: timer and backoff */
};

void jobs_init(struct jobs *jobs, struct cluster *cluster, int64_t backoff_ms);
void jobs_release(struct jobs *jobs);
