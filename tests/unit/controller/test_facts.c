/* Goal: slow look-ups are shared, never older than asked for, and a registry in trouble is not
 * hammered. Method: the real store on a network where one function plays registry and API server,
 * under virtual time; folders are real ones, listed by the real thread. */
#include <sched.h>
#include <sys/stat.h>

#include "unit.h"

#include "facts.h"
#include "job_builder.h"

#include "../kube/fake_api.h"

#define REGISTRY "registry.test:5000"
#define IMAGE    REGISTRY "/trainer:stable"
#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct fixture {
    struct fake_api api;
    struct fact_store *store;
    struct fact_user users[3];
    /* the registry */
    const char *digest; /* NULL: 404 */
    int status;         /* 0: as the digest says */
    bool wants_password;
    unsigned asked;
    struct fake_exchange *held; /* answered later */
    bool hold;
    const char *secret; /* body of a GET of a Secret, NULL: 404 */
    unsigned secrets_read, probes;
    unsigned woken[3], ended, failed;
};

static void answer_registry(struct fixture *fixture, struct fake_exchange *exchange)
{
    bool admitted =
        !fixture->wants_password ||
        (exchange->authorization && strcmp(exchange->authorization, "Basic dXNlcjpwYXNz") == 0);

    if (!admitted) {
        network_answer_header(exchange, "WWW-Authenticate", "Basic realm=\"test\"");
        network_reply(exchange, 401, "");
    } else if (fixture->status) {
        network_reply(exchange, fixture->status, "");
    } else if (!fixture->digest) {
        network_reply(exchange, 404, "");
    } else {
        network_answer_header(exchange, "Docker-Content-Digest", fixture->digest);
        network_reply(exchange, 200, "");
    }
}

static void serve(void *context, struct fake_exchange *exchange)
{
    struct fixture *fixture = context;

    if (strstr(exchange->url, "/secrets/")) {
        fixture->secrets_read++;
        network_reply(exchange, fixture->secret ? 200 : 404,
                      fixture->secret ? fixture->secret : "{\"kind\":\"Status\"}");
        return;
    }
    if (strstr(exchange->url, "/jobs") && ++fixture->probes) /* of which none gets an answer */
        return;
    fixture->asked++;
    if (fixture->hold)
        fixture->held = exchange;
    else
        answer_registry(fixture, exchange);
}

static void on_wake(void *context, unsigned kind, const char *key)
{
    struct fixture *fixture = context;

    (void)key;
    fixture->woken[kind]++;
}

static void on_ended(void *context, enum fact_kind fact, const char *argument,
                     const struct err *failure)
{
    struct fixture *fixture = context;

    (void)fact, (void)argument;
    fixture->ended++;
    fixture->failed += failure != NULL;
}

static void fixture_init(struct fixture *fixture)
{
    static const char *insecure[] = { REGISTRY };
    struct err err;

    *fixture = (struct fixture){ .digest = DIGEST_A };
    fake_api_init(&fixture->api, serve, fixture);
    fixture->store =
        fact_store_new(&(struct facts_options){ .client = fixture->api.client,
                                                .transport = &fixture->api.network.transport,
                                                .timers = &fixture->api.timers,
                                                .registries = { .insecure = { insecure, 1 } },
                                                .seed = 5,
                                                .wake = on_wake,
                                                .ended = on_ended,
                                                .context = fixture },
                       &err);
    assert_non_null(fixture->store);
}

static void fixture_release(struct fixture *fixture)
{
    for (size_t i = 0; i < ARRAY_SIZE(fixture->users); i++)
        fact_user_release(&fixture->users[i]);
    fact_store_free(fixture->store);
    fake_api_release(&fixture->api);
}

static void run_for(struct fixture *fixture, int64_t ms)
{
    for (int64_t passed = 0; passed <= ms; passed += 10) {
        (void)timers_run(&fixture->api.timers);
        fake_network_run(&fixture->api.network);
        fact_store_poll(fixture->store);
        virtual_clock_advance(&fixture->api.time, 10);
    }
}

static bool need(struct fixture *fixture, unsigned user, enum fact_kind kind, const char *argument,
                 int64_t newer_than_ms, const char *secret)
{
    const char *secrets[] = { secret };

    return fact_need(fixture->store, &fixture->users[user], user, "bank/m",
                     &(struct fact_request){ .kind = kind,
                                             .argument = argument,
                                             .pull_secrets = { secrets, secret ? 1 : 0 },
                                             .newer_than_ms = newer_than_ms });
}

