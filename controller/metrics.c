#include "metrics.h"

static const int64_t bucket_ms[METRICS_BUCKETS - 1] = { 1,    2,    5,     10,    20,
                                                        50,   100,  200,   500,   1000,
                                                        2000, 5000, 10000, 30000, 60000 };

static const char *const outcome_names_of_rounds[ROUND_OUTCOMES] = { "done", "again", "waited",
                                                                     "failed", "stopped" };
static const char *const fact_names[] = { "image", "folder", "inbox", "job", "pods" };

void metrics_count_code(struct code_counts *counts, int code)
{
    size_t i = 0;

    while (i < METRICS_CODES - 1 && counts->counts[i] > 0 && counts->codes[i] != code)
        i++;
    if (counts->counts[i] == 0)
        counts->codes[i] = code;
    counts->counts[i]++;
}

void metrics_count_word(struct word_counts *counts, const char *word)
{
    size_t i = 0;

    if (!word)
        return;
    while (i < METRICS_WORDS - 1 && counts->words[i] && strcmp(counts->words[i], word) != 0)
        i++;
    if (!counts->words[i])
        counts->words[i] = word;
    counts->counts[i]++;
}

void metrics_observe(struct histogram *histogram, int64_t value_ms)
{
    size_t i = 0;

    while (i < METRICS_BUCKETS - 1 && value_ms > bucket_ms[i])
        i++;
    histogram->counts[i]++;
    histogram->count++;
    histogram->sum_ms += value_ms > 0 ? (uint64_t)value_ms : 0;
}

/* --- text ------------------------------------------------------------------------ */

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct buf *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    family(out, name, type, help);
    buf_format(out, "%s %" PRIu64 "\n", name, value);
}

