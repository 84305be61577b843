/* Goal: of a folder of any size an inbox gets the few files that are new, and none of ours.
 * Method: real folders with files of chosen times; questions, and the names that come back. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store/store.h"

#include "inbox_files.h"
#include "store/store_driver.h"

struct folder {
    char path[64];
    char *uri;
    struct arena arena;
};

static void setup(struct folder *folder)
{
    *folder = (struct folder){ .path = "/tmp/test_inbox_files_XXXXXX" };
    assert_non_null(mkdtemp(folder->path));
    folder->uri = mem_format("file://%s/", folder->path);
}

static void teardown(struct folder *folder)
{
    struct store *store auto_store = store_open(NULL, folder->uri, NULL);

    assert_int_equal(store_delete_folder(store, folder->uri, NULL), 0);
    free(folder->uri);
    arena_release(&folder->arena);
}

/* A file that was changed last `second` seconds after 2026 began. */
static void put(struct folder *folder, const char *name, int second, const char *text)
{
    char *path auto_free = mem_format("%s/%s", folder->path, name);
    struct timespec times[2] = { { .tv_sec = 1767225600 + second }, { 0 } };
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* "a.csv b.csv" */
static const char *ask(struct folder *folder, const struct inbox_question *question)
{
    struct store *store auto_store = store_open(NULL, folder->uri, NULL);
    struct inbox_files files = { 0 };
    struct err err;
    const char *text = "";

    if (inbox_files_find(store, folder->uri, question, &files, &err) < 0)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < files.count; i++)
        text = arena_format(&folder->arena, "%s%s%s", text, i ? " " : "", files.items[i].name);
    inbox_files_release(&files);
    return text;
}

static void test_what_is_new(void **state)
{
    static const char *taken[] = { "2026-01-01T00:00:03.000000000Z c.csv" };
    struct folder folder;

    (void)state;
    setup(&folder);
    put(&folder, "c.csv", 3, "x");
    put(&folder, "b.csv.gz", 2, "x");
    put(&folder, "d.csv.zst", 3, "x");
    put(&folder, "a.csv", 1, "x");
    assert_string_equal(ask(&folder, &(struct inbox_question){ 0 }),
                        "a.csv b.csv.gz c.csv d.csv.zst");
    assert_string_equal(ask(&folder, &(struct inbox_question){ .taken = { taken, 1 } }),
                        "a.csv b.csv.gz d.csv.zst");
    assert_string_equal(
        ask(&folder, &(struct inbox_question){ .floor = "2026-01-01T00:00:02.000000000Z b.csv.gz",
                                               .taken = { taken, 1 } }),
        "d.csv.zst");
    put(&folder, "c.csv", 4, "x"); /* uploaded again */
    assert_string_equal(
        ask(&folder, &(struct inbox_question){ .floor = "2026-01-01T00:00:02.000000000Z b.csv.gz",
                                               .taken = { taken, 1 } }),
        "d.csv.zst c.csv");
    teardown(&folder);
}

/* Outputs may be in the folder of the inputs, with all that belongs to them. */
static void test_what_is_no_input(void **state)
{
    struct folder folder;
    char *parts auto_free = NULL;

    (void)state;
    setup(&folder);
    put(&folder, "week.csv", 1, "x");
    put(&folder, "m-week-1.csv", 2, "x");
    put(&folder, "m-week-1.csv.manifest.json", 2, "x");
    put(&folder, "m-week-1.csv.rejects.csv", 2, "x");
    put(&folder, "m-week-2.csv.rejects.csv", 2, "x"); /* of a run that failed */
    put(&folder, "empty.csv", 3, "");
    put(&folder, ".hidden.csv", 3, "x");
    put(&folder, "_temporary.csv", 3, "x");
    put(&folder, "notes.txt", 3, "x");
    put(&folder, "a\nb.csv", 3, "x");
    parts = mem_format("%s/m-week-3.csv.parts", folder.path);
    assert_int_equal(mkdir(parts, 0755), 0);
    assert_string_equal(ask(&folder, &(struct inbox_question){ 0 }), "week.csv");
    assert_string_equal(ask(&folder, &(struct inbox_question){ .newest = true }), "week.csv");
    teardown(&folder);
}

