#include "store/download.h"

#include "base/decompress.h"
#include "base/limits.h"
#include "base/num.h"
#include "store/store_driver.h"

struct stream {
    struct store_reader base;
    struct remote *remote;
    struct arena arena;
    struct download plan;
    struct remote_line *line;
    struct http_call *call; /* NULL: none is running */
    struct remote_tries tries;
    uint64_t position; /* of the next byte that comes, in the object */
    uint64_t got_on;   /* where it was when `tries` began anew */
    uint64_t skip;     /* bytes that come again, because the server began at 0 */
    char *target;      /* where the reader wants what comes next: `room` bytes of it are free */
    size_t room;
    struct buf pieces; /* bytes that came besides and were not read yet, behind `taken` */
    size_t taken;
    struct checksum checksum;
    /* Of a packed object. */
    struct byte_source bytes; /* as they come */
    struct decompressor *decompressor;
    bool begun, unpacked; /* an answer came; by the server */
    bool over, failed;    /* of the exchange */
    bool ends_here;       /* the server said so */
    bool ended, damaged;  /* of the stream */
    struct err failure;
};

int download_parse_content_range(const char *text, uint64_t *ret_first, struct err *err)
{
    const char unit[] = "bytes ", *minus = strchr(text, '-');
    size_t begin = sizeof(unit) - 1;
    int64_t first;

    if (strncmp(text, unit, begin) != 0 || !minus ||
        num_int64((struct span){ text + begin, (size_t)(minus - text) - begin }, 0, INT64_MAX,
                  &first, err))
        return err_set(err, ERR_INVALID, "Content-Range \"%.64s\" is not \"bytes FIRST-LAST/SIZE\"",
                       text);
    *ret_first = (uint64_t)first;
    return 0;
}

/* --- what the transport calls ---------------------------------------------------- */

/* Does the answer speak of the generation that we want, and packed as before? */
static int check_head(struct stream *self, const struct http_reply *head, struct err *err)
{
    const struct http_header *wanted = &self->plan.generation;
    const char *found = wanted->name ? http_reply_header(head, wanted->name) : NULL;
    const char *encoding = http_reply_header(head, "Content-Encoding");
    bool unpacked = self->plan.packed && (!encoding || strcmp(encoding, "gzip") != 0);

    if (found && strcmp(found, wanted->value) != 0)
        return store_fail_changed(self->plan.question.what, err);
    if (self->begun && unpacked != self->unpacked)
        return err_set(err, ERR_RETRY, "%s: the server packs it now and then",
                       self->plan.question.what);
    self->begun = true;
    if (!unpacked || self->unpacked)
        return 0;
    self->unpacked = true;
    self->plan.end = UINT64_MAX;
    checksum_release(&self->checksum);
    self->plan.checksum[0] = '\0';
    return 0;
}

static int on_head(void *context, const struct http_reply *head, struct err *err)
{
    struct stream *self = context;
    const char *text = http_reply_header(head, "Content-Range"), *what = self->plan.question.what;
    uint64_t first = 0;

    if (check_head(self, head, err))
        return -1;
    if (head->status == 206 && (!text || download_parse_content_range(text, &first, err)))
        return err_set(err, ERR_INVALID, "%s: the server does not say which part it sends", what);
    if (first > self->position)
        return err_set(err, ERR_INVALID, "%s: the server sends another part than was asked for",
                       what);
    self->skip = self->position - first;
    return 0;
}

/* To the reader, as far as it has asked for them; the rest is kept. */
static void keep(struct stream *self, struct span piece)
{
    size_t wanted = piece.length < self->room ? piece.length : self->room;

    if (wanted > 0) {
        memcpy(self->target, piece.data, wanted);
        self->target += wanted;
        self->room -= wanted;
    }
    buf_append(&self->pieces, piece.data + wanted, piece.length - wanted);
}

/* A few bytes more are none: a server could bring them one by one, for ever. */
static void note_progress(struct stream *self)
{
    self->tries.refused = false;
    if (self->position - self->got_on < REMOTE_LEAST_BYTES)
        return;
    self->tries = (struct remote_tries){ 0 };
    self->got_on = self->position;
}

