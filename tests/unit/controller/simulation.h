/* simulation.h - whole controllers on a simulated cluster, under virtual time.
 *
 * kubesim's cluster and HTTP front stand behind a fake network; the controllers
 * are the real manager with the real client, informers, reconcilers and registry
 * client. Pods do what the test tells them. */
#pragma once

#include "unit.h"

#include "base/json.h"
#include "kubesim/core/api.h"
#include "kubesim/front/front.h"
#include "manager.h"

#include "../kube/fake_network.h"

#define SIM_REGISTRY "registry.test:5000"
#define SIM_TRAINER  SIM_REGISTRY "/trainer:stable"
#define SIM_SCORER   SIM_REGISTRY "/scorer:stable"

enum { SIM_CONTROLLERS = 2, SIM_PODS = 32 };

struct sim;

struct sim_controller {
    struct sim *sim; /* NULL: does not run */
    struct fake_network network;
    struct timers timers;
    struct kube_config config;
    struct kube_client *client;
    struct lease_options lease;
    struct manager *manager;
    bool cut;    /* no answer reaches it */
    bool paused; /* the process does not run */
    char identity[16];
};

struct sim_pod {
    char *uid;
    json_t *pod;
    bool stopping;
};

struct sim {
    int64_t now_ms;         /* steady */
    int64_t wall_offset_ms; /* of the wall clock: it may jump */
    struct clock clock;
    struct timers timers; /* of the cluster */
    struct cluster cluster;
    struct front front;
    struct settings settings;
    struct sim_controller controllers[SIM_CONTROLLERS];
    struct sim_pod pods[SIM_PODS]; /* that run, oldest first */
    size_t pod_count;
    json_t *answer; /* of the test's own last request */
    int status;
    unsigned writes; /* requests of controllers that are no GET, Leases and Events apart */
    /* Called before such a write reaches the server; false: it is lost on the way. */
    bool (*on_write)(void *context, const struct fake_exchange *exchange);
    void *write_context;
};

/* A cluster with our CRDs and both images, and no controller. */
struct sim *sim_new(void) __attribute__((warn_unused_result));
void sim_free(struct sim *sim);

void sim_start_controller(struct sim *sim, size_t index);
/* The process ends on the spot, as by SIGKILL. */
void sim_kill_controller(struct sim *sim, size_t index);

/* Time passes. */
void sim_run(struct sim *sim, int64_t ms);

/* A request of the test's own. `body` is JSON with ' for ", or NULL. Returns the status. */
int sim_ask(struct sim *sim, const char *method, const char *path, const char *body);
/* The object at a path; borrowed until the next request; NULL: not there. */
const json_t *sim_get(struct sim *sim, const char *path);
/* Items of a list. */
size_t sim_count(struct sim *sim, const char *path);

/* Moves a tag ("trainer:stable"). */
void sim_move_tag(struct sim *sim, const char *reference, const char *revision);

/* A ChurnModel "m" and a ChurnBatch in namespace default. */
void sim_create_model(struct sim *sim);
void sim_create_batch(struct sim *sim, const char *name);

/* The oldest pod ends: with the result of a good run, or with an exit code. */
void sim_pod_succeeds(struct sim *sim);
void sim_pod_fails(struct sim *sim, int exit_code, const char *message);

/* status of a condition and its reason: "True Complete"; "" when there is none. Borrowed until the
 * next call. */
const char *sim_condition(struct sim *sim, const char *path, const char *type);

#define SIM_MODELS  "/apis/churnops.io/v1alpha1/namespaces/default/churnmodels"
#define SIM_BATCHES "/apis/churnops.io/v1alpha1/namespaces/default/churnbatches"
#define SIM_JOBS    "/apis/batch/v1/namespaces/default/jobs"
#define SIM_MODEL   SIM_MODELS "/m"
