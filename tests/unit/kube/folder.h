/* folder.h - a temporary folder with small files, removed at the end of a test. */
#pragma once

#include "unit.h"

#include <dirent.h>
#include <sys/stat.h>

struct folder {
    char path[64];
};

static inline void folder_init(struct folder *folder)
{
    snprintf(folder->path, sizeof(folder->path), "/tmp/churn-test-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

/* Files only, no folders in it. */
static inline void folder_release(struct folder *folder)
{
    DIR *listing = opendir(folder->path);

    assert_non_null(listing);
    for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing)) {
        auto_free char *path = mem_format("%s/%s", folder->path, entry->d_name);

        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    closedir(listing);
    assert_int_equal(rmdir(folder->path), 0);
}

/* Writes a file; the path is the caller's to free. */
static inline char *folder_write(const struct folder *folder, const char *name, const char *text,
                                 mode_t mode)
{
    char *path = mem_format("%s/%s", folder->path, name);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}
