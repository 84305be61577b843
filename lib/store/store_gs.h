/* store_gs.h - gs:// URIs as a store: Google Cloud Storage by its JSON API.
 *
 * A generation is the object's own. Objects of up to GS_PIECE_BYTES go up in one request, larger
 * ones in pieces of a resumable upload that is asked where it stands after a cut; in both cases
 * nothing is there before the last byte, and the server compares the CRC-32C. Objects made of
 * others (store_writer_append_object()) are composed, by up to 32 at a time and in trees;
 * what that needs in between is named ".churn-part.<name>.<random>", is not listed, and is
 * removed by the writer, or by the next one when it is an hour old.
 *
 * Environment: gs_credentials.h; STORAGE_EMULATOR_HOST (a server without credentials),
 * CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE (another endpoint, with them: https://,
 * or of this machine),
 * CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE (authorities to trust instead of the system's).
 * Rights: storage.objects.get, list, create, delete. */
#pragma once

#include "base/uri.h"
#include "store/store.h"

#define GS_PIECE_BYTES STORE_HEAD_BYTES /* a multiple of 256 KiB */

struct gs_account;

/* The store of the URI's bucket. */
struct store *store_gs_open(struct stores *stores, const struct uri *uri, struct err *err)
    __attribute__((warn_unused_result));

/* What the stores of all buckets share; NULL: no effect. */
void gs_account_free(struct gs_account *account);
