#include "kube/list_cutter.h"

#include "base/json.h"
#include "base/limits.h"

/* What is expected next, or, while `inside`, what the value at hand is. */
enum place {
    BEGIN,        /* '{' of the list                   */
    FIRST_MEMBER, /* '"' of a name, or '}'             */
    MEMBER,       /* '"' of a name                     */
    NAME,         /* inside: the name of a member      */
    COLON,
    VALUE,       /* of the member                      */
    METADATA,    /* inside: the value of "metadata"    */
    SKIPPED,     /* inside: a value nobody needs       */
    NEXT_MEMBER, /* ',' or '}'                         */
    FIRST_ITEM,  /* '{' or ']'                         */
    ITEM,        /* '{'; inside: an item               */
    NEXT_ITEM,   /* ',' or ']'                         */
    END,
};

enum member { MEMBER_OTHER, MEMBER_METADATA, MEMBER_ITEMS };

void list_cutter_init(struct list_cutter *cutter, list_item_callback on_item, void *context)
{
    *cutter = (struct list_cutter){ .on_item = on_item, .context = context, .place = BEGIN };
    buf_init(&cutter->value, LIMIT_KUBE_OBJECT);
}

void list_cutter_release(struct list_cutter *cutter)
{
    buf_release(&cutter->value);
    free(cutter->resource_version);
    free(cutter->continue_token);
    *cutter = (struct list_cutter){ 0 };
}

/* --- the value at hand ---------------------------------------------------- */

/* Moves *at over a string, its opening quote being past; at most to the piece's end. */
static void skip_string(struct list_cutter *cutter, struct span piece, size_t *at)
{
    while (*at < piece.length && cutter->in_string) {
        char character = piece.data[(*at)++];

        if (cutter->escaped)
            cutter->escaped = false;
        else if (character == '\\')
            cutter->escaped = true;
        else if (character == '"')
            cutter->in_string = false;
    }
}

static bool ends_scalar(char character)
{
    return strchr(",]} \t\r\n", character) && character;
}

/* Moves *at over what the piece holds of the value at hand; true when that is its end. */
static bool skip_value(struct list_cutter *cutter, struct span piece, size_t *at)
{
    while (*at < piece.length) {
        char character = piece.data[*at];

        if (cutter->in_string) {
            skip_string(cutter, piece, at);
            if (!cutter->in_string && cutter->depth == 0)
                return true;
            continue;
        }
        if (cutter->depth == 0 && ends_scalar(character))
            return true;
        ++*at;
        if (character == '"')
            cutter->in_string = true;
        else if (character == '{' || character == '[')
            cutter->depth++;
        else if ((character == '}' || character == ']') && --cutter->depth == 0)
            return true;
    }
    return false;
}

static int read_metadata(struct list_cutter *cutter, struct span text, struct err *err)
{
    auto_json json_t *metadata = jx_parse(text, LIMIT_KUBE_OBJECT, "metadata of a list", err);
    const char *version = jx_string(metadata, "resourceVersion", NULL);
    const char *token = jx_string(metadata, "continue", NULL);

    if (!metadata)
        return -1;
    cutter->resource_version = mem_strdup(version ? version : "");
    cutter->continue_token = mem_strdup(token ? token : "");
    return 0;
}

static int read_name(struct list_cutter *cutter, struct span text, struct err *err)
{
    cutter->member = MEMBER_OTHER;
    if (span_equals(text, "\"metadata\""))
        cutter->member = MEMBER_METADATA;
    else if (span_equals(text, "\"items\""))
        cutter->member = MEMBER_ITEMS;
    if ((cutter->member == MEMBER_METADATA && cutter->resource_version) ||
        (cutter->member == MEMBER_ITEMS && cutter->has_items))
        return err_set(err, ERR_INVALID, "not a Kubernetes list: %.*s twice", (int)text.length,
                       text.data);
    return 0;
}

static int use_value(struct list_cutter *cutter, struct span text, struct err *err)
{
    switch ((enum place)cutter->place) {
    case NAME:
        cutter->place = COLON;
        return read_name(cutter, text, err);
    case METADATA:
        cutter->place = NEXT_MEMBER;
        return read_metadata(cutter, text, err);
    case ITEM:
        cutter->place = NEXT_ITEM;
        return cutter->on_item(cutter->context, text, err);
    default:
        cutter->place = NEXT_MEMBER;
        return 0;
    }
}

