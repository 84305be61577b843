/* Goal: a controller that runs out of memory ends with 70 wherever that happens, and the next one
 * comes to the same end.
 * Method: whole controllers on a simulated cluster (sim/simulation.h). Each allocation that one
 * makes for a training and a batch fails in turn; where the process would end, a new controller
 * starts on the same cluster. Counted is what mem.h allocates within manager_turn() (jansson and
 * OpenSSL allocate through it), without what the simulated server needs to answer. By default a
 * seeded sample; more with CHURN_FULL=1: every one of a training. */
#include <errno.h>
#include <sys/wait.h>

#include "base/num.h"
#include "base/random.h"
#include "sim/simulation.h"

#define SECOND 1000

/* --- the allocation that fails --------------------------------------------------------- */

static struct {
    bool counted;           /* now */
    uint64_t number, count; /* number: which one fails, 0: none */
    jmp_buf end_of_process;
    int status; /* with which it ended */
} memory;
static _Thread_local bool counting;

static bool fails(void)
{
    if (!counting || ++memory.count != memory.number)
        return false;
    errno = ENOMEM;
    return true;
}

/* What the linker puts in place of each function (--wrap), and the function itself. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

void *__real_reallocarray(void *block, size_t count, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(block, count, size);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__real_strndup(const char *text, size_t length);
char *__wrap_strndup(const char *text, size_t length);
char *__wrap_strndup(const char *text, size_t length)
{
    return fails() ? NULL : __real_strndup(text, length);
}

int __real_vasprintf(char **ret_text, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments)
{
    return fails() ? -1 : __real_vasprintf(ret_text, format, arguments);
}

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
_Noreturn void __wrap__exit(int status)
{
    memory.status = status;
    longjmp(memory.end_of_process, 1);
}

/* --- whose allocations count --------------------------------------------------------------- */

void __real_manager_turn(struct manager *manager, int64_t wait_ms);
void __wrap_manager_turn(struct manager *manager, int64_t wait_ms);
void __wrap_manager_turn(struct manager *manager, int64_t wait_ms)
{
    counting = memory.counted;
    __real_manager_turn(manager, wait_ms);
    counting = false;
}

void __real_sim_serve(struct sim *sim, struct fake_exchange *exchange);
void __wrap_sim_serve(struct sim *sim, struct fake_exchange *exchange);
void __wrap_sim_serve(struct sim *sim, struct fake_exchange *exchange)
{
    bool outer = counting;

    counting = false;
    __real_sim_serve(sim, exchange);
    counting = outer;
}

/* --- runs ------------------------------------------------------------------------------------ */

/* The kernel closes the connections of the process that has ended; its memory is no longer there.
 */
static void bury_controller(struct sim *sim)
{
    struct sim_controller *controller = &sim->controllers[0];

    counting = false;
    fake_network_orphan(&controller->network, &sim->orphans);
    while (controller->network.first)
        network_abandon(controller->network.first);
    controller->sim = NULL;
}

/* Times pass differently when a controller starts anew, and so do resource versions. */
static void blank_times(json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;

    json_object_foreach(value, name, member)
    {
        int64_t time_ms;
        const char *text = json_string_value(member);

        if (text && num_time_ms(span_of(text), &time_ms, NULL) == 0)
            json_string_set(member, "some time");
        blank_times(member);
    }
    json_array_foreach(value, i, member)
    {
        blank_times(member);
    }
}

/* What the cluster has come to, as text. The caller frees. */
static char *end_state(struct sim *sim)
{
    json_t *state auto_json = json_object();
    char *text;

    json_object_set_new(state, "model",
                        json_deep_copy(json_object_get(sim_get(sim, SIM_MODEL), "status")));
    json_object_set_new(
        state, "batch",
        json_deep_copy(json_object_get(sim_get(sim, SIM_BATCHES "/week-1"), "status")));
    json_object_set_new(state, "jobs", json_integer((json_int_t)sim_count(sim, SIM_JOBS)));
    blank_times(state);
    text = json_dumps(state, JSON_INDENT(1) | JSON_SORT_KEYS);
    return text;
}

/* Which of a controller's allocations are counted. */
enum part {
    WHOLE_LIFE,   /* from its start on, for a training and a batch */
    ONE_TRAINING, /* from a model's appearance to its Job, when everything is synced */
};

static void begin(struct sim *sim, enum part part)
{
    if (part == ONE_TRAINING) {
        sim_start_controller(sim, 0);
        sim_run(sim, SECOND);
    }
    sim_create_model(sim);
    if (part == WHOLE_LIFE) {
        sim_create_batch(sim, "week-1");
        sim_start_controller(sim, 0);
    }
}

/* A model, and a batch with WHOLE_LIFE, come to their end, the `number`-th allocation failing. */
static char *run(enum part part, uint64_t number)
{
    struct sim *volatile sim = sim_new(1);
    char *state;

    begin(sim, part);
    memory.number = number;
    memory.count = 0;
    memory.status = 0;
    memory.counted = true;
    if (setjmp(memory.end_of_process) != 0) {
        bury_controller(sim);
        sim_start_controller(sim, 0);
    }
    sim_settle(sim);
    memory.counted = part == WHOLE_LIFE;
    for (int i = 0; i < 8; i++) {
        sim_run(sim, 10 * SECOND);
        while (sim->pod_count > 0)
            sim_pod_succeeds(sim);
    }
    memory.counted = false;
    state = end_state(sim);
    sim_free(sim);
    return state;
}

/* In a process of its own: nothing is released when a process runs out of memory. Returns its exit
 * status; 0: all is well. */
static int judge(enum part part, uint64_t number, const char *expected)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        char *found = run(part, number);
        bool same = strcmp(found, expected) == 0;

        if (memory.status != 70)
            print_message("the process ended with %d\n", memory.status);
        if (!same)
            print_message("%s\nexpected %s\n", found, expected);
        __real__exit(memory.status == 70 && same ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* `share`: one of so many fails, chosen by a seed. */
static void fail_each(enum part part, uint64_t share)
{
    char *expected auto_free = run(part, 0);
    uint64_t count = memory.count, runs = 0;
    struct random random;

    random_seed(&random, 1);
    for (uint64_t number = 1; number <= count; number += 1 + random_below(&random, 2 * share - 1)) {
        int status = judge(part, number, expected);

        if (status != 0)
            fail_msg("allocation %" PRIu64 ": the test's process ended with %#x", number, status);
        runs++;
    }
    assert_true(runs > 0);
    print_message("%" PRIu64 " of %" PRIu64 " allocations\n", runs, count);
}

static bool is_full(void)
{
    const char *full = getenv("CHURN_FULL");

    return full && full[0];
}

static void test_a_training(void **state)
{
    (void)state;
    fail_each(ONE_TRAINING, is_full() ? 1 : 100);
}

static void test_a_life(void **state)
{
    (void)state;
    fail_each(WHOLE_LIFE, is_full() ? 50 : 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_training),
        cmocka_unit_test(test_a_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
