/* Goal: Google's registries are asked with the token of the service account of the machine when
 * nothing else helps, and nobody but Google's hosts ever sees that token.
 * Method: one httpd plays all hosts and the metadata server; the transport under test leads
 * every https URL to it, the host as the path's first part, and leaves the rest to the real one. */
#include "unit.h"

#include <signal.h>

#include "base/buf.h"
#include "net/http.h"
#include "net/httpd.h"
#include "oci/registry.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
/* base64 of oauth2accesstoken:ya29.secret */
#define GOOGLE_BASIC "Basic b2F1dGgyYWNjZXNzdG9rZW46eWEyOS5zZWNyZXQ="

struct leading_transport {
    struct transport transport;
    struct transport *real;
    char *base; /* "http://127.0.0.1:1234/" */
};

static struct {
    struct httpd *server;
    struct leading_transport leading;
    struct google_tokens *tokens;
    struct registry *client;
    char metadata_host[32];
    /* how all behave */
    bool is_public, no_metadata, account_is_refused;
    const char *realm;
    /* what happened */
    struct buf log; /* who was asked, and whether a credential came along */
    unsigned called;
    char digest[128];
    struct err failure;
} fixture;

/* --- the transport --- */

static struct http_call *lead_start(struct transport *transport, const struct http_request *request,
                                    const struct http_handler *handler, void *context)
{
    struct leading_transport *leading = (struct leading_transport *)transport;
    struct http_request changed = *request;
    auto_free char *url = NULL;

    if (strncmp(request->url, "https://", 8) == 0) {
        assert_int_equal(request->guard, HOST_PUBLIC);
        url = mem_format("%s%s", leading->base, request->url + 8);
        changed.url = url;
        changed.guard = HOST_ANY;
    }
    return transport_start(leading->real, &changed, handler, context);
}

static void lead_cancel(struct transport *transport, struct http_call *call)
{
    transport_cancel(((struct leading_transport *)transport)->real, call);
}

static void lead_run(struct transport *transport, int64_t wait_ms)
{
    transport_run(((struct leading_transport *)transport)->real, wait_ms);
}

static void lead_wake(struct transport *transport)
{
    transport_wake(((struct leading_transport *)transport)->real);
}

/* --- the hosts --- */

static void answer_metadata(struct httpd_exchange *exchange)
{
    static const struct http_header flavor = { "Metadata-Flavor", "Google" };

    if (fixture.no_metadata)
        httpd_reply(exchange, 404, NULL, span_of("none"), &flavor, 1);
    else
        httpd_reply(exchange, 200, "application/json",
                    span_of("{\"access_token\":\"ya29.secret\",\"expires_in\":3600}"), &flavor, 1);
}

/* Basic for a token, as Google's do. */
static void answer_realm(struct httpd_exchange *exchange, const char *given)
{
    if (given && strcmp(given, GOOGLE_BASIC) == 0 && !fixture.account_is_refused)
        httpd_reply(exchange, 200, NULL, span_of("{\"token\":\"good\",\"expires_in\":300}"), NULL,
                    0);
    else if (!given && fixture.is_public)
        httpd_reply(exchange, 200, NULL, span_of("{\"token\":\"good\",\"expires_in\":300}"), NULL,
                    0);
    else
        httpd_reply(exchange, given ? 403 : 401, NULL, span_of("{}"), NULL, 0);
}

static void answer_manifest(struct httpd_exchange *exchange, const char *given)
{
    static const struct http_header digest = { "Docker-Content-Digest", DIGEST };
    auto_free char *realm = mem_format("Bearer realm=\"%s\",service=\"s\"", fixture.realm);
    struct http_header challenge = { "WWW-Authenticate", realm };

    if (given && strcmp(given, "Bearer good") == 0)
        httpd_reply(exchange, 200, NULL, span_of(""), &digest, 1);
    else
        httpd_reply(exchange, 401, NULL, span_of("{}"), &challenge, 1);
}

static void answer(void *context, struct httpd_exchange *exchange)
{
    const char *path = httpd_path(exchange), *given = httpd_header(exchange, "Authorization");
    bool is_metadata = strncmp(path, "/computeMetadata/", 17) == 0;
    int host_length = (int)strcspn(path + 1, "/");

    (void)context;
    if (given && (strstr(given, "ya29") || strcmp(given, GOOGLE_BASIC) == 0))
        buf_format(&fixture.log, "%.*s with the account; ", host_length, path + 1);
    else
        buf_format(&fixture.log, "%.*s; ", is_metadata ? 8 : host_length,
                   is_metadata ? "metadata" : path + 1);
    if (is_metadata)
        answer_metadata(exchange);
    else if (strstr(path, "/v2/token"))
        answer_realm(exchange, given);
    else
        answer_manifest(exchange, given);
}

/* --- the fixture --- */

static int set_up(void **state)
{
    static const struct transport_port port = { lead_start, lead_cancel, lead_run, lead_wake };
    struct err err;

    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    buf_init(&fixture.log, 64 * 1024);
    fixture.server =
        httpd_new(&(struct httpd_options){ .address = "127.0.0.1", .handler = answer }, &err);
    fixture.leading.transport.port = &port;
    fixture.leading.real = http_transport_new(&(struct http_options){ 0 }, &err);
    fixture.leading.base = mem_format("http://127.0.0.1:%u/", httpd_port(fixture.server));
    snprintf(fixture.metadata_host, sizeof(fixture.metadata_host), "127.0.0.1:%u",
             httpd_port(fixture.server));
    fixture.tokens = google_tokens_new(
        &(struct google_tokens_options){ .transport = &fixture.leading.transport,
                                         .clock = &clock_system,
                                         .metadata_host = fixture.metadata_host });
    fixture.client =
        registry_new(&(struct registry_options){ .transport = &fixture.leading.transport,
                                                 .clock = &clock_system,
                                                 .google = fixture.tokens });
    fixture.realm = "https://gcr.io/v2/token";
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    registry_free(fixture.client);
    google_tokens_free(fixture.tokens);
    http_transport_free(fixture.leading.real);
    httpd_free(fixture.server);
    free(fixture.leading.base);
    buf_release(&fixture.log);
    return 0;
}

