/* Goal: a push is taken from whoever may push and from nobody else, reaches the process that
 * decides, and costs the issuer no traffic.
 * Method: the real hooks on a network where one function plays issuer, leader and SNS, under
 * virtual time; the listener over a real socket. */
#include "unit.h"

#include "hook_server.h"
#include "net/http.h"

#include "../kube/fake_network.h"
#include "../kube/virtual_clock.h"
#include "../net/token_maker.h"
#include "hook_keys.h"

#define ISSUER   "https://accounts.google.com"
#define KEYS     "https://keys.test/certs"
#define AUDIENCE "https://churn.bank.example/v1/hooks/storage"
#define PUSHER   "push@bank.iam.gserviceaccount.com"
#define SECRET   "0123456789abcdef-shared"
#define BODY                                                                                       \
    "{\"message\":{\"attributes\":{\"bucketId\":\"bank\",\"objectId\":\"weekly_folder/w1.csv\","   \
    "\"eventType\":\"OBJECT_FINALIZE\"}}}"
#define CONFIRM "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=hunter2"
#define SUBSCRIPTION                                                                               \
    "{\"Type\":\"SubscriptionConfirmation\",\"TopicArn\":\"arn:aws:sns:x\",\"SubscribeURL\":"      \
    "\"" CONFIRM "\"}"

static struct token_maker first_key, second_key;

struct fixture {
    struct virtual_clock time;
    struct clock clock;
    struct fake_network network;
    struct arena arena; /* of requests that are not answered yet */
    struct hooks *hooks;
    char token_path[64];
    /* the others */
    const struct token_maker *issuer;
    int keys_status, leader_status, confirm_status;
    const char *max_age;
    unsigned keys_asked, leader_asked, confirmed;
    char *leader_authorization, *leader_body;
    bool hold;
    struct fake_exchange *held;
    /* the manager */
    bool leads;
    const char *leader_address;
    char *object;
    /* the answer of the last push; 0: none yet */
    unsigned answers;
    int status;
    char *text;
};

static void answer_keys(struct fixture *fixture, struct fake_exchange *exchange)
{
    char *keys auto_free = token_maker_keys(fixture->issuer, "");

    if (fixture->max_age)
        network_answer_header(exchange, "Cache-Control", fixture->max_age);
    network_reply(exchange, fixture->keys_status, keys);
}

static void serve(void *context, struct fake_exchange *exchange)
{
    struct fixture *fixture = context;

    if (strcmp(exchange->url, KEYS) == 0) {
        fixture->keys_asked++;
        assert_int_equal(exchange->guard, HOST_PUBLIC);
        if (fixture->hold)
            fixture->held = exchange;
        else
            answer_keys(fixture, exchange);
    } else if (strcmp(exchange->url, CONFIRM) == 0) {
        fixture->confirmed++;
        network_reply(exchange, fixture->confirm_status, "");
    } else if (strcmp(exchange->url, "http://10.0.0.7:8081" HOOKS_PATH) == 0) {
        fixture->leader_asked++;
        free(fixture->leader_authorization);
        free(fixture->leader_body);
        fixture->leader_authorization = mem_strdup(exchange->authorization ?: "");
        fixture->leader_body = mem_strdup(exchange->body);
        network_reply(exchange, fixture->leader_status, "");
    } else {
        network_fail(exchange, ERR_RETRY, "no such host");
    }
}

static bool leads(void *context)
{
    return ((struct fixture *)context)->leads;
}

static const char *leader_address(void *context)
{
    return ((struct fixture *)context)->leader_address;
}

static size_t object_came(void *context, const char *uri)
{
    struct fixture *fixture = context;

    free(fixture->object);
    fixture->object = mem_strdup(uri);
    return 1;
}

static void write_token(const struct fixture *fixture, const char *text)
{
    FILE *file auto_fclose = fopen(fixture->token_path, "w");

    assert_non_null(file);
    fputs(text, file);
}

