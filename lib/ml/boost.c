#include "ml/boost.h"

#include <math.h>
#include <xgboost/c_api.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "ml/forest_check.h"

#define MAX_BIN 256

struct booster {
    BoosterHandle handle;
    DMatrixHandle contributions_input; /* owns what booster_contributions() lent */
};

static void free_matrix(DMatrixHandle *matrix)
{
    if (*matrix != NULL)
        (void)XGDMatrixFree(*matrix);
}
#define auto_matrix __attribute__((cleanup(free_matrix)))

/* std::set_new_handler(): what operator new calls before it gives up. */
void (*set_new_handler(void (*handler)(void)))(void) __asm__("_ZSt15set_new_handlerPFvvE");

/* An allocation that fails within XGBoost ends the process like one of ours: its exceptions end it
 * too, in some places, with SIGABRT. */
__attribute__((constructor)) static void use_our_end(void)
{
    (void)set_new_handler(mem_exhausted);
}

/* XGBoost keeps its last error per thread: read it at once. */
static int xgboost_failed(struct err *err, const char *action)
{
    const char *message = XGBGetLastError();
    return err_set(err, ERR_INTERNAL, "xgboost cannot %s: %.*s", action,
                   (int)strcspn(message, "\n"), message); /* without its stack trace */
}

void booster_free(struct booster *booster)
{
    if (booster == NULL)
        return;
    if (booster->handle != NULL)
        (void)XGBoosterFree(booster->handle);
    free_matrix(&booster->contributions_input);
    free(booster);
}

void booster_cleanup(struct booster **booster)
{
    booster_free(*booster);
}

void boost_curve_release(struct boost_curve *curve)
{
    free(curve->losses);
    *curve = (struct boost_curve){ 0 };
}

static int set_labels(DMatrixHandle handle, const uint8_t *labels, size_t count, struct err *err)
{
    auto_free float *targets = mem_zero(count, sizeof(*targets));
    for (size_t i = 0; i < count; i++)
        targets[i] = labels[i] ? 1 : 0;
    if (XGDMatrixSetFloatInfo(handle, "label", targets, count) != 0)
        return xgboost_failed(err, "take the labels");
    return 0;
}

static int make_matrix(struct matrix matrix, const uint8_t *labels, DMatrixHandle *ret_handle,
                       struct err *err)
{
    auto_matrix DMatrixHandle handle = NULL;
    if (XGDMatrixCreateFromMat_omp(matrix.values, matrix.rows, matrix.columns, NAN, &handle, 1) !=
        0)
        return xgboost_failed(err, "take the rows");
    if (labels != NULL && set_labels(handle, labels, matrix.rows, err) < 0)
        return -1;
    *ret_handle = TAKE(handle);
    return 0;
}

/* A source on its way into XGBoost, which reads it several times. */
struct feed {
    const struct row_source *source;
    DMatrixHandle proxy; /* holds the block that is read */
    float *block;
    size_t next; /* row */
};

static void rewind_feed(DataIterHandle handle)
{
    ((struct feed *)handle)->next = 0;
}

/* 1: there was a block; 0: none is left. */
static int feed_block(DataIterHandle handle)
{
    struct feed *feed = handle;
    if (feed->next == feed->source->rows)
        return 0;
    char array[160];
    size_t count = row_source_length(feed->source, feed->next);
    const float *rows = row_source_block(feed->source, feed->next, count, feed->block);
    feed->next += count;
    snprintf(array, sizeof(array),
             "{\"data\": [%" PRIuPTR ", true], \"shape\": [%zu, %zu], \"typestr\": \"<f4\", "
             "\"version\": 3}",
             (uintptr_t)rows, count, feed->source->columns);
    return XGProxyDMatrixSetDataDense(feed->proxy, array) == 0;
}

/* The rows as columns of quantiles: a byte a value, four where some are missing. */
static int make_quantised(const struct row_source *source, const uint8_t *labels,
                          DMatrixHandle *ret_handle, struct err *err)
{
    auto_matrix DMatrixHandle proxy = NULL, handle = NULL;
    auto_free float *block = mem_zero(ROW_SOURCE_BLOCK * source->columns, sizeof(*block));
    char options[80];
    snprintf(options, sizeof(options), "{\"missing\": NaN, \"nthread\": 1, \"max_bin\": %d}",
             MAX_BIN);
    if (XGProxyDMatrixCreate(&proxy) != 0)
        return xgboost_failed(err, "make a proxy");
    struct feed feed = { source, proxy, block, 0 };
    if (XGQuantileDMatrixCreateFromCallback(&feed, proxy, NULL, rewind_feed, feed_block, options,
                                            &handle) != 0)
        return xgboost_failed(err, "take the rows");
    if (set_labels(handle, labels, source->rows, err) < 0)
        return -1;
    *ret_handle = TAKE(handle);
    return 0;
}

