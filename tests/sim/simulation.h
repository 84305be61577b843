/* simulation.h - whole controllers on a simulated cluster, under virtual time.
 *
 * kubesim's cluster and HTTP front stand behind a fake network; the controllers
 * are the real manager with the real client, informers, reconcilers and registry
 * client. Pods run simulated programs (programs.h) on a simulated volume, and end when the
 * test says so. Time jumps from one event to the next; nothing sleeps and no real thread runs. */
#pragma once

#include "unit.h"

#include "base/json.h"
#include "kubesim/core/api.h"
#include "kubesim/front/front.h"
#include "manager.h"

#include "kube/fake_network.h"
#include "sim/programs.h"

#define SIM_REGISTRY "registry.test:5000"
#define SIM_TRAINER  SIM_REGISTRY "/trainer:stable"
#define SIM_SCORER   SIM_REGISTRY "/scorer:stable"

enum { SIM_CONTROLLERS = 2, SIM_PODS = 32 };

struct sim;

struct sim_controller {
    struct sim *sim; /* NULL: does not run */
    struct fake_network network;
    struct timers timers;
    struct clock clock;
    int64_t wall_offset_ms; /* its wall clock goes wrong by this */
    int64_t lag_ms;         /* its API server hears of changes so late */
    struct kube_config config;
    struct kube_client *client;
    struct lease_options lease;
    struct manager *manager;
    int64_t resumed_ms; /* when it last woke up from a pause */
    unsigned starts;
    bool cut;    /* no answer reaches it */
    bool paused; /* the process does not run */
    bool doomed; /* it is killed as soon as it gives up control */
    char identity[32];
};

struct sim_pod {
    struct sim *sim;
    char *uid;
    json_t *pod;
    struct timer ready, end; /* end: sim_pod_runs(), unless the test says otherwise */
    int exit_code;           /* for the test's own use */
    bool stopping;
};

/* What the network does with a write of a controller. */
enum sim_fate {
    SIM_PASSES,
    SIM_IS_LOST,        /* it never reaches the server; the client sees a failure           */
    SIM_ANSWER_IS_LOST, /* it is carried out; the client sees a failure                     */
    SIM_COMES_LATE,     /* the client sees a failure now, and it is carried out in a while  */
    SIM_ANSWER_IS_LATE, /* it is carried out now, and the client hears of it in a while     */
};

struct sim_hooks {
    /* Before a write of a controller reaches the server (Leases and Events apart). */
    enum sim_fate (*on_write)(void *context, struct sim_controller *controller,
                              struct fake_exchange *exchange);
    void (*on_pod)(void *context, struct sim_pod *pod); /* it was started */
    /* A process ended by itself: leadership lost, or a graceful stop is over. */
    void (*on_exit)(void *context, struct sim_controller *controller);
    /* An event of a watch goes to a controller: how many times (1: as it should). */
    unsigned (*on_event)(void *context, struct sim_controller *controller,
                         struct fake_exchange *watch);
    void *context;
};

struct sim {
    int64_t now_ms;         /* steady */
    int64_t epoch_ms;       /* of every wall clock, for good */
    int64_t wall_offset_ms; /* of every wall clock: it may jump */
    int64_t late_ms;        /* how long what is late takes */
    int64_t lease_ms;       /* how long a Lease lasts; it is renewed three times as often */
    uint64_t seed;          /* of the chance in controllers */
    struct clock clock;
    struct timers timers; /* of the cluster, pods and the test */
    struct cluster cluster;
    struct front front;
    struct settings settings;
    struct volume volume;
    int64_t listing_ms; /* how long folders take to list (lister.c) */
    bool listing_fails;
    struct sim_controller controllers[SIM_CONTROLLERS];
    struct sim_pod *pods[SIM_PODS]; /* that run, oldest first */
    size_t pod_count;
    json_t *answer; /* of the test's own last request */
    int status;
    unsigned writes; /* requests of controllers that are no GET, Leases and Events apart */
    struct sim_hooks hooks;
    /* Who makes the server change something right now: NULL: the cluster or the test. */
    const struct sim_controller *writer;
    bool writer_is_late;         /* that was sent a while ago */
    struct late_write *late;     /* writes that are still on their way */
    struct fake_network orphans; /* requests of dead processes that the server still works on */
};

