#include "manager.h"

#include "kube/workqueue.h"
#include "base/log.h"

#include "apply.h"
#include "denials.h"
#include "gather.h"
#include "reconcile.h"

#define STOP_MS         5000  /* of a graceful stop, before the lease is given back */
#define CATCH_UP_MS     5000  /* look again when no event says that a write was seen */
#define ANSWER_RETRY_MS 5000  /* after a question that could not be asked */
#define DENIED_RETRY_MS 60000 /* a right is missing: somebody has to grant it */

static const struct backoff ROUND_BACKOFF = { .base_ms = 50, .cap_ms = 5 * 60 * 1000 };

/* A round under way; free when work is NULL. */
struct ticket {
    struct work *work;
    struct round *round;
    int64_t started_ms;
};

struct manager {
    struct manager_options options;
    struct objects *objects;
    struct memos memos;
    struct zones zones;
    struct fact_store *facts;
    struct recorder *recorder;
    struct workqueue *queue;
    struct lease *lease;
    struct metrics metrics;
    struct asker asker;
    struct applier applier;
    struct gatherer gatherer;

    bool leading, started, stopping, stopped, lost; /* started: decisions are taken */
    struct ticket tickets[MANAGER_ROUNDS_MAXIMUM];
    size_t rounds;
    struct timer stop_deadline;
    struct err loss;
};

static int64_t now_ms(const struct manager *manager)
{
    return clock_monotonic_ms(manager->options.timers->clock);
}

/* --- keys are woken ------------------------------------------------------------- */

/* A standby forgets: it looks at everything when it becomes the leader. */
static void wake(void *context, unsigned kind, const char *key)
{
    struct manager *manager = context;

    if (manager->started)
        workqueue_add(manager->queue, kind, key);
}

static void object_changed(void *context, enum object_kind kind, const char *key)
{
    wake(context, kind, key);
}

static void object_is_gone(void *context, enum object_kind kind, const char *key, const char *uid)
{
    struct manager *manager = context;

    memo_forget(&manager->memos, uid);
    workqueue_forget(manager->queue, kind, key);
}

/* --- rights that are missing ---------------------------------------------------------- */

/* About a model or a batch. */
static void tell_denial(struct manager *manager, unsigned kind, const char *key,
                        const struct err *failure)
{
    const struct cache_entry *entry = objects_find(manager->objects, kind, key);

    if (entry)
        denial_tell(manager->recorder,
                    &(struct event_subject){ API_VERSION, object_resources[kind].kind,
                                             cache_entry_namespace(entry), cache_entry_name(entry),
                                             cache_entry_uid(entry) },
                    failure);
}

/* About nothing in particular: where whoever runs the controller looks. */
static void tell_general_denial(struct manager *manager, const struct err *failure)
{
    const struct lease_options *lease = manager->options.lease;

    if (lease)
        denial_tell(manager->recorder,
                    &(struct event_subject){ "coordination.k8s.io/v1", "Lease", lease->namespace,
                                             lease->name, "" },
                    failure);
}

/* --- what failed ------------------------------------------------------------------------ */

static void watch_failed(void *context, enum object_kind kind, const struct err *failure)
{
    tell_general_denial(context, failure);
    log_write(LOG_WARNING,
              failure->kind == ERR_NOT_FOUND && kind != OBJECT_JOB
                  ? "the CRDs of churnops.io are not installed, will try again"
                  : "cannot follow changes, will try again",
              LOG_TEXT("resource", object_resources[kind].plural),
              LOG_TEXT("error", failure->message));
}

static unsigned retry_after_ms(const struct err *failure)
{
    if (failure->kind == ERR_DENIED && failure->http_status == 403)
        return DENIED_RETRY_MS;
    return failure->retry_after_ms;
}

static void question_failed(void *context, unsigned kind, const char *key,
                            const struct err *failure)
{
    struct manager *manager = context;

    log_write(LOG_WARNING, "a Job could not be looked up", LOG_TEXT("key", key),
              LOG_TEXT("error", failure->message));
    tell_denial(manager, kind, key, failure);
    workqueue_add_after(manager->queue, kind, key, retry_after_ms(failure) ?: ANSWER_RETRY_MS);
}

