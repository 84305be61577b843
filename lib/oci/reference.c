#include "oci/reference.h"

#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/num.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

enum {
    NAME_MAXIMUM = 255, /* host and repository together; the grammar's own limit */
    TAG_MAXIMUM = 128,
};

static int invalid(const char *text, const char *expected, struct err *err)
{
    return err_reason(err, ERR_INVALID, "InvalidImageName", "image reference '%s': %s", text,
                      expected);
}

bool reference_is_digest(const char *text)
{
    static const char prefix[] = "sha256:";
    size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 && strlen(text) == length + 64 &&
           strspn(text + length, "0123456789abcdef") == 64;
}

/* [a-z0-9]+ joined by '.', '_', '__' or any number of '-'. */
static bool is_component(const char *text)
{
    while (true) {
        size_t word = strspn(text, LOWER DIGIT);

        if (word == 0)
            return false;
        text += word;
        if (*text == '\0')
            return true;
        if (*text == '-')
            text += strspn(text, "-");
        else if (strncmp(text, "__", 2) == 0)
            text += 2;
        else if (*text == '.' || *text == '_')
            text++;
        else
            return false;
    }
}

static bool is_repository(char *text)
{
    while (text) {
        char *slash = strchr(text, '/');

        if (slash)
            *slash = '\0';
        bool good = is_component(text);
        if (slash)
            *slash++ = '/';
        if (!good)
            return false;
        text = slash;
    }
    return true;
}

static bool is_port(const char *text)
{
    int64_t port;
    struct err ignored;

    return num_int64(span_of(text), 1, 65535, &port, &ignored) == 0;
}

/* A host name or IPv4 address, or an IPv6 address in brackets, with a port or not. */
static bool is_host(const char *text)
{
    size_t length;

    if (text[0] == '[') {
        length = 1 + strspn(text + 1, DIGIT "abcdefABCDEF:.");
        if (length < 3 || text[length++] != ']')
            return false;
    } else {
        length = strspn(text, LOWER UPPER DIGIT ".-");
        if (length == 0 || strchr(".-", text[0]) || strchr(".-", text[length - 1]) ||
            strstr(text, ".."))
            return false;
    }
    return text[length] == '\0' || (text[length] == ':' && is_port(text + length + 1));
}

/* Is the first component a host rather than a part of the repository? */
static bool looks_like_host(const char *first)
{
    return strpbrk(first, ".:[" UPPER) || strcmp(first, "localhost") == 0;
}

static bool is_docker_hub(const char *host)
{
    return strcasecmp(host, "docker.io") == 0 || strcasecmp(host, "index.docker.io") == 0 ||
           strcasecmp(host, "registry-1.docker.io") == 0;
}

static int set_docker_hub(const char *repository, struct arena *arena, struct reference *reference)
{
    reference->host = "registry-1.docker.io";
    reference->domain = "docker.io";
    reference->repository = strchr(repository, '/') ? arena_strdup(arena, repository)
                                                    : arena_format(arena, "library/%s", repository);
    return 0;
}

static int parse_name(const char *text, char *name, struct arena *arena,
                      struct reference *reference, struct err *err)
{
    char *slash = strchr(name, '/'), *repository = name;
    const char *host = "docker.io";

    if (slash) {
        *slash = '\0';
        if (looks_like_host(name)) {
            host = name;
            repository = slash + 1;
        } else {
            *slash = '/';
        }
    }
    if (!is_host(host))
        return invalid(text, "the registry must be a host name or address, with a port or not",
                       err);
    if (strpbrk(repository, UPPER))
        return invalid(text, "the repository must be in lower case", err);
    if (!is_repository(repository))
        return invalid(text,
                       "the repository must be lower-case words joined by '.', '_', '__' or '-', "
                       "separated by '/'",
                       err);
    if (is_docker_hub(host))
        return set_docker_hub(repository, arena, reference);
    reference->host = reference->domain = arena_strdup(arena, host);
    reference->repository = arena_strdup(arena, repository);
    return 0;
}

static int parse_tag(const char *text, const char *tag, struct err *err)
{
    size_t length = strspn(tag, LOWER UPPER DIGIT "_.-");

    if (length == 0 || tag[length] || length > TAG_MAXIMUM || tag[0] == '.' || tag[0] == '-')
        return invalid(
            text,
            "a tag must be at most 128 letters, digits, '_', '.' or '-' and begin with a "
            "letter, digit or '_'",
            err);
    return 0;
}

int reference_parse(const char *text, struct arena *arena, struct reference *ret_reference,
                    struct err *err)
{
    struct reference reference = { 0 };

    if (strlen(text) > LIMIT_URI)
        return err_reason(err, ERR_INVALID, "InvalidImageName",
                          "an image reference is longer than %d bytes", LIMIT_URI);
    if (strstr(text, "://"))
        return invalid(text, "it must not begin with a scheme such as https://", err);
    char *name = arena_strdup(arena, text);
    char *at = strchr(name, '@');
    if (at) {
        *at++ = '\0';
        if (!reference_is_digest(at))
            return invalid(text, "after '@' must come sha256: and 64 lower-case hexadecimal digits",
                           err);
        reference.digest = at;
    }
    char *slash = strrchr(name, '/');
    char *colon = strchr(slash ? slash : name, ':');
    if (colon) {
        *colon++ = '\0';
        if (parse_tag(text, colon, err) < 0)
            return -1;
        reference.tag = colon;
    }
    if (!*name)
        return invalid(text, "expected [registry/]repository[:tag][@digest]", err);
    if (parse_name(text, name, arena, &reference, err) < 0)
        return -1;
    if (strlen(reference.domain) + 1 + strlen(reference.repository) > NAME_MAXIMUM)
        return invalid(text, "registry and repository may have 255 characters together", err);
    if (!reference.tag && !reference.digest)
        reference.tag = "latest";
    *ret_reference = reference;
    return 0;
}
