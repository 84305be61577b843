#include "base/limits.h"
#include "base/sha256.h"
#include "contract/exit_code.h"
#include "contract/job.h"
#include "job_builder.h"

#define JOB_VOLUME     "churn-job"
#define SCRATCH_VOLUME "churn-scratch"
#define SCRATCH_FOLDER "/tmp"

/* Requests of a pod that asks for nothing: enough for a file of 100,000 rows. */
#define DEFAULT_CPU    "500m"
#define DEFAULT_MEMORY "512Mi"

static const struct pod_template no_template;

static json_t *named(const char *name)
{
    return json_pack("{ss}", "name", name);
}

static void add_pairs(json_t *object, const struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        json_object_set_new(object, pairs->items[i].name, json_string(pairs->items[i].value));
}

static json_t *pairs_object(const struct pairs *pairs)
{
    json_t *object = json_object();
    add_pairs(object, pairs);
    return object;
}

static json_t *labels(const struct job_order *order, const struct pod_template *template)
{
    json_t *labels = pairs_object(&template->labels);
    json_object_set_new(labels, "app.kubernetes.io/name", json_string("churn-operator"));
    json_object_set_new(labels, "app.kubernetes.io/part-of", json_string("churn-operator"));
    json_object_set_new(labels, "app.kubernetes.io/managed-by", json_string("churn-controller"));
    json_object_set_new(labels, "app.kubernetes.io/component", json_string(order->component));
    json_object_set_new(labels, LABEL_MODEL, json_string(order->model));
    if (order->batch)
        json_object_set_new(labels, LABEL_BATCH, json_string(order->batch));
    json_object_set_new(labels, LABEL_RUN, json_string(order->run_key));
    return labels;
}

json_t *job_owner_reference(const char *owner_kind, const struct metadata *owner)
{
    return json_pack("{ss ss ss ss sb sb}", "apiVersion", API_VERSION, "kind", owner_kind, "name",
                     owner->name, "uid", owner->uid, "controller", 1, "blockOwnerDeletion", 1);
}

static json_t *joined(const struct strings *versions)
{
    auto_buf struct buf text;
    buf_init(&text, LIMIT_JSON_DOCUMENT);
    for (size_t i = 0; i < versions->count; i++)
        buf_format(&text, "%s%s", i > 0 ? "," : "", versions->items[i]);
    return json_string(buf_text(&text));
}

static json_t *job_metadata(const struct job_order *order, const struct pod_template *template)
{
    json_t *annotations = pairs_object(&template->annotations);
    json_object_set_new(annotations, ANNOTATION_ATTEMPT, json_sprintf("%" PRId64, order->attempt));
    if (order->template_hash)
        json_object_set_new(annotations, ANNOTATION_TEMPLATE, json_string(order->template_hash));
    if (order->keep_versions)
        json_object_set_new(annotations, ANNOTATION_KEEP, joined(order->keep_versions));
    return json_pack("{ss ss so so s[o]}", "name", order->name, "namespace",
                     order->owner->namespace_, "labels", labels(order, template), "annotations",
                     annotations, "ownerReferences",
                     job_owner_reference(order->owner_kind, order->owner));
}

static json_t *pod_metadata(const struct job_order *order, const struct pod_template *template)
{
    json_t *annotations = pairs_object(&template->annotations);
    auto_free char *document = jx_canonical(order->document);
    json_object_set_new(annotations, JOB_ANNOTATION, json_string(document));
    return json_pack("{so so}", "labels", labels(order, template), "annotations", annotations);
}

static json_t *exit_code_rule(const char *action, const int *codes, size_t count)
{
    json_t *values = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(values, json_integer(codes[i]));
    return json_pack("{ss s{ss ss so}}", "action", action, "onExitCodes", "containerName",
                     JOB_CONTAINER, "operator", "In", "values", values);
}

/* In this order: a disruption and SIGTERM are nobody's fault; where
 * another attempt cannot help, the Job fails at once; the rest counts. */
