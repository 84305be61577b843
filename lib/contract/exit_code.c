#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "contract/exit_code.h"
#include "contract/reasons.h"

static const struct {
    const char *reason;
    enum exit_code code;
} codes_of_reasons[] = {
    { REASON_UsageError, EXIT_CODE_USAGE },        { REASON_DataInvalid, EXIT_CODE_DATA },
    { REASON_DriftExceeded, EXIT_CODE_DATA },      { REASON_InputNotFound, EXIT_CODE_INPUT },
    { REASON_InputChanged, EXIT_CODE_INPUT },      { REASON_Unreachable, EXIT_CODE_UNREACHABLE },
    { REASON_Internal, EXIT_CODE_INTERNAL },       { REASON_OutputExists, EXIT_CODE_OUTPUT },
    { REASON_OutputFailed, EXIT_CODE_OUTPUT },     { REASON_TryAgain, EXIT_CODE_TRY_AGAIN },
    { REASON_PermissionDenied, EXIT_CODE_DENIED }, { REASON_OutOfMemory, EXIT_CODE_KILLED },
    { REASON_Terminated, EXIT_CODE_TERMINATED },
};

static const char *reason_of_kind(enum err_kind kind)
{
    switch (kind) {
    case ERR_INVALID:
    case ERR_TOO_BIG:
        return REASON_DataInvalid;
    case ERR_NOT_FOUND:
        return REASON_InputNotFound;
    case ERR_GONE:
        return REASON_InputChanged;
    case ERR_EXISTS:
    case ERR_CONFLICT:
        return REASON_OutputExists;
    case ERR_DENIED:
        return REASON_PermissionDenied;
    case ERR_RETRY:
        return REASON_Unreachable;
    case ERR_UNSUPPORTED:
        return REASON_UsageError;
    case ERR_CANCELED:
        return REASON_Terminated;
    case ERR_IO:
        return REASON_TryAgain;
    case ERR_NONE:
    case ERR_INTERNAL:
        break;
    }
    return REASON_Internal;
}

static bool find_code(const char *reason, int *ret_code)
{
    for (size_t i = 0; i < ARRAY_SIZE(codes_of_reasons); i++) {
        if (strcmp(codes_of_reasons[i].reason, reason) == 0) {
            *ret_code = (int)codes_of_reasons[i].code;
            return true;
        }
    }
    return false;
}

const char *exit_reason_of(const struct err *error)
{
    int code;
    return find_code(error->reason, &code) ? error->reason : reason_of_kind(error->kind);
}

int exit_code_of(const struct err *error)
{
    int code = EXIT_CODE_INTERNAL;
    (void)find_code(exit_reason_of(error), &code);
    return code;
}

const char *exit_code_meaning(int code)
{
    switch (code) {
    case EXIT_CODE_DONE:
        return "done";
    case EXIT_CODE_USAGE:
        return "the program does not understand its command line or job document";
    case EXIT_CODE_DATA:
        return "the data cannot be used";
    case EXIT_CODE_INPUT:
        return "an input does not exist or has changed";
    case EXIT_CODE_UNREACHABLE:
        return "storage could not be reached";
    case EXIT_CODE_INTERNAL:
        return "a bug in the program";
    case EXIT_CODE_OUTPUT:
        return "the output cannot be written or exists";
    case EXIT_CODE_TRY_AGAIN:
        return "local trouble that another attempt may not have";
    case EXIT_CODE_DENIED:
        return "a right is missing";
    case EXIT_CODE_KILLED:
        return "killed, most likely out of memory";
    case EXIT_CODE_TERMINATED:
        return "asked to stop";
    }
    return "unknown exit code";
}

const char *exit_code_reason(int code)
{
    for (size_t i = 0; i < ARRAY_SIZE(codes_of_reasons); i++)
        if ((int)codes_of_reasons[i].code == code)
            return codes_of_reasons[i].reason;
    return REASON_Internal;
}
