/* Goal: reading ahead changes nothing but the time: the same bytes, then the same end or failure;
 * no more is read than the ring holds, nothing after the reader has gone, and without a thread the
 * same by the reader itself. Method: a source that counts, fails where it is told, and notes the
 * thread that asks it; the linker puts __wrap_pthread_create in between. */
#include "unit.h"

#include <signal.h>

#include "base/buf.h"
#include "patience.h"
#include "store/read_ahead.h"

#define PACKED "file:///data/weekly.csv.gz"
#define PLAIN  "file:///data/weekly.csv"
#define NEVER  SIZE_MAX
#define PIECE  (READ_AHEAD_BYTES / 8) /* of the ring */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *context), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *context), void *context);

static bool is_refused;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *context), void *context)
{
    return is_refused ? EAGAIN : __real_pthread_create(thread, attributes, run, context);
}

/* Byte i is a function of i, so that any that is lost, doubled or moved shows. */
struct counted {
    size_t length, fails_at; /* NEVER: does not end, does not fail */
    size_t piece;            /* that it gives at once; 0: as many as fit */
    pthread_mutex_t lock;    /* of everything below */
    pthread_cond_t changed;
    size_t given, calls;
    size_t taken, most_ahead; /* by the test; given before they were taken */
    bool is_elsewhere;        /* was asked by another thread than the test's */
    bool hears_signals;
    pthread_t test;
};

static char byte_at(size_t position)
{
    return (char)((position * 2654435761U) >> 13);
}

static int give(void *context, void *buffer, size_t capacity, size_t *ret_length, struct err *err)
{
    struct counted *self = context;
    sigset_t blocked;
    size_t end = self->fails_at < self->length ? self->fails_at : self->length;
    pthread_mutex_lock(&self->lock);
    size_t rest = end - self->given;
    if (self->piece > 0 && rest > self->piece)
        rest = self->piece;
    *ret_length = rest < capacity ? rest : capacity;
    for (size_t i = 0; i < *ret_length; i++)
        ((char *)buffer)[i] = byte_at(self->given + i);
    self->given += *ret_length;
    self->calls++;
    if (self->given - self->taken > self->most_ahead)
        self->most_ahead = self->given - self->taken;
    self->is_elsewhere |= !pthread_equal(self->test, pthread_self());
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    self->hears_signals |= !sigismember(&blocked, SIGTERM);
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
    if (*ret_length == 0 && end == self->fails_at)
        return err_reason(err, ERR_GONE, "InputChanged", "failed at %zu", end);
    return 0;
}

static struct counted counted(size_t length, size_t fails_at)
{
    return (struct counted){ .length = length,
                             .fails_at = fails_at,
                             .lock = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER,
                             .test = pthread_self() };
}

/* Reads until the end, a failure or `maximum` bytes; what read() said last. */
static int read_some(struct counted *counted, struct read_ahead *ahead, size_t capacity,
                     size_t maximum, struct err *err)
{
    auto_free char *bytes = mem_alloc(capacity);
    size_t length = 1;
    while (length > 0 && counted->taken < maximum) {
        if (byte_source_read(read_ahead_source(ahead), bytes, capacity, &length, err))
            return -1;
        for (size_t i = 0; i < length; i++)
            if (bytes[i] != byte_at(counted->taken + i))
                fail_msg("byte %zu is another one", counted->taken + i);
        pthread_mutex_lock(&counted->lock);
        counted->taken += length;
        pthread_mutex_unlock(&counted->lock);
    }
    return 0;
}

static void the_bytes_are_the_same(void **state)
{
    (void)state;
    static const size_t pieces[] = { 0, 1000, 4096 }, capacities[] = { 999, 65536, 3 * MIB };
    static const size_t lengths[] = { 0, 1, PIECE, MIB, 5 * MIB + 17 };
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
        for (size_t j = 0; j < ARRAY_SIZE(capacities); j++)
            for (size_t k = 0; k < ARRAY_SIZE(lengths); k++) {
                struct counted bytes = counted(lengths[k], NEVER);
                struct byte_source source = { give, &bytes };
                struct err err;
                bytes.piece = pieces[i];
                auto_read_ahead struct read_ahead *ahead = read_ahead_new(PACKED, &source);
                for (int again = 0; again < 2; again++) { /* the end stays the end */
                    assert_int_equal(read_some(&bytes, ahead, capacities[j], NEVER, &err), 0);
                    assert_int_equal(bytes.taken, lengths[k]);
                }
                assert_true(bytes.is_elsewhere);
            }
}

