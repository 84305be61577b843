#include "pull_secrets.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"

static const struct kube_resource SECRETS = { "", "v1", "secrets", "Secret" };

struct pull_secrets {
    struct kube_client *client;
    char *namespace;
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

struct pull_secrets *pull_secrets_new(struct kube_client *client, const char *namespace,
                                      const struct strings *names)
{
    struct pull_secrets *secrets = mem_zero(1, sizeof(*secrets));

    secrets->client = client;
    secrets->namespace = mem_strdup(namespace);
    secrets->name_count = names->count;
    secrets->names = mem_zero(names->count, sizeof(*secrets->names));
    secrets->contents = mem_zero(names->count, sizeof(*secrets->contents));
    secrets->texts = mem_zero(names->count, sizeof(*secrets->texts));
    for (size_t i = 0; i < names->count; i++)
        secrets->names[i] = mem_strdup(names->items[i]);
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

void pull_secrets_free(struct pull_secrets *secrets)
{
    if (!secrets)
        return;
    kube_cancel(secrets->call);
    pull_secrets_wipe(secrets);
    for (size_t i = 0; i < secrets->name_count; i++)
        free(secrets->names[i]);
    free(secrets->names);
    free(secrets->contents);
    free(secrets->texts);
    free(secrets->namespace);
    free(secrets->note);
    free(secrets);
}

static void leave_out(struct pull_secrets *secrets, const char *why)
{
    free(secrets->note);
    secrets->note =
        mem_format("pull secret %s/%s %s", secrets->namespace, secrets->names[secrets->next], why);
}

static void add_secret(struct pull_secrets *secrets, const json_t *object)
{
    const char *encoded = jx_string(object, "data", ".dockerconfigjson", NULL);
    struct buf *content = &secrets->contents[secrets->count];
    struct err ignored; /* would quote nothing that helps */

    if (!encoded) {
        leave_out(secrets, "has no .dockerconfigjson");
        return;
    }
    buf_init(content, LIMIT_CREDENTIAL);
    if (base64_decode(content, span_of(encoded), &ignored) < 0 ||
        buf_check(content, "a pull secret", &ignored) < 0) {
        buf_release(content);
        leave_out(secrets, "has a .dockerconfigjson that is not base64");
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
        leave_out(secrets, "does not exist");
    } else if (failure->kind == ERR_DENIED) {
        leave_out(secrets, "may not be read by the controller");
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

void pull_secrets_read(struct pull_secrets *secrets,
                       void (*done)(void *context, const struct err *failure), void *context)
{
    pull_secrets_wipe(secrets);
    free(secrets->note);
    secrets->note = NULL;
    secrets->next = 0;
    secrets->done = done;
    secrets->context = context;
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
