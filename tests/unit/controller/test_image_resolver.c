/* Goal: an image is looked up with what opens its registry for the pod that runs it: the named pull
 * secrets, or else those of the pod's ServiceAccount; what is missing is said.
 * Method: API server and registry answer on a fake network as a case dictates. */
#include "unit.h"

#include "image_resolver.h"

#include "../kube/fake_api.h"

#define IMAGE  "registry.test:5000/acme/app:v1"
#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
/* {"auths": {"registry.test:5000": {"username": "user", "password": "pass"}}} */
#define SECRET                                                                                     \
    "{\"data\":{\".dockerconfigjson\":"                                                            \
    "\"eyJhdXRocyI6IHsicmVnaXN0cnkudGVzdDo1MDAwIjogeyJ1c2VybmFtZSI6ICJ1c2VyIiwgInBhc3N3b3JkIjogIn" \
    "Bhc3MifX19\"}}"

static struct {
    struct fake_api api;
    struct image_resolver *resolver;
    /* how they answer */
    bool is_private, hold;
    const char *secret, *account; /* bodies of GETs, NULL: 404 */
    int account_status;           /* instead of it; 0: none */
    /* what was asked, a letter each: r(egistry), s(ecret), a(ccount) */
    char asked[32];
    /* what came of it */
    unsigned called;
    char digest[128];
    struct err failure;
} fixture;

static void answer_object(struct fake_exchange *exchange, const char *object)
{
    network_reply(exchange, object ? 200 : 404, object ? object : "{\"kind\":\"Status\"}");
}

static void answer_registry(struct fake_exchange *exchange)
{
    const char *given = exchange->authorization;

    if (fixture.is_private && (!given || strcmp(given, "Basic dXNlcjpwYXNz") != 0)) {
        network_answer_header(exchange, "WWW-Authenticate", "Basic realm=\"test\"");
        network_reply(exchange, 401, "");
        return;
    }
    network_answer_header(exchange, "Docker-Content-Digest", DIGEST);
    network_reply(exchange, 200, "");
}

static void note(char letter)
{
    size_t length = strlen(fixture.asked);

    assert_true(length + 1 < sizeof(fixture.asked));
    fixture.asked[length] = letter;
}

static void serve(void *context, struct fake_exchange *exchange)
{
    (void)context;
    if (strstr(exchange->url, "/namespaces/bank/secrets/regcred")) {
        note('s');
        answer_object(exchange, fixture.secret);
    } else if (strstr(exchange->url, "/namespaces/bank/serviceaccounts/robot")) {
        note('a');
        if (fixture.hold)
            return;
        if (fixture.account_status)
            network_reply(exchange, fixture.account_status, "{\"kind\":\"Status\"}");
        else
            answer_object(exchange, fixture.account);
    } else {
        note('r');
        answer_registry(exchange);
    }
}

static int set_up(void **state)
{
    static const char *insecure[] = { "registry.test:5000" };

    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    fake_api_init(&fixture.api, serve, NULL);
    fixture.resolver = image_resolver_new(
        &(struct image_resolver_options){ .client = fixture.api.client,
                                          .transport = &fixture.api.network.transport,
                                          .clock = &fixture.api.clock,
                                          .registries = { .insecure = { insecure, 1 } } });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    image_resolver_free(fixture.resolver);
    fake_api_release(&fixture.api);
    return 0;
}

static void on_probe(void *context)
{
    (void)context;
    note('p');
}

static void on_resolved(void *context, const char *digest, const struct err *failure)
{
    (void)context;
    fixture.called++;
    snprintf(fixture.digest, sizeof(fixture.digest), "%s", digest ? digest : "");
    fixture.failure = failure ? *failure : (struct err){ 0 };
}

static const struct image_handler handler = { on_probe, on_resolved };

