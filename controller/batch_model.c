#include "batch_pass.h"
#include "decision.h"

void batch_find_model(struct batch_pass *pass)
{
    const struct model_of_batch *model = pass->view->model;
    pass->model_known =
        model && !model->metadata.deleting &&
        model_spec_decode(model->raw_spec, pass->arena, &pass->model_spec, NULL) == 0 &&
        model_status_decode(model->raw_status, pass->arena, &pass->model_status, NULL) == 0;
}

static bool wait_for_model(struct batch_pass *pass, const char *reason, const char *message)
{
    pass->model_ready = STATUS_FALSE;
    pass->model_reason = reason;
    pass->model_message = message;
    batch_say(pass, REASON_WaitingForModel, true, false, reason, message);
    return false;
}

static bool use_version(struct batch_pass *pass, const struct model_version_status *version,
                        const char *reason, const char *message)
{
    pass->version =
        (struct batch_model_status){ version->version, version->uri, version->image_digest };
    pass->model_ready = STATUS_TRUE;
    pass->model_reason = reason;
    pass->model_message = message;
    return true;
}

/* With the version that the model uses. */
static bool use_model(struct batch_pass *pass, const char *reason, const char *message)
{
    return use_version(pass, pass->model_status.model, reason, message);
}

static bool wait_without_model(struct batch_pass *pass)
{
    const struct model_of_batch *model = pass->view->model;
    const char *name = pass->spec.model_ref->name;
    if (!model || model->metadata.deleting)
        return wait_for_model(pass, REASON_ModelNotFound,
                              arena_format(pass->arena, "ChurnModel %s %s", name,
                                           model ? "is being deleted" : "does not exist"));
    return wait_for_model(pass, REASON_SpecInvalid,
                          arena_format(pass->arena,
                                       "ChurnModel %s is invalid; its condition Stalled says why",
                                       name));
}

/* The digest that the model must have been trained with. *ret_digest is set when
 * true is returned; *ret_unreachable when it is only the last one known. */
static bool required_digest(struct batch_pass *pass, const char **ret_digest,
                            const char **ret_unreachable)
{
    const struct object_view *view = &pass->view->object;
    const struct model_status *status = &pass->model_status;
    const char *reference = trainer_image(&pass->model_spec, view->settings->trainer_image);
    const struct image_access access = { &pass->model_spec.image_pull_secrets,
                                         pass->model_spec.pod_template,
                                         &pass->view->model->metadata };
    struct image_lookup image;
    lookup_image(view, pass->plan, reference, &access, view->seen_ms, &image);
    if (image.state == LOOKUP_PENDING) {
        pass->hold = !image.slow;
        return wait_for_model(pass, REASON_CheckingImage,
                              arena_format(pass->arena, "%s is being looked up", reference));
    }
    if (image.state == LOOKUP_FAILED) {
        *ret_unreachable = arena_format(pass->arena, "%s: %s", reference, image.message);
        if (!image.digest && status->image && strcmp(status->image->reference, reference) == 0)
            image.digest = status->image->digest;
        if (!image.digest || image.failing_ms < REGISTRY_PATIENCE_MS)
            return wait_for_model(pass, image.reason, *ret_unreachable);
    }
    *ret_digest = image.digest;
    return true;
}

static void record_check(struct batch_pass *pass, const char *action, const char *reason,
                         const char *digest)
{
    struct freshness_status *check = arena_zero(pass->arena, 1, sizeof(*check));
    check->action = action;
    check->reason = reason;
    check->digest = digest;
    pass->status.training = check;
}

/* The model is not what it should be: a training is due or at work. */
static bool wait_for_training(struct batch_pass *pass, const char *due, const char *digest)
{
    const struct model_status *status = &pass->model_status;
    const struct condition *stalled = condition_find(&status->conditions, "Stalled");
    const char *reason = due ? due : status->last_decision ? status->last_decision->reason : NULL;
    if (reason && digest) {
        record_check(pass, ACTION_STARTED, reason, digest);
        if (due && !pass->check) /* the model may not have seen this digest yet */
            plan_wake(pass->plan, pass->spec.model_ref->name, false);
    }
    if (stalled && strcmp(stalled->status, STATUS_TRUE) == 0 && !model_is_training(status))
        return wait_for_model(
            pass, REASON_ModelTraining,
            arena_format(pass->arena, "the model is stalled: %s", stalled->message));
    return wait_for_model(
        pass, REASON_ModelTraining,
        model_is_training(status)
            ? arena_format(pass->arena, "Job %s trains the model", status->training->job)
            : "a training of the model is due");
}

static bool is_settled(const struct batch_pass *pass)
{
    return pass->model_status.observed_generation == pass->view->model->metadata.generation &&
           !model_is_training(&pass->model_status);
}

static bool wait_for_version(struct batch_pass *pass)
{
    const struct last_training *last = pass->model_status.last_training;
    const struct condition *promoted = condition_find(&pass->model_status.conditions, "Promoted");
    const char *message = "the model has no version yet";
    if (last && last->message)
        message = arena_format(pass->arena, "the model's last training failed: %s", last->message);
    else if (promoted && strcmp(promoted->reason, REASON_Kept) == 0)
        message = arena_format(pass->arena, "the model uses no version yet: %s", promoted->message);
    return wait_for_model(pass, REASON_ModelNotTrained, message);
}

