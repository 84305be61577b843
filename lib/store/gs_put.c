/* gs_put.c - uploads to gs://: whole in one request, or piece by piece. */
#include "base/crc32c.h"
#include "base/json.h"
#include "base/limits.h"
#include "store/gs_writer.h"
#include "store/store_gs.h"

#include <errno.h>
#include <sys/random.h>

#define BODY_MAXIMUM (GS_PIECE_BYTES + 64 * KIB)

/* --- what both ways share ---------------------------------------------------------- */

const char *gs_content_type(const char *name)
{
    static const struct {
        const char *suffix, *type;
    } types[] = { { ".csv", "text/csv" },
                  { ".json", "application/json" },
                  { ".html", "text/html; charset=utf-8" } };
    size_t length = strlen(name);

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        size_t suffix = strlen(types[i].suffix);

        if (length > suffix && strcmp(name + length - suffix, types[i].suffix) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

static char *upload_url(const struct gs_writer *self, const char *type, const char *condition)
{
    return mem_format("%s/upload/storage/v1/b/%s/o?uploadType=%s&prettyPrint=false"
                      "&fields=" GS_OBJECT_FIELDS "%s",
                      self->store->endpoint, self->store->bucket, type, condition);
}

static struct remote_question upload_question(const struct gs_writer *self, const char *method,
                                              const char *url)
{
    return gs_question(self->store, self->uri, "storage.objects.create", method, url);
}

int gs_meet_refusal(struct gs_writer *self, unsigned attempts, struct arena *arena,
                    struct gs_object *ret_object, struct err *err)
{
    struct err ignored;

    if (attempts > 1 &&
        gs_look(self->store, self->uri, self->name, arena, ret_object, &ignored) == 0 &&
        ret_object->writer && strcmp(ret_object->writer, self->id) == 0)
        return 0;
    if (self->kind == STORE_IF_ABSENT)
        return err_set(err, ERR_EXISTS, "%s exists already", self->uri);
    return err_set(err, ERR_CONFLICT, "%s was changed by somebody else", self->uri);
}

int gs_verify(struct gs_writer *self, const char *name, const struct gs_object *object,
              uint32_t crc32c, uint64_t bytes, struct err *err)
{
    char text[CHECKSUM_TEXT];
    struct err ignored;

    checksum_crc32c_text(crc32c, text);
    if ((uint64_t)object->info.bytes == bytes &&
        (!object->crc32c[0] || strcmp(object->crc32c, text) == 0))
        return 0;
    /* whoever replaced it meanwhile has another generation */
    if (gs_remove(self->store, self->uri, name, object->info.generation, &ignored) == 0)
        return err_set(err, ERR_RETRY, "%s was damaged on its way, and is removed again",
                       self->uri);
    return err_set(err, ERR_RETRY, "%s was damaged on its way, and cannot be removed: %s",
                   self->uri, ignored.message);
}

static int take_object(const struct gs_writer *self, const struct http_reply *reply,
                       struct arena *arena, struct gs_object *ret_object, struct err *err)
{
    if (gs_object_parse(reply->body, arena, ret_object, err))
        return err_wrap(err, "%s", self->uri);
    return 0;
}

/* --- in one request ------------------------------------------------------------------ */

static char *metadata_text(const struct gs_writer *self, const char *name, const char *crc32c)
{
    auto_json json_t *json = json_pack("{s:s, s:s, s:{s:s}}", "name", name, "contentType",
                                       gs_content_type(name), "metadata", GS_WRITER_KEY, self->id);

    if (crc32c)
        json_object_set_new(json, "crc32c", json_string(crc32c));
    return jx_canonical(json);
}

/* RFC 2387. The boundary is the writer's random name, which nothing contains. */
static void append_related(struct gs_writer *self, const char *name, struct buf *body)
{
    char crc32c[CHECKSUM_TEXT];

    checksum_crc32c_text(crc32c_add(0, self->buffer.data, self->buffer.length), crc32c);
    auto_free char *metadata = metadata_text(self, name, crc32c);
    buf_format(body,
               "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n--%s\r\n"
               "Content-Type: %s\r\n\r\n",
               self->id, metadata, self->id, gs_content_type(name));
    buf_append(body, self->buffer.data, self->buffer.length);
    buf_format(body, "\r\n--%s--\r\n", self->id);
}

int gs_upload(struct gs_writer *self, const char *name, const char *condition,
              struct gs_object *ret_object, struct arena *arena, struct err *err)
{
    auto_free char *url = upload_url(self, "multipart", condition);
    auto_free char *type = mem_format("multipart/related; boundary=%s", self->id);
    const struct http_header headers[] = { { "Content-Type", type } };
    struct remote_question question = upload_question(self, "POST", url);
    auto_answer struct remote_answer answer = { 0 };
    auto_buf struct buf body = { .maximum = BODY_MAXIMUM };

    append_related(self, name, &body);
    if (buf_check(&body, self->uri, err))
        return -1;
    question.headers = headers;
    question.header_count = ARRAY_SIZE(headers);
    question.body = (struct span){ body.data, body.length };
    if (remote_ask(self->store->remote, &question, &answer, err))
        return -1;
    if (answer.reply.status == 412)
        return gs_meet_refusal(self, answer.attempts, arena, ret_object, err);
    if (answer.reply.status != 200)
        return remote_fail(&question, &answer.reply, err);
    return take_object(self, &answer.reply, arena, ret_object, err);
}

/* --- piece by piece ------------------------------------------------------------------- */

static int begin_session(struct gs_writer *self, struct err *err)
{
    auto_free char *url = upload_url(self, "resumable", self->condition);
    auto_free char *full = NULL;
    auto_free char *metadata = metadata_text(self, self->name, NULL);
    const struct http_header headers[] = {
        { "Content-Type", "application/json; charset=UTF-8" },
        { "X-Upload-Content-Type", gs_content_type(self->name) },
    };
    auto_buf struct buf query = { .maximum = LIMIT_URL };
    struct remote_question question = upload_question(self, "POST", url);
    auto_answer struct remote_answer answer = { 0 };

    buf_string(&query, "&name="); /* emulators look for it here */
    uri_encode(&query, span_of(self->name), false);
    question.url = full = mem_format("%s%s", url, buf_text(&query));
    question.headers = headers;
    question.header_count = ARRAY_SIZE(headers);
    question.body = span_of(metadata);
    if (remote_ask(self->store->remote, &question, &answer, err))
        return -1;
    if (answer.reply.status == 412)
        return gs_meet_refusal(self, 1, NULL, NULL, err);
    const char *location = http_reply_header(&answer.reply, "Location");
    if (answer.reply.status / 100 != 2 || !location)
        return remote_fail(&question, &answer.reply, err);
    self->session = mem_strdup(location);
    self->stored = 0;
    return 0;
}

/* A session's URL is itself the right to use it: nobody else is shown a token. */
static struct remote_question session_question(const struct gs_writer *self, const char *method)
{
    struct remote_question question = upload_question(self, method, self->session);
    size_t length = strlen(self->store->endpoint);

    if (strncmp(self->session, self->store->endpoint, length) != 0 || self->session[length] != '/')
        question.signer = NULL;
    return question;
}

/* The server has stored what lies before `stored`. */
static int advance(struct gs_writer *self, const struct http_reply *reply, struct err *err)
{
    uint64_t stored;

    if (gs_stored_parse(http_reply_header(reply, "Range"), &stored, err))
        return err_wrap(err, "%s", self->uri);
    if (stored < self->stored || stored - self->stored > self->buffer.length)
        return err_set(err, ERR_RETRY, "%s: the server has lost its place in the upload",
                       self->uri);
    buf_consume(&self->buffer, (size_t)(stored - self->stored));
    self->stored = stored;
    return 0;
}

/* An answer to a piece, or to the question where the upload stands. *ret_done: all of the buffer
 * is stored; at the end *ret_object is the result. */
static int take_answer(struct gs_writer *self, const struct remote_question *question,
                       const struct remote_answer *answer, bool is_last, struct arena *arena,
                       struct gs_object *ret_object, bool *ret_done, struct err *err)
{
    int status = answer->reply.status;
    struct gs_object object;
    int outcome;

    *ret_done = false;
    if (status == 308) {
        if (advance(self, &answer->reply, err))
            return -1;
        *ret_done = !is_last && self->buffer.length == 0;
        return 0;
    }
    if (status == 404 || status == 410)
        return err_set(err, ERR_RETRY, "%s: the server does not know the upload any more",
                       self->uri);
    if (status / 100 != 2 && status != 412)
        return remote_fail(question, &answer->reply, err);
    outcome = status == 412 ? gs_meet_refusal(self, answer->attempts, arena, &object, err)
                            : take_object(self, &answer->reply, arena, &object, err);
    if (status != 412 || outcome == 0)
        free(TAKE(self->session)); /* it is over */
    if (outcome ||
        gs_verify(self, self->name, &object, self->crc32c, is_last ? self->bytes : UINT64_MAX, err))
        return -1;
    *ret_object = object;
    *ret_done = true;
    return 0;
}

static int send_once(struct gs_writer *self, bool is_last, const struct remote_tries *tries,
                     struct arena *arena, struct gs_object *ret_object, bool *ret_done,
                     bool *ret_sent, struct err *err)
{
    char range[96], hash[CHECKSUM_TEXT + sizeof("crc32c=")], crc32c[CHECKSUM_TEXT];
    char total[24] = "*";
    const struct http_header headers[] = { { "Content-Range", range }, { "X-Goog-Hash", hash } };
    struct remote_question question = session_question(self, "PUT");
    auto_answer struct remote_answer answer = { 0 };
    size_t length = self->buffer.length;

    if (is_last)
        snprintf(total, sizeof(total), "%" PRIu64, self->bytes);
    if (length > 0)
        snprintf(range, sizeof(range), "bytes %" PRIu64 "-%" PRIu64 "/%s", self->stored,
                 self->stored + length - 1, total);
    else
        snprintf(range, sizeof(range), "bytes */%s", total);
    checksum_crc32c_text(self->crc32c, crc32c);
    snprintf(hash, sizeof(hash), "crc32c=%s", crc32c);
    question.headers = headers;
    question.header_count = is_last ? 2 : 1;
    question.body = (struct span){ self->buffer.data, length };
    *ret_sent = false;
    if (remote_ask_once(self->store->remote, &question, tries, &answer, err))
        return -1;
    *ret_sent = true;
    answer.attempts += tries->count;
    return take_answer(self, &question, &answer, is_last, arena, ret_object, ret_done, err);
}

/* After a cut: the server says how far it came. */
static int ask_where(struct gs_writer *self, bool is_last, struct arena *arena,
                     struct gs_object *ret_object, bool *ret_done, struct err *err)
{
    char range[64];
    const struct http_header headers[] = { { "Content-Range", range } };
    struct remote_question question = session_question(self, "PUT");
    auto_answer struct remote_answer answer = { 0 };

    if (is_last)
        snprintf(range, sizeof(range), "bytes */%" PRIu64, self->bytes);
    else
        snprintf(range, sizeof(range), "bytes */*");
    question.headers = headers;
    question.header_count = ARRAY_SIZE(headers);
    if (remote_ask(self->store->remote, &question, &answer, err))
        return -1;
    answer.attempts++; /* the piece went before it */
    return take_answer(self, &question, &answer, is_last, arena, ret_object, ret_done, err);
}

/* Until the server has the buffer; with is_last, until the object is there. */
static int send_buffer(struct gs_writer *self, bool is_last, struct arena *arena,
                       struct gs_object *ret_object, struct err *err)
{
    struct remote_tries tries = { 0 };
    bool done = false;

    if (!self->session && begin_session(self, err))
        return -1;
    while (!done) {
        struct remote_question question = session_question(self, "PUT");
        uint64_t stored = self->stored;
        struct err why;
        bool sent;

        if (send_once(self, is_last, &tries, arena, ret_object, &done, &sent, &why)) {
            if (sent || remote_try_again(self->store->remote, &question, &tries, &why, err)) {
                if (sent && err)
                    *err = why;
                return -1;
            }
            if (ask_where(self, is_last, arena, ret_object, &done, err))
                return -1;
        } else if (!done && self->stored == stored) {
            err_set(&why, ERR_RETRY, "%s: the server stores nothing of what is sent", self->uri);
            if (remote_try_again(self->store->remote, &question, &tries, &why, err))
                return -1;
        }
        if (self->stored > stored)
            tries = (struct remote_tries){ 0 };
    }
    return 0;
}

/* --- the writer --------------------------------------------------------------------------- */

static int make_room(struct gs_writer *self, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    struct gs_object unused;

    if (self->composes)
        return gs_flush_piece(self, err);
    return send_buffer(self, false, &arena, &unused, err);
}

static int writer_append(struct store_writer *writer, const void *bytes, size_t length,
                         struct err *err)
{
    struct gs_writer *self = (struct gs_writer *)writer;
    const char *at = bytes;

    while (length > 0) {
        size_t room = GS_PIECE_BYTES - self->buffer.length;

        if (room == 0) { /* only now: the last piece must not be empty */
            if (make_room(self, err))
                return -1;
            continue;
        }
        room = room < length ? room : length;
        buf_append(&self->buffer, at, room);
        self->crc32c = crc32c_add(self->crc32c, at, room);
        self->bytes += room;
        at += room;
        length -= room;
    }
    return 0;
}

static int upload_whole(struct gs_writer *self, struct arena *arena, struct gs_object *ret_object,
                        struct err *err)
{
    if (gs_upload(self, self->name, self->condition, ret_object, arena, err))
        return -1;
    return gs_verify(self, self->name, ret_object, self->crc32c, self->bytes, err);
}

static int writer_commit(struct store_writer *writer, struct store_info *ret_info, struct err *err)
{
    struct gs_writer *self = (struct gs_writer *)writer;
    auto_arena struct arena arena = { 0 };
    struct gs_object object;
    int outcome;

    if (self->composes)
        outcome = gs_compose(self, &arena, &object, err);
    else if (self->session)
        outcome = send_buffer(self, true, &arena, &object, err);
    else
        outcome = upload_whole(self, &arena, &object, err);
    if (outcome)
        return -1;
    if (ret_info)
        *ret_info = object.info;
    return 0;
}

/* An upload that is left open takes room for a week. */
static void cancel_session(struct gs_writer *self)
{
    struct remote_question question = session_question(self, "DELETE");
    auto_answer struct remote_answer answer = { 0 };
    struct err ignored;

    (void)(remote_ask_once(self->store->remote, &question, &(struct remote_tries){ 0 }, &answer,
                           &ignored) == 0);
}

static void writer_free(struct store_writer *writer)
{
    struct gs_writer *self = (struct gs_writer *)writer;

    if (self->session)
        cancel_session(self);
    gs_drop_pieces(self);
    buf_release(&self->buffer);
    free(self->session);
    free(self->condition);
    free(self->uri);
    free(self);
}

static char *condition_text(enum store_condition condition, const char *generation)
{
    if (condition == STORE_ALWAYS)
        return mem_strdup("");
    return mem_format("&ifGenerationMatch=%s", condition == STORE_IF_ABSENT ? "0" : generation);
}

struct store_writer *gs_put(struct store *store, const char *uri, enum store_condition condition,
                            const char *generation, struct err *err)
{
    auto_store_writer struct store_writer *writer = NULL;
    struct gs_writer *self = mem_zero(1, sizeof(*self));
    uint64_t number[2];

    self->base =
        (struct store_writer){ writer_append, gs_append_object, writer_commit, writer_free };
    self->store = (struct gs_store *)store;
    self->uri = mem_strdup(uri);
    self->kind = condition;
    buf_init(&self->buffer, GS_PIECE_BYTES);
    writer = &self->base;
    if (condition == STORE_IF_GENERATION &&
        (!*generation || generation[strspn(generation, "0123456789")])) {
        err_set(err, ERR_CONFLICT, "%s was changed by somebody else", uri);
        return NULL;
    }
    self->condition = condition_text(condition, generation);
    self->name = gs_name(self->store, self->uri, false, err);
    if (!self->name)
        return NULL;
    if (getrandom(number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        err_errno(err, errno, "%s: no random number", uri);
        return NULL;
    }
    snprintf(self->id, sizeof(self->id), "%016" PRIx64 "%016" PRIx64, number[0], number[1]);
    return TAKE(writer);
}
