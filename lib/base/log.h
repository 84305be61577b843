/* log.h - one JSON object per line on stderr.
 *
 * Only programs log (main, the controller's edges, the stages of trainer and
 * scorer); libraries return errors. A record has time, level, message and typed
 * members; secrets are never passed to it. Thread-safe: one write per line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log_member {
    const char *name;
    const char *text; /* NULL: the number counts */
    int64_t number;
    double real;
    int kind; /* 't' text, 'n' integer, 'r' real */
};

#define LOG_TEXT(name_, text_)  ((struct log_member){ (name_), (text_), 0, 0, 't' })
#define LOG_INT(name_, number_) ((struct log_member){ (name_), NULL, (number_), 0, 'n' })
#define LOG_REAL(name_, real_)  ((struct log_member){ (name_), NULL, 0, (real_), 'r' })

/* log_write(LOG_INFO, "job created", LOG_TEXT("job", name), LOG_INT("attempt", 1)); */
#define log_write(level, message, ...)                                                             \
    log_members(level, message, (const struct log_member[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })

/* Members end at the first with a NULL name. A NULL text is written as null. */
void log_members(enum log_level level, const char *message, const struct log_member *members);

/* The same with the error's message, kind and reason as members. */
void log_failure(enum log_level level, const char *message, const struct err *failure);

void log_set_level(enum log_level level); /* before threads start; default LOG_INFO */
/* "debug", "info", "warning", "error" */
int log_level_parse(const char *text, enum log_level *ret_level, struct err *err)
    __attribute__((warn_unused_result));
