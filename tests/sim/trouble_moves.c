/* trouble_moves.c - what goes wrong: processes, the network, clocks, the API server, the registry,
 * folders, pods. */
#include "sim/play.h"

/* --- processes --------------------------------------------------------------------------- */

static size_t index_of(const struct sim_controller *controller)
{
    return (size_t)(controller - controller->sim->controllers);
}

/* A process that ended comes again, as its Deployment makes it. */
static void restart_in(struct play *play, size_t index, int64_t delay_ms)
{
    timer_set(&play->sim->timers, &play->restarts[index], delay_ms);
}

static void restart(struct play *play, size_t index)
{
    struct sim_controller *controller = &play->sim->controllers[index];

    sim_kill_controller(play->sim, index);
    controller->cut = controller->paused = false;
    sim_start_controller(play->sim, index);
    play_tell(play, "%s starts", controller->identity);
}

static void restart_first(void *context)
{
    restart(context, 0);
}

static void restart_second(void *context)
{
    restart(context, 1);
}

static void resume(struct play *play, size_t index)
{
    if (play->sim->controllers[index].paused)
        sim_resume_controller(play->sim, index);
}

static void resume_first(void *context)
{
    resume(context, 0);
}

static void resume_second(void *context)
{
    resume(context, 1);
}

static void reconnect_first(void *context)
{
    ((struct play *)context)->sim->controllers[0].cut = false;
}

static void reconnect_second(void *context)
{
    ((struct play *)context)->sim->controllers[1].cut = false;
}

static void kill(struct play *play, size_t index, int64_t down_ms)
{
    play_tell(play, "%s is killed", play->sim->controllers[index].identity);
    sim_kill_controller(play->sim, index);
    restart_in(play, index, down_ms);
}

static int64_t up_to(struct random *random, int64_t maximum_ms)
{
    return 1 + (int64_t)random_below(random, (uint64_t)maximum_ms);
}

static size_t any_controller(struct random *random)
{
    return random_below(random, SIM_CONTROLLERS);
}

static void move_kill(struct play *play, struct random *random)
{
    size_t index = any_controller(random);
    int64_t down_ms = up_to(random, 2 * play->sim->lease_ms);

    if (play->sim->controllers[index].sim)
        kill(play, index, down_ms);
}

static void move_start(struct play *play, struct random *random)
{
    size_t index = any_controller(random);

    if (!play->sim->controllers[index].sim)
        restart_in(play, index, 0);
}

static void move_freeze(struct play *play, struct random *random)
{
    size_t index = any_controller(random);
    int64_t frozen_ms = up_to(random, 4 * play->sim->lease_ms);

    if (!play->sim->controllers[index].sim)
        return;
    play->sim->controllers[index].paused = true;
    timer_set(&play->sim->timers, &play->resumes[index], frozen_ms);
    play_tell(play, "%s freezes for %d ms", play->sim->controllers[index].identity, (int)frozen_ms);
}

static void move_stop(struct play *play, struct random *random)
{
    size_t index = any_controller(random);
    struct sim_controller *controller = &play->sim->controllers[index];

    if (!controller->sim || controller->paused)
        return;
    manager_stop(controller->manager);
    restart_in(play, index, 6 * SECOND);
    play_tell(play, "%s is asked to stop", controller->identity);
}

static void move_crash_at_write(struct play *play, struct random *random)
{
    static const char *const names[] = { "nowhere", "before it is sent", "after it was sent",
                                         "after the answer" };

    play->crash = CRASH_BEFORE_SENT + (unsigned)random_below(random, 3);
    play->writes_to_crash = (unsigned)random_below(random, 6);
    play_tell(play, "a crash %u writes from now, %s", play->writes_to_crash, names[play->crash]);
}

/* --- the network --------------------------------------------------------------------------- */

static void move_cut(struct play *play, struct random *random)
{
    size_t index = any_controller(random);
    int64_t cut_ms = up_to(random, 3 * play->sim->lease_ms);

    play->sim->controllers[index].cut = true;
    timer_set(&play->sim->timers, &play->reconnects[index], cut_ms);
    play_tell(play, "controller %zu is cut off for %d ms", index, (int)cut_ms);
}

