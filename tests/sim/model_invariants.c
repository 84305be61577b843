/* model_invariants.c - what holds of the versions that models use, of their schedules and of their
 * inboxes. */
#include "sim/ledger.h"

#include "base/num.h"
#include "job_builder.h"
#include "project.h"

/* A controller that hears of things late cannot know better for so long. */
#define IGNORANCE_MS (6 * MINUTE)

static bool is_model(const struct change *change)
{
    return is_ours(change) && strcmp(change->resource->plural, "churnmodels") == 0;
}

static bool is_batch(const struct change *change)
{
    return is_ours(change) && strcmp(change->resource->plural, "churnbatches") == 0;
}

static const json_t *before_of(const struct change *change)
{
    return change->before ? change->before->json : NULL;
}

static int64_t now_ms(const struct ledger *ledger)
{
    return ledger->play->sim->now_ms;
}

/* --- versions -------------------------------------------------------------------------------- */

static void use(const json_t *before, json_t *uses, const char *version, int64_t since_ms)
{
    if (version && *version)
        json_object_set_new(uses, version, json_integer(jx_int(before, version, since_ms)));
}

/* The version in use, the pinned one, and those that unfinished batches name. */
static void note_uses(struct ledger *ledger, const json_t *model)
{
    const char *name = jx_string(model, "metadata", "name", NULL);
    const json_t *before = json_object_get(ledger->uses, name);
    const struct index *batches = &resource_named(ledger, "churnbatches")->objects;
    json_t *uses = json_object();
    int64_t since_ms = now_ms(ledger);

    use(before, uses, jx_string(model, "status", "model", "version", NULL), since_ms);
    use(before, uses, jx_string(model, "spec", "pinnedVersion", NULL), since_ms);
    for (size_t i = 0; i < batches->count; i++) {
        const json_t *batch = ((struct object *)batches->entries[i].value)->snapshot->json;

        if (!same(jx_string(batch, "spec", "modelRef", "name", NULL), name) ||
            !is_unfinished(batch))
            continue;
        use(before, uses, jx_string(batch, "status", "model", "version", NULL), since_ms);
        use(before, uses, jx_string(batch, "spec", "modelVersion", NULL), since_ms);
    }
    json_object_set_new(ledger->uses, name, uses);
}

/* A training never deletes what is in use, as far as the controller could know when it made the
 * Job. */
void version_is_deleted(void *context, const char *model, const char *version)
{
    struct ledger *ledger = context;
    int64_t patience_ms = ledger->play->calm ? 5 * SECOND : IGNORANCE_MS;
    const json_t *since =
        json_object_get(json_object_get(ledger->uses, strchr(model, '/') + 1), version);

    play_tell(ledger->play, "version %s of %s is deleted", version, model);
    ledger->checking = "versions_in_use_stay";
    if (since && now_ms(ledger) - json_integer_value(since) > patience_ms)
        report(ledger, NULL, "version %s of %s was deleted, and in use for %d s", version, model,
               (int)((now_ms(ledger) - json_integer_value(since)) / SECOND));
}

static bool is_taken_into_use(const struct change *change)
{
    const char *version = jx_string(change->after->json, "status", "model", "version", NULL);

    return is_model(change) && change->type == CHANGE_MODIFIED && version &&
           !same(version, jx_string(before_of(change), "status", "model", "version", NULL));
}

/* A version that is taken into use is there. */
void versions_are_there(struct ledger *ledger, const struct change *change)
{
    const char *uri = jx_string(change->after->json, "status", "model", "uri", NULL);
    char *model auto_free = NULL;

    if (!is_taken_into_use(change) || !ledger->play->calm)
        return;
    model = mem_format("%smodel.json", text_of(uri));
    if (!volume_read(&ledger->play->sim->volume, model))
        report(ledger, change, "it uses %s, which is not there", model);
}

static const json_t *entry_of(const json_t *model, const char *version)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(jx_get(model, "status", "history", NULL), i, entry)
    {
        if (same(jx_string(entry, "version", NULL), version))
            return entry;
    }
    return NULL;
}

static double figure(const char *text)
{
    double value = 0;
    struct err ignored;

    return text && num_double(span_of(text), &value, &ignored) == 0 ? value : 0;
}

