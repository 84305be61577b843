#include "world.h"

static const char *roots[] = { "/data/weekly" };
static const char *allowed[] = { "s3://bank/weekly/", "gs://ours/", "gs://theirs/=else" };
const struct settings world_settings = {
    .trainer_image = TRAINER,
    .scorer_image = SCORER,
    .file_roots = { roots, ARRAY_SIZE(roots) },
    .allowed_uris = { allowed, ARRAY_SIZE(allowed) },
};

void world_drop_file(struct world *world, const char *second, const char *name)
{
    struct inbox_file *files = world->inbox;
    const char *key =
        arena_format(&world->arena, "2026-01-01T00:00:%s.000000000Z %s", second, name);
    size_t place = 0;
    assert_true(world->inbox_count < WORLD_FILES);
    while (place < world->inbox_count && strcmp(files[place].key, key) < 0)
        place++;
    memmove(&files[place + 1], &files[place], (world->inbox_count - place) * sizeof(*files));
    world->inbox_count++;
    files[place] = (struct inbox_file){ .key = key,
                                        .name = arena_strdup(&world->arena, name),
                                        .generation = arena_format(&world->arena, "g%s", second) };
}

static bool is_taken(const struct inbox_question *question, const char *key)
{
    if (question->floor && strcmp(key, question->floor) <= 0)
        return true;
    for (size_t i = 0; i < question->taken.count; i++)
        if (strcmp(key, question->taken.items[i]) == 0)
            return true;
    return false;
}

/* As inbox_files.c: at most INBOX_FILES, the oldest that were not taken or the newest. */
static size_t choose(struct world *world, const struct inbox_question *question, int64_t now_ms,
                     struct inbox_file *chosen)
{
    bool too_many = question->newest && world->inbox_count > INBOX_FILES;
    size_t count = 0;
    for (size_t i = too_many ? world->inbox_count - INBOX_FILES : 0; i < world->inbox_count; i++) {
        struct inbox_file *file = &world->inbox[i];
        if (file->since_ms == 0)
            file->since_ms = now_ms;
        if (count < INBOX_FILES && (question->newest || !is_taken(question, file->key)))
            chosen[count++] = *file;
    }
    return count;
}

void world_answer_inbox(struct world *world, const struct fact_request *need)
{
    struct inbox_file *chosen = arena_zero(&world->arena, INBOX_FILES, sizeof(*chosen));
    const struct inbox_question *question = need->inbox;
    struct inbox_fact *fact = &world->inbox_facts[question->newest];
    *fact = (struct inbox_fact){
        .uri = arena_strdup(&world->arena, need->argument),
        .newest = question->newest,
        .checked_ms = world->now_ms,
        .message = world->listing_fails ? "permission denied" : NULL,
    };
    if (!world->listing_fails)
        fact->file_count = choose(world, question, world->now_ms, chosen);
    fact->files = chosen;
}

void world_view_inbox(struct world *world, const json_t *model, struct arena *arena,
                      struct model_view *view)
{
    struct inbox_batch *batches =
        arena_zero(arena, json_object_size(world->objects), sizeof(*batches));
    struct inbox_fact *facts = arena_zero(arena, 2, sizeof(*facts));
    const json_t *pending = jx_get(model, "status", "inbox", "pending", NULL);
    const char *key;
    json_t *object;
    json_object_foreach(world->objects, key, object)
    {
        const char *owner = job_owner_uid(object),
                   *name = jx_string(object, "metadata", "name", NULL);
        struct batch_status status;
        bool owned = owner && strcmp(owner, view->object.metadata.uid) == 0, named = false;
        for (size_t i = 0; i < json_array_size(pending); i++)
            named |= strcmp(jx_string(json_array_get(pending, i), "name", NULL), name) == 0;
        if (strncmp(key, "ChurnBatch/", 11) != 0 || (!owned && !named))
            continue;
        assert_int_equal(
            0, batch_status_decode(json_object_get(object, "status"), arena, &status, NULL));
        struct metadata metadata;
        metadata_decode(object, arena, &metadata);
        batches[view->batch_count++] = (struct inbox_batch){
            metadata.name,    metadata.uid, metadata.created_ms, owned, batch_is_finished(&status),
            metadata.deleting
        };
    }
    view->batches = batches;
    for (size_t i = 0; i < 2; i++)
        if (world->inbox_facts[i].uri)
            facts[view->object.facts.inbox_count++] = world->inbox_facts[i];
    view->object.facts.inboxes = facts;
}

void world_forget_refusal(struct world *world, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->refusal_count; i++)
        if (strcmp(world->refusals[i].job, name) != 0)
            world->refusals[kept++] = world->refusals[i];
    world->refusal_count = kept;
}

void world_refuse(struct world *world, const json_t *owner, const char *name, const char *message)
{
    world_forget_refusal(world, name);
    assert_true(world->refusal_count < ARRAY_SIZE(world->refusals));
    world->refusals[world->refusal_count++] = (struct job_refusal){
        .job = arena_strdup(&world->arena, name),
        .message = message,
        .refused_ms = world->now_ms,
        .generation = jx_int(json_object_get(owner, "metadata"), "generation", 0),
    };
}

void world_create_batch(struct world *world, const struct action *action)
{
    const char *name = action->create.name;
    const json_t *model = world_get(world, "ChurnModel", "m");
    auto_free char *spec = jx_canonical(json_object_get(action->create.object, "spec"));
    if (world->refuses_batches) {
        world_refuse(world, model, name, "quota exceeded");
        return;
    }
    if (world_get(world, "ChurnBatch", name)) /* 409: it is there */
        return;
    world_add(world, "ChurnBatch", name, spec);
    json_object_set(json_object_get(world_get(world, "ChurnBatch", name), "metadata"),
                    "ownerReferences",
                    jx_get(action->create.object, "metadata", "ownerReferences", NULL));
    world->batches_created++;
}

void world_delete_batch(struct world *world, const struct action *action)
{
    const json_t *batch = world_get(world, "ChurnBatch", action->delete_.name);
    assert_string_equal(jx_string(batch, "metadata", "uid", NULL), action->delete_.uid);
    world->batches_deleted++;
    if (world->slow_deletion)
        json_object_set_new(json_object_get(batch, "metadata"), "deletionTimestamp",
                            json_string("2026-01-01T00:00:00Z"));
    else
        world_remove(world, "ChurnBatch", action->delete_.name);
}