static void move_write_fate(struct play *play, struct random *random)
{
    play->fate = SIM_IS_LOST + (unsigned)random_below(random, 4);
    play->writes_to_fate = (unsigned)random_below(random, 5);
    play->sim->late_ms = up_to(random, 3 * play->sim->lease_ms);
    play_tell(play, "fate %d for a write %u from now, %d ms", (int)play->fate, play->writes_to_fate,
              (int)play->sim->late_ms);
}

static bool is_watch(const struct fake_exchange *exchange, const char *plural)
{
    return exchange->streaming && strstr(exchange->path, plural);
}

static const char *any_plural(struct random *random)
{
    static const char *const plurals[] = { "churnmodels", "churnbatches", "jobs" };

    return plurals[random_below(random, ARRAY_SIZE(plurals))];
}

/* Events come late, and then all at once. */
static void move_hold_events(struct play *play, struct random *random)
{
    const char *plural = any_plural(random);
    int64_t held_ms = up_to(random, 50 * SECOND);

    for (size_t i = 0; i < SIM_CONTROLLERS; i++) {
        struct sim_controller *controller = &play->sim->controllers[i];

        for (struct fake_exchange *at = controller->sim ? controller->network.first : NULL; at;
             at = at->next)
            if (is_watch(at, plural))
                at->held_until_ms = play->sim->now_ms + held_ms;
    }
    play_tell(play, "events of %s are held for %d ms", plural, (int)held_ms);
}

static void move_duplicate_events(struct play *play, struct random *random)
{
    play->duplicates = 1 + (unsigned)random_below(random, 20);
    play_tell(play, "%u events come twice", play->duplicates);
}

/* --- the API server --------------------------------------------------------------------------- */

static void move_server_fault(struct play *play, struct random *random)
{
    static const struct {
        const char *verb, *rest;
        unsigned longest;
    } faults[] = {
        { "create", "'action':'status','code':409", 3 },
        { "create", "'action':'status','code':429,'retryAfterSeconds':7", 4 },
        { "create", "'action':'status','code':503", 4 },
        { "create", "'action':'status','code':403", 3 },
        { "create", "'action':'drop'", 3 },
        { "create", "'action':'stall'", 1 },
        { "create", "'action':'slow','delay':'9s'", 2 },
        { "patch", "'action':'status','code':409", 4 },
        { "patch", "'action':'status','code':429,'retryAfterSeconds':3", 4 },
        { "patch", "'action':'status','code':500", 4 },
        { "patch", "'action':'status','code':404", 1 },
        { "patch", "'action':'drop'", 4 },
        { "patch", "'action':'stall'", 1 },
        { "patch", "'action':'slow','delay':'12s'", 2 },
        { "update", "'action':'status','code':409", 3 },
        { "update", "'action':'drop'", 6 },
        { "delete", "'action':'status','code':500", 3 },
        { "delete", "'action':'status','code':404", 2 },
        { "delete", "'action':'status','code':409", 2 },
        { "delete", "'action':'drop'", 3 },
        { "get", "'action':'status','code':500", 3 },
        { "get", "'action':'drop'", 3 },
        { "get", "'action':'slow','delay':'5s'", 3 },
        { "list", "'action':'status','code':429,'retryAfterSeconds':2", 4 },
        { "list", "'action':'status','code':410", 3 },
        { "list", "'action':'drop'", 4 },
        { "list", "'action':'stale','revisions':20", 6 },
        { "list", "'action':'stale','revisions':100", 6 },
        { "watch", "'action':'status','code':410", 4 },
        { "watch", "'action':'status','code':500", 4 },
        { "watch", "'action':'stall'", 2 },
        { "watch", "'action':'drop'", 4 },
        { "event", "'action':'status','code':410", 3 },
        { "event", "'action':'drop'", 3 },
        { "event", "'action':'stall'", 2 },
        { "bookmark", "'action':'lose'", 20 },
        { "*", "'action':'status','code':503", 12 },
        { "*", "'action':'status','code':401", 3 },
        { "*", "'action':'drop'", 10 },
    };
    size_t index = random_below(random, ARRAY_SIZE(faults));
    const char *resource = random_below(random, 3) ? any_plural(random) : "*";
    char *fault auto_free =
        mem_format("{'verb':'%s','resource':'%s','userAgent':'controller',%s,'count':%u,"
                   "'skip':%u}",
                   faults[index].verb, resource, faults[index].rest,
                   1 + (unsigned)random_below(random, faults[index].longest),
                   (unsigned)random_below(random, 3));

    sim_add_fault(play->sim, fault);
    play_tell(play, "fault %s", fault);
}