static int on_data(void *context, struct span piece, struct err *err)
{
    struct stream *self = context;
    size_t skipped = self->skip < piece.length ? (size_t)self->skip : piece.length;
    uint64_t rest = self->plan.end - self->position;

    self->skip -= skipped;
    piece.data += skipped;
    piece.length -= skipped;
    if (piece.length > 0 && rest == 0) /* a server that does not know ranges goes on */
        return err_set(err, ERR_CANCELED, "enough");
    if (piece.length > rest)
        piece.length = (size_t)rest;
    if (piece.length == 0)
        return 0;
    self->position += piece.length;
    note_progress(self);
    checksum_add(&self->checksum, piece.data, piece.length);
    keep(self, piece);
    return buf_check(&self->pieces, self->plan.question.what, err);
}

static void on_done(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct stream *self = context;

    self->call = NULL;
    self->over = true;
    self->failed = true;
    if (failure) {
        self->failure = *failure;
        err_wrap(&self->failure, "%s", self->plan.question.what);
    } else if (reply->status == 404 || reply->status == 412 || reply->status == 416) {
        store_fail_changed(self->plan.question.what, &self->failure);
    } else if (reply->status >= 200 && reply->status < 300) {
        self->failed = false;
    } else {
        remote_fail(&self->plan.question, reply, &self->failure);
    }
}

/* --- reading ------------------------------------------------------------------------ */

static int begin(struct stream *self, struct err *err)
{
    static const struct http_handler handler = { on_head, on_data, on_done };
    struct remote_question question = self->plan.question;
    auto_arena struct arena arena = { 0 };
    struct http_header *headers = arena_zero(&arena, question.header_count + 1, sizeof(*headers));

    if (!self->line && !(self->line = remote_take_line(self->remote, err)))
        return -1;
    for (size_t i = 0; i < question.header_count; i++)
        headers[i] = question.headers[i];
    question.headers = headers;
    if (self->plan.end != UINT64_MAX && !(self->plan.whole && self->position == 0))
        headers[question.header_count++] = (struct http_header){
            "Range",
            arena_format(&arena, "bytes=%" PRIu64 "-%" PRIu64, self->position, self->plan.end - 1),
        };
    else if (self->position > 0)
        headers[question.header_count++] =
            (struct http_header){ "Range",
                                  arena_format(&arena, "bytes=%" PRIu64 "-", self->position) };
    self->over = self->failed = false;
    self->call =
        remote_start(self->remote, self->line, &question, self->tries.refused, &handler, self, err);
    return self->call ? 0 : -1;
}

static void end_stream(struct stream *self)
{
    char text[CHECKSUM_TEXT];

    self->ended = true;
    checksum_text(&self->checksum, text);
    self->damaged = self->plan.whole && strcmp(text, self->plan.checksum) != 0;
}

/* The exchange is over: shall the stream go on with another one? */
static int conclude(struct stream *self, struct err *err)
{
    struct err why = self->failure;

    if (self->position == self->plan.end || (!self->failed && self->plan.end == UINT64_MAX))
        return 0;
    if (!self->failed)
        err_set(&why, ERR_RETRY, "%s: the server sent less than it should",
                self->plan.question.what);
    return remote_try_again(self->remote, &self->plan.question, &self->tries, &why, err);
}

/* Until bytes are there, or the end. */
static int wait_for_bytes(struct stream *self, struct err *err)
{
    size_t room = self->room;

    while (self->room == room && self->pieces.length == 0 && !self->ended) {
        if (self->call) {
            if (remote_turn(self->remote, self->line, err))
                return -1;
        } else if (self->over) {
            self->over = false;
            if (conclude(self, err))
                return -1;
            self->ends_here = !self->failed && self->plan.end == UINT64_MAX;
        } else if (self->position == self->plan.end || self->ends_here) {
            end_stream(self);
        } else if (begin(self, err)) {
            return -1;
        }
    }
    return 0;
}

