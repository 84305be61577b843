/* Goal: TLS connections are verified (authority and name), present a client
 * certificate, and honour another server name without changing the Host header.
 * Method: a throwaway authority made by the openssl command; httpd serves with
 * its certificate for localhost and demands a client certificate of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/httpd.h"

extern char **environ;

static struct {
    char folder[64];
    char *ca, *server, *server_key, *client, *client_key, *stranger, *stranger_key;
    struct httpd *httpd;
    struct transport *transport;
    char host[128]; /* header of the last request */
    unsigned done;
    int status;
    struct err failure;
} fixture;

static char *path_of(const char *name)
{
    return mem_format("%s/%s", fixture.folder, name);
}

static void run(const char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawnp(&child, arguments[0], &actions, NULL,
                                  (char *const *)(uintptr_t)arguments, environ),
                     0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A certificate signed by `ca` (NULL: by itself). */
static void make(const char *subject, const char *certificate, const char *key, const char *ca,
                 const char *ca_key)
{
    auto_free char *name = mem_format("/CN=%s", subject);
    auto_free char *alternative = mem_format("subjectAltName=DNS:%s", subject);
    const char *const arguments[] = { "openssl",
                                      "req",
                                      "-x509",
                                      "-newkey",
                                      "ec",
                                      "-pkeyopt",
                                      "ec_paramgen_curve:P-256",
                                      "-nodes",
                                      "-days",
                                      "2",
                                      "-subj",
                                      name,
                                      "-addext",
                                      alternative,
                                      "-keyout",
                                      key,
                                      "-out",
                                      certificate,
                                      ca ? "-CA" : NULL,
                                      ca,
                                      "-CAkey",
                                      ca_key,
                                      NULL };

    run(arguments);
}

static void answer(void *context, struct httpd_exchange *exchange)
{
    (void)context;
    snprintf(fixture.host, sizeof(fixture.host), "%s", httpd_header(exchange, "Host"));
    if (strcmp(httpd_path(exchange), "/down") == 0)
        httpd_reply(exchange, 302, NULL, span_of(""),
                    &(struct http_header){ "Location", "http://localhost:1/" }, 1);
    else
        httpd_reply(exchange, 200, "text/plain", span_of("hello"), NULL, 0);
}

static int set_up(void **state)
{
    struct err err;

    (void)state;
    snprintf(fixture.folder, sizeof(fixture.folder), "/tmp/test_http_tls.XXXXXX");
    assert_non_null(mkdtemp(fixture.folder));
    fixture.ca = path_of("ca.pem");
    fixture.server = path_of("server.pem");
    fixture.server_key = path_of("server.key");
    fixture.client = path_of("client.pem");
    fixture.client_key = path_of("client.key");
    fixture.stranger = path_of("stranger.pem");
    fixture.stranger_key = path_of("stranger.key");
    auto_free char *ca_key = path_of("ca.key");
    make("ca", fixture.ca, ca_key, NULL, NULL);
    make("localhost", fixture.server, fixture.server_key, fixture.ca, ca_key);
    make("client", fixture.client, fixture.client_key, fixture.ca, ca_key);
    make("stranger", fixture.stranger, fixture.stranger_key, NULL, NULL);
    unlink(ca_key);
    fixture.httpd = httpd_new(&(struct httpd_options){ .address = "127.0.0.1",
                                                       .tls_certificate_file = fixture.server,
                                                       .tls_key_file = fixture.server_key,
                                                       .tls_client_ca_file = fixture.ca,
                                                       .handler = answer },
                              &err);
    fixture.transport = http_transport_new(&(struct http_options){ 0 }, &err);
    assert_non_null(fixture.httpd);
    assert_non_null(fixture.transport);
    return 0;
}

static int tear_down(void **state)
{
    char *const paths[] = { fixture.ca,          fixture.server,     fixture.server_key,
                            fixture.client,      fixture.client_key, fixture.stranger,
                            fixture.stranger_key };

    (void)state;
    http_transport_free(fixture.transport);
    httpd_free(fixture.httpd);
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        unlink(paths[i]);
        free(paths[i]);
    }
    rmdir(fixture.folder);
    return 0;
}

