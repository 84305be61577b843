/* gs_compose.c - one object of many: pieces that are composed by the server. */
#include "base/base64.h"
#include "base/crc32c.h"
#include "base/json.h"
#include "base/limits.h"
#include "store/gs_writer.h"
#include "store/store_gs.h"

#define COMPOSED_AT_ONCE 32 /* what the API takes */
/* A piece that is older was left by a writer that is gone. */
#define STALE_NS (INT64_C(3600) * 1000000000)

/* --- pieces ------------------------------------------------------------------------ */

/* "<folder>/.churn-part.<name>.<id>-<number>": long names are cut, it need not be pretty. */
static char *piece_name(const struct gs_writer *self)
{
    const char *last = store_name(self->name);
    size_t folder = (size_t)(last - self->name);
    int kept = folder < 512 ? 200 : 40;

    while (kept > 0 && (size_t)kept < strlen(last) && ((unsigned char)last[kept] & 0xC0) == 0x80)
        kept--; /* not within a character */
    return mem_format("%.*s" GS_PART_PREFIX "%.*s.%s-%zu", (int)folder, self->name, kept, last,
                      self->id, self->piece_count);
}

static struct gs_piece *add_piece(struct gs_writer *self)
{
    size_t count = self->piece_count;

    if ((count & (count - 1)) == 0) /* at every power of two the room doubles */
        self->pieces = mem_resize(self->pieces, count ? 2 * count : 1, sizeof(*self->pieces));
    self->pieces[count] = (struct gs_piece){ 0 };
    self->piece_count++;
    return &self->pieces[count];
}

struct leftovers {
    struct gs_store *store;
    const char *what;
    int64_t now_ns; /* by the server's clock */
};

static int remove_leftovers(void *context, const struct gs_page *page, struct err *err)
{
    const struct leftovers *leftovers = context;
    struct err ignored;

    (void)err;
    for (size_t i = 0; i < page->object_count; i++) {
        const struct gs_object *object = &page->objects[i];

        if (gs_is_part(object->name) && leftovers->now_ns - object->info.updated_ns > STALE_NS &&
            gs_remove(leftovers->store, leftovers->what, object->name, object->info.generation,
                      &ignored))
            continue; /* the next writer tries again */
    }
    return 0;
}

/* Cleaning up after others is a courtesy: that it fails is no error. */
static void clean_up(struct gs_writer *self, int64_t now_ns)
{
    struct leftovers leftovers = { self->store, self->uri, now_ns };
    size_t folder = (size_t)(store_name(self->name) - self->name);
    auto_free char *prefix = mem_format("%.*s" GS_PART_PREFIX, (int)folder, self->name);
    struct err ignored;

    (void)(gs_list(self->store, self->uri, prefix, true, remove_leftovers, &leftovers, &ignored) ==
           0);
}

int gs_flush_piece(struct gs_writer *self, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    auto_free char *name = piece_name(self);
    bool is_first = self->piece_count == 0;
    struct gs_piece piece = { .crc32c = self->crc32c, .bytes = self->bytes, .is_ours = true };
    struct gs_object object;

    if (self->buffer.length == 0)
        return 0;
    if (gs_upload(self, name, "", &object, &arena, err) ||
        gs_verify(self, name, &object, self->crc32c, self->bytes, err))
        return -1;
    memcpy(piece.generation, object.info.generation, sizeof(piece.generation));
    piece.name = TAKE(name);
    *add_piece(self) = piece;
    buf_clear(&self->buffer);
    self->crc32c = 0;
    self->bytes = 0;
    if (is_first)
        clean_up(self, object.info.updated_ns);
    return 0;
}

static int parse_crc32c(const struct gs_object *object, const char *uri, uint32_t *ret_crc32c,
                        struct err *err)
{
    auto_buf struct buf bytes = { .maximum = CHECKSUM_TEXT };
    struct err ignored;

    if (base64_decode(&bytes, span_of(object->crc32c), &ignored) || bytes.length != 4)
        return err_set(err, ERR_UNSUPPORTED, "%s has no CRC-32C to compose it by", uri);
    *ret_crc32c = 0;
    for (size_t i = 0; i < bytes.length; i++)
        *ret_crc32c = *ret_crc32c << 8 | (unsigned char)bytes.data[i];
    return 0;
}

int gs_append_object(struct store_writer *writer, const char *uri, const char *generation,
                     struct err *err)
{
    struct gs_writer *self = (struct gs_writer *)writer;
    const char *name = gs_name(self->store, uri, false, err);
    auto_arena struct arena arena = { 0 };
    struct gs_piece piece = { 0 };
    struct gs_object object;

    if (!name || gs_look(self->store, uri, name, &arena, &object, err))
        return -1;
    if (strcmp(object.info.generation, generation) != 0)
        return store_fail_changed(uri, err);
    if (self->session)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: more than %d bytes before the first object that is appended", self->uri,
                       GS_PIECE_BYTES);
    if (object.is_packed)
        return err_set(err, ERR_UNSUPPORTED, "%s is kept as gzip: it cannot be appended", uri);
    self->composes = true;
    if (gs_flush_piece(self, err) || parse_crc32c(&object, uri, &piece.crc32c, err))
        return -1;
    if (object.info.bytes == 0)
        return 0;
    piece.name = mem_strdup(name);
    piece.bytes = (uint64_t)object.info.bytes;
    memcpy(piece.generation, object.info.generation, sizeof(piece.generation));
    *add_piece(self) = piece;
    return 0;
}

