#include "kube/lease.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"

/* A holder that promises more than this is not believed. */
#define LONGEST_DURATION_S 3600

enum purpose { READ, TAKE, RENEW, RELEASE };

struct lease {
    struct kube_client *client;
    struct timers *timers;
    struct lease_options options; /* texts owned */
    struct lease_handler handler;
    void *context;
    struct random random;

    enum purpose purpose; /* of the request under way */
    struct kube_call *call;
    int64_t sent_ms;
    struct timer next;     /* when to try next */
    struct timer patience; /* the request under way takes too long */
    struct timer deadline; /* no renewal for too long */

    json_t *object;     /* as it was read or written last; NULL: must be read */
    json_t *seen_spec;  /* the record whose age counts */
    int64_t changed_ms; /* when we saw it change */

    bool held;
    int64_t renewed_ms; /* when the last successful write was sent */

    void (*released)(void *context);
    void *released_context;
};

static const struct kube_resource LEASES = { "coordination.k8s.io", "v1", "leases", "Lease" };

static int64_t now_ms(const struct lease *lease)
{
    return clock_monotonic_ms(lease->timers->clock);
}

/* --- options -------------------------------------------------------------- */

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value ? value : fallback;
}

int lease_options_complete(struct lease_options *options, struct err *err)
{
    options->duration_ms = or_default(options->duration_ms, 15000);
    options->renew_deadline_ms = or_default(options->renew_deadline_ms, 10000);
    options->retry_period_ms = or_default(options->retry_period_ms, 2000);
    if (!options->namespace || !options->name || !options->identity || !*options->identity)
        return err_set(err, ERR_INVALID, "lease: namespace, name and identity are required");
    if (options->duration_ms > LONGEST_DURATION_S * 1000)
        return err_set(err, ERR_INVALID, "lease duration must be at most %d s", LONGEST_DURATION_S);
    if (options->duration_ms <= options->renew_deadline_ms)
        return err_set(err, ERR_INVALID,
                       "lease duration (%" PRId64 " ms) must be longer than the renew deadline "
                       "(%" PRId64 " ms)",
                       options->duration_ms, options->renew_deadline_ms);
    if (options->renew_deadline_ms * 5 <= options->retry_period_ms * 6)
        return err_set(err, ERR_INVALID,
                       "renew deadline (%" PRId64 " ms) must be longer than 1.2 x the retry period "
                       "(%" PRId64 " ms)",
                       options->renew_deadline_ms, options->retry_period_ms);
    return 0;
}

/* --- the record ----------------------------------------------------------- */

static const char *holder_in(const json_t *spec)
{
    const char *holder = jx_string(spec, "holderIdentity", NULL);

    return holder ? holder : "";
}

/* How long the holder that was read last may stay silent. */
static int64_t promised_ms(const struct lease *lease)
{
    int64_t seconds = jx_int(lease->seen_spec, "leaseDurationSeconds", 0);

    return seconds >= 1 && seconds <= LONGEST_DURATION_S ? seconds * 1000
                                                         : lease->options.duration_ms;
}

static json_t *new_object(const struct lease *lease)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:{}}", "apiVersion", "coordination.k8s.io/v1",
                     "kind", "Lease", "metadata", "name", lease->options.name, "namespace",
                     lease->options.namespace, "spec");
}

static void write_note(const struct lease *lease, json_t *object)
{
    const char *note = lease->options.note;
    json_t *metadata = jx_get(object, "metadata", NULL);
    json_t *annotations = jx_get(metadata, "annotations", NULL);

    if (note && !annotations) {
        annotations = json_object();
        json_object_set_new(metadata, "annotations", annotations);
    }
    if (note)
        json_object_set_new(annotations, lease->options.note_name, json_string(note));
    else if (annotations && lease->options.note_name)
        json_object_del(annotations, lease->options.note_name);
}

/* What to write: the object as it is known, with our record in its spec. */
static json_t *object_to_write(const struct lease *lease, enum purpose purpose)
{
    json_t *object = lease->object ? json_deep_copy(lease->object) : new_object(lease);
    json_t *spec = jx_get(object, "spec", NULL);
    const char *holder = purpose == RELEASE ? "" : lease->options.identity;
    int64_t duration_s = purpose == RELEASE ? 1 : (lease->options.duration_ms + 999) / 1000;
    int64_t transitions = jx_int(spec, "leaseTransitions", 0);
    char now[NUM_TIME_TEXT];

    if (!json_is_object(spec)) {
        spec = json_object();
        json_object_set_new(object, "spec", spec);
    }
    num_format_micro_time(clock_wall_ms(lease->timers->clock), now);
    json_object_set_new(spec, "holderIdentity", json_string(holder));
    json_object_set_new(spec, "leaseDurationSeconds", json_integer(duration_s));
    json_object_set_new(spec, "renewTime", json_string(now));
    if (purpose == TAKE) {
        json_object_set_new(spec, "acquireTime", json_string(now));
        json_object_set_new(spec, "leaseTransitions",
                            json_integer(lease->object ? transitions + 1 : 0));
    }
    if (purpose != RELEASE)
        write_note(lease, object);
    return object;
}

