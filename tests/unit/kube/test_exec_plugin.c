/* Goal: a credential plugin gets what the protocol promises it, its answer is used until it
 * expires, and a plugin that fails, hangs or babbles is told apart and never waited for.
 * Method: shell scripts in a temporary folder. */
#include "fake_transport.h"
#include "folder.h"

#include <signal.h>

#include "base/clock.h"
#include "base/num.h"
#include "kube/credentials.h"
#include "kube/kubeconfig.h"

static const struct kube_resource NODES = { "", "v1", "nodes", "Node" };

#define V1 "client.authentication.k8s.io/v1"
#define ANSWER(status)                                                                             \
    "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{" status "}}"
#define PRINT(status) "#!/bin/sh\necho '" ANSWER(status) "'\n"

static int run(const struct folder *folder, const char *script, int64_t timeout_ms,
               struct exec_credential *ret_credential, struct err *err)
{
    auto_free char *path = folder_write(folder, "plugin", script, 0700);
    const struct exec_plugin plugin = { .command = path,
                                        .api_version = V1,
                                        .install_hint = "get it at example.com" };

    return exec_plugin_run(&plugin, timeout_ms, ret_credential, err);
}

static void test_answers(void **state)
{
    static const struct {
        const char *name, *script;
        const char *token; /* NULL: refused */
        enum err_kind kind;
        const char *said;
    } cases[] = {
        { "token", PRINT("\"token\":\"abc\""), "abc", ERR_NONE, "" },
        { "much on stderr",
          "#!/bin/sh\nhead -c 200000 /dev/zero | tr '\\0' x >&2\necho '" ANSWER(
              "\"token\":\"abc\"") "'\n",
          "abc", ERR_NONE, "" },
        { "fails", "#!/bin/sh\necho secret\necho first >&2\necho 'log in again' >&2\nexit 3\n",
          NULL, ERR_DENIED, "exit code 3: log in again" },
        { "killed", "#!/bin/sh\nkill -9 $$\n", NULL, ERR_DENIED, "signal 9" },
        { "no JSON", "#!/bin/sh\necho secret\n", NULL, ERR_INVALID, "its output" },
        { "another document", "#!/bin/sh\necho '{\"kind\":\"secret\"}'\n", NULL, ERR_INVALID,
          "ExecCredential" },
        { "another version",
          "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"kind\":"
          "\"ExecCredential\",\"status\":{\"token\":\"a\"}}'\n",
          NULL, ERR_INVALID, V1 },
        { "nothing in it", PRINT(""), NULL, ERR_INVALID, "neither" },
        { "certificate without key", PRINT("\"clientCertificateData\":\"x\""), NULL, ERR_INVALID,
          "clientKeyData" },
        { "bad time", PRINT("\"token\":\"a\",\"expirationTimestamp\":\"tomorrow\""), NULL,
          ERR_INVALID, "expirationTimestamp" },
        { "endless output", "#!/bin/sh\nhead -c 1000000 /dev/zero\n", NULL, ERR_TOO_BIG, "output" },
        { "not a program",
          "\x7f"
          "ELF",
          NULL, ERR_NOT_FOUND, "get it at example.com" },
    };
    struct folder folder;

    (void)state;
    folder_init(&folder);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct exec_credential credential = { 0 };
        struct err err = { 0 };
        int result = run(&folder, cases[i].script, 20000, &credential, &err);

        CASE(cases[i].name, (result == 0) == (cases[i].token != NULL));
        CASE(cases[i].name, err.kind == cases[i].kind);
        if (result < 0 && (!strstr(err.message, cases[i].said) || strstr(err.message, "secret")))
            fail_msg("%s: %s", cases[i].name, err.message);
        CASE(cases[i].name, result < 0 || strcmp(credential.token, cases[i].token) == 0);
        exec_credential_release(&credential);
    }
    folder_release(&folder);
}

static void ignore_answer(void *context, json_t *object, const struct err *failure)
{
    (void)context;
    (void)object;
    (void)failure;
}

static void test_hangs(void **state)
{
    struct exec_credential credential;
    struct folder folder;
    struct err err = { 0 };

    (void)state;
    folder_init(&folder);
    assert_int_equal(run(&folder, "#!/bin/sh\nsleep 30\n", 50, &credential, &err), -1);
    assert_int_equal(err.kind, ERR_RETRY);
    /* without its output it can hang as well */
    assert_int_equal(run(&folder, "#!/bin/sh\nexec >&- 2>&-\nsleep 30\n", 50, &credential, &err),
                     -1);
    assert_int_equal(err.kind, ERR_RETRY);
    /* nor does one that never stops talking keep us from the time */
    assert_int_equal(run(&folder, "#!/bin/sh\nexec yes\n", 50, &credential, &err), -1);
    assert_int_equal(err.kind, ERR_RETRY);
    assert_int_equal(run(&folder, "#!/bin/sh\nexec yes >&2\n", 50, &credential, &err), -1);
    assert_int_equal(err.kind, ERR_RETRY);
    folder_release(&folder);
}

