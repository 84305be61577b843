/* Goal: the files that AWS's tools share are read as those read them.
 * Method: files as the documentation shows them, and broken ones. */
#include "unit.h"

#include "store/aws_profile.h"

static int read_text(const char *text, const char *name, bool is_config, struct arena *arena,
                     struct aws_profile *profile, struct err *err)
{
    return aws_profile_read(span_of(text), "file", name, is_config, arena, profile, err);
}

static void the_named_section_counts(void **state)
{
    static const char credentials[] = "# keys\n"
                                      "[default]\n"
                                      "aws_access_key_id = AKIA1\r\n"
                                      "aws_secret_access_key=a/b+c=\n"
                                      "\n"
                                      "[bank]\n"
                                      "  ; nothing\n"
                                      "aws_access_key_id=AKIA2   # the bank's\n"
                                      "aws_secret_access_key=secret#2\n"
                                      "aws_session_token = t";
    auto_arena struct arena arena = { 0 };
    struct aws_profile first = { 0 }, second = { 0 }, third = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(read_text(credentials, "default", false, &arena, &first, &err), 0);
    assert_true(first.found);
    assert_string_equal(first.access_key_id, "AKIA1");
    assert_string_equal(first.secret_access_key, "a/b+c=");
    assert_null(first.session_token);
    assert_int_equal(read_text(credentials, "bank", false, &arena, &second, &err), 0);
    assert_string_equal(second.access_key_id, "AKIA2");
    assert_string_equal(second.secret_access_key, "secret#2");
    assert_string_equal(second.session_token, "t");
    assert_int_equal(read_text(credentials, "nobody", false, &arena, &third, &err), 0);
    assert_false(third.found);
    assert_null(third.access_key_id);
}

static void a_config_file_adds_to_the_credentials(void **state)
{
    static const char config[] = "[profile bank]\n"
                                 "region = eu-central-1\n"
                                 "endpoint_url = https://s3.bank.example\n"
                                 "s3 =\n"
                                 "    addressing_style = path\n"
                                 "    max_concurrent_requests = 20\n"
                                 "aws_access_key_id = OTHER\n"
                                 "aws_session_token = OTHER\n"
                                 "output = json\n"
                                 "[bank]\n"
                                 "region = us-east-1\n"
                                 "[services bank]\n"
                                 "s3 =\n"
                                 "  endpoint_url = https://elsewhere.example\n"
                                 "[default]\n"
                                 "region = us-west-2\n";
    auto_arena struct arena arena = { 0 };
    struct aws_profile profile = { .access_key_id = "AKIA", .secret_access_key = "s" };
    struct aws_profile other = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(read_text(config, "bank", true, &arena, &profile, &err), 0);
    assert_string_equal(profile.region, "eu-central-1");
    assert_string_equal(profile.endpoint_url, "https://s3.bank.example");
    assert_string_equal(profile.addressing_style, "path");
    assert_string_equal(profile.access_key_id, "AKIA");
    assert_null(profile.session_token);
    assert_int_equal(read_text(config, "default", true, &arena, &other, &err), 0);
    assert_string_equal(other.region, "us-west-2");
    assert_null(other.endpoint_url);
}

/* A comment is no value, also where there is none before it. */
static void a_comment_alone_is_no_value(void **state)
{
    static const char config[] = "[default]\n"
                                 "region = # eu-central-1\n"
                                 "endpoint_url =\t; none yet\n"
                                 "aws_session_token =#1\n"
                                 "s3 = # how buckets are named\n"
                                 "  addressing_style = path\n";
    auto_arena struct arena arena = { 0 };
    struct aws_profile profile = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(read_text(config, "default", true, &arena, &profile, &err), 0);
    assert_null(profile.region);
    assert_null(profile.endpoint_url);
    assert_string_equal(profile.session_token, "#1");
    assert_string_equal(profile.addressing_style, "path");
}

static void broken_lines_are_named_and_never_quoted(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "[default\n", "file line 1: expected \"]\" at the end of the section" },
        { "[default]\n\nhush", "file line 3: expected \"key = value\", a section or a comment" },
        { "[default]\naws_session_token = hush\rx-amz-acl: public-read",
          "file line 2: expected text without control characters" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct aws_profile profile = { 0 };
        struct err err = { 0 };

        CASE(cases[i].message,
             read_text(cases[i].text, "default", false, &arena, &profile, &err) == -1);
        assert_string_equal(err.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_named_section_counts),
        cmocka_unit_test(a_config_file_adds_to_the_credentials),
        cmocka_unit_test(a_comment_alone_is_no_value),
        cmocka_unit_test(broken_lines_are_named_and_never_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
