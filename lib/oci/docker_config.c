#include "oci/docker_config.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"

static void split_key(const char *key, struct arena *arena, struct docker_auth *auth)
{
    static const char *const schemes[] = { "https://", "http://" };

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (strncasecmp(key, schemes[i], strlen(schemes[i])) == 0)
            key += strlen(schemes[i]);
    size_t length = strcspn(key, "/");
    auth->host = arena_strndup(arena, key, length);
    if (strcasecmp(auth->host, "index.docker.io") == 0 ||
        strcasecmp(auth->host, "registry-1.docker.io") == 0)
        auth->host = "docker.io";
    char *path = arena_strdup(arena, key[length] ? key + length + 1 : "");
    for (length = strlen(path); length > 0 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
    auth->path = strcmp(path, "v1") == 0 || strcmp(path, "v2") == 0 ? "" : path;
}

/* base64("user:password") */
static int decode_auth(const char *text, const char *key, struct arena *arena,
                       struct docker_auth *auth, struct err *err)
{
    auto_buf struct buf plain = { 0 };

    buf_init(&plain, LIMIT_CREDENTIAL);
    if (base64_decode(&plain, span_of(text), err) < 0)
        return err_wrap(err, "auths[\"%s\"].auth", key);
    const char *colon = strchr(buf_text(&plain), ':');
    if (!colon || buf_check(&plain, "credential", err) < 0 || strlen(plain.data) != plain.length)
        return err_set(err, ERR_INVALID, "auths[\"%s\"].auth: must be base64 of user:password",
                       key);
    auth->username = arena_strndup(arena, buf_text(&plain), (size_t)(colon - buf_text(&plain)));
    auth->password = arena_strdup(arena, colon + 1);
    explicit_bzero(plain.data, plain.length);
    return 0;
}

static int parse_entry(const char *key, const json_t *entry, struct arena *arena,
                       struct docker_auth *auth, struct err *err)
{
    const char *encoded = jx_string(entry, "auth", NULL);
    const char *username = jx_string(entry, "username", NULL);
    const char *password = jx_string(entry, "password", NULL);
    const char *identity = jx_string(entry, "identitytoken", NULL);

    if (!json_is_object(entry))
        return err_set(err, ERR_INVALID, "auths[\"%s\"]: must be an object", key);
    split_key(key, arena, auth);
    if (identity && *identity)
        return 0;
    if (encoded && *encoded)
        return decode_auth(encoded, key, arena, auth, err);
    if (!username || !password)
        return err_set(err, ERR_INVALID, "auths[\"%s\"]: must have auth, or username and password",
                       key);
    auth->username = arena_strdup(arena, username);
    auth->password = arena_strdup(arena, password);
    return 0;
}

static int longest_path_first(const void *one, const void *two)
{
    size_t first = strlen(((const struct docker_auth *)one)->path);
    size_t second = strlen(((const struct docker_auth *)two)->path);

    return (first < second) - (first > second);
}

int docker_config_parse(struct span text, struct arena *arena, struct docker_config *ret_config,
                        struct err *err)
{
    auto_json json_t *document = jx_parse(text, LIMIT_CREDENTIAL, "pull secret", err);
    json_t *auths = jx_get(document, "auths", NULL);
    struct docker_config config = { 0 };
    const char *key;
    json_t *entry;

    if (!document)
        return -1;
    if (!json_is_object(auths))
        return err_set(err, ERR_INVALID, "pull secret: auths must be an object");
    config.auths = arena_zero(arena, json_object_size(auths) + 1, sizeof(*config.auths));
    json_object_foreach(auths, key, entry)
    {
        if (parse_entry(key, entry, arena, &config.auths[config.count++], err) < 0)
            return err_wrap(err, "pull secret");
    }
    qsort(config.auths, config.count, sizeof(*config.auths), longest_path_first);
    *ret_config = config;
    return 0;
}

/* Label by label; '*' stays within its label. */
static bool host_matches(const char *pattern, const char *host)
{
    while (true) {
        size_t pattern_length = strcspn(pattern, "."), host_length = strcspn(host, ".");
        char label_pattern[256], label[256];

        if (pattern_length >= sizeof(label_pattern) || host_length >= sizeof(label))
            return false;
        snprintf(label_pattern, sizeof(label_pattern), "%.*s", (int)pattern_length, pattern);
        snprintf(label, sizeof(label), "%.*s", (int)host_length, host);
        if (strchr(label_pattern, '*') ? fnmatch(label_pattern, label, FNM_CASEFOLD) != 0
                                       : strcasecmp(label_pattern, label) != 0)
            return false;
        pattern += pattern_length;
        host += host_length;
        if (!*pattern || !*host)
            return *pattern == *host;
        pattern++;
        host++;
    }
}

bool docker_auth_matches(const struct docker_auth *auth, const char *domain, const char *repository)
{
    size_t length = strlen(auth->path);

    return host_matches(auth->host, domain) && strncmp(auth->path, repository, length) == 0 &&
           (length == 0 || repository[length] == '/' || repository[length] == '\0');
}