static int64_t read_number(const struct folder *folder, const char *name)
{
    auto_free char *path = mem_format("%s/%s", folder->path, name);
    auto_fclose FILE *file = fopen(path, "re");
    char text[32] = "";
    int64_t number = 0;

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    text[strcspn(text, "\n")] = '\0';
    assert_int_equal(num_int64(span_of(text), 2, INT32_MAX, &number, NULL), 0);
    return number;
}

/* A plugin that takes too long takes its children with it. */
static void test_hanging_family(void **state)
{
    static const char script[] = "#!/bin/sh\n"
                                 "sleep 60 &\n"
                                 "echo $! > \"$(dirname \"$0\")/child\"\n"
                                 "wait\n";
    struct exec_credential credential;
    struct folder folder;
    struct err err = { 0 };

    (void)state;
    folder_init(&folder);
    assert_int_equal(run(&folder, script, 1000, &credential, &err), -1);
    assert_int_equal(err.kind, ERR_RETRY);
    auto_free char *process = mem_format("/proc/%d/stat", (int)read_number(&folder, "child"));
    int64_t give_up_ms = clock_monotonic_ms(&clock_system) + 10000;
    bool lives = true;
    while (lives && clock_monotonic_ms(&clock_system) < give_up_ms) {
        auto_fclose FILE *file = fopen(process, "re");
        char text[256] = "";

        lives = file && fgets(text, sizeof(text), file) && !strstr(text, ") Z");
    }
    assert_false(lives);
    folder_release(&folder);
}

/* The certificate of a plugin goes where that of a kubeconfig would. */
static void test_certificate_is_presented(void **state)
{
    struct folder folder;
    struct fake fake;

    (void)state;
    folder_init(&folder);
    auto_free char *path = folder_write(
        &folder, "plugin",
        PRINT("\"clientCertificateData\":\"the certificate\",\"clientKeyData\":\"the key\""), 0700);
    fake_init(&fake);
    kube_credentials_free(fake.config.credentials);
    fake.config.credentials = kube_credentials_new(&(struct kube_credentials_options){
        .exec = &(struct exec_plugin){ .command = path, .api_version = V1 } });
    kube_get(fake.client, &NODES, NULL, "a", ignore_answer, NULL);
    struct http_call *call = fake_expect(&fake, "GET", "/api/v1/nodes/a", "");
    assert_string_equal(call->certificate, "the certificate");
    assert_string_equal(call->key, "the key");
    assert_string_equal(call->authorization, "");
    fake_answer(call, 200, "{}");
    fake_release(&fake);
    folder_release(&folder);
}