static void a_failure_comes_after_what_was_read_before_it(void **state)
{
    (void)state;
    static const size_t places[] = { 0, 1, PIECE - 1, PIECE, 2 * MIB + 5 };
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        struct counted bytes = counted(3 * MIB, places[i]);
        struct byte_source source = { give, &bytes };
        auto_read_ahead struct read_ahead *ahead = read_ahead_new(PACKED, &source);
        size_t calls = 0;
        for (int again = 0; again < 2; again++) { /* and stays */
            struct err err = { 0 };
            assert_int_equal(read_some(&bytes, ahead, 10000, NEVER, &err), -1);
            assert_int_equal(bytes.taken, places[i]);
            assert_int_equal(err.kind, ERR_GONE);
            assert_string_equal(err.reason, "InputChanged");
            assert_non_null(strstr(err.message, "failed at"));
            if (again)
                assert_int_equal(bytes.calls, calls);
            calls = bytes.calls;
        }
    }
}

/* Until so many bytes were given. */
static void wait_for_given(struct counted *bytes, size_t length)
{
    const struct timespec end = patience_end();
    bool is_time = true;
    pthread_mutex_lock(&bytes->lock);
    while (bytes->given < length && is_time)
        is_time = patience_wait(&bytes->changed, &bytes->lock, &end);
    pthread_mutex_unlock(&bytes->lock);
    if (!is_time)
        fail_msg("only %zu bytes were read ahead of nobody", bytes->given);
}

static void the_ring_is_filled_and_no_more(void **state)
{
    (void)state;
    struct counted bytes = counted(NEVER, NEVER);
    struct byte_source source = { give, &bytes };
    struct err err;
    auto_read_ahead struct read_ahead *ahead = read_ahead_new(PACKED, &source);
    for (size_t taken = 0; taken < 3 * MIB; taken = bytes.taken) {
        wait_for_given(&bytes, taken + READ_AHEAD_BYTES);
        assert_int_equal(read_some(&bytes, ahead, PIECE, taken + 1, &err), 0);
        assert_int_equal(bytes.taken, taken + PIECE);
    }
    pthread_mutex_lock(&bytes.lock);
    /* one piece is counted as taken only after its place was free */
    assert_in_range(bytes.most_ahead, READ_AHEAD_BYTES, READ_AHEAD_BYTES + PIECE);
    pthread_mutex_unlock(&bytes.lock);
}

static void nothing_is_read_for_a_reader_that_has_gone(void **state)
{
    (void)state;
    static const size_t places[] = { 0, 1, PIECE, 3 * MIB };
    for (int attempt = 0; attempt < 20; attempt++)
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
            struct counted bytes = counted(NEVER, NEVER);
            struct byte_source source = { give, &bytes };
            struct err err;
            struct read_ahead *ahead = read_ahead_new(PACKED, &source);
            assert_int_equal(read_some(&bytes, ahead, 10000, places[i], &err), 0);
            if (attempt % 2 == 1) /* it waits for room; else it may be reading */
                wait_for_given(&bytes, bytes.taken / PIECE * PIECE + READ_AHEAD_BYTES);
            read_ahead_free(ahead);
            memset(&bytes, 0,
                   sizeof(bytes)); /* without the lock: a thread that lives on is a race */
        }
    read_ahead_free(NULL);
}

static void signals_are_for_others(void **state)
{
    (void)state;
    struct counted bytes = counted(MIB, NEVER);
    struct byte_source source = { give, &bytes };
    struct err err;
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    auto_read_ahead struct read_ahead *ahead = read_ahead_new(PACKED, &source);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
    assert_int_equal(read_some(&bytes, ahead, 10000, NEVER, &err), 0);
    assert_false(bytes.hears_signals);
}

static void who_reads_may_have_to_do_it_himself(void **state)
{
    (void)state;
    static const struct {
        const char *name, *uri;
        bool is_refused, is_elsewhere;
    } cases[] = {
        { "a packed file", PACKED, false, true },
        { "zstd", "file:///data/weekly.csv.zst", false, true },
        { "a bucket", "s3://bucket/weekly.csv", false, true },
        { "a plain file", PLAIN, false, false },
        { "no thread can be started", PACKED, true, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct counted bytes = counted(3 * MIB, 2 * MIB);
        struct byte_source source = { give, &bytes };
        struct err err = { 0 };
        is_refused = cases[i].is_refused;
        auto_read_ahead struct read_ahead *ahead = read_ahead_new(cases[i].uri, &source);
        is_refused = false;
        CASE(cases[i].name, read_some(&bytes, ahead, 10000, NEVER, &err) == -1);
        CASE(cases[i].name, bytes.taken == 2 * MIB);
        CASE(cases[i].name, err.kind == ERR_GONE);
        CASE(cases[i].name, bytes.is_elsewhere == cases[i].is_elsewhere);
        if (!cases[i].is_elsewhere) /* not a byte before it is wanted */
            CASE(cases[i].name, bytes.most_ahead <= 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_the_same),
        cmocka_unit_test(a_failure_comes_after_what_was_read_before_it),
        cmocka_unit_test(the_ring_is_filled_and_no_more),
        cmocka_unit_test(nothing_is_read_for_a_reader_that_has_gone),
        cmocka_unit_test(signals_are_for_others),
        cmocka_unit_test(who_reads_may_have_to_do_it_himself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
