#include "lookup.h"
#include "world.h"

/* When it began; time passes until it ends. */
static int64_t begin_look_up(struct world *world)
{
    int64_t began_ms = world->now_ms;
    world->now_ms += world->look_up_ms;
    return began_ms;
}

static void copy_access(struct arena *arena, const struct fact_request *need,
                        struct image_fact *fact)
{
    const struct strings *secrets = &need->pull_secrets;
    fact->pull_secrets.count = secrets->count;
    fact->pull_secrets.items = arena_zero(arena, secrets->count, sizeof(*secrets->items));
    for (size_t i = 0; i < secrets->count; i++)
        fact->pull_secrets.items[i] = arena_strdup(arena, secrets->items[i]);
    fact->service_account =
        need->service_account ? arena_strdup(arena, need->service_account) : NULL;
}

static void answer_image(struct world *world, const struct fact_request *need)
{
    size_t i = 0;
    while (i < world->image_count && !lookup_is_answered(&world->images[i], need))
        i++;
    assert_true(i < ARRAY_SIZE(world->images));
    struct image_fact *fact = &world->images[i];
    if (i == world->image_count) {
        world->image_count++;
        fact->reference = arena_strdup(&world->arena, need->argument);
        copy_access(&world->arena, need, fact);
    }
    fact->checked_ms = begin_look_up(world);
    fact->took_ms = world->look_up_ms;
    fact->error = world->registry;
    fact->message = world->registry == IMAGE_OK ? NULL : "connection refused";
    if (world->registry != IMAGE_OK) {
        if (fact->failing_since_ms == 0)
            fact->failing_since_ms = world->now_ms;
        return;
    }
    fact->failing_since_ms = 0;
    bool is_trainer = strcmp(need->argument, TRAINER) == 0;
    fact->digest = is_trainer ? world->trainer_digest : world->other_digest;
}

static const char *newest_at(const struct world *world, const char *uri)
{
    if (uri[strlen(uri) - 1] == '/')
        return world->newest;
    bool missing = world->missing && strncmp(uri, world->missing, strlen(world->missing)) == 0;
    return missing ? NULL : uri;
}

static void answer_folder(struct world *world, const char *uri)
{
    size_t i = 0;
    while (i < world->folder_count && strcmp(world->folders[i].uri, uri) != 0)
        i++;
    assert_true(i < ARRAY_SIZE(world->folders));
    world->folder_count += i == world->folder_count;
    world->folders[i] = (struct folder_fact){
        .uri = arena_strdup(&world->arena, uri),
        .newest_uri = newest_at(world, arena_strdup(&world->arena, uri)),
        .generation = world->generation,
        .bytes = world->bytes,
        .checked_ms = begin_look_up(world),
        .took_ms = world->look_up_ms,
        .message = world->listing_fails ? "permission denied" : NULL,
    };
}

void world_answer(struct world *world, const struct fact_request *need)
{
    const json_t *job;
    const char *argument = arena_strdup(&world->arena, need->argument);
    if (need->secret)
        world->secret = arena_strdup(&world->arena, need->secret);
    switch (need->kind) {
    case FACT_IMAGE:
        answer_image(world, need);
        break;
    case FACT_FOLDER:
        answer_folder(world, argument);
        break;
    case FACT_INBOX:
        world_answer_inbox(world, need);
        break;
    case FACT_JOB:
        job = world_get(world, "Job", argument);
        world->job_fact = (struct job_fact){ .name = argument, .exists = job != NULL };
        if (job)
            job_view_decode(job, &world->arena, &world->job_fact.job);
        break;
    case FACT_PODS:
        pods_fact_decode(argument, json_object_get(world->pods, argument), &world->arena,
                         &world->pods_fact);
        break;
    }
}
