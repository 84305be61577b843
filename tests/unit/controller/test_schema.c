/* Goal: crds/ and the field tables say the same, and so do job documents; what users
 * read with kubectl explain is complete.
 * Method: schema and table are walked together: the same members, types, defaults, enums,
 * ranges and required members on both sides, a description everywhere, every list and
 * string bounded. */
#include "unit.h"

#include "base/limits.h"
#include "base/num.h"
#include "base/yaml.h"
#include "contract/job.h"
#include "batch_api.h"
#include "model_api.h"

#define OFFENCE(path, ...)                                                                         \
    do {                                                                                           \
        auto_free char *text = mem_format(__VA_ARGS__);                                            \
        fail_msg("%s: %s", (path), text);                                                          \
    } while (0)

static json_t *load(const char *file)
{
    struct err err;
    auto_free char *path = mem_format("crds/%s", file);
    auto_fclose FILE *stream = fopen(path, "re");
    assert_non_null(stream);
    static char text[256 * KIB];
    size_t length = fread(text, 1, sizeof(text), stream);
    json_t *document = yaml_parse((struct span){ text, length }, path, &err);
    if (!document)
        fail_msg("%s", err.message);
    return document;
}

static const json_t *version_of(const json_t *crd)
{
    return json_array_get(jx_get(crd, "spec", "versions", NULL), 0);
}

static const json_t *part_of(const json_t *crd, const char *part)
{
    return jx_get(version_of(crd), "schema", "openAPIV3Schema", "properties", part, NULL);
}

/* --- a member ------------------------------------------------------------ */

static const char *schema_type(enum field_kind kind)
{
    switch (kind) {
    case FIELD_BOOL:
    case FIELD_OPT_BOOL:
        return "boolean";
    case FIELD_INT:
    case FIELD_OPT_INT:
        return "integer";
    case FIELD_STRINGS:
    case FIELD_OBJECTS:
        return "array";
    case FIELD_MAP:
    case FIELD_OBJECT:
        return "object";
    case FIELD_JSON:
        return NULL; /* either */
    default:
        return "string";
    }
}

/* The default as the table writes it, NULL when the schema has none. */
static char *schema_default(const json_t *schema)
{
    const json_t *value = json_object_get(schema, "default");
    if (!value)
        return NULL;
    if (json_is_string(value))
        return mem_strdup(json_string_value(value));
    return jx_canonical(value);
}

static void compare_default(const char *path, const struct field *field, const json_t *schema)
{
    auto_free char *found = schema_default(schema);
    const char *expected = field->fallback;
    if (field->kind == FIELD_OBJECT && (field->flags & FIELD_ALWAYS))
        expected = "{}";
    if (field->kind == FIELD_STRINGS && strcmp(field->name, "on") == 0)
        expected = "[\"ImageDigest\",\"Spec\"]"; /* model_spec_decode() */
    if (strcmp(found ? found : "none", expected ? expected : "none") != 0)
        OFFENCE(path, "default %s in the schema, %s in the table", found ? found : "none",
                expected ? expected : "none");
}

static void compare_enum(const char *path, const struct field *field, const json_t *schema)
{
    const json_t *names = json_object_get(schema, "enum");
    size_t count = 0;
    if (field->kind != FIELD_ENUM)
        return;
    for (; field->names[count]; count++) {
        const char *name = json_string_value(json_array_get(names, count));
        if (!name || strcmp(name, field->names[count]) != 0)
            OFFENCE(path, "enum lacks %s", field->names[count]);
    }
    if (json_array_size(names) != count)
        OFFENCE(path, "enum has %zu names, not %zu", json_array_size(names), count);
}

static void compare_range(const char *path, const struct field *field, const json_t *schema)
{
    bool is_integer = field->kind == FIELD_INT || field->kind == FIELD_OPT_INT;
    bool is_text = field->kind == FIELD_STRING || field->kind == FIELD_NUMBER;
    if (is_integer && (field->minimum != 0 || field->maximum != 0) &&
        (jx_int(schema, "minimum", -1) != field->minimum ||
         jx_int(schema, "maximum", -1) != field->maximum))
        OFFENCE(path, "range must be %" PRId64 " to %" PRId64, field->minimum, field->maximum);
    if (is_text && field->maximum > 0 && jx_int(schema, "maxLength", -1) != field->maximum)
        OFFENCE(path, "maxLength must be %" PRId64, field->maximum);
    if ((field->kind == FIELD_STRINGS || field->kind == FIELD_OBJECTS) && field->maximum > 0 &&
        jx_int(schema, "maxItems", -1) != field->maximum)
        OFFENCE(path, "maxItems must be %" PRId64, field->maximum);
}