static void test_more_than_an_answer_holds(void **state)
{
    struct folder folder;
    const char *found;

    (void)state;
    setup(&folder);
    for (int i = 0; i < 3 * INBOX_FILES; i++) {
        char *name auto_free = mem_format("f%03d.csv", i * 7 % (3 * INBOX_FILES));

        put(&folder, name, i * 7 % (3 * INBOX_FILES), "x");
    }
    found = ask(&folder, &(struct inbox_question){ 0 });
    assert_int_equal(strncmp(found, "f000.csv f001.csv ", 18), 0);
    assert_non_null(strstr(found, "f063.csv"));
    assert_null(strstr(found, "f064.csv"));
    found = ask(&folder, &(struct inbox_question){ .newest = true });
    assert_int_equal(strncmp(found, "f128.csv f129.csv ", 18), 0);
    assert_non_null(strstr(found, "f191.csv"));
    teardown(&folder);
}

static void test_since_when(void **state)
{
    struct inbox_file before_items[] = { { "1 a", "a", "g1", 5 }, { "2 b", "b", "g2", 6 } };
    struct inbox_file now_items[] = { { "1 a", "a", "g1", 0 }, { "2 b", "b", "g3", 0 } };
    struct inbox_files before = { before_items, 2 }, now = { now_items, 2 };

    (void)state;
    assert_true(inbox_files_follow(&now, &before, 9));
    assert_int_equal(now_items[0].since_ms, 5);
    assert_int_equal(now_items[1].since_ms, 9);
    assert_false(inbox_files_follow(&now, &now, 10));
}

