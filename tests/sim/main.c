/* main.c - plays seeds, each in a process of its own, and makes failing schedules small. */
#include <sys/wait.h>
#include <unistd.h>

#include "sim/play.h"

#include "base/log.h"
#include "base/num.h"
#include "base/options.h"

struct values {
    int64_t seed, from, count;
    const char *only; /* NULL: all moves */
    bool trace, hasty;
};

static const struct option options[] = {
    { .name = "seed",
      .kind = OPTION_INT,
      .offset = offsetof(struct values, seed),
      .fallback = "0",
      .maximum = INT64_MAX,
      .argument = "SEED",
      .help = "Plays this seed only; what fails is made small and told move by move." },
    { .name = "from",
      .kind = OPTION_INT,
      .offset = offsetof(struct values, from),
      .fallback = "1",
      .minimum = 1,
      .maximum = INT64_MAX,
      .argument = "SEED",
      .help = "The first of many." },
    { .name = "seeds",
      .kind = OPTION_INT,
      .offset = offsetof(struct values, count),
      .fallback = "100",
      .minimum = 1,
      .maximum = 100000000,
      .argument = "COUNT",
      .help = "How many." },
    { .name = "only",
      .kind = OPTION_TEXT,
      .offset = offsetof(struct values, only),
      .argument = "MOVES",
      .help = "With --seed: makes these moves only, by their numbers, as in 3,17,21." },
    { .name = "trace",
      .kind = OPTION_FLAG,
      .offset = offsetof(struct values, trace),
      .fallback = "false",
      .help = "Tells every move and every write." },
    { .name = "stop",
      .kind = OPTION_FLAG,
      .offset = offsetof(struct values, hasty),
      .fallback = "false",
      .help = "Stops at the first seed that fails, and does not make it small." },
};

static const struct program program = {
    .name = "sim",
    .synopsis = "[options]",
    .description = "Plays seeded schedules of users and trouble on whole controllers under virtual "
                   "time, and checks what must hold.",
    .options = options,
    .option_count = ARRAY_SIZE(options),
};

/* --- one schedule ------------------------------------------------------------------------- */

static void play_and_compare(const struct schedule *schedule, bool trace)
{
    json_t *calm auto_json = play_run(schedule, true, trace);
    json_t *troubled auto_json = play_run(schedule, false, trace);
    json_t *difference auto_json = jx_merge_diff(calm, troubled);
    char *text auto_free = NULL;

    if (json_equal(calm, troubled))
        return;
    text = json_dumps(difference, JSON_INDENT(1) | JSON_SORT_KEYS);
    fprintf(stderr, "what is otherwise than without trouble:\n%s\n", text);
    sim_fail("the end is another one than without trouble");
}

