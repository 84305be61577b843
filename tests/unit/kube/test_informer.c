/* Goal: the cache ends up equal to the server and every difference is told, whatever the server
 * and the network do in between.
 * Method: a hand-played server (informer_scene.h). */
#include "informer_scene.h"

static void test_list_and_watch(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);
    const struct cache *cache = informer_cache(scene.informer);

    (void)state;
    assert_true(health(&scene).synced);
    assert_int_equal(health(&scene).state, INFORMER_WATCHING);
    assert_true(watch->timeout_ms >= 330000 && watch->timeout_ms <= 630000);
    fake_data(watch, EVENT("ADDED", OBJECT("c", "u-c", "11", "x")));
    fake_data(watch, EVENT("MODIFIED", OBJECT("a", "u-a", "12", "2")));
    fake_data(watch, EVENT("DELETED", OBJECT("b", "u-b", "13", "1")));
    fake_data(watch, EVENT("DELETED", OBJECT("never", "u-n", "14", "1")));
    told(&scene, "+c ~a -b ");
    assert_string_equal(position(&scene), "14");
    assert_int_equal(cache_count(cache), 2);
    assert_true(span_equals(cache_entry_blob(cache_get(cache, "bank", "a")), "2"));
    assert_null(cache_get(cache, "bank", "b"));
    fake_end(watch); /* right away, but something came: no failure */
    expect_watch(&scene, "14");
    told(&scene, "");
    scene_end(&scene);
}

static void test_pages(void **state)
{
    struct scene scene;

    (void)state;
    scene_begin(&scene);
    fake_answer(
        expect_list(&scene, "limit=500 !continue"), 200,
        "{\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"p/2\"},\"items\":[" OBJECT(
            "a", "u-a", "3", "") "]}");
    told(&scene, "+a ");
    assert_false(health(&scene).synced);
    fake_answer(expect_list(&scene, "limit=500 continue=p%2F2"), 200,
                LIST("10", OBJECT("b", "u-b", "4", "")));
    told(&scene, "+b . ");
    expect_watch(&scene, "10");
    assert_int_equal(health(&scene).lists, 1);
    scene_end(&scene);
}

/* What nobody reads is not parsed, neither of a list nor of an event, whatever it is; what is wrong
 * with the rest is told. */
static void test_what_is_not_read(void **state)
{
#define UNREAD(version)                                                                            \
    "{\"unread\":{\"x\":tru},\"metadata\":{\"managedFields\":[{\"f:x\":{}}],\"namespace\":"        \
    "\"bank\",\"name\":\"a\",\"uid\":\"u-a\",\"resourceVersion\":\"" version "\"}}"
    struct scene scene;
    struct http_call *watch;

    (void)state;
    scene_begin(&scene);
    fake_answer(expect_list(&scene, ""), 200,
                LIST("10", UNREAD("3") ",{\"metadata\":{\"name\":\"b\",\"uid\":tru}}"));
    watch = expect_watch(&scene, "10");
    fake_data(watch, EVENT("MODIFIED", UNREAD("11")));
    told(&scene, "+a ! . ~a ");
    assert_int_equal(scene.projected, 2);
    scene_end(&scene);
}

/* Nor do those of them that cannot be parsed when they change, each time: the watch goes on. */
static void test_unreadable_events(void **state)
{
#define UNREADABLE(name, version)                                                                  \
    "{\"metadata\":{\"namespace\":\"bank\",\"name\":\"" name "\",\"resourceVersion\":\"" version   \
    "\",\"uid\":\"\\u0000\"}}"
    struct scene scene;
    struct http_call *watch = synced(&scene);

    (void)state;
    fake_data(watch, EVENT("MODIFIED", UNREADABLE("a", "11")));
    told(&scene, "! -a ");
    assert_string_equal(position(&scene), "11");
    for (int i = 0; i < 3; i++)
        assert_true(fake_data(watch, EVENT("MODIFIED", UNREADABLE("a", "12"))));
    told(&scene, ""); /* once is enough */
    fake_data(watch, EVENT("MODIFIED", OBJECT("b", "u-b", "13", "2")));
    fake_data(watch, EVENT("MODIFIED", OBJECT("a", "u-a", "14", "2")));
    fake_data(watch, EVENT("DELETED", UNREADABLE("b", "15")));
    told(&scene, "~b +a ! -b ");
    fake_data(watch, EVENT("ADDED", "{\"metadata\":{\"uid\":tru}}"));
    told(&scene, "! ");
    assert_string_equal(position(&scene), "15");
    assert_int_equal(health(&scene).state, INFORMER_WATCHING);
    assert_int_equal(health(&scene).lists, 1);
    scene_end(&scene);
}

