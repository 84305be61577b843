/* Goal: never two leaders, always one in the end.
 * Method: candidates with the real client, each with a network and timers of its own, share one
 * Lease on a small API server and one virtual clock; faults are put between them and the server.
 * Then a random schedule of partitions, pauses and lost answers, checked at every tick. */
#include "../unit.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/random.h"
#include "kube/lease.h"
#include "fake_network.h"
#include "virtual_clock.h"

enum { CANDIDATES = 3 };

enum fault {
    FAULT_NONE,
    FAULT_SILENCE,
    FAULT_ERROR,
    FAULT_LOST_ANSWER,
    FAULT_DENIED,
    FAULT_THROTTLED
};

/* The server: one Lease. */
struct server {
    json_t *lease;
    int version;
    unsigned writes;
};

struct candidate {
    struct world *world;
    struct fake_network network;
    struct timers timers;
    struct kube_config config;
    struct kube_client *client;
    struct lease *lease;
    enum fault fault;
    bool paused; /* the process does not run */
    unsigned acquired, lost, released, failed;
    char holder[64];
};

struct world {
    struct virtual_clock time;
    struct clock clock;
    struct server server;
    struct candidate candidates[CANDIDATES];
    size_t count;
};

/* --- server ---------------------------------------------------------------- */

static void reply_json(struct fake_exchange *exchange, int status, const json_t *value)
{
    char *text auto_free = jx_canonical(value);

    network_reply(exchange, status, text);
}

static void reply_status(struct fake_exchange *exchange, int status, const char *reason)
{
    json_t *value auto_json = json_pack("{s:s, s:s, s:s, s:i}", "kind", "Status", "reason", reason,
                                        "message", reason, "code", status);

    reply_json(exchange, status, value);
}

static void store(struct server *server, json_t *take_lease)
{
    char version[16];

    (void)snprintf(version, sizeof(version), "%d", ++server->version);
    json_object_set_new(jx_get(take_lease, "metadata", NULL), "resourceVersion",
                        json_string(version));
    json_decref(server->lease);
    server->lease = take_lease;
    server->writes++;
}

static void serve_write(struct server *server, struct fake_exchange *exchange)
{
    struct err err;
    json_t *object auto_json = jx_parse(span_of(exchange->body), LIMIT_JSON_DOCUMENT, "body", &err);
    const char *version = jx_string(object, "metadata", "resourceVersion", NULL);
    bool create = strcmp(exchange->method, "POST") == 0;

    assert_non_null(object);
    if (create && server->lease) {
        reply_status(exchange, 409, "AlreadyExists");
    } else if (!create && !server->lease) {
        reply_status(exchange, 404, "NotFound");
    } else if (!create && strcmp(version, jx_string(server->lease, "metadata", "resourceVersion",
                                                    NULL)) != 0) {
        reply_status(exchange, 409, "Conflict");
    } else {
        store(server, json_incref(object));
        reply_json(exchange, create ? 201 : 200, server->lease);
    }
}

static void serve(void *context, struct fake_exchange *exchange)
{
    struct candidate *candidate = context;
    struct server *server = &candidate->world->server;

    if (candidate->fault == FAULT_SILENCE)
        return;
    if (candidate->fault == FAULT_ERROR) {
        network_fail(exchange, ERR_RETRY, "connection refused");
        return;
    }
    if (candidate->fault == FAULT_THROTTLED) {
        network_answer_header(exchange, "Retry-After", "3600");
        reply_status(exchange, 429, "TooManyRequests");
        return;
    }
    if (candidate->fault == FAULT_DENIED) {
        reply_status(exchange, 403, "Forbidden");
        return;
    }
    if (strcmp(exchange->method, "GET") != 0)
        serve_write(server, exchange);
    else if (server->lease)
        reply_json(exchange, 200, server->lease);
    else
        reply_status(exchange, 404, "NotFound");
    if (candidate->fault == FAULT_LOST_ANSWER)
        exchange->over = false, buf_clear(&exchange->written);
}

static const char *holder(const struct world *world)
{
    return jx_string(world->server.lease, "spec", "holderIdentity", NULL);
}

static int64_t transitions(const struct world *world)
{
    return jx_int(jx_get(world->server.lease, "spec", NULL), "leaseTransitions", -1);
}

/* --- candidates ------------------------------------------------------------ */

static void on_acquired(void *context)
{
    ((struct candidate *)context)->acquired++;
}

static void on_lost(void *context, const struct err *why)
{
    assert_string_not_equal(why->message, "");
    ((struct candidate *)context)->lost++;
}

static void on_observed(void *context, const char *name)
{
    struct candidate *candidate = context;

    (void)snprintf(candidate->holder, sizeof(candidate->holder), "%s", name);
}

