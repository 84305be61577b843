/* Goal: a question is asked until it is answered, never longer than its patience, and errors say
 * what is missing. Method: a fake cloud that answers from a list, under virtual time. */
#include "unit.h"

#include <string.h>

#include "fake_cloud.h"
#include "net/proxy.h"
#include "store/remote.h"

/* Answers one after the other; the last one stays. */
struct script {
    const struct fake_reply *replies;
    size_t count, next;
    char authorization[64]; /* of the last question */
    int64_t timeout_ms;     /* likewise */
    size_t idle_bytes;      /* likewise */
    char proxy[32];         /* likewise; "": none */
};

static struct fake_cloud cloud;
static struct script script;
static const char *const *variables; /* of the stores that set_up() makes */

static void serve(void *context, const struct http_request *request, struct fake_reply *ret_reply)
{
    struct script *self = context;
    const char *authorization = fake_sent(request, "Authorization");

    *ret_reply = self->replies[self->next];
    self->next += self->next + 1 < self->count;
    self->timeout_ms = request->timeout_ms;
    self->idle_bytes = request->idle_bytes;
    snprintf(self->proxy, sizeof(self->proxy), "%s", request->proxy ? request->proxy : "");
    snprintf(self->authorization, sizeof(self->authorization), "%s",
             authorization ? authorization : "");
}

static struct remote *set_up(const struct fake_reply *replies, size_t count,
                             const struct stores_options *changes)
{
    struct stores_options options;

    script = (struct script){ .replies = replies, .count = count };
    fake_cloud_init(&cloud, serve, &script);
    options = fake_cloud_options(&cloud);
    options.patience_ms = changes->patience_ms;
    options.denied_patience_ms = changes->denied_patience_ms;
    options.attempt_ms = changes->attempt_ms;
    options.proxies = changes->proxies;
    cloud.variables = variables;
    return remote_new(&options);
}

static void tear_down(struct remote *remote)
{
    remote_free(remote);
    fake_cloud_release(&cloud);
}

static int sign(void *context, const struct http_request *request, bool refused,
                struct arena *arena, struct http_header *ret_headers, size_t *ret_count,
                struct err *err)
{
    (void)context, (void)err;
    assert_string_equal(request->url, "http://cloud/o");
    ret_headers[0] =
        (struct http_header){ "Authorization", arena_strdup(arena, refused ? "fresh" : "kept") };
    *ret_count = 1;
    return 0;
}

static const struct remote_signer signer = { .sign = sign };
static const struct remote_question question = {
    .what = "gs://bank/o",
    .right = "storage.objects.get",
    .method = "GET",
    .url = "http://cloud/o",
    .signer = &signer,
};

#define BUSY(code)                                                                                 \
    {                                                                                              \
        .status = (code)                                                                           \
    }
#define DONE                                                                                       \
    {                                                                                              \
        .status = 200, .body = { "yes", 3 }                                                        \
    }

/* A server may send anything: bytes behind a NUL count, and are there to be read. */
static void answers_are_kept_whole(void **state)
{
    char body[5000];
    const struct fake_reply replies[] = { { .status = 200, .body = { body, sizeof(body) } } };
    struct remote *remote = set_up(replies, ARRAY_SIZE(replies), &(struct stores_options){ 0 });
    auto_answer struct remote_answer answer = { 0 };
    struct err err = { 0 };

    (void)state;
    memset(body, 'x', sizeof(body));
    body[1] = '\0';
    assert_int_equal(remote_ask(remote, &question, &answer, &err), 0);
    assert_int_equal(answer.reply.body.length, sizeof(body));
    assert_memory_equal(answer.reply.body.data, body, sizeof(body));
    tear_down(remote);
}

static void busy_servers_are_asked_again(void **state)
{
    static const struct fake_reply replies[] = {
        BUSY(0),
        BUSY(408),
        BUSY(425),
        BUSY(429),
        BUSY(500),
        BUSY(503),
        { .cut = true, .status = 200 },
        { .stall = true, .status = 200 },
        DONE,
    };
    struct remote *remote = set_up(replies, ARRAY_SIZE(replies), &(struct stores_options){ 0 });
    auto_answer struct remote_answer answer = { 0 };
    struct err err = { 0 };
    int64_t begin_ms = cloud.now_ms;

    (void)state;
    assert_int_equal(remote_ask(remote, &question, &answer, &err), 0);
    assert_int_equal(answer.reply.status, 200);
    assert_string_equal(answer.reply.body.data, "yes");
    assert_int_equal(answer.attempts, 9);
    assert_int_equal(cloud.troubles, 8);
    assert_in_range(cloud.now_ms - begin_ms, 30000 + 24000, 30000 + 62000); /* stall and waiting */
    tear_down(remote);
}

