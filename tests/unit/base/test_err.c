/* Goal: an error carries one presentable line, whatever foreign input it quotes.
 * Method: messages at the edge of the buffer, with control and broken bytes. */
#include "unit.h"

#include <errno.h>

#include "base/err.h"
#include "base/utf8.h"

static void setting_fills_everything(void **state)
{
    struct err err = { .http_status = 500, .retry_after_ms = 7, .reason = "Old" };

    (void)state;
    assert_int_equal(err_set(&err, ERR_GONE, "position %d", 7), -1);
    assert_int_equal(err.kind, ERR_GONE);
    assert_string_equal(err.message, "position 7");
    assert_string_equal(err.reason, "");
    assert_int_equal(err.http_status, 0);
    assert_int_equal(err_reason(&err, ERR_INVALID, "DataInvalid", "line %d", 3), -1);
    assert_string_equal(err.reason, "DataInvalid");
    assert_int_equal(err_set(NULL, ERR_GONE, "nobody listens"), -1);
}

static void messages_may_be_built_from_the_old_message(void **state)
{
    struct err err = { 0 };

    (void)state;
    err_set(&err, ERR_IO, "disk full");
    err_set(&err, ERR_RETRY, "first: %s", err.message);
    assert_string_equal(err.message, "first: disk full");
}

static void control_characters_and_broken_utf8_are_replaced(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "a\nb\tc\x7f", "a?b?c?" },
        { "\x1b[31mred", "?[31mred" },
        { "gr\xc3\xbc\xc3\x9f"
          "e",
          "gr\xc3\xbc\xc3\x9f"
          "e" },
        { "a\xff\xc3z", "a??z" },
        { "\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err;

        err_set(&err, ERR_INVALID, "%s", cases[i].text);
        assert_string_equal(err.message, cases[i].message);
    }
}

/* A two-, three- or four-byte character is moved over the end byte by byte. */
static void long_messages_are_cut_between_characters(void **state)
{
    static const char *const characters[] = { "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x99\x82" };
    char text[sizeof(((struct err *)0)->message) + 8];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(characters); i++) {
        size_t width = strlen(characters[i]);

        for (size_t before = 1010; before < 1026; before++) {
            struct err err;

            memset(text, 'x', before);
            memcpy(text + before, characters[i], width + 1);
            err_set(&err, ERR_INVALID, "%s", text);
            size_t expected = before + width <= 1023 ? before + width
                              : before < 1023        ? before
                                                     : 1023;

            assert_int_equal(strlen(err.message), expected);
            assert_int_equal(utf8_valid_prefix(err.message, expected), expected);
            assert_null(strchr(err.message, '?'));
        }
    }
}

static void errno_gives_kind_and_text(void **state)
{
    static const struct {
        int number;
        enum err_kind kind;
        const char *message;
    } cases[] = {
        { ENOENT, ERR_NOT_FOUND, "open x: No such file or directory" },
        { EACCES, ERR_DENIED, "open x: Permission denied" },
        { EROFS, ERR_DENIED, "open x: Read-only file system" },
        { EEXIST, ERR_EXISTS, "open x: File exists" },
        { EAGAIN, ERR_RETRY, "open x: Resource temporarily unavailable" },
        { ENOMEM, ERR_INTERNAL, "open x: Cannot allocate memory" },
        { ENOSPC, ERR_IO, "open x: No space left on device" },
        { 99999, ERR_IO, "open x: error 99999" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err;

        assert_int_equal(err_errno(&err, cases[i].number, "open %s", "x"), -1);
        assert_int_equal(err.kind, cases[i].kind);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void wrapping_keeps_kind_and_reason(void **state)
{
    struct err err = { 0 };

    (void)state;
    err_reason(&err, ERR_CONFLICT, "Changed", "too late");
    err.http_status = 409;
    assert_int_equal(err_wrap(&err, "patch %s", "status"), -1);
    assert_string_equal(err.message, "patch status: too late");
    assert_string_equal(err.reason, "Changed");
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_int_equal(err.http_status, 409);
    for (int i = 0; i < 1000; i++)
        err_wrap(&err, "\xe2\x82\xac");
    assert_true(strlen(err.message) <= 1023 && strlen(err.message) >= 1020);
    assert_int_equal(utf8_valid_prefix(err.message, strlen(err.message)), strlen(err.message));
    assert_int_equal(err_wrap(NULL, "nobody"), -1);
}

static void appending_keeps_kind_and_reason(void **state)
{
    struct err err = { 0 };

    (void)state;
    err_reason(&err, ERR_DENIED, "Refused", "no");
    assert_int_equal(err_append(&err, "ask %s", "nicely"), -1);
    assert_string_equal(err.message, "no; ask nicely");
    assert_string_equal(err.reason, "Refused");
    assert_int_equal(err.kind, ERR_DENIED);
    for (int i = 0; i < 1000; i++)
        err_append(&err, "\xe2\x82\xac");
    assert_true(strlen(err.message) <= 1023 && strlen(err.message) >= 1020);
    assert_int_equal(utf8_valid_prefix(err.message, strlen(err.message)), strlen(err.message));
    assert_int_equal(err_append(NULL, "nobody"), -1);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (int kind = ERR_NONE; kind <= ERR_INTERNAL; kind++)
        assert_string_not_equal(err_kind_name((enum err_kind)kind), "Unknown");
    assert_string_equal(err_kind_name(ERR_TOO_BIG), "TooBig");
    assert_string_equal(err_kind_name((enum err_kind)(ERR_INTERNAL + 1)), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_fills_everything),
        cmocka_unit_test(messages_may_be_built_from_the_old_message),
        cmocka_unit_test(control_characters_and_broken_utf8_are_replaced),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(errno_gives_kind_and_text),
        cmocka_unit_test(wrapping_keeps_kind_and_reason),
        cmocka_unit_test(appending_keeps_kind_and_reason),
        cmocka_unit_test(every_kind_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
