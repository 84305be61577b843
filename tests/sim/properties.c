/* properties.c - no field of the API is silently ignored.
 *
 * The properties of both specs are taken from the CRDs' schemas, and each is changed alone, in one
 * scene in which everything happens that a property can be about. Then what a controller writes
 * must differ, in more than hashes of the spec; what has no effect in this scene stands in
 * `without_effect` with the reason. Two ways to the same spec, B at once and C before B, must lead
 * to the same Jobs, batches and status; and so must a wrong value that is mended.
 *
 * Values come from the schema where it knows them, else from the table `texts`. */
#include "sim/simulation.h"

#include "base/log.h"
#include "contract/job.h"
#include "job_builder.h"
#include "model_api.h"

#define SECOND         1000
#define MINUTE         (60 * SECOND)
#define PATH_MAXIMUM   256
#define WRITES_MAXIMUM 1000
#define MODEL_SPEC                                                                                 \
    "{'data':{'uri':'file:///data/in/h.csv','target':'Exited','id':'Id'},"                         \
    "'artifacts':{'uri':'file:///data/models/'},"                                                  \
    "'retrain':{'on':['ImageDigest','Spec','Data','Schedule'],'schedule':'0 * * * *'},"            \
    "'inbox':{'uri':'file:///data/inbox/','template':{'output':{'uri':'file:///data/out/'}}}}"
#define BATCH_SPEC                                                                                 \
    "{'modelRef':{'name':'m'},'input':{'uri':'file:///data/weekly/w.csv'},"                        \
    "'output':{'uri':'file:///data/out/'}}"

/* --- what to change ----------------------------------------------------------------------------
 */

/* Values of properties that a schema does not know: of every path that ends so. `wrong`: what the
 * schema takes and a controller does not; NULL: there is no such value. */
static const struct {
    const char *end, *b, *c, *wrong;
} texts[] = {
    { "/data/uri", "'file:///data/other/'", "'file:///data/third/'", "'no uri'" },
    { "/data/target", "'Left'", "'Gone'", "'Id'" },
    { "/data/positiveLabel", "'yes'", "'ja'", NULL },
    { "/data/id", "'Number'", "'Key'", "'Exited'" },
    { "/data/drop", "['Surname']", "['City','Surname']", "['Id']" },
    { "/data/columns", "[{'name':'Tenure','type':'Numeric'}]",
      "[{'name':'Tenure','type':'Numeric','monotone':'Increasing'}]", NULL },
    { "/data/sensitive", "['Gender']", "['Age']", NULL },
    { "/parameters", "{'max_depth':'4'}", "{'max_depth':'5'}", "{'nonsense':'5'}" },
    { "/validation/holdout", "'0.3'", "'0.25'", "'0.9'" },
    { "/retrain/schedule", "'20 * * * *'", "'40 * * * *'", "'99 * * * *'" },
    { "/retrain/timeZone", "'Asia/Kolkata'", "'Europe/Berlin'", "'Mars/Base'" },
    { "/retrain/on", "['Spec']", "['Data']", NULL },
    { "/retrain/token", "'one'", "'two'", NULL },
    { "/promotion/minimum", "'0.99'", "'0.5'", NULL },
    { "/promotion/minImprovement", "'0.5'", "'0.1'", NULL },
    { "/pinnedVersion", "'0123456789abcdef'", "'0123456789abcde0'", NULL },
    { "/modelVersion", "'0123456789abcdef'", "'0123456789abcde0'", NULL },
    { "/artifacts/uri", "'file:///data/elsewhere/'", "'file:///data/more/'", "'no uri'" },
    { "/inbox/uri", "'file:///data/drop/'", "'file:///data/third/'", "'no uri'" },
    { "/output/uri", "'file:///data/results/'", "'file:///data/more/'", "'no uri'" },
    { "/output/columns", "['Surname']", "['City']", NULL },
    { "/input/uri", "'file:///data/drop/'", "'file:///data/weekly/x.csv'", "'no uri'" },
    { "/input/generation", "'77'", "'78'", NULL },
    { "/modelRef/name", "'other'", "'third'", NULL },
    { "/retryToken", "'one'", "'two'", NULL },
    { "/secretRef/name", "'one'", "'two'", NULL },
    { "nterval", "'20s'", "'40s'", NULL }, /* intervals of polls */
    { "/threshold", "'0.4'", "'0.6'", "'7'" },
    { "/maxRejected", "'0.5'", "'0.6'", "'7'" },
    { "/drift/warn", "'0.2'", "'0.3'", NULL },
    { "/drift/fail", "'0.3'", "'0.4'", NULL },
    { "/image", "'" SIM_REGISTRY "/other:stable'", "'" SIM_REGISTRY "/third:stable'",
      "'Not An Image'" },
    { "/imagePullSecrets", "[{'name':'one'}]", "[{'name':'two'}]", NULL },
    { "/requests", "{'cpu':'2'}", "{'cpu':'3'}", NULL },
    { "/limits", "{'memory':'2Gi'}", "{'memory':'3Gi'}", NULL },
    { "/nodeSelector", "{'disk':'ssd'}", "{'disk':'none'}", NULL },
    { "/tolerations", "[{'key':'gpu','operator':'Exists'}]", "[{'operator':'Exists'}]", NULL },
    { "/affinity", "{'nodeAffinity':{}}", "{'podAffinity':{}}", NULL },
    { "/serviceAccountName", "'scoring'", "'training'", NULL },
    { "/priorityClassName", "'high'", "'low'", NULL },
    { "/env", "[{'name':'A','value':'1'}]", "[{'name':'B','value':'2'}]", NULL },
    { "/volumes", "[{'name':'data','emptyDir':{}}]", "[{'name':'more','emptyDir':{}}]", NULL },
    { "/volumeMounts", "[{'name':'data','mountPath':'/data'}]",
      "[{'name':'data','mountPath':'/more'}]", NULL },
    { "/labels", "{'team':'risk'}", "{'team':'sales'}", NULL },
    { "/annotations", "{'note':'one'}", "{'note':'two'}", NULL },
};

