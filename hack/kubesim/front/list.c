/* list.c - lists: pages of one revision, selectors, tables, stale answers. */
#include <string.h>

#include "base/num.h"
#include "kubesim/front/request.h"
#include "kubesim/front/table.h"

struct found {
    struct snapshot **items; /* counted */
    size_t count, capacity;
    uint64_t revision;
};

static void found_release(struct found *found)
{
    for (size_t i = 0; i < found->count; i++)
        snapshot_drop(found->items[i]);
    free(found->items);
    *found = (struct found){ 0 };
}

static void consider(struct found *found, const struct selector *selector,
                     struct snapshot *snapshot)
{
    if (!selector_matches(selector, snapshot->json))
        return;
    if (found->count == found->capacity) {
        found->capacity = found->capacity ? 2 * found->capacity : 64;
        found->items = mem_resize(found->items, found->capacity, sizeof(struct snapshot *));
    }
    found->items[found->count++] = snapshot_take(snapshot);
}

int request_selector(const struct request *request, struct selector *ret_selector, struct err *err)
{
    if (selector_parse(request_query(request, "labelSelector"),
                       request_query(request, "fieldSelector"), ret_selector, err) != 0)
        return api_refuse(err, 400, "BadRequest", "%s", err->message);
    return 0;
}

static char *prefix_of(const struct request *request)
{
    return mem_format("%s%s", request->namespace ? request->namespace : "",
                      request->namespace ? "/" : "");
}

/* What there was at a revision of the log. */
static void gather(const struct request *request, const struct selector *selector,
                   struct found *found)
{
    const struct store *store = &request->front->options.cluster->store;
    const struct resource *storage = request->resource->storage;
    auto_free char *prefix = prefix_of(request);
    auto_index struct index past = { 0 };
    if (found->revision < store->revision) {
        store_past(store, storage, found->revision, &past);
        for (size_t i = index_lower(&past, prefix); index_has_prefix(&past, i, prefix); i++)
            consider(found, selector, past.entries[i].value);
        return;
    }
    const struct index *objects = &storage->objects;
    for (size_t i = index_lower(objects, prefix); index_has_prefix(objects, i, prefix); i++)
        consider(found, selector, ((struct object *)objects->entries[i].value)->snapshot);
}

/* The newest revision, or one that a fault asks for. */
static uint64_t newest(const struct request *request)
{
    const struct store *store = &request->front->options.cluster->store;
    const struct fault *fault = request->fault;
    uint64_t back = fault && fault->action == FAULT_STALE ? (uint64_t)fault->revisions : 0;
    uint64_t oldest = store_oldest(store);
    return store->revision - oldest > back ? store->revision - back : oldest;
}

/* A continue token is "<revision>-<position>": all pages show the state of the first. */
static int resume(const struct request *request, const char *token, uint64_t *ret_revision,
                  size_t *ret_position, struct err *err)
{
    const struct store *store = &request->front->options.cluster->store;
    const char *dash = strchr(token, '-');
    struct span first = { token, dash ? (size_t)(dash - token) : 0 };
    int64_t revision, position;
    struct err ignored;
    if (!dash ||
        num_int64(first, (int64_t)store_oldest(store), (int64_t)store->revision, &revision,
                  &ignored) != 0 ||
        num_int64(span_of(dash + 1), 0, INT64_MAX, &position, &ignored) != 0)
        return api_refuse(err, 410, "Expired",
                          "The provided continue parameter is too old to display a consistent list "
                          "result. You can start a new list without the continue parameter.");
    *ret_revision = (uint64_t)revision;
    *ret_position = (size_t)position;
    return 0;
}

/* --- the answer ---------------------------------------------------------------------------- */

struct page {
    struct snapshot *const *items;
    size_t count, remaining;
    uint64_t revision;
    char next[48]; /* continue token, or "" */
};