static void on_done(void *context, const struct http_reply *reply, const struct err *failure)
{
    (void)context;
    fixture.done++;
    fixture.status = reply ? reply->status : 0;
    fixture.failure = failure ? *failure : (struct err){ 0 };
}

static void get_path(const char *host, const char *path, const struct tls_options *tls)
{
    auto_free char *url = mem_format("https://%s:%u%s", host, httpd_port(fixture.httpd), path);
    int64_t give_up = clock_monotonic_ms(&clock_system) + 20000;

    fixture.done = 0;
    fixture.host[0] = '\0';
    transport_start(
        fixture.transport,
        &(struct http_request){ .method = "GET", .url = url, .tls = tls, .maximum_redirects = 1 },
        &(struct http_handler){ .on_done = on_done }, NULL);
    while (!fixture.done && clock_monotonic_ms(&clock_system) < give_up) {
        httpd_run(fixture.httpd, 0);
        transport_run(fixture.transport, 1);
    }
    assert_int_equal(fixture.done, 1);
}

static char *const nowhere = (char *)(uintptr_t) "/nonexistent";

/* Files by address, as they are made later; NULL: none. */
static const struct {
    const char *name, *host;
    char *const *ca, *const *certificate, *const *key;
    const char *server_name;
    bool insecure;
    enum err_kind kind;
    const char *message;
} cases[] = {
    { "good", "localhost", &fixture.ca, &fixture.client, &fixture.client_key, NULL, false, ERR_NONE,
      "" },
    { "wrong name", "127.0.0.1", &fixture.ca, &fixture.client, &fixture.client_key, NULL, false,
      ERR_RETRY, "127.0.0.1" },
    { "server name", "127.0.0.1", &fixture.ca, &fixture.client, &fixture.client_key, "localhost",
      false, ERR_NONE, "" },
    { "wrong server name", "localhost", &fixture.ca, &fixture.client, &fixture.client_key,
      "elsewhere", false, ERR_RETRY, "elsewhere" },
    { "system authorities", "localhost", NULL, &fixture.client, &fixture.client_key, NULL, false,
      ERR_RETRY, "certificate" },
    { "another authority", "localhost", &fixture.stranger, &fixture.client, &fixture.client_key,
      NULL, false, ERR_RETRY, "certificate" },
    { "insecure", "127.0.0.1", NULL, &fixture.client, &fixture.client_key, NULL, true, ERR_NONE,
      "" },
    { "no client certificate", "localhost", &fixture.ca, NULL, NULL, NULL, false, ERR_RETRY, "" },
    { "stranger's certificate", "localhost", &fixture.ca, &fixture.stranger, &fixture.stranger_key,
      NULL, false, ERR_RETRY, "" },
    { "missing certificate", "localhost", &fixture.ca, &nowhere, &nowhere, NULL, false, ERR_INVALID,
      "certificate" },
};

static void get(const char *host, const struct tls_options *tls)
{
    get_path(host, "/", tls);
}

static void test_verification(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *host = mem_format("%s:%u", cases[i].host, httpd_port(fixture.httpd));
        const struct tls_options tls = {
            .ca_file = cases[i].ca ? *cases[i].ca : NULL,
            .certificate_file = cases[i].certificate ? *cases[i].certificate : NULL,
            .key_file = cases[i].key ? *cases[i].key : NULL,
            .server_name = cases[i].server_name,
            .insecure = cases[i].insecure,
        };

        get(cases[i].host, &tls);
        if (fixture.failure.kind != cases[i].kind ||
            !strstr(fixture.failure.message, cases[i].message))
            fail_msg("%s: status %d, %s", cases[i].name, fixture.status, fixture.failure.message);
        assert_string_equal(fixture.host, cases[i].kind == ERR_NONE ? host : "");
    }
}