static const struct {
    const char *plural, *path, *why;
} without_effect[] = {
    { "churnbatches", "/retryToken", "only a batch that failed is tried again" },
};

struct property {
    const char *plural;
    char path[PATH_MAXIMUM];
    json_t *b, *c, *wrong; /* wrong: NULL: there is none */
};

static json_t *parse(const char *text)
{
    char *json auto_free = mem_strdup(text);
    struct err err;

    for (char *at = json; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    json_t *value = jx_parse(span_of(json), LIMIT_JSON_DOCUMENT, "value", &err);

    if (!value)
        sim_fail("%s: %s", text, err.message);
    return value;
}

static bool ends_so(const char *path, const char *end)
{
    size_t length = strlen(path), tail = strlen(end);

    return length >= tail && strcmp(path + length - tail, end) == 0;
}

/* The n-th value that is not the default. */
static json_t *known_value(const json_t *schema, size_t n)
{
    const json_t *words = json_object_get(schema, "enum");
    const json_t *fallback = json_object_get(schema, "default");
    int64_t value = jx_int(schema, "minimum", 0) + 1;
    size_t i;
    json_t *word;

    json_array_foreach(words, i, word)
    {
        if (!json_equal(word, fallback) && n-- == 0)
            return json_incref(word);
    }
    if (words)
        return json_incref(json_array_get(words, 0));
    if (strcmp(jx_string(schema, "type", NULL), "boolean") == 0)
        return json_boolean(n == 0);
    for (;; value++)
        if (value != json_integer_value(fallback) && n-- == 0)
            return json_integer(value);
}

static void choose_values(struct property *property, const json_t *schema)
{
    const char *type = jx_string(schema, "type", NULL);

    if (json_object_get(schema, "enum") || strcmp(type, "boolean") == 0 ||
        strcmp(type, "integer") == 0) {
        property->b = known_value(schema, 0);
        property->c = known_value(schema, 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (!ends_so(property->path, texts[i].end))
            continue;
        property->b = parse(texts[i].b);
        property->c = parse(texts[i].c);
        property->wrong = texts[i].wrong ? parse(texts[i].wrong) : NULL;
        return;
    }
    sim_fail("%s spec%s: properties.c has no values for it", property->plural, property->path);
}

/* --- the scene ------------------------------------------------------------------------------- */

/* What a controller wrote, in order, as text. */
struct record {
    struct sim *sim;
    bool with_times;
    json_t *lines;
};

/* Changes with any change of a spec, and says nothing. */
static bool is_hash(const char *name)
{
    static const char *const hashes[] = {
        "fieldHashes", "specHash",          "runKey", "job",  "uid",
        LABEL_RUN,     ANNOTATION_TEMPLATE, "parts",  "name", "resourceVersion",
    };

    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
        if (strcmp(hashes[i], name) == 0)
            return true;
    return false;
}

static bool is_time(const char *name)
{
    static const char *const times[] = {
        "lastTransitionTime", "observedGeneration", "resolvedAt",       "trainedAt",
        "finishedAt",         "startTime",          "completionTime",   "time",
        "lastScheduleTime",   "scheduledTime",      "trainingsSkipped", "modelGeneration",
    };

    for (size_t i = 0; i < ARRAY_SIZE(times); i++)
        if (strcmp(times[i], name) == 0)
            return true;
    return false;
}

/* The hash in names of Jobs, "m-t0123456789", becomes as many dashes. New. */
static json_t *without_job_names(const json_t *value)
{
    char *text auto_free = mem_strdup(json_string_value(value));

    for (char *at = strchr(text, '-'); at; at = strchr(at + 1, '-'))
        if (strchr("tsc", at[1]) && strspn(at + 2, "0123456789abcdef") == 10)
            memset(at + 2, '-', 10);
    return json_string(text);
}

static json_t *plain(const json_t *value, bool with_times);

static json_t *plain_member(const char *name, const json_t *value, bool with_times)
{
    json_t *document auto_json = NULL;

    if (strcmp(name, JOB_ANNOTATION) != 0 || !json_is_string(value))
        return plain(value, with_times);
    document = parse(json_string_value(value));
    return plain(document, with_times);
}

/* Without hashes. The name of anything but an object stays: columns, metrics. */
static json_t *plain(const json_t *value, bool with_times)
{
    json_t *copy = json_is_array(value) ? json_array() : json_object(), *member;
    const char *name;
    size_t i;

    if (!json_is_array(value) && !json_is_object(value)) {
        json_decref(copy);
        return json_is_string(value) ? without_job_names(value) : json_deep_copy(value);
    }
    json_array_foreach(value, i, member) json_array_append_new(copy, plain(member, with_times));
    json_object_foreach((json_t *)value, name, member)
    {
        bool names_object =
            strcmp(name, "name") == 0 &&
            (json_object_get(value, "namespace") || json_object_get(value, "ownerReferences"));

        if ((strcmp(name, "name") != 0 || names_object ? is_hash(name) : false) ||
            (!with_times && is_time(name)))
            continue;
        json_object_set_new(copy, name, plain_member(name, member, with_times));
    }
    return copy;
}

static enum sim_fate on_write(void *context, struct sim_controller *controller,
                              struct fake_exchange *exchange)
{
    struct record *record = context;
    bool creates = strcmp(exchange->method, "POST") == 0;
    json_t *body auto_json = NULL, *shown auto_json = NULL;
    char *text auto_free = NULL;

    (void)controller;
    if (!record->with_times && !creates)
        return SIM_PASSES;
    if (json_array_size(record->lines) == WRITES_MAXIMUM)
        sim_fail("more than %d writes", WRITES_MAXIMUM);
    body = jx_parse(span_of(exchange->body), LIMIT_JSON_DOCUMENT, "body", NULL);
    shown = plain(body, record->with_times);
    text = jx_canonical(shown);
    json_array_append_new(record->lines,
                          json_sprintf("%10" PRId64 " %s %s",
                                       record->with_times ? record->sim->now_ms - 1700000000000 : 0,
                                       exchange->method, text));
    return SIM_PASSES;
}

static void on_pod(void *context, struct sim_pod *pod)
{
    struct record *record = context;

    timer_set(&record->sim->timers, &pod->ready, SECOND);
    timer_set(&record->sim->timers, &pod->end, 5 * SECOND);
}

static void write_file(struct sim *sim, const char *uri)
{
    volume_write(&sim->volume, uri, "good");
}

static void write_files(struct sim *sim)
{
    static const char *const uris[] = { "file:///data/in/h.csv",     "file:///data/inbox/0.csv",
                                        "file:///data/weekly/w.csv", "file:///data/other/1.csv",
                                        "file:///data/drop/1.csv",   "file:///data/weekly/x.csv",
                                        "file:///data/third/1.csv" };

    for (size_t i = 0; i < ARRAY_SIZE(uris); i++)
        write_file(sim, uris[i]);
    volume_write(&sim->volume, "file:///data/weekly/w.csv", "drifted");
    sim_move_tag(sim, "other:stable", "5");
    sim_move_tag(sim, "third:stable", "6");
}

static const char *path_of(const char *plural)
{
    return strcmp(plural, "churnmodels") == 0 ? SIM_MODELS "/m" : SIM_BATCHES "/w";
}

/* With `patch` in its spec from the beginning, when it is of this kind; NULL: none. */
static void create(struct sim *sim, const char *plural, const char *kind, const char *name,
                   const char *spec, const json_t *patch)
{
    json_t *object auto_json = json_pack("{ss ss s{ss} so}", "apiVersion", API_VERSION, "kind",
                                         kind, "metadata", "name", name, "spec", parse(spec));
    json_t *whole auto_json = patch ? jx_merge_apply(object, patch) : json_incref(object);
    const char *list = strcmp(plural, "churnmodels") == 0 ? SIM_MODELS : SIM_BATCHES;

    if (sim_send(sim, "POST", list, whole) != 201)
        sim_fail("%s %s was refused: %s", plural, name, jx_string(sim->answer, "message", NULL));
}

/* What happens in the world, once all objects are there. */
static void pass_time(struct sim *sim)
{
    sim_run(sim, 4 * MINUTE);
    sim_move_tag(sim, "trainer:stable", "2");
    sim_run(sim, 4 * MINUTE);
    write_file(sim, "file:///data/inbox/1.csv");
    write_file(sim, "file:///data/inbox/2.csv");
    write_file(sim, "file:///data/inbox/3.csv");
    sim_run(sim, 3 * MINUTE);
    volume_write(&sim->volume, "file:///data/in/h.csv", "good, and newer");
    sim_run(sim, 12 * MINUTE); /* half past ten comes */
}

static void change(struct sim *sim, const struct property *property, json_t *value)
{
    json_t *patch auto_json = sim_patch_of_spec(property->path, value);
    json_t *nothing auto_json = json_null();
    json_t *removal auto_json = sim_patch_of_spec(property->path, nothing);

    if (json_is_object(value)) /* or it would be merged with what is there */
        (void)sim_send(sim, "PATCH", path_of(property->plural), removal);
    if (sim_send(sim, "PATCH", path_of(property->plural), patch) != 200)
        sim_fail("%s spec%s was refused", property->plural, property->path);
}

/* --- worlds ---------------------------------------------------------------------------------- */

/* How a world comes to its spec. */
struct way {
    json_t *first;  /* from the beginning; NULL: the base */
    json_t *second; /* after a minute; NULL: no change */
    json_t *third;  /* after two */
    bool suspended; /* until three minutes are over */
    bool with_times;
};

static json_t *suspend(bool suspended)
{
    return json_pack("{s{sb}}", "spec", "suspend", suspended);
}

static void begin(struct sim *sim, const struct property *property, const struct way *way)
{
    json_t *first auto_json =
        property && way->first ? sim_patch_of_spec(property->path, way->first) : NULL;
    json_t *other auto_json = way->suspended ? suspend(true) : json_object();
    json_t *own auto_json = first ? jx_merge_apply(other, first) : json_incref(other);
    bool is_model = property && strcmp(property->plural, "churnmodels") == 0;

    write_files(sim);
    create(sim, "churnmodels", "ChurnModel", "m", MODEL_SPEC, is_model ? own : other);
    create(sim, "churnbatches", "ChurnBatch", "w", BATCH_SPEC, is_model ? other : own);
    sim_start_controller(sim, 0);
}

static void go_on(struct sim *sim)
{
    json_t *patch auto_json = suspend(false);

    (void)sim_send(sim, "PATCH", path_of("churnmodels"), patch);
    (void)sim_send(sim, "PATCH", path_of("churnbatches"), patch);
}

static void follow(struct sim *sim, const struct property *property, const struct way *way)
{
    begin(sim, property, way);
    sim_run(sim, MINUTE);
    if (way->second)
        change(sim, property, way->second);
    sim_run(sim, MINUTE);
    if (way->third)
        change(sim, property, way->third);
    sim_run(sim, MINUTE);
    if (way->suspended)
        go_on(sim);
    pass_time(sim);
}

/* What was written on this way, and where it ended. New. */
static json_t *world(const struct property *property, const struct way *way)
{
    struct sim *sim = sim_new(1);
    struct record record = { .sim = sim, .with_times = way->with_times, .lines = json_array() };
    json_t *model auto_json = NULL, *batch auto_json = NULL;

    sim->lease_ms = MINUTE;
    sim->hooks = (struct sim_hooks){ .on_write = on_write, .on_pod = on_pod, .context = &record };
    follow(sim, property, way);
    model = plain(json_object_get(sim_object(sim, "churnmodels", "m"), "status"), false);
    batch = plain(json_object_get(sim_object(sim, "churnbatches", "w"), "status"), false);
    json_array_append(record.lines, model);
    json_array_append(record.lines, batch);
    sim_free(sim);
    return record.lines;
}

/* --- what must hold ----------------------------------------------------------------------------
 */

static const char *reason_for_no_effect(const struct property *property)
{
    for (size_t i = 0; i < ARRAY_SIZE(without_effect); i++)
        if (strcmp(without_effect[i].plural, property->plural) == 0 &&
            strcmp(without_effect[i].path, property->path) == 0)
            return without_effect[i].why;
    return NULL;
}

static bool complain(const struct property *property, const char *what)
{
    fprintf(stderr, "%s spec%s: %s\n", property->plural, property->path, what);
    return false;
}

static void show_difference(const json_t *left, const json_t *right)
{
    size_t count = json_array_size(left) > json_array_size(right) ? json_array_size(left)
                                                                  : json_array_size(right);

    for (size_t i = 0; i < count; i++) {
        const json_t *sides[] = { json_array_get(left, i), json_array_get(right, i) };

        if (sides[0] && sides[1] && json_equal(sides[0], sides[1]))
            continue;
        for (size_t k = 0; k < ARRAY_SIZE(sides); k++) {
            char *text auto_free =
                sides[k] ? json_dumps(sides[k], JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;

            fprintf(stderr, "%c %s\n", k == 0 ? '-' : '+', text ? text : "nothing");
        }
    }
}

static bool has_effect(const struct property *property)
{
    static json_t *base;
    json_t *changed auto_json =
        world(property, &(struct way){ .first = property->b, .with_times = true });
    const char *why = reason_for_no_effect(property);

    if (!base)
        base = world(NULL, &(struct way){ .with_times = true });
    if (json_equal(base, changed) && !why)
        return complain(property, "its change alone changes nothing");
    if (json_equal(base, changed) || !why)
        return true;
    show_difference(base, changed);
    return complain(property, "it has an effect: strike it off without_effect");
}

static bool leads_to_the_same(const struct property *property, const struct way *one,
                              const struct way *other, const char *complaint)
{
    json_t *left auto_json = world(property, one);
    json_t *right auto_json = world(property, other);

    if (json_equal(left, right))
        return true;
    show_difference(left, right);
    return complain(property, complaint);
}

static bool ways_meet(const struct property *property)
{
    return leads_to_the_same(
        property, &(struct way){ .second = property->b, .suspended = true },
        &(struct way){ .second = property->c, .third = property->b, .suspended = true },
        "another value before leaves its traces");
}

/* What was made of the base before it is mended to is the same as of what is the base at once. */
static bool mends(const struct property *property)
{
    return !property->wrong ||
           leads_to_the_same(
               property, &(struct way){ .first = property->b, .suspended = true },
               &(struct way){ .first = property->wrong, .second = property->b, .suspended = true },
               "a wrong value that was mended leaves its traces");
}

/* --- all properties ------------------------------------------------------------------------------
 */

static bool check(const char *plural, const char *path, const json_t *schema)
{
    struct property property = { .plural = plural };
    bool holds;

    (void)snprintf(property.path, sizeof(property.path), "%s", path);
    if (strcmp(path, "/suspend") == 0)
        return true; /* the ways go through it */
    choose_values(&property, schema);
    holds = has_effect(&property);
    holds = ways_meet(&property) && holds;
    holds = mends(&property) && holds;
    printf("%s property_%s%s\n", holds ? "PASS" : "FAIL", plural, path);
    fflush(stdout);
    json_decref(property.b);
    json_decref(property.c);
    json_decref(property.wrong);
    return holds;
}

static bool check_all(const char *plural, const char *path, const json_t *schema)
{
    const char *name;
    json_t *member;
    bool holds = true;

    json_object_foreach(json_object_get(schema, "properties"), name, member)
    {
        char *below auto_free = mem_format("%s/%s", path, name);

        holds &= json_object_get(member, "properties") ? check_all(plural, below, member)
                                                       : check(plural, below, member);
    }
    return holds;
}

/* Of the kinds whose plurals are named. */
int main(int argc, char **argv)
{
    struct sim *sim;
    bool holds = true;

    log_set_level(LOG_ERROR);
    sim = sim_new(1);
    for (int i = 1; i < argc; i++) {
        const struct resource *resource =
            resource_find(&sim->cluster.resources, "churnops.io", NULL, argv[i]);

        if (!resource)
            sim_fail("%s is no kind of ours", argv[i]);
        holds &= check_all(argv[i], "", jx_get(resource->schema, "properties", "spec", NULL));
    }
    sim_free(sim);
    return holds ? EXIT_SUCCESS : EXIT_FAILURE;
}