static void look_up_ended(void *context, enum fact_kind fact, const char *argument,
                          const struct err *failure)
{
    struct manager *manager = context;

    manager->metrics.lookups[fact]++;
    if (!failure)
        return;
    manager->metrics.lookup_failures[fact]++;
    log_write(LOG_WARNING, "look-up failed", LOG_TEXT("of", argument),
              LOG_TEXT("error", failure->message));
}

static void wake_model(void *context, const char *key, bool asked)
{
    struct manager *manager = context;
    const struct cache_entry *entry = objects_find(manager->objects, OBJECT_MODEL, key);

    if (!entry)
        return;
    if (asked)
        memo_of(&manager->memos, OBJECT_MODEL, entry)->asked++;
    wake(manager, OBJECT_MODEL, key);
}

/* --- rounds ----------------------------------------------------------------------- */

static bool may_write(void *context)
{
    const struct manager *manager = context;

    return !manager->stopping && !manager->lost &&
           (!manager->lease || lease_is_held(manager->lease));
}

static void log_round_failure(const struct work *work, const struct err *failure)
{
    log_write(work->failures > 0 || failure->kind != ERR_RETRY ? LOG_WARNING : LOG_INFO,
              "round failed", LOG_TEXT("kind", object_resources[work->kind].kind),
              LOG_TEXT("key", work->name), LOG_TEXT("error", failure->message),
              LOG_INT("failures", work->failures + 1));
}

static void finish_work(struct manager *manager, struct work *work, enum round_outcome outcome,
                        int64_t requeue_after_ms, const struct err *failure)
{
    manager->metrics.rounds[work->kind][outcome]++;
    switch (outcome) {
    case ROUND_FAILED:
        log_round_failure(work, failure);
        tell_denial(manager, work->kind, work->name, failure);
        workqueue_retry(manager->queue, work, retry_after_ms(failure));
        break;
    case ROUND_AGAIN:
        workqueue_done_until(manager->queue, work, 0);
        break;
    case ROUND_WAITED:
        workqueue_done_until(manager->queue, work, CATCH_UP_MS);
        break;
    default:
        if (requeue_after_ms >= 0)
            workqueue_done_until(manager->queue, work, requeue_after_ms);
        else
            workqueue_done(manager->queue, work);
    }
}

static void round_ended(void *context, struct round *round, enum round_outcome outcome,
                        const struct err *failure)
{
    struct manager *manager = context;
    struct ticket *ticket = round_owner(round);

    metrics_observe(&manager->metrics.round_time, now_ms(manager) - ticket->started_ms);
    finish_work(manager, ticket->work, outcome, round_plan(round)->requeue_after_ms, failure);
    *ticket = (struct ticket){ 0 };
    manager->rounds--;
}

/* begin_rounds() has made sure that there is a free one. */
static struct ticket *take_ticket(struct manager *manager, struct work *work)
{
    struct ticket *ticket = manager->tickets;

    while (ticket->work)
        ticket++;
    *ticket = (struct ticket){ .work = work, .started_ms = now_ms(manager) };
    manager->rounds++;
    return ticket;
}

