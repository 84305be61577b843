#include "base/num.h"
#include "base/prune.h"
#include "contract/check.h"
#include "contract/exit_code.h"
#include "job_builder.h"
#include "project.h"

/* --- reducing ------------------------------------------------------------ */

#define KEPT_METADATA                                                                              \
    "metadata.namespace", "metadata.name", "metadata.uid", "metadata.resourceVersion",             \
        "metadata.generation", "metadata.creationTimestamp", "metadata.deletionTimestamp"
#define READ_METADATA KEPT_METADATA, "metadata.ownerReferences"

const char *const project_model_reads[] = { READ_METADATA, NULL };
const char *const project_batch_reads[] = { READ_METADATA,
                                            "spec.modelRef.name",
                                            "spec.modelVersion",
                                            "spec.output.uri",
                                            "spec.ttlSecondsAfterFinished",
                                            "status.conditions",
                                            "status.job",
                                            "status.model.version",
                                            "status.observedGeneration",
                                            "status.shards.discarding",
                                            NULL };
const char *const project_job_reads[] = { READ_METADATA,
                                          "metadata.annotations." ANNOTATION_ATTEMPT,
                                          "metadata.annotations." ANNOTATION_KEEP,
                                          "metadata.annotations." ANNOTATION_TEMPLATE,
                                          "metadata.labels." LABEL_RUN,
                                          "spec.suspend",
                                          "spec.ttlSecondsAfterFinished",
                                          "status.active",
                                          "status.conditions",
                                          "status.failedIndexes",
                                          "status.ready",
                                          "status.startTime",
                                          "status.succeeded",
                                          NULL };
const char *const project_pods_reads[] = { "items.metadata.ownerReferences",
                                           "items.status.conditions",
                                           "items.status.containerStatuses", NULL };

struct span project_model(struct span text, struct buf *storage)
{
    static const char *const kept[] = { KEPT_METADATA, "spec", "status", NULL };
    return pick(text, kept, storage);
}

/* The condition Complete or Failed that is True; NULL while neither is. Jobs and
 * batches use the same words. */
static const json_t *finishing_condition(const json_t *object)
{
    const json_t *conditions = jx_get(object, "status", "conditions", NULL);
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *condition = json_array_get(conditions, i);
        const char *type = jx_string(condition, "type", NULL);
        const char *status = jx_string(condition, "status", NULL);
        if (type && status && strcmp(status, STATUS_TRUE) == 0 &&
            (strcmp(type, "Complete") == 0 || strcmp(type, "Failed") == 0))
            return condition;
    }
    return NULL;
}

bool batch_is_over(const json_t *object)
{
    int64_t generation = jx_int(json_object_get(object, "metadata"), "generation", 0);
    const json_t *status = json_object_get(object, "status");
    return finishing_condition(object) && jx_int(status, "observedGeneration", -1) == generation &&
           !jx_bool(json_object_get(status, "shards"), "discarding", false);
}

/* What remains of a finished batch: that it is over, and for which generation. */
static json_t *ledger(const json_t *object)
{
    const json_t *finished = finishing_condition(object);
    const json_t *ttl = jx_get(object, "spec", "ttlSecondsAfterFinished", NULL);
    json_t *metadata = json_copy(json_object_get((json_t *)object, "metadata"));
    json_t *condition = json_copy((json_t *)finished);
    json_object_del(metadata, "ownerReferences");
    json_object_del(condition, "observedGeneration");
    json_object_set_new(condition, "message", json_string(""));
    json_t *reduced =
        json_pack("{so s{sO s[o]}}", "metadata", metadata, "status", "observedGeneration",
                  jx_get(object, "status", "observedGeneration", NULL), "conditions", condition);
    if (ttl)
        json_object_set_new(reduced, "spec", json_pack("{sO}", "ttlSecondsAfterFinished", ttl));
    return reduced;
}

static int append_bytes(const char *bytes, size_t length, void *buffer)
{
    buf_append(buffer, bytes, length);
    return 0;
}

struct span project_batch(struct span text, const json_t *object, struct buf *storage)
{
    if (!batch_is_over(object))
        return project_model(text, storage);
    auto_json json_t *kept = ledger(object);
    (void)json_dump_callback(kept, append_bytes, storage,
                             JSON_COMPACT); /* a tree of ours: it can */
    return (struct span){ storage->data, storage->length };
}

static const json_t *controlling_owner(const json_t *object)
{
    const json_t *owners = jx_get(object, "metadata", "ownerReferences", NULL);
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *owner = json_array_get(owners, i);
        const char *version = jx_string(owner, "apiVersion", NULL);
        if (jx_bool(owner, "controller", false) && version &&
            strncmp(version, API_GROUP "/", strlen(API_GROUP "/")) == 0)
            return owner;
    }
    return NULL;
}

