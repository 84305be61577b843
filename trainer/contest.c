#include "trainer/contest.h"

#include <stdarg.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "ml/csv.h"
#include "trainer/artifacts.h"
#include "trainer/measurements.h"

#define BLOCK_ROWS 1024

static void skip(struct training *training, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void skip(struct training *training, const char *format, ...)
{
    char why[LIMIT_CONDITION_MESSAGE - 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof(why), format, arguments);
    va_end(arguments);
    char *text = arena_format(&training->arena, "ComparisonSkipped: %s", why);
    utf8_one_line(text, strlen(text)); /* names may hold anything */
    training->contest.skipped = text;
}

/* What is wrong with the version itself ends the comparison; trouble with storage
 * ends the run, which another attempt may make good. */
static bool is_its_own_fault(const struct err *why)
{
    return why->kind == ERR_INVALID || why->kind == ERR_NOT_FOUND || why->kind == ERR_TOO_BIG ||
           why->kind == ERR_UNSUPPORTED;
}

static int skip_or_fail(struct training *training, const struct err *why, struct err *err)
{
    if (is_its_own_fault(why)) {
        skip(training, "%s", why->message);
        return 0;
    }
    *err = *why;
    return -1;
}

/* --- is it fair? --------------------------------------------------------- */

static bool is_same_question(struct training *training, const struct model *champion)
{
    const struct model *challenger = &training->evaluation;
    const struct {
        const char *what, *theirs, *ours;
    } pairs[] = {
        { "target", champion->target, challenger->target },
        { "positiveLabel", champion->positive_label, challenger->positive_label },
        { "id", champion->id, challenger->id },
    };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        const char *theirs = pairs[i].theirs == NULL ? "" : pairs[i].theirs;
        const char *ours = pairs[i].ours == NULL ? "" : pairs[i].ours;
        if (strcmp(theirs, ours) != 0) {
            skip(training, "the version in use was trained with %s %s, not %s", pairs[i].what,
                 theirs, ours);
            return false;
        }
    }
    return true;
}

static bool holds_out_the_same(struct training *training, const struct measurements_head *theirs)
{
    const struct training_spec *ours = &training->job.training;
    if (theirs->validation == NULL || theirs->validation->holdout.text == NULL) {
        skip(training, "the version in use does not say which customers it held out");
        return false;
    }
    if (theirs->validation->seed != ours->seed ||
        theirs->validation->holdout.value != ours->validation->holdout.value) {
        skip(training,
             "the version in use held out other customers: seed %" PRId64 " and holdout %s, "
             "not %" PRId64 " and %s",
             theirs->validation->seed, theirs->validation->holdout.text, ours->seed,
             ours->validation->holdout.text);
        return false;
    }
    return true;
}

/* Fills *ret_champion, or says why not. */
static int load_champion(struct training *training, struct model *ret_champion, struct err *err)
{
    const char *folder = training->job.champion->uri;
    auto_free char *inside = mem_format("%sevaluation/", folder);
    struct measurements_head head;
    struct err why;
    if (measurements_read(training->stores, folder, &training->arena, &head, &why) < 0 ||
        artifacts_load(training->stores, inside, ret_champion, NULL, &why) < 0)
        return skip_or_fail(training, &why, err);
    if (strcmp(head.version, training->job.champion->version) != 0)
        skip(training, "%s holds version %s, not %s", folder, head.version,
             training->job.champion->version);
    else if (is_same_question(training, ret_champion))
        (void)holds_out_the_same(training, &head);
    return 0;
}

/* --- reading and scoring ------------------------------------------------- */

/* One of the two models with the rows that wait for it and the margins it gave. */
struct contender {
    const struct model *model;
    struct model_session *session;
    size_t *cells;
    double *decoded; /* one row */
    float *block;    /* BLOCK_ROWS encoded rows */
    double *margins;
};

static void contender_release(struct contender *contender)
{
    model_session_free(contender->session);
    free(contender->cells);
    free(contender->decoded);
    free(contender->block);
    free(contender->margins);
}
#define auto_contender __attribute__((cleanup(contender_release)))

static int contender_init(struct contender *contender, const struct model *model, size_t rows,
                          const struct csv_reader *reader, struct err *err)
{
    *contender = (struct contender){ .model = model };
    if (features_match(&model->features, reader, &contender->cells, err) < 0)
        return -1;
    contender->session = model_session_new(model, err);
    if (contender->session == NULL)
        return -1;
    contender->decoded = mem_zero(model->features.source_count, sizeof(*contender->decoded));
    contender->block = mem_zero(BLOCK_ROWS * model->features.count, sizeof(*contender->block));
    contender->margins = mem_zero(rows, sizeof(*contender->margins));
    return 0;
}

struct round {
    struct contender challenger, champion;
    uint8_t *labels;                          /* of the rows that both can read */
    size_t rows /* so far */, scored, unread; /* of `rows`; left out            */
    struct row_fault first_fault;
};

