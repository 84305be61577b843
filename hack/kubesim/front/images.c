#include "kubesim/front/images.h"

#include <string.h>

#include "base/json.h"

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

/* A first segment with a dot or a port, or "localhost", is a host, as in Docker's references. */
static const char *skip_host(const char *reference)
{
    const char *slash = strchr(reference, '/');
    size_t length = slash ? (size_t)(slash - reference) : 0;
    bool host = memchr(reference, '.', length) || memchr(reference, ':', length) ||
                (length == 9 && memcmp(reference, "localhost", 9) == 0);
    return host ? slash + 1 : reference;
}

/* "repository:tag" or "repository@digest": digests win, a missing tag is "latest". */
static char *normal(const char *reference)
{
    const char *own = skip_host(reference), *at = strchr(own, '@'), *colon = strchr(own, ':');
    if (!at)
        return mem_format("%s%s", own, colon ? "" : ":latest");
    const char *end = colon && colon < at ? colon : at;
    return mem_format("%.*s%s", (int)(end - own), own, at);
}

char *images_repository(const char *reference)
{
    char *text = normal(reference);
    text[strcspn(text, ":@")] = '\0';
    return text;
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

int images_set(struct images *images, const char *reference, const char *program,
               const char *revision, const struct image **ret_image, struct err *err)
{
    const char *own = skip_host(reference), *colon = strchr(own, ':');
    if (strchr(own, '@') || !colon || colon == own || !colon[1])
        return err_set(err, ERR_INVALID, "image %s: expected REPOSITORY:TAG", reference);
    if (!*program || strchr(program, '/'))
        return err_set(err, ERR_INVALID, "program %s: expected the name of a file in --bin",
                       program);
    char hex[SHA256_HEX], digest[IMAGE_DIGEST];
    auto_free char *manifest = manifest_text(program, revision);
    sha256_of(span_of(manifest), hex);
    snprintf(digest, sizeof(digest), "sha256:%s", hex);
    struct image *image = index_get(&images->images, digest);
    if (!image) {
        image = mem_zero(1, sizeof(*image));
        image->program = mem_strdup(program);
        image->manifest = TAKE(manifest);
        memcpy(image->digest, digest, sizeof(digest));
        index_put(&images->images, digest, image);
    }
    auto_free char *repository = images_repository(reference);
    auto_free char *by_digest = mem_format("%s@%s", repository, digest);
    index_put(&images->references, own, image);
    index_put(&images->references, by_digest, image);
    *ret_image = image;
    return 0;
}

const struct image *images_find(const struct images *images, const char *reference)
{
    auto_free char *own = normal(reference);
    return index_get(&images->references, own);
}
