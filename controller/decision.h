/* decision.h - whether a model is to be trained again, and why.
 *
 * One function, which model and batch reconcilers share: a batch that needs a
 * fresh model must agree with the model about what is due. */
#pragma once

#include "model_api.h"

#define ACTION_STARTED "Started"
#define ACTION_SKIPPED "Skipped"

/* The reason (First, ImageDigestChanged, SpecChanged, Token) for which a training
 * is due when the trainer image has this digest; NULL when none is. What ran last
 * is in status, whether it succeeded or failed: a failed run is final until an
 * input changes. */
const char *training_due(const struct model_spec *spec, const struct model_status *status,
                         const char *image_digest);

/* The trainer image of a model. */
const char *trainer_image(const struct model_spec *spec, const char *default_image);
