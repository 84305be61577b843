/* Goal: keys are found where AWS's tools find them, and are renewed in time.
 * Method: a fake cloud plays STS, a container's agent and the metadata server under virtual time.
 */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "fake_cloud.h"
#include "store/aws_credentials.h"

/* Wall time of the answers below. */
#define BEGIN_MS   INT64_C(1795392000000) /* 2026-11-23T00:00:00Z */
#define EXPIRATION "2026-11-23T01:00:00Z"

struct servers {
    bool is_down;
    int refusal;     /* the status of every answer; 0: there are keys */
    unsigned grants; /* number of the keys that were given */
    char text[512];
    char form[1024], session[64], metadata_token[64], authorization[64];
};

static struct fake_cloud cloud;
static struct servers servers;
static struct aws_credentials *credentials;
static struct remote *remote;

/* Keys of the next number. */
static struct span give(const char *before, const char *after)
{
    snprintf(servers.text, sizeof(servers.text), "%sID%u%s", before, ++servers.grants, after);
    return span_of(servers.text);
}

static void note(const struct http_request *request, const char *name, char *out, size_t size)
{
    const char *value = fake_sent(request, name);

    snprintf(out, size, "%s", value ? value : "");
}

static void serve(void *context, const struct http_request *request, struct fake_reply *ret_reply)
{
    static const char json[] = "{\"Code\": \"Success\", \"AccessKeyId\": \"";
    static const char rest[] = "\", "
                               "\"SecretAccessKey\": \"S\", \"Token\": \"T\", "
                               "\"Expiration\": \"" EXPIRATION "\"}";
    static const char xml[] =
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
        "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>";
    static const char xml_rest[] =
        "</AccessKeyId>"
        "<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
        "<Expiration>" EXPIRATION "</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>";
    const char *url = request->url;

    (void)context;
    if (servers.is_down)
        return; /* status 0 */
    ret_reply->status = servers.refusal ? servers.refusal : 200;
    note(request, "X-aws-ec2-metadata-token", servers.metadata_token,
         sizeof(servers.metadata_token));
    note(request, "Authorization", servers.authorization, sizeof(servers.authorization));
    if (strstr(url, "sts.")) {
        snprintf(servers.form, sizeof(servers.form), "%.*s", (int)request->body.length,
                 request->body.data);
        ret_reply->body = give(xml, xml_rest);
    } else if (strstr(url, "/api/token")) {
        ret_reply->body = span_of("metadata-token");
    } else if (strstr(url, "/security-credentials/bank")) {
        ret_reply->body = give(json, rest);
    } else if (strstr(url, "/security-credentials/")) {
        ret_reply->body = span_of("bank\n");
    } else {
        ret_reply->body = give(json, rest);
    }
}

static void set_up(const char *const *variables)
{
    servers = (struct servers){ 0 };
    fake_cloud_init(&cloud, serve, NULL);
    cloud.now_ms = BEGIN_MS;
    cloud.variables = variables;
    struct stores_options options = fake_cloud_options(&cloud);
    remote = remote_new(&options);
    credentials = aws_credentials_new(remote);
}

static void tear_down(void)
{
    aws_credentials_free(credentials);
    remote_free(remote);
    fake_cloud_release(&cloud);
}

/* "ID SECRET TOKEN", or the message of the failure; the caller frees. */
static char *get(void)
{
    auto_arena struct arena arena = { 0 };
    struct aws_keys keys;
    struct err err = { 0 };

    if (aws_credentials_get(credentials, &arena, &keys, &err) < 0)
        return mem_strdup(err.message);
    return mem_format("%s %s %s", keys.access_key_id, keys.secret_access_key,
                      keys.session_token ? keys.session_token : "-");
}

static void assert_keys(const char *expected)
{
    auto_free char *keys = get();

    assert_string_equal(keys, expected);
}

static void write_file(const char *path, const char *text)
{
    auto_fclose FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
}