/* A cluster with our CRDs and both images, and no controller. */
struct sim *sim_new(uint64_t seed) __attribute__((warn_unused_result));
/* Chance is another one from here on; controllers that run keep theirs. */
void sim_seed(struct sim *sim, uint64_t seed);
void sim_free(struct sim *sim);

void sim_start_controller(struct sim *sim, size_t index);
/* The process ends on the spot, as by SIGKILL. */
void sim_kill_controller(struct sim *sim, size_t index);
void sim_resume_controller(struct sim *sim, size_t index); /* after paused */

/* Time passes: everything that is due happens, in order. */
void sim_run(struct sim *sim, int64_t ms);
/* Everything that is due now happens. Fails when it does not come to an end. */
void sim_settle(struct sim *sim);

/* The test fails. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A request of the test's own. `body` is JSON with ' for ", or NULL. Returns the status. */
int sim_ask(struct sim *sim, const char *method, const char *path, const char *body);
/* The same with a tree. */
int sim_send(struct sim *sim, const char *method, const char *path, const json_t *body);
/* {"spec": {...: value}} with only the member of this path, "/data/uri". */
json_t *sim_patch_of_spec(const char *path, json_t *value);
/* The object at a path; borrowed until the next request; NULL: not there. */
const json_t *sim_get(struct sim *sim, const char *path);
/* One of our objects in namespace default; borrowed until the next change; NULL: not there. */
const json_t *sim_object(struct sim *sim, const char *plural, const char *name);
/* Items of a list. */
size_t sim_count(struct sim *sim, const char *path);
/* Asks the front to go wrong; a fault as in faults.h, with ' for ". */
void sim_add_fault(struct sim *sim, const char *fault);

/* Moves a tag ("trainer:stable"). Returns the digest that it names then. */
const char *sim_move_tag(struct sim *sim, const char *reference, const char *revision);

/* The oldest pod ends: with the result of a good run, or with an exit code. */
void sim_pod_succeeds(struct sim *sim);
void sim_pod_fails(struct sim *sim, int exit_code, const char *message);

/* scenes.c: what many tests begin with.
 * A cluster with one controller, which leads. */
struct sim *sim_begin(void) __attribute__((warn_unused_result));
/* A ChurnModel "m" and a ChurnBatch in namespace default, and the files they read. */
void sim_create_model(struct sim *sim);
void sim_create_batch(struct sim *sim, const char *name);
/* Runs on until nothing is left to do; pods succeed as soon as they run. */
void sim_finish_everything(struct sim *sim);
/* A model "m" has two versions, the second is in use, and a third training is at work. Returns the
 * first version, which nothing keeps; to be freed. */
char *sim_train_past_first(struct sim *sim) __attribute__((warn_unused_result));

/* pods.c: what the cluster's kubelet runs. */
extern const struct pod_port sim_pod_port;
/* The program runs to its end now, on the volume as it is; `with_result` false: what it reports is
 * lost. The pod is gone from the list then. */
void sim_pod_runs(struct sim_pod *pod, bool with_result);
void sim_pod_ends(struct sim_pod *pod, int exit_code, const char *message);
void sim_end_stopping_pods(struct sim *sim); /* by SIGTERM */
void sim_drop_pods(struct sim *sim);

/* bridge.c: an exchange of the fake network goes to the front. */
void sim_serve(struct sim *sim, struct fake_exchange *exchange);

/* status of a condition and its reason: "True Complete"; "" when there is none. Borrowed until the
 * next call. */
const char *sim_condition(struct sim *sim, const char *path, const char *type);

#define SIM_MODELS   "/apis/churnops.io/v1alpha1/namespaces/default/churnmodels"
#define SIM_BATCHES  "/apis/churnops.io/v1alpha1/namespaces/default/churnbatches"
#define SIM_JOBS     "/apis/batch/v1/namespaces/default/jobs"
#define SIM_POD_LIST "/api/v1/namespaces/default/pods"
#define SIM_MODEL    SIM_MODELS "/m"
