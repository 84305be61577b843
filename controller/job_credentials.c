#include "contract/check.h"
#include "job_credentials.h"

#define VOLUME "churn-credentials"

static const struct field secret_reference_items[] = {
    FIELD(struct secret_reference, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_subdomain),
};
static const struct fields secret_reference_fields =
    FIELDS(struct secret_reference, secret_reference_items);

static const struct field credentials_items[] = {
    FIELD(struct credentials_spec, secret_ref, "secretRef", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &secret_reference_fields),
};
const struct fields credentials_spec_fields = FIELDS(struct credentials_spec, credentials_items);

/* The value is a file's path, or what is in the key (which need not be there). */
static const struct variable {
    const char *scheme, *name, *key;
    bool is_text;
} variables[] = {
    { "gs://", "GOOGLE_APPLICATION_CREDENTIALS", CREDENTIALS_GCS, false },
    { "gs://", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", CREDENTIALS_CA, false },
    { "gs://", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", CREDENTIALS_ENDPOINT, true },
    { "s3://", "AWS_SHARED_CREDENTIALS_FILE", CREDENTIALS_AWS, false },
    { "s3://", "AWS_CA_BUNDLE", CREDENTIALS_CA, false },
    { "s3://", "AWS_ENDPOINT_URL_S3", CREDENTIALS_ENDPOINT, true },
    { "s3://", "AWS_REGION", CREDENTIALS_REGION, true },
};

/* A string somewhere in the document begins with the scheme. */
static bool names_scheme(const json_t *value, const char *scheme)
{
    const char *name;
    json_t *member;
    size_t i;

    if (json_is_string(value))
        return strncmp(json_string_value(value), scheme, strlen(scheme)) == 0;
    json_object_foreach((json_t *)value, name,
                        member) if (names_scheme(member, scheme)) return true;
    json_array_foreach(value, i, member) if (names_scheme(member, scheme)) return true;
    return false;
}

static bool has_variable(const json_t *env, const char *name)
{
    for (size_t i = 0; i < json_array_size(env); i++) {
        const char *own = jx_string(json_array_get(env, i), "name", NULL);
        if (own && strcmp(own, name) == 0)
            return true;
    }
    return false;
}

static json_t *variable_object(const struct variable *variable, const char *secret)
{
    if (variable->is_text)
        return json_pack("{ss s{s{ss ss sb}}}", "name", variable->name, "valueFrom", "secretKeyRef",
                         "name", secret, "key", variable->key, "optional", 1);
    return json_pack("{ss so}", "name", variable->name, "value",
                     json_sprintf(CREDENTIALS_FOLDER "/%s", variable->key));
}

void job_add_credentials(const char *secret, const json_t *document, json_t *pod)
{
    json_t *container = json_array_get(json_object_get(pod, "containers"), 0);
    auto_json json_t *env = json_array();
    const json_t *given = json_object_get(container, "env");

    json_array_append_new(json_object_get(pod, "volumes"),
                          json_pack("{ss s{ss}}", "name", VOLUME, "secret", "secretName", secret));
    json_array_append_new(
        json_object_get(container, "volumeMounts"),
        json_pack("{ss ss sb}", "name", VOLUME, "mountPath", CREDENTIALS_FOLDER, "readOnly", 1));
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        if (names_scheme(document, variables[i].scheme) && !has_variable(given, variables[i].name))
            json_array_append_new(env, variable_object(&variables[i], secret));
    if (given)
        json_array_extend(env, (json_t *)given);
    if (json_array_size(env) > 0)
        json_object_set(container, "env", env);
}
