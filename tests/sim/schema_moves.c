/* schema_moves.c - edits that are made from the CRDs' schemas, so that a field which the API gets
 * tomorrow is edited without a line here: one property of a spec alone gets another value that its
 * schema allows, or one that it does not, which the server must refuse. Texts without an enum
 * are left to user_moves.c: what they mean is not in a schema. */
#include "sim/play.h"

#define PROPERTIES_MAXIMUM 256

struct property {
    char path[256]; /* JSON pointer below spec: "/retrain/on" */
    const json_t *schema;
};

struct properties {
    struct property items[PROPERTIES_MAXIMUM];
    size_t count;
};

static bool has_known_values(const json_t *schema)
{
    const char *type = jx_string(schema, "type", NULL);

    return json_object_get(schema, "enum") ||
           (type && (strcmp(type, "boolean") == 0 || strcmp(type, "integer") == 0));
}

static void collect(const json_t *schema, const char *path, struct properties *properties)
{
    const char *name;
    json_t *member;

    json_object_foreach(json_object_get(schema, "properties"), name, member)
    {
        char *below auto_free = mem_format("%s/%s", path, name);

        collect(member, below, properties);
        if (!has_known_values(member))
            continue;
        if (properties->count == PROPERTIES_MAXIMUM)
            sim_fail("more than %d properties", PROPERTIES_MAXIMUM);
        properties->items[properties->count].schema = member;
        (void)snprintf(properties->items[properties->count++].path,
                       sizeof(properties->items[0].path), "%s", below);
    }
}

/* Small numbers: a simulated cluster has no room for 256 shards. */
static json_t *any_valid(const json_t *schema, struct random *random)
{
    const json_t *words = json_object_get(schema, "enum");
    int64_t minimum = jx_int(schema, "minimum", 0), maximum = jx_int(schema, "maximum", INT32_MAX);
    int64_t value = minimum + (int64_t)random_below(random, 8);

    if (random_below(random, 4) == 0)
        return json_null(); /* as if it had never been written */
    if (words)
        return json_incref(json_array_get(words, random_below(random, json_array_size(words))));
    if (strcmp(jx_string(schema, "type", NULL), "boolean") == 0)
        return json_boolean(random_below(random, 2));
    return json_integer(value < maximum ? value : maximum);
}

static json_t *any_invalid(const json_t *schema)
{
    const json_t *minimum = json_object_get(schema, "minimum");

    return minimum ? json_integer(json_integer_value(minimum) - 1) : json_pack("[s]", "nonsense");
}

void move_by_schema(struct play *play, struct random *random)
{
    const struct subject *subject = any_subject(random);
    const struct resource *resource =
        resource_find(&play->sim->cluster.resources, "churnops.io", NULL, subject->plural);
    char *path auto_free = subject_path(subject);
    struct properties properties = { .count = 0 };
    const struct property *property;
    bool valid = random_below(random, 4) > 0;
    json_t *value auto_json = NULL, *patch auto_json = NULL;
    char *text auto_free = NULL;
    int status;

    collect(jx_get(resource->schema, "properties", "spec", NULL), "", &properties);
    property = &properties.items[random_below(random, properties.count)];
    value = valid ? any_valid(property->schema, random) : any_invalid(property->schema);
    patch = sim_patch_of_spec(property->path, value);
    text = json_dumps(patch, JSON_COMPACT);
    status = sim_send(play->sim, "PATCH", path, patch);
    play_tell(play, "edit by schema %s %s %s: %d", subject->plural, subject->name, text, status);
    if (!valid && status == 200)
        sim_fail("%s took %s", subject->plural, text);
}
