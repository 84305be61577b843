/* Goal: the configuration is found where kubectl and client-go look for it, and what is wrong with
 * a kubeconfig is said with file and field.
 * Method: kubeconfig texts in a table, good and bad; files in a temporary folder for the order of
 * sources and for the service account. */
#include "folder.h"

#include "kube/config.h"
#include "kube/kubeconfig.h"

#define PEM "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==" /* -----BEGIN CERTIFICATE----- */

/* One cluster, user and context with these members. */
#define KUBECONFIG(cluster, user)                                                                  \
    "apiVersion: v1\nkind: Config\ncurrent-context: one\n"                                         \
    "contexts: [{name: one, context: {cluster: c, user: u, namespace: bank}}]\n"                   \
    "clusters: [{name: c, cluster: {" cluster "}}]\n"                                              \
    "users: [{name: u, user: {" user "}}]\n"

static int parse(const char *text, struct kube_config *ret_config, struct err *err)
{
    auto_kubeconfig struct kubeconfig kubeconfig = { 0 };

    if (kubeconfig_add(&kubeconfig, span_of(text), "/home/a/.kube/config", err) < 0)
        return -1;
    return kubeconfig_select(&kubeconfig, NULL, NULL, ret_config, err);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const struct {
    const char *name, *text;
    const char *server, *header;
    struct tls_options tls;
} good_files[] = {
    { "token",
      KUBECONFIG("server: \"https://k:6443/\"", "token: abc"),
      "https://k:6443",
      "Bearer abc",
      { 0 } },
    { "nobody",
      KUBECONFIG("server: \"http://127.0.0.1:8080\"", ""),
      "http://127.0.0.1:8080",
      NULL,
      { 0 } },
    { "basic",
      KUBECONFIG("server: \"https://k\"", "username: Aladdin, password: open sesame"),
      "https://k",
      "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
      { 0 } },
    { "a path behind a gateway",
      KUBECONFIG("server: \"https://r/k8s/clusters/c-1\"", ""),
      "https://r/k8s/clusters/c-1",
      NULL,
      { 0 } },
    { "relative paths",
      KUBECONFIG("server: \"https://k\", certificate-authority: ca.crt",
                 "client-certificate: pki/a.crt, client-key: /etc/a.key"),
      "https://k",
      NULL,
      { .ca_file = "/home/a/.kube/ca.crt",
        .certificate_file = "/home/a/.kube/pki/a.crt",
        .key_file = "/etc/a.key" } },
    { "data",
      KUBECONFIG("server: \"https://k\", certificate-authority-data: " PEM,
                 "client-certificate-data: " PEM ", client-key-data: " PEM),
      "https://k",
      NULL,
      { .ca_pem = "-----BEGIN CERTIFICATE-----\n",
        .certificate_pem = "-----BEGIN CERTIFICATE-----\n",
        .key_pem = "-----BEGIN CERTIFICATE-----\n" } },
    { "TLS options",
      KUBECONFIG("server: \"https://10.0.0.1\", tls-server-name: k, insecure-skip-tls-verify: "
                 "true",
                 ""),
      "https://10.0.0.1",
      NULL,
      { .server_name = "k", .insecure = true } },
    { "what does not matter is ignored",
      KUBECONFIG("server: \"https://k\", disable-compression: true, extensions: [{name: minikube, "
                 "extension: {version: 1}}]",
                 "token: abc, extensions: null"),
      "https://k",
      "Bearer abc",
      { 0 } },
    { "empty is absent",
      KUBECONFIG("server: \"https://k\", certificate-authority-data: \"\", proxy-url: \"\"",
                 "auth-provider: null, client-certificate: \"\""),
      "https://k",
      NULL,
      { 0 } },
};

static void test_good(void **state)
{
    const struct clock clock = clock_system;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good_files); i++) {
        auto_kube_config struct kube_config config = { 0 };
        struct kube_authorization authorization;
        struct err err = { 0 };

        if (parse(good_files[i].text, &config, &err) < 0)
            fail_msg("%s: %s", good_files[i].name, err.message);
        CASE(good_files[i].name, same(config.server, good_files[i].server));
        CASE(good_files[i].name, same(config.namespace, "bank"));
        CASE(good_files[i].name, same(config.origin, "/home/a/.kube/config context one"));
        CASE(good_files[i].name, same(config.tls.ca_file, good_files[i].tls.ca_file));
        CASE(good_files[i].name, same(config.tls.ca_pem, good_files[i].tls.ca_pem));
        CASE(good_files[i].name,
             same(config.tls.certificate_file, good_files[i].tls.certificate_file));
        CASE(good_files[i].name,
             same(config.tls.certificate_pem, good_files[i].tls.certificate_pem));
        CASE(good_files[i].name, same(config.tls.key_file, good_files[i].tls.key_file));
        CASE(good_files[i].name, same(config.tls.key_pem, good_files[i].tls.key_pem));
        CASE(good_files[i].name, same(config.tls.server_name, good_files[i].tls.server_name));
        CASE(good_files[i].name, config.tls.insecure == good_files[i].tls.insecure);
        CASE(good_files[i].name,
             kube_credentials_get(config.credentials, &clock, &authorization, &err) == 0);
        CASE(good_files[i].name, same(authorization.header, good_files[i].header));
    }
}

