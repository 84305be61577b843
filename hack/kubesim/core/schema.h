/* schema.h - structural schemas: prune unknown members, set defaults, validate.
 *
 * Checked: type, required, enum, pattern, minimum, maximum, lengths of strings,
 * arrays and maps, list-type set and map, preserve-unknown-fields. Not checked,
 * because our definitions do without or real clusters are there for them:
 * nullable, int-or-string, exclusive bounds, CEL, formats, anyOf and its kin.
 * Patterns are POSIX extended regular expressions plus (?:, \d, \w and \s; the
 * documented subset of RE2.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
 */
#pragma once

#include "base/json.h"
#include "kubesim/core/index.h"

/* Removes members that the schema does not know, appending their paths (strings) to `unknown`
 * when that is not NULL. metadata, apiVersion and kind of the root are left alone. */
void schema_prune(const json_t *schema, json_t *value, json_t *unknown);

/* Sets defaults in place; nulls give way to them. */
void schema_default(const json_t *schema, json_t *value);

/* Appends {reason, message, field} for every offence to `causes`, worded as Kubernetes does.
 * `patterns` caches compiled expressions (regex_t, owned by the caller). */
void schema_validate(const json_t *schema, const json_t *value, struct index *patterns,
                     json_t *causes);

/* Appends one cause; also for rules that are not in a schema. */
void cause_add(json_t *causes, const char *reason, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
