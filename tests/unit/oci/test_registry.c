/* Goal: a tag becomes the digest of what it names, with every way of
 * authentication that registries use; failures have the right kind and reason;
 * credentials go nowhere they should not.
 * Method: a registry and its realm, both on httpd, behave as a case dictates and
 * write down what they were asked; the real transport talks to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "net/http.h"
#include "net/httpd.h"
#include "oci/registry.h"

#define DIGEST   "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MANIFEST "{\"schemaVersion\":2}"

enum auth_kind { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

static struct {
    struct httpd *registry, *realm;
    struct transport *transport;
    struct registry *client;
    char insecure[64], realm_host[64];
    int64_t now_ms;
    /* how the registry behaves */
    enum auth_kind auth;
    const char *realm_url; /* NULL: the realm's */
    int status;            /* instead of an answer; 0: none */
    bool no_digest, hold;
    int no_head;      /* the status that HEAD is answered with; 0: as GET */
    unsigned revoked; /* tokens below this number are refused */
    /* what happened */
    unsigned tokens;
    struct buf log;
    unsigned called;
    char digest[128];
    struct err failure;
} fixture;

static bool is_authorized(const struct httpd_exchange *exchange)
{
    const char *given = httpd_header(exchange, "Authorization");
    unsigned number = 0;

    if (fixture.auth == AUTH_NONE)
        return true;
    if (fixture.auth == AUTH_BASIC) /* user:pass */
        return given && strcmp(given, "Basic dXNlcjpwYXNz") == 0;
    if (!given || strncmp(given, "Bearer token-", 13) != 0)
        return false;
    for (const char *at = given + 13; *at; at++)
        number = number * 10 + (unsigned)(*at - '0');
    return number >= fixture.revoked;
}

static void challenge(struct httpd_exchange *exchange)
{
    auto_free char *bearer = mem_format(
        "Bearer realm=\"http://%s/token\",service=\"fake\",scope=\"repository:acme/app:pull\"",
        fixture.realm_url ? fixture.realm_url : fixture.realm_host);
    struct http_header header = { "WWW-Authenticate",
                                  fixture.auth == AUTH_BASIC ? "Basic realm=\"fake\"" : bearer };

    httpd_reply(exchange, 401, "application/json",
                span_of("{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}"), &header, 1);
}

static void answer_registry(void *context, struct httpd_exchange *exchange)
{
    const char *accept = httpd_header(exchange, "Accept");
    bool is_head = strcmp(httpd_method(exchange), "HEAD") == 0;
    struct http_header headers[] = { { "Docker-Content-Digest", DIGEST } };

    (void)context;
    buf_format(&fixture.log, "%s %s%s; ", httpd_method(exchange), httpd_path(exchange),
               httpd_header(exchange, "Authorization") ? " auth" : "");
    assert_non_null(strstr(accept, "application/vnd.oci.image.index.v1+json"));
    if (fixture.hold)
        return;
    if (!is_authorized(exchange))
        challenge(exchange);
    else if (fixture.status)
        httpd_reply(exchange, fixture.status, "text/plain", span_of("sorry"),
                    &(struct http_header){ "Retry-After", "7" }, 1);
    else if (fixture.no_head && is_head)
        httpd_reply(exchange, fixture.no_head, NULL, span_of(""), NULL, 0);
    else
        httpd_reply(exchange, 200, "application/vnd.oci.image.index.v1+json", span_of(MANIFEST),
                    headers, fixture.no_digest ? 0 : 1);
}

/* Anonymous and user:pass get tokens; anybody else is refused. */
static void answer_realm(void *context, struct httpd_exchange *exchange)
{
    const char *given = httpd_header(exchange, "Authorization");
    const char *service = httpd_query(exchange, "service"), *scope = httpd_query(exchange, "scope");

    (void)context;
    buf_format(&fixture.log, "token %s %s%s; ", service, scope, given ? " auth" : "");
    if (given && strcmp(given, "Basic dXNlcjpwYXNz") != 0) {
        httpd_reply(exchange, 401, "application/json", span_of("{\"details\":\"wrong\"}"), NULL, 0);
        return;
    }
    auto_free char *body =
        mem_format("{\"token\":\"token-%u\",\"expires_in\":300}", fixture.tokens++);
    httpd_reply(exchange, 200, "application/json", span_of(body), NULL, 0);
}

