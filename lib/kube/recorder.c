#include "kube/recorder.h"

#include <search.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"
#include "base/sha256.h"
#include "net/backoff.h"

#define MEMORY_MS        (10 * 60 * 1000) /* how long equal Events count as one */
#define SUBJECTS_MAXIMUM 1024
#define BUDGET           25              /* requests about one object in a burst */
#define REFILL_MS        (5 * 60 * 1000) /* one more */
#define PENDING_MAXIMUM  1000
#define CALLS_MAXIMUM    4 /* at a time: Events must not crowd out the work */
#define ATTEMPTS         5
#define REASON_BYTES     128 /* of reason and action, by the API */
#define NAME_BYTES       253
#define KEY_DIGITS       16

static const struct backoff RETRY_BACKOFF = { .base_ms = 1000, .cap_ms = 30 * 1000 };

static const struct kube_resource EVENTS = { "events.k8s.io", "v1", "events", "Event" };

/* An object and what was said about it lately: what happened, or what lasts. */
struct subject {
    const char *id; /* uid, and which of the two; first: the tree compares it; owned */
    struct subject *newer, *older;
    struct series *series;
    int64_t credit_ms; /* REFILL_MS pay for one request */
    int64_t seen_ms;   /* the last Event, and when credit was last counted */
};

/* Equal Events. Not freed while it is pending. */
struct series {
    struct recorder *recorder;
    struct subject *subject;
    struct series *next;      /* of the subject */
    struct series *line_next; /* in the line of those to be sent */
    char key[KEY_DIGITS + 1]; /* hash of what makes Events equal */
    char *namespace, *name;   /* of the Event */
    json_t *object;           /* to be created; NULL: the server has it */
    int64_t seen_ms, told_ms;
    int64_t count, told_count, sent_count;
    bool lasting;
    bool pending; /* in line, under way or waiting for another attempt */
    unsigned failures;
    struct kube_call *call;
    struct timer again;
};

struct recorder {
    struct kube_client *client;
    struct timers *timers;
    struct recorder_options options; /* texts owned */
    struct random random;
    void *subjects; /* tsearch(3) tree by uid */
    size_t subject_count;
    struct subject *newest, *oldest;
    struct series *first, *last; /* the line */
    size_t calls;
    struct recorder_stats stats;
    enum err_kind last_failure;
};

static int64_t now_ms(const struct recorder *recorder)
{
    return clock_monotonic_ms(recorder->timers->clock);
}

/* --- series --------------------------------------------------------------- */

static void key_of(const struct event *event, char ret_key[KEY_DIGITS + 1])
{
    struct sha256 hash;
    char hex[SHA256_HEX];

    sha256_init(&hash);
    sha256_add_part(&hash, span_of(event->warning ? "Warning" : "Normal"));
    sha256_add_part(&hash, span_of(event->reason));
    sha256_add_part(&hash, span_of(event->action));
    sha256_add_part(&hash, span_of(event->note));
    sha256_hex(&hash, hex);
    memcpy(ret_key, hex, KEY_DIGITS);
    ret_key[KEY_DIGITS] = '\0';
}

static void free_series(struct series *series)
{
    kube_cancel(series->call);
    timer_stop(series->recorder->timers, &series->again);
    json_decref(series->object);
    free(series->namespace);
    free(series->name);
    free(series);
}

static void remove_series(struct series *series)
{
    struct series **place = &series->subject->series;

    while (*place != series)
        place = &(*place)->next;
    *place = series->next;
    free_series(series);
}

static struct series *find_series(const struct subject *subject, const char *key)
{
    for (struct series *series = subject->series; series; series = series->next)
        if (strcmp(series->key, key) == 0)
            return series;
    return NULL;
}

static void forget_old_series(struct recorder *recorder, struct subject *subject)
{
    struct series *next;

    for (struct series *series = subject->series; series; series = next) {
        next = series->next;
        if (!series->pending && now_ms(recorder) - series->seen_ms >= MEMORY_MS)
            remove_series(series);
    }
}

/* --- subjects, least recently spoken of last ------------------------------ */

static int compare_subjects(const void *left, const void *right)
{
    return strcmp(((const struct subject *)left)->id, ((const struct subject *)right)->id);
}

static void unlink_subject(struct recorder *recorder, struct subject *subject)
{
    *(subject->newer ? &subject->newer->older : &recorder->newest) = subject->older;
    *(subject->older ? &subject->older->newer : &recorder->oldest) = subject->newer;
}

static void link_newest(struct recorder *recorder, struct subject *subject)
{
    subject->newer = NULL;
    subject->older = recorder->newest;
    *(subject->older ? &subject->older->newer : &recorder->oldest) = subject;
    recorder->newest = subject;
}

static void remove_subject(struct recorder *recorder, struct subject *subject)
{
    while (subject->series)
        remove_series(subject->series);
    unlink_subject(recorder, subject);
    (void)tdelete(subject, &recorder->subjects, compare_subjects);
    recorder->subject_count--;
    free((char *)subject->id);
    free(subject);
}

