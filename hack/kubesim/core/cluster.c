#include "kubesim/core/cluster.h"

#include "base/num.h"
#include "kubesim/core/api.h"

static void add_namespace(struct cluster *cluster, const char *name)
{
    auto_json json_t *body = json_pack("{ss ss s{ss}}", "apiVersion", "v1", "kind", "Namespace",
                                       "metadata", "name", name);
    struct api_call call = { .cluster = cluster,
                             .resource =
                                 resource_find(&cluster->resources, "", "v1", "namespaces") };
    auto_snapshot struct snapshot *created = NULL;
    struct err ignored;
    if (api_create(&call, body, &created, &ignored) != 0)
        abort();
    api_call_release(&call);
}

void cluster_init(struct cluster *cluster, const struct cluster_options *options)
{
    *cluster = (struct cluster){ .timers = options->timers };
    random_seed(&cluster->random, options->seed);
    resources_init(&cluster->resources);
    store_init(&cluster->store, options->watch_window ? options->watch_window : 4096);
    collector_init(&cluster->collector, cluster);
    kubelet_init(&cluster->kubelet, cluster, options->pods, options->pods_context);
    jobs_init(&cluster->jobs, cluster, options->job_backoff_ms ? options->job_backoff_ms : 10000);
    add_namespace(cluster, "default");
    add_namespace(cluster, "kube-system");
}

void cluster_release(struct cluster *cluster)
{
    jobs_release(&cluster->jobs);
    kubelet_release(&cluster->kubelet);
    collector_release(&cluster->collector);
    store_release(&cluster->store, &cluster->resources);
    resources_release(&cluster->resources);
}

int64_t cluster_now_ms(const struct cluster *cluster)
{
    return clock_wall_ms(cluster->timers->clock);
}

json_t *cluster_time(const struct cluster *cluster)
{
    char text[NUM_TIME_TEXT];
    num_format_time(cluster_now_ms(cluster), text);
    return json_string(text);
}

char *cluster_uid(struct cluster *cluster)
{
    uint64_t high = random_next(&cluster->random), low = random_next(&cluster->random);
    return mem_format("%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned)(high >> 32),
                      (unsigned)(high >> 16) & 0xFFFF, (unsigned)high & 0xFFF,
                      0x8000 | ((unsigned)(low >> 48) & 0x3FFF), low & UINT64_C(0xFFFFFFFFFFFF));
}

void cluster_suffix(struct cluster *cluster, char ret_suffix[6])
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    for (size_t i = 0; i < 5; i++)
        ret_suffix[i] = letters[random_below(&cluster->random, sizeof(letters) - 1)];
    ret_suffix[5] = '\0';
}
