/* Goal: Events say what happened, once, and a loop cannot flood the server.
 * Method: the real client on a network that keeps what it is sent and answers as told, under
 * virtual time. */
#include "../unit.h"

#include "base/json.h"
#include "base/limits.h"
#include "kube/recorder.h"
#include "fake_api.h"

struct fixture {
    struct fake_api api;
    struct recorder *recorder;
    int status; /* of the next answers; 0: none at all */
    const char *reason;
    json_t *sent; /* array of {method, url, body} */
    unsigned failures;
};

static void serve(void *context, struct fake_exchange *exchange)
{
    struct fixture *fixture = context;
    struct err err;
    json_t *body = jx_parse(span_of(exchange->body), LIMIT_JSON_DOCUMENT, "body", &err);

    assert_non_null(body);
    json_array_append_new(fixture->sent, json_pack("{s:s, s:s, s:o}", "method", exchange->method,
                                                   "url", exchange->url, "body", body));
    auto_free char *status = mem_format("{\"kind\":\"Status\",\"reason\":\"%s\"}",
                                        fixture->reason ? fixture->reason : "");
    if (fixture->status)
        network_reply(exchange, fixture->status, status);
}

static void on_failed(void *context, const struct err *failure)
{
    assert_int_not_equal(failure->kind, ERR_NONE);
    ((struct fixture *)context)->failures++;
}

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .status = 201, .sent = json_array() };
    fake_api_init(&fixture->api, serve, fixture);
    fixture->recorder = recorder_new(fixture->api.client, &fixture->api.timers,
                                     &(struct recorder_options){ .controller = "churnops.io/test",
                                                                 .instance = "pod-1",
                                                                 .seed = 3,
                                                                 .failed = on_failed,
                                                                 .context = fixture });
}

static void fixture_release(struct fixture *fixture)
{
    recorder_free(fixture->recorder);
    fake_api_release(&fixture->api);
    json_decref(fixture->sent);
}

static void run_for(struct fixture *fixture, int64_t ms)
{
    virtual_clock_advance(&fixture->api.time, ms);
    (void)timers_run(&fixture->api.timers);
    fake_network_run(&fixture->api.network);
}

static void say_about(struct fixture *fixture, const char *uid, const char *note)
{
    recorder_event(
        fixture->recorder,
        &(struct event){ .subject = { "churnops.io/v1alpha1", "ChurnModel", "bank", "retail", uid },
                         .reason = "TrainingStarted",
                         .action = "StartTraining",
                         .note = note });
}

static void say(struct fixture *fixture, const char *note)
{
    say_about(fixture, "uid-1", note);
    run_for(fixture, 0);
}

static const json_t *sent(const struct fixture *fixture, size_t index)
{
    return json_array_get(fixture->sent, index);
}

static struct recorder_stats stats_of(const struct fixture *fixture)
{
    struct recorder_stats stats;

    recorder_stats(fixture->recorder, &stats);
    return stats;
}

static void test_an_event_is_created(void **state)
{
    struct fixture fixture;
    const json_t *body;

    (void)state;
    fixture_init(&fixture);
    say(&fixture, "Job retail-t0 created");
    assert_int_equal(json_array_size(fixture.sent), 1);
    assert_string_equal(jx_string(sent(&fixture, 0), "method", NULL), "POST");
    assert_non_null(strstr(jx_string(sent(&fixture, 0), "url", NULL),
                           "/apis/events.k8s.io/v1/namespaces/bank/events"));
    body = jx_get(sent(&fixture, 0), "body", NULL);
    assert_string_equal(jx_string(body, "type", NULL), "Normal");
    assert_string_equal(jx_string(body, "reason", NULL), "TrainingStarted");
    assert_string_equal(jx_string(body, "action", NULL), "StartTraining");
    assert_string_equal(jx_string(body, "note", NULL), "Job retail-t0 created");
    assert_string_equal(jx_string(body, "eventTime", NULL), "2023-11-14T22:13:20.000000Z");
    assert_string_equal(jx_string(body, "reportingController", NULL), "churnops.io/test");
    assert_string_equal(jx_string(body, "reportingInstance", NULL), "pod-1");
    assert_string_equal(jx_string(body, "regarding", "uid", NULL), "uid-1");
    assert_string_equal(jx_string(body, "regarding", "name", NULL), "retail");
    assert_memory_equal(jx_string(body, "metadata", "name", NULL), "retail.", 7);
    assert_null(jx_get(body, "series", NULL));
    assert_int_equal(stats_of(&fixture).pending, 0);
    assert_int_equal(stats_of(&fixture).sent, 1);
    fixture_release(&fixture);
}

