#include "oci/registry.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/uri.h"
#include "oci/challenge.h"
#include "oci/cloud.h"
#include "oci/docker_config.h"
#include "oci/failure.h"
#include "oci/reference.h"
#include "oci/token_cache.h"

enum {
    REQUEST_TIMEOUT_MS = 30000,
    REDIRECTS = 3,
    TOKENS_KEPT = 256,
    TOKEN_SECONDS = 60,       /* when expires_in is missing, as the specification says */
    TOKEN_SECONDS_LEAST = 10, /* so long before its end a token is not used any more */
};

/* Google's registries take an access token as this user's password. */
#define GOOGLE_USER "oauth2accesstoken"

static const char manifest_types[] = "application/vnd.oci.image.index.v1+json, "
                                     "application/vnd.docker.distribution.manifest.list.v2+json, "
                                     "application/vnd.oci.image.manifest.v1+json, "
                                     "application/vnd.docker.distribution.manifest.v2+json";

struct registry {
    struct registry_options options;
    struct token_cache tokens;
    struct registry_lookup *lookups;
};

struct registry_lookup {
    struct registry *registry;
    registry_callback callback;
    void *context;
    struct arena arena;
    const char *text; /* of the reference */
    struct reference reference;
    const struct docker_auth **auths; /* to try; none: anonymous */
    size_t auth_count, auth_index;
    enum tried tried;           /* whose credentials auths are */
    bool google_asked;          /* for a token, once */
    struct google_wait *google; /* NULL: not waiting for it */
    struct err refusal;         /* meanwhile: why the others did not do */
    const char *method;         /* HEAD, or GET when HEAD told no digest */
    const char *authorization;  /* NULL: none yet */
    struct token_key token_key;
    bool token_from_cache;
    struct http_call *call;
    struct registry_lookup *next, *previous;
};

static void ask_manifest(struct registry_lookup *lookup);

/* --- the end --- */

static void lookup_free(struct registry_lookup *lookup)
{
    if (lookup->previous)
        lookup->previous->next = lookup->next;
    else
        lookup->registry->lookups = lookup->next;
    if (lookup->next)
        lookup->next->previous = lookup->previous;
    arena_release(&lookup->arena);
    free(lookup);
}

static void finish(struct registry_lookup *lookup, const char *digest, const struct err *failure)
{
    registry_callback callback = lookup->callback;
    void *context = lookup->context;
    auto_free char *copy = digest ? mem_strdup(digest) : NULL;

    lookup_free(lookup);
    callback(context, copy, failure);
}

static void finish_failed(struct registry_lookup *lookup, const struct err *failure)
{
    struct err err = *failure;

    registry_explain(&err, &lookup->reference, lookup->tried);
    err_wrap(&err, "image %s", lookup->text);
    finish(lookup, NULL, &err);
}

/* --- requests --- */

static bool is_insecure(const struct registry *registry, const char *host)
{
    for (size_t i = 0; i < registry->options.insecure.count; i++)
        if (strcasecmp(registry->options.insecure.items[i], host) == 0)
            return true;
    return false;
}

static void send_request(struct registry_lookup *lookup, const char *method, const char *url,
                         bool insecure, const char *accept, const char *authorization,
                         void (*on_done)(void *, const struct http_reply *, const struct err *))
{
    const struct http_header headers[] = {
        { "Accept", accept },
        { "Authorization", authorization },
    };
    struct http_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .header_count = authorization ? 2 : 1,
        .tls = lookup->registry->options.tls,
        .timeout_ms = REQUEST_TIMEOUT_MS,
        .maximum_body = LIMIT_REGISTRY_BODY,
        .guard = insecure ? HOST_ANY : HOST_PUBLIC,
        .maximum_redirects = REDIRECTS,
    };

    lookup->call = transport_start(lookup->registry->options.transport, &request,
                                   &(struct http_handler){ .on_done = on_done }, lookup);
}

static const struct docker_auth *current_auth(const struct registry_lookup *lookup)
{
    return lookup->auth_count > 0 ? lookup->auths[lookup->auth_index] : NULL;
}

/* "Basic <base64 of user:password>" */
static const char *basic_authorization(struct registry_lookup *lookup,
                                       const struct docker_auth *auth)
{
    auto_buf struct buf text = { 0 };
    const char *plain = arena_format(&lookup->arena, "%s:%s", auth->username, auth->password);

    buf_init(&text, 2 * LIMIT_CREDENTIAL);
    buf_string(&text, "Basic ");
    base64_encode(&text, span_of(plain));
    return arena_strdup(&lookup->arena, buf_text(&text));
}

