/* retention.h - old versions go when there are too many.
 *
 * Beside the versions that are protected (the one in use, job.keepVersions, the one
 * just made) the newest job.keep stay, by trainedAt of their metrics.json, or the time of their
 * model.json where that does not say, then by name. Run records of versions that are gone go too.
 *
 * Safe wherever it is interrupted: model.json is deleted first, and a folder without it
 * is no version to anybody, so what is left is found and finished by a later training: folders
 * without model.json that nobody has written to for RETENTION_LEFTOVER_MS (until then they may be
 * versions that are being published), and records whose version is not there. */
#pragma once

#include "trainer/training.h"

#define RETENTION_LEFTOVER_MS (24 * 3600 * INT64_C(1000))

/* After the run record is written. What cannot be deleted is a warning. `now_ms` is
 * wall time. */
void retention_apply(struct training *training, int64_t now_ms);
