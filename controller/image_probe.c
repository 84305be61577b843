#include "image_probe.h"

#include "base/json.h"
#include "contract/reasons.h"
#include "oci/reference.h"

#include "job_builder.h"
#include "objects.h"
#include "project.h"

#define LOOK_MS 1000 /* between two looks at the pod, and before the next try */

static const struct kube_resource PODS = { "", "v1", "pods", "Pod" };

struct prober {
    struct prober_options options;
    size_t running;
    struct image_probe *first, *last; /* that wait */
};

struct image_probe {
    struct prober *prober;
    json_t *job;
    const char *namespace, *name, *owner; /* of the Job; owner: its uid */
    char *reference;
    probe_callback done;
    void *context;

    bool running;
    struct image_probe *next; /* in the line */
    int64_t deadline_ms;
    struct kube_call *call;
    struct timer timer;
    char *uid;     /* of the Job that was made */
    char *trouble; /* what its pod waits for; NULL: nothing is known of it */
    char digest[sizeof("sha256:") + 64];
    struct err failure;
};

static struct timers *timers_of(const struct image_probe *probe)
{
    return kube_client_timers(probe->prober->options.client);
}

static int64_t now_ms(const struct image_probe *probe)
{
    return clock_monotonic_ms(timers_of(probe)->clock);
}

static void set_text(char **text, const char *value)
{
    free(*text);
    *text = value ? mem_strdup(value) : NULL;
}

static void do_after(struct image_probe *probe, int64_t delay_ms, void (*step)(void *context))
{
    probe->timer.fire = step;
    timer_set(timers_of(probe), &probe->timer, delay_ms);
}

static void do_later(struct image_probe *probe, void (*step)(void *context))
{
    do_after(probe, LOOK_MS, step);
}

/* --- the line ------------------------------------------------------------------------ */

static void make_job(void *context);

static void begin_probes(struct prober *prober)
{
    struct image_probe *probe;

    while (prober->running < PROBES_MAXIMUM && (probe = prober->first)) {
        prober->first = probe->next;
        prober->running++;
        probe->running = true;
        probe->deadline_ms = now_ms(probe) + PROBE_SECONDS * (int64_t)1000;
        do_after(probe, 0, make_job);
    }
}

static void join_line(struct image_probe *probe)
{
    struct prober *prober = probe->prober;

    *(prober->first ? &prober->last->next : &prober->first) = probe;
    prober->last = probe;
    begin_probes(prober);
}

static void leave_line(struct image_probe *probe)
{
    struct prober *prober = probe->prober;
    struct image_probe **place = &prober->first, *before = NULL;

    for (; *place && *place != probe; place = &before->next)
        before = *place;
    if (!*place)
        return;
    *place = probe->next;
    if (prober->last == probe)
        prober->last = before;
}

static void release(struct image_probe *probe)
{
    struct prober *prober = probe->prober;

    if (probe->running)
        prober->running--;
    else
        leave_line(probe);
    kube_cancel(probe->call);
    timer_stop(timers_of(probe), &probe->timer);
    json_decref(probe->job);
    free(probe->reference);
    free(probe->uid);
    free(probe->trouble);
    free(probe);
    begin_probes(prober);
}

/* --- the end --------------------------------------------------------------------------- */

static void end(struct image_probe *probe)
{
    char digest[sizeof(probe->digest)];
    struct err failure = probe->failure;
    probe_callback done = probe->done;
    void *context = probe->context;

    memcpy(digest, probe->digest, sizeof(digest));
    release(probe);
    done(context, *digest ? digest : NULL, *digest ? NULL : &failure);
}

/* Where it could not be deleted, Kubernetes does it soon. */
static void job_deleted(void *context, json_t *object, const struct err *failure)
{
    struct image_probe *probe = context;

    (void)object, (void)failure;
    probe->call = NULL;
    end(probe);
}

static void finish(struct image_probe *probe)
{
    const struct kube_delete_options options = { .uid = probe->uid, .propagation = "Background" };

    if (probe->uid)
        probe->call = kube_delete(probe->prober->options.client, &object_resources[OBJECT_JOB],
                                  probe->namespace, probe->name, &options, job_deleted, probe);
    else
        end(probe);
}

static void give_up(struct image_probe *probe, const char *message)
{
    (void)err_reason(&probe->failure, ERR_UNSUPPORTED, REASON_DigestUnresolvable, "%s", message);
    finish(probe);
}

