#include "kube/informer.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/prune.h"
#include "base/random.h"
#include "kube/list.h"
#include "kube/watch.h"
#include "net/backoff.h"

enum {
    PAGE_ITEMS = 500,
    /* The server ends a watch after 5 to 10 minutes, so that they spread over servers. */
    WATCH_MINIMUM_S = 300,
    WATCH_SPREAD_S = 300,
    /* A watch that ends sooner without an event did not work. */
    WATCH_TOO_SHORT_MS = 1000,
    /* How long initial events may pause before a list is taken instead. */
    INITIAL_EVENTS_PAUSE_MS = 10000,
    /* A server that has sent one bookmark sends one about every minute. */
    BOOKMARK_PAUSE_MS = 150000,
    /* Failures are forgotten when none came for so long. */
    HEALTHY_MS = 120000,
    /* Watches in a row that the server failed before the state is listed again: the position may
     * be one that it will never know. */
    WATCH_REFUSALS = 5,
    /* Lists in a row that show an older state than was seen before they are believed: the
     * cluster was restored from a backup. */
    STALE_LISTS = 5,
};

static const struct backoff RETRY = { .base_ms = 800, .cap_ms = 30000 };

struct informer {
    struct informer_options options;
    struct cache *cache;
    struct timers *timers;
    struct random random;
    struct kube_call *call; /* the list page or watch that runs */
    struct timer retry;     /* WAITING: begins the next attempt */
    struct timer watchdog;  /* WATCHING: what must come did not */

    enum informer_state state;
    bool listed;          /* the position is good: watch from it; else list */
    bool initial;         /* this watch began with initial events, not all have come */
    bool no_initial;      /* the server cannot do that */
    bool unpaged;         /* a continue token expired: take the list in one answer */
    bool stale;           /* this list shows something older than was seen */
    bool bookmarked;      /* the server sends bookmarks: one came */
    char *continue_token; /* of the list that runs; NULL: at its first page */
    char *skipped;        /* the last object that could not be parsed; NULL: none */
    int64_t watch_begun_ms, last_byte_ms, last_failure_ms;
    uint64_t watch_begun_events;
    unsigned refusals, stale_lists;

    bool synced, not_served;
    unsigned failures;
    uint64_t lists, watches, events;
    struct err last_failure;
};

static void begin(struct informer *informer);

static int64_t now(const struct informer *informer)
{
    return clock_monotonic_ms(informer->timers->clock);
}

/* --- the cache ---------------------------------------------------------------- */

static void tell_failure(const struct informer *informer, const struct err *failure)
{
    if (informer->options.on_failure)
        informer->options.on_failure(informer->options.context, failure);
}

