/* Explain: the mean absolute contribution of each column, over a sample. */
#include "trainer/training.h"

#include <math.h>

#include "ml/parallel.h"

#define SAMPLE_ROWS 1000 /* enough for two digits of a mean */
#define BLOCK_ROWS  100

struct explain_work {
    const struct model *model;
    const float *values;
    size_t rows;
    double *sums; /* block x source, so that the order of adding is fixed */
};

static int explain_block(void *context, size_t index, struct err *err)
{
    struct explain_work *work = context;
    size_t first = index * BLOCK_ROWS, sources = work->model->features.source_count;
    size_t rows = work->rows - first < BLOCK_ROWS ? work->rows - first : BLOCK_ROWS;
    auto_model_session struct model_session *session = model_session_new(work->model, err);
    auto_free double *contributions = mem_zero(rows * sources, sizeof(*contributions));
    double base;
    if (session == NULL ||
        model_contributions(session, work->values + first * work->model->features.count, rows,
                            contributions, &base, err) < 0)
        return -1;
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < sources; i++)
            work->sums[index * sources + i] += fabs(contributions[row * sources + i]);
    }
    return 0;
}

/* Held-out rows, evenly spaced. */
static size_t sample_rows(const struct folds *folds, uint32_t *ret_rows)
{
    size_t count = folds->holdout_count < SAMPLE_ROWS ? folds->holdout_count : SAMPLE_ROWS;
    for (size_t i = 0; i < count; i++)
        ret_rows[i] = folds->holdout[i * folds->holdout_count / count];
    return count;
}

int stage_explain(struct training *training, struct err *err)
{
    const struct model *model = &training->final;
    size_t sources = model->features.source_count;
    uint32_t rows[SAMPLE_ROWS];
    size_t count = sample_rows(&training->folds, rows);
    size_t blocks = (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
    auto_free float *values =
        training_encode(&model->features, &training->table, rows, count, FEATURES_SCORING, err);
    if (values == NULL)
        return -1;
    auto_free double *sums = mem_zero(blocks * sources, sizeof(*sums));
    struct explain_work work = { model, values, count, sums };
    if (parallel_run(training->threads, blocks, explain_block, &work, err) < 0)
        return -1;
    training->importance = mem_zero(sources, sizeof(double));
    for (size_t block = 0; block < blocks; block++) {
        for (size_t i = 0; i < sources; i++)
            training->importance[i] += sums[block * sources + i] / (double)count;
    }
    return 0;
}
