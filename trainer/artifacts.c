#include "trainer/artifacts.h"

#include "base/json.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/store.h"
#include "trainer/measurements.h"
#include "trainer/report.h"

const char *artifacts_folder(struct training *training)
{
    const char *model = training->job.model, *slash = strchr(model, '/');
    const char *root = training->job.artifacts->uri;
    if (slash == NULL)
        return arena_format(&training->arena, "%s%s/", root, model);
    return arena_format(&training->arena, "%s%.*s.%s/", root, (int)(slash - model), model,
                        slash + 1);
}

int artifacts_output_failed(struct err *err)
{
    if (err->kind != ERR_DENIED && err->kind != ERR_RETRY && err->kind != ERR_INTERNAL &&
        err->reason[0] == '\0')
        snprintf(err->reason, sizeof(err->reason), "OutputFailed");
    return -1;
}

static int put(struct store *store, const char *folder, const char *name, struct span bytes,
               enum store_condition condition, struct err *err)
{
    auto_free char *uri = mem_format("%s%s", folder, name);
    return store_put_text(store, uri, bytes, condition, NULL, err);
}

static int put_model(struct store *store, const char *folder, const struct model *model,
                     struct err *err)
{
    return put(store, folder, model_weights_file(model),
               (struct span){ model->weights, model->weights_size }, STORE_ALWAYS, err);
}

static int put_report(struct training *training, struct store *store, const char *folder,
                      struct err *err)
{
    auto_buf struct buf page;
    buf_init(&page, LIMIT_REPORT);
    report_write(training, &page);
    if (buf_check(&page, "report.html", err) < 0)
        return -1;
    return put(store, folder, "report.html", (struct span){ page.data, page.length }, STORE_ALWAYS,
               err);
}

static int put_measurements(struct training *training, struct store *store, const char *folder,
                            struct err *err)
{
    auto_json json_t *json = measurements_encode(training, clock_wall_ms(&clock_system));
    auto_free char *text = json_dumps(json, JSON_INDENT(2));
    if (text == NULL)
        return err_set(err, ERR_INTERNAL, "metrics.json cannot be written");
    return put(store, folder, MEASUREMENTS_FILE, span_of(text), STORE_ALWAYS, err);
}

int artifacts_load(struct stores *stores, const char *folder_uri, struct model *ret_model,
                   char **ret_text, struct err *err)
{
    auto_free char *uri = mem_format("%s" MODEL_FILE, folder_uri);
    auto_free char *text = NULL, *weights = NULL;
    auto_model struct model model = { 0 };
    size_t length, weights_length;
    auto_store struct store *store = store_open(stores, folder_uri, err);
    if (store == NULL)
        return -1;
    if (store_get_text(store, uri, LIMIT_MODEL_DOCUMENT, &text, &length, err) < 0 ||
        model_parse(uri, (struct span){ text, length }, &model, err) < 0)
        return -1;
    auto_free char *weights_uri = mem_format("%s%s", folder_uri, model_weights_file(&model));
    if (store_get_text(store, weights_uri, LIMIT_MODEL_WEIGHTS, &weights, &weights_length, err) <
            0 ||
        model_attach(&model, (struct span){ weights, weights_length }, err) < 0)
        return -1;
    *ret_model = model;
    if (ret_text != NULL)
        *ret_text = TAKE(text);
    model = (struct model){ 0 };
    return 0;
}

/* What says nothing of the object that was to be read. */
static bool is_of_the_way(enum err_kind kind)
{
    return kind == ERR_RETRY || kind == ERR_DENIED || kind == ERR_CANCELED || kind == ERR_IO ||
           kind == ERR_INTERNAL;
}

/* Somebody published under this name before: fine when it is the same. */
static int accept_existing(const struct training *training, const char *folder, struct err *err)
{
    auto_model struct model model = { 0 };
    struct err inner = { 0 };
    if (artifacts_load(training->stores, folder, &model, NULL, &inner) == 0 &&
        strcmp(model.version, training->final.version) == 0)
        return 0;
    if (is_of_the_way(inner.kind)) {
        *err = inner;
        return -1;
    }
    return err_reason(err, ERR_EXISTS, "OutputExists",
                      "%s" MODEL_FILE " is there already, but it is not version %s", folder,
                      training->final.version);
}

static int put_all(struct training *training, struct store *store, const char *folder,
                   const char *final_text, const char *evaluation_text, struct err *err)
{
    auto_free char *evaluation = mem_format("%sevaluation/", folder);
    if (put_model(store, evaluation, &training->evaluation, err) < 0 ||
        put(store, evaluation, MODEL_FILE, span_of(evaluation_text), STORE_ALWAYS, err) < 0 ||
        put_model(store, folder, &training->final, err) < 0 ||
        put_measurements(training, store, folder, err) < 0 ||
        put_report(training, store, folder, err) < 0)
        return -1;
    return put(store, folder, MODEL_FILE, span_of(final_text), STORE_IF_ABSENT, err);
}

