/* failure.h - pure: what a failed look-up is called, and what the user can do about it.
 *
 *   ImageNotFound        the registry does not have the image
 *   PullSecretInvalid    kept when it is there already: a pull secret cannot be read
 *   RegistryDenied       no credential was accepted, or the host is not allowed
 *   RegistryUnreachable  no answer, a busy one, or a certificate of an unknown authority
 *   DigestUnresolvable   the digest cannot be had in this way: nodes pull from there with an
 *                        identity of their own, or it is no registry as we know it */
#pragma once

#include "base/err.h"
#include "oci/reference.h"

/* What the registry refused, the last of what there was to try. */
enum tried { TRIED_NOTHING, TRIED_PULL_SECRETS, TRIED_GOOGLE_ACCOUNT };

/* Sets the reason of *err, and appends to its message what to do. */
void registry_explain(struct err *err, const struct reference *reference, enum tried tried);
