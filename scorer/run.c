#include "scorer/run.h"

#include "base/limits.h"
#include "contract/reasons.h"
#include "scorer/load.h"
#include "scorer/pipeline.h"

void run_release(struct run *run)
{
    input_release(&run->input);
    sink_release(&run->output);
    sink_release(&run->rejects);
    sink_release(&run->id_keys);
    ids_free(run->ids);
    tally_release(&run->tally);
    block_plan_release(&run->plan);
    model_release(&run->model);
    store_close(run->input_store);
    store_close(run->output_store);
}

int run_step(struct run *run, const char *name, int (*step)(struct run *run, struct err *err),
             struct err *err)
{
    int outcome;

    progress_begin(run->options->progress, name);
    outcome = step(run, err);
    progress_end(run->options->progress, outcome == 0);
    return outcome;
}

int run_load(struct run *run, struct err *err)
{
    if (load_model(run->options->stores, run->job->model, &run->model, err))
        return -1;
    if (!scoring_threshold(&run->job->scoring, &run->threshold))
        run->threshold = run->model.threshold;
    tally_init(&run->tally, &run->model.drift);
    return 0;
}

int run_open_input(struct run *run, bool is_hashed, struct err *err)
{
    auto_buf struct buf header = { .maximum = LIMIT_CSV_HEADER };

    if (input_open(run->input_store, run->places.input, run->job->input->generation, is_hashed,
                   &run->input, err))
        return -1;
    if (block_plan_init(&run->plan, &run->model, run->input.reader, &run->job->output->columns,
                        (size_t)run->job->scoring.reasons, run->threshold, err))
        return -1;
    block_append_header(&run->plan, &header);
    if (buf_check(&header, "the header of the output", err))
        return -1;
    run->header = arena_strdup(run->arena, buf_text(&header));
    return 0;
}

/* --- rows ---------------------------------------------------------------- */

int run_begin_rejects(struct run *run, struct err *err)
{
    if (sink_begin(&run->rejects,
                   places_put(run->output_store, run->rejects_uri, &run->rejects_seen, err)))
        return -1;
    return sink_append(&run->rejects, run->rejects_header, strlen(run->rejects_header), err);
}

static int emit_rejects(struct run *run, const struct block *block, struct err *err)
{
    if (block->rejected == 0)
        return 0;
    if (!run->rejects.writer) {
        if (run_begin_rejects(run, err))
            return -1;
        run->tally.first_fault = block->first_fault;
    }
    return sink_append(&run->rejects, buf_text(&block->rejects), block->rejects.length, err);
}

static int emit_ids(struct run *run, const struct block *block, struct err *err)
{
    if (!run->model.id)
        return 0;
    if (run->ids)
        return ids_add(run->ids, block->ids, block->scored, err);
    return sink_append(&run->id_keys, block->ids, block->scored * sizeof(*block->ids), err);
}

static int emit_block(void *context, const struct block *block, struct err *err)
{
    struct run *run = context;
    struct tally *tally = &run->tally;

    if (sink_append(&run->output, buf_text(&block->output), block->output.length, err) ||
        emit_rejects(run, block, err) || emit_ids(run, block, err))
        return -1;
    tally->read += block->scored + block->rejected;
    tally->rejected += block->rejected;
    tally->unseen += block->unseen;
    tally_add_scores(tally, block->probabilities, block->scored, run->threshold);
    for (size_t bin = 0; bin < run->model.drift.bin_total; bin++)
        tally->drift_counts[bin] += block->drift_counts[bin];
    progress_update(run->options->progress,
                    atomic_load_explicit(&run->input.bytes, memory_order_relaxed),
                    (uint64_t)run->input.info.bytes, tally->read);
    return 0;
}

int run_score_rows(struct run *run, struct err *err)
{
    struct pipeline pipeline = {
        .reader = run->input.reader,
        .plan = &run->plan,
        .threads = run->options->threads,
        .emit = emit_block,
        .context = run,
        .stop = run->options->stop,
    };

    return pipeline_run(&pipeline, err);
}

/* --- the end -------------------------------------------------------------- */

int run_check_stop(const struct run *run, struct err *err)
{
    return *run->options->stop
               ? err_reason(err, ERR_CANCELED, REASON_Terminated, "stopped by a signal")
               : 0;
}

struct input_result *run_input_result(struct run *run)
{
    struct input_result *input = arena_zero(run->arena, 1, sizeof(*input));
    char sha256[SHA256_HEX];

    *input = (struct input_result){
        .uri = run->places.input,
        .generation = arena_strdup(run->arena, run->input.info.generation),
    };
    if (run->input.is_hashed) {
        sha256_hex(&run->input.hash, sha256);
        input->bytes = (int64_t)atomic_load(&run->input.bytes);
        input->sha256 = arena_strdup(run->arena, sha256);
    }
    return input;
}