static void catch_up_first(void *context)
{
    ((struct play *)context)->sim->controllers[0].lag_ms = 0;
}

static void catch_up_second(void *context)
{
    ((struct play *)context)->sim->controllers[1].lag_ms = 0;
}

/* This controller talks to an API server that is behind the others: it writes to the same store,
 * but lists are old and watches late. */
static void fall_behind(struct play *play, struct random *random, size_t index)
{
    int64_t lasts_ms = up_to(random, 3 * MINUTE);
    char *fault auto_free =
        mem_format("{'verb':'list','resource':'%s','action':'stale','revisions':%d,'count':4,"
                   "'userAgent':'controller-%zu'}",
                   random_below(random, 2) ? any_plural(random) : "*",
                   1 + (int)random_below(random, 60), index);

    sim_add_fault(play->sim, fault);
    play->sim->controllers[index].lag_ms = up_to(random, MINUTE);
    timer_set(&play->sim->timers, &play->catches_up[index], lasts_ms);
    play_tell(play, "the API server of controller %zu is %d ms behind for %d ms: %s", index,
              (int)play->sim->controllers[index].lag_ms, (int)lasts_ms, fault);
}

static void move_lagging_server(struct play *play, struct random *random)
{
    fall_behind(play, random, any_controller(random));
}

/* A process that begins and is told of the past. */
static void move_time_travel(struct play *play, struct random *random)
{
    for (size_t i = 0; i < SIM_CONTROLLERS; i++) {
        if (!play->sim->controllers[i].sim)
            continue;
        fall_behind(play, random, i);
        kill(play, i, up_to(random, 5 * SECOND));
    }
}

/* --- clocks ------------------------------------------------------------------------------- */

static int64_t any_jump(struct random *random)
{
    static const int64_t jumps[] = { SECOND, MINUTE, 10 * MINUTE, 60 * MINUTE, 2880 * MINUTE };
    int64_t jump_ms = up_to(random, jumps[random_below(random, ARRAY_SIZE(jumps))]);

    return random_below(random, 2) ? jump_ms : -jump_ms;
}

static void move_clock_jump(struct play *play, struct random *random)
{
    play->clocks_moved = true;
    play->sim->wall_offset_ms = any_jump(random);
    play_tell(play, "the wall clock is off by %lld ms", (long long)play->sim->wall_offset_ms);
}

static void move_clock_skew(struct play *play, struct random *random)
{
    size_t index = any_controller(random);

    play->clocks_moved = true;
    play->sim->controllers[index].wall_offset_ms = any_jump(random);
    play_tell(play, "the clock of controller %zu is off by %lld ms", index,
              (long long)play->sim->controllers[index].wall_offset_ms);
}

/* --- registry and folders ------------------------------------------------------------------- */

static void mend_registry(void *context)
{
    struct play *play = context;
    struct registry_mode up = { .kind = REGISTRY_UP };

    front_set_registry(&play->sim->front, &up);
}

static void move_registry(struct play *play, struct random *random)
{
    static const struct registry_mode modes[] = {
        { .kind = REGISTRY_DOWN },
        { .kind = REGISTRY_MISSING },
        { .kind = REGISTRY_SLOW, .delay_ms = 3 * SECOND },
        { .kind = REGISTRY_SLOW, .delay_ms = 40 * SECOND },
        { .kind = REGISTRY_BASIC, .username = "somebody", .password = "else" },
    };
    size_t index = random_below(random, ARRAY_SIZE(modes));
    int64_t lasts_ms = up_to(random, 3 * MINUTE);

    front_set_registry(&play->sim->front, &modes[index]);
    timer_set(&play->sim->timers, &play->registry_mends, lasts_ms);
    play_tell(play, "the registry is in mode %d for %d ms", modes[index].kind, (int)lasts_ms);
}

static void mend_lister(void *context)
{
    struct play *play = context;

    play->sim->listing_fails = false;
    play->sim->listing_ms = 0;
}

