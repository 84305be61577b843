#include "ml/logistic.h"

#include <stdint.h>
#include <string.h>

#define LANES 8 /* rows at once */

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef uint32_t bits __attribute__((vector_size(4 * LANES)));

#define LARGEST 80.F /* exp() of it is a float */
#define ROUNDER                                                                                    \
    12582912.F /* 1.5 * 2^23: what is added to it becomes an integer in its low bits               \
                */
#define LN_2 0.693147180559945309

/* exp(-x) = 2^n e^r, |r| <= ln(2) / 2, and Taylor's polynomial for e^r. */
__attribute__((always_inline)) static inline void convert(const float *margins, float *target)
{
    floats x, largest = (floats){ 0 } + LARGEST;
    memcpy(&x, margins, sizeof(x));
    bits above = (bits)(x > LARGEST), below = (bits)(x < -LARGEST);
    x = (floats)(((bits)x & ~(above | below)) | ((bits)largest & above) | ((bits)-largest & below));
    floats power = x * (float)(-1 / LN_2);
    floats rounded = power + ROUNDER;
    floats r = (power - (rounded - ROUNDER)) * (float)LN_2;
    floats e =
        1 + r * (1 + r * (0.5F + r * (1.F / 6 + r * (1.F / 24 + r * (1.F / 120 + r / 720)))));
    bits scale = ((bits)rounded << 23) + 0x3f800000; /* 2^n */
    floats probabilities = 1 / (1 + e * (floats)scale);
    memcpy(target, &probabilities, sizeof(probabilities));
}

__attribute__((always_inline)) static inline void convert_rows(const float *margins, size_t count,
                                                               float *target)
{
    size_t row = 0;
    for (; row + LANES <= count; row += LANES)
        convert(margins + row, target + row);
    float rest[LANES] = { 0 };
    memcpy(rest, margins + row, (count - row) * sizeof(*rest));
    convert(rest, rest);
    memcpy(target + row, rest, (count - row) * sizeof(*rest));
}

void logistic_rows_portable(const float *margins, size_t count, float *ret_probabilities)
{
    convert_rows(margins, count, ret_probabilities);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void avx2_rows(const float *margins, size_t count,
                                                      float *ret_probabilities)
{
    convert_rows(margins, count, ret_probabilities);
}
#endif

void logistic_rows(const float *margins, size_t count, float *ret_probabilities)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        avx2_rows(margins, count, ret_probabilities);
        return;
    }
#endif
    logistic_rows_portable(margins, count, ret_probabilities);
}