/* Whoever sends a byte now and then is not waited for longer than is said. */
static void attempts_have_an_end(void **state)
{
    static const struct fake_reply replies[] = { DONE };
    static const struct {
        int64_t question_ms, stores_ms;
        size_t body; /* bytes that are sent */
        int64_t expected_ms;
        size_t expected_bytes; /* within the time of silence */
    } cases[] = {
        { 0, 0, 0, 600000, 0 },
        { 0, 60000, 0, 60000, 0 },
        { 2000, 60000, 0, 2000, 0 },
        { 2000, 0, 0, 2000, 0 },
        { 0, 0, 65536, 600000, 0 },
        { 0, 0, 65537, 0, REMOTE_LEAST_BYTES },
        { 0, 60000, 65537, 60000, REMOTE_LEAST_BYTES },
    };
    auto_free char *body = mem_zero(65537, 1);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct remote *remote =
            set_up(replies, 1, &(struct stores_options){ .attempt_ms = cases[i].stores_ms });
        struct remote_question asked = question;
        auto_answer struct remote_answer answer = { 0 };
        struct err err = { 0 };

        asked.timeout_ms = cases[i].question_ms;
        asked.body = (struct span){ body, cases[i].body };
        assert_int_equal(remote_ask(remote, &asked, &answer, &err), 0);
        assert_int_equal(script.timeout_ms, cases[i].expected_ms);
        assert_int_equal(script.idle_bytes, cases[i].expected_bytes);
        tear_down(remote);
    }
}

/* Those of the environment, or, where it is a Secret's, those of the controller. */
static void endpoints_are_reached_through_proxies(void **state)
{
    static const struct fake_reply replies[] = { DONE };
    static const char *const environment[] = { "HTTP_PROXY", "http://own:3128", "NO_PROXY", "near",
                                               NULL };
    static const struct proxy_environment others = { .http_proxy = "http://other:3128" };
    static const struct {
        const struct proxy_environment *proxies;
        const char *url;
        bool own_host;
        const char *proxy;
    } cases[] = {
        { NULL, "http://cloud/o", false, "http://own:3128" },
        { NULL, "http://near/o", false, "" },
        { NULL, "https://cloud/o", false, "" },
        { NULL, "http://localhost/o", false, "" },
        { NULL, "http://cloud/o", true, "" },
        { &others, "http://near/o", false, "http://other:3128" },
    };

    (void)state;
    variables = environment;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct remote *remote =
            set_up(replies, 1, &(struct stores_options){ .proxies = cases[i].proxies });
        struct remote_question asked = question;
        auto_answer struct remote_answer answer = { 0 };
        struct err err = { 0 };

        asked.url = cases[i].url;
        asked.own_host = cases[i].own_host;
        asked.signer = NULL;
        assert_int_equal(remote_ask(remote, &asked, &answer, &err), 0);
        CASE(cases[i].url, strcmp(script.proxy, cases[i].proxy) == 0);
        tear_down(remote);
    }
    variables = NULL;
}

