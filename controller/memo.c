#include "memo.h"

#include <search.h>

/* All batches that an inbox may be about to make, and a Job. */
#define REFUSALS_MAXIMUM (INBOX_ACTIVE_MAXIMUM + 1)

static int compare_memos(const void *left, const void *right)
{
    return strcmp(((const struct memo *)left)->uid, ((const struct memo *)right)->uid);
}

static void free_expectation(struct expectation *expectation)
{
    free(expectation->name);
    free(expectation->resource_version);
    free(expectation->uid);
    free(expectation);
}

static void free_refusal(struct job_refusal *refusal)
{
    free((char *)refusal->job);
    free((char *)refusal->message);
}

static void drop_oldest_refusal(struct memo *memo)
{
    free_refusal(&memo->refusals[0]);
    memo->refusal_count--;
    memmove(memo->refusals, memo->refusals + 1, memo->refusal_count * sizeof(*memo->refusals));
}

/* Those of one Job or batch; NULL: all. */
static void drop_refusals(struct memo *memo, const char *job)
{
    size_t kept = 0;

    for (size_t i = 0; i < memo->refusal_count; i++) {
        struct job_refusal *refusal = &memo->refusals[i];

        if (job && strcmp(refusal->job, job) != 0)
            memo->refusals[kept++] = *refusal;
        else
            free_refusal(refusal);
    }
    memo->refusal_count = kept;
}

static void free_memo(void *object)
{
    struct memo *memo = object;

    while (memo->expected) {
        struct expectation *next = memo->expected->next;

        free_expectation(memo->expected);
        memo->expected = next;
    }
    fact_user_release(&memo->facts);
    answers_free(memo->answers);
    drop_refusals(memo, NULL);
    free(memo->refusals);
    free(memo->resource_version);
    free(memo->key);
    free((char *)memo->uid);
    free(memo);
}

void memos_release(struct memos *memos)
{
    tdestroy(memos->tree, free_memo);
    *memos = (struct memos){ 0 };
}

struct memo *memo_find(const struct memos *memos, const char *uid)
{
    struct memo wanted = { .uid = uid };
    void *const *node = tfind(&wanted, &memos->tree, compare_memos);

    return node ? *node : NULL;
}

struct memo *memo_of(struct memos *memos, enum object_kind kind, const struct cache_entry *entry)
{
    struct memo *memo = memo_find(memos, cache_entry_uid(entry));

    if (memo)
        return memo;
    memo = mem_zero(1, sizeof(*memo));
    memo->uid = mem_strdup(cache_entry_uid(entry));
    memo->kind = kind;
    memo->key = mem_format("%s/%s", cache_entry_namespace(entry), cache_entry_name(entry));
    memo->generation = -1;
    if (!tsearch(memo, &memos->tree, compare_memos))
        mem_exhausted();
    memos->count++;
    return memo;
}

void memo_forget(struct memos *memos, const char *uid)
{
    struct memo *memo = memo_find(memos, uid);

    if (!memo)
        return;
    (void)tdelete(memo, &memos->tree, compare_memos);
    memos->count--;
    free_memo(memo);
}

int64_t memo_see(struct memo *memo, int64_t generation, int64_t now_ms)
{
    if (memo->generation != generation) {
        memo->generation = generation;
        memo->seen_ms = now_ms;
        drop_refusals(memo, NULL);
    }
    return memo->seen_ms;
}

void memo_wrote_status(struct memo *memo, const char *resource_version)
{
    free(memo->resource_version);
    memo->resource_version = mem_strdup(resource_version);
}

void memo_wrote_child(struct memo *memo, enum object_kind kind, const char *name, const char *uid,
                      const char *resource_version)
{
    struct expectation *expectation = mem_zero(1, sizeof(*expectation));

    expectation->kind = kind;
    expectation->name = mem_strdup(name);
    expectation->uid = mem_strdup(uid);
    expectation->resource_version = resource_version ? mem_strdup(resource_version) : NULL;
    expectation->next = memo->expected;
    memo->expected = expectation;
}

static bool is_met(const struct expectation *expectation, const struct objects *objects,
                   const char *namespace)
{
    const struct cache *cache = objects_cache(objects, expectation->kind);
    const struct cache_entry *child = cache_get(cache, namespace, expectation->name);

    if (expectation->resource_version)
        return cache_is_at_least(cache, namespace, expectation->name,
                                 expectation->resource_version);
    return !child || strcmp(cache_entry_uid(child), expectation->uid) != 0;
}

static bool is_status_seen(struct memo *memo, const struct cache *cache, const char *namespace,
                           const char *name)
{
    if (memo->resource_version &&
        !cache_is_at_least(cache, namespace, name, memo->resource_version))
        return false;
    free(memo->resource_version);
    memo->resource_version = NULL;
    return true;
}

bool memo_is_caught_up(struct memo *memo, const struct objects *objects)
{
    const char *slash = strchr(memo->key, '/');
    char *namespace auto_free = mem_strndup(memo->key, (size_t)(slash - memo->key));
    struct expectation **place = &memo->expected;

    while (*place) {
        struct expectation *expectation = *place;

        if (is_met(expectation, objects, namespace)) {
            *place = expectation->next;
            free_expectation(expectation);
        } else {
            place = &expectation->next;
        }
    }
    return is_status_seen(memo, objects_cache(objects, memo->kind), namespace, slash + 1) &&
           !memo->expected;
}

void memo_set_refusal(struct memo *memo, const char *job, const char *message, int64_t now_ms,
                      int64_t generation)
{
    drop_refusals(memo, job);
    if (memo->refusal_count == REFUSALS_MAXIMUM)
        drop_oldest_refusal(memo);
    memo->refusals = mem_resize(memo->refusals, memo->refusal_count + 1, sizeof(*memo->refusals));
    memo->refusals[memo->refusal_count++] = (struct job_refusal){ .job = mem_strdup(job),
                                                                  .message = mem_strdup(message),
                                                                  .refused_ms = now_ms,
                                                                  .generation = generation };
}

void memo_clear_refusal(struct memo *memo, const char *job)
{
    drop_refusals(memo, job);
}
