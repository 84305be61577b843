/* table.h - what `kubectl get` prints: meta.k8s.io/v1 Table objects. */
#pragma once

#include "kubesim/core/resource.h"

/* A Table of these objects (array of trees), without metadata. `now_ms` is wall time, for ages;
 * `with_columns`: false for the later events of a watch. New. */
json_t *table_make(const struct resource *resource, const json_t *objects, int64_t now_ms,
                   bool with_columns) __attribute__((warn_unused_result));

/* "5m12s", "3h", "2d": as kubectl writes an age. */
char *table_duration(int64_t ms) __attribute__((returns_nonnull));
