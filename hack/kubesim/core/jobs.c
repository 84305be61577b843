#include "kubesim/core/jobs.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/num.h"
#include "kubesim/core/api.h"
#include "kubesim/core/failure_policy.h"

#define TRACKING       "batch.kubernetes.io/job-tracking"
#define INDEX          "batch.kubernetes.io/job-completion-index"
#define BACKOFF_CAP_MS (6 * 60 * 1000) /* as the real controller */

/* What became of the pods of a NonIndexed Job, or of one index of an Indexed one. */
struct tally {
    unsigned failures;       /* since the last success */
    int64_t last_failure_ms; /* monotonic */
    bool live;               /* an index has a pod */
    bool succeeded, failed;  /* an index is done */
};

struct job_state {
    struct jobs *jobs;
    char *uid, *key;
    struct timer timer;
    struct tally *tallies;
    int64_t tally_count; /* one for each index; 1 when NonIndexed */
    bool indexed;
};

/* One look at a Job: `job` is edited and committed at the end. */
struct sync {
    struct cluster *cluster;
    struct job_state *state;
    json_t *job; /* the edited copy */
    json_t *spec, *status;
    int64_t active, ready, terminating;
    int64_t next_ms; /* when to look again; -1: never */
};

static int64_t now_ms(const struct cluster *cluster)
{
    return clock_monotonic_ms(cluster->timers->clock);
}

static void look_again(struct sync *sync, int64_t delay_ms)
{
    if (sync->next_ms < 0 || delay_ms < sync->next_ms)
        sync->next_ms = delay_ms;
}

static void add(json_t *object, const char *name, int64_t count)
{
    json_object_set_new(object, name, json_integer(jx_int(object, name, 0) + count));
}

static int64_t since_ms(const struct cluster *cluster, const char *time)
{
    int64_t then;
    struct err ignored;
    if (!time || num_time_ms(span_of(time), &then, &ignored) != 0)
        return 0;
    return cluster_now_ms(cluster) - then;
}

static bool is_finished(const json_t *job)
{
    return object_condition_is(job, "Complete", "True") ||
           object_condition_is(job, "Failed", "True");
}

/* How it ends is known, but not all pods may have ended. */
static bool is_decided(const json_t *job)
{
    return object_condition(job, "SuccessCriteriaMet") || object_condition(job, "FailureTarget");
}

/* --- counting pods ------------------------------------------------------------------ */

static void release_pod(struct cluster *cluster, struct object *pod)
{
    json_t *edited = json_deep_copy(pod->snapshot->json);
    object_set_finalizer(edited, TRACKING, false);
    api_commit(cluster, pod, edited);
}

static void set_target(struct sync *sync, const char *type, const char *reason, const char *message)
{
    if (!object_condition(sync->job, type))
        object_set_condition(sync->cluster, sync->job, type, "True", reason, message);
}

static void count_failure(struct sync *sync, const json_t *pod, struct tally *tally)
{
    auto_free char *why = NULL;
    enum failure_action action = failure_policy_judge(sync->job, pod, &why);
    if (action == FAILURE_IGNORE)
        return;
    add(sync->status, "failed", 1);
    tally->failures++;
    tally->last_failure_ms = now_ms(sync->cluster);
    tally->failed =
        sync->state->indexed && (action == FAILURE_FAIL_INDEX ||
                                 tally->failures > jx_int(sync->spec, "backoffLimitPerIndex", 0));
    if (action == FAILURE_FAIL_JOB)
        set_target(sync, "FailureTarget", "PodFailurePolicy", why);
}

static void count_success(struct sync *sync, struct tally *tally)
{
    if (!tally->succeeded) /* an index is done once */
        add(sync->status, "succeeded", 1);
    tally->succeeded = sync->state->indexed;
    tally->failures = 0;
}

static struct tally *tally_of(const struct sync *sync, const json_t *pod)
{
    const char *text = jx_string(pod, "metadata", "annotations", INDEX, NULL);
    int64_t index = 0;
    if (text && num_int64(span_of(text), 0, sync->state->tally_count - 1, &index, NULL) != 0)
        index = 0; /* somebody edited it */
    return &sync->state->tallies[index];
}

