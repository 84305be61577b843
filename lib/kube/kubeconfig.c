#include "kube/kubeconfig.h"

#include "base/base64.h"
#include "base/fields.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/uri.h"
#include "base/yaml.h"
#include "net/proxy.h"

/* --- what is read of a file ---------------------------------------------------- */

struct extension {
    const char *name;
    json_t *extension;
};

struct cluster {
    const char *server, *server_name, *proxy_url;
    const char *ca_file, *ca_data;
    bool insecure;
    struct list extensions; /* of struct extension */
};

struct exec {
    const char *command, *install_hint;
    struct strings arguments;
    struct list variables; /* of struct pair */
    int api_version, interactive;
    bool provide_cluster;
};

struct user {
    const char *token, *token_file, *username, *password;
    const char *certificate_file, *certificate_data, *key_file, *key_data;
    struct exec *exec;
    json_t *auth_provider, *impersonate, *impersonate_uid, *impersonate_groups, *impersonate_extra;
};

struct context {
    const char *cluster, *user, *namespace;
};

struct named {
    const char *name;
    void *value; /* struct cluster, struct user or struct context */
};

struct document {
    const char *current_context;
    struct list clusters, users, contexts; /* of struct named */
};

struct kubeconfig_file {
    struct kubeconfig_file *next;
    const char *path;
    struct document document;
};

#define ENTRIES 4096 /* of one list; a team's kubeconfig has dozens */
#define TEXT(type, member, json_name, ...)                                                         \
    FIELD(type, member, json_name, FIELD_STRING,                                                   \
          .maximum = LIMIT_CREDENTIAL __VA_OPT__(, ) __VA_ARGS__)

static const char *const API_VERSIONS[] = { "client.authentication.k8s.io/v1",
                                            "client.authentication.k8s.io/v1beta1", NULL };
enum { INTERACTIVE_NEVER, INTERACTIVE_IF_AVAILABLE, INTERACTIVE_ALWAYS };
static const char *const INTERACTIVE_MODES[] = { "Never", "IfAvailable", "Always", NULL };

static const struct field EXTENSION_FIELDS[] = {
    TEXT(struct extension, name, "name"),
    FIELD(struct extension, extension, "extension", FIELD_JSON),
};
static const struct fields EXTENSION = FIELDS(struct extension, EXTENSION_FIELDS, .open = true);

static const struct field CLUSTER_FIELDS[] = {
    TEXT(struct cluster, server, "server", .flags = FIELD_REQUIRED | FIELD_NONEMPTY),
    TEXT(struct cluster, server_name, "tls-server-name"),
    TEXT(struct cluster, proxy_url, "proxy-url"),
    TEXT(struct cluster, ca_file, "certificate-authority"),
    TEXT(struct cluster, ca_data, "certificate-authority-data"),
    FIELD(struct cluster, insecure, "insecure-skip-tls-verify", FIELD_BOOL),
    FIELD(struct cluster, extensions, "extensions", FIELD_OBJECTS, .table = &EXTENSION),
};
static const struct fields CLUSTER = FIELDS(struct cluster, CLUSTER_FIELDS, .open = true);

static const struct field VARIABLE_FIELDS[] = {
    TEXT(struct pair, name, "name", .flags = FIELD_REQUIRED | FIELD_NONEMPTY),
    TEXT(struct pair, value, "value", .flags = FIELD_REQUIRED),
};
static const struct fields VARIABLE = FIELDS(struct pair, VARIABLE_FIELDS, .open = true);

static const struct field EXEC_FIELDS[] = {
    TEXT(struct exec, command, "command", .flags = FIELD_REQUIRED | FIELD_NONEMPTY),
    TEXT(struct exec, install_hint, "installHint"),
    FIELD(struct exec, arguments, "args", FIELD_STRINGS),
    FIELD(struct exec, variables, "env", FIELD_OBJECTS, .table = &VARIABLE),
    FIELD(struct exec, api_version, "apiVersion", FIELD_ENUM, .names = API_VERSIONS,
          .flags = FIELD_REQUIRED),
    FIELD(struct exec, interactive, "interactiveMode", FIELD_ENUM, .names = INTERACTIVE_MODES,
          .fallback = "IfAvailable"),
    FIELD(struct exec, provide_cluster, "provideClusterInfo", FIELD_BOOL),
};
static const struct fields EXEC = FIELDS(struct exec, EXEC_FIELDS, .open = true);