/* A continue token lives for minutes; when it expires the list is taken in one answer. */
static void test_expired_continue(void **state)
{
    struct scene scene;

    (void)state;
    scene_begin(&scene);
    fake_answer(expect_list(&scene, "limit=500"), 200,
                "{\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"p2\"},\"items\":[" OBJECT(
                    "a", "u-a", "3", "") "," OBJECT("b", "u-b", "4", "") "]}");
    fake_refuse(expect_list(&scene, "continue=p2"), 410, "Expired");
    fake_answer(expect_list(&scene, "!limit !continue"), 200,
                LIST("20", OBJECT("a", "u-a", "3", "") "," OBJECT("c", "u-c", "15", "")));
    told(&scene, "+a +b ! +c -b . ");
    fake_refuse(expect_watch(&scene, "20"), 410, "Expired");
    fake_advance(&scene.fake, 800);
    expect_list(&scene, "limit=500"); /* the next list comes in pages again */
    scene_end(&scene);
}

/* Everything that can have happened while nobody looked. */
static void test_relist(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);

    (void)state;
    fake_data(watch, EVENT("ADDED", OBJECT("c", "u-c", "11", "")));
    told(&scene, "+c ");
    unsigned projected = scene.projected;
    assert_false(fake_data(watch, GONE));
    told(&scene, "! ");
    assert_int_equal(health(&scene).state, INFORMER_WAITING);
    fake_advance(&scene.fake, 800);
    fake_answer(expect_list(&scene, "limit=500 !resourceVersion"), 200,
                LIST("50", OBJECT("a", "u-a", "3", "1") "," OBJECT(
                               "b", "u-b2", "40", "") "," OBJECT("d", "u-d", "41", "")));
    told(&scene, "-b +b +d -c . "); /* a is as it was; b is another object now */
    assert_int_equal(scene.projected, projected + 2);
    expect_watch(&scene, "50");
    scene_end(&scene);
}

static void test_http_gone(void **state)
{
    struct scene scene;

    (void)state;
    fake_refuse(synced(&scene), 410, "Expired");
    told(&scene, "! ");
    fake_advance(&scene.fake, 800);
    fake_answer(expect_list(&scene, "limit=500"), 200, LIST("50", OBJECT("a", "u-a", "3", "1")));
    told(&scene, "-b . ");
    scene_end(&scene);
}

static void test_uid_change_in_watch(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);

    (void)state;
    fake_data(watch, EVENT("MODIFIED", OBJECT("a", "u-other", "12", "")));
    told(&scene, "-a +a ");
    scene_end(&scene);
}

static void test_bookmarks(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);

    (void)state;
    fake_advance(&scene.fake, 60000);
    assert_int_equal(health(&scene).silence_ms, 60000);
    /* without bookmarks the last event counts, and silence is not held against the server */
    fake_data(watch, EVENT("MODIFIED", OBJECT("a", "u-a", "20", "")));
    fake_advance(&scene.fake, 290000);
    assert_int_equal(scene.fake.canceled, 0);
    told(&scene, "~a ");

    fake_data(watch, BOOKMARK("130"));
    assert_int_equal(health(&scene).silence_ms, 0);
    assert_string_equal(position(&scene), "130");
    assert_true(cache_is_at_least(informer_cache(scene.informer), "bank", "gone", "130"));
    fake_end(watch);

    /* a server that has sent one has lost us when nothing comes, on a later watch too */
    expect_watch(&scene, "130");
    fake_advance(&scene.fake, 149999);
    assert_int_equal(scene.fake.canceled, 0);
    fake_advance(&scene.fake, 1);
    assert_int_equal(scene.fake.canceled, 1);
    told(&scene, "! ");
    fake_advance(&scene.fake, 800);
    expect_watch(&scene, "130");
    scene_end(&scene);
}