/* --- decoding ------------------------------------------------------------ */

static const char *copy_text(struct arena *arena, const json_t *object, const char *name)
{
    const char *text = jx_string(object, name, NULL);
    return text ? arena_strdup(arena, text) : NULL;
}

static int64_t time_member(const json_t *object, const char *name)
{
    const char *text = jx_string(object, name, NULL);
    int64_t unix_ms;
    return text && num_time_ms(span_of(text), &unix_ms, NULL) == 0 ? unix_ms : 0;
}

void metadata_decode(const json_t *object, struct arena *arena, struct metadata *ret_metadata)
{
    const json_t *metadata = json_object_get(object, "metadata");
    *ret_metadata = (struct metadata){
        .namespace_ = copy_text(arena, metadata, "namespace"),
        .name = copy_text(arena, metadata, "name"),
        .uid = copy_text(arena, metadata, "uid"),
        .resource_version = copy_text(arena, metadata, "resourceVersion"),
        .generation = jx_int(metadata, "generation", 0),
        .created_ms = time_member(metadata, "creationTimestamp"),
        .deleting = jx_string(metadata, "deletionTimestamp", NULL) != NULL,
    };
}

int metadata_check(const struct metadata *metadata, struct err *err)
{
    if (check_label(metadata->name, err) < 0)
        return err_wrap(err, "metadata.name");
    return 0;
}

static int64_t attempt_of(const json_t *job)
{
    const char *text = jx_string(job, "metadata", "annotations", ANNOTATION_ATTEMPT, NULL);
    int64_t attempt;
    return text && num_int64(span_of(text), 0, INT32_MAX, &attempt, NULL) == 0 ? attempt : 0;
}

/* How many indexes "1,3-5" names. */
static int64_t count_indexes(const char *text)
{
    int64_t count = 0;
    while (text && *text) {
        size_t length = strcspn(text, ","), first_length = strcspn(text, ",-");
        struct span last = { text + first_length + 1, length - first_length - 1 };
        int64_t from, to;
        if (num_int64((struct span){ text, first_length }, 0, INT32_MAX, &from, NULL) < 0)
            return count;
        to = from;
        if (length > first_length && num_int64(last, from, INT32_MAX, &to, NULL) < 0)
            return count;
        count += to - from + 1;
        text += length + (text[length] == ',');
    }
    return count;
}

void job_view_decode(const json_t *object, struct arena *arena, struct job_view *ret_job)
{
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *status = json_object_get(object, "status");
    const json_t *finished = finishing_condition(object);
    const char *type = jx_string(finished, "type", NULL);
    const char *failed_indexes = jx_string(status, "failedIndexes", NULL);
    *ret_job = (struct job_view){
        .name = copy_text(arena, metadata, "name"),
        .uid = copy_text(arena, metadata, "uid"),
        .resource_version = copy_text(arena, metadata, "resourceVersion"),
        .owner_uid = copy_text(arena, controlling_owner(object), "uid"),
        .run_key = copy_text(arena, json_object_get(metadata, "labels"), LABEL_RUN),
        .template_hash =
            copy_text(arena, json_object_get(metadata, "annotations"), ANNOTATION_TEMPLATE),
        .keep_versions =
            copy_text(arena, json_object_get(metadata, "annotations"), ANNOTATION_KEEP),
        .attempt = attempt_of(object),
        .active = jx_int(status, "active", 0),
        .ready = jx_int(status, "ready", 0),
        .succeeded = failed_indexes ? jx_int(status, "succeeded", 0) : 0,
        .failed_indexes = count_indexes(failed_indexes),
        .started_ms = time_member(status, "startTime"),
        .suspended = jx_bool(json_object_get(object, "spec"), "suspend", false),
        .deleting = jx_string(metadata, "deletionTimestamp", NULL) != NULL,
    };
    const json_t *ttl = jx_get(object, "spec", "ttlSecondsAfterFinished", NULL);
    ret_job->ttl_seconds = (struct opt_int){ json_is_integer(ttl), json_integer_value(ttl) };
    if (!type)
        return;
    ret_job->state = strcmp(type, "Complete") == 0 ? JOB_COMPLETE : JOB_FAILED;
    if (ret_job->state == JOB_COMPLETE)
        return;
    ret_job->reason = copy_text(arena, finished, "reason");
    ret_job->message = copy_text(arena, finished, "message");
}

static const size_t packed_texts[] = {
    offsetof(struct job_view, owner_uid),     offsetof(struct job_view, run_key),
    offsetof(struct job_view, template_hash), offsetof(struct job_view, keep_versions),
    offsetof(struct job_view, reason),        offsetof(struct job_view, message),
};

static const char **text_member(struct job_view *job, size_t offset)
{
    return (const char **)(void *)((char *)job + offset);
}

/* The struct and then its texts, each with its NUL; of their pointers only counts whether they
 * are NULL. */