static void drop_piece(struct gs_writer *self, struct gs_piece *piece)
{
    auto_free char *url = gs_object_url(self->store, piece->name, "");
    struct remote_question question =
        gs_question(self->store, self->uri, "storage.objects.delete", "DELETE", url);
    auto_answer struct remote_answer answer = { 0 };
    struct err ignored;

    if (piece->is_ours && remote_ask_once(self->store->remote, &question,
                                          &(struct remote_tries){ 0 }, &answer, &ignored) == 0)
        piece->is_ours = false;
    free(TAKE(piece->name));
}

void gs_drop_pieces(struct gs_writer *self)
{
    for (size_t i = 0; i < self->piece_count; i++)
        drop_piece(self, &self->pieces[i]);
    free(TAKE(self->pieces));
    self->piece_count = 0;
}

/* --- composing ------------------------------------------------------------------------ */

static json_t *describe(const struct gs_writer *self, const struct gs_piece *pieces, size_t count,
                        const char *name)
{
    json_t *sources = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(sources, json_pack("{s:s, s:s}", "name", pieces[i].name, "generation",
                                                 pieces[i].generation));
    return json_pack("{s:o, s:{s:s, s:{s:s}}}", "sourceObjects", sources, "destination",
                     "contentType", gs_content_type(name), "metadata", GS_WRITER_KEY, self->id);
}

/* *ret_piece: what it should be. */
static void join(const struct gs_piece *pieces, size_t count, struct gs_piece *ret_piece)
{
    *ret_piece = (struct gs_piece){ 0 };
    for (size_t i = 0; i < count; i++) {
        ret_piece->crc32c = crc32c_join(ret_piece->crc32c, pieces[i].crc32c, pieces[i].bytes);
        ret_piece->bytes += pieces[i].bytes;
    }
}

static int compose_pieces(struct gs_writer *self, const struct gs_piece *pieces, size_t count,
                          const char *name, const char *condition, struct gs_piece *ret_piece,
                          struct arena *arena, struct gs_object *ret_object, struct err *err)
{
    static const struct http_header headers[] = {
        { "Content-Type", "application/json; charset=UTF-8" },
    };
    auto_json json_t *json = describe(self, pieces, count, name);
    auto_free char *body = jx_canonical(json);
    auto_free char *query =
        mem_format("/compose?prettyPrint=false&fields=" GS_OBJECT_FIELDS "%s", condition);
    auto_free char *url = gs_object_url(self->store, name, query);
    struct remote_question question =
        gs_question(self->store, self->uri, "storage.objects.create", "POST", url);
    auto_answer struct remote_answer answer = { 0 };

    join(pieces, count, ret_piece);
    question.headers = headers;
    question.header_count = ARRAY_SIZE(headers);
    question.body = span_of(body);
    if (remote_ask(self->store->remote, &question, &answer, err))
        return -1;
    if (answer.reply.status == 404)
        return err_reason(err, ERR_GONE, "InputChanged", "%s: an object that it is made of is gone",
                          self->uri);
    if (answer.reply.status == 412) {
        if (gs_meet_refusal(self, answer.attempts, arena, ret_object, err))
            return -1;
    } else if (answer.reply.status != 200) {
        return remote_fail(&question, &answer.reply, err);
    } else if (gs_object_parse(answer.reply.body, arena, ret_object, err)) {
        return err_wrap(err, "%s", self->uri);
    }
    return gs_verify(self, name, ret_object, ret_piece->crc32c, ret_piece->bytes, err);
}

/* Some pieces become one, which is put behind the others. */
static int compose_group(struct gs_writer *self, size_t first, size_t count, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    auto_free char *name = piece_name(self);
    struct gs_object object;
    struct gs_piece piece;

    if (compose_pieces(self, self->pieces + first, count, name, "", &piece, &arena, &object, err))
        return -1;
    memcpy(piece.generation, object.info.generation, sizeof(piece.generation));
    piece.is_ours = true;
    piece.name = TAKE(name);
    *add_piece(self) = piece;
    return 0;
}

int gs_compose(struct gs_writer *self, struct arena *arena, struct gs_object *ret_object,
               struct err *err)
{
    size_t first = 0;
    struct gs_piece whole;

    if (self->piece_count == 0) { /* nothing but empty objects */
        if (gs_upload(self, self->name, self->condition, ret_object, arena, err))
            return -1;
        return gs_verify(self, self->name, ret_object, self->crc32c, self->bytes, err);
    }
    if (gs_flush_piece(self, err))
        return -1;
    /* Level by level, as neighbours must stay neighbours. */
    while (self->piece_count - first > COMPOSED_AT_ONCE) {
        size_t end = self->piece_count;

        for (; first < end; first += COMPOSED_AT_ONCE)
            if (compose_group(self, first,
                              end - first < COMPOSED_AT_ONCE ? end - first : COMPOSED_AT_ONCE, err))
                return -1;
        first = end;
    }
    if (compose_pieces(self, self->pieces + first, self->piece_count - first, self->name,
                       self->condition, &whole, arena, ret_object, err))
        return -1;
    gs_drop_pieces(self);
    return 0;
}
