#include "model_pass.h"

/* Figures are decimal texts of a few digits: 0.864 + 0.01 is to equal 0.874. */
#define FIGURE_EPSILON 1e-9

void model_add_version(struct model_pass *pass, const struct history_entry *made)
{
    const struct list *history = &pass->status.history;
    const struct history_entry *items = history->items;
    struct history_entry *copy = arena_zero(pass->arena, history->count + 1, sizeof(*copy));
    size_t count = 0;
    copy[count++] = *made;
    for (size_t i = 0; i < history->count; i++)
        if (strcmp(items[i].model.version, made->model.version) != 0)
            copy[count++] = items[i];
    pass->status.history =
        (struct list){ copy, count < HISTORY_LIMIT_MAXIMUM ? count : HISTORY_LIMIT_MAXIMUM };
}

/* --- judging ------------------------------------------------------------- */

/* The promotion metric of a version on its held-out customers; NULL: not known. */
static const struct decimal *find_figure(const struct history_entry *made, const char *name)
{
    const struct metric *metrics = made->metrics.items;
    for (size_t i = 0; i < made->metrics.count; i++)
        if (strcmp(metrics[i].name, name) == 0)
            return &metrics[i].value;
    if (made->comparison && strcmp(made->comparison->metric, name) == 0)
        return &made->comparison->challenger;
    return NULL;
}

/* Why it is not good enough on its own; NULL: it is. */
static const char *judge_figure(const struct model_pass *pass, const struct history_entry *made)
{
    const struct promotion_spec *promotion = pass->spec.promotion;
    const char *name = promotion_metric_names[promotion->metric];
    const struct decimal *figure = find_figure(made, name);
    if (!promotion->minimum.text)
        return NULL;
    if (!figure)
        return arena_format(pass->arena, "version %s has no %s, of which promotion.minimum asks %s",
                            made->model.version, name, promotion->minimum.text);
    if (figure->value >= promotion->minimum.value - FIGURE_EPSILON)
        return NULL;
    return arena_format(pass->arena, "version %s: %s %s is below promotion.minimum %s",
                        made->model.version, name, figure->text, promotion->minimum.text);
}

/* The comparison, when it is with the version that is still in use. */
static const struct comparison *valid_comparison(const struct model_pass *pass,
                                                 const struct history_entry *made)
{
    const struct model_version_status *model = pass->status.model;
    const struct comparison *comparison = made->comparison;
    return model && comparison && comparison->champion.text && made->champion &&
                   strcmp(made->champion, model->version) == 0
               ? comparison
               : NULL;
}

/* "version 1...: auc 0.87, version 2...: 0.86": both figures. */
static const char *describe(const struct model_pass *pass, const struct history_entry *made)
{
    const struct comparison *comparison = valid_comparison(pass, made);
    const char *name = promotion_metric_names[pass->spec.promotion->metric];
    const struct decimal *figure = find_figure(made, name);
    if (comparison)
        return arena_format(pass->arena, "version %s: %s %s, version %s: %s", made->model.version,
                            comparison->metric, comparison->challenger.text, made->champion,
                            comparison->champion.text);
    return arena_format(pass->arena, "version %s%s%s%s%s", made->model.version, figure ? ": " : "",
                        figure ? name : "", figure ? " " : "", figure ? figure->text : "");
}

/* Why it does not take the place of the version in use; NULL: it does. */
static const char *judge(const struct model_pass *pass, const struct history_entry *made)
{
    const struct comparison *comparison = valid_comparison(pass, made);
    const struct model_version_status *model = pass->status.model;
    const struct decimal *improvement = &pass->spec.promotion->minimum_improvement;
    if (model && strcmp(model->version, made->model.version) == 0)
        return NULL;
    const char *why = judge_figure(pass, made);
    if (why || !comparison ||
        comparison->challenger.value >=
            comparison->champion.value + improvement->value - FIGURE_EPSILON)
        return why;
    return arena_format(pass->arena, "%s; promotion.minImprovement is %s", describe(pass, made),
                        improvement->text);
}

/* --- what follows -------------------------------------------------------- */

static void use_version(struct model_pass *pass, const struct history_entry *version)
{
    struct model_version_status *model = arena_zero(pass->arena, 1, sizeof(*model));
    *model = version->model;
    pass->status.model = model;
    pass->status.metrics = version->metrics;
}

static void say_promotion(struct model_pass *pass, const char *status, const char *reason,
                          const char *message)
{
    struct conditions conditions = model_conditions(pass);
    condition_set(&conditions, "Promoted", status, reason, message);
    plan_event(pass->plan, false, reason, "Promote", "%s", message);
    pass->plan->promotion = reason;
}

/* The newest version, which may be edited. */
static struct history_entry *edit_newest(struct model_pass *pass)
{
    struct list *history = &pass->status.history;
    struct history_entry *copy = arena_zero(pass->arena, history->count, sizeof(*copy));
    memcpy(copy, history->items, history->count * sizeof(*copy));
    history->items = copy;
    return copy;
}

static bool newest_is(const struct model_pass *pass, const char *outcome)
{
    const struct history_entry *newest = pass->status.history.items;
    return pass->status.history.count > 0 && strcmp(newest->outcome, outcome) == 0;
}

