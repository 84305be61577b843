#include "base/prune.h"

#include "base/mem.h"

#define PATH_MAXIMUM 256 /* a longer path is none of those to be cut */

enum fate { KEEP, ENTER, CUT };

struct pruner {
    const char *at, *end;
    const char *kept; /* from here to `at` is still to be copied */
    struct buf *out;
    const char *const *paths;
    bool picks;              /* what is named stays, instead of what is not */
    char path[PATH_MAXIMUM]; /* of the member at hand */
    size_t path_length;
};

static void skip_blanks(struct pruner *pruner)
{
    while (pruner->at < pruner->end && (*pruner->at == ' ' || *pruner->at == '\t' ||
                                        *pruner->at == '\r' || *pruner->at == '\n'))
        pruner->at++;
}

static bool is_at(const struct pruner *pruner, char character)
{
    return pruner->at < pruner->end && *pruner->at == character;
}

/* Moves behind the string whose opening quote is at hand. */
static bool skip_string(struct pruner *pruner)
{
    const char *start = ++pruner->at, *quote;

    while ((quote = memchr(pruner->at, '"', (size_t)(pruner->end - pruner->at)))) {
        const char *backslash = quote;

        while (backslash > start && backslash[-1] == '\\')
            backslash--;
        pruner->at = quote + 1;
        if ((quote - backslash) % 2 == 0)
            return true;
    }
    return false;
}

static bool is_scalar(char character)
{
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'z') ||
           character == '-' || character == '+' || character == '.' || character == 'E';
}

static bool skip_value(struct pruner *pruner)
{
    size_t depth = 0;

    do {
        if (pruner->at == pruner->end)
            return false;
        char character = *pruner->at;

        if (character == '"') {
            if (!skip_string(pruner))
                return false;
            continue;
        }
        if (character == '{' || character == '[')
            depth++;
        else if ((character == '}' || character == ']') && depth-- == 0)
            return false;
        pruner->at++;
        while (is_scalar(character) && pruner->at < pruner->end && is_scalar(*pruner->at))
            pruner->at++;
    } while (depth > 0);
    return true;
}

/* The member that pruner->path leads to. */
static enum fate fate_of(const struct pruner *pruner)
{
    enum fate fate = pruner->picks ? CUT : KEEP;

    for (const char *const *named = pruner->paths; *named; named++) {
        if (strncmp(*named, pruner->path, pruner->path_length) != 0)
            continue;
        if (!(*named)[pruner->path_length])
            return pruner->picks ? KEEP : CUT;
        if ((*named)[pruner->path_length] == '.')
            fate = ENTER;
    }
    return fate;
}

/* False: no path leads there, and the one at hand stays as it is. */
static bool enter(struct pruner *pruner, struct span name)
{
    bool dot = pruner->path_length > 0;

    if (name.length + dot > PATH_MAXIMUM - pruner->path_length ||
        memchr(name.data, '\0', name.length))
        return false;
    if (dot)
        pruner->path[pruner->path_length++] = '.';
    memcpy(pruner->path + pruner->path_length, name.data, name.length);
    pruner->path_length += name.length;
    return true;
}

/* Leaves out what stands between `start` and `at`, with one of the commas around it. */
static void cut(struct pruner *pruner, const char *start)
{
    struct buf *out = pruner->out;

    buf_append(out, pruner->kept, (size_t)(start - pruner->kept));
    skip_blanks(pruner);
    if (is_at(pruner, ',')) {
        pruner->at++;
    } else {
        while (out->length > 0 && strchr(" \t\r\n", out->data[out->length - 1]))
            out->length--;
        if (out->length > 0 && out->data[out->length - 1] == ',')
            out->length--;
    }
    pruner->kept = pruner->at;
}

