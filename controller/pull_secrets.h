/* pull_secrets.h - the pull secrets of one image, read right before they are used.
 *
 * Secrets are read one by one by name (the controller has no right to list
 * them), kept for one look-up and forgotten after it: the decoded texts are overwritten, what the
 * API server's answer, its JSON and libcurl had of them is freed as it is. One that does not exist,
 * or is of another type, is left out, as the kubelet does. When none is named, those of a
 * ServiceAccount count, as for a pod: the admission of pods puts them in. */
#pragma once

#include "base/fields.h"
#include "kube/client.h"

struct pull_secrets;

/* Names are copied. `account` is read when there are no names; NULL: no account. */
struct pull_secrets *pull_secrets_new(struct kube_client *client, const char *namespace,
                                      const struct strings *names, const char *account)
    __attribute__((warn_unused_result));
void pull_secrets_free(struct pull_secrets *secrets); /* NULL: no effect */

/* Reads them all, then calls back once. It fails only when the API server cannot be asked. */
void pull_secrets_read(struct pull_secrets *secrets,
                       void (*done)(void *context, const struct err *failure), void *context);

/* Texts of kubernetes.io/dockerconfigjson; borrowed until wiped. */
const struct span *pull_secrets_texts(const struct pull_secrets *secrets, size_t *ret_count);
/* Why a secret or the account was left out: worth telling when access is then denied. NULL: none
 * was. */
const char *pull_secrets_note(const struct pull_secrets *secrets);
/* Overwrites those texts. */
void pull_secrets_wipe(struct pull_secrets *secrets);