static void test_equal_events_become_a_series(void **state)
{
    struct fixture fixture;
    const char *name;

    (void)state;
    fixture_init(&fixture);
    say(&fixture, "same");
    run_for(&fixture, 9 * 60 * 1000);
    say(&fixture, "same");
    assert_int_equal(json_array_size(fixture.sent), 2);
    name = jx_string(sent(&fixture, 0), "body", "metadata", "name", NULL);
    assert_string_equal(jx_string(sent(&fixture, 1), "method", NULL), "PATCH");
    assert_non_null(strstr(jx_string(sent(&fixture, 1), "url", NULL), name));
    assert_int_equal(jx_int(jx_get(sent(&fixture, 1), "body", "series", NULL), "count", 0), 2);
    assert_string_equal(jx_string(sent(&fixture, 1), "body", "series", "lastObservedTime", NULL),
                        "2023-11-14T22:22:20.000000Z");
    say(&fixture, "another");
    assert_string_equal(jx_string(sent(&fixture, 2), "method", NULL), "POST");
    run_for(&fixture, 11 * 60 * 1000);
    say(&fixture, "same");
    assert_string_equal(jx_string(sent(&fixture, 3), "method", NULL), "POST");
    assert_string_not_equal(jx_string(sent(&fixture, 3), "body", "metadata", "name", NULL), name);
    fixture_release(&fixture);
}

/* What happens while the Event is being created is told when it is there. */
static void test_repeats_while_under_way(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (int i = 0; i < 5; i++)
        say_about(&fixture, "uid-1", "same");
    run_for(&fixture, 0);
    assert_int_equal(json_array_size(fixture.sent), 2);
    assert_int_equal(jx_int(jx_get(sent(&fixture, 1), "body", "series", NULL), "count", 0), 5);
    fixture_release(&fixture);
}

static void test_budget_of_an_object(void **state)
{
    struct fixture fixture;
    char note[32];

    (void)state;
    fixture_init(&fixture);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(note, sizeof(note), "note %d", i);
        say(&fixture, note);
    }
    assert_int_equal(json_array_size(fixture.sent), 25);
    assert_int_equal(stats_of(&fixture).dropped, 75);
    say_about(&fixture, "uid-2", "another object has its own");
    run_for(&fixture, 0);
    assert_int_equal(json_array_size(fixture.sent), 26);
    run_for(&fixture, 5 * 60 * 1000);
    say(&fixture, "one more");
    say(&fixture, "and no other");
    assert_int_equal(json_array_size(fixture.sent), 27);
    fixture_release(&fixture);
}

/* Repeats beyond the budget are counted, and told with the next one that is covered. */
static void test_budget_of_a_series(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (int i = 0; i < 100; i++)
        say(&fixture, "same");
    assert_int_equal(json_array_size(fixture.sent), 25);
    run_for(&fixture, 5 * 60 * 1000);
    say(&fixture, "same");
    assert_int_equal(json_array_size(fixture.sent), 26);
    assert_int_equal(jx_int(jx_get(sent(&fixture, 25), "body", "series", NULL), "count", 0), 101);
    fixture_release(&fixture);
}

/* What is found every minute for an hour is told every 10 minutes, and leaves the budget for what
 * happens meanwhile. */
static void test_what_lasts(void **state)
{
    struct fixture fixture;
    const struct event denied = { .subject = { "churnops.io/v1alpha1", "ChurnModel", "bank",
                                               "retail", "uid-1" },
                                  .lasting = true,
                                  .reason = "PermissionDenied",
                                  .action = "AskAPIServer",
                                  .note = "no right to patch" };

    (void)state;
    fixture_init(&fixture);
    for (int minute = 0; minute < 60; minute++) {
        recorder_event(fixture.recorder, &denied);
        run_for(&fixture, 0);
        run_for(&fixture, 60 * 1000);
    }
    assert_int_equal(json_array_size(fixture.sent), 6);
    assert_int_equal(jx_int(jx_get(sent(&fixture, 5), "body", "series", NULL), "count", 0), 51);
    for (int i = 0; i < 25; i++) {
        auto_free char *note = mem_format("note %d", i);
        say(&fixture, note);
    }
    assert_int_equal(json_array_size(fixture.sent), 6 + 25);
    assert_int_equal(stats_of(&fixture).dropped, 0);
    fixture_release(&fixture);
}

