/* load.h - a published model version from its folder. */
#pragma once

#include "contract/job.h"
#include "ml/model.h"
#include "store/store.h"

/* Reads model.json and the file it names, and checks that the version is the hash
 * of both and, when the job names one, that one. DataInvalid otherwise. */
int load_model(struct stores *stores, const struct model_source *source, struct model *ret_model,
               struct err *err) __attribute__((warn_unused_result));
