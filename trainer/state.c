#include "trainer/state.h"

#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "store/store.h"
#include "trainer/artifacts.h"

#define STATE_FILE "training.json"
/* A margin takes about 20 bytes; ten million rows fit. */
#define LIMIT_STATE (512 * MIB)
#define LIMIT_ROWS  INT32_MAX

/* How many stages are done when one of them is. */
enum { DONE_SPLIT = 2, DONE_FIT = 3, DONE_EVALUATE = 5, DONE_EXPLAIN = 6 };

/* --- training.json ------------------------------------------------------- */

struct saved_candidate {
    int algorithm;
    double max_depth, min_child_weight, learning_rate, lambda, rounds;
    bool is_symmetric;
    double noise, inputs, l2, log_loss, weight;
    double encoding, hidden_layers, hidden_units, dropout, weight_decay, schedule, members;
};
static const struct field candidate_items[] = {
    FIELD(struct saved_candidate, algorithm, "algorithm", FIELD_ENUM,
          .flags = FIELD_REQUIRED | FIELD_KEEP, .names = model_algorithm_names),
    FIELD(struct saved_candidate, max_depth, "maxDepth", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, min_child_weight, "minChildWeight", FIELD_DOUBLE,
          .fallback = "0"),
    FIELD(struct saved_candidate, learning_rate, "learningRate", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, lambda, "lambda", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, is_symmetric, "symmetric", FIELD_BOOL, .fallback = "false"),
    FIELD(struct saved_candidate, noise, "noise", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, rounds, "trees", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, inputs, "inputs", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, l2, "l2", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, log_loss, "logLoss", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
    FIELD(struct saved_candidate, weight, "weight", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, encoding, "encoding", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, hidden_layers, "hiddenLayers", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, hidden_units, "hiddenUnits", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, dropout, "dropout", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, weight_decay, "weightDecay", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, schedule, "epochs", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_candidate, members, "ensemble", FIELD_DOUBLE, .fallback = "0"),
};
static const struct fields candidate_fields = FIELDS(struct saved_candidate, candidate_items);

static const struct field figure_items[] = {
    FIELD(struct figure, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED),
    FIELD(struct figure, value, "value", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
};
static const struct fields figure_fields = FIELDS(struct figure, figure_items);

struct saved_state {
    const char *uri, *sha256;
    struct strings warnings;
    struct doubles fold;
    double duplicates;
    struct list candidates;
    double chosen;
    const char *why;
    struct doubles out_of_fold;
    double slope, intercept, threshold;
    struct doubles holdout;
    struct list figures;
    struct doubles importance, direction;
    double additivity_error;
};
static const struct field state_items[] = {
    FIELD(struct saved_state, uri, "dataURI", FIELD_STRING, .flags = FIELD_REQUIRED,
          .maximum = LIMIT_URI),
    FIELD(struct saved_state, sha256, "dataSHA256", FIELD_STRING, .flags = FIELD_REQUIRED,
          .minimum = 64, .maximum = 64),
    FIELD(struct saved_state, warnings, "warnings", FIELD_STRINGS, .maximum = TRAINING_WARNINGS),
    FIELD(struct saved_state, duplicates, "duplicates", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_state, candidates, "candidates", FIELD_OBJECTS, .maximum = SEARCH_CANDIDATES,
          .table = &candidate_fields),
    FIELD(struct saved_state, chosen, "chosen", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_state, why, "why", FIELD_STRING),
    FIELD(struct saved_state, slope, "slope", FIELD_DOUBLE, .fallback = "1"),
    FIELD(struct saved_state, intercept, "intercept", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_state, threshold, "threshold", FIELD_DOUBLE, .fallback = "0.5"),
    FIELD(struct saved_state, figures, "figures", FIELD_OBJECTS, .maximum = FIGURES_MAXIMUM,
          .table = &figure_fields),
    FIELD(struct saved_state, importance, "importance", FIELD_DOUBLES,
          .maximum = LIMIT_CSV_COLUMNS),
    FIELD(struct saved_state, direction, "direction", FIELD_DOUBLES, .maximum = LIMIT_CSV_COLUMNS),
    FIELD(struct saved_state, additivity_error, "additivityError", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_state, fold, "folds", FIELD_DOUBLES, .maximum = LIMIT_ROWS),
    FIELD(struct saved_state, out_of_fold, "outOfFold", FIELD_DOUBLES, .maximum = LIMIT_ROWS),
    FIELD(struct saved_state, holdout, "holdout", FIELD_DOUBLES, .maximum = LIMIT_ROWS),
};
static const struct fields state_fields = FIELDS(struct saved_state, state_items);

static int damaged(const char *what, struct err *err)
{
    return err_reason(err, ERR_INVALID, "DataInvalid", STATE_FILE ": %s does not fit the history",
                      what);
}

/* --- files --------------------------------------------------------------- */

static int read_file(const char *folder, const char *name, size_t maximum, struct buf *out,
                     struct err *err)
{
    auto_free char *path = mem_format("%s/%s", folder, name);
    buf_init(out, maximum);
    return file_read(path, out, err);
}

/* A file of a local folder as a URI; the caller frees. */
static char *local_uri(const char *folder, const char *name)
{
    auto_free char *absolute = realpath(folder, NULL);
    return mem_format("file://%s/%s", absolute == NULL ? folder : absolute, name);
}

static void set_copy(struct training *training, const char *folder)
{
    auto_free char *uri = local_uri(folder, store_name(training->history.uri));
    training->history.copy_uri = arena_strdup(&training->arena, uri);
}

/* Whole or not at all: a stage that was interrupted is run again, maybe in the same folder. */
static int write_file(const char *folder, const char *name, struct span bytes, struct err *err)
{
    auto_free char *uri = local_uri(folder, name);
    auto_store struct store *store = store_open(NULL, uri, err);
    if (store == NULL || store_put_text(store, uri, bytes, STORE_ALWAYS, NULL, err) < 0)
        return artifacts_output_failed(err);
    return 0;
}

static int copy_bytes(struct store_reader *reader, struct store_writer *writer, struct err *err)
{
    for (;;) {
        char block[64 * 1024];
        size_t length;
        if (byte_source_read(store_reader_source(reader), block, sizeof(block), &length, err) < 0)
            return -1;
        if (length == 0)
            return store_writer_commit(writer, NULL, err) < 0 ? artifacts_output_failed(err) : 0;
        if (store_writer_append(writer, block, length, err) < 0)
            return artifacts_output_failed(err);
    }
}

/* `generation`: what the object must be, or NULL. */
static int copy_object(struct stores *stores, const char *uri, const char *generation,
                       const char *folder, struct err *err)
{
    auto_free char *target = local_uri(folder, store_name(uri));
    auto_store struct store *from = store_open(stores, uri, err);
    if (from == NULL)
        return -1;
    auto_store struct store *to = store_open(NULL, target, err);
    if (to == NULL)
        return -1;
    auto_store_reader struct store_reader *reader =
        store_get(from, uri, generation, NULL, NULL, err);
    if (reader == NULL)
        return -1;
    auto_store_writer struct store_writer *writer = store_put(to, target, STORE_ALWAYS, NULL, err);
    return writer == NULL ? artifacts_output_failed(err) : copy_bytes(reader, writer, err);
}

/* A file of the stage before, unless both folders are the same place. */
static int pass_on(const char *in, const char *out, const char *name, struct err *err)
{
    auto_free char *source = local_uri(in, name);
    auto_free char *target = mem_format("%s/%s", out, name);
    return access(target, F_OK) == 0 ? 0 : copy_object(NULL, source, NULL, out, err);
}

/* --- saving -------------------------------------------------------------- */

static struct saved_candidate save_candidate(const struct candidate *candidate)
{
    return (struct saved_candidate){
        .algorithm = (int)candidate->algorithm,
        .max_depth = candidate->boost.max_depth,
        .min_child_weight = candidate->boost.min_child_weight,
        .learning_rate = candidate->algorithm == MODEL_NEURAL_NETWORK
                             ? candidate->network.learning_rate
                             : candidate->boost.learning_rate,
        .lambda = candidate->boost.lambda,
        .is_symmetric = candidate->is_symmetric,
        .noise = candidate->noise,
        .rounds = candidate->rounds,
        .inputs = candidate->inputs,
        .l2 = candidate->l2,
        .log_loss = candidate->log_loss,
        .weight = candidate->weight,
        .encoding = candidate->network.encoding,
        .hidden_layers = candidate->network.hidden_layers,
        .hidden_units = candidate->network.hidden_units,
        .dropout = candidate->network.dropout,
        .weight_decay = candidate->network.weight_decay,
        .schedule = candidate->network.schedule,
        .members = candidate->network.members,
    };
}

static struct doubles doubles_of(double *items, size_t count)
{
    return (struct doubles){ items, items == NULL ? 0 : count };
}

static char *encode_state(const struct training *training)
{
    const struct folds *folds = &training->folds;
    struct saved_candidate candidates[SEARCH_CANDIDATES];
    for (size_t i = 0; i < training->search.count; i++)
        candidates[i] = save_candidate(&training->search.candidates[i]);
    size_t rows = folds->fold == NULL ? 0 : training->table.row_count;
    auto_free double *fold = mem_zero(rows, sizeof(*fold));
    for (size_t i = 0; i < rows; i++)
        fold[i] = folds->fold[i];
    struct saved_state state = {
        .uri = training->history.uri,
        .sha256 = training->history.sha256,
        .warnings = { (const char **)training->warnings, training->warning_count },
        .fold = { fold, rows },
        .duplicates = (double)folds->duplicates,
        .candidates = { candidates, training->search.count },
        .chosen = (double)training->search.chosen,
        .why = training->search.count > 0 ? training->search.why : NULL,
        .out_of_fold = doubles_of(training->search.margins, folds->searched_count),
        .slope = training->final.calibration.slope,
        .intercept = training->final.calibration.intercept,
        .threshold = training->final.threshold,
        .holdout = doubles_of(training->holdout_margins, folds->holdout_count),
        .figures = { (void *)training->figures.items, training->figures.count },
        .importance = doubles_of(training->importance, training->final.features.source_count),
        .direction = doubles_of(training->direction, training->final.features.source_count),
        .additivity_error = training->additivity_error,
    };
    auto_json json_t *json = fields_encode(&state_fields, &state);
    return jx_canonical(json);
}

static int save_weights(const struct model *model, const char *folder, const char *name,
                        struct err *err)
{
    auto_json json_t *json = model->linear == NULL ? NULL : linear_to_json(model->linear);
    auto_free char *text = json == NULL ? NULL : jx_canonical(json);
    struct span bytes =
        text == NULL ? (struct span){ model->weights, model->weights_size } : span_of(text);
    return write_file(folder, name, bytes, err);
}

int state_save(const struct training *training, const char *in, const char *out, size_t stages_done,
               struct err *err)
{
    auto_free char *text = encode_state(training);
    if (pass_on(in, out, "job.json", err) < 0 || pass_on(in, out, training->history.name, err) < 0)
        return -1;
    if (stages_done >= DONE_FIT &&
        (save_weights(&training->evaluation, out, "evaluation", err) < 0 ||
         save_weights(&training->final, out, "final", err) < 0))
        return -1;
    return write_file(out, STATE_FILE, span_of(text), err); /* last: it speaks of the others */
}

/* --- loading ------------------------------------------------------------- */

static void load_candidate(const struct saved_candidate *saved, struct candidate *candidate)
{
    *candidate = (struct candidate){
        .algorithm = (enum model_algorithm)saved->algorithm,
        .boost = { .max_depth = (int)saved->max_depth,
                   .min_child_weight = saved->min_child_weight,
                   .learning_rate = saved->learning_rate,
                   .lambda = saved->lambda },
        .is_symmetric = saved->is_symmetric,
        .noise = saved->noise,
        .rounds = (unsigned)saved->rounds,
        .inputs = saved->inputs > 0 ? LINEAR_QUANTILES : LINEAR_STANDARDISED,
        .l2 = saved->l2,
        .log_loss = saved->log_loss,
        .weight = saved->weight,
    };
    if (candidate->algorithm == MODEL_NEURAL_NETWORK)
        candidate->network = (struct network_options){
            .encoding = saved->encoding > 0 ? NETWORK_PIECEWISE : NETWORK_QUANTILES,
            .hidden_layers = (unsigned)saved->hidden_layers,
            .hidden_units = (unsigned)saved->hidden_units,
            .dropout = saved->dropout,
            .learning_rate = saved->learning_rate,
            .weight_decay = saved->weight_decay,
            .schedule = (unsigned)saved->schedule,
            .members = (unsigned)saved->members,
        };
}

static double *copy_doubles(const struct doubles *source)
{
    double *copy = mem_zero(source->count, sizeof(*copy));
    if (source->count > 0)
        memcpy(copy, source->items, source->count * sizeof(*copy));
    return copy;
}

static int load_folds(struct training *training, const struct saved_state *state, struct err *err)
{
    struct folds *folds = &training->folds;
    if (state->fold.count != training->table.row_count)
        return damaged("folds", err);
    folds->fold_count = (unsigned)training->job.training.validation->folds;
    folds->fold = mem_zero(state->fold.count, 1);
    folds->duplicates = (size_t)state->duplicates;
    for (size_t i = 0; i < state->fold.count; i++) {
        double fold = state->fold.items[i];
        if (fold != FOLD_HOLDOUT && fold != FOLD_COPY && !(fold >= 0 && fold < folds->fold_count))
            return damaged("folds", err);
        folds->fold[i] = (uint8_t)fold;
    }
    folds_list(folds, &training->table, training->job.training.seed);
    return 0;
}

static int load_search(struct training *training, const struct saved_state *state, struct err *err)
{
    const struct saved_candidate *candidates = state->candidates.items;
    if (state->out_of_fold.count != training->folds.searched_count ||
        !(state->chosen >= 0 && state->chosen < (double)state->candidates.count))
        return damaged("candidates", err);
    training->search.count = state->candidates.count;
    training->search.chosen = (size_t)state->chosen;
    for (size_t i = 0; i < state->candidates.count; i++)
        load_candidate(&candidates[i], &training->search.candidates[i]);
    snprintf(training->search.why, sizeof(training->search.why), "%s",
             state->why == NULL ? "" : state->why);
    training->search.margins = copy_doubles(&state->out_of_fold);
    return 0;
}

static int load_model(struct training *training, const char *folder, const char *name,
                      const uint32_t *rows, size_t count, struct model *model, struct err *err)
{
    const struct candidate *chosen = &training->search.candidates[training->search.chosen];
    auto_buf struct buf bytes;
    if (training_begin_model(training, rows, count, model, err) < 0 ||
        read_file(folder, name, LIMIT_MODEL_WEIGHTS, &bytes, err) < 0)
        return -1;
    model->algorithm = chosen->algorithm;
    if (chosen->algorithm == MODEL_GRADIENT_BOOSTING) {
        model->weights_size = bytes.length;
        model->weights = buf_take(&bytes);
        return 0;
    }
    struct span span = { bytes.data, bytes.length };
    if (chosen->algorithm == MODEL_NEURAL_NETWORK) {
        auto_network struct network network = { 0 };
        if (network_decode(span, model->features.count, &network, err) < 0)
            return -1;
        return model_take_network(model, &network, err);
    }
    auto_json json_t *json = jx_parse(span, LIMIT_MODEL_DOCUMENT, name, err);
    struct linear linear;
    if (json == NULL || linear_from_json(json, model->features.count, &linear, err) < 0)
        return -1;
    model->linear = mem_alloc(sizeof(linear));
    *model->linear = linear;
    return 0;
}

static int load_models(struct training *training, const struct saved_state *state,
                       const char *folder, struct err *err)
{
    const struct folds *folds = &training->folds;
    auto_free uint32_t *all = training_all_rows(&training->table);
    if (load_model(training, folder, "evaluation", folds->training, folds->training_count,
                   &training->evaluation, err) < 0 ||
        load_model(training, folder, "final", all, training->table.row_count, &training->final,
                   err) < 0)
        return -1;
    training->evaluation.calibration = (struct calibration){ state->slope, state->intercept };
    training->evaluation.threshold = state->threshold;
    training->final.calibration = training->evaluation.calibration;
    training->final.threshold = training->evaluation.threshold;
    return 0;
}

static int load_results(struct training *training, const struct saved_state *state,
                        size_t stages_done, struct err *err)
{
    const struct figure *figures = state->figures.items;
    if (stages_done < DONE_EVALUATE)
        return 0;
    if (state->holdout.count != training->folds.holdout_count)
        return damaged("holdout", err);
    training->holdout_margins = copy_doubles(&state->holdout);
    training->figures.count = state->figures.count;
    for (size_t i = 0; i < state->figures.count; i++)
        training->figures.items[i] = figures[i];
    if (stages_done < DONE_EXPLAIN)
        return 0;
    if (state->importance.count != training->final.features.source_count ||
        state->direction.count != training->final.features.source_count)
        return damaged("importance", err);
    training->importance = copy_doubles(&state->importance);
    training->direction = copy_doubles(&state->direction);
    training->additivity_error = state->additivity_error;
    return 0;
}

static int load_history(struct training *training, const struct saved_state *state,
                        const char *folder, struct err *err)
{
    training->history.uri = state->uri;
    set_copy(training, folder);
    if (stage_ingest(training, err) < 0)
        return -1;
    if (strcmp(training->history.sha256, state->sha256) != 0)
        return damaged("dataSHA256", err);
    /* Reading said its warnings again. */
    training->warning_count = state->warnings.count;
    for (size_t i = 0; i < state->warnings.count; i++)
        training->warnings[i] = state->warnings.items[i];
    return 0;
}

int state_load(struct training *training, const char *folder, size_t stages_done, struct err *err)
{
    auto_free char *job_path = mem_format("%s/job.json", folder);
    if (train_job_read(job_path, &training->arena, &training->job, err) < 0)
        return -1;
    if (stages_done == 0)
        return 0;
    auto_free char *path = mem_format("%s/" STATE_FILE, folder);
    auto_json json_t *json = jx_parse_file(path, LIMIT_STATE, err);
    struct saved_state state;
    if (json == NULL)
        return -1;
    if (fields_decode(json, &state_fields, STATE_FILE, &training->arena, &state, err) < 0 ||
        load_history(training, &state, folder, err) < 0)
        return -1;
    if (stages_done >= DONE_SPLIT && load_folds(training, &state, err) < 0)
        return -1;
    if (stages_done >= DONE_FIT &&
        (load_search(training, &state, err) < 0 || load_models(training, &state, folder, err) < 0))
        return -1;
    return load_results(training, &state, stages_done, err);
}

/* --- the history --------------------------------------------------------- */

int state_fetch_history(struct training *training, const char *folder, struct err *err)
{
    const struct data_spec *data = training->job.training.data;
    struct history *history = &training->history;
    if (history_locate(history, training->stores, data->uri, &training->arena, err) < 0 ||
        copy_object(training->stores, history->uri, data->generation, folder, err) < 0)
        return -1;
    set_copy(training, folder);
    return 0;
}
