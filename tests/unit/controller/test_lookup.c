/* Goal: the controller looks only where it was told to, for whom it was told to. */
#include "unit.h"

#include "lookup.h"

static void places_are_those_of_the_options(void **state)
{
    static const char *roots[] = { "/data" };
    static const char *allowed[] = { "s3://bank/weekly/", "gs://teams/a=b/=risk" };
    static const struct settings settings = { .file_roots = { roots, 1 },
                                              .allowed_uris = { allowed, 2 } };
    static const struct {
        const char *namespace, *uri;
        bool visible;
    } cases[] = {
        { "any", "file:///data/in/", true },
        { "any", "file:///database/in/", false },
        { "any", "s3://bank/weekly/", true },
        { "any", "s3://bank/weekly/deep/w.csv", true },
        { "any", "s3://bank/weekly-other/w.csv", false },
        { "any", "gs://bank/weekly/w.csv", false },
        { "risk", "gs://teams/a=b/w.csv", true },
        { "any", "gs://teams/a=b/w.csv", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct object_view view = { .metadata.namespace_ = cases[i].namespace,
                                          .settings = &settings };
        CASE(cases[i].uri, lookup_is_visible(&view, cases[i].uri, NULL) == cases[i].visible);
    }
}

/* The Secret may lead to another server, whose bucket has the same name: a list of the controller's
 * would be of other files than the pods read. */
static void a_secret_counts_also_where_the_controller_may_look(void **state)
{
    struct secret_reference secret = { .name = "bucket-key" };
    const struct credentials_spec credentials = { .secret_ref = &secret };

    (void)state;
    assert_string_equal(lookup_secret("s3://bank/weekly/", &credentials), "bucket-key");
    assert_null(lookup_secret("s3://bank/weekly/", NULL));
    assert_null(lookup_secret("file:///data/", &credentials));
}

static void allowed_places_are_folders_in_buckets(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        { "s3://bank/", true },          { "gs://bank/weekly/=team-a", true },
        { "s3://bank/weekly", false },   { "s3://bank", false },
        { "file:///data/", false },      { "s3://bank/weekly/=Not_A_Label", false },
        { "s3://bank/weekly/=", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err;
        CASE(cases[i].text, (lookup_check_allowed(cases[i].text, &err) == 0) == cases[i].good);
    }
}

/* An image may be probed only where the controller was told so, and the probe is its model's. */
static void probes_are_allowed_by_an_option(void **state)
{
    const struct metadata model = { .namespace_ = "bank", .name = "telco", .uid = "model-uid" };
    const struct image_access access = { .model = &model };

    (void)state;
    for (int allowed = 0; allowed < 2; allowed++) {
        const struct settings settings = { .probe_pods = allowed };
        const struct object_view view = { .settings = &settings, .steady_ms = 1000 };
        struct plan plan auto_plan = { 0 };
        struct image_lookup image;

        plan_init(&plan);
        lookup_image(&view, &plan, "registry.test/app:v1", &access, 1000, &image);
        assert_int_equal(image.state, LOOKUP_PENDING);
        assert_int_equal(plan.count, 1);
        const json_t *probe = plan.actions[0].need.probe;
        assert_int_equal(probe != NULL, allowed);
        const json_t *owner = json_array_get(jx_get(probe, "metadata", "ownerReferences", NULL), 0);
        if (allowed)
            assert_string_equal(jx_string(owner, "uid", NULL), "model-uid");
    }
}

/* What another pull secret opened may be another image, and is not kept up to date for us. */
static void an_answer_is_of_those_who_may_pull(void **state)
{
    static struct object_reference wanted[] = { { .name = "a" }, { .name = "b" } };
    static const char *same[] = { "a", "b" }, *other[] = { "a", "c" };
    static const struct {
        const char *name, *asked_account, *account;
        size_t asked;
        struct strings had;
        enum lookup_state state;
    } cases[] = {
        { "the same secrets", NULL, NULL, 2, { same, 2 }, LOOKUP_KNOWN },
        { "another secret", NULL, NULL, 2, { other, 2 }, LOOKUP_PENDING },
        { "one secret less", NULL, NULL, 2, { same, 1 }, LOOKUP_PENDING },
        { "an account for secrets", NULL, "default", 2, { NULL, 0 }, LOOKUP_PENDING },
        { "the account counts for nothing", "robot", NULL, 2, { same, 2 }, LOOKUP_KNOWN },
        { "the default account", NULL, "default", 0, { NULL, 0 }, LOOKUP_KNOWN },
        { "the same account", "robot", "robot", 0, { NULL, 0 }, LOOKUP_KNOWN },
        { "another account", "robot", "default", 0, { NULL, 0 }, LOOKUP_PENDING },
        { "secrets for an account", "robot", NULL, 0, { same, 2 }, LOOKUP_PENDING },
    };
    static const struct settings settings = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct list secrets = { wanted, cases[i].asked };
        const struct pod_template pods = { .service_account_name = cases[i].asked_account };
        const struct image_access access = { &secrets, &pods, NULL };
        const struct image_fact fact = { .reference = "registry.test/app:v1",
                                         .pull_secrets = cases[i].had,
                                         .service_account = cases[i].account,
                                         .digest = "sha256:1",
                                         .checked_ms = 1000 };
        const struct object_view view = { .settings = &settings,
                                          .facts = { .images = &fact, .image_count = 1 },
                                          .steady_ms = 1000 };
        struct plan plan auto_plan = { 0 };
        struct image_lookup image;

        plan_init(&plan);
        lookup_image(&view, &plan, "registry.test/app:v1", &access, 1000, &image);
        CASE(cases[i].name, image.state == cases[i].state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_those_of_the_options),
        cmocka_unit_test(a_secret_counts_also_where_the_controller_may_look),
        cmocka_unit_test(allowed_places_are_folders_in_buckets),
        cmocka_unit_test(probes_are_allowed_by_an_option),
        cmocka_unit_test(an_answer_is_of_those_who_may_pull),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
