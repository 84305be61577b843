#include "store/aws_credentials.h"

#include <pthread.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/uri.h"
#include "store/s3_answers.h"

enum {
    FILE_AGE_MS = 60 * 1000,
    BEFORE_END_MS = 5 * 60 * 1000,
    AGAIN_MS = 30 * 1000,    /* after a renewal that failed, while keys are good */
    AGENT_TIMEOUT_MS = 2000, /* it is on this machine, or is not there at all */
    AGENT_PATIENCE_MS = 5000,
    METADATA_TOKEN_S = 6 * 60 * 60, /* the longest there is */
};

struct aws_credentials {
    struct remote *remote;
    pthread_mutex_t lock;
    struct arena arena; /* of the keys */
    struct aws_keys keys;
    int64_t due_ms, end_ms; /* wall time; INT64_MAX: never */
};

/* What one place of keys gives. */
struct grant {
    struct arena *arena;
    struct aws_keys keys;
    int64_t end_ms;
};

struct aws_credentials *aws_credentials_new(struct remote *remote)
{
    struct aws_credentials *credentials = mem_zero(1, sizeof(*credentials));

    credentials->remote = remote;
    pthread_mutex_init(&credentials->lock, NULL);
    return credentials;
}

void aws_credentials_free(struct aws_credentials *credentials)
{
    if (!credentials)
        return;
    arena_release(&credentials->arena);
    pthread_mutex_destroy(&credentials->lock);
    free(credentials);
}

/* --- a web identity: STS -------------------------------------------------- */

