#include "image_resolver.h"

#include "contract/reasons.h"
#include "oci/registry.h"

#include "image_probe.h"
#include "pull_secrets.h"

/* After a probe that told nothing: pods are dear, and what keeps them from it lasts. */
#define PROBE_RETRY_MS (2 * 60 * 1000)

struct image_resolver {
    struct image_resolver_options options;
    struct tls_options tls;
    struct google_tokens *google;
    struct registry *registry;
    struct prober *prober;
};

struct image_source {
    struct image_resolver *resolver;
    char *reference;
    struct pull_secrets *secrets; /* that are named, or of the account; NULL: there is neither */
    bool of_account;              /* they are the account's */
    json_t *probe_job;            /* NULL: none may be made */
    struct err *refusal;          /* what the registry said last, if we go on all the same */
    struct registry_lookup *lookup;
    struct image_probe *probe;
    struct image_handler handler;
    void *context;
};

struct image_resolver *image_resolver_new(const struct image_resolver_options *options)
{
    struct image_resolver *resolver = mem_zero(1, sizeof(*resolver));

    resolver->options = *options;
    resolver->tls.added_ca_file = options->registries.ca_file;
    resolver->google = google_tokens_new(
        &(struct google_tokens_options){ .transport = options->transport,
                                         .clock = options->clock,
                                         .metadata_host = options->registries.google_metadata });
    resolver->registry =
        registry_new(&(struct registry_options){ .transport = options->transport,
                                                 .clock = options->clock,
                                                 .insecure = options->registries.insecure,
                                                 .tls = &resolver->tls,
                                                 .google = resolver->google });
    resolver->prober = prober_new(&(struct prober_options){
        .client = options->client, .may_write = options->may_write, .context = options->context });
    return resolver;
}

void image_resolver_free(struct image_resolver *resolver)
{
    if (!resolver)
        return;
    prober_free(resolver->prober);
    registry_free(resolver->registry);
    google_tokens_free(resolver->google);
    free(resolver);
}

struct image_source *image_source_new(struct image_resolver *resolver, const char *namespace,
                                      const struct fact_request *request)
{
    struct image_source *source = mem_zero(1, sizeof(*source));

    source->resolver = resolver;
    source->reference = mem_strdup(request->argument);
    source->of_account = request->pull_secrets.count == 0;
    if (request->pull_secrets.count > 0 || request->service_account)
        source->secrets = pull_secrets_new(resolver->options.client, namespace,
                                           &request->pull_secrets, request->service_account);
    return source;
}

void image_source_free(struct image_source *source)
{
    if (!source)
        return;
    registry_cancel(source->lookup);
    image_probe_cancel(source->probe);
    json_decref(source->probe_job);
    pull_secrets_free(source->secrets);
    free(source->refusal);
    free(source->reference);
    free(source);
}

void image_source_set_probe(struct image_source *source, json_t *job)
{
    json_t *before = source->probe_job;

    source->probe_job = json_incref(job);
    json_decref(before);
}

/* --- one look-up --- */

static void remember_refusal(struct image_source *source, const struct err *failure)
{
    struct err *refusal = mem_alloc(sizeof(*refusal));

    *refusal = *failure;
    free(source->refusal);
    source->refusal = refusal;
}

/* The last thing that happens to it. Access was denied for want of a secret: that is said. */
static void end(struct image_source *source, const char *digest, const struct err *failure)
{
    const char *note = source->secrets ? pull_secrets_note(source->secrets) : NULL;
    struct err explained = failure ? *failure : (struct err){ 0 };

    if (source->secrets)
        pull_secrets_wipe(source->secrets);
    if (explained.kind == ERR_DENIED && note)
        (void)err_wrap(&explained, "%s", note);
    free(source->refusal);
    source->refusal = NULL;
    source->handler.done(source->context, digest, failure ? &explained : NULL);
}

static bool is_reason(const struct err *failure, const char *reason)
{
    return strcmp(failure->reason, reason) == 0;
}

/* The registry refused, and no pod could tell either; or the API server could not be asked. */
static void probed(void *context, const char *digest, const struct err *failure)
{
    struct image_source *source = context;
    struct err refusal = *source->refusal;

    source->probe = NULL;
    if (!failure || !is_reason(failure, REASON_DigestUnresolvable)) {
        end(source, digest, failure);
        return;
    }
    snprintf(refusal.reason, sizeof(refusal.reason), "%s", failure->reason);
    refusal.retry_after_ms = PROBE_RETRY_MS;
    (void)err_append(&refusal,
                     "pin the image by digest (IMAGE@sha256:...), for a probe pod could "
                     "not tell it: %s",
                     failure->message);
    end(source, NULL, &refusal);
}

/* What the registry answered, with all that opens it for the controller. */
static void settle(struct image_source *source, const char *digest, const struct err *failure)
{
    bool is_refused = failure && failure->http_status > 0 && failure->kind == ERR_DENIED;
    struct err advised;

    if (is_refused && source->probe_job) {
        remember_refusal(source, failure);
        if (source->secrets)
            pull_secrets_wipe(source->secrets);
        source->probe = image_probe_start(source->resolver->prober, source->probe_job,
                                          source->reference, probed, source);
        source->handler.probes(source->context);
    } else if (is_refused && is_reason(failure, REASON_DigestUnresolvable)) {
        advised = *failure;
        (void)err_append(&advised, "or let the controller ask a node, with --probe-pods");
        end(source, NULL, &advised);
    } else {
        end(source, digest, failure);
    }
}

static void resolved(void *context, const char *digest, const struct err *failure)
{
    struct image_source *source = context;

    source->lookup = NULL;
    settle(source, digest, failure);
}

static void ask_registry(struct image_source *source, registry_callback callback)
{
    const struct span *texts = NULL;
    size_t count = 0;
    struct registry_lookup *lookup;

    if (source->secrets)
        texts = pull_secrets_texts(source->secrets, &count);
    lookup = registry_resolve(source->resolver->registry, source->reference, texts, count, callback,
                              source);
    if (lookup) /* else it is answered, and the source may be gone */
        source->lookup = lookup;
}

static void secrets_are_read(void *context, const struct err *failure)
{
    struct image_source *source = context;
    size_t count;

    (void)pull_secrets_texts(source->secrets, &count);
    if (failure)
        end(source, NULL, failure);
    else if (source->refusal && count == 0) /* it would say the same again */
        settle(source, NULL, source->refusal);
    else
        ask_registry(source, resolved);
}

/* Secrets of the account may open it. */
static void resolved_without_account(void *context, const char *digest, const struct err *failure)
{
    struct image_source *source = context;
    bool is_refused = failure && failure->http_status > 0 &&
                      (failure->kind == ERR_DENIED || failure->kind == ERR_NOT_FOUND);

    source->lookup = NULL;
    if (!is_refused || !source->secrets) {
        settle(source, digest, failure);
        return;
    }
    remember_refusal(source, failure);
    pull_secrets_read(source->secrets, secrets_are_read, source);
}

void image_source_resolve(struct image_source *source, const struct image_handler *handler,
                          void *context)
{
    source->handler = *handler;
    source->context = context;
    if (source->of_account)
        ask_registry(source, resolved_without_account);
    else
        pull_secrets_read(source->secrets, secrets_are_read, source);
}
