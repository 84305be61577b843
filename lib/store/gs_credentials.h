/* gs_credentials.h - who this process is to Google Cloud Storage.
 *
 * Found in the environment once, in this order:
 *   GOOGLE_APPLICATION_CREDENTIALS            the key file of a service account (gs_key.h)
 *   CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true    nobody: objects that everybody may read
 *   STORAGE_EMULATOR_HOST                     nobody, as emulators want it
 *   otherwise the workload identity: the metadata server's account (net/google_token.h)
 *
 * Access tokens are kept until a minute before their end, and one thread at a time asks for one. */
#pragma once

#include "store/remote.h"

#define GS_SCOPE "https://www.googleapis.com/auth/devstorage.read_write"

/* NULL: the environment names credentials that cannot be used. `emulated`: a plain http:// token
 * endpoint is as good as the emulator. tls is borrowed; NULL: the system's authorities. */
struct gs_credentials *gs_credentials_new(struct remote *remote, bool emulated,
                                          const struct tls_options *tls, struct err *err)
    __attribute__((warn_unused_result));
void gs_credentials_free(struct gs_credentials *credentials); /* NULL: no effect */

/* NULL: nobody. Its failures are DENIED where waiting for an identity may help. */
const struct remote_signer *gs_credentials_signer(const struct gs_credentials *credentials);
