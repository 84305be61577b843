/* store_s3_put.c - writing: small objects at once, larger ones in parts. */
#include <errno.h>
#include <sys/random.h>

#include "base/base64.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "store/checksum.h"
#include "store/s3_parts.h"
#include "store/senders.h"

enum {
    PARTS_MAXIMUM = 10000,
    PARTS_OF_ONE_SIZE = 2500, /* then parts double: 2500 of 6, 12, 24, 48 MiB are 219 GiB */
    MARK_BYTES = 16,
    ABORT_PATIENCE_MS = 5000,
};
/* No part but the last may be smaller. */
#define PART_MINIMUM ((uint64_t)5 * 1024 * 1024)
/* What one question copies: S3 takes 5 GiB, but a server sends nothing while it copies, and one
 * that is silent for 30 s is cut (stall_ms): a slow one copies this in that time. 10000 such parts
 * are 625 GiB. */
#define COPY_MAXIMUM ((uint64_t)64 * 1024 * 1024)

struct part {
    size_t number; /* from 1 on */
    char etag[S3_ETAG];
    char crc32c[CHECKSUM_TEXT]; /* "": not known */
};

struct s3_writer {
    struct store_writer base;
    struct s3_store *store;
    struct arena arena; /* of the texts */
    const char *uri, *key, *mark;
    enum store_condition condition;
    const char *etag; /* of the generation that is demanded */
    struct buf pending;
    const char *upload_id;   /* NULL: nothing is sent yet */
    bool full_checksum;      /* the server keeps one of the whole object */
    bool over;               /* committed, or aborted */
    struct senders *senders; /* of parts; NULL: none was sent */
    struct part **parts;     /* owned: a thread writes to its part while the list grows */
    size_t part_count;
    uint32_t crc32c; /* of all parts */
    bool knows_crc32c;
};

/* --- questions ------------------------------------------------------------ */

static const struct http_header bytes_type = { "Content-Type", "application/octet-stream" };

/* What commits carry: the condition. */
static size_t add_condition(struct s3_writer *self, struct http_header *headers)
{
    if (self->condition == STORE_IF_ABSENT)
        headers[0] = (struct http_header){ "If-None-Match", "*" };
    else if (self->condition == STORE_IF_GENERATION)
        headers[0] = (struct http_header){ "If-Match", s3_quoted(self->etag, &self->arena) };
    return self->condition == STORE_ALWAYS ? 0 : 1;
}

static struct s3_question put_question(const struct s3_writer *self, const char *method)
{
    return (struct s3_question){
        .what = self->uri, .right = "s3:PutObject", .method = method, .key = self->key
    };
}

static int failed_condition(const struct s3_writer *self, struct err *err)
{
    if (self->condition == STORE_IF_ABSENT)
        return err_set(err, ERR_EXISTS, "%s: there is already an object", self->uri);
    return err_set(err, ERR_CONFLICT, "%s was changed by somebody else", self->uri);
}

/* The store says that the condition does not hold, or the upload is no more: is that because an
 * earlier attempt came through, whose answer was lost? */
static int judge_refusal(struct s3_writer *self, const struct s3_question *question,
                         const struct remote_answer *answer, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    int status = answer->reply.status;
    struct err failure = { 0 };
    struct s3_head head;

    if (status != 412 && status != 404 && status != 409)
        return s3_fail(question, answer, err);
    if (s3_look(self->store, self->uri, self->key, &arena, &head, &failure) == 0) {
        if (head.mark && strcmp(head.mark, self->mark) == 0)
            return 0;
    } else if (failure.kind != ERR_NOT_FOUND) {
        *err = failure;
        return -1;
    }
    if (self->condition != STORE_ALWAYS &&
        (status == 412 || (status == 404 && self->condition == STORE_IF_GENERATION)))
        return failed_condition(self, err);
    return s3_fail(question, answer, err);
}

