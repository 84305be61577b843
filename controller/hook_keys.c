#include "hook_keys.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "base/uri.h"
#include "net/proxy.h"

#define FETCH_MS      10000
#define AGE_MINIMUM_S 300
#define AGE_DEFAULT_S 3600
#define AGE_MAXIMUM_S 86400

struct hook_keys {
    struct hook_keys_options options;
    struct jwt_keys *keys; /* NULL: never fetched, or too long ago */
    int64_t tried_ms;      /* when the last fetch began; 0: none did */
    int64_t fresh_until_ms, usable_until_ms;
    struct err failure; /* of the last fetch */
    struct http_call *call;
    struct hook_keys_wait *waits;
    struct hook_keys_stats stats;
};

static int64_t now_ms(const struct hook_keys *keys)
{
    return clock_monotonic_ms(keys->options.clock);
}

/* --- waiting ---------------------------------------------------------------------- */

void hook_keys_cancel(struct hook_keys_wait *wait)
{
    if (!wait->place)
        return;
    *wait->place = wait->next;
    if (wait->next)
        wait->next->place = wait->place;
    wait->place = NULL;
}

static void queue(struct hook_keys *keys, struct hook_keys_wait *wait)
{
    wait->next = keys->waits;
    wait->place = &keys->waits;
    if (keys->waits)
        keys->waits->place = &wait->next;
    keys->waits = wait;
}

static void answer(const struct hook_keys *keys, struct hook_keys_wait *wait)
{
    wait->done(wait, keys->keys, keys->keys ? NULL : &keys->failure);
}

static void answer_all(struct hook_keys *keys)
{
    struct hook_keys_wait *wait;

    while ((wait = keys->waits)) {
        hook_keys_cancel(wait);
        answer(keys, wait);
    }
}

/* --- fetching --------------------------------------------------------------------- */

/* RFC 9111, 5.2: "public, max-age=19000, must-revalidate". */
static int64_t age_s(const struct http_reply *reply)
{
    static const char name[] = "max-age=";
    const char *control = http_reply_header(reply, "Cache-Control");
    const char *found = control ? strstr(control, name) : NULL;
    int64_t seconds;

    if (!found)
        return AGE_DEFAULT_S;
    found += strlen(name);
    if (num_int64((struct span){ found, strspn(found, "0123456789") }, AGE_MINIMUM_S, AGE_MAXIMUM_S,
                  &seconds, NULL) < 0)
        return AGE_DEFAULT_S;
    return seconds;
}

static int take_keys(struct hook_keys *keys, const struct http_reply *reply, struct err *err)
{
    struct jwt_keys *fetched;

    if (http_reply_check(reply, keys->options.url, err) < 0)
        return -1;
    fetched = jwt_keys_parse(reply->body, err);
    if (!fetched)
        return err_wrap(err, "%s", keys->options.url);
    jwt_keys_free(keys->keys);
    keys->keys = fetched;
    keys->fresh_until_ms = keys->tried_ms + 1000 * age_s(reply);
    keys->usable_until_ms = keys->tried_ms + 1000 * (int64_t)AGE_MAXIMUM_S;
    return 0;
}

static void fetched(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct hook_keys *keys = context;
    struct err err;

    keys->call = NULL;
    if (failure)
        err = *failure;
    if (failure || take_keys(keys, reply, &err) < 0) {
        keys->failure = err;
        keys->stats.failures++;
        log_failure(LOG_WARNING, "the keys of pushes cannot be fetched", &err);
    }
    answer_all(keys);
}

/* An issuer on this machine is one that an administrator named; any other URL must not lead here.
 */
static enum host_guard guard_of(const char *text)
{
    struct url url;

    return url_parse(text, &url, NULL) == 0 && proxy_is_loopback(url.host) ? HOST_ANY : HOST_PUBLIC;
}

static void fetch(struct hook_keys *keys)
{
    static const struct http_handler handler = { .on_done = fetched };

    keys->tried_ms = now_ms(keys);
    keys->stats.fetches++;
    keys->call = transport_start(keys->options.transport,
                                 &(struct http_request){ .method = "GET",
                                                         .url = keys->options.url,
                                                         .timeout_ms = FETCH_MS,
                                                         .maximum_body = LIMIT_JWKS,
                                                         .guard = guard_of(keys->options.url) },
                                 &handler, keys);
}

/* What there is may be too old, or lack this key; then it is worth another try after a pause. */
static bool is_wanting(const struct hook_keys *keys, const char *key_id)
{
    bool is_good =
        keys->keys && now_ms(keys) < keys->fresh_until_ms && jwt_keys_have(keys->keys, key_id);

    return !is_good && (keys->tried_ms == 0 || now_ms(keys) >= keys->tried_ms + HOOK_KEYS_PAUSE_MS);
}

void hook_keys_ask(struct hook_keys *keys, struct hook_keys_wait *wait)
{
    wait->place = NULL;
    if (keys->keys && now_ms(keys) >= keys->usable_until_ms) {
        jwt_keys_free(keys->keys);
        keys->keys = NULL;
    }
    if (!keys->call && is_wanting(keys, wait->key_id))
        fetch(keys);
    if (keys->call && !(keys->keys && jwt_keys_have(keys->keys, wait->key_id)))
        queue(keys, wait);
    else
        answer(keys, wait);
}

/* --- life --------------------------------------------------------------------------- */

struct hook_keys *hook_keys_new(const struct hook_keys_options *options)
{
    struct hook_keys *keys = mem_zero(1, sizeof(*keys));

    keys->options = *options;
    (void)err_set(&keys->failure, ERR_RETRY, "%s: not fetched yet", options->url);
    return keys;
}

void hook_keys_free(struct hook_keys *keys)
{
    if (!keys)
        return;
    transport_cancel(keys->options.transport, keys->call);
    jwt_keys_free(keys->keys);
    free(keys);
}

void hook_keys_stats(const struct hook_keys *keys, struct hook_keys_stats *ret_stats)
{
    *ret_stats = keys->stats;
}