/* Not judged yet; or nothing is in use, and what is good enough may have changed since. */
static bool is_to_be_judged(const struct model_pass *pass)
{
    return newest_is(pass, REASON_Pending) || newest_is(pass, REASON_Pinned) ||
           (!pass->status.model && newest_is(pass, REASON_Kept));
}

static void judge_newest(struct model_pass *pass)
{
    bool was_kept = newest_is(pass, REASON_Kept);
    struct history_entry *copy = edit_newest(pass);
    const char *why = judge(pass, copy);
    copy->outcome = why ? REASON_Kept : REASON_Promoted;
    if (why && was_kept) {
        struct conditions conditions = model_conditions(pass);
        condition_set(&conditions, "Promoted", STATUS_FALSE, REASON_Kept, why);
        return;
    }
    if (why) {
        say_promotion(pass, STATUS_FALSE, REASON_Kept, why);
        return;
    }
    say_promotion(pass, STATUS_TRUE, REASON_Promoted, describe(pass, copy));
    use_version(pass, copy);
}

/* --- a pinned version ------------------------------------------------------ */

static void hold_newest(struct model_pass *pass)
{
    struct history_entry *newest = edit_newest(pass);
    newest->outcome = REASON_Pinned;
    say_promotion(pass, STATUS_FALSE, REASON_Pinned,
                  arena_format(pass->arena, "%s; spec.pinnedVersion is %s", describe(pass, newest),
                               pass->spec.pinned_version));
}

/* It may have been deleted, or never made: its folder is looked at. While a training at work may
 * delete it, the file that says so is not asked for, because the answer would be too old when the
 * training is gone. */
void model_look_for_pin(struct model_pass *pass)
{
    const struct object_view *view = &pass->view->object;
    const struct model_version_status *model = pass->status.model;
    const char *pinned = pass->spec.pinned_version;
    if (!pinned[0] || (model && strcmp(model->version, pinned) == 0))
        return;
    pass->pinned = model_find_version(&pass->spec, &pass->status, view->metadata.namespace_,
                                      view->metadata.name, pinned, pass->arena);
    pass->danger = run_find_danger(view->jobs, view->job_count, pinned);
    struct file_question question = { arena_format(pass->arena, "%s%s", pass->pinned.model.uri,
                                                   pass->danger ? "metrics.json" : "model.json"),
                                      "spec.pinnedVersion", pass->spec.credentials };
    lookup_existing_file(view, pass->plan, &question, &pass->pin);
    pass->pin_is_missing = pass->pin.reason && strcmp(pass->pin.reason, REASON_InputNotFound) == 0;
}

bool model_pin_may_be_there(const struct model_pass *pass)
{
    return pass->spec.pinned_version[0] && pass->pin.state != LOOKUP_PENDING &&
           !pass->pin_is_missing;
}

/* Takes the pinned version into use. Where the controller cannot look, or what it asks fails, the
 * scorer says whether it is there. */
static void roll_back(struct model_pass *pass)
{
    const char *pinned = pass->spec.pinned_version;
    if (pass->pin_is_missing) {
        pass->pin_reason = REASON_VersionNotFound;
        pass->pin_message = pass->pin.message;
    } else if (pass->pin.state == LOOKUP_PENDING) {
        pass->hold = pass->hold || !pass->pin.slow;
        model_say(pass, true, false, REASON_CheckingVersion,
                  arena_format(pass->arena, "version %s is looked for", pinned));
    } else if (pass->danger) {
        model_say(pass, true, false, REASON_CheckingVersion,
                  arena_format(pass->arena,
                               "Job %s, which may delete version %s, is being replaced",
                               pass->danger->name, pinned));
    } else {
        use_version(pass, &pass->pinned);
        say_promotion(
            pass, STATUS_FALSE, REASON_RolledBack,
            arena_format(pass->arena, "version %s is in use, as spec.pinnedVersion asks", pinned));
    }
}

static void follow_pin(struct model_pass *pass)
{
    const struct model_version_status *model = pass->status.model;
    if (!model || strcmp(model->version, pass->spec.pinned_version) != 0)
        roll_back(pass);
    if (newest_is(pass, REASON_Pending))
        hold_newest(pass);
}

/* Without a pin the newest version that was promoted is in use, whatever was pinned before. */
static void follow_history(struct model_pass *pass)
{
    const struct model_version_status *model = pass->status.model;
    const struct history_entry *history = pass->status.history.items;
    size_t i = 0;
    while (i < pass->status.history.count && strcmp(history[i].outcome, REASON_Promoted) != 0)
        i++;
    if (i == pass->status.history.count || !model ||
        strcmp(model->version, history[i].model.version) == 0)
        return;
    use_version(pass, &history[i]);
    say_promotion(pass, STATUS_TRUE, REASON_Unpinned,
                  arena_format(pass->arena, "version %s is in use again: nothing is pinned",
                               history[i].model.version));
}

void model_promote(struct model_pass *pass)
{
    struct list *history = &pass->status.history;
    if (pass->spec_error)
        return; /* what is good enough is not known */
    if (pass->spec.pinned_version[0])
        follow_pin(pass);
    else if (is_to_be_judged(pass))
        judge_newest(pass);
    if (!pass->spec.pinned_version[0])
        follow_history(pass);
    if ((int64_t)history->count > pass->spec.history_limit)
        history->count = (size_t)pass->spec.history_limit;
}