static const char *auc_of(const json_t *entry)
{
    const json_t *metric;
    size_t i;

    json_array_foreach(jx_get(entry, "metrics", NULL), i, metric)
    {
        if (same(jx_string(metric, "name", NULL), "auc"))
            return jx_string(metric, "value", NULL);
    }
    return NULL;
}

/* Another version is taken into use because it is pinned, or because it was good enough. */
void promotions_are_deserved(struct ledger *ledger, const struct change *change)
{
    const json_t *model = change->after->json, *entry, *comparison;
    const char *version = jx_string(model, "status", "model", "version", NULL);
    const char *pinned = jx_string(model, "spec", "pinnedVersion", NULL);
    const char *old = jx_string(before_of(change), "status", "model", "version", NULL);
    const json_t *promotion = jx_get(model, "spec", "promotion", NULL);

    if (!is_taken_into_use(change) || observed_by(model) != generation_of(model))
        return;
    if (pinned && *pinned && !same(version, pinned))
        report(ledger, change, "it uses %s, and %s is pinned", version, pinned);
    entry = entry_of(model, version);
    if (pinned && *pinned)
        return;
    if (!same(jx_string(entry, "outcome", NULL), "Promoted"))
        report(ledger, change, "it uses %s, which was not promoted", version);
    if (same(jx_string(entry_of(before_of(change), version), "outcome", NULL), "Promoted"))
        return; /* it was judged before */
    if (figure(auc_of(entry)) < figure(jx_string(promotion, "minimum", NULL)) - 1e-9)
        report(ledger, change, "%s has less than promotion.minimum", version);
    comparison = json_object_get(entry, "comparison");
    if (old && same(jx_string(entry, "champion", NULL), old) && comparison &&
        figure(jx_string(comparison, "challenger", NULL)) <
            figure(jx_string(comparison, "champion", NULL)) +
                figure(jx_string(promotion, "minImprovement", NULL)) - 1e-9)
        report(ledger, change, "%s is not better than %s", version, old);
}

/* --- schedules -------------------------------------------------------------------------------- */

static int64_t time_ms(const char *text)
{
    int64_t ms = 0;
    struct err ignored;

    return text && num_time_ms(span_of(text), &ms, &ignored) == 0 ? ms : 0;
}

/* Minutes of a day. From what anybody can look up, not from what the controller reads. */
static int64_t local_minute(int64_t ms, const char *zone)
{
    static const int64_t winter_ms = 1698541200000, summer_ms = 1711846800000; /* begin */
    int64_t ahead_min = 0;

    if (same(zone, "Asia/Kolkata"))
        ahead_min = 330;
    else if (same(zone, "Europe/Berlin"))
        ahead_min = ms >= winter_ms && ms < summer_ms ? 60 : 120;
    return (ms / MINUTE + ahead_min) % (24 * 60);
}

static void check_tick(const struct ledger *ledger, const struct change *change, int64_t tick_ms,
                       int64_t decided_ms)
{
    const json_t *retrain = jx_get(change->after->json, "spec", "retrain", NULL);
    int minutes = user_schedule_minutes(jx_string(retrain, "schedule", NULL));
    int64_t minute = local_minute(tick_ms, jx_string(retrain, "timeZone", NULL));

    if (tick_ms % MINUTE != 0 || (minutes > 0 && minute % 60 % minutes != 0) ||
        (minutes == 0 && minute != 2 * 60 + 30))
        report(ledger, change, "%02d:%02d is no tick of its schedule", (int)(minute / 60),
               (int)(minute % 60));
    if (minutes > 0 && (decided_ms < tick_ms || decided_ms - tick_ms >= minutes * MINUTE))
        report(ledger, change, "a tick of %d s ago was made up for, and it is not the last one",
               (int)((decided_ms - tick_ms) / 1000));
}

/* A tick that was trained is not trained again, nor one before it. */
void ticks_are_trained_once(struct ledger *ledger, const struct change *change)
{
    const json_t *model = change->after->json;
    const json_t *training = jx_get(model, "status", "training", NULL);
    const char *tick = jx_string(training, "scheduledTime", NULL);
    const char *done;

    if (!is_model(change) || change->type == CHANGE_DELETED || !tick ||
        same(jx_string(training, "runKey", NULL),
             jx_string(before_of(change), "status", "training", "runKey", NULL)))
        return;
    done = json_string_value(
        json_object_get(ledger->ticks, jx_string(model, "metadata", "uid", NULL)));
    if (done && strcmp(tick, done) <= 0 && !ledger->play->clocks_moved)
        report(ledger, change, "the tick %s was trained already, or one after it: %s", tick, done);
    if (observed_by(model) == generation_of(model))
        check_tick(ledger, change, time_ms(tick), time_ms(jx_string(training, "startTime", NULL)));
}