static struct facts view(struct fixture *fixture, unsigned user, struct arena *arena)
{
    struct facts facts = { 0 };

    fact_user_view(&fixture->users[user], arena, &facts);
    return facts;
}

static void test_one_look_up_answers_all(void **state)
{
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };
    struct facts facts;

    (void)state;
    fixture_init(&fixture);
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, fixture.api.time.monotonic_ms, NULL));
    assert_false(need(&fixture, 1, FACT_IMAGE, IMAGE, fixture.api.time.monotonic_ms, NULL));
    run_for(&fixture, 100);
    assert_int_equal(fixture.asked, 1);
    assert_int_equal(fixture.woken[0], 1);
    assert_int_equal(fixture.woken[1], 1);
    facts = view(&fixture, 0, &arena);
    assert_int_equal(facts.image_count, 1);
    assert_string_equal(facts.images[0].reference, IMAGE);
    assert_string_equal(facts.images[0].digest, DIGEST_A);
    assert_int_equal(facts.images[0].error, IMAGE_OK);
    assert_int_equal(facts.images[0].checked_ms, 1000);
    /* a third who comes later and is content with that */
    assert_true(need(&fixture, 2, FACT_IMAGE, IMAGE, 1000, NULL));
    assert_false(need(&fixture, 2, FACT_IMAGE, IMAGE, 1000, NULL)); /* has it */
    assert_int_equal(view(&fixture, 2, &arena).image_count, 1);
    assert_int_equal(fixture.asked, 1);
    fixture_release(&fixture);
}

/* Who asks while a look-up is under way must not get an answer from before. */
static void test_a_newer_answer_is_a_new_look_up(void **state)
{
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };

    (void)state;
    fixture_init(&fixture);
    fixture.hold = true;
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, NULL));
    run_for(&fixture, 50);
    assert_false(need(&fixture, 1, FACT_IMAGE, IMAGE, fixture.api.time.monotonic_ms, NULL));
    fixture.hold = false;
    answer_registry(&fixture, TAKE(fixture.held));
    fixture.digest = DIGEST_B;
    run_for(&fixture, 100);
    assert_int_equal(fixture.asked, 2);
    assert_int_equal(fixture.woken[0], 2); /* the answer, and that it changed */
    assert_true(fixture.woken[1] >= 1);
    assert_string_equal(view(&fixture, 1, &arena).images[0].digest, DIGEST_B);
    fixture_release(&fixture);
}

static void test_only_changes_wake_those_who_do_not_wait(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, NULL));
    run_for(&fixture, 10);
    assert_true(need(&fixture, 1, FACT_IMAGE, IMAGE, 0, NULL));
    run_for(&fixture, 1000);
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, fixture.api.time.monotonic_ms, NULL));
    run_for(&fixture, 10);
    assert_int_equal(fixture.woken[1], 0);
    fixture.digest = DIGEST_B;
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, fixture.api.time.monotonic_ms, NULL));
    run_for(&fixture, 10);
    assert_int_equal(fixture.woken[1], 1);
    fixture_release(&fixture);
}

static void test_failures_wait_longer_and_keep_the_digest(void **state)
{
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };
    struct image_fact image;
    int64_t failing_ms;

    (void)state;
    fixture_init(&fixture);
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, NULL));
    run_for(&fixture, 100);
    fixture.status = 503;
    failing_ms = fixture.api.time.monotonic_ms;
    for (int i = 0; i < 600; i++) {
        (void)need(&fixture, 0, FACT_IMAGE, IMAGE, fixture.api.time.monotonic_ms, NULL);
        run_for(&fixture, 1000);
    }
    image = view(&fixture, 0, &arena).images[0];
    assert_string_equal(image.digest, DIGEST_A);
    assert_int_equal(image.error, IMAGE_UNREACHABLE);
    assert_non_null(image.message);
    assert_in_range(image.failing_since_ms, failing_ms, failing_ms + 100);
    assert_in_range(fixture.asked, 10, 30); /* in ten minutes */
    fixture.status = 0;
    run_for(&fixture, 61 * 1000);
    image = view(&fixture, 0, &arena).images[0];
    assert_int_equal(image.error, IMAGE_OK);
    assert_int_equal(image.failing_since_ms, 0);
    fixture_release(&fixture);
}

