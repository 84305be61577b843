/* Goal: a pod finds what opens its buckets where each cloud's tools look, and nothing else.
 * Method: documents with URIs of each kind, and the pod that comes of them. */
#include "unit.h"

#include "base/buf.h"
#include "job_credentials.h"

static json_t *pod_with(const char *env)
{
    auto_free char *text = mem_format(
        "{\"volumes\": [], \"containers\": [{\"name\": \"churn\", \"volumeMounts\": []%s%s}]}",
        *env ? ", \"env\": " : "", env);
    json_t *pod = jx_parse(span_of(text), 65536, "pod", NULL);

    assert_non_null(pod);
    return pod;
}

/* "NAME=value NAME=key?" of the container's variables, the second for one from a key. */
static char *variables_of(const json_t *pod)
{
    const json_t *container = json_array_get(json_object_get(pod, "containers"), 0), *entry;
    struct buf text = { .maximum = 65536 };
    size_t i;

    json_array_foreach(json_object_get(container, "env"), i, entry)
    {
        const char *key = jx_string(entry, "valueFrom", "secretKeyRef", "key", NULL);
        const char *value = jx_string(entry, "value", NULL);

        buf_format(&text, "%s%s=%s%s", i > 0 ? " " : "", jx_string(entry, "name", NULL),
                   key ? key : value, key ? "?" : "");
    }
    return buf_take(&text);
}

static void variables_are_those_of_the_schemes(void **state)
{
    static const struct {
        const char *document, *env, *variables;
    } cases[] = {
        { "{\"data\": {\"uri\": \"file:///data/h.csv\"}}", "", "" },
        { "{\"data\": {\"uri\": \"s3://bank/h.csv\", \"target\": \"gs\"}}", "",
          "AWS_SHARED_CREDENTIALS_FILE=/var/run/churn/credentials/aws-credentials "
          "AWS_CA_BUNDLE=/var/run/churn/credentials/ca.crt AWS_ENDPOINT_URL_S3=endpoint? "
          "AWS_REGION=region?" },
        { "{\"input\": [\"gs://bank/w.csv\"]}", "[{\"name\": \"A\", \"value\": \"1\"}]",
          "GOOGLE_APPLICATION_CREDENTIALS=/var/run/churn/credentials/gcs.json "
          "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE=/var/run/churn/credentials/ca.crt "
          "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE=endpoint? A=1" },
        { "{\"uri\": \"s3://bank/x\"}",
          "[{\"name\": \"AWS_REGION\", \"value\": \"eu\"}, {\"name\": \"AWS_CA_BUNDLE\", "
          "\"value\": \"/ca\"}]",
          "AWS_SHARED_CREDENTIALS_FILE=/var/run/churn/credentials/aws-credentials "
          "AWS_ENDPOINT_URL_S3=endpoint? AWS_REGION=eu AWS_CA_BUNDLE=/ca" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_json json_t *document = jx_parse(span_of(cases[i].document), 65536, "document", NULL);
        auto_json json_t *pod = pod_with(cases[i].env);

        job_add_credentials("keys", document, pod);
        auto_free char *variables = variables_of(pod);
        assert_string_equal(variables, cases[i].variables);
    }
}

static void the_secret_is_mounted_for_reading(void **state)
{
    auto_json json_t *document = json_object(), *pod = pod_with("");

    (void)state;
    job_add_credentials("keys", document, pod);
    auto_free char *volumes = jx_canonical(json_object_get(pod, "volumes"));
    assert_string_equal(volumes,
                        "[{\"name\":\"churn-credentials\",\"secret\":{\"secretName\":\"keys\"}}]");
    auto_free char *mounts = jx_canonical(
        json_object_get(json_array_get(json_object_get(pod, "containers"), 0), "volumeMounts"));
    assert_string_equal(mounts, "[{\"mountPath\":\"/var/run/churn/credentials\",\"name\":\"churn-"
                                "credentials\",\"readOnly\":true}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_those_of_the_schemes),
        cmocka_unit_test(the_secret_is_mounted_for_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
