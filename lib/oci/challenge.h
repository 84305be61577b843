/* challenge.h - pure: WWW-Authenticate headers of registries (RFC 9110, 11.6.1;
 * https://distribution.github.io/distribution/spec/auth/token/). */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

struct challenge {
    bool basic, bearer;                  /* what the server offers; both may be set */
    const char *realm, *service, *scope; /* of Bearer; NULL when not given */
};

/* Adds what one header offers to *challenge (zeroed before the first). Unknown
 * schemes and parameters are skipped. ERR_UNSUPPORTED when the header is
 * malformed. Strings live in the arena. */
int challenge_add(const char *header, struct arena *arena, struct challenge *challenge,
                  struct err *err) __attribute__((warn_unused_result));
