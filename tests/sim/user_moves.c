/* user_moves.c - what users do: objects are made, edited, deleted, made again; tags move, files
 * change, Jobs and pods are deleted by hand. */
#include "sim/play.h"

#define OTHER SIM_REGISTRY "/other:stable"

const struct subject subjects[] = {
    { "churnmodels", "m",
      "{'imagePollInterval':'90s',"
      "'data':{'uri':'file:///data/in/h.csv','target':'Exited','id':'Id'},"
      "'artifacts':{'uri':'file:///data/models/','keep':2}}" },
    { "churnmodels", "n",
      "{'image':'" OTHER "','imagePollInterval':'80s',"
      "'data':{'uri':'file:///data/history/','target':'Exited','id':'Id'},"
      "'artifacts':{'uri':'file:///data/models/'}}" },
    { "churnbatches", "a",
      "{'modelRef':{'name':'m'},'input':{'uri':'file:///data/weekly/a.csv'},"
      "'output':{'uri':'file:///data/out/'}}" },
    { "churnbatches", "b",
      "{'modelRef':{'name':'m'},'input':{'uri':'file:///data/drop/'},"
      "'output':{'uri':'file:///data/out/'}}" },
    { "churnbatches", "c",
      "{'modelRef':{'name':'n'},'freshness':'Current',"
      "'input':{'uri':'file:///data/weekly/c.csv'},'output':{'uri':'file:///data/out/'}}" },
    { "churnbatches", "d",
      "{'modelRef':{'name':'m'},'input':{'uri':'file:///data/weekly/d.csv'},"
      "'output':{'uri':'file:///data/out/shared.csv','overwrite':true}}" },
    { "churnbatches", "e",
      "{'modelRef':{'name':'n'},'input':{'uri':'file:///data/weekly/d.csv'},"
      "'output':{'uri':'file:///data/out/shared.csv','overwrite':true}}" },
    { "churnbatches", "f",
      "{'modelRef':{'name':'m'},'shards':3,'input':{'uri':'file:///data/weekly/a.csv'},"
      "'output':{'uri':'file:///data/out/'}}" },
    { "churnmodels", "p",
      "{'imagePollInterval':'100s',"
      "'data':{'uri':'file:///data/in/h.csv','target':'Exited','id':'Id'},"
      "'artifacts':{'uri':'file:///data/models/','keep':1},"
      "'inbox':{'uri':'" INBOX_URI "','existing':'All','pollInterval':'45s','maxActive':2,"
      "'keep':3,'template':{'output':{'uri':'file:///data/scored/'}}}}" },
    { NULL, NULL, NULL },
};

/* --- subjects ------------------------------------------------------------------------- */

char *subject_path(const struct subject *subject)
{
    return mem_format("/apis/churnops.io/v1alpha1/namespaces/default/%s/%s", subject->plural,
                      subject->name);
}

bool subject_exists(struct play *play, const struct subject *subject)
{
    return sim_object(play->sim, subject->plural, subject->name) != NULL;
}

bool subject_is_model(const struct subject *subject)
{
    return strcmp(subject->plural, "churnmodels") == 0;
}

void subject_create(struct play *play, const struct subject *subject)
{
    char *path auto_free =
        mem_format("/apis/churnops.io/v1alpha1/namespaces/default/%s", subject->plural);
    char *body auto_free = mem_format(
        "{'apiVersion':'churnops.io/v1alpha1','kind':'%s','metadata':{'name':'%s'},"
        "'spec':%s}",
        subject_is_model(subject) ? "ChurnModel" : "ChurnBatch", subject->name, subject->spec);
    int status = sim_ask(play->sim, "POST", path, body);

    if (status != 201 && status != 409)
        sim_fail("%s %s could not be created: %d", subject->plural, subject->name, status);
    play_tell(play, "create %s %s: %d", subject->plural, subject->name, status);
}

const struct subject *any_subject(struct random *random)
{
    size_t count = 0;

    while (subjects[count].name)
        count++;
    return &subjects[random_below(random, count)];
}

void subject_edit(struct play *play, const struct subject *subject, const char *patch)
{
    char *path auto_free = subject_path(subject);
    int status = sim_ask(play->sim, "PATCH", path, patch);

    play_tell(play, "edit %s %s %s: %d", subject->plural, subject->name, patch, status);
}

static void delete (struct play *play, const char *path)
{
    play_tell(play, "delete %s: %d", path, sim_ask(play->sim, "DELETE", path, NULL));
}

/* --- moves about objects ---------------------------------------------------------------- */

static void move_create(struct play *play, struct random *random)
{
    subject_create(play, any_subject(random));
}

static void move_delete(struct play *play, struct random *random)
{
    char *path auto_free = subject_path(any_subject(random));

    delete (play, path);
}

/* Deleted and made again under its name, before anybody sees that it was gone. */
static void move_replace(struct play *play, struct random *random)
{
    const struct subject *subject = any_subject(random);
    char *path auto_free = subject_path(subject);

    delete (play, path);
    subject_create(play, subject);
}