static void variables_come_first(void **state)
{
    (void)state;
    set_up((const char *const[]){ "AWS_ACCESS_KEY_ID", "AKIA", "AWS_SECRET_ACCESS_KEY",
                                  "s/=", "AWS_SESSION_TOKEN", "t", "AWS_WEB_IDENTITY_TOKEN_FILE",
                                  "/none", NULL });
    assert_keys("AKIA s/= t");
    assert_int_equal(cloud.requests, 0);
    tear_down();
    set_up((const char *const[]){ "AWS_ACCESS_KEY_ID", "AKIA", NULL });
    assert_keys("there is an AWS access key id without its secret key");
    tear_down();
    set_up((const char *const[]){ "AWS_ACCESS_KEY_ID", "AKIA", "AWS_SECRET_ACCESS_KEY", "hush\n",
                                  NULL });
    assert_keys("the AWS secret key must be one word of printable ASCII");
    tear_down();
}

static void a_file_is_read_again(void **state)
{
    char path[] = "/tmp/churn-test-XXXXXX";
    auto_close int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    write_file(path, "[default]\naws_access_key_id=ONE\naws_secret_access_key=S\n");
    set_up((const char *const[]){ "AWS_SHARED_CREDENTIALS_FILE", path, NULL });
    assert_keys("ONE S -");
    write_file(path, "[default]\naws_access_key_id=TWO\naws_secret_access_key=S\n");
    cloud.now_ms += 59 * 1000;
    assert_keys("ONE S -");
    cloud.now_ms += 1000;
    assert_keys("TWO S -");
    write_file(path, "nonsense");
    cloud.now_ms += 60 * 1000;
    assert_keys("TWO S -"); /* what cannot be read replaces nothing */
    unlink(path);
    tear_down();
}

/* What comes behind a NUL must not be lost without a word. */
static void files_with_a_nul_are_refused(void **state)
{
    static const char keys[] = "[default]\naws_access_key_id=ONE\n\0aws_secret_access_key=S\n";
    static const char *const variables[] = { "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
                                             "AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE" };
    char path[] = "/tmp/churn-test-XXXXXX";
    auto_close int fd = mkstemp(path);
    auto_free char *expected = mem_format("%s: expected text, but byte 33 is a NUL", path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, keys, sizeof(keys) - 1), sizeof(keys) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
        set_up((const char *const[]){ variables[i], path, "AWS_ROLE_ARN", "arn", NULL });
        auto_free char *message = get();
        CASE(variables[i], strstr(message, expected) && !strstr(message, "ONE"));
        assert_int_equal(cloud.requests, 0);
        tear_down();
    }
    unlink(path);
}

static void a_web_identity_is_exchanged_and_renewed(void **state)
{
    char path[] = "/tmp/churn-test-XXXXXX";
    auto_close int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    write_file(path, "a.jwt/+\n");
    set_up((const char *const[]){ "AWS_WEB_IDENTITY_TOKEN_FILE", path, "AWS_ROLE_ARN",
                                  "arn:aws:iam::1:role/churn", "AWS_REGION", "eu-central-1",
                                  NULL });
    assert_keys("ID1 S T");
    assert_string_equal(buf_text(&cloud.log), "POST https://sts.eu-central-1.amazonaws.com/\n");
    assert_string_equal(servers.form,
                        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="
                        "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fchurn&RoleSessionName=churn-operator&"
                        "WebIdentityToken=a.jwt%2F%2B");
    cloud.now_ms += 54 * 60 * 1000;
    assert_keys("ID1 S T");
    cloud.now_ms += 60 * 1000; /* five minutes before the end */
    assert_keys("ID2 S T");
    assert_int_equal(servers.grants, 2);
    unlink(path);
    tear_down();
}

static void keys_that_are_good_outlive_a_failure(void **state)
{
    (void)state;
    set_up((const char *const[]){ "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1",
                                  "AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-token", NULL });
    assert_keys("ID1 S T");
    assert_string_equal(servers.authorization, "agent-token");
    servers.is_down = true;
    cloud.now_ms = BEGIN_MS + 56 * 60 * 1000;
    assert_keys("ID1 S T");
    cloud.now_ms = BEGIN_MS + 60 * 60 * 1000;
    auto_free char *message = get();
    assert_non_null(strstr(message, "the container's credentials"));
    servers.is_down = false;
    assert_keys("ID2 S T");
    aws_credentials_expire(credentials);
    assert_keys("ID3 S T");
    tear_down();
}

