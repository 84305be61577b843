#include "base/limits.h"
#include "base/utf8.h"
#include "conditions.h"

static const struct field condition_items[] = {
    FIELD(struct condition, type, "type", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 316),
    FIELD(struct condition, status, "status", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 7),
    FIELD(struct condition, reason, "reason", FIELD_STRING, .flags = FIELD_REQUIRED),
    FIELD(struct condition, message, "message", FIELD_STRING, .flags = FIELD_REQUIRED,
          .maximum = 32768),
    FIELD(struct condition, last_transition_ms, "lastTransitionTime", FIELD_TIME,
          .flags = FIELD_REQUIRED),
    FIELD(struct condition, observed_generation, "observedGeneration", FIELD_INT,
          .flags = FIELD_KEEP),
};
const struct fields condition_fields = FIELDS(struct condition, condition_items, .open = true);

static struct condition *find(const struct list *conditions, const char *type)
{
    struct condition *items = conditions->items;
    for (size_t i = 0; i < conditions->count; i++)
        if (strcmp(items[i].type, type) == 0)
            return &items[i];
    return NULL;
}

const struct condition *condition_find(const struct list *conditions, const char *type)
{
    return find(conditions, type);
}

bool condition_is_true(const struct list *conditions, const char *type)
{
    const struct condition *condition = find(conditions, type);
    return condition && strcmp(condition->status, STATUS_TRUE) == 0;
}

static struct condition *append(const struct conditions *conditions, const char *type)
{
    struct list *list = conditions->list;
    struct condition *items = arena_zero(conditions->arena, list->count + 1, sizeof(*items));
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof(*items));
    items[list->count] = (struct condition){ .type = type };
    list->items = items;
    return &items[list->count++];
}

void condition_set(const struct conditions *conditions, const char *type, const char *status,
                   const char *reason, const char *message)
{
    struct condition *condition = find(conditions->list, type);
    if (!condition)
        condition = append(conditions, type);
    if (!condition->status || strcmp(condition->status, status) != 0)
        condition->last_transition_ms = conditions->now_ms;
    char *text = arena_strdup(conditions->arena, message);
    if (strlen(text) > LIMIT_CONDITION_MESSAGE)
        text[utf8_valid_prefix(text, LIMIT_CONDITION_MESSAGE)] = '\0';
    condition->status = status;
    condition->reason = arena_strdup(conditions->arena, reason);
    condition->message = text;
    condition->observed_generation = conditions->generation;
}

struct list conditions_copy(struct arena *arena, const struct list *conditions)
{
    struct list copy = { .count = conditions->count };
    copy.items = arena_zero(arena, copy.count, sizeof(struct condition));
    if (copy.count > 0)
        memcpy(copy.items, conditions->items, copy.count * sizeof(struct condition));
    return copy;
}
