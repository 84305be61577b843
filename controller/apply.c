#include "apply.h"

#include "base/log.h"

#include "job_builder.h"
#include "project.h"

struct round {
    const struct applier *applier;
    void *owner;
    enum object_kind kind;
    struct metadata metadata; /* texts live in the plan's arena */
    int64_t asked;
    struct plan plan;
    size_t next;
    struct kube_call *call; /* the request that is out; the round's next step is its callback */
    bool again;             /* an answer is there already: another round at once */
    bool owner_is_known; /* to be there, as the plan saw it: the API server said so in this round */
};

void *round_owner(const struct round *round)
{
    return round->owner;
}

const struct plan *round_plan(const struct round *round)
{
    return &round->plan;
}

static bool step(struct round *round);

static void end(struct round *round, enum round_outcome outcome, const struct err *failure)
{
    round->applier->ended(round->applier->context, round, outcome, failure);
    plan_release(&round->plan);
    free(round);
}

static void next_action(struct round *round)
{
    round->next++;
    (void)step(round);
}

static const struct action *current(const struct round *round)
{
    return &round->plan.actions[round->next];
}

/* NULL when the object was deleted meanwhile. */
static struct memo *memo_of_round(const struct round *round)
{
    return memo_find(round->applier->memos, round->metadata.uid);
}

/* What was done, for people who read the log of the controller. */
static void log_done(const struct round *round, const char *what, const char *member,
                     const char *value)
{
    log_write(LOG_INFO, what, LOG_TEXT("kind", object_resources[round->kind].kind),
              LOG_TEXT("namespace", round->metadata.namespace_),
              LOG_TEXT("name", round->metadata.name), LOG_TEXT(member, value));
}

/* --- WRITE_STATUS ------------------------------------------------------------ */

static void remember_version(const struct round *round, const json_t *object)
{
    const char *version = jx_string(object, "metadata", "resourceVersion", NULL);
    struct memo *memo = memo_of_round(round);

    if (memo && version)
        memo_wrote_status(memo, version);
}

/* The object after a conflict: the cache has to show this one at least. */
static void object_read_again(void *context, json_t *object, const struct err *failure)
{
    struct round *round = context;

    if (failure && failure->kind != ERR_NOT_FOUND) {
        end(round, ROUND_FAILED, failure);
        return;
    }
    if (object)
        remember_version(round, object);
    end(round, ROUND_AGAIN, NULL);
}

static void count_decisions(const struct round *round)
{
    struct metrics *metrics = round->applier->metrics;
    struct memo *memo = memo_of_round(round);

    if (round->plan.decision)
        log_done(round, "decided", "decision", round->plan.decision);
    if (round->plan.promotion)
        log_done(round, "version judged", "outcome", round->plan.promotion);
    if (round->plan.outcome)
        log_done(round, "run ended", "outcome", round->plan.outcome);
    metrics_count_word(&metrics->decisions, round->plan.decision);
    metrics_count_word(&metrics->promotions, round->plan.promotion);
    metrics_count_word(&metrics->outcomes[round->kind], round->plan.outcome);
    if (memo && round->plan.skipped_counted)
        memo->asked -= round->asked; /* more may have asked meanwhile */
}

static void status_written(void *context, json_t *object, const struct err *failure)
{
    struct round *round = context;
    const struct metadata *metadata = &round->metadata;

    if (!failure) {
        round->owner_is_known = true;
        remember_version(round, object);
        count_decisions(round);
        next_action(round);
    } else if (failure->kind == ERR_CONFLICT) {
        round->call = kube_get(round->applier->client, &object_resources[round->kind],
                               metadata->namespace_, metadata->name, object_read_again, round);
    } else if (failure->kind == ERR_NOT_FOUND) {
        end(round, ROUND_WAITED,
            NULL); /* its deletion is seen soon; if not, it is there after all */
    } else {
        end(round, ROUND_FAILED, failure);
    }
}

static void write_status(struct round *round)
{
    const struct metadata *metadata = &round->metadata;
    json_t *patch auto_json = json_copy(current(round)->patch);

    json_object_set_new(patch, "metadata",
                        json_pack("{s:s, s:s}", "uid", metadata->uid, "resourceVersion",
                                  metadata->resource_version));
    round->call =
        kube_patch(round->applier->client, &object_resources[round->kind], metadata->namespace_,
                   metadata->name, "status", patch, status_written, round);
}

