/* play.h - one seeded run of the simulation: a schedule of moves, and what must hold.
 *
 * A seed gives a list of moves: of users (user_moves.c) and of trouble (trouble_moves.c). Each
 * move has a seed of its own, so that leaving one out does not change the others: a schedule that
 * fails is made small by leaving out what it fails without.
 *
 * Invariants (invariants.c) are checked at every change of the cluster and after every move. When
 * all moves are made, trouble ends, and every object must come to the state that it belongs in
 * (ending.c); then the user mends what was broken, and the whole must equal that of a run of the
 * same moves without any trouble. */
#pragma once

#include "sim/simulation.h"

#include "base/random.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)

enum { MOVES_MAXIMUM = 40 };

struct play;

struct move_kind {
    const char *name;
    unsigned weight;
    void (*make)(struct play *play, struct random *random);
};

/* Ended by an entry without a name. */
extern const struct move_kind user_moves[], trouble_moves[];

struct move {
    const struct move_kind *kind;
    uint64_t seed;
    int64_t wait_ms; /* before it */
    bool trouble;
};

struct schedule {
    struct move moves[MOVES_MAXIMUM];
    size_t count;
    uint64_t seed;
    bool left_out[MOVES_MAXIMUM];
};

void schedule_make(uint64_t seed, struct schedule *ret_schedule);

/* Where a controller dies around its n-th next write. */
enum crash_point { CRASH_NOWHERE, CRASH_BEFORE_SENT, CRASH_AFTER_SENT, CRASH_AFTER_ANSWER };

/* What becomes of the next pod that starts. */
enum pod_fate {
    POD_WORKS,
    POD_EXITS,        /* with exit_code */
    POD_IS_EVICTED,   /* with the condition DisruptionTarget */
    POD_LOSES_RESULT, /* it works, and its message is not there */
    POD_LIES,         /* it works, and its message is nonsense */
    POD_VANISHES,     /* it works, and is deleted before anybody looks */
    POD_HANGS,        /* it is not ready for minutes, then works */
};

struct play {
    struct sim *sim;
    struct ledger *ledger; /* what the invariants remember */
    uint64_t seed;
    bool calm;     /* without trouble */
    bool trace;    /* tell what happens */
    bool troubled; /* something went wrong, and its traces may not be gone */
    /* trouble that waits for its moment */
    enum crash_point crash;
    unsigned writes_to_crash;
    enum sim_fate fate;
    unsigned writes_to_fate;
    enum pod_fate pod_fate;
    int exit_code;
    unsigned duplicates; /* events that come twice */
    struct timer restarts[SIM_CONTROLLERS], resumes[SIM_CONTROLLERS], reconnects[SIM_CONTROLLERS];
    struct timer registry_mends, lister_mends;
    struct timer catches_up[SIM_CONTROLLERS];
    struct timer upload; /* of the rest of a file that is there in part */
    char upload_uri[64];
    bool clocks_moved; /* a tick may come twice */
    unsigned sequence; /* for names and texts that must differ */
    unsigned ends;     /* how often everything came to rest */
};

/* Makes what every run begins with. */
void play_prepare(void);
/* Plays it to the end and fails (sim_fail) when something does not hold. Returns the end state
 * for comparison, new. Once in a process for calm and once for not:
 * a process of its own is forked for each schedule, and nothing is cleaned up behind it. */
json_t *play_run(const struct schedule *schedule, bool calm, bool trace)
    __attribute__((warn_unused_result));

/* Tells what happens, when asked to. */
void play_tell(const struct play *play, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- user_moves.c --- */
/* The objects that users write. */
struct subject {
    const char *plural, *name;
    const char *spec; /* as it is made first, with ' for " */
};
extern const struct subject subjects[]; /* ended by an entry without a name */

char *subject_path(const struct subject *subject);
const struct subject *any_subject(struct random *random);
void subject_create(struct play *play, const struct subject *subject);
void subject_edit(struct play *play, const struct subject *subject, const char *patch);
bool subject_is_model(const struct subject *subject);
/* Whether the object is there. */
bool subject_exists(struct play *play, const struct subject *subject);
/* After all trouble: broken files, specs and failed runs are mended. */
void users_mend(struct play *play);

/* --- file_moves.c --- */
#define INBOX_URI "file:///data/inbox/"

void files_init(struct play *play);
void move_file(struct play *play, struct random *random);
void move_remove_file(struct play *play, struct random *random);
void move_new_file(struct play *play, struct random *random);
void move_inbox_files(struct play *play, struct random *random);
void move_replace_in_inbox(struct play *play, struct random *random);
void move_upload(struct play *play, struct random *random);
void move_remove_from_inbox(struct play *play, struct random *random);
/* Files that models and batches read are there and good. */
void users_write_files(struct play *play);

/* --- version_moves.c --- */
void move_pin(struct play *play, struct random *random);
void move_trainings(struct play *play, struct random *random);
void move_schedule(struct play *play, struct random *random);
/* Every how many minutes a schedule ticks that move_schedule() makes; 0: at half past two; -1: it
 * is none of them. */
int user_schedule_minutes(const char *schedule);

/* --- schema_moves.c --- */
void move_by_schema(struct play *play, struct random *random);

/* --- trouble_moves.c --- */
void trouble_init(struct play *play); /* connects it with the simulation */
void trouble_end(struct play *play);  /* everything works again */

/* --- invariants.c --- */
struct ledger *ledger_new(struct play *play) __attribute__((warn_unused_result));
void ledger_check(struct ledger *ledger); /* after every move */
void ledger_tag_moved(struct ledger *ledger, const char *digest);

/* --- ending.c --- */
/* Runs on until nothing changes; fails when it takes too long. */
void ending_wait(struct play *play);
/* Every object is where it belongs. */
void ending_check(struct play *play);
/* Nothing is left to do, not even for a process that just began. */
void ending_rest(struct play *play);
/* All objects without what depends on time and chance. New. */
json_t *ending_state(struct play *play);
