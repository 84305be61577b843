/* churn-trainer: from a history file to a published churn model. */
#include <signal.h>
#include <stdlib.h>

#include "base/cgroup.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "contract/program.h"
#include "ml/parallel.h"
#include "store/store.h"
#include "trainer/run.h"

#define MEMORY_MAXIMUM (1024 * 1024 * 1024) /* MiB: more than any machine has */

struct arguments {
    struct program_arguments common;
    const char *in, *out;
    int64_t memory; /* MiB */
};

static const struct option options[] = {
    PROGRAM_OPTION_JOB,
    PROGRAM_OPTION_RESULT,
    PROGRAM_OPTION_THREADS(PARALLEL_MAXIMUM),
    { .name = "memory",
      .kind = OPTION_INT,
      .offset = offsetof(struct arguments, memory),
      .environment = "CHURN_MEMORY",
      .fallback = "0",
      .maximum = MEMORY_MAXIMUM,
      .argument = "MIB",
      .help = "what surely takes more is refused; 0: what the container may use" },
    { .name = "in",
      .kind = OPTION_TEXT,
      .offset = offsetof(struct arguments, in),
      .argument = "DIR",
      .help = "with STAGE: what the stage before left; for ingest a folder with job.json" },
    { .name = "out",
      .kind = OPTION_TEXT,
      .offset = offsetof(struct arguments, out),
      .argument = "DIR",
      .help = "with STAGE: where this stage leaves its part; must exist" },
};

static const struct program program = {
    .name = "churn-trainer",
    .synopsis = "[options] [STAGE]",
    .description = "Trains a churn model from a CSV history as a job document says, and publishes "
                   "it as a version folder with model, metrics and report.html.\n"
                   "With STAGE (ingest, split, fit, calibrate, evaluate, explain, package) it runs "
                   "one stage, with files in --in and --out, so that a pipeline engine can run "
                   "them one by one; the result is the same.",
    .options = options,
    .option_count = ARRAY_SIZE(options),
    .maximum_operands = 1,
};

/* A parameter with the range that it has for some algorithms. */
static void write_range(struct buf *text, const struct parameter *parameter)
{
    char minimum[NUM_DOUBLE_TEXT], maximum[NUM_DOUBLE_TEXT];
    num_format_double(parameter->minimum, minimum);
    num_format_double(parameter->maximum, maximum);
    for (int i = 0, count = 0; algorithm_names[i] != NULL; i++)
        if (parameter->algorithms & 1U << i)
            buf_format(text, "%s%s", count++ == 0 ? "" : ", ", algorithm_names[i]);
    buf_format(text, ": %s%s to %s, %s", parameter->whole ? "integer, " : "", minimum, maximum,
               parameter->meaning);
}

static bool is_listed(const struct parameter *parameter)
{
    for (const struct parameter *each = parameters; each < parameter; each++)
        if (strcmp(each->name, parameter->name) == 0)
            return true;
    return false;
}

/* What a job document's `parameters` may hold, and the exit codes. */
static const char *epilogue(struct arena *arena)
{
    auto_buf struct buf text;

    buf_init(&text, 4 * KIB);
    buf_string(&text, "Parameters of the algorithms, each a string in the job document:\n");
    for (const struct parameter *each = parameters; each->name; each++) {
        if (is_listed(each))
            continue;
        buf_format(&text, "%s. ", each->name);
        for (const struct parameter *range = each; range->name; range++)
            if (strcmp(range->name, each->name) == 0) {
                write_range(&text, range);
                buf_string(&text, ". ");
            }
        buf_string(&text, "\n");
    }
    buf_string(&text, "\nA column may have a direction in data.columns, {\"name\": \"Balance\", "
                      "\"type\": \"Numeric\", \"monotone\": \"Increasing\"}: the probability "
                      "never falls (Decreasing: never rises) while it grows.\n");
    buf_string(&text, "\n" PROGRAM_EXIT_CODES);
    return arena_strdup(arena, buf_text(&text));
}

/* Everything published is put in place at once, so there is nothing to undo. */
static void terminate(int signal_number)
{
    _exit(128 + signal_number); /* SIGTERM: EXIT_CODE_TERMINATED */
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = terminate };
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* connections to storage */
}

static int usage_error(struct err *err, const char *message)
{
    return err_reason(err, ERR_INVALID, "UsageError", "%s", message);
}

static int run(const struct arguments *arguments, const struct strings *operands,
               struct training *training, struct progress *progress, struct result *ret_result,
               struct err *err)
{
    if (operands->count == 0) {
        if (arguments->in != NULL || arguments->out != NULL)
            return usage_error(err, "--in and --out belong to a STAGE");
        if (train_job_read(arguments->common.job, &training->arena, &training->job, err) < 0)
            return -1;
        return run_training(training, progress, ret_result, err);
    }
    const struct stage *stage = stage_find(operands->items[0]);
    if (stage == NULL)
        return usage_error(err, "STAGE must be one of ingest, split, fit, calibrate, evaluate, "
                                "explain, package");
    if (arguments->in == NULL || arguments->out == NULL)
        return usage_error(err, "a STAGE needs --in DIR and --out DIR");
    return run_stage(training, stage, arguments->in, arguments->out, progress, ret_result, err);
}

/* libgomp, below XGBoost, calls exit() when it has no memory for its threads. The
 * libraries' destructors would then run beneath threads that still work, and crash. */
static bool concluded;

static void end_at_exit_of_library(void)
{
    if (!concluded)
        mem_exhausted();
}

static int train(int argc, char **argv)
{
    auto_arena struct arena arena = { 0 };
    struct arguments arguments = { 0 };
    struct strings operands;
    struct program described = program;
    struct err err = { 0 };
    int code;

    catch_signals();
    described.epilogue = epilogue(&arena);
    if (!options_begin(&described, argc, argv, &arena, &arguments, &operands, &code))
        return code;
    auto_stores struct stores *stores = stores_new(&(struct stores_options){
        .variable = program_variable,
        .on_trouble = program_trouble,
    });
    auto_training struct training training = {
        .stores = stores,
        .threads =
            arguments.common.threads > 0 ? (unsigned)arguments.common.threads : parallel_threads(),
        .memory = arguments.memory > 0 ? (uint64_t)arguments.memory * MIB : cgroup_memory(),
    };
    struct progress progress;
    struct result result;
    progress_init(&progress, &clock_system);
    if (run(&arguments, &operands, &training, &progress, &result, &err) < 0)
        return program_failed(&program, &arguments.common, &err);
    if (result.model != NULL)
        progress_conclude(&progress, "%s: version %s, %sreport.html", outcome_names[result.outcome],
                          result.model->version, result.model->uri);
    return program_done(&program, &arguments.common, &result);
}

int main(int argc, char **argv)
{
    (void)atexit(end_at_exit_of_library); /* the last registered is called first */
    int code = train(argc, argv);
    concluded = true;
    return code;
}
