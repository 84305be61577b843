/* play.c - schedules are made from a seed, and played. */
#include "sim/play.h"

/* So many moves make objects, so that there is something to trouble. */
#define FIRST_CREATED 6

static unsigned total_weight(const struct move_kind *kinds)
{
    unsigned total = 0;

    for (; kinds->name; kinds++)
        total += kinds->weight;
    return total;
}

static const struct move_kind *any_kind(const struct move_kind *kinds, struct random *random)
{
    uint64_t at = random_below(random, total_weight(kinds));

    while (at >= kinds->weight)
        at -= kinds++->weight;
    return kinds;
}

/* Mostly short, so that things happen at the same time; sometimes longer than polls. */
static int64_t any_wait_ms(struct random *random)
{
    static const int64_t waits[] = { 1,           100,         SECOND, 5 * SECOND,
                                     20 * SECOND, 20 * SECOND, MINUTE, 3 * MINUTE };

    return (int64_t)random_below(random, (uint64_t)waits[random_below(random, ARRAY_SIZE(waits))]);
}

void schedule_make(uint64_t seed, struct schedule *ret_schedule)
{
    struct random random;

    random_seed(&random, seed);
    *ret_schedule = (struct schedule){ .seed = seed };
    ret_schedule->count = 8 + random_below(&random, MOVES_MAXIMUM - 8);
    for (size_t i = 0; i < ret_schedule->count; i++) {
        bool trouble = i >= FIRST_CREATED && random_below(&random, 5) < 2;

        ret_schedule->moves[i] = (struct move){ .trouble = trouble,
                                                .kind = i < FIRST_CREATED ? user_moves
                                                        : trouble ? any_kind(trouble_moves, &random)
                                                                  : any_kind(user_moves, &random),
                                                .seed = random_next(&random),
                                                .wait_ms = any_wait_ms(&random) };
    }
}

void play_tell(const struct play *play, const char *format, ...)
{
    va_list arguments;

    if (!play->trace)
        return;
    fprintf(stderr, "%10.3f ", (double)(play->sim->now_ms - 1700000000000) / 1000);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

static void make_move(struct play *play, const struct move *move)
{
    struct random random;

    sim_run(play->sim, move->wait_ms);
    if (move->trouble && play->calm)
        return;
    play->troubled |= move->trouble;
    random_seed(&random, move->seed);
    play_tell(play, "--- %s", move->kind->name);
    move->kind->make(play, &random);
    sim_settle(play->sim);
    ledger_check(play->ledger);
}

static void begin(struct play *play)
{
    play->ledger = ledger_new(play);
    trouble_init(play);
    files_init(play);
    sim_move_tag(play->sim, "other:stable", "9");
    sim_start_controller(play->sim, 0);
    sim_run(play->sim, SECOND);
}

static json_t *end(struct play *play)
{
    play_tell(play, "--- trouble ends");
    trouble_end(play);
    ending_wait(play);
    ending_check(play);
    play_tell(play, "--- users mend what is broken");
    users_mend(play);
    ending_wait(play);
    ending_check(play);
    if (!play->calm)
        ending_rest(play);
    return ending_state(play);
}

/* Of runs with and without trouble. */
static struct sim *prepared[2];

void play_prepare(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(prepared); i++)
        prepared[i] = sim_new(0);
}

/* Most Leases last long: renewing them is most of what happens, and time costs nothing here. */
static int64_t lease_ms(uint64_t seed)
{
    return seed % 4 == 0 ? 15 * SECOND : MINUTE;
}

/* Some runs are where the clocks of Berlin are put back, or forward. */
static int64_t epoch_ms(uint64_t seed)
{
    static const int64_t begins_s[] = { 1700000000, 1698538800, 1698542400, 1711845600 };

    return (begins_s[seed % 8 < 3 ? 1 + seed % 8 : 0] - 1700000000) * SECOND;
}

json_t *play_run(const struct schedule *schedule, bool calm, bool trace)
{
    struct play play = {
        .sim = prepared[calm], .seed = schedule->seed, .calm = calm, .trace = trace
    };

    sim_seed(play.sim, schedule->seed);
    play.sim->lease_ms = lease_ms(schedule->seed);
    play.sim->epoch_ms = epoch_ms(schedule->seed);
    begin(&play);
    for (size_t i = 0; i < schedule->count; i++)
        if (!schedule->left_out[i])
            make_move(&play, &schedule->moves[i]);
    return end(&play);
}
