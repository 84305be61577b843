#include "trainer/retention.h"

#include "store/store.h"
#include "trainer/artifacts.h"
#include "trainer/measurements.h"

struct old_version {
    const char *name, *folder;
    int64_t trained_at_ms;
};

static bool is_protected(const struct training *training, const char *name)
{
    const struct strings *kept = &training->job.keep_versions;
    const struct model_source *champion = training->job.champion;
    if (strcmp(name, training->final.version) == 0 ||
        (champion != NULL && strcmp(name, champion->version) == 0))
        return true;
    for (size_t i = 0; i < kept->count; i++)
        if (strcmp(name, kept->items[i]) == 0)
            return true;
    return false;
}

static bool is_version_name(const char *name)
{
    struct err ignored;
    return check_version(name, &ignored) == 0;
}

/* The newest first. */
static int by_age(const void *left, const void *right)
{
    const struct old_version *a = left, *b = right;
    if (a->trained_at_ms != b->trained_at_ms)
        return a->trained_at_ms > b->trained_at_ms ? -1 : 1;
    return strcmp(b->name, a->name);
}

static int64_t trained_at(struct training *training, const char *folder,
                          const struct store_info *document)
{
    struct measurements_head head;
    struct err ignored;
    if (measurements_read(training->stores, folder, &training->arena, &head, &ignored) == 0 &&
        head.trained_at_ms > 0)
        return head.trained_at_ms;
    return document->updated_ns / 1000000;
}

/* When anything in the folder was last written. INT64_MAX when nothing is there:
 * the first object may be on its way. */
static int64_t last_written_ms(struct store *store, const char *folder, unsigned depth)
{
    auto_store_listing struct store_listing listing = { 0 };
    struct err ignored;
    int64_t newest = 0;
    if (depth > LIMIT_STORE_DEPTH || store_list(store, folder, &listing, &ignored) < 0 ||
        listing.count == 0)
        return INT64_MAX;
    for (size_t i = 0; i < listing.count; i++) {
        auto_free char *below = mem_format("%s%s/", folder, listing.entries[i].name);
        int64_t updated_ms = listing.entries[i].is_folder
                                 ? last_written_ms(store, below, depth + 1)
                                 : listing.entries[i].info.updated_ns / 1000000;
        newest = updated_ms > newest ? updated_ms : newest;
    }
    return newest;
}

static int delete_version(struct store *store, const char *folder, struct err *err)
{
    auto_free char *document = mem_format("%s" MODEL_FILE, folder);
    if (store_delete(store, document, err) < 0 && err->kind != ERR_NOT_FOUND)
        return -1;
    return store_delete_folder(store, folder, err);
}

static void delete_or_warn(struct training *training, struct store *store, const char *folder)
{
    struct err why;
    if (delete_version(store, folder, &why) < 0 && why.kind != ERR_NOT_FOUND)
        training_warn(training, "an old version could not be deleted: %s", why.message);
}

/* Takes the folder for a version, deletes it as a leftover, or leaves it alone. */
static void sort_out(struct training *training, struct store *store, const char *name,
                     int64_t now_ms, struct list *versions)
{
    const char *folder = arena_format(&training->arena, "%s%s/", artifacts_folder(training), name);
    auto_free char *document = mem_format("%s" MODEL_FILE, folder);
    struct store_info info;
    struct err why;
    if (store_stat(store, document, &info, &why) == 0) {
        struct old_version *items = versions->items;
        items[versions->count++] =
            (struct old_version){ arena_strdup(&training->arena, name), folder,
                                  trained_at(training, folder, &info) };
    } else if (why.kind == ERR_NOT_FOUND &&
               now_ms - RETENTION_LEFTOVER_MS > last_written_ms(store, folder, 1)) {
        delete_or_warn(training, store, folder);
    }
}

static void delete_old_versions(struct training *training, struct store *store,
                                const struct store_listing *listing, int64_t now_ms)
{
    auto_free struct old_version *items = mem_zero(listing->count, sizeof(*items));
    struct list versions = { items, 0 };
    for (size_t i = 0; i < listing->count; i++) {
        const struct store_entry *entry = &listing->entries[i];
        if (entry->is_folder && is_version_name(entry->name) &&
            !is_protected(training, entry->name))
            sort_out(training, store, entry->name, now_ms, &versions);
    }
    qsort(items, versions.count, sizeof(*items), by_age);
    for (size_t i = (size_t)training->job.keep; i < versions.count; i++)
        delete_or_warn(training, store, items[i].folder);
}

/* Whoever writes a record has published its version before: one without is a leftover. */
static void delete_record_without_version(struct training *training, struct store *store,
                                          const char *runs, const char *name)
{
    auto_free char *uri = mem_format("%s%s", runs, name);
    struct store_info info;
    struct err why = { 0 };
    const char *version = run_record_version(store, uri, &training->arena);
    if (version == NULL)
        return;
    auto_free char *document = mem_format("%s%s/" MODEL_FILE, artifacts_folder(training), version);
    if (store_stat(store, document, &info, &why) < 0 && why.kind == ERR_NOT_FOUND &&
        store_delete(store, uri, &why) < 0 && why.kind != ERR_NOT_FOUND)
        training_warn(training, "an old run record could not be deleted: %s", why.message);
}

static void delete_old_records(struct training *training, struct store *store)
{
    auto_free char *runs = mem_format("%sruns/", artifacts_folder(training));
    auto_store_listing struct store_listing listing = { 0 };
    struct err why;
    if (store_list(store, runs, &listing, &why) < 0) {
        if (why.kind != ERR_NOT_FOUND)
            training_warn(training, "old run records could not be listed: %s", why.message);
        return;
    }
    for (size_t i = 0; i < listing.count; i++)
        if (!listing.entries[i].is_folder)
            delete_record_without_version(training, store, runs, listing.entries[i].name);
}

void retention_apply(struct training *training, int64_t now_ms)
{
    const char *folder = artifacts_folder(training);
    auto_store_listing struct store_listing listing = { 0 };
    struct err why;
    auto_store struct store *store = store_open(training->stores, folder, &why);
    if (store == NULL || store_list(store, folder, &listing, &why) < 0) {
        training_warn(training, "old versions could not be listed: %s", why.message);
        return;
    }
    delete_old_versions(training, store, &listing, now_ms);
    delete_old_records(training, store);
}
