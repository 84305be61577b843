/* failure_policy.h - what a Job's podFailurePolicy says about a failed pod. Pure. */
#pragma once

#include "base/json.h"

enum failure_action { FAILURE_COUNT, FAILURE_IGNORE, FAILURE_FAIL_INDEX, FAILURE_FAIL_JOB };

/* The first rule that matches decides; none: COUNT. With FAIL_JOB *ret_message says which
 * container, code and rule (new text); else it is NULL. */
enum failure_action failure_policy_judge(const json_t *job, const json_t *pod, char **ret_message);