/* Looks it up and checks what was asked, in order. `secret` and `account`: as in the request. */
static void resolve(const char *secret, const char *account, const char *asked)
{
    const char *secrets[] = { secret };
    const struct fact_request request = { .kind = FACT_IMAGE,
                                          .argument = IMAGE,
                                          .pull_secrets = { secrets, secret ? 1 : 0 },
                                          .service_account = account };
    struct image_source *source = image_source_new(fixture.resolver, "bank", &request);

    for (int again = 0; again < 2; again++) { /* nothing is left of the first time */
        fixture.called = 0;
        memset(fixture.asked, 0, sizeof(fixture.asked));
        image_source_resolve(source, &handler, NULL);
        for (int i = 0; i < 20; i++) {
            (void)timers_run(&fixture.api.timers);
            fake_network_run(&fixture.api.network);
        }
        assert_int_equal(fixture.called, 1);
        assert_string_equal(fixture.asked, asked);
    }
    image_source_free(source);
}

static void expect_denied(const char *message)
{
    assert_string_equal(fixture.digest, "");
    assert_int_equal(fixture.failure.kind, ERR_DENIED);
    if (!strstr(fixture.failure.message, message))
        fail_msg("%s", fixture.failure.message);
}

/* A public image costs no request about the account. */
static void test_public(void **state)
{
    (void)state;
    resolve(NULL, NULL, "r");
    assert_string_equal(fixture.digest, DIGEST);
    resolve(NULL, "robot", "r");
    assert_string_equal(fixture.digest, DIGEST);
}

static void test_named_secrets(void **state)
{
    (void)state;
    fixture.is_private = true;
    fixture.account = "{\"imagePullSecrets\":[{\"name\":\"regcred\"}]}";
    resolve("regcred", "robot", "sr"); /* as for a pod, the account does not count then */
    expect_denied("pull secret bank/regcred does not exist");
    fixture.secret = SECRET;
    resolve("regcred", "robot", "srr");
    assert_string_equal(fixture.digest, DIGEST);
}

static void test_secrets_of_the_account(void **state)
{
    (void)state;
    fixture.is_private = true;
    fixture.secret = SECRET;
    resolve(NULL, "robot", "ra");
    expect_denied("ServiceAccount bank/robot does not exist");
    fixture.account = "{\"imagePullSecrets\":[{\"name\":\"regcred\"}]}";
    resolve(NULL, "robot", "rasrr");
    assert_string_equal(fixture.digest, DIGEST);
    fixture.account = "{\"metadata\":{}}";
    resolve(NULL, "robot", "ra"); /* the registry would say the same again */
    expect_denied("name a pull secret in imagePullSecrets or in the ServiceAccount");
    resolve(NULL, NULL, "r");
    expect_denied("name a pull secret");
}

static void test_account_that_cannot_be_read(void **state)
{
    (void)state;
    fixture.is_private = true;
    fixture.account_status = 403;
    resolve(NULL, "robot", "ra");
    expect_denied("ServiceAccount bank/robot may not be read by the controller");
    fixture.account_status = 500; /* that says nothing about the image */
    resolve(NULL, "robot", "ra");
    assert_int_equal(fixture.failure.kind, ERR_RETRY);
}

static void test_free_early(void **state)
{
    const struct fact_request request = { .kind = FACT_IMAGE,
                                          .argument = IMAGE,
                                          .service_account = "robot" };
    struct image_source *source = image_source_new(fixture.resolver, "bank", &request);

    (void)state;
    fixture.is_private = true;
    fixture.hold = true;
    image_source_resolve(source, &handler, NULL);
    fake_network_run(&fixture.api.network);
    assert_string_equal(fixture.asked, "ra"); /* the account is being read */
    image_source_free(source);
    fake_network_run(&fixture.api.network);
    assert_int_equal(fixture.called, 0);
}

#define RESOLVER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RESOLVER_TEST(test_public),
        RESOLVER_TEST(test_named_secrets),
        RESOLVER_TEST(test_secrets_of_the_account),
        RESOLVER_TEST(test_account_that_cannot_be_read),
        RESOLVER_TEST(test_free_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
