/* exec_plugin.h - credentials from a program that a kubeconfig names.
 *
 * The protocol is client.authentication.k8s.io/v1 and /v1beta1: the program learns through
 * KUBERNETES_EXEC_INFO what is wanted, and prints an ExecCredential. It is never
 * interactive here: its standard input is empty. Running it blocks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

/* A plugin may have to talk to an identity provider; one that takes longer is killed. */
#define EXEC_PLUGIN_TIMEOUT_MS 60000

struct exec_plugin {
    const char *command; /* looked for in PATH unless it has a '/' */
    const char *const *arguments;
    size_t argument_count;
    const char *const *variables; /* "NAME=value", on top of the environment */
    size_t variable_count;
    char *const *environment; /* of this process, NULL-terminated; NULL: empty */
    const char *api_version;  /* "client.authentication.k8s.io/v1" or ".../v1beta1" */
    const char *install_hint; /* said when it cannot be started; or NULL */
    const char *cluster_json; /* spec.cluster for the plugin (provideClusterInfo), or NULL */
};

/* A copy that lives in the arena. The environment is borrowed. */
struct exec_plugin *exec_plugin_copy(const struct exec_plugin *plugin, struct arena *arena)
    __attribute__((returns_nonnull, warn_unused_result));

/* Texts are malloc'ed, NULL when the plugin gave none. */
struct exec_credential {
    char *token, *certificate_pem, *key_pem;
    int64_t expires_ms; /* wall time, milliseconds since 1970; 0: it did not say */
};
void exec_credential_release(struct exec_credential *credential);

/* Runs the plugin for at most `timeout_ms`. NOT_FOUND: it cannot be started (message with
 * the install hint); DENIED: it failed (with the last line it wrote on stderr); RETRY: it took
 * too long; INVALID: it printed no ExecCredential. What it prints is never quoted. */
int exec_plugin_run(const struct exec_plugin *plugin, int64_t timeout_ms,
                    struct exec_credential *ret_credential, struct err *err)
    __attribute__((warn_unused_result));