static void count_ended(struct sync *sync, struct object *object)
{
    const json_t *pod = object->snapshot->json;
    bool succeeded = strcmp(jx_string(pod, "status", "phase", NULL), "Succeeded") == 0;
    if (!object_has_finalizer(pod, TRACKING))
        return;
    if (succeeded)
        count_success(sync, tally_of(sync, pod));
    else if (!jx_bool(sync->spec, "suspend", false))
        count_failure(sync, pod, tally_of(sync, pod));
    release_pod(sync->cluster, object);
}

static bool replaces_failed_only(const struct sync *sync)
{
    const char *policy = jx_string(sync->spec, "podReplacementPolicy", NULL);
    return policy && strcmp(policy, "Failed") == 0;
}

static void count_pods(struct sync *sync)
{
    auto_free struct object **pods = NULL;
    size_t count = store_owned(&sync->cluster->store, sync->state->uid, &pods);
    for (int64_t i = 0; i < sync->state->tally_count; i++)
        sync->state->tallies[i].live = false;
    for (size_t i = 0; i < count; i++) {
        const json_t *pod = pods[i]->snapshot->json;
        const char *phase = jx_string(pod, "status", "phase", NULL);
        if (pods[i]->resource->role != ROLE_POD || !phase)
            continue;
        if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0) {
            count_ended(sync, pods[i]);
        } else if (object_is_deleting(pod)) {
            sync->terminating++;
            tally_of(sync, pod)->live |= replaces_failed_only(sync);
        } else {
            sync->active++;
            sync->ready += object_condition_is(pod, "Ready", "True");
            tally_of(sync, pod)->live = true;
        }
    }
}

static void delete_active(struct sync *sync)
{
    auto_free struct object **pods = NULL;
    size_t count = store_owned(&sync->cluster->store, sync->state->uid, &pods);
    for (size_t i = 0; i < count; i++) {
        const char *phase = jx_string(pods[i]->snapshot->json, "status", "phase", NULL);
        bool live = phase && (strcmp(phase, "Pending") == 0 || strcmp(phase, "Running") == 0);
        if (live && !object_is_deleting(pods[i]->snapshot->json))
            api_discard(sync->cluster, pods[i], -1);
    }
    sync->terminating += sync->active;
    sync->active = sync->ready = 0;
}

static void release_all(struct cluster *cluster, const char *uid)
{
    auto_free struct object **pods = NULL;
    size_t count = store_owned(&cluster->store, uid, &pods);
    for (size_t i = 0; i < count; i++)
        if (object_has_finalizer(pods[i]->snapshot->json, TRACKING))
            release_pod(cluster, pods[i]);
}

/* --- making pods --------------------------------------------------------------------- */

static json_t *pod_of(const struct sync *sync)
{
    const json_t *template = jx_get(sync->spec, "template", NULL);
    const char *name = jx_string(sync->job, "metadata", "name", NULL);
    json_t *pod = json_deep_copy(template), *metadata = json_object_get(pod, "metadata");
    json_object_set_new(pod, "apiVersion", json_string("v1"));
    json_object_set_new(pod, "kind", json_string("Pod"));
    json_object_set_new(metadata, "generateName", json_sprintf("%s-", name));
    json_object_set_new(metadata, "finalizers", json_pack("[s]", TRACKING));
    json_object_set_new(metadata, "ownerReferences",
                        json_pack("[{ss ss ss ss sb sb}]", "apiVersion", "batch/v1", "kind", "Job",
                                  "name", name, "uid", sync->state->uid, "controller", 1,
                                  "blockOwnerDeletion", 1));
    return pod;
}

static void set_index(const struct sync *sync, json_t *pod, int64_t index)
{
    static const char *const places[] = { "labels", "annotations" };
    const char *name = jx_string(sync->job, "metadata", "name", NULL);
    json_t *metadata = json_object_get(pod, "metadata"), *container;
    size_t i;
    for (i = 0; i < ARRAY_SIZE(places); i++) {
        if (!json_object_get(metadata, places[i]))
            json_object_set_new(metadata, places[i], json_object());
        json_object_set_new(json_object_get(metadata, places[i]), INDEX,
                            json_sprintf("%" PRId64, index));
    }
    json_object_set_new(metadata, "generateName", json_sprintf("%s-%" PRId64 "-", name, index));
    json_object_set_new(json_object_get(pod, "spec"), "hostname",
                        json_sprintf("%s-%" PRId64, name, index));
    json_array_foreach(jx_get(pod, "spec", "containers", NULL), i, container)
    {
        if (!json_object_get(container, "env"))
            json_object_set_new(container, "env", json_array());
        json_array_append_new(json_object_get(container, "env"),
                              json_pack("{ss s{s{ss}}}", "name", "JOB_COMPLETION_INDEX",
                                        "valueFrom", "fieldRef", "fieldPath",
                                        "metadata.labels['" INDEX "']"));
    }
}

