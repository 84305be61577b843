#include "scorer/ids.h"

#include <errno.h>
#include <fcntl.h>

#include "base/file.h"
#include "base/mem.h"
#include "ml/dictionary.h"

#define SEED      0x6964735f31u /* any two numbers that differ */
#define MORE_SEED 0x6964735f32u

struct ids {
    const char *folder;
    struct id_key *keys, *spare; /* IDS_IN_MEMORY each */
    size_t count;
    int fd; /* scratch, -1 while not needed */
    size_t run_count;
};

/* A sorted run while it is merged. */
struct run {
    struct id_key *keys; /* a window of the run */
    size_t position, count, room;
    off_t next, end; /* bytes in the scratch file that are not in the window yet */
};

/* The two lines of the best duplicate so far. */
struct duplicate {
    bool found;
    uint32_t first_line, second_line;
};

struct id_key id_key_of(struct span id, uint64_t line)
{
    return (struct id_key){
        .hash = dictionary_hash(id, SEED),
        .more_hash = (uint32_t)(dictionary_hash(id, MORE_SEED) >> 32),
        .line = line < UINT32_MAX ? (uint32_t)line : UINT32_MAX,
    };
}

struct ids *ids_new(const char *folder)
{
    struct ids *ids = mem_zero(1, sizeof(*ids));

    ids->folder = folder;
    ids->fd = -1;
    ids->keys = mem_zero(IDS_IN_MEMORY, sizeof(*ids->keys));
    ids->spare = mem_zero(IDS_IN_MEMORY, sizeof(*ids->spare));
    return ids;
}

void ids_free(struct ids *ids)
{
    if (!ids)
        return;
    if (ids->fd >= 0)
        close(ids->fd);
    free(ids->keys);
    free(ids->spare);
    free(ids);
}

void ids_cleanup(struct ids **ids)
{
    ids_free(*ids);
}

/* --- sorting ------------------------------------------------------------ */

static int compare(const struct id_key *a, const struct id_key *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->more_hash != b->more_hash)
        return a->more_hash < b->more_hash ? -1 : 1;
    return a->line < b->line ? -1 : a->line > b->line;
}

/* One pass of a radix sort: stable by eight bits of the hash. */
static void sort_by_byte(const struct id_key *from, struct id_key *to, size_t count, int shift)
{
    size_t starts[257] = { 0 };

    for (size_t i = 0; i < count; i++)
        starts[((from[i].hash >> shift) & 0xff) + 1]++;
    for (size_t i = 1; i < 257; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < count; i++)
        to[starts[(from[i].hash >> shift) & 0xff]++] = from[i];
}

/* By the upper 32 bits in four passes; what is still out of order is next to its
 * place, so inserting costs almost nothing. */
static void sort_keys(struct ids *ids)
{
    for (int shift = 32; shift < 64; shift += 16) {
        sort_by_byte(ids->keys, ids->spare, ids->count, shift);
        sort_by_byte(ids->spare, ids->keys, ids->count, shift + 8);
    }
    for (size_t i = 1; i < ids->count; i++) {
        struct id_key key = ids->keys[i];
        size_t place = i;

        for (; place > 0 && compare(&key, &ids->keys[place - 1]) < 0; place--)
            ids->keys[place] = ids->keys[place - 1];
        ids->keys[place] = key;
    }
}

/* --- runs --------------------------------------------------------------- */

static int open_scratch(struct ids *ids, struct err *err)
{
    auto_free char *path = mem_format("%s/churn-ids-XXXXXX", ids->folder);

    ids->fd = mkostemp(path, O_CLOEXEC);
    if (ids->fd < 0)
        return err_errno(err, errno, "scratch file in %s", ids->folder);
    (void)unlink(path); /* it disappears with the process */
    return 0;
}

static int write_run(struct ids *ids, struct err *err)
{
    struct span keys = { (const char *)ids->keys, ids->count * sizeof(*ids->keys) };

    if (ids->fd < 0 && open_scratch(ids, err))
        return -1;
    sort_keys(ids);
    if (file_append(ids->fd, keys) < 0)
        return err_errno(err, errno, "scratch file in %s", ids->folder);
    ids->run_count++;
    ids->count = 0;
    return 0;
}

