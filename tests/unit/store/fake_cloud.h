/* fake_cloud.h - a transport without a network: one function answers every question, time
 * is virtual, and answers are cut, stalled or refused as a test says. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "net/transport.h"
#include "store/store.h"

struct fake_reply {
    int status; /* 0: the connection cannot be made */
    struct http_header headers[8];
    size_t header_count;
    struct span body; /* valid until the answer is over */
    bool cut, stall;  /* what happens behind the body, instead of its end */
};

/* At most as many exchanges as a test has readers. */
#define FAKE_CALLS 8

struct fake_cloud {
    struct transport transport; /* first */
    struct clock clock;
    int64_t now_ms; /* of both clocks */
    size_t piece;   /* bytes of a body at a time; 0: 10 */
    /* Answers; the request is as it was sent. */
    void (*serve)(void *context, const struct http_request *request, struct fake_reply *ret_reply);
    void *context;
    unsigned requests, answers, troubles; /* answers: that came to their end */
    struct buf log;                       /* "GET <url>\n" for each question */
    struct http_call *calls[FAKE_CALLS];  /* running */
    volatile sig_atomic_t stop;
    int64_t stop_at_ms;           /* a signal comes then; 0: never */
    const char *const *variables; /* name, value, name, value, NULL */
};

void fake_cloud_init(struct fake_cloud *cloud,
                     void (*serve)(void *context, const struct http_request *request,
                                   struct fake_reply *ret_reply),
                     void *context);
void fake_cloud_release(struct fake_cloud *cloud);

/* Options that lead to the fake; a test changes what it likes. */
struct stores_options fake_cloud_options(struct fake_cloud *cloud);

void fake_header(struct fake_reply *reply, const char *name, const char *value);
/* A header that was sent; NULL: none. */
const char *fake_sent(const struct http_request *request, const char *name);