static void reconcile_entry(struct manager *manager, struct work *work,
                            const struct cache_entry *entry, struct memo *memo)
{
    struct arena arena auto_arena = { 0 };
    struct plan plan auto_plan = { 0 };
    struct model_view model = { 0 };
    struct batch_view batch = { 0 };
    struct round_subject subject = { .kind = work->kind };
    struct ticket *ticket = take_ticket(manager, work);
    struct round *round;

    plan_init(&plan);
    if (work->kind == OBJECT_MODEL) {
        gather_model(&manager->gatherer, entry, memo, &arena, &model);
        reconcile_model(&model, &plan);
        subject.metadata = &model.object.metadata;
        subject.asked = model.asked;
    } else {
        gather_batch(&manager->gatherer, entry, memo, &arena, &batch);
        reconcile_batch(&batch, &plan);
        subject.metadata = &batch.object.metadata;
    }
    if (plan.problem)
        log_write(LOG_WARNING, "nothing can be decided",
                  LOG_TEXT("kind", object_resources[work->kind].kind), LOG_TEXT("key", work->name),
                  LOG_TEXT("problem", plan.problem));
    answers_end_pass(&memo->answers, plan_asks_about_job(&plan));
    if (plan.count == 0 && work->kind == OBJECT_BATCH && objects_batch_is_finished(entry))
        memo_forget(&manager->memos, memo->uid); /* nothing more will happen to it */
    round = apply_start(&manager->applier, &subject, &plan, ticket);
    if (round)
        ticket->round = round;
}

static void work_on(struct manager *manager, struct work *work)
{
    const struct cache_entry *entry = objects_find(manager->objects, work->kind, work->name);
    struct memo *memo;

    metrics_observe(&manager->metrics.queue_wait, work->waited_ms);
    if (!entry) {
        workqueue_done(manager->queue, work);
        return;
    }
    memo = memo_of(&manager->memos, work->kind, entry);
    if (!memo_is_caught_up(memo, manager->objects))
        finish_work(manager, work, ROUND_WAITED, -1, NULL);
    else
        reconcile_entry(manager, work, entry, memo);
}

/* Begins as many rounds as may run at a time. A round without a write is over at once: of
 * these, too, only so many in one turn, or a start with thousands of objects at rest would
 * keep the loop from watches and the Lease for seconds. */
static void begin_rounds(struct manager *manager)
{
    struct work *work;
    size_t begun = 0;

    while (begun < MANAGER_ROUNDS_MAXIMUM && may_write(manager) &&
           manager->rounds < MANAGER_ROUNDS_MAXIMUM && (work = workqueue_take(manager->queue))) {
        work_on(manager, work);
        begun++;
    }
}

/* Whether the next turn can begin rounds: keys that the last one left, or that a timer woke. */
static bool has_work(struct manager *manager)
{
    struct workqueue_stats queue;

    workqueue_stats(manager->queue, &queue);
    return queue.ready > 0 && manager->rounds < MANAGER_ROUNDS_MAXIMUM && may_write(manager);
}

/* --- leadership ---------------------------------------------------------------------- */

static void acquired(void *context)
{
    struct manager *manager = context;

    log_write(LOG_INFO, "this process is the leader",
              LOG_TEXT("identity", manager->options.identity));
    manager->leading = true;
}

static void lost(void *context, const struct err *why)
{
    struct manager *manager = context;

    manager->leading = false;
    manager->lost = true;
    manager->loss = *why;
}

static void observed(void *context, const char *holder)
{
    (void)context;
    if (*holder)
        log_write(LOG_INFO, "another process is the leader", LOG_TEXT("holder", holder));
    else
        log_write(LOG_INFO, "the lease was given back");
}

static void lease_failed(void *context, const struct err *failure)
{
    tell_general_denial(context, failure);
    log_failure(LOG_WARNING, "the lease could not be read or written", failure);
}

static void event_dropped(void *context, const struct err *failure)
{
    (void)context;
    log_failure(LOG_WARNING, "Events are dropped", failure);
}

/* The first time that decisions may be taken, everything is looked at. */
static void start_when_ready(struct manager *manager)
{
    if (manager->started || !manager->leading || !objects_are_synced(manager->objects))
        return;
    manager->started = true;
    objects_wake_all(manager->objects);
}

/* --- stopping --------------------------------------------------------------------------- */

static void released(void *context)
{
    ((struct manager *)context)->stopped = true;
}

static void release_lease(struct manager *manager)
{
    timer_stop(manager->options.timers, &manager->stop_deadline);
    if (manager->lease)
        lease_release(manager->lease, released, manager);
    else
        manager->stopped = true;
}

