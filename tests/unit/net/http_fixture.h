/* http_fixture.h - what the tests of the real transport share: a transport and two
 * httpd servers on loopback, run turn by turn in one thread, and the outcome of an
 * exchange with what its callbacks shall do. */
#pragma once

#include "base/buf.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/httpd.h"

struct http_fixture {
    struct transport *transport;
    struct httpd *server, *other; /* other: where redirects lead */
    struct httpd_exchange *held;
    unsigned requests;
    char seen[256]; /* what `other` saw of credentials */
};
extern struct http_fixture fixture;

/* What came of one exchange. */
struct outcome {
    unsigned done;
    int status;
    struct buf body, pieces;
    char header[128];
    struct err failure;
    bool failed;
    /* what to do in callbacks */
    struct http_call *call, **victim;
    bool cancel_in_data, fail_in_data, start_in_done;
    unsigned pieces_count;
};

void outcome_init(struct outcome *outcome);
void outcome_release(struct outcome *outcome);

int set_up(void **state);
int tear_down(void **state);
#define HTTP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int64_t now_ms(void);
void turn(void);
/* Turns until *value is `wanted`; fails after 20 s. */
void turn_until(const unsigned *value, unsigned wanted);

char *url_of(const struct httpd *server, const char *path);
struct http_call *start(const struct http_request *request, bool stream, struct outcome *outcome);
struct http_call *get(const char *path, struct outcome *outcome);
