/* Goal: where a registry refuses the controller, the pod of a short Job tells the digest; never one
 * that is older than the question, or another image's; and nothing is left of it.
 * Method: registry and API server answer on a fake network as a case dictates, under virtual
 * time. */
#include "unit.h"

#include "image_probe.h"
#include "image_resolver.h"
#include "job_builder.h"
#include "lookup.h"

#include "../kube/fake_api.h"

#define REPOSITORY "registry.test/acme/app"
#define IMAGE      REPOSITORY ":v1"
#define CLOUD      "1.dkr.ecr.eu-central-1.amazonaws.com/app:v1"
#define DIGEST     "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define JOBS       "/apis/batch/v1/namespaces/bank/jobs"
#define NO_PODS    "{\"items\":[]}"

static struct {
    struct fake_api api;
    struct image_resolver *resolver;
    json_t *job;
    /* how they answer */
    int registry_status;
    char pods[1024];
    bool may_write;
    bool is_there, is_new; /* a Job of that name, of `there_owner`; it is the second, "job-2" */
    const char *there_owner;
    int post_status; /* instead of 201; 0: none */
    /* what was asked */
    char asked[64]; /* r(egistry), P(OST), G(ET), L(ist of pods), D(ELETE); what repeats, once */
    char posted[8192], deleted[512];
    /* what came of it */
    unsigned probed, called;
    char digest[128];
    struct err failure;
} fixture;

static void note(char letter)
{
    size_t length = strlen(fixture.asked);

    if (letter == 'L' && length > 1 && strcmp(fixture.asked + length - 2, "LG") == 0) {
        fixture.asked[length - 1] = '\0';
        return;
    }
    if (strchr("rL", letter) && length > 0 && fixture.asked[length - 1] == letter)
        return;
    assert_true(length + 1 < sizeof(fixture.asked));
    fixture.asked[length] = letter;
}

/* A pod of the Job of that uid, whose container has this status. */
static void set_pod(const char *job_uid, const char *status)
{
    snprintf(fixture.pods, sizeof(fixture.pods),
             "{\"items\":[{\"metadata\":{\"ownerReferences\":[{\"uid\":\"%s\"}]},\"status\":"
             "{\"containerStatuses\":[{\"name\":\"churn\",%s}]}}]}",
             job_uid, status);
}

static void made(struct fake_exchange *exchange)
{
    note('P');
    snprintf(fixture.posted, sizeof(fixture.posted), "%s", exchange->body);
    if (fixture.post_status) {
        network_reply(exchange, fixture.post_status,
                      "{\"kind\":\"Status\",\"message\":\"jobs.batch is forbidden: no quota\"}");
    } else if (fixture.is_there) {
        network_reply(exchange, 409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\"}");
    } else {
        fixture.is_there = true;
        fixture.there_owner = "model-uid";
        fixture.is_new = true;
        network_reply(exchange, 201, "{\"metadata\":{\"uid\":\"job-2\"}}");
    }
}

static void found(struct fake_exchange *exchange)
{
    char *job auto_free =
        mem_format("{\"metadata\":{\"uid\":\"%s\",\"ownerReferences\":[{\"uid\":\"%s\"}]}}",
                   fixture.is_new ? "job-2" : "job-1", fixture.there_owner ?: "");

    note('G');
    network_reply(exchange, fixture.is_there ? 200 : 404,
                  fixture.is_there ? job : "{\"kind\":\"Status\"}");
}

static void serve(void *context, struct fake_exchange *exchange)
{
    (void)context;
    if (strcmp(exchange->path, JOBS) == 0) {
        made(exchange);
    } else if (strncmp(exchange->path, JOBS, strlen(JOBS)) == 0 &&
               strcmp(exchange->method, "GET") == 0) {
        found(exchange);
    } else if (strncmp(exchange->path, JOBS, strlen(JOBS)) == 0) {
        note('D');
        fixture.is_there = false;
        snprintf(fixture.deleted, sizeof(fixture.deleted), "%s", exchange->body);
        network_reply(exchange, 200, "{\"kind\":\"Status\"}");
    } else if (strstr(exchange->path, "/namespaces/bank/pods")) {
        note('L');
        assert_non_null(strstr(exchange->url, "labelSelector=job-name%3Dretail-bank-p"));
        network_reply(exchange, 200, fixture.pods);
    } else {
        note('r');
        network_answer_header(exchange, "Docker-Content-Digest", DIGEST);
        network_reply(exchange, fixture.registry_status, "");
    }
}

