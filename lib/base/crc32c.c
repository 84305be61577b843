#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL UINT32_C(0x82F63B78) /* 0x1EDC6F41 with its bits reversed */

/* table[0] takes a byte; table[n] a byte that n further bytes follow. */
static uint32_t table[8][256];

static void fill_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][byte] = crc;
    }
    for (int n = 1; n < 8; n++)
        for (uint32_t byte = 0; byte < 256; byte++)
            table[n][byte] = table[n - 1][byte] >> 8 ^ table[0][table[n - 1][byte] & 0xFF];
}

uint32_t crc32c_add_by_tables(uint32_t crc, const void *bytes, size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const unsigned char *at = bytes;

    pthread_once(&once, fill_table);
    crc = ~crc;
    for (; length >= 8; at += 8, length -= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                              (uint32_t)at[3] << 24);

        crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^
              table[4][low >> 24] ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^
              table[0][at[7]];
    }
    for (; length > 0; at++, length--)
        crc = crc >> 8 ^ table[0][(crc ^ *at) & 0xFF];
    return ~crc;
}

/* --- joining: polynomials over GF(2) modulo the CRC's, bit 31 is x^0 ------- */

static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (; a; a <<= 1) {
        if (a & UINT32_C(1) << 31)
            product ^= b;
        b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

/* x^(8 * length): so many bytes further. */
static uint32_t power_of(uint64_t length)
{
    uint32_t power = UINT32_C(1) << 23, product = UINT32_C(1) << 31;

    for (; length > 0; length >>= 1) {
        if (length & 1)
            product = multiply(power, product);
        power = multiply(power, power);
    }
    return product;
}

/* --- adding ---------------------------------------------------------------- */

#ifdef __x86_64__
/* The instruction's answer comes after three cycles, but it takes a word in each: so three lanes
 * side by side, which are joined as crc32c_join() does, by tables. Short ones: pieces that come by
 * TLS have 16 KiB, and what fills no three lanes takes three times as long. */
#define LANE_BYTES ((size_t)512)

/* lane_further[n][byte]: byte n of a CRC, LANE_BYTES further. */
static uint32_t lane_further[4][256];

static void fill_lanes(void)
{
    uint32_t power = power_of(LANE_BYTES);

    for (int n = 0; n < 4; n++)
        for (uint32_t byte = 0; byte < 256; byte++)
            lane_further[n][byte] = multiply(power, byte << 8 * n);
}

static uint32_t lane_on(uint32_t crc)
{
    return lane_further[0][crc & 0xFF] ^ lane_further[1][crc >> 8 & 0xFF] ^
           lane_further[2][crc >> 16 & 0xFF] ^ lane_further[3][crc >> 24];
}

static uint64_t word_at(const unsigned char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t add_three_lanes(uint32_t crc,
                                                                  const unsigned char *at)
{
    uint64_t first = crc, second = 0, third = 0;

    for (const unsigned char *end = at + LANE_BYTES; at < end; at += sizeof(uint64_t)) {
        first = __builtin_ia32_crc32di(first, word_at(at));
        second = __builtin_ia32_crc32di(second, word_at(at + LANE_BYTES));
        third = __builtin_ia32_crc32di(third, word_at(at + 2 * LANE_BYTES));
    }
    crc = lane_on((uint32_t)first) ^ (uint32_t)second;
    return lane_on(crc) ^ (uint32_t)third;
}

__attribute__((target("sse4.2"))) static uint32_t add_by_instruction(uint32_t crc,
                                                                     const unsigned char *at,
                                                                     size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint64_t wide;

    pthread_once(&once, fill_lanes);
    crc = ~crc;
    for (; length >= 3 * LANE_BYTES; at += 3 * LANE_BYTES, length -= 3 * LANE_BYTES)
        crc = add_three_lanes(crc, at);
    wide = crc;
    for (; length >= sizeof(wide); at += sizeof(wide), length -= sizeof(wide))
        wide = __builtin_ia32_crc32di(wide, word_at(at));
    crc = (uint32_t)wide;
    for (; length > 0; at++, length--)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return ~crc;
}
#endif

uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t length)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return add_by_instruction(crc, bytes, length);
#endif
    return crc32c_add_by_tables(crc, bytes, length);
}

uint32_t crc32c_join(uint32_t first, uint32_t second, uint64_t second_length)
{
    return multiply(power_of(second_length), first) ^ second;
}