static void forget_object(struct lease *lease)
{
    json_decref(lease->object);
    lease->object = NULL;
}

/* Keeps what the server answered. Its age begins anew when the record differs. */
static void remember(struct lease *lease, json_t *object)
{
    json_t *spec = jx_get(object, "spec", NULL);
    const char *holder = holder_in(spec);
    bool same_holder = lease->seen_spec && strcmp(holder_in(lease->seen_spec), holder) == 0;

    json_incref(object);
    forget_object(lease);
    lease->object = object;
    if (lease->seen_spec && json_equal(lease->seen_spec, spec))
        return;
    json_decref(lease->seen_spec);
    lease->seen_spec = spec ? json_incref(spec) : json_object();
    lease->changed_ms = now_ms(lease);
    if (!same_holder && strcmp(holder, lease->options.identity) != 0)
        lease->handler.observed(lease->context, holder);
}

/* --- what happens next ---------------------------------------------------- */

static void send(struct lease *lease, enum purpose purpose);

/* How long one request may take: two fit into the renew deadline. */
static int64_t patience_ms(const struct lease *lease)
{
    return lease->options.renew_deadline_ms / 2;
}

/* Between 0.75 and 1 times the period, so that candidates spread. */
static int64_t jittered_period_ms(struct lease *lease)
{
    return (int64_t)((double)lease->options.retry_period_ms *
                     (0.75 + 0.25 * random_unit(&lease->random)));
}

static void stop_everything(struct lease *lease)
{
    kube_cancel(lease->call);
    lease->call = NULL;
    timer_stop(lease->timers, &lease->next);
    timer_stop(lease->timers, &lease->patience);
    timer_stop(lease->timers, &lease->deadline);
}

static void lose(struct lease *lease, const struct err *why)
{
    stop_everything(lease);
    lease->held = false;
    lease->handler.lost(lease->context, why);
}

static void finish_release(struct lease *lease)
{
    stop_everything(lease);
    lease->held = false;
    lease->released(lease->released_context);
}

/* Goes on with a release as far as it can: gives back what is held, once. */
static void step_release(struct lease *lease)
{
    if (lease->purpose != RELEASE && lease_is_held(lease) && lease->object)
        send(lease, RELEASE);
    else
        finish_release(lease);
}

/* A write succeeded: we are the leader since the moment it was sent. */
static void renewed(struct lease *lease)
{
    bool first = !lease->held;

    lease->held = true;
    lease->renewed_ms = lease->sent_ms;
    timer_set(lease->timers, &lease->deadline,
              lease->renewed_ms + lease->options.renew_deadline_ms - now_ms(lease));
    if (lease->released)
        return;
    timer_set(lease->timers, &lease->next, lease->options.retry_period_ms);
    if (first)
        lease->handler.acquired(lease->context);
}

/* Another is the holder: try again in a while, or the moment it expires. */
static void wait_for_holder(struct lease *lease)
{
    int64_t expires_in_ms = lease->changed_ms + promised_ms(lease) - now_ms(lease);
    int64_t delay_ms = jittered_period_ms(lease);

    timer_set(lease->timers, &lease->next, expires_in_ms < delay_ms ? expires_in_ms : delay_ms);
}

static void decide(struct lease *lease)
{
    const char *holder = holder_in(lease->seen_spec);
    bool expired = now_ms(lease) >= lease->changed_ms + promised_ms(lease);
    struct err why;

    if (strcmp(holder, lease->options.identity) == 0) {
        send(lease, RENEW);
    } else if (lease->held) {
        (void)err_set(&why, ERR_CONFLICT, "the lease %s/%s is held by \"%s\"",
                      lease->options.namespace, lease->options.name, holder);
        lose(lease, &why);
    } else if (*holder == '\0' || expired) {
        send(lease, TAKE);
    } else {
        wait_for_holder(lease);
    }
}

static void attempt_failed(struct lease *lease, const struct err *failure)
{
    bool changed = failure->kind == ERR_CONFLICT || failure->kind == ERR_EXISTS ||
                   (failure->kind == ERR_NOT_FOUND && lease->object);
    int64_t delay_ms = jittered_period_ms(lease);
    int64_t asked_ms = failure->retry_after_ms;

    if (asked_ms > patience_ms(lease))
        asked_ms = patience_ms(lease); /* one small request matters more than the server's wish */
    if (!changed)
        lease->handler.failed(lease->context, failure);
    else
        forget_object(lease);
    if (changed && lease->held)
        delay_ms = 0; /* somebody touched our record: find out at once */
    else if (asked_ms > delay_ms)
        delay_ms = asked_ms;
    timer_set(lease->timers, &lease->next, delay_ms);
}

