#include "base/limits.h"
#include "base/utf8.h"
#include "contract/exit_code.h"
#include "contract/reasons.h"
#include "run.h"

/* A pod that is not ready after this long is looked at, and then this often. */
#define POD_PATIENCE_MS 10000
#define POD_INTERVAL_MS 30000
/* A refused Job is posted again after this long: a quota may have grown. */
#define REFUSAL_RETRY_MS 60000
/* Between two looks for a Job that is stopped and that no watch shows. */
#define UNSEEN_LOOK_MS 5000

const struct job_view *run_find_job(const struct object_view *view, const char *name)
{
    for (size_t i = 0; i < view->job_count; i++)
        if (strcmp(view->jobs[i].name, name) == 0)
            return &view->jobs[i];
    return NULL;
}

int64_t run_next_attempt(const struct object_view *view, const char *run_key)
{
    int64_t attempt = 0;
    for (size_t i = 0; i < view->job_count; i++) {
        const struct job_view *job = &view->jobs[i];
        if (job->run_key && strcmp(job->run_key, run_key) == 0 && job->attempt > attempt)
            attempt = job->attempt;
    }
    return attempt + 1;
}

const struct job_view *run_find_danger(const struct job_view *jobs, size_t count,
                                       const char *version)
{
    for (size_t i = 0; i < count; i++)
        if (jobs[i].state == JOB_UNFINISHED &&
            (!jobs[i].keep_versions || !strstr(jobs[i].keep_versions, version)))
            return &jobs[i];
    return NULL;
}

bool run_clear_others(const struct object_view *view, struct plan *plan, const char *name)
{
    bool found = false;
    for (size_t i = 0; i < view->job_count; i++) {
        const struct job_view *job = &view->jobs[i];
        if (job->state != JOB_UNFINISHED || (name && strcmp(job->name, name) == 0))
            continue;
        found = true;
        if (!job->deleting)
            plan_delete_job(plan, job->name, job->uid);
    }
    return found;
}

static int compare_starts(const void *left, const void *right)
{
    const struct job_view *const *a = left, *const *b = right;
    if ((*a)->started_ms != (*b)->started_ms)
        return (*a)->started_ms < (*b)->started_ms ? 1 : -1;
    return strcmp((*b)->name, (*a)->name);
}

void run_keep_newest(const struct object_view *view, struct plan *plan, size_t keep,
                     const char *name)
{
    const struct job_view **finished = arena_zero(&plan->arena, view->job_count, sizeof(*finished));
    size_t count = 0;
    for (size_t i = 0; i < view->job_count; i++) {
        const struct job_view *job = &view->jobs[i];
        bool needed = job->state == JOB_UNFINISHED || (name && strcmp(job->name, name) == 0);
        if (!needed && !job->deleting)
            finished[count++] = job;
    }
    if (count <= keep)
        return;
    qsort(finished, count, sizeof(struct job_view *), compare_starts);
    for (size_t i = keep; i < count; i++)
        plan_delete_job(plan, finished[i]->name, finished[i]->uid);
}

void run_expire_jobs(const struct object_view *view, struct plan *plan,
                     const struct opt_int *ttl_seconds)
{
    for (size_t i = 0; i < view->job_count; i++) {
        const struct job_view *job = &view->jobs[i];
        bool same = job->ttl_seconds.set == ttl_seconds->set &&
                    (!ttl_seconds->set || job->ttl_seconds.value == ttl_seconds->value);
        if (job->state != JOB_UNFINISHED && !job->deleting && !same)
            plan_expire_job(plan, job->name, job->uid, job->resource_version, ttl_seconds);
    }
}

/* The refusal of this Job since the spec was last changed, or NULL. */
static const struct job_refusal *find_refusal(const struct object_view *view, const char *name)
{
    for (size_t i = 0; i < view->refusal_count; i++)
        if (strcmp(view->refusals[i].job, name) == 0 &&
            view->refusals[i].generation == view->metadata.generation)
            return &view->refusals[i];
    return NULL;
}

bool run_may_create(const struct object_view *view, struct plan *plan, const char *name,
                    const char **ret_refusal)
{
    const struct job_refusal *refusal = find_refusal(view, name);
    *ret_refusal = refusal ? refusal->message : NULL;
    for (size_t i = 0; i < view->job_count; i++)
        if (view->jobs[i].state == JOB_UNFINISHED && strcmp(view->jobs[i].name, name) != 0)
            return false;
    return run_is_allowed(view, plan, name, ret_refusal);
}

bool run_is_allowed(const struct object_view *view, struct plan *plan, const char *name,
                    const char **ret_refusal)
{
    const struct job_refusal *refusal = find_refusal(view, name);
    *ret_refusal = refusal ? refusal->message : NULL;
    int64_t wait_ms = refusal ? refusal->refused_ms + REFUSAL_RETRY_MS - view->steady_ms : 0;
    if (wait_ms > 0)
        plan_requeue(plan, wait_ms);
    return wait_ms <= 0;
}