static void test_errors_of_a_registry(void **state)
{
    static const struct {
        const char *name;
        int status;
        enum image_error error;
    } cases[] = {
        { "not there", 404, IMAGE_NOT_FOUND },
        { "forbidden", 403, IMAGE_DENIED },
        { "in trouble", 500, IMAGE_UNREACHABLE },
        { "no registry", 418, IMAGE_UNRESOLVABLE },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture fixture;
        struct arena arena auto_arena = { 0 };

        fixture_init(&fixture);
        fixture.status = cases[i].status;
        assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, NULL));
        run_for(&fixture, 100);
        CASE(cases[i].name, view(&fixture, 0, &arena).images[0].error == cases[i].error);
        CASE(cases[i].name, view(&fixture, 0, &arena).images[0].digest == NULL);
        CASE(cases[i].name, fixture.failed == 1);
        fixture_release(&fixture);
    }
}

static void test_pull_secrets(void **state)
{
    /* {"auths": {"registry.test:5000": {"username": "user", "password": "pass"}}} */
    static const char secret[] =
        "{\"data\":{\".dockerconfigjson\":\"eyJhdXRocyI6IHsicmVnaXN0cnkudGVzdDo1MDAwIjogeyJ1c2VybmF"
        "tZSI6ICJ1c2VyIiwgInBhc3N3b3JkIjogInBhc3MifX19\"}}";
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };

    (void)state;
    fixture_init(&fixture);
    fixture.wants_password = true;
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, "regcred"));
    run_for(&fixture, 100);
    assert_int_equal(view(&fixture, 0, &arena).images[0].error, IMAGE_DENIED);
    assert_non_null(strstr(view(&fixture, 0, &arena).images[0].message,
                           "pull secret bank/regcred does not exist"));
    fixture.secret = secret;
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, fixture.api.time.monotonic_ms, "regcred"));
    run_for(&fixture, 61 * 1000);
    assert_string_equal(view(&fixture, 0, &arena).images[0].digest, DIGEST_A);
    assert_int_equal(fixture.secrets_read, 2); /* read anew for each look-up */
    /* without the secret it is another fact */
    assert_false(need(&fixture, 1, FACT_IMAGE, IMAGE, 0, NULL));
    run_for(&fixture, 100);
    assert_int_equal(view(&fixture, 1, &arena).images[0].error, IMAGE_DENIED);
    fixture_release(&fixture);
}

/* The pull secrets of an object are edited: of each answer it sees what opened the registry, and
 * the two latest ways are kept, one for its trainer and one for its scorer. */
static void test_an_answer_tells_its_pull_secrets(void **state)
{
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };
    struct facts facts;

    (void)state;
    fixture_init(&fixture);
    fixture.status = 401;
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, "a"));
    run_for(&fixture, 100);
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, "b"));
    run_for(&fixture, 100);
    fixture.status = 0;
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, "c"));
    run_for(&fixture, 100);
    facts = view(&fixture, 0, &arena);
    assert_int_equal(facts.image_count, 2);
    assert_int_equal(facts.images[0].pull_secrets.count, 1);
    assert_string_equal(facts.images[0].pull_secrets.items[0], "c");
    assert_string_equal(facts.images[0].digest, DIGEST_A);
    assert_string_equal(facts.images[1].pull_secrets.items[0], "b");
    assert_int_equal(facts.images[1].error, IMAGE_DENIED);
    /* and without any, the account */
    assert_false(fact_need(fixture.store, &fixture.users[1], 1, "bank/n",
                           &(struct fact_request){ .kind = FACT_IMAGE,
                                                   .argument = IMAGE,
                                                   .service_account = "robot" }));
    run_for(&fixture, 100);
    facts = view(&fixture, 1, &arena);
    assert_int_equal(facts.images[0].pull_secrets.count, 0);
    assert_string_equal(facts.images[0].service_account, "robot");
    fixture_release(&fixture);
}

/* A user who leaves while a look-up is under way leaves nothing behind. */
static void test_leaving_early(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture.hold = true;
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, NULL));
    run_for(&fixture, 50);
    fact_user_release(&fixture.users[0]);
    fixture.hold = false;
    answer_registry(&fixture, TAKE(fixture.held));
    run_for(&fixture, 50);
    assert_int_equal(fixture.woken[0], 0);
    assert_false(need(&fixture, 0, FACT_IMAGE, IMAGE, 0, NULL)); /* forgotten: asked again */
    run_for(&fixture, 50);
    assert_int_equal(fixture.asked, 2);
    fixture_release(&fixture);
}

/* --- folders -------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name)
{
    char *path auto_free = mem_format("%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs("id\n1\n", file);
    fclose(file);
}

/* The listing thread runs in real time: give it the processor until it has answered. */
static void wait_for_listing(struct fixture *fixture, unsigned ended)
{
    int64_t deadline_ms = clock_monotonic_ms(&clock_system) + 10000;

    while (fixture->ended < ended && clock_monotonic_ms(&clock_system) < deadline_ms) {
        sched_yield();
        fact_store_poll(fixture->store);
    }
    assert_int_equal(fixture->ended, ended);
}