static void tell_change(const struct informer *informer, const struct cache_entry *before,
                        const struct cache_entry *after)
{
    informer->options.on_change(informer->options.context, before, after);
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* The owner that is marked as the controller; NULL when there is none. */
static const json_t *controller_of(const json_t *object)
{
    const json_t *owners = jx_get(object, "metadata", "ownerReferences", NULL);

    for (size_t i = 0; i < json_array_size(owners); i++)
        if (jx_bool(json_array_get(owners, i), "controller", false))
            return json_array_get(owners, i);
    return NULL;
}

static int identify(const json_t *object, struct cache_object *ret_object, struct err *err)
{
    const json_t *owner = controller_of(object);
    const struct cache_object identity = {
        .namespace = text_or_empty(jx_string(object, "metadata", "namespace", NULL)),
        .name = jx_string(object, "metadata", "name", NULL),
        .uid = jx_string(object, "metadata", "uid", NULL),
        .resource_version = jx_string(object, "metadata", "resourceVersion", NULL),
        .owner_uid = jx_string(owner, "uid", NULL),
        .owner_kind = jx_string(owner, "kind", NULL),
        .owner_name = jx_string(owner, "name", NULL),
    };

    if (!identity.name || !identity.uid || !identity.resource_version)
        return err_set(err, ERR_INVALID, "an object without name, uid or resourceVersion");
    *ret_object = identity;
    return 0;
}

static void remove_key(struct informer *informer, const char *namespace, const char *name)
{
    struct cache_entry *entry = cache_remove(informer->cache, namespace, name);

    if (!entry)
        return;
    tell_change(informer, entry, NULL);
    cache_entry_free(entry);
}

/* The cache is complete up to its position: an object from before it that is not there was
 * deleted, so a list that shows it is older. */
static bool is_forgotten(struct informer *informer, const struct cache_object *identity)
{
    if (informer->state != INFORMER_LISTING || informer->stale_lists >= STALE_LISTS ||
        resource_version_compare(identity->resource_version, cache_position(informer->cache)) > 0)
        return false;
    informer->stale = true;
    return true;
}

static int store(struct informer *informer, const json_t *object, struct span text,
                 struct cache_object *identity, bool is_new, struct err *err)
{
    auto_buf struct buf blob = { 0 };
    const struct cache_entry *entry;
    struct cache_entry *old;

    buf_init(&blob, LIMIT_KUBE_OBJECT);
    if (informer->options.project(informer->options.context, object, text, &blob, err) < 0 ||
        buf_check(&blob, "the projection", err) < 0)
        return -1;
    if (is_new && is_forgotten(informer, identity))
        return 0;
    identity->blob = (struct span){ blob.data, blob.length };
    if (cache_put(informer->cache, identity, &entry, &old, err) < 0)
        return -1;
    if (old && strcmp(cache_entry_uid(old), cache_entry_uid(entry)) != 0) {
        tell_change(informer, old, NULL);
        tell_change(informer, NULL, entry);
    } else {
        tell_change(informer, old, entry);
    }
    cache_entry_free(old);
    return 0;
}

/* Whether there is nothing to take over: this very version is known, or a list shows one that is
 * older. Events are taken as they come, because their order is the server's. */
static bool is_known(struct informer *informer, const struct cache_entry *known,
                     const struct cache_object *identity)
{
    int order =
        resource_version_compare(identity->resource_version, cache_entry_resource_version(known));

    if (order == 0)
        return strcmp(cache_entry_uid(known), identity->uid) == 0;
    if (order > 0 || informer->state != INFORMER_LISTING)
        return false;
    informer->stale = true;
    return informer->stale_lists < STALE_LISTS;
}

/* The members of an object that are read when it comes. */
static json_t *parse_read(const struct informer *informer, struct span text, struct err *err)
{
    auto_buf struct buf storage = { .maximum = LIMIT_KUBE_OBJECT };

    return jx_parse(pick(text, informer->options.read, &storage), LIMIT_KUBE_OBJECT, "an object",
                    err);
}

/* Takes over one version of an object that exists. */
static void take_object(struct informer *informer, const json_t *object, struct span text)
{
    struct cache_object identity;
    struct err failure = { 0 };

    if (identify(object, &identity, &failure) < 0) {
        tell_failure(informer, &failure);
        return;
    }

    const struct cache_entry *known = cache_get(informer->cache, identity.namespace, identity.name);
    if (known && is_known(informer, known, &identity)) {
        cache_touch(informer->cache, known);
        return;
    }
    if (store(informer, object, text, &identity, !known, &failure) < 0) {
        err_wrap(&failure, "%s %s/%s", informer->options.resource.kind, identity.namespace,
                 identity.name);
        tell_failure(informer, &failure);
        remove_key(informer, identity.namespace, identity.name);
    }
}

static void remove_object(struct informer *informer, const json_t *object)
{
    const char *namespace = jx_string(object, "metadata", "namespace", NULL);
    const char *name = jx_string(object, "metadata", "name", NULL);

    if (name)
        remove_key(informer, text_or_empty(namespace), name);
}

static void remove_stale(struct informer *informer)
{
    const struct cache_entry *entry;
    size_t cursor = 0;

    while ((entry = cache_next_stale(informer->cache, &cursor)))
        remove_key(informer, cache_entry_namespace(entry), cache_entry_name(entry));
}

/* --- attempts ----------------------------------------------------------------- */

static void on_retry(void *context)
{
    begin(context);
}

static unsigned recent_failures(const struct informer *informer)
{
    bool healthy = now(informer) - informer->last_failure_ms > HEALTHY_MS;

    return healthy && informer->state != INFORMER_WAITING ? 0 : informer->failures;
}

/* Notes a failure and waits before the next attempt. */
static void fail(struct informer *informer, const struct err *failure)
{
    informer->failures = recent_failures(informer);
    informer->last_failure = *failure;
    informer->last_failure_ms = now(informer);
    informer->not_served = failure->http_status == 404;
    informer->state = INFORMER_WAITING;
    timer_set(
        informer->timers, &informer->retry,
        backoff_delay_ms(&RETRY, informer->failures++, failure->retry_after_ms, &informer->random));
    tell_failure(informer, failure);
}

/* The whole state as of `resource_version` has been taken over. */
static void complete(struct informer *informer, const char *resource_version)
{
    remove_stale(informer);
    cache_set_position(informer->cache, resource_version);
    informer->listed = informer->synced = true;
    informer->not_served = informer->unpaged = false;
    informer->refusals = informer->stale_lists = 0;
    if (informer->options.on_sync)
        informer->options.on_sync(informer->options.context);
}

/* --- listing -------------------------------------------------------------------- */

static int on_item(void *context, struct span item, struct err *err)
{
    struct informer *informer = context;
    struct err failure = { 0 };
    auto_json json_t *object = parse_read(informer, item, &failure);

    (void)err;
    informer->last_byte_ms = now(informer);
    if (object)
        take_object(informer, object, item);
    else
        tell_failure(informer, &failure); /* one bad object does not stop the rest */
    return 0;
}

static void set_continue(struct informer *informer, const char *token)
{
    char *copy = token && *token ? mem_strdup(token) : NULL;

    free(informer->continue_token);
    informer->continue_token = copy;
}

static void on_list_failure(struct informer *informer, const struct err *failure)
{
    bool expired = failure->kind == ERR_GONE && informer->continue_token;

    set_continue(informer, NULL);
    if (expired && !informer->unpaged) {
        informer->unpaged = true;
        tell_failure(informer, failure);
        begin(informer);
        return;
    }
    fail(informer, failure);
}

static void on_page(void *context, const struct kube_list_page *page, const struct err *failure)
{
    struct informer *informer = context;
    struct err older;

    informer->call = NULL;
    if (failure) {
        on_list_failure(informer, failure);
        return;
    }
    informer->last_byte_ms = now(informer);
    set_continue(informer, page->continue_token);
    if (!informer->continue_token) {
        informer->stale |=
            resource_version_compare(page->resource_version, cache_position(informer->cache)) < 0;
        if (informer->stale && informer->stale_lists < STALE_LISTS) {
            informer->stale_lists++;
            err_set(&older, ERR_RETRY, "list %s: the server shows an older state than before",
                    informer->options.resource.plural);
            fail(informer, &older);
            return;
        }
        complete(informer, page->resource_version);
    }
    begin(informer);
}

/* Always at the newest state (no resourceVersion): a list is only taken when there is no
 * position, or when the server forgot it; and a cache must never go back in time. */
static void list_page(struct informer *informer)
{
    const struct kube_list_handler handler = { on_item, on_page };
    const struct kube_list_options options = { .namespace = informer->options.namespace,
                                               .label_selector = informer->options.label_selector,
                                               .limit = informer->unpaged ? 0 : PAGE_ITEMS,
                                               .continue_token = informer->continue_token };

    if (!informer->continue_token) {
        cache_begin(informer->cache);
        informer->stale = false;
        informer->lists++;
    }
    informer->state = INFORMER_LISTING;
    informer->call = kube_list_items(informer->options.client, &informer->options.resource,
                                     &options, &handler, informer);
}

/* --- watching ------------------------------------------------------------------- */

static void set_watchdog(struct informer *informer)
{
    if (informer->initial)
        timer_set(informer->timers, &informer->watchdog, INITIAL_EVENTS_PAUSE_MS);
    else if (informer->bookmarked)
        timer_set(informer->timers, &informer->watchdog, BOOKMARK_PAUSE_MS);
}

static int on_bookmark(struct informer *informer, struct span text, struct err *err)
{
    auto_json json_t *object = jx_parse(text, LIMIT_KUBE_OBJECT, "a bookmark", err);
    const char *version = jx_string(object, "metadata", "resourceVersion", NULL);
    const char *end =
        jx_string(object, "metadata", "annotations", "k8s.io/initial-events-end", NULL);

    if (!object)
        return -1;
    informer->bookmarked = true;
    if (version && !informer->initial) {
        cache_set_position(informer->cache, version);
    } else if (version && end && strcmp(end, "true") == 0) {
        informer->initial = false;
        complete(informer, version);
    }
    return 0;
}

/* What cannot be parsed is kept out, and told once: it must not keep others waiting. */
static void skip_object(struct informer *informer, struct span text, struct err *failure)
{
    struct span metadata = member_text(text, "metadata");
    auto_free char *namespace = member_word(metadata, "namespace");
    auto_free char *name = member_word(metadata, "name");
    auto_free char *version = member_word(metadata, "resourceVersion");
    char *who = mem_format("%s/%s", text_or_empty(namespace), text_or_empty(name));

    err_wrap(failure, "%s %s", informer->options.resource.kind, who);
    if (strcmp(who, text_or_empty(informer->skipped)) != 0)
        tell_failure(informer, failure);
    free(informer->skipped);
    informer->skipped = who;
    remove_key(informer, text_or_empty(namespace), text_or_empty(name));
    if (!informer->initial && version)
        cache_set_position(informer->cache, version);
}

static void take_event(struct informer *informer, enum watch_event event, struct span text)
{
    struct err failure = { 0 };
    auto_json json_t *object = parse_read(informer, text, &failure);
    const char *version = jx_string(object, "metadata", "resourceVersion", NULL);

    if (!object)
        skip_object(informer, text, &failure);
    else if (event == WATCH_DELETED)
        remove_object(informer, object);
    else
        take_object(informer, object, text);
    /* Initial events come in no order, so none of them is a position to resume from. */
    if (!informer->initial && version)
        cache_set_position(informer->cache, version);
}

static int on_event(void *context, enum watch_event event, struct span object, struct err *err)
{
    struct informer *informer = context;

    informer->last_byte_ms = now(informer);
    informer->events++;
    informer->refusals = 0;
    if (event != WATCH_BOOKMARK)
        take_event(informer, event, object);
    else if (on_bookmark(informer, object, err) < 0)
        return -1;
    set_watchdog(informer);
    return 0;
}

/* Whether the position may be what the server does not like. Too many requests and missing
 * rights have nothing to do with it, and a list would be the heavier request. */
static bool needs_list(struct informer *informer, const struct err *failure)
{
    if (failure->kind == ERR_GONE || failure->kind == ERR_INVALID ||
        failure->kind == ERR_NOT_FOUND || failure->kind == ERR_TOO_BIG ||
        failure->http_status == 504)
        return true;
    if (failure->http_status == 0 || failure->http_status == 429 || failure->kind == ERR_DENIED)
        return false;
    return ++informer->refusals >= WATCH_REFUSALS;
}

/* Whether a watch that ended without a failure failed all the same. */
static bool ended_early(const struct informer *informer, struct err *ret_failure)
{
    const char *plural = informer->options.resource.plural;

    if (informer->initial) {
        err_set(ret_failure, ERR_UNSUPPORTED, "watch %s: it ended before all initial events came",
                plural);
        return true;
    }
    if (now(informer) - informer->watch_begun_ms < WATCH_TOO_SHORT_MS &&
        informer->events == informer->watch_begun_events) {
        err_set(ret_failure, ERR_RETRY, "watch %s: the server ended it at once", plural);
        return true;
    }
    return false;
}

/* A server that refuses initial events, or does not finish them, is asked for a list. */
static void on_initial_failure(struct informer *informer, const struct err *failure)
{
    informer->initial = false;
    if (failure->kind != ERR_INVALID && failure->kind != ERR_UNSUPPORTED) {
        fail(informer, failure);
        return;
    }
    informer->no_initial = true;
    tell_failure(informer, failure);
    begin(informer);
}

static void on_watch_done(void *context, const struct err *failure)
{
    struct informer *informer = context;
    struct err early;

    informer->call = NULL;
    timer_stop(informer->timers, &informer->watchdog);
    if (!failure && ended_early(informer, &early))
        failure = &early;
    if (!failure) {
        begin(informer);
    } else if (informer->initial) {
        on_initial_failure(informer, failure);
    } else {
        if (needs_list(informer, failure))
            informer->listed = false;
        fail(informer, failure);
    }
}

static void on_watchdog(void *context)
{
    struct informer *informer = context;
    struct err silent;

    kube_cancel(informer->call);
    err_set(&silent, informer->initial ? ERR_UNSUPPORTED : ERR_RETRY,
            "watch %s: nothing came for %d s", informer->options.resource.plural,
            (informer->initial ? INITIAL_EVENTS_PAUSE_MS : BOOKMARK_PAUSE_MS) / 1000);
    on_watch_done(informer, &silent);
}

static void watch(struct informer *informer)
{
    const struct kube_watch_handler handler = { on_event, on_watch_done };
    const struct kube_watch_options options = {
        .namespace = informer->options.namespace,
        .label_selector = informer->options.label_selector,
        .resource_version = informer->initial ? NULL : cache_position(informer->cache),
        .initial_events = informer->initial,
        .timeout_s =
            WATCH_MINIMUM_S + (unsigned)random_below(&informer->random, WATCH_SPREAD_S + 1),
    };

    informer->state = INFORMER_WATCHING;
    informer->watches++;
    informer->watch_begun_ms = now(informer);
    informer->watch_begun_events = informer->events;
    informer->call = kube_watch(informer->options.client, &informer->options.resource, &options,
                                &handler, informer);
    set_watchdog(informer);
}

static void begin(struct informer *informer)
{
    if (informer->listed) {
        watch(informer);
    } else if (informer->options.watch_list && !informer->no_initial) {
        cache_begin(informer->cache);
        informer->initial = true;
        watch(informer);
    } else {
        list_page(informer);
    }
}

/* --- life ------------------------------------------------------------------------- */

struct informer *informer_new(const struct informer_options *options)
{
    struct informer *informer = mem_zero(1, sizeof(*informer));

    informer->options = *options;
    informer->cache = cache_new();
    informer->timers = kube_client_timers(options->client);
    informer->retry = (struct timer){ .fire = on_retry, .context = informer };
    informer->watchdog = (struct timer){ .fire = on_watchdog, .context = informer };
    random_seed(&informer->random, options->seed);
    return informer;
}

void informer_free(struct informer *informer)
{
    if (!informer)
        return;
    kube_cancel(informer->call);
    timer_stop(informer->timers, &informer->retry);
    timer_stop(informer->timers, &informer->watchdog);
    cache_free(informer->cache);
    free(informer->continue_token);
    free(informer->skipped);
    free(informer);
}

void informer_start(struct informer *informer)
{
    informer->last_byte_ms = now(informer);
    begin(informer);
}

const struct cache *informer_cache(const struct informer *informer)
{
    return informer->cache;
}

void informer_health(const struct informer *informer, struct informer_health *ret_health)
{
    *ret_health = (struct informer_health){
        .state = informer->state,
        .synced = informer->synced,
        .not_served = informer->not_served,
        .silence_ms = informer->state == INFORMER_IDLE ? 0 : now(informer) - informer->last_byte_ms,
        .failures = recent_failures(informer),
        .lists = informer->lists,
        .watches = informer->watches,
        .events = informer->events,
        .last_failure = &informer->last_failure,
    };
}