static void test_a_folder_that_is_not_there(void **state)
{
    static const char uri[] = "file:///tmp/is/not/there/";
    struct store *store auto_store = store_open(NULL, uri, NULL);
    struct inbox_files files = { 0 };
    struct err err;

    (void)state;
    assert_int_equal(inbox_files_find(store, uri, &(struct inbox_question){ 0 }, &files, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* --- buckets ----------------------------------------------------------------------------- */

/* A bucket that shows objects in the order of their names, and counts questions about one. */
struct bucket {
    struct store store; /* first */
    const char *const *names;
    size_t count; /* of names; 0: generated ones, as many as `generated` */
    size_t generated;
    unsigned questions;
};

static int bucket_stat(struct store *store, const char *uri, struct store_info *ret_info,
                       struct err *err)
{
    (void)ret_info;
    ((struct bucket *)store)->questions++;
    return err_set(err, ERR_NOT_FOUND, "%s", uri);
}

static int bucket_walk(struct store *store, const char *folder_uri, store_visit visit,
                       void *context, struct err *err)
{
    const struct bucket *bucket = (struct bucket *)store;
    size_t count = bucket->count ? bucket->count : bucket->generated;

    (void)folder_uri;
    for (size_t i = 0; i < count; i++) {
        char *name auto_free =
            bucket->count ? mem_strdup(bucket->names[i]) : mem_format("old-%06zu.csv", i);
        struct store_entry entry = {
            .name = name,
            .info = { .bytes = 1, .updated_ns = (int64_t)i * 1000000000, .generation = "1" }
        };

        if (visit(context, &entry, err) < 0)
            return -1;
    }
    return 0;
}

static const struct store_driver bucket_driver = { .stat = bucket_stat, .walk = bucket_walk };

/* An output is known by its manifest, which comes behind whatever has the output's name before its
 * own. */
static void test_outputs_in_a_bucket(void **state)
{
    static const char *const names[] = {
        "_upload.csv",
        "a.csv",
        "a.csv-2.csv",
        "a.csv-2.csv.zst",
        "a.csv.manifest.json",
        "a.csv.rejects.csv",
        "b.csv",
        "b.csv.gz",
        "b.csv.gz.manifest.json",
        "b.csv.manifest.json",
        "c.csv",
        "c.csv.csv",
        "c.csv.csv.manifest.json",
        "c.csv.manifest.jsoo",
        "d.csv",
        "d.csv0.csv",
        "notes.txt",
    };
    struct bucket bucket = { { &bucket_driver }, names, ARRAY_SIZE(names), 0, 0 };
    struct inbox_files files = { 0 };
    struct arena arena auto_arena = { 0 };
    const char *text = "";
    struct err err;

    (void)state;
    assert_int_equal(inbox_files_find(&bucket.store, "gs://bank/weekly/",
                                      &(struct inbox_question){ 0 }, &files, &err),
                     0);
    for (size_t i = 0; i < files.count; i++)
        text = arena_format(&arena, "%s%s%s", text, i ? " " : "", files.items[i].name);
    assert_string_equal(text, "a.csv-2.csv a.csv-2.csv.zst c.csv d.csv d.csv0.csv");
    assert_int_equal(bucket.questions, 0);
    inbox_files_release(&files);
}

/* A hundred thousand old objects: one listing, and no more of them in memory than an answer has. */
static void test_a_full_bucket(void **state)
{
    struct bucket bucket = { { &bucket_driver }, NULL, 0, 100000, 0 };
    struct inbox_files files = { 0 };
    struct err err;

    (void)state;
    assert_int_equal(inbox_files_find(&bucket.store, "s3://bank/weekly/",
                                      &(struct inbox_question){ .newest = true }, &files, &err),
                     0);
    assert_int_equal(files.count, INBOX_FILES);
    assert_string_equal(files.items[INBOX_FILES - 1].name, "old-099999.csv");
    assert_int_equal(bucket.questions, 0);
    inbox_files_release(&files);
}

/* Who names the bucket may fill it: a look for the newest file keeps nothing of the others. */
static void test_the_newest_of_a_full_bucket(void **state)
{
    struct bucket bucket = { { &bucket_driver }, NULL, 0, LIMIT_STORE_LIST + 1, 0 };
    struct err err = { 0 };
    char *uri auto_free = store_resolve(&bucket.store, "s3://bank/weekly/", &err);

    (void)state;
    assert_string_equal(err.message, "");
    assert_string_equal(uri, "s3://bank/weekly/old-100000.csv");
}

/* Status, which tells the last file, has room for 255; a folder has none for longer manifests. */
static void test_long_names(void **state)
{
    char longest[256] = "", longer[257] = "";
    const char *const names[] = { longest, longer, "b.csv" };
    struct bucket bucket = { { &bucket_driver }, names, ARRAY_SIZE(names), 0, 0 };
    struct inbox_files files = { 0 };
    struct folder folder;
    struct err err;

    (void)state;
    memset(longer, 'a', 256);
    memset(longest, 'a', 255);
    memcpy(longer + 252, ".csv", 4);
    memcpy(longest + 251, ".csv", 4);
    assert_int_equal(inbox_files_find(&bucket.store, "gs://bank/weekly/",
                                      &(struct inbox_question){ 0 }, &files, &err),
                     0);
    assert_int_equal(files.count, 2);
    assert_string_equal(files.items[0].name, longest);
    inbox_files_release(&files);

    setup(&folder);
    put(&folder, longest, 1, "x");
    assert_string_equal(ask(&folder, &(struct inbox_question){ 0 }), longest);
    teardown(&folder);
}

/* A server that tells names again would have us keep them all. */
static void test_a_bucket_without_order(void **state)
{
    static const char *const again[] = { "a.csv", "a.csv" }, *const back[] = { "b.csv", "a.csv" };
    static const char *const *const cases[] = { again, back };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bucket bucket = { { &bucket_driver }, cases[i], 2, 0, 0 };
        struct inbox_files files = { 0 };
        struct err err = { 0 };

        assert_int_equal(inbox_files_find(&bucket.store, "gs://bank/weekly/",
                                          &(struct inbox_question){ 0 }, &files, &err),
                         -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_string_equal(err.message,
                            "gs://bank/weekly/: the listing is not in the order of names");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_new),
        cmocka_unit_test(test_what_is_no_input),
        cmocka_unit_test(test_more_than_an_answer_holds),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_since_when),
        cmocka_unit_test(test_a_folder_that_is_not_there),
        cmocka_unit_test(test_outputs_in_a_bucket),
        cmocka_unit_test(test_a_full_bucket),
        cmocka_unit_test(test_the_newest_of_a_full_bucket),
        cmocka_unit_test(test_a_bucket_without_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
