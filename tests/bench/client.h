/* client.h - bench-client: a Kubernetes client that decides nothing, as the measure of what a
 * server and this project's transport allow. Same libraries as the controller, no logic. */
#pragma once

#include "base/options.h"
#include "kube/client.h"

struct bench_options {
    const char *kubeconfig;
    const char *group, *version, *plural; /* watch */
    const char *type, *contains;          /* watch */
    int64_t count, concurrency;
    struct strings operands; /* without the command */
};

struct bench {
    const struct bench_options *options;
    struct kube_client *client;
    struct transport *transport;
    struct timers *timers;
    unsigned running; /* what a command waits for */
    bool failed;
    struct err failure; /* the first one, when failed */
};

/* Monotonic seconds, the clock of Python's time.monotonic(). */
double bench_now(void);

/* Keeps the first failure. */
void bench_fail(struct bench *bench, const struct err *failure);

/* Runs the loop until nothing is running or something failed. */
int bench_run(struct bench *bench, struct err *err) __attribute__((warn_unused_result));

/* Lists whole resources page by page, all at once, as informers do. Prints objects, bytes and
 * seconds. */
int bench_drain(struct bench *bench, struct err *err) __attribute__((warn_unused_result));

/* Carries out the steps of a file --count times, --concurrency flows at once. A step is
 *   {"verb": "create" | "patch" | "get", "group", "version", "plural", "kind", "namespace",
 *    "name", "subresource", "body": {...}}
 * In name and body {i} is the number of the flow, {uid.K} and {rv.K} are metadata.uid and
 * resourceVersion of the answer to step K. Prints requests and seconds. */
int bench_replay(struct bench *bench, struct err *err) __attribute__((warn_unused_result));

/* Watches from now on; prints {"watching": true}, and when --count events of --type whose line has
 * the text --contains have come, the times of the first and the last. */
int bench_watch(struct bench *bench, struct err *err) __attribute__((warn_unused_result));
