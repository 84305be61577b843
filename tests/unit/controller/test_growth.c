/* Goal: a controller that has seen a million events holds no more memory than one that has seen a
 * tenth of them.
 * Method: a whole controller on a simulated cluster (sim/simulation.h). The events of its watch are
 * written by the test: objects that stay change, others appear and go. What is compared is what it
 * gives back to the heap when it ends. By default 10^4 events and a tenth of them; with
 * CHURN_FULL=1 10^6. */
#include <malloc.h>

#include "base/random.h"
#include "sim/simulation.h"

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_OF_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_OF_SANITIZER 1
#endif
#endif

#ifdef HEAP_OF_SANITIZER
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc has no header for it */
#endif

#define SECOND 1000
#define STAY   10  /* objects that are there all the time */
#define ROUND  100 /* events between two settlings */
/* What is under way at the moment (a Lease's renewal), and what malloc keeps at hand and counts as
 * used, may differ by so many bytes: less than one for every event. */
#define UNDER_WAY 4096

static size_t live_heap(void)
{
#ifdef HEAP_OF_SANITIZER
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

/* --- events ---------------------------------------------------------------------------- */

/* The server's own revisions are far below: none of these comes twice. */
#define FIRST_REVISION 10000000

struct feed {
    struct sim *sim;
    json_t *batches[STAY];
    uint64_t revision; /* of the last event */
    struct random random;
};

static struct fake_exchange *find_watch(struct sim *sim)
{
    struct fake_exchange *at = sim->controllers[0].network.first;

    while (at && !(at->streaming && strstr(at->path, "churnbatches")))
        at = at->next;
    assert_non_null(at);
    return at;
}

static void send_event(struct feed *feed, const char *type, json_t *object)
{
    char revision[24];
    json_t *event auto_json = json_pack("{ss sO}", "type", type, "object", object);
    char *text auto_free = NULL;

    (void)snprintf(revision, sizeof(revision), "%" PRIu64, ++feed->revision);
    json_object_set_new(json_object_get(object, "metadata"), "resourceVersion",
                        json_string(revision));
    text = json_dumps(event, JSON_COMPACT);
    network_write(find_watch(feed->sim), span_of(text));
    network_write(find_watch(feed->sim), span_of("\n"));
}

/* One of those that stay gets another annotation. */
static void change(struct feed *feed, json_t *batch, uint64_t note_length)
{
    char *note auto_free = mem_format("%*s", (int)note_length, "");

    json_object_set_new(json_object_get(batch, "metadata"), "annotations",
                        json_pack("{ss}", "note", note));
    send_event(feed, "MODIFIED", batch);
}

/* One that nobody has seen before appears, is reconciled, and goes. */
static void let_one_pass(struct feed *feed)
{
    json_t *batch auto_json = json_deep_copy(feed->batches[0]);
    json_t *metadata = json_object_get(batch, "metadata");
    char *name auto_free = mem_format("passing-%08" PRIu64, feed->revision);

    json_object_set_new(metadata, "name", json_string(name));
    json_object_set_new(metadata, "uid", json_string(name));
    json_object_del(batch, "status");
    send_event(feed, "ADDED", batch);
    sim_settle(feed->sim);
    send_event(feed, "DELETED", batch);
    sim_settle(feed->sim);
}

static void feed_events(struct feed *feed, uint64_t count)
{
    for (uint64_t rounds = count / ROUND; rounds > 0; rounds--) {
        for (unsigned i = 0; i < ROUND - 2; i++)
            change(feed, feed->batches[random_below(&feed->random, STAY)],
                   random_below(&feed->random, 2000));
        let_one_pass(feed);
        sim_run(feed->sim, 10);
    }
    for (size_t i = 0; i < STAY; i++)
        change(feed, feed->batches[i], 0);
    sim_run(feed->sim, 5 * SECOND);
}

/* Suspended batches: a controller has nothing to do for them but to look. */
static void add_batches(struct feed *feed)
{
    for (size_t i = 0; i < STAY; i++) {
        char *name auto_free = mem_format("week-%zu", i);
        char *path auto_free = mem_format(SIM_BATCHES "/%s", name);

        sim_create_batch(feed->sim, name);
        assert_int_equal(sim_ask(feed->sim, "PATCH", path, "{'spec':{'suspend':true}}"), 200);
    }
    sim_run(feed->sim, 5 * SECOND);
    for (size_t i = 0; i < STAY; i++) {
        char *path auto_free = mem_format(SIM_BATCHES "/week-%zu", i);

        feed->batches[i] = json_deep_copy(sim_get(feed->sim, path));
    }
}

/* What a controller gives back when it ends after so many events; what it would not give back the
 * leak sanitizer shows. */
static size_t held_after(uint64_t events)
{
    struct feed feed = { .sim = sim_new(1), .revision = FIRST_REVISION };
    struct metrics metrics;
    size_t with, without;

    random_seed(&feed.random, 1);
    sim_start_controller(feed.sim, 0);
    add_batches(&feed);
    feed_events(&feed, events);
    manager_snapshot(feed.sim->controllers[0].manager, &metrics);
    assert_true(metrics.caches[OBJECT_BATCH].events >= events);
    with = live_heap();
    sim_kill_controller(feed.sim, 0);
    without = live_heap();
    for (size_t i = 0; i < STAY; i++)
        json_decref(feed.batches[i]);
    sim_free(feed.sim);
    return with - without;
}

static void test_memory_does_not_grow_with_events(void **state)
{
    const char *full = getenv("CHURN_FULL");
    uint64_t events = full && full[0] ? 1000000 : 10000;
    size_t early = held_after(events / 10), late = held_after(events);

    (void)state;
    print_message("%zu bytes after %" PRIu64 " events, %zu after %" PRIu64 "\n", early, events / 10,
                  late, events);
    assert_in_range(late, early - UNDER_WAY, early + UNDER_WAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_does_not_grow_with_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
