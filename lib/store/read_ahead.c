#include "store/read_ahead.h"

#include <pthread.h>
#include <signal.h>

#include "base/decompress.h"
#include "base/mem.h"

#define PIECES      8
#define PIECE_BYTES (READ_AHEAD_BYTES / PIECES) /* what zstd unpacks at once */

struct read_ahead {
    struct byte_source output;
    const struct byte_source *source;
    bool is_started;
    pthread_t thread;
    char *bytes;           /* of the ring */
    size_t taken;          /* of the oldest piece, by the reader */
    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t changed;
    size_t lengths[PIECES];
    uint64_t filled, emptied; /* pieces so far; a piece is at its number modulo PIECES */
    bool is_over;             /* nothing more is filled: the end, or ... */
    bool has_failed;
    struct err failure;
    bool is_closing;
};

/* --- the thread -------------------------------------------------------------- */

/* False when nobody wants more. */
static bool wait_for_room(struct read_ahead *self)
{
    bool is_wanted;

    pthread_mutex_lock(&self->mutex);
    while (self->filled - self->emptied == PIECES && !self->is_closing)
        pthread_cond_wait(&self->changed, &self->mutex);
    is_wanted = !self->is_closing && !self->is_over;
    pthread_mutex_unlock(&self->mutex);
    return is_wanted;
}

/* Only this thread changes `filled`. */
static void fill_piece(struct read_ahead *self)
{
    size_t place = self->filled % PIECES, length = 0;
    struct err failure;
    int outcome = byte_source_read(self->source, self->bytes + place * PIECE_BYTES, PIECE_BYTES,
                                   &length, &failure);

    pthread_mutex_lock(&self->mutex);
    if (outcome == 0 && length > 0) {
        self->lengths[place] = length;
        self->filled++;
    } else {
        self->is_over = true;
        self->has_failed = outcome != 0;
        if (outcome != 0)
            self->failure = failure;
    }
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

static void *run(void *context)
{
    struct read_ahead *self = context;

    while (wait_for_room(self))
        fill_piece(self);
    return NULL;
}

/* A thread begins with the mask of who starts it. */
static void start(struct read_ahead *self)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    self->is_started = pthread_create(&self->thread, NULL, run, self) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop(struct read_ahead *self)
{
    pthread_mutex_lock(&self->mutex);
    self->is_closing = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
}

/* --- the reader -------------------------------------------------------------- */

/* Waits for the oldest piece; *ret_length is 0 at the end. */
static int wait_for_piece(struct read_ahead *self, size_t *ret_length, struct err *err)
{
    bool has_failed;

    pthread_mutex_lock(&self->mutex);
    while (self->filled == self->emptied && !self->is_over)
        pthread_cond_wait(&self->changed, &self->mutex);
    *ret_length = self->filled > self->emptied ? self->lengths[self->emptied % PIECES] : 0;
    has_failed = *ret_length == 0 && self->has_failed;
    if (has_failed && err)
        *err = self->failure;
    pthread_mutex_unlock(&self->mutex);
    return has_failed ? -1 : 0;
}

static void give_back_piece(struct read_ahead *self)
{
    self->taken = 0;
    pthread_mutex_lock(&self->mutex);
    self->emptied++;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

/* Only the reader changes `emptied`. */
static int read_pieces(void *context, void *buffer, size_t capacity, size_t *ret_length,
                       struct err *err)
{
    struct read_ahead *self = context;
    size_t place = self->emptied % PIECES, length, rest;

    if (!self->is_started)
        return byte_source_read(self->source, buffer, capacity, ret_length, err);
    if (wait_for_piece(self, &length, err))
        return -1;
    rest = length - self->taken;
    if (capacity > rest)
        capacity = rest;
    if (capacity > 0)
        memcpy(buffer, self->bytes + place * PIECE_BYTES + self->taken, capacity);
    self->taken += capacity;
    if (length > 0 && self->taken == length)
        give_back_piece(self);
    *ret_length = capacity;
    return 0;
}

const struct byte_source *read_ahead_source(struct read_ahead *ahead)
{
    return &ahead->output;
}

/* --- life -------------------------------------------------------------------- */

static bool is_slow(const char *uri)
{
    const char scheme[] = "file://";

    return decompressor_is_needed(uri) || strncmp(uri, scheme, sizeof(scheme) - 1) != 0;
}

struct read_ahead *read_ahead_new(const char *uri, const struct byte_source *source)
{
    struct read_ahead *self = mem_zero(1, sizeof(*self));

    self->output = (struct byte_source){ read_pieces, self };
    self->source = source;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, NULL);
    if (is_slow(uri)) {
        self->bytes = mem_alloc(READ_AHEAD_BYTES);
        start(self);
    }
    return self;
}

void read_ahead_free(struct read_ahead *ahead)
{
    if (!ahead)
        return;
    if (ahead->is_started)
        stop(ahead);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->mutex);
    free(ahead->bytes);
    free(ahead);
}

void read_ahead_cleanup(struct read_ahead **ahead)
{
    read_ahead_free(*ahead);
}
