/* Goal: a controller that is killed between any two writes ends in the same state as one
 * that is not, with the same Jobs; and where nothing changed, nothing is planned.
 * Method: stories are told once undisturbed and then once per write, with a kill before
 * it; the end states are compared. Random stories check that plans run dry. */
#include "base/random.h"
#include "world.h"

#define KILLS_MAXIMUM 64

/* A story advances in scenes; between scenes the world comes to rest. */
typedef bool (*story_teller)(struct world *world, int scene);

static bool train_and_score(struct world *world, int scene)
{
    switch (scene) {
    case 0:
        world_add_model(world);
        return true;
    case 1:
        world_succeed(world);
        return true;
    case 2:
        world->now_ms += 10000;
        world_add_batch(world, "b");
        return true;
    case 3:
        world_succeed(world);
        return true;
    default:
        return false;
    }
}

static bool move_the_tag_while_waiting(struct world *world, int scene)
{
    switch (scene) {
    case 0:
        world_add_model(world);
        return true;
    case 1:
        world_succeed(world);
        world->trainer_digest = DIGEST_B;
        world->now_ms += 10000;
        world_add_batch(world, "b");
        return true;
    case 2:
    case 3:
        world_succeed(world);
        return true;
    default:
        return false;
    }
}

static bool change_the_spec(struct world *world, int scene)
{
    switch (scene) {
    case 0:
        world_add_model(world);
        return true;
    case 1:
        world_edit(world, "ChurnModel", "m", "{\"seed\": 7}");
        return true;
    case 2:
        world_fail(world, 65, "bad");
        return true;
    case 3:
        world_edit(world, "ChurnModel", "m", "{\"retrain\": {\"token\": \"again\"}}");
        return true;
    case 4:
        world_succeed(world);
        return true;
    default:
        return false;
    }
}

static bool suspend_and_lose(struct world *world, int scene)
{
    switch (scene) {
    case 0:
        world_add_model(world);
        return true;
    case 1:
        world_edit(world, "ChurnModel", "m", "{\"suspend\": true}");
        return true;
    case 2:
        world_edit(world, "ChurnModel", "m", "{\"suspend\": false}");
        return true;
    case 3:
        world_end(world, "Complete", "CompletionsReached", "");
        return true;
    case 4:
        world_succeed(world);
        return true;
    default:
        return false;
    }
}

static bool score_in_shards(struct world *world, int scene)
{
    switch (scene) {
    case 0:
        world_add_model(world);
        return true;
    case 1:
        world_succeed(world);
        return true;
    case 2:
        world->now_ms += 10000;
        world_add_batch(world, "b");
        world_edit(world, "ChurnBatch", "b", "{\"shards\": 3, \"ttlSecondsAfterFinished\": 60}");
        return true;
    case 3: /* the shards */
    case 4: /* the output */
        world_succeed(world);
        return true;
    default:
        return false;
    }
}

static bool fail_in_shards(struct world *world, int scene)
{
    switch (scene) {
    case 3:
        world_fail(world, 65, "bad");
        return true;
    default:
        return score_in_shards(world, scene);
    }
}

static const struct {
    const char *name;
    story_teller tell;
} stories[] = {
    { "train and score", train_and_score },
    { "move the tag while waiting", move_the_tag_while_waiting },
    { "change the spec", change_the_spec },
    { "suspend and lose", suspend_and_lose },
    { "score in shards", score_in_shards },
    { "fail in shards", fail_in_shards },
};

/* Everything but counters that a kill may lose, and the numbers of writes. */
static char *end_state(struct world *world)
{
    auto_json json_t *state = json_object();
    const char *key;
    json_t *object;
    json_object_foreach(world->objects, key, object)
    {
        json_t *entry = json_object();
        json_t *status = json_deep_copy(json_object_get(object, "status"));
        json_object_del(status, "trainingsSkipped");
        json_object_del(status, "lastDecision");
        json_object_set_new(entry, "status", status ? status : json_null());
        json_object_set_new(state, key, entry);
    }
    return jx_canonical(state);
}

/* Tells a story; the controller is killed before write number `kill` (-1: never).
 * Returns whether it was. */
static bool tell(struct world *world, story_teller story, int kill)
{
    bool killed = false;
    world_init(world);
    world->budget = kill;
    for (int scene = 0; story(world, scene); scene++) {
        world_settle(world);
        if (!world->killed)
            continue;
        killed = true;
        world_restart(world);
        world_settle(world);
    }
    return killed;
}

