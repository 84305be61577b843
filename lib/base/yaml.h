/* yaml.h - YAML (libyaml) to a jansson tree, for kubeconfig and manifests.
 *
 * The YAML that Kubernetes accepts: one document, keys taken as they are
 * written (`1:` names the member "1"), no infinity or nan. Anchors and
 * aliases are refused (a few hundred bytes of them expand to gigabytes), and so
 * are duplicate keys, tags other than the core ones, and documents beyond
 * LIMIT_YAML_DOCUMENT or LIMIT_JSON_DEPTH. Plain scalars become null, booleans,
 * integers or reals by the YAML 1.2 core schema; quoted ones stay strings. */
#pragma once

#include "base/json.h"

/* Exactly one document; errors name `what`, line and column. New reference. */
json_t *yaml_parse(struct span text, const char *what, struct err *err)
    __attribute__((warn_unused_result));

/* A stream of documents ("---" between them) as a JSON array; empty documents
 * are left out. New reference. */
json_t *yaml_parse_all(struct span text, const char *what, struct err *err)
    __attribute__((warn_unused_result));
