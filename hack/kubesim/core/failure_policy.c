#include "kubesim/core/failure_policy.h"

#include <string.h>

/* The exit code that the rule matches; 0: none (success never fails a pod). */
static int64_t matching_code(const json_t *rule, const json_t *container)
{
    const json_t *requirement = jx_get(rule, "onExitCodes", NULL), *value;
    const json_t *state = jx_get(container, "state", "terminated", NULL);
    const char *wanted = jx_string(requirement, "containerName", NULL);
    const char *name = jx_string(container, "name", NULL);
    const char *operator= jx_string(requirement, "operator", NULL);
    int64_t code = jx_int(state, "exitCode", 0);
    bool listed = false;
    size_t i;
    if (!requirement || !state || code == 0 || (wanted && (!name || strcmp(wanted, name) != 0)))
        return 0;
    json_array_foreach(jx_get(requirement, "values", NULL), i, value) listed =
        listed || json_integer_value(value) == code;
    return listed == (operator&& strcmp(operator, "In") == 0) ? code : 0;
}

static const char *matching_condition(const json_t *rule, const json_t *pod)
{
    const json_t *pattern, *condition;
    size_t i, j;
    json_array_foreach(jx_get(rule, "onPodConditions", NULL), i, pattern)
    {
        const char *type = jx_string(pattern, "type", NULL);
        const char *status = jx_string(pattern, "status", NULL);
        json_array_foreach(jx_get(pod, "status", "conditions", NULL), j, condition)
        {
            const char *own_type = jx_string(condition, "type", NULL);
            const char *own_status = jx_string(condition, "status", NULL);
            if (type && own_type && own_status && strcmp(type, own_type) == 0 &&
                strcmp(status ? status : "True", own_status) == 0)
                return type;
        }
    }
    return NULL;
}

/* Why the rule matches, as the message of the Job's condition begins; NULL: it does not. */
static char *match(const json_t *rule, const json_t *pod)
{
    const char *namespace = jx_string(pod, "metadata", "namespace", NULL);
    const char *name = jx_string(pod, "metadata", "name", NULL);
    const char *condition = matching_condition(rule, pod);
    const json_t *container;
    size_t i;
    if (condition)
        return mem_format("Pod %s/%s has condition %s", namespace, name, condition);
    json_array_foreach(jx_get(pod, "status", "containerStatuses", NULL), i, container)
    {
        int64_t code = matching_code(rule, container);
        if (code)
            return mem_format("Container %s for pod %s/%s failed with exit code %" PRId64,
                              jx_string(container, "name", NULL), namespace, name, code);
    }
    return NULL;
}

enum failure_action failure_policy_judge(const json_t *job, const json_t *pod, char **ret_message)
{
    const json_t *rule;
    size_t i;
    *ret_message = NULL;
    json_array_foreach(jx_get(job, "spec", "podFailurePolicy", "rules", NULL), i, rule)
    {
        const char *action = jx_string(rule, "action", NULL);
        auto_free char *why = match(rule, pod);
        if (!why || !action)
            continue;
        if (strcmp(action, "FailJob") == 0) {
            *ret_message = mem_format("%s matching FailJob rule at index %zu", why, i);
            return FAILURE_FAIL_JOB;
        }
        if (strcmp(action, "FailIndex") == 0)
            return FAILURE_FAIL_INDEX;
        return strcmp(action, "Ignore") == 0 ? FAILURE_IGNORE : FAILURE_COUNT;
    }
    return FAILURE_COUNT;
}