static void fixture_init(struct fixture *fixture, const char *audience, bool shared)
{
    static const char *emails[] = { PUSHER };
    int fd;

    *fixture = (struct fixture){ .time = { .monotonic_ms = 1000, .wall_ms = 1800000000000 },
                                 .token_path = "/tmp/churn-test-XXXXXX",
                                 .issuer = &first_key,
                                 .keys_status = 200,
                                 .leader_status = 204,
                                 .confirm_status = 200,
                                 .leads = true };
    fd = mkstemp(fixture->token_path);
    assert_true(fd >= 0);
    close(fd);
    write_token(fixture, SECRET "\n");
    fixture->clock = virtual_clock_port(&fixture->time);
    fake_network_init(&fixture->network, serve, fixture);
    fixture->hooks =
        hooks_new(&(struct hooks_options){ .transport = &fixture->network.transport,
                                           .clock = &fixture->clock,
                                           .issuer = ISSUER,
                                           .keys_url = KEYS,
                                           .audience = audience,
                                           .emails = { emails, 1 },
                                           .token_file = shared ? fixture->token_path : NULL,
                                           .leads = leads,
                                           .leader_address = leader_address,
                                           .object_came = object_came,
                                           .context = fixture });
}

static void fixture_release(struct fixture *fixture)
{
    hooks_free(fixture->hooks);
    fake_network_release(&fixture->network);
    free(fixture->leader_authorization);
    free(fixture->leader_body);
    free(fixture->object);
    free(fixture->text);
    arena_release(&fixture->arena);
    unlink(fixture->token_path);
}

static void done(void *context, int status, const char *text)
{
    struct fixture *fixture = context;

    fixture->answers++;
    fixture->status = status;
    free(fixture->text);
    fixture->text = mem_strdup(text);
}

static void send(struct fixture *fixture, const struct hooks_request *request)
{
    fixture->status = 0;
    fixture->answers = 0;
    free(fixture->object);
    fixture->object = NULL;
    hooks_take(fixture->hooks, request, done, fixture);
    fake_network_run(&fixture->network);
    assert_int_equal(fixture->answers, fixture->status ? 1 : 0);
}

static int push_as(struct fixture *fixture, const char *authorization, const char *body)
{
    send(fixture, &(struct hooks_request){ .method = "POST",
                                           .path = HOOKS_PATH,
                                           .authorization = authorization,
                                           .body = span_of(body) });
    return fixture->status;
}

static int push_signed(struct fixture *fixture, const struct token_maker *maker,
                       const char *audience, const char *email, int64_t expires_s)
{
    char *claims auto_free = mem_format(
        "{\"iss\":\"" ISSUER "\",\"aud\":\"%s\",\"email\":\"%s\",\"email_verified\":true,"
        "\"exp\":%" PRId64 "}",
        audience, email, expires_s);
    char *token auto_free = token_maker_sign(maker, claims);

    return push_as(fixture, arena_format(&fixture->arena, "Bearer %s", token), BODY);
}

static int push_well_signed(struct fixture *fixture, const struct token_maker *maker)
{
    int64_t now_s = fixture->time.wall_ms / 1000;

    return push_signed(fixture, maker, AUDIENCE, PUSHER, now_s + 3600);
}

