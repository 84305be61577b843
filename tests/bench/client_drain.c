#include <inttypes.h>
#include <stdio.h>

#include "client.h"
#include "kube/list.h"

#define PAGE_ITEMS 500 /* as the informers ask for */

static const struct kube_resource resources[] = {
    { "churnops.io", "v1alpha1", "churnmodels", "ChurnModel" },
    { "churnops.io", "v1alpha1", "churnbatches", "ChurnBatch" },
    { "batch", "v1", "jobs", "Job" },
};

struct drain {
    struct bench *bench;
    const struct kube_resource *resource;
    uint64_t objects, bytes;
};

static void next_page(struct drain *drain, const char *continue_token);

static int on_item(void *context, struct span item, struct err *err)
{
    struct drain *drain = context;
    (void)err;
    drain->objects++;
    drain->bytes += item.length;
    return 0;
}

static void on_done(void *context, const struct kube_list_page *page, const struct err *failure)
{
    struct drain *drain = context;
    if (failure)
        bench_fail(drain->bench, failure);
    else if (page->continue_token[0] != '\0')
        next_page(drain, page->continue_token);
    else
        drain->bench->running--;
}

static void next_page(struct drain *drain, const char *continue_token)
{
    static const struct kube_list_handler handler = { on_item, on_done };
    const struct kube_list_options options = { .limit = PAGE_ITEMS,
                                               .continue_token = continue_token };
    kube_list_items(drain->bench->client, drain->resource, &options, &handler, drain);
}

int bench_drain(struct bench *bench, struct err *err)
{
    struct drain drains[ARRAY_SIZE(resources)];
    uint64_t objects = 0, bytes = 0;
    double start = bench_now();
    for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
        drains[i] = (struct drain){ .bench = bench, .resource = &resources[i] };
        bench->running++;
        next_page(&drains[i], NULL);
    }
    if (bench_run(bench, err) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
        objects += drains[i].objects;
        bytes += drains[i].bytes;
    }
    printf("{\"objects\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"seconds\": %.6f}\n", objects,
           bytes, bench_now() - start);
    return 0;
}
