/* err.h - how every fallible function in this project reports failure.
 *
 * A function that can fail returns 0 on success and -1 on failure (or NULL
 * where it returns a pointer) and takes `struct err *err` as its LAST
 * parameter. On success *err is not touched. On failure *err says what went
 * wrong and - through its kind - what the caller may do about it. An err owns
 * no memory: it lives on the caller's stack and never needs releasing.
 *
 * Library code never logs and never exits: it returns an err, and whoever
 * decides what to do about it says so, once. */
#pragma once

/* What the caller may do. The list is short on purpose: a kind exists only
 * where some caller acts differently on it. */
enum err_kind {
    ERR_NONE = 0,
    ERR_INVALID,     /* the input is wrong: tell the user, do not retry         */
    ERR_NOT_FOUND,   /* the thing does not exist (HTTP 404, ENOENT)             */
    ERR_EXISTS,      /* something is there already and may not be replaced      */
    ERR_CONFLICT,    /* somebody changed it first (409, 412): re-read, decide again */
    ERR_GONE,        /* the position or generation is too old (410): start over */
    ERR_DENIED,      /* not allowed (401, 403, EACCES): a right is missing      */
    ERR_RETRY,       /* transient (network, 429, 5xx): try again with backoff   */
    ERR_TOO_BIG,     /* a limit of ours was hit; the limit is in the message    */
    ERR_UNSUPPORTED, /* valid, but this version or this server cannot do it     */
    ERR_CANCELED,    /* the caller asked to stop                                */
    ERR_IO,          /* local reading or writing failed (ENOSPC, EIO)           */
    ERR_INTERNAL,    /* a bug or a broken library: none of the above            */
};

struct err {
    enum err_kind kind;
    int http_status;         /* 0 unless an HTTP answer caused it               */
    unsigned retry_after_ms; /* 0 unless the peer said how long to wait         */
    char reason[48];         /* PascalCase word for conditions, "" if none      */
    char message[1024];      /* one line, no trailing dot, UTF-8                */
};

/* Fills *err (reason empty) and returns -1, so `return err_set(err, ...)` is
 * one line. A message that is too long is cut at a UTF-8 boundary; control
 * characters in it are replaced by '?', because messages end in logs and
 * conditions and may quote foreign input. err may be NULL. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like err_set() and also sets the reason, e.g. "DataInvalid". */
int err_reason(struct err *err, enum err_kind kind, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Like err_set() with ": " and the text of `error_number` (an errno) appended;
 * the kind follows from it: ENOENT -> NOT_FOUND, EACCES/EPERM/EROFS -> DENIED,
 * EEXIST -> EXISTS, EINTR/EAGAIN -> RETRY, ENOMEM -> INTERNAL (70, as mem.h says),
 * else IO. */
int err_errno(struct err *err, int error_number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<context>: " before the message that is there. Kind and reason stay. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "; <addition>" behind the message that is there: what to do about it, say. Kind and reason
 * stay. */
int err_append(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "Invalid", "NotFound", ...: the kind as a word for logs and metrics. */
const char *err_kind_name(enum err_kind kind);
