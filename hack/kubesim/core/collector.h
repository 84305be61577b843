/* collector.h - what deletions leave to be done: dependents go with their
 * owners, foreground and orphan deletion, the contents of namespaces, the
 * objects of deleted definitions. */
#pragma once

#include "kubesim/core/store.h"
#include "base/timer.h"

struct cluster;

/* Holds a CustomResourceDefinition until its objects are gone. */
#define COLLECTOR_CLEANUP "customresourcecleanup.apiextensions.k8s.io"

struct collector {
    struct cluster *cluster;
    struct watcher watcher;
    struct timer timer;
    struct index orphans;  /* uids whose object is gone */
    struct index children; /* "<plural>.<group> <key>" of objects whose owners are to be checked */
    struct index deleting; /* the same of objects that collector finalizers hold */
};

void collector_init(struct collector *collector, struct cluster *cluster);
void collector_release(struct collector *collector);
