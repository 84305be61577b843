/* Goal: of whatever stores send when an object came, the right URIs are taken, and a body that is
 * no push is refused with what was expected.
 * Method: bodies as Pub/Sub, AWS, MinIO, versitygw and SNS send them, and damaged ones. */
#include "unit.h"

#include "push.h"

#define RECORD(event, bucket, key)                                                                 \
    "{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"eventName\":\"" event                  \
    "\",\"s3\":{\"s3SchemaVersion\":\"1.0\",\"bucket\":{\"name\":\"" bucket                        \
    "\",\"arn\":\"arn:aws:s3:::x\"},\"object\":{\"key\":\"" key "\",\"size\":12,"                  \
    "\"sequencer\":\"0055AED6DCD90281E5\"}}}"
#define PUBSUB(event, bucket, object)                                                              \
    "{\"message\":{\"attributes\":{\"bucketId\":\"" bucket "\",\"objectId\":\"" object             \
    "\",\"objectGeneration\":\"1795342568327909\",\"eventType\":\"" event                          \
    "\",\"payloadFormat\":\"JSON_API_V1\"},\"data\":\"e30=\",\"messageId\":\"m0\","                \
    "\"message_id\":\"m0\"},\"subscription\":\"projects/p/subscriptions/s1\"}"
#define SUBSCRIBE(url)                                                                             \
    "{\"Type\":\"SubscriptionConfirmation\",\"Token\":\"t\",\"TopicArn\":\"arn:aws:sns:x\","       \
    "\"Message\":\"You have chosen to subscribe\",\"SubscribeURL\":\"" url "\"}"
#define CONFIRM "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:x&Token=t"

