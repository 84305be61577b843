#include "push.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/uri.h"

#define ENCODED_MAXIMUM (3 * LIMIT_OBJECT_NAME)

/* --- Google --------------------------------------------------------------------- */

struct notification {
    const char *bucket, *object, *event;
};

static const struct field notification_items[] = {
    FIELD(struct notification, bucket, "bucketId", FIELD_STRING,
          .flags = FIELD_REQUIRED | FIELD_NONEMPTY),
    FIELD(struct notification, object, "objectId", FIELD_STRING,
          .flags = FIELD_REQUIRED | FIELD_NONEMPTY),
    FIELD(struct notification, event, "eventType", FIELD_STRING, .flags = FIELD_REQUIRED),
};
static const struct fields notification_fields =
    FIELDS(struct notification, notification_items, .open = true);

struct message {
    struct notification *attributes;
};

static const struct field message_items[] = {
    FIELD(struct message, attributes, "attributes", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &notification_fields),
};
static const struct fields message_fields = FIELDS(struct message, message_items, .open = true);

/* --- S3 ------------------------------------------------------------------------- */

struct bucket {
    const char *name;
};

static const struct field bucket_items[] = {
    FIELD(struct bucket, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED | FIELD_NONEMPTY),
};
static const struct fields bucket_fields = FIELDS(struct bucket, bucket_items, .open = true);

struct object {
    const char *key;
};

static const struct field object_items[] = {
    FIELD(struct object, key, "key", FIELD_STRING, .flags = FIELD_REQUIRED | FIELD_NONEMPTY,
          .maximum = ENCODED_MAXIMUM),
};
static const struct fields object_fields = FIELDS(struct object, object_items, .open = true);

struct subject {
    struct bucket *bucket;
    struct object *object;
};

static const struct field subject_items[] = {
    FIELD(struct subject, bucket, "bucket", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &bucket_fields),
    FIELD(struct subject, object, "object", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &object_fields),
};
static const struct fields subject_fields = FIELDS(struct subject, subject_items, .open = true);

struct event {
    const char *name;
    struct subject *subject;
};

static const struct field event_items[] = {
    FIELD(struct event, name, "eventName", FIELD_STRING, .flags = FIELD_REQUIRED),
    FIELD(struct event, subject, "s3", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &subject_fields),
};
static const struct fields event_fields = FIELDS(struct event, event_items, .open = true);

/* --- all of them ------------------------------------------------------------------ */

struct document {
    struct message *message;           /* Pub/Sub                     */
    struct list records;               /* S3: of struct event         */
    const char *test;                  /* S3, when it is configured   */
    const char *type, *text;           /* SNS                         */
    const char *subscribe_url, *topic; /* SNS: SubscriptionConfirmation */
};

#define MEMBER(member, name, kind, ...) FIELD(struct document, member, name, kind, __VA_ARGS__)

static const struct field document_items[] = {
    MEMBER(message, "message", FIELD_OBJECT, .table = &message_fields),
    MEMBER(records, "Records", FIELD_OBJECTS, .table = &event_fields,
           .maximum = LIMIT_PUSH_OBJECTS),
    MEMBER(test, "Event", FIELD_STRING),
    MEMBER(type, "Type", FIELD_STRING),
    MEMBER(text, "Message", FIELD_STRING, .maximum = LIMIT_PUSH),
    MEMBER(subscribe_url, "SubscribeURL", FIELD_STRING, .maximum = LIMIT_URI),
    MEMBER(topic, "TopicArn", FIELD_STRING),
};
static const struct fields document_fields = FIELDS(struct document, document_items, .open = true);

static void release_json(void *value)
{
    json_decref(value);
}

static int decode(struct span text, const char *what, struct arena *arena,
                  struct document *document, struct err *err)
{
    json_t *object = jx_parse(text, LIMIT_PUSH, what, err);

    if (!object)
        return -1;
    arena_defer(arena, release_json, object);
    return fields_decode(object, &document_fields, "", arena, document, err);
}

static void add_uri(struct push *push, const char *uri, struct arena *arena)
{
    if (!push->uris.items)
        push->uris.items = arena_zero(arena, LIMIT_PUSH_OBJECTS, sizeof(*push->uris.items));
    push->uris.items[push->uris.count++] = uri;
}

/* A bucket's name ends at the first '/' of a URI: one with a '/' would be another's. */
static int check_bucket(const char *bucket, struct err *err)
{
    return strchr(bucket, '/') ? err_set(err, ERR_INVALID, "the bucket's name holds a '/'") : 0;
}

static int take_notification(const struct notification *notification, struct arena *arena,
                             struct push *push, struct err *err)
{
    if (check_bucket(notification->bucket, err) < 0)
        return -1;
    if (strcmp(notification->event, "OBJECT_FINALIZE") == 0)
        add_uri(push, arena_format(arena, "gs://%s/%s", notification->bucket, notification->object),
                arena);
    return 0;
}

