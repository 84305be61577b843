/* Goal: gs:// makes one object of others where servers are hard to bring to it: conditions that do
 * not hold, and answers that are lost.
 * Method: a play of questions that are expected, each with its answer. */
#include "unit.h"

#include "play.h"

#define URI     "gs://bank/out/w7.csv"
#define COMPOSE "POST /b/bank/o/out%2Fw7.csv/compose?"
/* Of "abc". */
#define OBJECT(name, generation, more)                                                             \
    {                                                                                              \
        .status = 200,                                                                             \
        .body = span_of("{\"name\":\"" name "\",\"size\":\"3\",\"generation\":\"" generation       \
                        "\",\"crc32c\":\"Nks/tw==\"" more "}")                                     \
    }

static const char *const emulator[] = { "STORAGE_EMULATOR_HOST", "http://cloud", NULL };

static int compose(struct err *err)
{
    auto_store_writer struct store_writer *writer =
        store_put(play.store, URI, STORE_IF_ABSENT, NULL, err);
    int outcome = store_writer_append_object(writer, "gs://bank/out/part", "3", err);

    return outcome == 0 ? store_writer_commit(writer, NULL, err) : -1;
}

static void another_object_stays(void **state)
{
    const struct scene scenes[] = {
        { .question = "GET /b/bank/o/out%2Fpart?", .reply = OBJECT("out/part", "3", "") },
        { .question = COMPOSE, .reply = { .status = 412 } },
    };
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    assert_int_equal(compose(&err), -1);
    play_check_error(&err, ERR_EXISTS, "exists already");
    assert_non_null(strstr(buf_text(&play.cloud.log), "&ifGenerationMatch=0"));
    play_end();
}

static void an_answer_that_was_lost_is_made_up_for(void **state)
{
    const struct scene scenes[] = {
        { .question = "GET /b/bank/o/out%2Fpart?", .reply = OBJECT("out/part", "3", "") },
        { .question = COMPOSE, .reply = { .status = 200, .cut = true } },
        { .question = COMPOSE, .reply = { .status = 412 } },
        { .question = "GET /b/bank/o/out%2Fw7.csv?",
          .reply =
              OBJECT("out/w7.csv", "9", ",\"metadata\":{\"churn-writer\":\"" PLAY_WRITER "\"}") },
    };
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), emulator);
    if (compose(&err) < 0)
        fail_msg("%s", err.message);
    play_end();
}

static void parts_that_changed_are_not_composed(void **state)
{
    static const struct {
        const char *name;
        size_t count;
    } cases[] = { { "before", 1 }, { "while the server composes", 2 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct scene scenes[] = {
            { .question = "GET /b/bank/o/out%2Fpart?", .reply = OBJECT("out/part", "3", "") },
            { .question = COMPOSE, .reply = { .status = 404 } },
        };
        const struct scene other = { .question = "GET /b/bank/o/out%2Fpart?",
                                     .reply = OBJECT("out/part", "4", "") };
        struct err err = { 0 };

        play_begin(URI, cases[i].count == 1 ? &other : scenes, cases[i].count, emulator);
        CASE(cases[i].name, compose(&err) == -1);
        assert_string_equal(err.reason, "InputChanged");
        play_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_object_stays),
        cmocka_unit_test(an_answer_that_was_lost_is_made_up_for),
        cmocka_unit_test(parts_that_changed_are_not_composed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
