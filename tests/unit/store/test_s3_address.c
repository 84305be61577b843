/* Goal: objects have the URLs that S3 and servers like it expect, and are signed as they are sent.
 */
#include "unit.h"

#include "base/limits.h"
#include "store/s3_address.h"

static void urls_are_those_of_the_server(void **state)
{
    static const struct {
        struct s3_address address;
        const char *bucket, *key, *query, *url;
    } cases[] = {
        { { NULL, "eu-central-1", false, false },
          "bank",
          "in/w 7+ü.csv",
          "",
          "https://bank.s3.eu-central-1.amazonaws.com/in/w%207%2B%C3%BC.csv" },
        { { NULL, "cn-north-1", false, false },
          "bank",
          "",
          "list-type=2",
          "https://bank.s3.cn-north-1.amazonaws.com.cn/?list-type=2" },
        { { NULL, "us-east-1", false, false },
          "my.bank",
          "a",
          "",
          "https://s3.us-east-1.amazonaws.com/my.bank/a" },
        { { NULL, "us-east-1", false, true },
          "bank",
          "",
          "list-type=2",
          "https://s3.us-east-1.amazonaws.com/bank?list-type=2" },
        { { "http://minio:9000", "x", false, false },
          "bank",
          "a/b",
          "",
          "http://minio:9000/bank/a/b" },
        { { "https://minio:443/store", "x", false, false },
          "bank",
          "a",
          "uploads=",
          "https://minio/store/bank/a?uploads=" },
        { { "https://s3.bank.example:8443", "x", true, false },
          "data",
          "a",
          "",
          "https://data.s3.bank.example:8443/a" },
        { { "http://[::1]:9000", "x", true, false }, "data", "", "", "http://[::1]:9000/data" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf url = { .maximum = LIMIT_URL };

        s3_address_url(&cases[i].address, cases[i].bucket, cases[i].key, span_of(cases[i].query),
                       &url);
        CASE(buf_text(&url), strcmp(buf_text(&url), cases[i].url) == 0);
    }
}

static void a_url_is_split_as_it_is_sent(void **state)
{
    static const struct {
        const char *url, *host, *path, *query;
    } cases[] = {
        { "http://minio:9000/bank/a%2B?x=1&y=", "minio:9000", "/bank/a%2B", "x=1&y=" },
        { "https://h", "h", "/", "" },
        { "https://h?x=", "h", "/", "x=" },
        { "https://h/", "h", "/", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct span host, path, query;

        s3_address_split(cases[i].url, &host, &path, &query);
        CASE(cases[i].url, span_equals(host, cases[i].host));
        CASE(cases[i].url, span_equals(path, cases[i].path));
        CASE(cases[i].url, span_equals(query, cases[i].query));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_those_of_the_server),
        cmocka_unit_test(a_url_is_split_as_it_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
