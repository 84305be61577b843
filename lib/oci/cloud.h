/* cloud.h - pure: registries of clouds, from which nodes pull with an identity of their own.
 *
 * There need not be a pull secret for them in the cluster, so that whoever asks such a
 * registry from outside of the nodes may be refused although pods have the image. The hosts are
 * those that the kubelet's credential providers are set up for. */
#pragma once

enum cloud {
    CLOUD_NONE,
    CLOUD_GOOGLE, /* gcr.io, *.gcr.io, *-docker.pkg.dev: https://cloud.google.com/artifact-registry
                   */
    CLOUD_AMAZON, /* ACCOUNT.dkr.ecr.REGION.amazonaws.com and its like */
    CLOUD_AZURE,  /* *.azurecr.io, .cn, .us */
};

/* `host` as in struct reference; one with a port is nobody's. */
enum cloud cloud_of_host(const char *host);
