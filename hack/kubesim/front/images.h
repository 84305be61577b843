/* images.h - the registry's content: an image is a manifest that names a program.
 *
 * The digest is the SHA-256 of the manifest's bytes, which hold program and
 * revision; so another revision is another digest, and the same one is the same
 * wherever it was set. References are those of oci/reference.h; the host is ignored. */
#pragma once

#include "base/err.h"
#include "base/sha256.h"
#include "kubesim/core/index.h"

#define IMAGE_DIGEST (sizeof("sha256:") + SHA256_HEX)

struct image {
    char *program, *manifest; /* manifest: NULL for an image that another registry has */
    char digest[IMAGE_DIGEST];
};

struct images {
    struct index images;     /* digest -> struct image */
    struct index references; /* "repository:tag", "repository@digest" -> struct image, borrowed */
};

void images_release(struct images *images);
/* Adds the image or moves the tag. By digest it is an image that another registry has: pods run it,
 * and nothing is served. */
int images_set(struct images *images, const char *reference, const char *program,
               const char *revision, const struct image **ret_image, struct err *err)
    __attribute__((warn_unused_result));
/* NULL: not there. A missing tag is "latest". */
const struct image *images_find(const struct images *images, const char *reference);