static void move_lister(struct play *play, struct random *random)
{
    play->sim->listing_fails = random_below(random, 2);
    play->sim->listing_ms = up_to(random, MINUTE);
    timer_set(&play->sim->timers, &play->lister_mends, up_to(random, 2 * MINUTE));
    play_tell(play, "folders take %d ms%s", (int)play->sim->listing_ms,
              play->sim->listing_fails ? " and fail" : "");
}

/* --- pods ------------------------------------------------------------------------------------ */

static void move_pod(struct play *play, struct random *random)
{
    static const int codes[] = { 64, 65, 66, 69, 70, 73, 75, 77, 137, 139, 143, 1 };
    static const char *const names[] = { "works", "exits",    "is evicted", "loses its result",
                                         "lies",  "vanishes", "hangs" };

    play->pod_fate = POD_EXITS + (unsigned)random_below(random, 6);
    play->exit_code = codes[random_below(random, ARRAY_SIZE(codes))];
    play_tell(play, "the next pod %s (%d)", names[play->pod_fate], play->exit_code);
}

const struct move_kind trouble_moves[] = {
    { "kill", 8, move_kill },
    { "start", 12, move_start },
    { "freeze", 8, move_freeze },
    { "stop", 3, move_stop },
    { "crash at a write", 25, move_crash_at_write },
    { "cut", 6, move_cut },
    { "spoil a write", 20, move_write_fate },
    { "hold events", 10, move_hold_events },
    { "duplicate events", 5, move_duplicate_events },
    { "server fault", 30, move_server_fault },
    { "time travel", 8, move_time_travel },
    { "lagging server", 8, move_lagging_server },
    { "clock jump", 5, move_clock_jump },
    { "clock skew", 3, move_clock_skew },
    { "registry trouble", 8, move_registry },
    { "folder trouble", 5, move_lister },
    { "pod trouble", 25, move_pod },
    { NULL, 0, NULL },
};

/* --- hooks: where trouble that waits finds its moment ---------------------------------------- */

/* True when the process dies here; *ret_fate is what becomes of the write. */
static bool crashes(struct play *play, struct sim_controller *controller, enum sim_fate *ret_fate)
{
    enum crash_point point = play->crash;

    if (point == CRASH_NOWHERE || play->writes_to_crash-- > 0)
        return false;
    play->crash = CRASH_NOWHERE;
    controller->doomed = true;
    controller->network.dead = point != CRASH_AFTER_ANSWER;
    *ret_fate = point == CRASH_BEFORE_SENT ? SIM_IS_LOST : SIM_PASSES;
    restart_in(play, index_of(controller), 3 * SECOND);
    return true;
}

static enum sim_fate on_write(void *context, struct sim_controller *controller,
                              struct fake_exchange *exchange)
{
    struct play *play = context;
    enum sim_fate fate = SIM_PASSES;

    if (controller->doomed) /* its last answer was handed over already */
        return SIM_IS_LOST;
    if (!crashes(play, controller, &fate) && play->fate != SIM_PASSES &&
        play->writes_to_fate-- == 0) {
        fate = play->fate;
        play->fate = SIM_PASSES;
    }
    play_tell(play, "%s %s %s%s%s %s", controller->identity, exchange->method, exchange->path,
              fate == SIM_PASSES ? "" : " (spoiled)", controller->doomed ? " (crash)" : "",
              exchange->body);
    return fate;
}

static unsigned on_event(void *context, struct sim_controller *controller,
                         struct fake_exchange *watch)
{
    struct play *play = context;

    (void)controller;
    (void)watch;
    if (play->duplicates == 0)
        return 1;
    play->duplicates--;
    return 2;
}

static void end_evicted(void *context)
{
    struct sim_pod *pod = context;
    char *path auto_free =
        mem_format("%s/%s/status", SIM_POD_LIST, jx_string(pod->pod, "metadata", "name", NULL));

    (void)sim_ask(pod->sim, "PATCH", path,
                  "{'status':{'conditions':[{'type':'DisruptionTarget','status':'True',"
                  "'reason':'EvictionByEvictionAPI'}]}}");
    sim_pod_ends(pod, 137, NULL);
}

static void end_without_result(void *context)
{
    sim_pod_runs(context, false);
}