/* --- DELETE_JOB, DELETE_BATCH ------------------------------------------------ */

/* What kind of child the current action is about. */
static enum object_kind child_kind(const struct round *round)
{
    enum action_kind kind = current(round)->kind;

    return kind == ACTION_CREATE_BATCH || kind == ACTION_DELETE_BATCH ? OBJECT_BATCH : OBJECT_JOB;
}

static void expect_child(const struct round *round, const json_t *child)
{
    const char *uid = jx_string(child, "metadata", "uid", NULL);
    const char *name = jx_string(child, "metadata", "name", NULL);
    const char *version = jx_string(child, "metadata", "resourceVersion", NULL);
    struct memo *memo = memo_of_round(round);

    if (memo && uid && name && version)
        memo_wrote_child(memo, child_kind(round), name, uid, version);
}

static void child_deleted(void *context, json_t *object, const struct err *failure)
{
    struct round *round = context;
    const struct action *action = current(round);
    enum object_kind child = child_kind(round);
    struct memo *memo = memo_of_round(round);
    const char *kind = jx_string(object, "kind", NULL);

    if (failure && failure->kind == ERR_NOT_FOUND) {
        end(round, ROUND_WAITED, NULL); /* gone, which the cache will show; else again */
        return;
    }
    if (failure) {
        end(round, ROUND_FAILED, failure); /* a conflict: the name is another one's, or it passes */
        return;
    }
    if (kind && strcmp(kind, object_resources[child].kind) == 0)
        expect_child(round, object);
    else if (memo)
        memo_wrote_child(memo, child, action->delete_.name, action->delete_.uid, NULL);
    log_done(round, child == OBJECT_JOB ? "Job deleted" : "ChurnBatch deleted", "child",
             action->delete_.name);
    if (child == OBJECT_JOB)
        round->applier->metrics->jobs_deleted[round->kind]++;
    next_action(round);
}

static void delete_child(struct round *round)
{
    const struct action *action = current(round);
    enum object_kind child = child_kind(round);

    round->call =
        kube_delete(round->applier->client, &object_resources[child], round->metadata.namespace_,
                    action->delete_.name,
                    &(struct kube_delete_options){
                        .uid = action->delete_.uid,
                        .propagation = child == OBJECT_JOB ? "Foreground" : "Background" },
                    child_deleted, round);
}

/* --- EXPIRE_JOB -------------------------------------------------------------- */

static void job_expires(void *context, json_t *object, const struct err *failure)
{
    struct round *round = context;

    if (failure && failure->kind == ERR_CONFLICT) {
        end(round, ROUND_WAITED, NULL); /* the event of the newer Job wakes the key */
    } else if (failure && failure->kind != ERR_NOT_FOUND) {
        end(round, ROUND_FAILED, failure);
    } else {
        if (object)
            expect_child(round, object);
        next_action(round);
    }
}

static void expire_job(struct round *round)
{
    const struct action *action = current(round);
    const struct opt_int *ttl = &action->expire.ttl_seconds;
    json_t *patch auto_json =
        json_pack("{s:{s:s, s:s}, s:{s:o}}", "metadata", "uid", action->expire.uid,
                  "resourceVersion", action->expire.resource_version, "spec",
                  "ttlSecondsAfterFinished", ttl->set ? json_integer(ttl->value) : json_null());

    round->call = kube_patch(round->applier->client, &object_resources[OBJECT_JOB],
                             round->metadata.namespace_, action->expire.name, NULL, patch,
                             job_expires, round);
}

/* --- CREATE_JOB, CREATE_BATCH ------------------------------------------------ */

static void child_is_there(struct round *round, const json_t *child)
{
    struct memo *memo = memo_of_round(round);

    expect_child(round, child);
    if (memo)
        memo_clear_refusal(memo, jx_string(child, "metadata", "name", NULL));
    next_action(round);
}

