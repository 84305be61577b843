#include "base/packer.h"

#include <stdlib.h>
#include <zstd.h>

#include "base/mem.h"

#define LEVEL 1

struct packer {
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
};

struct packer *packer_new(void)
{
    struct packer *packer = mem_zero(1, sizeof(*packer));

    packer->pack = ZSTD_createCCtx();
    packer->unpack = ZSTD_createDCtx();
    if (!packer->pack || !packer->unpack)
        mem_exhausted();
    return packer;
}

void packer_free(struct packer *packer)
{
    if (!packer)
        return;
    ZSTD_freeCCtx(packer->pack);
    ZSTD_freeDCtx(packer->unpack);
    free(packer);
}

void packer_pack(struct packer *packer, struct span text, struct buf *packed)
{
    size_t room = ZSTD_compressBound(text.length);
    auto_free char *bytes = mem_alloc(room);
    size_t length = ZSTD_compressCCtx(packer->pack, bytes, room, text.data, text.length, LEVEL);

    if (ZSTD_isError(length))
        mem_exhausted(); /* there is room for any text: nothing else is left to fail */
    buf_append(packed, bytes, length);
}

void packer_unpack(struct packer *packer, struct span packed, struct buf *text)
{
    unsigned long long length = ZSTD_getFrameContentSize(packed.data, packed.length);
    auto_free char *bytes = NULL;

    if (length == ZSTD_CONTENTSIZE_ERROR || length == ZSTD_CONTENTSIZE_UNKNOWN)
        abort(); /* packer_pack() did not make this */
    bytes = mem_alloc(length);
    if (ZSTD_decompressDCtx(packer->unpack, bytes, length, packed.data, packed.length) != length)
        abort();
    buf_append(text, bytes, length);
}
