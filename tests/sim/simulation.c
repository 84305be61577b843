/* simulation.c - controllers, time, and what the test itself asks for. */
#include "sim/simulation.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/yaml.h"

static bool is_counted_write(const struct fake_exchange *exchange)
{
    return strcmp(exchange->method, "GET") != 0 && strcmp(exchange->method, "HEAD") != 0 &&
           !strstr(exchange->url, "/leases") && !strstr(exchange->url, "/events");
}

/* --- writes that come late ------------------------------------------------------------ */

/* What was sent and is still on its way; its client has given up. */
struct late_write {
    struct sim *sim;
    const struct sim_controller *writer;
    struct fake_network network;
    struct timer timer;
    bool is_late; /* false: on the spot */
    struct late_write *next;
};

static void serve_late(void *context, struct fake_exchange *exchange)
{
    const struct late_write *late = context;

    late->sim->writer = late->writer;
    late->sim->writer_is_late = late->is_late;
    sim_serve(late->sim, exchange);
    late->sim->writer = NULL;
    late->sim->writer_is_late = false;
}

static void ignore_answer(void *context, const struct http_reply *reply, const struct err *failure)
{
    (void)context;
    (void)reply;
    (void)failure;
}

static void drop_late(struct late_write *late)
{
    struct late_write **place = &late->sim->late;

    while (*place != late)
        place = &(*place)->next;
    *place = late->next;
    timer_stop(&late->sim->timers, &late->timer);
    fake_network_release(&late->network);
    free(late);
}

static void arrive(struct late_write *late)
{
    fake_network_run(&late->network);
    drop_late(late);
}

static void arrive_late(void *context)
{
    struct late_write *late = context;

    late->is_late = true;
    arrive(late);
}

/* It arrives when arrive() is called, or in a while. */
static void send_late(const struct sim_controller *controller, const struct fake_exchange *exchange)
{
    struct sim *sim = controller->sim;
    struct late_write *late = mem_zero(1, sizeof(*late));
    struct http_header header = { "Content-Type", exchange->content_type };

    *late = (struct late_write){ .sim = sim,
                                 .writer = controller,
                                 .timer = { .fire = arrive_late, .context = late },
                                 .next = sim->late };
    sim->late = late;
    fake_network_init(&late->network, serve_late, late);
    transport_start(&late->network.transport,
                    &(struct http_request){ .method = exchange->method,
                                            .url = exchange->url,
                                            .headers = &header,
                                            .header_count = exchange->content_type ? 1 : 0,
                                            .body = span_of(exchange->body) },
                    &(struct http_handler){ .on_done = ignore_answer }, late);
    timer_set(&sim->timers, &late->timer, sim->late_ms);
}

/* --- requests of controllers ---------------------------------------------------------- */

static void carry_out(struct sim_controller *controller, struct fake_exchange *exchange)
{
    struct sim *sim = controller->sim;

    sim->writer = controller;
    sim->writer_is_late = exchange->started_ms < controller->resumed_ms;
    sim_serve(sim, exchange);
    sim->writer = NULL;
    sim->writer_is_late = false;
}

static void lose(struct fake_exchange *exchange)
{
    network_fail(exchange, ERR_RETRY, "lost on the way");
}

/* It is carried out, and nobody will hear of it. */
static void carry_out_unheard(struct sim_controller *controller, struct fake_exchange *exchange)
{
    send_late(controller, exchange);
    arrive(controller->sim->late);
    lose(exchange);
}

static void hold_answer(const struct sim *sim, struct fake_exchange *exchange)
{
    exchange->held_until_ms = sim->now_ms + sim->late_ms;
}

