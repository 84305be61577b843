#include "kubesim/front/table.h"

#include <string.h>

#include "base/num.h"
#include "kubesim/core/api.h"
#include "kubesim/front/jsonpath.h"

typedef json_t *(*cell_function)(const json_t *object, int64_t now_ms);

struct column {
    const char *name, *type, *path; /* path, or: */
    cell_function cell;
};

char *table_duration(int64_t ms)
{
    static const struct {
        int64_t below, unit, rest; /* seconds; rest 0: whole units only */
        char letter, rest_letter;
    } forms[] = { { 120, 1, 0, 's', 0 },          { 600, 60, 1, 'm', 's' },
                  { 3 * 3600, 60, 0, 'm', 0 },    { 8 * 3600, 3600, 60, 'h', 'm' },
                  { 48 * 3600, 3600, 0, 'h', 0 }, { 8 * 86400, 86400, 3600, 'd', 'h' },
                  { INT64_MAX, 86400, 0, 'd', 0 } };
    int64_t seconds = ms < 0 ? 0 : ms / 1000;
    size_t i = 0;
    while (seconds >= forms[i].below)
        i++;
    int64_t whole = seconds / forms[i].unit;
    int64_t rest = forms[i].rest ? seconds % forms[i].unit / forms[i].rest : 0;
    return rest ? mem_format("%" PRId64 "%c%" PRId64 "%c", whole, forms[i].letter, rest,
                             forms[i].rest_letter)
                : mem_format("%" PRId64 "%c", whole, forms[i].letter);
}

static bool read_time(const char *text, int64_t *ret_ms)
{
    struct err ignored;
    return text && num_time_ms(span_of(text), ret_ms, &ignored) == 0;
}

static json_t *age_of(const char *time, int64_t now_ms)
{
    int64_t then_ms;
    if (!read_time(time, &then_ms))
        return json_string("<unknown>");
    auto_free char *text = table_duration(now_ms - then_ms);
    return json_string(text);
}

/* --- cells that a path cannot say ------------------------------------------------------ */

static const json_t *container_of(const json_t *pod)
{
    return json_array_get(jx_get(pod, "status", "containerStatuses", NULL), 0);
}

static json_t *pod_ready(const json_t *pod, int64_t now_ms)
{
    (void)now_ms;
    return json_sprintf("%d/%zu", jx_bool(container_of(pod), "ready", false),
                        json_array_size(jx_get(pod, "spec", "containers", NULL)));
}

static json_t *pod_status(const json_t *pod, int64_t now_ms)
{
    (void)now_ms;
    const json_t *state = jx_get(container_of(pod), "state", NULL);
    const char *waiting = jx_string(state, "waiting", "reason", NULL);
    const char *ended = jx_string(state, "terminated", "reason", NULL);
    if (object_is_deleting(pod) && !ended)
        return json_string("Terminating");
    const char *phase = jx_string(pod, "status", "phase", NULL);
    const char *reason = ended ? ended : waiting ? waiting : phase;
    return json_string(reason ? reason : "Unknown");
}

static json_t *job_status(const json_t *job, int64_t now_ms)
{
    static const char *const finals[] = { "Complete", "Failed", "Suspended", "FailureTarget",
                                          "SuccessCriteriaMet" };
    (void)now_ms;
    if (object_is_deleting(job))
        return json_string("Terminating");
    for (size_t i = 0; i < ARRAY_SIZE(finals); i++)
        if (object_condition_is(job, finals[i], "True"))
            return json_string(finals[i]);
    return json_string("Running");
}

static json_t *job_completions(const json_t *job, int64_t now_ms)
{
    (void)now_ms;
    return json_sprintf("%" PRId64 "/%" PRId64, jx_int(jx_get(job, "status", NULL), "succeeded", 0),
                        jx_int(jx_get(job, "spec", NULL), "completions", 1));
}

static json_t *job_duration(const json_t *job, int64_t now_ms)
{
    int64_t start_ms, end_ms = now_ms;
    if (!read_time(jx_string(job, "status", "startTime", NULL), &start_ms))
        return json_string("");
    if (!read_time(jx_string(job, "status", "completionTime", NULL), &end_ms))
        end_ms = now_ms;
    auto_free char *text = table_duration(end_ms - start_ms);
    return json_string(text);
}

static json_t *event_seen(const json_t *event, int64_t now_ms)
{
    const char *time = jx_string(event, "series", "lastObservedTime", NULL);
    static const char *const members[] = { "lastTimestamp", "eventTime", "firstTimestamp" };
    for (size_t i = 0; !time && i < ARRAY_SIZE(members); i++)
        time = jx_string(event, members[i], NULL);
    return age_of(time, now_ms);
}

