/* faults.h - what goes wrong on purpose, and how often.
 *
 * A rule names a verb (get, list, watch, create, update, patch, delete;
 * "event" and "bookmark" for what open watches deliver; "*" for
 * all requests), a resource ("jobs", "leases"; "*") and the beginning of a user
 * agent. The first rule that matches and still has a count acts. Chance is
 * seeded, so a run can be repeated. */
#pragma once

#include <stdint.h>

#include "base/fields.h"
#include "base/random.h"

enum fault_action {
    FAULT_STATUS, /* answer `code` (event: an ERROR line with it, and the end of the watch) */
    FAULT_DROP,   /* cut the connection (event: the watch) */
    FAULT_STALL,  /* never answer (event: the watch stays silent from here on) */
    FAULT_STALE,  /* list: the state `revisions` changes ago */
    FAULT_LOSE,   /* bookmark: is not sent */
    FAULT_SLOW,   /* answer after `delay` */
    FAULT_KILL,   /* SIGKILL to `pid`; the request is carried out all the same */
};

struct fault {
    const char *verb, *resource, *user_agent;
    int action; /* enum fault_action */
    int64_t code, count, skip, seed, retry_after_seconds, delay_ms, revisions, pid;
    struct decimal probability;
};
extern const struct fields fault_fields;

struct fault_rule {
    struct fault fault;
    struct random random;
    struct arena arena; /* its texts */
    struct fault_rule *next;
};

struct faults {
    struct fault_rule *rules, **end;
};

void faults_init(struct faults *faults);
void faults_clear(struct faults *faults);
/* ERR_INVALID names the member. */
int faults_add(struct faults *faults, const json_t *description, struct err *err)
    __attribute__((warn_unused_result));
/* The rule that acts on this, counted down; NULL: nothing goes wrong. Borrowed. user_agent: of
 * the request, or of the one that opened the watch. */
const struct fault *faults_take(struct faults *faults, const char *verb, const char *resource,
                                const char *user_agent);
json_t *faults_list(const struct faults *faults); /* with what is left of each count; new */