static int64_t fake_now(void *context)
{
    (void)context;
    return fixture.now_ms;
}

static struct httpd *serve(httpd_handler handler)
{
    struct err err;
    struct httpd *server =
        httpd_new(&(struct httpd_options){ .address = "127.0.0.1", .handler = handler }, &err);

    if (!server)
        fail_msg("%s", err.message);
    return server;
}

static int set_up(void **state)
{
    static const struct clock clock = { fake_now, fake_now, NULL };
    static const char *insecure[] = { fixture.insecure, fixture.realm_host };
    struct registry_options options = { .clock = &clock, .insecure = { insecure, 2 } };
    struct err err;

    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    buf_init(&fixture.log, 64 * 1024);
    fixture.registry = serve(answer_registry);
    fixture.realm = serve(answer_realm);
    snprintf(fixture.insecure, sizeof(fixture.insecure), "localhost:%u",
             httpd_port(fixture.registry));
    snprintf(fixture.realm_host, sizeof(fixture.realm_host), "127.0.0.1:%u",
             httpd_port(fixture.realm));
    fixture.transport = http_transport_new(&(struct http_options){ 0 }, &err);
    assert_non_null(fixture.transport);
    options.transport = fixture.transport;
    fixture.client = registry_new(&options);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    registry_free(fixture.client);
    http_transport_free(fixture.transport);
    httpd_free(fixture.registry);
    httpd_free(fixture.realm);
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

static void turn(void)
{
    httpd_run(fixture.registry, 0);
    httpd_run(fixture.realm, 0);
    transport_run(fixture.transport, 1);
}

/* Resolves <insecure registry>/acme/app:v1 with up to one secret. */
static void resolve(const char *secret)
{
    auto_free char *reference = mem_format("%s/acme/app:v1", fixture.insecure);
    struct span secrets[] = { span_of(secret ? secret : "") };
    int64_t give_up = clock_monotonic_ms(&clock_system) + 20000;

    fixture.called = 0;
    buf_clear(&fixture.log);
    registry_resolve(fixture.client, reference, secrets, secret ? 1 : 0, on_resolved, NULL);
    while (!fixture.called && clock_monotonic_ms(&clock_system) < give_up)
        turn();
    for (int i = 0; i < 3; i++)
        turn();
    assert_int_equal(fixture.called, 1);
}

#define HEAD  "HEAD /v2/acme/app/manifests/v1"
#define GET   "GET /v2/acme/app/manifests/v1"
#define TOKEN "token fake repository:acme/app:pull"

static void expect(const char *name, const char *log)
{
    if (strcmp(fixture.digest, DIGEST) != 0 || strcmp(buf_text(&fixture.log), log) != 0)
        fail_msg("%s: '%s', %s; asked: %s", name, fixture.digest, fixture.failure.message,
                 buf_text(&fixture.log));
}

static char *secret_for(const char *user, const char *password)
{
    return mem_format("{\"auths\":{\"%s\":{\"username\":\"%s\",\"password\":\"%s\"}}}",
                      fixture.insecure, user, password);
}

static void test_anonymous(void **state)
{
    (void)state;
    resolve(NULL);
    expect("anonymous", HEAD "; ");
}

static void test_no_digest_header(void **state)
{
    char hex[SHA256_HEX];

    (void)state;
    fixture.no_digest = true;
    resolve(NULL);
    sha256_of(span_of(MANIFEST), hex);
    assert_string_equal(fixture.digest + strlen("sha256:"), hex);
    assert_string_equal(buf_text(&fixture.log), HEAD "; " GET "; ");
    fixture.no_digest = false;
    static const int refusals[] = { 400, 403, 405, 501 };
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        fixture.no_head = refusals[i];
        resolve(NULL);
        expect("no HEAD", HEAD "; " GET "; ");
    }
    fixture.no_head = 404; /* that is about the image */
    resolve(NULL);
    assert_string_equal(buf_text(&fixture.log), HEAD "; ");
}

