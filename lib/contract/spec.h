/* spec.h - what to train and how to score: the parts that resources and job
 * documents have in common, each with one field table.
 *
 * A ChurnModel's spec contains a training_spec, and so does a Train document; a
 * ChurnBatch's spec contains scoring options and an output, and so does a Score
 * document. Rules and defaults therefore stand here only. Tables know nothing
 * about files: whether a column exists is the trainer's business. */
#pragma once

#include "base/fields.h"
#include "contract/check.h"

enum column_type { COLUMN_NUMERIC, COLUMN_CATEGORICAL, COLUMN_BOOLEAN };
extern const char *const column_type_names[]; /* Numeric, Categorical, Boolean */

/* What the probability of leaving may do while a column's value grows and the others stay. */
enum monotone { MONOTONE_FREE = -1, MONOTONE_INCREASING, MONOTONE_DECREASING };
extern const char *const monotone_names[]; /* Increasing (never falls), Decreasing (never rises) */

/* Overrides what is inferred for one column. */
struct column_override {
    const char *name;
    int type;     /* enum column_type                                   */
    int monotone; /* enum monotone; numbers and flags, and trees, alone */
};

struct data_spec {
    const char *uri;            /* file, or folder (ends in '/'): its newest file */
    const char *target;         /* column that says who left                      */
    const char *positive_label; /* its value for those who left                   */
    const char *id;             /* column that identifies a customer, never a feature */
    struct strings drop;        /* columns that are not used                      */
    struct list columns;        /* of struct column_override                      */
    struct strings sensitive;   /* columns whose groups are reported one by one   */
    int64_t poll_interval_ms;   /* spec.data of a ChurnModel only                 */
    const char *generation;     /* Train documents only: what the file must be; NULL: any */
};

enum algorithm {
    ALGORITHM_AUTO, /* not NeuralNetwork: it costs several times as much as the others */
    ALGORITHM_GRADIENT_BOOSTING,
    ALGORITHM_LOGISTIC_REGRESSION,
    ALGORITHM_NEURAL_NETWORK,
};
extern const char *const algorithm_names[]; /* Auto, GradientBoosting, ... */

struct validation_spec {
    struct decimal holdout; /* share of customers held out for the reported metrics */
    int64_t folds;          /* of the cross-validation inside the training part     */
};

enum objective { OBJECTIVE_F1, OBJECTIVE_PROFIT };
extern const char *const objective_names[]; /* F1, Profit */

struct threshold_spec {
    int objective; /* enum objective */
};

/* Everything that decides what a training makes from a file. */
struct training_spec {
    struct data_spec *data;
    int algorithm;           /* enum algorithm            */
    struct pairs parameters; /* read with parameter_value */
    struct validation_spec *validation;
    struct threshold_spec *threshold;
    int64_t seed;
};

/* Metrics that champion and challenger can be compared by: higher is better. */
enum promotion_metric {
    PROMOTION_AUC,
    PROMOTION_PR_AUC,
    PROMOTION_KS,
    PROMOTION_GINI,
    PROMOTION_LIFT_AT_10,
    PROMOTION_EMP,
    PROMOTION_F1,
};
extern const char *const promotion_metric_names[]; /* auc, pr_auc, ks, ... */

/* When a new version takes the place of the one in use. */
struct promotion_spec {
    int metric; /* enum promotion_metric */
    /* Only in a ChurnModel: the controller decides. */
    struct decimal minimum;             /* absent: none                                */
    struct decimal minimum_improvement; /* over the version in use, on the same rows   */
};

extern const struct fields column_override_fields;
/* One struct data_spec, three objects: what is hashed, a ChurnModel's spec.data,
 * which says how often to look for new data, and a Train document's data, which says
 * which generation of the file was chosen. */
extern const struct fields data_spec_fields;
extern const struct fields model_data_fields;
extern const struct fields train_data_fields;
/* One struct promotion_spec, two objects: a ChurnModel's, and a Train document's,
 * which has the metric alone. */
extern const struct fields promotion_spec_fields;
extern const struct fields promotion_metric_fields;
extern const struct fields validation_spec_fields;
extern const struct fields threshold_spec_fields;
/* The members alone, for hashing (identity.h). */
extern const struct fields training_spec_fields;

