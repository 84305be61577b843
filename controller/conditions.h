/* conditions.h - status.conditions: one entry per type, all written together.
 *
 * A condition's lastTransitionTime changes with its status only, so that
 * setting what is there already changes nothing and causes no write. */
#pragma once

#include "base/fields.h"

struct condition {
    const char *type, *status, *reason, *message;
    int64_t observed_generation;
    int64_t last_transition_ms;
};

extern const struct fields condition_fields;

#define STATUS_TRUE    "True"
#define STATUS_FALSE   "False"
#define STATUS_UNKNOWN "Unknown"

/* Where conditions are set: the list of a status, and what every entry gets. */
struct conditions {
    struct list *list; /* of struct condition */
    struct arena *arena;
    int64_t generation, now_ms;
};

/* Sets the condition of this type, adding it at the end when it is new. The
 * message is copied and cut to LIMIT_CONDITION_MESSAGE at a UTF-8 boundary. */
void condition_set(const struct conditions *conditions, const char *type, const char *status,
                   const char *reason, const char *message);

/* A copy that may be edited while the original is still compared with. */
struct list conditions_copy(struct arena *arena, const struct list *conditions);

/* NULL when there is none of this type. Borrowed. */
const struct condition *condition_find(const struct list *conditions, const char *type);
bool condition_is_true(const struct list *conditions, const char *type);
