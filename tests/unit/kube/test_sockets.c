/* Goal: informer, client and the real transport fit together: pages, a watch that is cut in the
 * middle of an event, resuming, and leaving while a stream is open.
 * Method: a small API server (httpd) and the transport run on loopback in one thread, turn by
 * turn; the informer's timers follow a clock that the test moves. */
#include "unit.h"

#include "base/json.h"
#include "kube/informer.h"
#include "net/http.h"
#include "net/httpd.h"

#define OBJECT(name, version)                                                                      \
    "{\"metadata\":{\"namespace\":\"bank\",\"name\":\"" name "\",\"uid\":\"u-" name                \
    "\",\"resourceVersion\":\"" version "\"}}"

static struct scene {
    struct transport *transport;
    struct httpd *server;
    struct httpd_exchange *watch; /* that runs */
    char watched_from[32];
    unsigned watches;
    int64_t now_ms;
    struct timers timers;
    struct kube_config config;
    struct kube_client *client;
    struct informer *informer;
    struct buf told;
    unsigned syncs, failures;
} scene;

static void reply(struct httpd_exchange *exchange, int status, const char *text)
{
    httpd_reply(exchange, status, "application/json", span_of(text), NULL, 0);
}

static void on_close(void *context)
{
    (void)context;
    scene.watch = NULL;
}

static void answer(void *context, struct httpd_exchange *exchange)
{
    const char *authorization = httpd_header(exchange, "Authorization");
    const char *token = httpd_query(exchange, "continue");

    (void)context;
    assert_string_equal(httpd_path(exchange), "/prefix/apis/batch/v1/namespaces/bank/jobs");
    assert_string_equal(httpd_header(exchange, "User-Agent"), "test/1");
    if (!authorization || strcmp(authorization, "Bearer good") != 0) {
        reply(exchange, 401, "{}");
    } else if (httpd_query(exchange, "watch")) {
        snprintf(scene.watched_from, sizeof(scene.watched_from), "%s",
                 httpd_query(exchange, "resourceVersion"));
        scene.watch = exchange;
        scene.watches++;
        httpd_stream_begin(exchange, 200, "application/json", on_close, NULL);
    } else if (!token) {
        reply(exchange, 200,
              "{\"items\":[" OBJECT("a", "1") "],\"metadata\":{\"resourceVersion\":\"9\","
                                              "\"continue\":\"a/b+c=\"}}");
    } else {
        assert_string_equal(token, "a/b+c=");
        reply(exchange, 200,
              "{\"items\":[" OBJECT("b", "2") "],\"metadata\":{\"resourceVersion\":\"9\"}}");
    }
}

static int project(void *context, const json_t *object, struct span text, struct buf *blob,
                   struct err *err)
{
    (void)context;
    (void)text;
    (void)err;
    buf_string(blob, jx_string(object, "metadata", "name", NULL));
    return 0;
}

static void on_change(void *context, const struct cache_entry *before,
                      const struct cache_entry *after)
{
    (void)context;
    buf_format(&scene.told, "%c%s ",
               before && after ? '~'
               : after         ? '+'
                               : '-',
               cache_entry_name(after ? after : before));
}

static void on_sync(void *context)
{
    (void)context;
    scene.syncs++;
}

static void on_failure(void *context, const struct err *failure)
{
    (void)context;
    (void)failure;
    scene.failures++;
}

static int64_t read_clock(void *context)
{
    return *(const int64_t *)context;
}

static const struct clock test_clock = { read_clock, read_clock, &scene.now_ms };

static int set_up(void **state)
{
    struct err err;

    (void)state;
    scene = (struct scene){ 0 };
    buf_init(&scene.told, 1000);
    scene.transport = http_transport_new(&(struct http_options){ 0 }, &err);
    scene.server =
        httpd_new(&(struct httpd_options){ .address = "127.0.0.1", .handler = answer }, &err);
    if (!scene.transport || !scene.server)
        fail_msg("%s", err.message);
    timers_init(&scene.timers, &test_clock);
    scene.config.server =
        arena_format(&scene.config.arena, "http://127.0.0.1:%u/prefix", httpd_port(scene.server));
    scene.config.user_agent = "test/1";
    scene.config.credentials =
        kube_credentials_new(&(struct kube_credentials_options){ .token = "good" });
    scene.client = kube_client_new(&(struct kube_client_options){
        .transport = scene.transport, .timers = &scene.timers, .config = &scene.config });
    scene.informer =
        informer_new(&(struct informer_options){ .client = scene.client,
                                                 .resource = { "batch", "v1", "jobs", "Job" },
                                                 .namespace = "bank",
                                                 .project = project,
                                                 .on_change = on_change,
                                                 .on_sync = on_sync,
                                                 .on_failure = on_failure });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    informer_free(scene.informer);
    kube_client_free(scene.client);
    kube_config_release(&scene.config);
    timers_release(&scene.timers);
    http_transport_free(scene.transport);
    httpd_free(scene.server);
    buf_release(&scene.told);
    return 0;
}

static void turn_until(const unsigned *value, unsigned wanted)
{
    int64_t give_up_ms = clock_monotonic_ms(&clock_system) + 20000;

    while (*value < wanted && clock_monotonic_ms(&clock_system) < give_up_ms) {
        timers_run(&scene.timers);
        httpd_run(scene.server, 0);
        transport_run(scene.transport, 1);
    }
    assert_int_equal(*value, wanted);
}

static void turn_until_told(const char *expected)
{
    int64_t give_up_ms = clock_monotonic_ms(&clock_system) + 20000;

    while (strcmp(buf_text(&scene.told), expected) != 0 &&
           clock_monotonic_ms(&clock_system) < give_up_ms) {
        httpd_run(scene.server, 0);
        transport_run(scene.transport, 1);
    }
    assert_string_equal(buf_text(&scene.told), expected);
}

static void test_life(void **state)
{
    (void)state;
    informer_start(scene.informer);
    turn_until(&scene.watches, 1);
    assert_int_equal(scene.syncs, 1);
    assert_string_equal(scene.watched_from, "9");
    turn_until_told("+a +b ");

    httpd_stream_write(scene.watch, span_of("{\"type\":\"MODIFIED\",\"object\":" OBJECT(
                                        "a", "10") "}\n"
                                                   "{\"type\":\"DELETED\",\"obj"));
    turn_until_told("+a +b ~a ");
    httpd_abort(scene.watch);
    turn_until(&scene.failures, 1);
    assert_int_equal(scene.watches, 1);

    scene.now_ms += 800;
    turn_until(&scene.watches, 2);
    assert_string_equal(scene.watched_from, "10");
    httpd_stream_write(scene.watch,
                       span_of("{\"type\":\"DELETED\",\"object\":" OBJECT("b", "11") "}\n"));
    turn_until_told("+a +b ~a -b ");
    assert_string_equal(cache_position(informer_cache(scene.informer)), "11");
}

/* A server that answers 401 is tried again, with back-off, for ever. */
static void test_denied(void **state)
{
    (void)state;
    kube_credentials_free(scene.config.credentials);
    scene.config.credentials =
        kube_credentials_new(&(struct kube_credentials_options){ .token = "bad" });
    informer_start(scene.informer);
    turn_until(&scene.failures, 1);
    scene.now_ms += 800;
    turn_until(&scene.failures, 2);

    struct informer_health health;
    informer_health(scene.informer, &health);
    assert_int_equal(health.last_failure->kind, ERR_DENIED);
    assert_int_equal(health.state, INFORMER_WAITING);
    assert_false(health.synced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_denied, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
