#include <search.h>

#include "base/limits.h"
#include "contract/reasons.h"
#include "net/backoff.h"

#include "fact.h"
#include "folder_lister.h"
#include "push.h"

#define LOOKUPS_MAXIMUM 8 /* of images, at a time; folders stand in the line of their thread */

static const struct backoff RETRY_BACKOFF = { .base_ms = 1000, .cap_ms = 60 * 1000 };

struct fact_store {
    struct facts_options options;
    struct image_resolver *resolver;
    struct folder_lister *lister;
    struct random random;
    void *facts; /* tsearch(3) tree by id */
    struct fact *first, *last;
    size_t lookups;
};

static int64_t now_ms(const struct fact_store *store)
{
    return clock_monotonic_ms(store->options.timers->clock);
}

/* --- facts ---------------------------------------------------------------------- */

static int compare_facts(const void *left, const void *right)
{
    return strcmp(((const struct fact *)left)->id, ((const struct fact *)right)->id);
}

static void free_fact(struct fact *fact)
{
    timer_stop(fact->store->options.timers, &fact->retry);
    image_source_free(fact->image);
    inbox_question_free(fact->question);
    bucket_secret_free(fact->secret);
    inbox_files_release(&fact->inbox);
    free(fact->value);
    free(fact->generation);
    free(fact->message);
    free(fact->argument);
    for (size_t i = 0; i < fact->pull_secrets.count; i++)
        free((char *)fact->pull_secrets.items[i]);
    free(fact->pull_secrets.items);
    free(fact->service_account);
    free((char *)fact->id);
    free(fact);
}

/* A fact that nobody uses and nothing works on. */
static void drop_if_unused(struct fact *fact)
{
    if (fact->users || fact->pending_ms || fact->waiting_ms)
        return;
    (void)tdelete(fact, &fact->store->facts, compare_facts);
    free_fact(fact);
}

/* What a fact is known by: kind, argument, for an image the namespace and its pull secrets or
 * else the ServiceAccount, for a bucket with credentials the namespace and the Secret, for an
 * inbox whose it is and which files it asks for. */
static char *fact_id(const struct fact_request *request, const char *key)
{
    int length = (int)strcspn(key, "/");
    struct buf id;

    buf_init(&id, LIMIT_KUBE_OBJECT); /* all of it came out of one object */
    buf_format(&id, "%d %s", (int)request->kind, request->argument);
    if (request->inbox)
        buf_format(&id, "\n%s %d", key, request->inbox->newest);
    if (request->kind == FACT_IMAGE || request->secret)
        buf_format(&id, "\n%.*s", length, key);
    if (request->secret)
        buf_format(&id, "\n%s", request->secret);
    if (request->service_account)
        buf_format(&id, "/%s", request->service_account); /* no name of a Secret has a '/' */
    for (size_t i = 0; i < request->pull_secrets.count; i++)
        buf_format(&id, "\n%s", request->pull_secrets.items[i]);
    return buf_take(&id);
}

static void look_up_again(void *context);

static void add_image(struct fact *fact, const char *namespace, const struct fact_request *request)
{
    const struct strings *secrets = &request->pull_secrets;

    fact->pull_secrets.items = mem_zero(secrets->count, sizeof(*secrets->items));
    for (size_t i = 0; i < secrets->count; i++)
        fact->pull_secrets.items[i] = mem_strdup(secrets->items[i]);
    fact->pull_secrets.count = secrets->count;
    if (request->service_account)
        fact->service_account = mem_strdup(request->service_account);
    fact->image = image_source_new(fact->store->resolver, namespace, request);
}

static struct fact *find_or_create(struct fact_store *store, const char *key,
                                   const struct fact_request *request)
{
    char *namespace auto_free = mem_strndup(key, strcspn(key, "/"));
    char *id auto_free = fact_id(request, key);
    struct fact wanted = { .id = id };
    void *const *node = tfind(&wanted, &store->facts, compare_facts);
    struct fact *fact;

    if (node)
        return *node;
    fact = mem_zero(1, sizeof(*fact));
    fact->id = TAKE(id);
    fact->store = store;
    fact->kind = request->kind;
    fact->argument = mem_strdup(request->argument);
    if (request->kind == FACT_IMAGE)
        add_image(fact, namespace, request);
    if (request->secret)
        fact->secret = bucket_secret_new(store->options.client, namespace, request->secret);
    fact->retry = (struct timer){ .fire = look_up_again, .context = fact };
    if (!tsearch(fact, &store->facts, compare_facts))
        mem_exhausted();
    return fact;
}

