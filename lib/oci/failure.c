#include "oci/failure.h"

#include <string.h>

#include "net/http.h"
#include "oci/cloud.h"

static void set_reason(struct err *err, const char *reason)
{
    snprintf(err->reason, sizeof(err->reason), "%s", reason);
}

static bool is_reason(const struct err *err, const char *reason)
{
    return strcmp(err->reason, reason) == 0;
}

/* Nobody answered as a registry has to. */
static void explain_unreachable(struct err *err, const char *host)
{
    if (is_reason(err, HTTP_UNTRUSTED))
        err_append(err, "give the controller the authority's certificate with --registry-ca");
    else if (is_reason(err, HTTP_NO_TLS))
        err_append(err, "if it speaks plain HTTP, the controller needs --insecure-registry %s",
                   host);
    set_reason(err, "RegistryUnreachable");
}

/* A refusal without an answer is ours: the host is not allowed. */
static void explain_denied(struct err *err, const char *host, enum tried tried)
{
    static const char pin[] = "pin the image by digest (IMAGE@sha256:...)";

    set_reason(err, "RegistryDenied");
    if (err->http_status == 0)
        return;
    if (tried == TRIED_PULL_SECRETS) {
        err_append(err, "the pull secrets for it were refused: check user, password and rights");
    } else if (tried == TRIED_GOOGLE_ACCOUNT) {
        err_append(err,
                   "give the controller's Google service account the right to read the "
                   "repository, name a pull secret in imagePullSecrets, or %s",
                   pin);
        set_reason(err, "DigestUnresolvable");
    } else if (cloud_of_host(host) != CLOUD_NONE) {
        err_append(err,
                   "nodes may pull from it with an identity of their own, which the "
                   "controller has not: %s, or name a pull secret in imagePullSecrets",
                   pin);
        set_reason(err, "DigestUnresolvable");
    } else {
        err_append(err, "name a pull secret in imagePullSecrets or in the ServiceAccount, or %s",
                   pin);
    }
}

void registry_explain(struct err *err, const struct reference *reference, enum tried tried)
{
    if (is_reason(err, "PullSecretInvalid"))
        return;
    switch (err->kind) {
    case ERR_NOT_FOUND:
        err_append(err, "push it, or correct its name%s",
                   tried == TRIED_NOTHING ? ", or name a pull secret if it is private" : "");
        set_reason(err, "ImageNotFound");
        return;
    case ERR_DENIED:
        explain_denied(err, reference->host, tried);
        return;
    case ERR_RETRY:
        explain_unreachable(err, reference->host);
        return;
    default:
        err_append(err, "pin the image by digest (IMAGE@sha256:...) if this does not change");
        set_reason(err, "DigestUnresolvable");
        return;
    }
}