static void on_google_token(void *context, const char *token, const struct err *failure)
{
    struct registry_lookup *lookup = context;
    struct docker_auth *auth;

    lookup->google = NULL;
    if (failure) {
        err_append(&lookup->refusal, "%s", failure->message);
        finish_failed(lookup, &lookup->refusal);
        return;
    }
    lookup->tried = TRIED_GOOGLE_ACCOUNT;
    auth = arena_zero(&lookup->arena, 1, sizeof(*auth));
    *auth = (struct docker_auth){ .username = GOOGLE_USER,
                                  .password = arena_strdup(&lookup->arena, token) };
    lookup->auths = arena_zero(&lookup->arena, 1, sizeof(struct docker_auth *));
    lookup->auths[0] = auth;
    lookup->auth_count = 1;
    lookup->auth_index = 0;
    lookup->authorization = NULL;
    ask_manifest(lookup);
}

static bool may_be_google(const struct registry_lookup *lookup)
{
    const char *host = lookup->reference.host;

    return lookup->registry->options.google && !lookup->google_asked &&
           cloud_of_host(host) == CLOUD_GOOGLE && !is_insecure(lookup->registry, host);
}

/* This credential did not do: the next one, or the failure. */
static void try_next_auth(struct registry_lookup *lookup, const struct err *failure)
{
    if (lookup->auth_index + 1 < lookup->auth_count) {
        lookup->auth_index++;
        lookup->authorization = NULL;
        ask_manifest(lookup);
    } else if (may_be_google(lookup)) {
        lookup->refusal = *failure;
        lookup->google_asked = true;
        lookup->google =
            google_token_get(lookup->registry->options.google, on_google_token, lookup);
    } else {
        if (lookup->tried == TRIED_GOOGLE_ACCOUNT && failure->http_status == 401)
            google_token_reject(lookup->registry->options.google);
        finish_failed(lookup, failure);
    }
}

/* --- tokens --- */

static void use_token(struct registry_lookup *lookup, const char *token, bool from_cache)
{
    lookup->authorization = arena_format(&lookup->arena, "Bearer %s", token);
    lookup->token_from_cache = from_cache;
    ask_manifest(lookup);
}

/* {"token" or "access_token": "...", "expires_in": 300} */
static int take_token(struct registry_lookup *lookup, const struct http_reply *reply,
                      const char **ret_token, struct err *err)
{
    struct registry *registry = lookup->registry;
    auto_json json_t *body = jx_parse(reply->body, LIMIT_CREDENTIAL, "answer of the realm", err);
    const char *token = jx_string(body, "token", NULL);
    int64_t seconds = jx_int(body, "expires_in", TOKEN_SECONDS);

    if (!body)
        return -1;
    if (!token)
        token = jx_string(body, "access_token", NULL);
    if (!token || !*token)
        return err_set(err, ERR_INVALID, "the answer of the realm %s has no token",
                       lookup->token_key.realm);
    *ret_token = arena_strdup(&lookup->arena, token);
    if (seconds > TOKEN_SECONDS_LEAST && seconds < INT32_MAX)
        token_cache_put(&registry->tokens, &lookup->token_key, token,
                        clock_monotonic_ms(registry->options.clock) +
                            (seconds - TOKEN_SECONDS_LEAST) * 1000);
    return 0;
}

static void on_token(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct registry_lookup *lookup = context;
    auto_free char *what = mem_format("token from %s", lookup->token_key.realm);
    const char *token;
    struct err err = { 0 };

    lookup->call = NULL;
    if (failure)
        finish_failed(lookup, failure);
    else if (http_reply_check(reply, what, &err) < 0 && err.kind == ERR_DENIED)
        try_next_auth(lookup, &err);
    else if (err.kind != ERR_NONE || take_token(lookup, reply, &token, &err) < 0)
        finish_failed(lookup, &err);
    else
        use_token(lookup, token, false);
}

static void append_parameter(struct buf *url, const char *name, const char *value)
{
    if (!value)
        return;
    buf_format(url, "%c%s=", strchr(buf_text(url), '?') ? '&' : '?', name);
    uri_encode(url, span_of(value), false);
}

/* The realm comes from the registry: it gets credentials only over https, and may
 * not lead to this machine, unless it is on the insecure list itself. */
static int check_realm(struct registry_lookup *lookup, const char *realm, bool *ret_insecure,
                       struct err *err)
{
    struct url url;

    if (url_parse(realm, &url, err) < 0)
        return err_wrap(err, "realm of the registry");
    size_t length = strcspn(strstr(realm, "://") + 3, "/?");
    const char *host = arena_strndup(&lookup->arena, strstr(realm, "://") + 3, length);
    *ret_insecure = is_insecure(lookup->registry, host);
    if (!url.https && !*ret_insecure)
        return err_set(err, ERR_DENIED, "the realm %s of the registry is not https", realm);
    if (lookup->tried == TRIED_GOOGLE_ACCOUNT &&
        (*ret_insecure || cloud_of_host(host) != CLOUD_GOOGLE))
        return err_set(err, ERR_DENIED, "the realm %s of the registry is not Google's", realm);
    return 0;
}

