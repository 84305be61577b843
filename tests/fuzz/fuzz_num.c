/* Every number, duration and time that is accepted prints as text that gives it back; both ways of
 * reading a number agree. */
#include <stdint.h>

#include "base/num.h"

static void check_roomy(struct span text)
{
    char room[2 * SPAN_ROOM];
    double real = -1, real_roomy = -1;

    if (text.length > SPAN_ROOM)
        return;
    memset(room, '7', sizeof(room));
    memcpy(room, text.data, text.length);
    if (num_double_roomy((struct span){ room, text.length }, &real_roomy) !=
            num_double_quick(text, &real) ||
        real_roomy != real)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    char printed[NUM_TIME_TEXT];
    int64_t integer, again;
    double real, real_again;

    check_roomy(text);
    if (num_double_quick(text, &real)) {
        num_format_double(real, printed);
        if (!num_double_quick(span_of(printed), &real_again) || real_again != real)
            abort();
        num_format_fixed(real, 4, printed);
    }
    if (num_duration_ms(text, &integer, NULL) == 0) {
        num_format_duration(integer, printed);
        if (num_duration_ms(span_of(printed), &again, NULL) || again != integer)
            abort();
    }
    if (num_time_ms(text, &integer, NULL) == 0) {
        num_format_micro_time(integer, printed);
        if (printed[4] == '-' && (num_time_ms(span_of(printed), &again, NULL) || again != integer))
            abort();
    }
    if (num_int64(text, -1000, 1000, &integer, NULL) == 0 && (integer < -1000 || integer > 1000))
        abort();
    (void)!num_quantity_milli(text, &integer, NULL);
    return 0;
}
