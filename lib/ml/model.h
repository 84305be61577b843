/* model.h - a trained model: what training publishes and scoring loads.
 *
 * Two files of a version folder make a model: model.json (schema, features,
 * calibration, threshold, training distribution) and the file that it names
 * (booster.ubj: an XGBoost model in UBJSON; weights.json: logistic regression;
 * network.bin: a neural network).
 * The version is a hash of both, so equal models have equal names wherever and
 * whenever they were trained.
 *
 * Loading: model_parse() the first file, then model_attach() the second. After
 * that a model does not change and threads may share it; each thread scores
 * through its own session. All bytes are untrusted: sizes are limited, and the
 * hash must be the version that model.json claims. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "ml/calibrate.h"
#include "ml/drift.h"
#include "ml/explain.h"
#include "ml/features.h"

#define MODEL_FORMAT       1 /* of model.json; a loader refuses greater ones */
#define MODEL_FILE         "model.json"
#define MODEL_VERSION_TEXT 17 /* 16 hex digits and NUL */

enum model_algorithm { MODEL_GRADIENT_BOOSTING, MODEL_LOGISTIC_REGRESSION, MODEL_NEURAL_NETWORK };
#define MODEL_ALGORITHMS 3
extern const char *const model_algorithm_names[]; /* "GradientBoosting", ... */

struct model {
    char version[MODEL_VERSION_TEXT]; /* "" until known */
    enum model_algorithm algorithm;
    char *target, *positive_label;
    char *id; /* NULL: the history has no id column */
    struct features features;
    struct drift drift; /* how features and scores were distributed in training */
    struct calibration calibration;
    double threshold; /* a probability of at least this is a churner */
    char *weights;    /* bytes of the second file; NULL until attached */
    size_t weights_size;
    struct linear *linear;   /* LogisticRegression, once attached */
    struct trees *trees;     /* GradientBoosting, once attached   */
    struct network *network; /* NeuralNetwork, once attached      */
    json_t *document;        /* between model_parse() and model_attach() */
};
void model_release(struct model *model); /* safe on a zeroed struct */
#define auto_model __attribute__((cleanup(model_release)))

/* --- loading ------------------------------------------------------------ */

/* Reads model.json. `name` is what messages call the file. ERR_UNSUPPORTED with
 * reason DataInvalid when the format is newer than MODEL_FORMAT, ERR_INVALID
 * (DataInvalid) with the path of the member when it is damaged. */
int model_parse(const char *name, struct span text, struct model *ret_model, struct err *err)
    __attribute__((warn_unused_result));

/* "booster.ubj", "weights.json" or "network.bin": the name of the second file. */
const char *model_weights_file(const struct model *model) __attribute__((returns_nonnull));

/* Gives a parsed model its trees or weights (copied). ERR_INVALID (DataInvalid)
 * when they are damaged or the version hash does not match. */
int model_attach(struct model *model, struct span weights, struct err *err)
    __attribute__((warn_unused_result));

/* --- saving ------------------------------------------------------------- */

/* Makes a network that was trained the model's, and its weights the saved form of it. What
 * is passed is then zeroed. ERR_TOO_BIG when that is more than LIMIT_MODEL_WEIGHTS. */
int model_take_network(struct model *model, struct network *take_network, struct err *err)
    __attribute__((warn_unused_result));

/* For a model that training has put together (weights included): sets
 * model->version and gives the text of model.json. The caller frees. */
int model_finish(struct model *model, char **ret_text, struct err *err)
    __attribute__((warn_unused_result));

/* --- scoring ------------------------------------------------------------ */

/* What one thread scores with. The model is borrowed. ERR_INVALID (DataInvalid) when
 * its weights are damaged, which model_attach() has excluded. */
struct model_session *model_session_new(const struct model *model, struct err *err)
    __attribute__((warn_unused_result));
void model_session_free(struct model_session *session);
void model_session_cleanup(struct model_session **session);
#define auto_model_session __attribute__((cleanup(model_session_cleanup)))

/* Scores a block: `rows` x features.count encoded floats (NAN: missing), row by
 * row. Gives one calibrated probability per row and, with reasons > 0, `reasons`
 * reasons per row in ret_reasons (may be NULL for 0). Best with a few hundred to
 * a few thousand rows at once; `rows` of 0 is fine. */
void model_score(struct model_session *session, const float *encoded, size_t rows, size_t reasons,
                 double *ret_probabilities, struct score_reason *ret_reasons);

/* All contributions: rows x features.source_count doubles in ret_sources, and in
 * *ret_base what every row starts from (explain.h). */
void model_contributions(struct model_session *session, const float *encoded, size_t rows,
                         double *ret_sources, double *ret_base);

/* Raw margins, before calibration. */
void model_margins(struct model_session *session, const float *encoded, size_t rows,
                   double *ret_margins);
