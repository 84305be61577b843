#include "store/aws_settings.h"

#include "base/limits.h"
#include "base/uri.h"
#include "store/aws_profile.h"

#define METADATA_URL  "http://169.254.169.254"
#define CONTAINER_URL "http://169.254.170.2"

struct source {
    const struct remote *remote;
    struct arena *arena;
    struct aws_profile profile;
};

static const char *first_of(const struct source *source, const char *const *names)
{
    for (; *names; names++)
        if (remote_variable(source->remote, *names))
            return arena_strdup(source->arena, remote_variable(source->remote, *names));
    return NULL;
}

static const char *variable(const struct source *source, const char *name)
{
    return first_of(source, (const char *const[]){ name, NULL });
}

/* --- files ---------------------------------------------------------------- */

/* NULL: there is no such file. */
static int read_file(const struct source *source, const char *path, const char **ret_text,
                     struct err *err)
{
    auto_buf struct buf text = { 0 };
    struct err failure = { 0 };

    buf_init(&text, LIMIT_CREDENTIAL);
    *ret_text = NULL;
    if (remote_read_file(source->remote, path, &text, &failure) < 0) {
        if (failure.kind == ERR_NOT_FOUND)
            return 0;
        *err = failure;
        return -1;
    }
    *ret_text = arena_strndup(source->arena, buf_text(&text), text.length);
    return 0;
}

static int read_profile_file(struct source *source, const char *path, const char *name,
                             bool is_config, struct err *err)
{
    const char *text;

    if (read_file(source, path, &text, err) < 0)
        return -1;
    return text ? aws_profile_read(span_of(text), path, name, is_config, source->arena,
                                   &source->profile, err)
                : 0;
}

static int read_profile(struct source *source, struct err *err)
{
    const char *home = variable(source, "HOME"), *name = variable(source, "AWS_PROFILE");
    static const struct file {
        const char *variable, *at_home;
        bool is_config;
    } files[] = { { "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", false },
                  { "AWS_CONFIG_FILE", ".aws/config", true } };

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        const char *path = variable(source, files[i].variable);

        if (!path && home)
            path = arena_format(source->arena, "%s/%s", home, files[i].at_home);
        if (path &&
            read_profile_file(source, path, name ? name : "default", files[i].is_config, err))
            return -1;
    }
    if (name && !source->profile.found)
        return err_set(err, ERR_INVALID, "AWS_PROFILE names \"%.64s\", which no file has", name);
    return 0;
}

/* --- what is said --------------------------------------------------------- */

static const char *or_else(const char *first, const char *second)
{
    return first ? first : second;
}

static int check_word(const char *what, const char *text, struct err *err)
{
    for (const char *at = text ? text : ""; *at; at++)
        if (*at <= ' ' || *at > '~')
            return err_set(err, ERR_INVALID, "%s must be one word of printable ASCII", what);
    return 0;
}

/* The name of a host is made of it. */
static int check_region(const char *region, struct err *err)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    if (region && (strlen(region) > 63 || region[strspn(region, letters)]))
        return err_set(err, ERR_INVALID,
                       "the AWS region must be a word like eu-central-1, not \"%.64s\"", region);
    return 0;
}

static int read_endpoint(struct source *source, const char *what, const char *text,
                         const char **ret_url, struct err *err)
{
    struct url url;

    *ret_url = NULL;
    if (!text)
        return 0;
    if (url_parse(text, &url, err) < 0)
        return err_wrap(err, "%s", what);
    if (memchr(url.path.data, '?', url.path.length))
        return err_set(err, ERR_INVALID, "%s must be a URL without a query", what);
    char *copy = arena_strdup(source->arena, text);

    for (size_t length = strlen(copy); length > 0 && copy[length - 1] == '/'; length--)
        copy[length - 1] = '\0';
    *ret_url = copy;
    return 0;
}

