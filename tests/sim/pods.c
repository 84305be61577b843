/* pods.c - pods of the simulated cluster: each is one run of a simulated program. */
#include "sim/simulation.h"

#include "base/num.h"
#include "contract/job.h"

static void become_ready(void *context)
{
    struct sim_pod *pod = context;

    kubelet_report(&pod->sim->cluster.kubelet, pod->uid,
                   &(struct pod_report){ .phase = POD_RUNNING });
}

static void end_on_time(void *context)
{
    sim_pod_runs(context, true);
}

static void start_pod(void *context, const json_t *json)
{
    struct sim *sim = context;
    struct sim_pod *pod = mem_zero(1, sizeof(*pod));

    if (sim->pod_count == SIM_PODS)
        sim_fail("more than %d pods run", SIM_PODS);
    *pod = (struct sim_pod){ .sim = sim,
                             .uid = mem_strdup(jx_string(json, "metadata", "uid", NULL)),
                             .pod = json_deep_copy(json),
                             .ready = { .fire = become_ready, .context = pod },
                             .end = { .fire = end_on_time, .context = pod } };
    sim->pods[sim->pod_count++] = pod;
    if (sim->hooks.on_pod)
        sim->hooks.on_pod(sim->hooks.context, pod);
}

/* The pod leaves the list of those that run. */
static void drop_pod(struct sim *sim, size_t index)
{
    struct sim_pod *pod = sim->pods[index];

    timer_stop(&sim->timers, &pod->ready);
    timer_stop(&sim->timers, &pod->end);
    free(pod->uid);
    json_decref(pod->pod);
    free(pod);
    memmove(&sim->pods[index], &sim->pods[index + 1],
            (--sim->pod_count - index) * sizeof(sim->pods[0]));
}

void sim_drop_pods(struct sim *sim)
{
    while (sim->pod_count > 0)
        drop_pod(sim, 0);
}

static size_t find_pod(const struct sim *sim, const char *uid)
{
    size_t index = 0;

    while (index < sim->pod_count && strcmp(sim->pods[index]->uid, uid) != 0)
        index++;
    return index;
}

static void stop_pod(void *context, const char *uid, int64_t grace_ms)
{
    struct sim *sim = context;
    size_t index = find_pod(sim, uid);

    (void)grace_ms;
    if (index < sim->pod_count)
        sim->pods[index]->stopping = true;
}

static void forget_pod(void *context, const char *uid)
{
    struct sim *sim = context;
    size_t index = find_pod(sim, uid);

    if (index < sim->pod_count)
        drop_pod(sim, index);
}

const struct pod_port sim_pod_port = { start_pod, stop_pod, forget_pod };

void sim_pod_ends(struct sim_pod *pod, int exit_code, const char *message)
{
    struct sim *sim = pod->sim;
    char *uid auto_free = mem_strdup(pod->uid);

    drop_pod(sim, find_pod(sim, uid));
    kubelet_report(&sim->cluster.kubelet, uid, &(struct pod_report){ .phase = POD_RUNNING });
    kubelet_report(&sim->cluster.kubelet, uid,
                   &(struct pod_report){ .phase = POD_TERMINATED,
                                         .reason = exit_code == 137 ? "OOMKilled"
                                                   : exit_code      ? "Error"
                                                                    : "Completed",
                                         .message = message,
                                         .exit_code = exit_code });
}

void sim_pod_runs(struct sim_pod *pod, bool with_result)
{
    struct err err;
    const char *text = jx_string(pod->pod, "metadata", "annotations", JOB_ANNOTATION, NULL);
    const json_t *container = json_array_get(jx_get(pod->pod, "spec", "containers", NULL), 0);
    json_t *document auto_json =
        text ? jx_parse(span_of(text), LIMIT_JOB_DOCUMENT, "job", &err) : NULL;
    const char *index = jx_string(pod->pod, "metadata", "annotations",
                                  "batch.kubernetes.io/job-completion-index", NULL);
    int64_t shard = 0;
    char *result auto_free = NULL;
    int exit_code;

    if (!document)
        sim_fail("a pod without a job document: %s", text ? err.message : "no annotation");
    if (index && num_int64(span_of(index), 0, INT32_MAX, &shard, &err) < 0)
        sim_fail("a shard's index: %s", err.message);
    exit_code = program_run(&pod->sim->volume, jx_string(container, "image", NULL), document, shard,
                            &result);
    sim_pod_ends(pod, exit_code, with_result ? result : NULL);
}

void sim_end_stopping_pods(struct sim *sim)
{
    for (size_t i = sim->pod_count; i-- > 0;)
        if (sim->pods[i]->stopping)
            sim_pod_ends(sim->pods[i], 143, NULL);
}

static struct sim_pod *oldest(struct sim *sim)
{
    if (sim->pod_count == 0)
        sim_fail("no pod runs");
    return sim->pods[0];
}

void sim_pod_fails(struct sim *sim, int exit_code, const char *message)
{
    sim_pod_ends(oldest(sim), exit_code, message);
}

void sim_pod_succeeds(struct sim *sim)
{
    sim_pod_runs(oldest(sim), true);
}