/* The longest text that passes the table. */
static int64_t longest_text(const struct field *field)
{
    static const struct {
        field_check check;
        int64_t length;
    } checks[] = { { check_version, 16 }, { check_pin, 16 },    { check_key, 32 },
                   { check_sha256, 64 },  { check_digest, 71 }, { check_label, 63 },
                   { check_word, 63 },    { check_metric, 63 } };
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if (field->check == checks[i].check)
            return checks[i].length;
    return field->maximum ? field->maximum : 1024; /* the default of fields.c */
}

/* What the controller writes must pass the schema: a status that is refused would stop its
 * object for good. */
static void compare_bound(const char *path, const struct field *field, const json_t *schema)
{
    if ((field->kind == FIELD_STRING || field->kind == FIELD_NUMBER) &&
        !json_object_get(schema, "enum") && jx_int(schema, "maxLength", 0) < longest_text(field))
        OFFENCE(path, "maxLength must be %" PRId64 " at least", longest_text(field));
    if ((field->kind == FIELD_STRINGS || field->kind == FIELD_OBJECTS) &&
        jx_int(schema, "maxItems", 0) < field->maximum)
        OFFENCE(path, "maxItems must be %" PRId64 " at least", field->maximum);
}

static bool has_rule(const json_t *schema, const char *rule, const char *message)
{
    const json_t *rules = json_object_get(schema, "x-kubernetes-validations");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *item = json_array_get(rules, i);
        if (strcmp(jx_string(item, "rule", NULL), rule) == 0 &&
            strstr(jx_string(item, "message", NULL), message))
            return true;
    }
    return false;
}

/* A cluster with CEL says the same about a URI as the controller does elsewhere. */
static void compare_uri(const char *path, const struct field *field, const json_t *schema)
{
    bool is_folder = field->check == check_folder_uri;
    struct err err;
    if (field->check != check_uri && !is_folder)
        return;
    assert_int_equal(field->check("ftp://bank/", &err), -1);
    if (!has_rule(schema,
                  "self.startsWith('file://') || self.startsWith('gs://') || "
                  "self.startsWith('s3://')",
                  err.message))
        OFFENCE(path, "lacks the rule about schemes");
    if (is_folder && !has_rule(schema, "self.endsWith('/')", "must name a folder"))
        OFFENCE(path, "lacks the rule about folders");
}

static bool is_required(const json_t *schema, const char *name)
{
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++)
        if (strcmp(json_string_value(json_array_get(required, i)), name) == 0)
            return true;
    return false;
}

/* --- objects ------------------------------------------------------------- */

static const struct field *find_field(const struct fields *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->items[i].name, name) == 0)
            return &table->items[i];
    return NULL;
}

static void compare_object(const char *path, const struct fields *table, const json_t *schema,
                           bool status);

static void compare_member(const char *parent, const struct field *field, const json_t *object,
                           bool status)
{
    auto_free char *path = mem_format("%s.%s", parent, field->name);
    const json_t *schema = jx_get(object, "properties", field->name, NULL);
    if (!schema)
        OFFENCE(path, "is missing in the schema");
    const char *type = schema_type(field->kind), *found = jx_string(schema, "type", NULL);
    if (type && strcmp(type, found) != 0)
        OFFENCE(path, "type must be %s", type);
    if (is_required(object, field->name) != ((field->flags & FIELD_REQUIRED) != 0))
        OFFENCE(path, "required on one side only");
    if (status) { /* status members have no defaults in the schema */
        compare_bound(path, field, schema);
    } else {
        compare_default(path, field, schema);
        compare_enum(path, field, schema);
        compare_range(path, field, schema);
        compare_uri(path, field, schema);
    }
    if (field->kind == FIELD_OBJECT)
        compare_object(path, field->table, schema, status);
    if (field->kind == FIELD_OBJECTS)
        compare_object(path, field->table, json_object_get(schema, "items"), status);
}

static void compare_object(const char *path, const struct fields *table, const json_t *schema,
                           bool status)
{
    const char *name;
    json_t *member;
    for (size_t i = 0; i < table->count; i++)
        compare_member(path, &table->items[i], schema, status);
    json_object_foreach(json_object_get(schema, "properties"), name, member)
    {
        if (!find_field(table, name))
            OFFENCE(path, "%s is missing in the table", name);
    }
}

static void test_tables_and_schemas_agree(void **state)
{
    (void)state;
    auto_json json_t *models = load("churnmodels.yaml"), *batches = load("churnbatches.yaml");
    compare_object("model.spec", &model_spec_fields, part_of(models, "spec"), false);
    compare_object("model.status", &model_status_fields, part_of(models, "status"), true);
    compare_object("batch.spec", &batch_spec_fields, part_of(batches, "spec"), false);
    compare_object("batch.status", &batch_status_fields, part_of(batches, "status"), true);
}

/* --- the schema alone ---------------------------------------------------- */