static json_t *event_object(const json_t *event, int64_t now_ms)
{
    (void)now_ms;
    const json_t *object = jx_get(event, "involvedObject", NULL);
    object = object ? object : jx_get(event, "regarding", NULL);
    const char *kind = jx_string(object, "kind", NULL), *name = jx_string(object, "name", NULL);
    auto_free char *text = mem_format("%s/%s", kind ? kind : "", name ? name : "");
    for (char *p = text; *p && *p != '/'; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p;
    return json_string(text);
}

/* --- columns ----------------------------------------------------------------------------- */

#define NAME                                                                                       \
    {                                                                                              \
        "Name", "string", ".metadata.name", NULL                                                   \
    }
#define AGE                                                                                        \
    {                                                                                              \
        "Age", "date", ".metadata.creationTimestamp", NULL                                         \
    }
#define MAXIMUM_COLUMNS 5

static const struct {
    const char *plural;
    struct column columns[MAXIMUM_COLUMNS]; /* up to the first without a name */
} builtin_columns[] = {
    { "pods",
      { NAME,
        { "Ready", "string", NULL, pod_ready },
        { "Status", "string", NULL, pod_status },
        { "Restarts", "integer", ".status.containerStatuses[0].restartCount", NULL },
        AGE } },
    { "jobs",
      { NAME,
        { "Status", "string", NULL, job_status },
        { "Completions", "string", NULL, job_completions },
        { "Duration", "string", NULL, job_duration },
        AGE } },
    { "events",
      { { "Last Seen", "string", NULL, event_seen },
        { "Type", "string", ".type", NULL },
        { "Reason", "string", ".reason", NULL },
        { "Object", "string", NULL, event_object },
        { "Message", "string", ".message", NULL } } },
    { "namespaces", { NAME, { "Status", "string", ".status.phase", NULL }, AGE } },
    { "leases", { NAME, { "Holder", "string", ".spec.holderIdentity", NULL }, AGE } },
    { NULL, { NAME, AGE } },
};

/* Those of the definition, behind the name; without any: the age. */
static size_t custom_columns(const struct resource *resource, struct column *columns,
                             size_t maximum)
{
    const json_t *declared;
    size_t count = 0, i;
    columns[count++] = (struct column)NAME;
    json_array_foreach(resource->columns, i, declared) if (count < maximum) columns[count++] =
        (struct column){ jx_string(declared, "name", NULL), jx_string(declared, "type", NULL),
                         jx_string(declared, "jsonPath", NULL), NULL };
    if (count == 1)
        columns[count++] = (struct column)AGE;
    return count;
}

static size_t columns_of(const struct resource *resource, struct column *columns, size_t maximum)
{
    size_t i = 0, count = 0;
    if (resource->role == ROLE_CUSTOM)
        return custom_columns(resource, columns, maximum);
    while (builtin_columns[i].plural && strcmp(builtin_columns[i].plural, resource->plural) != 0)
        i++;
    while (count < MAXIMUM_COLUMNS && builtin_columns[i].columns[count].name) {
        columns[count] = builtin_columns[i].columns[count];
        count++;
    }
    return count;
}

static json_t *cell_of(const struct column *column, const json_t *object, int64_t now_ms)
{
    if (column->cell)
        return column->cell(object, now_ms);
    const json_t *value = jsonpath_find(object, column->path ? column->path : "");
    if (!value)
        return column->type && strcmp(column->type, "string") == 0 ? json_string("") : json_null();
    if (column->type && strcmp(column->type, "date") == 0)
        return age_of(json_string_value(value), now_ms);
    if (!json_is_object(value) && !json_is_array(value))
        return json_incref((json_t *)value);
    auto_free char *text = json_dumps(value, JSON_COMPACT);
    return json_string(text);
}

static json_t *row_of(const struct column *columns, size_t count, const json_t *object,
                      int64_t now_ms)
{
    json_t *cells = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(cells, cell_of(&columns[i], object, now_ms));
    return json_pack("{so s{ss ss sO}}", "cells", cells, "object", "kind", "PartialObjectMetadata",
                     "apiVersion", "meta.k8s.io/v1", "metadata", jx_get(object, "metadata", NULL));
}

static json_t *definitions_of(const struct column *columns, size_t count)
{
    json_t *definitions = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            definitions,
            json_pack("{ss ss ss ss si}", "name", columns[i].name, "type",
                      columns[i].type ? columns[i].type : "string", "format",
                      columns[i].path && !strcmp(columns[i].path, ".metadata.name") ? "name" : "",
                      "description", "", "priority", 0));
    return definitions;
}

json_t *table_make(const struct resource *resource, const json_t *objects, int64_t now_ms,
                   bool with_columns)
{
    struct column columns[64];
    size_t count = columns_of(resource, columns, ARRAY_SIZE(columns)), i;
    const json_t *object;
    json_t *rows = json_array();
    json_array_foreach(objects, i, object)
        json_array_append_new(rows, row_of(columns, count, object, now_ms));
    return json_pack("{ss ss so so}", "kind", "Table", "apiVersion", "meta.k8s.io/v1",
                     "columnDefinitions",
                     with_columns ? definitions_of(columns, count) : json_null(), "rows", rows);
}
