/* Property: a job document that is accepted is written back so that it is accepted again, as the
 * same bytes. */
#include <stdint.h>

#include "base/limits.h"
#include "contract/job.h"

static json_t *rewrite(const json_t *document, struct arena *arena)
{
    struct train_job train;
    struct score_job score;
    if (train_job_decode(document, arena, &train, NULL) == 0)
        return train_job_encode(&train);
    if (score_job_decode(document, arena, &score, NULL) == 0)
        return score_job_encode(&score);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct span text = { (const char *)data, size };
    auto_json json_t *document = jx_parse(text, LIMIT_JOB_DOCUMENT, "job", NULL);
    auto_json json_t *once = document ? rewrite(document, &arena) : NULL;
    auto_json json_t *twice = once ? rewrite(once, &arena) : NULL;
    if (once && (!twice || !json_equal(once, twice)))
        abort();
    return 0;
}
