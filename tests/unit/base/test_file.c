/* Goal: a file holds what was written and nothing from before; what fails names the path.
 * Method: a temporary folder, and a device that is always full. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"

static char *folder;

static void read_back(const char *path, const char *expected)
{
    auto_buf struct buf content;

    buf_init(&content, 64);
    assert_int_equal(file_read(path, &content, NULL), 0);
    assert_string_equal(buf_text(&content), expected);
}

static void a_file_is_replaced(void **state)
{
    auto_free char *path = mem_format("%s/a", folder);
    struct stat status;

    (void)state;
    assert_int_equal(file_write(path, 0600, span_of("a longer text"), NULL), 0);
    read_back(path, "a longer text");
    assert_int_equal(file_write(path, 0600, span_of("short"), NULL), 0);
    read_back(path, "short");
    assert_int_equal(file_write(path, 0600, (struct span){ 0 }, NULL), 0);
    read_back(path, "");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void what_fails_names_the_path(void **state)
{
    auto_free char *path = mem_format("%s/none/a", folder);
    auto_buf struct buf content;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(file_write(path, 0600, span_of("a"), &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(file_write("/dev/full", 0600, span_of("a"), &err), -1);
    assert_non_null(strstr(err.message, "/dev/full"));
    buf_init(&content, 4);
    assert_int_equal(file_read("/dev/zero", &content, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_BIG);
    assert_non_null(strstr(err.message, "/dev/zero"));
}

static void what_cannot_be_appended_is_told(void **state)
{
    auto_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(full >= 0);
    assert_int_equal(file_append(full, (struct span){ 0 }), 0);
    assert_int_equal(file_append(full, span_of("a")), -1);
    assert_int_equal(errno, ENOSPC);
}

static int make_folder(void **state)
{
    (void)state;
    folder = mem_strdup("/tmp/churn-test-file-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    auto_free char *path = mem_format("%s/a", folder);

    (void)state;
    unlink(path);
    rmdir(folder);
    free(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_replaced),
        cmocka_unit_test(what_fails_names_the_path),
        cmocka_unit_test(what_cannot_be_appended_is_told),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
