/* metrics.h - what the controller counts, and how Prometheus reads it.
 *
 * A struct metrics belongs to the loop thread; a copy of it is a snapshot that
 * any other thread may render. Every metric is in the table of metrics.c with its
 * HELP text. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "kube/client.h"

#include "objects.h"
#include "plan.h"

enum round_outcome {
    ROUND_DONE,    /* the plan was carried out                                 */
    ROUND_AGAIN,   /* carried out as far as it goes; another round at once     */
    ROUND_WAITED,  /* the cache does not show our last write yet               */
    ROUND_FAILED,  /* an action failed: again after a delay                    */
    ROUND_STOPPED, /* this process may not write any more                      */
    ROUND_OUTCOMES,
};

/* Upper bounds in milliseconds: 1, 2, 5, ... 60,000; the last bucket is open. */
#define METRICS_BUCKETS 16
struct histogram {
    uint64_t counts[METRICS_BUCKETS];
    uint64_t sum_ms, count;
};

/* Words from a closed list (decisions, outcomes) with a count each. */
#define METRICS_WORDS 12
struct word_counts {
    const char *words[METRICS_WORDS]; /* static texts */
    uint64_t counts[METRICS_WORDS];
};

/* Pushes (hooks.h). */
#define METRICS_CODES 12
struct code_counts {
    int codes[METRICS_CODES]; /* statuses; the last place takes the rest */
    uint64_t counts[METRICS_CODES];
};
struct hook_counts {
    struct code_counts answers;
    uint64_t objects, wakes, forwarded, key_fetches, key_failures;
};

struct metrics {
    bool leader, ready;
    int64_t clock_skew_ms; /* of kube/client.h */
    uint64_t rounds[OBJECT_JOB][ROUND_OUTCOMES];
    struct histogram queue_wait, round_time;
    uint64_t jobs_created[OBJECT_JOB], jobs_deleted[OBJECT_JOB];
    struct word_counts decisions;            /* First, ..., Skipped */
    struct word_counts promotions;           /* Promoted, Kept, Pinned, RolledBack */
    struct word_counts outcomes[OBJECT_JOB]; /* Trained, Scored, Reused, Failed */
    uint64_t lookups[FACT_PODS + 1], lookup_failures[FACT_PODS + 1];

    struct hook_counts hooks;

    /* Taken from their owners when a snapshot is made. */
    struct kube_requests requests;
    uint64_t queue_ready, queue_in_flight, queue_delayed, queue_additions, queue_retries;
    uint64_t events_pending, events_sent, events_dropped;
    struct {
        bool synced, following;
        uint64_t entries, bytes, events, lists, watches, failures;
        int64_t silence_ms;
    } caches[OBJECT_KINDS];
};

void metrics_count_code(struct code_counts *counts, int code);
/* `word` is copied when it is new; NULL: no effect. */
void metrics_count_word(struct word_counts *counts, const char *word);
void metrics_observe(struct histogram *histogram, int64_t value_ms);

/* The text format of Prometheus, version 0.0.4. */
void metrics_render(const struct metrics *metrics, struct buf *out);
