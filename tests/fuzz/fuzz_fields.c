/* What a table decodes, encodes to a document that decodes and encodes to the same. */
#include <stdint.h>

#include "base/fields.h"
#include "base/limits.h"

struct node {
    const char *name;
    bool enabled;
    int64_t seed, timeout_ms, created_ms;
    struct decimal ratio;
    int kind;
    struct strings drop;
    struct pairs labels;
    struct list columns;
    struct node *nested;
};

static const char *const kinds[] = { "Auto", "Text", NULL };
static const struct fields table;
static const struct field members[] = {
    FIELD(struct node, name, "name", FIELD_STRING, .fallback = "x"),
    FIELD(struct node, enabled, "enabled", FIELD_BOOL, .fallback = "true"),
    FIELD(struct node, seed, "seed", FIELD_INT, .fallback = "42"),
    FIELD(struct node, timeout_ms, "timeout", FIELD_DURATION, .fallback = "5m"),
    FIELD(struct node, created_ms, "created", FIELD_TIME),
    FIELD(struct node, ratio, "ratio", FIELD_NUMBER, .number_range = "[0,1)"),
    FIELD(struct node, kind, "kind", FIELD_ENUM, .names = kinds, .fallback = "Auto"),
    FIELD(struct node, drop, "drop", FIELD_STRINGS),
    FIELD(struct node, labels, "labels", FIELD_MAP),
    FIELD(struct node, columns, "columns", FIELD_OBJECTS, .table = &table),
    FIELD(struct node, nested, "nested", FIELD_OBJECT, .table = &table),
};
static const struct fields table = FIELDS(struct node, members);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    auto_json json_t *document =
        jx_parse((struct span){ (const char *)data, size }, LIMIT_JOB_DOCUMENT, "input", NULL);
    struct node first, second;

    if (!document || fields_decode(document, &table, "", &arena, &first, NULL))
        return 0;
    auto_json json_t *encoded = fields_encode(&table, &first);

    if (fields_decode(encoded, &table, "", &arena, &second, NULL))
        abort();
    auto_json json_t *again = fields_encode(&table, &second);

    if (!json_equal(encoded, again))
        abort();
    return 0;
}