static void ask_token(struct registry_lookup *lookup, const struct challenge *challenge)
{
    struct registry *registry = lookup->registry;
    const struct docker_auth *auth = current_auth(lookup);
    const char *scope = challenge->scope;
    bool insecure;
    struct err err;

    if (!scope)
        scope = arena_format(&lookup->arena, "repository:%s:pull", lookup->reference.repository);
    lookup->token_key =
        (struct token_key){ challenge->realm, challenge->service, scope,
                            auth ? auth->username : NULL, auth ? auth->password : NULL };
    if (check_realm(lookup, challenge->realm, &insecure, &err) < 0) {
        finish_failed(lookup, &err);
        return;
    }
    const char *kept = token_cache_get(&registry->tokens, &lookup->token_key,
                                       clock_monotonic_ms(registry->options.clock));
    if (kept) {
        use_token(lookup, kept, true);
        return;
    }
    auto_buf struct buf url = { 0 };
    buf_init(&url, LIMIT_URL);
    buf_string(&url, challenge->realm);
    append_parameter(&url, "service", challenge->service);
    append_parameter(&url, "scope", scope);
    if (buf_check(&url, "the URL for a token", &err) < 0) {
        finish_failed(lookup, &err);
        return;
    }
    send_request(lookup, "GET", buf_text(&url), insecure, "application/json",
                 auth ? basic_authorization(lookup, auth) : NULL, on_token);
}

/* --- manifests --- */

static int read_challenges(struct registry_lookup *lookup, const struct http_reply *reply,
                           struct challenge *ret_challenge, struct err *err)
{
    *ret_challenge = (struct challenge){ 0 };
    for (size_t i = 0; i < reply->header_count; i++)
        if (strcasecmp(reply->headers[i].name, "WWW-Authenticate") == 0 &&
            challenge_add(reply->headers[i].value, &lookup->arena, ret_challenge, err) < 0)
            return -1;
    return 0;
}

/* 401 without authorization: do what the registry asks for. */
static void authorize(struct registry_lookup *lookup, const struct http_reply *reply,
                      const struct err *refusal)
{
    const struct docker_auth *auth = current_auth(lookup);
    struct challenge challenge;
    struct err err;

    if (read_challenges(lookup, reply, &challenge, &err) < 0) {
        finish_failed(lookup, &err);
    } else if (auth && !auth->username) {
        err_reason(
            &err, ERR_UNSUPPORTED, "PullSecretInvalid",
            "the pull secret for %s holds an identitytoken: username and password are needed",
            auth->host);
        try_next_auth(lookup, &err);
    } else if (challenge.bearer && challenge.realm) {
        ask_token(lookup, &challenge);
    } else if (challenge.basic && auth) {
        lookup->authorization = basic_authorization(lookup, auth);
        ask_manifest(lookup);
    } else {
        try_next_auth(lookup, refusal);
    }
}

static void on_refused(struct registry_lookup *lookup, const struct http_reply *reply,
                       const struct err *err)
{
    if (reply->status == 401 && !lookup->authorization) {
        authorize(lookup, reply, err);
    } else if (reply->status == 401 && lookup->token_from_cache) {
        /* revoked before its time: once more with a fresh one */
        token_cache_drop(&lookup->registry->tokens, &lookup->token_key);
        lookup->token_from_cache = false;
        lookup->authorization = NULL;
        ask_manifest(lookup);
    } else if (err->kind == ERR_DENIED || err->kind == ERR_NOT_FOUND) {
        try_next_auth(lookup, err);
    } else {
        finish_failed(lookup, err);
    }
}

/* The header's digest, else (GET) that of the bytes; NULL: neither. */
static const char *digest_of(struct registry_lookup *lookup, const struct http_reply *reply)
{
    const char *digest = http_reply_header(reply, "Docker-Content-Digest");
    char hex[SHA256_HEX];

    if (digest && reference_is_digest(digest))
        return digest;
    if (strcmp(lookup->method, "GET") != 0 || reply->body.length == 0)
        return NULL;
    sha256_of(reply->body, hex);
    return arena_format(&lookup->arena, "sha256:%s", hex);
}

/* Statuses by which registries, and what stands before them, refuse HEAD rather than the image. */
static bool refuses_method(int status)
{
    return status == 400 || status == 403 || status == 405 || status == 406 || status == 415 ||
           status == 501;
}

