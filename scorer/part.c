#include "scorer/part.h"

#include <math.h>

#include "base/json.h"
#include "base/limits.h"
#include "contract/check.h"
#include "contract/reasons.h"

_Static_assert(sizeof(struct id_key) == 16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "id_key goes to files as it is in memory");

#define COUNT_MAXIMUM (INT64_C(1) << 53) /* what a JSON number holds exactly */
#define BINS_MAXIMUM  (INT64_C(1) << 22) /* far more than a model document has room for */

/* Objects are looked for in the folder of the parts and nowhere else. */
static int check_name(const char *text, struct err *err)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.");

    if (strncmp(text, "part-", strlen("part-")) != 0 || text[length])
        return err_set(err, ERR_INVALID, "must be the name of a part's object");
    return 0;
}

#define COUNT_FIELD(member, json_name)                                                             \
    FIELD(struct part, member, json_name, FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP,         \
          .minimum = 0, .maximum = COUNT_MAXIMUM)

static const struct field object_items[] = {
    FIELD(struct part_object, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 64,
          .check = check_name),
    FIELD(struct part_object, bytes, "bytes", FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .minimum = 0, .maximum = COUNT_MAXIMUM),
    FIELD(struct part_object, sha256, "sha256", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_sha256),
};
static const struct fields object_fields = FIELDS(struct part_object, object_items);

static const struct field fault_items[] = {
    FIELD(struct part_fault, line, "line", FIELD_INT, .flags = FIELD_REQUIRED, .minimum = 1,
          .maximum = COUNT_MAXIMUM),
    FIELD(struct part_fault, column, "column", FIELD_STRING, .fallback = "",
          .maximum = LIMIT_CSV_NAME),
    FIELD(struct part_fault, why, "why", FIELD_STRING, .flags = FIELD_REQUIRED,
          .maximum = sizeof(((struct row_fault *)NULL)->why) - 1),
};
static const struct fields fault_fields = FIELDS(struct part_fault, fault_items);

static const struct field part_items[] = {
    FIELD(struct part, version, "version", FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .minimum = PART_VERSION, .maximum = PART_VERSION),
    FIELD(struct part, index, "index", FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .minimum = 0, .maximum = SHARDS_MAXIMUM - 1),
    FIELD(struct part, model, "model", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_version),
    FIELD(struct part, input, "input", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &input_result_fields),
    FIELD(struct part, header, "header", FIELD_STRING, .flags = FIELD_REQUIRED | FIELD_NONEMPTY,
          .maximum = 2 * LIMIT_CSV_RECORD),
    FIELD(struct part, output, "output", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &object_fields),
    FIELD(struct part, rejects, "rejects", FIELD_OBJECT, .table = &object_fields),
    FIELD(struct part, ids, "ids", FIELD_OBJECT, .table = &object_fields),
    FIELD(struct part, first_fault, "firstFault", FIELD_OBJECT, .table = &fault_fields),
    COUNT_FIELD(scored, "scored"),
    COUNT_FIELD(rejected, "rejected"),
    COUNT_FIELD(unseen, "unseen"),
    COUNT_FIELD(above_threshold, "aboveThreshold"),
    FIELD(struct part, sum, "sum", FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP, .minimum = 0,
          .maximum = INT64_MAX),
    FIELD(struct part, bins, "bins", FIELD_DOUBLES, .maximum = TALLY_BINS + 1),
    FIELD(struct part, drift, "drift", FIELD_DOUBLES, .maximum = BINS_MAXIMUM),
};
const struct fields part_fields = FIELDS(struct part, part_items);

const char *part_uri(const char *folder, int64_t index, struct arena *arena)
{
    return arena_format(arena, "%spart-%05" PRId64 ".json", folder, index);
}

const char *part_object_uri(const char *folder, const struct part_object *object,
                            struct arena *arena)
{
    return arena_format(arena, "%s%s", folder, object->name);
}

/* --- reading -------------------------------------------------------------- */

/* Whole numbers; their sum, or -1. */
static double sum_of(const struct doubles *counts)
{
    double sum = 0;

    for (size_t i = 0; i < counts->count; i++) {
        double count = counts->items[i];

        if (!(count >= 0 && count <= (double)COUNT_MAXIMUM && count == floor(count)))
            return -1;
        sum += count;
    }
    return sum;
}

