#include "scorer/shard.h"

#include <errno.h>
#include <sys/random.h>

#include "contract/reasons.h"
#include "scorer/part.h"

struct shard {
    const char *folder;   /* of the parts */
    const char *document; /* URI          */
    struct seen seen;     /* of it        */
    struct part part;     /* that was found */
    struct part_object output, rejects, ids;
};

/* The folder is named by everything that decides what is in it. On a laptop the job
 * leaves some of that out; a controller names the same folder when it composes, and knows no
 * generation of a file that it could not look at. */
static const char *parts_folder(const struct run *run)
{
    struct model_source model = { run->job->model->uri, run->model.version };
    const char *known =
        run->job->spec_hash ? run->job->input->generation : run->input.info.generation;
    struct input_source input = { run->places.input, known };
    struct output_spec output = { .uri = run->places.output };
    struct score_job job = *run->job;

    job.model = &model;
    job.input = &input;
    job.output = &output;
    return score_job_parts(&job, run->arena);
}

/* --- a part that is there -------------------------------------------------- */

static int verify_object(const struct run *run, const struct part_object *object, bool *ret_whole,
                         struct err *err)
{
    const char *uri = object ? part_object_uri(run->shard->folder, object, run->arena) : NULL;
    struct err why;

    *ret_whole = true;
    if (!object ||
        checked_verify(run->output_store, uri, object->bytes, object->sha256, ret_whole, &why) == 0)
        return 0;
    *ret_whole = false;
    if (why.kind == ERR_NOT_FOUND)
        return 0;
    *err = why;
    return -1;
}

/* *ret_found: shard->part is a whole part. A document that is damaged, or whose
 * objects are, is replaced. */
static int find_part(struct run *run, bool *ret_found, struct err *err)
{
    struct shard *shard = run->shard;
    bool output = false, rejects = false, ids = false;
    struct err why;

    *ret_found = false;
    if (places_look(run->output_store, shard->document, &shard->seen, err))
        return -1;
    if (!shard->seen.there)
        return 0;
    if (part_read(run->output_store, shard->document, run->options->shard_index, run->arena,
                  &shard->part, &why)) {
        if (why.kind == ERR_INVALID || why.kind == ERR_TOO_BIG)
            return 0;
        *err = why;
        return -1;
    }
    if (verify_object(run, shard->part.output, &output, err) ||
        verify_object(run, shard->part.rejects, &rejects, err) ||
        verify_object(run, shard->part.ids, &ids, err))
        return -1;
    *ret_found = output && rejects && ids && shard->part.input->generation &&
                 strcmp(shard->part.input->generation, run->input.info.generation) == 0;
    return 0;
}

/* --- a new one -------------------------------------------------------------- */

static const char *object_uri(const struct run *run, const struct part_object *object)
{
    return part_object_uri(run->shard->folder, object, run->arena);
}

static int name_objects(struct run *run, struct err *err)
{
    struct shard *shard = run->shard;
    int64_t index = run->options->shard_index;
    uint32_t number;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return err_errno(err, errno, "no random number");
    shard->output.name = arena_format(run->arena, "part-%05" PRId64 "-%08x.csv", index, number);
    shard->rejects.name =
        arena_format(run->arena, "part-%05" PRId64 "-%08x.rejects.csv", index, number);
    shard->ids.name = arena_format(run->arena, "part-%05" PRId64 "-%08x.ids", index, number);
    run->rejects_uri = object_uri(run, &shard->rejects);
    run->rejects_header = "";
    return 0;
}

static int begin_object(struct run *run, const struct part_object *object, struct sink *sink,
                        struct err *err)
{
    static const struct seen absent = { .there = false };

    return sink_begin(sink, places_put(run->output_store, object_uri(run, object), &absent, err));
}

static int commit_object(struct run *run, struct sink *sink, struct part_object *object,
                         struct err *err)
{
    char sha256[SHA256_HEX];

    if (!sink->writer)
        return 0;
    if (sink_commit(sink, err))
        return -1;
    sink_hash(sink, sha256);
    object->bytes = (int64_t)sink->bytes;
    object->sha256 = arena_strdup(run->arena, sha256);
    return 0;
}

static struct part describe(struct run *run)
{
    struct shard *shard = run->shard;
    struct part part = {
        .version = PART_VERSION,
        .index = run->options->shard_index,
        .model = run->model.version,
        .input = run_input_result(run),
        .header = run->header,
        .output = &shard->output,
        .rejects = run->rejects.writer ? &shard->rejects : NULL,
        .ids = run->id_keys.writer ? &shard->ids : NULL,
    };

