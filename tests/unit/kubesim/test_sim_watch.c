/* Goal: a watch tells every change once, in order, from where it was asked to begin; and ends, lies
 * or falls silent when a fault says so.
 * Method: one watch per case, a script of writes, and the lines it sent as "TYPE name" words. */
#include "bench.h"

#define MAPS "/api/v1/namespaces/default/configmaps"

static int put(struct bench *bench, const char *name, const char *label)
{
    char *body = arena_format(&bench->arena,
                              "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'%s',"
                              "'labels':{'l':'%s'}}}",
                              name, label);
    char *path = arena_format(&bench->arena, MAPS "/%s", name);
    int status = bench_ask(bench, "PUT", path, body);
    return status == 404 ? bench_ask(bench, "POST", MAPS, body) : status;
}

static int drop(struct bench *bench, const char *name)
{
    return bench_ask(bench, "DELETE", arena_format(&bench->arena, MAPS "/%s", name), NULL);
}

static const struct bench_stream *watch(struct bench *bench, const char *query)
{
    char *target = arena_format(&bench->arena, MAPS "?watch=1&%s", query);
    assert_int_equal(bench_ask(bench, "GET", target, NULL), 200);
    return &bench->streams[bench->stream_count - 1];
}

/* "ADDED a MODIFIED a ...", bookmarks as "BOOKMARK" or "INITIAL". */
static char *told(struct bench *bench, const struct bench_stream *stream)
{
    auto_buf struct buf words;
    buf_init(&words, LIMIT_JSON_DOCUMENT);
    for (const char *line = stream->text; line && *line; line = strchr(line, '\n') + 1) {
        struct span text = { line, (size_t)(strchr(line, '\n') - line) };
        auto_json json_t *event = jx_parse(text, LIMIT_JSON_DOCUMENT, "event", NULL);
        assert_non_null(event);
        const char *type = jx_string(event, "type", NULL);
        const json_t *metadata = jx_get(event, "object", "metadata", NULL);
        bool initial = jx_get(metadata, "annotations", "k8s.io/initial-events-end", NULL);
        const char *name = jx_string(metadata, "name", NULL);
        buf_format(&words, "%s%s%s%s", words.length ? " " : "", initial ? "INITIAL" : type,
                   name ? " " : "", name ? name : "");
    }
    return arena_strdup(&bench->arena, buf_text(&words));
}

#define INITIAL "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"

