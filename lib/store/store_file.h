/* store_file.h - file:// URIs as a store.
 *
 * A generation is made of inode, size and modification time. Objects are written
 * to ".churn-part.<name>.<random>" in their folder, synced and renamed, then
 * the folder is synced; listings do not show such files, and the next put into
 * the folder removes those that a crashed writer left behind: old and not locked
 * by anybody. Demanding a generation is checked right before the rename: a file
 * system has no compare-and-rename, so two writers at the very same moment are
 * not told apart.
 *
 * Links to files and folders count as what they lead to; those that lead nowhere are in no
 * listing. */
#pragma once

#include <sys/types.h>

#include "store/store.h"

/* The system calls that tests let fail. */
struct store_file_io {
    ssize_t (*write)(int fd, const void *bytes, size_t length);
    int (*sync)(int fd);
};

/* `io` is borrowed; NULL for the system's. */
struct store *store_file_new(const struct store_file_io *io) __attribute__((returns_nonnull));
