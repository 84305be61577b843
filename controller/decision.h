/* decision.h - whether a model is to be trained again, and why.
 *
 * One function, which model and batch reconcilers share: a batch that needs a
 * fresh model must agree with the model about what is due. */
#pragma once

#include "contract/identity.h"
#include "model_api.h"

#define ACTION_STARTED "Started"
#define ACTION_SKIPPED "Skipped"

/* The reason (First, ImageDigestChanged, SpecChanged, DataChanged, Token) for which a
 * training from these inputs is due; NULL when none is. What ran last is in status, whether
 * it succeeded or failed: a failed run is final until an input changes. Inputs that are due
 * give another run key than those that ran last. */
const char *training_due(const struct model_spec *spec, const struct model_status *status,
                         const struct training_inputs *inputs);

/* The part that a data file has in the inputs of a training: none, unless retrain.on has Data. */
void training_use_data(const struct model_spec *spec, const char *uri, const char *generation,
                       struct training_inputs *inputs);

/* The trainer image of a model. */
const char *trainer_image(const struct model_spec *spec, const char *default_image);
