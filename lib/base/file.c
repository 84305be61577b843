#include "base/file.h"

#include <errno.h>
#include <fcntl.h>

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

int file_append(int fd, struct span bytes)
{
    while (bytes.length > 0) {
        ssize_t written = write(fd, bytes.data, bytes.length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = ENOSPC;
        if (written <= 0)
            return -1;
        bytes.data += written;
        bytes.length -= (size_t)written;
    }
    return 0;
}

int file_write(const char *path, mode_t mode, struct span bytes, struct err *err)
{
    auto_close int fd = -1;

    do
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0 || file_append(fd, bytes) < 0)
        return err_errno(err, errno, "%s", path);
    return 0;
}
