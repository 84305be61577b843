#include "kubesim/front/faults.h"

#include <string.h>

static const char *const action_names[] = { "status", "drop", "stall", "stale",
                                            "lose",   "slow", "kill",  NULL };

static const struct field fault_items[] = {
    FIELD(struct fault, verb, "verb", FIELD_STRING, .fallback = "*", .flags = FIELD_KEEP),
    FIELD(struct fault, resource, "resource", FIELD_STRING, .fallback = "*", .flags = FIELD_KEEP),
    FIELD(struct fault, user_agent, "userAgent", FIELD_STRING, .fallback = ""),
    FIELD(struct fault, action, "action", FIELD_ENUM, .names = action_names,
          .flags = FIELD_REQUIRED),
    FIELD(struct fault, code, "code", FIELD_INT, .fallback = "500", .minimum = 400, .maximum = 599),
    FIELD(struct fault, count, "count", FIELD_INT, .fallback = "1", .minimum = -1,
          .maximum = 1000000, .flags = FIELD_KEEP),
    FIELD(struct fault, skip, "skip", FIELD_INT, .fallback = "0", .minimum = 0, .maximum = 1000000),
    FIELD(struct fault, seed, "seed", FIELD_INT, .fallback = "1", .minimum = 0,
          .maximum = INT32_MAX),
    FIELD(struct fault, retry_after_seconds, "retryAfterSeconds", FIELD_INT, .fallback = "0",
          .minimum = 0, .maximum = 3600),
    FIELD(struct fault, delay_ms, "delay", FIELD_DURATION, .fallback = "1s", .minimum = 0,
          .maximum = 3600000),
    FIELD(struct fault, revisions, "revisions", FIELD_INT, .fallback = "10", .minimum = 1,
          .maximum = 1000000),
    FIELD(struct fault, pid, "pid", FIELD_INT, .fallback = "0", .minimum = 0, .maximum = INT32_MAX),
    FIELD(struct fault, probability, "probability", FIELD_NUMBER, .fallback = "1",
          .number_range = "[0,1]"),
};
const struct fields fault_fields = FIELDS(struct fault, fault_items);

void faults_init(struct faults *faults)
{
    faults->rules = NULL;
    faults->end = &faults->rules;
}

void faults_clear(struct faults *faults)
{
    while (faults->rules) {
        struct fault_rule *rule = faults->rules;
        faults->rules = rule->next;
        arena_release(&rule->arena);
        free(rule);
    }
    faults_init(faults);
}

int faults_add(struct faults *faults, const json_t *description, struct err *err)
{
    struct fault_rule *rule = mem_zero(1, sizeof(*rule));
    if (fields_decode(description, &fault_fields, "", &rule->arena, &rule->fault, err) != 0) {
        arena_release(&rule->arena);
        free(rule);
        return -1;
    }
    random_seed(&rule->random, (uint64_t)rule->fault.seed);
    *faults->end = rule;
    faults->end = &rule->next;
    return 0;
}

/* "*" means requests: what open watches deliver has to be named. */
static bool matches(const struct fault *fault, const char *verb, const char *resource,
                    const char *user_agent)
{
    bool delivery = strcmp(verb, "event") == 0 || strcmp(verb, "bookmark") == 0;
    return (strcmp(fault->verb, verb) == 0 || (strcmp(fault->verb, "*") == 0 && !delivery)) &&
           (strcmp(fault->resource, resource) == 0 || strcmp(fault->resource, "*") == 0) &&
           strncmp(user_agent, fault->user_agent, strlen(fault->user_agent)) == 0;
}

const struct fault *faults_take(struct faults *faults, const char *verb, const char *resource,
                                const char *user_agent)
{
    for (struct fault_rule *rule = faults->rules; rule; rule = rule->next) {
        struct fault *fault = &rule->fault;
        if (fault->count == 0 || !matches(fault, verb, resource, user_agent))
            continue;
        if (fault->skip > 0) {
            fault->skip--;
            continue;
        }
        if (random_unit(&rule->random) >= fault->probability.value)
            continue;
        if (fault->count > 0)
            fault->count--;
        return fault;
    }
    return NULL;
}

json_t *faults_list(const struct faults *faults)
{
    json_t *list = json_array();
    for (const struct fault_rule *rule = faults->rules; rule; rule = rule->next)
        json_array_append_new(list, fields_encode(&fault_fields, &rule->fault));
    return list;
}
