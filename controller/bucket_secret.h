/* bucket_secret.h - what opens a bucket for the controller: a Secret of spec.credentials, read by
 * name right before a look-up and forgotten after it, as an environment of its own for lib/store.
 * Then the decoded texts are overwritten, and tokens that a key was exchanged for; what else had
 * them meanwhile (the API server's answer, its JSON, the settings of lib/store, libcurl, OpenSSL)
 * is freed as it is.
 *
 * The Secret is somebody's who may not have the controller's rights. So the environment holds
 * nothing but what is in it: no file of the controller, no metadata server, and only hosts
 * elsewhere (public_hosts_only). A Secret without a key for the scheme opens what is open to all.
 */
#pragma once

#include "kube/client.h"
#include "store/store.h"

#include "job_credentials.h"

/* --- the content; may be used by another thread than the one that read it --- */

struct bucket_keys;                              /* texts of the Secret's keys */
void bucket_keys_free(struct bucket_keys *keys); /* overwrites them; NULL: no effect */

/* Of the Secret; borrowed from the keys. */
const char *bucket_keys_namespace(const struct bucket_keys *keys) __attribute__((returns_nonnull));

/* Fills what lib/store asks for; borrowed from the keys. */
void bucket_keys_options(const struct bucket_keys *keys, struct stores_options *options);

/* --- reading it --- */

struct bucket_secret; /* one Secret's name; one reading at a time */

struct bucket_secret *bucket_secret_new(struct kube_client *client, const char *namespace,
                                        const char *name)
    __attribute__((returns_nonnull, warn_unused_result));
void bucket_secret_free(struct bucket_secret *secret); /* cancels; NULL: no effect */

/* Calls back once, later, with keys that are the callee's, or with what failed. */
void bucket_secret_read(struct bucket_secret *secret,
                        void (*done)(void *context, struct bucket_keys *take_keys,
                                     const struct err *failure),
                        void *context);

/* --- pure, for tests --- */

/* Of the Secret object. ERR_INVALID names the key that is not base64 or too long. */
struct bucket_keys *bucket_keys_decode(const json_t *secret, struct err *err)
    __attribute__((warn_unused_result));
