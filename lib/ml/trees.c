#include "ml/trees.h"

#include "base/mem.h"

struct trees *trees_new(struct span bytes, const struct features *features, struct err *err)
{
    struct forest forest;
    if (forest_read(bytes, features->count, &forest, err) < 0)
        return NULL;
    struct trees *trees = mem_zero(1, sizeof(*trees));
    trees->forest = forest;
    trees->source_count = features->source_count;
    trees->sources = mem_zero(features->count, sizeof(*trees->sources));
    for (size_t i = 0; i < features->count; i++)
        trees->sources[i] = (uint32_t)features->items[i].source;
    pthread_mutex_init(&trees->lock, NULL);
    return trees;
}

void trees_free(struct trees *trees)
{
    if (trees == NULL)
        return;
    shap_free(trees->shap);
    forest_release(&trees->forest);
    pthread_mutex_destroy(&trees->lock);
    free(trees->sources);
    free(trees);
}

const struct shap *trees_shap(struct trees *trees)
{
    pthread_mutex_lock(&trees->lock);
    if (trees->shap == NULL)
        trees->shap = shap_new(&trees->forest, trees->sources, trees->source_count, SHAP_TABLES);
    pthread_mutex_unlock(&trees->lock);
    return trees->shap;
}
