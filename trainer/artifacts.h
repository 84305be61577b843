/* artifacts.h - what a training leaves behind, and finds again.
 *
 *   <artifacts>/<namespace>.<model>/<version>/   model.json, booster.ubj or
 *       weights.json, evaluation/ (the same two files of the model fitted without
 *       the hold-out), metrics.json, report.html
 *   <artifacts>/<namespace>.<model>/runs/<runKey>.json   which version a run made
 *
 * model.json is put last and only if absent, so a version folder with a model.json
 * is complete. Equal content that is there already is success. */
#pragma once

#include "trainer/training.h"

/* "<artifacts>/<namespace>.<model>/"; on a laptop without the namespace. Lives in
 * the training's arena. */
const char *artifacts_folder(struct training *training) __attribute__((returns_nonnull));

/* Publishes evaluation and final model; sets version_uri and document_sha256. The
 * models are finished (texts of model.json in hand). ERR_EXISTS (OutputExists)
 * when something else is there under this version. */
int artifacts_publish(struct training *training, const char *final_text,
                      const char *evaluation_text, struct err *err)
    __attribute__((warn_unused_result));

/* --- run records --------------------------------------------------------- */

/* Looks for the record of job.run_key. It counts when the data have the same
 * sha256 and its version loads, hash checked; then version_uri, figures and the
 * identity of `final` are filled from it. No run key: nothing is found. */
int run_record_find(struct training *training, bool *ret_found, struct err *err)
    __attribute__((warn_unused_result));

/* Writes the record; nothing without a run key. */
int run_record_write(struct training *training, struct err *err)
    __attribute__((warn_unused_result));
