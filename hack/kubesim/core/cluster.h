/* cluster.h - a whole simulated cluster: objects, and the controllers that act
 * on them. No sockets, no processes, no clock of its own.
 *
 * Everything happens on one thread: in calls of api.h, and in timers that
 * timers_run() fires. Time comes from the clock of `timers`, chance from one
 * seed, pods are run by a port; so a test drives it under virtual time, and the
 * same calls in the same order give the same objects (uids and names included). */
#pragma once

#include "base/random.h"
#include "base/timer.h"
#include "kubesim/core/collector.h"
#include "kubesim/core/jobs.h"
#include "kubesim/core/kubelet.h"
#include "kubesim/core/resource.h"
#include "kubesim/core/store.h"

struct cluster_options {
    struct timers *timers; /* borrowed */
    uint64_t seed;
    size_t watch_window;    /* changes that watches can go back; 0: 4096 */
    int64_t job_backoff_ms; /* first delay after a failed pod, doubling; 0: 10 s */
    const struct pod_port *pods;
    void *pods_context;
};

struct cluster {
    struct timers *timers;
    struct random random;
    struct resources resources;
    struct store store;
    struct collector collector;
    struct jobs jobs;
    struct kubelet kubelet;
};

/* With the namespaces default and kube-system. */
void cluster_init(struct cluster *cluster, const struct cluster_options *options);
void cluster_release(struct cluster *cluster);

int64_t cluster_now_ms(const struct cluster *cluster); /* wall time */
json_t *cluster_time(const struct cluster *cluster);   /* as metav1.Time; new */
char *cluster_uid(struct cluster *cluster);            /* new text */
/* Five letters as generateName appends them. */
void cluster_suffix(struct cluster *cluster, char ret_suffix[6]);
