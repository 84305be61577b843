#include "kubesim/front/images.h"

#include <string.h>

#include "base/json.h"
#include "oci/reference.h"

void images_release(struct images *images)
{
    for (size_t i = 0; i < images->images.count; i++) {
        struct image *image = images->images.entries[i].value;
        free(image->program);
        free(image->manifest);
        free(image);
    }
    index_release(&images->images);
    index_release(&images->references);
}

/* "repository:tag" or "repository@digest", without the host: ours is every registry. New text;
 * NULL for what is no reference. */
static char *key_of(const char *text, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    struct reference reference;
    if (reference_parse(text, &arena, &reference, err) < 0)
        return NULL;
    return reference.digest ? mem_format("%s@%s", reference.repository, reference.digest)
                            : mem_format("%s:%s", reference.repository, reference.tag);
}

static char *manifest_text(const char *program, const char *revision)
{
    static const char empty_digest[] =
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    auto_json json_t *manifest =
        json_pack("{si ss s{ss ss si} s[] s{ss ss}}", "schemaVersion", 2, "mediaType",
                  "application/vnd.oci.image.manifest.v1+json", "config", "mediaType",
                  "application/vnd.oci.empty.v1+json", "digest", empty_digest, "size", 2, "layers",
                  "annotations", "churnops.io/program", program,
                  "org.opencontainers.image.revision", revision ? revision : "");
    return jx_canonical(manifest);
}

/* The image of that digest, made when it is not there. */
static struct image *put_image(struct images *images, const char *digest, const char *program,
                               const char *manifest)
{
    struct image *image = index_get(&images->images, digest);
    if (image)
        return image;
    image = mem_zero(1, sizeof(*image));
    image->program = mem_strdup(program);
    image->manifest = manifest ? mem_strdup(manifest) : NULL;
    snprintf(image->digest, sizeof(image->digest), "%s", digest);
    index_put(&images->images, digest, image);
    return image;
}

int images_set(struct images *images, const char *reference, const char *program,
               const char *revision, const struct image **ret_image, struct err *err)
{
    auto_free char *key = key_of(reference, err);
    if (!key)
        return -1;
    if (!*program || strchr(program, '/'))
        return err_set(err, ERR_INVALID, "program %s: expected the name of a file in --bin",
                       program);
    const char *foreign = strchr(key, '@');
    if (foreign) {
        struct image *image = put_image(images, foreign + 1, program, NULL);
        index_put(&images->references, key, image);
        *ret_image = image;
        return 0;
    }
    char hex[SHA256_HEX], digest[IMAGE_DIGEST];
    auto_free char *manifest = manifest_text(program, revision);
    sha256_of(span_of(manifest), hex);
    snprintf(digest, sizeof(digest), "sha256:%s", hex);
    struct image *image = put_image(images, digest, program, manifest);
    auto_free char *by_digest = mem_format("%.*s@%s", (int)strcspn(key, ":"), key, digest);
    index_put(&images->references, key, image);
    index_put(&images->references, by_digest, image);
    *ret_image = image;
    return 0;
}

const struct image *images_find(const struct images *images, const char *reference)
{
    struct err ignored;
    auto_free char *key = key_of(reference, &ignored);
    return key ? index_get(&images->references, key) : NULL;
}
