/* bench-generate: as many customers as wanted, from the few of a sample file.
 *
 * Each row is a row of the sample, drawn at random, with a new id and with the numbers of the
 * --jitter columns moved by up to 5 % (their decimals are kept). The same seed gives the same
 * bytes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "base/options.h"
#include "base/random.h"
#include "csv_file.h"

#define JITTER       0.05
#define SAMPLE_ROWS  100000
#define OUTPUT_BYTES (1 * MIB)
#define FLUSH_BYTES  (OUTPUT_BYTES - 64 * KIB)

struct arguments {
    int64_t rows, seed;
    const char *id;
    struct strings drop, jitter;
};

static const struct option options[] = {
    { "rows", OPTION_INT, offsetof(struct arguments, rows), .fallback = "10000", .minimum = 1,
      .maximum = INT32_MAX, .argument = "N", .help = "rows to write" },
    { "seed", OPTION_INT, offsetof(struct arguments, seed), .fallback = "1", .argument = "N",
      .help = "of the draws" },
    { "id", OPTION_TEXT, offsetof(struct arguments, id), .argument = "COLUMN",
      .help = "gets a new value in each row" },
    { "drop", OPTION_TEXTS, offsetof(struct arguments, drop), .argument = "COLUMN",
      .help = "is left out" },
    { "jitter", OPTION_TEXTS, offsetof(struct arguments, jitter), .argument = "COLUMN",
      .help = "its numbers are moved a little" },
};

static const struct program program = {
    .name = "bench-generate",
    .synopsis = "[options] SAMPLE.csv >FILE",
    .description = "Writes customers that look like those of a sample.",
    .options = options,
    .option_count = ARRAY_SIZE(options),
    .maximum_operands = 1,
};

enum column_use { USE_COPY, USE_DROP, USE_ID, USE_JITTER };

struct sample {
    size_t column_count, row_count;
    enum column_use *uses;
    const char **names;
    const char **cells; /* row_count x column_count */
    struct arena arena;
};

static bool contains(const struct strings *names, struct span name)
{
    for (size_t i = 0; i < names->count; i++)
        if (span_equals(name, names->items[i]))
            return true;
    return false;
}

static enum column_use use_of(const struct arguments *chosen, struct span name)
{
    if (chosen->id && span_equals(name, chosen->id))
        return USE_ID;
    if (contains(&chosen->drop, name))
        return USE_DROP;
    return contains(&chosen->jitter, name) ? USE_JITTER : USE_COPY;
}

static const char *keep(struct sample *sample, struct span text)
{
    return arena_strndup(&sample->arena, text.data, text.length);
}

static void take_header(const struct arguments *chosen, const struct csv_header *header,
                        struct sample *sample)
{
    sample->column_count = header->count;
    sample->uses = arena_zero(&sample->arena, header->count, sizeof(*sample->uses));
    sample->names = arena_zero(&sample->arena, header->count, sizeof(*sample->names));
    sample->cells = arena_zero(&sample->arena, SAMPLE_ROWS * header->count, sizeof(char *));
    for (size_t i = 0; i < header->count; i++) {
        sample->names[i] = keep(sample, header->names[i]);
        sample->uses[i] = use_of(chosen, header->names[i]);
    }
}

static int read_sample(const char *path, const struct arguments *chosen, struct sample *sample,
                       struct err *err)
{
    auto_csv_file struct csv_file file = { 0 };
    enum csv_outcome outcome;
    struct csv_record record;
    struct row_fault fault;
    if (csv_file_open(path, &file, err) != 0)
        return -1;
    take_header(chosen, csv_header(file.reader), sample);
    while (sample->row_count < SAMPLE_ROWS) {
        if (csv_read(file.reader, &outcome, &record, &fault, err) != 0)
            return -1;
        if (outcome == CSV_END)
            break;
        const char **cells = sample->cells + sample->row_count * sample->column_count;
        for (size_t i = 0; outcome == CSV_RECORD && i < sample->column_count; i++)
            cells[i] = keep(sample, record.cells[i]);
        sample->row_count += outcome == CSV_RECORD;
    }
    return sample->row_count ? 0 : err_set(err, ERR_INVALID, "%s has no rows", path);
}

static void append_jittered(struct buf *out, const char *cell, struct random *random)
{
    double value;
    char text[NUM_DOUBLE_TEXT];
    const char *point = strchr(cell, '.');
    if (!num_double_quick(span_of(cell), &value)) {
        csv_append_cell(out, span_of(cell));
        return;
    }
    value *= 1 + JITTER * (2 * random_unit(random) - 1);
    buf_append(out, text, num_format_fixed(value, point ? (int)strlen(point + 1) : 0, text));
}

static void append_row(struct buf *out, const struct sample *sample, int64_t number,
                       struct random *random)
{
    const char **cells =
        sample->cells + random_below(random, sample->row_count) * sample->column_count;
    const char *separator = "";
    for (size_t i = 0; i < sample->column_count; i++) {
        if (sample->uses[i] == USE_DROP)
            continue;
        buf_string(out, separator);
        separator = ",";
        if (sample->uses[i] == USE_ID)
            buf_format(out, "C%09" PRId64, number);
        else if (sample->uses[i] == USE_JITTER)
            append_jittered(out, cells[i], random);
        else
            csv_append_cell(out, span_of(cells[i]));
    }
    buf_char(out, '\n');
}

static void append_header(struct buf *out, const struct sample *sample)
{
    const char *separator = "";
    for (size_t i = 0; i < sample->column_count; i++) {
        if (sample->uses[i] == USE_DROP)
            continue;
        buf_string(out, separator);
        separator = ",";
        csv_append_cell(out, span_of(sample->names[i]));
    }
    buf_char(out, '\n');
}

static int flush(struct buf *out, struct err *err)
{
    if (buf_check(out, "a row", err) != 0)
        return -1;
    if (fwrite(out->data, 1, out->length, stdout) != out->length)
        return err_set(err, ERR_IO, "standard output cannot be written");
    buf_clear(out);
    return 0;
}

static int generate(const struct arguments *chosen, const struct sample *sample, struct err *err)
{
    auto_buf struct buf out;
    struct random random;
    buf_init(&out, OUTPUT_BYTES);
    random_seed(&random, (uint64_t)chosen->seed);
    append_header(&out, sample);
    for (int64_t i = 1; i <= chosen->rows; i++) {
        append_row(&out, sample, i, &random);
        if (out.length > FLUSH_BYTES && flush(&out, err) != 0)
            return -1;
    }
    return flush(&out, err);
}

int main(int argc, char **argv)
{
    auto_arena struct arena arena = { 0 };
    struct arguments chosen = { 0 };
    struct strings operands = { 0 };
    struct sample sample = { 0 };
    struct err err;
    int code, result = 0;
    if (!options_begin(&program, argc, argv, &arena, &chosen, &operands, &code))
        return code;
    if (operands.count != 1)
        result = err_set(&err, ERR_INVALID, "expected %s", program.synopsis);
    if (result == 0)
        result = read_sample(operands.items[0], &chosen, &sample, &err);
    if (result == 0)
        result = generate(&chosen, &sample, &err);
    arena_release(&sample.arena);
    if (result == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", program.name, err.message);
    return 1;
}