static void test_shared_token(void **state)
{
    static const struct {
        const char *name, *authorization, *token;
        int status;
    } cases[] = {
        { "bearer", "Bearer " SECRET, NULL, 204 },
        { "case of the scheme", "bearer " SECRET, NULL, 204 },
        { "basic", "Basic Y2h1cm46MDEyMzQ1Njc4OWFiY2RlZi1zaGFyZWQ=", NULL, 204 },
        { "in the query", NULL, SECRET, 204 },
        { "none", NULL, NULL, 401 },
        { "empty", "", "", 401 },
        { "wrong", "Bearer " SECRET "x", NULL, 401 },
        { "a part", "Bearer 0123456789abcdef", NULL, 401 },
        { "wrong in the query", NULL, "x", 401 },
        { "basic that is no base64", "Basic !", NULL, 401 },
        { "basic without a colon", "Basic MDEyMzQ1Njc4OWFiY2RlZi1zaGFyZWQ=", NULL, 401 },
        { "other scheme", "Digest " SECRET, NULL, 401 },
        { "wrong header, right query", "Bearer x", SECRET, 401 },
        { "a token of the issuer", "Bearer e30.e30.e30", NULL, 401 },
    };
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, NULL, true);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        send(&fixture, &(struct hooks_request){ .method = "POST",
                                                .path = HOOKS_PATH,
                                                .authorization = cases[i].authorization,
                                                .token = cases[i].token,
                                                .body = span_of(BODY) });
        CASE(cases[i].name, fixture.status == cases[i].status);
        CASE(cases[i].name, !fixture.object == (cases[i].status != 204));
    }
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, BODY), 204);
    assert_string_equal(fixture.object, "gs://bank/weekly_folder/w1.csv");
    write_token(&fixture, "another-token-of-the-file"); /* it was rotated */
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, BODY), 401);
    assert_int_equal(push_as(&fixture, "Bearer another-token-of-the-file", BODY), 204);
    write_token(&fixture, "short"); /* nobody gets in with it */
    assert_int_equal(push_as(&fixture, "Bearer short", BODY), 503);
    assert_int_equal(fixture.keys_asked, 0);
    fixture_release(&fixture);
}

static void test_requests(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, NULL, true);
    send(&fixture, &(struct hooks_request){
                       .method = "POST", .path = "/", .authorization = "Bearer " SECRET });
    assert_int_equal(fixture.status, 404);
    send(&fixture, &(struct hooks_request){
                       .method = "GET", .path = HOOKS_PATH, .authorization = "Bearer " SECRET });
    assert_int_equal(fixture.status, 405);
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, "{}"), 400);
    assert_non_null(strstr(fixture.text, "Records"));
    assert_int_equal(push_as(&fixture, NULL, "{}"), 401); /* strangers learn nothing */
    fixture_release(&fixture);
}

static void test_issuer(void **state)
{
    struct fixture fixture;
    int64_t now_s;

    (void)state;
    fixture_init(&fixture, AUDIENCE, false);
    now_s = fixture.time.wall_ms / 1000;
    assert_int_equal(push_well_signed(&fixture, &first_key), 204);
    assert_string_equal(fixture.object, "gs://bank/weekly_folder/w1.csv");
    assert_int_equal(push_signed(&fixture, &first_key, "other", PUSHER, now_s + 60), 403);
    assert_int_equal(push_signed(&fixture, &first_key, AUDIENCE, "a@b.example", now_s + 60), 403);
    assert_int_equal(push_signed(&fixture, &first_key, AUDIENCE, PUSHER, now_s - 60), 401);
    assert_null(fixture.object);
    assert_int_equal(push_as(&fixture, "Bearer e30.e30.e30", BODY), 401);
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, BODY), 401);
    assert_int_equal(fixture.keys_asked, 1);
    fixture_release(&fixture);
}

static void test_keys_rotate(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, AUDIENCE, true);
    fixture.max_age = "public, max-age=600, must-revalidate";
    assert_int_equal(push_well_signed(&fixture, &first_key), 204);
    fixture.issuer = &second_key;
    assert_int_equal(push_well_signed(&fixture, &second_key), 401); /* asked just before */
    assert_int_equal(fixture.keys_asked, 1);
    virtual_clock_advance(&fixture.time, HOOK_KEYS_PAUSE_MS);
    assert_int_equal(push_well_signed(&fixture, &second_key), 204);
    assert_int_equal(fixture.keys_asked, 2);
    for (int i = 0; i < 10; i++) /* forged ones cause no traffic */
        assert_int_equal(push_well_signed(&fixture, &first_key), 401);
    assert_int_equal(fixture.keys_asked, 2);
    virtual_clock_advance(&fixture.time, 600 * 1000); /* out of date: fetched anew */
    assert_int_equal(push_well_signed(&fixture, &second_key), 204);
    assert_int_equal(fixture.keys_asked, 3);
    fixture_release(&fixture);
}