static void serve_write(struct sim_controller *controller, struct fake_exchange *exchange)
{
    struct sim *sim = controller->sim;
    const struct sim_hooks *hooks = &sim->hooks;

    sim->writes++;
    switch (hooks->on_write ? hooks->on_write(hooks->context, controller, exchange) : SIM_PASSES) {
    case SIM_PASSES:
        carry_out(controller, exchange);
        break;
    case SIM_IS_LOST:
        lose(exchange);
        break;
    case SIM_ANSWER_IS_LOST:
        carry_out_unheard(controller, exchange);
        break;
    case SIM_COMES_LATE:
        send_late(controller, exchange);
        lose(exchange);
        break;
    case SIM_ANSWER_IS_LATE:
        hold_answer(sim, exchange);
        carry_out(controller, exchange);
        break;
    }
}

static void serve(void *context, struct fake_exchange *exchange)
{
    struct sim_controller *controller = context;

    if (controller->cut)
        network_fail(exchange, ERR_RETRY, "no route to host");
    else if (is_counted_write(exchange))
        serve_write(controller, exchange);
    else
        carry_out(controller, exchange);
}

/* --- requests of the test ------------------------------------------------------------ */

struct question {
    struct sim *sim;
    struct fake_network network;
};

static void serve_question(void *context, struct fake_exchange *exchange)
{
    sim_serve(((struct question *)context)->sim, exchange);
}