/* A child that outlives the plugin and keeps its output open is not waited for. */
static void test_lingering_child(void **state)
{
    static const char script[] = "#!/bin/sh\n"
                                 "sleep 60 &\n"
                                 "echo $! > \"$(dirname \"$0\")/child\"\n"
                                 "echo '" ANSWER("\"token\":\"abc\"") "'\n";
    struct exec_credential credential = { 0 };
    struct folder folder;
    struct err err = { 0 };

    (void)state;
    folder_init(&folder);
    if (run(&folder, script, 10000, &credential, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(credential.token, "abc");
    exec_credential_release(&credential);

    assert_int_equal(kill((pid_t)read_number(&folder, "child"), SIGKILL), 0);
    folder_release(&folder);
}

static void test_missing(void **state)
{
    const struct exec_plugin plugin = { .command = "no-such-plugin-anywhere",
                                        .api_version = V1,
                                        .install_hint = "get it at example.com" };
    struct exec_credential credential;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(exec_plugin_run(&plugin, 1000, &credential, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "no-such-plugin-anywhere"));
    assert_non_null(strstr(err.message, "get it at example.com"));
}

/* What a kubeconfig says reaches the plugin: arguments, environment, cluster. */
static void test_protocol(void **state)
{
    static const char script[] =
        "#!/bin/sh\n"
        "folder=$(dirname \"$0\")\n"
        "{ echo \"$1,$2,$A,$B,$KEPT\"; echo \"$KUBERNETES_EXEC_INFO\"; } > \"$folder/seen\"\n"
        "read line && exit 9\n" /* there is nobody to ask */
        "echo '" ANSWER("\"token\":\"abc\"") "'\n";
    static const char text[] =
        "current-context: x\n"
        "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
        "clusters:\n"
        "- name: c\n"
        "  cluster:\n"
        "    server: https://k\n"
        "    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==\n"
        "    extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: bank}}]\n"
        "users:\n"
        "- name: u\n"
        "  user:\n"
        "    exec:\n"
        "      apiVersion: " V1 "\n"
        "      command: ./plugin\n"
        "      args: [get, a b]\n"
        "      env: [{name: A, value: new}, {name: B, value: '2'}]\n"
        "      interactiveMode: IfAvailable\n"
        "      provideClusterInfo: true\n";
    char *variables[] = { "A=old", "KEPT=yes", "PATH=/usr/bin:/bin", "KUBERNETES_EXEC_INFO=old",
                          NULL };
    auto_kubeconfig struct kubeconfig kubeconfig = { 0 };
    auto_kube_config struct kube_config config = { 0 };
    struct kube_authorization authorization;
    struct folder folder;
    struct err err = { 0 };
    char seen[1000] = "";

    (void)state;
    folder_init(&folder);
    free(folder_write(&folder, "plugin", script, 0700));
    auto_free char *path = mem_format("%s/config", folder.path);
    auto_free char *seen_path = mem_format("%s/seen", folder.path);

    assert_int_equal(kubeconfig_add(&kubeconfig, span_of(text), path, &err), 0);
    assert_int_equal(kubeconfig_select(&kubeconfig, NULL, variables, &config, &err), 0);
    kubeconfig_release(&kubeconfig); /* nothing is borrowed from it */
    if (kube_credentials_get(config.credentials, &clock_system, &authorization, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(authorization.header, "Bearer abc");

    auto_fclose FILE *file = fopen(seen_path, "re");
    assert_non_null(file);
    seen[fread(seen, 1, sizeof(seen) - 1, file)] = '\0';
    assert_string_equal(
        seen, "get,a b,new,2,yes\n"
              "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"spec\":{"
              "\"interactive\":false,\"cluster\":{\"certificate-authority-data\":"
              "\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==\",\"config\":{\"audience\":\"bank\"},"
              "\"server\":\"https://k\"}}}\n");
    folder_release(&folder);
}

static int64_t read_clock(void *context)
{
    return *(int64_t *)context;
}

/* The plugin counts its runs in its token. From 60000 on each one that it gives has expired, as by
 * a clock that is ahead: it is used all the same, and not asked for with every request. */
static void test_expiry(void **state)
{
    static const char script[] =
        "#!/bin/sh\n"
        "count=\"$(dirname \"$0\")/count\"; echo >> \"$count\"\n"
        "echo '{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{"
        "\"token\":\"t'$(wc -l < \"$count\")'\",\"expirationTimestamp\":\"1970-01-01T00:01:00Z\","
        "\"clientCertificateData\":\"cert\",\"clientKeyData\":\"key\"}}'\n";
    int64_t now_ms = 0;
    const struct clock clock = { read_clock, read_clock, &now_ms };
    char *variables[] = { "PATH=/usr/bin:/bin", NULL };
    struct kube_authorization authorization = { 0 };
    struct folder folder;
    struct err err = { 0 };

    (void)state;
    folder_init(&folder);
    auto_free char *path = folder_write(&folder, "plugin", script, 0700);
    const struct exec_plugin plugin = { .command = path,
                                        .api_version = V1,
                                        .environment = variables };
    struct kube_credentials *credentials =
        kube_credentials_new(&(struct kube_credentials_options){ .exec = &plugin });
    static const struct {
        int64_t now_ms;
        bool reject;
        const char *header;
    } steps[] = {
        { 0, false, "Bearer t1" },     { 59999, false, "Bearer t1" }, { 60000, false, "Bearer t2" },
        { 61000, false, "Bearer t2" }, { 90000, false, "Bearer t3" }, { 1000, false, "Bearer t3" },
        { 1000, true, "Bearer t4" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        now_ms = steps[i].now_ms;
        if (steps[i].reject)
            assert_true(kube_credentials_reject(credentials, authorization.generation));
        assert_int_equal(kube_credentials_get(credentials, &clock, &authorization, &err), 0);
        assert_string_equal(authorization.header, steps[i].header);
        assert_string_equal(authorization.certificate_pem, "cert");
        assert_string_equal(authorization.key_pem, "key");
    }
    kube_credentials_free(credentials);
    folder_release(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_hangs),
        cmocka_unit_test(test_lingering_child),
        cmocka_unit_test(test_hanging_family),
        cmocka_unit_test(test_certificate_is_presented),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_protocol),
        cmocka_unit_test(test_expiry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