static void answered(void *context, json_t *object, const struct err *failure)
{
    struct lease *lease = context;

    lease->call = NULL;
    timer_stop(lease->timers, &lease->patience);
    if (!failure && lease->purpose != RELEASE)
        remember(lease, object);
    if (!failure && (lease->purpose == TAKE || lease->purpose == RENEW))
        renewed(lease);
    if (lease->released)
        step_release(lease);
    else if (!failure && lease->purpose == READ)
        decide(lease);
    else if (failure && failure->kind == ERR_NOT_FOUND && lease->purpose == READ)
        send(lease, TAKE);
    else if (failure)
        attempt_failed(lease, failure);
}

static void patience_is_over(void *context)
{
    struct lease *lease = context;
    struct err failure;

    kube_cancel(lease->call);
    (void)err_set(&failure, ERR_RETRY, "lease %s/%s: no answer within %" PRId64 " ms",
                  lease->options.namespace, lease->options.name, patience_ms(lease));
    answered(lease, NULL, &failure);
}

/* A create when there is no object, else a PUT that fails when it changed. */
static struct kube_call *write_record(struct lease *lease)
{
    json_t *object auto_json = object_to_write(lease, lease->purpose);

    if (!lease->object)
        return kube_create(lease->client, &LEASES, lease->options.namespace, object, NULL, answered,
                           lease);
    return kube_update(lease->client, &LEASES, lease->options.namespace, lease->options.name,
                       object, answered, lease);
}

static void send(struct lease *lease, enum purpose purpose)
{
    lease->purpose = purpose;
    lease->sent_ms = now_ms(lease);
    if (purpose == READ)
        lease->call = kube_get(lease->client, &LEASES, lease->options.namespace,
                               lease->options.name, answered, lease);
    else
        lease->call = write_record(lease);
    timer_set(lease->timers, &lease->patience, patience_ms(lease));
}

static void next_is_due(void *context)
{
    struct lease *lease = context;

    send(lease, lease->held && lease->object ? RENEW : READ);
}

static void deadline_is_over(void *context)
{
    struct lease *lease = context;
    struct err why;

    if (lease->released) {
        finish_release(lease);
        return;
    }
    (void)err_set(&why, ERR_RETRY, "the lease %s/%s could not be renewed for %" PRId64 " ms",
                  lease->options.namespace, lease->options.name, lease->options.renew_deadline_ms);
    lose(lease, &why);
}

/* --- life ----------------------------------------------------------------- */

struct lease *lease_new(struct kube_client *client, struct timers *timers,
                        const struct lease_options *options, const struct lease_handler *handler,
                        void *context)
{
    struct lease *lease = mem_zero(1, sizeof(*lease));

    lease->client = client;
    lease->timers = timers;
    lease->options = *options;
    lease->options.namespace = mem_strdup(options->namespace);
    lease->options.name = mem_strdup(options->name);
    lease->options.identity = mem_strdup(options->identity);
    lease->options.note_name = options->note_name ? mem_strdup(options->note_name) : NULL;
    lease->options.note = options->note ? mem_strdup(options->note) : NULL;
    lease->handler = *handler;
    lease->context = context;
    random_seed(&lease->random, options->seed);
    lease->next = (struct timer){ .fire = next_is_due, .context = lease };
    lease->patience = (struct timer){ .fire = patience_is_over, .context = lease };
    lease->deadline = (struct timer){ .fire = deadline_is_over, .context = lease };
    timer_set(timers, &lease->next, 0);
    return lease;
}

void lease_free(struct lease *lease)
{
    if (!lease)
        return;
    stop_everything(lease);
    forget_object(lease);
    json_decref(lease->seen_spec);
    free((char *)lease->options.namespace);
    free((char *)lease->options.name);
    free((char *)lease->options.identity);
    free((char *)lease->options.note_name);
    free((char *)lease->options.note);
    free(lease);
}

bool lease_is_held(const struct lease *lease)
{
    return lease->held && now_ms(lease) < lease->renewed_ms + lease->options.renew_deadline_ms;
}

bool lease_is_known(const struct lease *lease)
{
    return lease->seen_spec != NULL;
}

const char *lease_holder_note(const struct lease *lease)
{
    const char *holder = holder_in(lease->seen_spec);

    if (!lease->object || !lease->options.note_name || !*holder ||
        strcmp(holder, lease->options.identity) == 0)
        return NULL;
    return jx_string(lease->object, "metadata", "annotations", lease->options.note_name, NULL);
}

void lease_release(struct lease *lease, void (*done)(void *context), void *context)
{
    lease->released = done;
    lease->released_context = context;
    timer_stop(lease->timers, &lease->next);
    if (!lease->call) /* else when it is answered: a write under way decides what we hold */
        step_release(lease);
}
