#include "scorer/places.h"

#include "contract/reasons.h"

int places_look(struct store *store, const char *uri, struct seen *ret_seen, struct err *err)
{
    struct err why;

    *ret_seen = (struct seen){ .there = true };
    if (store_stat(store, uri, &ret_seen->info, &why) == 0)
        return 0;
    ret_seen->there = false;
    if (why.kind == ERR_NOT_FOUND)
        return 0;
    *err = why;
    return places_output_failed(err);
}

/* "week-07" of "bank/week-07" */
static const char *batch_name(const char *batch)
{
    const char *slash = strchr(batch, '/');

    return slash ? slash + 1 : batch;
}

static bool is_folder(const char *uri)
{
    return uri[strlen(uri) - 1] == '/';
}

/* Whatever output.overwrite allows: the customers' file is not ours to replace. */
static int check_input(const struct places *places, struct err *err)
{
    const char *const written[] = { places->output, places->manifest, places->rejects };

    for (size_t i = 0; i < ARRAY_SIZE(written); i++)
        if (strcmp(places->input, written[i]) == 0)
            return err_reason(err, ERR_EXISTS, REASON_OutputExists,
                              "%s is the input itself: output.uri must be another file",
                              written[i]);
    return 0;
}

int places_find(const struct score_job *job, struct store *input_store, struct store *output_store,
                struct arena *arena, struct places *ret_places, struct err *err)
{
    const char *output = job->output->uri;
    auto_free char *input = store_resolve(input_store, job->input->uri, err);

    if (!input)
        return -1;
    ret_places->input = arena_strdup(arena, input);
    ret_places->output = is_folder(output)
                             ? arena_format(arena, "%s%s.csv", output, batch_name(job->batch))
                             : output;
    ret_places->manifest = arena_format(arena, "%s.manifest.json", ret_places->output);
    ret_places->rejects = arena_format(arena, "%s.rejects.csv", ret_places->output);
    if (check_input(ret_places, err) ||
        places_look(output_store, ret_places->output, &ret_places->output_seen, err) ||
        places_look(output_store, ret_places->manifest, &ret_places->manifest_seen, err) ||
        places_look(output_store, ret_places->rejects, &ret_places->rejects_seen, err))
        return -1;
    return 0;
}

struct store_writer *places_put(struct store *store, const char *uri, const struct seen *seen,
                                struct err *err)
{
    struct store_writer *writer =
        store_put(store, uri, seen->there ? STORE_IF_GENERATION : STORE_IF_ABSENT,
                  seen->there ? seen->info.generation : NULL, err);

    if (!writer)
        places_output_failed(err);
    return writer;
}

int places_output_failed(struct err *err)
{
    switch (err->kind) {
    case ERR_EXISTS:
    case ERR_CONFLICT:
        snprintf(err->reason, sizeof(err->reason), "%s", REASON_OutputExists);
        break;
    case ERR_NOT_FOUND:
    case ERR_INVALID:
    case ERR_TOO_BIG:
    case ERR_IO:
        snprintf(err->reason, sizeof(err->reason), "%s", REASON_OutputFailed);
        break;
    default:
        break;
    }
    return -1;
}