static void note_ticks(struct ledger *ledger, const json_t *model)
{
    const char *tick = jx_string(model, "status", "lastTraining", "scheduledTime", NULL);

    if (tick)
        json_object_set_new(ledger->ticks, jx_string(model, "metadata", "uid", NULL),
                            json_string(tick));
}

/* --- inboxes ---------------------------------------------------------------------------------- */

/* What is known of a model's inbox: "seen", how many changes the volume had seen when its folder
 * was named, and then when a controller began with it; "ignored", the same for those that are to be
 * passed over; "taken", the files that
 * became batches, "<uri> <generation>", true while none may become another; "makers", which process
 * made a batch. Another folder begins anew. */
static json_t *inbox_of(const struct ledger *ledger, const char *uid)
{
    json_t *inbox = json_object_get(ledger->inboxes, uid);

    if (!inbox) {
        inbox = json_pack("{si si so so}", "seen", 0, "ignored", 0, "taken", json_object(),
                          "makers", json_object());
        json_object_set_new(ledger->inboxes, uid, inbox);
    }
    return inbox;
}

static void note_inbox(struct ledger *ledger, const struct change *change)
{
    const json_t *after = change->after->json, *before = before_of(change);
    json_t *inbox = inbox_of(ledger, jx_string(after, "metadata", "uid", NULL));
    const char *began = jx_string(after, "status", "inbox", "uri", NULL);
    const char *existing = jx_string(after, "spec", "inbox", "existing", NULL);

    if (!same(jx_string(before, "spec", "inbox", "uri", NULL),
              jx_string(after, "spec", "inbox", "uri", NULL)))
        json_object_set_new(inbox, "seen", json_integer(ledger->play->sim->volume.changes));
    if (same(jx_string(before, "status", "inbox", "uri", NULL), began))
        return;
    json_object_clear(json_object_get(inbox, "taken"));
    json_object_set_new(inbox, "ignored",
                        json_integer(same(existing, "All") || same(existing, "Latest")
                                         ? 0
                                         : jx_int(inbox, "seen", 0)));
    /* nobody may have been there to see the spec before: what came until now may count as existing
     */
    json_object_set_new(inbox, "seen", json_integer(ledger->play->sim->volume.changes));
}

static char *file_key(const char *uri, const char *generation)
{
    return mem_format("%s %s", text_of(uri), text_of(generation));
}

static int64_t number_of(const char *generation)
{
    int64_t number = 0;
    struct err ignored;

    return generation && num_int64(span_of(generation), 0, INT64_MAX, &number, &ignored) == 0
               ? number
               : 0;
}

bool inbox_is_done_with(const struct ledger *ledger, const char *uid, const char *uri,
                        const char *generation)
{
    const json_t *inbox = inbox_of(ledger, uid);
    char *key auto_free = file_key(uri, generation);

    return json_object_get(json_object_get(inbox, "taken"), key) ||
           number_of(generation) <= jx_int(inbox, "seen", 0);
}

/* The process that writes now. */
static const char *writer_of(const struct ledger *ledger)
{
    const struct sim_controller *writer = ledger->play->sim->writer;

    return writer ? writer->identity : "";
}

/* Of the model with that uid; NULL: of none. */
static const json_t *pending_of(const struct ledger *ledger, const char *uid)
{
    const struct index *models = &resource_named(ledger, "churnmodels")->objects;

    for (size_t i = 0; i < models->count; i++) {
        const json_t *model = ((struct object *)models->entries[i].value)->snapshot->json;

        if (same(jx_string(model, "metadata", "uid", NULL), uid))
            return jx_get(model, "status", "inbox", "pending", NULL);
    }
    return NULL;
}

/* A batch that is deleted while the status of its model wants it may be made again: it may be
 * that nobody who works has seen it. */
static void note_deleted_batch(const struct ledger *ledger, const json_t *batch, const char *uid,
                               const char *key)
{
    const char *name = jx_string(batch, "metadata", "name", NULL);
    const json_t *pending;
    size_t i;

    json_array_foreach(pending_of(ledger, uid), i,
                       pending) if (same(jx_string(pending, "name", NULL), name))
        json_object_set_new(json_object_get(inbox_of(ledger, uid), "taken"), key, json_false());
}

