/* churn-trainer: from a history file to a published churn model. */
#include <signal.h>

#include "base/log.h"
#include "base/options.h"
#include "contract/exit_code.h"
#include "ml/parallel.h"
#include "trainer/run.h"

struct arguments {
    const char *job, *result, *in, *out;
    int64_t threads;
};

static const struct option options[] = {
    { .name = "job",
      .kind = OPTION_TEXT,
      .offset = offsetof(struct arguments, job),
      .environment = "CHURN_JOB",
      .fallback = JOB_PATH,
      .argument = "FILE",
      .help = "the job document" },
    { .name = "result",
      .kind = OPTION_TEXT,
      .offset = offsetof(struct arguments, result),
      .environment = "CHURN_RESULT",
      .argument = "FILE",
      .help = "where the result document goes; by default " RESULT_PATH
              ", or standard output where that does not exist" },
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
    { .name = "threads",
      .kind = OPTION_INT,
      .offset = offsetof(struct arguments, threads),
      .environment = "CHURN_THREADS",
      .fallback = "0",
      .minimum = 0,
      .maximum = PARALLEL_MAXIMUM,
      .argument = "N",
      .help = "at most so many threads; 0: what the container may use. The result is the same" },
};

static const struct program program = {
    .name = "churn-trainer",
    .synopsis = "[options] [STAGE]",
    .description = "Trains a churn model from a CSV history as a job document says, and publishes "
                   "it as a version folder with model, metrics and report.html.\n"
                   "With STAGE (ingest, split, fit, calibrate, evaluate, explain, package) it runs "
                   "one stage, with files in --in and --out, so that a pipeline engine can run "
                   "them one by one; the result is the same.",
    .epilogue = "Exit codes: 0 done, 64 usage or job document, 65 data, 66 input not found, "
                "69 storage unreachable, 70 internal, 73 output cannot be written or exists, "
                "75 try again, 77 permission, 143 terminated.",
    .options = options,
    .option_count = ARRAY_SIZE(options),
    .maximum_operands = 1,
};

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
        if (train_job_read(arguments->job, &training->arena, &training->job, err) < 0)
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

static int finish(const struct result *result, const char *path, int code)
{
    struct err err;
    if (result_report(result, path, &err) == 0)
        return code;
    log_failure(LOG_ERROR, "the result cannot be written", &err);
    return code == EXIT_CODE_DONE ? EXIT_CODE_OUTPUT : code;
}

int main(int argc, char **argv)
{
    auto_arena struct arena arena = { 0 };
    struct arguments arguments = { 0 };
    struct strings operands;
    enum options_outcome outcome;
    struct err err = { 0 };
    catch_signals();
    if (options_parse(&program, argc, argv, &arena, &arguments, &operands, &outcome, &err) < 0) {
        fprintf(stderr, "churn-trainer: %s\n", err.message);
        return EXIT_CODE_USAGE;
    }
    if (outcome == OPTIONS_HELP) {
        options_print_help(&program);
        return EXIT_CODE_DONE;
    }
    if (outcome == OPTIONS_VERSION) {
        options_print_version(&program);
        return EXIT_CODE_DONE;
    }
    auto_training struct training training = {
        .threads = arguments.threads > 0 ? (unsigned)arguments.threads : parallel_threads(),
    };
    struct progress progress;
    struct result result;
    progress_init(&progress, &clock_system);
    if (run(&arguments, &operands, &training, &progress, &result, &err) == 0) {
        if (result.model != NULL)
            progress_conclude(&progress, "%s: version %s, %sreport.html",
                              outcome_names[result.outcome], result.model->version,
                              result.model->uri);
        return finish(&result, arguments.result, EXIT_CODE_DONE);
    }
    if (progress.terminal)
        progress_conclude(&progress, "churn-trainer: %s", err.message);
    else
        log_failure(LOG_ERROR, "training failed", &err);
    result = result_of_error(&err);
    return finish(&result, arguments.result, exit_code_of(&err));
}
