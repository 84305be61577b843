/* Goal: the protobuf bodies of kubectl's create become the JSON they stand for; everything else is
 * refused.
 * Method: bodies built as Go writes them (empty members included), whole, at every cut, and with a
 * field that is not known. */
#include <string.h>

#include "unit.h"

#include "kubesim/front/protobuf.h"

struct body {
    char bytes[512];
    size_t length;
};

static void add(struct body *body, const void *bytes, size_t length)
{
    memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
}

/* A length-delimited field of less than 128 bytes. */
static void add_field(struct body *body, unsigned number, const void *bytes, size_t length)
{
    char head[2] = { (char)(number << 3 | 2), (char)length };
    add(body, head, 2);
    add(body, bytes, length);
}

static void add_text(struct body *body, unsigned number, const char *text)
{
    add_field(body, number, text, strlen(text));
}

static void add_body(struct body *body, unsigned number, const struct body *inner)
{
    add_field(body, number, inner->bytes, inner->length);
}

/* A Secret named s with one key; `odd`: with a field that we do not know. */
static struct body secret(const char *kind, bool odd)
{
    struct body metadata = { 0 }, entry = { 0 }, object = { 0 }, type = { 0 }, whole = { 0 };
    add_text(&metadata, 1, "s");
    add_text(&metadata, 2, "");
    add_text(&metadata, 3, "default");
    add(&metadata, "\x38\x00", 2); /* generation 0 */
    add_text(&metadata, 8, "");    /* creationTimestamp, an empty message */
    add_text(&entry, 1, "password");
    add_text(&entry, 2, "secret");
    add_body(&object, 1, &metadata);
    add_body(&object, 2, &entry);
    add_text(&object, 3, "Opaque");
    if (odd)
        add_text(&object, 9, "odd");
    add_text(&type, 1, "v1");
    add_text(&type, 2, kind);
    add(&whole, "k8s\0", 4);
    add_body(&whole, 1, &type);
    add_body(&whole, 2, &object);
    add_text(&whole, 3, "");
    return whole;
}

static void a_secret_is_read(void **state)
{
    struct body body = secret("Secret", false);
    struct err err;
    auto_json json_t *object = protobuf_decode((struct span){ body.bytes, body.length }, &err);
    (void)state;
    assert_non_null(object);
    auto_free char *text = jx_canonical(object);
    assert_string_equal(text, "{\"apiVersion\":\"v1\",\"data\":{\"password\":\"c2VjcmV0\"},"
                              "\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\","
                              "\"namespace\":\"default\"},\"type\":\"Opaque\"}");
}

static void every_cut_is_safe(void **state)
{
    struct body body = secret("Secret", false);
    (void)state;
    for (size_t length = 0; length < body.length; length++) {
        struct err err;
        auto_free char *copy = mem_alloc(length); /* so that reading past the end is seen */
        memcpy(copy, body.bytes, length);
        json_decref(protobuf_decode((struct span){ copy, length }, &err));
    }
}

static void others_are_refused(void **state)
{
    struct body bodies[] = { secret("Secret", true), secret("Job", false) };
    struct err err;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        assert_null(protobuf_decode((struct span){ bodies[i].bytes, bodies[i].length }, &err));
        assert_int_equal(err.kind, ERR_UNSUPPORTED);
    }
    assert_null(protobuf_decode(span_of("{}"), &err));
    assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_read),
        cmocka_unit_test(every_cut_is_safe),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
