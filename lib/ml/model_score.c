/* Scoring through a session: the second half of model.h. */
#include "ml/model.h"

#include "base/mem.h"
#include "ml/linear.h"
#include "ml/network.h"
#include "ml/trees.h"

struct model_session {
    const struct model *model;
    struct trees *trees;     /* GradientBoosting: the model's, or ... */
    struct trees *own_trees; /* ... read here, while it is trained    */
    double *margins;         /* one per row of the largest block so far */
    double *contributions;   /* source_count per row, GradientBoosting  */
    size_t capacity;
    double *sources; /* contributions of one row, but for trees */
    float *encoded;  /* the same per feature, LogisticRegression     */
};

struct model_session *model_session_new(const struct model *model, struct err *err)
{
    auto_model_session struct model_session *session = mem_zero(1, sizeof(*session));
    session->model = model;
    session->sources = mem_zero(model->features.source_count, sizeof(double));
    session->encoded = mem_zero(model->features.count, sizeof(float));
    if (model->algorithm == MODEL_GRADIENT_BOOSTING && model->trees == NULL) {
        struct span weights = { model->weights, model->weights_size };
        session->own_trees = trees_new(weights, &model->features, err);
        if (session->own_trees == NULL)
            return NULL;
    }
    session->trees = session->own_trees ? session->own_trees : model->trees;
    return TAKE(session);
}

void model_session_free(struct model_session *session)
{
    if (session == NULL)
        return;
    trees_free(session->own_trees);
    free(session->margins);
    free(session->contributions);
    free(session->sources);
    free(session->encoded);
    free(session);
}

void model_session_cleanup(struct model_session **session)
{
    model_session_free(*session);
}

static void reserve(struct model_session *session, size_t rows)
{
    if (rows <= session->capacity)
        return;
    session->capacity = rows;
    session->margins = mem_resize(session->margins, rows, sizeof(double));
    session->contributions = mem_resize(
        session->contributions, rows * session->model->features.source_count, sizeof(double));
}

void model_margins(struct model_session *session, const float *encoded, size_t rows,
                   double *ret_margins)
{
    struct matrix matrix = { encoded, rows, session->model->features.count };
    if (session->trees != NULL)
        forest_margins(&session->trees->forest, encoded, rows, ret_margins);
    else if (session->model->network != NULL)
        network_margins(session->model->network, matrix, ret_margins);
    else
        linear_margins(session->model->linear, matrix, ret_margins);
}

static void linear_row(const struct model_session *session, const float *values)
{
    const struct linear *linear = session->model->linear;
    for (size_t i = 0; i < linear->column_count; i++)
        session->encoded[i] = (float)linear_contribution(&linear->columns[i], (double)values[i]);
}

/* Calls `visit` with the source contributions of every row and the base margin. */
typedef void (*row_visitor)(void *context, size_t row, const double *sources, double margin_base);

static void visit_trees(struct model_session *session, const float *encoded, size_t rows,
                        row_visitor visit, void *context)
{
    size_t count = session->model->features.source_count;
    double slope = session->model->calibration.slope;
    const struct shap *shap = trees_shap(session->trees);
    shap_rows(shap, encoded, rows, session->contributions);
    for (size_t i = 0; i < rows * count; i++)
        session->contributions[i] *= slope;
    for (size_t row = 0; row < rows; row++)
        visit(context, row, session->contributions + row * count, shap_base(shap));
}

static void visit_linear(struct model_session *session, const float *encoded, size_t rows,
                         row_visitor visit, void *context)
{
    const struct model *model = session->model;
    for (size_t row = 0; row < rows; row++) {
        linear_row(session, encoded + row * model->features.count);
        explain_group(&model->features, session->encoded, model->calibration.slope,
                      session->sources);
        visit(context, row, session->sources, model->linear->intercept);
    }
}

static void visit_network(struct model_session *session, const float *encoded, size_t rows,
                          row_visitor visit, void *context)
{
    const struct model *model = session->model;
    size_t count = model->features.count;
    double base = network_base(model->network);
    auto_free float *contributions = mem_zero(rows * count, sizeof(*contributions));
    network_contributions(model->network, (struct matrix){ encoded, rows, count }, contributions);
    for (size_t row = 0; row < rows; row++) {
        explain_group(&model->features, contributions + row * count, model->calibration.slope,
                      session->sources);
        visit(context, row, session->sources, base);
    }
}

static void visit_rows(struct model_session *session, const float *encoded, size_t rows,
                       row_visitor visit, void *context)
{
    reserve(session, rows);
    if (session->trees != NULL)
        visit_trees(session, encoded, rows, visit, context);
    else if (session->model->network != NULL)
        visit_network(session, encoded, rows, visit, context);
    else
        visit_linear(session, encoded, rows, visit, context);
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

void model_score(struct model_session *session, const float *encoded, size_t rows, size_t reasons,
                 double *ret_probabilities, struct score_reason *ret_reasons)
{
    const struct model *model = session->model;
    reserve(session, rows);
    model_margins(session, encoded, rows, session->margins);
    if (reasons > 0) {
        struct reason_target target = { model->features.source_count, reasons, ret_reasons };
        visit_rows(session, encoded, rows, visit_reasons, &target);
    }
    for (size_t row = 0; row < rows; row++)
        ret_probabilities[row] =
            probability_of(calibrated_log_odds(&model->calibration, session->margins[row]));
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

void model_contributions(struct model_session *session, const float *encoded, size_t rows,
                         double *ret_sources, double *ret_base)
{
    const struct model *model = session->model;
    struct contribution_target target = { model->features.source_count, ret_sources, 0 };
    if (rows == 0)
        return;
    visit_rows(session, encoded, rows, visit_contributions, &target);
    *ret_base = calibrated_log_odds(&model->calibration, target.margin_base);
}