/* --- the end of a look-up ---------------------------------------------------------- */

static void start_waiting(struct fact_store *store);
static void want_lookup(struct fact *fact);

static void wake_users(const struct fact *fact, bool changed)
{
    for (struct fact_use *use = fact->users; use; use = use->next_of_fact) {
        bool answered = use->wanted_ms > 0 && use->wanted_ms <= fact->checked_ms;

        if (answered)
            use->wanted_ms = 0;
        if (answered || changed)
            fact->store->options.wake(fact->store->options.context, use->user->kind,
                                      use->user->key);
    }
}

/* The latest time that somebody still waits for; 0: nobody does. */
static int64_t wanted_ms(const struct fact *fact)
{
    int64_t latest_ms = 0;

    for (const struct fact_use *use = fact->users; use; use = use->next_of_fact)
        if (use->wanted_ms > latest_ms)
            latest_ms = use->wanted_ms;
    return latest_ms;
}

static bool is_other_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) != 0 : a != b;
}

static void set_text(char **text, const char *value)
{
    free(*text);
    *text = value ? mem_strdup(value) : NULL;
}

/* Whoever still waits gets another look-up: after a failure not at once. */
static void plan_next(struct fact *fact, const struct err *failure)
{
    struct fact_store *store = fact->store;

    if (failure)
        timer_set(store->options.timers, &fact->retry,
                  backoff_delay_ms(&RETRY_BACKOFF, fact->failures++, failure->retry_after_ms,
                                   &store->random));
    else if (wanted_ms(fact) > 0)
        want_lookup(fact);
}

static void give_place_back(struct fact *fact)
{
    fact->store->lookups -= fact->has_place;
    fact->has_place = false;
}

static void end_lookup(struct fact *fact, bool changed, const struct err *failure)
{
    struct fact_store *store = fact->store;
    int64_t took_ms = now_ms(store) - fact->pending_ms;

    fact->checked_ms = fact->pending_ms;
    fact->took_ms = took_ms > 0 ? took_ms : 0; /* the clock may have been set back */
    fact->pending_ms = 0;
    if (!failure)
        fact->failing_since_ms = fact->failures = 0;
    else if (fact->failing_since_ms == 0)
        fact->failing_since_ms = fact->checked_ms;
    give_place_back(fact);
    store->options.ended(store->options.context, fact->kind, fact->argument, failure);
    wake_users(fact, changed);
    plan_next(fact, failure);
    drop_if_unused(fact);
    start_waiting(store);
}

/* --- images -------------------------------------------------------------------------- */

static enum image_error image_error_of(const struct err *failure)
{
    if (!failure)
        return IMAGE_OK;
    if (strcmp(failure->reason, REASON_DigestUnresolvable) == 0)
        return IMAGE_UNRESOLVABLE;
    if (failure->kind == ERR_DENIED || strcmp(failure->reason, "PullSecretInvalid") == 0)
        return IMAGE_DENIED;
    if (failure->kind == ERR_NOT_FOUND || failure->kind == ERR_INVALID)
        return IMAGE_NOT_FOUND;
    return IMAGE_UNREACHABLE;
}

static void image_resolved(void *context, const char *digest, const struct err *failure)
{
    struct fact *fact = context;
    const char *message = failure ? failure->message : NULL;
    bool changed = fact->error != image_error_of(failure) ||
                   is_other_text(fact->message, message) ||
                   (digest && is_other_text(fact->value, digest));

    fact->error = image_error_of(failure);
    if (digest)
        set_text(&fact->value, digest); /* the last one known stays after a failure */
    set_text(&fact->message, message);
    end_lookup(fact, changed, failure);
}

/* Pods take long, and others want to ask registries meanwhile. */
static void image_is_probed(void *context)
{
    struct fact *fact = context;

    give_place_back(fact);
    start_waiting(fact->store);
}

/* --- folders --------------------------------------------------------------------------- */

static void swap_files(struct inbox_files *left, struct inbox_files *right)
{
    struct inbox_files files = *left;

    *left = *right;
    *right = files;
}

