/* fields.h - tables that tie a C struct to a JSON object, in both directions.
 *
 * A table lists the members of a JSON object with type, place in the struct,
 * default and rule. fields_decode() checks and fills the struct and names the
 * path of what is wrong ("spec.data.columns[2].type: must be one of Numeric,
 * Categorical, Boolean"); fields_encode() writes it back. CRD specs and status,
 * job documents, results, model.json: all of them go through tables, so a rule
 * stands in one place, and a test can hold the CRD schemas against them.
 *
 * Decoded values live in the arena that is passed in (strings are copied);
 * FIELD_JSON members are borrowed from the tree unless an arena reference is
 * taken by the caller. JSON null counts as absent.
 *
 * Presence: a STRING is NULL, a pointer kind is NULL, a list is empty, an ENUM is
 * -1 (or 0 when its first name is ""), every other kind is zero when the member
 * is absent and the table has no default for it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

enum field_kind {
    FIELD_STRING,   /* const char *                                              */
    FIELD_BOOL,     /* bool                                                      */
    FIELD_INT,      /* int64_t                                                   */
    FIELD_OPT_INT,  /* struct opt_int                                            */
    FIELD_OPT_BOOL, /* struct opt_bool                                           */
    FIELD_NUMBER,   /* struct decimal from a JSON STRING that holds a decimal number */
    FIELD_DOUBLE,   /* double, from a JSON number (only in model.json)           */
    FIELD_DOUBLES,  /* struct doubles, from an array of JSON numbers             */
    FIELD_DURATION, /* int64_t milliseconds, from a string like "5m"             */
    FIELD_TIME,     /* int64_t milliseconds since 1970, from RFC 3339; 0: absent */
    FIELD_ENUM,     /* int: index into names                                     */
    FIELD_STRINGS,  /* struct strings                                            */
    FIELD_MAP,      /* struct pairs: object whose values are strings             */
    FIELD_OBJECT,   /* T *: sub-table                                            */
    FIELD_OBJECTS,  /* struct list of T: sub-table                               */
    FIELD_JSON,     /* json_t *: any value, borrowed                             */
};

struct opt_int {
    bool set;
    int64_t value;
};

struct opt_bool {
    bool set, value;
};

struct decimal {
    const char *text; /* as written; NULL when absent or empty */
    double value;
};

struct strings {
    const char **items;
    size_t count;
};

struct doubles {
    double *items;
    size_t count;
};

struct pair {
    const char *name, *value;
};

struct pairs {
    struct pair *items;
    size_t count;
};

struct list {
    void *items; /* array of the sub-table's struct */
    size_t count;
};

enum {
    FIELD_REQUIRED = 1, /* absent is an error                                    */
    FIELD_ALWAYS = 2,   /* OBJECT: absent gives a struct of defaults, not NULL   */
    FIELD_KEEP = 4,     /* encode even when equal to the default                 */
    FIELD_NONEMPTY = 8, /* "" and [] are errors                                  */
};

/* A further check of a string (pattern, URI, ...): ERR_INVALID with a message
 * that begins after the path, e.g. "must be a lower-case RFC 1123 label". */
typedef int (*field_check)(const char *text, struct err *err);

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    unsigned flags;
    const char *fallback; /* default as text ("5m", "true", "0.2", enum name); NULL: none */
    /* INT, DURATION (ms), OPT_INT: value range. STRING, MAP values: length in
     * bytes. Lists: item count. Both 0: the kind's own limits (strings 1024
     * bytes, lists 256 items, integers all). */
    int64_t minimum, maximum;
    const char *number_range;   /* NUMBER: "(0,1)", "[0,1]", "[0,)": brackets in- or exclude */
    const char *const *names;   /* ENUM: NULL-terminated */
    field_check check;          /* STRING, STRINGS items, NUMBER: extra rule or NULL */
    const struct fields *table; /* OBJECT, OBJECTS */
};

struct fields {
    size_t size; /* of the struct */
    const struct field *items;
    size_t count;
    bool open; /* unknown members are ignored instead of refused */
};

/* Shorthand: FIELD(struct train_job, model, "model", FIELD_STRING, .flags = ...). */
#define FIELD(type, member, json_name, field_kind, ...)                                            \
    {                                                                                              \
        .name = (json_name), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__   \
    }
#define FIELDS(type, array, ...)                                                                   \
    {                                                                                              \
        .size = sizeof(type), .items = (array), .count = ARRAY_SIZE(array), __VA_ARGS__            \
    }

/* Fills *ret_value (table->size bytes) from a JSON object. `path` is what the
 * object is called in messages ("spec", or "" for a document). On failure
 * ERR_INVALID with the first offence, unknown members before the others in table
 * order; *ret_value is then undefined. */
int fields_decode(const json_t *object, const struct fields *table, const char *path,
                  struct arena *arena, void *ret_value, struct err *err)
    __attribute__((warn_unused_result));

/* A struct as if decoded from {}: required members NULL or zero. */
void fields_defaults(const struct fields *table, struct arena *arena, void *ret_value);

/* The struct as a JSON object, members in table order. Absent values are left
 * out, and so are values equal to their default unless FIELD_KEEP or
 * FIELD_REQUIRED, and ALWAYS objects without members. Bytes that are no UTF-8
 * become '?'. New reference. FIELD_TIME is written with seconds, FIELD_DURATION as Go prints it. */
json_t *fields_encode(const struct fields *table, const void *value)
    __attribute__((warn_unused_result));

/* Whether both structs have the same members: fields_encode() gives the same tree of them. */
bool fields_equal(const struct fields *table, const void *left, const void *right);