static json_t *list_metadata(const struct page *page)
{
    json_t *metadata = json_object();
    json_object_set_new(metadata, "resourceVersion", json_sprintf("%" PRIu64, page->revision));
    if (page->next[0]) {
        json_object_set_new(metadata, "continue", json_string(page->next));
        json_object_set_new(metadata, "remainingItemCount",
                            json_integer((json_int_t)page->remaining));
    }
    return metadata;
}

static void reply_table(const struct request *request, const struct page *page)
{
    auto_json json_t *objects = json_array();
    for (size_t i = 0; i < page->count; i++)
        json_array_append(objects, page->items[i]->json);
    json_t *table = table_make(request->resource, objects,
                               cluster_now_ms(request->front->options.cluster), true);
    json_object_set_new(table, "metadata", list_metadata(page));
    request_reply(request, 200, table);
}

static void reply_page(const struct request *request, const struct page *page)
{
    if (request_wants_table(request)) {
        reply_table(request, page);
        return;
    }
    auto_buf struct buf out;
    buf_init(&out, ANSWER_MAXIMUM);
    auto_json json_t *metadata = list_metadata(page);
    auto_free char *api_version = resource_api_version(request->resource);
    auto_free char *metadata_text = json_dumps(metadata, JSON_COMPACT);
    buf_format(&out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":%s,\"items\":[",
               request->resource->list_kind, api_version, metadata_text);
    for (size_t i = 0; i < page->count; i++) {
        if (i)
            buf_char(&out, ',');
        auto_free char *own = NULL;
        struct span text = api_text(request->resource, page->items[i], &own);
        buf_append(&out, text.data, text.length);
    }
    buf_string(&out, "]}");
    request_reply_text(request, 200, (struct span){ out.data, out.length });
}

static void reply_found(const struct request *request, const struct found *found, size_t position,
                        size_t limit)
{
    size_t begin = position < found->count ? position : found->count;
    size_t left = found->count - begin, taken = limit && limit < left ? limit : left;
    struct page page = { .items = taken > 0 ? found->items + begin : NULL,
                         .count = taken,
                         .remaining = left - taken,
                         .revision = found->revision };
    if (page.remaining)
        snprintf(page.next, sizeof(page.next), "%" PRIu64 "-%zu", found->revision, begin + taken);
    reply_page(request, &page);
}

static int64_t limit_of(const struct request *request)
{
    const char *text = request_query(request, "limit");
    int64_t limit = 0;
    struct err ignored;
    if (!text || num_int64(span_of(text), 0, INT32_MAX, &limit, &ignored) != 0)
        return 0;
    return limit;
}

int request_revision(const struct request *request, uint64_t *ret_revision, struct err *err)
{
    const char *text = request_query(request, "resourceVersion");
    uint64_t current = request->front->options.cluster->store.revision;
    int64_t revision = 0;
    if (text && num_int64(span_of(text), 0, INT64_MAX, &revision, err) != 0)
        return api_refuse(err, 400, "BadRequest", "resourceVersion: %s", text);
    if ((uint64_t)revision > current) {
        api_refuse(err, 504, "Timeout",
                   "Too large resource version: %" PRId64 ", current: %" PRIu64, revision, current);
        err->retry_after_ms = 1000;
        return -1;
    }
    *ret_revision = (uint64_t)revision;
    return 0;
}

void handle_list(struct request *request)
{
    const char *token = request_query(request, "continue");
    struct selector selector = { 0 };
    struct found found = { .revision = newest(request) };
    struct err err = { 0 };
    uint64_t asked; /* whatever it is, the answer is the newest state */
    size_t position = 0;
    if (request_revision(request, &asked, &err) != 0 ||
        (token && resume(request, token, &found.revision, &position, &err) != 0) ||
        request_selector(request, &selector, &err) != 0) {
        request_refuse(request, &err, NULL);
        return;
    }
    gather(request, &selector, &found);
    selector_release(&selector);
    reply_found(request, &found, position, (size_t)limit_of(request));
    found_release(&found);
}
