#include "csv_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int read_file(void *context, void *buffer, size_t capacity, size_t *ret_length,
                     struct err *err)
{
    struct csv_file *file = context;
    ssize_t length = read(file->descriptor, buffer, capacity);
    if (length < 0)
        return err_errno(err, errno, "read");
    *ret_length = (size_t)length;
    return 0;
}

int csv_file_open(const char *path, struct csv_file *ret_file, struct err *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return err_errno(err, errno, "%s", path);
    *ret_file = (struct csv_file){ .descriptor = descriptor, .source = { read_file, ret_file } };
    ret_file->reader = csv_reader_new(path, &ret_file->source, err);
    if (ret_file->reader)
        return 0;
    close(descriptor);
    return -1;
}

void csv_file_close(struct csv_file *file)
{
    if (!file->reader)
        return;
    csv_reader_free(file->reader);
    close(file->descriptor);
}
