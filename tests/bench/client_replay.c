#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "client.h"

#define STEPS_MAXIMUM 16

struct step {
    const char *verb, *namespace, *name, *subresource;
    struct kube_resource resource;
    char *body; /* text with placeholders, or NULL */
};

struct replay {
    struct bench *bench;
    json_t *document; /* owns the texts of the steps */
    struct step steps[STEPS_MAXIMUM];
    size_t step_count;
    int64_t begun, requests;
};

/* One run through the steps. A flow that ends begins the next one in its place. */
struct flow {
    struct replay *replay;
    int64_t number;
    size_t step;
    json_t *answers[STEPS_MAXIMUM];
};

/* --- placeholders ---------------------------------------------------------- */

static const char *answer_text(const struct flow *flow, const char *digits, const char *member)
{
    size_t step = (size_t)(digits[0] - '0');
    const char *text =
        step < flow->step ? jx_string(flow->answers[step], "metadata", member, NULL) : NULL;
    return text ? text : "";
}

/* Appends what a placeholder stands for and returns its length; 0 when there is none. */
static size_t append_placeholder(const struct flow *flow, const char *text, struct buf *out)
{
    if (strncmp(text, "{i}", 3) == 0) {
        buf_format(out, "%" PRId64, flow->number);
        return 3;
    }
    if (strncmp(text, "{uid.", 5) == 0 && text[5] != '\0' && text[6] == '}') {
        buf_string(out, answer_text(flow, text + 5, "uid"));
        return 7;
    }
    if (strncmp(text, "{rv.", 4) == 0 && text[4] != '\0' && text[5] == '}') {
        buf_string(out, answer_text(flow, text + 4, "resourceVersion"));
        return 6;
    }
    return 0;
}

static void expand(const struct flow *flow, const char *text, struct buf *out)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        buf_append(out, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        size_t length = append_placeholder(flow, text, out);
        if (length == 0)
            buf_char(out, *text);
        text += length ? length : 1;
    }
}

/* --- flows ----------------------------------------------------------------- */

static void next_step(struct flow *flow);

static void forget_answers(struct flow *flow)
{
    for (size_t i = 0; i < STEPS_MAXIMUM; i++) {
        json_decref(flow->answers[i]);
        flow->answers[i] = NULL;
    }
}

static void end_flow(struct flow *flow)
{
    forget_answers(flow);
    if (flow->replay->begun < flow->replay->bench->options->count) {
        flow->number = flow->replay->begun++;
        flow->step = 0;
        next_step(flow);
    } else {
        flow->replay->bench->running--;
    }
}

static void on_answer(void *context, json_t *object, const struct err *failure)
{
    struct flow *flow = context;
    flow->replay->requests++;
    if (failure) {
        bench_fail(flow->replay->bench, failure);
        return;
    }
    flow->answers[flow->step++] = json_incref(object);
    if (flow->step == flow->replay->step_count)
        end_flow(flow);
    else
        next_step(flow);
}

static void send(struct flow *flow, const struct step *step, const char *name, const json_t *body)
{
    struct kube_client *client = flow->replay->bench->client;
    if (strcmp(step->verb, "create") == 0)
        kube_create(client, &step->resource, step->namespace, body, kube_identity, on_answer, flow);
    else if (strcmp(step->verb, "patch") == 0)
        kube_patch(client, &step->resource, step->namespace, name, step->subresource, body,
                   on_answer, flow);
    else
        kube_get(client, &step->resource, step->namespace, name, on_answer, flow);
}

static void next_step(struct flow *flow)
{
    const struct step *step = &flow->replay->steps[flow->step];
    auto_buf struct buf name, text;
    struct err err;
    buf_init(&name, LIMIT_KUBE_PATH);
    buf_init(&text, LIMIT_KUBE_OBJECT);
    expand(flow, step->name ? step->name : "", &name);
    expand(flow, step->body ? step->body : "{}", &text);
    auto_json json_t *body =
        jx_parse((struct span){ text.data, text.length }, LIMIT_KUBE_OBJECT, "body", &err);
    if (!body)
        bench_fail(flow->replay->bench, &err);
    else
        send(flow, step, buf_text(&name), body);
}

/* --- the file -------------------------------------------------------------- */

static int read_step(json_t *json, struct step *ret_step, struct err *err)
{
    json_t *body = jx_get(json, "body", NULL);
    *ret_step = (struct step){
        .verb = jx_string(json, "verb", NULL),
        .namespace = jx_string(json, "namespace", NULL),
        .name = jx_string(json, "name", NULL),
        .subresource = jx_string(json, "subresource", NULL),
        .resource = { jx_string(json, "group", NULL), jx_string(json, "version", NULL),
                      jx_string(json, "plural", NULL), jx_string(json, "kind", NULL) },
        .body = body ? jx_canonical(body) : NULL,
    };
    if (ret_step->verb && ret_step->resource.group && ret_step->resource.version &&
        ret_step->resource.plural && ret_step->resource.kind)
        return 0;
    return err_set(err, ERR_INVALID, "a step needs verb, group, version, plural and kind");
}

static int read_steps(struct replay *replay, const char *path, struct err *err)
{
    replay->document = jx_parse_file(path, LIMIT_JSON_DOCUMENT, err);
    if (!replay->document)
        return -1;
    size_t count = json_array_size(replay->document);
    if (count == 0 || count > STEPS_MAXIMUM)
        return err_set(err, ERR_INVALID, "%s: expected 1 to %d steps", path, STEPS_MAXIMUM);
    for (; replay->step_count < count; replay->step_count++)
        if (read_step(json_array_get(replay->document, replay->step_count),
                      &replay->steps[replay->step_count], err) != 0)
            return err_wrap(err, "%s", path);
    return 0;
}

static void replay_release(struct replay *replay)
{
    for (size_t i = 0; i < ARRAY_SIZE(replay->steps); i++)
        free(replay->steps[i].body);
    json_decref(replay->document);
}
#define auto_replay __attribute__((cleanup(replay_release)))

int bench_replay(struct bench *bench, struct err *err)
{
    auto_replay struct replay replay = { .bench = bench };
    auto_free struct flow *flows = mem_zero((size_t)bench->options->concurrency, sizeof(*flows));
    if (bench->options->operands.count != 1)
        return err_set(err, ERR_INVALID, "replay: expected a file of steps");
    if (read_steps(&replay, bench->options->operands.items[0], err) != 0)
        return -1;
    double start = bench_now();
    for (int64_t i = 0; i < bench->options->concurrency; i++) {
        flows[i].replay = &replay;
        bench->running++;
        end_flow(&flows[i]);
    }
    int result = bench_run(bench, err);
    for (int64_t i = 0; i < bench->options->concurrency; i++)
        forget_answers(&flows[i]);
    if (result != 0)
        return -1;
    printf("{\"requests\": %" PRId64 ", \"begun\": %.6f, \"seconds\": %.6f}\n", replay.requests,
           start, bench_now() - start);
    return 0;
}