static bool may_write(void *context)
{
    (void)context;
    return fixture.may_write;
}

static const struct metadata model = { .namespace_ = "bank",
                                       .name = "retail-bank",
                                       .uid = "model-uid" };

static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    fake_api_init(&fixture.api, serve, NULL);
    fixture.resolver = image_resolver_new(
        &(struct image_resolver_options){ .client = fixture.api.client,
                                          .transport = &fixture.api.network.transport,
                                          .clock = &fixture.api.clock,
                                          .may_write = may_write });
    fixture.job = job_build_probe(&(struct probe_order){ .model = &model, .image = IMAGE });
    fixture.registry_status = 403;
    fixture.may_write = true;
    snprintf(fixture.pods, sizeof(fixture.pods), NO_PODS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(fixture.job);
    image_resolver_free(fixture.resolver);
    fake_api_release(&fixture.api);
    return 0;
}

static void on_probe(void *context)
{
    (void)context;
    fixture.probed++;
}

static void on_resolved(void *context, const char *digest, const struct err *failure)
{
    (void)context;
    fixture.called++;
    snprintf(fixture.digest, sizeof(fixture.digest), "%s", digest ? digest : "");
    fixture.failure = failure ? *failure : (struct err){ 0 };
}

static const struct image_handler handler = { on_probe, on_resolved };

static struct image_source *start(const char *image, json_t *job)
{
    struct image_source *source = image_source_new(
        fixture.resolver, "bank", &(struct fact_request){ .kind = FACT_IMAGE, .argument = image });

    image_source_set_probe(source, job);
    image_source_resolve(source, &handler, NULL);
    return source;
}

static void run_for(int64_t ms)
{
    for (int64_t passed = 0; passed <= ms; passed += 100) {
        for (int i = 0; i < 4; i++) {
            (void)timers_run(&fixture.api.timers);
            fake_network_run(&fixture.api.network);
        }
        virtual_clock_advance(&fixture.api.time, 100);
    }
}

static void expect(const char *asked, const char *digest)
{
    assert_string_equal(fixture.asked, asked);
    assert_int_equal(fixture.called, 1);
    assert_string_equal(fixture.digest, digest);
}

static void expect_unresolvable(const char *asked, const char *why)
{
    expect(asked, "");
    assert_string_equal(fixture.failure.reason, "DigestUnresolvable");
    if (!strstr(fixture.failure.message, why) ||
        !strstr(fixture.failure.message, "pin the image by digest"))
        fail_msg("%s", fixture.failure.message);
    assert_false(fixture.is_there);
}

/* --- what is asked ------------------------------------------------------------------------- */

static void asks_a_pod_where_the_registry_refuses(void **state)
{
    struct image_source *source = start(IMAGE, fixture.job);

    (void)state;
    run_for(2000); /* no pod yet */
    assert_int_equal(fixture.probed, 1);
    assert_int_equal(fixture.called, 0);
    set_pod("job-2", "\"imageID\":\"\",\"state\":{\"waiting\":{\"reason\":\"ContainerCreating\"}}");
    run_for(5000);
    assert_int_equal(fixture.called, 0);
    set_pod("job-2", "\"imageID\":\"" REPOSITORY "@" DIGEST "\",\"state\":{\"running\":{}}");
    run_for(2000);
    expect("rPLD", DIGEST);
    assert_non_null(strstr(fixture.deleted, "\"uid\":\"job-2\""));
    assert_false(fixture.is_there);
    image_source_free(source);
}

static void asks_no_pod_where_the_registry_answers(void **state)
{
    struct image_source *source;

    (void)state;
    for (int status = 200; status <= 503; status += 303) { /* 200, 503 */
        fixture.registry_status = status;
        source = start(IMAGE, fixture.job);
        run_for(1000);
        assert_int_equal(fixture.probed, 0);
        image_source_free(source);
    }
    assert_string_equal(fixture.asked, "r");
}

static void says_how_it_may_ask(void **state)
{
    struct image_source *source = start(CLOUD, NULL);

    (void)state;
    run_for(1000);
    expect_unresolvable("r", "--probe-pods");
    assert_int_equal(fixture.probed, 0);
    image_source_free(source);
}

