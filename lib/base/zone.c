#include "base/zone.h"

#include "base/file.h"
#include "base/limits.h"

#define HEADER        44 /* bytes: magic, version, 15 reserved, six counts */
#define TYPE          6  /* bytes of a local time type: offset, flag, designation */
#define OFFSET_BOUND  (26 * 3600)
#define LIMIT_OF_NAME 64

const struct zone zone_utc = { 0 };

/* --- compiled files -------------------------------------------------------- */

struct counts {
    uint32_t is_utc, is_standard, leaps, times, types, characters;
};

static uint32_t read_32(const char *bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;

    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_64(const char *bytes)
{
    return (int64_t)((uint64_t)read_32(bytes) << 32 | read_32(bytes + 4));
}

static int take_header(struct span *rest, struct counts *ret_counts, struct err *err)
{
    if (rest->length < HEADER || memcmp(rest->data, "TZif", 4) != 0)
        return err_set(err, ERR_INVALID, "is no compiled time zone: must begin with TZif");
    if (rest->data[4] < '2')
        return err_set(err, ERR_INVALID, "must be of version 2 or later");
    *ret_counts = (struct counts){
        .is_utc = read_32(rest->data + 20),
        .is_standard = read_32(rest->data + 24),
        .leaps = read_32(rest->data + 28),
        .times = read_32(rest->data + 32),
        .types = read_32(rest->data + 36),
        .characters = read_32(rest->data + 40),
    };
    rest->data += HEADER;
    rest->length -= HEADER;
    return 0;
}

/* Bytes of the block that a header announces. Each count is below 2^32, so nothing overflows. */
static uint64_t block_length(const struct counts *counts, uint64_t time_size)
{
    return counts->times * (time_size + 1) + (uint64_t)counts->types * TYPE + counts->characters +
           counts->leaps * (time_size + 4) + counts->is_standard + counts->is_utc;
}

static int skip(struct span *rest, uint64_t length, struct err *err)
{
    if (length > rest->length)
        return err_set(err, ERR_INVALID, "ends too early");
    rest->data += length;
    rest->length -= length;
    return 0;
}

static int read_offset(const char *types, size_t index, int32_t *ret_offset, struct err *err)
{
    int32_t offset = (int32_t)read_32(types + index * TYPE);

    if (offset <= -OFFSET_BOUND || offset >= OFFSET_BOUND)
        return err_set(err, ERR_INVALID, "has an offset of more than a day");
    *ret_offset = offset;
    return 0;
}

/* `block` is as long as its counts say. */
static int read_block(const char *block, const struct counts *counts, struct arena *arena,
                      struct zone *zone, struct err *err)
{
    const char *indexes = block + (size_t)counts->times * 8;
    const char *types = indexes + counts->times;
    int64_t *times_s = arena_zero(arena, counts->times, sizeof(*times_s));
    int32_t *offsets = arena_zero(arena, counts->times, sizeof(*offsets));

    if (counts->types == 0 || counts->leaps > 0)
        return err_set(err, ERR_INVALID, "must have a local time and no leap seconds");
    if (read_offset(types, 0, &zone->first_offset, err) < 0)
        return -1;
    for (size_t i = 0; i < counts->times; i++) {
        unsigned char type = (unsigned char)indexes[i];

        times_s[i] = read_64(block + i * 8);
        if (type >= counts->types || (i > 0 && times_s[i] <= times_s[i - 1]))
            return err_set(err, ERR_INVALID, "has transitions out of order");
        if (read_offset(types, type, &offsets[i], err) < 0)
            return -1;
    }
    zone->count = counts->times;
    zone->times_s = times_s;
    zone->offsets = offsets;
    return 0;
}

/* A newline, the rule (which may be empty), a newline. */
static int read_footer(struct span footer, struct zone *zone, struct err *err)
{
    const char *end = footer.length > 1 ? memchr(footer.data + 1, '\n', footer.length - 1) : NULL;

    if (!end || footer.data[0] != '\n')
        return err_set(err, ERR_INVALID, "ends too early");
    if (end == footer.data + 1)
        return 0;
    zone->has_rule = true;
    return zone_parse_rule((struct span){ footer.data + 1, (size_t)(end - footer.data) - 1 },
                           &zone->rule, err);
}

int zone_parse(struct span file, struct arena *arena, struct zone *ret_zone, struct err *err)
{
    struct span rest = file;
    struct counts counts;
    struct zone zone = { 0 };
    const char *block;

    /* The first block has times of 32 bits; the second, complete one follows. */
    if (take_header(&rest, &counts, err) < 0 || skip(&rest, block_length(&counts, 4), err) < 0 ||
        take_header(&rest, &counts, err) < 0)
        return -1;
    block = rest.data;
    if (skip(&rest, block_length(&counts, 8), err) < 0 ||
        read_block(block, &counts, arena, &zone, err) < 0 || read_footer(rest, &zone, err) < 0)
        return -1;
    *ret_zone = zone;
    return 0;
}

int zone_check_name(const char *text, struct err *err)
{
    size_t length = strlen(text);
    bool valid = length > 0 && length <= LIMIT_OF_NAME && text[0] != '/' && text[length - 1] != '/';

    for (size_t i = 0; valid && i < length; i++)
        valid = text[i] == '/'
                    ? text[i + 1] != '/'
                    : (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
                          (text[i] >= '0' && text[i] <= '9') || text[i] == '_' || text[i] == '-' ||
                          text[i] == '+';
    if (valid)
        return 0;
    return err_set(err, ERR_INVALID,
                   "must be the name of a time zone such as Europe/Berlin or UTC");
}

int zone_read(const char *folder, const char *name, struct arena *arena, struct zone *ret_zone,
              struct err *err)
{
    auto_buf struct buf file = { .maximum = LIMIT_ZONE_FILE };

    if (zone_check_name(name, err) < 0)
        return -1;
    if (strcmp(name, "UTC") == 0) {
        *ret_zone = zone_utc;
        return 0;
    }
    if (!folder)
        return err_set(err, ERR_NOT_FOUND, "no time zones are installed");
    auto_free char *path = mem_format("%s/%s", folder, name);

    if (file_read(path, &file, err) < 0)
        return -1;
    if (zone_parse((struct span){ file.data, file.length }, arena, ret_zone, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

/* --- looking up ------------------------------------------------------------ */

/* The last transition at or before time_s; there is one. */
static size_t find_transition(const struct zone *zone, int64_t time_s)
{
    size_t low = 0, high = zone->count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (zone->times_s[middle] <= time_s)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int32_t zone_offset(const struct zone *zone, int64_t time_s, int64_t *ret_until_s)
{
    size_t i;

    *ret_until_s = INT64_MAX;
    if (zone->count > 0 && time_s < zone->times_s[0]) {
        *ret_until_s = zone->times_s[0];
        return zone->first_offset;
    }
    i = zone->count > 0 ? find_transition(zone, time_s) : 0;
    if (i + 1 < zone->count) {
        *ret_until_s = zone->times_s[i + 1];
        return zone->offsets[i];
    }
    if (zone->has_rule)
        return zone_rule_offset(&zone->rule, time_s, ret_until_s);
    return zone->count > 0 ? zone->offsets[i] : zone->first_offset;
}
