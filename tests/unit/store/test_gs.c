/* Goal: what gs:// does where real servers are hard to bring to it: answers that are lost, uploads
 * that are cut, damage, objects that are replaced. Method: a play of questions that
 * are expected, each with its answer. */
#include "unit.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/limits.h"
#include "play.h"
#include "store/checksum.h"
#include "store/store_gs.h"

#define BUCKET "gs://bank"
#define URI    BUCKET "/out/w7.csv"

static const char *const emulator[] = { "STORAGE_EMULATOR_HOST", "cloud", NULL };

/* --- answers ------------------------------------------------------------------------- */

static char texts[8][512];
static size_t text_next;

/* An object with the content, as the server describes it. */
static struct span object_of(const char *name, struct span content, const char *generation,
                             const char *more)
{
    char *text = texts[text_next++ % ARRAY_SIZE(texts)];
    char crc32c[CHECKSUM_TEXT];

    checksum_crc32c_text(crc32c_add(0, content.data, content.length), crc32c);
    snprintf(text, sizeof(texts[0]),
             "{\"name\":\"%s\",\"size\":\"%zu\",\"generation\":\"%s\",\"crc32c\":\"%s\","
             "\"timeCreated\":\"2026-11-22T10:16:08Z\"%s}",
             name, content.length, generation, crc32c, more);
    return span_of(text);
}

static struct span abc(void)
{
    return object_of("out/w7.csv", span_of("abc"), "7", "");
}

/* --- small objects --------------------------------------------------------------------- */

static void put_is_one_request_with_its_checksum(void **state)
{
    const struct scene scenes[] = {
        { .question = "POST uploadType=multipart", .reply = { .status = 200, .body = abc() } },
    };
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    assert_int_equal(store_put_text(play.store, URI, span_of("abc"), STORE_IF_ABSENT, NULL, &err),
                     0);
    assert_non_null(strstr(buf_text(&play.cloud.log), "&ifGenerationMatch=0"));
    assert_non_null(strstr(buf_text(&play.sent), "\"name\":\"out/w7.csv\""));
    assert_non_null(strstr(buf_text(&play.sent), "\"crc32c\":\"Nks/tw==\"")); /* of abc */
    assert_non_null(strstr(buf_text(&play.sent), "\r\n\r\nabc\r\n--"));
    play_end();
}

static void refusals_are_somebody_elses(void **state)
{
    static const struct {
        enum store_condition condition;
        enum err_kind kind;
    } cases[] = { { STORE_IF_ABSENT, ERR_EXISTS }, { STORE_IF_GENERATION, ERR_CONFLICT } };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct scene scenes[] = {
            { .question = "POST uploadType=multipart", .reply = { .status = 412 } },
        };
        struct err err = { 0 };

        play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
        assert_int_equal(
            store_put_text(play.store, URI, span_of("abc"), cases[i].condition, "5", &err), -1);
        play_check_error(&err, cases[i].kind, URI);
        play_end();
    }
}

/* The first attempt did it, but its answer was lost. */
static void own_objects_are_known_again(void **state)
{
    static const char *const writers[] = { PLAY_WRITER, "0123456789abcdef0123456789abcdef" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
        auto_free char *more = mem_format(",\"metadata\":{\"churn-writer\":\"%s\"}", writers[i]);
        struct span object = object_of("out/w7.csv", span_of("abc"), "7", more);
        const struct scene scenes[] = {
            { .question = "POST uploadType=multipart", .reply = { .status = 200, .cut = true } },
            { .question = "POST uploadType=multipart", .reply = { .status = 412 } },
            { .question = "GET /b/bank/o/out%2Fw7.csv?",
              .reply = { .status = 200, .body = object } },
        };
        struct err err = { 0 };

        play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
        assert_int_equal(
            store_put_text(play.store, URI, span_of("abc"), STORE_IF_ABSENT, NULL, &err),
            i == 0 ? 0 : -1);
        if (i > 0)
            play_check_error(&err, ERR_EXISTS, "exists already");
        play_end();
    }
}

static void damaged_objects_do_not_stay(void **state)
{
    const struct scene scenes[] = {
        { .question = "POST uploadType=multipart",
          .reply = { .status = 200, .body = object_of("out/w7.csv", span_of("abd"), "8", "") } },
        { .question = "DELETE /b/bank/o/out%2Fw7.csv?ifGenerationMatch=8",
          .reply = { .status = 204 } },
    };
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    assert_int_equal(store_put_text(play.store, URI, span_of("abc"), STORE_ALWAYS, NULL, &err), -1);
    play_check_error(&err, ERR_RETRY, "damaged");
    play_end();
}