static void on_failed(void *context, const struct err *failure)
{
    assert_int_not_equal(failure->kind, ERR_NONE);
    ((struct candidate *)context)->failed++;
}

static void on_released(void *context)
{
    ((struct candidate *)context)->released++;
}

static void start_candidate(struct world *world, size_t index)
{
    static const struct lease_handler handler = { on_acquired, on_lost, on_observed, on_failed };
    static const char *const identities[] = { "a", "b", "c" };
    struct candidate *candidate = &world->candidates[index];
    struct lease_options options = { .namespace = "churn",
                                     .name = "controller",
                                     .identity = identities[index],
                                     .seed = index + 1,
                                     .note_name = "note",
                                     .note = index == 0 ? "10.0.0.1:8081" : NULL };
    struct err err;

    *candidate = (struct candidate){ .world = world };
    fake_network_init(&candidate->network, serve, candidate);
    timers_init(&candidate->timers, &world->clock);
    candidate->config.server = "http://api";
    candidate->config.credentials = kube_credentials_new(&(struct kube_credentials_options){ 0 });
    candidate->client =
        kube_client_new(&(struct kube_client_options){ .transport = &candidate->network.transport,
                                                       .timers = &candidate->timers,
                                                       .config = &candidate->config });
    assert_int_equal(lease_options_complete(&options, &err), 0);
    candidate->lease =
        lease_new(candidate->client, &candidate->timers, &options, &handler, candidate);
}

static void stop_candidate(struct candidate *candidate)
{
    lease_free(candidate->lease);
    kube_client_free(candidate->client);
    kube_config_release(&candidate->config);
    fake_network_release(&candidate->network);
    timers_release(&candidate->timers);
}

static void world_init(struct world *world, size_t count)
{
    *world = (struct world){ .time = { .monotonic_ms = 5000, .wall_ms = 1700000000000 },
                             .count = count };
    world->clock = virtual_clock_port(&world->time);
    for (size_t i = 0; i < count; i++)
        start_candidate(world, i);
}

static void world_release(struct world *world)
{
    for (size_t i = 0; i < world->count; i++)
        stop_candidate(&world->candidates[i]);
    json_decref(world->server.lease);
}

static size_t leaders(const struct world *world)
{
    size_t count = 0;

    for (size_t i = 0; i < world->count; i++)
        count += lease_is_held(world->candidates[i].lease);
    return count;
}

static void tick(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct candidate *candidate = &world->candidates[i];

        if (candidate->paused)
            continue;
        (void)timers_run(&candidate->timers);
        fake_network_run(&candidate->network);
        (void)timers_run(&candidate->timers);
        fake_network_run(&candidate->network);
    }
    assert_true(leaders(world) <= 1);
}

static void run_for(struct world *world, int64_t ms)
{
    for (int64_t passed = 0; passed < ms; passed += 50) {
        tick(world);
        virtual_clock_advance(&world->time, 50);
    }
    tick(world);
}

/* Milliseconds until a candidate leads. */
static int64_t time_to_leader(struct world *world, size_t index)
{
    int64_t start_ms = world->time.monotonic_ms;

    while (!lease_is_held(world->candidates[index].lease)) {
        run_for(world, 50);
        assert_true(world->time.monotonic_ms - start_ms < 120 * 1000);
    }
    return world->time.monotonic_ms - start_ms;
}

/* --- tests ----------------------------------------------------------------- */

static void test_first_candidate_creates_and_keeps_it(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 1);
    run_for(&world, 60 * 1000);
    assert_int_equal(world.candidates[0].acquired, 1);
    assert_int_equal(world.candidates[0].lost, 0);
    assert_string_equal(holder(&world), "a");
    assert_int_equal(transitions(&world), 0);
    assert_in_range(world.server.writes, 29, 32); /* one each retry period */
    assert_string_equal(jx_string(world.server.lease, "spec", "acquireTime", NULL),
                        "2023-11-14T22:13:20.000000Z");
    assert_int_equal(jx_int(jx_get(world.server.lease, "spec", NULL), "leaseDurationSeconds", 0),
                     15);
    world_release(&world);
}

static void test_standby_takes_over_after_a_crash(void **state)
{
    struct world world;
    int64_t took_ms;

    (void)state;
    world_init(&world, 2);
    run_for(&world, 30 * 1000);
    assert_string_equal(holder(&world), "a");
    assert_string_equal(world.candidates[1].holder, "a");
    assert_string_equal(lease_holder_note(world.candidates[1].lease), "10.0.0.1:8081");
    assert_null(lease_holder_note(world.candidates[0].lease));
    world.candidates[0].paused = true;
    took_ms = time_to_leader(&world, 1);
    assert_in_range(took_ms, 13 * 1000, 17500);
    assert_int_equal(transitions(&world), 1);
    world.candidates[0].paused = false; /* what it said is not said any more */
    run_for(&world, 10 * 1000);
    assert_null(jx_get(world.server.lease, "metadata", "annotations", "note", NULL));
    world_release(&world);
}