static void test_folders(void **state)
{
    char folder[] = "/tmp/test_facts_XXXXXX";
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };
    char *uri auto_free = NULL, *expected auto_free = NULL;
    struct folder_fact fact;

    (void)state;
    assert_non_null(mkdtemp(folder));
    uri = mem_format("file://%s/", folder);
    fixture_init(&fixture);
    assert_false(need(&fixture, 0, FACT_FOLDER, uri, 1, NULL));
    wait_for_listing(&fixture, 1);
    fact = view(&fixture, 0, &arena).folders[0];
    assert_null(fact.newest_uri);
    assert_null(fact.message);
    write_file(folder, "w1.csv");
    virtual_clock_advance(&fixture.api.time, 1000);
    assert_false(need(&fixture, 0, FACT_FOLDER, uri, fixture.api.time.monotonic_ms, NULL));
    wait_for_listing(&fixture, 2);
    expected = mem_format("file://%s/w1.csv", folder);
    fact = view(&fixture, 0, &arena).folders[0];
    assert_string_equal(fact.newest_uri, expected);
    assert_string_not_equal(fact.generation, "");

    assert_int_equal(unlink(expected + strlen("file://")), 0);
    assert_int_equal(rmdir(folder), 0);
    virtual_clock_advance(&fixture.api.time, 1000);
    assert_false(need(&fixture, 0, FACT_FOLDER, uri, fixture.api.time.monotonic_ms, NULL));
    wait_for_listing(&fixture, 3);
    assert_non_null(view(&fixture, 0, &arena).folders[0].message);
    assert_int_equal(fixture.woken[0], 3);
    virtual_clock_advance(&fixture.api.time, 100); /* it is held back: who comes now hears of it */
    assert_true(need(&fixture, 1, FACT_FOLDER, uri, fixture.api.time.monotonic_ms, NULL));
    fact = view(&fixture, 1, &arena).folders[0];
    assert_true(fact.message && fact.checked_ms == fixture.api.time.monotonic_ms);
    fixture_release(&fixture);
}

/* A file's own URI: whether it is there, and how large it is. */
static void test_files(void **state)
{
    char folder[] = "/tmp/test_facts_XXXXXX";
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };
    char *uri auto_free = NULL;
    struct folder_fact fact;

    (void)state;
    assert_non_null(mkdtemp(folder));
    uri = mem_format("file://%s/w1.csv", folder);
    fixture_init(&fixture);
    assert_false(need(&fixture, 0, FACT_FOLDER, uri, 1, NULL));
    wait_for_listing(&fixture, 1);
    fact = view(&fixture, 0, &arena).folders[0];
    assert_null(fact.newest_uri);
    assert_null(fact.message);

    write_file(folder, "w1.csv");
    virtual_clock_advance(&fixture.api.time, 1000);
    assert_false(need(&fixture, 0, FACT_FOLDER, uri, fixture.api.time.monotonic_ms, NULL));
    wait_for_listing(&fixture, 2);
    fact = view(&fixture, 0, &arena).folders[0];
    assert_string_equal(fact.newest_uri, uri);
    assert_string_not_equal(fact.generation, "");
    assert_int_equal(fact.bytes, 5);
    assert_int_equal(unlink(uri + strlen("file://")), 0);
    assert_int_equal(rmdir(folder), 0);
    fixture_release(&fixture);
}

/* Somebody says that a file came: who uses its folder is woken, and what was looked up before is
 * out of date, also what is still under way. */
