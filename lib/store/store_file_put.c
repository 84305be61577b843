/* store_file_put.c - writing files so that they appear whole. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>

#include "base/limits.h"
#include "base/mem.h"
#include "store/file_parts.h"

#define PART_PREFIX ".churn-part."
/* A part that was not written to for so long, and that nobody has locked, is
 * what a crashed writer left. */
#define PART_STALE_S 3600
#define BUFFER_BYTES (64 * KIB)
/* What the kernel copies at once: little enough for a signal to be noticed. */
#define COPY_BYTES (64 * MIB)

struct file_writer {
    struct store_writer base;
    const struct store_file_io *io;
    enum store_condition condition;
    char *generation, *uri, *path, *part;
    int folder, fd;
    size_t buffered;
    char buffer[BUFFER_BYTES];
};

bool file_is_part(const char *name)
{
    return strncmp(name, PART_PREFIX, strlen(PART_PREFIX)) == 0;
}

static const char *file_name(const struct file_writer *self)
{
    return strrchr(self->path, '/') + 1;
}

/* A folder that was made is durable when the one above it is synced; where that may be written to
 * but not opened, it cannot be. */
static int sync_above(const struct file_writer *self, const char *folder, struct err *err)
{
    auto_free char *above = mem_strndup(folder, (size_t)(strrchr(folder, '/') - folder) + 1);
    auto_close int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && self->io->sync(fd) < 0 ? err_errno(err, errno, "%s", self->uri) : 0;
}

/* mkdir -p for the folders above a path. */
static int make_folders(const struct file_writer *self, struct err *err)
{
    auto_free char *prefix = mem_strdup(self->path);

    for (char *slash = strchr(prefix + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(prefix, 0777) == 0) {
            if (sync_above(self, prefix, err))
                return -1;
        } else if (errno != EEXIST) {
            return err_errno(err, errno, "%s: cannot create folder %s", self->uri, prefix);
        }
        *slash = '/';
    }
    return 0;
}

static int open_folder(struct file_writer *self, struct err *err)
{
    auto_free char *folder = mem_strndup(self->path, (size_t)(file_name(self) - self->path));

    self->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->folder < 0 && errno == ENOENT) {
        if (make_folders(self, err))
            return -1;
        self->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return self->folder < 0 ? err_errno(err, errno, "%s", self->uri) : 0;
}

static int open_part(struct file_writer *self, struct err *err)
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return err_errno(err, errno, "%s: no random number", self->uri);
    /* Long names are cut: the part's name must fit too, and need not be pretty. */
    self->part = mem_format(PART_PREFIX "%.200s.%016" PRIx64, file_name(self), number);
    self->fd = openat(self->folder, self->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (self->fd < 0) {
        int error_number = errno;

        free(TAKE(self->part)); /* there is nothing to remove */
        return err_errno(err, error_number, "%s", self->uri);
    }
    (void)flock(self->fd, LOCK_EX | LOCK_NB); /* tells others that the writer lives */
    return 0;
}

/* Removes one part when its writer is dead. `now_s` is the time of the file
 * system, not ours. */
static void remove_stale(int folder, const char *name, int64_t now_s)
{
    struct stat status;
    auto_close int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        now_s - status.st_mtim.tv_sec > PART_STALE_S && flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(folder, name, 0);
}