static void create_pod(struct sync *sync, int64_t index)
{
    struct cluster *cluster = sync->cluster;
    struct api_call call = { .cluster = cluster,
                             .resource = resource_find(&cluster->resources, "", "v1", "pods"),
                             .namespace = jx_string(sync->job, "metadata", "namespace", NULL) };
    auto_json json_t *body = pod_of(sync);
    if (sync->state->indexed)
        set_index(sync, body, index);
    auto_snapshot struct snapshot *pod = NULL;
    struct err err;
    if (api_create(&call, body, &pod, &err) == 0)
        sync->active++;
    else
        look_again(sync, sync->state->jobs->backoff_ms);
    api_call_release(&call);
}

static int64_t backoff_left_ms(const struct sync *sync, const struct tally *tally)
{
    if (tally->failures == 0)
        return 0;
    int64_t delay = sync->state->jobs->backoff_ms;
    for (unsigned i = 1; i < tally->failures && delay < BACKOFF_CAP_MS; i++)
        delay *= 2;
    delay = delay < BACKOFF_CAP_MS ? delay : BACKOFF_CAP_MS;
    return tally->last_failure_ms + delay - now_ms(sync->cluster);
}

/* True when a pod may take the place of the last one that failed; else looks again then. */
static bool is_due(struct sync *sync, const struct tally *tally)
{
    int64_t wait_ms = backoff_left_ms(sync, tally);
    if (wait_ms > 0)
        look_again(sync, wait_ms);
    return wait_ms <= 0;
}

static void create_pods(struct sync *sync)
{
    const struct job_state *state = sync->state;
    int64_t wanted = jx_int(sync->spec, "completions", 1) - jx_int(sync->status, "succeeded", 0);
    int64_t parallelism = jx_int(sync->spec, "parallelism", 1);
    int64_t held = replaces_failed_only(sync) ? sync->terminating : 0;
    int64_t missing = (wanted < parallelism ? wanted : parallelism) - sync->active - held;
    if (!state->indexed && missing > 0 && is_due(sync, &state->tallies[0]))
        for (; missing > 0; missing--)
            create_pod(sync, 0);
    for (int64_t i = 0; state->indexed && i < state->tally_count && missing > 0; i++) {
        const struct tally *tally = &state->tallies[i];
        if (tally->live || tally->succeeded || tally->failed || !is_due(sync, tally))
            continue;
        create_pod(sync, i);
        missing--;
    }
}

/* --- the outcome ----------------------------------------------------------------------- */

static int64_t count_failed(const struct job_state *state)
{
    int64_t count = 0;
    for (int64_t i = 0; i < state->tally_count; i++)
        count += state->tallies[i].failed;
    return count;
}

/* True when the indexes that failed decide. */
static bool check_indexes(struct sync *sync)
{
    const json_t *maximum = jx_get(sync->spec, "maxFailedIndexes", NULL);
    int64_t failed = count_failed(sync->state), done = jx_int(sync->status, "succeeded", 0);
    if (maximum && failed > json_integer_value(maximum))
        set_target(sync, "FailureTarget", "MaxFailedIndexesExceeded",
                   "Job has exceeded the specified maximal number of failed indexes");
    else if (failed > 0 && failed + done >= sync->state->tally_count)
        set_target(sync, "FailureTarget", "FailedIndexes", "Job has failed indexes");
    else
        return false;
    return true;
}

