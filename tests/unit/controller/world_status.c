#include "world.h"

const char *world_status(const struct world *world, const char *kind, const char *name, ...)
{
    const json_t *value = json_object_get(world_get(world, kind, name), "status");
    va_list path;
    va_start(path, name);
    for (const char *member; (member = va_arg(path, const char *)) != NULL;)
        value = json_object_get(value, member);
    va_end(path);
    const char *text = json_string_value(value);
    return text ? text : "";
}

static const json_t *find_condition(const struct world *world, const char *kind, const char *name,
                                    const char *type)
{
    const json_t *list = jx_get(world_get(world, kind, name), "status", "conditions", NULL);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(jx_string(json_array_get(list, i), "type", NULL), type) == 0)
            return json_array_get(list, i);
    return NULL;
}

const char *world_condition(struct world *world, const char *kind, const char *name,
                            const char *type)
{
    const json_t *condition = find_condition(world, kind, name, type);
    if (!condition)
        return "";
    return arena_format(&world->arena, "%s %s", jx_string(condition, "status", NULL),
                        jx_string(condition, "reason", NULL));
}

const char *world_message(const struct world *world, const char *kind, const char *name,
                          const char *type)
{
    const char *message = jx_string(find_condition(world, kind, name, type), "message", NULL);
    return message ? message : "";
}
