#include "kubesim/front/protobuf.h"

#include <string.h>

#include "base/base64.h"
#include "base/limits.h"

#define MAGIC "k8s\0"

enum member_kind { MEMBER_TEXT, MEMBER_TEXT_MAP, MEMBER_BYTES_MAP, MEMBER_MESSAGE };

struct member {
    uint64_t number;
    const char *name;
    enum member_kind kind;
    const struct member *members; /* MESSAGE; ends with number 0 */
};

static const struct member metadata_members[] = { { 1, "name", MEMBER_TEXT, NULL },
                                                  { 2, "generateName", MEMBER_TEXT, NULL },
                                                  { 3, "namespace", MEMBER_TEXT, NULL },
                                                  { 11, "labels", MEMBER_TEXT_MAP, NULL },
                                                  { 12, "annotations", MEMBER_TEXT_MAP, NULL },
                                                  { 0 } };
#define METADATA                                                                                   \
    {                                                                                              \
        1, "metadata", MEMBER_MESSAGE, metadata_members                                            \
    }

static const struct member plain_members[] = { METADATA, { 0 } };
static const struct member secret_members[] = { METADATA,
                                                { 2, "data", MEMBER_BYTES_MAP, NULL },
                                                { 3, "type", MEMBER_TEXT, NULL },
                                                { 4, "stringData", MEMBER_TEXT_MAP, NULL },
                                                { 0 } };
static const struct member config_map_members[] = { METADATA,
                                                    { 2, "data", MEMBER_TEXT_MAP, NULL },
                                                    { 3, "binaryData", MEMBER_BYTES_MAP, NULL },
                                                    { 0 } };
static const struct {
    const char *kind;
    const struct member *members;
} kinds[] = { { "Namespace", plain_members },
              { "ServiceAccount", plain_members },
              { "Secret", secret_members },
              { "ConfigMap", config_map_members } };

/* runtime.Unknown, and the TypeMeta in it. */
static const struct member type_members[] = { { 1, "apiVersion", MEMBER_TEXT, NULL },
                                              { 2, "kind", MEMBER_TEXT, NULL },
                                              { 0 } };

struct entry {
    uint64_t number;
    struct span bytes; /* length-delimited */
    uint64_t value;    /* everything else */
};

static int cut_off(struct err *err)
{
    return err_set(err, ERR_INVALID, "protobuf body is cut off");
}

static int take_varint(struct span *from, uint64_t *ret_value, struct err *err)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && from->length > 0; shift += 7) {
        unsigned char byte = (unsigned char)*from->data++;
        from->length--;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *ret_value = value;
            return 0;
        }
    }
    return cut_off(err);
}

static int take_entry(struct span *from, struct entry *ret_entry, struct err *err)
{
    uint64_t tag, length = 0;
    *ret_entry = (struct entry){ 0 };
    if (take_varint(from, &tag, err) != 0)
        return -1;
    ret_entry->number = tag >> 3;
    if ((tag & 7) == 0)
        return take_varint(from, &ret_entry->value, err);
    if ((tag & 7) != 2)
        return err_set(err, ERR_UNSUPPORTED, "protobuf wire type %u", (unsigned)(tag & 7));
    if (take_varint(from, &length, err) != 0)
        return -1;
    if (length > from->length)
        return cut_off(err);
    ret_entry->bytes = (struct span){ from->data, (size_t)length };
    from->data += length;
    from->length -= (size_t)length;
    return 0;
}

/* Proto writes members that are not set too: empty texts, zeros, messages of such. */
static bool is_empty(struct span bytes)
{
    struct entry entry;
    struct err ignored;
    while (bytes.length > 0)
        if (take_entry(&bytes, &entry, &ignored) != 0 || entry.value != 0 || !is_empty(entry.bytes))
            return false;
    return true;
}

static json_t *base64(struct span bytes)
{
    auto_buf struct buf encoded;
    buf_init(&encoded, LIMIT_HTTP_REQUEST_BODY * 2);
    base64_encode(&encoded, bytes);
    return json_string(buf_text(&encoded));
}