static void a_watch_tells_what_it_selects(void **state)
{
    static const struct {
        const char *name, *query, *expected;
    } cases[] = {
        { "all", "resourceVersion=0", "ADDED a ADDED b ADDED c MODIFIED a MODIFIED b DELETED a" },
        { "watch list", INITIAL,
          "ADDED a ADDED b INITIAL ADDED c MODIFIED a MODIFIED b DELETED a" },
        { "label", "resourceVersion=0&labelSelector=l=1", "ADDED a ADDED c DELETED a ADDED b" },
        { "field", "resourceVersion=0&fieldSelector=metadata.name=b", "ADDED b MODIFIED b" },
        { "field, initial", INITIAL "&fieldSelector=metadata.name=b",
          "ADDED b INITIAL MODIFIED b" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench *bench = bench_new(0);
        put(bench, "a", "1");
        put(bench, "b", "2");
        const struct bench_stream *stream = watch(bench, cases[i].query);
        put(bench, "c", "1");
        put(bench, "a", "2");
        put(bench, "b", "1");
        put(bench, "b", "1"); /* no change: no event */
        drop(bench, "a");
        const char *words = told(bench, stream);
        if (strcmp(words, cases[i].expected) != 0)
            fail_msg("case \"%s\": %s", cases[i].name, words);
        bench_free(bench);
    }
}

static void a_watch_goes_on_where_it_ended(void **state)
{
    struct bench *bench = bench_new(8);
    (void)state;
    put(bench, "a", "1");
    char *query = arena_format(&bench->arena, "resourceVersion=%s",
                               BENCH_TEXT(bench, "metadata", "resourceVersion"));
    put(bench, "a", "2");
    put(bench, "b", "1");
    drop(bench, "a");
    assert_string_equal(told(bench, watch(bench, query)), "MODIFIED a ADDED b DELETED a");
    for (int i = 0; i < 8; i++)
        put(bench, "b", i % 2 ? "1" : "2");
    const struct bench_stream *late = watch(bench, query);
    assert_string_equal(told(bench, late), "ERROR");
    assert_non_null(strstr(late->text, "\"code\":410"));
    assert_non_null(strstr(late->text, "\"reason\":\"Expired\""));
    assert_false(late->open);
    assert_int_equal(bench_ask(bench, "GET", MAPS "?watch=1&sendInitialEvents=true", NULL), 422);
    assert_int_equal(bench_ask(bench, "GET", MAPS "?watch=1&resourceVersion=9999", NULL), 504);
    bench_free(bench);
}

static void time_brings_bookmarks_and_the_end(void **state)
{
    struct bench *bench = bench_new(0);
    (void)state;
    const struct bench_stream *stream =
        watch(bench, "resourceVersion=1&allowWatchBookmarks=true&timeoutSeconds=150");
    bench_advance(bench, 120000);
    assert_string_equal(told(bench, stream), "BOOKMARK BOOKMARK");
    assert_true(stream->open);
    bench_advance(bench, 30000);
    assert_false(stream->open);
    assert_false(stream->cut);
    bench_free(bench);
}

static void faults_break_watches(void **state)
{
    static const struct {
        const char *name, *fault, *expected;
        bool open, cut;
    } cases[] = {
        { "drop", "{'verb':'event','action':'drop','skip':1}", "INITIAL ADDED a", false, true },
        { "error", "{'verb':'event','action':'status','code':410}", "INITIAL ERROR", false, false },
        { "stall", "{'verb':'event','action':'stall','skip':1}", "INITIAL ADDED a", true, false },
        { "lost bookmark", "{'verb':'bookmark','action':'lose'}", "ADDED a ADDED b ADDED c", true,
          false },
        { "other resource", "{'verb':'event','resource':'pods','action':'drop'}",
          "INITIAL ADDED a ADDED b ADDED c", true, false },
        { "other user agent", "{'verb':'event','userAgent':'other/','action':'drop'}",
          "INITIAL ADDED a ADDED b ADDED c", true, false },
        { "this user agent", "{'verb':'event','userAgent':'bench/','action':'drop'}", "INITIAL",
          false, true },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench *bench = bench_new(0);
        CASE(cases[i].name, bench_ask(bench, "POST", "/kubesim/faults", cases[i].fault) == 200);
        const struct bench_stream *stream = watch(bench, INITIAL);
        put(bench, "a", "1");
        put(bench, "b", "1");
        put(bench, "c", "1");
        const char *words = told(bench, stream);
        if (strcmp(words, cases[i].expected) != 0)
            fail_msg("case \"%s\": %s", cases[i].name, words);
        CASE(cases[i].name, stream->open == cases[i].open && stream->cut == cases[i].cut);
        bench_free(bench);
    }
}

static void open_watches_can_be_cut(void **state)
{
    struct bench *bench = bench_new(0);
    (void)state;
    const struct bench_stream *stream = watch(bench, "resourceVersion=0");
    assert_int_equal(bench_ask(bench, "DELETE", "/kubesim/watches?resource=pods", NULL), 200);
    assert_true(stream->open);
    assert_int_equal(bench_ask(bench, "DELETE", "/kubesim/watches", NULL), 200);
    assert_true(stream->cut);
    assert_int_equal(put(bench, "a", "1"), 201);
    bench_free(bench);
}

static void a_peer_may_go_away(void **state)
{
    struct bench *bench = bench_new(0);
    (void)state;
    const struct bench_stream *stream = watch(bench, "resourceVersion=0");
    stream->on_close(stream->context);
    assert_int_equal(put(bench, "a", "1"), 201);
    assert_null(stream->text);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_tells_what_it_selects),
        cmocka_unit_test(a_watch_goes_on_where_it_ended),
        cmocka_unit_test(time_brings_bookmarks_and_the_end),
        cmocka_unit_test(faults_break_watches),
        cmocka_unit_test(open_watches_can_be_cut),
        cmocka_unit_test(a_peer_may_go_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