static bool is_late(struct image_probe *probe)
{
    return now_ms(probe) >= probe->deadline_ms;
}

/* --- looking at the pod ------------------------------------------------------------------ */

static void look(void *context);

static bool is_owned(const json_t *object, const char *uid)
{
    const json_t *owners = jx_get(object, "metadata", "ownerReferences", NULL);

    for (size_t i = 0; i < json_array_size(owners); i++) {
        const char *owner = jx_string(json_array_get(owners, i), "uid", NULL);

        if (owner && strcmp(owner, uid) == 0)
            return true;
    }
    return false;
}

/* New reference: the pods of this Job, and not of one before it with the same name. */
static json_t *own_pods(const struct image_probe *probe, const json_t *list)
{
    const json_t *items = jx_get(list, "items", NULL);
    json_t *own = json_array();

    for (size_t i = 0; i < json_array_size(items); i++)
        if (is_owned(json_array_get(items, i), probe->uid))
            json_array_append(own, json_array_get(items, i));
    return own;
}

/* What keeps a container from its image is final: the kubelet would try again, and so do we, with
 * another probe. */
static bool is_final(const char *trouble)
{
    static const char *const waits[] = { "ErrImage", "ImagePullBackOff", "InvalidImageName",
                                         "CreateContainer" };

    for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
        if (strncmp(trouble, waits[i], strlen(waits[i])) == 0)
            return true;
    return false;
}

/* Takes the digest of "registry/repository@sha256:...", which has to be of the image's own
 * repository: a node that has the same content by another name may call it that. */
static int take_digest(struct image_probe *probe, const char *image_id, struct err *err)
{
    static const char docker[] = "docker-pullable://";
    struct arena arena auto_arena = { 0 };
    struct reference wanted, found;

    if (strncmp(image_id, docker, strlen(docker)) == 0)
        image_id += strlen(docker);
    if (reference_parse(probe->reference, &arena, &wanted, err) < 0)
        return -1;
    if (reference_parse(image_id, &arena, &found, NULL) < 0 || !found.digest ||
        strcmp(found.domain, wanted.domain) != 0 ||
        strcmp(found.repository, wanted.repository) != 0)
        return err_set(err, ERR_UNSUPPORTED, "the node calls the image %s", image_id);
    snprintf(probe->digest, sizeof(probe->digest), "%s", found.digest);
    return 0;
}

static const char *image_id_of(const json_t *pods)
{
    const char *id = NULL;

    for (size_t i = 0; !id && i < json_array_size(pods); i++)
        id = pod_image_id(json_array_get(pods, i));
    return id;
}

static void judge(struct image_probe *probe, const json_t *pods)
{
    struct arena arena auto_arena = { 0 };
    const char *image_id = image_id_of(pods);
    struct pods_fact fact;
    struct err err;

    pods_fact_decode(probe->name, pods, &arena, &fact);
    set_text(&probe->trouble, fact.trouble);
    if (image_id && take_digest(probe, image_id, &err) < 0)
        give_up(probe, err.message);
    else if (image_id)
        finish(probe);
    else if (fact.trouble && is_final(fact.trouble))
        give_up(probe, fact.trouble);
    else
        do_later(probe, look);
}

/* Without a pod: the Job may have gone with its model, or somebody deleted it. */
static void job_asked(void *context, json_t *object, const struct err *failure)
{
    struct image_probe *probe = context;
    const char *uid = jx_string(object, "metadata", "uid", NULL);

    probe->call = NULL;
    if ((failure && failure->kind == ERR_NOT_FOUND) || (uid && strcmp(uid, probe->uid) != 0)) {
        set_text(&probe->uid, NULL);
        (void)err_set(&probe->failure, ERR_RETRY, "Job %s, which was to tell the digest, is gone",
                      probe->name);
        finish(probe);
    } else {
        do_later(probe, look);
    }
}

static void pods_listed(void *context, json_t *object, const struct err *failure)
{
    struct image_probe *probe = context;
    json_t *pods auto_json = object ? own_pods(probe, object) : NULL;

    probe->call = NULL;
    if (failure && failure->kind == ERR_DENIED)
        give_up(probe, failure->message);
    else if (failure)
        do_later(probe, look);
    else if (json_array_size(pods) > 0)
        judge(probe, pods);
    else
        probe->call = kube_get(probe->prober->options.client, &object_resources[OBJECT_JOB],
                               probe->namespace, probe->name, job_asked, probe);
}

