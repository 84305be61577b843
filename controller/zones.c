#include "zones.h"

#include <search.h>

struct named_zone {
    const char *name; /* first: the tree compares it */
    struct zone zone;
};

static int compare_zones(const void *left, const void *right)
{
    return strcmp(((const struct named_zone *)left)->name,
                  ((const struct named_zone *)right)->name);
}

static void keep_zone(void *zone)
{
    (void)zone; /* the arena's */
}

void zones_release(struct zones *zones)
{
    tdestroy(zones->tree, keep_zone);
    zones->tree = NULL;
    arena_release(&zones->arena);
}

const struct zone *zones_find(struct zones *zones, const char *name, struct err *err)
{
    struct named_zone wanted = { .name = name }, *zone;
    void *const *node = tfind(&wanted, &zones->tree, compare_zones);
    struct err why;

    if (node)
        return &((const struct named_zone *)*node)->zone;
    if (zone_read(zones->folder, name, &zones->arena, &wanted.zone, &why) < 0) {
        if (why.kind == ERR_NOT_FOUND)
            (void)err_set(err, ERR_NOT_FOUND, "no time zone \"%s\" is known to the controller",
                          name);
        else
            *err = why;
        return NULL;
    }
    zone = arena_zero(&zones->arena, 1, sizeof(*zone));
    *zone = (struct named_zone){ arena_strdup(&zones->arena, name), wanted.zone };
    if (!tsearch(zone, &zones->tree, compare_zones))
        mem_exhausted();
    return &zone->zone;
}
