#include "scorer/block.h"

#include <math.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

/* Bytes of a customer's value that a reason shows. */
#define VALUE_SHOWN 60
/* Decimals of probabilities in the output. */
#define PROBABILITY_DECIMALS 6
#define REASON_DECIMALS      2

/* --- the plan ----------------------------------------------------------- */

/* Two columns of one name would leave readers to guess. */
static bool is_own_column(const char *name)
{
    return strcmp(name, "churn_probability") == 0 || strcmp(name, "churn_prediction") == 0 ||
           strncmp(name, "reason_", strlen("reason_")) == 0;
}

/* The id is in the output anyway. */
static bool is_carried(const struct block_plan *plan, size_t cell)
{
    for (size_t i = 0; i < plan->carried_count; i++)
        if (plan->carried_cells[i] == cell)
            return true;
    return cell == plan->id_cell;
}

static int find_cells(struct block_plan *plan, const struct strings *columns, struct err *err)
{
    plan->carried_cells = mem_zero(columns->count, sizeof(*plan->carried_cells));
    plan->id_cell = SIZE_MAX;
    if (plan->model->id && csv_find(plan->reader, span_of(plan->model->id), &plan->id_cell, err))
        return -1;
    for (size_t i = 0; i < columns->count; i++) {
        size_t cell;

        if (csv_find(plan->reader, span_of(columns->items[i]), &cell, err))
            return err_wrap(err, "output.columns");
        if (is_own_column(columns->items[i]))
            return err_reason(err, ERR_INVALID, "DataInvalid",
                              "output.columns: %s is a name of the output's own columns",
                              columns->items[i]);
        if (!is_carried(plan, cell))
            plan->carried_cells[plan->carried_count++] = cell;
    }
    return features_match(&plan->model->features, plan->reader, &plan->source_cells, err);
}

int block_plan_init(struct block_plan *plan, const struct model *model,
                    const struct csv_reader *reader, const struct strings *columns, size_t reasons,
                    double threshold, struct err *err)
{
    size_t column_count = csv_header(reader)->count;

    *plan = (struct block_plan){
        .model = model, .reader = reader, .reasons = reasons, .threshold = threshold
    };
    plan->rows = BLOCK_CELLS / column_count;
    if (plan->rows > BLOCK_ROWS)
        plan->rows = BLOCK_ROWS;
    return find_cells(plan, columns, err);
}

void block_plan_release(struct block_plan *plan)
{
    free(plan->source_cells);
    free(plan->carried_cells);
    *plan = (struct block_plan){ 0 };
}

void block_append_header(const struct block_plan *plan, struct buf *out)
{
    const struct span *names = csv_header(plan->reader)->names;

    csv_append_cell(out, plan->id_cell == SIZE_MAX ? span_of("line") : names[plan->id_cell]);
    for (size_t i = 0; i < plan->carried_count; i++) {
        buf_char(out, ',');
        csv_append_cell(out, names[plan->carried_cells[i]]);
    }
    buf_string(out, ",churn_probability,churn_prediction");
    for (size_t i = 1; i <= plan->reasons; i++)
        buf_format(out, ",reason_%zu", i);
    buf_char(out, '\n');
}

/* --- the block ---------------------------------------------------------- */

void block_init(struct block *block, const struct block_plan *plan)
{
    const struct features *features = &plan->model->features;

    *block = (struct block){ .plan = plan };
    buf_init(&block->output, LIMIT_SCORED_BLOCK);
    buf_init(&block->rejects, LIMIT_SCORED_BLOCK);
    block->ids = mem_zero(plan->rows, sizeof(*block->ids));
    block->probabilities = mem_zero(plan->rows, sizeof(*block->probabilities));
    block->drift_counts = mem_zero(plan->model->drift.bin_total, sizeof(*block->drift_counts));
    block->cells = mem_zero(plan->rows * csv_header(plan->reader)->count, sizeof(*block->cells));
    block->lines = mem_zero(plan->rows, sizeof(*block->lines));
    block->values = mem_zero(plan->rows * features->source_count, sizeof(*block->values));
    block->encoded = mem_zero(plan->rows * features->count, sizeof(*block->encoded));
    block->found = mem_zero(plan->rows * plan->reasons, sizeof(*block->found));
}

void block_release(struct block *block)
{
    csv_block_release(&block->csv);
    buf_release(&block->output);
    buf_release(&block->rejects);
    free(block->ids);
    free(block->probabilities);
    free(block->drift_counts);
    free(block->cells);
    free(block->lines);
    free(block->values);
    free(block->encoded);
    free(block->found);
    *block = (struct block){ 0 };
}

static void add_fault(struct block *block, const struct row_fault *fault)
{
    if (block->rejected == 0)
        block->first_fault = *fault;
    block->rejected++;
    csv_append_fault(&block->rejects, fault);
}

static struct span *row_cells(const struct block *block, size_t row)
{
    return block->cells + row * csv_header(block->plan->reader)->count;
}

/* A good record becomes the next row of the block. */
static bool add_record(struct block *block, const struct csv_record *record,
                       struct row_fault *ret_fault)
{
    const struct block_plan *plan = block->plan;
    const struct features *features = &plan->model->features;
    size_t row = block->scored;
    double *values = block->values + row * features->source_count;
    struct span id = { NULL, 0 };
    uint64_t unseen = 0;