static void round_release(struct round *round)
{
    contender_release(&round->challenger);
    contender_release(&round->champion);
    free(round->labels);
}
#define auto_round __attribute__((cleanup(round_release)))

static bool decode(struct contender *contender, const struct csv_record *record,
                   struct row_fault *ret_fault)
{
    uint64_t unseen = 0;
    return features_decode(&contender->model->features, contender->cells, record,
                           contender->decoded, ret_fault, &unseen);
}

static void score_block(struct round *round)
{
    struct contender *both[] = { &round->challenger, &round->champion };
    size_t count = round->rows - round->scored;
    for (size_t i = 0; i < ARRAY_SIZE(both); i++)
        model_margins(both[i]->session, both[i]->block, count, both[i]->margins + round->scored);
    round->scored = round->rows;
}

static void take_row(struct round *round, const struct csv_record *record, uint8_t label)
{
    struct contender *both[] = { &round->challenger, &round->champion };
    struct row_fault fault;
    for (size_t i = 0; i < ARRAY_SIZE(both); i++)
        if (!decode(both[i], record, &fault)) {
            if (round->unread++ == 0)
                round->first_fault = fault;
            return;
        }
    size_t waiting = round->rows - round->scored;
    for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
        const struct features *features = &both[i]->model->features;
        features_encode(features, both[i]->decoded, both[i]->block + waiting * features->count);
    }
    round->labels[round->rows++] = label;
    if (waiting + 1 == BLOCK_ROWS)
        score_block(round);
}

/* Goes through the file once; held-out rows are known by their lines. */
static int play(const struct training *training, struct csv_reader *reader, struct round *round,
                struct err *err)
{
    const struct table *table = &training->table;
    const struct folds *folds = &training->folds;
    size_t next = 0;
    for (;;) {
        enum csv_outcome outcome;
        struct csv_record record;
        struct row_fault fault;
        if (csv_read(reader, &outcome, &record, &fault, err) < 0)
            return -1;
        if (outcome == CSV_END)
            break;
        if (outcome != CSV_RECORD || next == folds->holdout_count ||
            record.line != table_line(table, folds->holdout[next]))
            continue;
        take_row(round, &record, table->labels[folds->holdout[next++]]);
    }
    score_block(round);
    return 0;
}

static void measure(const struct contender *contender, const struct round *round,
                    struct figures *ret_figures)
{
    figures_measure(contender->margins, round->labels, round->rows, &contender->model->calibration,
                    contender->model->threshold, ret_figures);
}

static void judge(struct training *training, const struct round *round)
{
    struct contest *contest = &training->contest;
    const struct row_fault *fault = &round->first_fault;
    size_t all = training->folds.holdout_count;
    if ((double)round->unread > CONTEST_UNREADABLE_SHARE * (double)all) {
        skip(training,
             "the version in use cannot read %zu of %zu held-out rows of %s; the first: line "
             "%" PRIu64 ", %s: %s",
             round->unread, all, training->history.name, fault->line, fault->column, fault->why);
        return;
    }
    contest->rows = round->rows;
    measure(&round->challenger, round, &contest->challenger);
    measure(&round->champion, round, &contest->champion);
}

static int compete(struct training *training, const struct model *champion, struct err *err)
{
    size_t rows = training->folds.holdout_count;
    struct history *history = &training->history;
    auto_history_reader struct history_reader bytes = { 0 };
    auto_round struct round round = { .labels = mem_zero(rows, 1) };
    struct err why;
    if (history_reader_init(&bytes, history, training->stores, history->generation, err) < 0)
        return -1;
    auto_csv_reader struct csv_reader *reader =
        csv_reader_new(history->name, history_reader_source(&bytes), err);
    if (reader == NULL ||
        contender_init(&round.challenger, &training->evaluation, rows, reader, err) < 0)
        return -1;
    if (contender_init(&round.champion, champion, rows, reader, &why) < 0)
        return skip_or_fail(training, &why, err);
    if (play(training, reader, &round, err) < 0)
        return -1;
    judge(training, &round);
    return 0;
}

int contest_hold(struct training *training, struct err *err)
{
    const struct model_source *source = training->job.champion;
    struct contest *contest = &training->contest;
    auto_model struct model champion = { 0 };
    *contest = (struct contest){ 0 };
    if (source != NULL && strcmp(source->version, training->final.version) == 0)
        return 0;
    if (source != NULL && load_champion(training, &champion, err) < 0)
        return -1;
    if (source != NULL && contest->skipped == NULL && compete(training, &champion, err) < 0)
        return -1;
    if (contest->champion.count == 0) { /* alone, as it was measured */
        contest->rows = training->folds.holdout_count;
        contest->challenger = training->figures;
    }
    return 0;
}
