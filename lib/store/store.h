/* store.h - bytes at a URI: the one way programs read and write files and objects.
 *
 * An object appears whole or not at all, and every object has a generation: a
 * text that changes whenever its content is replaced. Readers may ask for one
 * generation, writers may demand that the object is absent or still of one
 * generation. Names are URIs; folders end in '/' and come into being with the
 * first object in them.
 *
 * A store belongs to a URI scheme (and bucket); what all stores of a process share
 * (connections, credentials, patience) is in a struct stores. Drivers implement the
 * small set of functions in store_driver.h: file:// is here, buckets stand on remote.h.
 * All calls block, and what is temporary (a busy server, a connection that is cut or
 * stalls) is tried again before it is an error. stores and a store may be shared by
 * threads, a reader or writer not. They are released in the opposite order.
 *
 * Errors name the URI, never a secret. NOT_FOUND, GONE (another generation), EXISTS and
 * CONFLICT (a condition does not hold) and DENIED mean what they say; RETRY: a bucket cannot
 * be reached, or its bytes came damaged, in spite of all attempts; IO: a local file. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "base/stream.h"

#define STORE_GENERATION 96 /* bytes of a generation with its NUL */

/* Objects of one folder that a listing may return; more is ERR_TOO_BIG. */
#define LIMIT_STORE_LIST 100000

/* Folders in each other that are removed at once. Ours have one below a version. */
#define LIMIT_STORE_DEPTH 8

struct store_info {
    int64_t bytes;
    int64_t updated_ns; /* since 1970, by the store's clock */
    char generation[STORE_GENERATION];
};

/* --- what all stores share ------------------------------------------------ */

struct transport;
struct guard_peers;
struct proxy_environment;

/* Everything zero or NULL is the default. Texts and pointers are borrowed until stores_free(). */
struct stores_options {
    /* The environment (getenv() of a program): where credentials and endpoints are found.
     * NULL: an empty one. */
    const char *(*variable)(void *context, const char *name);
    /* Appends a file that the environment names; NULL: file_read(). */
    int (*read_file)(void *context, const char *path, struct buf *out, struct err *err);
    /* An attempt failed; the next one begins after delay_ms. From any thread that uses a store. */
    void (*on_trouble)(void *context, const struct err *why, int64_t delay_ms);
    void *context;
    const volatile sig_atomic_t *stop; /* set by a signal: calls end soon with CANCELED */
    int64_t patience_ms;               /* without getting on; default 2 min, -1: none */
    /* How long 401 and 403 are tried again, from the first one on: a workload identity takes a
     * while to be known. Default 60 s, -1: not at all. */
    int64_t denied_patience_ms;
    /* A transfer that moves no byte for so long is cut, a large one also when it moves fewer than
     * 30 KiB; default 30 s. */
    int64_t stall_ms;
    /* So is one that takes longer than this, at whatever pace; 0: 10 min, large ones no limit. */
    int64_t attempt_ms;
    /* How long the pages of one folder may take in all: then no more are asked for (RETRY). 0: no
     * limit. */
    int64_t walk_ms;
    /* Parts of one object that are sent at a time, each by a thread; 0: the default, 3; 1: without
     * threads. */
    unsigned uploads;
    /* Endpoints are named by users: they may not lead to this machine or link (HOST_PUBLIC of
     * net/transport.h). */
    bool public_hosts_only;
    /* Nor may those lead where these remember to have been (the API server, net/guard.h). NULL: no
     * such place is known. */
    struct guard_peers *private_peers;
    /* Through which endpoints are reached, but for loopback and metadata servers. NULL: those that
     * `variable` names. */
    const struct proxy_environment *proxies;
    /* For tests. */
    const struct clock *clock;
    struct transport *(*transport_new)(void *context, struct err *err);
    void (*transport_free)(struct transport *transport);
};

/* Opens no connection yet. */
struct stores *stores_new(const struct stores_options *options)
    __attribute__((returns_nonnull, warn_unused_result));
void stores_free(struct stores *stores);
void stores_cleanup(struct stores **stores);
#define auto_stores __attribute__((cleanup(stores_cleanup)))

/* The store that a URI belongs to. `stores` NULL: for file:// only. INVALID for a scheme
 * without driver. */
struct store *store_open(struct stores *stores, const char *uri, struct err *err)
    __attribute__((warn_unused_result));
void store_close(struct store *store);
void store_cleanup(struct store **store);
#define auto_store __attribute__((cleanup(store_cleanup)))

/* ERR_NOT_FOUND when there is no such object. */
int store_stat(struct store *store, const char *uri, struct store_info *ret_info, struct err *err)
    __attribute__((warn_unused_result));

/* --- reading ------------------------------------------------------------ */

struct store_range {
    uint64_t offset;
    uint64_t length; /* 0: to the end */
};

/* Opens an object as a stream. `generation`: what it must be, or NULL. `range`: a
 * part of it, or NULL. ERR_GONE with reason InputChanged when the object is of
 * another generation, also when it becomes so while it is read (read() then
 * fails, at the latest at the end). ret_info may be NULL. */
struct store_reader *store_get(struct store *store, const char *uri, const char *generation,
                               const struct store_range *range, struct store_info *ret_info,
                               struct err *err) __attribute__((warn_unused_result));