static void check_limits(struct sync *sync)
{
    const json_t *deadline = jx_get(sync->spec, "activeDeadlineSeconds", NULL);
    int64_t left_ms = 1000 * json_integer_value(deadline) -
                      since_ms(sync->cluster, jx_string(sync->status, "startTime", NULL));
    if (check_indexes(sync))
        return;
    if (jx_int(sync->status, "succeeded", 0) >= jx_int(sync->spec, "completions", 1))
        set_target(sync, "SuccessCriteriaMet", "CompletionsReached",
                   "Reached expected number of succeeded pods");
    else if (jx_int(sync->status, "failed", 0) > jx_int(sync->spec, "backoffLimit", 6))
        set_target(sync, "FailureTarget", "BackoffLimitExceeded",
                   "Job has reached the specified backoff limit");
    else if (deadline && left_ms <= 0)
        set_target(sync, "FailureTarget", "DeadlineExceeded",
                   "Job was active longer than specified deadline");
    else if (deadline)
        look_again(sync, left_ms);
}

/* Once no pod is left, the interim condition becomes the final one. */
static void conclude(struct sync *sync, const json_t *target, const char *final_type)
{
    const char *reason = jx_string(target, "reason", NULL);
    const char *message = jx_string(target, "message", NULL);
    delete_active(sync);
    if (sync->terminating > 0)
        return;
    object_set_condition(sync->cluster, sync->job, final_type, "True", reason, message);
    if (strcmp(final_type, "Complete") == 0)
        json_object_set_new(sync->status, "completionTime", cluster_time(sync->cluster));
}

static void suspend(struct sync *sync)
{
    delete_active(sync);
    json_object_del(sync->status, "startTime");
    object_set_condition(sync->cluster, sync->job, "Suspended", "True", "JobSuspended",
                         "Job suspended");
}

static void proceed(struct sync *sync, bool decided)
{
    if (object_condition_is(sync->job, "Suspended", "True"))
        object_set_condition(sync->cluster, sync->job, "Suspended", "False", "JobResumed",
                             "Job resumed");
    if (!jx_string(sync->status, "startTime", NULL))
        json_object_set_new(sync->status, "startTime", cluster_time(sync->cluster));
    check_limits(sync);
    const json_t *success = object_condition(sync->job, "SuccessCriteriaMet");
    const json_t *failure = object_condition(sync->job, "FailureTarget");
    if (!success && !failure)
        create_pods(sync);
    else if (decided)
        conclude(sync, success ? success : failure, success ? "Complete" : "Failed");
    else
        delete_active(sync); /* the final condition is a write of its own, as in a real cluster */
}

/* True when the Job was deleted. */
static bool expire(struct sync *sync, struct object *object)
{
    const json_t *ttl = jx_get(sync->spec, "ttlSecondsAfterFinished", NULL);
    const json_t *final = object_condition(sync->job, "Complete");
    final = final ? final : object_condition(sync->job, "Failed");
    if (!ttl)
        return false;
    int64_t left_ms = 1000 * json_integer_value(ttl) -
                      since_ms(sync->cluster, jx_string(final, "lastTransitionTime", NULL));
    if (left_ms <= 0)
        api_discard(sync->cluster, object, -1);
    else
        look_again(sync, left_ms);
    return left_ms <= 0;
}

static void set_counts(struct sync *sync)
{
    const struct {
        const char *name;
        int64_t count;
        bool always;
    } counts[] = { { "active", sync->active, false },
                   { "terminating", sync->terminating, true },
                   { "ready", sync->ready, true } };
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        if (counts[i].count || counts[i].always)
            json_object_set_new(sync->status, counts[i].name, json_integer(counts[i].count));
        else
            json_object_del(sync->status, counts[i].name);
    }
}

/* "0-2,5": the indexes that succeeded, or those that failed. */
static json_t *index_list(const struct job_state *state, bool failed)
{
    auto_buf struct buf text;
    buf_init(&text, LIMIT_KUBE_OBJECT);
    for (int64_t i = 0; i < state->tally_count; i++) {
        const struct tally *tally = &state->tallies[i];
        int64_t last = i;
        if (!(failed ? tally->failed : tally->succeeded))
            continue;
        while (last + 1 < state->tally_count &&
               (failed ? tally[last + 1 - i].failed : tally[last + 1 - i].succeeded))
            last++;
        buf_format(&text, "%s%" PRId64, text.length ? "," : "", i);
        if (last > i)
            buf_format(&text, "%c%" PRId64, last > i + 1 ? '-' : ',', last);
        i = last;
    }
    return json_string(buf_text(&text));
}