/* A part of the value at hand. One that lies whole in its piece is used without a copy. */
static int take_part(struct list_cutter *cutter, struct span part, bool complete, struct err *err)
{
    struct span text = part;
    int result;

    cutter->inside = !complete;
    if (cutter->place != SKIPPED) {
        if (!complete || cutter->value.length > 0) {
            buf_append(&cutter->value, part.data, part.length);
            text = (struct span){ cutter->value.data, cutter->value.length };
        }
        if (cutter->value.overflow || text.length > LIMIT_KUBE_OBJECT)
            return err_set(err, ERR_TOO_BIG, "an item of the list is larger than %zu bytes",
                           LIMIT_KUBE_OBJECT);
    }
    if (!complete)
        return 0;
    result = use_value(cutter, text, err);
    buf_clear(&cutter->value);
    return result;
}

/* --- around it ------------------------------------------------------------ */

static bool begin_value(struct list_cutter *cutter, enum place place)
{
    cutter->place = (int)place;
    cutter->inside = true;
    cutter->in_string = cutter->escaped = false;
    cutter->depth = 0;
    return true;
}

static bool move_to(struct list_cutter *cutter, enum place place)
{
    cutter->place = (int)place;
    return true;
}

/* The first byte of a member's value. */
static bool step_value(struct list_cutter *cutter, char character)
{
    if (strchr(",:]}", character))
        return false;
    if (cutter->member == MEMBER_ITEMS) {
        cutter->has_items = true;
        if (character == '[')
            return move_to(cutter, FIRST_ITEM);
        return character == 'n' && begin_value(cutter, SKIPPED); /* null: Go's empty list */
    }
    if (cutter->member == MEMBER_METADATA && character == '{')
        return begin_value(cutter, METADATA);
    return begin_value(cutter, SKIPPED);
}

/* A byte between values, no blank; false when it may not stand here. */
static bool step(struct list_cutter *cutter, char character)
{
    switch ((enum place)cutter->place) {
    case BEGIN:
        return character == '{' && move_to(cutter, FIRST_MEMBER);
    case FIRST_MEMBER:
        if (character == '}')
            return move_to(cutter, END);
        return character == '"' && begin_value(cutter, NAME);
    case MEMBER:
        return character == '"' && begin_value(cutter, NAME);
    case COLON:
        return character == ':' && move_to(cutter, VALUE);
    case VALUE:
        return step_value(cutter, character);
    case NEXT_MEMBER:
        if (character == '}')
            return move_to(cutter, END);
        return character == ',' && move_to(cutter, MEMBER);
    case FIRST_ITEM:
        if (character == ']')
            return move_to(cutter, NEXT_MEMBER);
        return character == '{' && begin_value(cutter, ITEM);
    case ITEM:
        return character == '{' && begin_value(cutter, ITEM);
    case NEXT_ITEM:
        if (character == ']')
            return move_to(cutter, NEXT_MEMBER);
        return character == ',' && move_to(cutter, ITEM);
    default:
        return false;
    }
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

int list_cutter_push(struct list_cutter *cutter, struct span piece, struct err *err)
{
    size_t at = 0;

    while (at < piece.length) {
        if (!cutter->inside) {
            if (is_blank(piece.data[at])) {
                at++;
                continue;
            }
            if (!step(cutter, piece.data[at]))
                return err_set(err, ERR_INVALID,
                               "not a Kubernetes list: unexpected '%c' at byte %zu", piece.data[at],
                               cutter->offset + at + 1);
            if (!cutter->inside) {
                at++;
                continue;
            }
        }

        size_t start = at;
        bool complete = skip_value(cutter, piece, &at);
        if (take_part(cutter, (struct span){ piece.data + start, at - start }, complete, err) < 0)
            return -1;
    }
    cutter->offset += piece.length;
    return 0;
}

int list_cutter_finish(struct list_cutter *cutter, const char **ret_resource_version,
                       const char **ret_continue_token, struct err *err)
{
    if (cutter->place != END)
        return err_set(err, ERR_RETRY, "the list ends early, after %zu bytes", cutter->offset);
    if (!cutter->has_items)
        return err_set(err, ERR_INVALID, "not a Kubernetes list: it has no \"items\"");
    *ret_resource_version = cutter->resource_version ? cutter->resource_version : "";
    *ret_continue_token = cutter->continue_token ? cutter->continue_token : "";
    return 0;
}
