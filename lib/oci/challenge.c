#include "oci/challenge.h"

#include <string.h>
#include <strings.h>

static size_t token_length(const char *at)
{
    return strspn(at, "!#$%&'*+-.^_`|~0123456789"
                      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* A quoted string with backslash escapes; returns what follows, NULL: no end. */
static const char *parse_quoted(const char *at, struct arena *arena, const char **ret_value)
{
    char *value = arena_zero(arena, strlen(at) + 1, 1), *end = value;

    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        *end++ = *at;
    }
    *ret_value = value;
    return *at == '"' ? at + 1 : NULL;
}

/* "name=value" or "name="value""; returns what follows, NULL when it is neither. */
static const char *parse_parameter(const char *at, struct arena *arena, const char **ret_name,
                                   const char **ret_value)
{
    size_t length = token_length(at);

    *ret_name = arena_strndup(arena, at, length);
    at += length;
    at += strspn(at, " \t");
    if (length == 0 || *at != '=')
        return NULL;
    at += 1 + strspn(at + 1, " \t");
    if (*at == '"')
        return parse_quoted(at, arena, ret_value);
    length = token_length(at);
    *ret_value = arena_strndup(arena, at, length);
    return length > 0 ? at + length : NULL;
}

static void keep(struct challenge *challenge, const char *name, const char *value)
{
    if (strcasecmp(name, "realm") == 0)
        challenge->realm = value;
    else if (strcasecmp(name, "service") == 0)
        challenge->service = value;
    else if (strcasecmp(name, "scope") == 0)
        challenge->scope = value;
}

/* A token that "=" does not follow begins a new scheme. */
static bool begins_scheme(const char *at)
{
    size_t length = token_length(at);

    at += length;
    return length > 0 && at[strspn(at, " \t")] != '=';
}

int challenge_add(const char *header, struct arena *arena, struct challenge *challenge,
                  struct err *err)
{
    bool in_bearer = false;
    const char *at = header + strspn(header, " \t,");

    if (*at && !begins_scheme(at))
        return err_set(err, ERR_UNSUPPORTED, "the WWW-Authenticate header names no scheme");
    while (*at) {
        if (begins_scheme(at)) {
            size_t length = token_length(at);

            in_bearer = length == 6 && strncasecmp(at, "Bearer", 6) == 0;
            challenge->bearer = challenge->bearer || in_bearer;
            if (length == 5 && strncasecmp(at, "Basic", 5) == 0)
                challenge->basic = true;
            at += length;
        } else {
            const char *name, *value;

            at = parse_parameter(at, arena, &name, &value);
            if (!at)
                return err_set(err, ERR_UNSUPPORTED, "the WWW-Authenticate header is malformed");
            if (in_bearer)
                keep(challenge, name, value);
        }
        at += strspn(at, " \t,");
    }
    return 0;
}