static void stop_takes_too_long(void *context)
{
    struct manager *manager = context;

    log_write(LOG_WARNING, "requests are still under way, not waiting for them",
              LOG_INT("rounds", (int64_t)manager->rounds));
    manager->stopped = true; /* the lease is kept until it expires: a write may still land */
}

void manager_stop(struct manager *manager)
{
    if (manager->stopping)
        return;
    manager->stopping = true;
    timer_set(manager->options.timers, &manager->stop_deadline, STOP_MS);
}

bool manager_is_stopped(const struct manager *manager)
{
    return manager->stopped;
}

/* Rounds first, then Events, then the lease. */
static void continue_stop(struct manager *manager)
{
    struct recorder_stats events;

    recorder_stats(manager->recorder, &events);
    if (manager->stopping && !manager->stopped && manager->stop_deadline.position > 0 &&
        manager->rounds == 0 && events.pending == 0)
        release_lease(manager);
}

/* --- life ------------------------------------------------------------------------------- */

static void connect(struct manager *manager)
{
    const struct clock *clock = manager->options.timers->clock;

    manager->asker = (struct asker){ .client = manager->options.client,
                                     .wake = wake,
                                     .failed = question_failed,
                                     .context = manager };
    manager->gatherer = (struct gatherer){ .objects = manager->objects,
                                           .settings = manager->options.settings,
                                           .zones = &manager->zones,
                                           .clock = clock };
    manager->applier = (struct applier){ .client = manager->options.client,
                                         .recorder = manager->recorder,
                                         .objects = manager->objects,
                                         .memos = &manager->memos,
                                         .facts = manager->facts,
                                         .asker = &manager->asker,
                                         .metrics = &manager->metrics,
                                         .clock = clock,
                                         .may_write = may_write,
                                         .wake_model = wake_model,
                                         .ended = round_ended,
                                         .context = manager };
}

static struct fact_store *new_facts(struct manager *manager, struct err *err)
{
    const struct manager_options *options = &manager->options;

    return fact_store_new(&(struct facts_options){ .client = options->client,
                                                   .transport = options->transport,
                                                   .timers = options->timers,
                                                   .registries = options->registries,
                                                   .file_roots = options->settings->file_roots,
                                                   .buckets = options->buckets,
                                                   .seed = options->seed + 1,
                                                   .may_write = may_write,
                                                   .wake = wake,
                                                   .ended = look_up_ended,
                                                   .context = manager },
                          err);
}

static struct objects *new_objects(struct manager *manager)
{
    const struct manager_options *options = &manager->options;

    return objects_new(&(struct objects_options){
        .client = options->client,
        .namespace = options->namespace,
        .handler = { .wake = object_changed, .gone = object_is_gone, .failed = watch_failed },
        .context = manager,
        .seed = options->seed + 2,
        .watch_list = options->watch_list });
}

static struct recorder *new_recorder(struct manager *manager)
{
    const struct manager_options *options = &manager->options;

    return recorder_new(options->client, options->timers,
                        &(struct recorder_options){ .controller = "churnops.io/churn-controller",
                                                    .instance = options->identity,
                                                    .seed = options->seed + 3,
                                                    .failed = event_dropped,
                                                    .context = manager });
}

struct manager *manager_new(const struct manager_options *options, struct err *err)
{
    static const struct lease_handler lease_handler = { acquired, lost, observed, lease_failed };
    struct manager *manager = mem_zero(1, sizeof(*manager));

    manager->options = *options;
    manager->zones.folder = ZONE_FOLDER;
    manager->facts = new_facts(manager, err);
    if (!manager->facts) {
        free(manager);
        return NULL;
    }
    manager->queue = workqueue_new(options->timers, &ROUND_BACKOFF, options->seed);
    manager->objects = new_objects(manager);
    manager->recorder = new_recorder(manager);
    manager->stop_deadline = (struct timer){ .fire = stop_takes_too_long, .context = manager };
    connect(manager);
    if (options->lease)
        manager->lease =
            lease_new(options->client, options->timers, options->lease, &lease_handler, manager);
    else
        manager->leading = true;
    objects_start(manager->objects);
    return manager;
}

