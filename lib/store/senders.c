#include "store/senders.h"

#include <pthread.h>

#include "base/mem.h"

/* A thread, and what it sends. */
struct sender {
    struct senders *senders;
    pthread_t thread;
    bool started;
    struct buf bytes;
    void *piece; /* NULL: it is free */
};

struct senders {
    senders_send send;
    void *context;
    unsigned count;
    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t changed;
    struct sender items[SENDERS_MAXIMUM];
    bool closing, failed;
    struct err failure; /* the first */
};

struct senders *senders_new(unsigned count, senders_send send, void *context)
{
    struct senders *senders = mem_zero(1, sizeof(*senders));

    senders->send = send;
    senders->context = context;
    senders->count = count;
    for (unsigned i = 0; i < count; i++)
        senders->items[i].senders = senders;
    pthread_mutex_init(&senders->mutex, NULL);
    pthread_cond_init(&senders->changed, NULL);
    return senders;
}

/* Called with the mutex held, which is given up while the piece is sent. */
static void send_piece(struct sender *self)
{
    struct senders *senders = self->senders;
    struct span bytes = { buf_text(&self->bytes), self->bytes.length };
    struct err failure;

    if (!senders->failed) {
        pthread_mutex_unlock(&senders->mutex);
        int outcome = senders->send(senders->context, self->piece, bytes, &failure);
        pthread_mutex_lock(&senders->mutex);
        if (outcome < 0 && !senders->failed) {
            senders->failed = true;
            senders->failure = failure;
        }
    }
    buf_clear(&self->bytes);
    self->piece = NULL;
    pthread_cond_broadcast(&senders->changed);
}

static void *run(void *context)
{
    struct sender *self = context;
    struct senders *senders = self->senders;

    pthread_mutex_lock(&senders->mutex);
    while (self->piece || !senders->closing) {
        if (self->piece)
            send_piece(self);
        else
            pthread_cond_wait(&senders->changed, &senders->mutex);
    }
    pthread_mutex_unlock(&senders->mutex);
    return NULL;
}

/* Called with the mutex held. */
static int start(struct senders *senders, struct sender *sender, struct err *err)
{
    int outcome;

    if (sender->started || senders->count == 1)
        return 0;
    outcome = pthread_create(&sender->thread, NULL, run, sender);
    if (outcome != 0)
        return err_errno(err, outcome, "cannot start a thread");
    sender->started = true;
    return 0;
}

/* Called with the mutex held. Waits for one that is free. */
static struct sender *find_free(struct senders *senders)
{
    for (;;) {
        for (unsigned i = 0; i < senders->count; i++)
            if (!senders->items[i].piece)
                return &senders->items[i];
        pthread_cond_wait(&senders->changed, &senders->mutex);
    }
}

/* Called with the mutex held. */
static int tell(const struct senders *senders, struct err *err)
{
    if (senders->failed && err)
        *err = senders->failure;
    return senders->failed ? -1 : 0;
}

static int add(struct senders *senders, void *piece, struct buf *bytes, struct err *err)
{
    struct sender *sender = find_free(senders);
    struct buf empty = sender->bytes;

    if (tell(senders, err) < 0 || start(senders, sender, err) < 0)
        return -1;
    empty.maximum = bytes->maximum;
    sender->bytes = *bytes;
    *bytes = empty;
    sender->piece = piece;
    pthread_cond_broadcast(&senders->changed);
    if (senders->count == 1)
        send_piece(sender);
    return senders->count == 1 ? tell(senders, err) : 0;
}

int senders_add(struct senders *senders, void *piece, struct buf *bytes, struct err *err)
{
    pthread_mutex_lock(&senders->mutex);
    int outcome = add(senders, piece, bytes, err);
    pthread_mutex_unlock(&senders->mutex);
    return outcome;
}

/* Called with the mutex held. */
static void wait_for_all(struct senders *senders)
{
    for (unsigned i = 0; i < senders->count; i++)
        while (senders->items[i].piece)
            pthread_cond_wait(&senders->changed, &senders->mutex);
}

int senders_wait(struct senders *senders, struct err *err)
{
    pthread_mutex_lock(&senders->mutex);
    wait_for_all(senders);
    int outcome = tell(senders, err);
    pthread_mutex_unlock(&senders->mutex);
    return outcome;
}

void senders_free(struct senders *senders)
{
    if (!senders)
        return;
    pthread_mutex_lock(&senders->mutex);
    senders->closing = true;
    pthread_cond_broadcast(&senders->changed);
    pthread_mutex_unlock(&senders->mutex);
    for (unsigned i = 0; i < senders->count; i++) {
        if (senders->items[i].started)
            pthread_join(senders->items[i].thread, NULL);
        buf_release(&senders->items[i].bytes);
    }
    pthread_cond_destroy(&senders->changed);
    pthread_mutex_destroy(&senders->mutex);
    free(senders);
}
