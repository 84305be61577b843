/* remote.h - asking an object store over HTTP: what the drivers for buckets stand on.
 *
 * A driver says a question (method, URL, headers, body); remote_ask() brings the answer. It
 * signs the question, sends it, and sends it again while that may help:
 *
 *   408, 425, 429, 5xx, a connection that cannot be made, is cut or stalls: after a growing time
 *       by chance (backoff.h), at least Retry-After, until nothing went on for patience_ms;
 *   401 at once, once, with another signature: the token was withdrawn before its time;
 *   401 and 403 until denied_patience_ms after the first of them that this process met, because
 *       rights and identities take a while to be known; later ones are final.
 *
 * Any other answer, 2xx to 4xx, is the driver's to judge; remote_fail() has the words for those
 * it did not expect. A server that says such things by other statuses has a driver that
 * translates them (`status`). Questions are therefore sent more than once: a driver makes them such
 * that it does no harm. Where the second attempt is answered otherwise than the first (a DELETE
 * with 404, a conditional write with 412), answer.attempts > 1 says that the first may have done
 * it.
 *
 * Bodies are pieces in memory, which can be sent again from any place; a driver cuts what it
 * uploads into such pieces, so that memory does not grow with objects. Answers of unknown
 * size stream through download.h instead.
 *
 * Every call takes one of the remote's connections lines and gives it back, so threads do not
 * wait for each other and connections stay open between questions. */
#pragma once

#include "base/buf.h"
#include "base/mem.h"
#include "net/transport.h"
#include "store/store.h"

struct remote;
struct remote *remote_new(const struct stores_options *options)
    __attribute__((returns_nonnull, warn_unused_result));
void remote_free(struct remote *remote); /* NULL: no effect */

const struct clock *remote_clock(const struct remote *remote) __attribute__((returns_nonnull));
unsigned remote_uploads(const struct remote *remote); /* 1 to SENDERS_MAXIMUM */
/* A variable of the environment; NULL when it is not set or empty. Borrowed. */
const char *remote_variable(const struct remote *remote, const char *name);
/* Appends a file that the environment names: text, so one with a NUL is INVALID. Errors name the
 * path. */
int remote_read_file(const struct remote *remote, const char *path, struct buf *out,
                     struct err *err) __attribute__((warn_unused_result));

/* --- questions ------------------------------------------------------------- */

#define REMOTE_SIGNATURE_HEADERS 8

/* What a download or upload moves within stall_ms, or it is cut as one that stalls: 1 KiB/s. A
 * download that brings less between its failures does not get on. */
#define REMOTE_LEAST_BYTES 30720

/* Authorizes questions. */
struct remote_signer {
    /* Adds at most REMOTE_SIGNATURE_HEADERS headers for `request`, which is as it will be sent;
     * their texts live in the arena. `refused`: the last signature was answered with 401, so
     * nothing kept may be used. Called before every attempt, from the asking thread. */
    int (*sign)(void *context, const struct http_request *request, bool refused,
                struct arena *arena, struct http_header *ret_headers, size_t *ret_count,
                struct err *err);
    void *context;
};

/* All borrowed until the answer is there. */
struct remote_question {
    const char *what;  /* begins messages: "gs://bank/weekly/w7.csv" */
    const char *right; /* what the cloud calls the right to do this, to be named when it is
                          missing: "storage.objects.get"; NULL: not named */
    const char *method, *url;
    const struct http_header *headers; /* besides those of the signature */
    size_t header_count;
    struct span body;
    /* The status that an answer should have had; NULL: that which it has. Also of the answers that
     * a download gets. */
    int (*status)(const struct http_reply *reply);
    const struct remote_signer *signer; /* NULL: nothing is signed */
    const struct tls_options *tls;
    bool own_host;       /* a metadata server: public_hosts_only does not count, proxies neither */
    int64_t timeout_ms;  /* of one attempt; 0: the stores' attempt_ms, or 10 min, but for
                            downloads and large bodies */
    int64_t patience_ms; /* for this question, where that is less than the remote's; 0: it is not */
    bool farewell; /* asked, once, also when the program shall stop: it leaves nothing behind */
};

struct remote_answer {
    struct http_reply reply; /* http_reply_header() works on it; its status is translated */
    unsigned attempts;       /* questions sent */
    struct arena arena;      /* of the reply */
};
void remote_answer_release(struct remote_answer *answer); /* safe on a zeroed struct */
#define auto_answer __attribute__((cleanup(remote_answer_release)))

/* Asks until there is an answer that asking again would not change. RETRY, DENIED, CANCELED, or
 * what the transport or the signer refuses. */
int remote_ask(struct remote *remote, const struct remote_question *question,
               struct remote_answer *ret_answer, struct err *err)
    __attribute__((warn_unused_result));

/* How often something was tried since it last got on; zeroed at the begin and then. */
struct remote_tries {
    unsigned count;
    int64_t since_ms;
    bool refused; /* the last attempt was answered with 401: sign anew */
};

/* The same in steps, for what goes on otherwise after a failure than it began (uploads). One
 * attempt; where asking again may help, the failure is one that remote_try_again() takes. */
int remote_ask_once(struct remote *remote, const struct remote_question *question,
                    const struct remote_tries *tries, struct remote_answer *ret_answer,
                    struct err *err) __attribute__((warn_unused_result));

/* After an attempt that failed because of `why`: waits and returns 0 when another one may help,
 * else -1 with the failure to report. */
int remote_try_again(struct remote *remote, const struct remote_question *question,
                     struct remote_tries *tries, const struct err *why, struct err *err)
    __attribute__((warn_unused_result));

/* Says that the answer is a failure: "<what>: 404 Not Found: <what the server said>", kinds as
 * http_reply_check() has them (a 2xx, which was not expected here: INTERNAL). Returns -1. */
int remote_fail(const struct remote_question *question, const struct http_reply *reply,
                struct err *err);

/* --- walks of folders ----------------------------------------------------------- */

/* When a walk that begins now has taken too long (walk_ms), by the monotonic clock. */
int64_t remote_walk_deadline_ms(const struct remote *remote);

/* Before each page: RETRY when that time has come. */
int remote_check_walk(const struct remote *remote, const char *what, int64_t deadline_ms,
                      struct err *err) __attribute__((warn_unused_result));

/* --- what download.h needs ---------------------------------------------------- */

/* A transport that is used by one caller at a time. NULL: it cannot be made. */
struct remote_line *remote_take_line(struct remote *remote, struct err *err)
    __attribute__((warn_unused_result));
void remote_give_line(struct remote *remote, struct remote_line *take_line); /* NULL: no effect */
struct transport *remote_line_transport(struct remote_line *line) __attribute__((returns_nonnull));

/* Signs and starts one attempt. `handler` gets the transport's callbacks. NULL: not signed. */
struct http_call *remote_start(struct remote *remote, struct remote_line *line,
                               const struct remote_question *question, bool refused,
                               const struct http_handler *handler, void *context, struct err *err)
    __attribute__((warn_unused_result));

/* Runs the line until something happens. CANCELED when the program shall stop. */
int remote_turn(struct remote *remote, struct remote_line *line, struct err *err)
    __attribute__((warn_unused_result));