static int check_part(const struct part *part, struct err *err)
{
    const struct part_object *ids = part->ids;

    if (sum_of(&part->bins) != (double)part->scored)
        return err_set(err, ERR_INVALID, "bins: must be counts of all scored rows");
    if (sum_of(&part->drift) < 0)
        return err_set(err, ERR_INVALID, "drift: must be counts");
    if (part->above_threshold > part->scored)
        return err_set(err, ERR_INVALID, "aboveThreshold: must be at most scored");
    if (part->scored > INT64_MAX / (int64_t)TALLY_UNIT ||
        part->sum > part->scored * (int64_t)TALLY_UNIT)
        return err_set(err, ERR_INVALID, "sum: must be at most one per scored row");
    if ((part->rejected > 0) != (part->rejects && part->first_fault))
        return err_set(err, ERR_INVALID, "rejects, firstFault: must be there with bad rows only");
    if (ids && ids->bytes != part->scored * (int64_t)sizeof(struct id_key))
        return err_set(err, ERR_INVALID, "ids.bytes: must be %zu per scored row",
                       sizeof(struct id_key));
    return 0;
}

int part_parse(struct span text, const char *uri, int64_t index, struct arena *arena,
               struct part *ret_part, struct err *err)
{
    struct part part;
    struct err why;
    auto_json json_t *document = jx_parse(text, LIMIT_PART, "part", &why);

    if (!document || fields_decode(document, &part_fields, "", arena, &part, &why) ||
        check_part(&part, &why))
        return err_reason(err, ERR_INVALID, REASON_DataInvalid, "%s: %s", uri, why.message);
    if (part.index != index)
        return err_reason(err, ERR_INVALID, REASON_DataInvalid,
                          "%s: index: must be %" PRId64 ", not %" PRId64, uri, index, part.index);
    *ret_part = part;
    return 0;
}

int part_read(struct store *store, const char *uri, int64_t index, struct arena *arena,
              struct part *ret_part, struct err *err)
{
    auto_free char *text = NULL;
    size_t length;

    if (store_get_text(store, uri, LIMIT_PART, &text, &length, err))
        return -1;
    return part_parse((struct span){ text, length }, uri, index, arena, ret_part, err);
}

char *part_text(const struct part *part)
{
    auto_json json_t *document = fields_encode(&part_fields, part);
    auto_free char *text = json_dumps(document, JSON_COMPACT);

    return mem_format("%s\n", text);
}

/* --- counts --------------------------------------------------------------- */

static struct doubles doubles_of(const uint64_t *counts, size_t count, struct arena *arena)
{
    struct doubles doubles = { arena_zero(arena, count, sizeof(double)), count };

    for (size_t i = 0; i < count; i++)
        doubles.items[i] = (double)counts[i];
    return doubles;
}

void part_count(struct part *part, const struct tally *tally, struct arena *arena)
{
    const struct row_fault *fault = &tally->first_fault;
    size_t bin_count = TALLY_BINS + 1;

    while (bin_count > 0 && tally->bins[bin_count - 1] == 0)
        bin_count--;
    part->scored = (int64_t)tally->scored;
    part->rejected = (int64_t)tally->rejected;
    part->unseen = (int64_t)tally->unseen;
    part->above_threshold = (int64_t)tally->above_threshold;
    part->sum = (int64_t)tally->sum;
    part->bins = doubles_of(tally->bins, bin_count, arena);
    part->drift = doubles_of(tally->drift_counts, tally->drift->bin_total, arena);
    if (tally->rejected == 0)
        return;
    part->first_fault = arena_zero(arena, 1, sizeof(*part->first_fault));
    *part->first_fault = (struct part_fault){ .line = (int64_t)fault->line,
                                              .column = arena_strdup(arena, fault->column),
                                              .why = arena_strdup(arena, fault->why) };
}

static void take_fault(const struct part_fault *from, struct row_fault *ret_fault)
{
    *ret_fault = (struct row_fault){ .line = (uint64_t)from->line };
    snprintf(ret_fault->column, sizeof(ret_fault->column), "%s", from->column);
    snprintf(ret_fault->why, sizeof(ret_fault->why), "%s", from->why);
}

int part_add(const struct part *part, struct tally *tally, struct err *err)
{
    if (part->drift.count != tally->drift->bin_total)
        return err_reason(err, ERR_INVALID, REASON_DataInvalid,
                          "part %" PRId64 " has %zu counts of drift, the model %zu", part->index,
                          part->drift.count, tally->drift->bin_total);
    if (part->rejected > 0 && tally->rejected == 0)
        take_fault(part->first_fault, &tally->first_fault);
    tally->read += (uint64_t)(part->scored + part->rejected);
    tally->scored += (uint64_t)part->scored;
    tally->rejected += (uint64_t)part->rejected;
    tally->unseen += (uint64_t)part->unseen;
    tally->above_threshold += (uint64_t)part->above_threshold;
    tally->sum += (uint64_t)part->sum;
    for (size_t i = 0; i < part->bins.count; i++)
        tally->bins[i] += (uint64_t)part->bins.items[i];
    for (size_t i = 0; i < part->drift.count; i++)
        tally->drift_counts[i] += (uint64_t)part->drift.items[i];
    return 0;
}