static bool is_pending(const struct subject *subject)
{
    for (const struct series *series = subject->series; series; series = series->next)
        if (series->pending)
            return true;
    return false;
}

/* Forgets objects from the oldest on that are silent for long or too many; those with a
 * request pending wait for it. */
static void forget_old_subjects(struct recorder *recorder)
{
    struct subject *oldest;

    while ((oldest = recorder->oldest) && !is_pending(oldest) &&
           (recorder->subject_count > SUBJECTS_MAXIMUM ||
            now_ms(recorder) - oldest->seen_ms >= MEMORY_MS))
        remove_subject(recorder, oldest);
}

/* Counts the credit of a subject up to now. */
static void see_subject(struct recorder *recorder, struct subject *subject)
{
    int64_t credit_ms = subject->credit_ms + now_ms(recorder) - subject->seen_ms;

    subject->credit_ms = credit_ms < BUDGET * REFILL_MS ? credit_ms : BUDGET * REFILL_MS;
    subject->seen_ms = now_ms(recorder);
    unlink_subject(recorder, subject);
    link_newest(recorder, subject);
}

static struct subject *find_or_create_subject(struct recorder *recorder, const struct event *event)
{
    char *id auto_free = mem_format("%s%s", event->subject.uid, event->lasting ? " lasting" : "");
    struct subject wanted = { .id = id };
    void *const *node = tfind(&wanted, &recorder->subjects, compare_subjects);
    struct subject *subject;

    if (node) {
        see_subject(recorder, *node);
        return *node;
    }
    subject = mem_zero(1, sizeof(*subject));
    subject->id = TAKE(id);
    subject->credit_ms = BUDGET * REFILL_MS;
    subject->seen_ms = now_ms(recorder);
    if (!tsearch(subject, &recorder->subjects, compare_subjects))
        mem_exhausted();
    link_newest(recorder, subject);
    recorder->subject_count++;
    return subject;
}

static bool spend(struct subject *subject)
{
    if (subject->credit_ms < REFILL_MS)
        return false;
    subject->credit_ms -= REFILL_MS;
    return true;
}

/* --- the Event ------------------------------------------------------------ */

/* A text as JSON, cut at a UTF-8 boundary. */
static json_t *text_at_most(const char *text, size_t maximum)
{
    size_t length = strlen(text);

    if (length > maximum) {
        length = maximum;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    return json_stringn(text, length) ?: json_string("(not UTF-8)");
}

static json_t *time_now(const struct recorder *recorder)
{
    char text[NUM_TIME_TEXT];

    num_format_micro_time(clock_wall_ms(recorder->timers->clock), text);
    return json_string(text);
}

static json_t *series_object(const struct series *series)
{
    return json_pack("{s:I, s:o}", "count", (json_int_t)series->count, "lastObservedTime",
                     time_now(series->recorder));
}

static json_t *event_object(const struct series *series, const struct event *event)
{
    const struct recorder *recorder = series->recorder;
    const struct event_subject *subject = &event->subject;

    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:o, s:s, s:s, s:s, s:o, s:o, s:o,"
                     " s:{s:s, s:s, s:s, s:s, s:s}}",
                     "apiVersion", "events.k8s.io/v1", "kind", "Event", "metadata", "name",
                     series->name, "namespace", series->namespace, "eventTime", time_now(recorder),
                     "reportingController", recorder->options.controller, "reportingInstance",
                     recorder->options.instance, "type", event->warning ? "Warning" : "Normal",
                     "reason", text_at_most(event->reason, REASON_BYTES), "action",
                     text_at_most(event->action, REASON_BYTES), "note",
                     text_at_most(event->note, LIMIT_EVENT_NOTE), "regarding", "apiVersion",
                     subject->api_version, "kind", subject->kind, "namespace", subject->namespace,
                     "name", subject->name, "uid", subject->uid);
}

/* "<name of the object>.<16 hex digits>" */
static char *event_name(struct recorder *recorder, const char *subject_name)
{
    return mem_format("%.*s.%016" PRIx64, NAME_BYTES - 17, subject_name,
                      random_next(&recorder->random));
}

static struct series *new_series(struct recorder *recorder, struct subject *subject,
                                 const struct event *event, const char *key)
{
    struct series *series = mem_zero(1, sizeof(*series));

    series->recorder = recorder;
    series->subject = subject;
    series->lasting = event->lasting;
    memcpy(series->key, key, sizeof(series->key));
    series->namespace = mem_strdup(event->subject.namespace);
    series->name = event_name(recorder, event->subject.name);
    series->object = event_object(series, event);
    series->next = subject->series;
    subject->series = series;
    return series;
}

/* --- sending -------------------------------------------------------------- */

static void send_waiting(struct recorder *recorder);

static void append_to_line(struct series *series)
{
    struct recorder *recorder = series->recorder;

    series->line_next = NULL;
    *(recorder->first ? &recorder->last->line_next : &recorder->first) = series;
    recorder->last = series;
}

