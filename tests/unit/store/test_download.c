/* Goal: an object arrives whole, byte for byte, whatever is cut on its way, or the reader is told.
 * Method: a fake cloud serves ranges of a text and fails at every byte in turn. */
#include "unit.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/num.h"
#include "fake_cloud.h"
#include "store/download.h"
#include "store/store_driver.h"

static const char text[] = "The quick brown fox jumps over the lazy dog, and then it rests a while";
#define LENGTH (sizeof(text) - 1)

struct server {
    size_t fail_at; /* an answer that goes beyond this byte of the text ends there */
    bool stalls;    /* ... by silence */
    bool trickles;  /* each answer has one byte, and then there is silence */
    bool no_ranges; /* answers 200 with everything */
    bool wrong_range;
    bool damages;
    int status; /* of later answers; 0: none */
    char content_range[64], damaged[LENGTH];
};

static struct fake_cloud cloud;
static struct server server;

/* "bytes=5-" or "bytes=5-39" */
static void parse_range(const char *range, unsigned *ret_first, unsigned *ret_last)
{
    const char *digits = range + strlen("bytes="), *minus = strchr(digits, '-');
    int64_t number = 0;

    assert_int_equal(
        num_int64((struct span){ digits, (size_t)(minus - digits) }, 0, 1000, &number, NULL), 0);
    *ret_first = (unsigned)number;
    if (minus[1] && num_int64(span_of(minus + 1), 0, 1000, &number, NULL) == 0)
        *ret_last = (unsigned)number;
}

static void serve(void *context, const struct http_request *request, struct fake_reply *ret_reply)
{
    struct server *self = context;
    const char *range = fake_sent(request, "Range");
    unsigned first = 0, last = LENGTH - 1;

    if (self->status && cloud.requests > 1) {
        ret_reply->status = self->status;
        return;
    }
    if (range && !self->no_ranges) {
        parse_range(range, &first, &last);
        if (first >= LENGTH) {
            ret_reply->status = 416;
            return;
        }
        snprintf(self->content_range, sizeof(self->content_range), "bytes %u-%u/%zu",
                 first + self->wrong_range, last, LENGTH);
        fake_header(ret_reply, "Content-Range", self->content_range);
    }
    ret_reply->status = ret_reply->header_count > 0 ? 206 : 200;
    memcpy(self->damaged, text, LENGTH);
    self->damaged[LENGTH / 2] ^= (char)self->damages;
    ret_reply->body = (struct span){ self->damaged + first, last + 1 - first };
    if (self->trickles)
        self->fail_at = first + 1;
    if (self->fail_at > first && self->fail_at <= last) {
        ret_reply->body.length = self->fail_at - first;
        ret_reply->stall = self->stalls || self->trickles;
        ret_reply->cut = !ret_reply->stall;
    }
}

static struct download download_of(uint64_t begin, uint64_t end)
{
    struct download download = {
        .question = { .what = "gs://bank/o", .method = "GET", .url = "http://cloud/o" },
        .begin = begin,
        .end = end,
        .whole = begin == 0 && end >= LENGTH,
        .checksum_kind = CHECKSUM_CRC32C,
    };

    checksum_crc32c_text(crc32c_add(0, text, LENGTH), download.checksum);
    return download;
}

/* Reads it in pieces of `capacity`. Returns 0, or -1 with *err set. */
static int read_all(const struct download *download, size_t capacity, struct buf *content,
                    struct err *err)
{
    struct stores_options options;
    struct remote *remote;
    int outcome;
    char piece[16];
    size_t length = 0;

    fake_cloud_init(&cloud, serve, &server);
    options = fake_cloud_options(&cloud);
    remote = remote_new(&options);
    struct store_reader *reader = download_new(remote, download);
    buf_init(content, 1000);
    do {
        outcome = byte_source_read(store_reader_source(reader), piece, capacity, &length, err);
        if (outcome == 0)
            buf_append(content, piece, length);
    } while (outcome == 0 && length > 0);
    store_reader_free(reader);
    remote_free(remote);
    return outcome;
}

static void check(const struct download *download, size_t capacity)
{
    auto_buf struct buf content = { 0 };
    struct err err = { 0 };
    uint64_t end = download->end < LENGTH ? download->end : LENGTH;

    if (read_all(download, capacity, &content, &err))
        fail_msg("%s", err.message);
    assert_int_equal(content.length, end - download->begin);
    assert_memory_equal(buf_text(&content), text + download->begin, content.length);
    fake_cloud_release(&cloud);
}

