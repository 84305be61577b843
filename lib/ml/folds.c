#include "ml/folds.h"

#include <math.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/sha256.h"

/* A row in the order in which folds are dealt. */
struct card {
    uint64_t key;   /* of the row's content: equal for copies           */
    uint64_t order; /* of the id: the first among copies speaks for all */
    uint64_t draw;  /* of seed and id: decides                          */
    uint32_t row;
    uint8_t label;
    uint8_t fold; /* a held-out row's; 0 for those to learn from      */
};
_Static_assert(sizeof(struct card) + sizeof(uint8_t) == FOLDS_ROW_BYTES, "and its fold");

void folds_release(struct folds *folds)
{
    free(folds->fold);
    free(folds->training);
    free(folds->holdout);
    free(folds->searched);
    *folds = (struct folds){ 0 };
}

/* The first 64 bits of SHA-256 over seed and id. */
static uint64_t draw_of(int64_t seed, const char *id)
{
    char seed_text[24], hex[SHA256_HEX];
    snprintf(seed_text, sizeof(seed_text), "%" PRId64, seed);
    struct sha256 hash;
    sha256_init(&hash);
    sha256_add_part(&hash, span_of(seed_text));
    sha256_add_part(&hash, span_of(id));
    sha256_hex(&hash, hex);
    uint64_t draw = 0;
    for (int i = 0; i < 16; i++)
        draw = draw << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return draw;
}

static int by_content(const void *left, const void *right)
{
    const struct card *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static int by_draw(const void *left, const void *right)
{
    const struct card *a = left, *b = right;
    if (a->label != b->label)
        return a->label < b->label ? -1 : 1;
    if (a->draw != b->draw)
        return a->draw < b->draw ? -1 : 1;
    return (a->key > b->key) - (a->key < b->key);
}

/* Rows with one content: those to learn from get the draw of the first among them, the
 * others are then copies of what is learned. */
static void join_group(struct card *group, size_t count)
{
    const struct card *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (group[i].fold == FOLD_HOLDOUT)
            continue;
        if (first == NULL)
            first = &group[i];
        group[i].draw = first->draw;
    }
    for (size_t i = 0; i < count && first != NULL; i++)
        if (group[i].fold == FOLD_HOLDOUT)
            group[i].fold = FOLD_COPY;
}

/* Joins copies, unless there are too many. Returns how many follow another row. */
static size_t join_copies(struct card *cards, size_t count)
{
    size_t copies = 0;
    qsort(cards, count, sizeof(*cards), by_content);
    for (size_t i = 1; i < count; i++)
        copies += cards[i].key == cards[i - 1].key;
    if ((double)copies > FOLDS_COPIES_SHARE * (double)count)
        return 0;
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && cards[end].key == cards[begin].key; end++)
            continue;
        join_group(cards + begin, end - begin);
    }
    return copies;
}

static void deal(struct folds *folds, struct card *cards, size_t count)
{
    qsort(cards, count, sizeof(*cards), by_draw);
    unsigned next = 0;
    for (size_t i = 0; i < count; i++) {
        bool again =
            i > 0 && cards[i].key == cards[i - 1].key && cards[i].draw == cards[i - 1].draw;
        if (cards[i].fold != 0)
            folds->fold[cards[i].row] = cards[i].fold;
        else if (again)
            folds->fold[cards[i].row] = folds->fold[cards[i - 1].row];
        else
            folds->fold[cards[i].row] = (uint8_t)(next++ % folds->fold_count);
    }
}

/* Of each class as many as its share of all says, each row with the same chance: a row is taken
 * when chance says that it is among those that are still wanted (Knuth, The Art of Computer
 * Programming 2, 3.4.2, algorithm S). */
static void draw_searched(struct folds *folds, const uint8_t *labels, int64_t seed)
{
    size_t left[2] = { 0 }, wanted[2], all = folds->training_count;
    size_t sample = all < FOLDS_SEARCHED ? all : FOLDS_SEARCHED;
    struct random random;
    random_seed(&random, (uint64_t)seed);
    folds->searched = mem_zero(sample, sizeof(*folds->searched));
    for (size_t i = 0; i < all; i++)
        left[labels[folds->training[i]]]++;
    wanted[1] = (size_t)round((double)left[1] * (double)sample / (double)all);
    wanted[0] = sample - wanted[1];
    for (size_t i = 0; i < all; i++) {
        uint32_t row = folds->training[i];
        uint8_t label = labels[row];
        if (random_below(&random, left[label]--) >= wanted[label])
            continue;
        wanted[label]--;
        folds->searched[folds->searched_count++] = row;
    }
}

void folds_list(struct folds *folds, const struct table *table, int64_t seed)
{
    size_t row_count = table->row_count;
    folds->training = mem_zero(row_count, sizeof(*folds->training));
    folds->holdout = mem_zero(row_count, sizeof(*folds->holdout));
    for (size_t row = 0; row < row_count; row++) {
        if (folds->fold[row] == FOLD_HOLDOUT)
            folds->holdout[folds->holdout_count++] = (uint32_t)row;
        else if (folds->fold[row] == FOLD_COPY)
            folds->copies++;
        else
            folds->training[folds->training_count++] = (uint32_t)row;
    }
    draw_searched(folds, table->labels, seed);
}

static struct card make_card(const struct table *table, size_t row, int64_t seed, double share)
{
    const char *id = table_id(table, row);
    uint64_t draw = draw_of(seed, id);
    return (struct card){ .key = table->row_keys[row],
                          .order = dictionary_hash(span_of(id), 0),
                          .draw = draw,
                          .row = (uint32_t)row,
                          .label = table->labels[row],
                          .fold = (double)draw < share * 0x1p64 ? FOLD_HOLDOUT : 0 };
}

void folds_init(struct folds *folds, const struct table *table, int64_t seed, double share,
                unsigned fold_count)
{
    *folds = (struct folds){ .fold = mem_zero(table->row_count, sizeof(*folds->fold)),
                             .fold_count = fold_count };
    auto_free struct card *cards = mem_zero(table->row_count, sizeof(*cards));
    for (size_t row = 0; row < table->row_count; row++)
        cards[row] = make_card(table, row, seed, share);
    folds->duplicates = join_copies(cards, table->row_count);
    deal(folds, cards, table->row_count);
    folds_list(folds, table, seed);
}
