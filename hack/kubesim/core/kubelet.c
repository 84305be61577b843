#include "kubesim/core/kubelet.h"

#include <string.h>

#include "kubesim/core/api.h"

#define NODE "kubesim"

struct pod_run {
    char *key;
    bool stopping, ended;
    int64_t grace_seconds; /* of the last stop */
};

static struct resource *pods_of(const struct kubelet *kubelet)
{
    return resource_find(&kubelet->cluster->resources, "", "v1", "pods");
}

static void on_change(void *context, const struct change *change)
{
    struct kubelet *kubelet = context;
    const json_t *metadata = jx_get(change->after->json, "metadata", NULL);
    const char *uid = jx_string(metadata, "uid", NULL);
    if (change->type == CHANGE_DELETED) {
        struct pod_run *run = index_remove(&kubelet->known, uid);
        if (!run)
            return;
        kubelet->port->forget(kubelet->port_context, uid);
        free(run->key);
        free(run);
        return;
    }
    auto_free char *key =
        store_key(jx_string(metadata, "namespace", NULL), jx_string(metadata, "name", NULL));
    index_put(&kubelet->dirty, key, kubelet);
    timer_set(kubelet->cluster->timers, &kubelet->timer, 0);
}

static void set_ready(const struct cluster *cluster, json_t *pod, bool ready, const char *reason)
{
    static const char *const types[] = { "Ready", "ContainersReady" };
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        object_set_condition(cluster, pod, types[i], ready ? "True" : "False",
                             ready ? NULL : reason, NULL);
}

static void start(struct kubelet *kubelet, struct object *object)
{
    struct cluster *cluster = kubelet->cluster;
    struct pod_run *run = mem_zero(1, sizeof(*run));
    json_t *pod = json_deep_copy(object->snapshot->json);
    run->key = mem_strdup(object->key);
    index_put(&kubelet->known, jx_string(pod, "metadata", "uid", NULL), run);
    json_object_set_new(jx_get(pod, "spec", NULL), "nodeName", json_string(NODE));
    json_t *status = jx_get(pod, "status", NULL);
    json_object_set_new(status, "startTime", cluster_time(cluster));
    json_object_set_new(status, "hostIP", json_string("127.0.0.1"));
    json_object_set_new(status, "podIP", json_string("127.0.0.1"));
    object_set_condition(cluster, pod, "PodScheduled", "True", NULL, NULL);
    object_set_condition(cluster, pod, "Initialized", "True", NULL, NULL);
    set_ready(cluster, pod, false, "ContainersNotReady");
    api_commit(cluster, object, pod);
    kubelet->port->start(kubelet->port_context, object->snapshot->json);
}

static void look_at(struct kubelet *kubelet, struct object *object)
{
    const json_t *pod = object->snapshot->json;
    const char *uid = jx_string(pod, "metadata", "uid", NULL);
    struct pod_run *run = index_get(&kubelet->known, uid);
    if (!run && !object_is_deleting(pod)) {
        start(kubelet, object);
        return;
    }
    if (!run || run->ended || !object_is_deleting(pod))
        return;
    int64_t grace = jx_int(jx_get(pod, "metadata", NULL), "deletionGracePeriodSeconds", 0);
    if (run->stopping && grace >= run->grace_seconds)
        return;
    run->stopping = true;
    run->grace_seconds = grace;
    kubelet->port->stop(kubelet->port_context, uid, grace * 1000);
}

static void run_dirty(void *context)
{
    struct kubelet *kubelet = context;
    auto_index struct index dirty = kubelet->dirty;
    kubelet->dirty = (struct index){ 0 };
    for (size_t i = 0; i < dirty.count; i++) {
        struct object *object = index_get(&pods_of(kubelet)->objects, dirty.entries[i].key);
        if (object)
            look_at(kubelet, object);
    }
}

static json_t *terminated_state(struct kubelet *kubelet, const json_t *container,
                                const struct pod_report *report)
{
    const char *started = jx_string(container, "state", "running", "startedAt", NULL);
    json_t *now = cluster_time(kubelet->cluster);
    json_t *state = json_pack("{si ss? ss* ss* so}", "exitCode", report->exit_code, "reason",
                              report->reason, "message", report->message, "startedAt",
                              started ? started : json_string_value(now), "finishedAt", now);
    if (report->signal)
        json_object_set_new(state, "signal", json_integer(report->signal));
    return json_pack("{so}", "terminated", state);
}