/* --- what cannot be told --------------------------------------------------------------------- */

static void a_node_that_may_not_pull(void **state)
{
    struct image_source *source = start(IMAGE, fixture.job);

    (void)state;
    set_pod("job-2", "\"imageID\":\"\",\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\","
                     "\"message\":\"401 of the node\"}}");
    run_for(2000);
    expect_unresolvable("rPLD", "ErrImagePull: 401 of the node");
    assert_true(fixture.failure.retry_after_ms >= 60000); /* pods are not made for nothing */
    image_source_free(source);
}

static void no_image_in_time(void **state)
{
    struct image_source *source = start(IMAGE, fixture.job);

    (void)state;
    run_for(PROBE_SECONDS * 1000 - 2000);
    assert_int_equal(fixture.called, 0);
    set_pod("job-2", "\"imageID\":\"\",\"state\":{\"waiting\":{\"reason\":\"ContainerCreating\"}}");
    run_for(5000);
    assert_int_equal(fixture.called, 1);
    assert_non_null(strstr(fixture.failure.message, "ContainerCreating within 300 s"));
    assert_string_equal(fixture.failure.reason, "DigestUnresolvable");
    assert_false(fixture.is_there);
    image_source_free(source);
}

static void a_right_or_a_quota_is_missing(void **state)
{
    struct image_source *source = start(IMAGE, fixture.job);

    (void)state;
    fixture.post_status = 403;
    run_for(1000);
    expect_unresolvable("rP", "jobs.batch is forbidden: no quota");
    image_source_free(source);
}

static void another_name_of_the_same_content(void **state)
{
    struct image_source *source = start(IMAGE, fixture.job);

    (void)state;
    set_pod("job-2", "\"imageID\":\"registry.test/other/app@" DIGEST "\"");
    run_for(2000);
    expect_unresolvable("rPLD", "the node calls the image registry.test/other/app@");
    image_source_free(source);
}

static void an_api_server_in_trouble_says_nothing_of_the_image(void **state)
{
    struct image_source *source = start(IMAGE, fixture.job);

    (void)state;
    fixture.post_status = 503;
    run_for(1000);
    expect("rP", "");
    assert_int_equal(fixture.failure.kind, ERR_RETRY);
    image_source_free(source);
}

/* --- what is there already -------------------------------------------------------------------- */

static void what_a_crash_left_is_too_old(void **state)
{
    struct image_source *source = start(IMAGE, fixture.job);

    (void)state;
    fixture.is_there = true;
    fixture.there_owner = "model-uid";
    set_pod("job-1", "\"imageID\":\"" REPOSITORY "@" DIGEST "\""); /* its pod is still there */
    run_for(1500);
    assert_non_null(strstr(fixture.deleted, "\"uid\":\"job-1\""));
    run_for(3000);
    assert_int_equal(fixture.called, 0);
    set_pod("job-2", "\"imageID\":\"" REPOSITORY "@" DIGEST "\"");
    run_for(2000);
    assert_string_equal(fixture.asked, "rPGDPLD");
    assert_string_equal(fixture.digest, DIGEST);
    assert_false(fixture.is_there);
    image_source_free(source);
}

static void a_strangers_job_stays(void **state)
{
    struct image_source *source = start(IMAGE, fixture.job);

    (void)state;
    fixture.is_there = true;
    fixture.there_owner = "somebody";
    run_for(2000);
    expect("rPG", "");
    assert_non_null(strstr(fixture.failure.message, "is somebody else's"));
    assert_true(fixture.is_there);
    image_source_free(source);
}

static void a_job_that_goes_with_its_model(void **state)
{
    struct image_source *source = start(IMAGE, fixture.job);

    (void)state;
    run_for(100);
    fixture.is_there = false;
    run_for(2000);
    assert_int_equal(fixture.called, 1);
    assert_int_equal(fixture.failure.kind, ERR_RETRY);
    assert_null(strchr(fixture.asked, 'D'));
    image_source_free(source);
}

/* --- how many, and whether -------------------------------------------------------------------- */