static bool use_latest(struct batch_pass *pass)
{
    const struct model_status *status = &pass->model_status;
    const struct last_training *last = status->last_training;
    bool checks = model_retrains_on(&pass->model_spec, "ImageDigest");
    const char *digest = last ? last->image_digest : NULL, *unreachable = NULL;
    if (checks && !required_digest(pass, &digest, &unreachable))
        return false;
    const char *due = training_due(
        &pass->model_spec, status,
        &(struct training_inputs){ .image_digest = digest,
                                   .scheduled_ms = training_tick(&pass->model_spec, status,
                                                                 pass->view->model->zone,
                                                                 pass->view->object.now_ms) });
    if (due || !is_settled(pass))
        return wait_for_training(pass, due, checks ? digest : NULL);
    if (!status->model)
        return wait_for_version(pass);
    if (checks) {
        pass->status.required_digest = digest;
        pass->asked = !pass->check;
        if (pass->asked)
            record_check(pass, ACTION_SKIPPED, REASON_ImageDigestUnchanged, digest);
    }
    if (strcmp(last->outcome, "Failed") == 0)
        return use_model(pass, REASON_UsingPrevious,
                         arena_format(pass->arena, "the last training failed; version %s is used",
                                      status->model->version));
    if (unreachable)
        return use_model(pass, REASON_RegistryUnreachable, unreachable);
    return use_model(pass, REASON_ModelFresh,
                     arena_format(pass->arena, "version %s is up to date", status->model->version));
}

/* Until now nobody needed the version: the training at work may delete it. */
static bool wait_for_safety(struct batch_pass *pass, const struct job_view *job)
{
    return wait_for_model(pass, REASON_ModelTraining,
                          arena_format(pass->arena,
                                       "Job %s, which trains the model, may delete version %s; it "
                                       "is waited for",
                                       job->name, pass->spec.model_version));
}

/* The version that the spec names. One that is not in use may have been deleted: its folder is
 * looked at. Where the controller cannot look, the scorer says whether it is there. */
static bool use_pinned(struct batch_pass *pass)
{
    const char *name = pass->spec.model_version;
    const struct model_version_status *current = pass->model_status.model;
    const char *message = arena_format(pass->arena, "spec.modelVersion names version %s", name);
    struct file_lookup file;
    if (current && strcmp(current->version, name) == 0)
        return use_model(pass, REASON_UsingPinned, message);
    const struct job_view *danger =
        run_find_danger(pass->view->model->jobs, pass->view->model->job_count, name);
    if (danger)
        return wait_for_safety(pass, danger);
    const struct metadata *model = &pass->view->model->metadata;
    struct model_version_status version =
        model_find_version(&pass->model_spec, &pass->model_status, model->namespace_, model->name,
                           name, pass->arena)
            .model;
    struct file_question question = { arena_format(pass->arena, "%smodel.json", version.uri),
                                      "spec.modelVersion", batch_credentials(pass) };
    lookup_existing_file(&pass->view->object, pass->plan, &question, &file);
    if (file.state == LOOKUP_PENDING) {
        pass->hold = !file.slow;
        return wait_for_model(pass, REASON_CheckingVersion,
                              arena_format(pass->arena, "version %s is looked for", name));
    }
    if (file.reason && strcmp(file.reason, REASON_InputNotFound) == 0)
        return wait_for_model(pass, REASON_VersionNotFound, file.message);
    return use_version(pass, &version, REASON_UsingPinned, message);
}

/* The model is rolled back: what it uses is what is wanted, once it has seen its spec. */
static bool use_rolled_back(struct batch_pass *pass)
{
    const struct model_status *status = &pass->model_status;
    const char *pinned = pass->model_spec.pinned_version;
    if (status->model && strcmp(status->model->version, pinned) == 0)
        return use_model(
            pass, REASON_UsingPinned,
            arena_format(pass->arena, "the model's spec.pinnedVersion names version %s", pinned));
    if (status->model && condition_is_true(&status->conditions, "Stalled") &&
        status->observed_generation == pass->view->model->metadata.generation)
        return use_model(pass, REASON_UsingCurrent,
                         arena_format(pass->arena, "version %s is used, as the model cannot use %s",
                                      status->model->version, pinned));
    return wait_for_model(
        pass, REASON_CheckingVersion,
        arena_format(pass->arena, "the model is to use version %s first", pinned));
}

bool batch_model_is_usable(struct batch_pass *pass)
{
    if (!pass->model_known)
        return wait_without_model(pass);
    if (pass->model_spec.suspend)
        return wait_for_model(pass, REASON_ModelSuspended, "the model is suspended");
    if (pass->spec.model_version[0])
        return use_pinned(pass);
    if (pass->model_spec.pinned_version[0])
        return use_rolled_back(pass);
    if (pass->spec.how.freshness == FRESHNESS_LATEST)
        return use_latest(pass);
    if (!pass->model_status.model)
        return wait_for_version(pass);
    return use_model(pass, REASON_UsingCurrent,
                     arena_format(pass->arena, "version %s is used without a check",
                                  pass->model_status.model->version));
}
