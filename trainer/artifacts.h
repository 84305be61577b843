/* artifacts.h - what a training leaves behind, and finds again.
 *
 *   <artifacts>/<namespace>.<model>/<version>/   model.json, booster.ubj,
 *       weights.json or network.bin, evaluation/ (the same two files of the model fitted without
 *       the hold-out), metrics.json, report.html
 *   <artifacts>/<namespace>.<model>/runs/<runKey>.json   which version a run made
 *
 * model.json is put last and only if absent, so a version folder with a model.json
 * is complete. Equal content that is there already is success. Old versions are
 * deleted by retention.h. */
#pragma once

#include "trainer/training.h"

/* Returns -1. What could not be written is the output's fault, whatever the store says. */
int artifacts_output_failed(struct err *err);

/* "<artifacts>/<namespace>.<model>/"; on a laptop without the namespace. Lives in
 * the training's arena. */
const char *artifacts_folder(struct training *training) __attribute__((returns_nonnull));

/* Publishes evaluation and final model; sets version_uri and document_sha256. The
 * models are finished (texts of model.json in hand). ERR_EXISTS (OutputExists)
 * when something else is there under this version. */
int artifacts_publish(struct training *training, const char *final_text,
                      const char *evaluation_text, struct err *err)
    __attribute__((warn_unused_result));

/* Reads the model of a version folder, or of the evaluation/ in one, and checks its
 * hash. ret_text (the caller frees; may be NULL): its model.json. */
int artifacts_load(struct stores *stores, const char *folder_uri, struct model *ret_model,
                   char **ret_text, struct err *err) __attribute__((warn_unused_result));

/* --- run records --------------------------------------------------------- */

/* Looks for the record of job.run_key. It counts when the data have the same
 * sha256 and both models of its version load, hash checked; then version_uri, figures
 * and the two models are filled from it. No run key: nothing is found. */
int run_record_find(struct training *training, bool *ret_found, struct err *err)
    __attribute__((warn_unused_result));

/* The version that a record names, in the arena; NULL when it cannot be read. */
const char *run_record_version(struct store *store, const char *uri, struct arena *arena)
    __attribute__((warn_unused_result));

/* Writes the record; nothing without a run key. */
int run_record_write(struct training *training, struct err *err)
    __attribute__((warn_unused_result));