static void set_indexes(struct sync *sync)
{
    json_t *completed = index_list(sync->state, false);
    json_object_set_new(sync->status, "failedIndexes", index_list(sync->state, true));
    if (json_string_length(completed) > 0)
        json_object_set(sync->status, "completedIndexes", completed);
    json_decref(completed);
}

static void sync_job(struct sync *sync, struct object *object)
{
    sync->job = json_deep_copy(object->snapshot->json);
    sync->spec = json_object_get(sync->job, "spec");
    if (!json_object_get(sync->job, "status"))
        json_object_set_new(sync->job, "status", json_object());
    sync->status = json_object_get(sync->job, "status");
    bool finished = is_finished(sync->job), decided = is_decided(sync->job);
    count_pods(sync);
    if (finished && expire(sync, object)) {
        json_decref(sync->job);
        return;
    }
    if (!finished && jx_bool(sync->spec, "suspend", false))
        suspend(sync);
    else if (!finished)
        proceed(sync, decided);
    set_counts(sync);
    if (sync->state->indexed)
        set_indexes(sync);
    /* The commit's own change brings the next look; nothing changed: no look but the timer's. */
    api_commit(sync->cluster, object, sync->job);
}

static void state_free(struct job_state *state)
{
    timer_stop(state->jobs->cluster->timers, &state->timer);
    free(state->tallies);
    free(state->uid);
    free(state->key);
    free(state);
}

static void run(void *context)
{
    struct job_state *state = context;
    struct jobs *jobs = state->jobs;
    struct sync sync = { .cluster = jobs->cluster, .state = state, .next_ms = -1 };
    struct resource *resource = resource_find(&jobs->cluster->resources, "batch", "v1", "jobs");
    struct object *object = index_get(&resource->objects, state->key);
    bool gone = !object ||
                strcmp(jx_string(object->snapshot->json, "metadata", "uid", NULL), state->uid) != 0;
    if (gone || object_is_deleting(object->snapshot->json)) {
        release_all(jobs->cluster, state->uid);
        if (gone) {
            index_remove(&jobs->states, state->uid);
            state_free(state);
        }
        return;
    }
    sync_job(&sync, object);
    if (sync.next_ms >= 0 && !state->timer.position)
        timer_set(jobs->cluster->timers, &state->timer, sync.next_ms);
}

static struct job_state *state_of(struct jobs *jobs, const json_t *job)
{
    const char *uid = jx_string(job, "metadata", "uid", NULL);
    struct job_state *state = index_get(&jobs->states, uid);
    if (state)
        return state;
    state = mem_zero(1, sizeof(*state));
    state->jobs = jobs;
    state->uid = mem_strdup(uid);
    state->key = store_key(jx_string(job, "metadata", "namespace", NULL),
                           jx_string(job, "metadata", "name", NULL));
    state->timer = (struct timer){ .fire = run, .context = state };
    state->indexed = strcmp(jx_string(job, "spec", "completionMode", NULL), "Indexed") == 0;
    state->tally_count =
        state->indexed ? jx_int(json_object_get(job, "spec"), "completions", 1) : 1;
    state->tallies = mem_zero((size_t)state->tally_count, sizeof(*state->tallies));
    index_put(&jobs->states, uid, state);
    return state;
}

static void on_change(void *context, const struct change *change)
{
    struct jobs *jobs = context;
    const json_t *json = change->after->json, *owner;
    struct job_state *state = NULL;
    size_t i;
    if (change->resource->role == ROLE_JOB)
        state = state_of(jobs, json);
    if (change->resource->role == ROLE_POD)
        json_array_foreach(jx_get(json, "metadata", "ownerReferences", NULL), i, owner) state =
            index_get(&jobs->states, jx_string(owner, "uid", NULL));
    if (state)
        timer_set(jobs->cluster->timers, &state->timer, 0);
}

void jobs_init(struct jobs *jobs, struct cluster *cluster, int64_t backoff_ms)
{
    *jobs = (struct jobs){ .cluster = cluster, .backoff_ms = backoff_ms };
    jobs->watcher = (struct watcher){ .on_change = on_change, .context = jobs };
    store_watch(&cluster->store, &jobs->watcher);
}

void jobs_release(struct jobs *jobs)
{
    store_unwatch(&jobs->cluster->store, &jobs->watcher);
    for (size_t i = 0; i < jobs->states.count; i++)
        state_free(jobs->states.entries[i].value);
    index_release(&jobs->states);
}
