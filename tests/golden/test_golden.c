/* Goal: the Jobs that the controller creates, as whole objects that a reviewer can read.
 * Method: orders are built and compared with the files beside this one. After a change that
 * is meant, CHURN_GOLDEN_UPDATE=1 build/dev/unit/test_golden (from the root of the
 * repository) writes them anew; the difference belongs into the commit. */
#include "unit.h"

#include "base/limits.h"
#include "job_builder.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KEY    "0123456789abcdef0123456789abcdef"

static char *read_file(const char *path)
{
    static char text[64 * KIB];
    auto_fclose FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("%s is missing: see the top of tests/golden/test_golden.c", path);
    size_t length = fread(text, 1, sizeof(text), file);
    return mem_strndup(text, length);
}

static void write_file(const char *path, const char *text)
{
    auto_fclose FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
}

static void compare(const char *name, const struct job_order *order)
{
    auto_json json_t *job = job_build(order);
    assert_non_null(job);
    auto_free char *compact = json_dumps(job, JSON_INDENT(2) | JSON_SORT_KEYS);
    auto_free char *found = mem_format("%s\n", compact);
    auto_free char *path = mem_format("tests/golden/%s.json", name);
    if (getenv("CHURN_GOLDEN_UPDATE"))
        write_file(path, found);
    auto_free char *expected = read_file(path);
    if (strcmp(found, expected) != 0)
        fail_msg("%s differs; found:\n%s", path, found);
}

static void decode_template(const char *text, struct arena *arena, struct pod_template *template)
{
    struct err err;
    json_t *document = jx_parse(span_of(text), LIMIT_JOB_DOCUMENT, "template", &err);
    assert_non_null(document);
    arena_defer(arena, (void (*)(void *))json_decref, document);
    if (fields_decode(document, &pod_template_fields, "podTemplate", arena, template, &err) < 0 ||
        pod_template_check(template, "podTemplate", &err) < 0)
        fail_msg("%s", err.message);
}

static struct job_order training_order(const struct metadata *owner, json_t *document)
{
    return (struct job_order){
        .owner_kind = "ChurnModel",
        .owner = owner,
        .name = "retail-bank-t0123456789",
        .run_key = KEY,
        .template_hash = KEY,
        .attempt = 1,
        .component = "trainer",
        .model = "retail-bank",
        .image = "ghcr.io/acme/churn-trainer@" DIGEST,
        .document = document,
        .active_deadline_seconds = 3600,
        .backoff_limit = 3,
    };
}

static void test_training(void **state)
{
    (void)state;
    const struct metadata owner = { .namespace_ = "bank", .name = "retail-bank", .uid = "uid-1" };
    auto_json json_t *document = json_pack("{si ss}", "version", 1, "kind", "Train");
    struct job_order order = training_order(&owner, document);
    compare("training", &order);
}

static void test_scoring_with_everything(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    const struct metadata owner = { .namespace_ = "bank", .name = "week-07", .uid = "uid-2" };
    struct object_reference secret = { "regcred" };
    const struct list secrets = { &secret, 1 };
    struct pod_template template;
    auto_json json_t *document = json_pack("{si ss}", "version", 1, "kind", "Score");
    decode_template(
        "{\"resources\": {\"requests\": {\"cpu\": \"2\"}, \"limits\": {\"memory\": \"4Gi\"}}, "
        "\"nodeSelector\": {\"disk\": \"ssd\"}, \"tolerations\": [{\"key\": \"batch\", "
        "\"operator\": \"Exists\"}], \"affinity\": {\"nodeAffinity\": {}}, "
        "\"serviceAccountName\": \"scorer\", \"priorityClassName\": \"low\", \"env\": [{\"name\": "
        "\"TZ\", \"value\": \"UTC\"}], \"volumes\": [{\"name\": \"data\", \"hostPath\": {\"path\": "
        "\"/data\"}}, {\"name\": \"big\", \"emptyDir\": {}}], \"volumeMounts\": [{\"name\": "
        "\"data\", \"mountPath\": \"/data\"}, {\"name\": \"big\", \"mountPath\": \"/tmp\"}], "
        "\"runAsUser\": 1000, \"runAsGroup\": 1000, \"fsGroup\": 2000, \"labels\": "
        "{\"kueue.x-k8s.io/queue-name\": \"weekly\"}, \"annotations\": {\"team\": \"risk\"}}",
        &arena, &template);
    struct job_order order = training_order(&owner, document);
    order.owner_kind = "ChurnBatch";
    order.name = "week-07-s0123456789";
    order.attempt = 2;
    order.component = "scorer";
    order.batch = "week-07";
    order.image = "ghcr.io/acme/churn-scorer@" DIGEST;
    order.pod_template = &template;
    order.pull_secrets = &secrets;
    compare("scoring", &order);
}

static void test_images(void **state)
{
    (void)state;
    static const struct {
        const char *reference, *image;
    } cases[] = {
        { "trainer", "trainer@" DIGEST },
        { "trainer:stable", "trainer@" DIGEST },
        { "localhost:5000/trainer", "localhost:5000/trainer@" DIGEST },
        { "localhost:5000/trainer:stable", "localhost:5000/trainer@" DIGEST },
        { "ghcr.io/acme/trainer:1@" DIGEST, "ghcr.io/acme/trainer@" DIGEST },
        { "ghcr.io/acme/trainer@" DIGEST, "ghcr.io/acme/trainer@" DIGEST },
    };
    auto_arena struct arena arena = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(job_image(cases[i].reference, DIGEST, &arena), cases[i].image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_scoring_with_everything),
        cmocka_unit_test(test_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
