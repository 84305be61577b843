/* Goal: what s3:// does where real servers are hard to bring to it: answers that are lost, errors
 * behind a 200, keys that expire, buckets of other regions, uploads that are given up.
 * Method: a play of questions that are expected, each with its answer. */
#include "unit.h"

#include "base/limits.h"
#include "fake_cloud.h"
#include "store/store_s3.h"

#define URI        "s3://bank/out/w7.csv"
#define ETAG       "900150983cd24fb0d6963f7d28e17f72" /* MD5 of abc */
#define DATE       "Sun, 22 Nov 2026 10:16:08 GMT"
#define GENERATION ETAG "-1795342568"

static const char *const variables[] = { "AWS_ACCESS_KEY_ID",
                                         "AKIA",
                                         "AWS_SECRET_ACCESS_KEY",
                                         "S",
                                         "AWS_EC2_METADATA_DISABLED",
                                         "true",
                                         NULL };
static const char *const endpoint[] = {
    "AWS_ACCESS_KEY_ID", "AKIA", "AWS_SECRET_ACCESS_KEY", "S", "AWS_ENDPOINT_URL_S3",
    "http://minio:9000", NULL
};

/* Keys of an agent, which are renewed. */
#define AGENT "http://169.254.170.23/v1"
static const char *const renewed[] = { "AWS_CONTAINER_CREDENTIALS_FULL_URI", AGENT,
                                       "AWS_ENDPOINT_URL_S3", "http://minio:9000", NULL };

struct scene {
    const char *question; /* "<METHOD> <URL>", or what it begins with */
    int status;
    const char *body;
    struct http_header headers[4];
    bool with_mark; /* the object is of the write that was asked for last */
};

static struct fake_cloud cloud;
static struct {
    const struct scene *scenes;
    size_t count, next;
    char mark[64], condition[64], checksum[32], token[8], hash[80];
    struct buf sent; /* bodies, one after the other */
} play;
static int64_t walk_ms; /* of the stores that begin() makes */
static struct stores *stores;
static struct store *store;

static void keep(const struct http_request *request, const char *name, char *out, size_t size)
{
    const char *value = fake_sent(request, name);

    if (value)
        snprintf(out, size, "%s", value);
}

static void serve(void *context, const struct http_request *request, struct fake_reply *ret_reply)
{
    const struct scene *scene = &play.scenes[play.next];
    auto_free char *question = mem_format("%s %s", request->method, request->url);

    (void)context;
    if (play.next++ >= play.count)
        fail_msg("not expected: %s", question);
    if (strncmp(question, scene->question, strlen(scene->question)) != 0)
        fail_msg("%s, expected %s", question, scene->question);
    if (strcmp(request->url, AGENT) != 0)
        assert_non_null(fake_sent(request, "Authorization"));
    keep(request, "X-Amz-Content-Sha256", play.hash, sizeof(play.hash));
    keep(request, "x-amz-security-token", play.token, sizeof(play.token));
    keep(request, "x-amz-meta-churn-write", play.mark, sizeof(play.mark));
    keep(request, "If-None-Match", play.condition, sizeof(play.condition));
    keep(request, "If-Match", play.condition, sizeof(play.condition));
    keep(request, "x-amz-checksum-crc32c", play.checksum, sizeof(play.checksum));
    buf_append(&play.sent, request->body.data, request->body.length);
    ret_reply->status = scene->status;
    ret_reply->body = span_of(scene->body ? scene->body : "");
    for (size_t i = 0; i < ARRAY_SIZE(scene->headers) && scene->headers[i].name; i++)
        fake_header(ret_reply, scene->headers[i].name, scene->headers[i].value);
    if (scene->with_mark)
        fake_header(ret_reply, "x-amz-meta-churn-write", play.mark);
}

static void begin(const struct scene *scenes, size_t count, const char *const *environment)
{
    struct stores_options options;
    struct err err = { 0 };

    memset(&play, 0, sizeof(play));
    play.scenes = scenes;
    play.count = count;
    buf_init(&play.sent, 64 << 20);
    fake_cloud_init(&cloud, serve, NULL);
    cloud.piece = 1 << 20;
    cloud.variables = environment;
    options = fake_cloud_options(&cloud);
    options.walk_ms = walk_ms;
    stores = stores_new(&options);
    store = store_open(stores, URI, &err);
    if (!store)
        fail_msg("%s", err.message);
}

