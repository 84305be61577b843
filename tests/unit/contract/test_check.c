/* Goal: each rule takes what it should and refuses the nearest wrong text.
 * Method: a table of texts per rule. */
#include "unit.h"

#include "base/fields.h"
#include "contract/check.h"

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        field_check check;
        const char *text;
        bool valid;
    } cases[] = {
        { "label", check_label, "week-07", true },
        { "label", check_label, "7", true },
        { "label, empty", check_label, "", false },
        { "label, dot", check_label, "a.b", false },
        { "label, capital", check_label, "Week", false },
        { "label, ends in -", check_label, "week-", false },
        { "label, begins with -", check_label, "-week", false },
        { "label, 63", check_label,
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true },
        { "label, 64", check_label,
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
        { "subdomain", check_subdomain, "reg.cred-1", true },
        { "subdomain, two dots", check_subdomain, "reg..cred", false },
        { "subdomain, dash at a dot", check_subdomain, "reg-.cred", false },
        { "subdomain, ends in a dot", check_subdomain, "reg.", false },
        { "object", check_object, "bank/week-07", true },
        { "object, laptop", check_object, "week-07", true },
        { "object, two slashes", check_object, "a/b/c", false },
        { "object, empty namespace", check_object, "/b", false },
        { "uri", check_uri, "file:///data/a.csv", true },
        { "uri, folder", check_uri, "file:///data/", true },
        { "uri, Google's bucket", check_uri, "gs://bank/a.csv", true },
        { "uri, bucket", check_uri, "s3://bank/in/", true },
        { "uri, path", check_uri, "/data/a.csv", false },
        { "uri, dots", check_uri, "file:///data/../a.csv", false },
        { "folder", check_folder_uri, "file:///data/", true },
        { "folder, file", check_folder_uri, "file:///data", false },
        { "file", check_file_uri, "file:///data", true },
        { "file, folder", check_file_uri, "file:///data/", false },
        { "column", check_column, "Credit Score", true },
        { "column, blank at the end", check_column, "Age ", false },
        { "column, line break", check_column, "A\nB", false },
        { "column, empty", check_column, "", false },
        { "threshold", check_threshold, "Auto", true },
        { "threshold, number", check_threshold, "0.5", true },
        { "threshold, word", check_threshold, "auto", false },
        { "threshold, too large", check_threshold, "1.01", false },
        { "threshold, not a number", check_threshold, "nan", false },
        { "image", check_image, "ghcr.io/acme/trainer:1@sha256:ab", true },
        { "image, blank", check_image, "trainer 1", false },
        { "version", check_version, "0123456789abcdef", true },
        { "version, capital", check_version, "0123456789ABCDEF", false },
        { "version, short", check_version, "0123", false },
        { "key", check_key, "0123456789abcdef0123456789abcdef", true },
        { "digest", check_digest,
          "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true },
        { "digest, md5", check_digest, "md5:0123456789abcdef0123456789abcdef", false },
        { "metric", check_metric, "lift_at_10", true },
        { "metric, dash", check_metric, "lift-at-10", false },
        { "word", check_word, "DataInvalid", true },
        { "word, lower", check_word, "dataInvalid", false },
        { "line", check_line, "a, b", true },
        { "line, tab", check_line, "a\tb", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = { .kind = ERR_NONE };
        bool valid = cases[i].check(cases[i].text, &err) == 0;
        if (valid != cases[i].valid)
            fail_msg("%s: \"%s\"", cases[i].name, cases[i].text);
        CASE(cases[i].name, err.kind == (valid ? ERR_NONE : ERR_INVALID));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rules) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
