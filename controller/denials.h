/* denials.h - Events about rights that the controller lacks.
 *
 * What is missing for a Job or a pull secret stands in a condition. All else that the API server
 * refuses, the write of status first of all, is told by an Event that quotes it: user, verb, and
 * resource; about the object that it was for, or about the Lease when it was for none. Such an
 * Event takes nothing of what other Events about the object may cost (kube/recorder.h). */
#pragma once

#include "kube/recorder.h"

/* Records an Event of reason PermissionDenied when that is what `failure` is; else nothing. */
void denial_tell(struct recorder *recorder, const struct event_subject *subject,
                 const struct err *failure);
