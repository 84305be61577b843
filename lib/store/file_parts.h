/* file_parts.h - what the two halves of the file:// driver share. */
#pragma once

#include <sys/stat.h>

#include "store/store_driver.h"
#include "store/store_file.h"

struct file_store {
    struct store base;
    const struct store_file_io *io;
};

/* The path of a file:// URI; the caller frees. */
int file_path(const char *uri, bool folder, char **ret_path, struct err *err)
    __attribute__((warn_unused_result));
void file_info(const struct stat *stat, struct store_info *ret_info);

/* Is this the name of an unfinished object? */
bool file_is_part(const char *name);

struct store_writer *file_put(struct store *store, const char *uri, enum store_condition condition,
                              const char *generation, struct err *err)
    __attribute__((warn_unused_result));
