/* play.h - a play of questions that are expected of a store, each with its answer. */
#pragma once

#include "fake_cloud.h"

/* One question, and its answer. */
struct scene {
    const char *question;       /* "<METHOD> <part of the URL>" */
    const char *header, *value; /* that it must have; NULL: none */
    struct fake_reply reply;
};

/* In an answer: the id under which the asking writer puts its objects (GS_WRITER_KEY). */
#define PLAY_WRITER "WRITER.WRITER.WRITER.WRITER.WRIT"

struct play {
    struct fake_cloud cloud;
    const struct scene *scenes;
    size_t count, next;
    struct buf sent; /* bodies of questions, one after the other */
    struct stores *stores;
    struct store *store; /* of the URI */
};
extern struct play play;

/* variables: name, value, ..., NULL. */
void play_begin(const char *uri, const struct scene *scenes, size_t count,
                const char *const *variables);
/* Everything was asked. */
void play_end(void);

/* cmocka's fail_msg() unless kind and a part of the message are these. */
void play_check_error(const struct err *err, enum err_kind kind, const char *part);
