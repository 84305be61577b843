/* batch_template.h - how a file is scored: what a ChurnBatch and the template of
 * an inbox (model_api.h) have in common, with one macro for their tables. */
#pragma once

#include "contract/job.h"
#include "pod_template.h"

enum freshness { FRESHNESS_LATEST, FRESHNESS_CURRENT };
extern const char *const freshness_names[]; /* Latest, Current */

struct batch_template {
    int freshness;     /* enum freshness */
    const char *image; /* NULL: the controller's default scorer image */
    struct output_spec *output;
    struct scoring_options scoring;
    int64_t shards; /* 0: by size */
    int64_t active_deadline_seconds, backoff_limit;
    struct opt_int ttl_seconds; /* of finished Jobs */
};

#define TTL_FIELD   "ttlSecondsAfterFinished"
#define TTL_MAXIMUM 31536000 /* a year */

/* The members of a batch_template that is embedded in struct `type` as `member`. */
#define BATCH_TEMPLATE_FIELDS(type, member)                                                        \
    FIELD(type, member.freshness, "freshness", FIELD_ENUM, .fallback = "Latest",                   \
          .names = freshness_names),                                                               \
        FIELD(type, member.image, "image", FIELD_STRING, .maximum = 512, .check = check_image),    \
        FIELD(type, member.output, "output", FIELD_OBJECT, .flags = FIELD_REQUIRED,                \
              .table = &output_spec_fields),                                                       \
        SCORING_FIELDS(type, member.scoring),                                                      \
        FIELD(type, member.shards, "shards", FIELD_INT, .fallback = "1", .minimum = 0,             \
              .maximum = SHARDS_MAXIMUM),                                                          \
        FIELD(type, member.active_deadline_seconds, "activeDeadlineSeconds", FIELD_INT,            \
              .fallback = DEFAULT_DEADLINE_SECONDS, .minimum = 1, .maximum = DEADLINE_MAXIMUM),    \
        FIELD(type, member.backoff_limit, "backoffLimit", FIELD_INT,                               \
              .fallback = DEFAULT_BACKOFF_LIMIT, .minimum = 0, .maximum = BACKOFF_LIMIT_MAXIMUM),  \
        FIELD(type, member.ttl_seconds, TTL_FIELD, FIELD_OPT_INT, .minimum = 0,                    \
              .maximum = TTL_MAXIMUM)