/* Moves behind the name of a member and its colon. */
static bool skip_name(struct pruner *pruner, struct span *ret_name)
{
    const char *start = pruner->at + 1;

    if (!is_at(pruner, '"') || !skip_string(pruner))
        return false;
    *ret_name = (struct span){ start, (size_t)(pruner->at - start) - 1 };
    skip_blanks(pruner);
    if (!is_at(pruner, ':'))
        return false;
    pruner->at++;
    skip_blanks(pruner);
    return true;
}

/* Moves from one member to the next, or to the end of the object. */
static void skip_comma(struct pruner *pruner)
{
    skip_blanks(pruner);
    if (is_at(pruner, ','))
        pruner->at++;
    skip_blanks(pruner);
}

static bool prune_object(struct pruner *pruner);

/* The objects of a list, each as if it stood in the list's place. */
static bool prune_list(struct pruner *pruner)
{
    pruner->at++;
    skip_blanks(pruner);
    while (!is_at(pruner, ']')) {
        if (!(is_at(pruner, '{') ? prune_object(pruner) : skip_value(pruner)))
            return false;
        skip_comma(pruner);
    }
    pruner->at++;
    return true;
}

/* Into the object or list at hand. */
static bool prune_inside(struct pruner *pruner)
{
    return is_at(pruner, '{') ? prune_object(pruner) : prune_list(pruner);
}

static bool prune_member(struct pruner *pruner)
{
    const char *start = pruner->at;
    size_t parent_length = pruner->path_length;
    enum fate fate = pruner->picks ? CUT : KEEP;
    struct span name;

    if (!skip_name(pruner, &name))
        return false;
    if (enter(pruner, name))
        fate = fate_of(pruner);
    bool inside = fate == ENTER && (is_at(pruner, '{') || is_at(pruner, '['));
    bool readable = inside ? prune_inside(pruner) : skip_value(pruner);

    pruner->path_length = parent_length;
    if (readable && !inside && fate == CUT)
        cut(pruner, start);
    return readable;
}

/* Goes no deeper than the longest path. False: this is no JSON, so that no more is cut. */
static bool prune_object(struct pruner *pruner)
{
    pruner->at++;
    skip_blanks(pruner);
    while (!is_at(pruner, '}')) {
        if (!prune_member(pruner))
            return false;
        skip_comma(pruner);
    }
    pruner->at++;
    return true;
}

static struct span cut_text(struct span text, bool picks, const char *const *paths,
                            struct buf *storage)
{
    struct pruner pruner = { .at = text.data,
                             .end = text.data + text.length,
                             .kept = text.data,
                             .out = storage,
                             .paths = paths,
                             .picks = picks };

    if (!paths || text.length == 0)
        return text;
    skip_blanks(&pruner);
    if (is_at(&pruner, '{'))
        (void)prune_object(&pruner);
    if (pruner.kept == text.data)
        return text;
    buf_append(storage, pruner.kept, (size_t)(pruner.end - pruner.kept));
    return (struct span){ storage->data, storage->length };
}

struct span prune(struct span text, const char *const *paths, struct buf *storage)
{
    return cut_text(text, false, paths, storage);
}

struct span pick(struct span text, const char *const *paths, struct buf *storage)
{
    return cut_text(text, true, paths, storage);
}

struct span member_text(struct span text, const char *name)
{
    struct pruner pruner = { .at = text.data, .end = text.data + text.length };
    const struct span none = { text.data, 0 };
    struct span found;

    skip_blanks(&pruner);
    if (!is_at(&pruner, '{'))
        return none;
    pruner.at++;
    skip_blanks(&pruner);
    while (skip_name(&pruner, &found)) {
        const char *value = pruner.at;

        if (!skip_value(&pruner))
            break;
        if (span_equals(found, name))
            return (struct span){ value, (size_t)(pruner.at - value) };
        skip_comma(&pruner);
    }
    return none;
}

char *member_word(struct span text, const char *name)
{
    struct span value = member_text(text, name);

    if (value.length < 2 || value.data[0] != '"' || memchr(value.data, '\\', value.length))
        return NULL;
    return mem_strndup(value.data + 1, value.length - 2);
}
