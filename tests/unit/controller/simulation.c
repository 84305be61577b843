#include "simulation.h"

#include "base/file.h"
#include "base/yaml.h"
#include "contract/job.h"

/* --- the bridge between network and front ---------------------------------------- */

static int hex_digit(char digit)
{
    return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

static struct fake_exchange *own(const struct httpd_exchange *handle)
{
    return (struct fake_exchange *)handle;
}

/* Query parameters are decoded into a place that lives until the next one. */
static const char *bridge_query(const struct httpd_exchange *handle, const char *name)
{
    static char decoded[4096];
    const struct fake_exchange *exchange = own(handle);
    const char *at = strchr(exchange->url, '?');
    size_t length = strlen(name), out = 0;

    for (; at; at = strchr(at + 1, '&'))
        if (strncmp(at + 1, name, length) == 0 && at[1 + length] == '=')
            break;
    if (!at)
        return NULL;
    for (at += length + 2; *at && *at != '&' && out + 1 < sizeof(decoded); at++) {
        if (*at == '%') {
            decoded[out++] = (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
            at += 2;
        } else {
            decoded[out++] = *at;
        }
    }
    decoded[out] = '\0';
    return decoded;
}

static const char *bridge_header(const struct httpd_exchange *handle, const char *name)
{
    const struct fake_exchange *exchange = own(handle);

    if (strcasecmp(name, "Content-Type") == 0)
        return exchange->content_type;
    if (strcasecmp(name, "Authorization") == 0)
        return exchange->authorization;
    return strcasecmp(name, "User-Agent") == 0 ? exchange->user_agent : NULL;
}

static void bridge_reply(struct httpd_exchange *handle, int status, const char *content_type,
                         struct span bytes, const struct http_header *headers, size_t header_count)
{
    char *body auto_free = mem_strndup(bytes.data ?: "", bytes.length);

    network_answer_header(own(handle), "Content-Type", content_type);
    for (size_t i = 0; i < header_count; i++)
        network_answer_header(own(handle), headers[i].name, headers[i].value);
    network_reply(own(handle), status, body);
}

static void bridge_stream_begin(struct httpd_exchange *handle, int status, const char *content_type,
                                void (*on_close)(void *context), void *context)
{
    network_answer_header(own(handle), "Content-Type", content_type);
    network_stream(own(handle), status, on_close, context);
}

static void bridge_stream_write(struct httpd_exchange *handle, struct span bytes)
{
    network_write(own(handle), bytes);
}

static size_t bridge_stream_queued(const struct httpd_exchange *handle)
{
    return own(handle)->written.length;
}

static void bridge_stream_end(struct httpd_exchange *handle)
{
    network_end(own(handle));
}

static void bridge_abort(struct httpd_exchange *handle)
{
    network_fail(own(handle), ERR_RETRY, "connection cut");
}

static const struct exchange_port bridge = {
    bridge_query,        bridge_header,        bridge_reply,      bridge_stream_begin,
    bridge_stream_write, bridge_stream_queued, bridge_stream_end, bridge_abort,
};

static void handle(struct sim *sim, struct fake_exchange *exchange)
{
    front_handle(&sim->front, &(struct exchange){ .port = &bridge,
                                                  .handle = (struct httpd_exchange *)exchange,
                                                  .method = exchange->method,
                                                  .path = exchange->path,
                                                  .body = span_of(exchange->body) });
}

static bool is_counted_write(const struct fake_exchange *exchange)
{
    return strcmp(exchange->method, "GET") != 0 && strcmp(exchange->method, "HEAD") != 0 &&
           !strstr(exchange->url, "/leases") && !strstr(exchange->url, "/events");
}

static void serve(void *context, struct fake_exchange *exchange)
{
    struct sim_controller *controller = context;
    struct sim *sim = controller->sim;

    if (controller->cut) {
        network_fail(exchange, ERR_RETRY, "no route to host");
        return;
    }
    if (is_counted_write(exchange)) {
        sim->writes++;
        if (sim->on_write && !sim->on_write(sim->write_context, exchange)) {
            network_fail(exchange, ERR_RETRY, "lost on the way");
            return;
        }
    }
    handle(sim, exchange);
}

/* --- pods -------------------------------------------------------------------------- */

static void start_pod(void *context, const json_t *pod)
{
    struct sim *sim = context;

    assert_true(sim->pod_count < SIM_PODS);
    sim->pods[sim->pod_count++] =
        (struct sim_pod){ .uid = mem_strdup(jx_string(pod, "metadata", "uid", NULL)),
                          .pod = json_deep_copy(pod) };
}

/* The pod leaves the list of those that run. */
static void drop_pod(struct sim *sim, size_t index)
{
    free(sim->pods[index].uid);
    json_decref(sim->pods[index].pod);
    memmove(&sim->pods[index], &sim->pods[index + 1],
            (--sim->pod_count - index) * sizeof(sim->pods[0]));
}

static void drop_pod_of(struct sim *sim, const char *uid)
{
    for (size_t i = 0; i < sim->pod_count; i++) {
        if (strcmp(sim->pods[i].uid, uid) == 0) {
            drop_pod(sim, i);
            return;
        }
    }
}

static void stop_pod(void *context, const char *uid, int64_t grace_ms)
{
    struct sim *sim = context;

    (void)grace_ms;
    for (size_t i = 0; i < sim->pod_count; i++)
        if (strcmp(sim->pods[i].uid, uid) == 0)
            sim->pods[i].stopping = true;
}

static void forget_pod(void *context, const char *uid)
{
    drop_pod_of(context, uid);
}

static void report_end(struct sim *sim, size_t index, int exit_code, const char *message)
{
    char *uid auto_free = NULL;

    assert_true(index < sim->pod_count);
    uid = mem_strdup(sim->pods[index].uid);
    drop_pod(sim, index);
    kubelet_report(&sim->cluster.kubelet, uid, &(struct pod_report){ .phase = POD_RUNNING });
    kubelet_report(&sim->cluster.kubelet, uid,
                   &(struct pod_report){ .phase = POD_TERMINATED,
                                         .reason = exit_code ? "Error" : "Completed",
                                         .message = message,
                                         .exit_code = exit_code });
}

/* Pods that were asked to stop end by SIGTERM. */
static void end_stopping_pods(struct sim *sim)
{
    for (size_t i = sim->pod_count; i-- > 0;)
        if (sim->pods[i].stopping)
            report_end(sim, i, 143, NULL);
}

void sim_pod_fails(struct sim *sim, int exit_code, const char *message)
{
    report_end(sim, 0, exit_code, message);
}

void sim_pod_succeeds(struct sim *sim)
{
    struct err err;
    const char *text = jx_string(sim->pod_count ? sim->pods[0].pod : NULL, "metadata",
                                 "annotations", JOB_ANNOTATION, NULL);
    json_t *document auto_json = NULL;
    char *result auto_free = NULL;

    assert_non_null(text);
    document = jx_parse(span_of(text), LIMIT_JOB_DOCUMENT, "job", &err);
    assert_non_null(document);
    if (strcmp(jx_string(document, "kind", NULL), "Train") == 0)
        result =
            mem_format("{\"outcome\": \"Trained\", \"model\": {\"version\": \"%.16s\", "
                       "\"uri\": \"file:///data/models/default.m/%.16s/\"}, "
                       "\"metrics\": [{\"name\": \"auc\", \"value\": \"0.87\"}]}",
                       jx_string(document, "runKey", NULL), jx_string(document, "runKey", NULL));
    else
        result = mem_format("{\"outcome\": \"Scored\", \"model\": {\"version\": \"%s\"}, "
                            "\"input\": {\"bytes\": 10}, \"output\": {\"uri\": \"%s\", "
                            "\"bytes\": 20}, \"rows\": {\"read\": 5, \"scored\": 4, "
                            "\"rejected\": 1}, \"scores\": {\"aboveThreshold\": 2}}",
                            jx_string(document, "model", "version", NULL),
                            jx_string(document, "output", "uri", NULL));
    report_end(sim, 0, 0, result);
}

/* --- requests of the test ------------------------------------------------------------ */

struct question {
    struct sim *sim;
    struct fake_network network;
};

static void serve_question(void *context, struct fake_exchange *exchange)
{
    handle(((struct question *)context)->sim, exchange);
}

static void question_answered(void *context, const struct http_reply *reply,
                              const struct err *failure)
{
    struct sim *sim = context;

    assert_null(failure);
    sim->status = reply->status;
    json_decref(sim->answer);
    sim->answer = jx_parse(reply->body, LIMIT_JSON_DOCUMENT, "answer", NULL);
}

static int ask(struct sim *sim, const char *method, const char *path, const char *json)
{
    struct question question = { .sim = sim };
    char *url auto_free = mem_format("http://api%s", path);
    struct http_header header = { "Content-Type", strcmp(method, "PATCH") == 0
                                                      ? "application/merge-patch+json"
                                                      : "application/json" };

    fake_network_init(&question.network, serve_question, &question);
    transport_start(&question.network.transport,
                    &(struct http_request){ .method = method,
                                            .url = url,
                                            .headers = &header,
                                            .header_count = 1,
                                            .body = span_of(json) },
                    &(struct http_handler){ .on_done = question_answered }, sim);
    fake_network_run(&question.network);
    fake_network_release(&question.network);
    return sim->status;
}

int sim_ask(struct sim *sim, const char *method, const char *path, const char *body)
{
    char *json auto_free = mem_strdup(body ? body : "");

    for (char *at = json; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    return ask(sim, method, path, json);
}

const json_t *sim_get(struct sim *sim, const char *path)
{
    return sim_ask(sim, "GET", path, NULL) == 200 ? sim->answer : NULL;
}

size_t sim_count(struct sim *sim, const char *path)
{
    return json_array_size(jx_get(sim_get(sim, path), "items", NULL));
}

void sim_move_tag(struct sim *sim, const char *reference, const char *revision)
{
    const struct image *image;
    struct err err;

    if (images_set(&sim->front.images, reference, "program", revision, &image, &err) < 0)
        fail_msg("%s", err.message);
}

void sim_create_model(struct sim *sim)
{
    assert_int_equal(
        sim_ask(sim, "POST", SIM_MODELS,
                "{'apiVersion':'churnops.io/v1alpha1','kind':'ChurnModel','metadata':{'name':'m'},"
                "'spec':{'data':{'uri':'file:///data/in/h.csv','target':'Exited','id':'Id'},"
                "'artifacts':{'uri':'file:///data/models/'}}}"),
        201);
}

void sim_create_batch(struct sim *sim, const char *name)
{
    char *body auto_free = mem_format(
        "{'apiVersion':'churnops.io/v1alpha1','kind':'ChurnBatch','metadata':{'name':'%s'},"
        "'spec':{'modelRef':{'name':'m'},'input':{'uri':'file:///data/weekly/%s.csv'},"
        "'output':{'uri':'file:///data/out/'}}}",
        name, name);

    assert_int_equal(sim_ask(sim, "POST", SIM_BATCHES, body), 201);
}

const char *sim_condition(struct sim *sim, const char *path, const char *type)
{
    static char text[256];
    const json_t *conditions = jx_get(sim_get(sim, path), "status", "conditions", NULL);

    text[0] = '\0';
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *condition = json_array_get(conditions, i);

        if (strcmp(jx_string(condition, "type", NULL), type) == 0)
            (void)snprintf(text, sizeof(text), "%s %s", jx_string(condition, "status", NULL),
                           jx_string(condition, "reason", NULL));
    }
    return text;
}

/* --- life ------------------------------------------------------------------------------ */

static int64_t sim_steady(void *context)
{
    return ((const struct sim *)context)->now_ms;
}

static int64_t sim_wall(void *context)
{
    const struct sim *sim = context;

    return sim->now_ms + sim->wall_offset_ms;
}

static void install_crd(struct sim *sim, const char *file)
{
    struct buf text auto_buf;
    struct err err;
    json_t *object auto_json = NULL;
    char *json auto_free = NULL;

    buf_init(&text, LIMIT_YAML_DOCUMENT);
    if (file_read(file, &text, &err) < 0)
        fail_msg("%s", err.message);
    object = yaml_parse((struct span){ buf_text(&text), text.length }, file, &err);
    if (!object)
        fail_msg("%s", err.message);
    json = json_dumps(object, 0);
    assert_int_equal(
        ask(sim, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json), 201);
}

struct sim *sim_new(void)
{
    static const struct pod_port pods = { start_pod, stop_pod, forget_pod };
    struct sim *sim = mem_zero(1, sizeof(*sim));

    sim->now_ms = 1700000000000;
    sim->clock = (struct clock){ sim_steady, sim_wall, sim };
    sim->settings = (struct settings){ .trainer_image = SIM_TRAINER, .scorer_image = SIM_SCORER };
    timers_init(&sim->timers, &sim->clock);
    cluster_init(&sim->cluster,
                 &(struct cluster_options){
                     .timers = &sim->timers, .seed = 1, .pods = &pods, .pods_context = sim });
    front_init(&sim->front, &(struct front_options){ .cluster = &sim->cluster });
    install_crd(sim, "crds/churnmodels.yaml");
    install_crd(sim, "crds/churnbatches.yaml");
    sim_move_tag(sim, "trainer:stable", "1");
    sim_move_tag(sim, "scorer:stable", "1");
    return sim;
}

void sim_free(struct sim *sim)
{
    for (size_t i = 0; i < SIM_CONTROLLERS; i++)
        sim_kill_controller(sim, i);
    while (sim->pod_count > 0)
        drop_pod(sim, 0);
    front_release(&sim->front);
    cluster_release(&sim->cluster);
    timers_release(&sim->timers);
    json_decref(sim->answer);
    free(sim);
}

void sim_start_controller(struct sim *sim, size_t index)
{
    static const char *insecure[] = { SIM_REGISTRY };
    struct sim_controller *controller = &sim->controllers[index];
    struct err err;

    *controller = (struct sim_controller){ .sim = sim };
    (void)snprintf(controller->identity, sizeof(controller->identity), "controller-%zu", index);
    fake_network_init(&controller->network, serve, controller);
    timers_init(&controller->timers, &sim->clock);
    controller->config.server = "http://api";
    controller->config.credentials = kube_credentials_new(&(struct kube_credentials_options){ 0 });
    controller->client =
        kube_client_new(&(struct kube_client_options){ .transport = &controller->network.transport,
                                                       .timers = &controller->timers,
                                                       .config = &controller->config });
    controller->lease = (struct lease_options){ .namespace = "default",
                                                .name = "churn-controller",
                                                .identity = controller->identity };
    assert_int_equal(lease_options_complete(&controller->lease, &err), 0);
    controller->manager =
        manager_new(&(struct manager_options){ .client = controller->client,
                                               .transport = &controller->network.transport,
                                               .timers = &controller->timers,
                                               .settings = &sim->settings,
                                               .insecure_registries = { insecure, 1 },
                                               .identity = controller->identity,
                                               .lease = &controller->lease,
                                               .seed = index + 1 },
                    &err);
    assert_non_null(controller->manager);
}

void sim_kill_controller(struct sim *sim, size_t index)
{
    struct sim_controller *controller = &sim->controllers[index];

    if (!controller->sim)
        return;
    manager_free(controller->manager);
    kube_client_free(controller->client);
    kube_config_release(&controller->config);
    fake_network_release(&controller->network);
    timers_release(&controller->timers);
    controller->sim = NULL;
}

static void turn(struct sim *sim)
{
    (void)timers_run(&sim->timers);
    end_stopping_pods(sim);
    for (size_t i = 0; i < SIM_CONTROLLERS; i++) {
        struct sim_controller *controller = &sim->controllers[i];

        if (controller->sim && !controller->paused && !manager_loss(controller->manager))
            manager_turn(controller->manager, 0);
    }
}

void sim_run(struct sim *sim, int64_t ms)
{
    for (int64_t end_ms = sim->now_ms + ms; sim->now_ms < end_ms; sim->now_ms += 10)
        for (int i = 0; i < 3; i++)
            turn(sim);
}
