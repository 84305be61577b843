/* exit_code.h - how a Job's program ends, and what the Job makes of it.
 *
 * The codes follow sysexits(3). A Job's podFailurePolicy fails it at once for
 * codes where another attempt cannot help; the others count against its
 * backoffLimit (controller/job_builder.h). */
#pragma once

#include <stdbool.h>

#include "base/err.h"

enum exit_code {
    EXIT_CODE_DONE = 0,
    EXIT_CODE_USAGE = 64,       /* command line or job document                      */
    EXIT_CODE_DATA = 65,        /* what was read cannot be used                       */
    EXIT_CODE_INPUT = 66,       /* an input is not there, or not any more             */
    EXIT_CODE_UNREACHABLE = 69, /* storage or registry, after retries                 */
    EXIT_CODE_INTERNAL = 70,    /* a bug                                              */
    EXIT_CODE_OUTPUT = 73,      /* the output cannot be written or is another's       */
    EXIT_CODE_TRY_AGAIN = 75,   /* local trouble that another node may not have       */
    EXIT_CODE_DENIED = 77,      /* a right is missing                                 */
    EXIT_CODE_KILLED = 137,     /* SIGKILL: out of memory, as a rule                  */
    EXIT_CODE_TERMINATED = 143, /* SIGTERM                                            */
};

/* The code and the reason word for an error. A reason word of the error itself
 * wins (UsageError, DataInvalid, DriftExceeded, InputNotFound, InputChanged, Unreachable,
 * Internal, OutputExists, OutputFailed, TryAgain, PermissionDenied, Terminated);
 * any other word gives way to that of the error's kind: INVALID, TOO_BIG 65;
 * UNSUPPORTED 64; NOT_FOUND, GONE 66; EXISTS, CONFLICT 73; DENIED 77; RETRY 69;
 * IO 75; CANCELED 143; INTERNAL 70. */
int exit_code_of(const struct err *error);
const char *exit_reason_of(const struct err *error) __attribute__((returns_nonnull));

/* What to say about a code when no message of the program was found:
 * "input not found", "killed, most likely out of memory". Never NULL. */
const char *exit_code_meaning(int code) __attribute__((returns_nonnull));
/* The reason word of a code alone: 65 -> "DataInvalid", unknown -> "Internal". */
const char *exit_code_reason(int code) __attribute__((returns_nonnull));