static void test_at_most_a_thousand_wait(void **state)
{
    struct fixture fixture;
    char uid[32];

    (void)state;
    fixture_init(&fixture);
    fixture.status = 0;
    for (int i = 0; i < 1500; i++) {
        (void)snprintf(uid, sizeof(uid), "uid-%d", i);
        say_about(&fixture, uid, "note");
    }
    run_for(&fixture, 0);
    assert_int_equal(json_array_size(fixture.sent), 4); /* under way */
    assert_int_equal(stats_of(&fixture).pending, 1000);
    assert_int_equal(stats_of(&fixture).dropped, 500);
    fixture_release(&fixture);
}

/* Memory is bounded: the object of which nothing was said for the longest time is forgotten. */
static void test_many_objects(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    say_about(&fixture, "first", "same");
    run_for(&fixture, 0);
    for (int i = 0; i < 1024; i++) {
        auto_free char *uid = mem_format("uid-%d", i);

        say_about(&fixture, uid, "same");
        run_for(&fixture, 0);
    }
    json_array_clear(fixture.sent);
    say_about(&fixture, "uid-1023", "same");
    say_about(&fixture, "first", "same");
    run_for(&fixture, 0);
    assert_string_equal(jx_string(sent(&fixture, 0), "method", NULL), "PATCH");
    assert_string_equal(jx_string(sent(&fixture, 1), "method", NULL), "POST");
    fixture_release(&fixture);
}

static void test_failures(void **state)
{
    static const struct {
        const char *name;
        int status;
        unsigned requests; /* until given up */
    } cases[] = {
        { "not allowed", 403, 1 },
        { "namespace is gone", 404, 1 },
        { "server in trouble", 503, 5 },
        { "refused", 422, 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture fixture;

        fixture_init(&fixture);
        fixture.status = cases[i].status;
        say(&fixture, "first");
        for (int step = 0; step < 300; step++)
            run_for(&fixture, 1000);
        say(&fixture, "second");
        for (int step = 0; step < 300; step++)
            run_for(&fixture, 1000);
        if (json_array_size(fixture.sent) != 2 * cases[i].requests)
            fail_msg("%s: %zu requests", cases[i].name, json_array_size(fixture.sent));
        assert_int_equal(fixture.failures, 1); /* said once */
        assert_int_equal(stats_of(&fixture).pending, 0);
        fixture.status = 201;
        say(&fixture, "first");
        assert_int_equal(stats_of(&fixture).sent, 1);
        fixture_release(&fixture);
    }
}

/* The answer to a POST was lost, so that the next attempt finds the Event there. */
static void test_lost_answer(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture.status = 503;
    say(&fixture, "same");
    fixture.status = 409;
    fixture.reason = "AlreadyExists";
    run_for(&fixture, 1000);
    assert_int_equal(stats_of(&fixture).sent, 1);
    assert_int_equal(fixture.failures, 0);
    fixture.status = 200;
    say(&fixture, "same");
    assert_string_equal(jx_string(sent(&fixture, 2), "method", NULL), "PATCH");
    fixture_release(&fixture);
}

/* The server forgets Events after an hour: a series whose Event is gone begins again. */
static void test_patched_event_is_gone(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    say(&fixture, "same");
    fixture.status = 404;
    say(&fixture, "same");
    fixture.status = 201;
    say(&fixture, "same");
    assert_string_equal(jx_string(sent(&fixture, 2), "method", NULL), "POST");
    fixture_release(&fixture);
}

static void test_long_note_is_cut_at_a_character(void **state)
{
    struct fixture fixture;
    char note[2000];
    const char *written;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i + 2 < sizeof(note); i += 2)
        memcpy(note + i, "\xc3\xa4", 2);
    note[sizeof(note) - 2] = '\0';
    memmove(note + 1, note, sizeof(note) - 1);
    note[0] = 'x';
    say(&fixture, note);
    written = jx_string(sent(&fixture, 0), "body", "note", NULL);
    assert_int_equal(strlen(written), LIMIT_EVENT_NOTE - 1);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_is_created),
        cmocka_unit_test(test_equal_events_become_a_series),
        cmocka_unit_test(test_repeats_while_under_way),
        cmocka_unit_test(test_budget_of_an_object),
        cmocka_unit_test(test_budget_of_a_series),
        cmocka_unit_test(test_what_lasts),
        cmocka_unit_test(test_at_most_a_thousand_wait),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_many_objects),
        cmocka_unit_test(test_lost_answer),
        cmocka_unit_test(test_patched_event_is_gone),
        cmocka_unit_test(test_long_note_is_cut_at_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
