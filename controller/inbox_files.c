#include "inbox_files.h"

#include "base/mem.h"
#include "base/num.h"
#include "contract/check.h"
#include "store/store.h"

#define REJECTS  ".rejects.csv"
#define MANIFEST ".manifest.json"

#define INPUT_URI_MAXIMUM 1024 /* batch_api.c */
#define NAME_MAXIMUM      255  /* of a file's name in status (inbox_api.c), and in a folder */

/* A data file of a bucket whose manifest may still come. Its name begins that of every object
 * that comes before the manifest, so there are never many. */
struct undecided {
    struct undecided *next;
    char *key, *name, *generation;
};

struct search {
    const char *folder_uri;
    const struct inbox_question *question;
    struct store *store;
    bool sorted;                 /* objects come in the order of their names */
    char *last;                  /* the name of the last one; NULL: none yet */
    struct undecided *undecided; /* the longest name first */
    struct inbox_files found;
};

static void release_file(struct inbox_file *file)
{
    free((char *)file->key);
    free((char *)file->name);
    free((char *)file->generation);
}

void inbox_files_release(struct inbox_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        release_file(&files->items[i]);
    free(files->items);
    *files = (struct inbox_files){ 0 };
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t length = strlen(text), suffix_length = strlen(suffix);

    return length > suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

static bool is_taken(const struct inbox_question *question, const char *key)
{
    if (question->floor && strcmp(key, question->floor) <= 0)
        return true;
    for (size_t i = 0; i < question->taken.count; i++)
        if (strcmp(key, question->taken.items[i]) == 0)
            return true;
    return false;
}

/* Where a key belongs; INBOX_FILES when it does not. Of too many files the oldest are kept, or the
 * newest when those were asked for; then the first one is given up for it. */
static size_t find_place(const struct inbox_files *files, const struct inbox_question *question,
                         const char *key)
{
    size_t place = 0;

    if (!question->newest && is_taken(question, key))
        return INBOX_FILES;
    while (place < files->count && strcmp(files->items[place].key, key) < 0)
        place++;
    if (files->count < INBOX_FILES || !question->newest)
        return place;
    return place == 0 ? INBOX_FILES : place - 1;
}

bool inbox_files_want(const struct inbox_files *files, const struct inbox_question *question,
                      const char *key)
{
    return find_place(files, question, key) < INBOX_FILES;
}

void inbox_files_put(struct inbox_files *files, const struct inbox_question *question,
                     const char *key, const char *name, const char *generation)
{
    size_t place = find_place(files, question, key), last = INBOX_FILES - 1;
    bool full = files->count == INBOX_FILES;

    if (!files->items)
        files->items = mem_zero(INBOX_FILES, sizeof(*files->items));
    if (full)
        release_file(&files->items[question->newest ? 0 : last]);
    if (full && question->newest) /* those before the place move up, else those behind it down */
        memmove(&files->items[0], &files->items[1], place * sizeof(*files->items));
    else
        memmove(&files->items[place + 1], &files->items[place],
                ((full ? last : files->count) - place) * sizeof(*files->items));
    files->count += !full;
    files->items[place] = (struct inbox_file){ .key = mem_strdup(key),
                                               .name = mem_strdup(name),
                                               .generation = mem_strdup(generation) };
}

/* 1: an output of ours, 0: not, -1: it cannot be told. Asked for few: most files are too old. */
static int is_output(const struct search *search, const char *name, struct err *err)
{
    char *manifest auto_free = mem_format("%s%s" MANIFEST, search->folder_uri, name);
    struct store_info info;
    struct err why;

    if (ends_in(name, REJECTS))
        return 1;
    if (strlen(name) + strlen(MANIFEST) > NAME_MAXIMUM)
        return 0; /* there can be no such file */
    if (store_stat(search->store, manifest, &info, &why) == 0)
        return 1;
    if (why.kind == ERR_NOT_FOUND)
        return 0;
    *err = why;
    return -1;
}

/* Whether a ChurnBatch can name the file as its input, and status can tell it. */
static bool has_usable_name(const struct search *search, const char *name)
{
    char *uri auto_free = mem_format("%s%s", search->folder_uri, name);

    return strlen(name) <= NAME_MAXIMUM && strlen(uri) <= INPUT_URI_MAXIMUM &&
           check_file_uri(uri, NULL) == 0;
}

static char *key_of(const struct store_entry *entry)
{
    char time[NUM_TIME_TEXT];

    num_format_nano_time(entry->info.updated_ns, time);
    return mem_format("%s %s", time, entry->name);
}

/* --- in any order: a manifest is asked for ---------------------------------------------- */

static int consider(struct search *search, const struct store_entry *entry, struct err *err)
{
    char *key auto_free = NULL;
    int output;

    if (!store_is_data_file(entry) || !has_usable_name(search, entry->name))
        return 0;
    key = key_of(entry);
    if (!inbox_files_want(&search->found, search->question, key))
        return 0;
    output = is_output(search, entry->name, err);
    if (output == 0)
        inbox_files_put(&search->found, search->question, key, entry->name, entry->info.generation);
    return output < 0 ? -1 : 0;
}

/* --- in the order of names: a manifest is waited for -------------------------------------- */

static void forget_first(struct search *search)
{
    struct undecided *first = search->undecided;

    search->undecided = first->next;
    free(first->key);
    free(first->name);
    free(first->generation);
    free(first);
}

/* The manifest of the first one did not come. */
static void decide_first(struct search *search)
{
    const struct undecided *first = search->undecided;

    if (inbox_files_want(&search->found, search->question, first->key))
        inbox_files_put(&search->found, search->question, first->key, first->name,
                        first->generation);
    forget_first(search);
}

/* Whether the manifest of a file may still come after an object of this name: the name
 * begins with the file's, and goes on with nothing greater than ".manifest.json". */
static bool may_be_output(const struct undecided *file, const char *name)
{
    size_t length = strlen(file->name);

    return strncmp(name, file->name, length) == 0 && strcmp(name + length, MANIFEST) <= 0;
}

/* Names that do not grow could be told for ever, each of them kept until its manifest comes. */
static int follow_order(struct search *search, const char *name, struct err *err)
{
    if (search->last && strcmp(name, search->last) <= 0)
        return err_set(err, ERR_INVALID, "%s: the listing is not in the order of names",
                       search->folder_uri);
    free(search->last);
    search->last = mem_strdup(name);
    return 0;
}

static void consider_next(struct search *search, const struct store_entry *entry)
{
    struct undecided *file;

    while (search->undecided && !may_be_output(search->undecided, entry->name))
        decide_first(search);
    for (struct undecided **place = &search->undecided; *place; place = &(*place)->next) {
        size_t length = strlen((*place)->name);

        if (strncmp(entry->name, (*place)->name, length) != 0 ||
            strcmp(entry->name + length, MANIFEST) != 0)
            continue;
        file = *place; /* an output: it is moved to the front and forgotten */
        *place = file->next;
        file->next = search->undecided;
        search->undecided = file;
        forget_first(search);
        return;
    }
    if (!store_is_data_file(entry) || !has_usable_name(search, entry->name) ||
        ends_in(entry->name, REJECTS))
        return;
    file = mem_zero(1, sizeof(*file));
    *file = (struct undecided){ .next = search->undecided,
                                .key = key_of(entry),
                                .name = mem_strdup(entry->name),
                                .generation = mem_strdup(entry->info.generation) };
    search->undecided = file;
}

static int visit(void *context, const struct store_entry *entry, struct err *err)
{
    struct search *search = context;

    if (!search->sorted)
        return consider(search, entry, err);
    if (entry->is_folder)
        return 0;
    if (follow_order(search, entry->name, err) < 0)
        return -1;
    consider_next(search, entry);
    return 0;
}

int inbox_files_find(struct store *store, const char *folder_uri,
                     const struct inbox_question *question, struct inbox_files *ret_files,
                     struct err *err)
{
    struct search search = { .folder_uri = folder_uri,
                             .question = question,
                             .store = store,
                             .sorted = strncmp(folder_uri, "file://", strlen("file://")) != 0 };
    int outcome = store_walk(store, folder_uri, visit, &search, err);

    while (search.undecided)
        decide_first(&search);
    free(search.last);
    if (outcome < 0)
        inbox_files_release(&search.found);
    else
        *ret_files = search.found;
    return outcome < 0 ? -1 : 0;
}

bool inbox_files_follow(struct inbox_files *files, const struct inbox_files *before, int64_t now_ms)
{
    bool differ = files->count != before->count;

    for (size_t i = 0; i < files->count; i++) {
        struct inbox_file *file = &files->items[i];
        bool known = false;

        file->since_ms = now_ms;
        for (size_t j = 0; j < before->count && !known; j++) {
            known = strcmp(before->items[j].key, file->key) == 0 &&
                    strcmp(before->items[j].generation, file->generation) == 0;
            if (known)
                file->since_ms = before->items[j].since_ms;
        }
        differ |= !known;
    }
    return differ;
}

/* --- questions ---------------------------------------------------------------------------- */

struct inbox_question *inbox_question_copy(const struct inbox_question *question)
{
    struct inbox_question *copy = mem_zero(1, sizeof(*copy));

    *copy = (struct inbox_question){ .newest = question->newest };
    copy->floor = question->floor ? mem_strdup(question->floor) : NULL;
    copy->taken.count = question->taken.count;
    copy->taken.items = mem_zero(question->taken.count, sizeof(*copy->taken.items));
    for (size_t i = 0; i < question->taken.count; i++)
        copy->taken.items[i] = mem_strdup(question->taken.items[i]);
    return copy;
}

void inbox_question_free(struct inbox_question *question)
{
    if (!question)
        return;
    for (size_t i = 0; i < question->taken.count; i++)
        free((char *)question->taken.items[i]);
    free(question->taken.items);
    free((char *)question->floor);
    free(question);
}
