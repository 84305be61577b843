#include "base/file.h"

#include <errno.h>

#include "base/mem.h"

int file_read(const char *path, struct buf *out, struct err *err)
{
    auto_fclose FILE *file = fopen(path, "re");
    char piece[16384];
    size_t length;

    if (!file)
        return err_errno(err, errno, "%s", path);
    while (!out->overflow && (length = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_append(out, piece, length);
    if (ferror(file))
        return err_errno(err, errno, "%s", path);
    return buf_check(out, path, err);
}
