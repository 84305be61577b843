/* kubeconfig.h - the files that kubectl reads, merged, down to one configuration.
 *
 * Several files act as one: of clusters, users, contexts with one name the first counts, and so
 * does the first current-context. Relative paths count from the file they stand in. No file is
 * read here but a certificate authority that an exec plugin asks for. See config.h for what is
 * supported. */
#pragma once

#include "kube/config.h"

/* The files, the first one first. */
struct kubeconfig {
    struct kubeconfig_file *files; /* newest first in memory; private */
    struct arena arena;
};

void kubeconfig_release(struct kubeconfig *kubeconfig); /* safe on a zeroed struct */
#define auto_kubeconfig __attribute__((cleanup(kubeconfig_release)))

/* Adds a file's text behind those that are there. `path` names it in messages and is where
 * its relative paths count from. ERR_INVALID names the field. */
int kubeconfig_add(struct kubeconfig *kubeconfig, struct span text, const char *path,
                   struct err *err) __attribute__((warn_unused_result));

/* The configuration of a context (NULL: the current one). ERR_NOT_FOUND: there is no such
 * context. `variables`: the environment for exec plugins. */
int kubeconfig_select(const struct kubeconfig *kubeconfig, const char *context,
                      char *const *variables, struct kube_config *ret_config, struct err *err)
    __attribute__((warn_unused_result));
