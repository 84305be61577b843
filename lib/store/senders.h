/* senders.h - sends the pieces of an object while the next one is filled.
 *
 * Each piece is sent by a thread; at most `count` are under way, and whoever adds another one waits
 * for the first that is through. So memory is what count + 1 pieces take, however large the object
 * is. Pieces may come through in any order. After a failure nothing more is begun, and the first
 * failure is told to whoever adds or waits next. Belongs to one thread, as a writer does. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define SENDERS_MAXIMUM 8

/* Sends one piece; called from any thread. */
typedef int (*senders_send)(void *context, void *piece, struct span bytes, struct err *err);

struct senders;

/* count 1 to SENDERS_MAXIMUM; 1: there are no threads, adding sends. */
struct senders *senders_new(unsigned count, senders_send send, void *context)
    __attribute__((returns_nonnull, warn_unused_result));
/* Waits for what is under way. NULL: no effect. */
void senders_free(struct senders *senders);

/* Takes the bytes, and gives an empty buffer of the same maximum for them; on failure they may be
 * gone. `piece` is borrowed until it is sent. */
int senders_add(struct senders *senders, void *piece, struct buf *bytes, struct err *err)
    __attribute__((warn_unused_result));

/* Until all is through. */
int senders_wait(struct senders *senders, struct err *err) __attribute__((warn_unused_result));
