#include "ml/model.h"

#include "base/fields.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "ml/boost.h"
#include "ml/linear.h"
#include "ml/network.h"
#include "ml/trees.h"

const char *const model_algorithm_names[] = { "GradientBoosting", "LogisticRegression",
                                              "NeuralNetwork", NULL };
static const char *const weights_files[] = { "booster.ubj", "weights.json", "network.bin" };

/* --- model.json --------------------------------------------------------- */

struct saved_calibration {
    double slope, intercept;
};
static const struct field calibration_items[] = {
    FIELD(struct saved_calibration, slope, "slope", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
    FIELD(struct saved_calibration, intercept, "intercept", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
};
static const struct fields calibration_fields = FIELDS(struct saved_calibration, calibration_items);

struct saved_weights {
    const char *file, *sha256;
};
static const struct field weights_items[] = {
    FIELD(struct saved_weights, file, "file", FIELD_STRING, .flags = FIELD_REQUIRED),
    FIELD(struct saved_weights, sha256, "sha256", FIELD_STRING, .flags = FIELD_REQUIRED,
          .minimum = 64, .maximum = 64),
};
static const struct fields weights_fields = FIELDS(struct saved_weights, weights_items);

struct saved_model {
    int64_t format;
    const char *version;
    int algorithm;
    const char *target, *positive_label, *id;
    json_t *features, *drift;
    struct saved_calibration *calibration;
    double threshold;
    struct saved_weights *weights;
};
static const struct field model_items[] = {
    FIELD(struct saved_model, format, "format", FIELD_INT, .flags = FIELD_REQUIRED, .minimum = 1,
          .maximum = MODEL_FORMAT),
    FIELD(struct saved_model, version, "version", FIELD_STRING, .minimum = 16, .maximum = 16),
    FIELD(struct saved_model, algorithm, "algorithm", FIELD_ENUM, .flags = FIELD_REQUIRED,
          .names = model_algorithm_names),
    FIELD(struct saved_model, target, "target", FIELD_STRING, .flags = FIELD_REQUIRED),
    FIELD(struct saved_model, positive_label, "positiveLabel", FIELD_STRING,
          .flags = FIELD_REQUIRED),
    FIELD(struct saved_model, id, "id", FIELD_STRING),
    FIELD(struct saved_model, calibration, "calibration", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &calibration_fields),
    FIELD(struct saved_model, threshold, "threshold", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
    FIELD(struct saved_model, weights, "weights", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &weights_fields),
    FIELD(struct saved_model, features, "features", FIELD_JSON, .flags = FIELD_REQUIRED),
    FIELD(struct saved_model, drift, "drift", FIELD_JSON, .flags = FIELD_REQUIRED),
};
static const struct fields model_fields = FIELDS(struct saved_model, model_items);

void model_release(struct model *model)
{
    free(model->target);
    free(model->positive_label);
    free(model->id);
    features_release(&model->features);
    drift_release(&model->drift);
    free(model->weights);
    if (model->linear != NULL)
        linear_release(model->linear);
    free(model->linear);
    if (model->network != NULL)
        network_release(model->network);
    free(model->network);
    trees_free(model->trees);
    json_decref(model->document);
    *model = (struct model){ 0 };
}

const char *model_weights_file(const struct model *model)
{
    return weights_files[model->algorithm];
}

/* --- identity ----------------------------------------------------------- */

/* The hash of both files, in the order of their names. */
static void hash_version(const json_t *document, const char *weights_file,
                         const char *weights_sha256, char ret_version[MODEL_VERSION_TEXT])
{
    auto_json json_t *unnamed = json_copy((json_t *)document);
    json_object_del(unnamed, "version");
    auto_free char *text = jx_canonical(unnamed);
    char document_sha256[SHA256_HEX], hex[SHA256_HEX];
    sha256_of(span_of(text), document_sha256);
    bool weights_first = strcmp(weights_file, MODEL_FILE) < 0;
    struct sha256 hash;
    sha256_init(&hash);
    sha256_add_part(&hash, span_of("model-version"));
    if (weights_first) {
        sha256_add_part(&hash, span_of(weights_file));
        sha256_add_part(&hash, span_of(weights_sha256));
    }
    sha256_add_part(&hash, span_of(MODEL_FILE));
    sha256_add_part(&hash, span_of(document_sha256));
    if (!weights_first) {
        sha256_add_part(&hash, span_of(weights_file));
        sha256_add_part(&hash, span_of(weights_sha256));
    }
    sha256_hex(&hash, hex);
    memcpy(ret_version, hex, MODEL_VERSION_TEXT - 1);
    ret_version[MODEL_VERSION_TEXT - 1] = '\0';
}

/* --- loading ------------------------------------------------------------ */

static int check_format(const char *name, const json_t *document, struct err *err)
{
    int64_t format = jx_int(document, "format", 0);
    if (format > MODEL_FORMAT)
        return err_reason(err, ERR_UNSUPPORTED, "DataInvalid",
                          "%s: model format %" PRId64 " is newer than this program, which reads up "
                          "to format %d: use an image at least as new as the trainer's",
                          name, format, MODEL_FORMAT);
    return 0;
}

static int fill_model(const struct saved_model *saved, struct model *model, struct err *err)
{
    if (saved->version == NULL)
        return err_set(err, ERR_INVALID, "version: is missing");
    if (!(saved->calibration->slope > 0))
        return err_set(err, ERR_INVALID, "calibration.slope: must be greater than 0");
    if (!(saved->threshold >= 0 && saved->threshold <= 1))
        return err_set(err, ERR_INVALID, "threshold: must be within [0,1]");
    memcpy(model->version, saved->version, MODEL_VERSION_TEXT);
    model->algorithm = (enum model_algorithm)saved->algorithm;
    model->target = mem_strdup(saved->target);
    model->positive_label = mem_strdup(saved->positive_label);
    model->id = saved->id == NULL ? NULL : mem_strdup(saved->id);
    model->calibration.slope = saved->calibration->slope;
    model->calibration.intercept = saved->calibration->intercept;
    model->threshold = saved->threshold;
    if (strcmp(saved->weights->file, model_weights_file(model)) != 0)
        return err_set(err, ERR_INVALID, "weights.file: must be %s", model_weights_file(model));
    if (features_from_json(saved->features, &model->features, err) < 0)
        return err_wrap(err, "features");
    if (drift_from_json(saved->drift, &model->features, &model->drift, err) < 0)
        return err_wrap(err, "drift");
    return 0;
}

/* Whatever is wrong inside, the file is what cannot be used. */
static int damaged(const char *name, struct err *err)
{
    struct err inner = err == NULL ? (struct err){ 0 } : *err;
    return err_reason(err, inner.kind, "DataInvalid", "%s: %s", name, inner.message);
}

int model_parse(const char *name, struct span text, struct model *ret_model, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    auto_model struct model model = { 0 };
    struct saved_model saved;
    model.document = jx_parse(text, LIMIT_MODEL_DOCUMENT, name, err);
    if (model.document == NULL)
        return damaged("model", err);
    if (check_format(name, model.document, err) < 0)
        return -1;
    if (fields_decode(model.document, &model_fields, "", &arena, &saved, err) < 0 ||
        fill_model(&saved, &model, err) < 0)
        return damaged(name, err);
    *ret_model = model;
    model = (struct model){ 0 };
    return 0;
}

static int attach_linear(struct model *model, struct span weights, struct err *err)
{
    auto_json json_t *json = jx_parse(weights, LIMIT_MODEL_DOCUMENT, "weights.json", err);
    auto_linear struct linear linear = { 0 };
    if (json == NULL)
        return -1;
    if (linear_from_json(json, model->features.count, &linear, err) < 0)
        return damaged("weights.json", err);
    model->linear = mem_alloc(sizeof(*model->linear));
    *model->linear = linear;
    linear = (struct linear){ 0 };
    return 0;
}

static int attach_network(struct model *model, struct span weights, struct err *err)
{
    struct network network;
    if (network_decode(weights, model->features.count, &network, err) < 0)
        return -1;
    model->network = mem_alloc(sizeof(*model->network));
    *model->network = network;
    return 0;
}

int model_attach(struct model *model, struct span weights, struct err *err)
{
    const char *file = model_weights_file(model);
    if (weights.length > LIMIT_MODEL_WEIGHTS)
        return err_reason(err, ERR_TOO_BIG, "DataInvalid", "%s is larger than %zu bytes", file,
                          LIMIT_MODEL_WEIGHTS);
    char sha256[SHA256_HEX], version[MODEL_VERSION_TEXT];
    sha256_of(weights, sha256);
    hash_version(model->document, file, sha256, version);
    const char *claimed_sha256 = jx_string(model->document, "weights", "sha256", NULL);
    if (strcmp(version, model->version) != 0 || strcmp(sha256, claimed_sha256) != 0)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "model version %s: the content of " MODEL_FILE
                          " and %s does not match it",
                          model->version, file);
    if (model->algorithm == MODEL_LOGISTIC_REGRESSION && attach_linear(model, weights, err) < 0)
        return -1;
    if (model->algorithm == MODEL_NEURAL_NETWORK && attach_network(model, weights, err) < 0)
        return -1;
    if (model->algorithm == MODEL_GRADIENT_BOOSTING) {
        model->trees = trees_new(weights, &model->features, err);
        if (model->trees == NULL)
            return -1;
    }
    model->weights = mem_alloc(weights.length);
    memcpy(model->weights, weights.data, weights.length);
    model->weights_size = weights.length;
    json_decref(model->document);
    model->document = NULL;
    return 0;
}

/* --- saving ------------------------------------------------------------- */

int model_take_network(struct model *model, struct network *take_network, struct err *err)
{
    auto_buf struct buf bytes;
    buf_init(&bytes, LIMIT_MODEL_WEIGHTS);
    network_encode(take_network, &bytes);
    if (buf_check(&bytes, "the neural network", err) < 0)
        return -1;
    model->weights_size = bytes.length;
    model->weights = buf_take(&bytes);
    model->network = mem_alloc(sizeof(*model->network));
    *model->network = *take_network;
    *take_network = (struct network){ 0 };
    return 0;
}

static void take_linear_weights(struct model *model)
{
    auto_json json_t *json = linear_to_json(model->linear);
    model->weights = jx_canonical(json);
    model->weights_size = strlen(model->weights);
}

int model_finish(struct model *model, char **ret_text, struct err *err)
{
    if (model->weights == NULL && model->linear != NULL)
        take_linear_weights(model);
    if (model->weights_size > LIMIT_MODEL_WEIGHTS)
        return err_set(err, ERR_TOO_BIG, "the trees take more than %zu bytes", LIMIT_MODEL_WEIGHTS);
    char sha256[SHA256_HEX];
    sha256_of((struct span){ model->weights, model->weights_size }, sha256);
    struct saved_calibration calibration = { model->calibration.slope,
                                             model->calibration.intercept };
    struct saved_weights weights = { model_weights_file(model), sha256 };
    auto_json json_t *features = features_to_json(&model->features);
    auto_json json_t *drift = drift_to_json(&model->drift);
    struct saved_model saved = { .format = MODEL_FORMAT,
                                 .algorithm = (int)model->algorithm,
                                 .target = model->target,
                                 .positive_label = model->positive_label,
                                 .id = model->id,
                                 .features = features,
                                 .drift = drift,
                                 .calibration = &calibration,
                                 .threshold = model->threshold,
                                 .weights = &weights };
    auto_json json_t *unnamed = fields_encode(&model_fields, &saved);
    hash_version(unnamed, weights.file, sha256, model->version);
    saved.version = model->version;
    auto_json json_t *document = fields_encode(&model_fields, &saved);
    *ret_text = json_dumps(document, JSON_INDENT(1));
    return *ret_text == NULL ? err_set(err, ERR_INTERNAL, "model.json cannot be written") : 0;
}
