#include "ml/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "base/cgroup.h"

unsigned parallel_threads(void)
{
    cpu_set_t affinity;
    uint64_t threads = 1, quota = cgroup_processors();
    if (sched_getaffinity(0, sizeof(affinity), &affinity) == 0)
        threads = (uint64_t)CPU_COUNT(&affinity);
    if (quota > 0 && quota < threads)
        threads = quota;
    return threads > PARALLEL_MAXIMUM ? PARALLEL_MAXIMUM : (unsigned)threads;
}

struct crew {
    pthread_mutex_t lock;
    size_t next, count;
    parallel_task task;
    void *context;
    size_t failed_index; /* count: none failed */
    struct err failure;
};

static bool take_index(struct crew *crew, size_t *ret_index)
{
    pthread_mutex_lock(&crew->lock);
    bool any = crew->next < crew->count && crew->failed_index == crew->count;
    if (any)
        *ret_index = crew->next++;
    pthread_mutex_unlock(&crew->lock);
    return any;
}

static void *work(void *context)
{
    struct crew *crew = context;
    size_t index;
    while (take_index(crew, &index)) {
        struct err failure = { 0 };
        if (crew->task(crew->context, index, &failure) == 0)
            continue;
        pthread_mutex_lock(&crew->lock);
        if (index < crew->failed_index) {
            crew->failed_index = index;
            crew->failure = failure;
        }
        pthread_mutex_unlock(&crew->lock);
    }
    return NULL;
}

int parallel_run(unsigned threads, size_t count, parallel_task task, void *context, struct err *err)
{
    struct crew crew = { .lock = PTHREAD_MUTEX_INITIALIZER,
                         .count = count,
                         .task = task,
                         .context = context,
                         .failed_index = count };
    pthread_t helpers[PARALLEL_MAXIMUM];
    unsigned started = 0;
    /* A thread that cannot be started only makes it slower. */
    while (started + 1 < threads && started + 1 < count && started < PARALLEL_MAXIMUM &&
           pthread_create(&helpers[started], NULL, work, &crew) == 0)
        started++;
    work(&crew);
    for (unsigned i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
    pthread_mutex_destroy(&crew.lock);
    if (crew.failed_index == count)
        return 0;
    *err = crew.failure;
    return -1;
}