/* AWS: "ObjectCreated:Put"; others: "s3:ObjectCreated:Put". */
static bool is_creation(const char *event)
{
    static const char service[] = "s3:", creation[] = "ObjectCreated:";

    if (strncmp(event, service, strlen(service)) == 0)
        event += strlen(service);
    return strncmp(event, creation, strlen(creation)) == 0;
}

static int take_event(const struct event *event, struct arena *arena, struct push *push,
                      struct err *err)
{
    auto_buf struct buf key;

    buf_init(&key, ENCODED_MAXIMUM);
    if (check_bucket(event->subject->bucket->name, err) < 0)
        return -1;
    if (!uri_form_decode(&key, span_of(event->subject->object->key)))
        return err_set(err, ERR_INVALID, "s3.object.key: must be encoded as forms are");
    if (is_creation(event->name))
        add_uri(push,
                arena_format(arena, "s3://%s/%s", event->subject->bucket->name, buf_text(&key)),
                arena);
    return 0;
}

static int take_events(const struct list *records, struct arena *arena, struct push *push,
                       struct err *err)
{
    const struct event *events = records->items;

    for (size_t i = 0; i < records->count; i++)
        if (take_event(&events[i], arena, push, err) < 0)
            return err_wrap(err, "Records[%zu]", i);
    return 0;
}

/* --- SNS -------------------------------------------------------------------------- */

/* "sns.<region>.amazonaws.com", or of China. */
static bool is_sns(struct span host)
{
    static const char service[] = "sns.";
    static const char *const domains[] = { "amazonaws.com", "amazonaws.com.cn" };
    const char *dot;
    struct span region, domain;

    if (host.length <= strlen(service) || memcmp(host.data, service, strlen(service)) != 0)
        return false;
    host = (struct span){ host.data + strlen(service), host.length - strlen(service) };
    dot = memchr(host.data, '.', host.length);
    if (!dot)
        return false;
    region = (struct span){ host.data, (size_t)(dot - host.data) };
    domain = (struct span){ dot + 1, host.length - region.length - 1 };
    return memchr(region.data, '-', region.length) &&
           (span_equals(domain, domains[0]) || span_equals(domain, domains[1]));
}

/* Nobody but Amazon answers there; an address of anybody else is not visited. */
static int check_subscribe_url(const char *text, struct err *err)
{
    static const char action[] = "/?Action=ConfirmSubscription&";
    struct url url;

    if (text && url_parse(text, &url, NULL) == 0 && url.https && url.port == 0 &&
        is_sns(url.host) && url.path.length > strlen(action) &&
        memcmp(url.path.data, action, strlen(action)) == 0)
        return 0;
    return err_set(err, ERR_INVALID,
                   "SubscribeURL: must be https://sns.<region>.amazonaws.com%s...; confirm the "
                   "subscription by hand if it is yours",
                   action);
}

static int take_notice(const struct document *document, struct arena *arena, struct push *push,
                       struct err *err)
{
    struct document inner;

    if (strcmp(document->type, "UnsubscribeConfirmation") == 0)
        return 0;
    if (strcmp(document->type, "SubscriptionConfirmation") == 0) {
        if (check_subscribe_url(document->subscribe_url, err) < 0)
            return -1;
        push->subscribe_url = document->subscribe_url;
        push->topic = document->topic ? document->topic : "";
        return 0;
    }
    if (strcmp(document->type, "Notification") != 0 || !document->text)
        return err_set(err, ERR_INVALID,
                       "Type: must be Notification, with Message, or SubscriptionConfirmation");
    if (decode(span_of(document->text), "Message", arena, &inner, err) < 0)
        return -1;
    if (inner.records.count == 0 && !inner.test)
        return err_set(err, ERR_INVALID, "Message: must be an event of S3 with Records");
    return take_events(&inner.records, arena, push, err);
}

int push_decode(struct span body, struct arena *arena, struct push *ret_push, struct err *err)
{
    struct document document;
    struct push push = { 0 };
    int outcome;

    if (decode(body, "push", arena, &document, err) < 0)
        return -1;
    if (document.message)
        outcome = take_notification(document.message->attributes, arena, &push, err);
    else if (document.type)
        outcome = take_notice(&document, arena, &push, err);
    else if (document.records.count > 0 || document.test)
        outcome = take_events(&document.records, arena, &push, err);
    else
        outcome = err_set(err, ERR_INVALID,
                          "push: must have \"message\" (Pub/Sub), \"Records\" (S3) or \"Type\" "
                          "(SNS)");
    if (outcome == 0)
        *ret_push = push;
    return outcome;
}

bool push_concerns(const char *object_uri, const char *looked_uri)
{
    size_t length = strlen(looked_uri);

    if (!uri_is_folder(looked_uri))
        return strcmp(object_uri, looked_uri) == 0;
    return strncmp(object_uri, looked_uri, length) == 0 && object_uri[length] &&
           !strchr(object_uri + length, '/');
}