int ids_add(struct ids *ids, const struct id_key *keys, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (ids->count == IDS_IN_MEMORY && write_run(ids, err))
            return -1;
        ids->keys[ids->count++] = keys[i];
    }
    return 0;
}

/* --- looking for duplicates --------------------------------------------- */

static void consider(struct duplicate *best, const struct id_key *a, const struct id_key *b)
{
    if (a->hash != b->hash || a->more_hash != b->more_hash ||
        (best->found && best->second_line <= b->line))
        return;
    *best = (struct duplicate){ true, a->line, b->line };
}

static int fill_window(const struct ids *ids, struct run *run, struct err *err)
{
    size_t wanted = run->room * sizeof(*run->keys);
    ssize_t length;

    if ((off_t)wanted > run->end - run->next)
        wanted = (size_t)(run->end - run->next);
    do
        length = pread(ids->fd, run->keys, wanted, run->next);
    while (length < 0 && errno == EINTR);
    if (length < 0 || (size_t)length != wanted)
        return err_errno(err, length < 0 ? errno : EIO, "scratch file in %s", ids->folder);
    run->next += length;
    run->position = 0;
    run->count = wanted / sizeof(*run->keys);
    return 0;
}

/* Restores the heap order below `parent`: the run with the smallest key on top. */
static void sift_down(struct run *heap, size_t count, size_t parent)
{
    for (;;) {
        size_t least = parent;

        for (size_t child = 2 * parent + 1; child <= 2 * parent + 2 && child < count; child++)
            if (compare(&heap[child].keys[heap[child].position],
                        &heap[least].keys[heap[least].position]) < 0)
                least = child;
        if (least == parent)
            return;
        struct run moved = heap[parent];
        heap[parent] = heap[least];
        heap[least] = moved;
        parent = least;
    }
}

static int merge(const struct ids *ids, struct run *heap, size_t count, struct duplicate *best,
                 struct err *err)
{
    struct id_key last = { 0 };
    bool any = false;

    for (size_t i = count; i-- > 0;)
        sift_down(heap, count, i);
    while (count > 0) {
        struct run *top = &heap[0];
        struct id_key key = top->keys[top->position++];

        if (any)
            consider(best, &last, &key);
        last = key;
        any = true;
        if (top->position == top->count) {
            if (top->next == top->end)
                *top = heap[--count];
            else if (fill_window(ids, top, err))
                return -1;
        }
        sift_down(heap, count, 0);
    }
    return 0;
}

/* The windows of all runs share the memory that the keys had. */
static int merge_runs(struct ids *ids, struct duplicate *best, struct err *err)
{
    size_t room = IDS_IN_MEMORY / ids->run_count;
    off_t run_bytes = (off_t)(IDS_IN_MEMORY * sizeof(*ids->keys));
    off_t end = lseek(ids->fd, 0, SEEK_END);
    auto_free struct run *runs = mem_zero(ids->run_count, sizeof(*runs));

    if (room == 0)
        return err_set(err, ERR_TOO_BIG, "more than %zu rows", IDS_IN_MEMORY * IDS_IN_MEMORY);
    for (size_t i = 0; i < ids->run_count; i++) {
        runs[i] = (struct run){ .keys = ids->keys + i * room,
                                .room = room,
                                .next = (off_t)i * run_bytes,
                                .end = (off_t)(i + 1) * run_bytes };
        if (runs[i].end > end)
            runs[i].end = end;
        if (fill_window(ids, &runs[i], err))
            return -1;
    }
    return merge(ids, runs, ids->run_count, best, err);
}

int ids_find_duplicate(struct ids *ids, bool *ret_found, uint32_t *ret_first_line,
                       uint32_t *ret_second_line, struct err *err)
{
    struct duplicate best = { 0 };

    if (ids->run_count > 0) {
        if ((ids->count > 0 && write_run(ids, err)) || merge_runs(ids, &best, err))
            return -1;
    } else {
        sort_keys(ids);
        for (size_t i = 1; i < ids->count; i++)
            consider(&best, &ids->keys[i - 1], &ids->keys[i]);
    }
    *ret_found = best.found;
    *ret_first_line = best.first_line;
    *ret_second_line = best.second_line;
    return 0;
}