static void end(void)
{
    assert_int_equal(play.next, play.count);
    store_close(store);
    stores_free(stores);
    fake_cloud_release(&cloud);
    buf_release(&play.sent);
}

#define BEGIN(scenes) begin((scenes), ARRAY_SIZE(scenes), endpoint)
#define OBJECT                                                                                     \
    .status = 200, .headers = { { "ETag", "\"" ETAG "\"" },                                        \
                                { "Last-Modified", DATE },                                         \
                                { "Content-Length", "3" } }
#define HEAD "HEAD http://minio:9000/bank/out/w7.csv"
#define GET  "GET http://minio:9000/bank/out/w7.csv"
#define PUT  "PUT http://minio:9000/bank/out/w7.csv"
#define POST "POST http://minio:9000/bank/out/w7.csv"

static int put(enum store_condition condition, const char *generation, struct err *err)
{
    return store_put_text(store, URI, span_of("abc"), condition, generation, err);
}

static void small_objects_are_put_at_once(void **state)
{
    static const struct scene scenes[] = { { PUT, .status = 200 },
                                           { PUT, .status = 412 },
                                           { HEAD, OBJECT } };
    struct err err = { 0 };

    (void)state;
    BEGIN(scenes);
    assert_int_equal(put(STORE_IF_ABSENT, NULL, &err), 0);
    assert_string_equal(play.condition, "*");
    assert_string_equal(play.checksum, "Nks/tw=="); /* of abc */
    assert_int_equal(strlen(play.mark), 32);
    assert_int_equal(put(STORE_IF_GENERATION, GENERATION, &err), -1);
    assert_string_equal(play.condition, "\"" ETAG "\"");
    assert_int_equal(err.kind, ERR_CONFLICT);
    end();
}

