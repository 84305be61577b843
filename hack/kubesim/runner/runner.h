/* runner.h - pods as local processes: the pod port of the program.
 *
 * Each pod has a folder <data>/<uid> with its log, termination message and
 * volumes. Its process leads its own process group and is killed when kubesim
 * ends, however that happens. A SIGKILL that kubesim did not send is reported as
 * OOMKilled: on a machine that is short of memory that is who sends it. */
#pragma once

#include "base/buf.h"
#include "kubesim/core/cluster.h"
#include "kubesim/front/images.h"

struct runner {
    const char *bin, *data; /* folders; borrowed */
    const struct images *images;
    struct cluster *cluster;
    struct index pods; /* uid -> struct process */
};

extern const struct pod_port runner_port; /* its context is a struct runner */

/* Reports processes that ended: after SIGCHLD. */
void runner_reap(struct runner *runner);
/* Kills what runs and forgets all pods; their folders are removed. */
void runner_release(struct runner *runner);

/* log_reader of the front; the context is a struct runner. */
void runner_read_log(void *context, const char *uid, uint64_t offset, struct buf *out);