static void test_pushes(void **state)
{
    char folder[] = "/tmp/test_facts_XXXXXX";
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };
    char *uri auto_free = NULL, *file auto_free = NULL, *deeper auto_free = NULL;
    struct folder_fact fact;

    (void)state;
    assert_non_null(mkdtemp(folder));
    uri = mem_format("file://%s/", folder);
    file = mem_format("file://%s/w1.csv", folder);
    deeper = mem_format("file://%s/more/w1.csv", folder);
    fixture_init(&fixture);
    assert_false(need(&fixture, 0, FACT_FOLDER, uri, 1, NULL));
    assert_false(need(&fixture, 1, FACT_FOLDER, file, 1, NULL));
    assert_int_equal(fact_store_push(fixture.store, file), 2); /* both are under way */
    fact = view(&fixture, 0, &arena).folders[0];
    assert_true(fact.pushed_ms > fact.pending_ms);
    wait_for_listing(&fixture, 2);
    fact = view(&fixture, 0, &arena).folders[0];
    assert_true(fact.pushed_ms > fact.checked_ms);
    virtual_clock_advance(&fixture.api.time, 1000);
    assert_false(need(&fixture, 0, FACT_FOLDER, uri, fact.pushed_ms, NULL));
    wait_for_listing(&fixture, 3);
    fact = view(&fixture, 0, &arena).folders[0];
    assert_true(fact.pushed_ms <= fact.checked_ms);
    unsigned woken = fixture.woken[0];
    assert_int_equal(fact_store_push(fixture.store, deeper), 0);
    assert_int_equal(fixture.woken[0], woken);
    assert_int_equal(fact_store_push(fixture.store, file), 2);
    assert_int_equal(fixture.woken[0], woken + 1);
    assert_int_equal(rmdir(folder), 0);
    fixture_release(&fixture);
}

/* The thread that lists folders does not come back from a volume: images are looked up all the
 * same. */
static void test_hanging_folders_keep_no_image_waiting(void **state)
{
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };

    (void)state;
    fixture_init(&fixture);
    for (int i = 0; i < 20; i++) {
        char *uri auto_free = mem_format("file:///nowhere/%d/", i);

        assert_false(need(&fixture, 0, FACT_FOLDER, uri, 1, NULL));
    }
    assert_false(need(&fixture, 1, FACT_IMAGE, IMAGE, 0, NULL));
    fake_network_run(&fixture.api.network); /* and no folder's answer is taken */
    assert_int_equal(fixture.asked, 1);
    assert_string_equal(view(&fixture, 1, &arena).images[0].digest, DIGEST_A);
    wait_for_listing(&fixture, 21);
    fixture_release(&fixture);
}

/* Registries that do not answer: whoever waits for a free place can tell for how long. */
static void test_waiting_in_the_line_shows(void **state)
{
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };
    int64_t began_ms;

    (void)state;
    fixture_init(&fixture);
    fixture.hold = true;
    for (int i = 0; i < 20; i++) {
        char *reference auto_free = mem_format(REGISTRY "/trainer:%d", i);

        assert_false(need(&fixture, 0, FACT_IMAGE, reference, 0, NULL));
    }
    began_ms = fixture.api.time.monotonic_ms;
    assert_false(need(&fixture, 1, FACT_IMAGE, IMAGE, 0, NULL));
    run_for(&fixture, 1000);
    assert_int_equal(fixture.asked, 8);
    assert_int_equal(view(&fixture, 1, &arena).images[0].pending_ms, began_ms);
    fixture_release(&fixture);
}

/* Eight ask registries at a time. Who has asked, and asks a pod now, is none of them. */
static void test_probes_keep_no_image_waiting(void **state)
{
    const struct metadata model = { .namespace_ = "bank", .name = "m", .uid = "u" };
    json_t *probe auto_json =
        job_build_probe(&(struct probe_order){ .model = &model, .image = IMAGE });
    struct fixture fixture;
    struct arena arena auto_arena = { 0 };

    (void)state;
    fixture_init(&fixture);
    fixture.wants_password = true;
    for (int i = 0; i < 8; i++) {
        char *reference auto_free = mem_format("%s%d", IMAGE, i);

        assert_false(fact_need(
            fixture.store, &fixture.users[0], 0, "bank/m",
            &(struct fact_request){ .kind = FACT_IMAGE, .argument = reference, .probe = probe }));
    }
    run_for(&fixture, 100);
    assert_int_equal(fixture.probes, 8);
    fixture.wants_password = false;
    assert_false(need(&fixture, 1, FACT_IMAGE, IMAGE, 0, NULL));
    run_for(&fixture, 100);
    assert_string_equal(view(&fixture, 1, &arena).images[0].digest, DIGEST_A);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_look_up_answers_all),
        cmocka_unit_test(test_a_newer_answer_is_a_new_look_up),
        cmocka_unit_test(test_only_changes_wake_those_who_do_not_wait),
        cmocka_unit_test(test_failures_wait_longer_and_keep_the_digest),
        cmocka_unit_test(test_errors_of_a_registry),
        cmocka_unit_test(test_pull_secrets),
        cmocka_unit_test(test_an_answer_tells_its_pull_secrets),
        cmocka_unit_test(test_leaving_early),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_hanging_folders_keep_no_image_waiting),
        cmocka_unit_test(test_waiting_in_the_line_shows),
        cmocka_unit_test(test_probes_keep_no_image_waiting),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_pushes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