static void folder_listed(struct fact *fact, struct folder_answer *answer)
{
    const struct err *failure = answer->failure.kind == ERR_NONE ? NULL : &answer->failure;
    const char *message = failure ? failure->message : NULL;
    bool changed = is_other_text(fact->value, answer->newest_uri) ||
                   is_other_text(fact->generation, answer->generation) ||
                   is_other_text(fact->message, message);

    set_text(&fact->value, answer->newest_uri);
    set_text(&fact->generation, answer->generation);
    fact->bytes = answer->bytes;
    if (!failure) {
        changed |= inbox_files_follow(&answer->inbox, &fact->inbox, fact->pending_ms);
        swap_files(&answer->inbox, &fact->inbox);
    }
    set_text(&fact->message, message);
    end_lookup(fact, changed, failure);
}

static void secret_is_read(void *context, struct bucket_keys *take_keys, const struct err *failure)
{
    struct fact *fact = context;
    struct folder_answer answer = { .context = fact };

    if (failure) {
        answer.failure = *failure;
        folder_listed(fact, &answer);
    } else {
        folder_lister_ask(fact->store->lister, fact->argument, fact->question, take_keys, fact);
    }
}

void fact_store_poll(struct fact_store *store)
{
    struct folder_answer answer;

    while (folder_lister_take(store->lister, &answer)) {
        folder_listed(answer.context, &answer);
        folder_answer_release(&answer);
    }
}

/* --- pushes ------------------------------------------------------------------------------- */

struct push_walk {
    const char *object_uri;
    size_t count;
};

static void push_fact(const void *node, VISIT visit, void *context)
{
    struct fact *fact = *(struct fact *const *)node;
    struct push_walk *walk = context;
    int64_t now = now_ms(fact->store);

    if ((visit != leaf && visit != postorder) || fact->kind == FACT_IMAGE ||
        !push_concerns(walk->object_uri, fact->argument))
        return;
    /* A look-up that began in this very millisecond may have missed the object. */
    fact->pushed_ms = fact->pending_ms == now ? now + 1 : now;
    walk->count++;
    wake_users(fact, true);
}

size_t fact_store_push(struct fact_store *store, const char *object_uri)
{
    struct push_walk walk = { .object_uri = object_uri };

    twalk_r(store->facts, push_fact, &walk);
    return walk.count;
}

/* --- the begin of a look-up -------------------------------------------------------------- */

static void start_lookup(struct fact *fact)
{
    static const struct image_handler image_handler = { image_is_probed, image_resolved };
    struct fact_store *store = fact->store;

    fact->pending_ms = now_ms(store);
    fact->has_place = fact->kind == FACT_IMAGE;
    store->lookups += fact->has_place;
    if (fact->secret)
        bucket_secret_read(fact->secret, secret_is_read, fact);
    else if (fact->kind != FACT_IMAGE)
        folder_lister_ask(store->lister, fact->argument, fact->question, NULL, fact);
    else
        image_source_resolve(fact->image, &image_handler, fact);
}

static void start_waiting(struct fact_store *store)
{
    struct fact *fact;

    while (store->lookups < LOOKUPS_MAXIMUM && (fact = store->first)) {
        store->first = fact->line_next;
        fact->waiting_ms = 0;
        if (fact->users)
            start_lookup(fact);
        else
            drop_if_unused(fact);
    }
}

/* Puts an image in the line and asks for a folder, unless a look-up is under way or has to wait. A
 * volume that hangs keeps no image waiting. */
static void want_lookup(struct fact *fact)
{
    struct fact_store *store = fact->store;

    if (fact->waiting_ms || fact->pending_ms || fact->retry.position > 0)
        return;
    if (fact->kind != FACT_IMAGE) {
        start_lookup(fact);
        return;
    }
    fact->waiting_ms = now_ms(store);
    fact->line_next = NULL;
    *(store->first ? &store->last->line_next : &store->first) = fact;
    store->last = fact;
}

static void look_up_again(void *context)
{
    struct fact *fact = context;

    if (wanted_ms(fact) == 0)
        return;
    want_lookup(fact);
    start_waiting(fact->store);
}

/* --- users -------------------------------------------------------------------------------- */

