/* aws_credentials.h - the keys that S3 questions are signed with, renewed before they expire.
 *
 * In this order, the first that there is: keys in variables or the shared files (files are read
 * again after a minute, as a mounted Secret changes); a web identity, as EKS gives it to a service
 * account (IRSA: STS AssumeRoleWithWebIdentity with a token file that the kubelet renews); a
 * container's agent (EKS Pod Identity, ECS); the instance's metadata server (IMDSv2). None of the
 * last three is asked again before five minutes from the end of its keys, and keys that are still
 * good go on to be used when there are no newer ones.
 *
 * May be shared by threads: while one asks, the others wait for its answer. */
#pragma once

#include "store/aws_settings.h"

struct aws_credentials;

/* Asks nothing yet. The remote is borrowed. */
struct aws_credentials *aws_credentials_new(struct remote *remote)
    __attribute__((returns_nonnull, warn_unused_result));
void aws_credentials_free(struct aws_credentials *credentials); /* NULL: no effect */

/* Keys as they are now; their texts live in the arena. DENIED when there are none anywhere, or STS
 * refuses. */
int aws_credentials_get(struct aws_credentials *credentials, struct arena *arena,
                        struct aws_keys *ret_keys, struct err *err)
    __attribute__((warn_unused_result));

/* The store said that the keys have expired: the next get asks anew. */
void aws_credentials_expire(struct aws_credentials *credentials);