static char *read_text(const char *path)
{
    auto_fclose FILE *file = fopen(path, "re");
    char *text = mem_zero(16 * 1024, 1);

    assert_non_null(file);
    assert_true(fread(text, 1, 16 * 1024 - 1, file) > 0);
    return text;
}

static void test_pem_texts(void **state)
{
    auto_free char *ca = read_text(fixture.ca), *stranger = read_text(fixture.stranger);
    auto_free char *certificate = read_text(fixture.client), *key = read_text(fixture.client_key);
    struct tls_options tls = {
        .ca_pem = ca, .certificate_pem = certificate, .key_pem = key, .ca_file = "/nonexistent"
    };

    (void)state;
    get("localhost", &tls);
    assert_int_equal(fixture.status, 200);
    tls.ca_pem = stranger; /* the connection with the other authority is not reused */
    get("localhost", &tls);
    assert_int_equal(fixture.failure.kind, ERR_RETRY);
    tls.ca_pem = ca;
    tls.certificate_pem = stranger;
    tls.key_pem = "nonsense";
    get("localhost", &tls);
    assert_int_equal(fixture.failure.kind, ERR_INVALID);
}

/* What began encrypted does not go on in the clear. */
static void test_no_redirect_to_plain_http(void **state)
{
    const struct tls_options tls = { .ca_file = fixture.ca,
                                     .certificate_file = fixture.client,
                                     .key_file = fixture.client_key };

    (void)state;
    get_path("localhost", "/down", &tls);
    assert_int_equal(fixture.failure.kind, ERR_INVALID); /* refused, not merely unreachable */
}

static void write_text(const char *path, const char *text)
{
    auto_fclose FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
}

/* A cluster's authority is rotated by replacing its file: the next connection trusts the new. */
static void test_rotated_authority(void **state)
{
    auto_free char *ca = read_text(fixture.ca), *stranger = read_text(fixture.stranger);
    auto_free char *path = path_of("rotated.pem");
    struct tls_options tls = { .ca_file = path,
                               .certificate_file = fixture.client,
                               .key_file = fixture.client_key };

    (void)state;
    write_text(path, stranger);
    get("localhost", &tls);
    assert_int_equal(fixture.failure.kind, ERR_RETRY);
    write_text(path, ca);
    get("localhost", &tls);
    assert_int_equal(fixture.status, 200);
    unlink(path);
}

/* Authorities besides the system's: the private one of a registry. Who is not told of it says so by
 * a reason. */
static void test_added_authority(void **state)
{
    auto_free char *ca = read_text(fixture.ca), *stranger = read_text(fixture.stranger);
    auto_free char *path = path_of("added.pem"), *both = mem_format("%s%s", stranger, ca);
    struct tls_options tls = { .added_ca_file = path,
                               .certificate_file = fixture.client,
                               .key_file = fixture.client_key };

    (void)state;
    write_text(path, stranger);
    get("localhost", &tls);
    assert_int_equal(fixture.failure.kind, ERR_RETRY);
    assert_string_equal(fixture.failure.reason, HTTP_UNTRUSTED);
    write_text(path, both);
    get("localhost", &tls);
    assert_int_equal(fixture.status, 200);
    get("127.0.0.1", &tls); /* trusted, but not for that name */
    assert_string_equal(fixture.failure.reason, HTTP_UNTRUSTED);
    write_text(path, "nonsense");
    tls.server_name = "elsewhere"; /* no kept connection will do */
    get("localhost", &tls);
    assert_int_equal(fixture.failure.kind, ERR_INVALID);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verification),
        cmocka_unit_test(test_pem_texts),
        cmocka_unit_test(test_rotated_authority),
        cmocka_unit_test(test_added_authority),
        cmocka_unit_test(test_no_redirect_to_plain_http),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
