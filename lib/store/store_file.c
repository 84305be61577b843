/* store_file.c - reading, listing and removing files. */
#include "store/store_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/uri.h"
#include "store/file_parts.h"

int file_path(const char *uri, bool folder, char **ret_path, struct err *err)
{
    static const char *const schemes[] = { "file", NULL };
    struct uri parsed;

    if (uri_parse(uri, schemes, &parsed, err))
        return -1;
    if (parsed.is_folder != folder)
        return err_set(err, ERR_INVALID, "%s: expected the URI of a %s", uri,
                       folder ? "folder, which ends in '/'" : "file");
    *ret_path = mem_strndup(parsed.path.data, parsed.path.length);
    return 0;
}

void file_info(const struct stat *stat, struct store_info *ret_info)
{
    *ret_info = (struct store_info){
        .bytes = stat->st_size,
        .updated_ns = store_nanoseconds(stat->st_mtim.tv_sec, stat->st_mtim.tv_nsec),
    };
    snprintf(ret_info->generation, sizeof(ret_info->generation), "%ju-%jd-%jd.%09ld",
             (uintmax_t)stat->st_ino, (intmax_t)stat->st_size, (intmax_t)stat->st_mtim.tv_sec,
             stat->st_mtim.tv_nsec);
}

static int file_stat(struct store *store, const char *uri, struct store_info *ret_info,
                     struct err *err)
{
    auto_free char *path = NULL;
    struct stat status;

    (void)store;
    if (file_path(uri, false, &path, err))
        return -1;
    if (stat(path, &status) < 0)
        return err_errno(err, errno, "%s", uri);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_INVALID, "%s is not a regular file", uri);
    file_info(&status, ret_info);
    return 0;
}

/* --- reading ------------------------------------------------------------ */

struct file_reader {
    struct store_reader base;
    int fd;
    char *uri;
    struct store_info info; /* when it was opened */
    uint64_t rest;          /* of the range */
};

/* Somebody may have written into the file while we read it. */
static int check_unchanged(const struct file_reader *self, struct err *err)
{
    struct store_info now;
    struct stat status;

    if (fstat(self->fd, &status) < 0)
        return err_errno(err, errno, "%s", self->uri);
    file_info(&status, &now);
    return strcmp(now.generation, self->info.generation) == 0 ? 0
                                                              : store_fail_changed(self->uri, err);
}

static int reader_read(void *context, void *buffer, size_t capacity, size_t *ret_length,
                       struct err *err)
{
    struct file_reader *self = context;
    ssize_t length;

    if (capacity > self->rest)
        capacity = (size_t)self->rest;
    do
        length = capacity > 0 ? read(self->fd, buffer, capacity) : 0;
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return err_errno(err, errno, "%s", self->uri);
    if (length == 0 && check_unchanged(self, err))
        return -1;
    self->rest -= (uint64_t)length;
    *ret_length = (size_t)length;
    return 0;
}

static void reader_free(struct store_reader *reader)
{
    struct file_reader *self = (struct file_reader *)reader;

    if (self->fd >= 0)
        close(self->fd);
    free(self->uri);
    free(self);
}

static int open_reader(struct file_reader *self, const char *path, struct err *err)
{
    struct stat status;

    /* O_NONBLOCK: a FIFO is refused below instead of waited for. */
    self->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (self->fd < 0)
        return err_errno(err, errno, "%s", self->uri);
    if (fstat(self->fd, &status) < 0)
        return err_errno(err, errno, "%s", self->uri);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_INVALID, "%s is not a regular file", self->uri);
    file_info(&status, &self->info);
    return 0;
}

static int seek_reader(struct file_reader *self, const struct store_range *range, struct err *err)
{
    uint64_t size = (uint64_t)self->info.bytes;
    uint64_t offset = range && range->offset < size ? range->offset : range ? size : 0;

    self->rest = size - offset;
    if (range && range->length > 0 && range->length < self->rest)
        self->rest = range->length;
    if (lseek(self->fd, (off_t)offset, SEEK_SET) < 0)
        return err_errno(err, errno, "%s", self->uri);
    return 0;
}

static struct store_reader *file_get(struct store *store, const char *uri, const char *generation,
                                     const struct store_range *range, struct store_info *ret_info,
                                     struct err *err)
{
    auto_free char *path = NULL;
    auto_store_reader struct store_reader *reader = NULL;
    struct file_reader *self;

