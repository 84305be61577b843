/* identity.h - names derived from content: run keys, spec hashes, Jobs.
 *
 * All are SHA-256 over length-prefixed parts (base/sha256.h), the first part
 * naming what is hashed, so that two kinds of identity never coincide. Specs are
 * hashed as canonical JSON without members equal to their defaults: a field that
 * a later version adds leaves the identities of those who do not use it alone.
 * These are contracts: another value means that everything runs again. (The
 * version of a model is one too; ml/model.h computes it.) */
#pragma once

#include "base/span.h"
#include "contract/spec.h"

#define IDENTITY_KEY  33 /* 32 hex digits and NUL: runKey, specHash */
#define IDENTITY_NAME 64 /* a Kubernetes label and NUL              */

/* specHash of a training: data, algorithm, parameters, validation, threshold,
 * seed, as the user wrote them (a folder stays a folder). */
void identity_training_spec(const struct training_spec *spec, char ret_key[IDENTITY_KEY]);

/* What a training is made from besides its spec and retrain.token. */
struct training_inputs {
    const char *image_digest;               /* "sha256:..."                                   */
    const char *data_uri, *data_generation; /* the file, where new data are a reason to train;
                                             * data_uri NULL: they are none                   */
    int64_t scheduled_ms;                   /* the tick that it is of; 0: of none             */
};

/* runKey of a training: specHash, retrain.token, inputs. */
void identity_training_run(const char *spec_hash, const char *token,
                           const struct training_inputs *inputs, char ret_key[IDENTITY_KEY]);

/* What the specHash of a batch covers, as the user wrote it; an absent version or
 * generation is NULL or "". */
struct batch_identity {
    const char *model, *model_version;
    const char *input_uri, *input_generation;
    const struct output_spec *output;
    const struct scoring_options *scoring;
};

void identity_batch_spec(const struct batch_identity *batch, char ret_key[IDENTITY_KEY]);

/* runKey of a batch: specHash and retryToken. */
void identity_batch_run(const char *spec_hash, const char *retry_token, char ret_key[IDENTITY_KEY]);

/* The folder of a sharded run's parts: everything that decides what is in them.
 * NULL counts as "". */
void identity_parts(const char *spec_hash, const char *model_version, const char *input_uri,
                    const char *input_generation, int64_t shard_count, char ret_key[IDENTITY_KEY]);

/* The name of the batch that an inbox makes for one generation of a file: the beginnings of the
 * model's and of the file's name as far as a Kubernetes name allows, and 10 hex digits of
 * H(model, file, generation). */
void identity_inbox_batch(const char *model_name, const char *file_uri, const char *generation,
                          char ret_name[IDENTITY_NAME]);

/* The first 40 characters of the owner's name (trailing '-' cut), '-', letter
 * ('t' training, 's' scoring, 'c' composing, 'p' probing an image), and 10 hex digits of H(uid,
 * runKey, attempt). */
void identity_job_name(const char *owner_name, char letter, const char *owner_uid,
                       const char *run_key, int64_t attempt, char ret_name[IDENTITY_NAME]);