static int set_text(struct booster *booster, const char *name, const char *value, struct err *err)
{
    if (XGBoosterSetParam(booster->handle, name, value) != 0)
        return xgboost_failed(err, "set a parameter");
    return 0;
}

static int set_number(struct booster *booster, const char *name, double value, struct err *err)
{
    char text[NUM_DOUBLE_TEXT];
    num_format_double(value, text);
    return set_text(booster, name, text, err);
}

/* Boosting starts from the share of positives rather than from one half. */
static double base_rate(const uint8_t *labels, size_t count)
{
    size_t positives = 0;
    for (size_t i = 0; i < count; i++)
        positives += labels[i];
    return fmin(fmax((double)positives / (double)count, 1e-6), 1 - 1e-6);
}

/* "(0,1,-1)" */
static int set_monotone(struct booster *booster, const int8_t *monotone, size_t columns,
                        struct err *err)
{
    auto_buf struct buf text;
    buf_init(&text, columns * 3 + 2);
    for (size_t i = 0; i < columns; i++)
        buf_format(&text, "%s%d", i == 0 ? "(" : ",", monotone[i]);
    buf_string(&text, ")");
    return set_text(booster, "monotone_constraints", buf_text(&text), err);
}

static int set_options(struct booster *booster, const struct boost_options *options, size_t columns,
                       double base_score, struct err *err)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        { "nthread", 1 },
        { "verbosity", 0 },
        { "max_bin", MAX_BIN },
        { "base_score", base_score },
        { "max_depth", options->max_depth },
        { "eta", options->learning_rate },
        { "min_child_weight", options->min_child_weight },
        { "lambda", options->lambda },
    };
    if (set_text(booster, "objective", "binary:logistic", err) < 0 ||
        set_text(booster, "tree_method", "hist", err) < 0 ||
        (options->monotone != NULL && set_monotone(booster, options->monotone, columns, err) < 0))
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (set_number(booster, numbers[i].name, numbers[i].value, err) < 0)
            return -1;
    }
    return 0;
}

/* `inputs`: matrices whose margins the booster shall cache. */
static struct booster *make_booster(const DMatrixHandle *inputs, size_t count, struct err *err)
{
    auto_booster struct booster *booster = mem_zero(1, sizeof(*booster));
    if (XGBoosterCreate(inputs, count, &booster->handle) != 0) {
        xgboost_failed(err, "make a booster");
        return NULL;
    }
    return TAKE(booster);
}

struct booster *booster_train(const struct boost_options *options, struct row_source train,
                              const uint8_t *labels, unsigned rounds, struct err *err)
{
    auto_matrix DMatrixHandle input = NULL;
    if (make_quantised(&train, labels, &input, err) < 0)
        return NULL;
    auto_booster struct booster *booster = make_booster(&input, 1, err);
    double base = base_rate(labels, train.rows);
    if (booster == NULL || set_options(booster, options, train.columns, base, err) < 0)
        return NULL;
    for (unsigned round = 0; round < rounds; round++) {
        if (XGBoosterUpdateOneIter(booster->handle, (int)round, input) != 0) {
            xgboost_failed(err, "grow a tree");
            return NULL;
        }
    }
    return TAKE(booster);
}

/* Margins of a matrix, borrowed from the booster until its next use. */
static int lend_margins(struct booster *booster, DMatrixHandle input, unsigned rounds,
                        const float **ret_margins, struct err *err)
{
    char options[128];
    snprintf(options, sizeof(options),
             "{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": %u, "
             "\"strict_shape\": false}",
             rounds);
    const bst_ulong *shape;
    bst_ulong dimensions;
    if (XGBoosterPredictFromDMatrix(booster->handle, input, options, &shape, &dimensions,
                                    ret_margins) != 0)
        return xgboost_failed(err, "score");
    return 0;
}

static double loss_of_margins(const float *margins, const uint8_t *labels, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double margin = (double)margins[i];
        sum += log1p(exp(-fabs(margin))) + fmax(margin, 0) - (labels[i] ? margin : 0);
    }
    return sum / (double)count;
}