static json_t *container_state(struct kubelet *kubelet, const json_t *container,
                               const struct pod_report *report)
{
    switch (report->phase) {
    case POD_WAITING:
        return json_pack("{s{ss? ss*}}", "waiting", "reason", report->reason, "message",
                         report->message);
    case POD_RUNNING:
        return json_pack("{s{so}}", "running", "startedAt", cluster_time(kubelet->cluster));
    case POD_TERMINATED:
        return terminated_state(kubelet, container, report);
    default:
        return json_deep_copy(jx_get(container, "state", NULL));
    }
}

static const char *phase_of(const struct pod_report *report)
{
    switch (report->phase) {
    case POD_WAITING:
        return "Pending";
    case POD_RUNNING:
        return "Running";
    case POD_TERMINATED:
        return report->exit_code ? "Failed" : "Succeeded";
    default:
        return "Failed";
    }
}

static void set_status(struct kubelet *kubelet, json_t *pod, const struct pod_report *report)
{
    json_t *status = jx_get(pod, "status", NULL);
    json_t *spec = json_array_get(jx_get(pod, "spec", "containers", NULL), 0);
    const json_t *old = json_array_get(jx_get(status, "containerStatuses", NULL), 0);
    bool running = report->phase == POD_RUNNING;
    const char *image_id = report->image_id ? report->image_id : jx_string(old, "imageID", NULL);
    const char *phase = phase_of(report);
    json_t *container = json_pack(
        "{ss* ss* ss sb sb si so*}", "name", jx_string(spec, "name", NULL), "image",
        jx_string(spec, "image", NULL), "imageID", image_id ? image_id : "", "ready", running,
        "started", running, "restartCount", 0, "state", container_state(kubelet, old, report));
    json_object_set_new(status, "containerStatuses", json_pack("[o]", container));
    json_object_set_new(status, "phase", json_string(phase));
    set_ready(kubelet->cluster, pod, running,
              strcmp(phase, "Succeeded") == 0 ? "PodCompleted"
              : strcmp(phase, "Failed") == 0  ? "PodFailed"
                                              : "ContainersNotReady");
}

void kubelet_report(struct kubelet *kubelet, const char *uid, const struct pod_report *report)
{
    struct pod_run *run = index_get(&kubelet->known, uid);
    struct object *object = run ? index_get(&pods_of(kubelet)->objects, run->key) : NULL;
    if (!object || run->ended)
        return;
    run->ended = report->phase == POD_TERMINATED || report->phase == POD_NEVER_RAN;
    bool last = run->ended && object_is_deleting(object->snapshot->json);
    auto_free char *key = mem_strdup(run->key);
    json_t *pod = json_deep_copy(object->snapshot->json);
    set_status(kubelet, pod, report);
    api_commit(kubelet->cluster, object, pod);
    object = index_get(&pods_of(kubelet)->objects, key);
    if (last && object)
        api_discard(kubelet->cluster, object, 0);
}

void kubelet_init(struct kubelet *kubelet, struct cluster *cluster, const struct pod_port *port,
                  void *port_context)
{
    *kubelet = (struct kubelet){ .cluster = cluster, .port = port, .port_context = port_context };
    kubelet->timer = (struct timer){ .fire = run_dirty, .context = kubelet };
    kubelet->watcher = (struct watcher){ .resource = pods_of(kubelet),
                                         .on_change = on_change,
                                         .context = kubelet };
    store_watch(&cluster->store, &kubelet->watcher);
}

void kubelet_release(struct kubelet *kubelet)
{
    timer_stop(kubelet->cluster->timers, &kubelet->timer);
    store_unwatch(&kubelet->cluster->store, &kubelet->watcher);
    for (size_t i = 0; i < kubelet->known.count; i++) {
        struct pod_run *run = kubelet->known.entries[i].value;
        kubelet->port->forget(kubelet->port_context, kubelet->known.entries[i].key);
        free(run->key);
        free(run);
    }
    index_release(&kubelet->known);
    index_release(&kubelet->dirty);
}
