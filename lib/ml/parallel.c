#include "ml/parallel.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/num.h"

/* The first `maximum` blank-separated integers of a small kernel file; a word
 * that is no number ("max") counts as -1. Returns how many there are. */
static size_t read_integers(const char *path, int64_t *ret_values, size_t maximum)
{
    char text[128];
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    size_t count = 0;
    for (char *word = text; *word != '\0' && count < maximum; count++) {
        size_t size = strcspn(word, " \n");
        if (num_int64((struct span){ word, size }, 0, INT64_MAX, &ret_values[count], NULL) < 0)
            ret_values[count] = -1;
        word += size + strspn(word + size, " \n");
    }
    return count;
}

/* CPUs that the cgroup grants, rounded up; 0: no limit. */
static unsigned cgroup_quota(void)
{
    int64_t limit[2]; /* quota and period, in microseconds */
    bool known = read_integers("/sys/fs/cgroup/cpu.max", limit, 2) == 2 ||
                 (read_integers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &limit[0], 1) == 1 &&
                  read_integers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &limit[1], 1) == 1);
    if (!known || limit[0] <= 0 || limit[1] <= 0)
        return 0;
    int64_t cpus = limit[0] / limit[1] + (limit[0] % limit[1] != 0);
    return cpus > PARALLEL_MAXIMUM ? PARALLEL_MAXIMUM : (unsigned)cpus;
}

unsigned parallel_threads(void)
{
    cpu_set_t affinity;
    unsigned threads = 1;
    if (sched_getaffinity(0, sizeof(affinity), &affinity) == 0)
        threads = (unsigned)CPU_COUNT(&affinity);
    unsigned quota = cgroup_quota();
    if (quota > 0 && quota < threads)
        threads = quota;
    return threads > PARALLEL_MAXIMUM ? PARALLEL_MAXIMUM : threads;
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
