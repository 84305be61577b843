/* lease.h - leader election on a coordination.k8s.io/v1 Lease.
 *
 * Many candidates, at most one leader. A candidate takes the Lease when it has
 * no holder, or when its record has not changed for the duration that its
 * holder promised, measured on OUR monotonic clock since we saw it change: the
 * clocks of two machines are never compared. Writes carry the resourceVersion
 * that was read, so of two takers one gets 409.
 *
 * The leader renews every retry period. A renewal counts from the moment its
 * request was sent. When none succeeded for the renew deadline, leadership is
 * lost, well before others may take the Lease. A write that is sent only while
 * lease_is_held() therefore leaves no doubt who may send it; a slow program
 * finds out by itself, without waiting for a timer.
 *
 * The same scheme as client-go's leaderelection, and compatible with it.
 * Belongs to the thread of its client. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/timer.h"
#include "kube/client.h"

struct lease;

struct lease_handler {
    /* This process is the leader from now on. */
    void (*acquired)(void *context);
    /* It is no more: another holds the Lease, or renewing failed for too long.
     * Nothing may be written any more; the lease does nothing further. */
    void (*lost)(void *context, const struct err *why);
    /* Another holder was seen ("" when it was released); for the log. */
    void (*observed)(void *context, const char *holder);
    /* A request failed and will be tried again; for the log. */
    void (*failed)(void *context, const struct err *failure);
};

struct lease_options {
    const char *namespace, *name; /* of the Lease */
    const char *identity;         /* of this candidate, unique to the process */
    int64_t duration_ms;          /* 0: 15 s; whole seconds on the wire, rounded up */
    int64_t renew_deadline_ms;    /* 0: 10 s */
    int64_t retry_period_ms;      /* 0: 2 s */
    /* An annotation by which the holder tells the others something, such as an address; NULL:
     * none. A holder without a value removes what another has left. */
    const char *note_name, *note;
    uint64_t seed; /* of the jitter */
};

/* Fills in the defaults, and checks that duration > renew deadline > 1.2 x
 * retry period and that names are there. ERR_INVALID says which is wrong. */
int lease_options_complete(struct lease_options *options, struct err *err)
    __attribute__((warn_unused_result));

/* Begins to compete with complete options (strings are copied). Client and
 * timers must outlive the lease. */
struct lease *lease_new(struct kube_client *client, struct timers *timers,
                        const struct lease_options *options, const struct lease_handler *handler,
                        void *context) __attribute__((warn_unused_result));
/* Stops without releasing. NULL: no effect. */
void lease_free(struct lease *lease);

/* Whether this process may write right now. */
bool lease_is_held(const struct lease *lease);

/* The Lease was read or written at least once: who holds it is known. */
bool lease_is_known(const struct lease *lease);

/* What another holder's annotation `note_name` said when the Lease was read last; NULL: there is no
 * other holder, or it says nothing. Borrowed until the loop goes on. */
const char *lease_holder_note(const struct lease *lease);

/* Gives the Lease back, so that another takes it within its retry period, and
 * calls `done` once: at once for a candidate, after one attempt for a leader.
 * All writes must be over before. No other callback follows. */
void lease_release(struct lease *lease, void (*done)(void *context), void *context);