static void on_manifest(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct registry_lookup *lookup = context;
    bool is_head = strcmp(lookup->method, "HEAD") == 0;
    const char *digest;
    struct err err = { 0 };

    lookup->call = NULL;
    if (failure) {
        finish_failed(lookup, failure);
    } else if (http_reply_check(reply, lookup->reference.host, &err) == 0) {
        digest = digest_of(lookup, reply);
        if (digest) {
            finish(lookup, digest, NULL);
        } else if (is_head) {
            lookup->method = "GET";
            ask_manifest(lookup);
        } else {
            err_set(&err, ERR_INVALID, "%s: the manifest is empty", lookup->reference.host);
            finish_failed(lookup, &err);
        }
    } else if (is_head && refuses_method(reply->status)) {
        lookup->method = "GET";
        ask_manifest(lookup);
    } else {
        on_refused(lookup, reply, &err);
    }
}

static void ask_manifest(struct registry_lookup *lookup)
{
    const struct reference *reference = &lookup->reference;
    bool insecure = is_insecure(lookup->registry, reference->host);
    auto_free char *url = mem_format("%s://%s/v2/%s/manifests/%s", insecure ? "http" : "https",
                                     reference->host, reference->repository, reference->tag);

    send_request(lookup, lookup->method, url, insecure, manifest_types, lookup->authorization,
                 on_manifest);
}

/* --- look-ups --- */

static int collect_auths(struct registry_lookup *lookup, const struct span *secrets, size_t count,
                         struct err *err)
{
    struct arena *arena = &lookup->arena;

    for (size_t i = 0; i < count; i++) {
        struct docker_config config;

        if (docker_config_parse(secrets[i], arena, &config, err) < 0)
            return err_reason(err, ERR_INVALID, "PullSecretInvalid", "%s", err->message);
        const struct docker_auth **auths =
            arena_zero(arena, lookup->auth_count + config.count, sizeof(struct docker_auth *));
        for (size_t j = 0; j < lookup->auth_count; j++)
            auths[j] = lookup->auths[j];
        for (size_t j = 0; j < config.count; j++)
            if (docker_auth_matches(&config.auths[j], lookup->reference.domain,
                                    lookup->reference.repository))
                auths[lookup->auth_count++] = &config.auths[j];
        lookup->auths = auths;
    }
    lookup->tried = lookup->auth_count > 0 ? TRIED_PULL_SECRETS : TRIED_NOTHING;
    return 0;
}

static struct registry_lookup *lookup_new(struct registry *registry, const char *text,
                                          registry_callback callback, void *context)
{
    struct registry_lookup *lookup = mem_zero(1, sizeof(*lookup));

    lookup->registry = registry;
    lookup->callback = callback;
    lookup->context = context;
    lookup->text = arena_strdup(&lookup->arena, text);
    lookup->method = "HEAD";
    lookup->next = registry->lookups;
    if (registry->lookups)
        registry->lookups->previous = lookup;
    registry->lookups = lookup;
    return lookup;
}

struct registry_lookup *registry_resolve(struct registry *registry, const char *reference,
                                         const struct span *pull_secrets, size_t secret_count,
                                         registry_callback callback, void *context)
{
    struct registry_lookup *lookup = lookup_new(registry, reference, callback, context);
    struct err err;

    if (reference_parse(reference, &lookup->arena, &lookup->reference, &err) < 0) {
        finish(lookup, NULL, &err);
        return NULL;
    }
    if (lookup->reference.digest) {
        finish(lookup, lookup->reference.digest, NULL);
        return NULL;
    }
    if (collect_auths(lookup, pull_secrets, secret_count, &err) < 0) {
        finish_failed(lookup, &err);
        return NULL;
    }
    ask_manifest(lookup);
    return lookup;
}

void registry_cancel(struct registry_lookup *lookup)
{
    if (!lookup)
        return;
    google_token_cancel(lookup->google);
    transport_cancel(lookup->registry->options.transport, lookup->call);
    lookup_free(lookup);
}

struct registry *registry_new(const struct registry_options *options)
{
    struct registry *registry = mem_zero(1, sizeof(*registry));
    const char **insecure = mem_zero(options->insecure.count + 1, sizeof(char *));

    registry->options = *options;
    for (size_t i = 0; i < options->insecure.count; i++)
        insecure[i] = mem_strdup(options->insecure.items[i]);
    registry->options.insecure.items = insecure;
    token_cache_init(&registry->tokens, TOKENS_KEPT);
    return registry;
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    while (registry->lookups)
        registry_cancel(registry->lookups);
    token_cache_release(&registry->tokens);
    for (size_t i = 0; i < registry->options.insecure.count; i++)
        free((char *)(uintptr_t)registry->options.insecure.items[i]);
    free(registry->options.insecure.items);
    free(registry);
}
