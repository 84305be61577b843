#include "kubesim/runner/launch.h"

#include <string.h>

#include "base/base64.h"
#include "base/fields.h"
#include "base/file.h"
#include "base/limits.h"
#include "kubesim/runner/folder.h"

#define MAXIMUM_VARIABLES 256
#define MAXIMUM_ARGUMENTS 256
#define SECRETS_MAXIMUM   16
#define JOB_ANNOTATION    "churnops.io/job"

struct preparation {
    const struct cluster *cluster;
    const json_t *pod, *container;
    const char *folder;
    struct arena *arena;
    char **environment;
    size_t count;
    struct pairs secrets; /* mount path to the folder that stands for it */
};

static int set(struct preparation *to, const char *name, const char *value, struct err *err)
{
    if (to->count == MAXIMUM_VARIABLES)
        return err_set(err, ERR_INVALID, "more than %d environment variables", MAXIMUM_VARIABLES);
    to->environment[to->count++] = arena_format(to->arena, "%s=%s", name, value);
    return 0;
}

/* --- values from elsewhere -------------------------------------------------------------- */

/* metadata.name, metadata.annotations['x']: the paths of the downward API. NULL: none of them. */
static const char *field_of(const struct preparation *from, const char *path)
{
    static const char *const maps[] = { "labels", "annotations" };
    static const char *const plain[] = { "name", "namespace", "uid" };
    const json_t *metadata = jx_get(from->pod, "metadata", NULL);
    if (!path || strncmp(path, "metadata.", 9) != 0)
        return NULL;
    path += 9;
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (strcmp(path, plain[i]) == 0)
            return jx_string(metadata, path, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        size_t length = strlen(maps[i]), whole = strlen(path);
        if (strncmp(path, maps[i], length) == 0 && strncmp(path + length, "['", 2) == 0 &&
            whole > length + 4 && strcmp(path + whole - 2, "']") == 0) {
            const char *key = arena_strndup(from->arena, path + length + 2, whole - length - 4);
            const char *value = jx_string(metadata, maps[i], key, NULL);
            return value ? value : "";
        }
    }
    return NULL;
}

static const char *decoded(struct arena *arena, const char *base64)
{
    auto_buf struct buf text;
    struct err ignored;
    buf_init(&text, LIMIT_CREDENTIAL);
    return base64_decode(&text, span_of(base64), &ignored) == 0
               ? arena_strdup(arena, buf_text(&text))
               : "";
}

static int key_of(const struct preparation *from, const json_t *reference, const char *plural,
                  const char **ret_value, struct err *err)
{
    const char *name = jx_string(reference, "name", NULL), *key = jx_string(reference, "key", NULL);
    const struct resource *resource = resource_find(&from->cluster->resources, "", "v1", plural);
    const struct object *object =
        name ? store_find(resource, jx_string(from->pod, "metadata", "namespace", NULL), name)
             : NULL;
    const char *value = object && key ? jx_string(object->snapshot->json, "data", key, NULL) : NULL;
    if (!value && !jx_bool(reference, "optional", false))
        return err_set(err, ERR_INVALID, "couldn't find key %s in %s %s", key ? key : "", plural,
                       name ? name : "");
    *ret_value = value && strcmp(plural, "secrets") == 0 ? decoded(from->arena, value) : value;
    return 0;
}

/* A file below a mounted Secret is elsewhere: the pod is a process of this machine. */
static const char *moved(const struct preparation *from, const char *value)
{
    for (size_t i = 0; i < from->secrets.count; i++) {
        const struct pair *mounted = &from->secrets.items[i];
        size_t length = strlen(mounted->name);
        if (strncmp(value, mounted->name, length) == 0 && value[length] == '/')
            return arena_format(from->arena, "%s%s", mounted->value, value + length);
    }
    return value;
}

static int variable(struct preparation *to, const json_t *entry, struct err *err)
{
    const char *name = jx_string(entry, "name", NULL), *value = jx_string(entry, "value", NULL);
    const json_t *source = jx_get(entry, "valueFrom", NULL);
    if (jx_get(source, "secretKeyRef", NULL)) {
        if (key_of(to, jx_get(source, "secretKeyRef", NULL), "secrets", &value, err) != 0)
            return -1;
    } else if (jx_get(source, "configMapKeyRef", NULL)) {
        if (key_of(to, jx_get(source, "configMapKeyRef", NULL), "configmaps", &value, err) != 0)
            return -1;
    } else if (source) {
        value = field_of(to, jx_string(source, "fieldRef", "fieldPath", NULL));
        if (!value)
            return err_set(err, ERR_INVALID,
                           "env %s: kubesim knows value, fieldRef of metadata, "
                           "secretKeyRef and configMapKeyRef",
                           name);
    } else if (!value) {
        value = "";
    }
    return value ? set(to, name, moved(to, value), err) : 0;
}