static void missing_rights_are_named(void **state)
{
    static const struct fake_reply denied = { .status = 403,
                                              .body = { "{\"error\":{\"message\":\"no\"}}", 26 } };
    const struct scene scenes[] = {
        { .question = "GET /b/bank/o/", .reply = denied },
    };
    struct store_info info;
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    stores_free(play.stores); /* another one, without patience */
    store_close(play.store);
    struct stores_options options = fake_cloud_options(&play.cloud);
    options.denied_patience_ms = -1;
    play.stores = stores_new(&options);
    play.store = store_open(play.stores, URI, &err);
    assert_int_equal(store_stat(play.store, URI, &info, &err), -1);
    play_check_error(&err, ERR_DENIED,
                     URI ": 403 Forbidden: no (the right needed is storage.objects.get)");
    play_end();
}

/* --- endpoints --------------------------------------------------------------------------- */

static void tokens_do_not_travel_in_the_open(void **state)
{
    static const struct {
        const char *endpoint;
        bool with_identity, taken;
    } cases[] = {
        { "http://storage.example", true, false },   { "storage.example:80", true, false },
        { "http://127.0.0.1.example", true, false }, { "https://storage.example", true, true },
        { "http://127.0.0.1:4443", true, true },     { "http://localhost:4443", true, true },
        { "http://[::1]:4443", true, true },         { "http://storage.example", false, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const variables[] = { "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE",
                                          cases[i].endpoint, "CLOUDSDK_AUTH_DISABLE_CREDENTIALS",
                                          cases[i].with_identity ? "" : "true", NULL };
        struct fake_cloud cloud;
        struct err err = { 0 };

        fake_cloud_init(&cloud, NULL, NULL);
        cloud.variables = variables;
        struct stores_options options = fake_cloud_options(&cloud);
        struct stores *stores auto_stores = stores_new(&options);
        struct store *store auto_store = store_open(stores, URI, &err);

        CASE(cases[i].endpoint, (store != NULL) == cases[i].taken);
        if (!store)
            play_check_error(&err, ERR_INVALID,
                             "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: must be https:// where "
                             "credentials are sent");
        fake_cloud_release(&cloud);
    }
}

/* --- large objects ------------------------------------------------------------------------ */

#define SESSION     "http://cloud/upload/session-1"
#define PIECE       GS_PIECE_BYTES
#define LARGE_BYTES (2 * PIECE + 5)
#define STORED(text)                                                                               \
    {                                                                                              \
        .status = 308, .headers = { { "Range", text } }, .header_count = 1                         \
    }
#define SESSION_BEGINS                                                                             \
    {                                                                                              \
        .question = "POST uploadType=resumable", .reply = {                                        \
            .status = 200,                                                                         \
            .headers = { { "Location", SESSION } },                                                \
            .header_count = 1                                                                      \
        }                                                                                          \
    }

static char *large; /* LARGE_BYTES */

static int put_large(struct err *err)
{
    auto_store_writer struct store_writer *writer =
        store_put(play.store, URI, STORE_IF_ABSENT, NULL, err);

    for (size_t at = 0; at < LARGE_BYTES; at += 1 << 20) {
        size_t rest = LARGE_BYTES - at;

        if (store_writer_append(writer, large + at, rest < 1 << 20 ? rest : 1 << 20, err))
            return -1;
    }
    return store_writer_commit(writer, NULL, err);
}

static int make_large(void **state)
{
    (void)state;
    large = mem_alloc(LARGE_BYTES);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        large[i] = (char)(i * 2654435761u >> 24);
    return 0;
}

static int free_large(void **state)
{
    (void)state;
    free(large);
    return 0;
}

static struct span large_object(void)
{
    return object_of("out/w7.csv", (struct span){ large, LARGE_BYTES }, "9", "");
}

/* A cut within a piece: the server has 262144 bytes of it, the rest goes again. */
static void uploads_go_on_where_the_server_is(void **state)
{
    const struct scene scenes[] = {
        SESSION_BEGINS,
        { "PUT " SESSION, "Content-Range", "bytes 0-8388607/*", { .status = 308, .cut = true } },
        { "PUT " SESSION, "Content-Range", "bytes */*", { .status = 503 } },
        { "PUT " SESSION, "Content-Range", "bytes */*", STORED("bytes=0-262143") },
        { "PUT " SESSION, "Content-Range", "bytes 262144-8388607/*", STORED("bytes=0-8388607") },
        { "PUT " SESSION, "Content-Range", "bytes 8388608-16777215/*", STORED("bytes=0-9999999") },
        { "PUT " SESSION, "Content-Range", "bytes 10000000-16777215/*",
          STORED("bytes=0-16777215") },
        { "PUT " SESSION, "Content-Range", "bytes 16777216-16777220/16777221", { .status = 0 } },
        { "PUT " SESSION, "Content-Range", "bytes */16777221", STORED("bytes=0-16777220") },
        { "PUT " SESSION,
          "Content-Range",
          "bytes */16777221",
          { .status = 200, .body = large_object() } },
    };
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    if (put_large(&err))
        fail_msg("%s", err.message);
    play_end();
}

/* The answer to the last piece is lost; the server says that the object is there: it is ours. */
static void an_upload_that_came_through_is_the_end(void **state)
{
    static const struct {
        const char *name, *writer;
        int outcome;
    } cases[] = {
        { "ours", ",\"metadata\":{\"churn-writer\":\"" PLAY_WRITER "\"}", 0 },
        { "somebody else's", ",\"metadata\":{\"churn-writer\":\"00\"}", -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct scene scenes[] = {
            SESSION_BEGINS,
            { "PUT " SESSION, "Content-Range", "bytes 0-8388607/*", STORED("bytes=0-8388607") },
            { "PUT " SESSION, "Content-Range", "bytes 8388608-16777215/*",
              STORED("bytes=0-16777215") },
            { "PUT " SESSION,
              "Content-Range",
              "bytes 16777216-16777220/16777221",
              { .status = 0 } },
            { "PUT " SESSION, "Content-Range", "bytes */16777221", { .status = 412 } },
            { .question = "GET /o/out%2Fw7.csv?prettyPrint",
              .reply = { .status = 200,
                         .body = object_of("out/w7.csv", (struct span){ large, LARGE_BYTES }, "9",
                                           cases[i].writer) } },
            { .question = "DELETE " SESSION, .reply = { .status = 499 } },
        };
        struct err err = { 0 };

        play_begin(URI, scenes, ARRAY_SIZE(scenes) - (cases[i].outcome == 0), emulator);
        CASE(cases[i].name, put_large(&err) == cases[i].outcome);
        play_end();
    }
}

static void uploads_that_cannot_go_on_fail(void **state)
{
    static const struct {
        const char *name;
        struct fake_reply reply;
        enum err_kind kind;
        const char *message;
    } cases[] = {
        { "lost", { .status = 404 }, ERR_RETRY, "does not know the upload any more" },
        { "more than was sent", STORED("bytes=0-8388608"), ERR_RETRY, "lost its place" },
        { "nonsense", STORED("items=0-1"), ERR_RETRY, "Range" },
        { "refused", { .status = 412 }, ERR_EXISTS, "exists already" },
        { "too large", { .status = 413 }, ERR_TOO_BIG, "413" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct scene scenes[] = {
            SESSION_BEGINS,
            { .question = "PUT " SESSION, .reply = cases[i].reply },
            { .question = "DELETE " SESSION, .reply = { .status = 499 } },
        };
        struct err err = { 0 };

        play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
        CASE(cases[i].name, put_large(&err) == -1);
        play_check_error(&err, cases[i].kind, cases[i].message);
        play_end();
    }
}

/* A server that takes a question for the end (an emulator's fault): nothing may stay. */
static void uploads_that_end_too_early_do_not_stay(void **state)
{
    const struct scene scenes[] = {
        SESSION_BEGINS,
        { .question = "PUT " SESSION, .reply = { .status = 308, .cut = true } },
        { "PUT " SESSION,
          "Content-Range",
          "bytes */*",
          { .status = 200, .body = object_of("out/w7.csv", span_of("abc"), "9", "") } },
        { .question = "DELETE /b/bank/o/out%2Fw7.csv?ifGenerationMatch=9",
          .reply = { .status = 204 } },
    };
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    assert_int_equal(put_large(&err), -1);
    play_check_error(&err, ERR_RETRY, "damaged");
    play_end();
}

/* --- reading -------------------------------------------------------------------------------- */

static void another_generation_is_told(void **state)
{
    static struct fake_reply other = { .status = 200, .body = { "xyz", 3 } };
    const struct scene scenes[] = {
        { .question = "GET /o/out%2Fw7.csv?prettyPrint",
          .reply = { .status = 200, .body = abc() } },
        { .question = "GET ?alt=media&generation=7", .reply = other },
    };
    struct scene live[ARRAY_SIZE(scenes)];
    auto_free char *text = NULL;
    size_t length;
    struct err err = { 0 };

    (void)state;
    memcpy(live, scenes, sizeof(live));
    fake_header(&live[1].reply, "x-goog-generation", "8");
    play_begin(URI, live, ARRAY_SIZE(live), emulator);
    assert_int_equal(store_get_text(play.store, URI, 100, &text, &length, &err), -1);
    assert_string_equal(err.reason, "InputChanged");
    play_end();
}

/* gzip of "abc" */
static const char packed[] = "\x1f\x8b\x08\0\0\0\0\0\x02\x03KLJ\x06\0\xc2\x41\x24\x35\x03\0\0\0";
#define PACKED ((struct span){ packed, sizeof(packed) - 1 })

static void packed_objects_are_unpacked(void **state)
{
    (void)state;
    for (int by_server = 0; by_server < 2; by_server++) {
        struct span object = object_of("out/w7.csv", PACKED, "7", ",\"contentEncoding\":\"gzip\"");
        struct scene scenes[] = {
            { .question = "GET /o/out%2Fw7.csv?prettyPrint",
              .reply = { .status = 200, .body = object } },
            { "GET ?alt=media",
              "Accept-Encoding",
              "gzip",
              { .status = 200, .body = by_server ? span_of("abc") : PACKED } },
        };
        auto_free char *text = NULL;
        size_t length;
        struct err err = { 0 };

        if (!by_server)
            fake_header(&scenes[1].reply, "Content-Encoding", "gzip");
        play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
        if (store_get_text(play.store, URI, 100, &text, &length, &err))
            fail_msg("%s", err.message);
        assert_string_equal(text, "abc");
        play_end();
    }
}

/* --- listing -----------------------------------------------------------------------------------
 */

static void pages_follow_each_other(void **state)
{
    static const char first[] =
        "{\"items\":[{\"name\":\"in/\",\"size\":\"0\",\"generation\":\"1\"},"
        "{\"name\":\"in/b\",\"size\":\"1\",\"generation\":\"1\"}],\"nextPageToken\":\"a/=+\"}";
    static const char second[] =
        "{\"items\":[{\"name\":\"in/a\",\"size\":\"2\",\"generation\":\"3\"},"
        "{\"name\":\"in/.churn-part.a.1-0\",\"size\":\"2\",\"generation\":\"3\"}],"
        "\"prefixes\":[\"in/c/\"]}";
    const struct scene scenes[] = {
        { .question = "GET items(name,size,generation,timeCreated)&prefix=in%2F&delimiter=%2F",
          .reply = { .status = 200, .body = span_of(first) } },
        { .question = "GET &pageToken=a%2F%3D%2B",
          .reply = { .status = 200, .body = span_of(second) } },
    };
    auto_store_listing struct store_listing listing = { 0 };
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    assert_int_equal(store_list(play.store, BUCKET "/in/", &listing, &err), 0);
    assert_int_equal(listing.count, 3);
    assert_string_equal(listing.entries[0].name, "a");
    assert_string_equal(listing.entries[0].info.generation, "3");
    assert_string_equal(listing.entries[1].name, "b");
    assert_string_equal(listing.entries[2].name, "c");
    assert_true(listing.entries[2].is_folder);
    play_end();
}

#define FOREIGN_ITEMS                                                                              \
    "{\"items\":[{\"name\":\"i\",\"size\":\"1\",\"generation\":\"1\"},"                            \
    "{\"name\":\"on/other/file\",\"size\":\"1\",\"generation\":\"1\"},"                            \
    "{\"name\":\"in/a\",\"size\":\"1\",\"generation\":\"1\"},"                                     \
    "{\"name\":\"in/b/c\",\"size\":\"1\",\"generation\":\"1\"}],"                                  \
    "\"prefixes\":[\"\",\"i\",\"in/\",\"on/other/\",\"in/d/\"]}"

/* A server may answer what was not asked for. */
static void listings_hold_only_what_is_in_the_folder(void **state)
{
    const struct scene scenes[] = {
        { .question = "GET prefix=in%2F&delimiter=%2F",
          .reply = { .status = 200, .body = span_of(FOREIGN_ITEMS) } },
    };
    auto_store_listing struct store_listing listing = { 0 };
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    assert_int_equal(store_list(play.store, BUCKET "/in/", &listing, &err), 0);
    assert_int_equal(listing.count, 2);
    assert_string_equal(listing.entries[0].name, "a");
    assert_string_equal(listing.entries[1].name, "d");
    play_end();
}

static void only_what_is_in_the_folder_is_removed(void **state)
{
    const struct scene scenes[] = {
        { .question = "GET prefix=in%2F",
          .reply = { .status = 200, .body = span_of(FOREIGN_ITEMS) } },
        { .question = "DELETE /b/bank/o/in%2Fa", .reply = { .status = 204 } },
        { .question = "DELETE /b/bank/o/in%2Fb%2Fc", .reply = { .status = 204 } },
    };
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    assert_int_equal(store_delete_folder(play.store, BUCKET "/in/", &err), 0);
    assert_int_equal(store_delete_folder(play.store, BUCKET "/", &err), -1);
    play_check_error(&err, ERR_INVALID, BUCKET "/ is a whole bucket");
    play_end();
}

/* Answers every question with a page that another one follows. */
static void serve_pages(void *context, const struct http_request *request,
                        struct fake_reply *ret_reply)
{
    static char text[64];

    (void)request;
    snprintf(text, sizeof(text), "{\"nextPageToken\":\"%u\"}",
             ((struct fake_cloud *)context)->requests);
    ret_reply->status = 200;
    ret_reply->body = span_of(text);
}

/* A token that no URL has room for, encoded. */
static void serve_long_token(void *context, const struct http_request *request,
                             struct fake_reply *ret_reply)
{
    static char text[4096];

    (void)context, (void)request;
    snprintf(text, sizeof(text), "{\"nextPageToken\":\"%03000d\"}", 0);
    for (char *zero = strstr(text, "000"); *zero == '0'; zero++)
        *zero = '+';
    ret_reply->status = 200;
    ret_reply->body = span_of(text);
}

static void serve_slow_pages(void *context, const struct http_request *request,
                             struct fake_reply *ret_reply)
{
    serve_pages(context, request, ret_reply);
    ((struct fake_cloud *)context)->now_ms += 50 * 1000;
}

static void listings_have_an_end(void **state)
{
    static const struct {
        void (*serve)(void *context, const struct http_request *request,
                      struct fake_reply *ret_reply);
        int64_t walk_ms;
        enum err_kind kind;
        const char *message;
        unsigned requests;
    } cases[] = {
        { serve_pages, 0, ERR_TOO_BIG, "the listing has more than 10000 pages", LIMIT_STORE_PAGES },
        { serve_slow_pages, 600000, ERR_RETRY, "the listing takes longer than 600 s", 12 },
        { serve_long_token, 0, ERR_TOO_BIG, "the URL of the next page is larger than 8192 bytes",
          1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fake_cloud cloud;
        struct store_listing listing;
        struct err err = { 0 };

        fake_cloud_init(&cloud, cases[i].serve, &cloud);
        cloud.variables = emulator;
        struct stores_options options = fake_cloud_options(&cloud);
        options.walk_ms = cases[i].walk_ms;
        struct stores *stores auto_stores = stores_new(&options);
        struct store *store auto_store = store_open(stores, URI, &err);
        assert_int_equal(store_list(store, BUCKET "/in/", &listing, &err), -1);
        play_check_error(&err, cases[i].kind, cases[i].message);
        assert_int_equal(cloud.requests, cases[i].requests);
        fake_cloud_release(&cloud);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_is_one_request_with_its_checksum),
        cmocka_unit_test(refusals_are_somebody_elses),
        cmocka_unit_test(own_objects_are_known_again),
        cmocka_unit_test(damaged_objects_do_not_stay),
        cmocka_unit_test(missing_rights_are_named),
        cmocka_unit_test(tokens_do_not_travel_in_the_open),
        cmocka_unit_test_setup_teardown(uploads_go_on_where_the_server_is, make_large, free_large),
        cmocka_unit_test_setup_teardown(an_upload_that_came_through_is_the_end, make_large,
                                        free_large),
        cmocka_unit_test_setup_teardown(uploads_that_cannot_go_on_fail, make_large, free_large),
        cmocka_unit_test_setup_teardown(uploads_that_end_too_early_do_not_stay, make_large,
                                        free_large),
        cmocka_unit_test(another_generation_is_told),
        cmocka_unit_test(packed_objects_are_unpacked),
        cmocka_unit_test(pages_follow_each_other),
        cmocka_unit_test(listings_hold_only_what_is_in_the_folder),
        cmocka_unit_test(only_what_is_in_the_folder_is_removed),
        cmocka_unit_test(listings_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
