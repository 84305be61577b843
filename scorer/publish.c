#include "scorer/publish.h"

#include "contract/reasons.h"
#include "scorer/manifest.h"
#include "scorer/summary.h"

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

    if (run->rejects.writer)
        return sink_commit(&run->rejects, err);
    if (!run->places.rejects_seen.there ||
        store_delete(run->output_store, run->places.rejects, &why) == 0 ||
        why.kind == ERR_NOT_FOUND)
        return 0;
    *err = why;
    return places_output_failed(err);
}

static int publish_all(struct run *run, struct input_result *input, struct manifest *ret_manifest,
                       struct err *err)
{
    struct summary summary = {
        .job = run->job,
        .places = &run->places,
        .model = &run->model,
        .tally = &run->tally,
        .threshold = run->threshold,
        .input = input,
        .output_bytes = run->output.bytes,
    };

    sink_hash(&run->output, summary.output_sha256);
    summary_manifest(&summary, run->arena, ret_manifest);
    if (run_check_stop(run, err) || publish_rejects(run, err) ||
        publish_manifest(run, ret_manifest, err))
        return -1;
    return sink_commit(&run->output, err);
}

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

int publish(struct run *run, struct input_result *input, struct result *ret_result, struct err *err)
{
    struct manifest manifest;

    if (publish_all(run, input, &manifest, err))
        return meet_rival(run, ret_result, err);
    *ret_result = summary_result(&manifest, OUTCOME_SCORED);
    return 0;
}
