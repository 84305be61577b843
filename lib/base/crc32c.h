/* crc32c.h - CRC-32C (Castagnoli), the checksum that object stores keep of every object.
 *
 * RFC 3720, appendix B.4: polynomial 0x1EDC6F41, reflected, with all bits inverted at both
 * ends. The value of no bytes is 0, and values are continued:
 * crc32c_add(crc32c_add(0, a), b) is that of a and b one after the other. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* By the processor's instruction where it has one (SSE 4.2), else by tables. */
uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t length);

/* The twin that works everywhere; for tests. */
uint32_t crc32c_add_by_tables(uint32_t crc, const void *bytes, size_t length);

/* The value of two texts one after the other, from those of each and the second's length:
 * what composing objects must give. */
uint32_t crc32c_join(uint32_t first, uint32_t second, uint64_t second_length);