#define CLUSTER(members) KUBECONFIG(members, "")
#define USER(members)    KUBECONFIG("server: \"https://k\"", members)
static const struct {
    const char *name, *text;
    enum err_kind kind;
    const char *said; /* in the message, besides the file */
} bad_files[] = {
    { "no YAML", "a: [", ERR_INVALID, "line" },
    { "no mapping", "- a\n", ERR_INVALID, "kubeconfig" },
    { "server missing", CLUSTER("tls-server-name: k"), ERR_INVALID, "clusters[0].cluster.server" },
    { "server is no URL", CLUSTER("server: \"k:6443\""), ERR_INVALID, "server" },
    { "CA is no base64", CLUSTER("server: \"https://k\", certificate-authority-data: \"!\""),
      ERR_INVALID, "certificate-authority-data" },
    { "CA is no PEM", CLUSTER("server: \"https://k\", certificate-authority-data: Zm9v"),
      ERR_INVALID, "certificate-authority-data" },
    { "proxy", CLUSTER("server: \"https://k\", proxy-url: \"ftp://p\""), ERR_INVALID, "proxy-url" },
    { "flag is no boolean", CLUSTER("server: \"https://k\", insecure-skip-tls-verify: \"yes\""),
      ERR_INVALID, "insecure-skip-tls-verify" },
    { "auth provider", USER("auth-provider: {name: gcp}"), ERR_UNSUPPORTED, "auth-provider" },
    { "impersonation", USER("token: a, as: root"), ERR_UNSUPPORTED, "impersonation" },
    { "token with a line break", USER("token: \"a\\nX-Remote-User: root\""), ERR_INVALID,
      "users[0].user.token" },
    { "certificate without key", USER("client-certificate: a.crt"), ERR_INVALID, "client-key" },
    { "exec without version", USER("exec: {command: a}"), ERR_INVALID, "apiVersion" },
    { "exec of an old version",
      USER("exec: {command: a, apiVersion: client.authentication.k8s.io/v1alpha1}"), ERR_INVALID,
      "users[0].user.exec.apiVersion" },
    { "interactive exec",
      USER("exec: {command: a, apiVersion: client.authentication.k8s.io/v1, "
           "interactiveMode: Always}"),
      ERR_UNSUPPORTED, "interactiveMode" },
    { "no such cluster", "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]",
      ERR_INVALID, "no cluster \"c\"" },
    { "no such user",
      "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
      "clusters: [{name: c, cluster: {server: \"https://k\"}}]",
      ERR_INVALID, "no user \"u\"" },
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
        auto_kube_config struct kube_config config = { 0 };
        struct err err = { 0 };

        CASE(bad_files[i].name, parse(bad_files[i].text, &config, &err) == -1);
        if (err.kind != bad_files[i].kind || !strstr(err.message, bad_files[i].said) ||
            !strstr(err.message, "/home/a/.kube/config"))
            fail_msg("%s: %s: %s", bad_files[i].name, err_kind_name(err.kind), err.message);
        CASE(bad_files[i].name, !config.server && !config.credentials);
    }
}

