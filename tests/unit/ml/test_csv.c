/* Goal: a file is read as RFC 4180 says, and what is wrong with it is said with
 * line and column. Method: tables of whole files with the records or the message
 * expected, each read in pieces of every size. */
#include "check.h"
#include "text_source.h"

#include "base/mem.h"
#include "ml/csv.h"

struct range {
    uint64_t begin, end; /* bytes */
};

/* Reads over what begins before the range. */
static bool skip_to(struct csv_reader *reader, struct range range, struct csv_block *block,
                    struct err *err)
{
    bool any = true;

    csv_set_end(reader, range.begin);
    while (any)
        if (csv_read_block(reader, SIZE_MAX, block, &any, err))
            return false;
    csv_set_end(reader, range.end);
    return true;
}

/* All that a reader makes of a range of a file, as text: cells in [], records end in
 * the line number, faults in "!". */
static void read_range(struct span file, struct range range, size_t piece, size_t block_records,
                       struct buf *out)
{
    struct text_source text = { file, piece };
    struct byte_source source = text_source(&text);
    struct err err;
    auto_csv_reader struct csv_reader *reader = csv_reader_new("a.csv", &source, &err);
    auto_csv_block struct csv_block block = { 0 };
    bool any = true;

    if (reader && !skip_to(reader, range, &block, &err)) {
        buf_format(out, "error: %s", err.message);
        return;
    }
    while (reader && any) {
        enum csv_outcome outcome = CSV_RECORD;
        if (csv_read_block(reader, block_records, &block, &any, &err)) {
            buf_format(out, "error: %s", err.message);
            return;
        }
        while (any && outcome != CSV_END) {
            struct csv_record record;
            struct row_fault fault;
            if (csv_next(&block, &outcome, &record, &fault, &err)) {
                buf_format(out, "error: %s", err.message);
                return;
            }
            if (outcome == CSV_FAULT)
                buf_format(out, "!%d %s:%s;", (int)fault.line, fault.column, fault.why);
            for (size_t i = 0; outcome == CSV_RECORD && i < csv_header(reader)->count; i++)
                buf_format(out, "[%.*s]", (int)record.cells[i].length, record.cells[i].data);
            if (outcome == CSV_RECORD)
                buf_format(out, "%d;", (int)record.line);
        }
    }
    if (!reader)
        buf_format(out, "error: %s", err.message);
}

static void read_all(struct span file, size_t piece, size_t block_records, struct buf *out)
{
    read_range(file, (struct range){ 0, UINT64_MAX }, piece, block_records, out);
}

