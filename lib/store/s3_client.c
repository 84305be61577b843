#include "store/s3_client.h"

#include <pthread.h>

#include "base/limits.h"
#include "base/sha256.h"
#include "base/uri.h"
#include "store/s3_address.h"
#include "store/sigv4.h"

enum {
    REGIONS_MAXIMUM = 4, /* that a bucket is looked for in */
    REGION_TEXT = 64,
};

struct s3_client {
    struct remote *remote;
    struct arena arena; /* of the settings */
    struct aws_settings settings;
    struct tls_options tls;
    struct aws_credentials *credentials;
};

struct s3_bucket {
    struct s3_client *client;
    char *name;
    struct remote_signer signer;
    pthread_mutex_t mutex; /* of what follows */
    char region[REGION_TEXT];
};

/* --- life ----------------------------------------------------------------- */

struct s3_client *s3_client_new(struct remote *remote, struct err *err)
{
    struct s3_client *client = mem_zero(1, sizeof(*client));

    client->remote = remote;
    client->credentials = aws_credentials_new(remote);
    if (aws_settings_read(remote, &client->arena, &client->settings, err) < 0) {
        s3_client_free(client);
        return NULL;
    }
    client->tls = (struct tls_options){ .ca_pem = client->settings.ca_pem };
    return client;
}

void s3_client_free(struct s3_client *client)
{
    if (!client)
        return;
    aws_credentials_free(client->credentials);
    arena_release(&client->arena);
    free(client);
}

static int sign(void *context, const struct http_request *request, bool refused,
                struct arena *arena, struct http_header *ret_headers, size_t *ret_count,
                struct err *err);

struct s3_bucket *s3_bucket_new(struct s3_client *client, struct span name)
{
    struct s3_bucket *bucket = mem_zero(1, sizeof(*bucket));
    const char *region = client->settings.region;

    bucket->client = client;
    bucket->name = mem_strndup(name.data, name.length);
    bucket->signer = (struct remote_signer){ sign, bucket };
    pthread_mutex_init(&bucket->mutex, NULL);
    snprintf(bucket->region, sizeof(bucket->region), "%s", region ? region : "us-east-1");
    return bucket;
}

void s3_bucket_free(struct s3_bucket *bucket)
{
    if (!bucket)
        return;
    pthread_mutex_destroy(&bucket->mutex);
    free(bucket->name);
    free(bucket);
}

const char *s3_bucket_name(const struct s3_bucket *bucket)
{
    return bucket->name;
}

struct remote *s3_bucket_remote(const struct s3_bucket *bucket)
{
    return bucket->client->remote;
}

static const char *region_of(struct s3_bucket *bucket, struct arena *arena)
{
    pthread_mutex_lock(&bucket->mutex);
    const char *region = arena_strdup(arena, bucket->region);
    pthread_mutex_unlock(&bucket->mutex);
    return region;
}

/* --- signing -------------------------------------------------------------- */

/* Over TLS what is put with a checksum of its own needs no second one: TLS keeps the bytes, and the
 * signature covers the header that has the checksum. */
static bool needs_hash(const struct http_request *request)
{
    if (strncmp(request->url, "https://", strlen("https://")) != 0 ||
        strcmp(request->method, "PUT") != 0)
        return true;
    for (size_t i = 0; i < request->header_count; i++)
        if (strcmp(request->headers[i].name, "x-amz-checksum-crc32c") == 0)
            return false;
    return true;
}

static int sign(void *context, const struct http_request *request, bool refused,
                struct arena *arena, struct http_header *ret_headers, size_t *ret_count,
                struct err *err)
{
    struct s3_bucket *bucket = context;
    struct http_header *headers =
        arena_zero(arena, request->header_count + REMOTE_SIGNATURE_HEADERS, sizeof(*headers));
    char *time = arena_zero(arena, SIGV4_TIME_TEXT, 1), *hash = arena_zero(arena, SHA256_HEX, 1);
    const char *payload = needs_hash(request) ? hash : "UNSIGNED-PAYLOAD";
    auto_buf struct buf authorization = { .maximum = LIMIT_HTTP_HEADERS };
    struct span host, path, query;
    struct aws_keys keys;
    size_t count = 0;

    if (refused)
        aws_credentials_expire(bucket->client->credentials);
    if (aws_credentials_get(bucket->client->credentials, arena, &keys, err) < 0)
        return -1;
    s3_address_split(request->url, &host, &path, &query);
    sigv4_time(clock_wall_ms(remote_clock(bucket->client->remote)), time);
    if (payload == hash)
        sha256_of(request->body, hash);
    ret_headers[count++] = (struct http_header){ "X-Amz-Date", time };
    ret_headers[count++] = (struct http_header){ "X-Amz-Content-Sha256", payload };
    if (keys.session_token)
        ret_headers[count++] = (struct http_header){ "X-Amz-Security-Token", keys.session_token };
    memcpy(headers, ret_headers, count * sizeof(*headers));
    for (size_t i = 0; i < request->header_count; i++)
        headers[count + i] = request->headers[i];
    headers[count + request->header_count] =
        (struct http_header){ "Host", arena_strndup(arena, host.data, host.length) };
    sigv4_authorization(&(struct sigv4_signer){ keys.access_key_id, keys.secret_access_key,
                                                region_of(bucket, arena), "s3" },
                        &(struct sigv4_request){ .method = request->method,
                                                 .path = path,
                                                 .query = query,
                                                 .headers = headers,
                                                 .header_count = count + request->header_count + 1,
                                                 .payload = payload },
                        &authorization);
    ret_headers[count++] =
        (struct http_header){ "Authorization", arena_strdup(arena, buf_text(&authorization)) };
    *ret_count = count;
    return 0;
}