static void test_context(void **state)
{
    static const char first[] = "contexts: [{name: a, context: {cluster: c}}]\n"
                                "clusters: [{name: c, cluster: {server: \"https://first\"}}]\n";
    static const char second[] = "current-context: b\n"
                                 "contexts: [{name: a, context: {cluster: other}}, "
                                 "{name: b, context: {cluster: c, user: u, namespace: n}}]\n"
                                 "clusters: [{name: c, cluster: {server: \"https://second\"}}]\n"
                                 "users: [{name: u, user: {tokenFile: token}}]\n";
    auto_kubeconfig struct kubeconfig kubeconfig = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(kubeconfig_add(&kubeconfig, span_of(first), "/1/config", &err), 0);
    {
        auto_kube_config struct kube_config config = { 0 };

        assert_int_equal(kubeconfig_select(&kubeconfig, NULL, NULL, &config, &err), -1);
        assert_non_null(strstr(err.message, "current-context"));
    }
    assert_int_equal(kubeconfig_add(&kubeconfig, span_of(second), "/2/config", &err), 0);
    {
        auto_kube_config struct kube_config config = { 0 };

        assert_int_equal(kubeconfig_select(&kubeconfig, NULL, NULL, &config, &err), 0);
        assert_string_equal(config.server, "https://first"); /* the first "c" counts */
        assert_string_equal(config.namespace, "n");
        assert_string_equal(config.origin, "/2/config context b");
    }
    {
        auto_kube_config struct kube_config config = { 0 };

        assert_int_equal(kubeconfig_select(&kubeconfig, "a", NULL, &config, &err), 0);
        assert_string_equal(config.namespace, "default");
    }
    {
        auto_kube_config struct kube_config config = { 0 };

        assert_int_equal(kubeconfig_select(&kubeconfig, "z", NULL, &config, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        assert_non_null(strstr(err.message, "\"z\""));
    }
}

/* --- where it comes from ----------------------------------------------------- */

static const char *origin_of(const struct kube_environment *environment, const char *flag,
                             struct kube_config *config, struct err *err)
{
    const struct kube_config_options options = { .kubeconfig = flag, .user_agent = "test/1" };

    kube_config_release(config);
    *err = (struct err){ 0 };
    return kube_config_load(environment, &options, config, err) == 0 ? config->origin : NULL;
}

static void test_order(void **state)
{
    struct folder folder;

    (void)state;
    folder_init(&folder);
    auto_free char *a = folder_write(&folder, "a", CLUSTER("server: \"https://a\""), 0600);
    auto_free char *b = folder_write(&folder, "b", CLUSTER("server: \"https://b\""), 0600);
    auto_free char *ca = folder_write(&folder, "ca.crt", "-----BEGIN", 0600);
    free(folder_write(&folder, "namespace", "churn-system\n", 0600));
    free(folder_write(&folder, "token", "t-1", 0600));
    auto_free char *list = mem_format(":%s/none:%s:%s", folder.path, b, a);
    auto_free char *nothing = mem_format("%s/none:%s/neither", folder.path, folder.path);
    auto_kube_config struct kube_config config = { 0 };
    struct kube_environment environment = { .kubeconfig = list,
                                            .home = folder.path,
                                            .service_host = "fd00::1",
                                            .service_port = "443",
                                            .account_folder = folder.path };
    struct err err;

    assert_non_null(origin_of(&environment, a, &config, &err));
    assert_string_equal(config.server, "https://a");
    assert_string_equal(config.user_agent, "test/1");

    assert_non_null(origin_of(&environment, NULL, &config, &err));
    assert_string_equal(config.server, "https://b");

    environment.kubeconfig = nothing;
    assert_null(origin_of(&environment, NULL, &config, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);

    environment.kubeconfig = "";
    assert_string_equal(origin_of(&environment, NULL, &config, &err), "in-cluster");
    assert_string_equal(config.server, "https://[fd00::1]:443");
    assert_string_equal(config.namespace, "churn-system");
    assert_string_equal(config.tls.ca_file, ca);

    struct kube_authorization authorization;
    assert_int_equal(kube_credentials_get(config.credentials, &clock_system, &authorization, &err),
                     0);
    assert_string_equal(authorization.header, "Bearer t-1");

    environment.service_port = "https";
    assert_null(origin_of(&environment, NULL, &config, &err));
    assert_non_null(strstr(err.message, "KUBERNETES_SERVICE_PORT"));

    environment.service_host = NULL;
    assert_null(origin_of(&environment, NULL, &config, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/.kube/config"));
    assert_null(origin_of(&environment, "/none", &config, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    folder_release(&folder);
}

/* A file of the list that is there but broken is not passed over. */
static void test_broken_file_in_list(void **state)
{
    struct folder folder;

    (void)state;
    folder_init(&folder);
    auto_free char *bad = folder_write(&folder, "bad", "a: [", 0600);
    auto_free char *good = folder_write(&folder, "good", CLUSTER("server: \"https://a\""), 0600);
    auto_free char *list = mem_format("%s:%s", good, bad);
    auto_kube_config struct kube_config config = { 0 };
    struct err err;

    assert_null(origin_of(&(struct kube_environment){ .kubeconfig = list }, NULL, &config, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.message, bad));
    folder_release(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_broken_file_in_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
