/* project.h - objects of the API server reduced to what reconcilers read.
 *
 * The informers' cache keeps projections instead of objects: no managedFields,
 * no labels of others, and of finished batches and Jobs nothing but the ledger.
 * A later event brings the whole object again, so that an edited finished batch
 * is projected anew from what was edited. */
#pragma once

#include "base/buf.h"
#include "base/span.h"

#include "view.h"

/* What is read of each kind when an object comes (paths as in base/prune.h, NULL at the end): of
 * a model who it is, of a batch what batch_is_over() and its ledger are made from and what
 * objects.c looks for, of a Job what job_view_decode() knows, of a list of pods what
 * pods_fact_decode(), pod_image_id() and the question whose they are know. */
extern const char *const project_model_reads[];
extern const char *const project_batch_reads[];
extern const char *const project_job_reads[];
extern const char *const project_pods_reads[];

/* The text that is kept of an object: a part of it, byte by byte and as unchecked as it came, or
 * what was written to `storage`, an initialized buffer that may hold as much as the text. `object`
 * has project_batch_reads. */
struct span project_model(struct span text, struct buf *storage);
struct span project_batch(struct span text, const json_t *object, struct buf *storage);

/* Whether a batch is finished for the spec that it has, so that only the ledger is kept. */
bool batch_is_over(const json_t *object);

/* The parts of a projection (or of a whole object). Strings are copied into the
 * arena. Missing members give NULL, 0, false. */
void metadata_decode(const json_t *object, struct arena *arena, struct metadata *ret_metadata);
void job_view_decode(const json_t *object, struct arena *arena, struct job_view *ret_job);

/* A Job as bytes for the cache, which is half of what the JSON took and needs no parsing: all but
 * name, uid and resource_version, which the cache has itself (NULL when unpacked). A blob is what
 * job_view_pack() of this process appended, aligned for any type or not. */
void job_view_pack(const struct job_view *job, struct buf *blob);
void job_view_unpack(struct span blob, struct arena *arena, struct job_view *ret_job);

/* The rule of our kinds for names: labels, artifact folders and Jobs are made from them. */
int metadata_check(const struct metadata *metadata, struct err *err)
    __attribute__((warn_unused_result));

/* uid of the controlling owner of one of our kinds, NULL when there is none.
 * Borrowed from `object`. */
const char *job_owner_uid(const json_t *object);

/* What the kubelet calls the image of a pod of ours ("registry/repository@sha256:..."), NULL as
 * long as the pod has not got it. Borrowed. */
const char *pod_image_id(const json_t *pod);

/* The pods of a Job (items of a PodList; NULL: not known) as a fact; trouble is that of any pod
 * which is not ready, or that there is none: a quota, an admission rule or a missing
 * ServiceAccount keeps a Job from having any. */
void pods_fact_decode(const char *job, const json_t *pod_items, struct arena *arena,
                      struct pods_fact *ret_fact);
