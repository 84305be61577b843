/* Goal: the state as a stream of initial events (WatchList, KEP-3157) is as good as a list, and a
 * server that refuses, stalls or cuts it costs no more than a list.
 * Method: a hand-played server (informer_scene.h). */
#include "informer_scene.h"

static void test_initial_events(void **state)
{
    struct scene scene;
    struct http_call *watch;

    (void)state;
    scene_begin_with(&scene, true);
    watch = fake_expect(&scene.fake, "GET", JOBS,
                        "watch=true sendInitialEvents=true resourceVersionMatch=NotOlderThan "
                        "!resourceVersion=");
    fake_data(watch, EVENT("ADDED", OBJECT("a", "u-a", "30", "")));
    fake_data(watch, BOOKMARK("40")); /* not the one that ends it */
    fake_data(watch, EVENT("ADDED", OBJECT("b", "u-b", "7", "")));
    assert_string_equal(position(&scene), "");
    assert_false(health(&scene).synced);
    fake_cut(watch);
    told(&scene, "+a +b ! ");
    fake_advance(&scene.fake, 800);
    watch = fake_expect(&scene.fake, "GET", JOBS, "sendInitialEvents=true !resourceVersion=");
    fake_data(watch, EVENT("ADDED", OBJECT("b", "u-b", "7", "")));
    fake_data(watch, INITIAL_END("50"));
    told(&scene, "-a . ");
    assert_string_equal(position(&scene), "50");
    fake_data(watch, EVENT("ADDED", OBJECT("c", "u-c", "51", "")));
    fake_end(watch);
    told(&scene, "+c ");
    fake_expect(&scene.fake, "GET", JOBS, "resourceVersion=51 !sendInitialEvents");
    scene_end(&scene);
}

static void test_initial_events_refused(void **state)
{
    struct scene scene;

    (void)state;
    scene_begin_with(&scene, true);
    fake_refuse(fake_expect(&scene.fake, "GET", JOBS, "sendInitialEvents=true"), 422, "Invalid");
    fake_answer(expect_list(&scene, "limit=500"), 200, LIST("10", ""));
    told(&scene, "! . ");
    fake_refuse(expect_watch(&scene, "10"), 410, "Expired");
    fake_advance(&scene.fake, 800);
    expect_list(&scene, "limit=500"); /* not asked again */
    scene_end(&scene);
}

static void test_initial_events_stall(void **state)
{
    struct scene scene;
    struct http_call *watch;

    (void)state;
    scene_begin_with(&scene, true);
    watch = fake_expect(&scene.fake, "GET", JOBS, "sendInitialEvents=true");
    fake_advance(&scene.fake, 9000);
    fake_data(watch, EVENT("ADDED", OBJECT("a", "u-a", "3", "")));
    fake_advance(&scene.fake, 9999);
    assert_int_equal(scene.fake.canceled, 0);
    fake_advance(&scene.fake, 1);
    assert_int_equal(scene.fake.canceled, 1);
    fake_answer(expect_list(&scene, "limit=500"), 200, LIST("10", OBJECT("b", "u-b", "4", "")));
    told(&scene, "+a ! +b -a . ");
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initial_events),
        cmocka_unit_test(test_initial_events_refused),
        cmocka_unit_test(test_initial_events_stall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
