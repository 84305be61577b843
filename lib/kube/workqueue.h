/* workqueue.h - which keys wait to be worked on, each at most once.
 *
 * A key is a kind (a number of the program's own) and a name
 * ("namespace/name"). Adding a key that waits already has no effect; adding
 * one that is in flight makes it run again afterwards. So no key is ever worked
 * on twice at a time and no change goes unnoticed.
 *
 * A key is in one of these states, or several of the last two:
 *   ready      in the line, first come first served
 *   in flight  taken, and not given back by one of the three endings
 *   delayed    a timer will add it
 * A key in no state takes no memory, unless it failed last time: the number
 * of failures in a row is kept until it succeeds or is forgotten.
 *
 * Belongs to one thread, that of its timers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/timer.h"
#include "net/backoff.h"

struct workqueue;

/* A key that was taken. It belongs to the queue and is valid until one of the
 * endings below. */
struct work {
    unsigned kind;
    const char *name;
    unsigned failures; /* in a row, before this round */
    int64_t waited_ms; /* from becoming ready to being taken */
};

/* The timers must outlive the queue. `backoff` is for workqueue_retry(). */
struct workqueue *workqueue_new(struct timers *timers, const struct backoff *backoff, uint64_t seed)
    __attribute__((warn_unused_result));
void workqueue_free(struct workqueue *queue); /* NULL: no effect */

/* Makes a key ready (in flight: ready again when it ends). */
void workqueue_add(struct workqueue *queue, unsigned kind, const char *name);

/* The same in delay_ms. Of several delays of a key the earliest counts. Taking
 * the key cancels its delay: the round that begins decides anew. */
void workqueue_add_after(struct workqueue *queue, unsigned kind, const char *name,
                         int64_t delay_ms);

/* The next ready key, which is then in flight; NULL: none is ready. */
struct work *workqueue_take(struct workqueue *queue);

/* The three endings of a round. Each gives the key back; it is ready at once
 * when it was added meanwhile. */

/* It succeeded: its failures are forgotten. */
void workqueue_done(struct workqueue *queue, struct work *work);
/* It succeeded, and wants another round in delay_ms. */
void workqueue_done_until(struct workqueue *queue, struct work *work, int64_t delay_ms);
/* It failed: again after a delay that grows with its failures and is at least
 * retry_after_ms. A change that arrives earlier is worked on at once. */
void workqueue_retry(struct workqueue *queue, struct work *work, unsigned retry_after_ms);

/* Drops the failures, the delay and the place in line of a key whose object is
 * gone. A round in flight ends as usual. */
void workqueue_forget(struct workqueue *queue, unsigned kind, const char *name);

/* Figures for metrics. */
struct workqueue_stats {
    size_t ready, in_flight, delayed;
    uint64_t additions;      /* times a key became ready */
    uint64_t retries;        /* calls of workqueue_retry() */
    int64_t longest_wait_ms; /* of the keys that are ready now */
};
void workqueue_stats(const struct workqueue *queue, struct workqueue_stats *ret_stats);
