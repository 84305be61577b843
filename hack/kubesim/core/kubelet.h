/* kubelet.h - runs pods through a port and writes their status.
 *
 * A pod has one container and runs once, whatever its restartPolicy says (Jobs
 * have Never). Deleting a running pod stops it through the port; the object goes
 * when the port reports the end, or at once with a grace period of 0. */
#pragma once

#include "base/json.h"
#include "base/timer.h"
#include "kubesim/core/store.h"

struct cluster;

enum pod_phase {
    POD_WAITING,
    POD_RUNNING,
    POD_TERMINATED,
    POD_NEVER_RAN, /* was stopped before its container started */
};

/* What the port reports. Texts are copied; NULL: none. */
struct pod_report {
    enum pod_phase phase;
    const char *reason;   /* "ErrImagePull", "Completed", "Error", "OOMKilled" */
    const char *message;  /* TERMINATED: the termination message */
    const char *image_id; /* "repository@sha256:..." once it is known */
    int exit_code, signal;
};

struct pod_port {
    /* Begins to run; reports come later through kubelet_report(), never from inside. */
    void (*start)(void *context, const json_t *pod);
    /* Asks it to end; the report of the end must follow. 0: at once. */
    void (*stop)(void *context, const char *uid, int64_t grace_ms);
    /* The object is gone: its folder and log may go too, and so must a process that still runs. */
    void (*forget)(void *context, const char *uid);
};

struct kubelet {
    struct cluster *cluster;
    const struct pod_port *port;
    void *port_context;
    struct watcher watcher;
    struct timer timer;
    struct index dirty; /* keys of pods to look at */
    struct index known; /* uid -> struct pod_run */
};

void kubelet_init(struct kubelet *kubelet, struct cluster *cluster, const struct pod_port *port,
                  void *port_context);
void kubelet_release(struct kubelet *kubelet);

/* Unknown uids are ignored: the pod was deleted meanwhile. */
void kubelet_report(struct kubelet *kubelet, const char *uid, const struct pod_report *report);