static int read_place(struct source *source, struct aws_settings *settings, struct err *err)
{
    static const char *const regions[] = { "AWS_REGION", "AWS_DEFAULT_REGION", NULL };
    static const char *const endpoints[] = { "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", NULL };
    static const char *const services[] = { "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", NULL };
    const struct aws_profile *profile = &source->profile;
    const char *style = profile->addressing_style ? profile->addressing_style : "auto";
    const char *ca_path = or_else(variable(source, "AWS_CA_BUNDLE"), profile->ca_bundle);

    settings->region = or_else(first_of(source, regions), profile->region);
    settings->virtual_hosts = strcmp(style, "virtual") == 0;
    settings->path_style = strcmp(style, "path") == 0;
    if (!settings->virtual_hosts && !settings->path_style && strcmp(style, "auto") != 0)
        return err_set(err, ERR_INVALID, "addressing_style must be one of auto, path, virtual");
    if (check_region(settings->region, err) < 0 ||
        (ca_path && read_file(source, ca_path, &settings->ca_pem, err) < 0))
        return -1;
    if (read_endpoint(source, "the endpoint of S3",
                      or_else(first_of(source, endpoints), profile->endpoint_url),
                      &settings->endpoint_url, err) < 0)
        return -1;
    return read_endpoint(source, "the endpoint of STS", first_of(source, services),
                         &settings->sts_endpoint_url, err);
}

static void read_container(struct source *source, struct aws_settings *settings)
{
    const char *relative = variable(source, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");

    settings->container_url = relative ? arena_format(source->arena, CONTAINER_URL "%s", relative)
                                       : variable(source, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    settings->container_token = variable(source, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    settings->container_token_file = variable(source, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
}

static int read_keys(struct source *source, struct aws_settings *settings, struct err *err)
{
    const struct aws_profile *profile = &source->profile;
    const char *access_key_id = variable(source, "AWS_ACCESS_KEY_ID");

    if (access_key_id)
        settings->keys =
            (struct aws_keys){ access_key_id, variable(source, "AWS_SECRET_ACCESS_KEY"),
                               variable(source, "AWS_SESSION_TOKEN") };
    else
        settings->keys = (struct aws_keys){ profile->access_key_id, profile->secret_access_key,
                                            profile->session_token };
    if (settings->keys.access_key_id && !settings->keys.secret_access_key)
        return err_set(err, ERR_INVALID, "there is an AWS access key id without its secret key");
    if (check_word("the AWS access key id", settings->keys.access_key_id, err) < 0 ||
        check_word("the AWS secret key", settings->keys.secret_access_key, err) < 0)
        return -1;
    return check_word("the AWS session token", settings->keys.session_token, err);
}

static int read_identity(struct source *source, struct aws_settings *settings, struct err *err)
{
    const struct aws_profile *profile = &source->profile;
    const char *disabled = variable(source, "AWS_EC2_METADATA_DISABLED");

    if (read_keys(source, settings, err) < 0)
        return -1;
    settings->role_arn = or_else(variable(source, "AWS_ROLE_ARN"), profile->role_arn);
    settings->role_session_name =
        or_else(variable(source, "AWS_ROLE_SESSION_NAME"), profile->role_session_name);
    settings->web_identity_token_file =
        or_else(variable(source, "AWS_WEB_IDENTITY_TOKEN_FILE"), profile->web_identity_token_file);
    read_container(source, settings);
    if (!disabled || strcasecmp(disabled, "true") != 0)
        settings->metadata_url =
            or_else(variable(source, "AWS_EC2_METADATA_SERVICE_ENDPOINT"), METADATA_URL);
    if (settings->keys.access_key_id || settings->web_identity_token_file)
        return 0;
    if (profile->credential_process || profile->source_profile)
        return err_set(err, ERR_UNSUPPORTED,
                       "the AWS profile takes its keys from %s, which is not supported: use keys, "
                       "or role_arn with web_identity_token_file",
                       profile->credential_process ? "credential_process" : "source_profile");
    return 0;
}

int aws_settings_read(const struct remote *remote, struct arena *arena,
                      struct aws_settings *ret_settings, struct err *err)
{
    struct source source = { .remote = remote, .arena = arena };
    struct aws_settings settings = { 0 };

    if (read_profile(&source, err) < 0 || read_place(&source, &settings, err) < 0 ||
        read_identity(&source, &settings, err) < 0)
        return -1;
    *ret_settings = settings;
    return 0;
}
