#include <math.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/num.h"
#include "contract/check.h"
#include "contract/spec.h"

const char *const column_type_names[] = { "Numeric", "Categorical", "Boolean", NULL };
const char *const monotone_names[] = { "Increasing", "Decreasing", NULL };
const char *const algorithm_names[] = { "Auto", "GradientBoosting", "LogisticRegression",
                                        "NeuralNetwork", NULL };
const char *const objective_names[] = { "F1", "Profit", NULL };
const char *const promotion_metric_names[] = { "auc",        "pr_auc", "ks", "gini",
                                               "lift_at_10", "emp",    "f1", NULL };

static const struct field column_override_items[] = {
    FIELD(struct column_override, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_column),
    FIELD(struct column_override, type, "type", FIELD_ENUM, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .names = column_type_names),
    FIELD(struct column_override, monotone, "monotone", FIELD_ENUM, .names = monotone_names),
};
const struct fields column_override_fields = FIELDS(struct column_override, column_override_items);

#define DATA_FIELDS                                                                                \
    FIELD(struct data_spec, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 1024,    \
          .check = check_uri),                                                                     \
        FIELD(struct data_spec, target, "target", FIELD_STRING, .flags = FIELD_REQUIRED,           \
              .check = check_column),                                                              \
        FIELD(struct data_spec, positive_label, "positiveLabel", FIELD_STRING,                     \
              .flags = FIELD_NONEMPTY, .fallback = "1", .maximum = 256),                           \
        FIELD(struct data_spec, id, "id", FIELD_STRING, .flags = FIELD_REQUIRED,                   \
              .check = check_column),                                                              \
        FIELD(struct data_spec, drop, "drop", FIELD_STRINGS, .maximum = 256,                       \
              .check = check_column),                                                              \
        FIELD(struct data_spec, columns, "columns", FIELD_OBJECTS, .maximum = 256,                 \
              .table = &column_override_fields),                                                   \
        FIELD(struct data_spec, sensitive, "sensitive", FIELD_STRINGS, .maximum = 32,              \
              .check = check_column)

static const struct field data_spec_items[] = { DATA_FIELDS };
const struct fields data_spec_fields = FIELDS(struct data_spec, data_spec_items);

static const struct field model_data_items[] = {
    DATA_FIELDS,
    FIELD(struct data_spec, poll_interval_ms, "pollInterval", FIELD_DURATION, .fallback = "5m",
          .minimum = 1000, .maximum = 86400000),
};
const struct fields model_data_fields = FIELDS(struct data_spec, model_data_items);

static const struct field train_data_items[] = {
    DATA_FIELDS,
    FIELD(struct data_spec, generation, "generation", FIELD_STRING, .flags = FIELD_NONEMPTY,
          .maximum = 256, .check = check_line),
};
const struct fields train_data_fields = FIELDS(struct data_spec, train_data_items);

static const struct field validation_spec_items[] = {
    FIELD(struct validation_spec, holdout, "holdout", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM,
          .fallback = "0.2", .number_range = "[0.05,0.5]"),
    FIELD(struct validation_spec, folds, "folds", FIELD_INT, .fallback = "5", .minimum = 2,
          .maximum = 10),
};
const struct fields validation_spec_fields = FIELDS(struct validation_spec, validation_spec_items);

static const struct field threshold_spec_items[] = {
    FIELD(struct threshold_spec, objective, "objective", FIELD_ENUM, .fallback = "F1",
          .names = objective_names),
};
const struct fields threshold_spec_fields = FIELDS(struct threshold_spec, threshold_spec_items);

#define PROMOTION_METRIC                                                                           \
    FIELD(struct promotion_spec, metric, "metric", FIELD_ENUM, .fallback = "auc",                  \
          .names = promotion_metric_names)

static const struct field promotion_spec_items[] = {
    PROMOTION_METRIC,
    FIELD(struct promotion_spec, minimum, "minimum", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM),
    FIELD(struct promotion_spec, minimum_improvement, "minImprovement", FIELD_NUMBER,
          .maximum = NUMBER_MAXIMUM, .fallback = "0", .number_range = "[0,)"),
};
const struct fields promotion_spec_fields = FIELDS(struct promotion_spec, promotion_spec_items);

static const struct field promotion_metric_items[] = { PROMOTION_METRIC };
const struct fields promotion_metric_fields = FIELDS(struct promotion_spec, promotion_metric_items);

/* A member named by its own struct, so that TRAINING_FIELDS has an offset of 0. */
struct training_spec_alone {
    struct training_spec spec;
};
static const struct field training_spec_items[] = { TRAINING_FIELDS(struct training_spec_alone,
                                                                    spec, data_spec_fields) };
const struct fields training_spec_fields = FIELDS(struct training_spec_alone, training_spec_items);