/* --- volumes -------------------------------------------------------------------------------- */

static int write_downward(struct preparation *to, const json_t *volume, const char *folder,
                          struct err *err)
{
    const json_t *item;
    size_t i;
    json_array_foreach(jx_get(volume, "downwardAPI", "items", NULL), i, item)
    {
        const char *name = jx_string(item, "path", NULL);
        const char *field = jx_string(item, "fieldRef", "fieldPath", NULL);
        const char *value = field_of(to, field);
        if (!name || !value || strchr(name, '/'))
            return err_set(
                err, ERR_INVALID,
                "volume %s: kubesim knows fieldRef of metadata, in files without folders",
                jx_string(volume, "name", NULL));
        const char *path = arena_format(to->arena, "%s/%s", folder, name);
        if (file_write(path, 0600, span_of(value), err) != 0)
            return -1;
        if (strstr(field, JOB_ANNOTATION) && set(to, "CHURN_JOB", path, err) != 0)
            return -1;
    }
    return 0;
}

static int write_secret(struct preparation *to, const json_t *volume, const char *mount_path,
                        const char *folder, struct err *err)
{
    const char *name = jx_string(volume, "secret", "secretName", NULL), *key;
    const struct resource *resource = resource_find(&to->cluster->resources, "", "v1", "secrets");
    const struct object *object =
        name ? store_find(resource, jx_string(to->pod, "metadata", "namespace", NULL), name) : NULL;
    json_t *value;
    if (!object)
        return err_set(err, ERR_INVALID, "couldn't find secret %s", name ? name : "");
    json_object_foreach(jx_get(object->snapshot->json, "data", NULL), key, value)
    {
        const char *text = decoded(to->arena, json_string_value(value));
        const char *path = arena_format(to->arena, "%s/%s", folder, key);
        if (strchr(key, '/') || file_write(path, 0600, span_of(text), err) != 0)
            return -1;
    }
    if (to->secrets.count == SECRETS_MAXIMUM)
        return err_set(err, ERR_INVALID, "more than %d volumes of Secrets", SECRETS_MAXIMUM);
    to->secrets.items[to->secrets.count++] = (struct pair){ mount_path, folder };
    return 0;
}

static int check_host_path(const json_t *volume, const char *mount_path, struct err *err)
{
    const char *path = jx_string(volume, "hostPath", "path", NULL);
    const char *type = jx_string(volume, "hostPath", "type", NULL);
    const char *name = jx_string(volume, "name", NULL);
    if (!path || strcmp(path, mount_path) != 0)
        return err_set(
            err, ERR_INVALID,
            "volume %s: kubesim runs pods as processes of this machine, so hostPath %s has "
            "to be mounted at the same path, not at %s",
            name, path ? path : "", mount_path);
    if (type && strcmp(type, "DirectoryOrCreate") == 0)
        return folder_make(path, err);
    if (access(path, F_OK) != 0)
        return err_set(err, ERR_INVALID, "volume %s: hostPath %s does not exist", name, path);
    return 0;
}

static int mount(struct preparation *to, const json_t *volume, const char *mount_path,
                 struct err *err)
{
    const char *name = jx_string(volume, "name", NULL);
    const char *folder = arena_format(to->arena, "%s/volumes/%s", to->folder, name);
    if (jx_get(volume, "hostPath", NULL))
        return check_host_path(volume, mount_path, err);
    if (folder_make(folder, err) != 0)
        return -1;
    if (jx_get(volume, "downwardAPI", NULL))
        return write_downward(to, volume, folder, err);
    if (jx_get(volume, "secret", NULL))
        return write_secret(to, volume, mount_path, folder, err);
    if (json_object_get(volume, "emptyDir") && strcmp(mount_path, "/tmp") == 0)
        return set(to, "TMPDIR", folder, err);
    return err_set(err, ERR_INVALID,
                   "volume %s: kubesim knows hostPath, downwardAPI, secret, and emptyDir at /tmp",
                   name);
}

