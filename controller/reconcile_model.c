#include "decision.h"
#include "model_pass.h"
#include "project.h"

/* --- the pass ------------------------------------------------------------ */

/* What is wrong with the object as a whole. */
static int check(struct model_pass *pass, struct err *err)
{
    const struct model_view *view = pass->view;
    if (metadata_check(&view->object.metadata, err) < 0 ||
        model_spec_decode(view->raw_spec, pass->arena, &pass->spec, err) < 0)
        return -1;
    if (model_retrains_on(&pass->spec, "Schedule") && !view->zone)
        return err_set(err, ERR_INVALID, "spec.retrain.timeZone: %s", view->zone_error);
    return 0;
}

static int begin(struct model_pass *pass, const struct model_view *view, struct plan *plan)
{
    struct err why;
    *pass = (struct model_pass){ .view = view, .plan = plan, .arena = &plan->arena };
    if (model_status_decode(view->object.raw_status, pass->arena, &pass->before, &why) < 0) {
        plan->problem = arena_strdup(pass->arena, why.message);
        return -1;
    }
    pass->status = pass->before;
    pass->status.conditions = conditions_copy(pass->arena, &pass->before.conditions);
    if (check(pass, &why) < 0) {
        pass->spec_error = arena_strdup(pass->arena, why.message);
        model_say(pass, false, true, REASON_SpecInvalid, pass->spec_error);
    } else {
        identity_training_spec(&pass->spec.training, pass->spec_hash);
    }
    return 0;
}

/* --- the image ----------------------------------------------------------- */

static void look_up_image(struct model_pass *pass)
{
    const struct object_view *view = &pass->view->object;
    const char *reference = trainer_image(&pass->spec, view->settings->trainer_image);
    const struct image_access access = { &pass->spec.image_pull_secrets, pass->spec.pod_template,
                                         &view->metadata };
    lookup_recent_image(view, pass->plan, reference, &access, pass->spec.image_poll_interval_ms,
                        &pass->image);
    if (pass->image.state == LOOKUP_PENDING && !pass->image.slow)
        pass->hold = true;
    if (pass->image.good_for_ms > 0)
        plan_requeue(pass->plan, pass->image.good_for_ms);
}

static void record_image(struct model_pass *pass)
{
    const struct image_status *known = pass->before.image;
    const char *digest = pass->image.digest;
    if (pass->spec_error || pass->image.state != LOOKUP_KNOWN ||
        (model_is_same_reference(pass) && strcmp(known->digest, digest) == 0))
        return;
    struct image_status *image = arena_zero(pass->arena, 1, sizeof(*image));
    image->reference = pass->image.reference;
    image->digest = digest;
    image->short_digest = arena_format(pass->arena, "%.19s", digest); /* sha256: and 12 digits */
    image->resolved_at_ms = known && strcmp(known->digest, digest) == 0 ? known->resolved_at_ms
                                                                        : pass->view->object.now_ms;
    pass->status.image = image;
}

/* Status names the one Job that works; of those that ended so many are left as of versions. */
static void clear_jobs(struct model_pass *pass)
{
    const struct object_view *view = &pass->view->object;
    bool is_training = model_is_training(&pass->status);
    const char *job = is_training ? pass->status.training->job : NULL;
    run_clear_others(view, pass->plan, job);
    if (!pass->spec_error)
        run_keep_newest(view, pass->plan, (size_t)pass->spec.history_limit, job);
}

/* --- all of it ----------------------------------------------------------- */

void reconcile_model(const struct model_view *view, struct plan *plan)
{
    struct model_pass pass;
    if (view->object.metadata.deleting || begin(&pass, view, plan) < 0)
        return;
    if (!pass.spec_error) {
        look_up_image(&pass);
        model_look_for_pin(&pass);
    }
    if (model_is_training(&pass.status))
        model_follow_training(&pass);
    model_promote(&pass);
    record_image(&pass);
    if (!pass.spec_error)
        model_follow_schedule(&pass);
    if (!pass.spec_error && !model_is_training(&pass.status))
        model_decide(&pass);
    else if (model_is_suspended(&pass))
        model_say(&pass, false, false, REASON_Suspended, "spec.suspend is true");
    model_follow_inbox(&pass);
    clear_jobs(&pass);
    model_set_conditions(&pass);
    run_write_status(plan, &model_status_fields, view->object.raw_status, &pass.before,
                     &pass.status, pass.hold);
}