static json_t *pod_failure_policy(void)
{
    static const int asked_to_stop[] = { EXIT_CODE_TERMINATED };
    static const int final[] = { EXIT_CODE_USAGE,  EXIT_CODE_DATA,   EXIT_CODE_INPUT,
                                 EXIT_CODE_OUTPUT, EXIT_CODE_DENIED, EXIT_CODE_KILLED };
    json_t *disruption = json_pack("{ss s[{ss ss}]}", "action", "Ignore", "onPodConditions", "type",
                                   "DisruptionTarget", "status", "True");
    return json_pack("{s[o o o]}", "rules", disruption,
                     exit_code_rule("Ignore", asked_to_stop, ARRAY_SIZE(asked_to_stop)),
                     exit_code_rule("FailJob", final, ARRAY_SIZE(final)));
}

static bool has_quantity(const struct pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->items[i].name, name) == 0)
            return true;
    return false;
}

/* A default request must not exceed a limit that the user gave alone: then
 * Kubernetes takes the limit for the request. */
static void default_request(json_t *requests, const struct pod_resources *given, const char *name,
                            const char *quantity)
{
    if (given && (has_quantity(&given->requests, name) || has_quantity(&given->limits, name)))
        return;
    json_object_set_new(requests, name, json_string(quantity));
}

static json_t *resources(const struct pod_resources *given)
{
    json_t *resources = json_object(), *requests = json_object();
    if (given)
        add_pairs(requests, &given->requests);
    default_request(requests, given, "cpu", DEFAULT_CPU);
    default_request(requests, given, "memory", DEFAULT_MEMORY);
    if (json_object_size(requests) > 0)
        json_object_set(resources, "requests", requests);
    json_decref(requests);
    if (given && given->limits.count > 0)
        json_object_set_new(resources, "limits", pairs_object(&given->limits));
    return resources;
}

/* Some mount of the user's is at SCRATCH_FOLDER: a larger disk, for instance. */
static bool mounts_scratch(const json_t *mounts)
{
    for (size_t i = 0; i < json_array_size(mounts); i++) {
        const char *path = jx_string(json_array_get(mounts, i), "mountPath", NULL);
        if (path && strcmp(path, SCRATCH_FOLDER) == 0)
            return true;
    }
    return false;
}

static json_t *volume_mounts(const struct pod_template *template)
{
    json_t *mounts =
        json_pack("[{ss ss sb}]", "name", JOB_VOLUME, "mountPath", JOB_FOLDER, "readOnly", 1);
    if (!mounts_scratch(template->volume_mounts))
        json_array_append_new(
            mounts, json_pack("{ss ss}", "name", SCRATCH_VOLUME, "mountPath", SCRATCH_FOLDER));
    if (template->volume_mounts)
        json_array_extend(mounts, template->volume_mounts);
    return mounts;
}

static json_t *volumes(const struct pod_template *template)
{
    json_t *volumes =
        json_pack("[{ss s{s[{ss s{ss}}]}}]", "name", JOB_VOLUME, "downwardAPI", "items", "path",
                  JOB_FILE, "fieldRef", "fieldPath", "metadata.annotations['" JOB_ANNOTATION "']");
    if (!mounts_scratch(template->volume_mounts))
        json_array_append_new(volumes, json_pack("{ss s{}}", "name", SCRATCH_VOLUME, "emptyDir"));
    if (template->volumes)
        json_array_extend(volumes, template->volumes);
    return volumes;
}

static json_t *container(const struct job_order *order, const struct pod_template *template)
{
    json_t *container = json_pack(
        "{ss ss ss ss so so s{sb sb s{s[s]}}}", "name", JOB_CONTAINER, "image", order->image,
        "terminationMessagePath", RESULT_PATH, "terminationMessagePolicy", "FallbackToLogsOnError",
        "resources", resources(template->resources), "volumeMounts", volume_mounts(template),
        "securityContext", "allowPrivilegeEscalation", 0, "readOnlyRootFilesystem", 1,
        "capabilities", "drop", "ALL");
    if (template->env && json_array_size(template->env) > 0)
        json_object_set(container, "env", template->env);
    return container;
}

static void set_optional(json_t *object, const char *name, const struct opt_int *value)
{
    if (value->set)
        json_object_set_new(object, name, json_integer(value->value));
}

