/* Goal: probes tell the truth, and /metrics is well-formed Prometheus text.
 * Method: the pure parts by tables; the server over a real socket; every line of /metrics is
 * checked for its shape and its family's header. */
#include "unit.h"

#include "base/limits.h"
#include "net/http.h"

#include "telemetry.h"

static void test_addresses(void **state)
{
    static const struct {
        const char *address, *host; /* NULL: refused */
        unsigned port;
    } cases[] = {
        { "0.0.0.0:8080", "0.0.0.0", 8080 },
        { "127.0.0.1:0", "127.0.0.1", 0 },
        { "[::1]:80", "::1", 80 },
        { "[::]:8080", "::", 8080 },
        { "localhost:1", "localhost", 1 },
        { "8080", NULL, 0 },
        { ":8080", NULL, 0 },
        { "::1:80", NULL, 0 },
        { "[::1]", NULL, 0 },
        { "[::1]80", NULL, 0 },
        { "a:65536", NULL, 0 },
        { "a:-1", NULL, 0 },
        { "a:", NULL, 0 },
        { "", NULL, 0 },
        { "[]:1", NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *host auto_free = NULL;
        unsigned port = 0;
        struct err err;
        int outcome = telemetry_parse_address(cases[i].address, &host, &port, &err);

        CASE(cases[i].address, outcome == (cases[i].host ? 0 : -1));
        CASE(cases[i].address, !cases[i].host || strcmp(host, cases[i].host) == 0);
        CASE(cases[i].address, port == cases[i].port);
        CASE(cases[i].address, cases[i].host || strstr(err.message, "HOST:PORT"));
    }
}

static void test_ailments(void **state)
{
    struct metrics metrics = { 0 };

    (void)state;
    assert_null(telemetry_ailment(&metrics, 29000));
    assert_non_null(telemetry_ailment(&metrics, 31000));
    metrics.caches[OBJECT_JOB].silence_ms = 20 * 60 * 1000;
    assert_null(
        telemetry_ailment(&metrics, 0)); /* disconnected, and trying: a restart is no help */
    metrics.caches[OBJECT_JOB].following = true;
    assert_non_null(telemetry_ailment(&metrics, 0));
}

static int get(struct transport *client, unsigned port, const char *path, char **ret_body)
{
    char *url auto_free = mem_format("http://127.0.0.1:%u%s", port, path);
    size_t length;
    struct err err;
    int status;

    if (transport_perform(
            client, &(struct http_request){ .method = "GET", .url = url, .timeout_ms = 10000 },
            &status, ret_body, &length, &err) < 0)
        fail_msg("%s: %s", path, err.message);
    return status;
}

static void expect_status(struct transport *client, unsigned port, const char *path, int expected)
{
    char *body auto_free = NULL;
    int status = get(client, port, path, &body);

    if (status != expected)
        fail_msg("%s: %d instead of %d", path, status, expected);
}

static void test_end_points(void **state)
{
    struct err err;
    struct metrics metrics = { .ready = true };
    struct telemetry *telemetry = telemetry_new("127.0.0.1:0", &err);
    struct transport *client = http_transport_new(&(struct http_options){ 0 }, &err);
    char *body auto_free = NULL;
    unsigned port;

    (void)state;
    assert_non_null(telemetry);
    assert_non_null(client);
    port = telemetry_port(telemetry);
    expect_status(client, port, "/healthz", 200);
    expect_status(client, port, "/readyz", 503);
    metrics.jobs_created[OBJECT_BATCH] = 7;
    telemetry_publish(telemetry, &metrics);
    expect_status(client, port, "/readyz", 200);
    expect_status(client, port, "/else", 404);
    assert_int_equal(get(client, port, "/metrics", &body), 200);
    assert_non_null(strstr(body, "churn_jobs_created_total{kind=\"ChurnBatch\"} 7\n"));
    http_transport_free(client);
    telemetry_free(telemetry);
}

static void test_address_in_use(void **state)
{
    struct err err;
    struct telemetry *first = telemetry_new("127.0.0.1:0", &err);
    char *address auto_free = NULL;

    (void)state;
    assert_non_null(first);
    address = mem_format("127.0.0.1:%u", telemetry_port(first));
    assert_null(telemetry_new(address, &err));
    assert_string_not_equal(err.message, "");
    telemetry_free(first);
}

/* --- the text -------------------------------------------------------------------------- */

static void fill(struct metrics *metrics)
{
    for (int64_t ms = 0; ms < 100000; ms = ms * 2 + 1)
        metrics_observe(&metrics->queue_wait, ms);
    metrics->requests =
        (struct kube_requests){ .items = { { "create", "jobs", 201, 7 } }, .count = 1 };
    metrics_count_word(&metrics->decisions, "First");
    metrics_count_word(&metrics->decisions, "Skipped");
    metrics_count_word(&metrics->decisions, "First");
    metrics_count_word(&metrics->decisions, NULL);
}

static void test_every_line_belongs_to_a_family(void **state)
{
    struct metrics metrics = { 0 };
    struct buf text auto_buf;
    char family[128] = "", name[128];

    (void)state;
    fill(&metrics);
    buf_init(&text, LIMIT_HTTP_BODY);
    metrics_render(&metrics, &text);
    for (const char *line = buf_text(&text); *line; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\n");

        assert_int_equal(line[length], '\n');
        if (strncmp(line, "# HELP ", 7) == 0) {
            (void)snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "), line + 7);
        } else if (*line != '#') {
            (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, "{ "), line);
            CASE(name, strncmp(name, family, strlen(family)) == 0);
        }
    }
    assert_non_null(strstr(buf_text(&text), "{kind=\"ChurnModel\",decision=\"First\"} 2\n"));
    assert_non_null(strstr(buf_text(&text), "churn_queue_wait_seconds_bucket{le=\"+Inf\"} 17\n"));
    assert_non_null(strstr(buf_text(&text), "churn_queue_wait_seconds_count 17\n"));
    assert_non_null(
        strstr(buf_text(&text), "{verb=\"create\",resource=\"jobs\",code=\"201\"} 7\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_ailments),
        cmocka_unit_test(test_end_points),
        cmocka_unit_test(test_address_in_use),
        cmocka_unit_test(test_every_line_belongs_to_a_family),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
