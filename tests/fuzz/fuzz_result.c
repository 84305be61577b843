/* Property: what is decoded as a result can be encoded within its limit, and decodes again. */
#include <stdint.h>

#include "base/limits.h"
#include "contract/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf text = { .maximum = LIMIT_JOB_DOCUMENT };
    struct result result, again;
    if (size < 1)
        return 0;
    static const enum job_kind kinds[] = { JOB_SCORE, JOB_TRAIN, JOB_SHARD, JOB_DISCARD };
    enum job_kind kind = kinds[data[0] % ARRAY_SIZE(kinds)];
    struct span span = { (const char *)data + 1, size - 1 };
    if (result_decode(span, kind, &arena, &result, NULL) < 0)
        return 0;
    result_encode(&result, &text);
    if (buf_check(&text, "result", NULL) < 0 ||
        result_decode((struct span){ text.data, text.length }, kind, &arena, &again, NULL) < 0 ||
        again.outcome != result.outcome)
        abort();
    return 0;
}