static void make_pending(struct series *series)
{
    series->pending = true;
    series->recorder->stats.pending++;
    append_to_line(series);
}

static void end_pending(struct series *series)
{
    series->pending = false;
    series->failures = 0;
    series->recorder->stats.pending--;
}

/* Whether there is more to tell of one that was told. */
static bool has_news(const struct series *series)
{
    bool is_told = series->lasting && now_ms(series->recorder) - series->told_ms < MEMORY_MS;

    return series->count > series->told_count && !is_told;
}

static void told(struct series *series)
{
    struct recorder *recorder = series->recorder;

    recorder->last_failure = ERR_NONE;
    recorder->stats.sent++;
    series->told_count = series->sent_count;
    series->told_ms = now_ms(recorder);
    json_decref(series->object);
    series->object = NULL;
    end_pending(series);
    if (has_news(series) && spend(series->subject))
        make_pending(series);
}

/* Another attempt later for what may pass; else the Event is given up. */
static void not_told(struct series *series, const struct err *failure)
{
    struct recorder *recorder = series->recorder;

    if (failure->kind == ERR_RETRY && series->failures + 1 < ATTEMPTS) {
        timer_set(recorder->timers, &series->again,
                  backoff_delay_ms(&RETRY_BACKOFF, series->failures++, failure->retry_after_ms,
                                   &recorder->random));
        return;
    }
    recorder->stats.dropped++;
    if (failure->kind != recorder->last_failure && recorder->options.failed)
        recorder->options.failed(recorder->options.context, failure);
    recorder->last_failure = failure->kind;
    end_pending(series);
    remove_series(series);
}

static void answered(void *context, json_t *object, const struct err *failure)
{
    struct series *series = context;
    struct recorder *recorder = series->recorder;

    (void)object;
    series->call = NULL;
    recorder->calls--;
    /* names are random: one that exists is that of an attempt whose answer was lost */
    if (failure && !(failure->kind == ERR_EXISTS && series->object))
        not_told(series, failure);
    else
        told(series);
    send_waiting(recorder);
}

static void send_one(struct series *series)
{
    struct recorder *recorder = series->recorder;
    json_t *patch auto_json = NULL;

    series->sent_count = series->count;
    recorder->calls++;
    if (series->object) {
        if (series->count > 1)
            json_object_set_new(series->object, "series", series_object(series));
        series->call = kube_create(recorder->client, &EVENTS, series->namespace, series->object,
                                   kube_identity, answered, series);
    } else {
        patch = json_pack("{s:o}", "series", series_object(series));
        series->call = kube_patch(recorder->client, &EVENTS, series->namespace, series->name, NULL,
                                  patch, answered, series);
    }
}

static void send_waiting(struct recorder *recorder)
{
    struct series *series;

    while (recorder->calls < CALLS_MAXIMUM && (series = recorder->first)) {
        recorder->first = series->line_next;
        send_one(series);
    }
}

static void try_again(void *context)
{
    struct series *series = context;

    append_to_line(series);
    send_waiting(series->recorder);
}

/* --- interface ------------------------------------------------------------ */

struct recorder *recorder_new(struct kube_client *client, struct timers *timers,
                              const struct recorder_options *options)
{
    struct recorder *recorder = mem_zero(1, sizeof(*recorder));

    recorder->client = client;
    recorder->timers = timers;
    recorder->options = *options;
    recorder->options.controller = mem_strdup(options->controller);
    recorder->options.instance = mem_strdup(options->instance);
    random_seed(&recorder->random, options->seed);
    return recorder;
}

void recorder_free(struct recorder *recorder)
{
    if (!recorder)
        return;
    while (recorder->oldest)
        remove_subject(recorder, recorder->oldest);
    free((char *)recorder->options.controller);
    free((char *)recorder->options.instance);
    free(recorder);
}

void recorder_event(struct recorder *recorder, const struct event *event)
{
    struct subject *subject = find_or_create_subject(recorder, event);
    char key[KEY_DIGITS + 1];
    struct series *series;

    forget_old_subjects(recorder);
    forget_old_series(recorder, subject);
    key_of(event, key);
    series = find_series(subject, key);
    if (!series) {
        if (recorder->stats.pending >= PENDING_MAXIMUM || !spend(subject)) {
            recorder->stats.dropped++;
            return;
        }
        series = new_series(recorder, subject, event, key);
        series->again = (struct timer){ .fire = try_again, .context = series };
        make_pending(series);
    }
    series->count++;
    series->seen_ms = now_ms(recorder);
    if (!series->pending && recorder->stats.pending < PENDING_MAXIMUM && has_news(series) &&
        spend(subject))
        make_pending(series);
    send_waiting(recorder);
}

void recorder_stats(const struct recorder *recorder, struct recorder_stats *ret_stats)
{
    *ret_stats = recorder->stats;
}