static int put_whole(struct s3_writer *self, struct err *err)
{
    char crc32c[CHECKSUM_TEXT];
    struct http_header headers[4] = { bytes_type,
                                      { S3_MARK_HEADER, self->mark },
                                      { "x-amz-checksum-crc32c", crc32c } };
    struct s3_question question = put_question(self, "PUT");
    auto_answer struct remote_answer answer = { 0 };

    checksum_crc32c_text(crc32c_add(0, self->pending.data, self->pending.length), crc32c);
    question.headers = headers;
    question.header_count = 3 + add_condition(self, headers + 3);
    question.body = (struct span){ self->pending.data, self->pending.length };
    if (s3_ask(self->store->bucket, &question, &answer, err) < 0)
        return -1;
    return answer.reply.status == 200 ? 0 : judge_refusal(self, &question, &answer, err);
}

/* --- parts ---------------------------------------------------------------- */

static int start_upload(struct s3_writer *self, struct err *err)
{
    const struct http_header headers[] = { bytes_type,
                                           { S3_MARK_HEADER, self->mark },
                                           { "x-amz-checksum-algorithm", "CRC32C" },
                                           { "x-amz-checksum-type", "FULL_OBJECT" } };
    const struct http_header parameters[] = { { "uploads", "" } };
    struct s3_question question = put_question(self, "POST");
    auto_answer struct remote_answer answer = { 0 };
    const char *type;

    question.headers = headers;
    question.header_count = ARRAY_SIZE(headers);
    question.parameters = parameters;
    question.parameter_count = ARRAY_SIZE(parameters);
    if (s3_ask(self->store->bucket, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status != 200)
        return s3_fail(&question, &answer, err);
    self->upload_id =
        s3_read_text(answer.reply.body, "InitiateMultipartUploadResult/UploadId", &self->arena);
    if (!self->upload_id)
        return err_set(err, ERR_INVALID, "%s: the server's answer has no UploadId", self->uri);
    type = http_reply_header(&answer.reply, "x-amz-checksum-type");
    self->full_checksum = type && strcmp(type, "FULL_OBJECT") == 0;
    return 0;
}

/* Begins the upload with the first one. It counts when end_part() is told of it. */
static struct part *new_part(struct s3_writer *self, struct err *err)
{
    struct part *part;

    if (self->part_count == PARTS_MAXIMUM) {
        err_set(err, ERR_TOO_BIG, "%s needs more than %d parts", self->uri, PARTS_MAXIMUM);
        return NULL;
    }
    if (!self->upload_id && start_upload(self, err) < 0)
        return NULL;
    part = arena_zero(&self->arena, 1, sizeof(*part));
    part->number = self->part_count + 1;
    return part;
}

/* `parameters` has room for two. */
static void name_part(const struct s3_writer *self, const struct part *part,
                      struct http_header *parameters, struct arena *arena)
{
    parameters[0] = (struct http_header){ "partNumber", arena_format(arena, "%zu", part->number) };
    parameters[1] = (struct http_header){ "uploadId", self->upload_id };
}

static void end_part(struct s3_writer *self, struct part *part, uint32_t crc32c, uint64_t length)
{
    if ((self->part_count & (self->part_count - 1)) == 0)
        self->parts = mem_resize(self->parts, self->part_count ? 2 * self->part_count : 1,
                                 sizeof(struct part *));
    self->parts[self->part_count++] = part;
    self->knows_crc32c = self->knows_crc32c && part->crc32c[0];
    self->crc32c = crc32c_join(self->crc32c, crc32c, length);
}

/* By one of the threads that send, which reads of the writer only what stays. */
static int send_part(void *context, void *piece, struct span bytes, struct err *err)
{
    const struct s3_writer *self = context;
    struct part *part = piece;
    auto_arena struct arena arena = { 0 };
    auto_answer struct remote_answer answer = { 0 };
    const struct http_header header = { "x-amz-checksum-crc32c", part->crc32c };
    struct http_header parameters[2];
    struct s3_question question = put_question(self, "PUT");
    const char *tag;

    name_part(self, part, parameters, &arena);
    question.parameters = parameters;
    question.parameter_count = ARRAY_SIZE(parameters);
    question.headers = &header;
    question.header_count = 1;
    question.body = bytes;
    if (s3_ask(self->store->bucket, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status != 200)
        return s3_fail(&question, &answer, err);
    tag = http_reply_header(&answer.reply, "ETag");
    return s3_read_etag(span_of(tag ? tag : ""), part->etag, err) < 0
               ? err_wrap(err, "%s", self->uri)
               : 0;
}

/* What is pending becomes a part. */
static int flush(struct s3_writer *self, struct err *err)
{
    uint32_t crc32c = crc32c_add(0, self->pending.data, self->pending.length);
    uint64_t length = self->pending.length;
    struct part *part = new_part(self, err);

    if (!part)
        return -1;
    if (!self->senders)
        self->senders =
            senders_new(remote_uploads(s3_bucket_remote(self->store->bucket)), send_part, self);
    checksum_crc32c_text(crc32c, part->crc32c);
    if (senders_add(self->senders, part, &self->pending, err) < 0)
        return -1;
    end_part(self, part, crc32c, length);
    return 0;
}

static size_t part_size(const struct s3_writer *self)
{
    return S3_PART_BYTES << (self->part_count / PARTS_OF_ONE_SIZE);
}

/* A part goes out when more comes: what is committed before is put at once. */
static int writer_append(struct store_writer *writer, const void *bytes, size_t length,
                         struct err *err)
{
    struct s3_writer *self = (struct s3_writer *)writer;
    const char *at = bytes;

    while (length > 0) {
        size_t room, taken;

        if (self->pending.length >= part_size(self) && flush(self, err) < 0)
            return -1;
        room = part_size(self) - self->pending.length;
        taken = length < room ? length : room;
        buf_append(&self->pending, at, taken);
        at += taken;
        length -= taken;
    }
    return 0;
}

/* --- parts from other objects --------------------------------------------- */

struct origin {
    const char *uri, *key, *etag, *generation;
};

/* Through this machine: what is too small to be a part by itself. */
static int append_bytes(struct s3_writer *self, const struct origin *origin, uint64_t offset,
                        uint64_t length, struct err *err)
{
    const struct store_range range = { offset, length };
    auto_store_reader struct store_reader *reader = NULL;
    auto_free char *piece = mem_alloc(64 * KIB);

    if (length == 0)
        return 0;
    reader = store_get(&self->store->base, origin->uri, origin->generation, &range, NULL, err);
    if (!reader)
        return -1;
    for (size_t got = 1; got > 0;)
        if (byte_source_read(store_reader_source(reader), piece, 64 * KIB, &got, err) < 0 ||
            writer_append(&self->base, piece, got, err) < 0)
            return -1;
    return 0;
}

static bool read_crc32c(const char *text, uint32_t *ret_crc32c)
{
    auto_buf struct buf bytes = { .maximum = 4 };
    struct err ignored;

    if (base64_decode(&bytes, span_of(text), &ignored) < 0 || bytes.length != 4 || bytes.overflow)
        return false;
    *ret_crc32c = 0;
    for (size_t i = 0; i < 4; i++)
        *ret_crc32c = *ret_crc32c << 8 | (unsigned char)bytes.data[i];
    return true;
}

static int read_copied(struct s3_writer *self, struct span body, struct part *part,
                       uint32_t *ret_crc32c, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    const char *tag = s3_read_text(body, "CopyPartResult/ETag", &arena);
    const char *crc32c = s3_read_text(body, "CopyPartResult/ChecksumCRC32C", &arena);

    *ret_crc32c = 0;
    if (s3_read_etag(span_of(tag ? tag : ""), part->etag, err) < 0)
        return err_wrap(err, "%s", self->uri);
    if (crc32c && read_crc32c(crc32c, ret_crc32c))
        snprintf(part->crc32c, sizeof(part->crc32c), "%s", crc32c);
    return 0;
}

static int copy_part(struct s3_writer *self, const struct origin *origin, uint64_t offset,
                     uint64_t length, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    auto_answer struct remote_answer answer = { 0 };
    auto_buf struct buf source = { .maximum = LIMIT_URL };
    struct http_header parameters[2];
    struct part *part = new_part(self, err);
    uint32_t crc32c;

    if (!part)
        return -1;
    name_part(self, part, parameters, &arena);
    buf_format(&source, "/%s/", s3_bucket_name(self->store->bucket));
    uri_encode(&source, span_of(origin->key), true);
    const struct http_header headers[] = {
        { "x-amz-copy-source", buf_text(&source) },
        { "x-amz-copy-source-range",
          arena_format(&arena, "bytes=%" PRIu64 "-%" PRIu64, offset, offset + length - 1) },
        { "x-amz-copy-source-if-match", s3_quoted(origin->etag, &arena) },
    };
    struct s3_question question = put_question(self, "PUT");

    question.right = "s3:PutObject, and s3:GetObject of what is copied";
    question.parameters = parameters;
    question.parameter_count = ARRAY_SIZE(parameters);
    question.headers = headers;
    question.header_count = ARRAY_SIZE(headers);
    if (s3_ask(self->store->bucket, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status == 412)
        return store_fail_changed(origin->uri, err);
    if (answer.reply.status != 200)
        return s3_fail(&question, &answer, err);
    if (read_copied(self, answer.reply.body, part, &crc32c, err) < 0)
        return -1;
    end_part(self, part, crc32c, length);
    return 0;
}

/* The server copies what can be parts; what is pending before is filled up to be one. */
static int append_origin(struct s3_writer *self, const struct origin *origin, uint64_t size,
                         struct err *err)
{
    uint64_t pending = self->pending.length, offset, count;

    offset = pending > 0 && pending < PART_MINIMUM ? PART_MINIMUM - pending : 0;
    if (size < offset + PART_MINIMUM)
        return append_bytes(self, origin, 0, size, err);
    if (append_bytes(self, origin, 0, offset, err) < 0 ||
        (self->pending.length > 0 && flush(self, err) < 0))
        return -1;
    count = (size - offset + COPY_MAXIMUM - 1) / COPY_MAXIMUM; /* equal ones: none is too small */
    for (uint64_t i = 0; i < count; i++) {
        uint64_t length = (size - offset) / (count - i);

        if (copy_part(self, origin, offset, length, err) < 0)
            return -1;
        offset += length;
    }
    return 0;
}

static int writer_append_object(struct store_writer *writer, const char *uri,
                                const char *generation, struct err *err)
{
    struct s3_writer *self = (struct s3_writer *)writer;
    auto_arena struct arena arena = { 0 };
    struct origin origin = { .uri = uri, .generation = generation };
    struct s3_head head;

    if (s3_key(self->store, uri, false, &origin.key, err) < 0 ||
        s3_look(self->store, uri, origin.key, &arena, &head, err) < 0)
        return -1;
    if (strcmp(head.info.generation, generation) != 0)
        return store_fail_changed(uri, err);
    origin.etag = head.etag;
    return append_origin(self, &origin, (uint64_t)head.info.bytes, err);
}

/* --- the end -------------------------------------------------------------- */

static void append_part(struct buf *body, const struct part *part)
{
    buf_format(body, "<Part><PartNumber>%zu</PartNumber><ETag>\"", part->number);
    for (const char *at = part->etag; *at; at++)
        if (*at == '&' || *at == '<' || *at == '>')
            buf_format(body, "&#%d;", *at);
        else
            buf_char(body, *at);
    buf_string(body, "\"</ETag>");
    if (part->crc32c[0])
        buf_format(body, "<ChecksumCRC32C>%s</ChecksumCRC32C>", part->crc32c);
    buf_string(body, "</Part>");
}

static int complete(struct s3_writer *self, struct err *err)
{
    char crc32c[CHECKSUM_TEXT];
    struct http_header headers[4] = { { "Content-Type", "application/xml" } };
    const struct http_header parameters[] = { { "uploadId", self->upload_id } };
    struct s3_question question = put_question(self, "POST");
    auto_answer struct remote_answer answer = { 0 };
    auto_buf struct buf body = { .maximum = LIMIT_HTTP_BODY };
    size_t count = 1;

    buf_string(&body, "<CompleteMultipartUpload>");
    for (size_t i = 0; i < self->part_count; i++)
        append_part(&body, self->parts[i]);
    buf_string(&body, "</CompleteMultipartUpload>");
    if (self->full_checksum && self->knows_crc32c) {
        checksum_crc32c_text(self->crc32c, crc32c);
        headers[count++] = (struct http_header){ "x-amz-checksum-type", "FULL_OBJECT" };
        headers[count++] = (struct http_header){ "x-amz-checksum-crc32c", crc32c };
    }
    count += add_condition(self, headers + count);
    question.parameters = parameters;
    question.parameter_count = ARRAY_SIZE(parameters);
    question.headers = headers;
    question.header_count = count;
    question.body = (struct span){ body.data, body.length };
    if (s3_ask(self->store->bucket, &question, &answer, err) < 0)
        return -1;
    return answer.reply.status == 200 ? 0 : judge_refusal(self, &question, &answer, err);
}

static int writer_commit(struct store_writer *writer, struct store_info *ret_info, struct err *err)
{
    struct s3_writer *self = (struct s3_writer *)writer;
    auto_arena struct arena arena = { 0 };
    struct s3_head head;

    if (!self->upload_id) {
        if (put_whole(self, err) < 0)
            return -1;
    } else if ((self->pending.length > 0 && flush(self, err) < 0) ||
               (self->senders && senders_wait(self->senders, err) < 0) || complete(self, err) < 0) {
        return -1;
    }
    self->over = true;
    if (!ret_info)
        return 0;
    if (s3_look(self->store, self->uri, self->key, &arena, &head, err) < 0)
        return -1;
    *ret_info = head.info;
    return 0;
}

/* Best effort: what stays is what a lifecycle rule removes. */
static void abort_upload(struct s3_writer *self)
{
    const struct http_header parameters[] = { { "uploadId", self->upload_id } };
    struct s3_question question = put_question(self, "DELETE");
    auto_answer struct remote_answer answer = { 0 };
    struct err ignored;

    question.right = "s3:AbortMultipartUpload";
    question.timeout_ms = question.patience_ms = ABORT_PATIENCE_MS;
    question.farewell = true;
    question.parameters = parameters;
    question.parameter_count = ARRAY_SIZE(parameters);
    (void)!s3_ask(self->store->bucket, &question, &answer, &ignored);
}

static void writer_free(struct store_writer *writer)
{
    struct s3_writer *self = (struct s3_writer *)writer;

    senders_free(self->senders); /* before that, or parts would come after it */
    if (self->upload_id && !self->over)
        abort_upload(self);
    buf_release(&self->pending);
    free(self->parts);
    arena_release(&self->arena);
    free(self);
}

static int make_mark(struct s3_writer *self, struct err *err)
{
    unsigned char bytes[MARK_BYTES];
    char *mark = arena_zero(&self->arena, 2 * MARK_BYTES + 1, 1);

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return err_errno(err, errno, "random numbers");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(mark + 2 * i, 3, "%02x", bytes[i]);
    self->mark = mark;
    return 0;
}

struct store_writer *s3_put(struct store *store, const char *uri, enum store_condition condition,
                            const char *generation, struct err *err)
{
    auto_store_writer struct store_writer *writer = NULL;
    struct s3_writer *self = mem_zero(1, sizeof(*self));
    char etag[S3_ETAG] = "";

    self->base =
        (struct store_writer){ writer_append, writer_append_object, writer_commit, writer_free };
    self->store = (struct s3_store *)store;
    self->uri = arena_strdup(&self->arena, uri);
    self->condition = condition;
    self->knows_crc32c = true;
    buf_init(&self->pending, S3_PART_BYTES << (PARTS_MAXIMUM / PARTS_OF_ONE_SIZE));
    writer = &self->base;
    if (s3_key(self->store, self->uri, false, &self->key, err) < 0 || make_mark(self, err) < 0)
        return NULL;
    if (condition == STORE_IF_GENERATION)
        s3_etag_of(generation, etag);
    self->etag = arena_strdup(&self->arena, etag);
    return TAKE(writer);
}
