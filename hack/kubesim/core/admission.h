/* admission.h - what the server adds to and demands of the kinds it knows. */
#pragma once

#include "kubesim/core/api.h"

/* Defaults and checks of one kind, in place; `old` is NULL on create. Offences go to `causes`. */
void admission_check(struct api_call *call, json_t *object, const json_t *old, json_t *causes);

/* core/v1 <-> events.k8s.io/v1: one store, two spellings. New tree. */
json_t *event_from_core(const json_t *event);
json_t *event_to_core(const json_t *event);
