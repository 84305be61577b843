#include "scorer/compose.h"

#include "base/limits.h"
#include "contract/identity.h"
#include "contract/reasons.h"
#include "scorer/part.h"
#include "scorer/publish.h"
#include "scorer/verdict.h"

#define KEYS_AT_ONCE 4096

/* --- reading parts ----------------------------------------------------------- */

static int check_same(const struct run *run, const struct part *part, struct err *err)
{
    const struct part *first = &run->parts[0];

    if (strcmp(part->model, run->model.version) == 0 && part->input->generation &&
        strcmp(part->input->uri, run->places.input) == 0 &&
        strcmp(part->input->generation, first->input->generation) == 0 &&
        strcmp(part->header, first->header) == 0 && (part->ids != NULL) == (run->model.id != NULL))
        return 0;
    return err_reason(err, ERR_INVALID, REASON_DataInvalid,
                      "part %" PRId64 " in %s is of another run", part->index, run->job->parts);
}

static int read_parts(struct run *run, struct err *err)
{
    int64_t count = run->job->shard->count;

    run->parts = arena_zero(run->arena, (size_t)count, sizeof(*run->parts));
    for (int64_t i = 0; i < count; i++) {
        struct part *part = &run->parts[i];

        if (part_read(run->output_store, part_uri(run->job->parts, i, run->arena), i, run->arena,
                      part, err) ||
            check_same(run, part, err) || part_add(part, &run->tally, err))
            return -1;
    }
    return 0;
}

static int load(struct run *run, struct err *err)
{
    if (run_load(run, err))
        return -1;
    run->ids = ids_new(run->options->scratch);
    return read_parts(run, err);
}

/* --- judging ------------------------------------------------------------------ */

static int add_ids(struct run *run, const struct part_object *object, struct err *err)
{
    auto_free struct id_key *keys = mem_zero(KEYS_AT_ONCE, sizeof(*keys));
    const char *uri = part_object_uri(run->job->parts, object, run->arena);
    auto_checked struct checked checked = { 0 };
    size_t length = 0;

    if (checked_open(run->output_store, uri, &checked, err))
        return -1;
    do {
        if (checked_read(&checked, keys, KEYS_AT_ONCE * sizeof(*keys), &length, err) ||
            ids_add(run->ids, keys, length / sizeof(*keys), err))
            return -1;
    } while (length > 0);
    if (!checked_matches(&checked, object->bytes, object->sha256))
        return err_reason(err, ERR_INVALID, REASON_DataInvalid, "%s was damaged", uri);
    return 0;
}

static int append(struct run *run, const struct part_object *object, struct sink *sink,
                  struct err *err)
{
    if (!object)
        return 0;
    return sink_append_object(sink, run->output_store,
                              part_object_uri(run->job->parts, object, run->arena), object->bytes,
                              object->sha256, err);
}

static int compose_rejects(struct run *run, struct err *err)
{
    if (run->tally.rejected == 0)
        return 0;
    if (run_begin_rejects(run, err))
        return -1;
    for (int64_t i = 0; i < run->job->shard->count; i++)
        if (append(run, run->parts[i].rejects, &run->rejects, err))
            return -1;
    return 0;
}

static int judge(struct run *run, struct err *err)
{
    if (compose_rejects(run, err))
        return -1;
    for (int64_t i = 0; i < run->job->shard->count; i++)
        if (run_check_stop(run, err) || (run->parts[i].ids && add_ids(run, run->parts[i].ids, err)))
            return -1;
    return verdict_check(run, err);
}

/* --- the output --------------------------------------------------------------- */

static int compose(struct run *run, struct err *err)
{
    const char *header = run->parts[0].header;

    if (sink_begin(&run->output, places_put(run->output_store, run->places.output,
                                            &run->places.output_seen, err)) ||
        sink_append(&run->output, header, strlen(header), err))
        return -1;
    for (int64_t i = 0; i < run->job->shard->count; i++)
        if (run_check_stop(run, err) || append(run, run->parts[i].output, &run->output, err))
            return -1;
    return 0;
}

/* The last shard has read the whole file. */
static int input_of(const struct run *run, struct input_result **ret_input, struct err *err)
{
    struct input_result *input = run->parts[run->job->shard->count - 1].input;

    if (!input->sha256)
        return err_reason(err, ERR_INVALID, REASON_DataInvalid,
                          "part %" PRId64 " in %s lacks the sha256 of the input",
                          run->job->shard->count - 1, run->job->parts);
    *ret_input = input;
    return 0;
}

int compose_run(struct run *run, struct result *ret_result, struct err *err)
{
    struct input_result *input;

    if (run_step(run, "Load", load, err) || input_of(run, &input, err) ||
        run_step(run, "Judge", judge, err) || run_step(run, "Compose", compose, err))
        return -1;
    return publish(run, input, ret_result, err);
}

/* --- the end of the parts -------------------------------------------------------- */

static const char *folder_of_folders(const struct run *run)
{
    return arena_format(run->arena, "%s.parts/", run->places.output);
}

/* "<output>.parts/<32 hex digits>/" */
int compose_check(const struct run *run, struct err *err)
{
    const char *parts = run->job->parts, *parent = folder_of_folders(run);
    size_t length = strlen(parent);
    size_t digits =
        strncmp(parts, parent, length) == 0 ? strspn(parts + length, "0123456789abcdef") : 0;

    if (digits == IDENTITY_KEY - 1 && strcmp(parts + length + digits, "/") == 0)
        return 0;
    return err_reason(err, ERR_INVALID, REASON_UsageError,
                      "parts: must be a folder %s<32 hex digits>/", parent);
}

static int delete_folder(struct store *store, const char *uri, struct err *err)
{
    struct err why;

    if (store_delete_folder(store, uri, &why) == 0 || why.kind == ERR_NOT_FOUND)
        return 0;
    *err = why;
    return places_output_failed(err);
}

int compose_discard(struct run *run, struct err *err)
{
    auto_store_listing struct store_listing others = { 0 };
    const char *parent = folder_of_folders(run);
    struct err ignored;

    if (delete_folder(run->output_store, run->job->parts, err))
        return -1;
    if (store_list(run->output_store, parent, &others, &ignored) || others.count > 0)
        return 0;
    return delete_folder(run->output_store, parent, err);
}
