#include "base/num.h"
#include "inbox_api.h"
#include "job_builder.h"
#include "model_pass.h"

/* A file is taken when two looks that are at least so far apart found the same. */
#define SETTLE_MINIMUM_MS 2000
#define SETTLE_MAXIMUM_MS 10000
/* Of the text of a time, without what is smaller than a second. */
#define TIME_SECOND 19
/* So many finished batches are deleted in one pass. */
#define DELETIONS_MAXIMUM 16

struct inbox_pass {
    struct model_pass *pass;
    const struct inbox_spec *spec;
    struct inbox_status *status; /* may be edited */
};

/* --- batches ------------------------------------------------------------- */

static const struct inbox_batch *find_batch(const struct inbox_pass *inbox, const char *name)
{
    const struct model_view *view = inbox->pass->view;
    for (size_t i = 0; i < view->batch_count; i++)
        if (strcmp(view->batches[i].name, name) == 0)
            return &view->batches[i];
    return NULL;
}

static void create_batch(struct inbox_pass *inbox, const struct inbox_pending *pending)
{
    struct model_pass *pass = inbox->pass;
    const struct metadata *model = &pass->view->object.metadata;
    const char *refusal;
    bool may_create = run_is_allowed(&pass->view->object, pass->plan, pending->name, &refusal);
    if (refusal)
        model_say(pass, false, true, REASON_BatchRejected,
                  arena_format(pass->arena, "ChurnBatch %s: %s", pending->name, refusal));
    if (!may_create)
        return;
    json_t *spec =
        inbox_batch_spec(inbox->spec->template, model->name, pending->file, pending->generation);
    json_t *metadata = json_pack("{ss ss s{ss} s[o]}", "name", pending->name, "namespace",
                                 model->namespace_, "labels", LABEL_MODEL, model->name,
                                 "ownerReferences", job_owner_reference(MODEL_KIND, model));
    plan_create_batch(pass->plan, pending->name,
                      json_pack("{ss ss so so}", "apiVersion", API_VERSION, "kind", BATCH_KIND,
                                "metadata", metadata, "spec", spec));
}

/* Those that are there are no longer pending; the others are made, maybe once more: after a crash
 * status is what tells that they are to be. */
static void create_pending(struct inbox_pass *inbox)
{
    struct list *pending = &inbox->status->pending;
    const struct inbox_pending *before = pending->items;
    struct inbox_pending *left =
        arena_zero(inbox->pass->arena, INBOX_ACTIVE_MAXIMUM, sizeof(*left));
    size_t count = 0;
    for (size_t i = 0; i < pending->count; i++)
        if (!find_batch(inbox, before[i].name))
            left[count++] = before[i];
    *pending = (struct list){ left, count };
    for (size_t i = 0; i < count; i++)
        create_batch(inbox, &left[i]);
}

/* Nothing more will be done for one that is being deleted, whatever keeps it from going. */
static bool is_over(const struct inbox_batch *batch)
{
    return batch->finished || batch->deleting;
}

static void count_active(struct inbox_pass *inbox)
{
    const struct model_view *view = inbox->pass->view;
    inbox->status->active = (int64_t)inbox->status->pending.count;
    for (size_t i = 0; i < view->batch_count; i++)
        inbox->status->active += view->batches[i].owned && !is_over(&view->batches[i]);
}

