/* Goal: checksums as both clouds write them. Method: published values, bytes added in pieces. */
#include "unit.h"

#include "base/crc32c.h"
#include "store/checksum.h"

static void texts(void **state)
{
    static const struct {
        const char *name;
        enum checksum_kind kind;
        const char *text;
    } cases[] = {
        { "crc32c of 123456789", CHECKSUM_CRC32C, "4waSgw==" },
        { "md5 of 123456789", CHECKSUM_MD5, "JfnnlDI7RTiF9RgfG2JNCw==" },
        { "none", CHECKSUM_NONE, "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct checksum checksum;
        char text[CHECKSUM_TEXT];

        checksum_init(&checksum, cases[i].kind);
        checksum_add(&checksum, "1234", 4);
        checksum_add(&checksum, "56789", 5);
        checksum_text(&checksum, text);
        CASE(cases[i].name, strcmp(text, cases[i].text) == 0);
        checksum_release(&checksum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(texts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
