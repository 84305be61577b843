/* push.h - pure: which objects a push speaks of.
 *
 * A push is what a store sends when an object has come, in one of these forms:
 *
 *   Google   Pub/Sub's push of a bucket's notification: attributes of "message" name
 *            bucketId, objectId and eventType. Other attributes and the data are not read.
 *   S3       {"Records": [{"eventName", "s3": {"bucket": {"name"}, "object": {"key"}}}]}, by AWS,
 *            MinIO, versitygw and others; a key is encoded as forms are.
 *   SNS      the same as the text "Message" of a {"Type": "Notification"}, or a
 *            {"Type": "SubscriptionConfirmation"}, which wants an answer.
 *
 * Nothing of it is believed: a push says where to look, and what is there decides. So of
 * an object only the URI is taken, and events about objects that went or changed otherwise
 * are empty pushes. */
#pragma once

#include "base/err.h"
#include "base/fields.h"
#include "base/span.h"

struct push {
    struct strings uris; /* gs://bucket/object, s3://bucket/key; of objects that came */
    /* A subscription that waits to be confirmed by a GET of this; NULL: none. Always
     * https://sns.<region>.amazonaws.com/?Action=ConfirmSubscription&... */
    const char *subscribe_url, *topic;
};

/* Everything lives in the arena. ERR_INVALID says what the body lacks. */
int push_decode(struct span body, struct arena *arena, struct push *ret_push, struct err *err)
    __attribute__((warn_unused_result));

/* Whether an object of this URI is what a look-up of `looked_uri` would find: that very file,
 * or one that is directly in that folder. */
bool push_concerns(const char *object_uri, const char *looked_uri);