    (void)store;
    if (file_path(uri, false, &path, err))
        return NULL;
    self = mem_zero(1, sizeof(*self));
    self->base = (struct store_reader){ { reader_read, self }, reader_free };
    self->uri = mem_strdup(uri);
    self->fd = -1;
    reader = &self->base;
    if (open_reader(self, path, err) || seek_reader(self, range, err))
        return NULL;
    if (generation && strcmp(generation, self->info.generation) != 0) {
        store_fail_changed(uri, err);
        return NULL;
    }
    if (ret_info)
        *ret_info = self->info;
    return TAKE(reader);
}

/* --- folders ------------------------------------------------------------ */

/* Gone since, or a link to what is not there or cannot be reached: nothing that is in the folder.
 */
static bool leads_nowhere(int folder, const char *name, int error_number)
{
    struct stat status;

    if (error_number == ENOENT)
        return true;
    return (error_number == ELOOP || error_number == ENOTDIR || error_number == EACCES ||
            error_number == ENAMETOOLONG) &&
           fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

static int show_entry(int folder, const char *name, const char *folder_uri, store_visit visit,
                      void *context, struct err *err)
{
    struct store_entry entry = { 0 };
    char *copy auto_free = NULL;
    struct stat status;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || file_is_part(name))
        return 0;
    if (fstatat(folder, name, &status, 0) < 0) {
        int error_number = errno;

        return leads_nowhere(folder, name, error_number)
                   ? 0
                   : err_errno(err, error_number, "%s%s", folder_uri, name);
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return 0;
    entry.name = copy = mem_strdup(name);
    entry.is_folder = S_ISDIR(status.st_mode);
    if (!entry.is_folder)
        file_info(&status, &entry.info);
    return visit(context, &entry, err);
}

static void close_folder(DIR **folder)
{
    if (*folder)
        closedir(*folder);
}

static int file_walk(struct store *store, const char *folder_uri, store_visit visit, void *context,
                     struct err *err)
{
    auto_free char *path = NULL;
    DIR *folder __attribute__((cleanup(close_folder))) = NULL;

    (void)store;
    if (file_path(folder_uri, true, &path, err))
        return -1;
    folder = opendir(path);
    if (!folder)
        return err_errno(err, errno, "%s", folder_uri);
    for (;;) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(folder);
        if (!entry)
            return errno ? err_errno(err, errno, "%s", folder_uri) : 0;
        if (show_entry(dirfd(folder), entry->d_name, folder_uri, visit, context, err))
            return -1;
    }
}

static int file_remove(struct store *store, const char *uri, struct err *err)
{
    auto_free char *path = NULL;

    (void)store;
    if (file_path(uri, false, &path, err))
        return -1;
    return unlink(path) < 0 ? err_errno(err, errno, "%s", uri) : 0;
}

static DIR *open_folder(int parent, const char *name, const char *uri, struct err *err)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);

    if (folder)
        return folder;
    err_errno(err, errno, "%s", uri);
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Empties the folder `name` of `parent` and removes it. */
static int remove_tree(int parent, const char *name, unsigned depth, const char *uri,
                       struct err *err)
{
    DIR *folder __attribute__((cleanup(close_folder))) = NULL;

    if (depth > LIMIT_STORE_DEPTH)
        return err_set(err, ERR_TOO_BIG, "%s has more than %d folders in each other", uri,
                       LIMIT_STORE_DEPTH);
    folder = open_folder(parent, name, uri, err);
    if (!folder)
        return -1;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            unlinkat(dirfd(folder), entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM) /* POSIX has the second for folders */
            return err_errno(err, errno, "%s: cannot remove %s", uri, entry->d_name);
        if (remove_tree(dirfd(folder), entry->d_name, depth + 1, uri, err))
            return -1;
    }
    return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? err_errno(err, errno, "%s", uri) : 0;
}

static int file_remove_folder(struct store *store, const char *folder_uri, struct err *err)
{
    auto_free char *path = NULL;

    (void)store;
    if (file_path(folder_uri, true, &path, err))
        return -1;
    path[strlen(path) - 1] = '\0'; /* O_NOFOLLOW looks through a link before a slash */
    return remove_tree(AT_FDCWD, path, 1, folder_uri, err);
}

static void file_close(struct store *store)
{
    free(store);
}

static const struct store_driver driver = {
    .stat = file_stat,
    .get = file_get,
    .put = file_put,
    .remove = file_remove,
    .walk = file_walk,
    .remove_folder = file_remove_folder,
    .close = file_close,
};

struct store *store_file_new(const struct store_file_io *io)
{
    static const struct store_file_io system_io = { write, fsync };
    struct file_store *self = mem_zero(1, sizeof(*self));

    self->base.driver = &driver;
    self->io = io ? io : &system_io;
    return &self->base;
}