static void question_answered(void *context, const struct http_reply *reply,
                              const struct err *failure)
{
    struct sim *sim = context;

    if (failure)
        sim_fail("a request of the test failed: %s", failure->message);
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

int sim_send(struct sim *sim, const char *method, const char *path, const json_t *body)
{
    char *json auto_free = json_dumps(body, JSON_COMPACT);

    return ask(sim, method, path, json);
}

json_t *sim_patch_of_spec(const char *path, json_t *value)
{
    json_t *patch = json_incref(value);

    for (const char *end = path + strlen(path); end > path;) {
        const char *slash = end;
        json_t *outer = json_object();

        while (*--slash != '/')
            ;
        char *name auto_free = mem_strndup(slash + 1, (size_t)(end - slash - 1));
        json_object_set_new(outer, name, patch);
        patch = outer;
        end = slash;
    }
    return json_pack("{so}", "spec", patch);
}

static char *unquote(const char *text)
{
    char *json = mem_strdup(text ? text : "");

    for (char *at = json; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    return json;
}

int sim_ask(struct sim *sim, const char *method, const char *path, const char *body)
{
    char *json auto_free = unquote(body);

    return ask(sim, method, path, json);
}

void sim_add_fault(struct sim *sim, const char *fault)
{
    struct err err;
    char *json auto_free = unquote(fault);
    json_t *description auto_json = jx_parse(span_of(json), LIMIT_JSON_DOCUMENT, "fault", &err);

    if (!description || faults_add(&sim->front.faults, description, &err) < 0)
        sim_fail("%s: %s", fault, err.message);
}

/* Past the HTTP front, which makes text of it first. */
const json_t *sim_object(struct sim *sim, const char *plural, const char *name)
{
    const struct resource *resource =
        resource_find(&sim->cluster.resources, "churnops.io", NULL, plural);
    const struct object *object = store_find(resource, "default", name);

    return object ? object->snapshot->json : NULL;
}

const json_t *sim_get(struct sim *sim, const char *path)
{
    return sim_ask(sim, "GET", path, NULL) == 200 ? sim->answer : NULL;
}

size_t sim_count(struct sim *sim, const char *path)
{
    return json_array_size(jx_get(sim_get(sim, path), "items", NULL));
}

const char *sim_move_tag(struct sim *sim, const char *reference, const char *revision)
{
    const struct image *image;
    struct err err;
    char *whole auto_free = mem_format(SIM_REGISTRY "/%s", reference);

    if (images_set(&sim->front.images, whole, "program", revision, &image, &err) < 0)
        sim_fail("%s", err.message);
    return image->digest;
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

    return sim->now_ms + sim->epoch_ms + sim->wall_offset_ms;
}

static int64_t controller_wall(void *context)
{
    const struct sim_controller *controller = context;

    return sim_wall(controller->sim) + controller->wall_offset_ms;
}

static int64_t controller_steady(void *context)
{
    return ((const struct sim_controller *)context)->sim->now_ms;
}

/* Definitions are read once in a process. */
static void install_crd(struct sim *sim, const char *file, json_t **kept)
{
    struct buf text auto_buf;
    struct err err = { 0 };

    buf_init(&text, LIMIT_YAML_DOCUMENT);
    if (!*kept && file_read(file, &text, &err) == 0)
        *kept = yaml_parse((struct span){ buf_text(&text), text.length }, file, &err);
    if (!*kept)
        sim_fail("%s", err.message);
    if (sim_send(sim, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", *kept) !=
        201)
        sim_fail("%s was refused", file);
}

struct sim *sim_new(uint64_t seed)
{
    static json_t *models, *batches;
    struct sim *sim = mem_zero(1, sizeof(*sim));
    static const char *roots[] = { "/data" };

    sim->now_ms = 1700000000000;
    sim->late_ms = 5000;
    sim->lease_ms = 15000;
    sim->clock = (struct clock){ sim_steady, sim_wall, sim };
    sim->settings = (struct settings){ .trainer_image = SIM_TRAINER,
                                       .scorer_image = SIM_SCORER,
                                       .file_roots = { roots, 1 } };
    timers_init(&sim->timers, &sim->clock);
    volume_init(&sim->volume, &sim->now_ms);
    cluster_init(&sim->cluster, &(struct cluster_options){ .timers = &sim->timers,
                                                           .seed = seed,
                                                           .pods = &sim_pod_port,
                                                           .pods_context = sim });
    front_init(&sim->front, &(struct front_options){ .cluster = &sim->cluster });
    install_crd(sim, "crds/churnmodels.yaml", &models);
    install_crd(sim, "crds/churnbatches.yaml", &batches);
    sim_move_tag(sim, "trainer:stable", "1");
    sim_move_tag(sim, "scorer:stable", "1");
    return sim;
}

void sim_seed(struct sim *sim, uint64_t seed)
{
    sim->seed = seed;
    random_seed(&sim->cluster.random, seed);
}

void sim_free(struct sim *sim)
{
    for (size_t i = 0; i < SIM_CONTROLLERS; i++)
        sim_kill_controller(sim, i);
    while (sim->late)
        drop_late(sim->late);
    sim_drop_pods(sim);
    front_release(&sim->front);
    fake_network_release(&sim->orphans);
    cluster_release(&sim->cluster);
    timers_release(&sim->timers);
    volume_release(&sim->volume);
    json_decref(sim->answer);
    free(sim);
}

void sim_start_controller(struct sim *sim, size_t index)
{
    static const char *insecure[] = { SIM_REGISTRY };
    struct sim_controller *controller = &sim->controllers[index];
    struct err err;

    *controller = (struct sim_controller){ .sim = sim,
                                           .starts = controller->starts + 1,
                                           .wall_offset_ms = controller->wall_offset_ms,
                                           .lag_ms = controller->lag_ms };
    controller->clock = (struct clock){ controller_steady, controller_wall, controller };
    (void)snprintf(controller->identity, sizeof(controller->identity), "controller-%zu-%u", index,
                   controller->starts);
    fake_network_init(&controller->network, serve, controller);
    controller->network.now_ms = sim->now_ms;
    timers_init(&controller->timers, &controller->clock);
    controller->config.server = "http://api";
    controller->config.user_agent = controller->identity;
    controller->config.credentials = kube_credentials_new(&(struct kube_credentials_options){ 0 });
    controller->client =
        kube_client_new(&(struct kube_client_options){ .transport = &controller->network.transport,
                                                       .timers = &controller->timers,
                                                       .config = &controller->config });
    controller->lease = (struct lease_options){ .namespace = "default",
                                                .name = "churn-controller",
                                                .identity = controller->identity,
                                                .duration_ms = sim->lease_ms,
                                                .renew_deadline_ms = sim->lease_ms * 2 / 3,
                                                .retry_period_ms = sim->lease_ms / 3 };
    if (lease_options_complete(&controller->lease, &err) < 0)
        sim_fail("%s", err.message);
    controller->manager = manager_new(
        &(struct manager_options){ .client = controller->client,
                                   .transport = &controller->network.transport,
                                   .timers = &controller->timers,
                                   .settings = &sim->settings,
                                   .registries = { .insecure = { insecure, 1 } },
                                   .identity = controller->identity,
                                   .lease = &controller->lease,
                                   .seed = sim->seed ^ (10 * controller->starts + index) },
        &err);
    if (!controller->manager)
        sim_fail("%s", err.message);
}

void sim_kill_controller(struct sim *sim, size_t index)
{
    struct sim_controller *controller = &sim->controllers[index];

    if (!controller->sim)
        return;
    manager_free(controller->manager);
    kube_client_free(controller->client);
    kube_config_release(&controller->config);
    fake_network_orphan(&controller->network, &controller->sim->orphans);
    fake_network_release(&controller->network);
    timers_release(&controller->timers);
    controller->sim = NULL;
}

void sim_resume_controller(struct sim *sim, size_t index)
{
    sim->controllers[index].paused = false;
    sim->controllers[index].resumed_ms = sim->now_ms;
}

/* --- time ------------------------------------------------------------------------------ */

/* So many turns at one instant mean that somebody turns for ever. */
#define TURNS_MAXIMUM 2000

/* As main() ends then. */
static bool has_ended(const struct sim_controller *controller)
{
    return manager_loss(controller->manager) || manager_is_stopped(controller->manager);
}

static bool is_running(const struct sim_controller *controller)
{
    return controller->sim && !controller->paused && !has_ended(controller);
}

/* When the first of these timers is due; INT64_MAX: none is set. */
static int64_t first_due_ms(const struct timers *timers)
{
    return timers->count > 0 ? timers->heap[0]->due_ms : INT64_MAX;
}

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* When something happens next; now or earlier: at once. */
static int64_t next_ms(const struct sim *sim)
{
    int64_t next = first_due_ms(&sim->timers);

    for (size_t i = 0; i < SIM_CONTROLLERS; i++) {
        const struct sim_controller *controller = &sim->controllers[i];

        if (!is_running(controller))
            continue;
        next = earlier(next, first_due_ms(&controller->timers));
        if (network_due(&controller->network))
            return sim->now_ms;
        for (const struct fake_exchange *at = controller->network.first; at; at = at->next) {
            if (at->held_until_ms > sim->now_ms)
                next = earlier(next, at->held_until_ms);
            if (!at->canceled)
                next = earlier(next, network_gives_up_ms(at));
        }
    }
    for (size_t i = 0; i < sim->pod_count; i++)
        if (sim->pods[i]->stopping)
            return sim->now_ms;
    return next;
}

static void turn(struct sim *sim)
{
    (void)timers_run(&sim->timers);
    sim_end_stopping_pods(sim);
    for (size_t i = 0; i < SIM_CONTROLLERS; i++) {
        struct sim_controller *controller = &sim->controllers[i];

        controller->network.now_ms = sim->now_ms;
        if (is_running(controller))
            manager_turn(controller->manager, 0);
        if (controller->doomed)
            sim_kill_controller(sim, i);
        else if (sim->hooks.on_exit && controller->sim && has_ended(controller))
            sim->hooks.on_exit(sim->hooks.context, controller);
    }
}

void sim_settle(struct sim *sim)
{
    unsigned turns = 0;

    do {
        if (turns++ == TURNS_MAXIMUM)
            sim_fail("a controller does not come to rest at one instant");
        turn(sim);
    } while (next_ms(sim) <= sim->now_ms);
}

void sim_run(struct sim *sim, int64_t ms)
{
    int64_t end_ms = sim->now_ms + ms;

    sim_settle(sim);
    for (int64_t next; (next = next_ms(sim)) <= end_ms;) {
        sim->now_ms = next > sim->now_ms ? next : sim->now_ms;
        sim_settle(sim);
    }
    sim->now_ms = end_ms;
}

void sim_fail(const char *format, ...)
{
    char message[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s\n", message);
    fail_msg("%s", message); /* ends the test, or the process where none runs */
    abort();
}