/* A time of milliseconds as seconds, without the detour over floating point. */
static void seconds(struct buf *out, uint64_t ms)
{
    buf_format(out, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
}

static void render_histogram(struct buf *out, const char *name, const char *help,
                             const struct histogram *histogram)
{
    uint64_t below = 0;

    family(out, name, "histogram", help);
    for (size_t i = 0; i < METRICS_BUCKETS - 1; i++) {
        below += histogram->counts[i];
        buf_format(out, "%s_bucket{le=\"", name);
        seconds(out, (uint64_t)bucket_ms[i]);
        buf_format(out, "\"} %" PRIu64 "\n", below);
    }
    buf_format(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name, histogram->count, name);
    seconds(out, histogram->sum_ms);
    buf_format(out, "\n%s_count %" PRIu64 "\n", name, histogram->count);
}

static void render_rounds(const struct metrics *metrics, struct buf *out)
{
    family(out, "churn_reconciles_total", "counter", "Reconciles by kind and how they ended.");
    for (enum object_kind kind = 0; kind < OBJECT_JOB; kind++)
        for (size_t i = 0; i < ROUND_OUTCOMES; i++)
            buf_format(out, "churn_reconciles_total{kind=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
                       object_resources[kind].kind, outcome_names_of_rounds[i],
                       metrics->rounds[kind][i]);
    render_histogram(out, "churn_reconcile_seconds", "From taking a key to the end of its plan.",
                     &metrics->round_time);
}

static void render_queue(const struct metrics *metrics, struct buf *out)
{
    single(out, "churn_queue_depth", "gauge", "Keys ready to be reconciled.", metrics->queue_ready);
    single(out, "churn_queue_in_flight", "gauge", "Keys being reconciled.",
           metrics->queue_in_flight);
    single(out, "churn_queue_delayed", "gauge", "Keys that wait for a time.",
           metrics->queue_delayed);
    single(out, "churn_queue_adds_total", "counter", "Times a key became ready.",
           metrics->queue_additions);
    single(out, "churn_queue_retries_total", "counter", "Keys put back after a failure.",
           metrics->queue_retries);
    render_histogram(out, "churn_queue_wait_seconds", "From ready to taken.", &metrics->queue_wait);
}

static void render_requests(const struct kube_requests *requests, struct buf *out)
{
    family(out, "churn_api_requests_total", "counter",
           "Requests to the API server that ended, by status code; 0: no whole answer.");
    for (size_t i = 0; i < requests->count; i++)
        buf_format(
            out, "churn_api_requests_total{verb=\"%s\",resource=\"%s\",code=\"%d\"} %" PRIu64 "\n",
            requests->items[i].verb, requests->items[i].resource, requests->items[i].status,
            requests->items[i].count);
}

static void render_words(struct buf *out, const char *name, const char *kind, const char *label,
                         const struct word_counts *counts)
{
    for (size_t i = 0; i < METRICS_WORDS && counts->words[i]; i++)
        buf_format(out, "%s{kind=\"%s\",%s=\"%s\"} %" PRIu64 "\n", name, kind, label,
                   counts->words[i], counts->counts[i]);
}

static void render_by_kind(struct buf *out, const char *name, const char *help,
                           const uint64_t values[OBJECT_JOB])
{
    family(out, name, "counter", help);
    for (enum object_kind kind = 0; kind < OBJECT_JOB; kind++)
        buf_format(out, "%s{kind=\"%s\"} %" PRIu64 "\n", name, object_resources[kind].kind,
                   values[kind]);
}

static void render_work(const struct metrics *metrics, struct buf *out)
{
    render_by_kind(out, "churn_jobs_created_total", "Jobs created.", metrics->jobs_created);
    render_by_kind(out, "churn_jobs_deleted_total", "Jobs deleted before they ended.",
                   metrics->jobs_deleted);
    family(out, "churn_decisions_total", "counter",
           "Decisions about trainings: why one started, or that it was skipped.");
    render_words(out, "churn_decisions_total", MODEL_KIND, "decision", &metrics->decisions);
    family(out, "churn_promotions_total", "counter",
           "What became of versions: taken into use, kept from it, rolled back to.");
    render_words(out, "churn_promotions_total", MODEL_KIND, "outcome", &metrics->promotions);
    family(out, "churn_runs_total", "counter", "Runs that ended, by outcome.");
    for (enum object_kind kind = 0; kind < OBJECT_JOB; kind++)
        render_words(out, "churn_runs_total", object_resources[kind].kind, "outcome",
                     &metrics->outcomes[kind]);
}

static void render_lookups(const struct metrics *metrics, struct buf *out)
{
    family(out, "churn_lookups_total", "counter", "Look-ups of image digests and folders.");
    for (enum fact_kind fact = FACT_IMAGE; fact <= FACT_INBOX; fact++)
        buf_format(out, "churn_lookups_total{of=\"%s\"} %" PRIu64 "\n", fact_names[fact],
                   metrics->lookups[fact]);
    family(out, "churn_lookup_failures_total", "counter", "Those of them that failed.");
    for (enum fact_kind fact = FACT_IMAGE; fact <= FACT_INBOX; fact++)
        buf_format(out, "churn_lookup_failures_total{of=\"%s\"} %" PRIu64 "\n", fact_names[fact],
                   metrics->lookup_failures[fact]);
}

static void render_hooks(const struct metrics *metrics, struct buf *out)
{
    const struct hook_counts *hooks = &metrics->hooks;

    family(out, "churn_hook_requests_total", "counter", "Pushes by the status of their answer.");
    for (size_t i = 0; i < METRICS_CODES && hooks->answers.counts[i] > 0; i++)
        buf_format(out, "churn_hook_requests_total{code=\"%d\"} %" PRIu64 "\n",
                   hooks->answers.codes[i], hooks->answers.counts[i]);
    single(out, "churn_hook_objects_total", "counter", "Objects that pushes spoke of.",
           hooks->objects);
    single(out, "churn_hook_wakes_total", "counter", "Look-ups that those concerned.",
           hooks->wakes);
    single(out, "churn_hook_forwarded_total", "counter", "Pushes that the leader was told of.",
           hooks->forwarded);
    single(out, "churn_hook_key_fetches_total", "counter", "Requests for the issuer's keys.",
           hooks->key_fetches);
    single(out, "churn_hook_key_failures_total", "counter", "Those of them that failed.",
           hooks->key_failures);
}

/* One family with a value for each cache. */
#define RENDER_CACHES(out, metrics, name, type, help, member)                                      \
    do {                                                                                           \
        family(out, name, type, help);                                                             \
        for (size_t kind = 0; kind < OBJECT_KINDS; kind++)                                         \
            buf_format(out, name "{resource=\"%s\"} %" PRIu64 "\n", object_resources[kind].plural, \
                       (uint64_t)(metrics)->caches[kind].member);                                  \
    } while (0)

static void render_caches(const struct metrics *metrics, struct buf *out)
{
    RENDER_CACHES(out, metrics, "churn_cache_synced", "gauge", "The cache has been complete.",
                  synced);
    RENDER_CACHES(out, metrics, "churn_cache_entries", "gauge", "Objects in the cache.", entries);
    RENDER_CACHES(out, metrics, "churn_cache_bytes", "gauge", "Memory of the cache.", bytes);
    RENDER_CACHES(out, metrics, "churn_watch_silence_seconds", "gauge",
                  "Since the last byte of the watch; bookmarks come about every minute.",
                  silence_ms / 1000);
    RENDER_CACHES(out, metrics, "churn_watch_events_total", "counter", "Events received.", events);
    RENDER_CACHES(out, metrics, "churn_lists_total", "counter", "Lists begun.", lists);
    RENDER_CACHES(out, metrics, "churn_watches_total", "counter", "Watches begun.", watches);
    RENDER_CACHES(out, metrics, "churn_watch_failures", "gauge",
                  "Failures in a row of list and watch.", failures);
}

void metrics_render(const struct metrics *metrics, struct buf *out)
{
    family(out, "churn_build_info", "gauge", "Version of the program.");
    buf_string(out, "churn_build_info{version=\"" CHURN_VERSION "\"} 1\n");
    single(out, "churn_leader", "gauge", "This process is the leader.", metrics->leader);
    single(out, "churn_ready", "gauge", "The caches have been complete, and the leader is known.",
           metrics->ready);
    family(out, "churn_clock_skew_seconds", "gauge",
           "How far this clock is ahead of the API server's.");
    buf_format(out, "churn_clock_skew_seconds %" PRId64 "\n", metrics->clock_skew_ms / 1000);
    render_rounds(metrics, out);
    render_queue(metrics, out);
    render_requests(&metrics->requests, out);
    render_work(metrics, out);
    render_lookups(metrics, out);
    render_hooks(metrics, out);
    render_caches(metrics, out);
    single(out, "churn_events_pending", "gauge", "Events that wait to be written.",
           metrics->events_pending);
    single(out, "churn_events_sent_total", "counter", "Events written.", metrics->events_sent);
    single(out, "churn_events_dropped_total", "counter", "Events given up.",
           metrics->events_dropped);
}
