#include "contract/program.h"

#include "base/log.h"
#include "contract/exit_code.h"

static void say(const struct program *program, const struct err *error)
{
    if (isatty(STDERR_FILENO) == 1)
        fprintf(stderr, "%s: %s\n", program->name, error->message);
    else
        log_failure(LOG_ERROR, "failed", error);
}

const char *program_variable(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

void program_trouble(void *context, const struct err *why, int64_t delay_ms)
{
    (void)context;
    if (isatty(STDERR_FILENO) == 1)
        fprintf(stderr, "%s; trying again\n", why->message);
    else
        log_write(LOG_WARNING, "storage: trying again", LOG_TEXT("error", why->message),
                  LOG_INT("delayMs", delay_ms));
}

/* `code`, unless nobody will know of it. */
static int report(const struct program *program, const struct program_arguments *arguments,
                  const struct result *result, int code)
{
    struct err err;
    if (result_report(result, arguments->result, &err) == 0)
        return code;
    say(program, &err);
    return code == EXIT_CODE_DONE ? EXIT_CODE_OUTPUT : code;
}

int program_done(const struct program *program, const struct program_arguments *arguments,
                 const struct result *result)
{
    return report(program, arguments, result, EXIT_CODE_DONE);
}

int program_failed(const struct program *program, const struct program_arguments *arguments,
                   const struct err *error)
{
    struct result result = result_of_error(error);
    say(program, error);
    return report(program, arguments, &result, exit_code_of(error));
}
