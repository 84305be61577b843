/* credentials.h - what proves who we are, kept fresh.
 *
 * Kinds: nothing (or only a client certificate), a fixed token, a token file,
 * user and password, an exec plugin. A token file is read again when it was
 * read 60 s ago, because the kubelet rotates it; a plugin runs again when its
 * credential expires, but not within 30 s: by a clock that is hours ahead each has expired when it
 * comes. Both are renewed at once after the server said 401.
 *
 * Running a plugin blocks the calling thread, for at most EXEC_PLUGIN_TIMEOUT_MS.
 * In a cluster there are no plugins. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "kube/exec_plugin.h"

#define KUBE_TOKEN_FILE_AGE_MS 60000
#define KUBE_CREDENTIAL_AGE_MS 30000

struct kube_credentials;

/* Everything is copied. At most one of token, token_file, username and exec
 * counts, in this order. */
struct kube_credentials_options {
    const char *token, *token_file;
    const char *username, *password;
    const struct exec_plugin *exec;
};

/* Does nothing yet but copy. */
struct kube_credentials *kube_credentials_new(const struct kube_credentials_options *options)
    __attribute__((returns_nonnull, warn_unused_result));
void kube_credentials_free(struct kube_credentials *credentials); /* NULL: no effect */

/* What one request carries; borrowed until the next call. */
struct kube_authorization {
    const char *header;                    /* "Bearer ...", or NULL */
    const char *certificate_pem, *key_pem; /* of an exec plugin, or NULL */
    unsigned generation;                   /* which credential this is, for a reject */
};

/* The current credential, renewed when it is due. Fails when a token file cannot be read or
 * a plugin fails (see exec_plugin_run()). A token that is merely old and cannot be read again
 * goes on to be used until the server refuses it. */
int kube_credentials_get(struct kube_credentials *credentials, const struct clock *clock,
                         struct kube_authorization *ret_authorization, struct err *err)
    __attribute__((warn_unused_result));

/* The server answered 401 to the credential of that generation: the next get renews, unless
 * that has happened since. False when there is nothing to renew, so that trying again is
 * pointless. */
bool kube_credentials_reject(struct kube_credentials *credentials, unsigned generation);

/* A field_check: no more than printable ASCII without blanks, as it will stand in a header. */
int kube_check_token(const char *token, struct err *err) __attribute__((warn_unused_result));
