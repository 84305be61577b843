/* program.h - what trainer and scorer have in common as programs: the options
 * that name their documents, the words about exit codes, the way they end. */
#pragma once

#include "base/options.h"
#include "contract/result.h"

/* The struct that a program's options fill begins with these. */
struct program_arguments {
    const char *job, *result; /* paths; result NULL: see result_report() */
    int64_t threads;          /* at most; 0: as many as the container may use */
};

/* Their entries in a program's table of options. */
#define PROGRAM_OPTION_JOB                                                                         \
    {                                                                                              \
        .name = "job", .kind = OPTION_TEXT, .offset = offsetof(struct program_arguments, job),     \
        .environment = "CHURN_JOB", .fallback = JOB_PATH, .argument = "FILE",                      \
        .help = "the job document"                                                                 \
    }

#define PROGRAM_OPTION_RESULT                                                                      \
    {                                                                                              \
        .name = "result", .kind = OPTION_TEXT,                                                     \
        .offset = offsetof(struct program_arguments, result), .environment = "CHURN_RESULT",       \
        .argument = "FILE",                                                                        \
        .help = "where the result document goes; by default " RESULT_PATH                          \
                ", or standard output where that does not exist"                                   \
    }

#define PROGRAM_OPTION_THREADS(maximum_threads)                                                    \
    {                                                                                              \
        .name = "threads", .kind = OPTION_INT,                                                     \
        .offset = offsetof(struct program_arguments, threads), .environment = "CHURN_THREADS",     \
        .fallback = "0", .maximum = (maximum_threads), .argument = "N",                            \
        .help = "at most so many threads; 0: what the container may use. The result is the same"   \
    }

/* The end of their help. */
#define PROGRAM_EXIT_CODES                                                                         \
    "Exit codes: 0 done, 64 usage or job document, 65 data or model, 66 input not found, "         \
    "69 storage unreachable, 70 internal, 73 output cannot be written or is another's, "           \
    "75 try again, 77 permission, 143 terminated."

/* Reports a result of success; returns the exit code. */
int program_done(const struct program *program, const struct program_arguments *arguments,
                 const struct result *result) __attribute__((warn_unused_result));

/* A variable of the environment, and what is said when storage is slow: for stores_options of
 * lib/store. */
const char *program_variable(void *context, const char *name);
void program_trouble(void *context, const struct err *why, int64_t delay_ms);

/* Says the error, as one plain line on a terminal, else in the log, and reports
 * it as a Failed result; returns the exit code. */
int program_failed(const struct program *program, const struct program_arguments *arguments,
                   const struct err *error) __attribute__((warn_unused_result));