static void test_issuer_in_trouble(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, AUDIENCE, true);
    fixture.keys_status = 500;
    assert_int_equal(push_well_signed(&fixture, &first_key), 503);
    assert_int_equal(push_well_signed(&fixture, &first_key), 503);
    assert_int_equal(fixture.keys_asked, 1); /* it is not hammered */
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, BODY),
                     204); /* who needs no keys gets in */
    virtual_clock_advance(&fixture.time, HOOK_KEYS_PAUSE_MS);
    fixture.keys_status = 200;
    assert_int_equal(push_well_signed(&fixture, &first_key), 204);
    fixture.keys_status = 500;
    virtual_clock_advance(&fixture.time, 12 * 3600 * 1000); /* the keys serve on */
    assert_int_equal(push_well_signed(&fixture, &first_key), 204);
    virtual_clock_advance(&fixture.time, 12 * 3600 * 1000); /* but not for ever */
    assert_int_equal(push_well_signed(&fixture, &first_key), 503);
    fixture_release(&fixture);
}

static void hold_three(struct fixture *fixture)
{
    fixture_init(fixture, AUDIENCE, true);
    fixture->hold = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(push_well_signed(fixture, &first_key), 0);
    assert_int_equal(fixture->keys_asked, 1);
}

/* Those that come while the keys are fetched wait for one answer. */
static void test_one_fetch_for_many(void **state)
{
    struct fixture fixture;

    (void)state;
    hold_three(&fixture);
    answer_keys(&fixture, fixture.held);
    fake_network_run(&fixture.network);
    assert_int_equal(fixture.answers, 3);
    assert_int_equal(fixture.status, 204);
    fixture_release(&fixture);
}

static void test_stopping_answers_all(void **state)
{
    struct fixture fixture;

    (void)state;
    hold_three(&fixture);
    hooks_free(fixture.hooks);
    fixture.hooks = NULL;
    assert_int_equal(fixture.answers, 3);
    assert_int_equal(fixture.status, 503);
    answer_keys(&fixture, fixture.held);
    fixture_release(&fixture);
}

static void test_standby(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, AUDIENCE, true);
    fixture.leads = false;
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, BODY), 503);
    fixture.leader_address = "10.0.0.7:8081";
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, BODY), 204);
    assert_null(fixture.object);
    assert_string_equal(fixture.leader_authorization, "Bearer " SECRET);
    assert_string_equal(fixture.leader_body, BODY);
    send(&fixture, &(struct hooks_request){ .method = "POST",
                                            .path = HOOKS_PATH,
                                            .token = SECRET,
                                            .body = span_of(SUBSCRIPTION) });
    assert_int_equal(fixture.status, 204);
    assert_string_equal(fixture.leader_authorization, "Bearer " SECRET);
    assert_int_equal(fixture.confirmed, 0); /* the leader does it */
    assert_int_equal(push_as(&fixture, "Bearer wrong-token-of-somebody", BODY), 401);
    assert_int_equal(fixture.leader_asked, 2);
    fixture.leader_status = 500;
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, BODY), 503);
    fixture.leader_address = "10.0.0.8:8081"; /* gone */
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, BODY), 503);
    send(&fixture, &(struct hooks_request){ .method = "POST",
                                            .path = HOOKS_PATH,
                                            .token = SECRET,
                                            .forwarded = true,
                                            .body = span_of(BODY) });
    assert_int_equal(fixture.status, 503); /* not on and on between two standbys */
    assert_int_equal(fixture.leader_asked, 3);
    fixture_release(&fixture);
}

