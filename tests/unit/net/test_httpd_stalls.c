/* Goal: nobody holds a connection of httpd for ever. Method: a peer sends a byte now and then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/httpd.h"

enum { PAUSE_MS = 200, PATIENCE_MS = 30000 }; /* so few bytes are a legal request */

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&clock_system);
}

static void refuse_all(void *context, struct httpd_exchange *exchange)
{
    (void)context, (void)exchange;
    fail_msg("a request came whole");
}

static int dial(const struct httpd *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)httpd_port(server)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void a_request_has_its_time_as_a_whole(void **state)
{
    static const char *const beginnings[] = { "GET /", "POST / HTTP/1.1\r\nHost: h\r\n"
                                                       "Content-Length: 100000\r\n\r\n" };
    struct httpd_options options = { .address = "127.0.0.1",
                                     .handler = refuse_all,
                                     .stalled_s = 1 };
    struct err err;
    struct httpd *server = httpd_new(&options, &err);

    (void)state;
    assert_non_null(server);
    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        int64_t give_up_ms = now_ms() + PATIENCE_MS;
        size_t length = strlen(beginnings[i]);
        int fd = dial(server);

        assert_int_equal(send(fd, beginnings[i], length, MSG_NOSIGNAL), length);
        while (send(fd, "x", 1, MSG_NOSIGNAL) == 1) {
            int64_t next_ms = now_ms() + PAUSE_MS;

            if (now_ms() > give_up_ms)
                fail_msg("the connection is still open");
            for (int64_t rest_ms; (rest_ms = next_ms - now_ms()) > 0;)
                httpd_run(server, rest_ms);
        }
        close(fd);
    }
    httpd_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_request_has_its_time_as_a_whole) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