static struct fact_use *find_use(const struct fact_user *user, const struct fact *fact)
{
    for (struct fact_use *use = user->uses; use; use = use->next_of_user)
        if (use->fact == fact)
            return use;
    return NULL;
}

static bool is_held_back(const struct fact *fact)
{
    return fact->kind == FACT_FOLDER && fact->retry.position > 0;
}

int64_t fact_checked_ms(const struct fact *fact)
{
    return is_held_back(fact) ? now_ms(fact->store) : fact->checked_ms;
}

static struct fact_use *add_use(struct fact_user *user, struct fact *fact)
{
    struct fact_use *use = mem_zero(1, sizeof(*use));

    *use = (struct fact_use){
        .fact = fact, .user = user, .next_of_fact = fact->users, .next_of_user = user->uses
    };
    use->place = &fact->users;
    if (fact->users)
        fact->users->place = &use->next_of_fact;
    fact->users = use;
    user->uses = use;
    return use;
}

static void remove_use(struct fact_use *take_use)
{
    struct fact *fact = take_use->fact;

    *take_use->place = take_use->next_of_fact;
    if (take_use->next_of_fact)
        take_use->next_of_fact->place = take_use->place;
    free(take_use);
    drop_if_unused(fact);
}

void fact_user_release(struct fact_user *user)
{
    while (user->uses) {
        struct fact_use *use = user->uses;

        user->uses = use->next_of_user;
        remove_use(use);
    }
}

/* Another question to the same folder: a view has one answer about each. The same image opened in
 * another way: it has two, the latest asked for, because a batch may open the trainer's image in
 * one way and the scorer's, which may be the same, in another. */
static void drop_others(struct fact_user *user, const struct fact *fact)
{
    struct fact_use **place = &user->uses;
    unsigned kept = fact->kind == FACT_IMAGE ? 2 : 1; /* the latest uses come first */

    while (*place) {
        struct fact_use *use = *place;
        bool is_other =
            use->fact->kind != fact->kind || strcmp(use->fact->argument, fact->argument) != 0;

        if (is_other || kept > 0) {
            kept -= !is_other;
            place = &use->next_of_user;
        } else {
            *place = use->next_of_user;
            remove_use(use);
        }
    }
}

bool fact_need(struct fact_store *store, struct fact_user *user, unsigned kind, const char *key,
               const struct fact_request *request)
{
    struct fact *fact = find_or_create(store, key, request);
    struct fact_use *use = find_use(user, fact);
    bool is_new = use == NULL;

    user->kind = kind;
    user->key = key;
    if (request->inbox) {
        inbox_question_free(fact->question);
        fact->question = inbox_question_copy(request->inbox);
    }
    if (request->kind == FACT_IMAGE)
        image_source_set_probe(fact->image, request->probe);
    if (is_new) {
        use = add_use(user, fact);
        drop_others(user, fact);
    }
    if (fact->checked_ms > 0 && fact->checked_ms >= request->newer_than_ms)
        return is_new; /* its view did not have it; a view that had it wants nothing more */
    use->wanted_ms = request->newer_than_ms > 0 ? request->newer_than_ms : 1;
    want_lookup(fact);
    start_waiting(store);
    return is_new && is_held_back(fact); /* what its view did not have is that it fails */
}

/* --- life ---------------------------------------------------------------------------------- */

struct fact_store *fact_store_new(const struct facts_options *options, struct err *err)
{
    struct folder_lister *lister = folder_lister_new(options->transport, &options->buckets, err);
    struct fact_store *store;

    if (!lister)
        return NULL;
    store = mem_zero(1, sizeof(*store));
    store->options = *options;
    store->lister = lister;
    store->resolver =
        image_resolver_new(&(struct image_resolver_options){ .client = options->client,
                                                             .transport = options->transport,
                                                             .clock = options->timers->clock,
                                                             .registries = options->registries,
                                                             .may_write = options->may_write,
                                                             .context = options->context });
    random_seed(&store->random, options->seed);
    return store;
}

static void free_node(void *object)
{
    free_fact(object);
}

void fact_store_free(struct fact_store *store)
{
    if (!store)
        return;
    tdestroy(store->facts, free_node);
    image_resolver_free(store->resolver);
    folder_lister_free(store->lister);
    free(store);
}
