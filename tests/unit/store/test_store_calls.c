/* Goal: what the system does at a bad moment spoils no object and leaves no descriptor open.
 * Method: real files in a fresh folder; the linker puts the __wrap_ functions in between. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store/store_file.h"

ssize_t __real_copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset,
                               size_t length, unsigned flags);
ssize_t __wrap_copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset,
                               size_t length, unsigned flags);
DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);

static struct {
    int writes_to; /* the file that somebody writes to while it is copied; -1: none */
    unsigned kernel_copies;
    unsigned fails_in; /* the fdopendir() that finds no memory; 0: none does */
} trouble;

ssize_t __wrap_copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset,
                               size_t length, unsigned flags)
{
    if (trouble.writes_to >= 0)
        assert_int_equal(pwrite(trouble.writes_to, "X", 1, 0), 1);
    trouble.kernel_copies++;
    return __real_copy_file_range(from, from_offset, to, to_offset, length, flags);
}

DIR *__wrap_fdopendir(int fd)
{
    if (trouble.fails_in == 0 || --trouble.fails_in > 0)
        return __real_fdopendir(fd);
    errno = ENOMEM;
    return NULL;
}

static char folder[64];
static struct store *store;

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/churn-store-XXXXXX");
    trouble.writes_to = -1;
    trouble.kernel_copies = trouble.fails_in = 0;
    store = store_file_new(NULL);
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    auto_free char *uri = mem_format("file://%s/", folder);
    struct err err = { 0 };

    (void)state;
    if (store_delete_folder(store, uri, &err))
        fail_msg("%s", err.message);
    store_close(store);
    return 0;
}

static void put(const char *uri, const char *text)
{
    struct err err = { 0 };

    if (store_put_text(store, uri, span_of(text), STORE_ALWAYS, NULL, &err))
        fail_msg("%s", err.message);
}

/* The generation that was seen is the one that is copied, or none. */
static void a_source_that_changes_while_it_is_copied_is_noticed(void **state)
{
    auto_free char *part = mem_format("file://%s/part", folder);
    auto_free char *whole = mem_format("file://%s/whole", folder);
    auto_close int fd = -1;
    struct store_info info;
    struct err err = { 0 };

    (void)state;
    put(part, "as it was seen");
    assert_int_equal(store_stat(store, part, &info, &err), 0);
    fd = open(part + strlen("file://"), O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    /* long ago, so that a write of this moment shows */
    assert_int_equal(futimens(fd, (struct timespec[]){ { .tv_sec = 1 }, { .tv_sec = 1 } }), 0);
    assert_int_equal(store_stat(store, part, &info, &err), 0);
    for (int changes = 0; changes < 2; changes++) {
        auto_store_writer struct store_writer *writer =
            store_put(store, whole, STORE_ALWAYS, NULL, &err);
        assert_non_null(writer);
        trouble.writes_to = changes ? fd : -1;
        assert_int_equal(store_writer_append_object(writer, part, info.generation, &err),
                         changes ? -1 : 0);
    }
    assert_true(trouble.kernel_copies >= 2);
    assert_int_equal(err.kind, ERR_GONE);
    assert_string_equal(err.reason, "InputChanged");
}

static unsigned count_descriptors(void)
{
    DIR *descriptors = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(descriptors);
    while (readdir(descriptors))
        count++;
    closedir(descriptors);
    return count;
}

static void a_folder_that_cannot_be_read_leaves_nothing_open(void **state)
{
    auto_free char *uri = mem_format("file://%s/a/", folder);
    auto_free char *object = mem_format("file://%s/a/b/c.csv", folder);
    struct err err = { 0 };

    (void)state;
    put(object, "1");
    unsigned before = count_descriptors();
    for (unsigned failing = 1; failing <= 2; failing++) { /* the folder, and one in it */
        trouble.fails_in = failing;
        assert_int_equal(store_delete_folder(store, uri, &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_int_equal(trouble.fails_in, 0);
        assert_int_equal(count_descriptors(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_source_that_changes_while_it_is_copied_is_noticed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_read_leaves_nothing_open, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