static void cuts_are_mended(void **state)
{
    (void)state;
    for (int stalls = 0; stalls < 2; stalls++)
        for (size_t at = 0; at < LENGTH; at++) {
            server = (struct server){ .fail_at = at, .stalls = stalls };
            struct download whole = download_of(0, LENGTH), part = download_of(5, 40);
            struct download open = download_of(0, UINT64_MAX);

            check(&whole, 7);
            check(&part, 16);
            check(&open, 1);
        }
}

/* Each byte is one more than before, and yet nobody lives to see the last one. */
static void a_trickle_is_not_waited_for(void **state)
{
    (void)state;
    struct download whole = download_of(0, LENGTH);
    auto_buf struct buf content = { 0 };
    struct err err = { 0 };

    server = (struct server){ .trickles = true };
    assert_int_equal(read_all(&whole, 16, &content, &err), -1);
    assert_int_equal(err.kind, ERR_RETRY);
    assert_in_range(cloud.requests, 3, 10); /* two minutes of patience, each a silence of 30 s */
    fake_cloud_release(&cloud);
}

static void servers_without_ranges_are_read_again(void **state)
{
    (void)state;
    struct download part = download_of(11, 30);

    server = (struct server){ .no_ranges = true };
    check(&part, 16);
}

static void empty_objects_are_not_asked_for(void **state)
{
    struct download empty = { .question = { .what = "gs://bank/o" }, .whole = true };

    (void)state;
    check(&empty, 16);
    assert_int_equal(cloud.requests, 0);
}

static void check_failure(const struct download *download, enum err_kind kind, const char *message)
{
    auto_buf struct buf content = { 0 };
    struct err err = { 0 };

    assert_int_equal(read_all(download, 16, &content, &err), -1);
    if (err.kind != kind || !strstr(err.message, message))
        fail_msg("%s: %s", err_kind_name(err.kind), err.message);
    fake_cloud_release(&cloud);
}

static void damage_is_noticed(void **state)
{
    struct download whole = download_of(0, LENGTH), open = download_of(0, UINT64_MAX);

    (void)state;
    server = (struct server){ .damages = true };
    check_failure(&whole, ERR_RETRY, "damaged");
    check_failure(&open, ERR_RETRY, "damaged");
    server = (struct server){ .wrong_range = true, .fail_at = 9 };
    check_failure(&whole, ERR_INVALID, "another part");
}

static void another_generation_is_noticed(void **state)
{
    static const int statuses[] = { 404, 412, 416 };
    struct download whole = download_of(0, LENGTH);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        server = (struct server){ .fail_at = 20, .status = statuses[i] };
        check_failure(&whole, ERR_GONE, "no longer the file");
    }
    server = (struct server){ .fail_at = 20, .status = 503 };
    check_failure(&whole, ERR_RETRY, "503");
}

static void objects_that_shrank_are_noticed(void **state)
{
    struct download longer = download_of(0, LENGTH + 5);

    (void)state;
    server = (struct server){ 0 };
    check_failure(&longer, ERR_GONE, "no longer the file");
}

static void content_ranges(void **state)
{
    static const struct {
        const char *text;
        int outcome;
        uint64_t first;
    } cases[] = {
        { "bytes 0-9/10", 0, 0 },  { "bytes 4-7/*", 0, 4 }, { "bytes */16", -1, 0 },
        { "bytes 4", -1, 0 },      { "4-7/16", -1, 0 },     { "bytes -1-7/16", -1, 0 },
        { "bytes x-7/16", -1, 0 }, { "", -1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err;
        uint64_t first = 0;

        CASE(cases[i].text,
             download_parse_content_range(cases[i].text, &first, &err) == cases[i].outcome);
        CASE(cases[i].text, first == cases[i].first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_are_mended),
        cmocka_unit_test(a_trickle_is_not_waited_for),
        cmocka_unit_test(servers_without_ranges_are_read_again),
        cmocka_unit_test(empty_objects_are_not_asked_for),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(another_generation_is_noticed),
        cmocka_unit_test(objects_that_shrank_are_noticed),
        cmocka_unit_test(content_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