static void test_killed_before_any_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
        struct world undisturbed;
        tell(&undisturbed, stories[i].tell, -1);
        auto_free char *expected = end_state(&undisturbed);
        int kill = 0;
        bool killed = true;
        for (; killed; kill++) {
            struct world world;
            assert_true(kill < KILLS_MAXIMUM);
            killed = tell(&world, stories[i].tell, kill);
            auto_free char *found = end_state(&world);
            if (strcmp(expected, found) != 0)
                fail_msg("\"%s\", killed before write %d:\n%s\nnot\n%s", stories[i].name, kill,
                         found, expected);
            CASE(stories[i].name, world.created == undisturbed.created);
            world_release(&world);
        }
        CASE(stories[i].name, kill > 6);
        world_release(&undisturbed);
    }
}

static void random_end(struct world *world, struct random *random)
{
    if (!world_running(world))
        return;
    switch (random_below(random, 5)) {
    case 0:
        world_fail(world, 65, "bad");
        break;
    case 1:
        world_end(world, "Complete", "CompletionsReached", "");
        break;
    case 2:
        world_remove(world, "Job", world_running(world));
        break;
    default:
        world_succeed(world);
    }
}

static void random_edit(struct world *world, struct random *random)
{
    static const char *const model_patches[] = {
        "{\"seed\": 1}",         "{\"seed\": 2}",
        "{\"seed\": -1}",        "{\"suspend\": true}",
        "{\"suspend\": false}",  "{\"retrain\": {\"token\": \"1\"}}",
        "{\"backoffLimit\": 1}", "{\"retrain\": {\"token\": null, \"on\": [\"Spec\"]}}",
    };
    static const char *const batch_patches[] = {
        "{\"suspend\": true}",     "{\"suspend\": false}",         "{\"reasons\": 1}",
        "{\"retryToken\": \"1\"}", "{\"freshness\": \"Current\"}", "{\"shards\": 3}"
    };
    if (random_below(random, 2))
        world_edit(world, "ChurnModel", "m",
                   model_patches[random_below(random, ARRAY_SIZE(model_patches))]);
    else
        world_edit(world, "ChurnBatch", random_below(random, 2) ? "b" : "c",
                   batch_patches[random_below(random, ARRAY_SIZE(batch_patches))]);
}

static void random_scene(struct world *world, struct random *random)
{
    switch (random_below(random, 6)) {
    case 0:
        world->trainer_digest = random_below(random, 2) ? DIGEST_A : DIGEST_B;
        break;
    case 1:
        world->registry = random_below(random, 3) ? IMAGE_OK : IMAGE_UNREACHABLE;
        break;
    case 2:
        world->now_ms += (int64_t)random_below(random, 400000);
        break;
    case 3:
        random_edit(world, random);
        break;
    default:
        random_end(world, random);
    }
}

static int unfinished_jobs_of(const struct world *world, const char *uid)
{
    int count = 0;
    const char *key;
    json_t *object;
    json_object_foreach(world->objects, key, object)
    {
        count += strncmp(key, "Job/", 4) == 0 && strcmp(job_owner_uid(object), uid) == 0 &&
                 !jx_get(object, "status", "conditions", NULL);
    }
    return count;
}

static void test_random_worlds_come_to_rest(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random random;
        struct world world;
        auto_free char *name = mem_format("seed %" PRIu64, seed);
        random_seed(&random, seed);
        world_init(&world);
        world_add_model(&world);
        world_add_batch(&world, "b");
        world_add_batch(&world, "c");
        for (int scene = 0; scene < 40; scene++) {
            random_scene(&world, &random);
            world_settle(&world); /* fails when plans do not run dry */
            int writes = world.status_writes, created = world.created, deleted = world.deleted;
            world_settle(&world);
            CASE(name, world.status_writes == writes && world.created == created &&
                           world.deleted == deleted);
            CASE(name, unfinished_jobs_of(&world, "uid-ChurnModel-m") <= 1);
            CASE(name, unfinished_jobs_of(&world, "uid-ChurnBatch-b") <= 1);
        }
        world_release(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_before_any_write),
        cmocka_unit_test(test_random_worlds_come_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