/* --- what answers mean ---------------------------------------------------- */

static bool is_one_of(const char *code, const char *const *codes)
{
    for (; *codes; codes++)
        if (strcmp(code, *codes) == 0)
            return true;
    return false;
}

/* What S3 says by a code: with some other status, or in the body of a 200 when it fails after it
 * began to answer. 0: what its status says. */
static int status_of_code(const char *code)
{
    static const char *const expired[] = { "ExpiredToken", "TokenRefreshRequired", NULL };
    static const char *const denied[] = { "AccessDenied", NULL };
    static const char *const absent[] = { "NoSuchUpload", "NoSuchKey", NULL };
    static const char *const condition[] = { "PreconditionFailed", NULL };
    static const char *const late[] = { "RequestTimeout", NULL };
    /* the question came damaged, or somebody else's came at the same time */
    static const char *const again[] = { "BadDigest",          "XAmzContentSHA256Mismatch",
                                         "IncompleteBody",     "ConditionalRequestConflict",
                                         "OperationAborted",   "SlowDown",
                                         "ServiceUnavailable", NULL };

    return is_one_of(code, expired)     ? 401
           : is_one_of(code, denied)    ? 403
           : is_one_of(code, absent)    ? 404
           : is_one_of(code, late)      ? 408
           : is_one_of(code, condition) ? 412
           : is_one_of(code, again)     ? 503
                                        : 0;
}

static int status_of_answer(const struct http_reply *reply)
{
    auto_arena struct arena arena = { 0 };
    struct s3_problem problem = { 0 };
    int meant;

    if ((reply->status != 200 && reply->status != 400 && reply->status != 403 &&
         reply->status != 409) ||
        !s3_read_problem(reply->body, &arena, &problem))
        return reply->status;
    meant = status_of_code(problem.code);
    return meant != 0 ? meant : reply->status == 200 ? 500 : reply->status;
}

/* --- questions ------------------------------------------------------------ */

int s3_remote_question(struct s3_bucket *bucket, const struct s3_question *question,
                       struct arena *arena, struct remote_question *ret_question, struct err *err)
{
    const struct aws_settings *settings = &bucket->client->settings;
    struct s3_address address = { settings->endpoint_url, region_of(bucket, arena),
                                  settings->virtual_hosts, settings->path_style };
    auto_buf struct buf query = { .maximum = LIMIT_URL };
    auto_buf struct buf url = { .maximum = LIMIT_URL };

    sigv4_query(question->parameters, question->parameter_count, &query);
    s3_address_url(&address, bucket->name, question->key,
                   (struct span){ buf_text(&query), query.length }, &url);
    if (buf_check(&query, "the query of the question", err) ||
        buf_check(&url, "the URL of the question", err))
        return err_wrap(err, "%s", question->what);
    *ret_question = (struct remote_question){
        .what = question->what,
        .right = question->right,
        .method = question->method,
        .url = arena_strdup(arena, buf_text(&url)),
        .headers = question->headers,
        .header_count = question->header_count,
        .body = question->body,
        .status = status_of_answer,
        .signer = &bucket->signer,
        .tls = &bucket->client->tls,
        .timeout_ms = question->timeout_ms,
        .patience_ms = question->patience_ms,
        .farewell = question->farewell,
    };
    return 0;
}

/* At AWS: has another region been named, which is taken from now on? */
static bool learns_region(struct s3_bucket *bucket, const struct remote_answer *answer)
{
    const char *region = http_reply_header(&answer->reply, "x-amz-bucket-region");
    auto_arena struct arena arena = { 0 };
    struct s3_problem problem = { 0 };
    bool is_new;

    if (!region && s3_read_problem(answer->reply.body, &arena, &problem))
        region = problem.region;
    if (answer->reply.status < 300 || bucket->client->settings.endpoint_url || !region ||
        !*region || strlen(region) >= REGION_TEXT ||
        strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(region))
        return false;
    pthread_mutex_lock(&bucket->mutex);
    is_new = strcmp(bucket->region, region) != 0;
    if (is_new)
        snprintf(bucket->region, sizeof(bucket->region), "%s", region);
    pthread_mutex_unlock(&bucket->mutex);
    return is_new;
}

int s3_ask(struct s3_bucket *bucket, const struct s3_question *question,
           struct remote_answer *ret_answer, struct err *err)
{
    unsigned attempts = 0;

    for (unsigned i = 1;; i++) {
        auto_arena struct arena arena = { 0 };
        auto_answer struct remote_answer answer = { 0 };
        struct remote_question asked;

        if (s3_remote_question(bucket, question, &arena, &asked, err) < 0 ||
            remote_ask(bucket->client->remote, &asked, &answer, err) < 0)
            return -1;
        attempts += answer.attempts;
        if (i < REGIONS_MAXIMUM && learns_region(bucket, &answer))
            continue;
        *ret_answer = answer;
        ret_answer->attempts = attempts;
        answer = (struct remote_answer){ 0 };
        return 0;
    }
}

int s3_fail(const struct s3_question *question, const struct remote_answer *answer, struct err *err)
{
    struct remote_question asked = { .what = question->what, .right = question->right };

    return remote_fail(&asked, &answer->reply, err);
}
