#include "scorer/score.h"

#include "contract/reasons.h"
#include "scorer/compose.h"
#include "scorer/manifest.h"
#include "scorer/publish.h"
#include "scorer/shard.h"
#include "scorer/summary.h"
#include "scorer/verdict.h"

/* --- a whole file --------------------------------------------------------- */

static int load(struct run *run, struct err *err)
{
    if (run_load(run, err) || run_open_input(run, true, err))
        return -1;
    run->ids = ids_new(run->options->scratch);
    if (sink_begin(&run->output, places_put(run->output_store, run->places.output,
                                            &run->places.output_seen, err)))
        return -1;
    return sink_append(&run->output, run->header, strlen(run->header), err);
}

static int score(struct run *run, struct err *err)
{
    if (run_score_rows(run, err))
        return -1;
    return verdict_check(run, err);
}

static int score_whole(struct run *run, struct result *ret_result, struct err *err)
{
    if (run_step(run, "Load", load, err) || run_step(run, "Score", score, err))
        return -1;
    return publish(run, run_input_result(run), ret_result, err);
}

/* --- what to do ------------------------------------------------------------ */

static int refuse_output(const struct run *run, struct err *err)
{
    return err_reason(err, ERR_EXISTS, REASON_OutputExists,
                      "%s is there already and is not this batch's (output.overwrite is false)",
                      run->places.output_seen.there ? run->places.output : run->places.manifest);
}

static int find_places(struct run *run, struct err *err)
{
    run->input_store = store_open(run->options->stores, run->job->input->uri, err);
    if (!run->input_store)
        return -1;
    run->output_store = store_open(run->options->stores, run->job->output->uri, err);
    if (!run->output_store ||
        places_find(run->job, run->input_store, run->output_store, run->arena, &run->places, err))
        return -1;
    run->rejects_uri = run->places.rejects;
    run->rejects_header = CSV_FAULT_HEADER;
    run->rejects_seen = run->places.rejects_seen;
    return 0;
}

static int score_or_reuse(struct run *run, struct result *ret_result, struct err *err)
{
    const struct score_job *job = run->job;
    enum manifest_verdict verdict;
    struct manifest manifest;

    if (manifest_judge(job, &run->places, run->output_store, run->arena, &verdict, &manifest, err))
        return -1;
    if (verdict == MANIFEST_DONE) {
        *ret_result = summary_result(&manifest, OUTCOME_REUSED);
        return 0;
    }
    if (verdict == MANIFEST_OTHERS && !job->output->overwrite)
        return refuse_output(run, err);
    if (job->kind == SCORE_COMPOSE)
        return compose_run(run, ret_result, err);
    if (job->shard->count > 1)
        return shard_run(run, ret_result, err);
    return score_whole(run, ret_result, err);
}

/* The output is published: parts that cannot be removed are no reason to fail. */
static void remove_parts(struct run *run, struct result *result)
{
    struct strings *warnings = &result->warnings;
    struct strings more = { arena_zero(run->arena, warnings->count + 1, sizeof(char *)), 0 };
    struct err why;

    if (compose_discard(run, &why) == 0)
        return;
    for (size_t i = 0; i < warnings->count; i++)
        more.items[more.count++] = warnings->items[i];
    more.items[more.count++] =
        arena_format(run->arena, "the parts cannot be removed: %s", why.message);
    *warnings = more;
}

int score_run(const struct score_job *job, const struct score_options *options, struct arena *arena,
              struct result *ret_result, struct err *err)
{
    struct run run
        __attribute__((cleanup(run_release))) = { .job = job, .options = options, .arena = arena };

    if (find_places(&run, err) || (job->kind == SCORE_COMPOSE && compose_check(&run, err)))
        return -1;
    if (job->discard) {
        *ret_result = (struct result){ .outcome = OUTCOME_DISCARDED };
        return compose_discard(&run, err);
    }
    if (score_or_reuse(&run, ret_result, err))
        return -1;
    if (job->kind == SCORE_COMPOSE)
        remove_parts(&run, ret_result);
    if (ret_result->outcome != OUTCOME_REUSED)
        ret_result->steps = progress_steps(options->progress);
    return 0;
}