static void on_resolved(void *context, const char *digest, const struct err *failure)
{
    (void)context;
    fixture.called++;
    snprintf(fixture.digest, sizeof(fixture.digest), "%s", digest ? digest : "");
    fixture.failure = failure ? *failure : (struct err){ 0 };
}

static void turn_until(const unsigned *value, size_t length)
{
    int64_t give_up = clock_monotonic_ms(&clock_system) + 20000;

    while (*value == 0 && fixture.log.length < length &&
           clock_monotonic_ms(&clock_system) < give_up) {
        httpd_run(fixture.server, 0);
        transport_run(&fixture.leading.transport, 1);
    }
}

/* Who was asked for it, in order. */
static const char *resolve(const char *reference, const char *secret)
{
    struct span secrets[] = { span_of(secret ? secret : "") };

    fixture.called = 0;
    buf_clear(&fixture.log);
    registry_resolve(fixture.client, reference, secrets, secret ? 1 : 0, on_resolved, NULL);
    turn_until(&fixture.called, SIZE_MAX);
    assert_int_equal(fixture.called, 1);
    return buf_text(&fixture.log);
}

/* --- the cases --- */

static void test_private(void **state)
{
    (void)state;
    assert_string_equal(resolve("gcr.io/bank/trainer:v1", NULL),
                        "gcr.io; gcr.io; metadata; gcr.io; gcr.io with the account; gcr.io; ");
    assert_string_equal(fixture.digest, DIGEST);
    assert_string_equal(resolve("gcr.io/bank/trainer:v1", NULL), /* both tokens are kept */
                        "gcr.io; gcr.io; gcr.io; gcr.io; ");
    assert_string_equal(fixture.digest, DIGEST);
}

static void test_public(void **state)
{
    (void)state;
    fixture.is_public = true;
    assert_string_equal(resolve("gcr.io/distroless/base", NULL), "gcr.io; gcr.io; gcr.io; ");
    assert_string_equal(fixture.digest, DIGEST);
}

/* A pull secret that is refused does not end it. */
static void test_after_pull_secrets(void **state)
{
    (void)state;
    assert_non_null(strstr(
        resolve("gcr.io/bank/trainer:v1",
                "{\"auths\":{\"gcr.io\":{\"username\":\"_json_key\",\"password\":\"old\"}}}"),
        "gcr.io with the account; "));
    assert_string_equal(fixture.digest, DIGEST);
}

static void expect_unresolvable(const char *advice)
{
    assert_string_equal(fixture.digest, "");
    assert_string_equal(fixture.failure.reason, "DigestUnresolvable");
    if (!strstr(fixture.failure.message, advice) || strstr(fixture.failure.message, "ya29"))
        fail_msg("%s", fixture.failure.message);
}

static void test_not_in_google_cloud(void **state)
{
    (void)state;
    fixture.no_metadata = true;
    resolve("gcr.io/bank/trainer:v1", NULL);
    expect_unresolvable("no token of a Google service account");
    assert_non_null(strstr(fixture.failure.message, "pin the image by digest"));
}

static void test_the_account_may_not(void **state)
{
    (void)state;
    fixture.account_is_refused = true;
    resolve("gcr.io/bank/trainer:v1", NULL);
    expect_unresolvable("give the controller's Google service account the right");
}

/* Nobody else gets the token: neither another registry, nor a realm that a registry names. */
static void test_other_hosts(void **state)
{
    static const char *const others[] = { "ghcr.io/bank/trainer:v1", "gcr.io.evil.example/a/b:v1",
                                          "1.dkr.ecr.eu-west-1.amazonaws.com/a/b:v1" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_null(strstr(resolve(others[i], NULL), "metadata"));
        assert_string_equal(fixture.digest, "");
    }
    assert_string_equal(fixture.failure.reason, "DigestUnresolvable"); /* Amazon's */
    fixture.realm = "https://evil.example/v2/token";
    assert_null(strstr(resolve("gcr.io/bank/trainer:v1", NULL), "with the account"));
    assert_string_equal(fixture.digest, "");
    assert_non_null(strstr(fixture.failure.message, "is not Google's"));
}

static void test_cancel_while_waiting_for_the_token(void **state)
{
    static const char until[] = "gcr.io; gcr.io; metadata; ";
    struct registry_lookup *lookup =
        registry_resolve(fixture.client, "gcr.io/a/b:c", NULL, 0, on_resolved, NULL);

    (void)state;
    turn_until(&fixture.called, strlen(until));
    assert_string_equal(buf_text(&fixture.log), until);
    registry_cancel(lookup);
    for (int i = 0; i < 5; i++)
        transport_run(&fixture.leading.transport, 0);
    assert_int_equal(fixture.called, 0);
}

#define GOOGLE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOOGLE_TEST(test_private),
        GOOGLE_TEST(test_public),
        GOOGLE_TEST(test_after_pull_secrets),
        GOOGLE_TEST(test_not_in_google_cloud),
        GOOGLE_TEST(test_the_account_may_not),
        GOOGLE_TEST(test_other_hosts),
        GOOGLE_TEST(test_cancel_while_waiting_for_the_token),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
