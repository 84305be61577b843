/* telemetry.h - /metrics, /healthz and /readyz, served by a thread of their own.
 *
 *   /metrics   Prometheus text
 *   /readyz    200 once the caches are complete and the leader is known, whoever it is; else 503
 *   /healthz   200 while the loop turns and its watches are alive; else 503
 *
 * The loop publishes copies of its figures; the server sees nothing else. */
#pragma once

#include "metrics.h"

/* The loop turns at least this often, so that a stuck one is noticed. */
#define TELEMETRY_TURN_MS 5000

struct telemetry;

/* Listens at "HOST:PORT" ("0.0.0.0:8080", "[::1]:0"; port 0: a free one) and starts
 * the thread. ERR_INVALID for another address, else why listening failed. */
struct telemetry *telemetry_new(const char *address, struct err *err)
    __attribute__((warn_unused_result));
void telemetry_free(struct telemetry *telemetry); /* NULL: no effect */

unsigned telemetry_port(const struct telemetry *telemetry);

/* Replaces what is served; also says that the loop turns. */
void telemetry_publish(struct telemetry *telemetry, const struct metrics *metrics);

/* --- pure, for tests --- */

/* Splits "HOST:PORT" or "[IPV6]:PORT". The caller frees *ret_host. */
int telemetry_parse_address(const char *address, char **ret_host, unsigned *ret_port,
                            struct err *err) __attribute__((warn_unused_result));

/* What is wrong with the loop, given its figures and their age; NULL: nothing. */
const char *telemetry_ailment(const struct metrics *metrics, int64_t age_ms);