static void test_subscription(void **state)
{
    struct fixture fixture;
    struct metrics metrics = { 0 };

    (void)state;
    fixture_init(&fixture, NULL, true);
    assert_int_equal(push_as(&fixture, "Bearer wrong-token-of-somebody", SUBSCRIPTION), 401);
    assert_int_equal(fixture.confirmed, 0);
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, SUBSCRIPTION), 204);
    assert_int_equal(fixture.confirmed, 1);
    fixture.confirm_status = 500;
    assert_int_equal(push_as(&fixture, "Bearer " SECRET, SUBSCRIPTION), 503);
    assert_null(strstr(fixture.text, "hunter2"));
    hooks_snapshot(fixture.hooks, &metrics);
    assert_int_equal(metrics.hooks.answers.codes[0], 401);
    assert_int_equal(metrics.hooks.answers.counts[0], 1);
    fixture_release(&fixture);
}

/* --- the listener --- */

struct peer {
    int status; /* 0: no answer yet */
    unsigned challenges;
};

static void peer_answered(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct peer *peer = context;

    if (failure)
        fail_msg("%s", failure->message);
    peer->status = reply->status;
    for (size_t i = 0; i < reply->header_count; i++)
        peer->challenges += strcasecmp(reply->headers[i].name, "WWW-Authenticate") == 0;
}

/* The loop of the controller: its transport is woken when a request is there. */
static struct peer ask(struct transport *loop, struct hook_server *server, const char *query,
                       struct span body)
{
    static const struct http_handler handler = { .on_done = peer_answered };
    char *url auto_free =
        mem_format("http://127.0.0.1:%u" HOOKS_PATH "%s", hook_server_port(server), query);
    struct peer peer = { 0 };

    (void)transport_start(
        loop,
        &(struct http_request){ .method = "POST", .url = url, .body = body, .timeout_ms = 10000 },
        &handler, &peer);
    while (peer.status == 0) {
        transport_run(loop, 10000);
        hook_server_poll(server);
    }
    return peer;
}

static void test_listener(void **state)
{
    struct fixture fixture;
    struct hook_server *server;
    struct transport *loop;
    struct err err;
    char *large auto_free = mem_zero(LIMIT_PUSH + 1, 1);
    struct peer peer;

    (void)state;
    fixture_init(&fixture, NULL, true);
    loop = http_transport_new(&(struct http_options){ 0 }, &err);
    assert_non_null(loop);
    assert_null(hook_server_new("8081", loop, fixture.hooks, &err));
    server = hook_server_new("127.0.0.1:0", loop, fixture.hooks, &err);
    assert_non_null(server);
    assert_int_equal(ask(loop, server, "?token=" SECRET, span_of(BODY)).status, 204);
    assert_string_equal(fixture.object, "gs://bank/weekly_folder/w1.csv");
    peer = ask(loop, server, "", span_of(BODY));
    assert_int_equal(peer.status, 401);
    assert_int_equal(peer.challenges, 2); /* SNS sends its password only when it is asked for */
    memset(large, ' ', LIMIT_PUSH);
    memcpy(large, BODY, strlen(BODY));
    assert_int_equal(ask(loop, server, "?token=" SECRET, (struct span){ large, LIMIT_PUSH }).status,
                     204);
    assert_int_equal(
        ask(loop, server, "?token=" SECRET, (struct span){ large, LIMIT_PUSH + 1 }).status, 413);
    hooks_free(fixture.hooks);
    fixture.hooks = NULL;
    hook_server_free(server);
    http_transport_free(loop);
    fixture_release(&fixture);
}

static int begin(void **state)
{
    (void)state;
    token_maker_init(&first_key, "first", 2048);
    token_maker_init(&second_key, "second", 2048);
    return 0;
}

static int end(void **state)
{
    (void)state;
    token_maker_release(&first_key);
    token_maker_release(&second_key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_token),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_issuer),
        cmocka_unit_test(test_keys_rotate),
        cmocka_unit_test(test_issuer_in_trouble),
        cmocka_unit_test(test_one_fetch_for_many),
        cmocka_unit_test(test_stopping_answers_all),
        cmocka_unit_test(test_standby),
        cmocka_unit_test(test_subscription),
        cmocka_unit_test(test_listener),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