static void refuse(struct round *round, const char *message)
{
    struct memo *memo = memo_of_round(round);

    if (memo)
        memo_set_refusal(memo, current(round)->create.name, message,
                         clock_monotonic_ms(round->applier->clock), round->metadata.generation);
    end(round, ROUND_AGAIN, NULL);
}

/* Another attempt of the same Job cannot succeed until something changes. */
static bool is_refusal(const struct err *failure)
{
    return failure->kind == ERR_INVALID || failure->kind == ERR_TOO_BIG ||
           failure->kind == ERR_UNSUPPORTED ||
           (failure->kind == ERR_DENIED && failure->http_status == 403);
}

/* Names of batches say what they score: whoever made one, its file is in good hands. */
static bool is_the_same(const struct round *round, const json_t *child)
{
    const char *owner = job_owner_uid(child);
    const char *run_key = jx_string(child, "metadata", "labels", LABEL_RUN, NULL);

    return child_kind(round) == OBJECT_BATCH ||
           (owner && run_key && strcmp(owner, round->metadata.uid) == 0 &&
            strcmp(run_key, current(round)->create.run_key) == 0);
}

/* The one that has the name already. */
static void existing_child_read(void *context, json_t *object, const struct err *failure)
{
    struct round *round = context;
    char *message auto_free = NULL;

    if (failure) { /* deleted since: the next round creates it */
        end(round, failure->kind == ERR_NOT_FOUND ? ROUND_AGAIN : ROUND_FAILED, failure);
        return;
    }
    if (!is_the_same(round, object)) {
        message = mem_format("a Job named %s exists and belongs to something else",
                             current(round)->create.name);
        refuse(round, message);
    } else if (jx_string(object, "metadata", "deletionTimestamp", NULL)) {
        end(round, ROUND_WAITED, NULL); /* the event of its end wakes the key, if we see it */
    } else {
        child_is_there(round, object);
    }
}

static void child_created(void *context, json_t *object, const struct err *failure)
{
    struct round *round = context;
    enum object_kind child = child_kind(round);

    if (!failure) {
        log_done(round, child == OBJECT_JOB ? "Job created" : "ChurnBatch created", "child",
                 current(round)->create.name);
        if (child == OBJECT_JOB)
            round->applier->metrics->jobs_created[round->kind]++;
        child_is_there(round, object);
    } else if (failure->kind == ERR_EXISTS) {
        round->call =
            kube_get(round->applier->client, &object_resources[child], round->metadata.namespace_,
                     current(round)->create.name, existing_child_read, round);
    } else if (is_refusal(failure)) {
        refuse(round, failure->message);
    } else {
        end(round, ROUND_FAILED, failure);
    }
}

static void owner_read(void *context, json_t *object, const struct err *failure)
{
    struct round *round = context;
    const json_t *metadata = json_object_get(object, "metadata");
    const char *uid = jx_string(metadata, "uid", NULL);
    const char *version = jx_string(metadata, "resourceVersion", NULL);

    if (failure && failure->kind != ERR_NOT_FOUND) {
        end(round, ROUND_FAILED, failure);
    } else if (!uid || strcmp(uid, round->metadata.uid) != 0 || !version ||
               strcmp(version, round->metadata.resource_version) != 0 ||
               json_object_get(metadata, "deletionTimestamp")) {
        end(round, ROUND_WAITED, NULL); /* as after a status write */
    } else {
        round->owner_is_known = true;
        (void)step(round);
    }
}

/* The cluster deletes what belongs to an owner that is gone: for as long as the watch holds the
 * owner's own deletion back, that would be made again, and deleted again. And what an old status
 * names may have ended long ago. Whoever wrote status in this round knows that the owner is there
 * and that its status was the newest; who makes again what is missing has to ask. */
static void create_child(struct round *round)
{
    const struct metadata *metadata = &round->metadata;

    if (!round->owner_is_known) {
        round->call = kube_get(round->applier->client, &object_resources[round->kind],
                               metadata->namespace_, metadata->name, owner_read, round);
        return;
    }
    round->call = kube_create(round->applier->client, &object_resources[child_kind(round)],
                              round->metadata.namespace_, current(round)->create.object,
                              kube_identity, child_created, round);
}

/* --- actions without a request ------------------------------------------------ */