/* They go to the buffer, which may have no room, and then to `pieces`. */
static int fetch(struct stream *self, char *buffer, size_t room, size_t *ret_length,
                 struct err *err)
{
    int outcome;

    buf_clear(&self->pieces);
    self->taken = 0;
    self->target = buffer;
    self->room = room;
    outcome = wait_for_bytes(self, err);
    *ret_length = room - self->room;
    self->room = 0;
    return outcome;
}

static int read_bytes(void *context, void *buffer, size_t capacity, size_t *ret_length,
                      struct err *err)
{
    struct stream *self = context;
    size_t length = 0;

    if (self->taken == self->pieces.length && fetch(self, buffer, capacity, &length, err))
        return -1;
    if (length > 0) {
        *ret_length = length;
        return 0;
    }
    if (self->damaged && self->taken == self->pieces.length)
        return err_set(err, ERR_RETRY, "%s was damaged on its way: its checksum is not %s",
                       self->plan.question.what, self->plan.checksum);
    length = self->pieces.length - self->taken;
    length = length < capacity ? length : capacity;
    if (length > 0)
        memcpy(buffer, self->pieces.data + self->taken, length);
    self->taken += length;
    *ret_length = length;
    return 0;
}

/* Whether there is anything to unpack, the first answer says. */
static int begin_packed(struct stream *self, struct err *err)
{
    auto_free char *name = mem_format("%s.gz", self->plan.question.what);
    size_t length;

    if (!self->begun && fetch(self, NULL, 0, &length, err))
        return -1;
    if (!self->unpacked)
        self->decompressor = decompressor_new(name, &self->bytes, err);
    return self->unpacked || self->decompressor ? 0 : -1;
}

static int read_packed(void *context, void *buffer, size_t capacity, size_t *ret_length,
                       struct err *err)
{
    struct stream *self = context;

    if (!self->decompressor && !self->unpacked && begin_packed(self, err))
        return -1;
    return byte_source_read(self->decompressor ? decompressor_source(self->decompressor)
                                               : &self->bytes,
                            buffer, capacity, ret_length, err);
}

static void stream_free(struct store_reader *reader)
{
    struct stream *self = (struct stream *)reader;

    if (self->call)
        transport_cancel(remote_line_transport(self->line), self->call);
    remote_give_line(self->remote, self->line);
    decompressor_free(self->decompressor);
    checksum_release(&self->checksum);
    buf_release(&self->pieces);
    arena_release(&self->arena);
    free(self);
}

static const char *copy(struct stream *self, const char *text)
{
    return text ? arena_strdup(&self->arena, text) : NULL;
}

struct store_reader *download_new(struct remote *remote, const struct download *download)
{
    struct stream *self = mem_zero(1, sizeof(*self));
    struct remote_question *question = &self->plan.question;
    struct http_header *headers =
        arena_zero(&self->arena, download->question.header_count, sizeof(*headers));

    self->bytes = (struct byte_source){ read_bytes, self };
    self->base =
        (struct store_reader){ .source = { download->packed ? read_packed : read_bytes, self },
                               .free = stream_free };
    self->remote = remote;
    self->plan = *download;
    self->position = self->got_on = download->begin;
    question->what = copy(self, question->what);
    question->right = copy(self, question->right);
    question->method = copy(self, question->method);
    question->url = copy(self, question->url);
    for (size_t i = 0; i < question->header_count; i++)
        headers[i] = (struct http_header){ copy(self, question->headers[i].name),
                                           copy(self, question->headers[i].value) };
    question->headers = headers;
    self->plan.generation.name = copy(self, download->generation.name);
    self->plan.generation.value = copy(self, download->generation.value);
    checksum_init(&self->checksum, download->whole ? download->checksum_kind : CHECKSUM_NONE);
    if (self->checksum.kind == CHECKSUM_NONE)
        self->plan.checksum[0] = '\0'; /* as the text of none */
    buf_init(&self->pieces, LIMIT_DOWNLOAD_TURN);
    return &self->base;
}
