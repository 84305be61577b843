/* zones.h - the time zones that models name, each read once.
 *
 * Files are small, local and do not change while the process runs, so they are read
 * when a model is gathered. A zone that is not there is looked for again every time. */
#pragma once

#include "base/zone.h"

struct zones {
    const char *folder; /* of compiled zones, borrowed */
    void *tree;         /* tsearch(3) by name          */
    struct arena arena; /* owns the zones              */
};

void zones_release(struct zones *zones);

/* ERR_NOT_FOUND or ERR_INVALID say what is wrong with the name or its file, for a path in front
 * ("spec.retrain.timeZone: ..."). Valid until zones_release(). */
const struct zone *zones_find(struct zones *zones, const char *name, struct err *err)
    __attribute__((warn_unused_result));