/* Grows trees while the curve still falls. */
static int grow(struct booster *booster, DMatrixHandle train, DMatrixHandle validation,
                const uint8_t *validation_labels, size_t validation_rows, unsigned patience,
                struct boost_curve *curve, size_t maximum_rounds, struct err *err)
{
    size_t best = 0;
    while (curve->count < maximum_rounds && curve->count - best <= patience) {
        const float *margins;
        if (XGBoosterUpdateOneIter(booster->handle, (int)curve->count, train) != 0)
            return xgboost_failed(err, "grow a tree");
        if (lend_margins(booster, validation, 0, &margins, err) < 0)
            return -1;
        curve->losses[curve->count] = loss_of_margins(margins, validation_labels, validation_rows);
        if (curve->losses[curve->count] < curve->losses[best])
            best = curve->count;
        curve->count++;
    }
    return 0;
}

int booster_search(const struct boost_options *options, struct matrix train,
                   const uint8_t *train_labels, struct matrix validation,
                   const uint8_t *validation_labels, unsigned maximum_rounds, unsigned patience,
                   struct boost_curve *ret_curve, struct booster **ret_booster, struct err *err)
{
    auto_matrix DMatrixHandle train_input = NULL, validation_input = NULL;
    if (make_matrix(train, train_labels, &train_input, err) < 0 ||
        make_matrix(validation, validation_labels, &validation_input, err) < 0)
        return -1;
    const DMatrixHandle inputs[] = { train_input, validation_input };
    auto_booster struct booster *booster = make_booster(inputs, ARRAY_SIZE(inputs), err);
    double base = base_rate(train_labels, train.rows);
    if (booster == NULL || set_options(booster, options, train.columns, base, err) < 0)
        return -1;
    struct boost_curve curve = { .losses = mem_zero(maximum_rounds, sizeof(*curve.losses)) };
    if (grow(booster, train_input, validation_input, validation_labels, validation.rows, patience,
             &curve, maximum_rounds, err) < 0) {
        boost_curve_release(&curve);
        return -1;
    }
    *ret_curve = curve;
    if (ret_booster != NULL)
        *ret_booster = TAKE(booster);
    return 0;
}

int booster_margins(struct booster *booster, struct matrix matrix, unsigned rounds,
                    double *ret_margins, struct err *err)
{
    if (matrix.rows == 0)
        return 0;
    auto_matrix DMatrixHandle input = NULL;
    const float *margins;
    int trees;
    if (XGBoosterBoostedRounds(booster->handle, &trees) != 0)
        return xgboost_failed(err, "count its trees");
    if (rounds > (unsigned)trees)
        rounds = (unsigned)trees;
    if (make_matrix(matrix, NULL, &input, err) < 0 ||
        lend_margins(booster, input, rounds, &margins, err) < 0)
        return -1;
    for (size_t i = 0; i < matrix.rows; i++)
        ret_margins[i] = (double)margins[i];
    return 0;
}

int booster_contributions(struct booster *booster, struct matrix matrix, const float **ret_values,
                          struct err *err)
{
    const char *options = "{\"type\": 2, \"training\": false, \"iteration_begin\": 0, "
                          "\"iteration_end\": 0, \"strict_shape\": false}";
    free_matrix(&booster->contributions_input);
    booster->contributions_input = NULL;
    const bst_ulong *shape;
    bst_ulong dimensions;
    if (make_matrix(matrix, NULL, &booster->contributions_input, err) < 0)
        return -1;
    if (XGBoosterPredictFromDMatrix(booster->handle, booster->contributions_input, options, &shape,
                                    &dimensions, ret_values) != 0)
        return xgboost_failed(err, "explain");
    return 0;
}

int booster_save(struct booster *booster, char **ret_bytes, size_t *ret_size, struct err *err)
{
    bst_ulong size;
    const char *bytes;
    if (XGBoosterSaveModelToBuffer(booster->handle, "{\"format\": \"ubj\"}", &size, &bytes) != 0)
        return xgboost_failed(err, "save the model");
    *ret_bytes = mem_alloc(size);
    memcpy(*ret_bytes, bytes, size);
    *ret_size = size;
    return 0;
}

struct booster *booster_load(struct span bytes, size_t columns, struct err *err)
{
    if (forest_check(bytes, columns, err) < 0)
        return NULL;
    auto_booster struct booster *booster = make_booster(NULL, 0, err);
    if (booster == NULL || set_number(booster, "nthread", 1, err) < 0 ||
        set_number(booster, "verbosity", 0, err) < 0)
        return NULL;
    if (XGBoosterLoadModelFromBuffer(booster->handle, bytes.data, bytes.length) != 0) {
        err_reason(err, ERR_INVALID, "DataInvalid", "not an XGBoost model");
        return NULL;
    }
    return TAKE(booster);
}
