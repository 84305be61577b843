/* churn-scorer: from a weekly file and a churn model to a scored file. */
#include <signal.h>

#include "contract/program.h"
#include "contract/reasons.h"
#include "ml/parallel.h"
#include "scorer/score.h"

struct arguments {
    struct program_arguments common;
    const char *scratch;
    int64_t shard_index;
};

static const struct option options[] = {
    PROGRAM_OPTION_JOB,
    PROGRAM_OPTION_RESULT,
    PROGRAM_OPTION_THREADS(PARALLEL_MAXIMUM),
    { .name = "shard-index",
      .kind = OPTION_INT,
      .offset = offsetof(struct arguments, shard_index),
      .environment = "JOB_COMPLETION_INDEX",
      .fallback = "-1",
      .minimum = -1,
      .maximum = SHARDS_MAXIMUM - 1,
      .argument = "N",
      .help = "which shard to score, from 0, when the job document's shard.count is above 1" },
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
        "columns are found by name, others are ignored.\n"
        "With \"shard\": {\"count\": N} a run scores the rows that begin in one of N byte ranges "
        "of "
        "the file (--shard-index) into a part; a job of \"kind\": \"Compose\" with the same "
        "members "
        "and \"parts\", the parts' folder, then makes the output, the same bytes as without "
        "shards. A packed file (.gz, .zst) cannot be cut: the last shard scores all of it.",
    .epilogue = "Files:\n"
                "  <output>                scored rows; appears whole or not at all\n"
                "  <output>.manifest.json  whose output it is, counts, drift, sha256; a batch\n"
                "                          that finds its own is not scored again\n"
                "  <output>.parts/         parts of a sharded run, until it is composed\n"
                "  <output>.rejects.csv    bad rows with line, column and why; also when there\n"
                "                          are more than maxRejected and nothing else appears\n"
                "Cells that a spreadsheet would run as a formula are left as they are. "
                "An id that occurs twice is an error. SIGTERM stops without publishing "
                "anything.\n" PROGRAM_EXIT_CODES,
    .options = options,
    .option_count = ARRAY_SIZE(options),
    .maximum_operands = 0,
};

/* The last word at a terminal. */
static void conclude(const struct progress *progress, const struct result *result)
{
    if (result->output)
        progress_conclude(progress, "%s: %" PRId64 " rows, %s", outcome_names[result->outcome],
                          result->rows->scored, result->output->uri);
    else
        progress_conclude(progress, "%s", outcome_names[result->outcome]);
}

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
    (void)signal(SIGPIPE, SIG_IGN); /* connections to storage */
}

static int score(const struct arguments *arguments, struct arena *arena)
{
    const struct program_arguments *common = &arguments->common;
    struct err err = { 0 };
    struct progress progress;
    struct score_job job;
    struct result result;
    auto_stores struct stores *stores = stores_new(&(struct stores_options){
        .variable = program_variable,
        .on_trouble = program_trouble,
        .stop = &stop,
    });
    struct score_options score_options = {
        .stores = stores,
        .threads = common->threads > 0 ? (unsigned)common->threads : parallel_threads(),
        .scratch = arguments->scratch,
        .stop = &stop,
        .progress = &progress,
        .shard_index = arguments->shard_index,
    };

    progress_init(&progress, &clock_system);
    bool scored = score_job_read(common->job, arena, &job, &err) == 0 &&
                  score_run(&job, &score_options, arena, &result, &err) == 0;
    if (scored && !stop) {
        conclude(&progress, &result);
        return program_done(&program, common, &result);
    }
    if (stop) /* whatever it interrupted; what is published already the next run finds (Reused) */
        err_reason(&err, ERR_CANCELED, REASON_Terminated, "stopped by a signal");
    return program_failed(&program, common, &err);
}

int main(int argc, char **argv)
{
    auto_arena struct arena arena = { 0 };
    struct arguments arguments = { 0 };
    struct strings operands;
    int code;

    catch_signals();
    if (!options_begin(&program, argc, argv, &arena, &arguments, &operands, &code))
        return code;
    return score(&arguments, &arena);
}
