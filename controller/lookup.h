/* lookup.h - what a view knows about images and folders, and asking for more.
 *
 * A look-up that has just begun is PENDING and not yet worth a status write;
 * after LOOKUP_PATIENCE_MS it is `slow`, and conditions may mention it. A failing
 * one is tried again after as long as it has been failing, within bounds. */
#pragma once

#include "plan.h"
#include "view.h"

#define LOOKUP_PATIENCE_MS 2000
/* How long a registry may fail before the last known digest is used instead. */
#define REGISTRY_PATIENCE_MS 60000

enum lookup_state { LOOKUP_KNOWN, LOOKUP_PENDING, LOOKUP_FAILED };

struct image_lookup {
    enum lookup_state state;
    bool slow;
    const char *reference;
    const char *digest;           /* KNOWN: current. FAILED: last known, or NULL */
    const char *reason, *message; /* FAILED */
    int64_t failing_ms;           /* FAILED: for how long */
    int64_t good_for_ms;          /* KNOWN by lookup_recent_image(): after that it is too old; 0:
                                   * never                                                      */
};

/* What opens an image's registry: what opens it for the pods that will run it. */
struct image_access {
    const struct list *pull_secrets; /* of struct object_reference; NULL: none */
    const struct pod_template
        *pods;                    /* whose ServiceAccount counts when none is named; NULL: none */
    const struct metadata *model; /* whose probe is, where there may be one */
};

/* Is `fact` of the image that `request` asks for, opened in the same way? */
bool lookup_is_answered(const struct image_fact *fact, const struct fact_request *request);
/* The digest of `reference` by a look-up that began at or after newer_than_ms.
 * A reference with a digest needs none. Adds NEED_FACT and requeue to the plan. */
void lookup_image(const struct object_view *view, struct plan *plan, const char *reference,
                  const struct image_access *access, int64_t newer_than_ms,
                  struct image_lookup *ret_image);
/* The same by an answer that is at most age_ms old: however slow the registry is, its answer is
 * good for that long. */
void lookup_recent_image(const struct object_view *view, struct plan *plan, const char *reference,
                         const struct image_access *access, int64_t age_ms,
                         struct image_lookup *ret_image);

struct file_lookup {
    enum lookup_state state;
    bool slow;
    bool stalled;                 /* FAILED, and only the user can change that */
    const char *uri, *generation; /* KNOWN; generation only when it was looked at */
    int64_t bytes;                /* the same */
    const char *reason, *message; /* FAILED */
};

/* Whether the controller may look at a folder or file: file:// below a --file-root; a bucket with
 * credentials of the object (`credentials` not NULL), or by an --allowed-uri. */
bool lookup_is_visible(const struct object_view *view, const char *uri,
                       const struct credentials_spec *credentials);
/* The Secret that a look-up of `uri` needs; NULL: none. It counts below an --allowed-uri too: it
 * may lead to another server, which has a bucket of the same name. */
const char *lookup_secret(const char *uri, const struct credentials_spec *credentials);
/* Is `text` "<folder in a bucket>[=<namespace>]"? A field_check. */
int lookup_check_allowed(const char *text, struct err *err) __attribute__((warn_unused_result));
/* What is to be done about one that is not: "must be ...". */
const char *lookup_invisible(struct arena *arena, const char *uri);

/* What is looked at, and for which field. */
struct file_question {
    const char *uri, *path; /* path: names the field in messages ("spec.data.uri") */
    const struct credentials_spec *credentials; /* NULL: none */
};

/* A file as it is, or the newest file of a folder. */
void lookup_file(const struct object_view *view, struct plan *plan,
                 const struct file_question *question, struct file_lookup *ret_file);
/* The same, and a file is looked at too: FAILED, InputNotFound, when it is not there. The
 * second one is content with an answer that is at most age_ms old, and requeues for when it is
 * older. */
void lookup_existing_file(const struct object_view *view, struct plan *plan,
                          const struct file_question *question, struct file_lookup *ret_file);
void lookup_recent_file(const struct object_view *view, struct plan *plan,
                        const struct file_question *question, int64_t age_ms,
                        struct file_lookup *ret_file);
