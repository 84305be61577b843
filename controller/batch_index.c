#include "batch_index.h"

#include <search.h>

#include "base/mem.h"

struct set {
    const char *key; /* owned */
    void *members;   /* tsearch(3) tree of owned strings */
};

static int compare_sets(const void *left, const void *right)
{
    return strcmp(((const struct set *)left)->key, ((const struct set *)right)->key);
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(left, right);
}

static void free_set(void *object)
{
    struct set *set = object;

    tdestroy(set->members, free);
    free((char *)set->key);
    free(set);
}

void batch_index_release(struct batch_index *index)
{
    tdestroy(index->sets, free_set);
    index->sets = NULL;
}

static struct set *find_set(const struct batch_index *index, const char *key)
{
    struct set wanted = { .key = key };
    void *const *node = tfind(&wanted, &index->sets, compare_sets);

    return node ? *node : NULL;
}

/* Like tsearch(3). */
static void insert(void *take_object, void **root, int (*compare)(const void *, const void *))
{
    if (!tsearch(take_object, root, compare))
        mem_exhausted();
}

void batch_index_add(struct batch_index *index, const char *key, const char *member)
{
    struct set *set = find_set(index, key);

    if (!set) {
        set = mem_zero(1, sizeof(*set));
        set->key = mem_strdup(key);
        insert(set, &index->sets, compare_sets);
    }
    if (!tfind(member, &set->members, compare_texts))
        insert(mem_strdup(member), &set->members, compare_texts);
}

void batch_index_remove(struct batch_index *index, const char *key, const char *member)
{
    struct set *set = find_set(index, key);
    void *const *node = set ? tfind(member, &set->members, compare_texts) : NULL;
    char *found;

    if (!node)
        return;
    found = *node;
    (void)tdelete(member, &set->members, compare_texts);
    free(found);
    if (set->members)
        return;
    (void)tdelete(set, &index->sets, compare_sets);
    free_set(set);
}

bool batch_index_has(const struct batch_index *index, const char *key)
{
    return find_set(index, key) != NULL; /* a set without members does not stay */
}

struct walk {
    void (*visit)(void *context, const char *member);
    void *context;
};

static void visit_node(const void *node, VISIT order, void *closure)
{
    const struct walk *walk = closure;

    if (order == postorder || order == leaf)
        walk->visit(walk->context, *(const char *const *)node);
}

void batch_index_each(const struct batch_index *index, const char *key,
                      void (*visit)(void *context, const char *member), void *context)
{
    const struct set *set = find_set(index, key);
    struct walk walk = { visit, context };

    if (set)
        twalk_r(set->members, visit_node, &walk);
}
