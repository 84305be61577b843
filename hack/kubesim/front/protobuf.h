/* protobuf.h - the few protobuf bodies that stock kubectl insists on: `create` of a Namespace,
 * Secret, ConfigMap or ServiceAccount sends application/vnd.kubernetes.protobuf.
 *
 * Known fields become the JSON that kubectl would have sent; any other field has to be empty.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding */
#pragma once

#include "base/json.h"

/* New; NULL with ERR_UNSUPPORTED (another kind, another field) or ERR_INVALID (cut off). */
json_t *protobuf_decode(struct span body, struct err *err) __attribute__((warn_unused_result));
