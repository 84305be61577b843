/* Scoring through a session: the second half of model.h. */
#include "ml/model.h"

#include "base/mem.h"
#include "ml/boost.h"
#include "ml/linear.h"

struct model_session {
    const struct model *model;
    struct booster *booster; /* GradientBoosting */
    double *margins;         /* one per row of the largest block so far */
    size_t capacity;
    double *sources; /* contributions of one row */
    float *encoded;  /* the same per feature, LogisticRegression */
};

struct model_session *model_session_new(const struct model *model, struct err *err)
{
    auto_model_session struct model_session *session = mem_zero(1, sizeof(*session));
    session->model = model;
    session->sources = mem_zero(model->features.source_count, sizeof(double));
    session->encoded = mem_zero(model->features.count, sizeof(float));
    if (model->algorithm == MODEL_GRADIENT_BOOSTING) {
        struct span weights = { model->weights, model->weights_size };
        session->booster = booster_load(weights, model->features.count, err);
        if (session->booster == NULL)
            return NULL;
    }
    return TAKE(session);
}

void model_session_free(struct model_session *session)
{
    if (session == NULL)
        return;
    booster_free(session->booster);
    free(session->margins);
    free(session->sources);
    free(session->encoded);
    free(session);
}

void model_session_cleanup(struct model_session **session)
{
    model_session_free(*session);
}

int model_margins(struct model_session *session, const float *encoded, size_t rows,
                  double *ret_margins, struct err *err)
{
    struct matrix matrix = { encoded, rows, session->model->features.count };
    if (session->booster != NULL)
        return booster_margins(session->booster, matrix, 0, ret_margins, err);
    linear_margins(session->model->linear, matrix, ret_margins);
    return 0;
}

static void linear_row(const struct model_session *session, const float *values)
{
    const struct linear *linear = session->model->linear;
    for (size_t i = 0; i < linear->column_count; i++)
        session->encoded[i] = (float)linear_contribution(&linear->columns[i], (double)values[i]);
}

/* Calls `visit` with the source contributions of every row and the base margin. */
typedef void (*row_visitor)(void *context, size_t row, const double *sources, double margin_base);

static int visit_rows(struct model_session *session, const float *encoded, size_t rows,
                      row_visitor visit, void *context, struct err *err)
{
    const struct model *model = session->model;
    size_t count = model->features.count;
    const float *shap = NULL;
    if (session->booster != NULL &&
        booster_contributions(session->booster, (struct matrix){ encoded, rows, count }, &shap,
                              err) < 0)
        return -1;
    for (size_t row = 0; row < rows; row++) {
        const float *contributions = session->encoded;
        double base;
        if (shap == NULL) {
            linear_row(session, encoded + row * count);
            base = model->linear->intercept;
        } else {
            contributions = shap + row * (count + 1);
            base = (double)contributions[count];
        }
        explain_group(&model->features, contributions, model->calibration.slope, session->sources);
        visit(context, row, session->sources, base);
    }
    return 0;
}

struct reason_target {
    size_t source_count, reasons;
    struct score_reason *items;
};

static void visit_reasons(void *context, size_t row, const double *sources, double margin_base)
{
    (void)margin_base;
    const struct reason_target *target = context;
    explain_top(sources, target->source_count, target->reasons,
                target->items + row * target->reasons);
}

int model_score(struct model_session *session, const float *encoded, size_t rows, size_t reasons,
                double *ret_probabilities, struct score_reason *ret_reasons, struct err *err)
{
    const struct model *model = session->model;
    if (rows == 0)
        return 0;
    if (rows > session->capacity) {
        session->margins = mem_resize(session->margins, rows, sizeof(double));
        session->capacity = rows;
    }
    if (model_margins(session, encoded, rows, session->margins, err) < 0)
        return -1;
    if (reasons > 0) {
        struct reason_target target = { model->features.source_count, reasons, ret_reasons };
        if (visit_rows(session, encoded, rows, visit_reasons, &target, err) < 0)
            return -1;
    }
    for (size_t row = 0; row < rows; row++)
        ret_probabilities[row] =
            probability_of(calibrated_log_odds(&model->calibration, session->margins[row]));
    return 0;
}

struct contribution_target {
    size_t source_count;
    double *items, margin_base;
};

static void visit_contributions(void *context, size_t row, const double *sources,
                                double margin_base)
{
    struct contribution_target *target = context;
    memcpy(target->items + row * target->source_count, sources,
           target->source_count * sizeof(*sources));
    target->margin_base = margin_base;
}

int model_contributions(struct model_session *session, const float *encoded, size_t rows,
                        double *ret_sources, double *ret_base, struct err *err)
{
    const struct model *model = session->model;
    struct contribution_target target = { model->features.source_count, ret_sources, 0 };
    if (rows == 0)
        return 0;
    if (visit_rows(session, encoded, rows, visit_contributions, &target, err) < 0)
        return -1;
    *ret_base = calibrated_log_odds(&model->calibration, target.margin_base);
    return 0;
}
