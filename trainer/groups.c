#include "trainer/groups.h"

#include <math.h>
#include <stdarg.h>

#include "base/num.h"
#include "base/utf8.h"
#include "ml/metrics.h"

#define NUMERIC_SHARE 0.9

/* --- which group a value belongs to -------------------------------------- */

/* One value of the column with the customers of the whole file that have it. */
struct level {
    uint32_t code;
    size_t rows;
    double number; /* NAN: it is none */
};

struct plan {
    struct level *levels; /* without missing values */
    size_t level_count;
    size_t *group_of; /* per code of the grouping */
    struct group_column *column;
};

static void plan_release(struct plan *plan)
{
    free(plan->levels);
    free(plan->group_of);
}
#define auto_plan __attribute__((cleanup(plan_release)))

static int by_number(const void *left, const void *right)
{
    const struct level *a = left, *b = right;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (a->code > b->code) - (a->code < b->code);
}

static int by_size(const void *left, const void *right)
{
    const struct level *a = left, *b = right;
    if (a->rows != b->rows)
        return a->rows > b->rows ? -1 : 1;
    return (a->code > b->code) - (a->code < b->code);
}

/* The number that a value is, or NAN. */
static double number_of(const struct grouping *grouping, uint32_t code)
{
    double number;
    return num_double_quick(dictionary_text(&grouping->levels, code), &number) ? number : NAN;
}

static bool has_ranges(const struct grouping *grouping)
{
    size_t values = 0, numbers = 0;
    for (uint32_t code = 0; code < grouping->levels.count; code++) {
        values += dictionary_text(&grouping->levels, code).length > 0;
        numbers += isnan(number_of(grouping, code)) ? 0 : 1;
    }
    return values > GROUPS_CATEGORIES && (double)numbers >= NUMERIC_SHARE * (double)values;
}