static const struct field output_spec_items[] = {
    FIELD(struct output_spec, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 1024,
          .check = check_uri),
    FIELD(struct output_spec, columns, "columns", FIELD_STRINGS, .maximum = 64,
          .check = check_column),
    FIELD(struct output_spec, overwrite, "overwrite", FIELD_BOOL, .fallback = "false"),
};
const struct fields output_spec_fields = FIELDS(struct output_spec, output_spec_items);

static const struct field drift_spec_items[] = {
    FIELD(struct drift_spec, warn, "warn", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM,
          .fallback = "0.1", .number_range = "(0,)"),
    FIELD(struct drift_spec, fail, "fail", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM, .fallback = "",
          .number_range = "(0,)"),
};
const struct fields drift_spec_fields = FIELDS(struct drift_spec, drift_spec_items);

#define BOOSTING (1U << ALGORITHM_AUTO | 1U << ALGORITHM_GRADIENT_BOOSTING)
#define LINEAR   (1U << ALGORITHM_AUTO | 1U << ALGORITHM_LOGISTIC_REGRESSION)
#define NETWORK  (1U << ALGORITHM_NEURAL_NETWORK)

const struct parameter parameters[] = {
    { "max_depth", true, 1, 10, "depth of each tree; else chosen by validation", BOOSTING },
    { "min_child_weight", false, 0, 1000,
      "least sum of row weights in a leaf, of XGBoost's trees alone; else chosen by validation",
      BOOSTING },
    { "learning_rate", false, 0.001, 1, "how much of each tree is added", BOOSTING },
    { "max_trees", true, 1, 5000,
      "most trees of a model, 600 unless given; how many are used is chosen by validation",
      BOOSTING },
    { "lambda", false, 0, 1000, "L2 penalty on the values of leaves", BOOSTING },
    { "l2", false, 0, 1000000, "L2 penalty on the coefficients; else chosen by validation",
      LINEAR },
    { "hidden_layers", true, 1, 8, "layers of a network between inputs and output", NETWORK },
    { "hidden_units", true, 8, 1024, "units of each hidden layer", NETWORK },
    { "dropout", false, 0, 0.9,
      "share of hidden units left out in each step; else chosen by validation", NETWORK },
    { "weight_decay", false, 0, 100,
      "share of the weights that is taken away in each step, times the learning rate; else chosen "
      "by validation",
      NETWORK },
    { "learning_rate", false, 0.00001, 0.1, "the highest rate of the networks' schedule", NETWORK },
    { "epochs", true, 1, 1000, "length of the schedule; how many are used is chosen by validation",
      NETWORK },
    { "ensemble", true, 1, 16, "networks from different seeds that are averaged", NETWORK },
    { NULL, false, 0, 0, NULL, 0 },
};

static const struct parameter *find_parameter(const char *name, int algorithm)
{
    for (const struct parameter *parameter = parameters; parameter->name; parameter++)
        if (strcmp(parameter->name, name) == 0 && parameter->algorithms & 1U << algorithm)
            return parameter;
    return NULL;
}

static int unknown_parameter(const char *where, const char *name, int algorithm, struct err *err)
{
    auto_buf struct buf known = { .maximum = 1 * KIB };
    for (const struct parameter *parameter = parameters; parameter->name; parameter++)
        if (parameter->algorithms & 1U << algorithm)
            buf_format(&known, "%s%s", known.length ? ", " : "", parameter->name);
    return err_set(err, ERR_INVALID, "%sparameters.%s: must be a parameter of %s: %s", where, name,
                   algorithm_names[algorithm], buf_text(&known));
}

static int check_parameter(const struct training_spec *spec, const struct pair *given,
                           const char *where, struct err *err)
{
    const struct parameter *parameter = find_parameter(given->name, spec->algorithm);
    if (!parameter)
        return unknown_parameter(where, given->name, spec->algorithm, err);
    double value;
    if (num_double(span_of(given->value), &value, NULL) == 0 && value >= parameter->minimum &&
        value <= parameter->maximum && (!parameter->whole || value == floor(value)))
        return 0;
    char minimum[NUM_DOUBLE_TEXT], maximum[NUM_DOUBLE_TEXT];
    num_format_double(parameter->minimum, minimum);
    num_format_double(parameter->maximum, maximum);
    return err_set(err, ERR_INVALID, "%sparameters.%s: must be %s from %s to %s, not \"%s\"", where,
                   given->name, parameter->whole ? "an integer" : "a decimal number", minimum,
                   maximum, given->value);
}