static void test_cut_watch_resumes(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);

    (void)state;
    fake_data(watch, EVENT("ADDED", OBJECT("c", "u-c", "11", "")));
    fake_data(watch, "{\"type\":\"ADD");
    fake_cut(watch);
    told(&scene, "+c ! ");
    fake_advance(&scene.fake, 800);
    watch = expect_watch(&scene, "11");
    fake_data(watch, "{\"type\":\"ADD");
    fake_advance(&scene.fake, 2000);
    fake_end(watch); /* an end inside an event is a cut too */
    told(&scene, "! ");
    fake_advance(&scene.fake, 1600);
    expect_watch(&scene, "11");
    scene_end(&scene);
}

static void test_short_watch_is_a_failure(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);

    (void)state;
    fake_end(watch);
    told(&scene, "! ");
    assert_int_equal(scene.fake.count, 0);
    fake_advance(&scene.fake, 800);
    watch = expect_watch(&scene, "10");
    fake_advance(&scene.fake, 1000);
    fake_end(watch); /* long enough */
    expect_watch(&scene, "10");
    told(&scene, "");
    scene_end(&scene);
}

static void test_retry_after(void **state)
{
    const struct http_header wait = { "Retry-After", "20" };
    struct scene scene;

    (void)state;
    scene_begin(&scene);
    fake_answer_with(expect_list(&scene, ""), 429, "{}", &wait, 1);
    fake_advance(&scene.fake, 19999);
    assert_int_equal(scene.fake.count, 0);
    fake_advance(&scene.fake, 30000);
    fake_answer(expect_list(&scene, ""), 200, LIST("10", ""));
    told(&scene, "! . ");
    scene_end(&scene);
}

/* 0.8 s doubled up to 30 s, each between half and all of it; from the start after 2 good
 * minutes. */
static void test_backoff(void **state)
{
    static const int64_t longest_ms[] = { 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
    struct scene scene;

    (void)state;
    scene_begin(&scene);
    for (size_t i = 0; i < ARRAY_SIZE(longest_ms); i++) {
        fake_cut(expect_list(&scene, ""));
        fake_advance(&scene.fake, longest_ms[i] / 2 - 1);
        assert_int_equal(scene.fake.count, 0);
        fake_advance(&scene.fake, longest_ms[i] - longest_ms[i] / 2 + 1);
    }
    assert_int_equal(health(&scene).failures, ARRAY_SIZE(longest_ms));
    fake_answer(expect_list(&scene, ""), 200, LIST("10", ""));
    fake_advance(&scene.fake, 121000);
    fake_cut(expect_watch(&scene, "10"));
    fake_advance(&scene.fake, 800);
    expect_watch(&scene, "10");
    assert_int_equal(health(&scene).failures, 1);
    scene_end(&scene);
}

/* A kind whose CRD is not installed yet, then is. */
static void test_not_served(void **state)
{
    struct scene scene;

    (void)state;
    scene_begin(&scene);
    fake_answer(expect_list(&scene, ""), 404, "404 page not found\n");
    assert_true(health(&scene).not_served);
    assert_false(health(&scene).synced);
    assert_int_equal(health(&scene).last_failure->kind, ERR_NOT_FOUND);
    fake_advance(&scene.fake, 800);
    fake_answer(expect_list(&scene, ""), 200, LIST("10", ""));
    assert_false(health(&scene).not_served);
    assert_true(health(&scene).synced);
    fake_answer(expect_watch(&scene, "10"), 404, "404 page not found\n"); /* and removed again */
    assert_true(health(&scene).not_served);
    fake_advance(&scene.fake, 1600);
    expect_list(&scene, "limit=500");
    scene_end(&scene);
}

/* A position that the server keeps refusing, for a reason that is not 410. */
static void test_refused_position(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);

    (void)state;
    for (int i = 0; i < 5; i++) {
        fake_refuse(watch, 500, "InternalError");
        fake_advance(&scene.fake, 30000);
        if (i < 4)
            watch = expect_watch(&scene, "10");
    }
    fake_answer(expect_list(&scene, "limit=500 !watch"), 200, LIST("20", ""));
    /* begins to count anew, and so does an event */
    fake_refuse(expect_watch(&scene, "20"), 500, "InternalError");
    fake_advance(&scene.fake, 30000);
    watch = expect_watch(&scene, "20");
    fake_data(watch, BOOKMARK("21"));
    for (int i = 0; i < 4; i++) {
        fake_refuse(watch, 500, "InternalError");
        fake_advance(&scene.fake, 30000);
        watch = expect_watch(&scene, "21");
    }
    scene_end(&scene);
}

