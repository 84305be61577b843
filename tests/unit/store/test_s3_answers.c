/* Goal: listings, errors and tags of S3 and of servers like it are understood.
 * Method: answers as real servers give them, and broken ones. */
#include "unit.h"

#include "base/buf.h"
#include "store/s3_answers.h"

#define HEAD                                                                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                                 \
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bank</Name>"        \
    "<Prefix>in/</Prefix><Delimiter>/</Delimiter><MaxKeys>1000</MaxKeys><KeyCount>2</KeyCount>"
#define OBJECT(key)                                                                                \
    "<Contents><Key>" key "</Key><LastModified>2026-11-22T10:41:26.839Z</LastModified>"            \
    "<ETag>&#34;9b2cf535f27731c974343645a3985328-2&#34;</ETag><Size>5368709121</Size>"             \
    "<StorageClass>STANDARD</StorageClass></Contents>"
#define TAIL "</ListBucketResult>"

static void a_page_is_read(void **state)
{
    auto_arena struct arena arena = { 0 };
    struct s3_page page;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(
        s3_read_page(
            span_of(HEAD "<IsTruncated>true</IsTruncated>" OBJECT(
                "in/a &amp; b.csv") "<CommonPrefixes><Prefix>in/old/</Prefix></CommonPrefixes>"
                                    "<CommonPrefixes><Prefix>in/new/</Prefix></CommonPrefixes>"
                                    "<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhb==</"
                                    "NextContinuationToken>" TAIL),
            "s3://bank/in/", &arena, &page, &err),
        0);
    assert_int_equal(page.object_count, 1);
    assert_string_equal(page.objects[0].key, "in/a & b.csv");
    assert_string_equal(page.objects[0].etag, "9b2cf535f27731c974343645a3985328-2");
    assert_int_equal(page.objects[0].bytes, 5368709121);
    assert_int_equal(page.objects[0].updated_ms, 1795344086839);
    assert_int_equal(page.prefix_count, 2);
    assert_string_equal(page.prefixes[1], "in/new/");
    assert_string_equal(page.next, "1ueGcxLPRx1Tr/XYExHnhb==");
}

static void keys_are_decoded_when_they_are_encoded(void **state)
{
    auto_arena struct arena arena = { 0 };
    struct s3_page page;
    struct err err = { 0 };

    (void)state;
    /* the type comes behind the keys */
    assert_int_equal(
        s3_read_page(
            span_of(HEAD OBJECT(
                "in/d+e%2Bf%3D%C3%BC%01%zz%0%00.csv") "<CommonPrefixes><Prefix>in/x+y/</Prefix></"
                                                      "CommonPrefixes>"
                                                      "<EncodingType>url</EncodingType>" TAIL),
            "list", &arena, &page, &err),
        0);
    assert_string_equal(page.objects[0].key, "in/d e+f=\xC3\xBC\x01%zz%0%00.csv");
    assert_string_equal(page.prefixes[0], "in/x y/");
    assert_int_equal(
        s3_read_page(span_of(HEAD OBJECT("a+b%20c") TAIL), "list", &arena, &page, &err), 0);
    assert_string_equal(page.objects[0].key, "a+b%20c");
    assert_null(page.next);
}

static void a_large_page_is_read_whole(void **state)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf body = { .maximum = 10000000 };
    struct s3_page page;
    struct err err = { 0 };

    (void)state;
    buf_string(&body, HEAD);
    for (int i = 0; i < 1000; i++)
        buf_format(&body, "<Contents><Key>k%d</Key><ETag>e%d</ETag><Size>%d</Size></Contents>", i,
                   i, i);
    buf_string(&body, TAIL);
    assert_int_equal(
        s3_read_page((struct span){ body.data, body.length }, "list", &arena, &page, &err), 0);
    assert_int_equal(page.object_count, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(page.objects[i].bytes, i);
}

static void broken_pages_are_refused(void **state)
{
    static const struct {
        const char *body, *message;
    } cases[] = {
        { "<Error><Code>AccessDenied</Code></Error>", "list: the answer is no ListBucketResult" },
        { HEAD "<Contents><Key>a</Key><ETag>\"e\"</ETag></Contents>" TAIL,
          "list: the listing has an entry without Key or Size" },
        { HEAD "<Contents><ETag>\"e\"</ETag><Size>1</Size></Contents>" TAIL,
          "list: the listing has an entry without Key or Size" },
        { HEAD OBJECT("a") "<Contents><Key>b</Key></Contents>" TAIL,
          "list: the listing has an entry without Key or Size" },
        { HEAD "<Contents><Size>-1</Size></Contents>" TAIL, "list: Size: " },
        { HEAD "<Contents><LastModified>now</LastModified></Contents>" TAIL,
          "list: LastModified: " },
        { HEAD "<IsTruncated>true</IsTruncated>" TAIL,
          "list: the listing goes on, but does not say where" },
        { HEAD "<CommonPrefixes></CommonPrefixes>" TAIL,
          "list: the listing has an entry without Prefix" },
        { HEAD, "list line 2, column " },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct s3_page page;
        struct err err = { 0 };

        CASE(cases[i].message,
             s3_read_page(span_of(cases[i].body), "list", &arena, &page, &err) == -1);
        CASE(err.message, strncmp(err.message, cases[i].message, strlen(cases[i].message)) == 0);
    }
}

static void errors_say_why(void **state)
{
    auto_arena struct arena arena = { 0 };
    struct s3_problem problem;

    (void)state;
    assert_true(s3_read_problem(
        span_of("<Error><Code>PermanentRedirect</Code><Message>use &#39;it&#39;</Message>"
                "<Region>eu-west-1</Region></Error>"),
        &arena, &problem));
    assert_string_equal(problem.code, "PermanentRedirect");
    assert_string_equal(problem.message, "use 'it'");
    assert_string_equal(problem.region, "eu-west-1");
    assert_true(s3_read_problem(
        span_of("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>"
                "<Type>Sender</Type><Code>ExpiredTokenException</Code></Error></ErrorResponse>"),
        &arena, &problem));
    assert_string_equal(problem.code, "ExpiredTokenException");
    assert_null(problem.message);
    assert_false(s3_read_problem(span_of("<html><body>502</body></html>"), &arena, &problem));
    assert_false(s3_read_problem(span_of("Bad Gateway"), &arena, &problem));
    assert_false(s3_read_problem((struct span){ 0 }, &arena, &problem));
}

static void tags_lose_their_quotes(void **state)
{
    char etag[S3_ETAG];
    struct err err = { 0 };

    (void)state;
    assert_int_equal(s3_read_etag(span_of("\"abc-2\""), etag, &err), 0);
    assert_string_equal(etag, "abc-2");
    assert_int_equal(s3_read_etag(span_of("W/\"abc\""), etag, &err), 0);
    assert_string_equal(etag, "abc");
    assert_int_equal(s3_read_etag(span_of("abc"), etag, &err), 0);
    assert_string_equal(etag, "abc");
    for (const char *const *bad = (const char *const[]){ "", "\"\"", "a b", "a\"b", "\"a", NULL };
         *bad; bad++)
        CASE(*bad, s3_read_etag(span_of(*bad), etag, &err) == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_read),
        cmocka_unit_test(keys_are_decoded_when_they_are_encoded),
        cmocka_unit_test(a_large_page_is_read_whole),
        cmocka_unit_test(broken_pages_are_refused),
        cmocka_unit_test(errors_say_why),
        cmocka_unit_test(tags_lose_their_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