static const struct {
    const char *name, *file, *expected;
} files[] = {
    { "plain", "a,b\n1,2\n3,4\n", "[1][2]2;[3][4]3;" },
    { "no newline at the end", "a,b\n1,2", "[1][2]2;" },
    { "CRLF", "a,b\r\n1,2\r\n3,\r\n", "[1][2]2;[3][]3;" },
    { "byte order mark",
      "\xef\xbb\xbf"
      "a\n1\n",
      "[1]2;" },
    { "byte order mark and quote", "\xef\xbb\xbf\"a\"\n1\n", "[1]2;" },
    { "quoted comma", "a,b\n\"1,5\",2\n", "[1,5][2]2;" },
    { "doubled quotes", "a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n", "[say \"hi\"][\"]2;" },
    { "line break in quotes", "a,b\n\"x\ny\",1\n2,3\n", "[x\ny][1]2;[2][3]4;" },
    { "CRLF in quotes", "a,b\r\n\"x\r\ny\",\"z\"\r\n2,3\r\n", "[x\r\ny][z]2;[2][3]4;" },
    { "quote inside an unquoted field", "a,b\n5\" pipe,2\n3,4\n", "[5\" pipe][2]2;[3][4]3;" },
    { "blanks are kept in cells", "a,b\n 1 ,2\n", "[ 1 ][2]2;" },
    { "header is trimmed", " a ,\tb\n1,2\n", "[1][2]2;" },
    { "empty lines", "\na,b\n\n1,2\n\r\n\n3,4\n\n", "[1][2]4;[3][4]7;" },
    { "empty fields", "a,b,c\n,,\n", "[][][]2;" },
    { "header only", "a,b\n", "" },
    { "header only, no newline", "a,b", "" },
    { "quoted field ends the file", "a,b\n1,\"2\"", "[1][2]2;" },
    { "ragged", "a,b\n1\n1,2,3\n4,5\n",
      "!2 :1 field, header has 2;!3 :3 fields, header has 2;"
      "[4][5]4;" },
    { "text after the closing quote", "a,b\n\"1\"x,2\n3,4\n",
      "!2 a:text after the closing quote;[3][4]3;" },
    { "not ASCII", "a\nJosé\n", "[José]2;" },
    { "empty", "", "error: a.csv is empty" },
    { "blank lines only", "\n\r\n", "error: a.csv is empty" },
    { "mark only", "\xef\xbb\xbf", "error: a.csv is empty" },
    { "UTF-16",
      "\xff\xfe"
      "a",
      "error: a.csv line 1 column 1: the file is UTF-16, expected UTF-8" },
    { "duplicate header", "a,b, a\n1,2,3\n",
      "error: a.csv line 1: column a is in the header twice (fields 1 and 3)" },
    { "empty header name", "a,,c\n", "error: a.csv line 1: field 2 of the header is empty" },
    { "quote never closed", "a,b\n1,2\n3,\"4\n5,6\n",
      "[1][2]2;error: a.csv line 3: a quote is opened here and never closed" },
    { "quote never closed in the header", "a,\"b\n1,2\n",
      "error: a.csv line 1: a quote is opened here and never closed" },
    { "Latin-1", "a,b\n1,2\n3,Andr\xe9\n",
      "[1][2]2;error: a.csv line 3 column 7: byte 0xe9 is not "
      "UTF-8" },
    { "overlong", "a\n\xc0\xaf\n", "error: a.csv line 2 column 1: byte 0xc0 is not UTF-8" },
};

static void files_in_pieces_of_every_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct span file = span_of(files[i].file);
        for (size_t piece = 0; piece <= file.length; piece++) {
            auto_buf struct buf found;
            buf_init(&found, 4096);
            read_all(file, piece, 1, &found);
            if (strcmp(buf_text(&found), files[i].expected) != 0)
                fail_msg("%s in pieces of %zu: %s", files[i].name, piece, buf_text(&found));
        }
    }
}

/* Whoever cuts a file by bytes gets every record once, with its own line number. An error
 * is met by the range that it is in (and by those behind, which read over it). */
static void ranges_meet_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct span file = span_of(files[i].file);
        for (size_t cut = 0; cut <= file.length + 1; cut++) {
            auto_buf struct buf found;
            buf_init(&found, 4096);
            read_range(file, (struct range){ 0, cut }, cut % 3, 1, &found);
            if (!strstr(buf_text(&found), "error: "))
                read_range(file, (struct range){ cut, UINT64_MAX }, cut % 3, 1, &found);
            if (strcmp(buf_text(&found), files[i].expected) != 0)
                fail_msg("%s cut at %zu: %s", files[i].name, cut, buf_text(&found));
        }
    }
}

static void binary_files_are_refused(void **state)
{
    (void)state;
    static const char file[] = "a,b\n1,2\n3,\0004\n";
    auto_buf struct buf found;

    buf_init(&found, 4096);
    read_all((struct span){ file, sizeof(file) - 1 }, 0, 1, &found);
    assert_string_equal(buf_text(&found), "[1][2]2;error: a.csv line 3 column 3: a NUL byte: this "
                                          "is not a text file");
}

/* Records of growing length, so that every kind of boundary falls on every byte
 * of a record; blocks of any number of records give the same. */
