#include "kubesim/runner/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "base/mem.h"

int folder_make(const char *path, struct err *err)
{
    auto_free char *part = mem_strdup(path);
    for (char *slash = part + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return err_errno(err, errno, "%s", part);
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return err_errno(err, errno, "%s", path);
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    remove(path);
    return 0;
}

void folder_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