/* --- ended Jobs ---------------------------------------------------------- */

/* The last line of a log tail, which is where a program says why it ends. */
static const char *last_line(const char *text, struct arena *arena)
{
    size_t end = strlen(text);
    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r' || text[end - 1] == ' '))
        end--;
    size_t begin = end;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    return arena_strndup(arena, text + begin, end - begin);
}

/* What a program or a pod says goes into a status with bounds, and onto terminals: one
 * line, cut at a UTF-8 boundary. */
static const char *one_line(const char *text, struct arena *arena)
{
    char *line = arena_strdup(arena, text);
    if (strlen(line) > LIMIT_CONDITION_MESSAGE)
        line[utf8_valid_prefix(line, LIMIT_CONDITION_MESSAGE)] = '\0';
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    return line;
}

static void run_failed(struct run *run, struct arena *arena, const char *reason,
                       const char *message)
{
    run->state = RUN_FAILED;
    run->reason = reason;
    run->message = one_line(message, arena);
}

static const char *out_of_memory_advice(const struct pod_template *template, struct arena *arena)
{
    const struct pod_resources *resources = template ? template->resources : NULL;
    for (size_t i = 0; resources && i < resources->limits.count; i++)
        if (strcmp(resources->limits.items[i].name, "memory") == 0)
            return arena_format(arena,
                                "killed at its memory limit: raise "
                                "spec.podTemplate.resources.limits.memory (%s)",
                                resources->limits.items[i].value);
    return "killed for lack of memory: raise spec.podTemplate.resources.requests.memory, or "
           "limits.memory where a namespace sets one";
}

/* A program that failed says why: in its result document, else in its log. */
static void judge_failed_pod(const struct pod_end *pod, enum job_kind kind,
                             const struct pod_template *template, struct arena *arena,
                             struct run *run)
{
    int code = (int)pod->exit_code;
    struct result result;
    if (pod->out_of_memory || code == EXIT_CODE_KILLED) {
        run_failed(run, arena, REASON_OutOfMemory, out_of_memory_advice(template, arena));
        return;
    }
    if (pod->result && result_decode(span_of(pod->result), kind, arena, &result, NULL) == 0 &&
        result.outcome == OUTCOME_FAILED) {
        run_failed(run, arena, result.reason, result.message);
        return;
    }
    const char *line = pod->result ? last_line(pod->result, arena) : "";
    run_failed(
        run, arena, exit_code_reason(code),
        arena_format(arena, "exit code %d: %s", code, line[0] ? line : exit_code_meaning(code)));
}

/* What the Job itself says, where no pod tells more. */
static void judge_failed_job(const struct job_view *job, struct arena *arena, struct run *run)
{
    const char *reason = job->reason ? job->reason : REASON_JobFailed;
    if (strcmp(reason, REASON_BackoffLimitExceeded) != 0)
        reason = REASON_JobFailed;
    run_failed(run, arena, reason,
               arena_format(arena, "Job %s failed: %s", job->name,
                            job->message ? job->message : "no message"));
}

static void judge_complete(const struct pod_end *pod, enum job_kind kind, struct arena *arena,
                           struct run *run)
{
    struct err why = { .message = "its pod is gone" };
    run->state = RUN_LOST;
    if (pod->ended) {
        const char *text = pod->result ? pod->result : "";
        if (result_decode(span_of(text), kind, arena, &run->result, &why) == 0 &&
            run->result.outcome != OUTCOME_FAILED) {
            run->state = RUN_SUCCEEDED;
            return;
        }
    }
    run->message = one_line(why.message, arena);
}

/* The answer about this Job's pods; NULL, with the question in the plan, before
 * there is one. */
static const struct pods_fact *pods_of(const struct object_view *view, struct plan *plan,
                                       const char *name)
{
    const struct pods_fact *pods = view->facts.pods;
    if (pods && strcmp(pods->job, name) == 0)
        return pods->pending ? NULL : pods;
    plan_need(plan, &(struct fact_request){ .kind = FACT_PODS, .argument = name });
    return NULL;
}

static void judge_ended(const struct object_view *view, struct plan *plan,
                        const struct job_view *job, enum job_kind kind,
                        const struct pod_template *template, struct run *run)
{
    struct arena *arena = &plan->arena;
    if (job->state == JOB_FAILED && job->reason &&
        strcmp(job->reason, REASON_DeadlineExceeded) == 0) {
        run_failed(
            run, arena, REASON_DeadlineExceeded,
            arena_format(arena, "Job %s ran longer than spec.activeDeadlineSeconds", job->name));
        return;
    }
    if (job->state == JOB_COMPLETE && (kind == JOB_SHARD || kind == JOB_DISCARD)) {
        run->state = RUN_SUCCEEDED; /* what its pods report is of no further use */
        return;
    }
    const struct pods_fact *pods = pods_of(view, plan, job->name);
    if (!pods)
        return;
    if (job->state == JOB_COMPLETE)
        judge_complete(&pods->succeeded, kind, arena, run);
    else if (pods->failed.ended)
        judge_failed_pod(&pods->failed, kind, template, arena, run);
    else
        judge_failed_job(job, arena, run);
}