    part_count(&part, &run->tally, run->arena);
    return part;
}

/* Another pod of this index was faster: what we wrote is in nobody's document. */
static void throw_away(struct run *run)
{
    const struct part_object *const objects[] = { &run->shard->output, &run->shard->rejects,
                                                  &run->shard->ids };
    struct err ignored;

    for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
        if (store_delete(run->output_store, object_uri(run, objects[i]), &ignored))
            continue; /* it goes with the folder */
}

static int meet_rival(struct run *run, struct err *err)
{
    struct err why;
    bool found;

    throw_away(run);
    if ((err->kind != ERR_EXISTS && err->kind != ERR_CONFLICT) || find_part(run, &found, &why))
        return -1;
    if (!found)
        return err_reason(err, ERR_RETRY, REASON_TryAgain,
                          "%s is being written by another run of this shard", run->shard->document);
    return 0;
}

static int publish_part(struct run *run, struct err *err)
{
    struct shard *shard = run->shard;
    auto_free char *text = NULL;

    if (run_check_stop(run, err) || commit_object(run, &run->output, &shard->output, err) ||
        commit_object(run, &run->rejects, &shard->rejects, err) ||
        commit_object(run, &run->id_keys, &shard->ids, err))
        return -1;
    shard->part = describe(run);
    text = part_text(&shard->part);
    if (store_put_text(run->output_store, shard->document, span_of(text),
                       shard->seen.there ? STORE_IF_GENERATION : STORE_IF_ABSENT,
                       shard->seen.info.generation, err) == 0)
        return 0;
    places_output_failed(err);
    return meet_rival(run, err);
}

/* --- steps ------------------------------------------------------------------ */

static int load(struct run *run, struct err *err)
{
    bool is_last = run->options->shard_index == run->job->shard->count - 1;

    return run_load(run, err) || run_open_input(run, is_last, err) ? -1 : 0;
}

static int seek(struct run *run, struct err *err)
{
    struct input_range range = input_range(&run->input, run->places.input,
                                           run->options->shard_index, run->job->shard->count);

    return input_seek(&run->input, range, run->options->stop, err);
}

static int score(struct run *run, struct err *err)
{
    struct shard *shard = run->shard;

    if (name_objects(run, err) || begin_object(run, &shard->output, &run->output, err) ||
        (run->model.id && begin_object(run, &shard->ids, &run->id_keys, err)) ||
        run_score_rows(run, err))
        return -1;
    return input_check_unchanged(run->input_store, run->places.input, &run->input, err);
}

static struct result part_result(const struct part *part, const char *folder, struct run *run)
{
    struct rows_result *rows = arena_zero(run->arena, 1, sizeof(*rows));
    struct shard_result *shard = arena_zero(run->arena, 1, sizeof(*shard));
    struct output_result *output = arena_zero(run->arena, 1, sizeof(*output));

    *rows = (struct rows_result){ part->scored + part->rejected, part->scored, part->rejected };
    shard->index = part->index;
    output->uri = part_object_uri(folder, part->output, run->arena);
    output->bytes = part->output->bytes;
    output->sha256 = part->output->sha256;
    return (struct result){
        .outcome = OUTCOME_PART,
        .output = output,
        .rows = rows,
        .shard = shard,
    };
}

int shard_run(struct run *run, struct result *ret_result, struct err *err)
{
    struct shard *shard = arena_zero(run->arena, 1, sizeof(*shard));
    bool found;

    if (run->options->shard_index < 0 || run->options->shard_index >= run->job->shard->count)
        return err_reason(err, ERR_INVALID, REASON_UsageError,
                          "--shard-index or $JOB_COMPLETION_INDEX: must be from 0 to %" PRId64
                          " for shard.count %" PRId64,
                          run->job->shard->count - 1, run->job->shard->count);
    run->shard = shard;
    if (run_step(run, "Load", load, err))
        return -1;
    shard->folder = parts_folder(run);
    shard->document = part_uri(shard->folder, run->options->shard_index, run->arena);
    if (find_part(run, &found, err))
        return -1;
    if (!found && (run_step(run, "Seek", seek, err) || run_step(run, "Score", score, err) ||
                   publish_part(run, err)))
        return -1;
    *ret_result = part_result(&shard->part, shard->folder, run);
    return 0;
}