void manager_free(struct manager *manager)
{
    if (!manager)
        return;
    for (size_t i = 0; i < MANAGER_ROUNDS_MAXIMUM; i++)
        if (manager->tickets[i].work)
            apply_cancel(manager->tickets[i].round);
    timer_stop(manager->options.timers, &manager->stop_deadline);
    memos_release(&manager->memos);
    zones_release(&manager->zones);
    gatherer_release(&manager->gatherer);
    fact_store_free(manager->facts);
    lease_free(manager->lease);
    recorder_free(manager->recorder);
    objects_free(manager->objects);
    workqueue_free(manager->queue);
    free(manager);
}

void manager_turn(struct manager *manager, int64_t wait_ms)
{
    struct timers *timers = manager->options.timers;
    int64_t timer_ms = timers_run(timers);

    if (timer_ms >= 0 && timer_ms < wait_ms)
        wait_ms = timer_ms;
    transport_run(manager->options.transport, has_work(manager) ? 0 : wait_ms);
    fact_store_poll(manager->facts);
    (void)timers_run(timers);
    start_when_ready(manager);
    begin_rounds(manager);
    continue_stop(manager);
}

const struct err *manager_loss(const struct manager *manager)
{
    return manager->lost ? &manager->loss : NULL;
}

/* --- pushes ------------------------------------------------------------------------------- */

size_t manager_push(struct manager *manager, const char *object_uri)
{
    return manager->started ? fact_store_push(manager->facts, object_uri) : 0;
}

bool manager_leads(const struct manager *manager)
{
    return manager->leading;
}

const char *manager_leader_address(const struct manager *manager)
{
    return manager->lease ? lease_holder_note(manager->lease) : NULL;
}

/* --- figures ---------------------------------------------------------------------------- */

static void snapshot_caches(const struct manager *manager, struct metrics *metrics)
{
    for (enum object_kind kind = 0; kind < OBJECT_KINDS; kind++) {
        const struct cache *cache = objects_cache(manager->objects, kind);
        struct informer_health health;

        objects_health(manager->objects, kind, &health);
        metrics->caches[kind].synced = health.synced;
        metrics->caches[kind].following = health.state == INFORMER_WATCHING;
        metrics->caches[kind].entries = cache_count(cache);
        metrics->caches[kind].bytes = cache_bytes(cache);
        metrics->caches[kind].events = health.events;
        metrics->caches[kind].lists = health.lists;
        metrics->caches[kind].watches = health.watches;
        metrics->caches[kind].failures = health.failures;
        metrics->caches[kind].silence_ms = health.silence_ms;
    }
}

bool manager_is_ready(const struct manager *manager)
{
    return objects_are_synced(manager->objects) &&
           (!manager->lease || lease_is_known(manager->lease));
}

void manager_snapshot(const struct manager *manager, struct metrics *ret_metrics)
{
    struct workqueue_stats queue;
    struct recorder_stats events;

    workqueue_stats(manager->queue, &queue);
    recorder_stats(manager->recorder, &events);
    *ret_metrics = manager->metrics;
    ret_metrics->requests = *kube_client_requests(manager->options.client);
    ret_metrics->clock_skew_ms = kube_client_skew_ms(manager->options.client);
    ret_metrics->leader = manager->leading;
    ret_metrics->ready = manager_is_ready(manager);
    ret_metrics->queue_ready = queue.ready;
    ret_metrics->queue_in_flight = queue.in_flight;
    ret_metrics->queue_delayed = queue.delayed;
    ret_metrics->queue_additions = queue.additions;
    ret_metrics->queue_retries = queue.retries;
    ret_metrics->events_pending = events.pending;
    ret_metrics->events_sent = events.sent;
    ret_metrics->events_dropped = events.dropped;
    snapshot_caches(manager, ret_metrics);
}
