/* bench-kernel: the parts of scoring, each by itself on one thread.
 *
 * Prints CPU seconds of parsing (CSV to typed values), encoding, predicting and explaining as one
 * JSON object, and of the last three for a row that comes alone, as in serving. Beside them stands
 * what copying as many bytes as the file has takes. With --dump it writes what went into the model
 * and came out, so that another implementation can be held against it: rows x features float32,
 * then rows x sources float64 contributions in log-odds, then rows float64 margins, all
 * little-endian and row-major. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/options.h"
#include "csv_file.h"
#include "ml/model.h"

#define BLOCK_RECORDS 4096
#define BLOCK_ROWS    1024 /* that the model sees at once */
#define SINGLE_ROWS   2000 /* that come alone, at most */
#define REASONS       3

struct arguments {
    int64_t rows;
    bool explain;
    const char *dump;
};

static const struct option options[] = {
    { "rows", OPTION_INT, offsetof(struct arguments, rows), .fallback = "10000", .minimum = 1,
      .maximum = INT32_MAX, .argument = "N", .help = "rows to read at most" },
    { "explain", OPTION_FLAG, offsetof(struct arguments, explain), .fallback = "true",
      .help = "SHAP values too, which take longest" },
    { "dump", OPTION_TEXT, offsetof(struct arguments, dump), .argument = "FILE",
      .help = "where inputs and outputs go" },
};

static const struct program program = {
    .name = "bench-kernel",
    .synopsis = "[options] MODEL-FOLDER FILE.csv",
    .description = "Times the parts of scoring.",
    .options = options,
    .option_count = ARRAY_SIZE(options),
    .maximum_operands = 2,
};

struct measurement {
    size_t rows, capacity;
    double *values;  /* capacity x sources, decoded */
    float *encoded;  /* rows x features */
    double *margins; /* rows */
    double *reasons; /* rows x sources */
    double parse_s, encode_s, predict_s, explain_s;
    double single_s; /* a row alone: encoded, scored, with reasons */
    double copy_s;   /* the bytes of the file */
};

static void measurement_release(struct measurement *measurement)
{
    free(measurement->values);
    free(measurement->encoded);
    free(measurement->margins);
    free(measurement->reasons);
}
#define auto_measurement __attribute__((cleanup(measurement_release)))

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int read_part(const char *folder, const char *name, struct buf *out, struct err *err)
{
    auto_free char *path = mem_format("%s/%s", folder, name);
    return file_read(path, out, err);
}

static int load_model(const char *folder, struct model *model, struct err *err)
{
    auto_buf struct buf document, weights;
    buf_init(&document, LIMIT_MODEL_DOCUMENT);
    buf_init(&weights, LIMIT_MODEL_WEIGHTS);
    if (read_part(folder, MODEL_FILE, &document, err) != 0 ||
        model_parse(MODEL_FILE, (struct span){ document.data, document.length }, model, err) != 0 ||
        read_part(folder, model_weights_file(model), &weights, err) != 0)
        return -1;
    return model_attach(model, (struct span){ weights.data, weights.length }, err);
}

/* Bad records are left out, as in scoring. */
static int parse_block(const struct features *features, const size_t *cells,
                       struct csv_block *block, struct measurement *measurement, struct err *err)
{
    enum csv_outcome outcome;
    struct csv_record record;
    struct row_fault fault;
    uint64_t unseen = 0;
    while (measurement->rows < measurement->capacity) {
        double *values = measurement->values + measurement->rows * features->source_count;
        if (csv_next(block, &outcome, &record, &fault, err) != 0)
            return -1;
        if (outcome == CSV_END)
            break;
        if (outcome == CSV_RECORD &&
            features_decode(features, cells, &record, values, &fault, &unseen))
            measurement->rows++;
    }
    return 0;
}

static int parse(const struct features *features, const char *path, struct measurement *measurement,
                 struct err *err)
{
    auto_csv_file struct csv_file file = { 0 };
    auto_csv_block struct csv_block block = { 0 };
    auto_free size_t *cells = NULL;
    bool any = true;
    double start = cpu_seconds();
    if (csv_file_open(path, &file, err) != 0 ||
        features_match(features, file.reader, &cells, err) != 0)
        return -1;
    while (any && measurement->rows < measurement->capacity) {
        if (csv_read_block(file.reader, BLOCK_RECORDS, &block, &any, err) != 0)
            return -1;
        if (any && parse_block(features, cells, &block, measurement, err) != 0)
            return -1;
    }
    measurement->parse_s = cpu_seconds() - start;
    return 0;
}

static void encode(const struct features *features, struct measurement *measurement)
{
    double start = cpu_seconds();
    measurement->encoded = mem_alloc(measurement->rows * features->count * sizeof(float) + 1);
    for (size_t i = 0; i < measurement->rows; i++)
        features_encode(features, measurement->values + i * features->source_count,
                        measurement->encoded + i * features->count);
    measurement->encode_s = cpu_seconds() - start;
}

static size_t block_rows(const struct measurement *measurement, size_t first)
{
    size_t left = measurement->rows - first;
    return left < BLOCK_ROWS ? left : BLOCK_ROWS;
}

