#include "scorer/score.h"

#include <stdatomic.h>

#include "base/num.h"
#include "base/sha256.h"
#include "contract/reasons.h"
#include "ml/decompress.h"
#include "scorer/load.h"
#include "scorer/manifest.h"
#include "scorer/pipeline.h"
#include "scorer/summary.h"
#include "scorer/tally.h"

/* Everything that a run holds, released at its end. */
struct run {
    const struct score_job *job;
    const struct score_options *options;
    struct arena *arena; /* of the result */
    struct store *input_store, *output_store;
    struct places places;
    struct model model;
    struct block_plan plan;
    struct tally tally;
    struct ids *ids;
    /* input: store -> hash -> unpacking -> CSV */
    struct store_reader *input;
    struct store_info input_info;
    struct byte_source hashed;
    struct sha256 input_hash;
    _Atomic uint64_t input_bytes;
    struct decompressor *unpacked;
    struct csv_reader *reader;
    /* output */
    struct store_writer *output, *rejects; /* rejects: NULL while no row is bad */
    struct sha256 output_hash;
    uint64_t output_bytes;
};

static void run_release(struct run *run)
{
    csv_reader_free(run->reader);
    decompressor_free(run->unpacked);
    store_reader_free(run->input);
    store_writer_free(run->output);
    store_writer_free(run->rejects);
    sha256_release(&run->input_hash);
    sha256_release(&run->output_hash);
    ids_free(run->ids);
    tally_release(&run->tally);
    block_plan_release(&run->plan);
    model_release(&run->model);
    store_close(run->input_store);
    store_close(run->output_store);
}

/* --- input -------------------------------------------------------------- */

static int read_hashed(void *context, void *buffer, size_t capacity, size_t *ret_length,
                       struct err *err)
{
    struct run *run = context;

    if (byte_source_read(store_reader_source(run->input), buffer, capacity, ret_length, err))
        return -1;
    sha256_add(&run->input_hash, buffer, *ret_length);
    atomic_fetch_add_explicit(&run->input_bytes, *ret_length, memory_order_relaxed);
    return 0;
}

static int open_input(struct run *run, struct err *err)
{
    const char *name = store_name(run->places.input);

    run->input = store_get(run->input_store, run->places.input, run->job->input->generation, NULL,
                           &run->input_info, err);
    if (!run->input)
        return -1;
    sha256_init(&run->input_hash);
    run->hashed = (struct byte_source){ read_hashed, run };
    run->unpacked = decompressor_new(name, &run->hashed, err);
    if (!run->unpacked)
        return -1;
    run->reader = csv_reader_new(name, decompressor_source(run->unpacked), err);
    return run->reader ? 0 : -1;
}

/* --- output ------------------------------------------------------------- */

static int append_output(struct run *run, const struct buf *text, struct err *err)
{
    sha256_add(&run->output_hash, buf_text(text), text->length);
    run->output_bytes += text->length;
    if (store_writer_append(run->output, buf_text(text), text->length, err))
        return places_output_failed(err);
    return 0;
}

static int open_output(struct run *run, struct err *err)
{
    auto_buf struct buf header;

    buf_init(&header, 2 * LIMIT_CSV_RECORD);
    run->output = places_put(run->output_store, run->places.output, &run->places.output_seen, err);
    if (!run->output)
        return -1;
    sha256_init(&run->output_hash);
    block_append_header(&run->plan, &header);
    if (buf_check(&header, "the header of the output", err))
        return -1;
    return append_output(run, &header, err);
}

static int append_rejects(struct run *run, const struct block *block, struct err *err)
{
    if (block->rejected == 0)
        return 0;
    if (!run->rejects) {
        run->rejects =
            places_put(run->output_store, run->places.rejects, &run->places.rejects_seen, err);
        if (!run->rejects)
            return -1;
        run->tally.first_fault = block->first_fault;
        if (store_writer_append(run->rejects, CSV_FAULT_HEADER, strlen(CSV_FAULT_HEADER), err))
            return places_output_failed(err);
    }
    if (store_writer_append(run->rejects, buf_text(&block->rejects), block->rejects.length, err))
        return places_output_failed(err);
    return 0;
}

