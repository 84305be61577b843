/* run.h - what a run of the scorer holds, and what a whole file, a shard and a
 * composition have in common; only the scorer's own files use it. */
#pragma once

#include "scorer/block.h"
#include "scorer/checked.h"
#include "scorer/input.h"
#include "scorer/places.h"
#include "scorer/score.h"
#include "scorer/tally.h"

/* Everything is released by run_release(), whatever was reached. */
struct run {
    const struct score_job *job;
    const struct score_options *options;
    struct arena *arena; /* of the result */
    struct store *input_store, *output_store;
    struct places places;
    struct model model;
    double threshold;
    struct tally tally;
    struct ids *ids; /* NULL in a shard: Compose looks for duplicates */
    /* scoring */
    struct input input;
    struct block_plan plan;
    const char *header; /* of the output, with its newline */
    /* what is written */
    struct sink output;
    struct sink rejects;        /* begun at the first bad row: ...       */
    const char *rejects_uri;    /* ... here, ...                          */
    const char *rejects_header; /* ... with this line, ...                */
    struct seen rejects_seen;   /* ... if nobody changed what was there  */
    struct sink id_keys;        /* of a shard                             */
    struct shard *shard;        /* shard.c; NULL in other runs            */
    struct part *parts;         /* of all shards, in Compose              */
};
void run_release(struct run *run);

/* One step, which progress and result tell with its time. */
int run_step(struct run *run, const char *name, int (*step)(struct run *run, struct err *err),
             struct err *err) __attribute__((warn_unused_result));

/* Model, threshold, an empty tally. */
int run_load(struct run *run, struct err *err) __attribute__((warn_unused_result));

/* Opens the input and finds its columns, after run_load(). */
int run_open_input(struct run *run, bool is_hashed, struct err *err)
    __attribute__((warn_unused_result));

/* Begins the rejects. */
int run_begin_rejects(struct run *run, struct err *err) __attribute__((warn_unused_result));

/* Scores the records that the input gives into output and rejects, and counts
 * them. The output has begun. */
int run_score_rows(struct run *run, struct err *err) __attribute__((warn_unused_result));

/* Terminated, when a signal asked for it. */
int run_check_stop(const struct run *run, struct err *err) __attribute__((warn_unused_result));

/* What the manifest says of the input that was read. In the arena. */
struct input_result *run_input_result(struct run *run);