static void predict(const struct model *model, struct model_session *session,
                    struct measurement *measurement)
{
    double start = cpu_seconds();
    measurement->margins = mem_zero(measurement->rows + 1, sizeof(double));
    for (size_t i = 0; i < measurement->rows; i += BLOCK_ROWS)
        model_margins(session, measurement->encoded + i * model->features.count,
                      block_rows(measurement, i), measurement->margins + i);
    measurement->predict_s = cpu_seconds() - start;
}

static void explain(const struct model *model, struct model_session *session,
                    struct measurement *measurement)
{
    size_t sources = model->features.source_count;
    double base, start = cpu_seconds();
    measurement->reasons = mem_zero(measurement->rows * sources + 1, sizeof(double));
    for (size_t i = 0; i < measurement->rows; i += BLOCK_ROWS)
        model_contributions(session, measurement->encoded + i * model->features.count,
                            block_rows(measurement, i), measurement->reasons + i * sources, &base);
    measurement->explain_s = cpu_seconds() - start;
}

static void score_alone(const struct model *model, struct model_session *session,
                        struct measurement *measurement)
{
    size_t rows = measurement->rows < SINGLE_ROWS ? measurement->rows : SINGLE_ROWS;
    auto_free float *encoded = mem_zero(model->features.count, sizeof(*encoded));
    double start = cpu_seconds();
    for (size_t i = 0; i < rows; i++) {
        struct score_reason reasons[REASONS];
        double probability;
        features_encode(&model->features, measurement->values + i * model->features.source_count,
                        encoded);
        model_score(session, encoded, 1, REASONS, &probability, reasons);
    }
    measurement->single_s = rows > 0 ? (cpu_seconds() - start) / (double)rows : 0;
}

/* The limit of all that reads every byte. */
static int copy_file(const char *path, struct measurement *measurement, struct err *err)
{
    auto_buf struct buf content;
    buf_init(&content, SIZE_MAX / 2);
    if (file_read(path, &content, err) != 0)
        return -1;
    auto_free char *copy = mem_zero(content.length, 1);
    memset(copy, 1, content.length); /* all pages are there */
    double start = cpu_seconds();
    memcpy(copy, buf_text(&content), content.length);
    __asm__ volatile("" : : "r"(copy) : "memory"); /* not left out */
    measurement->copy_s = cpu_seconds() - start;
    return 0;
}

static int dump(const struct model *model, const struct measurement *measurement, const char *path,
                struct err *err)
{
    const struct features *features = &model->features;
    auto_fclose FILE *file = fopen(path, "we");
    if (!file)
        return err_set(err, ERR_IO, "%s cannot be written", path);
    size_t rows = measurement->rows, sources = features->source_count;
    if (fwrite(measurement->encoded, sizeof(float), rows * features->count, file) !=
            rows * features->count ||
        (measurement->reasons &&
         fwrite(measurement->reasons, sizeof(double), rows * sources, file) != rows * sources) ||
        fwrite(measurement->margins, sizeof(double), rows, file) != rows)
        return err_set(err, ERR_IO, "%s cannot be written", path);
    return 0;
}

static int measure(const struct arguments *chosen, const char *folder, const char *path,
                   struct err *err)
{
    auto_model struct model model = { 0 };
    auto_measurement struct measurement measurement = { .capacity = (size_t)chosen->rows };
    auto_model_session struct model_session *session = NULL;
    if (load_model(folder, &model, err) != 0)
        return -1;
    size_t bytes = measurement.capacity * model.features.source_count * sizeof(double);
    measurement.values = mem_alloc(bytes + 1);
    memset(measurement.values, 1, bytes); /* all pages are there, as in scoring, which reuses few */
    session = model_session_new(&model, err);
    if (!session || parse(&model.features, path, &measurement, err) != 0)
        return -1;
    encode(&model.features, &measurement);
    predict(&model, session, &measurement);
    if (chosen->explain)
        explain(&model, session, &measurement);
    score_alone(&model, session, &measurement);
    if (copy_file(path, &measurement, err) != 0)
        return -1;
    if (chosen->dump && dump(&model, &measurement, chosen->dump, err) != 0)
        return -1;
    printf("{\"rows\": %zu, \"features\": %zu, \"sources\": %zu, \"parse\": %.6f, "
           "\"encode\": %.6f, \"predict\": %.6f, \"explain\": %.6f, \"single\": %.9f, "
           "\"copy\": %.6f}\n",
           measurement.rows, model.features.count, model.features.source_count, measurement.parse_s,
           measurement.encode_s, measurement.predict_s, measurement.explain_s, measurement.single_s,
           measurement.copy_s);
    return 0;
}

int main(int argc, char **argv)
{
    auto_arena struct arena arena = { 0 };
    struct arguments chosen = { 0 };
    struct strings operands = { 0 };
    struct err err;
    int code, result = 0;
    if (!options_begin(&program, argc, argv, &arena, &chosen, &operands, &code))
        return code;
    if (operands.count != 2)
        result = err_set(&err, ERR_INVALID, "expected %s", program.synopsis);
    if (result == 0)
        result = measure(&chosen, operands.items[0], operands.items[1], &err);
    if (result == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", program.name, err.message);
    return 1;
}