#define NUMBER_MAXIMUM 32         /* characters of a decimal number, as in the schemas */
#define SEED_MAXIMUM   2147483647 /* what every library takes */

/* The members of a training_spec that is embedded in struct `type` as `member`;
 * `data_table` is one of the three tables of struct data_spec. */
#define TRAINING_FIELDS(type, member, data_table)                                                  \
    FIELD(type, member.data, "data", FIELD_OBJECT, .flags = FIELD_REQUIRED,                        \
          .table = &(data_table)),                                                                 \
        FIELD(type, member.algorithm, "algorithm", FIELD_ENUM, .fallback = "Auto",                 \
              .names = algorithm_names),                                                           \
        FIELD(type, member.parameters, "parameters", FIELD_MAP, .maximum = 32),                    \
        FIELD(type, member.validation, "validation", FIELD_OBJECT, .flags = FIELD_ALWAYS,          \
              .table = &validation_spec_fields),                                                   \
        FIELD(type, member.threshold, "threshold", FIELD_OBJECT, .flags = FIELD_ALWAYS,            \
              .table = &threshold_spec_fields),                                                    \
        FIELD(type, member.seed, "seed", FIELD_INT, .fallback = "42", .minimum = 0,                \
              .maximum = SEED_MAXIMUM)

/* The rules between members that a table cannot say: parameters fit the
 * algorithm, target and id are two columns that are neither dropped nor sensitive,
 * a column is overridden once and sensitive once, names fit into a document. `path` is what the
 * spec is called ("spec", "" for a document). ERR_INVALID names the path and what was expected. */
int training_spec_check(const struct training_spec *spec, const char *path, struct err *err)
    __attribute__((warn_unused_result));

/* --- parameters of the algorithms --------------------------------------- */

struct parameter {
    const char *name;
    bool whole;              /* an integer                                         */
    double minimum, maximum; /* inclusive                                          */
    const char *meaning;     /* one sentence, for --help and documentation         */
    unsigned algorithms;     /* bit (1 << enum algorithm)                          */
};

/* All parameters, ended by a NULL name. A name stands here once for each range that it
 * has with some algorithms. A parameter that is not given is chosen
 * by validation inside the training part, or has the trainer's default. */
extern const struct parameter parameters[];

/* The value of a parameter that was given; false when it was not. The spec has
 * passed training_spec_check(). */
bool parameter_value(const struct training_spec *spec, const char *name, double *ret_value);

/* --- scoring ------------------------------------------------------------ */

/* Fewer rows than these say too little to warn of drift. */
#define DRIFT_ROWS 200

/* How far the customers may be from those of the training: a PSI per feature
 * (ml/drift.h). */
struct drift_spec {
    struct decimal warn; /* from here on a warning; text NULL: never         */
    struct decimal fail; /* from here on the run fails; text NULL: never     */
};

struct scoring_options {
    const char *threshold;       /* "Auto" (the model's) or a number within [0,1]        */
    int64_t reasons;             /* how many per customer, 0 for none                    */
    struct decimal max_rejected; /* share of bad rows that is tolerated                  */
    struct drift_spec *drift;
};

struct output_spec {
    const char *uri;        /* file, or folder: <folder>/<batch name>.csv          */
    struct strings columns; /* input columns carried into the output               */
    bool overwrite;         /* replace an object that is not this batch's          */
};

extern const struct fields output_spec_fields;
extern const struct fields drift_spec_fields;

#define REASONS_MAXIMUM 20

#define SCORING_FIELDS(type, member)                                                               \
    FIELD(type, member.threshold, "threshold", FIELD_STRING, .fallback = "Auto", .maximum = 32,    \
          .check = check_threshold),                                                               \
        FIELD(type, member.reasons, "reasons", FIELD_INT, .fallback = "3", .minimum = 0,           \
              .maximum = REASONS_MAXIMUM),                                                         \
        FIELD(type, member.max_rejected, "maxRejected", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM,   \
              .fallback = "0.01", .number_range = "[0,1]"),                                        \
        FIELD(type, member.drift, "drift", FIELD_OBJECT, .flags = FIELD_ALWAYS,                    \
              .table = &drift_spec_fields)

/* The threshold that was asked for; false for Auto. */
bool scoring_threshold(const struct scoring_options *options, double *ret_threshold);