/* https://docs.aws.amazon.com/general/latest/gr/sts.html */
static const char *sts_url(const struct aws_settings *settings, struct arena *arena)
{
    const char *region = settings->region;

    if (settings->sts_endpoint_url)
        return arena_format(arena, "%s/", settings->sts_endpoint_url);
    if (!region)
        return "https://sts.amazonaws.com/";
    return arena_format(arena, "https://sts.%s.amazonaws.com%s/", region,
                        strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

static int read_file(const struct remote *remote, const char *path, const char *what,
                     struct buf *text, struct err *err)
{
    buf_init(text, LIMIT_CREDENTIAL);
    if (remote_read_file(remote, path, text, err) < 0)
        return err_wrap(err, "%s", what);
    while (text->length > 0 && strchr("\r\n \t", text->data[text->length - 1]))
        text->data[--text->length] = '\0';
    return text->length > 0 ? 0 : err_set(err, ERR_INVALID, "%s %s is empty", what, path);
}

static int sts_form(const struct remote *remote, const struct aws_settings *settings,
                    struct buf *form, struct err *err)
{
    auto_buf struct buf token = { 0 };
    const char *session = settings->role_session_name;

    if (!settings->role_arn)
        return err_set(err, ERR_INVALID, "there is a web identity token file, but no AWS_ROLE_ARN");
    if (read_file(remote, settings->web_identity_token_file, "the web identity token", &token,
                  err) < 0)
        return -1;
    buf_init(form, 4 * LIMIT_CREDENTIAL);
    buf_string(form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=");
    uri_encode(form, span_of(settings->role_arn), false);
    buf_string(form, "&RoleSessionName=");
    uri_encode(form, span_of(session ? session : "churn-operator"), false);
    buf_string(form, "&WebIdentityToken=");
    uri_encode(form, (struct span){ token.data, token.length }, false);
    return 0;
}

static int read_sts_answer(struct span body, struct grant *grant, struct err *err)
{
    static const char root[] = "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/"
                               "Credentials/";
    const char *names[] = { "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration" };
    const char *texts[ARRAY_SIZE(names)];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *path = arena_format(grant->arena, "%s%s", root, names[i]);

        texts[i] = s3_read_text(body, path, grant->arena);
        if (!texts[i])
            return err_set(err, ERR_INVALID, "the answer of STS has no %s", names[i]);
    }
    grant->keys = (struct aws_keys){ texts[0], texts[1], texts[2] };
    return num_time_ms(span_of(texts[3]), &grant->end_ms, err) < 0
               ? err_wrap(err, "the answer of STS")
               : 0;
}

static int ask_sts(struct remote *remote, const struct aws_settings *settings, struct grant *grant,
                   struct err *err)
{
    static const struct http_header headers[] = {
        { "Content-Type", "application/x-www-form-urlencoded" }, { "Accept", "application/xml" }
    };
    auto_buf struct buf form = { 0 };
    auto_answer struct remote_answer answer = { 0 };

    if (sts_form(remote, settings, &form, err) < 0)
        return -1;
    struct remote_question question = {
        .what = arena_format(grant->arena, "AssumeRoleWithWebIdentity for %s", settings->role_arn),
        .right = "sts:AssumeRoleWithWebIdentity",
        .method = "POST",
        .url = sts_url(settings, grant->arena),
        .headers = headers,
        .header_count = ARRAY_SIZE(headers),
        .body = { form.data, form.length },
        .tls = &(struct tls_options){ .ca_pem = settings->ca_pem },
    };
    if (remote_ask(remote, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status != 200)
        return remote_fail(&question, &answer.reply, err);
    return read_sts_answer(answer.reply.body, grant, err);
}

/* --- JSON of a container's agent or the metadata server --------------------- */

static int read_json_keys(const char *what, struct span body, struct grant *grant, struct err *err)
{
    auto_json json_t *answer = jx_parse(body, LIMIT_CREDENTIAL, what, err);
    const char *names[] = { "AccessKeyId", "SecretAccessKey", "Token", "Expiration" };
    const char *texts[ARRAY_SIZE(names)];

    if (!answer)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *text = jx_string(answer, names[i], NULL);

        if (!text)
            return err_set(err, ERR_INVALID, "%s: the answer has no %s", what, names[i]);
        texts[i] = arena_strdup(grant->arena, text);
    }
    grant->keys = (struct aws_keys){ texts[0], texts[1], texts[2] };
    return num_time_ms(span_of(texts[3]), &grant->end_ms, err) < 0 ? err_wrap(err, "%s", what) : 0;
}

static int ask_container(struct remote *remote, const struct aws_settings *settings,
                         struct grant *grant, struct err *err)
{
    auto_answer struct remote_answer answer = { 0 };
    auto_buf struct buf token = { 0 };
    struct http_header header = { "Authorization", settings->container_token };

    if (settings->container_token_file) {
        if (read_file(remote, settings->container_token_file, "the container's token", &token,
                      err) < 0)
            return -1;
        header.value = buf_text(&token);
    }
    struct remote_question question = {
        .what = "the container's credentials",
        .method = "GET",
        .url = settings->container_url,
        .headers = &header,
        .header_count = header.value ? 1 : 0,
        .own_host = true,
        .timeout_ms = AGENT_TIMEOUT_MS,
        .patience_ms = AGENT_PATIENCE_MS,
    };
    if (remote_ask(remote, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status != 200)
        return remote_fail(&question, &answer.reply, err);
    return read_json_keys(question.what, answer.reply.body, grant, err);
}

/* One text of the metadata server. `token` NULL: the token itself is asked for. */
static int ask_metadata(struct remote *remote, const char *url, const char *token,
                        struct arena *arena, const char **ret_text, struct err *err)
{
    auto_answer struct remote_answer answer = { 0 };
    struct http_header header = { "X-aws-ec2-metadata-token", token };

    if (!token)
        header = (struct http_header){ "X-aws-ec2-metadata-token-ttl-seconds",
                                       arena_format(arena, "%d", METADATA_TOKEN_S) };
    struct remote_question question = {
        .what = "the instance's metadata server",
        .method = token ? "GET" : "PUT",
        .url = url,
        .headers = &header,
        .header_count = 1,
        .own_host = true,
        .timeout_ms = AGENT_TIMEOUT_MS,
        .patience_ms = AGENT_PATIENCE_MS,
    };
    if (remote_ask(remote, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status != 200)
        return remote_fail(&question, &answer.reply, err);
    *ret_text = arena_strndup(arena, answer.reply.body.data, answer.reply.body.length);
    return 0;
}

static int ask_instance(struct remote *remote, const struct aws_settings *settings,
                        struct grant *grant, struct err *err)
{
    struct arena *arena = grant->arena;
    const char *token = NULL, *role = NULL, *keys = NULL;
    const char *base = arena_format(arena, "%s/latest", settings->metadata_url);
    const char *list = arena_format(arena, "%s/meta-data/iam/security-credentials/", base);

    if (ask_metadata(remote, arena_format(arena, "%s/api/token", base), NULL, arena, &token, err) ||
        ask_metadata(remote, list, token, arena, &role, err))
        return -1;
    role = arena_strndup(arena, role, strcspn(role, "\r\n"));
    if (!*role || strpbrk(role, "/?#% "))
        return err_set(err, ERR_DENIED, "the instance has no role that gives keys");
    if (ask_metadata(remote, arena_format(arena, "%s%s", list, role), token, arena, &keys, err))
        return -1;
    return read_json_keys("the keys of the instance's role", span_of(keys), grant, err);
}

/* --- the order ------------------------------------------------------------ */

static int no_keys(struct err *err)
{
    return err_set(err, ERR_DENIED,
                   "there are no AWS keys: neither in AWS_ACCESS_KEY_ID, the shared credentials "
                   "file, a web identity nor a container's agent, and no metadata server answers "
                   "(in a pod it does with a hop limit of 2)");
}

static int obtain(struct remote *remote, struct grant *grant, struct err *err)
{
    struct aws_settings settings;
    struct err failure;

    if (aws_settings_read(remote, grant->arena, &settings, err) < 0)
        return -1;
    grant->end_ms = INT64_MAX;
    if (settings.keys.access_key_id) {
        grant->keys = settings.keys;
        return 0;
    }
    if (settings.web_identity_token_file)
        return ask_sts(remote, &settings, grant, err);
    if (settings.container_url)
        return ask_container(remote, &settings, grant, err);
    if (!settings.metadata_url)
        return no_keys(err);
    if (ask_instance(remote, &settings, grant, &failure) == 0)
        return 0;
    if (failure.kind == ERR_RETRY)
        return no_keys(err);
    *err = failure;
    return -1;
}

/* What is not found or refused where keys come from is not the object; and it may still come
 * right, as an identity takes a while to be known (remote.h). */
static int not_known(const struct err *why, struct err *err)
{
    *err = *why;
    if (why->kind == ERR_RETRY || why->kind == ERR_CANCELED || why->kind == ERR_DENIED)
        return -1;
    err_set(err, ERR_DENIED, "%s", why->message);
    err->http_status = 401;
    return -1;
}

static int renew(struct aws_credentials *credentials, int64_t now_ms, struct err *err)
{
    struct arena arena = { 0 };
    struct grant grant = { .arena = &arena };
    struct err failure = { 0 };

    if (obtain(credentials->remote, &grant, &failure) < 0) {
        arena_release(&arena);
        if (!credentials->keys.access_key_id || now_ms >= credentials->end_ms)
            return not_known(&failure, err);
        credentials->due_ms = now_ms + AGAIN_MS;
        return 0;
    }
    arena_release(&credentials->arena);
    credentials->arena = arena;
    credentials->keys = grant.keys;
    credentials->end_ms = grant.end_ms;
    credentials->due_ms = now_ms + FILE_AGE_MS;
    if (grant.end_ms != INT64_MAX && grant.end_ms - BEFORE_END_MS > credentials->due_ms)
        credentials->due_ms = grant.end_ms - BEFORE_END_MS;
    return 0;
}

int aws_credentials_get(struct aws_credentials *credentials, struct arena *arena,
                        struct aws_keys *ret_keys, struct err *err)
{
    int64_t now_ms = clock_wall_ms(remote_clock(credentials->remote));
    const struct aws_keys *keys = &credentials->keys;
    int result = 0;

    pthread_mutex_lock(&credentials->lock);
    if (!keys->access_key_id || now_ms >= credentials->due_ms)
        result = renew(credentials, now_ms, err);
    if (result == 0)
        *ret_keys = (struct aws_keys){
            arena_strdup(arena, keys->access_key_id),
            arena_strdup(arena, keys->secret_access_key),
            keys->session_token ? arena_strdup(arena, keys->session_token) : NULL,
        };
    pthread_mutex_unlock(&credentials->lock);
    return result;
}

void aws_credentials_expire(struct aws_credentials *credentials)
{
    pthread_mutex_lock(&credentials->lock);
    credentials->due_ms = credentials->end_ms = 0;
    pthread_mutex_unlock(&credentials->lock);
}
