#include "net/google_token.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

enum {
    REQUEST_TIMEOUT_MS = 5000, /* it is on the same machine, or nowhere */
    SECONDS_LEAST = 60,        /* so long before its end a token is not used any more */
};

struct google_tokens {
    struct google_tokens_options options;
    char *url, *token;
    int64_t expires_ms;
    struct http_call *call;
    struct google_wait *waits;
};

struct google_wait {
    struct google_tokens *tokens;
    google_token_callback callback;
    void *context;
    bool due; /* the answer is being told */
    struct google_wait *next;
};

struct google_tokens *google_tokens_new(const struct google_tokens_options *options)
{
    struct google_tokens *tokens = mem_zero(1, sizeof(*tokens));
    const char *host = options->metadata_host && *options->metadata_host ? options->metadata_host
                                                                         : GOOGLE_METADATA_HOST;

    tokens->options = *options;
    tokens->url =
        mem_format("http://%s/computeMetadata/v1/instance/service-accounts/default/token", host);
    return tokens;
}

static void forget(struct google_tokens *tokens)
{
    if (tokens->token)
        explicit_bzero(tokens->token, strlen(tokens->token));
    free(tokens->token);
    tokens->token = NULL;
}

void google_token_reject(struct google_tokens *tokens)
{
    forget(tokens);
}

void google_tokens_free(struct google_tokens *tokens)
{
    if (!tokens)
        return;
    while (tokens->waits)
        google_token_cancel(tokens->waits);
    forget(tokens);
    free(tokens->url);
    free(tokens);
}

/* --- the answer --- */

/* {"access_token": "...", "expires_in": 3599, "token_type": "Bearer"}. The header tells a metadata
 * server from whoever else answers under its name. */
static int take_token(struct google_tokens *tokens, const struct http_reply *reply, struct err *err)
{
    const char *flavor = http_reply_header(reply, "Metadata-Flavor");
    auto_json json_t *body = NULL;

    if (http_reply_check(reply, "metadata server", err) < 0)
        return -1;
    if (!flavor || strcmp(flavor, "Google") != 0)
        return err_set(err, ERR_INVALID, "%s is no metadata server of Google", tokens->url);
    body = jx_parse(reply->body, LIMIT_CREDENTIAL, "answer of the metadata server", err);
    if (!body)
        return -1;

    const char *token = jx_string(body, "access_token", NULL);
    int64_t seconds = jx_int(body, "expires_in", 0);
    if (!token || !*token || token[strcspn(token, " \r\n")] || seconds < 0 || seconds > INT32_MAX)
        return err_set(err, ERR_INVALID, "the answer of the metadata server holds no token");
    forget(tokens);
    tokens->token = mem_strdup(token);
    tokens->expires_ms =
        clock_monotonic_ms(tokens->options.clock) + (seconds - SECONDS_LEAST) * 1000;
    return 0;
}

/* Tells all who waited for this answer; who asks again meanwhile waits for another one. */
static void tell(struct google_tokens *tokens, const char *token, const struct err *failure)
{
    struct google_wait **place = &tokens->waits;

    for (struct google_wait *wait = tokens->waits; wait; wait = wait->next)
        wait->due = true;
    while (*place) {
        struct google_wait *wait = *place, told = *wait;

        if (!wait->due) {
            place = &wait->next;
            continue;
        }
        *place = wait->next;
        free(wait);
        told.callback(told.context, token, failure);
        place = &tokens->waits; /* the callback may have changed the list */
    }
}

static void on_token(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct google_tokens *tokens = context;
    struct err err = { 0 };

    tokens->call = NULL;
    if (failure || take_token(tokens, reply, &err) < 0) {
        err = failure ? *failure : err;
        err_wrap(&err, "no token of a Google service account");
        tell(tokens, NULL, &err);
        return;
    }
    auto_free char *token = mem_strdup(tokens->token); /* a callback may reject it */
    tell(tokens, token, NULL);
    explicit_bzero(token, strlen(token));
}

/* --- the request --- */

static void ask(struct google_tokens *tokens)
{
    static const struct http_header headers[] = { { "Metadata-Flavor", "Google" } };
    struct http_request request = {
        .method = "GET",
        .url = tokens->url,
        .headers = headers,
        .header_count = ARRAY_SIZE(headers),
        .timeout_ms = REQUEST_TIMEOUT_MS,
        .maximum_body = LIMIT_CREDENTIAL,
        .guard = HOST_ANY,
    };

    tokens->call = transport_start(tokens->options.transport, &request,
                                   &(struct http_handler){ .on_done = on_token }, tokens);
}

struct google_wait *google_token_get(struct google_tokens *tokens, google_token_callback callback,
                                     void *context)
{
    if (tokens->token && clock_monotonic_ms(tokens->options.clock) < tokens->expires_ms) {
        auto_free char *token = mem_strdup(tokens->token);
        callback(context, token, NULL);
        explicit_bzero(token, strlen(token));
        return NULL;
    }
    struct google_wait *wait = mem_zero(1, sizeof(*wait));
    *wait = (struct google_wait){
        .tokens = tokens, .callback = callback, .context = context, .next = tokens->waits
    };
    tokens->waits = wait;
    if (!tokens->call)
        ask(tokens);
    return wait;
}

void google_token_cancel(struct google_wait *wait)
{
    struct google_wait **place;

    if (!wait)
        return;
    for (place = &wait->tokens->waits; *place != wait;)
        place = &(*place)->next;
    *place = wait->next;
    if (!wait->tokens->waits) {
        transport_cancel(wait->tokens->options.transport, wait->tokens->call);
        wait->tokens->call = NULL;
    }
    free(wait);
}