    if (plan->id_cell != SIZE_MAX) {
        id = span_trim(record->cells[plan->id_cell]);
        if (id.length == 0) {
            *ret_fault = (struct row_fault){ .line = record->line, .why = "the id is blank" };
            snprintf(ret_fault->column, sizeof(ret_fault->column), "%s", plan->model->id);
            return false;
        }
    }
    if (!features_decode(features, plan->source_cells, record, values, ret_fault, &unseen))
        return false;
    features_encode(features, values, block->encoded + row * features->count);
    memcpy(row_cells(block, row), record->cells,
           csv_header(plan->reader)->count * sizeof(*record->cells));
    block->ids[row] = id_key_of(id, record->line);
    block->lines[row] = record->line;
    block->unseen += unseen;
    block->scored++;
    return true;
}

static int take_records(struct block *block, struct err *err)
{
    for (;;) {
        enum csv_outcome outcome;
        struct csv_record record;
        struct row_fault fault;

        if (csv_next(&block->csv, &outcome, &record, &fault, err))
            return -1;
        if (outcome == CSV_END)
            return 0;
        if (outcome == CSV_FAULT || !add_record(block, &record, &fault))
            add_fault(block, &fault);
    }
}

/* A reason on its way into one cell. */
struct reason_text {
    char bytes[LIMIT_CSV_NAME + VALUE_SHOWN + NUM_DOUBLE_TEXT + 16];
    size_t length;
};

static void add_text(struct reason_text *text, struct span more)
{
    memcpy(text->bytes + text->length, more.data, more.length);
    text->length += more.length;
}

/* "Age=57 (+0.84)" */
static void append_reason(const struct block *block, size_t row, const struct score_reason *reason,
                          struct buf *out)
{
    const struct block_plan *plan = block->plan;
    struct reason_text text = { .length = 0 };
    char number[NUM_DOUBLE_TEXT];
    struct span value, shown;

    buf_char(out, ',');
    if (reason->source == SCORE_REASON_NONE)
        return;
    value = span_trim(row_cells(block, row)[plan->source_cells[reason->source]]);
    if (value.length == 0)
        value = span_of("(missing)");
    shown = value;
    if (value.length > VALUE_SHOWN)
        shown.length = utf8_valid_prefix(value.data, VALUE_SHOWN);
    add_text(&text, span_of(plan->model->features.sources[reason->source].name));
    add_text(&text, span_of("="));
    add_text(&text, shown);
    add_text(&text, span_of(shown.length < value.length ? "... (" : " ("));
    add_text(&text, span_of(signbit(reason->contribution) ? "-" : "+"));
    add_text(&text, (struct span){ number, num_format_fixed(fabs(reason->contribution),
                                                            REASON_DECIMALS, number) });
    add_text(&text, span_of(")"));
    csv_append_cell(out, (struct span){ text.bytes, text.length });
}

static void append_row(struct block *block, size_t row)
{
    const struct block_plan *plan = block->plan;
    const struct span *cells = row_cells(block, row);
    struct buf *out = &block->output;
    char probability[NUM_DOUBLE_TEXT];

    if (plan->id_cell == SIZE_MAX)
        buf_format(out, "%" PRIu64, block->lines[row]);
    else
        csv_append_cell(out, cells[plan->id_cell]);
    for (size_t i = 0; i < plan->carried_count; i++) {
        buf_char(out, ',');
        csv_append_cell(out, cells[plan->carried_cells[i]]);
    }
    buf_char(out, ',');
    buf_append(out, probability,
               num_format_fixed(block->probabilities[row], PROBABILITY_DECIMALS, probability));
    buf_string(out, block->probabilities[row] >= plan->threshold ? ",1" : ",0");
    for (size_t i = 0; i < plan->reasons; i++)
        append_reason(block, row, &block->found[row * plan->reasons + i], out);
    buf_char(out, '\n');
}

/* A damaged model may give anything; what follows counts on probabilities. */
static int check_probabilities(const struct block *block, struct err *err)
{
    for (size_t row = 0; row < block->scored; row++)
        if (!(block->probabilities[row] >= 0 && block->probabilities[row] <= 1))
            return err_reason(err, ERR_INVALID, "DataInvalid",
                              "model %s gives no probability for line %" PRIu64,
                              block->plan->model->version, block->lines[row]);
    return 0;
}

int block_score(struct block *block, struct model_session *session, struct err *err)
{
    const struct block_plan *plan = block->plan;
    const struct drift *drift = &plan->model->drift;
    size_t source_count = plan->model->features.source_count;

    block->scored = block->rejected = block->unseen = 0;
    buf_clear(&block->output);
    buf_clear(&block->rejects);
    memset(block->drift_counts, 0, drift->bin_total * sizeof(*block->drift_counts));
    if (take_records(block, err))
        return -1;
    model_score(session, block->encoded, block->scored, plan->reasons, block->probabilities,
                block->found);
    if (check_probabilities(block, err))
        return -1;
    for (size_t row = 0; row < block->scored; row++) {
        drift_count(drift, block->values + row * source_count, block->probabilities[row],
                    block->drift_counts);
        append_row(block, row);
    }
    if (buf_check(&block->output, "the output of one block", err))
        return -1;
    return buf_check(&block->rejects, "the rejects of one block", err);
}
