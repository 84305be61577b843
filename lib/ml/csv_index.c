#include "ml/csv_index.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/mem.h"

#define CHUNK  64 /* bytes at once */
#define UNROLL 8  /* ends at once: more would be written in vain, fewer be guessed wrong */

void csv_index_release(struct csv_index *index)
{
    free(index->ends);
    *index = (struct csv_index){ 0 };
}

static void reserve(struct csv_index *index)
{
    if (index->count + CHUNK + UNROLL <= index->room)
        return;
    index->room = index->room ? 2 * index->room : 16 * CHUNK;
    index->ends = mem_resize(index->ends, index->room, sizeof(*index->ends));
}

static void begin(struct csv_index *index)
{
    index->count = 0;
    index->has_quotes = false;
    index->is_plain = true;
}

static void fill_bytes(struct csv_index *index, const char *text, size_t first, size_t length)
{
    for (size_t i = first; i < length; i++) {
        if ((i - first) % CHUNK == 0)
            reserve(index);
        if (text[i] == ',')
            index->ends[index->count++] = (uint32_t)i;
        else if (text[i] == '\n')
            index->ends[index->count++] = (uint32_t)i | CSV_INDEX_NEWLINE;
        else if (text[i] == '"')
            index->has_quotes = true;
        else if ((signed char)text[i] <= 0)
            index->is_plain = false;
    }
}

void csv_index_fill_portable(struct csv_index *index, const char *text, size_t length)
{
    begin(index);
    fill_bytes(index, text, 0, length);
}

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2")))

/* Which of 64 bytes are `wanted`, the first in the lowest bit. */
AVX2 static inline uint64_t find(__m256i low, __m256i high, char wanted)
{
    __m256i pattern = _mm256_set1_epi8(wanted);
    uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, pattern));
    uint32_t last = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, pattern));
    return first | (uint64_t)last << 32;
}

/* Writes the ends of a chunk, and up to UNROLL - 1 behind them in vain. */
static inline void add_ends(struct csv_index *index, uint64_t both, uint64_t newlines, size_t first)
{
    size_t count = (size_t)__builtin_popcountll(both);
    uint32_t *ends = index->ends + index->count;
    for (size_t done = 0; done < count; done += UNROLL)
        for (size_t i = 0; i < UNROLL; i++) {
            unsigned bit = (unsigned)__builtin_ctzll(both | UINT64_C(1) << 63);
            ends[done + i] = ((uint32_t)first + bit) | (uint32_t)(newlines >> bit & 1) << 31;
            both &= both - 1;
        }
    index->count += count;
}

AVX2 static void fill_avx2(struct csv_index *index, const char *text, size_t length)
{
    uint64_t quotes = 0, zeros = 0, high = 0;
    size_t i = 0;
    begin(index);
    for (; i + CHUNK <= length; i += CHUNK) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(text + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(text + i + CHUNK / 2));
        uint64_t newlines = find(a, b, '\n');
        reserve(index);
        add_ends(index, newlines | find(a, b, ','), newlines, i);
        quotes |= find(a, b, '"');
        zeros |= find(a, b, 0);
        high |= (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(a, b));
    }
    index->has_quotes = quotes != 0;
    index->is_plain = zeros == 0 && high == 0;
    fill_bytes(index, text, i, length);
}
#endif

void csv_index_fill(struct csv_index *index, const char *text, size_t length)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        fill_avx2(index, text, length);
        return;
    }
#endif
    csv_index_fill_portable(index, text, length);
}

/* Goes on behind `lines`, whose line that follows is without quotes up to `position`. */
static struct csv_lines count_lines(const char *text, size_t length, size_t maximum, size_t enough,
                                    size_t position, struct csv_lines lines)
{
    for (; position < length && lines.count < maximum && lines.length < enough; position++) {
        if (text[position] == '"')
            break;
        if (text[position] == '\n') {
            lines.count++;
            lines.length = position + 1;
        }
    }
    return lines;
}

struct csv_lines csv_index_lines_portable(const char *text, size_t length, size_t maximum,
                                          size_t enough)
{
    return count_lines(text, length, maximum, enough, 0, (struct csv_lines){ 0 });
}

#ifdef __x86_64__
/* Chunks in which nothing can end the lines are counted; the rest is left to the loop. */
AVX2 static struct csv_lines count_lines_avx2(const char *text, size_t length, size_t maximum,
                                              size_t enough)
{
    struct csv_lines lines = { 0 };
    size_t i = 0;
    for (; i + CHUNK <= length && i + CHUNK < enough && lines.count + CHUNK <= maximum;
         i += CHUNK) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(text + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(text + i + CHUNK / 2));
        if (find(a, b, '"') != 0)
            break;
        uint64_t newlines = find(a, b, '\n');
        if (newlines == 0)
            continue;
        lines.count += (size_t)__builtin_popcountll(newlines);
        lines.length = i + CHUNK - (size_t)__builtin_clzll(newlines);
    }
    return count_lines(text, length, maximum, enough, i, lines);
}
#endif

struct csv_lines csv_index_lines(const char *text, size_t length, size_t maximum, size_t enough)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return count_lines_avx2(text, length, maximum, enough);
#endif
    return csv_index_lines_portable(text, length, maximum, enough);
}
