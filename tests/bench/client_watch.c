#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/lines.h"
#include "client.h"
#include "kube/list.h"

#define WATCH_TIMEOUT_MS 600000

struct watch {
    struct bench *bench;
    struct kube_resource resource;
    struct lines lines;
    char *begin;          /* of the lines that count */
    char version[32];     /* resourceVersion of the last line: where to go on */
    bool ended_with_none; /* the watch before this one brought no line */
    int64_t seen;
    double first, last;
};

static void remember_version(struct watch *watch, struct span line)
{
    static const char member[] = "\"resourceVersion\":\"";
    const char *found = memmem(line.data, line.length, member, strlen(member));
    if (found == NULL)
        return;
    found += strlen(member);
    const char *end = memchr(found, '"', (size_t)(line.data + line.length - found));
    if (end != NULL)
        snprintf(watch->version, sizeof(watch->version), "%.*s", (int)(end - found), found);
}

/* The text is not parsed: the client must not be what limits the server. */
static int on_line(void *context, struct span line, struct err *err)
{
    struct watch *watch = context;
    const struct bench_options *options = watch->bench->options;
    (void)err;
    watch->ended_with_none = false;
    remember_version(watch, line);
    if (line.length < strlen(watch->begin) ||
        memcmp(line.data, watch->begin, strlen(watch->begin)) != 0)
        return 0;
    if (!memmem(line.data, line.length, options->contains, strlen(options->contains)))
        return 0;
    watch->last = bench_now();
    if (watch->seen++ == 0)
        watch->first = watch->last;
    if (watch->seen == options->count)
        watch->bench->running--;
    return 0;
}

static int on_data(void *context, struct span piece, struct err *err)
{
    struct watch *watch = context;
    return lines_push(&watch->lines, piece, err);
}

static void begin_watch(struct watch *watch);

/* A server ends the watch of a client that is slower than the events: it goes on where it was. */
static void on_done(void *context, const struct err *failure)
{
    struct watch *watch = context;
    struct err ended;
    if (failure == NULL && !watch->ended_with_none) {
        begin_watch(watch);
        return;
    }
    err_set(&ended, ERR_RETRY, "the server ended the watch");
    bench_fail(watch->bench, failure ? failure : &ended);
}

static void on_release(void *context)
{
    (void)context; /* lives on bench_watch's stack until the client is freed */
}

static int on_item(void *context, struct span item, struct err *err)
{
    (void)context, (void)item, (void)err;
    return 0;
}

static void begin_watch(struct watch *watch)
{
    static const struct kube_stream_handler handler = { on_data, on_done, on_release };
    auto_buf struct buf path;
    watch->ended_with_none = true;
    lines_release(&watch->lines);
    lines_init(&watch->lines, LIMIT_KUBE_OBJECT, on_line, watch);
    buf_init(&path, LIMIT_KUBE_PATH);
    kube_path(&path, &watch->resource, NULL, NULL, NULL);
    kube_path_query(&path, "watch", "true");
    kube_path_query(&path, "resourceVersion", watch->version);
    kube_stream(watch->bench->client,
                &(struct kube_stream){ .path = &path,
                                       .verb = "watch",
                                       .resource = &watch->resource,
                                       .timeout_ms = WATCH_TIMEOUT_MS },
                &handler, watch);
}

static void on_listed(void *context, const struct kube_list_page *page, const struct err *failure)
{
    struct watch *watch = context;
    if (failure) {
        bench_fail(watch->bench, failure);
        return;
    }
    snprintf(watch->version, sizeof(watch->version), "%s", page->resource_version);
    begin_watch(watch);
    puts("{\"watching\": true}");
    (void)fflush(stdout);
}

int bench_watch(struct bench *bench, struct err *err)
{
    static const struct kube_list_handler handler = { on_item, on_listed };
    const struct bench_options *options = bench->options;
    auto_free char *begin = mem_format("{\"type\":\"%s\"", options->type);
    struct watch watch = {
        .bench = bench,
        .resource = { options->group, options->version, options->plural, "" },
        .begin = begin,
    };
    bench->running = 1;
    kube_list_items(bench->client, &watch.resource, &(struct kube_list_options){ .limit = 1 },
                    &handler, &watch);
    int result = bench_run(bench, err);
    lines_release(&watch.lines);
    if (result == 0)
        printf("{\"count\": %lld, \"first\": %.6f, \"last\": %.6f}\n", (long long)watch.seen,
               watch.first, watch.last);
    return result;
}