/* Passes over what is there, and leaves the rest to defaults. */
#define INBOX "{'uri':'" INBOX_URI "','template':{'output':{'uri':'file:///data/out/'}}}"

static const char *const model_edits[] = {
    "{'seed':1}",
    "{'seed':2}",
    "{'algorithm':'LogisticRegression'}",
    "{'algorithm':'Auto'}",
    "{'data':{'drop':['Surname']}}",
    "{'data':{'drop':null}}",
    "{'retrain':{'token':'one'}}",
    "{'retrain':{'token':'two'}}",
    "{'retrain':{'on':['Spec']}}",
    "{'retrain':{'on':['ImageDigest']}}",
    "{'retrain':{'on':null}}",
    "{'retrain':{'on':['ImageDigest','Spec','Data']},'data':{'pollInterval':'30s'}}",
    "{'retrain':{'on':['Data']},'data':{'pollInterval':'30s'}}",
    "{'promotion':{'minimum':'0.7'}}",
    "{'promotion':{'minimum':'0.99'}}",
    "{'promotion':{'minImprovement':'0.005'}}",
    "{'promotion':{'minImprovement':'0.5'}}",
    "{'promotion':null}",
    "{'artifacts':{'keep':1}}",
    "{'artifacts':{'keep':2}}",
    "{'historyLimit':1}",
    "{'historyLimit':3}",
    "{'inbox':" INBOX "}",
    "{'inbox':null}",
    "{'inbox':{'existing':'Ignore'}}",
    "{'inbox':{'existing':'Latest'}}",
    "{'inbox':{'maxActive':1}}",
    "{'inbox':{'keep':1}}",
    "{'inbox':{'uri':'file:///data/drop/'}}",
    "{'suspend':true}",
    "{'suspend':false}",
    "{'suspend':false}",
    "{'backoffLimit':1}",
    "{'podTemplate':{'labels':{'team':'risk'}}}",
    "{'podTemplate':{'labels':{'team':'sales'}}}",
    "{'activeDeadlineSeconds':60}",
    "{'image':'" OTHER "'}",
    "{'image':null}",
    "{'image':'" SIM_REGISTRY "/nowhere:1'}",
    "{'imagePullSecrets':[{'name':'one'}]}",
    "{'imagePullSecrets':[{'name':'two'}]}",
    "{'imagePullSecrets':null}",
    "{'imagePollInterval':'20s'}",
    "{'imagePollInterval':'1ms'}",
    "{'imagePollInterval':'50s'}",
    "{'data':{'id':'Exited'}}",
    "{'data':{'id':'Id'}}",
};

static const char *const batch_edits[] = {
    "{'suspend':true}",
    "{'suspend':false}",
    "{'suspend':false}",
    "{'reasons':1}",
    "{'reasons':2}",
    "{'reasons':null}",
    "{'retryToken':'one'}",
    "{'retryToken':'two'}",
    "{'freshness':'Current'}",
    "{'freshness':null}",
    "{'threshold':'7'}",
    "{'threshold':null}",
    "{'maxRejected':'0.5'}",
    "{'maxRejected':null}",
    "{'shards':3}",
    "{'shards':2}",
    "{'shards':null}",
    "{'ttlSecondsAfterFinished':0}",
    "{'ttlSecondsAfterFinished':30}",
    "{'ttlSecondsAfterFinished':null}",
    "{'modelVersion':'0123456789abcdef'}",
    "{'modelVersion':null}",
    "{'drift':{'warn':'0.2'}}",
    "{'drift':{'fail':'0.3'}}",
    "{'drift':{'fail':'0.9'}}",
    "{'modelRef':{'name':'n'}}",
    "{'modelRef':{'name':'m'}}",
    "{'podTemplate':{'labels':{'team':'risk'}}}",
    "{'backoffLimit':1}",
};

static void move_edit(struct play *play, struct random *random)
{
    const struct subject *subject = any_subject(random);
    const char *spec = subject_is_model(subject)
                           ? model_edits[random_below(random, ARRAY_SIZE(model_edits))]
                           : batch_edits[random_below(random, ARRAY_SIZE(batch_edits))];
    char *patch auto_free = mem_format("{'spec':%s}", spec);

    subject_edit(play, subject, patch);
}

/* Not a new generation. */
static void move_label(struct play *play, struct random *random)
{
    char *patch auto_free =
        mem_format("{'metadata':{'labels':{'seen':'%d'}}}", (int)random_below(random, 1000));

    subject_edit(play, any_subject(random), patch);
}

/* --- moves about the world around them ------------------------------------------------------ */

static void move_tag(struct play *play, struct random *random)
{
    static const char *const references[] = { "trainer:stable", "trainer:stable", "other:stable",
                                              "scorer:stable" };
    const char *reference = references[random_below(random, ARRAY_SIZE(references))];
    char revision[] = "1";
    const char *digest;

    revision[0] = (char)('1' + random_below(random, 4));
    digest = sim_move_tag(play->sim, reference, revision);
    if (strcmp(reference, "trainer:stable") == 0)
        ledger_tag_moved(play->ledger, digest);
    play_tell(play, "tag %s is revision %s", reference, revision);
}

