#include "base/limits.h"
#include "base/uri.h"
#include "batch_pass.h"
#include "job_builder.h"

/* How old the digest of a scorer image may be. */
#define SCORER_IMAGE_AGE_MS 300000
/* With spec.shards 0, a shard for every so many bytes. */
#define SHARD_BYTES ((int64_t)(256 * MIB))

static bool is_before(const struct output_rival *rival, const struct metadata *metadata)
{
    if (rival->created_ms != metadata->created_ms)
        return rival->created_ms < metadata->created_ms;
    int order = strcmp(rival->namespace_, metadata->namespace_);
    return order != 0 ? order < 0 : strcmp(rival->name, metadata->name) < 0;
}

/* Another unfinished batch writes to the same output: the older one goes first. */
static bool waits_for_rival(struct batch_pass *pass)
{
    for (size_t i = 0; i < pass->view->rival_count; i++) {
        const struct output_rival *rival = &pass->view->rivals[i];
        if (!rival->started && !is_before(rival, &pass->view->object.metadata))
            continue;
        batch_say(pass, REASON_Pending, true, false, REASON_OutputInUse,
                  arena_format(pass->arena, "ChurnBatch %s/%s writes to the same output",
                               rival->namespace_, rival->name));
        return true;
    }
    return false;
}

/* The scorer image by digest; false, and said, while it is not known. */
static bool find_image(struct batch_pass *pass, struct image_lookup *ret_image)
{
    const struct object_view *view = &pass->view->object;
    const char *reference =
        pass->spec.how.image ? pass->spec.how.image : view->settings->scorer_image;
    const struct image_access access = { &pass->model_spec.image_pull_secrets,
                                         pass->spec.pod_template ? pass->spec.pod_template
                                                                 : pass->model_spec.pod_template,
                                         &pass->view->model->metadata };
    lookup_recent_image(view, pass->plan, reference, &access, SCORER_IMAGE_AGE_MS, ret_image);
    if (ret_image->state == LOOKUP_PENDING) {
        pass->hold = pass->hold || !ret_image->slow;
        batch_say(pass, REASON_Pending, true, false, REASON_Resolving,
                  arena_format(pass->arena, "%s is being looked up", reference));
        return false;
    }
    if (ret_image->digest)
        return true;
    batch_say(pass, REASON_Pending, true, false, ret_image->reason,
              arena_format(pass->arena, "%s: %s", reference, ret_image->message));
    return false;
}

/* A folder's newest file, or the file. More than one pod that reads a file must read the same: it
 * is looked at where that is possible, and has to be where its size decides. */
static void look_up_input(struct batch_pass *pass, struct file_lookup *file)
{
    const struct object_view *view = &pass->view->object;
    const struct input_spec *input = pass->spec.input;
    int64_t shards = pass->spec.how.shards;
    struct file_question question = { input->uri,
                                      shards ? "spec.input.uri"
                                             : "spec.input.uri, with spec.shards 0",
                                      batch_credentials(pass) };
    if (shards == 1 || (shards > 1 && input->generation))
        lookup_file(view, pass->plan, &question, file);
    else
        lookup_existing_file(view, pass->plan, &question, file);
    bool is_missing = file->reason && strcmp(file->reason, REASON_InputNotFound) == 0;
    bool is_unseen = file->state == LOOKUP_FAILED && shards > 0 && !uri_is_folder(input->uri);
    if (is_missing || is_unseen) /* the scorer says so, or sees more than we do */
        *file = (struct file_lookup){ .uri = input->uri };
    if (input->generation)
        file->generation = input->generation;
}

static bool find_input(struct batch_pass *pass, struct file_lookup *ret_file)
{
    look_up_input(pass, ret_file);
    if (ret_file->state == LOOKUP_KNOWN)
        return true;
    if (ret_file->state == LOOKUP_PENDING) {
        pass->hold = pass->hold || !ret_file->slow;
        batch_say(pass, REASON_Pending, true, false, REASON_Pending, "listing spec.input.uri");
    } else {
        batch_say(pass, REASON_Pending, !ret_file->stalled, ret_file->stalled, ret_file->reason,
                  ret_file->message);
    }
    return false;
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t length = strlen(text), suffix_length = strlen(suffix);
    return length > suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

/* A compressed file can only be read from its beginning. */
static int64_t count_shards(const struct batch_pass *pass, const struct file_lookup *file)
{
    int64_t wanted = pass->spec.how.shards;
    if (ends_in(file->uri, ".gz") || ends_in(file->uri, ".zst"))
        return 1;
    if (wanted > 0)
        return wanted;
    wanted = (file->bytes + SHARD_BYTES - 1) / SHARD_BYTES;
    return wanted > SHARDS_MAXIMUM ? SHARDS_MAXIMUM : wanted > 1 ? wanted : 1;
}

static void record_shards(struct batch_pass *pass, const struct file_lookup *file)
{
    int64_t count = count_shards(pass, file);
    if (count == 1)
        return;
    pass->status.shards = arena_zero(pass->arena, 1, sizeof(*pass->status.shards));
    pass->status.shards->total = count;
}

static void record_run(struct batch_pass *pass, const struct file_lookup *file,
                       const struct image_lookup *image)
{
    const struct object_view *view = &pass->view->object;
    struct batch_status *status = &pass->status;
    struct input_result *input = arena_zero(pass->arena, 1, sizeof(*input));
    struct output_result *output = arena_zero(pass->arena, 1, sizeof(*output));
    struct batch_model_status *model = arena_zero(pass->arena, 1, sizeof(*model));
    input->uri = file->uri;
    input->generation = file->generation;
    output->uri = batch_output_uri(pass->spec.how.output->uri, view->metadata.name, pass->arena);
    *model = pass->version;
    status->input = input;
    status->output = output;
    status->model = model;
    status->image = job_image(image->reference, image->digest, pass->arena);
    status->field_hashes = pass->field_hashes;
    record_shards(pass, file);
    batch_record_pods(pass);
    batch_set_attempt(pass, run_next_attempt(view, pass->run_key));
    status->start_time_ms = view->now_ms;
}

static void start_run(struct batch_pass *pass, const struct file_lookup *file,
                      const struct image_lookup *image)
{
    record_run(pass, file, image);
    if (pass->model_reason == REASON_UsingPrevious)
        plan_event(pass->plan, true, REASON_UsingPrevious, "Score", "%s", pass->model_message);
    plan_event(pass->plan, false, REASON_Running, "Score", "Job %s with model version %s%s",
               pass->status.job, pass->status.model->version,
               pass->asked ? "; training skipped, the image is unchanged" : "");
    if (pass->asked)
        plan_wake(pass->plan, pass->spec.model_ref->name, true);
    batch_create_job(pass);
}

void batch_try_to_start(struct batch_pass *pass)
{
    struct file_lookup file;
    struct image_lookup image;
    if (pass->spec_error) {
        batch_say(pass, REASON_Pending, false, true, REASON_SpecInvalid, pass->spec_error);
        return;
    }
    if (pass->spec.suspend) {
        batch_say(pass, REASON_Suspended, false, false, REASON_Suspended, "spec.suspend is true");
        return;
    }
    batch_find_model(pass);
    if (batch_model_is_usable(pass) && !waits_for_rival(pass) && find_input(pass, &file) &&
        find_image(pass, &image))
        start_run(pass, &file, &image);
    if (!pass->status.job && pass->asked) { /* counted when the run starts */
        pass->status.training = NULL;
        pass->status.required_digest = NULL;
    }
}
