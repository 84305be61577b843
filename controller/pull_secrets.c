#include "pull_secrets.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"

#define SECRETS_MAXIMUM 16 /* of an account; as many as a model may name */

static const struct kube_resource SECRETS = { "", "v1", "secrets", "Secret" };
static const struct kube_resource ACCOUNTS = { "", "v1", "serviceaccounts", "ServiceAccount" };

struct pull_secrets {
    struct kube_client *client;
    char *namespace;
    char *account; /* whose names they are; NULL: they were named */
    char **names;
    size_t name_count;

    struct kube_call *call;
    size_t next; /* name to read */
    struct buf *contents;
    struct span *texts;
    size_t count;
    char *note;
    void (*done)(void *context, const struct err *failure);
    void *context;
};

/* Room for so many secrets, of which none is named yet. */
static void make_room(struct pull_secrets *secrets, size_t count)
{
    secrets->names = mem_zero(count, sizeof(*secrets->names));
    secrets->contents = mem_zero(count, sizeof(*secrets->contents));
    secrets->texts = mem_zero(count, sizeof(*secrets->texts));
    secrets->name_count = 0;
}

static void add_name(struct pull_secrets *secrets, const char *name)
{
    secrets->names[secrets->name_count++] = mem_strdup(name);
}

struct pull_secrets *pull_secrets_new(struct kube_client *client, const char *namespace,
                                      const struct strings *names, const char *account)
{
    struct pull_secrets *secrets = mem_zero(1, sizeof(*secrets));

    secrets->client = client;
    secrets->namespace = mem_strdup(namespace);
    secrets->account = names->count == 0 && account ? mem_strdup(account) : NULL;
    make_room(secrets, names->count);
    for (size_t i = 0; i < names->count; i++)
        add_name(secrets, names->items[i]);
    return secrets;
}

void pull_secrets_wipe(struct pull_secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        if (secrets->contents[i].data)
            explicit_bzero(secrets->contents[i].data, secrets->contents[i].length);
        buf_release(&secrets->contents[i]);
    }
    secrets->count = 0;
}

static void release_names(struct pull_secrets *secrets)
{
    for (size_t i = 0; i < secrets->name_count; i++)
        free(secrets->names[i]);
    free(secrets->names);
    free(secrets->contents);
    free(secrets->texts);
}

void pull_secrets_free(struct pull_secrets *secrets)
{
    if (!secrets)
        return;
    kube_cancel(secrets->call);
    pull_secrets_wipe(secrets);
    release_names(secrets);
    free(secrets->namespace);
    free(secrets->account);
    free(secrets->note);
    free(secrets);
}

static void leave_out(struct pull_secrets *secrets, const char *kind, const char *name,
                      const char *why)
{
    free(secrets->note);
    secrets->note = mem_format("%s %s/%s %s", kind, secrets->namespace, name, why);
}

static void leave_out_secret(struct pull_secrets *secrets, const char *why)
{
    leave_out(secrets, "pull secret", secrets->names[secrets->next], why);
}

static void add_secret(struct pull_secrets *secrets, const json_t *object)
{
    const char *encoded = jx_string(object, "data", ".dockerconfigjson", NULL);
    struct buf *content = &secrets->contents[secrets->count];
    struct err ignored; /* would quote nothing that helps */

    if (!encoded) {
        leave_out_secret(secrets, "has no .dockerconfigjson");
        return;
    }
    buf_init(content, LIMIT_CREDENTIAL);
    if (base64_decode(content, span_of(encoded), &ignored) < 0 ||
        buf_check(content, "a pull secret", &ignored) < 0) {
        buf_release(content);
        leave_out_secret(secrets, "has a .dockerconfigjson that is not base64");
        return;
    }
    secrets->texts[secrets->count] = (struct span){ buf_text(content), content->length };
    secrets->count++;
}

static void read_next(struct pull_secrets *secrets);

static void secret_read(void *context, json_t *object, const struct err *failure)
{
    struct pull_secrets *secrets = context;

    secrets->call = NULL;
    if (!failure) {
        add_secret(secrets, object);
    } else if (failure->kind == ERR_NOT_FOUND) {
        leave_out_secret(secrets, "does not exist");
    } else if (failure->kind == ERR_DENIED) {
        leave_out_secret(secrets, "may not be read by the controller");
    } else {
        secrets->done(secrets->context, failure);
        return;
    }
    secrets->next++;
    read_next(secrets);
}

static void read_next(struct pull_secrets *secrets)
{
    if (secrets->next == secrets->name_count) {
        secrets->done(secrets->context, NULL);
        return;
    }
    secrets->call = kube_get(secrets->client, &SECRETS, secrets->namespace,
                             secrets->names[secrets->next], secret_read, secrets);
}

/* NULL: none. */
static void take_names(struct pull_secrets *secrets, const json_t *account)
{
    const json_t *references = jx_get(account, "imagePullSecrets", NULL);
    size_t count = json_array_size(references);

    if (count > SECRETS_MAXIMUM)
        count = SECRETS_MAXIMUM;
    release_names(secrets);
    make_room(secrets, count);
    for (size_t i = 0; i < count; i++) {
        const char *name = jx_string(json_array_get(references, i), "name", NULL);

        if (name)
            add_name(secrets, name);
    }
}

static void account_read(void *context, json_t *object, const struct err *failure)
{
    struct pull_secrets *secrets = context;

    secrets->call = NULL;
    if (!failure) {
        take_names(secrets, object);
    } else if (failure->kind == ERR_NOT_FOUND) {
        take_names(secrets, NULL);
        leave_out(secrets, "ServiceAccount", secrets->account, "does not exist");
    } else if (failure->kind == ERR_DENIED) {
        take_names(secrets, NULL);
        leave_out(secrets, "ServiceAccount", secrets->account, "may not be read by the controller");
    } else {
        secrets->done(secrets->context, failure);
        return;
    }
    read_next(secrets);
}

void pull_secrets_read(struct pull_secrets *secrets,
                       void (*done)(void *context, const struct err *failure), void *context)
{
    pull_secrets_wipe(secrets);
    free(secrets->note);
    secrets->note = NULL;
    secrets->next = 0;
    secrets->done = done;
    secrets->context = context;
    if (secrets->account)
        secrets->call = kube_get(secrets->client, &ACCOUNTS, secrets->namespace, secrets->account,
                                 account_read, secrets);
    else
        read_next(secrets);
}

const struct span *pull_secrets_texts(const struct pull_secrets *secrets, size_t *ret_count)
{
    *ret_count = secrets->count;
    return secrets->texts;
}

const char *pull_secrets_note(const struct pull_secrets *secrets)
{
    return secrets->note;
}