static void check_node(const char *path, const json_t *schema, bool in_list)
{
    const char *type = jx_string(schema, "type", NULL), *name;
    json_t *member;
    assert_non_null(type);
    bool metadata = strcmp(path, "root.metadata") == 0;
    bool documented = jx_string(schema, "description", NULL) != NULL;
    bool item = in_list && strcmp(type, "string") == 0;
    if (!documented && !item && !metadata)
        OFFENCE(path, "has no description");
    if (strcmp(type, "array") == 0 && !json_object_get(schema, "maxItems"))
        OFFENCE(path, "has no maxItems");
    bool head = strcmp(path, "root.kind") == 0 || strcmp(path, "root.apiVersion") == 0;
    if (strcmp(type, "string") == 0 && !head && !json_object_get(schema, "maxLength") &&
        !json_object_get(schema, "enum") && !json_object_get(schema, "format"))
        OFFENCE(path, "has no maxLength");
    if (in_list && json_object_get(schema, "default"))
        OFFENCE(path, "has a default inside a list item");
    json_object_foreach(json_object_get(schema, "properties"), name, member)
    {
        auto_free char *below = mem_format("%s.%s", path, name);
        check_node(below, member, in_list);
    }
    if (json_object_get(schema, "items"))
        check_node(path, json_object_get(schema, "items"), true);
}

static void test_schemas_are_complete(void **state)
{
    (void)state;
    static const char *const files[] = { "churnmodels.yaml", "churnbatches.yaml" };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        auto_json json_t *crd = load(files[i]);
        check_node("root", jx_get(version_of(crd), "schema", "openAPIV3Schema", NULL), false);
        CASE(files[i], jx_get(version_of(crd), "subresources", "status", NULL));
    }
}

static void check_columns(const char *file, const char *const *expected)
{
    auto_json json_t *crd = load(file);
    const json_t *columns = json_object_get(version_of(crd), "additionalPrinterColumns");
    size_t count = 0;
    for (; expected[count]; count++) {
        const char *name = jx_string(json_array_get(columns, count), "name", NULL);
        CASE(expected[count], name && strcasecmp(name, expected[count]) == 0);
        const char *path = jx_string(json_array_get(columns, count), "jsonPath", NULL);
        CASE(expected[count], !strstr(path, "[-1"));
    }
    CASE(file, json_array_size(columns) == count);
}

static void test_printer_columns(void **state)
{
    (void)state;
    static const char *const model[] = { "READY",         "REASON", "VERSION", "AUC",
                                         "LAST-DECISION", "IMAGE",  "AGE",     NULL };
    static const char *const batch[] = { "MODEL",    "VERSION", "STATUS", "ROWS",
                                         "CHURNERS", "OUTPUT",  "AGE",    NULL };
    check_columns("churnmodels.yaml", model);
    check_columns("churnbatches.yaml", batch);
}

/* --- job documents ------------------------------------------------------- */

static void compare_shared(const struct fields *document, const struct fields *spec);

static void compare_rules(const struct field *left, const struct field *right)
{
    CASE(left->name, left->kind == right->kind);
    CASE(left->name, left->minimum == right->minimum && left->maximum == right->maximum);
    CASE(left->name,
         left->fallback == right->fallback || strcmp(left->fallback, right->fallback) == 0);
    CASE(left->name, left->check == right->check && left->names == right->names);
    CASE(left->name, !left->table == !right->table);
    if (left->table != right->table)
        compare_shared(left->table, right->table);
}

/* Two tables of one object: what both have means the same. */
static void compare_shared(const struct fields *document, const struct fields *spec)
{
    size_t shared = 0;
    for (size_t i = 0; i < document->count; i++) {
        const struct field *other = find_field(spec, document->items[i].name);
        if (!other)
            continue;
        compare_rules(&document->items[i], other);
        shared++;
    }
    assert_true(shared > 0);
}

/* Members of a document that are a spec's too have the same rules there: they are
 * compared by what their table entries say. */
static void compare_documents(const struct fields *document, const struct fields *spec,
                              const char *const *shared)
{
    for (; *shared; shared++) {
        const struct field *left = find_field(document, *shared);
        const struct field *right = find_field(spec, *shared);
        CASE(*shared, left && right);
        compare_rules(left, right);
    }
}

static void test_documents_share_the_rules_of_specs(void **state)
{
    (void)state;
    static const char *const train[] = { "data",      "algorithm", "parameters", "validation",
                                         "threshold", "seed",      "artifacts",  NULL };
    static const char *const score[] = { "output",      "threshold", "reasons",
                                         "maxRejected", "drift",     NULL };
    compare_documents(&train_job_fields, &model_spec_fields, train);
    compare_documents(&score_job_fields, &batch_spec_fields, score);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_and_schemas_agree),
        cmocka_unit_test(test_schemas_are_complete),
        cmocka_unit_test(test_printer_columns),
        cmocka_unit_test(test_documents_share_the_rules_of_specs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