static void test_basic(void **state)
{
    auto_free char *good = secret_for("user", "pass"), *bad = secret_for("user", "wrong");

    (void)state;
    fixture.auth = AUTH_BASIC;
    resolve(good);
    expect("good", HEAD "; " HEAD " auth; ");
    resolve(bad);
    assert_int_equal(fixture.failure.kind, ERR_DENIED);
    assert_string_equal(fixture.failure.reason, "RegistryDenied");
    assert_null(strstr(fixture.failure.message, "wrong"));
    assert_non_null(strstr(fixture.failure.message, "were refused"));
    resolve(NULL);
    assert_int_equal(fixture.failure.kind, ERR_DENIED);
    assert_string_equal(buf_text(&fixture.log), HEAD "; ");
}

static void test_bearer(void **state)
{
    auto_free char *good = secret_for("user", "pass"), *bad = secret_for("user", "wrong");

    (void)state;
    fixture.auth = AUTH_BEARER;
    resolve(NULL);
    expect("anonymous", HEAD "; " TOKEN "; " HEAD " auth; ");
    resolve(NULL);
    expect("token kept", HEAD "; " HEAD " auth; ");
    resolve(good);
    expect("token of another is not used", HEAD "; " TOKEN " auth; " HEAD " auth; ");
    fixture.now_ms += 291 * 1000;
    resolve(good);
    expect("token expired", HEAD "; " TOKEN " auth; " HEAD " auth; ");
    fixture.revoked = fixture.tokens;
    resolve(good);
    expect("token revoked", HEAD "; " HEAD " auth; " HEAD "; " TOKEN " auth; " HEAD " auth; ");
    fixture.revoked = 1000;
    resolve(good);
    assert_int_equal(fixture.failure.kind, ERR_DENIED);
    resolve(bad);
    assert_int_equal(fixture.failure.kind, ERR_DENIED);
    assert_non_null(strstr(fixture.failure.message, "401 Unauthorized: wrong"));
}

/* Several entries match: each is tried. */
static void test_next_credential(void **state)
{
    auto_free char *secret =
        mem_format("{\"auths\":{\"%s/acme/app\":{\"username\":\"x\",\"password\":\"y\"},"
                   "\"%s/acme\":{\"identitytoken\":\"z\"},"
                   "\"%s\":{\"username\":\"user\",\"password\":\"pass\"}}}",
                   fixture.insecure, fixture.insecure, fixture.insecure);
    auto_free char *token_only =
        mem_format("{\"auths\":{\"%s\":{\"identitytoken\":\"z\"}}}", fixture.insecure);

    (void)state;
    fixture.auth = AUTH_BEARER;
    resolve(secret);
    expect("bearer", HEAD "; " TOKEN " auth; " HEAD "; " HEAD "; " TOKEN " auth; " HEAD " auth; ");
    fixture.auth = AUTH_BASIC;
    resolve(secret);
    expect("basic", HEAD "; " HEAD " auth; " HEAD "; " HEAD "; " HEAD " auth; ");
    resolve(token_only);
    assert_string_equal(fixture.failure.reason, "PullSecretInvalid");
    assert_non_null(strstr(fixture.failure.message, "identitytoken"));
}