static const json_t *volume_named(const json_t *pod, const char *name)
{
    const json_t *volume;
    size_t i;
    json_array_foreach(jx_get(pod, "spec", "volumes", NULL), i, volume)
    {
        const char *own = jx_string(volume, "name", NULL);
        if (own && name && strcmp(own, name) == 0)
            return volume;
    }
    return NULL;
}

static int mount_all(struct preparation *to, struct err *err)
{
    const json_t *entry;
    size_t i;
    json_array_foreach(jx_get(to->container, "volumeMounts", NULL), i, entry)
    {
        const char *name = jx_string(entry, "name", NULL);
        const char *path = jx_string(entry, "mountPath", NULL);
        const json_t *volume = volume_named(to->pod, name);
        if (!volume || !path)
            return err_set(err, ERR_INVALID, "volumeMounts[%zu]: no volume %s", i,
                           name ? name : "");
        if (mount(to, volume, path, err) != 0)
            return -1;
    }
    return 0;
}

static int make_environment(struct preparation *to, struct err *err)
{
    const char *path = getenv("PATH");
    const char *result = arena_format(to->arena, "%s/termination-log", to->folder);
    const json_t *entry;
    size_t i;
    if (set(to, "PATH", path ? path : "/usr/bin:/bin", err) != 0 ||
        set(to, "HOME", to->folder, err) != 0 ||
        set(to, "HOSTNAME", jx_string(to->pod, "metadata", "name", NULL), err) != 0 ||
        set(to, "CHURN_RESULT", result, err) != 0 || mount_all(to, err) != 0)
        return -1;
    json_array_foreach(jx_get(to->container, "env", NULL), i,
                       entry) if (variable(to, entry, err) != 0) return -1;
    return 0;
}

/* --- the command line --------------------------------------------------------------------------
 */

static int make_arguments(const struct preparation *from, const char *program, const char *bin,
                          struct launch *launch, struct err *err)
{
    static const char *const members[] = { "command", "args" };
    const char *command =
        json_string_value(json_array_get(jx_get(from->container, "command", NULL), 0));
    const char *slash = command ? strrchr(command, '/') : NULL;
    const json_t *word;
    size_t count = 0, i;
    char **arguments = arena_zero(from->arena, MAXIMUM_ARGUMENTS + 1, sizeof(char *));
    /* A command names a program of --bin, wherever the image would have it. */
    const char *name = slash ? slash + 1 : command ? command : program;
    launch->program = arena_format(from->arena, "%s/%s", bin, name);
    arguments[count++] = (char *)name;
    for (size_t m = 0; m < ARRAY_SIZE(members); m++)
        json_array_foreach(jx_get(from->container, members[m], NULL), i, word)
        {
            if (m == 0 && i == 0)
                continue;
            if (count == MAXIMUM_ARGUMENTS || !json_is_string(word))
                return err_set(err, ERR_INVALID, "%s[%zu]: expected at most %d strings", members[m],
                               i, MAXIMUM_ARGUMENTS);
            arguments[count++] = arena_strdup(from->arena, json_string_value(word));
        }
    launch->arguments = arguments;
    return 0;
}

int launch_prepare(const struct cluster *cluster, const json_t *pod, const char *program,
                   const char *bin, const char *folder, struct arena *arena,
                   struct launch *ret_launch, struct err *err)
{
    const json_t *containers = jx_get(pod, "spec", "containers", NULL);
    struct preparation to = { .cluster = cluster,
                              .pod = pod,
                              .container = json_array_get(containers, 0),
                              .folder = folder,
                              .arena = arena };
    to.environment = arena_zero(arena, MAXIMUM_VARIABLES + 1, sizeof(char *));
    to.secrets.items = arena_zero(arena, SECRETS_MAXIMUM, sizeof(*to.secrets.items));
    if (json_array_size(containers) != 1 || jx_get(pod, "spec", "initContainers", NULL))
        return err_set(err, ERR_INVALID,
                       "kubesim runs pods of one container without initContainers");
    if (make_environment(&to, err) != 0 || make_arguments(&to, program, bin, ret_launch, err) != 0)
        return -1;
    ret_launch->environment = to.environment;
    return 0;
}