static const struct field USER_FIELDS[] = {
    TEXT(struct user, token, "token", .check = kube_check_token),
    TEXT(struct user, token_file, "tokenFile"),
    TEXT(struct user, username, "username"),
    TEXT(struct user, password, "password"),
    TEXT(struct user, certificate_file, "client-certificate"),
    TEXT(struct user, certificate_data, "client-certificate-data"),
    TEXT(struct user, key_file, "client-key"),
    TEXT(struct user, key_data, "client-key-data"),
    FIELD(struct user, exec, "exec", FIELD_OBJECT, .table = &EXEC),
    FIELD(struct user, auth_provider, "auth-provider", FIELD_JSON),
    FIELD(struct user, impersonate, "as", FIELD_JSON),
    FIELD(struct user, impersonate_uid, "as-uid", FIELD_JSON),
    FIELD(struct user, impersonate_groups, "as-groups", FIELD_JSON),
    FIELD(struct user, impersonate_extra, "as-user-extra", FIELD_JSON),
};
static const struct fields USER = FIELDS(struct user, USER_FIELDS, .open = true);

static const struct field CONTEXT_FIELDS[] = {
    TEXT(struct context, cluster, "cluster", .flags = FIELD_REQUIRED | FIELD_NONEMPTY),
    TEXT(struct context, user, "user"),
    TEXT(struct context, namespace, "namespace"),
};
static const struct fields CONTEXT = FIELDS(struct context, CONTEXT_FIELDS, .open = true);

#define NAMED(table_, json_name)                                                                   \
    {                                                                                              \
        TEXT(struct named, name, "name", .flags = FIELD_REQUIRED | FIELD_NONEMPTY),                \
            FIELD(struct named, value, json_name, FIELD_OBJECT, .table = &(table_),                \
                  .flags = FIELD_REQUIRED),                                                        \
    }
static const struct field NAMED_CLUSTER_FIELDS[] = NAMED(CLUSTER, "cluster");
static const struct fields NAMED_CLUSTER = FIELDS(struct named, NAMED_CLUSTER_FIELDS, .open = true);
static const struct field NAMED_USER_FIELDS[] = NAMED(USER, "user");
static const struct fields NAMED_USER = FIELDS(struct named, NAMED_USER_FIELDS, .open = true);
static const struct field NAMED_CONTEXT_FIELDS[] = NAMED(CONTEXT, "context");
static const struct fields NAMED_CONTEXT = FIELDS(struct named, NAMED_CONTEXT_FIELDS, .open = true);

static const struct field DOCUMENT_FIELDS[] = {
    TEXT(struct document, current_context, "current-context"),
    FIELD(struct document, clusters, "clusters", FIELD_OBJECTS, .table = &NAMED_CLUSTER,
          .maximum = ENTRIES),
    FIELD(struct document, users, "users", FIELD_OBJECTS, .table = &NAMED_USER, .maximum = ENTRIES),
    FIELD(struct document, contexts, "contexts", FIELD_OBJECTS, .table = &NAMED_CONTEXT,
          .maximum = ENTRIES),
};
static const struct fields DOCUMENT = FIELDS(struct document, DOCUMENT_FIELDS, .open = true);

static void drop_reference(void *object)
{
    json_decref(object);
}

int kubeconfig_add(struct kubeconfig *kubeconfig, struct span text, const char *path,
                   struct err *err)
{
    json_t *document = yaml_parse(text, path, err);
    struct kubeconfig_file **end = &kubeconfig->files;
    struct kubeconfig_file *file;

    if (!document)
        return -1;
    arena_defer(&kubeconfig->arena, drop_reference, document);
    file = arena_zero(&kubeconfig->arena, 1, sizeof(*file));
    file->path = arena_strdup(&kubeconfig->arena, path);
    if (!json_is_object(document))
        return err_set(err, ERR_INVALID, "%s: not a kubeconfig, which is a YAML mapping", path);
    if (fields_decode(document, &DOCUMENT, "", &kubeconfig->arena, &file->document, err) < 0)
        return err_wrap(err, "%s", path);
    while (*end)
        end = &(*end)->next;
    *end = file;
    return 0;
}

void kubeconfig_release(struct kubeconfig *kubeconfig)
{
    arena_release(&kubeconfig->arena);
    *kubeconfig = (struct kubeconfig){ 0 };
}

/* --- choosing -------------------------------------------------------------------- */

/* What a selection works on. */
struct selection {
    const struct kubeconfig_file *file; /* where the entry at hand was found */
    struct kube_config *config;
    struct err *err;
};

static const void *find_named(struct selection *selection, const struct kubeconfig *kubeconfig,
                              size_t list_offset, const char *name)
{
    for (const struct kubeconfig_file *file = kubeconfig->files; file; file = file->next) {
        const struct list *list = (const void *)((const char *)&file->document + list_offset);
        const struct named *items = list->items;

        for (size_t i = 0; i < list->count; i++) {
            if (strcmp(items[i].name, name) == 0) {
                selection->file = file;
                return items[i].value;
            }
        }
    }
    return NULL;
}

/* "" counts as absent, as kubectl writes it. */
static const char *present(const char *text)
{
    return text && *text ? text : NULL;
}