/* Over TLS the signature needs no hash of bytes that have a signed checksum; all else has one. */
static void bytes_are_hashed_where_nothing_else_keeps_them(void **state)
{
    static const struct {
        const char *const *environment, *question, *hash;
    } cases[] = {
        { endpoint, PUT, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { variables, "PUT https://bank.s3.us-east-1.amazonaws.com/out/w7.csv", "UNSIGNED-PAYLOAD" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct scene scenes[] = { { cases[i].question, .status = 200 } };
        struct err err = { 0 };

        begin(scenes, ARRAY_SIZE(scenes), cases[i].environment);
        assert_int_equal(put(STORE_ALWAYS, NULL, &err), 0);
        assert_string_equal(play.hash, cases[i].hash);
        assert_string_equal(play.checksum, "Nks/tw==");
        end();
    }
}

static void a_write_recognises_itself(void **state)
{
    /* The answer to the first attempt is lost; the second one meets what the first has made. */
    static const struct scene scenes[] = { { PUT, .status = 0 },
                                           { PUT, .status = 412 },
                                           { HEAD, OBJECT, .with_mark = true } };
    struct err err = { 0 };

    (void)state;
    BEGIN(scenes);
    assert_int_equal(put(STORE_IF_ABSENT, NULL, &err), 0);
    end();
}

static void another_write_is_not_taken_for_ours(void **state)
{
    static const struct scene scenes[] = { { PUT, .status = 0 },
                                           { PUT, .status = 412 },
                                           { HEAD, OBJECT } };
    struct err err = { 0 };

    (void)state;
    BEGIN(scenes);
    assert_int_equal(put(STORE_IF_ABSENT, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_EXISTS);
    end();
}

/* What S3 says by a code only is waited out as long as what it says by a status. */
static void busy_servers_are_waited_for(void **state)
{
    static const struct {
        const char *code;
        int status;
    } cases[] = { { "BadDigest", 400 },
                  { "RequestTimeout", 400 },
                  { "ConditionalRequestConflict", 409 },
                  { "OperationAborted", 409 },
                  { "SlowDown", 200 },
                  { "InternalError", 200 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *body = mem_format("<Error><Code>%s</Code></Error>", cases[i].code);
        const struct scene busy = { PUT, .status = cases[i].status, .body = body };
        const struct scene scenes[] = { busy, busy, busy, busy, busy, { PUT, .status = 200 } };
        struct err err = { 0 };

        BEGIN(scenes);
        int64_t begun_ms = cloud.now_ms;
        CASE(cases[i].code, put(STORE_IF_ABSENT, NULL, &err) == 0);
        CASE(cases[i].code, cloud.troubles == 5 && cloud.now_ms > begun_ms);
        end();
    }
}

#define KEYS(token)                                                                                \
    {                                                                                              \
        "GET " AGENT, .status = 200,                                                               \
                      .body = "{\"AccessKeyId\": \"AKIA\", \"SecretAccessKey\": \"S\", "           \
                              "\"Token\": \"" token "\", "                                         \
                              "\"Expiration\": \"2099-01-01T00:00:00Z\"}",                         \
    }
#define EXPIRED "<Error><Code>ExpiredToken</Code></Error>"

/* HEAD cannot say why. */
static void keys_that_expired_are_renewed(void **state)
{
    static const struct scene scenes[] = {
        KEYS("one"),
        { PUT, .status = 400, .body = EXPIRED },
        KEYS("two"),
        { PUT, .status = 200 },
        { HEAD, .status = 400 },
        { GET, .status = 400, .body = EXPIRED },
        KEYS("three"),
        { GET, .status = 206 },
        { HEAD, OBJECT },
        { HEAD, .status = 400 },
        { GET, .status = 400, .body = "<Error><Code>InvalidRequest</Code></Error>" },
    };
    struct store_info info;
    struct err err = { 0 };

    (void)state;
    begin(scenes, ARRAY_SIZE(scenes), renewed);
    assert_int_equal(put(STORE_ALWAYS, NULL, &err), 0);
    assert_string_equal(play.token, "two");
    assert_int_equal(store_stat(store, URI, &info, &err), 0);
    assert_string_equal(play.token, "three");
    assert_int_equal(store_stat(store, URI, &info, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.message, "InvalidRequest"));
    end();
}

/* Also within a stream that has to go on. */
static void keys_that_expired_are_renewed_for_a_download(void **state)
{
    static const struct scene scenes[] = {
        KEYS("one"),
        { HEAD, OBJECT },
        { GET, .status = 400, .body = EXPIRED },
        KEYS("two"),
        { GET, .status = 200, .body = "abc" },
    };
    auto_free char *text = NULL;
    size_t length;
    struct err err = { 0 };

    (void)state;
    begin(scenes, ARRAY_SIZE(scenes), renewed);
    if (store_get_text(store, URI, 100, &text, &length, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(text, "abc");
    end();
}

static void serve_expired(void *context, const struct http_request *request,
                          struct fake_reply *ret_reply)
{
    (void)context, (void)request;
    ret_reply->status = 400;
    ret_reply->body = span_of(EXPIRED);
}

/* Nobody has newer ones: that is a missing right, which is told as such. */
static void keys_that_stay_expired_are_denied(void **state)
{
    struct err err = { 0 };

    (void)state;
    begin(NULL, 0, endpoint);
    cloud.serve = serve_expired;
    assert_int_equal(put(STORE_ALWAYS, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_non_null(strstr(err.message, "ExpiredToken"));
    end();
}

static void regions_are_learnt_at_aws(void **state)
{
    static const struct scene scenes[] = {
        { "HEAD https://bank.s3.us-east-1.amazonaws.com/out/w7.csv", .status = 301,
          .headers = { { "x-amz-bucket-region", "eu-west-1" } } },
        { "HEAD https://bank.s3.eu-west-1.amazonaws.com/out/w7.csv", OBJECT },
        { "HEAD https://bank.s3.eu-west-1.amazonaws.com/out/w7.csv", OBJECT },
    };
    struct store_info info;
    struct err err = { 0 };

    (void)state;
    begin(scenes, ARRAY_SIZE(scenes), variables);
    assert_int_equal(store_stat(store, URI, &info, &err), 0);
    assert_string_equal(info.generation, GENERATION);
    assert_int_equal(store_stat(store, URI, &info, &err), 0);
    end();
}

/* More than a part, in two pieces. */
static struct store_writer *write_large(struct err *err)
{
    struct store_writer *writer = store_put(store, URI, STORE_IF_ABSENT, NULL, err);
    auto_free char *bytes = mem_zero(S3_PART_BYTES, 1);

    assert_non_null(writer);
    assert_int_equal(store_writer_append(writer, bytes, S3_PART_BYTES, err), 0);
    assert_int_equal(store_writer_append(writer, "abc", 3, err), 0);
    return writer;
}

#define STARTED                                                                                    \
    {                                                                                              \
        POST "?uploads=", .status = 200,                                                           \
                          .body = "<InitiateMultipartUploadResult><UploadId>u/1</UploadId>"        \
                                  "</InitiateMultipartUploadResult>",                              \
                          .headers = { { "x-amz-checksum-type", "FULL_OBJECT" } },                 \
    }
#define SENT(number)                                                                               \
    {                                                                                              \
        PUT "?partNumber=" number "&uploadId=u%2F1", .status = 200,                                \
                                                     .headers = { { "ETag", "\"p" number "\"" } }, \
    }

static void parts_become_an_object(void **state)
{
    static const struct scene scenes[] = {
        STARTED,
        SENT("1"),
        SENT("2"),
        /* it fails after the answer began; then the upload is no more, as it was completed */
        { POST "?uploadId=u%2F1", .status = 200,
          .body = "<Error><Code>InternalError</Code></Error>" },
        { POST "?uploadId=u%2F1", .status = 404,
          .body = "<Error><Code>NoSuchUpload</Code></Error>" },
        { HEAD, OBJECT, .with_mark = true },
    };
    struct err err = { 0 };

    (void)state;
    BEGIN(scenes);
    auto_store_writer struct store_writer *writer = write_large(&err);
    assert_int_equal(store_writer_commit(writer, NULL, &err), 0);
    assert_string_equal(play.condition, "*");
    assert_non_null(memmem(play.sent.data, play.sent.length, "<PartNumber>2</PartNumber>", 26));
    store_writer_free(TAKE(writer));
    end();
}

/* Servers are silent while they copy: each part is one that is copied before that is a stall. */
static void objects_are_copied_in_small_parts(void **state)
{
#define COPIED(number)                                                                             \
    {                                                                                              \
        PUT "?partNumber=" number "&uploadId=u%2F1",                                               \
            .status = 200,                                                                         \
            .body = "<CopyPartResult><ETag>\"p" number "\"</ETag></CopyPartResult>",               \
    }
    static const struct scene scenes[] = {
        { "HEAD http://minio:9000/bank/out/shard", .status = 200,
          .headers = { { "ETag", "\"" ETAG "\"" },
                       { "Last-Modified", DATE },
                       { "Content-Length", "134217729" } } }, /* 128 MiB and a byte */
        STARTED,
        COPIED("1"),
        COPIED("2"),
        COPIED("3"),
        { "DELETE http://minio:9000/bank/out/w7.csv?uploadId=u%2F1", .status = 204 },
    };
    struct err err = { 0 };

    (void)state;
    BEGIN(scenes);
    auto_store_writer struct store_writer *writer = store_put(store, URI, STORE_ALWAYS, NULL, &err);
    if (store_writer_append_object(writer, "s3://bank/out/shard", GENERATION, &err) < 0)
        fail_msg("%s", err.message);
    store_writer_free(TAKE(writer));
    end();
}

/* With `stop`, a pod that is told to end: it has seconds left, and parts would cost money for ever.
 */
static void check_abort(bool stop)
{
    static const struct scene scenes[] = {
        STARTED,
        SENT("1"),
        { "DELETE http://minio:9000/bank/out/w7.csv?uploadId=u%2F1", .status = 204 },
    };
    struct err err = { 0 };

    BEGIN(scenes);
    struct store_writer *writer = write_large(&err);
    cloud.stop = stop;
    store_writer_free(writer);
    assert_int_equal(cloud.answers, cloud.requests); /* none is given up once it was begun */
    end();
}

static void what_is_not_committed_is_aborted(void **state)
{
    (void)state;
    check_abort(/* stop= */ false);
    check_abort(/* stop= */ true);
}

static void a_listing_that_does_not_get_on_ends(void **state)
{
#define PAGE                                                                                       \
    {                                                                                              \
        "GET http://minio:9000/bank?",                                                             \
            .status = 200,                                                                         \
            .body = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"    \
                    "</NextContinuationToken></ListBucketResult>",                                 \
    }
    static const struct scene scenes[] = { PAGE, PAGE };
    struct store_listing listing;
    struct err err = { 0 };

    (void)state;
    BEGIN(scenes);
    assert_int_equal(store_list(store, "s3://bank/in/", &listing, &err), -1);
    assert_non_null(strstr(err.message, "does not get on"));
    end();
}

/* Answers every question with a page that another one follows. */
static void serve_pages(void *context, const struct http_request *request,
                        struct fake_reply *ret_reply)
{
    static char text[160];

    (void)context, (void)request;
    snprintf(text, sizeof(text),
             "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>%u"
             "</NextContinuationToken></ListBucketResult>",
             cloud.requests);
    ret_reply->status = 200;
    ret_reply->body = span_of(text);
}

/* A token that no URL has room for, encoded. */
static void serve_long_token(void *context, const struct http_request *request,
                             struct fake_reply *ret_reply)
{
    static char text[4096];

    (void)context, (void)request;
    snprintf(text, sizeof(text),
             "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>%03000d"
             "</NextContinuationToken></ListBucketResult>",
             0);
    for (char *zero = strstr(text, "000"); *zero == '0'; zero++)
        *zero = '+';
    ret_reply->status = 200;
    ret_reply->body = span_of(text);
}

static void tokens_that_are_too_long_are_told(void **state)
{
    struct store_listing listing;
    struct err err = { 0 };

    (void)state;
    begin(NULL, 0, endpoint);
    cloud.serve = serve_long_token;
    assert_int_equal(store_list(store, "s3://bank/in/", &listing, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_BIG);
    assert_string_equal(err.message,
                        "s3://bank/in/: the query of the question is larger than 8192 bytes");
    assert_int_equal(cloud.requests, 1);
    end();
}

static void listings_have_an_end(void **state)
{
    struct store_listing listing;
    struct err err = { 0 };

    (void)state;
    begin(NULL, 0, endpoint);
    cloud.serve = serve_pages;
    assert_int_equal(store_list(store, "s3://bank/in/", &listing, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_BIG);
    assert_string_equal(err.message, "s3://bank/in/: the listing has more than 10000 pages");
    assert_int_equal(cloud.requests, LIMIT_STORE_PAGES);
    end();
}

/* A server that is never done, and takes its time for each page. */
static void serve_slow_pages(void *context, const struct http_request *request,
                             struct fake_reply *ret_reply)
{
    serve_pages(context, request, ret_reply);
    cloud.now_ms += 50 * 1000;
}

static void listings_have_a_deadline(void **state)
{
    struct store_listing listing;
    struct err err = { 0 };

    (void)state;
    walk_ms = 600 * 1000;
    begin(NULL, 0, endpoint);
    walk_ms = 0;
    cloud.serve = serve_slow_pages;
    assert_int_equal(store_list(store, "s3://bank/in/", &listing, &err), -1);
    assert_int_equal(err.kind, ERR_RETRY);
    assert_string_equal(err.message, "s3://bank/in/: the listing takes longer than 600 s");
    assert_int_equal(cloud.requests, 12);
    end();
}

static void other_buckets_and_whole_ones_are_refused(void **state)
{
    struct store_info info;
    struct err err = { 0 };

    (void)state;
    begin(NULL, 0, endpoint);
    assert_int_equal(store_stat(store, "s3://other/a", &info, &err), -1);
    assert_string_equal(err.message, "s3://other/a is not in the bucket bank");
    assert_int_equal(store_stat(store, "s3://bank/in/", &info, &err), -1);
    assert_int_equal(store_delete_folder(store, "s3://bank/", &err), -1);
    assert_string_equal(err.message, "s3://bank/ is a whole bucket, which is not removed");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_objects_are_put_at_once),
        cmocka_unit_test(bytes_are_hashed_where_nothing_else_keeps_them),
        cmocka_unit_test(a_write_recognises_itself),
        cmocka_unit_test(another_write_is_not_taken_for_ours),
        cmocka_unit_test(busy_servers_are_waited_for),
        cmocka_unit_test(keys_that_expired_are_renewed),
        cmocka_unit_test(keys_that_expired_are_renewed_for_a_download),
        cmocka_unit_test(keys_that_stay_expired_are_denied),
        cmocka_unit_test(regions_are_learnt_at_aws),
        cmocka_unit_test(parts_become_an_object),
        cmocka_unit_test(objects_are_copied_in_small_parts),
        cmocka_unit_test(what_is_not_committed_is_aborted),
        cmocka_unit_test(a_listing_that_does_not_get_on_ends),
        cmocka_unit_test(tokens_that_are_too_long_are_told),
        cmocka_unit_test(listings_have_an_end),
        cmocka_unit_test(listings_have_a_deadline),
        cmocka_unit_test(other_buckets_and_whole_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