static void the_instance_is_asked_with_a_token(void **state)
{
    (void)state;
    set_up((const char *const[]){ NULL });
    assert_keys("ID1 S T");
    assert_string_equal(servers.metadata_token, "metadata-token");
    assert_string_equal(
        buf_text(&cloud.log),
        "PUT http://169.254.169.254/latest/api/token\n"
        "GET http://169.254.169.254/latest/meta-data/iam/security-credentials/\n"
        "GET http://169.254.169.254/latest/meta-data/iam/security-credentials/bank\n");
    tear_down();
}

static void without_any_the_places_are_named(void **state)
{
    (void)state;
    set_up((const char *const[]){ NULL });
    servers.is_down = true;
    int64_t before_ms = cloud.now_ms;
    auto_free char *message = get();
    assert_non_null(strstr(message, "there are no AWS keys: neither in AWS_ACCESS_KEY_ID"));
    assert_true(cloud.now_ms - before_ms <= 10 * 1000); /* a laptop's user does not wait */
    tear_down();
    set_up((const char *const[]){ "AWS_EC2_METADATA_DISABLED", "true", NULL });
    free(message);
    message = get();
    assert_non_null(strstr(message, "there are no AWS keys"));
    assert_int_equal(cloud.requests, 0);
    tear_down();
}

/* A missing file or a 404 of theirs is not that of the object which was asked for. */
static void refusals_are_those_of_an_identity(void **state)
{
    static const char *const instance[] = { NULL };
    static const char *const agent[] = { "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                         "http://169.254.170.23/v1", NULL };
    static const char *const sts[] = { "AWS_WEB_IDENTITY_TOKEN_FILE", "/etc/hostname",
                                       "AWS_ROLE_ARN", "arn:aws:iam::1:role/churn", NULL };
    static const char *const no_token[] = { "AWS_WEB_IDENTITY_TOKEN_FILE", "/is/not/there",
                                            "AWS_ROLE_ARN", "arn:aws:iam::1:role/churn", NULL };
    static const struct {
        const char *const *variables;
        int refusal, status;
        const char *message;
    } cases[] = {
        { instance, 404, 401, "the instance's metadata server: 404 Not Found" },
        { agent, 404, 401, "the container's credentials: 404 Not Found" },
        { sts, 400, 401, "AssumeRoleWithWebIdentity for arn:aws:iam::1:role/churn: 400" },
        { sts, 403, 403, "AssumeRoleWithWebIdentity for arn:aws:iam::1:role/churn: 403" },
        { no_token, 0, 401, "the web identity token: /is/not/there: " },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct aws_keys keys;
        struct err err = { 0 };

        set_up(cases[i].variables);
        servers.refusal = cases[i].refusal;
        assert_int_equal(aws_credentials_get(credentials, &arena, &keys, &err), -1);
        CASE(err.message, err.kind == ERR_DENIED);
        assert_int_equal(err.http_status, cases[i].status);
        assert_non_null(strstr(err.message, cases[i].message));
        tear_down();
    }
}

static void bad_settings_are_named(void **state)
{
    static const struct {
        const char *name, *value, *message;
    } cases[] = {
        { "AWS_REGION", "eu.evil.example/", "the AWS region must be a word like eu-central-1" },
        { "AWS_ENDPOINT_URL", "minio:9000", "the endpoint of S3: " },
        { "AWS_ENDPOINT_URL_S3", "http://minio/?x", "the endpoint of S3 must be a URL without" },
        { "AWS_PROFILE", "nobody", "AWS_PROFILE names \"nobody\", which no file has" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        set_up((const char *const[]){ cases[i].name, cases[i].value, NULL });
        auto_free char *message = get();
        CASE(message, strncmp(message, cases[i].message, strlen(cases[i].message)) == 0);
        tear_down();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_come_first),
        cmocka_unit_test(a_file_is_read_again),
        cmocka_unit_test(files_with_a_nul_are_refused),
        cmocka_unit_test(a_web_identity_is_exchanged_and_renewed),
        cmocka_unit_test(keys_that_are_good_outlive_a_failure),
        cmocka_unit_test(the_instance_is_asked_with_a_token),
        cmocka_unit_test(without_any_the_places_are_named),
        cmocka_unit_test(refusals_are_those_of_an_identity),
        cmocka_unit_test(bad_settings_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