static int emit_block(void *context, const struct block *block, struct err *err)
{
    struct run *run = context;
    struct tally *tally = &run->tally;

    if (append_output(run, &block->output, err) || append_rejects(run, block, err))
        return -1;
    if (run->model.id && ids_add(run->ids, block->ids, block->scored, err))
        return -1;
    tally->read += block->scored + block->rejected;
    tally->rejected += block->rejected;
    tally->unseen += block->unseen;
    tally_add_scores(tally, block->probabilities, block->scored, run->plan.threshold);
    for (size_t bin = 0; bin < run->model.drift.bin_total; bin++)
        tally->drift_counts[bin] += block->drift_counts[bin];
    progress_update(run->options->progress,
                    atomic_load_explicit(&run->input_bytes, memory_order_relaxed),
                    (uint64_t)run->input_info.bytes, tally->read);
    return 0;
}

/* --- verdicts on the whole file ----------------------------------------- */

static int check_ids(struct run *run, struct err *err)
{
    bool found;
    uint32_t first, second;

    if (ids_find_duplicate(run->ids, &found, &first, &second, err))
        return -1;
    if (!found)
        return 0;
    return err_reason(err, ERR_INVALID, REASON_DataInvalid,
                      "%s line %u, %s: the id is there already, in line %u", csv_name(run->reader),
                      second, run->model.id, first);
}

/* The rejects are published even though the run fails: they say what to mend. */
static int fail_rejected(struct run *run, struct err *err)
{
    const struct row_fault *fault = &run->tally.first_fault;

    if (store_writer_commit(run->rejects, NULL, err))
        return places_output_failed(err);
    return err_reason(err, ERR_INVALID, REASON_DataInvalid,
                      "%s line %" PRIu64 "%s%s: %s (%" PRIu64 " of %" PRIu64
                      " rows are bad, maxRejected is %s; they are in %s)",
                      csv_name(run->reader), fault->line, fault->column[0] ? ", " : "",
                      fault->column, fault->why, run->tally.rejected, run->tally.read,
                      run->job->scoring.max_rejected.text, run->places.rejects);
}

/* Another kind of customers than the model knows, or a column that was damaged on
 * its way: scores would look like any others. */
static int check_drift(const struct run *run, struct err *err)
{
    const struct decimal *fail = &run->job->scoring.drift->fail;
    const struct drift *drift = &run->model.drift;
    struct drift_figure largest;
    char psi[NUM_DOUBLE_TEXT];

    if (!fail->text || drift_largest(drift, run->tally.drift_counts, 1, &largest) == 0 ||
        largest.psi < fail->value)
        return 0;
    num_format_fixed(largest.psi, SUMMARY_PSI_DECIMALS, psi);
    return err_reason(err, ERR_INVALID, REASON_DriftExceeded,
                      "%s: column %s is distributed otherwise than in training: PSI %s, drift.fail "
                      "is %s",
                      csv_name(run->reader), largest.name, psi, fail->text);
}

static int check_file(struct run *run, struct err *err)
{
    const struct tally *tally = &run->tally;

    if (tally->read == 0)
        return err_reason(err, ERR_INVALID, REASON_DataInvalid, "%s has a header but no rows",
                          csv_name(run->reader));
    if ((double)tally->rejected > run->job->scoring.max_rejected.value * (double)tally->read)
        return fail_rejected(run, err);
    if (check_ids(run, err))
        return -1;
    return check_drift(run, err);
}

/* --- steps -------------------------------------------------------------- */

static int prepare(struct run *run, struct err *err)
{
    const struct scoring_options *scoring = &run->job->scoring;
    double threshold;

    if (load_model(run->job->model, &run->model, err) || open_input(run, err))
        return -1;
    if (!scoring_threshold(scoring, &threshold))
        threshold = run->model.threshold;
    if (block_plan_init(&run->plan, &run->model, run->reader, &run->job->output->columns,
                        (size_t)scoring->reasons, threshold, err))
        return -1;
    tally_init(&run->tally, &run->model.drift);
    run->ids = ids_new(run->options->scratch);
    return open_output(run, err);
}

static int score(struct run *run, struct err *err)
{
    struct pipeline pipeline = {
        .reader = run->reader,
        .plan = &run->plan,
        .threads = run->options->threads,
        .emit = emit_block,
        .context = run,
        .stop = run->options->stop,
    };

    if (pipeline_run(&pipeline, err))
        return -1;
    return check_file(run, err);
}

static int publish_manifest(struct run *run, const struct manifest *manifest, struct err *err)
{
    auto_free char *text = manifest_text(manifest);
    auto_store_writer struct store_writer *writer =
        places_put(run->output_store, run->places.manifest, &run->places.manifest_seen, err);

    if (!writer)
        return -1;
    if (store_writer_append(writer, text, strlen(text), err) ||
        store_writer_commit(writer, NULL, err))
        return places_output_failed(err);
    return 0;
}

