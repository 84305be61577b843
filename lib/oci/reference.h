/* reference.h - pure: image references as people write them.
 *
 * "nginx", "acme/app:1.2", "ghcr.io/acme/app@sha256:...", "localhost:5000/a:b",
 * "[::1]:5000/a". The grammar is that of container runtimes
 * (https://github.com/distribution/reference): without a first component that
 * looks like a host the image is Docker Hub's, and a single component there is
 * "library/<name>". */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

struct reference {
    const char *host;       /* to ask, with port when written: "registry-1.docker.io", "a:5000" */
    const char *domain;     /* as pull secrets call it: "docker.io", else the host */
    const char *repository; /* "library/nginx" */
    const char *tag;        /* "latest" when neither tag nor digest is written; else NULL */
    const char *digest;     /* "sha256:<64 hex>", NULL: none. With a digest the tag is a comment */
};

/* ERR_INVALID, reason InvalidImageName: the message quotes the text and says what
 * was expected. Strings live in the arena. */
int reference_parse(const char *text, struct arena *arena, struct reference *ret_reference,
                    struct err *err) __attribute__((warn_unused_result));

/* "sha256:" and 64 lower-case hexadecimal digits? */
bool reference_is_digest(const char *text);
