/* config.h - where the API server is, whom to trust, and who we are.
 *
 * The first of these that applies wins, as for kubectl and client-go:
 *   1. the file named by a --kubeconfig flag;
 *   2. the files of $KUBECONFIG, separated by ':', merged: of two entries with
 *      one name the first counts; files that do not exist are skipped;
 *   3. the service account of the pod, when KUBERNETES_SERVICE_HOST and _PORT
 *      are set;
 *   4. ~/.kube/config.
 *
 * Supported in a kubeconfig: contexts with namespace; certificate-authority,
 * client-certificate, client-key (file or -data, data wins; relative paths count
 * from the file they stand in), tls-server-name, insecure-skip-tls-verify, proxy-url;
 * token, tokenFile, username and password, and exec plugins. What would change who we
 * are and is not supported (auth-provider, impersonation) is refused with
 * ERR_UNSUPPORTED; the rest is ignored.
 *
 * The environment is read by main and passed in. Nothing here is thread-safe. */
#pragma once

#include "base/err.h"
#include "base/mem.h"
#include "kube/credentials.h"
#include "net/transport.h"

/* What main read from the environment; any member may be NULL. */
struct kube_environment {
    const char *kubeconfig;     /* $KUBECONFIG */
    const char *home;           /* $HOME */
    const char *service_host;   /* $KUBERNETES_SERVICE_HOST */
    const char *service_port;   /* $KUBERNETES_SERVICE_PORT */
    char *const *variables;     /* environ, handed on to exec plugins */
    const char *account_folder; /* NULL: KUBE_ACCOUNT_FOLDER */
};

#define KUBE_ACCOUNT_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

struct kube_config_options {
    const char *kubeconfig; /* --kubeconfig, or NULL */
    const char *context;    /* --context, or NULL: current-context */
    const char *user_agent; /* "churn-operator/0.1 (linux/amd64)", or NULL */
};

struct kube_config {
    const char *server;     /* "https://10.96.0.1:443", no '/' at the end */
    const char *namespace;  /* of the context or the pod; "default" when neither says */
    const char *user_agent; /* or NULL */
    const char *proxy;      /* proxy-url; NULL: the transport's own */
    const char *origin;     /* for messages: "in-cluster", "/home/a/.kube/config context kind" */
    struct tls_options tls; /* without what an exec plugin may add */
    struct kube_credentials *credentials;
    struct arena arena; /* owns the texts */
};

/* Finds and reads the configuration. ERR_NOT_FOUND: there is none, or a file or
 * context that was asked for does not exist; ERR_INVALID names file and field;
 * ERR_UNSUPPORTED: see above. Exec plugins are not run yet. */
int kube_config_load(const struct kube_environment *environment,
                     const struct kube_config_options *options, struct kube_config *ret_config,
                     struct err *err) __attribute__((warn_unused_result));
void kube_config_release(struct kube_config *config); /* safe on a zeroed struct */
#define auto_kube_config __attribute__((cleanup(kube_config_release)))