static void look(void *context)
{
    struct image_probe *probe = context;
    char *selector auto_free = mem_format("job-name=%s", probe->name);
    char *message auto_free = NULL;

    if (is_late(probe)) {
        message = mem_format("%s within %d s", probe->trouble ? probe->trouble : "no pod came",
                             PROBE_SECONDS);
        give_up(probe, message);
        return;
    }
    probe->call = kube_list(probe->prober->options.client, &PODS, probe->namespace, selector,
                            project_pods_reads, pods_listed, probe);
}

/* --- making the Job ---------------------------------------------------------------------- */

static void old_job_deleted(void *context, json_t *object, const struct err *failure)
{
    struct image_probe *probe = context;

    (void)object;
    probe->call = NULL;
    if (failure && failure->kind == ERR_DENIED)
        give_up(probe, failure->message);
    else
        do_later(probe, make_job);
}

/* One of ours from before: what it tells is older than the question. */
static void old_job_read(void *context, json_t *object, const struct err *failure)
{
    struct image_probe *probe = context;
    const struct kube_delete_options options = { .uid = jx_string(object, "metadata", "uid", NULL),
                                                 .propagation = "Background" };
    char *message auto_free = NULL;

    probe->call = NULL;
    if (failure) {
        do_later(probe, make_job);
    } else if (!is_owned(object, probe->owner)) {
        message = mem_format("Job %s is there already, and is somebody else's", probe->name);
        give_up(probe, message);
    } else {
        probe->call = kube_delete(probe->prober->options.client, &object_resources[OBJECT_JOB],
                                  probe->namespace, probe->name, &options, old_job_deleted, probe);
    }
}

static void job_made(void *context, json_t *object, const struct err *failure)
{
    struct image_probe *probe = context;
    char *message auto_free = NULL;

    probe->call = NULL;
    if (!failure) {
        set_text(&probe->uid, jx_string(object, "metadata", "uid", NULL));
        do_later(probe, look);
    } else if (failure->kind == ERR_EXISTS && !is_late(probe)) {
        probe->call = kube_get(probe->prober->options.client, &object_resources[OBJECT_JOB],
                               probe->namespace, probe->name, old_job_read, probe);
    } else if (failure->kind == ERR_RETRY || failure->kind == ERR_EXISTS) {
        probe->failure = *failure;
        probe->failure.kind = ERR_RETRY;
        finish(probe);
    } else {
        message = mem_format("it cannot be made: %s", failure->message);
        give_up(probe, message);
    }
}

static void make_job(void *context)
{
    struct image_probe *probe = context;
    const struct prober_options *options = &probe->prober->options;

    if (options->may_write && !options->may_write(options->context)) {
        (void)err_set(&probe->failure, ERR_RETRY, "this process does not lead any more");
        end(probe);
        return;
    }
    probe->call = kube_create(options->client, &object_resources[OBJECT_JOB], probe->namespace,
                              probe->job, kube_identity, job_made, probe);
}

/* --- life ----------------------------------------------------------------------------------- */

struct image_probe *image_probe_start(struct prober *prober, json_t *job, const char *reference,
                                      probe_callback done, void *context)
{
    const json_t *owner = json_array_get(jx_get(job, "metadata", "ownerReferences", NULL), 0);
    struct image_probe *probe = mem_zero(1, sizeof(*probe));

    *probe = (struct image_probe){ .prober = prober,
                                   .job = json_incref(job),
                                   .namespace = jx_string(job, "metadata", "namespace", NULL),
                                   .name = jx_string(job, "metadata", "name", NULL),
                                   .owner = jx_string(owner, "uid", NULL),
                                   .reference = mem_strdup(reference),
                                   .done = done,
                                   .context = context };
    probe->timer.context = probe;
    join_line(probe);
    return probe;
}

void image_probe_cancel(struct image_probe *probe)
{
    if (probe)
        release(probe);
}

struct prober *prober_new(const struct prober_options *options)
{
    struct prober *prober = mem_zero(1, sizeof(*prober));

    prober->options = *options;
    return prober;
}

void prober_free(struct prober *prober)
{
    free(prober);
}
