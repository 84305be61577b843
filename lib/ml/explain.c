#include "ml/explain.h"

#include <math.h>

void explain_group(const struct features *features, const float *encoded, double slope,
                   double *ret_sources)
{
    for (size_t i = 0; i < features->source_count; i++)
        ret_sources[i] = 0;
    for (size_t i = 0; i < features->count; i++)
        ret_sources[features->items[i].source] += slope * (double)encoded[i];
}

void explain_top(const double *sources, size_t source_count, size_t wanted,
                 struct score_reason *ret_reasons)
{
    size_t found = 0;
    for (size_t i = 0; i < source_count; i++) {
        double size = fabs(sources[i]);
        if (size == 0 || (found == wanted &&
                          (wanted == 0 || size <= fabs(ret_reasons[wanted - 1].contribution))))
            continue;
        size_t place = found < wanted ? found++ : wanted - 1;
        for (; place > 0 && fabs(ret_reasons[place - 1].contribution) < size; place--)
            ret_reasons[place] = ret_reasons[place - 1];
        ret_reasons[place] = (struct score_reason){ (uint32_t)i, sources[i] };
    }
    for (; found < wanted; found++)
        ret_reasons[found] = (struct score_reason){ SCORE_REASON_NONE, 0 };
}
