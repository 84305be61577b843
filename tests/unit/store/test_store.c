/* Goal: an object is there whole or not at all, and nobody overwrites what they
 * did not mean to. Method: real files in a fresh folder; failing and short
 * writes through the I/O port. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "store/store_file.h"

struct fixture {
    char folder[64];
    struct store *store;
    char *uri; /* of an object in the folder */
};

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    snprintf(fixture.folder, sizeof(fixture.folder), "/tmp/churn-store-XXXXXX");
    if (!mkdtemp(fixture.folder))
        return -1;
    fixture.store = store_file_new(NULL);
    fixture.uri = mem_format("file://%s/a/b.csv", fixture.folder);
    return 0;
}

static int remove_file(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    nftw(fixture.folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
    store_close(fixture.store);
    free(fixture.uri);
    return 0;
}

static char *uri_of(const char *name)
{
    return mem_format("file://%s/%s", fixture.folder, name);
}

static void put(const char *uri, const char *text)
{
    struct err err = { 0 };
    if (store_put_text(fixture.store, uri, span_of(text), STORE_ALWAYS, NULL, &err))
        fail_msg("%s", err.message);
}

static void check_content(const char *uri, const char *expected)
{
    auto_free char *text = NULL;
    size_t length;
    struct err err = { 0 };
    if (store_get_text(fixture.store, uri, 1000000, &text, &length, &err))
        fail_msg("%s", err.message);
    assert_string_equal(text, expected);
}

static size_t count_entries(const char *folder_uri)
{
    auto_store_listing struct store_listing listing = { 0 };
    struct err err;
    assert_int_equal(store_list(fixture.store, folder_uri, &listing, &err), 0);
    return listing.count;
}

static size_t count_files(void)
{
    auto_free char *folder = uri_of("a/");
    return count_entries(folder);
}

static void objects_appear_when_committed(void **state)
{
    (void)state;
    struct err err;
    struct store_info info, seen;
    auto_store_writer struct store_writer *writer =
        store_put(fixture.store, fixture.uri, STORE_ALWAYS, NULL, &err);
    assert_non_null(writer);
    for (int i = 0; i < 50000; i++)
        assert_int_equal(store_writer_append(writer, "0123456789", 10, &err), 0);
    assert_int_equal(store_stat(fixture.store, fixture.uri, &info, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(count_files(), 0);
    assert_int_equal(store_writer_commit(writer, &info, &err), 0);
    assert_int_equal(store_stat(fixture.store, fixture.uri, &seen, &err), 0);
    assert_int_equal(seen.bytes, 500000);
    assert_string_equal(seen.generation, info.generation);
}

static void abandoned_writers_leave_nothing(void **state)
{
    (void)state;
    struct err err;
    struct store_writer *writer = store_put(fixture.store, fixture.uri, STORE_ALWAYS, NULL, &err);
    assert_int_equal(store_writer_append(writer, "x", 1, &err), 0);
    store_writer_free(writer);
    auto_free char *folder = mem_format("%s/a", fixture.folder);
    assert_int_equal(rmdir(folder), 0); /* it is empty */
}

static void conditions_protect_what_is_there(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct store_info info;
    assert_int_equal(
        store_put_text(fixture.store, fixture.uri, span_of("1"), STORE_IF_GENERATION, "none", &err),
        -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_int_equal(
        store_put_text(fixture.store, fixture.uri, span_of("1"), STORE_IF_ABSENT, NULL, &err), 0);
    assert_int_equal(
        store_put_text(fixture.store, fixture.uri, span_of("2"), STORE_IF_ABSENT, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_EXISTS);
    check_content(fixture.uri, "1");
    assert_int_equal(store_stat(fixture.store, fixture.uri, &info, &err), 0);
    put(fixture.uri, "33");
    assert_int_equal(store_put_text(fixture.store, fixture.uri, span_of("4"), STORE_IF_GENERATION,
                                    info.generation, &err),
                     -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    check_content(fixture.uri, "33");
    assert_int_equal(store_stat(fixture.store, fixture.uri, &info, &err), 0);
    assert_int_equal(store_put_text(fixture.store, fixture.uri, span_of("5"), STORE_IF_GENERATION,
                                    info.generation, &err),
                     0);
    check_content(fixture.uri, "5");
    assert_int_equal(count_files(), 1);
}

static void reads_stick_to_a_generation(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct store_info info;
    char bytes[16];
    size_t length;
    put(fixture.uri, "0123456789");
    assert_int_equal(store_stat(fixture.store, fixture.uri, &info, &err), 0);
    auto_store_reader struct store_reader *reader =
        store_get(fixture.store, fixture.uri, info.generation, NULL, NULL, &err);
    assert_non_null(reader);
    put(fixture.uri, "other"); /* replaced: the open one is still whole */
    assert_int_equal(
        byte_source_read(store_reader_source(reader), bytes, sizeof(bytes), &length, &err), 0);
    assert_int_equal(length, 10);
    assert_null(store_get(fixture.store, fixture.uri, info.generation, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_GONE);
    assert_string_equal(err.reason, "InputChanged");
}

static void writing_into_an_open_file_is_noticed(void **state)
{
    (void)state;
    struct err err = { 0 };
    char bytes[16];
    size_t length;
    put(fixture.uri, "0123456789");
    auto_store_reader struct store_reader *reader =
        store_get(fixture.store, fixture.uri, NULL, NULL, NULL, &err);
    auto_free char *path = mem_format("%s/a/b.csv", fixture.folder);
    auto_close int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    int outcome = 0;
    do
        outcome = byte_source_read(store_reader_source(reader), bytes, 3, &length, &err);
    while (outcome == 0 && length > 0);
    assert_int_equal(outcome, -1);
    assert_string_equal(err.reason, "InputChanged");
}

static void ranges(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct store_range range;
        const char *expected;
    } cases[] = {
        { "all", { 0, 0 }, "0123456789" },   { "from", { 7, 0 }, "789" },
        { "part", { 2, 3 }, "234" },         { "beyond the end", { 8, 10 }, "89" },
        { "behind the end", { 20, 5 }, "" }, { "last", { 9, 1 }, "9" },
    };
    put(fixture.uri, "0123456789");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = { 0 };
        char bytes[32] = "";
        size_t length;
        auto_store_reader struct store_reader *reader =
            store_get(fixture.store, fixture.uri, NULL, &cases[i].range, NULL, &err);
        CASE(cases[i].name, reader);
        CASE(cases[i].name, byte_source_read(store_reader_source(reader), bytes, sizeof(bytes) - 1,
                                             &length, &err) == 0);
        CASE(cases[i].name, strcmp(bytes, cases[i].expected) == 0);
    }
}

static void set_time(const char *name, time_t seconds)
{
    auto_free char *path = mem_format("%s/%s", fixture.folder, name);
    struct timespec times[2] = { { seconds, 0 }, { seconds, 0 } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A file that no URI can name. */
static void write_directly(const char *name)
{
    auto_free char *path = mem_format("%s/%s", fixture.folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("x", file);
    fclose(file);
    set_time(name, 300);
}

static void the_newest_data_file(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        time_t updated;
    } files[] = {
        { "w1.csv", "x", 100 },    { "w3.csv", "x", 200 },  { "w2.csv.gz", "x", 200 },
        { "w9.csv", "", 300 },     { "_w8.csv", "x", 300 }, { ".w7.csv", "x", 300 },
        { "notes.txt", "x", 300 }, { ".csv", "x", 300 },
    };
    auto_free char *folder = uri_of("");
    struct err err = { 0 };
    assert_null(store_resolve(fixture.store, folder, &err));
    assert_string_equal(err.reason, "InputNotFound");
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        auto_free char *uri = uri_of(files[i].name);
        put(uri, files[i].text);
        set_time(files[i].name, files[i].updated);
    }
    write_directly("w4\n.csv");
    write_directly("w5\x7f.csv");
    write_directly("w6\xe9.csv"); /* Latin-1 */
    auto_free char *found = store_resolve(fixture.store, folder, &err);
    assert_non_null(found);
    assert_string_equal(store_name(found), "w3.csv");
    auto_free char *itself = store_resolve(fixture.store, found, &err);
    assert_string_equal(itself, found);
}

static void listings_are_sorted_and_hide_parts(void **state)
{
    (void)state;
    struct err err;
    auto_free char *b = uri_of("b.csv"), *a = uri_of("a.csv"), *inner = uri_of("c/d.csv");
    auto_free char *folder = uri_of("");
    put(b, "1");
    put(a, "1");
    put(inner, "1");
    auto_store_writer struct store_writer *open =
        store_put(fixture.store, a, STORE_ALWAYS, NULL, &err);
    auto_store_listing struct store_listing listing = { 0 };
    assert_non_null(open);
    assert_int_equal(store_list(fixture.store, folder, &listing, &err), 0);
    assert_int_equal(listing.count, 3);
    assert_string_equal(listing.entries[0].name, "a.csv");
    assert_string_equal(listing.entries[1].name, "b.csv");
    assert_string_equal(listing.entries[2].name, "c");
    assert_true(listing.entries[2].is_folder && !listing.entries[1].is_folder);
}

/* Who may write into a folder may put anything there; the rest of it is still of use. */
static void links_that_lead_nowhere_are_passed_over(void **state)
{
    (void)state;
    char too_long[300] = "";
    const char *const targets[] = { "0.csv", "file.csv/x", "not-there", too_long };
    auto_free char *file = uri_of("file.csv"), *folder = uri_of("");
    put(file, "1");
    memset(too_long, 'x', sizeof(too_long) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) { /* the first leads to itself */
        auto_free char *link = mem_format("%s/%zu.csv", fixture.folder, i);
        assert_int_equal(symlink(targets[i], link), 0);
    }
    assert_int_equal(count_entries(folder), 1);
}

static void parts_of_dead_writers_are_removed(void **state)
{
    (void)state;
    struct err err;
    auto_free char *uri = uri_of("b.csv");
    auto_free char *old = mem_format("%s/.churn-part.b.csv.1", fixture.folder);
    auto_free char *young = mem_format("%s/.churn-part.b.csv.2", fixture.folder);
    auto_close int old_fd = open(old, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    auto_close int young_fd = open(young, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(old_fd >= 0 && young_fd >= 0);
    set_time(".churn-part.b.csv.1", 1000);
    store_writer_free(store_put(fixture.store, uri, STORE_ALWAYS, NULL, &err));
    assert_int_equal(access(old, F_OK), -1);
    assert_int_equal(access(young, F_OK), 0);
}

/* Opening a FIFO waits for whoever writes into it. */
static void parts_that_are_no_files_do_not_stop_writers(void **state)
{
    (void)state;
    auto_free char *uri = uri_of("b.csv");
    auto_free char *fifo = mem_format("%s/.churn-part.b.csv.1", fixture.folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    put(uri, "1");
    assert_int_equal(access(fifo, F_OK), 0);
}

/* --- failing disks ------------------------------------------------------ */

static int writes_until_full;

static ssize_t short_write(int fd, const void *bytes, size_t length)
{
    static unsigned calls;
    if (++calls % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    return write(fd, bytes, length > 7 ? 7 : length);
}

static ssize_t full_write(int fd, const void *bytes, size_t length)
{
    if (writes_until_full-- > 0)
        return write(fd, bytes, length);
    errno = ENOSPC;
    return -1;
}

static int failing_sync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static ino_t synced[8];
static size_t synced_count;

static int noting_sync(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(synced_count < ARRAY_SIZE(synced));
    synced[synced_count++] = status.st_ino;
    return fsync(fd);
}

/* A folder is durable when the one that holds it is synced. */
static void folders_are_made_durable(void **state)
{
    (void)state;
    static const struct store_file_io io = { write, noting_sync };
    static const char *const expected[] = { "", "x", "x/y/b.csv", "x/y" };
    auto_store struct store *store = store_file_new(&io);
    auto_free char *uri = uri_of("x/y/b.csv");
    struct err err = { 0 };
    assert_int_equal(store_put_text(store, uri, span_of("1"), STORE_ALWAYS, NULL, &err), 0);
    assert_int_equal(synced_count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        auto_free char *path = mem_format("%s/%s", fixture.folder, expected[i]);
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        CASE(expected[i], status.st_ino == synced[i] || strchr(expected[i], '.'));
    }
}

static void short_writes_are_continued(void **state)
{
    (void)state;
    static const struct store_file_io io = { short_write, fsync };
    auto_store struct store *store = store_file_new(&io);
    struct err err = { 0 };
    assert_int_equal(store_put_text(store, fixture.uri, span_of("more than seven bytes of text"),
                                    STORE_ALWAYS, NULL, &err),
                     0);
    check_content(fixture.uri, "more than seven bytes of text");
}

static void failures_leave_the_old_object(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct store_file_io io;
        int writes;
    } cases[] = {
        { "full at once", { full_write, fsync }, 0 },
        { "full later", { full_write, fsync }, 1 },
        { "sync fails", { write, failing_sync }, 0 },
    };
    auto_free char *large = mem_zero(200001, 1);
    memset(large, 'x', 200000);
    put(fixture.uri, "old");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_store struct store *store = store_file_new(&cases[i].io);
        struct err err = { 0 };
        struct store_writer *writer = store_put(store, fixture.uri, STORE_ALWAYS, NULL, &err);
        writes_until_full = cases[i].writes;
        bool failed = false;
        for (int j = 0; j < 20 && !failed; j++)
            failed = store_writer_append(writer, large, 10000, &err) != 0;
        CASE(cases[i].name, failed || store_writer_commit(writer, NULL, &err) != 0);
        CASE(cases[i].name, err.kind == ERR_IO && strstr(err.message, "b.csv"));
        store_writer_free(writer);
        check_content(fixture.uri, "old");
        CASE(cases[i].name, count_files() == 1);
    }
}

/* --- one object from many ------------------------------------------------ */

static char *generation_of(const char *uri)
{
    struct store_info info;
    struct err err = { 0 };
    if (store_stat(fixture.store, uri, &info, &err))
        fail_msg("%s", err.message);
    return mem_strdup(info.generation);
}

static void objects_are_appended(void **state)
{
    (void)state;
    /* on another file system where the machine has one: what the kernel does not copy */
    static const char *const folders[] = { "/tmp", "/dev/shm" };
    auto_free char *large = mem_zero(300001, 1);
    memset(large, 'y', 300000);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        char folder[64];
        snprintf(folder, sizeof(folder), "%s/churn-store-XXXXXX", folders[i]);
        if (access(folders[i], W_OK) != 0 || !mkdtemp(folder))
            continue;
        auto_free char *small_uri = mem_format("file://%s/1", folder);
        auto_free char *large_uri = mem_format("file://%s/2", folder);
        put(small_uri, "parts,");
        put(large_uri, large);
        auto_free char *small_generation = generation_of(small_uri);
        auto_free char *large_generation = generation_of(large_uri);
        struct err err = { 0 };
        auto_store_writer struct store_writer *writer =
            store_put(fixture.store, fixture.uri, STORE_ALWAYS, NULL, &err);
        if (!writer || store_writer_append(writer, "of ", 3, &err) ||
            store_writer_append_object(writer, small_uri, small_generation, &err) ||
            store_writer_append_object(writer, large_uri, large_generation, &err) ||
            store_writer_append(writer, " end", 4, &err) || store_writer_commit(writer, NULL, &err))
            fail_msg("%s: %s", folder, err.message);
        auto_free char *expected = mem_format("of parts,%s end", large);
        check_content(fixture.uri, expected);
        nftw(folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
    }
}

static void appended_objects_must_be_the_ones_that_were_seen(void **state)
{
    (void)state;
    auto_free char *part = uri_of("part"), *gone = uri_of("gone");
    struct err err = { 0 };
    put(part, "first");
    auto_free char *generation = generation_of(part);
    put(part, "other");
    auto_store_writer struct store_writer *writer =
        store_put(fixture.store, fixture.uri, STORE_ALWAYS, NULL, &err);
    assert_int_equal(store_writer_append_object(writer, part, generation, &err), -1);
    assert_int_equal(err.kind, ERR_GONE);
    assert_int_equal(store_writer_append_object(writer, gone, generation, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* --- folders that go ------------------------------------------------------ */

/* Another folder that a link leads to keeps its files. */
static void folders_are_removed_whole(void **state)
{
    (void)state;
    auto_free char *other = uri_of("other/kept.csv"), *deep = uri_of("a/b/c/deep.csv");
    auto_free char *folder = uri_of("a/"), *link = mem_format("%s/a/link", fixture.folder);
    auto_free char *target = mem_format("%s/other", fixture.folder);
    auto_free char *part = mem_format("%s/a/.churn-part.x.0", fixture.folder);
    struct err err = { 0 };
    struct store_info info;
    put(fixture.uri, "1");
    put(deep, "2");
    put(other, "3");
    assert_int_equal(symlink(target, link), 0);
    auto_close int fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(store_delete_folder(fixture.store, folder, &err), 0);
    auto_free char *path = mem_format("%s/a", fixture.folder);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(store_stat(fixture.store, other, &info, &err), 0);
    assert_int_equal(store_delete_folder(fixture.store, folder, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void folders_too_deep_are_refused(void **state)
{
    (void)state;
    auto_free char *deep = uri_of("1/2/3/4/5/6/7/8/9/deep.csv"), *folder = uri_of("1/");
    struct err err = { 0 };
    put(deep, "1");
    assert_int_equal(store_delete_folder(fixture.store, folder, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_BIG);
    check_content(deep, "1");
}

/* What is in the way of a name is said, never waited for, never listed. */
static void only_regular_files_are_objects(void **state)
{
    (void)state;
    auto_free char *pipe = uri_of("a/pipe.csv"), *folder = uri_of("a"),
                   *below = uri_of("a/b.csv/deep/c.csv"), *inside = uri_of("a/b.csv/c.csv"),
                   *path = mem_format("%s/a/pipe.csv", fixture.folder);
    const char *others[] = { pipe, folder };
    struct store_info info;
    struct err err;

    put(fixture.uri, "1");
    assert_int_equal(mkfifo(path, 0600), 0);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        CASE(others[i], store_stat(fixture.store, others[i], &info, &err) < 0);
        CASE(others[i], err.kind == ERR_INVALID && strstr(err.message, "is not a regular file"));
        CASE(others[i], !store_get(fixture.store, others[i], NULL, NULL, NULL, &err));
        CASE(others[i], err.kind == ERR_INVALID && strstr(err.message, "is not a regular file"));
    }
    assert_int_equal(count_files(), 1);
    assert_null(store_put(fixture.store, below, STORE_ALWAYS, NULL, &err));
    assert_non_null(strstr(err.message, below));
    assert_null(store_put(fixture.store, inside, STORE_ALWAYS, NULL, &err));
    assert_non_null(strstr(err.message, inside));
    check_content(fixture.uri, "1");
    assert_int_equal(store_put_text(fixture.store, folder, span_of("2"), STORE_ALWAYS, NULL, &err),
                     -1);
    assert_int_equal(count_files(), 1);
}

static void bad_uris_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *part; /* of the message */
    } cases[] = {
        { "s3://bucket/key", "file://" },
        { "file:///a/../b", ".." },
        { "/a/b", "file://" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = { 0 };
        CASE(cases[i].uri, !store_open(NULL, cases[i].uri, &err));
        CASE(cases[i].uri, strstr(err.message, cases[i].part));
    }
    struct err err = { 0 };
    struct store_info info;
    auto_free char *folder = uri_of("");
    assert_int_equal(store_stat(fixture.store, folder, &info, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(objects_appear_when_committed),
        TEST(abandoned_writers_leave_nothing),
        TEST(conditions_protect_what_is_there),
        TEST(reads_stick_to_a_generation),
        TEST(writing_into_an_open_file_is_noticed),
        TEST(ranges),
        TEST(the_newest_data_file),
        TEST(listings_are_sorted_and_hide_parts),
        TEST(links_that_lead_nowhere_are_passed_over),
        TEST(parts_of_dead_writers_are_removed),
        TEST(parts_that_are_no_files_do_not_stop_writers),
        TEST(folders_are_made_durable),
        TEST(short_writes_are_continued),
        TEST(failures_leave_the_old_object),
        TEST(objects_are_appended),
        TEST(appended_objects_must_be_the_ones_that_were_seen),
        TEST(folders_are_removed_whole),
        TEST(folders_too_deep_are_refused),
        TEST(only_regular_files_are_objects),
        TEST(bad_uris_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
