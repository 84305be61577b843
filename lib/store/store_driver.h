/* store_driver.h - what a URI scheme implements; only lib/store includes it.
 *
 * The functions have the contracts of store.h. A driver embeds the structs
 * below as the first member of its own and frees them in its destructors. */
#pragma once

#include <pthread.h>

#include "store/store.h"

struct store_driver {
    int (*stat)(struct store *store, const char *uri, struct store_info *ret_info, struct err *err);
    struct store_reader *(*get)(struct store *store, const char *uri, const char *generation,
                                const struct store_range *range, struct store_info *ret_info,
                                struct err *err);
    struct store_writer *(*put)(struct store *store, const char *uri,
                                enum store_condition condition, const char *generation,
                                struct err *err);
    int (*remove)(struct store *store, const char *uri, struct err *err);
    int (*walk)(struct store *store, const char *folder_uri, store_visit visit, void *context,
                struct err *err);
    int (*remove_folder)(struct store *store, const char *folder_uri, struct err *err);
    void (*close)(struct store *store);
};

struct store {
    const struct store_driver *driver;
};

struct store_reader {
    struct byte_source source;
    void (*free)(struct store_reader *reader);
};

struct store_writer {
    int (*append)(struct store_writer *writer, const void *bytes, size_t length, struct err *err);
    int (*append_object)(struct store_writer *writer, const char *uri, const char *generation,
                         struct err *err);
    int (*commit)(struct store_writer *writer, struct store_info *ret_info, struct err *err);
    void (*free)(struct store_writer *writer);
};

/* What all stores of a process share. */
struct stores {
    struct remote *remote;
    pthread_mutex_t mutex; /* of what drivers make when it is first needed */
    struct gs_account *gs;
    struct s3_client *s3;
};

/* Nanoseconds since 1970. Who uploads may set any time: what is earlier counts as 1970, and what is
 * too late for 64 bits, in the year 2262, as the last one. */
int64_t store_nanoseconds(int64_t seconds, int64_t nanoseconds);
int64_t store_nanoseconds_of_ms(int64_t unix_ms);

/* ERR_GONE, reason InputChanged. */
int store_fail_changed(const char *uri, struct err *err);