static void some_at_a_time(void **state)
{
    struct image_source *sources[PROBES_MAXIMUM + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        sources[i] = start(IMAGE, fixture.job);
    fixture.post_status = 503; /* none of them gets far */
    fixture.may_write = false;
    run_for(300);
    assert_int_equal(fixture.called, ARRAY_SIZE(sources)); /* each had its turn */
    assert_null(strchr(fixture.asked, 'P'));
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        image_source_free(sources[i]);
}

static void who_waits_in_line_may_go(void **state)
{
    struct image_source *sources[PROBES_MAXIMUM + 3];
    size_t posts = 0;

    (void)state;
    fixture.registry_status = 401;
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        sources[i] = start(IMAGE, fixture.job);
    run_for(0);
    image_source_free(sources[PROBES_MAXIMUM + 2]);
    image_source_free(sources[PROBES_MAXIMUM]);
    run_for(0);
    for (const char *letter = fixture.asked; *letter; letter++)
        posts += *letter == 'P';
    assert_int_equal(posts, PROBES_MAXIMUM);
    for (size_t i = 0; i < PROBES_MAXIMUM; i++)
        image_source_free(sources[i]); /* the last in the line gets a place */
    memset(fixture.asked, 0, sizeof(fixture.asked));
    run_for(0);
    assert_int_equal(fixture.asked[0], 'P');
    image_source_free(sources[PROBES_MAXIMUM + 1]);
    assert_int_equal(fixture.called, 0);
}

/* --- the Job ------------------------------------------------------------------------------------
 */

static void the_job_is_the_trainings_without_its_work(void **state)
{
    struct pod_template template = { .service_account_name = "robot",
                                     .run_as_user = { true, 1000 },
                                     .env = json_pack("[{ss ss}]", "name", "A", "value", "b") };
    struct object_reference secret = { .name = "regcred" };
    struct list secrets = { .items = &secret, .count = 1 };
    const struct probe_order order = { &model, IMAGE, &template, &secrets };
    json_t *job auto_json = job_build_probe(&order), *again auto_json = job_build_probe(&order);
    const json_t *pod = jx_get(job, "spec", "template", "spec", NULL);
    const json_t *container = json_array_get(jx_get(pod, "containers", NULL), 0);

    (void)state;
    assert_true(json_equal(job, again));
    assert_string_equal(jx_string(pod, "serviceAccountName", NULL), "robot");
    assert_string_equal(jx_string(container, "imagePullPolicy", NULL), "Always");
    assert_string_equal(jx_string(container, "image", NULL), IMAGE);
    assert_false(jx_bool(pod, "automountServiceAccountToken", true));
    assert_int_equal(jx_int(jx_get(pod, "securityContext", NULL), "runAsUser", 0), 1000);
    assert_true(jx_bool(jx_get(pod, "securityContext", NULL), "runAsNonRoot", false));
    assert_null(jx_get(container, "env", NULL));
    assert_null(jx_get(pod, "volumes", NULL));
    assert_int_equal(jx_int(jx_get(job, "spec", NULL), "backoffLimit", 9), 0);
    assert_true(jx_int(jx_get(job, "spec", NULL), "ttlSecondsAfterFinished", 0) > 0);
    /* It is nobody's run: the reconcilers, who follow this label, do not see it. */
    assert_null(jx_get(job, "metadata", "labels", "app.kubernetes.io/managed-by", NULL));
    assert_string_not_equal(jx_string(job, "metadata", "name", NULL),
                            jx_string(fixture.job, "metadata", "name", NULL));
    json_decref(template.env);
}

#define PROBE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_TEST(asks_a_pod_where_the_registry_refuses),
        PROBE_TEST(asks_no_pod_where_the_registry_answers),
        PROBE_TEST(says_how_it_may_ask),
        PROBE_TEST(a_node_that_may_not_pull),
        PROBE_TEST(no_image_in_time),
        PROBE_TEST(a_right_or_a_quota_is_missing),
        PROBE_TEST(another_name_of_the_same_content),
        PROBE_TEST(an_api_server_in_trouble_says_nothing_of_the_image),
        PROBE_TEST(what_a_crash_left_is_too_old),
        PROBE_TEST(a_strangers_job_stays),
        PROBE_TEST(a_job_that_goes_with_its_model),
        PROBE_TEST(some_at_a_time),
        PROBE_TEST(who_waits_in_line_may_go),
        PROBE_TEST(the_job_is_the_trainings_without_its_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
