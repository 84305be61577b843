/* decision.h - whether a model is to be trained again, and why.
 *
 * One function, which model and batch reconcilers share: a batch that needs a
 * fresh model must agree with the model about what is due. */
#pragma once

#include "contract/identity.h"
#include "base/zone.h"
#include "model_api.h"

#define ACTION_STARTED "Started"
#define ACTION_SKIPPED "Skipped"

/* The reason (First, ImageDigestChanged, SpecChanged, DataChanged, Scheduled, Token) for which a
 * training from these inputs is due; NULL when none is. What ran last is in status, whether
 * it succeeded or failed: a failed run is final until an input changes. Inputs that are due
 * give another run key than those that ran last. */
const char *training_due(const struct model_spec *spec, const struct model_status *status,
                         const struct training_inputs *inputs);

/* The part that a data file has in the inputs of a training: none, unless retrain.on has Data. */
void training_use_data(const struct model_spec *spec, const char *uri, const char *generation,
                       struct training_inputs *inputs);

/* The schedule of the spec as status.schedule names it: "0 3 * * 0 Europe/Berlin"; NULL: none. */
const char *training_schedule(const struct model_spec *spec, struct arena *arena);
/* The last tick of the schedule that status speaks of, if no training was of it or of a later
 * one; 0: none is due. However many were missed, only the last one counts. */
int64_t training_tick(const struct model_spec *spec, const struct model_status *status,
                      const struct zone *zone, int64_t now_ms);

/* The trainer image of a model. */
const char *trainer_image(const struct model_spec *spec, const char *default_image);
