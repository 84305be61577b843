#include "ml/trees.h"

#include "base/mem.h"

struct trees *trees_new(struct span bytes, const struct features *features, struct err *err)
{
    struct forest forest;
    if (forest_read(bytes, features->count, &forest, err) < 0)
        return NULL;
    auto_free uint32_t *sources = mem_zero(features->count, sizeof(*sources));
    for (size_t i = 0; i < features->count; i++)
        sources[i] = (uint32_t)features->items[i].source;
    struct trees *trees = mem_zero(1, sizeof(*trees));
    trees->forest = forest;
    trees->shap = shap_new(&trees->forest, sources, features->source_count, SHAP_TABLES);
    return trees;
}

void trees_free(struct trees *trees)
{
    if (trees == NULL)
        return;
    shap_free(trees->shap);
    forest_release(&trees->forest);
    free(trees);
}
