#include <stddef.h>

#include "contract/reasons.h"

#define REASON_DEFINE(word, meaning) const char REASON_##word[] = #word;
REASON_LIST(REASON_DEFINE)
#undef REASON_DEFINE

#define REASON_ENTRY(word, meaning) { #word, meaning },
const struct reason reasons[] = { REASON_LIST(REASON_ENTRY){ NULL, NULL } };
#undef REASON_ENTRY