static int text_of(struct span bytes, json_t **ret_text, struct err *err)
{
    json_t *text =
        memchr(bytes.data, 0, bytes.length) ? NULL : json_stringn(bytes.data, bytes.length);
    if (!text)
        return err_set(err, ERR_INVALID, "protobuf text is not UTF-8");
    *ret_text = text;
    return 0;
}

/* A map entry is a message: key 1, value 2. */
static int add_to_map(json_t *map, struct span bytes, bool binary, struct err *err)
{
    struct entry entry, key = { 0 }, value = { 0 };
    auto_json json_t *name = NULL;
    json_t *content;
    while (bytes.length > 0) {
        if (take_entry(&bytes, &entry, err) != 0)
            return -1;
        if (entry.number == 1)
            key = entry;
        else if (entry.number == 2)
            value = entry;
    }
    if (!key.bytes.data || text_of(key.bytes, &name, err) != 0)
        return err_set(err, ERR_INVALID, "protobuf map without a key");
    if (!value.bytes.data)
        value.bytes = span_of("");
    if (binary)
        content = base64(value.bytes);
    else if (text_of(value.bytes, &content, err) != 0)
        return -1;
    json_object_set_new(map, json_string_value(name), content);
    return 0;
}

static json_t *member_object(json_t *object, const char *name)
{
    json_t *member = json_object_get(object, name);
    if (!member) {
        member = json_object();
        json_object_set_new(object, name, member);
    }
    return member;
}

static int decode(struct span bytes, const struct member *members, json_t *object, struct err *err);

static int add_member(const struct member *member, const struct entry *entry, json_t *object,
                      struct err *err)
{
    json_t *text;
    switch (member->kind) {
    case MEMBER_MESSAGE:
        return decode(entry->bytes, member->members, member_object(object, member->name), err);
    case MEMBER_TEXT_MAP:
    case MEMBER_BYTES_MAP:
        return add_to_map(member_object(object, member->name), entry->bytes,
                          member->kind == MEMBER_BYTES_MAP, err);
    default:
        if (entry->bytes.length == 0)
            return 0;
        if (text_of(entry->bytes, &text, err) != 0)
            return -1;
        json_object_set_new(object, member->name, text);
        return 0;
    }
}

static int decode(struct span bytes, const struct member *members, json_t *object, struct err *err)
{
    struct entry entry;
    while (bytes.length > 0) {
        if (take_entry(&bytes, &entry, err) != 0)
            return -1;
        const struct member *member = members;
        while (member->number && member->number != entry.number)
            member++;
        if (!member->number && (entry.value != 0 || !is_empty(entry.bytes)))
            return err_set(err, ERR_UNSUPPORTED, "protobuf field %" PRIu64 ": send JSON instead",
                           entry.number);
        if (member->number && add_member(member, &entry, object, err) != 0)
            return -1;
    }
    return 0;
}

static int decode_kind(json_t *object, struct span raw, struct err *err)
{
    const char *kind = jx_string(object, "kind", NULL);
    for (size_t i = 0; kind && i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return decode(raw, kinds[i].members, object, err);
    return err_set(err, ERR_UNSUPPORTED, "protobuf of kind %s: send JSON instead",
                   kind ? kind : "");
}

json_t *protobuf_decode(struct span body, struct err *err)
{
    size_t magic = sizeof(MAGIC) - 1;
    struct entry entry;
    struct span raw = { 0 };
    auto_json json_t *object = json_object();
    if (body.length < magic || memcmp(body.data, MAGIC, magic) != 0) {
        err_set(err, ERR_INVALID, "protobuf body without the prefix of Kubernetes");
        return NULL;
    }
    body = (struct span){ body.data + magic, body.length - magic };
    while (body.length > 0) {
        if (take_entry(&body, &entry, err) != 0)
            return NULL;
        if (entry.number == 1 && decode(entry.bytes, type_members, object, err) != 0)
            return NULL;
        if (entry.number == 2)
            raw = entry.bytes;
    }
    return decode_kind(object, raw, err) == 0 ? TAKE(object) : NULL;
}