int artifacts_publish(struct training *training, const char *final_text,
                      const char *evaluation_text, struct err *err)
{
    const char *folder = arena_format(&training->arena, "%s%s/", artifacts_folder(training),
                                      training->final.version);
    auto_store struct store *store = store_open(training->stores, folder, err);
    if (store == NULL)
        return artifacts_output_failed(err);
    auto_free char *document = mem_format("%s" MODEL_FILE, folder);
    struct store_info info;
    struct err failure = { 0 };
    /* A complete version is left as it is, metrics of its first run included. */
    int outcome = store_stat(store, document, &info, &failure) == 0
                      ? err_set(&failure, ERR_EXISTS, "%s is there", document)
                      : put_all(training, store, folder, final_text, evaluation_text, &failure);
    if (outcome < 0 && failure.kind == ERR_EXISTS) {
        if (accept_existing(training, folder, err) < 0)
            return -1;
    } else if (outcome < 0) {
        *err = failure;
        return artifacts_output_failed(err);
    }
    training->version_uri = folder;
    sha256_of(span_of(final_text), training->document_sha256);
    return 0;
}

/* --- run records --------------------------------------------------------- */

#define LIMIT_RUN_RECORD (64 * KIB)

struct run_record {
    const char *data_uri, *data_sha256, *version;
    struct list metrics;
};
static const struct field record_metric_items[] = {
    FIELD(struct figure, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED),
    FIELD(struct figure, value, "value", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
};
static const struct fields record_metric_fields = FIELDS(struct figure, record_metric_items);
static const struct field record_items[] = {
    FIELD(struct run_record, data_uri, "dataURI", FIELD_STRING, .flags = FIELD_REQUIRED,
          .maximum = LIMIT_URI),
    FIELD(struct run_record, data_sha256, "dataSHA256", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_sha256),
    FIELD(struct run_record, version, "version", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_version),
    FIELD(struct run_record, metrics, "metrics", FIELD_OBJECTS, .maximum = FIGURES_MAXIMUM,
          .table = &record_metric_fields),
};
static const struct fields record_fields = FIELDS(struct run_record, record_items);

static const char *record_uri(struct training *training)
{
    return arena_format(&training->arena, "%sruns/%s.json", artifacts_folder(training),
                        training->job.run_key);
}

int run_record_write(struct training *training, struct err *err)
{
    if (training->job.run_key == NULL)
        return 0;
    struct run_record record = {
        .data_uri = training->history.uri,
        .data_sha256 = training->history.sha256,
        .version = training->final.version,
        .metrics = { training->figures.items, training->figures.count },
    };
    auto_json json_t *json = fields_encode(&record_fields, &record);
    auto_free char *text = jx_canonical(json);
    const char *uri = record_uri(training);
    auto_store struct store *store = store_open(training->stores, uri, err);
    if (store == NULL || store_put_text(store, uri, span_of(text), STORE_ALWAYS, NULL, err) < 0)
        return artifacts_output_failed(err);
    return 0;
}

/* A record that cannot be used is as good as none: training makes a new one. */
static bool read_record(struct arena *arena, struct store *store, const char *uri,
                        struct run_record *ret_record)
{
    struct err ignored;
    auto_free char *text = NULL;
    size_t length;
    if (store_get_text(store, uri, LIMIT_RUN_RECORD, &text, &length, &ignored) < 0)
        return false;
    auto_json json_t *json =
        jx_parse((struct span){ text, length }, LIMIT_RUN_RECORD, uri, &ignored);
    return json != NULL &&
           fields_decode(json, &record_fields, "", arena, ret_record, &ignored) == 0;
}

const char *run_record_version(struct store *store, const char *uri, struct arena *arena)
{
    struct run_record record;
    return read_record(arena, store, uri, &record) ? record.version : NULL;
}

int run_record_find(struct training *training, bool *ret_found, struct err *err)
{
    struct run_record record;
    *ret_found = false;
    if (training->job.run_key == NULL)
        return 0;
    const char *uri = record_uri(training);
    auto_store struct store *store = store_open(training->stores, uri, err);
    if (store == NULL)
        return -1;
    if (!read_record(&training->arena, store, uri, &record) ||
        strcmp(record.data_sha256, training->history.sha256) != 0)
        return 0;
    const char *folder =
        arena_format(&training->arena, "%s%s/", artifacts_folder(training), record.version);
    auto_free char *text = NULL, *inside = mem_format("%sevaluation/", folder);
    auto_model struct model final = { 0 }, evaluation = { 0 };
    struct err ignored;
    if (artifacts_load(training->stores, folder, &final, &text, &ignored) < 0 ||
        artifacts_load(training->stores, inside, &evaluation, NULL, &ignored) < 0 ||
        strcmp(final.version, record.version) != 0)
        return 0;
    training->final = final;
    training->evaluation = evaluation;
    final = evaluation = (struct model){ 0 };
    const struct figure *metrics = record.metrics.items;
    for (size_t i = 0; i < record.metrics.count; i++)
        training->figures.items[training->figures.count++] = metrics[i];
    training->version_uri = folder;
    sha256_of(span_of(text), training->document_sha256);
    *ret_found = true;
    return 0;
}
