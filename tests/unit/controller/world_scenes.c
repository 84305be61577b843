#include "world.h"

void world_add_model(struct world *world)
{
    world_add(world, "ChurnModel", "m",
              "{\"image\": \"" TRAINER "\", \"data\": {\"uri\": \"file:///data/history.csv\", "
              "\"target\": \"Exited\", \"id\": \"CustomerId\"}, \"artifacts\": {\"uri\": "
              "\"file:///data/models/\"}}");
}

void world_add_batch(struct world *world, const char *name)
{
    auto_free char *spec = mem_format(
        "{\"modelRef\": {\"name\": \"m\"}, \"input\": {\"uri\": \"file:///data/%s.csv\"}, "
        "\"output\": {\"uri\": \"file:///out/\"}}",
        name);
    world_add(world, "ChurnBatch", name, spec);
}

void world_init_trained(struct world *world)
{
    world_init(world);
    world_add_model(world);
    world_settle(world);
    world_succeed(world);
    world_settle(world);
    world->now_ms += 10000;
    world->created = world->status_writes = world->events = world->warnings = 0;
}

void world_restart(struct world *world)
{
    world->image_count = world->folder_count = 0;
    memset(world->inbox_facts, 0, sizeof(world->inbox_facts));
    for (size_t i = 0; i < world->inbox_count; i++)
        world->inbox[i].since_ms = 0;
    memset(world->images, 0, sizeof(world->images));
    json_object_clear(world->seen);
    world->refusal_count = 0;
    world->asked = 0;
    world->killed = false;
    world->budget = -1;
}