/* Rejects of an earlier attempt would speak of another content of the file. */
static int publish_rejects(struct run *run, struct err *err)
{
    struct err why;

    if (run->rejects && store_writer_commit(run->rejects, NULL, err))
        return places_output_failed(err);
    if (run->rejects || !run->places.rejects_seen.there ||
        store_delete(run->output_store, run->places.rejects, &why) == 0 ||
        why.kind == ERR_NOT_FOUND)
        return 0;
    *err = why;
    return places_output_failed(err);
}

static int publish(struct run *run, struct result *ret_result, struct err *err)
{
    struct summary summary = {
        .job = run->job,
        .places = &run->places,
        .model = &run->model,
        .tally = &run->tally,
        .threshold = run->plan.threshold,
        .input_bytes = atomic_load(&run->input_bytes),
        .output_bytes = run->output_bytes,
        .input_generation = run->input_info.generation,
    };
    struct manifest manifest;

    sha256_hex(&run->input_hash, summary.input_sha256);
    sha256_hex(&run->output_hash, summary.output_sha256);
    summary_manifest(&summary, run->arena, &manifest);
    if (*run->options->stop)
        return err_reason(err, ERR_CANCELED, REASON_Terminated, "stopped by a signal");
    if (publish_rejects(run, err) || publish_manifest(run, &manifest, err))
        return -1;
    if (store_writer_commit(run->output, NULL, err))
        return places_output_failed(err);
    *ret_result = summary_result(&manifest, OUTCOME_SCORED);
    return 0;
}

/* Somebody else published first. When that was another pod of this batch (a node
 * that was cut off comes back), its output is as good as ours. */
static int meet_rival(struct run *run, struct result *ret_result, struct err *err)
{
    enum manifest_verdict verdict;
    struct manifest manifest;
    struct err why;

    if (strcmp(err->reason, REASON_OutputExists) != 0 ||
        places_find(run->job, run->input_store, run->output_store, run->arena, &run->places,
                    &why) ||
        manifest_judge(run->job, &run->places, run->output_store, run->arena, &verdict, &manifest,
                       &why))
        return -1;
    if (verdict == MANIFEST_DONE) {
        *ret_result = summary_result(&manifest, OUTCOME_REUSED);
        return 0;
    }
    if (verdict == MANIFEST_OURS)
        return err_reason(err, ERR_RETRY, REASON_TryAgain,
                          "%s is being published by another run of this batch", run->places.output);
    return -1;
}

static int timed(struct run *run, const char *name, int (*step)(struct run *, struct err *),
                 struct err *err)
{
    int outcome;

    progress_begin(run->options->progress, name);
    outcome = step(run, err);
    progress_end(run->options->progress, outcome == 0);
    return outcome;
}

static int refuse_output(const struct run *run, struct err *err)
{
    return err_reason(err, ERR_EXISTS, REASON_OutputExists,
                      "%s is there already and is not this batch's (output.overwrite is false)",
                      run->places.output_seen.there ? run->places.output : run->places.manifest);
}

static int open_stores(struct run *run, struct err *err)
{
    run->input_store = store_open(run->job->input->uri, err);
    if (!run->input_store)
        return -1;
    run->output_store = store_open(run->job->output->uri, err);
    return run->output_store ? 0 : -1;
}

int score_run(const struct score_job *job, const struct score_options *options, struct arena *arena,
              struct result *ret_result, struct err *err)
{
    struct run run
        __attribute__((cleanup(run_release))) = { .job = job, .options = options, .arena = arena };
    enum manifest_verdict verdict;
    struct manifest manifest;

    if (job->kind != SCORE_SCORE || job->shard->count > 1)
        return err_reason(err, ERR_UNSUPPORTED, REASON_UsageError,
                          "shard.count: only 1 is supported by this version");
    if (open_stores(&run, err) ||
        places_find(job, run.input_store, run.output_store, arena, &run.places, err) ||
        manifest_judge(job, &run.places, run.output_store, arena, &verdict, &manifest, err))
        return -1;
    if (verdict == MANIFEST_DONE) {
        *ret_result = summary_result(&manifest, OUTCOME_REUSED);
        return 0;
    }
    if (verdict == MANIFEST_OTHERS && !job->output->overwrite)
        return refuse_output(&run, err);
    if (timed(&run, "Load", prepare, err) || timed(&run, "Score", score, err) ||
        (publish(&run, ret_result, err) && meet_rival(&run, ret_result, err)))
        return -1;
    ret_result->steps = progress_steps(options->progress);
    return 0;
}