/* --- unfinished Jobs ----------------------------------------------------- */

static void judge_unfinished(const struct object_view *view, struct plan *plan,
                             const struct job_view *job, struct run *run)
{
    run->state = RUN_WORKING;
    if (job->suspended && !job->deleting) {
        run->state = RUN_TROUBLED;
        run->reason = REASON_Pending;
        run->message = "its suspend field is set: it waits for a queue to admit it";
    }
    if (job->deleting || job->suspended || job->ready > 0 || job->started_ms == 0)
        return; /* an event will come */
    int64_t age_ms = view->now_ms - job->started_ms;
    if (age_ms < POD_PATIENCE_MS) {
        plan_requeue(plan, POD_PATIENCE_MS - age_ms);
        return;
    }
    const struct pods_fact *pods = pods_of(view, plan, job->name);
    if (!pods) {
        run->state = RUN_WAITING;
        return;
    }
    plan_requeue(plan, POD_INTERVAL_MS);
    if (pods->trouble) {
        run->state = RUN_TROUBLED;
        run->reason = REASON_PodNotReady;
        run->message = one_line(pods->trouble, &plan->arena);
    }
}

/* The API server's answer about a Job that the cache does not have; NULL, with the question in the
 * plan, before there is one. */
static const struct job_fact *job_fact_of(const struct object_view *view, struct plan *plan,
                                          const char *name)
{
    const struct job_fact *fact = view->facts.job;
    if (fact && strcmp(fact->name, name) == 0)
        return fact->pending ? NULL : fact;
    plan_need(plan, &(struct fact_request){ .kind = FACT_JOB, .argument = name });
    return NULL;
}

static bool is_own(const struct object_view *view, const struct job_fact *fact)
{
    return fact->exists && fact->job.owner_uid &&
           strcmp(fact->job.owner_uid, view->metadata.uid) == 0;
}

bool run_stop_unseen(const struct object_view *view, struct plan *plan, const char *name)
{
    const struct job_fact *fact = job_fact_of(view, plan, name);
    if (!fact || !is_own(view, fact))
        return fact != NULL;
    if (!fact->job.deleting)
        plan_delete_job(plan, fact->job.name, fact->job.uid);
    plan_requeue(plan, UNSEEN_LOOK_MS);
    return false;
}

/* The cache does not have the Job: only the API server can say that it is gone. */
static const struct job_view *ask_for_job(const struct object_view *view, struct plan *plan,
                                          const char *name, struct run *run)
{
    const struct job_fact *fact;
    const char *refusal;
    if (!run_may_create(view, plan, name, &refusal)) {
        run->state = RUN_MISSING; /* nothing depends on the answer yet */
        return NULL;
    }
    fact = job_fact_of(view, plan, name);
    if (!fact)
        return NULL;
    if (is_own(view, fact))
        return &fact->job;
    run->state = RUN_MISSING; /* a stranger of that name is found, and told, by the POST */
    return NULL;
}

void run_observe(const struct object_view *view, struct plan *plan, const char *name,
                 enum job_kind kind, const struct pod_template *pod_template, struct run *ret_run)
{
    *ret_run = (struct run){ .state = RUN_WAITING };
    const struct job_view *job = run_find_job(view, name);
    if (!job)
        job = ask_for_job(view, plan, name, ret_run);
    if (!job)
        return;
    if (job->state == JOB_UNFINISHED)
        judge_unfinished(view, plan, job, ret_run);
    else
        judge_ended(view, plan, job, kind, pod_template, ret_run);
}

/* --- status -------------------------------------------------------------- */

static bool only_conditions(const json_t *difference)
{
    static const char *const names[] = { "conditions", "observedGeneration", "trainingsRun",
                                         "trainingsSkipped" };
    size_t known = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        known += json_object_get(difference, names[i]) != NULL;
    return known == json_object_size(difference);
}

void run_write_status(struct plan *plan, const struct fields *table, const json_t *raw_status,
                      const void *before, const void *after, bool hold)
{
    if (raw_status && fields_equal(table, before, after))
        return; /* most passes change nothing, and trees are what a pass costs */
    auto_json json_t *from = raw_status ? fields_encode(table, before) : json_object();
    auto_json json_t *to = fields_encode(table, after);
    auto_json json_t *difference = jx_merge_diff(from, to);
    if (hold && only_conditions(difference))
        return;
    plan_write_status(plan, json_pack("{sO}", "status", difference));
}