/* A failure, whatever it is, ends a process and no more. */
static bool holds(const struct schedule *schedule, bool quiet, bool trace)
{
    pid_t child;
    int status = 0;

    fflush(NULL); /* or the child prints it again */
    child = fork();
    if (child == 0) {
        if (quiet && !freopen("/dev/null", "w", stderr))
            _exit(EXIT_FAILURE);
        play_and_compare(schedule, trace);
        fflush(NULL);
        _exit(EXIT_SUCCESS);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fprintf(stderr, "sim: no process could be started\n");
        exit(EXIT_FAILURE);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* --- making it small -----------------------------------------------------------------------------
 */

/* Leaves out runs of `length` moves that it fails without. True when any was left out. */
static bool shrink_by(struct schedule *schedule, size_t length)
{
    bool smaller = false;

    for (size_t begin = 0; begin < schedule->count; begin += length) {
        struct schedule attempt = *schedule;
        bool other = false;

        for (size_t i = begin; i < begin + length && i < schedule->count; i++) {
            other = other || !attempt.left_out[i];
            attempt.left_out[i] = true;
        }
        if (other && !holds(&attempt, true, false)) {
            *schedule = attempt;
            smaller = true;
        }
    }
    return smaller;
}

static void shrink(struct schedule *schedule)
{
    bool smaller = true;

    for (size_t length = schedule->count / 2; length > 1; length /= 2)
        (void)shrink_by(schedule, length);
    while (smaller)
        smaller = shrink_by(schedule, 1);
}

/* The line that plays it again. */
static void print_replay(const struct schedule *schedule, const char *self)
{
    const char *separator = "";

    printf("replay: %s --seed %" PRIu64 " --trace --only ", self, schedule->seed);
    for (size_t i = 0; i < schedule->count; i++) {
        if (schedule->left_out[i])
            continue;
        printf("%s%zu", separator, i);
        separator = ",";
    }
    printf("\n");
}

static void print_moves(const struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->count; i++)
        if (!schedule->left_out[i])
            printf("  %2zu %s\n", i, schedule->moves[i].kind->name);
}

static void explain(struct schedule *schedule, const char *self)
{
    shrink(schedule);
    printf("what it needs to fail:\n");
    print_moves(schedule);
    print_replay(schedule, self);
    fflush(stdout);
    (void)holds(schedule, false, false);
}

/* --- many ----------------------------------------------------------------------------------------
 */

/* Leaves out what is not in a list as print_replay() writes it. */
static int keep_only(struct schedule *schedule, const char *list, struct err *err)
{
    memset(schedule->left_out, true, sizeof(schedule->left_out));
    while (*list) {
        size_t length = strcspn(list, ",");
        int64_t index;

        if (num_int64((struct span){ list, length }, 0, (int64_t)schedule->count - 1, &index, err) <
            0)
            return err_wrap(err, "--only");
        schedule->left_out[index] = false;
        list += length + (list[length] == ',');
    }
    return 0;
}

static int play_seed(const struct values *values, const char *self)
{
    struct schedule schedule;
    struct err err;

    schedule_make((uint64_t)values->seed, &schedule);
    if (values->only && keep_only(&schedule, values->only, &err) < 0) {
        fprintf(stderr, "sim: %s\n", err.message);
        return 64;
    }
    if (holds(&schedule, false, values->trace)) {
        printf("PASS seed_%" PRId64 "\n", values->seed);
        return EXIT_SUCCESS;
    }
    printf("FAIL seed_%" PRId64 "\n", values->seed);
    if (!values->only)
        explain(&schedule, self);
    return EXIT_FAILURE;
}

static int play_seeds(const struct values *values, const char *self)
{
    int64_t failures = 0;

    for (int64_t seed = values->from; seed < values->from + values->count; seed++) {
        struct schedule schedule;

        schedule_make((uint64_t)seed, &schedule);
        if (holds(&schedule, failures > 0, false))
            continue;
        printf("FAIL seed_%" PRId64 "\n", seed);
        if (values->hasty)
            return EXIT_FAILURE;
        if (failures++ == 0)
            explain(&schedule, self);
        else
            printf("replay: %s --seed %" PRId64 "\n", self, seed);
        fflush(stdout);
    }
    if (failures == 0)
        printf("PASS seeds_%" PRId64 "_to_%" PRId64 "\n", values->from,
               (values->from + values->count - 1));
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arena arena auto_arena = { 0 };
    struct values values = { 0 };
    struct strings operands;
    enum options_outcome outcome;
    struct err err;

    log_set_level(LOG_ERROR);
    if (options_parse(&program, argc, argv, &arena, &values, &operands, &outcome, &err) < 0) {
        fprintf(stderr, "sim: %s\n", err.message);
        return 64;
    }
    if (outcome == OPTIONS_HELP)
        options_print_help(&program);
    else if (outcome == OPTIONS_VERSION)
        options_print_version(&program);
    if (outcome != OPTIONS_RUN)
        return EXIT_SUCCESS;
    play_prepare();
    return values.seed > 0 ? play_seed(&values, argv[0]) : play_seeds(&values, argv[0]);
}
