/* recorder.h - Events (events.k8s.io/v1) about what a controller decided.
 *
 * Best effort by nature: an Event may be dropped and never blocks or fails the
 * work that it speaks of. Three measures keep a loop from flooding the server:
 *   - an Event equal to one of the last 10 minutes (same object, type, reason,
 *     action and note) is counted in the series of that one, not created;
 *   - each object has a budget of 25 requests, which grows by one in 5 minutes;
 *     what it does not cover is dropped, or counted and told with a later one;
 *     Events about what lasts have a budget of their own, and one that goes on is told
 *     once in 10 minutes, so that they leave no other untold;
 *   - at most 1,000 Events wait for the server.
 * An object about which nothing was said for 10 minutes takes no memory.
 *
 * Belongs to the thread of its client. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/timer.h"
#include "kube/client.h"

struct recorder;

struct event_subject {
    const char *api_version, *kind, *namespace, *name, *uid;
};

struct event {
    struct event_subject subject;
    bool warning;       /* type Warning instead of Normal */
    bool lasting;       /* a state, found again and again, not something that happened */
    const char *reason; /* PascalCase, at most 128 bytes: "TrainingStarted" */
    const char *action; /* what was done about it: "StartTraining" */
    const char *note;   /* for people; cut at LIMIT_EVENT_NOTE bytes */
};

struct recorder_options {
    const char *controller; /* reportingController: "churnops.io/churn-controller" */
    const char *instance;   /* reportingInstance: the pod's name */
    uint64_t seed;          /* of names and jitter */
    /* An Event was given up; called once per kind of error in a row. */
    void (*failed)(void *context, const struct err *failure);
    void *context;
};

/* Client and timers must outlive the recorder; strings are copied. */
struct recorder *recorder_new(struct kube_client *client, struct timers *timers,
                              const struct recorder_options *options)
    __attribute__((warn_unused_result));
void recorder_free(struct recorder *recorder); /* drops what waits; NULL: no effect */

void recorder_event(struct recorder *recorder, const struct event *event);

/* Figures for metrics, and for a stop that waits until nothing is pending. */
struct recorder_stats {
    size_t pending; /* waiting or under way */
    uint64_t sent, dropped;
};
void recorder_stats(const struct recorder *recorder, struct recorder_stats *ret_stats);
