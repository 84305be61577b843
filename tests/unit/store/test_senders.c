/* Goal: pieces go out at the same time, no more than were asked for, each once and with its own
 * bytes; the first failure is told and nothing is begun after it.
 * Method: a send that waits until the test lets it go. */
#include "unit.h"

#include <pthread.h>

#include "base/mem.h"
#include "store/senders.h"

#define PIECES 20

static struct {
    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t changed;
    unsigned sending, most, sent, allowed; /* allowed: so many may be through */
    unsigned times[PIECES];
    int failing; /* this piece fails; -1: none */
} gate = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void set_up(unsigned allowed, int failing)
{
    memset(gate.times, 0, sizeof(gate.times));
    gate.sending = gate.most = gate.sent = 0;
    gate.allowed = allowed;
    gate.failing = failing;
}

static int send_gated(void *context, void *piece, struct span bytes, struct err *err)
{
    int number = *(int *)piece;
    bool fails;

    (void)context;
    pthread_mutex_lock(&gate.mutex);
    gate.times[number]++;
    gate.sending++;
    gate.most = gate.sending > gate.most ? gate.sending : gate.most;
    pthread_cond_broadcast(&gate.changed);
    while (gate.sent == gate.allowed)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    gate.sent++;
    gate.sending--;
    pthread_cond_broadcast(&gate.changed);
    fails = number == gate.failing;
    pthread_mutex_unlock(&gate.mutex);
    auto_free char *expected = mem_format("piece %d", number);
    if (!span_equals(bytes, expected))
        return err_set(err, ERR_INTERNAL, "piece %d came as \"%.*s\"", number, (int)bytes.length,
                       bytes.data);
    return fails ? err_set(err, ERR_DENIED, "piece %d is refused", number) : 0;
}

static void wait_until_sending(unsigned count)
{
    pthread_mutex_lock(&gate.mutex);
    while (gate.sending != count)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

static void allow(unsigned allowed)
{
    pthread_mutex_lock(&gate.mutex);
    gate.allowed = allowed;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

/* Adds pieces from `first` on; the number of the one that could not be added, or `end`. */
static int add(struct senders *senders, int *numbers, int first, int end, struct err *err)
{
    auto_buf struct buf bytes = { .maximum = 100 };

    for (int i = first; i < end; i++) {
        numbers[i] = i;
        buf_clear(&bytes);
        buf_format(&bytes, "piece %d", i);
        if (senders_add(senders, &numbers[i], &bytes, err) < 0)
            return i;
        assert_int_equal(bytes.length, 0);
        assert_int_equal(bytes.maximum, 100);
    }
    return end;
}

static void pieces_go_out_together(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 3; count++) {
        int numbers[PIECES];
        struct err err = { 0 };
        struct senders *senders = senders_new(count, send_gated, NULL);

        set_up(count == 1 ? PIECES : 0, -1);
        if (count > 1) { /* adding so many does not wait */
            assert_int_equal(add(senders, numbers, 0, (int)count, &err), count);
            wait_until_sending(count);
            allow(PIECES);
        }
        assert_int_equal(add(senders, numbers, count > 1 ? (int)count : 0, PIECES, &err), PIECES);
        if (senders_wait(senders, &err) < 0)
            fail_msg("%s", err.message);
        assert_int_equal(gate.most, count);
        for (int i = 0; i < PIECES; i++)
            assert_int_equal(gate.times[i], 1);
        senders_free(senders);
    }
}

static void the_first_failure_is_told(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 3; count++) {
        int numbers[PIECES];
        struct err err = { 0 };
        struct senders *senders = senders_new(count, send_gated, NULL);

        set_up(PIECES, 4);
        if (add(senders, numbers, 0, 5, &err) == 5)
            assert_int_equal(senders_wait(senders, &err), -1);
        assert_int_equal(err.kind, ERR_DENIED);
        assert_string_equal(err.message, "piece 4 is refused");
        assert_int_equal(add(senders, numbers, 5, PIECES, &err), 5);
        assert_int_equal(senders_wait(senders, &err), -1);
        assert_int_equal(gate.times[4], 1);
        assert_int_equal(gate.times[5], 0);
        senders_free(senders);
    }
}

static void freeing_waits_for_what_is_under_way(void **state)
{
    int numbers[PIECES];
    struct err err = { 0 };
    struct senders *senders = senders_new(2, send_gated, NULL);

    (void)state;
    set_up(2, -1);
    assert_int_equal(add(senders, numbers, 0, 2, &err), 2);
    senders_free(senders);
    assert_int_equal(gate.sent, 2);
    senders_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_go_out_together),
        cmocka_unit_test(the_first_failure_is_told),
        cmocka_unit_test(freeing_waits_for_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
