/* Goal: shards and Compose publish what one run over the whole file does, byte by byte,
 * wherever the borders of the ranges fall.
 * Method: small files whose borders are hard to find, in few and in many shards, so that
 * most bytes are a border once. */
#include "bank.h"

#define JOB                                                                                        \
    "{\"version\": 1, \"kind\": \"%s\", \"batch\": \"b\", \"model\": {\"uri\": \"%s\"}, "          \
    "\"input\": {\"uri\": \"file://%s/week.csv\"}, \"output\": {\"uri\": \"file://%s/out/\"}, "    \
    "\"maxRejected\": \"1\", \"shard\": {\"count\": %d}%s}"

static const struct {
    const char *name, *text;
} files[] = {
    { "plain", "id,age\nc1,20\nc2,30\nc3,40\n" },
    { "no newline at the end", "id,age\nc1,20\nc2,30\nc3,40" },
    { "CRLF", "id,age\r\nc1,20\r\nc2,30\r\nc3,40\r\n" },
    { "byte order mark", "\xef\xbb\xbfid,age\nc1,20\nc2,30\n" },
    { "line breaks in quotes", "id,age\n\"c\n1\",20\n\"c\n\n2\",\"30\"\n\"\nc3\",40\n" },
    { "CRLF in quotes", "id,age\r\n\"c\r\n1\",20\r\n\"c\r\n\r\n2\",30\r\n" },
    { "doubled quotes", "id,age\n\"\"\"c1\"\"\n\"\"\",20\n\"\"\"\n\"\"c2\",30\n" },
    { "quotes that are none", "id,age\nc\"1,20\nc\"\"2,30\n\"c3\",40\nc4\",50\n" },
    { "rows in quotes", "id,age\n\"c1\nc9,50\n\",20\n\"c9,50\nc2,30\n\",30\nc3,40\n" },
    { "quoted field ends the file", "age,id\n20,c1\n30,\"c\n2\"" },
    { "empty lines", "\n\r\nid,age\n\n\nc1,20\n\r\n\nc2,30\n\n" },
    { "long header", "\"id\",age,\"a name that is much longer than any of the ranges\n of this "
                     "file and has a line break\"\nc1,20,1\nc2,30,2\n" },
    { "one row", "id,age\nc1,20\n" },
    { "bad rows", "id,age\nc1\nc2,30\n\"c\n3\",old\n,40\nc5,50\n\"c6\"x,60\n" },
    { "bad rows only", "id,age\nc1\nc2\n" },
    { "not ASCII", "id,age\nJos\xc3\xa9,20\n\xe2\x82\xac\n" },
};

static const char *const published[] = { "b.csv", "b.csv.manifest.json", "b.csv.rejects.csv" };

static const char *model_uri;

/* A file's content, NULL when it is not there. The caller frees. */
static char *content(const char *name)
{
    auto_free char *path = mem_format("%s/out/%s", bank_folder, name);
    auto_fclose FILE *file = fopen(path, "re");
    char *text = file ? mem_zero(64 * KIB, 1) : NULL;
    if (file && fread(text, 1, 64 * KIB - 1, file) == 64 * KIB - 1)
        fail_msg("%s is large", path);
    return text;
}

static void write_input(const char *text)
{
    auto_free char *path = mem_format("%s/week.csv", bank_folder);
    auto_free char *out = mem_format("%s/out", bank_folder);
    auto_fclose FILE *file = fopen(path, "we");
    fputs(text, file);
    nftw(out, bank_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Strings of the result live in the arena. */
static struct result run(const char *kind, int count, int index, const char *more,
                         struct arena *arena)
{
    static const volatile sig_atomic_t stop;
    auto_free char *text = mem_format(JOB, kind, model_uri, bank_folder, bank_folder, count, more);
    json_t *document auto_json = bank_parse(text);
    struct progress progress;
    struct score_options options = { .threads = 1,
                                     .scratch = bank_folder,
                                     .stop = &stop,
                                     .progress = &progress,
                                     .shard_index = index };
    struct score_job job;
    struct result result = { 0 };
    struct err err;
    progress_init(&progress, &clock_system);
    if (score_job_decode(document, arena, &job, &err) < 0 ||
        score_run(&job, &options, arena, &result, &err) < 0)
        fail_msg("%s %d of %d: %s", kind, index, count, err.message);
    return result;
}

static void score_in_shards(int count)
{
    auto_arena struct arena arena = { 0 };
    struct result result;
    int64_t rows = 0;
    for (int index = count - 1; index >= 0; index--) {
        result = run("Score", count, index, "", &arena);
        assert_int_equal(result.outcome, OUTCOME_PART);
        assert_int_equal(result.shard->index, index);
        rows += result.rows->read;
    }
    auto_free char *parts = mem_strdup(result.output->uri);
    strrchr(parts, '/')[1] = '\0';
    auto_free char *more = mem_format(", \"parts\": \"%s\"", parts);
    result = run("Compose", count, -1, more, &arena);
    assert_int_equal(result.outcome, OUTCOME_SCORED);
    assert_int_equal(result.rows->read, rows);
}

static void shards_and_whole_files_give_the_same(void **state)
{
    (void)state;
    static const int counts[] = { 2, 3, 7, 40 };
    auto_arena struct arena arena = { 0 };
    model_uri = bank_train(&arena);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char *expected[ARRAY_SIZE(published)];
        write_input(files[i].text);
        (void)run("Score", 1, -1, "", &arena);
        for (size_t j = 0; j < ARRAY_SIZE(published); j++)
            expected[j] = content(published[j]);
        assert_non_null(expected[0]);
        for (size_t k = 0; k < ARRAY_SIZE(counts); k++) {
            for (size_t j = 0; j < ARRAY_SIZE(published); j++) {
                auto_free char *path = mem_format("%s/out/%s", bank_folder, published[j]);
                (void)unlink(path);
            }
            score_in_shards(counts[k]);
            for (size_t j = 0; j < ARRAY_SIZE(published); j++) {
                auto_free char *found = content(published[j]);
                if ((found == NULL) != (expected[j] == NULL) ||
                    (found && strcmp(found, expected[j]) != 0))
                    fail_msg("%s in %d shards: %s is %s, not %s", files[i].name, counts[k],
                             published[j], found, expected[j]);
            }
        }
        for (size_t j = 0; j < ARRAY_SIZE(published); j++)
            free(expected[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_and_whole_files_give_the_same),
    };
    return cmocka_run_group_tests(tests, bank_set_up, bank_tear_down);
}