/* Only trees keep to directions, and levels of a category have none. */
static int check_monotone(const struct training_spec *spec, size_t index, const char *where,
                          struct err *err)
{
    const struct column_override *column =
        (const struct column_override *)spec->data->columns.items + index;
    if (column->monotone == MONOTONE_FREE)
        return 0;
    if (column->type == COLUMN_CATEGORICAL)
        return err_set(err, ERR_INVALID,
                       "%sdata.columns[%zu].monotone: must not be set for a Categorical column",
                       where, index);
    if (spec->algorithm != ALGORITHM_AUTO && spec->algorithm != ALGORITHM_GRADIENT_BOOSTING)
        return err_set(err, ERR_INVALID,
                       "%sdata.columns[%zu].monotone: must not be set with algorithm %s: only Auto "
                       "and GradientBoosting keep to it",
                       where, index, algorithm_names[spec->algorithm]);
    double l2;
    if (parameter_value(spec, "l2", &l2))
        return err_set(err, ERR_INVALID,
                       "%sparameters.l2: must not be set while data.columns[%zu].monotone is: "
                       "logistic regression does not keep to it",
                       where, index);
    return 0;
}

static int check_columns(const struct training_spec *spec, const char *where, struct err *err)
{
    const struct data_spec *data = spec->data;
    const struct column_override *columns = data->columns.items;
    if (strcmp(data->target, data->id) == 0)
        return err_set(err, ERR_INVALID, "%sdata.id: must be another column than data.target",
                       where);
    for (size_t i = 0; i < data->drop.count; i++)
        if (strcmp(data->drop.items[i], data->target) == 0)
            return err_set(err, ERR_INVALID, "%sdata.drop[%zu]: must not be data.target", where, i);
    for (size_t i = 0; i < data->columns.count; i++) {
        if (strcmp(columns[i].name, data->target) == 0 || strcmp(columns[i].name, data->id) == 0)
            return err_set(err, ERR_INVALID,
                           "%sdata.columns[%zu].name: must be neither data.target nor data.id",
                           where, i);
        if (check_monotone(spec, i, where, err) < 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(columns[i].name, columns[j].name) == 0)
                return err_set(err, ERR_INVALID, "%sdata.columns[%zu].name: must not repeat \"%s\"",
                               where, i, columns[i].name);
    }
    return 0;
}

static int check_sensitive(const struct data_spec *data, const char *where, struct err *err)
{
    for (size_t i = 0; i < data->sensitive.count; i++) {
        const char *name = data->sensitive.items[i];
        if (strcmp(name, data->target) == 0 || strcmp(name, data->id) == 0)
            return err_set(err, ERR_INVALID,
                           "%sdata.sensitive[%zu]: must be neither data.target nor data.id", where,
                           i);
        for (size_t j = 0; j < i; j++)
            if (strcmp(name, data->sensitive.items[j]) == 0)
                return err_set(err, ERR_INVALID, "%sdata.sensitive[%zu]: must not repeat \"%s\"",
                               where, i, name);
    }
    return 0;
}

static size_t bytes_in_json(const char *text)
{
    size_t bytes = 0;
    for (; *text; text++)
        bytes += *text == '"' || *text == '\\' ? 2 : 1;
    return bytes;
}

/* All names go into the job document, which is bounded. */
static int check_names(const struct data_spec *data, const char *where, struct err *err)
{
    const struct column_override *columns = data->columns.items;
    size_t bytes = 0;
    for (size_t i = 0; i < data->drop.count; i++)
        bytes += bytes_in_json(data->drop.items[i]);
    for (size_t i = 0; i < data->columns.count; i++)
        bytes += bytes_in_json(columns[i].name);
    for (size_t i = 0; i < data->sensitive.count; i++)
        bytes += bytes_in_json(data->sensitive.items[i]);
    if (bytes <= LIMIT_TOLD_NAMES)
        return 0;
    return err_set(err, ERR_INVALID,
                   "%sdata: the names in drop, columns and sensitive must have at most %zu bytes "
                   "together, not %zu",
                   where, LIMIT_TOLD_NAMES, bytes);
}

int training_spec_check(const struct training_spec *spec, const char *path, struct err *err)
{
    char where[64];
    snprintf(where, sizeof(where), "%s%s", path, path[0] ? "." : "");
    if (check_columns(spec, where, err) < 0 || check_sensitive(spec->data, where, err) < 0 ||
        check_names(spec->data, where, err) < 0)
        return -1;
    for (size_t i = 0; i < spec->parameters.count; i++)
        if (check_parameter(spec, &spec->parameters.items[i], where, err) < 0)
            return -1;
    return 0;
}

bool parameter_value(const struct training_spec *spec, const char *name, double *ret_value)
{
    for (size_t i = 0; i < spec->parameters.count; i++)
        if (strcmp(spec->parameters.items[i].name, name) == 0)
            return num_double(span_of(spec->parameters.items[i].value), ret_value, NULL) == 0;
    return false;
}

bool scoring_threshold(const struct scoring_options *options, double *ret_threshold)
{
    return strcmp(options->threshold, "Auto") != 0 &&
           num_double(span_of(options->threshold), ret_threshold, NULL) == 0;
}
