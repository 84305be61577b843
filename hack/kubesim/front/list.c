/* list.c - lists: pages from a fixed snapshot, selectors, tables, stale answers. */
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

static void gather_past(const struct request *request, const struct selector *selector,
                        struct found *found)
{
    const struct store *store = &request->front->options.cluster->store;
    uint64_t back = (uint64_t)request->fault->revisions, oldest = store_oldest(store);
    auto_free char *prefix = prefix_of(request);
    auto_index struct index past = { 0 };
    found->revision = store->revision - oldest > back ? store->revision - back : oldest;
    store_past(store, request->resource->storage, found->revision, &past);
    for (size_t i = index_lower(&past, prefix); index_has_prefix(&past, i, prefix); i++)
        consider(found, selector, past.entries[i].value);
}

static void gather(const struct request *request, const struct selector *selector,
                   struct found *found)
{
    const struct index *objects = &request->resource->storage->objects;
    if (request->fault && request->fault->action == FAULT_STALE) {
        gather_past(request, selector, found);
        return;
    }
    auto_free char *prefix = prefix_of(request);
    found->revision = request->front->options.cluster->store.revision;
    for (size_t i = index_lower(objects, prefix); index_has_prefix(objects, i, prefix); i++)
        consider(found, selector, ((struct object *)objects->entries[i].value)->snapshot);
}

/* --- paging ---------------------------------------------------------------------------- */

static void cursor_release(struct cursor *cursor)
{
    for (size_t i = 0; i < cursor->count; i++)
        snapshot_drop(cursor->items[i]);
    free(cursor->items);
    *cursor = (struct cursor){ 0 };
}

void cursors_release(struct front *front)
{
    for (size_t i = 0; i < FRONT_CURSORS; i++)
        cursor_release(&front->cursors[i]);
}

/* Keeps what was found for the pages to come; the oldest cursor gives way. */
static struct cursor *keep(struct front *front, struct found *found)
{
    struct cursor *cursor = &front->cursors[front->next_cursor % FRONT_CURSORS];
    cursor_release(cursor);
    *cursor = (struct cursor){ .id = front->next_cursor++,
                               .revision = found->revision,
                               .items = TAKE(found->items),
                               .count = found->count };
    found->count = 0;
    return cursor;
}

/* A token is "<cursor>-<position>". */
static struct cursor *resume(struct front *front, const char *token, size_t *ret_position,
                             struct err *err)
{
    const char *dash = strchr(token, '-');
    int64_t id = 0, position = 0;
    struct err ignored;
    struct span first = { token, dash ? (size_t)(dash - token) : 0 };
    struct cursor *cursor = NULL;
    if (dash && num_int64(first, 1, INT64_MAX, &id, &ignored) == 0 &&
        num_int64(span_of(dash + 1), 0, INT64_MAX, &position, &ignored) == 0)
        cursor = &front->cursors[(uint64_t)id % FRONT_CURSORS];
    if (!cursor || cursor->id != (uint64_t)id || (size_t)position > cursor->count) {
        api_refuse(err, 410, "Expired",
                   "The provided continue parameter is too old to display a consistent list "
                   "result. You can start a new list without the continue parameter.");
        return NULL;
    }
    *ret_position = (size_t)position;
    return cursor;
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

static void reply_cursor(const struct request *request, const struct cursor *cursor,
                         size_t position, size_t limit)
{
    size_t left = cursor->count - position, taken = left < limit ? left : limit;
    struct page page = { .items = cursor->items + position,
                         .count = taken,
                         .remaining = left - taken,
                         .revision = cursor->revision };
    if (page.remaining)
        snprintf(page.next, sizeof(page.next), "%" PRIu64 "-%zu", cursor->id, position + taken);
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
    struct front *front = request->front;
    struct selector selector = { 0 };
    struct found found = { 0 };
    struct err err = { 0 };
    uint64_t oldest; /* whatever was asked for, the answer is the newest state */
    size_t limit = (size_t)limit_of(request), position = 0;
    if (token) {
        const struct cursor *cursor = resume(front, token, &position, &err);
        if (cursor)
            reply_cursor(request, cursor, position, limit ? limit : SIZE_MAX);
        else
            request_refuse(request, &err, NULL);
        return;
    }
    if (request_revision(request, &oldest, &err) != 0 ||
        request_selector(request, &selector, &err) != 0) {
        request_refuse(request, &err, NULL);
        return;
    }
    gather(request, &selector, &found);
    selector_release(&selector);
    if (limit && limit < found.count)
        reply_cursor(request, keep(front, &found), 0, limit);
    else
        reply_page(request, &(struct page){ .items = found.items,
                                            .count = found.count,
                                            .revision = found.revision });
    found_release(&found);
}
