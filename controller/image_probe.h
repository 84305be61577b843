/* image_probe.h - a pod that tells the digest of its image.
 *
 * Where nodes pull by an identity of their own, nobody but the kubelet can ask the registry. So a
 * Job's pod is given the image, runs `--version`, and its status says what the kubelet pulled. The
 * Job is deleted as soon as that, or why not, is known. One that a crash left is deleted before the
 * next is made, for its answer is older than the question; Kubernetes alone ends it after
 * PROBE_SECONDS and removes it a minute later, and with its model.
 *
 * A Job rather than a bare pod: the controller may make Jobs and list their pods, and nothing
 * has to be granted for probes. */
#pragma once

#include "kube/client.h"

#define PROBES_MAXIMUM 8 /* at a time; the others stand in line */

struct prober; /* shared by all probes */
struct image_probe;

struct prober_options {
    struct kube_client *client;
    /* Whether a Job may be made now: this process decides. NULL: always. */
    bool (*may_write)(void *context);
    void *context;
};

struct prober *prober_new(const struct prober_options *options)
    __attribute__((returns_nonnull, warn_unused_result));
void prober_free(struct prober *prober); /* after its probes; NULL: no effect */

/* `digest` "sha256:...", or NULL: why not, with the reason DigestUnresolvable when pods cannot tell
 * either, and RETRY when the API server could not be asked. */
typedef void (*probe_callback)(void *context, const char *digest, const struct err *failure);

/* `job`: of job_build_probe(), for the image `reference`. Calls back once, later. */
struct image_probe *image_probe_start(struct prober *prober, json_t *job, const char *reference,
                                      probe_callback done, void *context)
    __attribute__((returns_nonnull, warn_unused_result));
void image_probe_cancel(struct image_probe *probe); /* leaves its Job; NULL: no effect */
