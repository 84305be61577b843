/* Goal: when the lister is gone, so is all that its idle threads had. Method: every thread is given
 * something that counts its own end (the linker puts __wrap_pthread_create in between). */
#include <pthread.h>
#include <stdatomic.h>

#include "unit.h"

#include "folder_lister.h"

#include "../kube/fake_network.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *context), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *context), void *context);

struct start {
    void *(*run)(void *context);
    void *context;
};

static pthread_key_t key;
static atomic_uint begun, ended;

static void count_end(void *value)
{
    (void)value;
    ended++;
}

static void *run_counted(void *context)
{
    struct start start = *(struct start *)context;

    free(context);
    (void)pthread_setspecific(key, &ended);
    return start.run(start.context);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *context), void *context)
{
    struct start *start = mem_zero(1, sizeof(*start));

    *start = (struct start){ run, context };
    begun++;
    return __real_pthread_create(thread, attributes, run_counted, start);
}

static void no_server(void *context, struct fake_exchange *exchange)
{
    (void)context;
    (void)exchange;
}

/* Again and again: a thread that is not waited for has often ended all the same. */
static void test_idle_threads_are_waited_for(void **state)
{
    struct fake_network network;

    (void)state;
    assert_int_equal(pthread_key_create(&key, count_end), 0);
    fake_network_init(&network, no_server, NULL);
    for (int i = 0; i < 100; i++) {
        struct err err;
        struct folder_lister *lister =
            folder_lister_new(&network.transport, &(struct bucket_access){ 0 }, &err);

        assert_non_null(lister);
        folder_lister_free(lister);
        assert_int_equal(ended, begun);
    }
    assert_int_not_equal(begun, 0);
    fake_network_release(&network);
    pthread_key_delete(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_idle_threads_are_waited_for) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