static int compare_ages(const void *left, const void *right)
{
    const struct inbox_batch *a = left, *b = right;
    if (a->created_ms != b->created_ms)
        return a->created_ms < b->created_ms ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The oldest finished batches beyond spec.inbox.keep go; some may be going already. */
static void delete_old(struct inbox_pass *inbox)
{
    const struct model_view *view = inbox->pass->view;
    struct inbox_batch *finished =
        arena_zero(inbox->pass->arena, view->batch_count, sizeof(*finished));
    size_t count = 0, keep = (size_t)inbox->spec->keep;
    for (size_t i = 0; i < view->batch_count; i++)
        if (view->batches[i].owned && view->batches[i].finished && !view->batches[i].deleting)
            finished[count++] = view->batches[i];
    if (count <= keep)
        return;
    qsort(finished, count, sizeof(*finished), compare_ages);
    for (size_t i = 0; i < count - keep && i < DELETIONS_MAXIMUM; i++)
        plan_delete_batch(inbox->pass->plan, finished[i].name, finished[i].uid);
}

/* --- files --------------------------------------------------------------- */

/* An object of a bucket is there when it is whole; a file may still be written to. */
static int64_t settle_ms(const struct inbox_pass *inbox)
{
    int64_t poll_ms = inbox->spec->poll_interval_ms;
    if (strncmp(inbox->spec->uri, "file://", strlen("file://")) != 0)
        return 0;
    if (poll_ms < SETTLE_MINIMUM_MS)
        return SETTLE_MINIMUM_MS;
    return poll_ms < SETTLE_MAXIMUM_MS ? poll_ms : SETTLE_MAXIMUM_MS;
}

static bool is_new(const struct inbox_status *status, const struct inbox_file *file)
{
    if (status->floor && strcmp(file->key, status->floor) <= 0)
        return false;
    for (size_t i = 0; i < status->taken.count; i++)
        if (strcmp(file->key, status->taken.items[i]) == 0)
            return false;
    return true;
}

static bool is_settled(const struct inbox_pass *inbox, const struct inbox_fact *fact,
                       const struct inbox_file *file)
{
    return fact->checked_ms - file->since_ms >= settle_ms(inbox);
}

/* The file is done with. Of too many keys the first one becomes the floor: whatever comes with an
 * older time than that is taken for a file that was there before. */
static void remember(struct inbox_pass *inbox, const char *key)
{
    struct inbox_status *status = inbox->status;
    struct strings *taken = &status->taken;
    const char **keys = arena_zero(inbox->pass->arena, taken->count + 1, sizeof(*keys));
    size_t place = taken->count;
    keys[place] = key;
    for (size_t i = 0; i < taken->count; i++)
        keys[i] = taken->items[i];
    for (; place > 0 && strcmp(keys[place - 1], key) > 0; place--) {
        keys[place] = keys[place - 1];
        keys[place - 1] = key;
    }
    *taken = (struct strings){ keys, taken->count + 1 };
    if (taken->count > INBOX_FILES) {
        status->floor = keys[0];
        *taken = (struct strings){ keys + 1, INBOX_FILES };
    }
    status->high_water_mark = arena_strndup(inbox->pass->arena, taken->items[taken->count - 1],
                                            strcspn(taken->items[taken->count - 1], " "));
}

static void take(struct inbox_pass *inbox, const struct inbox_file *file)
{
    struct model_pass *pass = inbox->pass;
    struct inbox_status *status = inbox->status;
    struct inbox_pending *pending = status->pending.items;
    struct inbox_pending *made = &pending[status->pending.count++];
    char name[IDENTITY_NAME];
    made->file = arena_format(pass->arena, "%s%s", inbox->spec->uri, file->name);
    made->generation = arena_strdup(pass->arena, file->generation);
    identity_inbox_batch(pass->view->object.metadata.name, made->file, made->generation, name);
    made->name = arena_strdup(pass->arena, name);
    remember(inbox, arena_strdup(pass->arena, file->key));
    status->last_file = arena_strdup(pass->arena, file->name);
    status->created++;
    status->active++;
    plan_event(pass->plan, false, REASON_FileArrived, "Score", "%s: ChurnBatch %s scores it",
               file->name, made->name);
    create_batch(inbox, made);
}

/* Oldest first: a file that may still change lets those after it wait, too. */
static void take_new(struct inbox_pass *inbox, const struct inbox_fact *fact)
{
    for (size_t i = 0; i < fact->file_count; i++) {
        const struct inbox_file *file = &fact->files[i];
        if (!is_new(inbox->status, file))
            continue;
        if (!is_settled(inbox, fact, file) || inbox->status->active >= inbox->spec->max_active)
            return;
        take(inbox, file);
    }
}

/* --- looking ------------------------------------------------------------- */

static const struct inbox_fact *find_fact(const struct inbox_pass *inbox, bool newest)
{
    const struct facts *facts = &inbox->pass->view->object.facts;
    for (size_t i = 0; i < facts->inbox_count; i++)
        if (strcmp(facts->inboxes[i].uri, inbox->spec->uri) == 0 &&
            facts->inboxes[i].newest == newest)
            return &facts->inboxes[i];
    return NULL;
}

/* When the folder has to be looked at again: for new files, or to see whether one settled. */
static int64_t due_ms(const struct inbox_pass *inbox, const struct inbox_fact *fact)
{
    int64_t due_ms = fact->checked_ms + fact->took_ms + inbox->spec->poll_interval_ms;
    if (fact->pushed_ms > fact->checked_ms)
        return fact->pushed_ms;
    for (size_t i = 0; i < fact->file_count; i++) {
        const struct inbox_file *file = &fact->files[i];
        int64_t settled_ms = file->since_ms + settle_ms(inbox);
        if (!fact->newest && is_new(inbox->status, file) && !is_settled(inbox, fact, file) &&
            settled_ms < due_ms)
            due_ms = settled_ms;
    }
    return due_ms;
}

static void say_unreadable(struct inbox_pass *inbox, const char *why)
{
    struct model_pass *pass = inbox->pass;
    if (!pass->reason)
        model_say(pass, true, false, REASON_FolderUnreadable,
                  arena_format(pass->arena, "spec.inbox.uri: %s", why));
}

/* The answer about the folder, which is not older than the spec; NULL while there is none that can
 * be used. One that is too old is asked for again, and what it complained of stands until then. */
static const struct inbox_fact *look(struct inbox_pass *inbox, bool newest)
{
    struct model_pass *pass = inbox->pass;
    const struct object_view *view = &pass->view->object;
    const struct inbox_fact *fact = find_fact(inbox, newest);
    struct inbox_question question = { newest, inbox->status->floor, inbox->status->taken };
    int64_t wanted_ms = view->seen_ms;
    if (fact && fact->message)
        say_unreadable(inbox, fact->message);
    if (fact && fact->checked_ms > 0 && fact->checked_ms >= view->seen_ms) {
        wanted_ms = due_ms(inbox, fact);
        if (view->steady_ms < wanted_ms) {
            plan_requeue(pass->plan, wanted_ms - view->steady_ms);
            return fact->message ? NULL : fact;
        }
    }
    if (fact && fact->pending_ms >= wanted_ms)
        wanted_ms = fact->pending_ms;
    plan_need(pass->plan, &(struct fact_request){
                              .kind = FACT_INBOX,
                              .argument = inbox->spec->uri,
                              .secret = lookup_secret(inbox->spec->uri, pass->spec.credentials),
                              .newer_than_ms = wanted_ms,
                              .inbox = &question });
    return NULL;
}

/* Whether a file that the first look found was there before the inbox. When that came is known only
 * if the model was made with it, to the second. */
static bool is_existing(const struct inbox_pass *inbox, const struct inbox_file *file)
{
    const struct metadata *model = &inbox->pass->view->object.metadata;
    char made[NUM_TIME_TEXT];
    num_format_time(model->created_ms, made);
    return model->generation > 1 || strncmp(file->key, made, TIME_SECOND) <= 0;
}

/* Of more files than an answer has the others are older: they were there before, unless all in the
 * answer are new. */
static const char *find_floor(const struct inbox_pass *inbox, const struct inbox_fact *fact)
{
    int64_t second = inbox->pass->view->object.metadata.created_ms / 1000 + 1;
    char made[NUM_TIME_TEXT];
    num_format_nano_time(second * 1000000000, made);
    return arena_strdup(inbox->pass->arena,
                        is_existing(inbox, &fact->files[0]) ? fact->files[0].key : made);
}

/* An inbox begins: what was there before is passed over, all of it or all but the newest. */
static void begin(struct inbox_pass *inbox)
{
    struct inbox_status *status = inbox->status;
    const struct inbox_fact *fact = look(inbox, true);
    const char *spared = NULL;
    if (!fact)
        return;
    if (fact->file_count == INBOX_FILES)
        status->floor = find_floor(inbox, fact);
    for (size_t i = 0; i < fact->file_count && inbox->spec->existing == EXISTING_LATEST; i++)
        if (is_existing(inbox, &fact->files[i]))
            spared = fact->files[i].key;
    for (size_t i = 0; i < fact->file_count; i++)
        if (is_existing(inbox, &fact->files[i]) && fact->files[i].key != spared)
            remember(inbox, arena_strdup(inbox->pass->arena, fact->files[i].key));
    status->uri = inbox->spec->uri;
}

/* --- all of it ----------------------------------------------------------- */

/* Files of another folder are no longer of interest; batches that are about to be made are. */
static void edit_status(struct inbox_pass *inbox)
{
    const struct inbox_status *before = inbox->pass->status.inbox;
    struct inbox_status *status = arena_zero(inbox->pass->arena, 1, sizeof(*status));
    inbox->status = status;
    if (!before)
        return;
    *status = *before;
    if (strcmp(before->uri, inbox->spec->uri) != 0)
        *status = (struct inbox_status){ .created = before->created, .pending = before->pending };
}

void model_follow_inbox(struct model_pass *pass)
{
    struct inbox_pass inbox = { .pass = pass, .spec = pass->spec_error ? NULL : pass->spec.inbox };
    if (!inbox.spec) {
        if (!pass->spec_error)
            pass->status.inbox = NULL;
        return;
    }
    edit_status(&inbox);
    create_pending(&inbox);
    count_active(&inbox);
    delete_old(&inbox);
    if (!lookup_is_visible(&pass->view->object, inbox.spec->uri, pass->spec.credentials)) {
        if (!pass->reason)
            model_say(pass, false, true, REASON_NotVisibleToController,
                      arena_format(pass->arena, "spec.inbox.uri: %s",
                                   lookup_invisible(pass->arena, inbox.spec->uri)));
    } else if (!model_is_suspended(pass)) {
        if (!inbox.status->uri && inbox.spec->existing == EXISTING_ALL)
            inbox.status->uri = inbox.spec->uri;
        else if (!inbox.status->uri)
            begin(&inbox);
        const struct inbox_fact *fact = inbox.status->uri ? look(&inbox, false) : NULL;
        if (fact)
            take_new(&inbox, fact);
    }
    if (inbox.status->uri)
        pass->status.inbox = inbox.status;
}