static const char *copy(const struct selection *selection, const char *text)
{
    return text ? arena_strdup(&selection->config->arena, text) : NULL;
}

/* A path as it counts from the kubeconfig's folder; NULL and "" stay NULL. */
static const char *resolve(const struct selection *selection, const char *path)
{
    const char *slash = strrchr(selection->file->path, '/');

    if (!path || !*path)
        return NULL;
    if (*path == '/' || !slash)
        return copy(selection, path);
    return arena_format(&selection->config->arena, "%.*s/%s", (int)(slash - selection->file->path),
                        selection->file->path, path);
}

/* Base64 of PEM text; NULL and "" stay NULL. */
static int decode_pem(const struct selection *selection, const char *name, const char *data,
                      const char **ret_pem)
{
    auto_buf struct buf pem = { 0 };

    if (!data || !*data) {
        *ret_pem = NULL;
        return 0;
    }
    buf_init(&pem, LIMIT_CREDENTIAL);
    if (base64_decode(&pem, span_of(data), selection->err) < 0)
        return err_wrap(selection->err, "%s: %s", selection->file->path, name);
    if (strlen(buf_text(&pem)) != pem.length || !strstr(buf_text(&pem), "-----BEGIN "))
        return err_set(selection->err, ERR_INVALID, "%s: %s: must be PEM text in base64",
                       selection->file->path, name);
    *ret_pem = copy(selection, buf_text(&pem));
    return 0;
}

static int refuse(const struct selection *selection, const char *name)
{
    return err_set(selection->err, ERR_UNSUPPORTED, "%s: %s is not supported",
                   selection->file->path, name);
}

static int take_cluster(const struct selection *selection, const struct cluster *cluster)
{
    struct kube_config *config = selection->config;
    struct url url;
    char *server;

    if (present(cluster->proxy_url) && proxy_check(cluster->proxy_url, selection->err) < 0)
        return err_wrap(selection->err, "%s: proxy-url", selection->file->path);
    config->proxy = copy(selection, present(cluster->proxy_url));
    if (url_parse(cluster->server, &url, selection->err) < 0)
        return err_wrap(selection->err, "%s: server", selection->file->path);
    server = arena_strdup(&config->arena, cluster->server);
    for (size_t length = strlen(server); server[length - 1] == '/'; length--)
        server[length - 1] = '\0';
    config->server = server;
    config->tls.server_name = copy(selection, present(cluster->server_name));
    config->tls.insecure = cluster->insecure;
    config->tls.ca_file = resolve(selection, cluster->ca_file);
    return decode_pem(selection, "certificate-authority-data", cluster->ca_data,
                      &config->tls.ca_pem);
}

/* spec.cluster of an ExecCredential (client-go, pkg/apis/clientauthentication). */
static int cluster_info(const struct selection *selection, const struct cluster *cluster,
                        const char **ret_json)
{
    auto_json json_t *info = json_pack("{s:s}", "server", cluster->server);
    const struct extension *extensions = cluster->extensions.items;
    const struct tls_options *tls = &selection->config->tls;
    auto_buf struct buf authority = { 0 }, encoded = { 0 };

    buf_init(&encoded, 2 * LIMIT_CREDENTIAL);
    buf_init(&authority, LIMIT_CREDENTIAL);
    if (tls->ca_pem)
        buf_string(&authority, tls->ca_pem);
    else if (tls->ca_file && file_read(tls->ca_file, &authority, selection->err) < 0)
        return err_wrap(selection->err, "%s: certificate-authority", selection->file->path);
    base64_encode(&encoded, (struct span){ authority.data, authority.length });
    if (encoded.length > 0)
        json_object_set_new(info, "certificate-authority-data", json_string(buf_text(&encoded)));
    if (tls->server_name)
        json_object_set_new(info, "tls-server-name", json_string(tls->server_name));
    if (tls->insecure)
        json_object_set_new(info, "insecure-skip-tls-verify", json_true());
    if (present(cluster->proxy_url))
        json_object_set_new(info, "proxy-url", json_string(cluster->proxy_url));
    for (size_t i = 0; i < cluster->extensions.count; i++)
        if (extensions[i].name &&
            strcmp(extensions[i].name, "client.authentication.k8s.io/exec") == 0)
            json_object_set(info, "config", extensions[i].extension);
    auto_free char *text = jx_canonical(info);
    *ret_json = copy(selection, text);
    return 0;
}

