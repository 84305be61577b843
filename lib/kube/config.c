#include "kube/config.h"

#include <errno.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/num.h"
#include "kube/kubeconfig.h"

void kube_config_release(struct kube_config *config)
{
    kube_credentials_free(config->credentials);
    arena_release(&config->arena);
    *config = (struct kube_config){ 0 };
}

/* --- kubeconfig files --------------------------------------------------------- */

static int add_file(struct kubeconfig *kubeconfig, const char *path, struct err *err)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, LIMIT_YAML_DOCUMENT);
    if (file_read(path, &text, err) < 0)
        return -1;
    return kubeconfig_add(kubeconfig, (struct span){ buf_text(&text), text.length }, path, err);
}

static int load_file(const char *path, const struct kube_environment *environment,
                     const struct kube_config_options *options, struct kube_config *ret_config,
                     struct err *err)
{
    auto_kubeconfig struct kubeconfig kubeconfig = { 0 };

    if (add_file(&kubeconfig, path, err) < 0)
        return -1;
    return kubeconfig_select(&kubeconfig, options->context, environment->variables, ret_config,
                             err);
}

/* $KUBECONFIG: paths between ':'. Those that do not exist are left out, but when none does,
 * going on to another cluster would not be what was asked for. */
static int load_files(const char *paths, const struct kube_environment *environment,
                      const struct kube_config_options *options, struct kube_config *ret_config,
                      struct err *err)
{
    auto_kubeconfig struct kubeconfig kubeconfig = { 0 };

    for (const char *at = paths; *at;) {
        size_t length = strcspn(at, ":");
        auto_free char *path = mem_strndup(at, length);
        struct err failure = { 0 };

        at += length + (at[length] == ':');
        if (length > 0 && add_file(&kubeconfig, path, &failure) < 0 &&
            failure.kind != ERR_NOT_FOUND) {
            *err = failure;
            return -1;
        }
    }
    if (!kubeconfig.files)
        return err_set(err, ERR_NOT_FOUND, "no file of KUBECONFIG exists: %s", paths);
    return kubeconfig_select(&kubeconfig, options->context, environment->variables, ret_config,
                             err);
}

/* --- in a pod ------------------------------------------------------------------- */

static const char *read_namespace(const char *folder, struct arena *arena)
{
    auto_free char *path = mem_format("%s/namespace", folder);
    auto_buf struct buf text = { 0 };
    struct err ignored;

    buf_init(&text, LIMIT_CREDENTIAL);
    if (file_read(path, &text, &ignored) < 0)
        return "default";

    size_t length = strcspn(buf_text(&text), " \r\n");
    return length > 0 ? arena_strndup(arena, buf_text(&text), length) : "default";
}

static int load_in_cluster(const struct kube_environment *environment,
                           struct kube_config *ret_config, struct err *err)
{
    const char *folder =
        environment->account_folder ? environment->account_folder : KUBE_ACCOUNT_FOLDER;
    const char *host = environment->service_host;
    bool is_ipv6 = strchr(host, ':');
    struct kube_config config = { .origin = "in-cluster" };
    int64_t port;

    if (num_int64(span_of(environment->service_port), 1, 65535, &port, err) < 0)
        return err_wrap(err, "KUBERNETES_SERVICE_PORT");
    config.tls.ca_file = arena_format(&config.arena, "%s/ca.crt", folder);
    if (access(config.tls.ca_file, R_OK) < 0) {
        err_errno(err, errno, "%s", config.tls.ca_file);
        kube_config_release(&config);
        return -1;
    }
    config.server = arena_format(&config.arena, "https://%s%s%s:%" PRId64, is_ipv6 ? "[" : "", host,
                                 is_ipv6 ? "]" : "", port);
    config.namespace = read_namespace(folder, &config.arena);
    config.credentials = kube_credentials_new(&(struct kube_credentials_options){
        .token_file = arena_format(&config.arena, "%s/token", folder) });
    *ret_config = config;
    return 0;
}

/* --- the order --------------------------------------------------------------------- */

static bool is_set(const char *text)
{
    return text && *text;
}

static int load_home(const struct kube_environment *environment,
                     const struct kube_config_options *options, struct kube_config *ret_config,
                     struct err *err)
{
    auto_free char *path = NULL;

    if (!is_set(environment->home))
        return err_set(err, ERR_NOT_FOUND,
                       "no cluster is configured: pass --kubeconfig or set KUBECONFIG");
    path = mem_format("%s/.kube/config", environment->home);
    return load_file(path, environment, options, ret_config, err);
}

int kube_config_load(const struct kube_environment *environment,
                     const struct kube_config_options *options, struct kube_config *ret_config,
                     struct err *err)
{
    struct kube_config config = { 0 };
    int result;

    if (is_set(options->kubeconfig))
        result = load_file(options->kubeconfig, environment, options, &config, err);
    else if (is_set(environment->kubeconfig))
        result = load_files(environment->kubeconfig, environment, options, &config, err);
    else if (is_set(environment->service_host) && is_set(environment->service_port))
        result = load_in_cluster(environment, &config, err);
    else
        result = load_home(environment, options, &config, err);
    if (result < 0)
        return -1;
    config.user_agent =
        options->user_agent ? arena_strdup(&config.arena, options->user_agent) : NULL;
    *ret_config = config;
    return 0;
}
