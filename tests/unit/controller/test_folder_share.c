/* Goal: servers that users name hold up their own namespace only.
 * Method: listings whose connections come to be when the test says so. */
#include "unit.h"

#include <pthread.h>

#include "base/json.h"
#include "base/limits.h"

#include "folder_lister.h"

static struct {
    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t changed;
    unsigned waiting; /* threads that want a connection */
    bool open;        /* they go on, with a failure */
} gate = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static struct transport *wait_at_gate(void *context, struct err *err)
{
    (void)context;
    pthread_mutex_lock(&gate.mutex);
    gate.waiting++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    gate.waiting--;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
    err_set(err, ERR_IO, "no connection");
    return NULL;
}

static void wait_for_waiting(unsigned count)
{
    pthread_mutex_lock(&gate.mutex);
    while (gate.waiting != count)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

static void set_gate(bool open)
{
    pthread_mutex_lock(&gate.mutex);
    gate.open = open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static void wake(struct transport *transport)
{
    (void)transport;
}

static const char *variable(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "CLOUDSDK_AUTH_DISABLE_CREDENTIALS") == 0 ? "true" : NULL;
}

/* Asks for a folder of a bucket with the Secret of this namespace; NULL: without one. */
static void ask(struct folder_lister *lister, const char *namespace)
{
    json_t *secret auto_json =
        namespace ? json_pack("{s:{s:s}}", "metadata", "namespace", namespace) : NULL;
    struct err err;
    struct bucket_keys *keys = secret ? bucket_keys_decode(secret, &err) : NULL;

    folder_lister_ask(lister, "gs://bank/weekly/", NULL, keys, NULL);
}

static void take_answers(struct folder_lister *lister, unsigned count)
{
    struct folder_answer answer;

    while (count > 0) {
        if (!folder_lister_take(lister, &answer)) {
            sched_yield();
            continue;
        }
        assert_string_equal(answer.failure.message, "no connection");
        folder_answer_release(&answer);
        count--;
    }
    assert_false(folder_lister_take(lister, &answer));
}

static void one_namespace_leaves_threads_to_others(void **state)
{
    static const struct transport_port port = { .wake = wake };
    struct transport transport = { &port };
    struct err err;
    struct folder_lister *lister = folder_lister_new(
        &transport, &(struct bucket_access){ .variable = variable, .transport_new = wait_at_gate },
        &err);

    (void)state;
    assert_non_null(lister);
    for (int i = 0; i < 5; i++)
        ask(lister, "greedy");
    wait_for_waiting(FOLDER_LISTER_SHARE);
    ask(lister, "other"); /* though it stands behind the three that are left */
    wait_for_waiting(FOLDER_LISTER_SHARE + 1);
    ask(lister, "third");
    wait_for_waiting(FOLDER_LISTER_SHARE + 2);
    ask(lister, NULL); /* all threads of Secrets are held up: this one has its own */
    wait_for_waiting(FOLDER_LISTER_SHARE + 3);
    set_gate(true);
    take_answers(lister, 8);
    folder_lister_free(lister);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_namespace_leaves_threads_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