static int take_exec(const struct selection *selection, const struct cluster *cluster,
                     const struct exec *exec, struct exec_plugin *ret_plugin)
{
    const struct pair *pairs = exec->variables.items;
    struct arena *arena = &selection->config->arena;
    const char **variables = arena_zero(arena, exec->variables.count + 1, sizeof(*variables));

    if (exec->interactive == INTERACTIVE_ALWAYS)
        return refuse(selection, "an exec plugin with interactiveMode Always");
    for (size_t i = 0; i < exec->variables.count; i++)
        variables[i] = arena_format(arena, "%s=%s", pairs[i].name, pairs[i].value);
    *ret_plugin = (struct exec_plugin){
        .command = strchr(exec->command, '/') ? resolve(selection, exec->command) : exec->command,
        .arguments = exec->arguments.items,
        .argument_count = exec->arguments.count,
        .variables = variables,
        .variable_count = exec->variables.count,
        .api_version = API_VERSIONS[exec->api_version],
        .install_hint = exec->install_hint,
    };
    return exec->provide_cluster ? cluster_info(selection, cluster, &ret_plugin->cluster_json) : 0;
}

static int refuse_unsupported(const struct selection *selection, const struct user *user)
{
    if (user->auth_provider)
        return refuse(selection, "auth-provider (use an exec plugin)");
    if (user->impersonate || user->impersonate_uid || user->impersonate_groups ||
        user->impersonate_extra)
        return refuse(selection, "impersonation (as, as-uid, as-groups, as-user-extra)");
    return 0;
}

static int take_certificate(const struct selection *selection, const struct user *user)
{
    struct tls_options *tls = &selection->config->tls;

    tls->certificate_file = resolve(selection, user->certificate_file);
    tls->key_file = resolve(selection, user->key_file);
    if (decode_pem(selection, "client-certificate-data", user->certificate_data,
                   &tls->certificate_pem) < 0 ||
        decode_pem(selection, "client-key-data", user->key_data, &tls->key_pem) < 0)
        return -1;
    if (!(tls->certificate_file || tls->certificate_pem) != !(tls->key_file || tls->key_pem))
        return err_set(selection->err, ERR_INVALID,
                       "%s: client-certificate and client-key must come together",
                       selection->file->path);
    return 0;
}

static int take_user(const struct selection *selection, const struct cluster *cluster,
                     const struct user *user, char *const *variables)
{
    struct exec_plugin plugin = { 0 };
    struct kube_credentials_options options = { .token = present(user->token),
                                                .token_file = resolve(selection, user->token_file),
                                                .username = present(user->username),
                                                .password = user->password };

    if (refuse_unsupported(selection, user) < 0 || take_certificate(selection, user) < 0)
        return -1;
    if (user->exec) {
        if (take_exec(selection, cluster, user->exec, &plugin) < 0)
            return -1;
        plugin.environment = variables;
        options.exec = &plugin;
    }
    selection->config->credentials = kube_credentials_new(&options);
    return 0;
}

static const char *current_context(const struct kubeconfig *kubeconfig)
{
    for (const struct kubeconfig_file *file = kubeconfig->files; file; file = file->next)
        if (file->document.current_context && *file->document.current_context)
            return file->document.current_context;
    return NULL;
}

static int select_context(struct selection *selection, const struct kubeconfig *kubeconfig,
                          const char *name, char *const *variables)
{
    static const struct user nobody = { 0 };
    const struct context *context =
        find_named(selection, kubeconfig, offsetof(struct document, contexts), name);
    const struct cluster *cluster;
    const struct user *user = &nobody;
    const char *path;

    if (!context)
        return err_set(selection->err, ERR_NOT_FOUND, "the kubeconfig has no context \"%s\"", name);
    path = selection->file->path;
    selection->config->origin =
        arena_format(&selection->config->arena, "%s context %s", path, name);
    selection->config->namespace =
        copy(selection, present(context->namespace) ? context->namespace : "default");

    cluster =
        find_named(selection, kubeconfig, offsetof(struct document, clusters), context->cluster);
    if (!cluster)
        return err_set(selection->err, ERR_INVALID, "%s: context \"%s\": no cluster \"%s\"", path,
                       name, context->cluster);
    if (take_cluster(selection, cluster) < 0)
        return -1;
    if (present(context->user)) {
        user = find_named(selection, kubeconfig, offsetof(struct document, users), context->user);
        if (!user)
            return err_set(selection->err, ERR_INVALID, "%s: context \"%s\": no user \"%s\"", path,
                           name, context->user);
    }
    return take_user(selection, cluster, user, variables);
}

int kubeconfig_select(const struct kubeconfig *kubeconfig, const char *context,
                      char *const *variables, struct kube_config *ret_config, struct err *err)
{
    struct kube_config config = { 0 };
    struct selection selection = { .config = &config, .err = err };

    if (!context)
        context = current_context(kubeconfig);
    if (!context)
        return err_set(err, ERR_INVALID, "the kubeconfig names no current-context");
    if (select_context(&selection, kubeconfig, context, variables) < 0) {
        kube_config_release(&config);
        return -1;
    }
    *ret_config = config;
    return 0;
}
