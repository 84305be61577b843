/* Goal: a Secret opens buckets for the controller, and nothing else: neither files of the
 * controller nor its identity.
 * Method: what lib/store asks for (variables, files) is asked of decoded Secrets. */
#include "unit.h"

#include "base/json.h"
#include "base/limits.h"

#include "bucket_secret.h"

#define PATH "/var/run/churn/credentials/"

static struct bucket_keys *decode(const char *text, struct err *err)
{
    json_t *secret auto_json = jx_parse(span_of(text), LIMIT_JSON_DOCUMENT, "test", err);

    assert_non_null(secret);
    return bucket_keys_decode(secret, err);
}

static const char *variable(const struct stores_options *options, const char *name)
{
    return options->variable(options->context, name);
}

static void test_keys_of_a_pod(void **state)
{
    struct err err;
    struct bucket_keys *keys =
        decode("{\"data\": {\"gcs.json\": \"e30=\", \"aws-credentials\": \"W2RlZmF1bHRd\","
               "\"endpoint\": \"aHR0cDovL21pbmlvOjkwMDAK\", \"region\": \"ZXUK\","
               "\"ca.crt\": \"UEVN\", \"other\": \"AA==\"}}",
               &err);
    struct stores_options options = { 0 };
    auto_buf struct buf text = { 0 };

    (void)state;
    assert_non_null(keys);
    bucket_keys_options(keys, &options);
    assert_true(options.public_hosts_only);
    assert_string_equal(variable(&options, "GOOGLE_APPLICATION_CREDENTIALS"), PATH "gcs.json");
    assert_string_equal(variable(&options, "AWS_SHARED_CREDENTIALS_FILE"), PATH "aws-credentials");
    assert_string_equal(variable(&options, "AWS_CA_BUNDLE"), PATH "ca.crt");
    assert_string_equal(variable(&options, "AWS_ENDPOINT_URL_S3"), "http://minio:9000");
    assert_string_equal(variable(&options, "AWS_REGION"), "eu");
    assert_null(variable(&options, "HOME"));
    assert_null(variable(&options, "AWS_ACCESS_KEY_ID"));
    assert_null(variable(&options, "AWS_WEB_IDENTITY_TOKEN_FILE"));
    buf_init(&text, 100);
    assert_int_equal(options.read_file(options.context, PATH "aws-credentials", &text, &err), 0);
    assert_string_equal(buf_text(&text), "[default]");
    bucket_keys_free(keys);
}

static void test_nothing_of_the_controller(void **state)
{
    static const char *const files[] = {
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        PATH "other",
        PATH "gcs.json",
        PATH "../credentials/ca.crt",
        PATH,
        "",
    };
    struct err err;
    struct bucket_keys *keys = decode("{\"data\": {\"region\": \"ZXU=\"}}", &err);
    struct stores_options options = { 0 };
    auto_buf struct buf text = { 0 };

    (void)state;
    assert_non_null(keys);
    bucket_keys_options(keys, &options);
    assert_null(variable(&options, "GOOGLE_APPLICATION_CREDENTIALS"));
    assert_string_equal(variable(&options, "CLOUDSDK_AUTH_DISABLE_CREDENTIALS"), "true");
    assert_string_equal(variable(&options, "AWS_EC2_METADATA_DISABLED"), "true");
    buf_init(&text, 100);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        CASE(files[i], options.read_file(options.context, files[i], &text, &err) == -1);
    assert_int_equal(text.length, 0);
    bucket_keys_free(keys);
}

static void test_bad_secrets(void **state)
{
    struct err err;

    (void)state;
    assert_null(decode("{\"data\": {\"gcs.json\": \"!\"}}", &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.message, "gcs.json"));
    struct bucket_keys *keys = decode("{}", &err);
    assert_non_null(keys);
    bucket_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_of_a_pod),
        cmocka_unit_test(test_nothing_of_the_controller),
        cmocka_unit_test(test_bad_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
