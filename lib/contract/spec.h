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

/* Overrides what is inferred for one column. */
struct column_override {
    const char *name;
    int type; /* enum column_type */
};

struct data_spec {
    const char *uri;            /* file, or folder (ends in '/'): its newest file */
    const char *target;         /* column that says who left                      */
    const char *positive_label; /* its value for those who left                   */
    const char *id;             /* column that identifies a customer, never a feature */
    struct strings drop;        /* columns that are not used                      */
    struct list columns;        /* of struct column_override                      */
};

enum algorithm { ALGORITHM_AUTO, ALGORITHM_GRADIENT_BOOSTING, ALGORITHM_LOGISTIC_REGRESSION };
extern const char *const algorithm_names[]; /* Auto, GradientBoosting, LogisticRegression */

struct validation_spec {
    struct decimal holdout; /* share of customers held out for the reported metrics */
    int64_t folds;          /* of the cross-validation inside the training part     */
};

enum objective { OBJECTIVE_F1 };
extern const char *const objective_names[];

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

extern const struct fields column_override_fields;
extern const struct fields data_spec_fields;
extern const struct fields validation_spec_fields;
extern const struct fields threshold_spec_fields;
/* The members alone, for hashing (identity.h). */
extern const struct fields training_spec_fields;

#define NUMBER_MAXIMUM 32         /* characters of a decimal number, as in the schemas */
#define SEED_MAXIMUM   2147483647 /* what every library takes */

/* The members of a training_spec that is embedded in struct `type` as `member`. */
#define TRAINING_FIELDS(type, member)                                                              \
    FIELD(type, member.data, "data", FIELD_OBJECT, .flags = FIELD_REQUIRED,                        \
          .table = &data_spec_fields),                                                             \
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
 * algorithm, target and id are two columns that are not dropped, a column is
 * overridden once. `path` is what the spec is called ("spec", "" for a
 * document). ERR_INVALID names the path and what was expected. */
int training_spec_check(const struct training_spec *spec, const char *path, struct err *err)
    __attribute__((warn_unused_result));

/* --- parameters of the algorithms --------------------------------------- */

struct parameter {
    const char *name;
    bool whole;              /* an integer                                         */
    double minimum, maximum; /* inclusive                                          */
    const char *meaning;     /* one sentence, for --help and documentation         */
    unsigned algorithms;     /* bit (1 << enum algorithm); Auto takes all of them  */
};

/* All parameters, ended by a NULL name. A parameter that is not given is chosen
 * by validation inside the training part, or has the trainer's default. */
extern const struct parameter parameters[];

/* The value of a parameter that was given; false when it was not. The spec has
 * passed training_spec_check(). */
bool parameter_value(const struct training_spec *spec, const char *name, double *ret_value);

/* --- scoring ------------------------------------------------------------ */

struct scoring_options {
    const char *threshold;       /* "Auto" (the model's) or a number within [0,1]        */
    int64_t reasons;             /* how many per customer, 0 for none                    */
    struct decimal max_rejected; /* share of bad rows that is tolerated            */
};

struct output_spec {
    const char *uri;        /* file, or folder: <folder>/<batch name>.csv          */
    struct strings columns; /* input columns carried into the output               */
    bool overwrite;         /* replace an object that is not this batch's          */
};

extern const struct fields output_spec_fields;

#define REASONS_MAXIMUM 20

#define SCORING_FIELDS(type, member)                                                               \
    FIELD(type, member.threshold, "threshold", FIELD_STRING, .fallback = "Auto", .maximum = 32,    \
          .check = check_threshold),                                                               \
        FIELD(type, member.reasons, "reasons", FIELD_INT, .fallback = "3", .minimum = 0,           \
              .maximum = REASONS_MAXIMUM),                                                         \
        FIELD(type, member.max_rejected, "maxRejected", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM,   \
              .fallback = "0.01", .number_range = "[0,1]")

/* The threshold that was asked for; false for Auto. */
bool scoring_threshold(const struct scoring_options *options, double *ret_threshold);
