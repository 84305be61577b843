/* front.h - the Kubernetes API, the registry protocol and the admin end points
 * over exchanges. No sockets: the program connects it to httpd.h, tests to
 * whatever they like.
 *
 *   /api, /apis, /openapi/v3, /version   discovery, as much as kubectl needs
 *   /api/v1/..., /apis/GROUP/VERSION/... resources
 *   /v2/...                              registry: manifests by tag or digest
 *   /kubesim/...                         faults, images, statistics, see admin.c
 *
 * All of it but /v2/ is found below a secret first segment only, as in
 * /SECRET/api/v1/pods: loopback is open to every user of the machine, and kubectl
 * sends no bearer token over plain HTTP but keeps the path of its server's URL. */
#pragma once

#include "base/buf.h"
#include "kubesim/core/cluster.h"
#include "kubesim/front/exchange.h"
#include "kubesim/front/faults.h"
#include "kubesim/front/images.h"

/* Reads a pod's log: appends what is there from `offset` on (the whole is bounded by whoever
 * keeps it). */
typedef void (*log_reader)(void *context, const char *uid, uint64_t offset, struct buf *out);

struct front_options {
    struct cluster *cluster;      /* borrowed */
    const char *secret;           /* borrowed; NULL: none is asked for */
    int64_t bookmark_interval_ms; /* 0: one minute */
    log_reader read_log;
    void *log_context;
};

/* How the registry behaves: up, down (connections are cut), missing (404 for all), slow (answers
 * after `delay`), basic and bearer (asks for username and password). */
enum registry_kind {
    REGISTRY_UP,
    REGISTRY_DOWN,
    REGISTRY_MISSING,
    REGISTRY_SLOW,
    REGISTRY_BASIC,
    REGISTRY_BEARER,
};

struct registry_mode {
    int kind; /* enum registry_kind */
    const char *username, *password;
    int64_t delay_ms;
};
extern const struct fields registry_fields;

struct front {
    struct front_options options;
    struct faults faults;
    struct images images;
    struct registry_mode registry; /* its texts: */
    char *registry_credentials;    /* "user:password" */
    struct index statistics;       /* "verb resource user-agent" -> uint64_t */
    struct watch *watches;
    struct delayed *delayed; /* requests that are answered later */
};

void front_init(struct front *front, const struct front_options *options);
/* Ends open streams. */
void front_release(struct front *front);

void front_set_registry(struct front *front, const struct registry_mode *mode);

void front_handle(struct front *front, const struct exchange *exchange);