void job_view_pack(const struct job_view *job, struct buf *blob)
{
    struct job_view packed = *job;

    packed.name = packed.uid = packed.resource_version = NULL;
    buf_append(blob, &packed, sizeof(packed));
    for (size_t i = 0; i < ARRAY_SIZE(packed_texts); i++) {
        const char *text = *text_member(&packed, packed_texts[i]);
        if (text)
            buf_append(blob, text, strlen(text) + 1);
    }
}

void job_view_unpack(struct span blob, struct arena *arena, struct job_view *ret_job)
{
    size_t length = blob.length - sizeof(*ret_job);
    char *texts = arena_zero(arena, length, 1);

    memcpy(ret_job, blob.data, sizeof(*ret_job));
    memcpy(texts, blob.data + sizeof(*ret_job), length);
    for (size_t i = 0; i < ARRAY_SIZE(packed_texts); i++) {
        const char **text = text_member(ret_job, packed_texts[i]);
        if (!*text)
            continue;
        *text = texts;
        texts += strlen(texts) + 1;
    }
}

const char *job_owner_uid(const json_t *object)
{
    return jx_string(controlling_owner(object), "uid", NULL);
}

/* --- pods ---------------------------------------------------------------- */

static const json_t *container_status(const json_t *pod)
{
    const json_t *statuses = jx_get(pod, "status", "containerStatuses", NULL);
    for (size_t i = 0; i < json_array_size(statuses); i++) {
        const char *name = jx_string(json_array_get(statuses, i), "name", NULL);
        if (name && strcmp(name, JOB_CONTAINER) == 0)
            return json_array_get(statuses, i);
    }
    return NULL;
}

const char *pod_image_id(const json_t *pod)
{
    const char *id = jx_string(container_status(pod), "imageID", NULL);
    return id && *id ? id : NULL;
}

/* "ImagePullBackOff: Back-off pulling image ..." */
static const char *join_trouble(struct arena *arena, const json_t *object)
{
    const char *reason = jx_string(object, "reason", NULL);
    const char *message = jx_string(object, "message", NULL);
    return arena_format(arena, "%s%s%s", reason ? reason : "Waiting", message ? ": " : "",
                        message ? message : "");
}

static const char *pod_trouble(const json_t *pod, struct arena *arena)
{
    const json_t *waiting = jx_get(container_status(pod), "state", "waiting", NULL);
    if (waiting)
        return join_trouble(arena, waiting);
    const json_t *conditions = jx_get(pod, "status", "conditions", NULL);
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *condition = json_array_get(conditions, i);
        const char *type = jx_string(condition, "type", NULL);
        const char *status = jx_string(condition, "status", NULL);
        if (type && status && strcmp(type, "PodScheduled") == 0 &&
            strcmp(status, STATUS_FALSE) == 0)
            return join_trouble(arena, condition);
    }
    return NULL;
}

static void take_termination(const json_t *terminated, struct arena *arena, struct pod_end *end)
{
    const char *reason = jx_string(terminated, "reason", NULL);
    end->ended = true;
    end->exit_code = jx_int(terminated, "exitCode", -1);
    end->out_of_memory = reason && strcmp(reason, "OOMKilled") == 0;
    end->result = copy_text(arena, terminated, "message");
}

static bool was_stopped(const json_t *terminated)
{
    return jx_int(terminated, "exitCode", -1) == EXIT_CODE_TERMINATED;
}

/* Whether `terminated` tells more about a failure than `before`, which may be NULL. */
static bool tells_more(const json_t *terminated, const json_t *before)
{
    if (!before || was_stopped(before) != was_stopped(terminated))
        return !before || was_stopped(before);
    return time_member(terminated, "finishedAt") >= time_member(before, "finishedAt");
}

void pods_fact_decode(const char *job, const json_t *pod_items, struct arena *arena,
                      struct pods_fact *ret_fact)
{
    const json_t *failure = NULL;
    *ret_fact = (struct pods_fact){ .job = job };
    for (size_t i = 0; i < json_array_size(pod_items); i++) {
        const json_t *pod = json_array_get(pod_items, i);
        const json_t *terminated = jx_get(container_status(pod), "state", "terminated", NULL);
        const char *trouble = pod_trouble(pod, arena);
        if (trouble)
            ret_fact->trouble = trouble;
        if (!terminated)
            continue;
        if (jx_int(terminated, "exitCode", -1) == 0)
            take_termination(terminated, arena, &ret_fact->succeeded);
        else if (tells_more(terminated, failure))
            take_termination(failure = terminated, arena, &ret_fact->failed);
    }
    if (json_is_array(pod_items) && json_array_size(pod_items) == 0)
        ret_fact->trouble =
            arena_format(arena, "there is no pod: kubectl describe job %s says why", job);
}