static json_t *pod_security(const struct pod_template *template)
{
    json_t *security =
        json_pack("{sb s{ss}}", "runAsNonRoot", 1, "seccompProfile", "type", "RuntimeDefault");
    set_optional(security, "runAsUser", &template->run_as_user);
    set_optional(security, "runAsGroup", &template->run_as_group);
    set_optional(security, "fsGroup", &template->fs_group);
    return security;
}

static void set_placement(json_t *pod, const struct pod_template *template)
{
    if (template->node_selector.count > 0)
        json_object_set_new(pod, "nodeSelector", pairs_object(&template->node_selector));
    if (template->tolerations)
        json_object_set(pod, "tolerations", template->tolerations);
    if (template->affinity)
        json_object_set(pod, "affinity", template->affinity);
    if (template->priority_class_name)
        json_object_set_new(pod, "priorityClassName", json_string(template->priority_class_name));
    if (template->service_account_name)
        json_object_set_new(pod, "serviceAccountName", json_string(template->service_account_name));
}

static json_t *pull_secrets(const struct list *secrets)
{
    const struct object_reference *items = secrets->items;
    json_t *array = json_array();
    for (size_t i = 0; i < secrets->count; i++)
        json_array_append_new(array, named(items[i].name));
    return array;
}

static json_t *pod_spec(const struct job_order *order, const struct pod_template *template)
{
    json_t *pod =
        json_pack("{ss sb sb so s[o] so}", "restartPolicy", "Never", "automountServiceAccountToken",
                  0, "enableServiceLinks", 0, "securityContext", pod_security(template),
                  "containers", container(order, template), "volumes", volumes(template));
    set_placement(pod, template);
    if (order->credentials)
        job_add_credentials(order->credentials->secret_ref->name, order->document, pod);
    if (order->pull_secrets && order->pull_secrets->count > 0)
        json_object_set_new(pod, "imagePullSecrets", pull_secrets(order->pull_secrets));
    return pod;
}

/* Each index has attempts of its own. The output needs all of them: with the first that fails for
 * good the Job fails, and a final exit code of one (pod_failure_policy()) is final for all. */
static void set_indexes(json_t *spec, const struct job_order *order)
{
    json_int_t indexes = order->indexes;
    json_object_set_new(spec, "completionMode", json_string("Indexed"));
    json_object_set_new(spec, "completions", json_integer(indexes));
    json_object_set_new(spec, "parallelism",
                        json_integer(indexes < JOB_PARALLELISM ? indexes : JOB_PARALLELISM));
    json_object_set_new(spec, "backoffLimitPerIndex", json_integer(order->backoff_limit));
    json_object_set_new(spec, "maxFailedIndexes", json_integer(0));
}

json_t *job_build(const struct job_order *order)
{
    const struct pod_template *template = order->pod_template ? order->pod_template : &no_template;
    json_t *spec = json_pack("{sI so s{so so}}", "activeDeadlineSeconds",
                             (json_int_t)order->active_deadline_seconds, "podFailurePolicy",
                             pod_failure_policy(), "template", "metadata",
                             pod_metadata(order, template), "spec", pod_spec(order, template));
    if (order->indexes > 0)
        set_indexes(spec, order);
    else
        json_object_set_new(spec, "backoffLimit", json_integer(order->backoff_limit));
    return json_pack("{ss ss so so}", "apiVersion", "batch/v1", "kind", "Job", "metadata",
                     job_metadata(order, template), "spec", spec);
}

/* --- probes ---------------------------------------------------------------- */

/* The same for the same question, so that what a crash left is found. */
static void probe_name(const struct probe_order *order, const char *account,
                       char ret_name[IDENTITY_NAME])
{
    const struct object_reference *secrets =
        order->pull_secrets ? order->pull_secrets->items : NULL;
    auto_buf struct buf question;
    buf_init(&question, LIMIT_KUBE_OBJECT); /* all of it came out of one object */
    buf_format(&question, "%s\n%s", order->image, account ? account : "");
    for (size_t i = 0; order->pull_secrets && i < order->pull_secrets->count; i++)
        buf_format(&question, "\n%s", secrets[i].name);
    identity_job_name(order->model->name, 'p', order->model->uid, buf_text(&question), 0, ret_name);
}

