/* Goal: whoever waits gets the metadata server's token, which is asked for once and kept until
 * shortly before its end; nobody else's answer is taken for one.
 * Method: a metadata server on httpd that answers as a case dictates; a clock that is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "base/mem.h"
#include "net/google_token.h"
#include "net/http.h"
#include "net/httpd.h"

#define PATH "/computeMetadata/v1/instance/service-accounts/default/token"

static struct {
    struct httpd *server;
    struct transport *transport;
    struct google_tokens *tokens;
    int64_t now_ms;
    /* how the server answers; body NULL: a token with the number of the request */
    int status;
    const char *body;
    bool no_flavor, hold;
    unsigned requests;
    /* what came of it */
    unsigned called;
    char token[64];
    struct err failure;
    struct google_wait *victim; /* canceled by the next callback */
    bool ask_again;             /* by the next callback */
} fixture;

static void answer(void *context, struct httpd_exchange *exchange)
{
    static const struct http_header flavor = { "Metadata-Flavor", "Google" };

    (void)context;
    fixture.requests++;
    assert_string_equal(httpd_path(exchange), PATH);
    assert_string_equal(httpd_header(exchange, "Metadata-Flavor"), "Google");
    if (fixture.hold)
        return;
    auto_free char *body =
        mem_format("{\"access_token\":\"ya29.%u\",\"expires_in\":3600}", fixture.requests);
    httpd_reply(exchange, fixture.status ? fixture.status : 200, "application/json",
                span_of(fixture.body ? fixture.body : body), &flavor, fixture.no_flavor ? 0 : 1);
}

static int64_t fake_now(void *context)
{
    (void)context;
    return fixture.now_ms;
}

static int set_up(void **state)
{
    static const struct clock clock = { fake_now, fake_now, NULL };
    struct err err;

    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    fixture.server =
        httpd_new(&(struct httpd_options){ .address = "127.0.0.1", .handler = answer }, &err);
    fixture.transport = http_transport_new(&(struct http_options){ 0 }, &err);
    assert_non_null(fixture.server);
    assert_non_null(fixture.transport);
    auto_free char *host = mem_format("127.0.0.1:%u", httpd_port(fixture.server));
    fixture.tokens = google_tokens_new(&(struct google_tokens_options){
        .transport = fixture.transport, .clock = &clock, .metadata_host = host });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    google_tokens_free(fixture.tokens);
    http_transport_free(fixture.transport);
    httpd_free(fixture.server);
    return 0;
}

static void on_token(void *context, const char *token, const struct err *failure)
{
    (void)context;
    fixture.called++;
    snprintf(fixture.token, sizeof(fixture.token), "%s", token ? token : "");
    fixture.failure = failure ? *failure : (struct err){ 0 };
    google_token_cancel(fixture.victim);
    fixture.victim = NULL;
    if (fixture.ask_again) {
        fixture.ask_again = false;
        google_token_reject(fixture.tokens);
        google_token_get(fixture.tokens, on_token, NULL);
    }
}

static void turn_until(const unsigned *value, unsigned wanted)
{
    int64_t give_up = clock_monotonic_ms(&clock_system) + 20000;

    while (*value < wanted && clock_monotonic_ms(&clock_system) < give_up) {
        httpd_run(fixture.server, 0);
        transport_run(fixture.transport, 1);
    }
    assert_int_equal(*value, wanted);
}

/* The next token, or the failure. */
static const char *get(void)
{
    unsigned wanted = fixture.called + 1;

    google_token_get(fixture.tokens, on_token, NULL);
    turn_until(&fixture.called, wanted);
    return fixture.token;
}

static void test_kept_until_shortly_before_its_end(void **state)
{
    (void)state;
    assert_string_equal(get(), "ya29.1");
    fixture.now_ms += 3539 * 1000;
    assert_null(google_token_get(fixture.tokens, on_token, NULL));
    assert_string_equal(fixture.token, "ya29.1");
    fixture.now_ms += 1000;
    assert_string_equal(get(), "ya29.2");
    google_token_reject(fixture.tokens);
    assert_string_equal(get(), "ya29.3");
}

static void test_one_request_for_all(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_non_null(google_token_get(fixture.tokens, on_token, NULL));
    turn_until(&fixture.called, 5);
    assert_int_equal(fixture.requests, 1);
}

static void test_not_a_token(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum err_kind kind;
    } cases[] = {
        { 404, "no such account", ERR_NOT_FOUND },
        { 403, "no", ERR_DENIED },
        { 503, "later", ERR_RETRY },
        { 200, "<html>", ERR_INVALID },
        { 200, "{\"expires_in\":3600}", ERR_INVALID },
        { 200, "{\"access_token\":\"\",\"expires_in\":3600}", ERR_INVALID },
        { 200, "{\"access_token\":\"a\\r\\nHost: b\",\"expires_in\":3600}", ERR_INVALID },
        { 200, "{\"access_token\":\"ya29\",\"expires_in\":-1}", ERR_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fixture.status = cases[i].status;
        fixture.body = cases[i].body;
        assert_string_equal(get(), "");
        if (fixture.failure.kind != cases[i].kind || strstr(fixture.failure.message, "ya29"))
            fail_msg("case %zu: %s", i, fixture.failure.message);
    }
    fixture.status = 0;
    fixture.body = NULL;
    fixture.no_flavor = true; /* a captive portal, say */
    assert_string_equal(get(), "");
    assert_int_equal(fixture.failure.kind, ERR_INVALID);
    fixture.no_flavor = false;
    assert_int_equal(strncmp(get(), "ya29.", 5), 0); /* a failure is not kept */
}

static void test_nobody_answers(void **state)
{
    (void)state;
    httpd_free(fixture.server);
    struct err err;
    fixture.server =
        httpd_new(&(struct httpd_options){ .address = "127.0.0.1", .handler = answer }, &err);
    assert_string_equal(get(), "");
    assert_int_equal(fixture.failure.kind, ERR_RETRY);
}

static void test_cancel(void **state)
{
    struct google_wait *first = google_token_get(fixture.tokens, on_token, NULL);

    (void)state;
    fixture.victim = google_token_get(fixture.tokens, on_token, NULL);
    google_token_get(fixture.tokens, on_token, NULL); /* told first; it cancels the second */
    google_token_cancel(first);
    google_token_cancel(NULL);
    turn_until(&fixture.called, 1);
    for (int i = 0; i < 5; i++)
        transport_run(fixture.transport, 0);
    assert_int_equal(fixture.called, 1);

    google_token_reject(fixture.tokens);
    fixture.hold = true;
    struct google_wait *last = google_token_get(fixture.tokens, on_token, NULL);
    turn_until(&fixture.requests, 2);
    google_token_cancel(last);                        /* and the request with it */
    google_token_get(fixture.tokens, on_token, NULL); /* freed with all */
    turn_until(&fixture.requests, 3);
    assert_int_equal(fixture.called, 1);
}

/* Who asks within the callback waits for a new answer. */
static void test_ask_within_the_callback(void **state)
{
    (void)state;
    fixture.ask_again = true;
    google_token_get(fixture.tokens, on_token, NULL);
    turn_until(&fixture.called, 2);
    assert_string_equal(fixture.token, "ya29.2");
}

#define TOKEN_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOKEN_TEST(test_kept_until_shortly_before_its_end),
        TOKEN_TEST(test_one_request_for_all),
        TOKEN_TEST(test_not_a_token),
        TOKEN_TEST(test_nobody_answers),
        TOKEN_TEST(test_cancel),
        TOKEN_TEST(test_ask_within_the_callback),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
