/* hooks.h - POST /v1/hooks/storage: a store says that an object has come.
 *
 * A push only wakes the look-ups of the folder that it names (push.h): what is there is what a
 * listing says, and without pushes the folder is listed all the same, every pollInterval. So the
 * worst that a push with somebody else's words can do is one listing.
 *
 * Who may push: whoever has a token of the issuer for our audience (Pub/Sub signs one for its
 * push subscription, OpenID Connect), or the shared token of a file, as "Authorization: Bearer",
 * as the password of "Authorization: Basic", or as the query's "token" for senders that know
 * nothing but a URL. The process that does not lead forwards a push to the one that does.
 *
 *   204  taken; also when nobody looks at that folder
 *   400  the body is no push; the answer says what was expected
 *   401  no token, a wrong one, or one that has expired
 *   403  a true token for another audience or of another service account
 *   404, 405  another path or method
 *   413  more than LIMIT_PUSH bytes (said by the server)
 *   503  try again: no leader, no keys, or the leader does not answer
 *
 * Belongs to the loop's thread. */
#pragma once

#include "base/clock.h"
#include "base/fields.h"
#include "net/transport.h"

#include "metrics.h"

#define HOOKS_PATH "/v1/hooks/storage"
/* Header of a push that another replica has forwarded: it goes no further. */
#define HOOKS_FORWARDED "Churn-Forwarded"
/* A shared token that is shorter is refused. */
#define HOOKS_TOKEN_MINIMUM 16

struct hooks_options {
    struct transport *transport;
    const struct clock *clock;
    const char *issuer, *keys_url;
    const char *audience;   /* NULL: tokens of the issuer are not accepted */
    struct strings emails;  /* see struct jwt_rules */
    const char *token_file; /* NULL: no shared token is accepted; read for every push */
    /* This process decides; else where the one is that does, "HOST:PORT" or NULL. */
    bool (*leads)(void *context);
    const char *(*leader_address)(void *context);
    /* An object came; returns how many look-ups that concerns. */
    size_t (*object_came)(void *context, const char *uri);
    void *context;
};

struct hooks;

/* Options are copied, what they point to is borrowed. */
struct hooks *hooks_new(const struct hooks_options *options) __attribute__((warn_unused_result));
/* Pushes that wait are answered 503. NULL: no effect. */
void hooks_free(struct hooks *hooks);

struct hooks_request {
    const char *method, *path;
    const char *authorization; /* header; NULL: none */
    const char *token;         /* of the query; NULL: none */
    bool forwarded;
    struct span body;
};

/* Calls `done` once, maybe before this returns; what the request points to must live until then.
 * `text` is a line for the sender. */
void hooks_take(struct hooks *hooks, const struct hooks_request *request,
                void (*done)(void *context, int status, const char *text), void *context);

/* Checks the file of the shared token, for the start. */
int hooks_check_token_file(const char *path, struct err *err) __attribute__((warn_unused_result));

/* Adds the figures of pushes to those of the manager. */
void hooks_snapshot(const struct hooks *hooks, struct metrics *metrics);