static void end_with_exit_code(void *context)
{
    struct sim_pod *pod = context;

    sim_pod_ends(pod, pod->exit_code, NULL);
}

static void end_with_a_lie(void *context)
{
    sim_pod_ends(context, 0, "{\"outcome\": \"Trained\", \"model\": {\"version\": \"../../x\"}}");
}

/* The Job controller counts a pod before it may go; whoever asks for it then comes too late. */
static void end_and_vanish(void *context)
{
    struct sim_pod *pod = context;
    struct sim *sim = pod->sim;
    char *path auto_free =
        mem_format("%s/%s", SIM_POD_LIST, jx_string(pod->pod, "metadata", "name", NULL));

    sim_pod_runs(pod, true);
    (void)timers_run(&sim->timers);
    (void)sim_ask(sim, "DELETE", path, NULL);
}

/* How long it takes, and how it ends, follow from what it does: alike in every run. */
static void on_pod(void *context, struct sim_pod *pod)
{
    static void (*const ends[POD_HANGS + 1])(void *) = {
        [POD_EXITS] = end_with_exit_code,        [POD_IS_EVICTED] = end_evicted,
        [POD_LOSES_RESULT] = end_without_result, [POD_LIES] = end_with_a_lie,
        [POD_VANISHES] = end_and_vanish,
    };
    struct play *play = context;
    struct random random;
    int64_t lasts_ms;

    random_seed(&random, play->seed ^ play->sequence++);
    lasts_ms = up_to(&random, 20 * SECOND);
    if (ends[play->pod_fate])
        pod->end.fire = ends[play->pod_fate];
    pod->exit_code = play->exit_code;
    if (play->pod_fate == POD_HANGS)
        lasts_ms += 2 * MINUTE;
    else
        timer_set(&play->sim->timers, &pod->ready, SECOND);
    play->pod_fate = POD_WORKS;
    timer_set(&play->sim->timers, &pod->end, lasts_ms);
    play_tell(play, "pod %s runs for %d ms", jx_string(pod->pod, "metadata", "name", NULL),
              (int)lasts_ms);
}

static void on_process_end(void *context, struct sim_controller *controller)
{
    struct play *play = context;
    size_t index = index_of(controller);

    if (play->restarts[index].position == 0)
        kill(play, index, 4 * SECOND);
}

/* --- beginning and end ---------------------------------------------------------------------------
 */

void trouble_init(struct play *play)
{
    void (*const restart_by[])(void *) = { restart_first, restart_second };
    void (*const resume_by[])(void *) = { resume_first, resume_second };
    void (*const reconnect_by[])(void *) = { reconnect_first, reconnect_second };
    void (*const catch_up_by[])(void *) = { catch_up_first, catch_up_second };

    for (size_t i = 0; i < SIM_CONTROLLERS; i++) {
        play->restarts[i] = (struct timer){ .fire = restart_by[i], .context = play };
        play->resumes[i] = (struct timer){ .fire = resume_by[i], .context = play };
        play->reconnects[i] = (struct timer){ .fire = reconnect_by[i], .context = play };
        play->catches_up[i] = (struct timer){ .fire = catch_up_by[i], .context = play };
    }
    play->registry_mends = (struct timer){ .fire = mend_registry, .context = play };
    play->lister_mends = (struct timer){ .fire = mend_lister, .context = play };
    play->sim->hooks = (struct sim_hooks){
        .on_write = on_write,
        .on_pod = on_pod,
        .on_exit = on_process_end,
        .on_event = on_event,
        .context = play,
    };
}

void trouble_end(struct play *play)
{
    struct sim *sim = play->sim;

    faults_clear(&sim->front.faults);
    mend_registry(play);
    mend_lister(play);
    play->crash = CRASH_NOWHERE;
    play->fate = SIM_PASSES;
    play->pod_fate = POD_WORKS;
    play->duplicates = 0;
    sim->wall_offset_ms = 0;
    for (size_t i = 0; i < SIM_CONTROLLERS; i++) {
        sim->controllers[i].wall_offset_ms = 0;
        sim->controllers[i].cut = false;
        sim->controllers[i].lag_ms = 0;
        resume(play, i);
        if (i == 0 && !sim->controllers[i].sim)
            restart_in(play, i, 0);
    }
}