static void test_objects(void **state)
{
    static const struct {
        const char *name, *body, *uris[2];
    } cases[] = {
        { "Pub/Sub",
          PUBSUB("OBJECT_FINALIZE", "evb", "weekly/2026 11+22.csv"),
          { "gs://evb/weekly/2026 11+22.csv" } },
        { "Pub/Sub, deleted", PUBSUB("OBJECT_DELETE", "evb", "weekly/w1.csv"), { NULL } },
        { "Pub/Sub, metadata", PUBSUB("OBJECT_METADATA_UPDATE", "evb", "weekly/w1.csv"), { NULL } },
        { "AWS",
          "{\"Records\":[" RECORD("ObjectCreated:Put", "b", "in/my+week%2B1%3D.csv") "]}",
          { "s3://b/in/my week+1=.csv" } },
        { "two of AWS",
          "{\"Records\":[" RECORD("ObjectCreated:CompleteMultipartUpload", "b",
                                  "a.csv") "," RECORD("ObjectCreated:Copy", "c", "%C3%A4.csv") "]}",
          { "s3://b/a.csv", "s3://c/\xc3\xa4.csv" } },
        { "AWS, removed",
          "{\"Records\":[" RECORD("ObjectRemoved:Delete", "b", "a.csv") "]}",
          { NULL } },
        { "MinIO",
          "{\"EventName\":\"s3:ObjectCreated:Put\",\"Key\":\"b/weekly/"
          "w1.csv\",\"Records\":[" RECORD("s3:ObjectCreated:Put", "b", "weekly%2Fw1.csv") "]}",
          { "s3://b/weekly/w1.csv" } },
        { "AWS when it is configured",
          "{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}",
          { NULL } },
        { "SNS",
          "{\"Type\":\"Notification\",\"MessageId\":\"m\",\"TopicArn\":\"arn:aws:sns:x\","
          "\"Subject\":\"Amazon S3 "
          "Notification\",\"Message\":\"{\\\"Records\\\":[{\\\"eventName\\\":"
          "\\\"ObjectCreated:Put\\\",\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":\\\"b\\\"},"
          "\\\"object\\\":{\\\"key\\\":\\\"in/a+b.csv\\\"}}}]}\"}",
          { "s3://b/in/a b.csv" } },
        { "SNS, test",
          "{\"Type\":\"Notification\",\"Message\":\"{\\\"Event\\\":\\\"s3:TestEvent\\\"}\"}",
          { NULL } },
        { "SNS, end", "{\"Type\":\"UnsubscribeConfirmation\",\"Message\":\"bye\"}", { NULL } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct push push;
        struct err err = { 0 };

        CASE(cases[i].name, push_decode(span_of(cases[i].body), &arena, &push, &err) == 0);
        CASE(cases[i].name, push.uris.count == !!cases[i].uris[0] + (size_t) !!cases[i].uris[1]);
        CASE(cases[i].name, !push.subscribe_url);
        for (size_t j = 0; j < push.uris.count; j++)
            assert_string_equal(push.uris.items[j], cases[i].uris[j]);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *body, *why;
    } cases[] = {
        { "", "push" },
        { "[]", "object" },
        { "{}", "Pub/Sub" },
        { "{\"message\":{}}", "message.attributes" },
        { "{\"message\":{\"attributes\":{\"bucketId\":\"b\"}}}", "message.attributes.objectId" },
        { PUBSUB("OBJECT_FINALIZE", "b/c", "a.csv"), "bucket" },
        { PUBSUB("OBJECT_FINALIZE", "", "a.csv"), "message.attributes.bucketId" },
        { "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\"}]}", "Records[0].s3" },
        { "{\"Records\":[" RECORD("ObjectCreated:Put", "b", "") "]}", "Records[0].s3.object.key" },
        { "{\"Records\":[" RECORD("ObjectCreated:Put", "b", "%zz") "]}", "s3.object.key" },
        { "{\"Records\":[" RECORD("ObjectCreated:Put", "b", "a%00") "]}", "s3.object.key" },
        { "{\"Records\":[" RECORD("ObjectCreated:Put", "../b", "a") "]}", "bucket" },
        { "{\"Records\":[]}", "Records" },
        { "{\"Type\":\"Notification\"}", "Message" },
        { "{\"Type\":\"Other\",\"Message\":\"{}\"}", "Type" },
        { "{\"Type\":\"Notification\",\"Message\":\"hello\"}", "Message" },
        { "{\"Type\":\"Notification\",\"Message\":\"{\\\"Type\\\":\\\"Notification\\\"}\"}",
          "Records" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct push push;
        struct err err = { 0 };

        CASE(cases[i].body, push_decode(span_of(cases[i].body), &arena, &push, &err) == -1);
        CASE(cases[i].body, err.kind == ERR_INVALID);
        if (!strstr(err.message, cases[i].why))
            fail_msg("%s: \"%s\" does not say %s", cases[i].body, err.message, cases[i].why);
    }
}

/* Nobody but Amazon is asked to confirm. */
static void test_subscriptions(void **state)
{
    static const struct {
        const char *body;
        bool good;
    } cases[] = {
        { SUBSCRIBE("https://sns.eu-central-1.amazonaws.com" CONFIRM), true },
        { SUBSCRIBE("https://sns.cn-north-1.amazonaws.com.cn" CONFIRM), true },
        { SUBSCRIBE("http://sns.eu-central-1.amazonaws.com" CONFIRM), false },
        { SUBSCRIBE("https://sns.eu-central-1.amazonaws.com:8443" CONFIRM), false },
        { SUBSCRIBE("https://sns.eu-central-1.amazonaws.com.evil.example" CONFIRM), false },
        { SUBSCRIBE("https://evil.example/sns.eu-central-1.amazonaws.com" CONFIRM), false },
        { SUBSCRIBE("https://sns.evil-bucket.s3.amazonaws.com" CONFIRM), false },
        { SUBSCRIBE("https://sns.s3.amazonaws.com" CONFIRM), false },
        { SUBSCRIBE("https://xsns.eu-central-1.amazonaws.com" CONFIRM), false },
        { SUBSCRIBE("https://user@sns.eu-central-1.amazonaws.com" CONFIRM), false },
        { SUBSCRIBE("https://sns.eu-central-1.amazonaws.com/?Action=Publish&x=y"), false },
        { SUBSCRIBE("https://169.254.169.254" CONFIRM), false },
        { "{\"Type\":\"SubscriptionConfirmation\",\"Message\":\"x\"}", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct push push = { 0 };
        struct err err = { 0 };
        int outcome = push_decode(span_of(cases[i].body), &arena, &push, &err);

        CASE(cases[i].body, outcome == (cases[i].good ? 0 : -1));
        CASE(cases[i].body, !cases[i].good || push.subscribe_url);
        CASE(cases[i].body, cases[i].good || strstr(err.message, "by hand"));
    }
}

static void test_concerns(void **state)
{
    static const struct {
        const char *object, *looked;
        bool concerns;
    } cases[] = {
        { "gs://b/weekly/w1.csv", "gs://b/weekly/", true },
        { "gs://b/weekly/w1.csv", "gs://b/weekly/w1.csv", true },
        { "gs://b/w1.csv", "gs://b/", true },
        { "gs://b/weekly/", "gs://b/weekly/", false },
        { "gs://b/weekly/old/w1.csv", "gs://b/weekly/", false },
        { "gs://b/weekly2/w1.csv", "gs://b/weekly/", false },
        { "gs://b/weekly/w1.csv.gz", "gs://b/weekly/w1.csv", false },
        { "s3://b/weekly/w1.csv", "gs://b/weekly/", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        CASE(cases[i].object, push_concerns(cases[i].object, cases[i].looked) == cases[i].concerns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_subscriptions),
        cmocka_unit_test(test_concerns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