/* A holder that is never heard of again keeps the lease for what it promised, to the end. */
static void test_a_promise_is_waited_for(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 1);
    store(&world.server,
          json_pack("{s:{s:s, s:s}, s:{s:s, s:i}}", "metadata", "namespace", "churn", "name",
                    "controller", "spec", "holderIdentity", "x", "leaseDurationSeconds", 15));
    run_for(&world, 14950);
    assert_string_equal(holder(&world), "x");
    run_for(&world, 1000);
    assert_true(lease_is_held(world.candidates[0].lease));
    world_release(&world);
}

static void test_a_frozen_leader_notices_by_itself(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    run_for(&world, 10 * 1000);
    world.candidates[0].paused = true;
    run_for(&world, 30 * 1000);
    assert_false(lease_is_held(world.candidates[0].lease)); /* before any timer of it ran */
    world.candidates[0].paused = false;
    run_for(&world, 1000);
    assert_int_equal(world.candidates[0].lost, 1);
    assert_string_equal(holder(&world), "b");
    world_release(&world);
}

/* What counts is when a renewal was sent, not when its answer came: the server's clock for the
 * others may have begun at once. */
static void test_a_slow_renewal_counts_from_its_start(void **state)
{
    struct world world;
    struct candidate *leader = &world.candidates[0];

    (void)state;
    world_init(&world, 1);
    run_for(&world, 9 * 1000);
    while (!leader->network.first) {
        virtual_clock_advance(&world.time, 50);
        (void)timers_run(&leader->timers);
    }
    virtual_clock_advance(&world.time, 4000);
    fake_network_run(&leader->network);
    virtual_clock_advance(&world.time, 5999);
    assert_true(lease_is_held(leader->lease));
    virtual_clock_advance(&world.time, 1);
    assert_false(lease_is_held(leader->lease));
    world_release(&world);
}

/* A server under pressure may ask for an hour; the lease does not wait so long. */
static void test_throttling_does_not_cost_the_lease(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 1);
    run_for(&world, 10 * 1000);
    world.candidates[0].fault = FAULT_THROTTLED;
    run_for(&world, 2500);
    assert_true(world.candidates[0].failed > 0);
    world.candidates[0].fault = FAULT_NONE;
    run_for(&world, 20 * 1000);
    assert_int_equal(world.candidates[0].lost, 0);
    assert_true(lease_is_held(world.candidates[0].lease));
    world_release(&world);
}

static void test_graceful_release_hands_over_quickly(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    run_for(&world, 10 * 1000);
    lease_release(world.candidates[0].lease, on_released, &world.candidates[0]);
    assert_true(time_to_leader(&world, 1) <= 2500);
    assert_int_equal(world.candidates[0].released, 1);
    assert_int_equal(world.candidates[0].lost, 0);
    assert_false(lease_is_held(world.candidates[0].lease));
    run_for(&world, 60 * 1000);
    assert_string_equal(holder(&world), "b");
    world_release(&world);
}

/* A release during a renewal waits for its answer, else it would end in 409. */
static void test_release_during_a_renewal(void **state)
{
    struct world world;
    struct candidate *leader = &world.candidates[0];

    (void)state;
    world_init(&world, 1);
    run_for(&world, 9 * 1000);
    while (!leader->network.first) {
        virtual_clock_advance(&world.time, 50);
        (void)timers_run(&leader->timers);
    }
    lease_release(leader->lease, on_released, leader);
    assert_int_equal(leader->released, 0);
    run_for(&world, 100);
    assert_int_equal(leader->released, 1);
    assert_string_equal(holder(&world), "");
    assert_int_equal(jx_int(jx_get(world.server.lease, "spec", NULL), "leaseDurationSeconds", 0),
                     1);
    world_release(&world);
}

static void test_release_of_a_candidate(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    run_for(&world, 10 * 1000);
    lease_release(world.candidates[1].lease, on_released, &world.candidates[1]);
    run_for(&world, 10 * 1000);
    assert_int_equal(world.candidates[1].released, 1);
    assert_string_equal(holder(&world), "a");
    world_release(&world);
}