/* Answers that say something about the position at once: only a list helps. */
static void test_useless_position(void **state)
{
    static const int statuses[] = { 400, 404, 410, 413, 504 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        struct scene scene;

        fake_refuse(synced(&scene), statuses[i], "");
        fake_advance(&scene.fake, 800);
        expect_list(&scene, "limit=500 !watch");
        scene_end(&scene);
    }
}

/* Watches end at different times, so that they spread over the servers. */
static void test_watches_spread(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);
    int64_t shortest_ms = INT64_MAX, longest_ms = 0;

    (void)state;
    for (int i = 0; i < 20; i++) {
        shortest_ms = watch->timeout_ms < shortest_ms ? watch->timeout_ms : shortest_ms;
        longest_ms = watch->timeout_ms > longest_ms ? watch->timeout_ms : longest_ms;
        fake_data(watch, BOOKMARK("10"));
        fake_end(watch);
        watch = expect_watch(&scene, "10");
    }
    assert_true(longest_ms - shortest_ms > 60000);
    scene_end(&scene);
}

/* Neither throttling nor a missing right says anything about the position, and a list would be
 * the heavier request. */
static void test_throttled_watch(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);

    (void)state;
    for (int i = 0; i < 20; i++) {
        fake_refuse(watch, i % 2 ? 429 : 403, "TooManyRequests");
        fake_advance(&scene.fake, 30000);
        watch = expect_watch(&scene, "10");
    }
    fake_data(watch, BOOKMARK("11"));
    assert_int_equal(health(&scene).failures, 20);
    fake_advance(&scene.fake, 100000);
    assert_int_equal(health(&scene).failures, 0); /* two good minutes after the last */
    scene_end(&scene);
}

/* A server that cannot be reached says nothing about the position. */
static void test_outage(void **state)
{
    struct scene scene;
    struct http_call *watch = synced(&scene);

    (void)state;
    for (int i = 0; i < 20; i++) {
        fake_cut(watch);
        fake_advance(&scene.fake, 30000);
        watch = expect_watch(&scene, "10");
    }
    scene_end(&scene);
}

/* A list that shows the past is not believed, until it has insisted: a is older in it, b does
 * not exist yet, and c was deleted since. */
static void test_stale_list(void **state)
{
    static const char past[] =
        LIST("5", OBJECT("a", "u-a", "2", "old") "," OBJECT("c", "u-c", "1", ""));
    struct scene scene;

    (void)state;
    fake_refuse(synced(&scene), 410, "Expired");
    told(&scene, "! ");
    for (int i = 0; i < 5; i++) {
        fake_advance(&scene.fake, 30000);
        fake_answer(expect_list(&scene, ""), 200, past);
        told(&scene, "! ");
    }
    assert_true(
        span_equals(cache_entry_blob(cache_get(informer_cache(scene.informer), "bank", "a")), "1"));
    fake_advance(&scene.fake, 30000);
    fake_answer(expect_list(&scene, ""), 200, past);
    told(&scene, "~a +c -b . ");
    expect_watch(&scene, "5");
    scene_end(&scene);
}