static void record_event(const struct round *round)
{
    const struct action *action = current(round);
    const struct metadata *metadata = &round->metadata;

    recorder_event(
        round->applier->recorder,
        &(struct event){ .subject = { API_VERSION, object_resources[round->kind].kind,
                                      metadata->namespace_, metadata->name, metadata->uid },
                         .warning = action->event.warning,
                         .reason = action->event.reason,
                         .action = action->event.action,
                         .note = action->event.note });
}

/* The uid of a Job in the cache, NULL when it is not there. */
static const char *job_uid(const struct round *round, const char *name)
{
    const struct cache_entry *job = cache_get(objects_cache(round->applier->objects, OBJECT_JOB),
                                              round->metadata.namespace_, name);

    return job ? cache_entry_uid(job) : NULL;
}

static void need_fact(struct round *round)
{
    const struct applier *applier = round->applier;
    const struct fact_request *request = &current(round)->need;
    struct memo *memo = memo_of_round(round);

    if (!memo)
        return;
    if (request->kind != FACT_JOB && request->kind != FACT_PODS)
        round->again |= fact_need(applier->facts, &memo->facts, memo->kind, memo->key, request);
    else
        answers_ask(&memo->answers, applier->asker, memo->kind, memo->key, request,
                    job_uid(round, request->argument));
}

static void wake_model(const struct round *round)
{
    const struct action *action = current(round);
    char key[OBJECT_KEY];

    (void)snprintf(key, sizeof(key), "%s/%s", round->metadata.namespace_, action->wake.model);
    round->applier->wake_model(round->applier->context, key, action->wake.asked);
}

/* --- order ---------------------------------------------------------------------- */

static bool send_write(struct round *round)
{
    switch (current(round)->kind) {
    case ACTION_WRITE_STATUS:
        write_status(round);
        return true;
    case ACTION_DELETE_BATCH:
    case ACTION_DELETE_JOB:
        delete_child(round);
        return true;
    case ACTION_EXPIRE_JOB:
        expire_job(round);
        return true;
    case ACTION_CREATE_JOB:
    case ACTION_CREATE_BATCH:
        create_child(round);
        return true;
    case ACTION_EVENT:
    case ACTION_WAKE:
    case ACTION_NEED_FACT:
        break;
    }
    return false;
}

static bool is_write(const struct action *action)
{
    return action->kind != ACTION_EVENT && action->kind != ACTION_WAKE &&
           action->kind != ACTION_NEED_FACT;
}

/* Runs actions up to the next request, or to the end; false: the round is over. */
static bool step(struct round *round)
{
    for (; round->next < round->plan.count; round->next++) {
        const struct action *action = current(round);

        if (is_write(action) && !round->applier->may_write(round->applier->context)) {
            end(round, ROUND_STOPPED, NULL);
            return false;
        }
        if (send_write(round))
            return true; /* its callback goes on */
        if (action->kind == ACTION_EVENT)
            record_event(round);
        else if (action->kind == ACTION_NEED_FACT)
            need_fact(round);
        else if (action->kind == ACTION_WAKE)
            wake_model(round);
    }
    end(round, round->again ? ROUND_AGAIN : ROUND_DONE, NULL);
    return false;
}

void apply_cancel(struct round *round)
{
    kube_cancel(round->call);
    plan_release(&round->plan);
    free(round);
}

struct round *apply_start(const struct applier *applier, const struct round_subject *subject,
                          struct plan *take_plan, void *owner)
{
    struct round *round = mem_zero(1, sizeof(*round));
    struct arena *arena = &take_plan->arena;

    round->applier = applier;
    round->owner = owner;
    round->kind = subject->kind;
    round->asked = subject->asked;
    round->metadata = *subject->metadata;
    round->metadata.namespace_ = arena_strdup(arena, subject->metadata->namespace_);
    round->metadata.name = arena_strdup(arena, subject->metadata->name);
    round->metadata.uid = arena_strdup(arena, subject->metadata->uid);
    round->metadata.resource_version = arena_strdup(arena, subject->metadata->resource_version);
    round->plan = *take_plan;
    plan_init(take_plan);
    return step(round) ? round : NULL;
}
