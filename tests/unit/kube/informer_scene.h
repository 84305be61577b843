/* informer_scene.h - an informer over jobs on a hand-played server.
 *
 * What the informer tells is written down as "+name" added, "~name" changed, "-name" deleted,
 * "!" a failure, "." complete, and compared with told(). */
#pragma once

#include "fake_transport.h"

#include "base/json.h"
#include "base/prune.h"
#include "kube/informer.h"

#define JOBS "/apis/batch/v1/jobs"

struct scene {
    struct fake fake;
    struct informer *informer;
    struct buf told;
    unsigned projected;
};

static inline int project(void *context, const json_t *object, struct span text, struct buf *blob,
                          struct err *err)
{
    struct scene *scene = context;
    const char *value = jx_string(object, "value", NULL);
    auto_free char *name = mem_format("\"%s\"", jx_string(object, "metadata", "name", NULL));

    assert_null(json_object_get(object, "unread"));
    assert_true(span_equals(member_text(member_text(text, "metadata"), "name"), name));
    scene->projected++;
    if (value && strcmp(value, "bad") == 0)
        return err_set(err, ERR_INVALID, "value: bad");
    buf_string(blob, value ? value : "");
    return 0;
}

static inline void on_change(void *context, const struct cache_entry *before,
                             const struct cache_entry *after)
{
    struct scene *scene = context;

    buf_format(&scene->told, "%c%s ",
               before && after ? '~'
               : after         ? '+'
                               : '-',
               cache_entry_name(after ? after : before));
}

static inline void on_sync(void *context)
{
    buf_string(&((struct scene *)context)->told, ". ");
}

static inline void on_failure(void *context, const struct err *failure)
{
    assert_true(failure->kind != ERR_NONE && failure->message[0]);
    buf_string(&((struct scene *)context)->told, "! ");
}

static inline void scene_begin_with(struct scene *scene, bool watch_list)
{
    static const char *const read[] = { INFORMER_READS, "value", NULL };

    *scene = (struct scene){ 0 };
    buf_init(&scene->told, 10000);
    fake_init(&scene->fake);
    scene->informer =
        informer_new(&(struct informer_options){ .client = scene->fake.client,
                                                 .resource = { "batch", "v1", "jobs", "Job" },
                                                 .label_selector = "ours",
                                                 .watch_list = watch_list,
                                                 .seed = 1,
                                                 .read = read,
                                                 .project = project,
                                                 .on_change = on_change,
                                                 .on_sync = on_sync,
                                                 .on_failure = on_failure,
                                                 .context = scene });
    informer_start(scene->informer);
}

static inline void scene_begin(struct scene *scene)
{
    scene_begin_with(scene, false);
}

static inline void scene_end(struct scene *scene)
{
    informer_free(scene->informer);
    fake_release(&scene->fake);
    buf_release(&scene->told);
}

/* What was told since the last call. */
static inline void told(struct scene *scene, const char *expected)
{
    if (strcmp(buf_text(&scene->told), expected) != 0)
        fail_msg("told \"%s\", expected \"%s\"", buf_text(&scene->told), expected);
    buf_clear(&scene->told);
}

static inline struct informer_health health(const struct scene *scene)
{
    struct informer_health result;

    informer_health(scene->informer, &result);
    return result;
}

static inline const char *position(const struct scene *scene)
{
    return cache_position(informer_cache(scene->informer));
}

static inline struct http_call *expect_list(struct scene *scene, const char *query)
{
    return fake_expect(&scene->fake, "GET", JOBS, query);
}

static inline struct http_call *expect_watch(struct scene *scene, const char *version)
{
    auto_free char *query = mem_format("watch=true allowWatchBookmarks=true labelSelector=ours "
                                       "resourceVersion=%s",
                                       version);

    return fake_expect(&scene->fake, "GET", JOBS, query);
}

#define OBJECT(name, uid, version, value)                                                          \
    "{\"metadata\":{\"namespace\":\"bank\",\"name\":\"" name "\",\"uid\":\"" uid                   \
    "\",\"resourceVersion\":\"" version "\"},\"value\":\"" value "\"}"
#define LIST(version, items)                                                                       \
    "{\"kind\":\"JobList\",\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items   \
    "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)                                                                          \
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version "\"}}}\n"
#define INITIAL_END(version)                                                                       \
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version              \
    "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define GONE                                                                                       \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\","     \
    "\"message\":\"too old resource version\"}}\n"

/* From nothing to a watch from version 10 over jobs a and b. */
static inline struct http_call *synced(struct scene *scene)
{
    scene_begin(scene);
    fake_answer(expect_list(scene, "limit=500 !resourceVersion !continue"), 200,
                LIST("10", OBJECT("a", "u-a", "3", "1") "," OBJECT("b", "u-b", "7", "1")));
    told(scene, "+a +b . ");
    return expect_watch(scene, "10");
}