/* A generation of a file becomes one batch, once, when it has not changed for a while; one that
 * was there before the inbox began, and is to be ignored, becomes none. */
void files_become_one_batch(struct ledger *ledger, const struct change *change)
{
    const json_t *batch = change->after->json;
    const char *uid = job_owner_uid(batch);
    const char *uri = jx_string(batch, "spec", "input", "uri", NULL);
    const char *generation = jx_string(batch, "spec", "input", "generation", NULL);
    char *key auto_free = NULL;
    json_t *inbox, *taken;
    bool was_taken;

    if (!is_batch(change) || !uid)
        return;
    key = file_key(uri, generation);
    if (change->type == CHANGE_DELETED)
        note_deleted_batch(ledger, batch, uid, key);
    if (change->type != CHANGE_ADDED)
        return;
    if (!generation)
        report(ledger, change, "it names no generation of its file");
    inbox = inbox_of(ledger, uid);
    taken = json_object_get(inbox, "taken");
    was_taken = json_is_true(json_object_get(taken, key));
    json_object_set_new(taken, key, json_true());
    if (ledger->play->sim->writer_is_late)
        return;
    if (was_taken)
        report(ledger, change, "%s of generation %s had a batch already", uri, generation);
    if (number_of(generation) <= jx_int(inbox, "ignored", 0))
        report(ledger, change, "%s was to be ignored", uri);
    if (now_ms(ledger) - jx_int(ledger->play->sim->volume.times, generation, 0) < 2 * SECOND)
        report(ledger, change, "%s may still be changing", uri);
}

/* Whoever makes a batch now knows of this one: it made it, too, or had the time to see it however
 * long its watch was silent. */
static bool is_known(const struct ledger *ledger, const json_t *inbox, const json_t *batch)
{
    const json_t *metadata = json_object_get(batch, "metadata");
    const char *maker = jx_string(inbox, "makers", jx_string(metadata, "name", NULL), NULL);

    return same(maker, writer_of(ledger)) ||
           now_ms(ledger) - jx_int(ledger->born, jx_string(metadata, "uid", NULL), 0) >
               IGNORANCE_MS;
}

/* Not more batches of an inbox at a time than it says. */
void inboxes_are_bounded(struct ledger *ledger, const struct change *change)
{
    const char *uid = job_owner_uid(change->after->json);
    const struct index *batches = &resource_named(ledger, "churnbatches")->objects;
    const struct index *models = &resource_named(ledger, "churnmodels")->objects;
    int64_t active = 0;
    json_t *inbox;

    if (!is_batch(change) || change->type != CHANGE_ADDED || !uid ||
        ledger->play->sim->writer_is_late)
        return;
    inbox = inbox_of(ledger, uid);
    json_object_set_new(json_object_get(inbox, "makers"),
                        jx_string(change->after->json, "metadata", "name", NULL),
                        json_string(writer_of(ledger)));
    for (size_t i = 0; i < batches->count; i++) {
        const json_t *batch = ((struct object *)batches->entries[i].value)->snapshot->json;

        active += same(job_owner_uid(batch), uid) && is_unfinished(batch) &&
                  is_known(ledger, inbox, batch);
    }
    for (size_t i = 0; i < models->count; i++) {
        const json_t *model = ((struct object *)models->entries[i].value)->snapshot->json;
        int64_t most = jx_int(jx_get(model, "spec", "inbox", NULL), "maxActive", 4);

        if (same(jx_string(model, "metadata", "uid", NULL), uid) &&
            observed_by(model) == generation_of(model) && active > most)
            report(ledger, change, "%d batches are at work", (int)active);
    }
}

/* --- the ledger ------------------------------------------------------------------------------- */

void remember_of_models(struct ledger *ledger, const struct change *change)
{
    const struct index *models = &resource_named(ledger, "churnmodels")->objects;

    if (!is_ours(change))
        return;
    for (size_t i = 0; i < models->count; i++)
        note_uses(ledger, ((struct object *)models->entries[i].value)->snapshot->json);
    if (!is_model(change) || change->type == CHANGE_DELETED)
        return;
    note_ticks(ledger, change->after->json);
    note_inbox(ledger, change);
}
