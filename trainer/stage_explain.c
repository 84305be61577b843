/* Explain: how much each column moves the score, and which way, over a sample. */
#include "trainer/training.h"

#include <math.h>

#define SAMPLE_ROWS 1000 /* enough for two digits of a mean */

struct explain_work {
    const struct model *model;
    const float *values;   /* rows x features */
    double *contributions; /* rows x sources  */
    size_t rows;
};

/* Held-out rows, evenly spaced. */
static size_t sample_rows(const struct folds *folds, uint32_t *ret_rows)
{
    size_t count = folds->holdout_count < SAMPLE_ROWS ? folds->holdout_count : SAMPLE_ROWS;
    for (size_t i = 0; i < count; i++)
        ret_rows[i] = folds->holdout[i * folds->holdout_count / count];
    return count;
}

static double mean_size(const struct explain_work *work, size_t source)
{
    size_t sources = work->model->features.source_count;
    double sum = 0;
    for (size_t row = 0; row < work->rows; row++)
        sum += fabs(work->contributions[row * sources + source]);
    return sum / (double)work->rows;
}

/* The correlation of a number with its contribution; 0 for categories and where
 * either is constant. */
static double direction(const struct explain_work *work, size_t source)
{
    const struct features *features = &work->model->features;
    double count = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    if (features->sources[source].type == VALUE_CATEGORICAL)
        return 0;
    for (size_t row = 0; row < work->rows; row++) {
        double value =
            (double)work->values[row * features->count + features->sources[source].first_feature];
        double moved = work->contributions[row * features->source_count + source];
        if (isnan(value))
            continue;
        count++;
        x += value, xx += value * value;
        y += moved, yy += moved * moved;
        xy += value * moved;
    }
    double spread = sqrt(fmax(count * xx - x * x, 0)) * sqrt(fmax(count * yy - y * y, 0));
    return spread > 0 ? fmin(fmax((count * xy - x * y) / spread, -1), 1) : 0;
}

/* Over the rows of `work`; `base` is theirs. */
static double additivity_error(const struct explain_work *work, const double *margins, double base)
{
    size_t sources = work->model->features.source_count;
    double largest = 0;
    for (size_t row = 0; row < work->rows; row++) {
        double sum = base;
        for (size_t i = 0; i < sources; i++)
            sum += work->contributions[row * sources + i];
        double log_odds = calibrated_log_odds(&work->model->calibration, margins[row]);
        largest = fmax(largest, fabs(sum - log_odds));
    }
    return largest;
}

int stage_explain(struct training *training, struct err *err)
{
    const struct model *model = &training->final;
    size_t sources = model->features.source_count;
    uint32_t rows[SAMPLE_ROWS];
    size_t count = sample_rows(&training->folds, rows);
    auto_free float *values =
        training_encode(&model->features, &training->table, rows, count, FEATURES_SCORING, err);
    if (values == NULL)
        return -1;
    auto_free double *contributions = mem_zero(count * sources, sizeof(*contributions));
    struct explain_work work = { model, values, contributions, count };
    auto_model_session struct model_session *session = model_session_new(model, err);
    auto_free double *margins = mem_zero(count, sizeof(*margins));
    double base = 0;
    if (session == NULL)
        return -1;
    model_contributions(session, values, count, contributions, &base);
    model_margins(session, values, count, margins);
    training->additivity_error = additivity_error(&work, margins, base);
    training->importance = mem_zero(sources, sizeof(double));
    training->direction = mem_zero(sources, sizeof(double));
    for (size_t i = 0; i < sources; i++) {
        training->importance[i] = mean_size(&work, i);
        training->direction[i] = direction(&work, i);
    }
    return 0;
}
