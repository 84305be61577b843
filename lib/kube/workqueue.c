#include "kube/workqueue.h"

#include <search.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/random.h"

struct item {
    struct work work; /* first: a struct work handed out is its item */
    struct workqueue *queue;
    struct item *next, *previous; /* in the line */
    int64_t ready_since_ms;
    struct timer delay;
    bool ready, in_flight;
    bool added_in_flight;
    char name[];
};

struct workqueue {
    struct timers *timers;
    struct backoff backoff;
    struct random random;
    void *items; /* tsearch(3) tree of struct item by (kind, name) */
    struct item *first, *last;
    struct workqueue_stats stats;
};

static int compare_items(const void *left, const void *right)
{
    const struct work *a = left, *b = right;

    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int64_t now_ms(const struct workqueue *queue)
{
    return clock_monotonic_ms(queue->timers->clock);
}

static struct item *find_item(const struct workqueue *queue, unsigned kind, const char *name)
{
    struct work wanted = { .kind = kind, .name = name };
    void *const *node = tfind(&wanted, &queue->items, compare_items);

    return node ? *node : NULL;
}

static void line_append(struct workqueue *queue, struct item *item)
{
    item->ready = true;
    item->ready_since_ms = now_ms(queue);
    item->previous = queue->last;
    item->next = NULL;
    *(queue->last ? &queue->last->next : &queue->first) = item;
    queue->last = item;
    queue->stats.ready++;
    queue->stats.additions++;
}

static void line_remove(struct workqueue *queue, struct item *item)
{
    if (!item->ready)
        return;
    *(item->previous ? &item->previous->next : &queue->first) = item->next;
    *(item->next ? &item->next->previous : &queue->last) = item->previous;
    item->ready = false;
    queue->stats.ready--;
}

static void make_ready(struct item *item)
{
    if (item->in_flight)
        item->added_in_flight = true;
    else if (!item->ready)
        line_append(item->queue, item);
}

static void stop_delay(struct item *item)
{
    if (item->delay.position == 0)
        return;
    timer_stop(item->queue->timers, &item->delay);
    item->queue->stats.delayed--;
}

static void delay_is_over(void *context)
{
    struct item *item = context;

    item->queue->stats.delayed--;
    make_ready(item);
}

static struct item *find_or_create(struct workqueue *queue, unsigned kind, const char *name)
{
    struct item *item = find_item(queue, kind, name);
    size_t size;

    if (item)
        return item;
    size = strlen(name) + 1;
    item = mem_zero(1, sizeof(*item) + size);
    memcpy(item->name, name, size);
    item->work = (struct work){ .kind = kind, .name = item->name };
    item->queue = queue;
    item->delay = (struct timer){ .fire = delay_is_over, .context = item };
    if (!tsearch(item, &queue->items, compare_items))
        mem_exhausted();
    return item;
}

/* Frees an item that has nothing to remember. */
static void drop_if_idle(struct item *item)
{
    if (item->ready || item->in_flight || item->delay.position > 0 || item->work.failures > 0)
        return;
    (void)tdelete(item, &item->queue->items, compare_items);
    free(item);
}

static void delay_item(struct item *item, int64_t delay_ms)
{
    struct workqueue *queue = item->queue;
    bool armed = item->delay.position > 0;

    if (armed && item->delay.due_ms - now_ms(queue) <= delay_ms)
        return;
    if (!armed)
        queue->stats.delayed++;
    timer_set(queue->timers, &item->delay, delay_ms);
}

static void free_item(void *object)
{
    struct item *item = object;

    timer_stop(item->queue->timers, &item->delay);
    free(item);
}

struct workqueue *workqueue_new(struct timers *timers, const struct backoff *backoff, uint64_t seed)
{
    struct workqueue *queue = mem_zero(1, sizeof(*queue));

    queue->timers = timers;
    queue->backoff = *backoff;
    random_seed(&queue->random, seed);
    return queue;
}

void workqueue_free(struct workqueue *queue)
{
    if (!queue)
        return;
    tdestroy(queue->items, free_item);
    free(queue);
}

void workqueue_add(struct workqueue *queue, unsigned kind, const char *name)
{
    make_ready(find_or_create(queue, kind, name));
}

void workqueue_add_after(struct workqueue *queue, unsigned kind, const char *name, int64_t delay_ms)
{
    struct item *item = find_or_create(queue, kind, name);

    if (!item->ready)
        delay_item(item, delay_ms);
}

struct work *workqueue_take(struct workqueue *queue)
{
    struct item *item = queue->first;

    if (!item)
        return NULL;
    line_remove(queue, item);
    stop_delay(item);
    item->in_flight = true;
    item->work.waited_ms = now_ms(queue) - item->ready_since_ms;
    queue->stats.in_flight++;
    return &item->work;
}

/* The end of a round: back into the line when something happened meanwhile. */
static void land(struct item *item)
{
    item->in_flight = false;
    item->queue->stats.in_flight--;
    if (item->added_in_flight) {
        item->added_in_flight = false;
        line_append(item->queue, item);
    }
    drop_if_idle(item);
}

void workqueue_done(struct workqueue *queue, struct work *work)
{
    (void)queue;
    work->failures = 0;
    land((struct item *)work);
}

void workqueue_done_until(struct workqueue *queue, struct work *work, int64_t delay_ms)
{
    (void)queue;
    work->failures = 0;
    delay_item((struct item *)work, delay_ms);
    land((struct item *)work);
}

void workqueue_retry(struct workqueue *queue, struct work *work, unsigned retry_after_ms)
{
    int64_t delay_ms =
        backoff_delay_ms(&queue->backoff, work->failures, retry_after_ms, &queue->random);

    work->failures++;
    queue->stats.retries++;
    delay_item((struct item *)work, delay_ms);
    land((struct item *)work);
}

void workqueue_forget(struct workqueue *queue, unsigned kind, const char *name)
{
    struct item *item = find_item(queue, kind, name);

    if (!item)
        return;
    item->work.failures = 0;
    item->added_in_flight = false;
    stop_delay(item);
    line_remove(queue, item);
    drop_if_idle(item);
}

void workqueue_stats(const struct workqueue *queue, struct workqueue_stats *ret_stats)
{
    *ret_stats = queue->stats;
    if (queue->first)
        ret_stats->longest_wait_ms = now_ms(queue) - queue->first->ready_since_ms;
}