static void large_file_in_blocks_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 7, 1024, SIZE_MAX };
    auto_buf struct buf file, first;

    buf_init(&file, 4 * MIB);
    buf_init(&first, 8 * MIB);
    buf_string(&file, "a,b\n");
    for (int i = 0; i < 1500; i++)
        buf_format(&file, "%0*d,\"q\"\"%d\nx\"\n", 1 + i % 900, i, i);
    assert_false(file.overflow);
    read_all((struct span){ file.data, file.length }, 0, 1, &first);
    assert_true(first.length > file.length / 2);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        auto_buf struct buf found;
        buf_init(&found, 8 * MIB);
        read_all((struct span){ file.data, file.length }, 4093, sizes[i], &found);
        assert_string_equal(buf_text(&found), buf_text(&first));
    }
    for (uint64_t parts = 2; parts < 8; parts++) { /* and so do ranges of any length */
        auto_buf struct buf found;
        buf_init(&found, 8 * MIB);
        for (uint64_t part = 0; part < parts; part++) {
            struct range range = { file.length * part / parts, file.length * (part + 1) / parts };
            read_range((struct span){ file.data, file.length }, range, 0, 1024, &found);
        }
        assert_string_equal(buf_text(&found), buf_text(&first));
    }
}

static void long_records_are_limited(void **state)
{
    (void)state;
    auto_buf struct buf file;
    struct {
        const char *name, *start, *message;
    } cases[] = {
        { "line", "a\nb\n", "error: a.csv line 3: the record is longer than 1048576 bytes" },
        { "quote", "a\n\"\n", "error: a.csv line 2: a quote is opened here and never closed" },
    };

    buf_init(&file, 4 * MIB);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf found;
        buf_init(&found, 4096);
        buf_clear(&file);
        buf_string(&file, cases[i].start);
        for (size_t byte = 0; byte < 2 * MIB; byte++)
            buf_char(&file, 'x');
        read_all((struct span){ file.data, file.length }, 0, 1024, &found);
        check_text(strstr(buf_text(&found), "error"), cases[i].message, cases[i].name);
    }
}

static void columns_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *column, *message; /* NULL: found */
    } cases[] = {
        { "Age", NULL },
        { "age", "w.csv has no column age (closest: Age)" },
        { "CreditScor", "w.csv has no column CreditScor (closest: CreditScore)" },
        { "Geography", "w.csv has no column Geography (its header: Age, CreditScore)" },
    };
    struct text_source text = { span_of("Age,CreditScore\n1,2\n"), 0 };
    struct byte_source source = text_source(&text);
    struct err err;
    auto_csv_reader struct csv_reader *reader = csv_reader_new("w.csv", &source, &err);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t index = 99;
        int outcome = csv_find(reader, span_of(cases[i].column), &index, &err);
        assert_int_equal(outcome, cases[i].message ? -1 : 0);
        if (cases[i].message)
            check_text(err.message, cases[i].message, cases[i].column);
        else
            assert_int_equal(index, 0);
    }
}

static void cells_are_quoted_when_needed(void **state)
{
    (void)state;
    static const struct {
        const char *cell, *written;
    } cases[] = {
        { "a", "a" },         { "", "" },
        { "a,b", "\"a,b\"" }, { "a\"b", "\"a\"\"b\"" },
        { "\"", "\"\"\"\"" }, { "a\nb", "\"a\nb\"" },
        { " a", "\" a\"" },   { "=1+1", "=1+1" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf out;
        buf_init(&out, 64);
        csv_append_cell(&out, span_of(cases[i].cell));
        check_text(buf_text(&out), cases[i].written, cases[i].cell);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_in_pieces_of_every_size),
        cmocka_unit_test(ranges_meet_at_every_byte),
        cmocka_unit_test(binary_files_are_refused),
        cmocka_unit_test(large_file_in_blocks_of_any_size),
        cmocka_unit_test(long_records_are_limited),
        cmocka_unit_test(columns_by_name),
        cmocka_unit_test(cells_are_quoted_when_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