/* One of a list, or NULL. */
static char *any_of(struct play *play, struct random *random, const char *list)
{
    const json_t *items = jx_get(sim_get(play->sim, list), "items", NULL);
    size_t count = json_array_size(items);

    return count == 0 ? NULL
                      : mem_format("%s/%s", list,
                                   jx_string(json_array_get(items, random_below(random, count)),
                                             "metadata", "name", NULL));
}

static void move_delete_job(struct play *play, struct random *random)
{
    char *path auto_free = any_of(play, random, SIM_JOBS);

    if (path)
        delete (play, path);
}

/* One of an inbox; it must not come again. */
static void move_delete_batch(struct play *play, struct random *random)
{
    char *path auto_free = any_of(play, random, SIM_BATCHES);

    if (path && jx_get(sim_get(play->sim, path), "metadata", "ownerReferences", NULL))
        delete (play, path);
}

static void move_delete_pod(struct play *play, struct random *random)
{
    char *path auto_free = any_of(play, random, SIM_POD_LIST);

    if (path)
        delete (play, path);
}

/* The first one makes objects. */
const struct move_kind user_moves[] = {
    { "create", 30, move_create },
    { "delete", 6, move_delete },
    { "replace", 8, move_replace },
    { "edit", 30, move_edit },
    { "edit by schema", 15, move_by_schema },
    { "label", 4, move_label },
    { "move a tag", 15, move_tag },
    { "write a file", 8, move_file },
    { "remove a file", 3, move_remove_file },
    { "add a file", 6, move_new_file },
    { "inbox: files come", 14, move_inbox_files },
    { "inbox: a file is replaced", 4, move_replace_in_inbox },
    { "inbox: a file is uploaded", 5, move_upload },
    { "inbox: a file is removed", 2, move_remove_from_inbox },
    { "inbox: delete a batch", 2, move_delete_batch },
    { "pin", 14, move_pin },
    { "trainings", 8, move_trainings },
    { "schedule", 8, move_schedule },
    { "delete a Job", 5, move_delete_job },
    { "delete a pod", 4, move_delete_pod },
    { NULL, 0, NULL },
};

/* --- before and after ---------------------------------------------------------------------------
 */

static void mend_spec(struct play *play, const struct subject *subject)
{
    char *path auto_free = subject_path(subject);
    char *spec auto_free = mem_strdup(subject->spec);
    json_t *object auto_json =
        json_deep_copy(sim_object(play->sim, subject->plural, subject->name));
    json_t *wanted auto_json = NULL;
    struct err err;

    for (char *at = spec; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    wanted = jx_parse(span_of(spec), LIMIT_JSON_DOCUMENT, "spec", &err);
    json_object_set(object, "spec", wanted);
    if (sim_send(play->sim, "PUT", path, object) != 200)
        sim_fail("%s could not be mended: %d", path, play->sim->status);
}

static bool has_condition(struct play *play, const struct subject *subject, const char *type,
                          const char *reason)
{
    const json_t *object = sim_object(play->sim, subject->plural, subject->name);
    const json_t *condition = object_condition(object, type);
    const char *found = jx_string(condition, "reason", NULL);

    return object_condition_is(object, type, "True") &&
           (!reason || (found && strcmp(found, reason) == 0));
}

/* What another spec of this batch left there is in its way. */
static void remove_output(struct play *play, const struct subject *subject)
{
    char *output auto_free = mem_format("file:///data/out/%s.csv", subject->name);

    volume_remove(&play->sim->volume, output);
}

static void try_again(struct play *play, const struct subject *subject)
{
    char *path auto_free = subject_path(subject);

    remove_output(play, subject);

    if (subject_is_model(subject))
        subject_edit(play, subject, "{'spec':{'retrain':{'token':'end'}}}");
    else if (has_condition(play, subject, "Stalled", "SpecImmutable"))
        delete (play, path);
    else if (has_condition(play, subject, "Failed", NULL))
        subject_edit(play, subject, "{'spec':{'retryToken':'end'}}");
    if (!subject_exists(play, subject))
        subject_create(play, subject);
}

/* Models come first: batches are tried again with models that work. */
void users_mend(struct play *play)
{
    users_write_files(play);
    sim_run(play->sim, 1); /* else a listing that began before would count as one of after */
    for (const struct subject *subject = subjects; subject->name; subject++) {
        if (subject_is_model(subject) && !subject_exists(play, subject))
            subject_create(play, subject);
        else if (subject_exists(play, subject))
            mend_spec(play, subject);
    }
    for (const struct subject *subject = subjects; subject->name; subject++)
        if (subject_is_model(subject))
            try_again(play, subject);
    ending_wait(play);
    for (const struct subject *subject = subjects; subject->name; subject++)
        if (!subject_is_model(subject) && subject_exists(play, subject))
            try_again(play, subject);
}