static void test_lost_when_the_server_is_gone(void **state)
{
    static const struct {
        const char *name;
        enum fault fault;
    } cases[] = {
        { "connection refused", FAULT_ERROR },
        { "no answer", FAULT_SILENCE },
        { "writes happen, answers are lost", FAULT_LOST_ANSWER },
        { "forbidden", FAULT_DENIED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;

        world_init(&world, 1);
        run_for(&world, 10 * 1000);
        world.candidates[0].fault = cases[i].fault;
        run_for(&world, 7900);
        if (!lease_is_held(world.candidates[0].lease) || world.candidates[0].lost)
            fail_msg("%s: lost too early", cases[i].name);
        run_for(&world, 2200);
        if (lease_is_held(world.candidates[0].lease) || world.candidates[0].lost != 1)
            fail_msg("%s: not lost in time", cases[i].name);
        world_release(&world);
    }
}

static void test_short_trouble_is_survived(void **state)
{
    struct world world;

    (void)state;
    for (enum fault fault = FAULT_SILENCE; fault <= FAULT_DENIED; fault++) {
        world_init(&world, 2);
        run_for(&world, 10 * 1000);
        world.candidates[0].fault = fault;
        run_for(&world, 3 * 1000);
        world.candidates[0].fault = FAULT_NONE;
        run_for(&world, 60 * 1000);
        assert_int_equal(world.candidates[0].lost, 0);
        assert_true(lease_is_held(world.candidates[0].lease));
        assert_true(world.candidates[0].failed > 0);
        world_release(&world);
    }
}

/* The leader's clock of the wall is days wrong: nobody cares. */
static void test_wall_clocks_are_not_compared(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    run_for(&world, 10 * 1000);
    world.time.wall_ms += 48LL * 3600 * 1000;
    run_for(&world, 60 * 1000);
    assert_int_equal(world.candidates[1].acquired, 0);
    world_release(&world);
}

static void test_deleted_lease_is_made_again(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 1);
    run_for(&world, 10 * 1000);
    json_decref(TAKE(world.server.lease));
    run_for(&world, 10 * 1000);
    assert_string_equal(holder(&world), "a");
    assert_true(lease_is_held(world.candidates[0].lease));
    world_release(&world);
}

/* Labels and annotations of others survive our writes, and do not count as a renewal. */
static void test_foreign_members_are_kept(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 1);
    run_for(&world, 10 * 1000);
    json_object_set_new(jx_get(world.server.lease, "metadata", NULL), "labels",
                        json_pack("{s:s}", "team", "risk"));
    store(&world.server, json_incref(world.server.lease));
    run_for(&world, 10 * 1000);
    assert_true(lease_is_held(world.candidates[0].lease));
    assert_string_equal(jx_string(world.server.lease, "metadata", "labels", "team", NULL), "risk");
    world_release(&world);
}

/* Whatever happens to networks and processes: tick() finds at most one leader, and when all is
 * well again there is one. */
static void test_random_faults(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world world;
        struct random random;

        random_seed(&random, seed);
        world_init(&world, CANDIDATES);
        for (int step = 0; step < 60; step++) {
            struct candidate *candidate = &world.candidates[random_below(&random, CANDIDATES)];

            candidate->fault = (enum fault)random_below(&random, FAULT_DENIED + 1);
            candidate->paused = random_below(&random, 4) == 0;
            if (candidate->lost) { /* the process ends and is started again */
                size_t index = (size_t)(candidate - world.candidates);

                stop_candidate(candidate);
                start_candidate(&world, index);
            }
            run_for(&world, (int64_t)random_below(&random, 20000));
        }
        for (size_t i = 0; i < CANDIDATES; i++) {
            stop_candidate(&world.candidates[i]);
            start_candidate(&world, i);
        }
        run_for(&world, 30 * 1000);
        assert_int_equal(leaders(&world), 1);
        world_release(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_candidate_creates_and_keeps_it),
        cmocka_unit_test(test_standby_takes_over_after_a_crash),
        cmocka_unit_test(test_a_promise_is_waited_for),
        cmocka_unit_test(test_a_frozen_leader_notices_by_itself),
        cmocka_unit_test(test_a_slow_renewal_counts_from_its_start),
        cmocka_unit_test(test_throttling_does_not_cost_the_lease),
        cmocka_unit_test(test_graceful_release_hands_over_quickly),
        cmocka_unit_test(test_release_during_a_renewal),
        cmocka_unit_test(test_release_of_a_candidate),
        cmocka_unit_test(test_lost_when_the_server_is_gone),
        cmocka_unit_test(test_short_trouble_is_survived),
        cmocka_unit_test(test_wall_clocks_are_not_compared),
        cmocka_unit_test(test_deleted_lease_is_made_again),
        cmocka_unit_test(test_foreign_members_are_kept),
        cmocka_unit_test(test_random_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