static void test_failures(void **state)
{
    static const struct {
        int status;
        enum err_kind kind;
        const char *reason;
        unsigned retry_after_ms;
        const char *advice;
    } cases[] = {
        { 404, ERR_NOT_FOUND, "ImageNotFound", 7000, "push it, or correct its name" },
        { 403, ERR_DENIED, "RegistryDenied", 7000, "name a pull secret" },
        { 429, ERR_RETRY, "RegistryUnreachable", 7000, "" },
        { 503, ERR_RETRY, "RegistryUnreachable", 7000, "" },
        { 400, ERR_INVALID, "DigestUnresolvable", 7000, "pin the image by digest" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fixture.status = cases[i].status;
        resolve(NULL);
        assert_string_equal(fixture.digest, "");
        if (fixture.failure.kind != cases[i].kind ||
            strcmp(fixture.failure.reason, cases[i].reason) != 0 ||
            fixture.failure.retry_after_ms != cases[i].retry_after_ms ||
            !strstr(fixture.failure.message, "/acme/app:v1: ") ||
            !strstr(fixture.failure.message, cases[i].advice))
            fail_msg("%d: %s", cases[i].status, fixture.failure.message);
    }
    httpd_free(fixture.registry); /* nobody listens */
    fixture.registry = serve(answer_registry);
    resolve(NULL);
    assert_int_equal(fixture.failure.kind, ERR_RETRY);
    assert_string_equal(fixture.failure.reason, "RegistryUnreachable");
}

/* The realm is the registry's word: it must not lead credentials astray. */
static void test_realm_is_guarded(void **state)
{
    auto_free char *good = secret_for("user", "pass");
    auto_free char *local = mem_format("localhost:%u", httpd_port(fixture.realm));

    (void)state;
    fixture.auth = AUTH_BEARER;
    fixture.realm_url = local; /* not on the list by this name, and not https */
    resolve(good);
    assert_int_equal(fixture.failure.kind, ERR_DENIED);
    assert_non_null(strstr(fixture.failure.message, "is not https"));
    assert_string_equal(buf_text(&fixture.log), HEAD "; ");
    fixture.realm_url = "user:pass@h";
    resolve(good);
    assert_string_equal(fixture.failure.reason, "DigestUnresolvable");
    auto_free char *padding = mem_zero(8 * 1024, 1);
    memset(padding, 'x', 8 * 1024 - 60);
    auto_free char *endless = mem_format("%s/%s", fixture.realm_host, padding);
    fixture.realm_url = endless; /* a URL, but none with service and scope behind it */
    resolve(good);
    assert_int_equal(fixture.failure.kind, ERR_TOO_BIG);
    assert_string_equal(fixture.failure.reason, "DigestUnresolvable");
}

static void at_once(const char *reference, const char *secret)
{
    struct span secrets[] = { span_of(secret ? secret : "") };

    fixture.called = 0;
    assert_null(
        registry_resolve(fixture.client, reference, secrets, secret ? 1 : 0, on_resolved, NULL));
    assert_int_equal(fixture.called, 1);
}

static void test_without_request(void **state)
{
    (void)state;
    at_once("ghcr.io/a/b:c@" DIGEST, NULL);
    assert_string_equal(fixture.digest, DIGEST);
    at_once("Nonsense", NULL);
    assert_string_equal(fixture.failure.reason, "InvalidImageName");
    at_once("a:b", "nonsense");
    assert_string_equal(fixture.failure.reason, "PullSecretInvalid");
}

/* Only what is on the list may be this machine. */
static void test_guard(void **state)
{
    auto_free char *reference = mem_format("127.0.0.1:%u/a:b", httpd_port(fixture.registry));

    (void)state;
    fixture.called = 0;
    registry_resolve(fixture.client, reference, NULL, 0, on_resolved, NULL);
    for (int i = 0; i < 5000 && !fixture.called; i++)
        turn();
    assert_int_equal(fixture.failure.kind, ERR_DENIED);
    assert_string_equal(fixture.failure.reason, "RegistryDenied");
    assert_non_null(strstr(fixture.failure.message, "not allowed"));
}

static void test_cancel(void **state)
{
    auto_free char *reference = mem_format("%s/acme/app:v1", fixture.insecure);
    struct registry_lookup *lookup;

    (void)state;
    fixture.hold = true;
    lookup = registry_resolve(fixture.client, reference, NULL, 0, on_resolved, NULL);
    registry_resolve(fixture.client, reference, NULL, 0, on_resolved, NULL); /* freed with all */
    for (int i = 0; i < 5000 && fixture.log.length < 2 * strlen(HEAD "; "); i++)
        turn();
    registry_cancel(lookup);
    registry_cancel(NULL);
    for (int i = 0; i < 5; i++)
        turn();
    assert_int_equal(fixture.called, 0);
}

#define REGISTRY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REGISTRY_TEST(test_anonymous),
        REGISTRY_TEST(test_no_digest_header),
        REGISTRY_TEST(test_basic),
        REGISTRY_TEST(test_bearer),
        REGISTRY_TEST(test_next_credential),
        REGISTRY_TEST(test_failures),
        REGISTRY_TEST(test_realm_is_guarded),
        REGISTRY_TEST(test_without_request),
        REGISTRY_TEST(test_guard),
        REGISTRY_TEST(test_cancel),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