const struct byte_source *store_reader_source(struct store_reader *reader)
    __attribute__((returns_nonnull));
void store_reader_free(struct store_reader *reader);
void store_reader_cleanup(struct store_reader **reader);
#define auto_store_reader __attribute__((cleanup(store_reader_cleanup)))

/* A whole object of at most `maximum` bytes; the caller frees *ret_text, which is
 * NUL-terminated. ERR_TOO_BIG when there is more. */
int store_get_text(struct store *store, const char *uri, size_t maximum, char **ret_text,
                   size_t *ret_length, struct err *err) __attribute__((warn_unused_result));

/* --- writing ------------------------------------------------------------ */

/* What must hold when a put is committed. */
enum store_condition {
    STORE_ALWAYS,
    STORE_IF_ABSENT,     /* else ERR_EXISTS   */
    STORE_IF_GENERATION, /* else ERR_CONFLICT */
};

/* Begins an object. Nothing is visible before store_writer_commit(); freeing a
 * writer that was not committed leaves nothing behind. */
struct store_writer *store_put(struct store *store, const char *uri, enum store_condition condition,
                               const char *generation, struct err *err)
    __attribute__((warn_unused_result));
int store_writer_append(struct store_writer *writer, const void *bytes, size_t length,
                        struct err *err) __attribute__((warn_unused_result));
/* Appends a whole object of the same store, which must be of that generation (else
 * ERR_GONE, reason InputChanged). A store that can copies it by itself (GCS composes,
 * S3 copies parts, Linux copies between files): the way to make one object from many. Before the
 * first of them at most STORE_HEAD_BYTES may have been appended (else ERR_UNSUPPORTED). */
#define STORE_HEAD_BYTES (8 * 1024 * 1024)
int store_writer_append_object(struct store_writer *writer, const char *uri, const char *generation,
                               struct err *err) __attribute__((warn_unused_result));
/* Publishes the object durably. ret_info may be NULL. */
int store_writer_commit(struct store_writer *writer, struct store_info *ret_info, struct err *err)
    __attribute__((warn_unused_result));
void store_writer_free(struct store_writer *writer);
void store_writer_cleanup(struct store_writer **writer);
#define auto_store_writer __attribute__((cleanup(store_writer_cleanup)))

/* A whole object at once. */
int store_put_text(struct store *store, const char *uri, struct span text,
                   enum store_condition condition, const char *generation, struct err *err)
    __attribute__((warn_unused_result));

/* Removes an object. ERR_NOT_FOUND when there is none. */
int store_delete(struct store *store, const char *uri, struct err *err)
    __attribute__((warn_unused_result));

/* --- folders ------------------------------------------------------------ */

struct store_entry {
    char *name; /* without the folder; a folder's without '/' */
    bool is_folder;
    struct store_info info; /* of objects */
};

struct store_listing {
    struct store_entry *entries; /* sorted by name, bytewise */
    size_t count;
};
void store_listing_release(struct store_listing *listing);
#define auto_store_listing __attribute__((cleanup(store_listing_release)))

/* Looks at one entry, which is borrowed; -1 with *err ends the walk. */
typedef int (*store_visit)(void *context, const struct store_entry *entry, struct err *err);

/* Shows what is directly in a folder, in no order, unfinished objects and names with U+0000 left
 * out, and keeps nothing of it: for folders of any size. ERR_NOT_FOUND when a file:// folder does
 * not exist. */
int store_walk(struct store *store, const char *folder_uri, store_visit visit, void *context,
               struct err *err) __attribute__((warn_unused_result));

/* The same as a list. */
int store_list(struct store *store, const char *folder_uri, struct store_listing *ret_listing,
               struct err *err) __attribute__((warn_unused_result));

/* Removes a folder with everything in it, unfinished objects included; links are
 * removed, never followed. ERR_NOT_FOUND when a file:// folder does not exist, ERR_TOO_BIG
 * for folders in each other deeper than LIMIT_STORE_DEPTH. After a failure some of it may be gone.
 */
int store_delete_folder(struct store *store, const char *folder_uri, struct err *err)
    __attribute__((warn_unused_result));

/* A non-empty *.csv, *.csv.gz or *.csv.zst whose name does not begin with '.' or '_'. */
bool store_is_data_file(const struct store_entry *entry);

/* The newest data file directly in a folder of any size: greatest (updated, name) among non-empty
 * *.csv, *.csv.gz and *.csv.zst whose names do not begin with '.' or '_' and are UTF-8 without
 * control characters, so that a URI can name them. The caller frees *ret_uri; NULL: there is none,
 * and *ret_info is not set. ret_info may be NULL. */
int store_newest(struct store *store, const char *folder_uri, char **ret_uri,
                 struct store_info *ret_info, struct err *err) __attribute__((warn_unused_result));

/* A URI as given when it names a file, else that of the folder's newest data file
 * (ERR_NOT_FOUND, reason InputNotFound, when it holds none). The caller frees. */
char *store_resolve(struct store *store, const char *uri, struct err *err)
    __attribute__((warn_unused_result));

/* "w7.csv": the last segment of a URI, for messages. Borrowed. */
const char *store_name(const char *uri) __attribute__((returns_nonnull));