/* One object that cannot be used does not keep the others out. */
static void test_bad_objects(void **state)
{
    struct scene scene;
    struct http_call *watch;

    (void)state;
    scene_begin(&scene);
    fake_answer(expect_list(&scene, ""), 200,
                LIST("10", OBJECT("a", "u-a", "1", "bad") ",{\"x\":},{\"metadata\":{}}," OBJECT(
                               "b", "u-b", "2", "")));
    told(&scene, "! ! ! +b . ");
    watch = expect_watch(&scene, "10");
    fake_data(watch, EVENT("MODIFIED", OBJECT("b", "u-b", "11", "bad")));
    told(&scene, "! -b ");
    fake_data(watch, EVENT("MODIFIED", OBJECT("b", "u-b", "12", "")));
    told(&scene, "+b ");
    assert_false(fake_data(watch, "not JSON\n")); /* what it was is lost: list again */
    fake_advance(&scene.fake, 800);
    expect_list(&scene, "limit=500");
    scene_end(&scene);
}

/* Network pieces have nothing to do with events. */
static void test_every_cut(void **state)
{
    static const char stream[] = EVENT("ADDED", OBJECT("c", "u-c", "11", "x")) BOOKMARK("12")
        EVENT("MODIFIED", OBJECT("a", "u-a", "13", "2\\n}"))
            EVENT("DELETED", OBJECT("b", "u-b", "14", "1"));
    static const char list[] =
        LIST("10", OBJECT("a", "u-a", "3", "1") "," OBJECT("b", "u-b", "7", "1"));

    (void)state;
    for (size_t piece = 1; piece < sizeof(stream); piece++) {
        struct scene scene;
        struct http_call *call;

        scene_begin(&scene);
        call = expect_list(&scene, "");
        for (size_t at = 0; at < strlen(list); at += piece) {
            auto_free char *text = mem_strndup(list + at, piece);

            assert_true(fake_data(call, text));
        }
        fake_end(call);
        call = expect_watch(&scene, "10");
        for (size_t at = 0; at < strlen(stream); at += piece) {
            auto_free char *text = mem_strndup(stream + at, piece);

            assert_true(fake_data(call, text));
        }
        told(&scene, "+a +b . +c ~a -b ");
        assert_string_equal(position(&scene), "14");
        scene_end(&scene);
    }
}

static void test_owners(void **state)
{
    struct scene scene;
    const struct cache *cache;
    const struct cache_entry *entry;

    (void)state;
    scene_begin(&scene);
    fake_answer(expect_list(&scene, ""), 200,
                LIST("10",
                     "{\"metadata\":{\"name\":\"j\",\"namespace\":\"bank\",\"uid\":\"u-j\","
                     "\"resourceVersion\":\"4\",\"ownerReferences\":["
                     "{\"kind\":\"Other\",\"name\":\"x\",\"uid\":\"u-x\"},"
                     "{\"kind\":\"ChurnBatch\",\"name\":\"w\",\"uid\":\"u-w\",\"controller\":true}"
                     "]}}"));
    cache = informer_cache(scene.informer);
    entry = cache_first_owned(cache, "u-w");
    assert_non_null(entry);
    assert_string_equal(cache_entry_owner_kind(entry), "ChurnBatch");
    assert_string_equal(cache_entry_owner_name(entry), "w");
    assert_null(cache_first_owned(cache, "u-x"));
    scene_end(&scene);
}

/* Freed in every state: sanitizers look for what is left. */
static void test_freed_in_every_state(void **state)
{
    struct scene scene;

    (void)state;
    scene_begin(&scene); /* listing */
    scene_end(&scene);
    synced(&scene); /* watching */
    scene_end(&scene);
    fake_cut(synced(&scene)); /* waiting */
    scene_end(&scene);
    informer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_and_watch),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_what_is_not_read),
        cmocka_unit_test(test_unreadable_events),
        cmocka_unit_test(test_expired_continue),
        cmocka_unit_test(test_relist),
        cmocka_unit_test(test_http_gone),
        cmocka_unit_test(test_uid_change_in_watch),
        cmocka_unit_test(test_bookmarks),
        cmocka_unit_test(test_cut_watch_resumes),
        cmocka_unit_test(test_short_watch_is_a_failure),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_not_served),
        cmocka_unit_test(test_refused_position),
        cmocka_unit_test(test_useless_position),
        cmocka_unit_test(test_watches_spread),
        cmocka_unit_test(test_throttled_watch),
        cmocka_unit_test(test_outage),
        cmocka_unit_test(test_stale_list),
        cmocka_unit_test(test_bad_objects),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_freed_in_every_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
