/* churn-scorer: from a weekly file and a churn model to a scored file. */
#include <signal.h>

#include "base/log.h"
#include "base/options.h"
#include "contract/exit_code.h"
#include "ml/parallel.h"
#include "scorer/score.h"

struct arguments {
    const char *job, *result, *scratch;
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
    { .name = "threads",
      .kind = OPTION_INT,
      .offset = offsetof(struct arguments, threads),
      .environment = "CHURN_THREADS",
      .fallback = "0",
      .minimum = 0,
      .maximum = PARALLEL_MAXIMUM,
      .argument = "N",
      .help = "at most so many threads; 0: what the container may use. The output is the same" },
    { .name = "scratch",
      .kind = OPTION_TEXT,
      .offset = offsetof(struct arguments, scratch),
      .environment = "TMPDIR",
      .fallback = "/tmp",
      .argument = "DIR",
      .help = "for scratch files: 16 bytes a row, from the 131,072nd row on" },
};

static const struct program program = {
    .name = "churn-scorer",
    .synopsis = "[options]",
    .description =
        "Scores a CSV file of customers with a published churn model, as a job document says. "
        "The output has one line per good row, in the order of the input: id, carried columns, "
        "churn_probability, churn_prediction, and the reasons, each as column=value and its "
        "contribution in log-odds, like \"Age=57 (+0.84)\".\n"
        "A job document for a laptop:\n"
        "  {\"version\": 1, \"kind\": \"Score\", \"batch\": \"week-07\",\n"
        "   \"model\": {\"uri\": \"file:///data/models/retail-bank/3f9c0a1b2c3d4e5f/\"},\n"
        "   \"input\": {\"uri\": \"file:///data/weekly_folder/\"},\n"
        "   \"output\": {\"uri\": \"file:///data/output_folder/\"}, \"reasons\": 3}\n"
        "A folder as input means its newest *.csv, *.csv.gz or *.csv.zst; a folder as output a "
        "file in it named after the batch. The input is CSV (RFC 4180) in UTF-8 with a header; "
        "columns are found by name, others are ignored.",
    .epilogue =
        "Files:\n"
        "  <output>                scored rows; appears whole or not at all\n"
        "  <output>.manifest.json  whose output it is, counts, drift, sha256; a batch\n"
        "                          that finds its own is not scored again\n"
        "  <output>.rejects.csv    bad rows with line, column and why; also when there\n"
        "                          are more than maxRejected and nothing else appears\n"
        "Cells that a spreadsheet would run as a formula are left as they are. "
        "An id that occurs twice is an error. SIGTERM stops without publishing anything.\n"
        "Exit codes: 0 done, 64 usage or job document, 65 data or model, 66 input not found, "
        "69 storage unreachable, 70 internal, 73 output cannot be written or is another's, "
        "75 try again, 77 permission, 143 terminated.",
    .options = options,
    .option_count = ARRAY_SIZE(options),
    .maximum_operands = 0,
};

/* The only global: a signal handler has nothing else to write to. */
static volatile sig_atomic_t stop;

static void request_stop(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = request_stop };

    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
}

static void say_failure(const struct err *failure)
{
    if (isatty(STDERR_FILENO) == 1)
        fprintf(stderr, "churn-scorer: %s\n", failure->message);
    else
        log_failure(LOG_ERROR, "scoring failed", failure);
}

static int finish(const struct result *result, const char *path, int code)
{
    struct err err;

    if (result_report(result, path, &err) == 0)
        return code;
    say_failure(&err);
    return code == EXIT_CODE_DONE ? EXIT_CODE_OUTPUT : code;
}

static int score(const struct arguments *arguments, struct arena *arena)
{
    struct err err = { 0 };
    struct progress progress;
    struct score_job job;
    struct result result;
    struct score_options score_options = {
        .threads = arguments->threads > 0 ? (unsigned)arguments->threads : parallel_threads(),
        .scratch = arguments->scratch,
        .stop = &stop,
        .progress = &progress,
    };

    progress_init(&progress, &clock_system);
    if (score_job_read(arguments->job, arena, &job, &err) == 0 &&
        score_run(&job, &score_options, arena, &result, &err) == 0) {
        /* Terminated after everything was published: the next run finds it (Reused). */
        if (!stop)
            return finish(&result, arguments->result, EXIT_CODE_DONE);
        err_reason(&err, ERR_CANCELED, "Terminated", "stopped by a signal");
    }
    say_failure(&err);
    result = result_of_error(&err);
    return finish(&result, arguments->result, exit_code_of(&err));
}

int main(int argc, char **argv)
{
    auto_arena struct arena arena = { 0 };
    struct arguments arguments = { 0 };
    struct strings operands;
    enum options_outcome outcome;
    struct err err = { 0 };

    catch_signals();
    if (options_parse(&program, argc, argv, &arena, &arguments, &operands, &outcome, &err)) {
        fprintf(stderr, "churn-scorer: %s\n", err.message);
        return EXIT_CODE_USAGE;
    }
    switch (outcome) {
    case OPTIONS_HELP:
        options_print_help(&program);
        return EXIT_CODE_DONE;
    case OPTIONS_VERSION:
        options_print_version(&program);
        return EXIT_CODE_DONE;
    default:
        return score(&arguments, &arena);
    }
}
