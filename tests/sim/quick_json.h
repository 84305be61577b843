/* quick_json.h - a JSON library that takes the place of jansson when a program is linked with it:
 * most of what a seed costs is small trees that are made, copied, read and dropped.
 *
 * It has the functions of jansson that this repository calls, with jansson's meaning, for one
 * thread: values in quick_json.c, text in quick_text.c. Members of an object are a list, in the
 * order in which they came, and are found by going through it. Scalars never change, so copies
 * share them. Out of memory ends the process, as with jansson here (base/json.c). */
#pragma once

#include <stdint.h>

#include "base/json.h"

/* Jansson itself is no part of such a program, and is loaded only when text is wrong. */
#define QUICK_JANSSON "libjansson.so.4"

struct quick_member {
    struct quick_member *next;
    json_t *value;
    size_t length;
    char key[];
};

struct quick_object {
    json_t base;
    struct quick_member *first, *last;
    size_t count;
};

struct quick_array {
    json_t base;
    json_t **items;
    size_t count, room;
};

struct quick_string {
    json_t base;
    size_t length;
    char text[];
};

struct quick_integer {
    json_t base;
    json_int_t value;
};

struct quick_real {
    json_t base;
    double value;
};

static inline struct quick_object *as_object(const json_t *value)
{
    return (struct quick_object *)value;
}

static inline struct quick_array *as_array(const json_t *value)
{
    return (struct quick_array *)value;
}

static inline struct quick_string *as_string(const json_t *value)
{
    return (struct quick_string *)value;
}

/* NULL: there is none of this name. */
struct quick_member *object_find(const struct quick_object *object, const char *key, size_t length);
/* Behind all others; whoever calls knows that there is none of this name. */
struct quick_member *object_append(struct quick_object *object, const char *key, size_t length,
                                   json_t *take_value);