static void patience_ends(void **state)
{
    static const struct fake_reply replies[] = { { .status = 503, .body = { "too much", 8 } } };
    struct remote *remote = set_up(replies, 1, &(struct stores_options){ .patience_ms = 20000 });
    auto_answer struct remote_answer answer = { 0 };
    struct err err = { 0 };
    int64_t begin_ms = cloud.now_ms;

    (void)state;
    assert_int_equal(remote_ask(remote, &question, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_RETRY);
    assert_int_equal(err.http_status, 503);
    assert_true(cloud.now_ms - begin_ms <= 20000);
    assert_true(cloud.requests >= 4);
    assert_ptr_equal(strstr(err.message, "gs://bank/o: 503 Service Unavailable: too much ("),
                     err.message);
    tear_down(remote);
}

static void servers_say_how_long_to_wait(void **state)
{
    static const struct fake_reply replies[] = {
        { .status = 429, .headers = { { "Retry-After", "50" } }, .header_count = 1 }, DONE
    };
    struct remote *remote = set_up(replies, 2, &(struct stores_options){ 0 });
    auto_answer struct remote_answer answer = { 0 };
    struct err err = { 0 };
    int64_t begin_ms = cloud.now_ms;

    (void)state;
    assert_int_equal(remote_ask(remote, &question, &answer, &err), 0);
    assert_int_equal(cloud.now_ms - begin_ms, 50000);
    tear_down(remote);
}

static void withdrawn_tokens_are_replaced_at_once(void **state)
{
    static const struct fake_reply replies[] = { BUSY(401), DONE };
    struct remote *remote =
        set_up(replies, 2, &(struct stores_options){ .denied_patience_ms = -1 });
    auto_answer struct remote_answer answer = { 0 };
    struct err err = { 0 };
    int64_t begin_ms = cloud.now_ms;

    (void)state;
    assert_int_equal(remote_ask(remote, &question, &answer, &err), 0);
    assert_string_equal(script.authorization, "fresh");
    assert_int_equal(cloud.now_ms, begin_ms);
    tear_down(remote);
}

static void rights_take_a_while_and_only_once(void **state)
{
    static const struct fake_reply replies[] = { BUSY(403), BUSY(401), BUSY(403), DONE, BUSY(403) };
    struct remote *remote = set_up(replies, ARRAY_SIZE(replies), &(struct stores_options){ 0 });
    auto_answer struct remote_answer answer = { 0 };
    struct err err = { 0 };
    int64_t begin_ms = cloud.now_ms;

    (void)state;
    assert_int_equal(remote_ask(remote, &question, &answer, &err), 0);
    remote_answer_release(&answer);
    assert_int_equal(remote_ask(remote, &question, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_int_equal(err.http_status, 403);
    assert_string_equal(err.message,
                        "gs://bank/o: 403 Forbidden (the right needed is storage.objects.get)");
    assert_in_range(cloud.now_ms - begin_ms, 50000, 60000);
    begin_ms = cloud.now_ms;
    assert_int_equal(remote_ask(remote, &question, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_in_range(cloud.now_ms - begin_ms, 0, 10000); /* what is left of the minute */
    tear_down(remote);
}

static void other_answers_are_the_drivers(void **state)
{
    static const int statuses[] = { 200, 204, 308, 400, 404, 409, 412, 416 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        const struct fake_reply replies[] = {
            { .status = statuses[i], .headers = { { "ETag", "\"e\"" } }, .header_count = 1 }
        };
        struct remote *remote = set_up(replies, 1, &(struct stores_options){ 0 });
        auto_answer struct remote_answer answer = { 0 };
        struct err err = { 0 };

        assert_int_equal(remote_ask(remote, &question, &answer, &err), 0);
        assert_int_equal(answer.reply.status, statuses[i]);
        assert_string_equal(http_reply_header(&answer.reply, "etag"), "\"e\"");
        assert_int_equal(cloud.requests, 1);
        assert_int_equal(remote_fail(&question, &answer.reply, &err), -1);
        assert_ptr_equal(strstr(err.message, "gs://bank/o: "), err.message);
        tear_down(remote);
    }
}

static void a_signal_ends_waiting(void **state)
{
    static const struct fake_reply replies[] = { { .status = 200, .stall = true }, BUSY(503) };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct remote *remote = set_up(replies + i, 1, &(struct stores_options){ 0 });
        auto_answer struct remote_answer answer = { 0 };
        struct err err = { 0 };
        int64_t begin_ms = cloud.now_ms;

        cloud.stop_at_ms = begin_ms + 100;
        assert_int_equal(remote_ask(remote, &question, &answer, &err), -1);
        assert_int_equal(err.kind, ERR_CANCELED);
        assert_int_equal(cloud.now_ms - begin_ms, 100);
        tear_down(remote);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_kept_whole),
        cmocka_unit_test(busy_servers_are_asked_again),
        cmocka_unit_test(attempts_have_an_end),
        cmocka_unit_test(endpoints_are_reached_through_proxies),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(servers_say_how_long_to_wait),
        cmocka_unit_test(withdrawn_tokens_are_replaced_at_once),
        cmocka_unit_test(rights_take_a_while_and_only_once),
        cmocka_unit_test(other_answers_are_the_drivers),
        cmocka_unit_test(a_signal_ends_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