/* Cleaning up after others is a courtesy: that it fails is no error. */
static void remove_stale_parts(const struct file_writer *self)
{
    struct stat own;
    int fd = openat(self->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (!folder) {
        if (fd >= 0)
            close(fd);
        return;
    }
    if (fstat(self->fd, &own) == 0)
        for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
            if (file_is_part(entry->d_name) && strcmp(entry->d_name, self->part) != 0)
                remove_stale(self->folder, entry->d_name, own.st_mtim.tv_sec);
    closedir(folder);
}

static int write_all(struct file_writer *self, const char *bytes, size_t length, struct err *err)
{
    while (length > 0) {
        ssize_t written = self->io->write(self->fd, bytes, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return err_errno(err, written < 0 ? errno : ENOSPC, "%s", self->uri);
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

static int flush(struct file_writer *self, struct err *err)
{
    size_t length = self->buffered;

    self->buffered = 0;
    return write_all(self, self->buffer, length, err);
}

static int writer_append(struct store_writer *writer, const void *bytes, size_t length,
                         struct err *err)
{
    struct file_writer *self = (struct file_writer *)writer;

    if (self->buffered + length > BUFFER_BYTES && flush(self, err))
        return -1;
    if (length >= BUFFER_BYTES)
        return write_all(self, bytes, length, err);
    if (length > 0)
        memcpy(self->buffer + self->buffered, bytes, length);
    self->buffered += length;
    return 0;
}

/* From `source` to the end of the part: by the kernel, or through our buffer where it
 * cannot (other file systems, old kernels). 0 bytes at the end of the source. */
static ssize_t copy_some(struct file_writer *self, int source, struct err *err)
{
    ssize_t length = copy_file_range(source, NULL, self->fd, NULL, COPY_BYTES, 0);

    if (length >= 0 || errno == EINTR)
        return length >= 0 ? length : copy_some(self, source, err);
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return err_errno(err, errno, "%s", self->uri);
    do
        length = read(source, self->buffer, BUFFER_BYTES);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return err_errno(err, errno, "%s", self->uri);
    return write_all(self, self->buffer, (size_t)length, err) ? -1 : length;
}

/* Is the open file of that generation now? */
static int check_source(int source, const char *uri, const char *generation, int64_t *ret_bytes,
                        struct err *err)
{
    struct store_info info;
    struct stat status;

    if (fstat(source, &status) < 0)
        return err_errno(err, errno, "%s", uri);
    file_info(&status, &info);
    *ret_bytes = info.bytes;
    return strcmp(info.generation, generation) == 0 ? 0 : store_fail_changed(uri, err);
}

static int writer_append_object(struct store_writer *writer, const char *uri,
                                const char *generation, struct err *err)
{
    struct file_writer *self = (struct file_writer *)writer;
    auto_free char *path = NULL;
    auto_close int source = -1;
    int64_t rest, bytes;
    ssize_t length = 1;

    if (file_path(uri, false, &path, err) || flush(self, err))
        return -1;
    source = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source < 0)
        return err_errno(err, errno, "%s", uri);
    if (check_source(source, uri, generation, &rest, err))
        return -1;
    for (; rest > 0 && length > 0; rest -= length) {
        length = copy_some(self, source, err);
        if (length < 0)
            return -1;
    }
    if (rest > 0)
        return store_fail_changed(uri, err);
    /* Somebody may have written into it meanwhile. */
    return check_source(source, uri, generation, &bytes, err);
}

static int fail_exists(const struct file_writer *self, struct err *err)
{
    return err_set(err, ERR_EXISTS, "%s exists already", self->uri);
}

/* Without hard links or RENAME_NOREPLACE a file system cannot do this; both are
 * tried because network file systems have one or the other. */
static int publish_absent(struct file_writer *self, struct err *err)
{
    if (renameat2(self->folder, self->part, self->folder, file_name(self), RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST)
        return fail_exists(self, err);
    if (errno != EINVAL && errno != ENOSYS)
        return err_errno(err, errno, "%s", self->uri);
    if (linkat(self->folder, self->part, self->folder, file_name(self), 0) < 0)
        return errno == EEXIST ? fail_exists(self, err) : err_errno(err, errno, "%s", self->uri);
    (void)unlinkat(self->folder, self->part, 0);
    return 0;
}

static int check_generation(const struct file_writer *self, struct err *err)
{
    struct store_info info;
    struct stat status;

    if (fstatat(self->folder, file_name(self), &status, 0) == 0) {
        file_info(&status, &info);
        if (strcmp(info.generation, self->generation) == 0)
            return 0;
    } else if (errno != ENOENT) {
        return err_errno(err, errno, "%s", self->uri);
    }
    return err_set(err, ERR_CONFLICT, "%s was changed by somebody else", self->uri);
}

static int publish(struct file_writer *self, struct err *err)
{
    if (self->condition == STORE_IF_ABSENT)
        return publish_absent(self, err);
    if (self->condition == STORE_IF_GENERATION && check_generation(self, err))
        return -1;
    if (renameat(self->folder, self->part, self->folder, file_name(self)) < 0)
        return err_errno(err, errno, "%s", self->uri);
    return 0;
}

static int writer_commit(struct store_writer *writer, struct store_info *ret_info, struct err *err)
{
    struct file_writer *self = (struct file_writer *)writer;
    struct stat status;

    if (flush(self, err))
        return -1;
    if (self->io->sync(self->fd) < 0 || fstat(self->fd, &status) < 0)
        return err_errno(err, errno, "%s", self->uri);
    if (publish(self, err))
        return -1;
    free(TAKE(self->part));
    if (self->io->sync(self->folder) < 0)
        return err_errno(err, errno, "%s", self->uri);
    if (ret_info)
        file_info(&status, ret_info);
    return 0;
}

static void writer_free(struct store_writer *writer)
{
    struct file_writer *self = (struct file_writer *)writer;

    if (self->part)
        (void)unlinkat(self->folder, self->part, 0);
    if (self->fd >= 0)
        close(self->fd);
    if (self->folder >= 0)
        close(self->folder);
    free(self->part);
    free(self->path);
    free(self->uri);
    free(self->generation);
    free(self);
}

struct store_writer *file_put(struct store *store, const char *uri, enum store_condition condition,
                              const char *generation, struct err *err)
{
    auto_store_writer struct store_writer *writer = NULL;
    struct file_writer *self = mem_zero(1, sizeof(*self));

    self->base =
        (struct store_writer){ writer_append, writer_append_object, writer_commit, writer_free };
    self->io = ((struct file_store *)store)->io;
    self->condition = condition;
    self->generation = mem_strdup(generation ? generation : "");
    self->uri = mem_strdup(uri);
    self->folder = self->fd = -1;
    writer = &self->base;
    if (file_path(uri, false, &self->path, err) || open_folder(self, err) || open_part(self, err))
        return NULL;
    remove_stale_parts(self);
    return TAKE(writer);
}
