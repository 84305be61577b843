#include "bucket_secret.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"

static const struct kube_resource SECRETS = { "", "v1", "secrets", "Secret" };

static const char *const key_names[] = { CREDENTIALS_GCS, CREDENTIALS_AWS, CREDENTIALS_ENDPOINT,
                                         CREDENTIALS_REGION, CREDENTIALS_CA };

struct bucket_keys {
    char *namespace;
    struct buf texts[ARRAY_SIZE(key_names)]; /* in that order; empty: not there */
};

/* --- the content ---------------------------------------------------------------- */

static const struct buf *find_key(const struct bucket_keys *keys, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++)
        if (strcmp(key_names[i], name) == 0 && keys->texts[i].length > 0)
            return &keys->texts[i];
    return NULL;
}

/* A variable is the path that a pod would find the key at, or what the key holds. */
static const struct {
    const char *name, *key;
    bool is_text;
} variables[] = {
    { "GOOGLE_APPLICATION_CREDENTIALS", CREDENTIALS_GCS, false },
    { "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", CREDENTIALS_CA, false },
    { "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", CREDENTIALS_ENDPOINT, true },
    { "AWS_SHARED_CREDENTIALS_FILE", CREDENTIALS_AWS, false },
    { "AWS_CA_BUNDLE", CREDENTIALS_CA, false },
    { "AWS_ENDPOINT_URL_S3", CREDENTIALS_ENDPOINT, true },
    { "AWS_REGION", CREDENTIALS_REGION, true },
};

/* What keeps lib/store from asking the metadata servers, which know the controller. */
static const char *own_variable(const struct bucket_keys *keys, const char *name)
{
    if (strcmp(name, "AWS_EC2_METADATA_DISABLED") == 0)
        return "true";
    if (strcmp(name, "CLOUDSDK_AUTH_DISABLE_CREDENTIALS") == 0 && !find_key(keys, CREDENTIALS_GCS))
        return "true";
    return NULL;
}

static const char *find_variable(void *context, const char *name)
{
    static const char *const paths[] = { CREDENTIALS_FOLDER "/" CREDENTIALS_GCS,
                                         CREDENTIALS_FOLDER "/" CREDENTIALS_AWS, NULL, NULL,
                                         CREDENTIALS_FOLDER "/" CREDENTIALS_CA };
    const struct bucket_keys *keys = context;

    for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
        const struct buf *text = find_key(keys, variables[i].key);

        if (strcmp(variables[i].name, name) != 0 || !text)
            continue;
        return variables[i].is_text ? buf_text(text) : paths[text - keys->texts];
    }
    return own_variable(keys, name);
}

static int read_key(void *context, const char *path, struct buf *out, struct err *err)
{
    const size_t length = strlen(CREDENTIALS_FOLDER "/");
    const struct buf *text = NULL;

    if (strncmp(path, CREDENTIALS_FOLDER "/", length) == 0)
        text = find_key(context, path + length);
    if (!text)
        return err_set(err, ERR_DENIED, "%s: only files of the Secret are read", path);
    buf_append(out, text->data, text->length);
    return buf_check(out, path, err);
}

const char *bucket_keys_namespace(const struct bucket_keys *keys)
{
    return keys->namespace;
}

void bucket_keys_options(const struct bucket_keys *keys, struct stores_options *options)
{
    options->variable = find_variable;
    options->read_file = read_key;
    options->context = (void *)keys;
    options->public_hosts_only = true;
}

void bucket_keys_free(struct bucket_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++) {
        if (keys->texts[i].data)
            explicit_bzero(keys->texts[i].data, keys->texts[i].length);
        buf_release(&keys->texts[i]);
    }
    free(keys->namespace);
    free(keys);
}

/* Editors leave a line break behind an endpoint and a region. */
static void trim_end(struct buf *text)
{
    while (text->length > 0 && strchr(" \t\r\n", text->data[text->length - 1]))
        text->data[--text->length] = '\0';
}

struct bucket_keys *bucket_keys_decode(const json_t *secret, struct err *err)
{
    struct bucket_keys *keys = mem_zero(1, sizeof(*keys));
    const char *namespace = jx_string(secret, "metadata", "namespace", NULL);

    keys->namespace = mem_strdup(namespace ? namespace : "");
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++) {
        const char *encoded = jx_string(secret, "data", key_names[i], NULL);
        struct buf *text = &keys->texts[i];

        buf_init(text, LIMIT_CREDENTIAL);
        if (encoded && (base64_decode(text, span_of(encoded), err) < 0 ||
                        buf_check(text, "the key", err) < 0)) {
            (void)err_wrap(err, "%s", key_names[i]);
            bucket_keys_free(keys);
            return NULL;
        }
        if (i != 0 && i != 1)
            trim_end(text);
    }
    return keys;
}

/* --- reading ---------------------------------------------------------------------- */

struct bucket_secret {
    struct kube_client *client;
    char *namespace, *name;
    struct kube_call *call;
    void (*done)(void *context, struct bucket_keys *take_keys, const struct err *failure);
    void *context;
};

struct bucket_secret *bucket_secret_new(struct kube_client *client, const char *namespace,
                                        const char *name)
{
    struct bucket_secret *secret = mem_zero(1, sizeof(*secret));

    secret->client = client;
    secret->namespace = mem_strdup(namespace);
    secret->name = mem_strdup(name);
    return secret;
}

void bucket_secret_free(struct bucket_secret *secret)
{
    if (!secret)
        return;
    kube_cancel(secret->call);
    free(secret->namespace);
    free(secret->name);
    free(secret);
}

static void fail(struct bucket_secret *secret, const struct err *failure)
{
    struct err err = *failure;

    if (failure->kind == ERR_NOT_FOUND)
        (void)err_set(&err, ERR_NOT_FOUND, "does not exist");
    else if (failure->kind == ERR_DENIED)
        (void)err_set(&err, ERR_DENIED, "may not be read by the controller");
    (void)err_wrap(&err, "Secret %s of spec.credentials", secret->name);
    secret->done(secret->context, NULL, &err);
}

static void secret_read(void *context, json_t *object, const struct err *failure)
{
    struct bucket_secret *secret = context;
    struct bucket_keys *keys = NULL;
    struct err err;

    secret->call = NULL;
    if (failure) {
        fail(secret, failure);
        return;
    }
    keys = bucket_keys_decode(object, &err);
    if (keys)
        secret->done(secret->context, keys, NULL);
    else
        fail(secret, &err);
}

void bucket_secret_read(struct bucket_secret *secret,
                        void (*done)(void *context, struct bucket_keys *take_keys,
                                     const struct err *failure),
                        void *context)
{
    secret->done = done;
    secret->context = context;
    secret->call =
        kube_get(secret->client, &SECRETS, secret->namespace, secret->name, secret_read, secret);
}