static struct group *add_group(struct group_column *column, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct group *add_group(struct group_column *column, const char *format, ...)
{
    struct group *group = &column->groups[column->count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(group->name, sizeof(group->name), format, arguments);
    va_end(arguments);
    group->name[utf8_valid_prefix(group->name, strlen(group->name))] = '\0';
    utf8_one_line(group->name, strlen(group->name));
    return group;
}

static void name_range(struct group_column *column, double low, double high)
{
    if (low == high)
        (void)add_group(column, "%.6g", low);
    else
        (void)add_group(column, "%.6g to %.6g", low, high);
}

/* Levels by number, cut where the count of customers passes a quarter. */
static void plan_ranges(struct plan *plan)
{
    size_t all = 0, before = 0, begin = 0;
    for (size_t i = 0; i < plan->level_count; i++)
        all += plan->levels[i].rows;
    for (size_t i = 0; i < plan->level_count; i++) {
        const struct level *level = &plan->levels[i];
        plan->group_of[level->code] = plan->column->count;
        before += level->rows;
        bool is_last = i + 1 == plan->level_count;
        bool is_full = before * GROUPS_RANGES >= all * (plan->column->count + 1);
        if (is_last || (is_full && level[1].number != level->number)) {
            name_range(plan->column, plan->levels[begin].number, level->number);
            begin = i + 1;
        }
    }
}

/* Levels by size: the largest have a group each. */
static void plan_categories(struct plan *plan, const struct grouping *grouping)
{
    bool all = plan->level_count <= GROUPS_CATEGORIES;
    size_t own = all ? plan->level_count : (size_t)GROUPS_CATEGORIES - 1;
    for (size_t i = 0; i < plan->level_count; i++) {
        plan->group_of[plan->levels[i].code] = i < own ? i : own;
        if (i < own)
            (void)add_group(plan->column, "%s", grouping->levels.texts[plan->levels[i].code]);
    }
    if (!all)
        (void)add_group(plan->column, "(other)");
}

/* Fills the names of the groups and group_of. */
static void plan_init(struct plan *plan, const struct grouping *grouping, size_t row_count,
                      struct group_column *column)
{
    bool ranges = has_ranges(grouping), missing = false;
    uint32_t count = grouping->levels.count;
    *plan = (struct plan){ .levels = mem_zero(count, sizeof(*plan->levels)),
                           .group_of = mem_zero(count, sizeof(*plan->group_of)),
                           .column = column };
    auto_free size_t *rows = mem_zero(count, sizeof(*rows));
    for (size_t row = 0; row < row_count; row++)
        rows[grouping_code(grouping, row)]++;
    for (uint32_t code = 0; code < count; code++) {
        struct level level = { code, rows[code], number_of(grouping, code) };
        bool is_missing = ranges ? isnan(level.number) != 0
                                 : dictionary_text(&grouping->levels, code).length == 0;
        plan->group_of[code] = SIZE_MAX;
        missing = missing || is_missing;
        if (!is_missing)
            plan->levels[plan->level_count++] = level;
    }
    qsort(plan->levels, plan->level_count, sizeof(*plan->levels), ranges ? by_number : by_size);
    if (ranges)
        plan_ranges(plan);
    else
        plan_categories(plan, grouping);
    for (uint32_t code = 0; code < count; code++)
        if (plan->group_of[code] == SIZE_MAX)
            plan->group_of[code] = column->count;
    if (missing)
        (void)add_group(column, "(missing)");
}

/* --- measuring ----------------------------------------------------------- */

/* Held-out customers of one group. */
struct members {
    double *scores;
    uint8_t *labels;
    size_t count;
};

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void measure_scores(struct group *group, double *scores, size_t count)
{
    qsort(scores, count, sizeof(*scores), ascending);
    group->p10 = scores[(size_t)(0.1 * (double)(count - 1))];
    group->p50 = scores[(size_t)(0.5 * (double)(count - 1))];
    group->p90 = scores[(size_t)(0.9 * (double)(count - 1))];
    group->mean = 0;
    for (size_t i = 0; i < count; i++)
        group->mean += scores[i] / (double)count;
}

static double share_of(size_t part, size_t whole, size_t few)
{
    return whole < few ? NAN : (double)part / (double)whole;
}

static void measure(struct group *group, const struct members *members, double threshold)
{
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, members->scores, members->labels, members->count);
    size_t negatives = ranking.negatives;
    struct confusion confusion = metric_confusion(&ranking, threshold);
    group->rows = members->count;
    group->positives = ranking.positives;
    group->few = members->count < GROUP_ROWS_FEW;
    group->mean = group->p10 = group->p50 = group->p90 = NAN;
    group->observed = group->ece = group->selected = group->recall = group->false_alarms = NAN;
    group->auc = NAN;
    if (group->few)
        return;
    group->observed = share_of(ranking.positives, group->rows, 1);
    group->ece = metric_ece(&ranking);
    group->selected =
        share_of(confusion.true_positives + confusion.false_positives, group->rows, 1);
    group->recall = share_of(confusion.true_positives, ranking.positives, GROUP_CLASS_FEW);
    group->false_alarms = share_of(confusion.false_positives, negatives, GROUP_CLASS_FEW);
    if (ranking.positives >= GROUP_CLASS_FEW && negatives >= GROUP_CLASS_FEW)
        group->auc = metric_auc(&ranking);
    measure_scores(group, members->scores, members->count);
}

void groups_measure(const struct training *training, size_t index, struct group_column *ret_column)
{
    const struct table *table = &training->table;
    const struct folds *folds = &training->folds;
    const struct grouping *grouping = &table->groupings[index];
    struct group_column column = { .name = table->columns[grouping->column].name };
    auto_plan struct plan plan;
    plan_init(&plan, grouping, table->row_count, &column);
    auto_free double *probabilities = figures_probabilities(
        training->holdout_margins, folds->holdout_count, &training->evaluation.calibration);
    auto_free double *scores = mem_zero(folds->holdout_count, sizeof(*scores));
    auto_free uint8_t *labels = mem_zero(folds->holdout_count, 1);
    for (size_t i = 0; i < column.count; i++) {
        struct members members = { scores, labels, 0 };
        for (size_t j = 0; j < folds->holdout_count; j++) {
            uint32_t row = folds->holdout[j];
            if (plan.group_of[grouping_code(grouping, row)] != i)
                continue;
            scores[members.count] = probabilities[j];
            labels[members.count++] = table->labels[row];
        }
        measure(&column.groups[i], &members, training->evaluation.threshold);
    }
    *ret_column = column;
}

/* --- metrics.json -------------------------------------------------------- */

static json_t *encode_group(const struct group *group)
{
    const struct {
        const char *name;
        double value;
    } figures[] = {
        { "meanScore", group->mean },
        { "scoreP10", group->p10 },
        { "scoreP50", group->p50 },
        { "scoreP90", group->p90 },
        { "observed", group->observed },
        { "ece", group->ece },
        { "selectionRate", group->selected },
        { "truePositiveRate", group->recall },
        { "falsePositiveRate", group->false_alarms },
        { "auc", group->auc },
    };
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:b}", "group", group->name, "rows", (json_int_t)group->rows,
                  "positives", (json_int_t)group->positives, "tooFew", (int)group->few);
    for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
        if (!isnan(figures[i].value))
            json_object_set_new(object, figures[i].name, json_real(figures[i].value));
    return object;
}

json_t *groups_encode(const struct training *training)
{
    json_t *array = json_array();
    for (size_t i = 0; i < training->table.grouping_count; i++) {
        struct group_column column;
        json_t *groups = json_array();
        groups_measure(training, i, &column);
        for (size_t j = 0; j < column.count; j++)
            json_array_append_new(groups, encode_group(&column.groups[j]));
        json_array_append_new(array,
                              json_pack("{s:s, s:o}", "column", column.name, "groups", groups));
    }
    return array;
}
