/* launch.h - from a pod's spec to a command line and an environment.
 *
 * A pod is a process of this machine, so nothing can be mounted: a hostPath has
 * to be mounted where it is; an emptyDir at /tmp becomes $TMPDIR; the job document
 * of a downwardAPI volume becomes $CHURN_JOB and the termination log
 * $CHURN_RESULT. Everything else is refused with a message, not ignored. */
#pragma once

#include "base/json.h"
#include "kubesim/core/cluster.h"

struct launch {
    char **arguments, **environment; /* NULL-terminated, in the arena */
    const char *program;             /* path */
};

/* `folder` is the pod's own and exists; volumes are written into it. ERR_INVALID with the message
 * of a CreateContainerConfigError. */
int launch_prepare(const struct cluster *cluster, const json_t *pod, const char *program,
                   const char *bin, const char *folder, struct arena *arena,
                   struct launch *ret_launch, struct err *err) __attribute__((warn_unused_result));