/* It runs for a moment, whatever the programs of the image need. */
static json_t *probe_container(const char *image)
{
    json_t *resources = json_pack("{ss ss}", "cpu", "100m", "memory", "64Mi");
    return json_pack("{ss ss ss s[s] s{sO so} s{sb sb s{s[s]}}}", "name", JOB_CONTAINER, "image",
                     image, "imagePullPolicy", "Always", "args", "--version", "resources",
                     "requests", resources, "limits", resources, "securityContext",
                     "allowPrivilegeEscalation", 0, "readOnlyRootFilesystem", 1, "capabilities",
                     "drop", "ALL");
}

static json_t *probe_pod(const struct probe_order *order, const struct pod_template *template)
{
    json_t *pod =
        json_pack("{ss sb sb si so s[o]}", "restartPolicy", "Never", "automountServiceAccountToken",
                  0, "enableServiceLinks", 0, "terminationGracePeriodSeconds", 1, "securityContext",
                  pod_security(template), "containers", probe_container(order->image));
    set_placement(pod, template);
    if (order->pull_secrets && order->pull_secrets->count > 0)
        json_object_set_new(pod, "imagePullSecrets", pull_secrets(order->pull_secrets));
    return pod;
}

json_t *job_build_probe(const struct probe_order *order)
{
    const struct pod_template *template = order->pod_template ? order->pod_template : &no_template;
    const struct metadata *model = order->model;
    char name[IDENTITY_NAME];
    json_t *labels = json_pack("{ss ss ss ss}", "app.kubernetes.io/name", "churn-operator",
                               "app.kubernetes.io/part-of", "churn-operator",
                               "app.kubernetes.io/component", "probe", LABEL_MODEL, model->name);
    probe_name(order, template->service_account_name, name);
    return json_pack("{ss ss s{ss ss sO s[o]} s{si si si s{s{so} so}}}", "apiVersion", "batch/v1",
                     "kind", "Job", "metadata", "name", name, "namespace", model->namespace_,
                     "labels", labels, "ownerReferences", job_owner_reference(MODEL_KIND, model),
                     "spec", "backoffLimit", 0, "activeDeadlineSeconds", PROBE_SECONDS,
                     "ttlSecondsAfterFinished", 60, "template", "metadata", "labels", labels,
                     "spec", probe_pod(order, template));
}

static void add_json(struct sha256 *hash, json_t *take_value)
{
    auto_json json_t *value = take_value;
    auto_free char *text = jx_canonical(value);
    sha256_add_part(hash, span_of(text));
}

void job_template_hash(const struct pod_template *pod_template, const struct list *secrets,
                       const struct credentials_spec *credentials, int64_t active_deadline_seconds,
                       int64_t backoff_limit, char ret_key[IDENTITY_KEY])
{
    struct sha256 hash;
    char hex[SHA256_HEX];
    sha256_init(&hash);
    sha256_add_part(&hash, span_of("job-template"));
    add_json(&hash,
             fields_encode(&pod_template_fields, pod_template ? pod_template : &no_template));
    add_json(&hash, secrets ? pull_secrets(secrets) : json_array());
    add_json(&hash,
             json_pack("[I, I]", (json_int_t)active_deadline_seconds, (json_int_t)backoff_limit));
    if (credentials) /* without, hashes are those of versions that knew none */
        add_json(&hash, fields_encode(&credentials_spec_fields, credentials));
    sha256_hex(&hash, hex);
    memcpy(ret_key, hex, IDENTITY_KEY - 1);
    ret_key[IDENTITY_KEY - 1] = '\0';
}

const char *job_image(const char *reference, const char *digest, struct arena *arena)
{
    const char *at = strchr(reference, '@');
    size_t length = at ? (size_t)(at - reference) : strlen(reference);
    for (size_t i = length; i > 0 && reference[i - 1] != '/'; i--)
        if (reference[i - 1] == ':')
            length = i - 1;
    return arena_format(arena, "%.*s@%s", (int)length, reference, digest);
}
