#include <stdarg.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "plan.h"

void plan_init(struct plan *plan)
{
    *plan = (struct plan){ .requeue_after_ms = -1 };
}

void plan_release(struct plan *plan)
{
    free(plan->actions);
    arena_release(&plan->arena);
    plan_init(plan);
}

/* A new action behind all of its kind and of earlier kinds. */
static struct action *add(struct plan *plan, enum action_kind kind)
{
    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity ? 2 * plan->capacity : 8;
        plan->actions = mem_resize(plan->actions, plan->capacity, sizeof(*plan->actions));
    }
    size_t at = plan->count++;
    for (; at > 0 && plan->actions[at - 1].kind > kind; at--)
        plan->actions[at] = plan->actions[at - 1];
    plan->actions[at] = (struct action){ .kind = kind };
    return &plan->actions[at];
}

static void release_json(void *value)
{
    json_decref(value);
}

void plan_write_status(struct plan *plan, json_t *take_patch)
{
    if (json_object_size(json_object_get(take_patch, "status")) == 0) {
        json_decref(take_patch);
        return;
    }
    arena_defer(&plan->arena, release_json, take_patch);
    add(plan, ACTION_WRITE_STATUS)->patch = take_patch;
}

static struct action *add_create(struct plan *plan, enum action_kind kind, const char *name,
                                 json_t *take_object)
{
    arena_defer(&plan->arena, release_json, take_object);
    struct action *action = add(plan, kind);
    action->create.name = arena_strdup(&plan->arena, name);
    action->create.object = take_object;
    return action;
}

void plan_create_job(struct plan *plan, const char *name, const char *run_key, json_t *take_object)
{
    struct action *action = add_create(plan, ACTION_CREATE_JOB, name, take_object);
    action->create.run_key = arena_strdup(&plan->arena, run_key);
}

void plan_create_batch(struct plan *plan, const char *name, json_t *take_object)
{
    add_create(plan, ACTION_CREATE_BATCH, name, take_object);
}

static void add_delete(struct plan *plan, enum action_kind kind, const char *name, const char *uid)
{
    struct action *action = add(plan, kind);
    action->delete_.name = arena_strdup(&plan->arena, name);
    action->delete_.uid = arena_strdup(&plan->arena, uid);
}

void plan_delete_job(struct plan *plan, const char *name, const char *uid)
{
    add_delete(plan, ACTION_DELETE_JOB, name, uid);
}

void plan_delete_batch(struct plan *plan, const char *name, const char *uid)
{
    add_delete(plan, ACTION_DELETE_BATCH, name, uid);
}

void plan_expire_job(struct plan *plan, const char *name, const char *uid,
                     const char *resource_version, const struct opt_int *ttl_seconds)
{
    struct action *action = add(plan, ACTION_EXPIRE_JOB);
    action->expire.name = arena_strdup(&plan->arena, name);
    action->expire.uid = arena_strdup(&plan->arena, uid);
    action->expire.resource_version = arena_strdup(&plan->arena, resource_version);
    action->expire.ttl_seconds = *ttl_seconds;
}

void plan_event(struct plan *plan, bool warning, const char *reason, const char *event_action,
                const char *format, ...)
{
    char note[LIMIT_EVENT_NOTE + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note, sizeof(note), format, arguments);
    va_end(arguments);
    note[utf8_valid_prefix(note, strlen(note))] = '\0';
    struct action *action = add(plan, ACTION_EVENT);
    action->event.warning = warning;
    action->event.reason = arena_strdup(&plan->arena, reason);
    action->event.action = arena_strdup(&plan->arena, event_action);
    action->event.note = arena_strdup(&plan->arena, note);
}

static struct strings copy_strings(const struct strings *strings, struct arena *arena)
{
    struct strings copy = { arena_zero(arena, strings->count, sizeof(*copy.items)),
                            strings->count };
    for (size_t i = 0; i < strings->count; i++)
        copy.items[i] = arena_strdup(arena, strings->items[i]);
    return copy;
}

static const struct inbox_question *copy_question(const struct inbox_question *question,
                                                  struct arena *arena)
{
    struct inbox_question *copy = arena_zero(arena, 1, sizeof(*copy));
    *copy = *question;
    copy->floor = question->floor ? arena_strdup(arena, question->floor) : NULL;
    copy->taken = copy_strings(&question->taken, arena);
    return copy;
}

void plan_need(struct plan *plan, const struct fact_request *request)
{
    struct arena *arena = &plan->arena;
    struct fact_request copy = *request;
    copy.argument = arena_strdup(arena, request->argument);
    copy.service_account =
        request->service_account ? arena_strdup(arena, request->service_account) : NULL;
    copy.secret = request->secret ? arena_strdup(arena, request->secret) : NULL;
    if (request->probe)
        arena_defer(arena, release_json, json_incref(request->probe));
    copy.inbox = request->inbox ? copy_question(request->inbox, arena) : NULL;
    copy.pull_secrets = copy_strings(&request->pull_secrets, arena);
    add(plan, ACTION_NEED_FACT)->need = copy;
}

bool plan_asks_about_job(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i].kind == ACTION_NEED_FACT &&
            (plan->actions[i].need.kind == FACT_JOB || plan->actions[i].need.kind == FACT_PODS))
            return true;
    return false;
}

void plan_wake(struct plan *plan, const char *model, bool asked)
{
    struct action *action = add(plan, ACTION_WAKE);
    action->wake.model = arena_strdup(&plan->arena, model);
    action->wake.asked = asked;
}

void plan_requeue(struct plan *plan, int64_t delay_ms)
{
    if (delay_ms < 0)
        delay_ms = 0;
    if (plan->requeue_after_ms < 0 || delay_ms < plan->requeue_after_ms)
        plan->requeue_after_ms = delay_ms;
}
