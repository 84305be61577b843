/* kubesim image, fault, stats: requests to the admin end points of a running server. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/options.h"
#include "base/yaml.h"
#include "net/http.h"
#include "kubesim/program/commands.h"

struct client_options {
    const char *kubeconfig;
    const char *program, *revision;                    /* image */
    const char *verb, *resource, *user_agent, *action; /* fault */
    const char *probability, *delay, *username, *password;
    int64_t code, count, after, seed, retry_after_seconds, revisions, pid;
    bool reset; /* stats */
};

#define TEXT(name_, member_, argument_, help_)                                                     \
    {                                                                                              \
        .name = (name_), .kind = OPTION_TEXT, .offset = offsetof(struct client_options, member_),  \
        .argument = (argument_), .help = (help_)                                                   \
    }
#define NUMBER(name_, member_, fallback_, minimum_, help_)                                         \
    {                                                                                              \
        .name = (name_), .kind = OPTION_INT, .offset = offsetof(struct client_options, member_),   \
        .fallback = (fallback_), .minimum = (minimum_), .maximum = INT32_MAX, .argument = "N",     \
        .help = (help_)                                                                            \
    }
#define KUBECONFIG                                                                                 \
    {                                                                                              \
        .name = "kubeconfig", .kind = OPTION_TEXT,                                                 \
        .offset = offsetof(struct client_options, kubeconfig), .environment = "KUBECONFIG",        \
        .argument = "FILE", .help = "the file that kubesim serve wrote"                            \
    }

static const struct option image_items[] = {
    KUBECONFIG,
    TEXT("program", program, "NAME", "the program in serve's --bin that the image runs"),
    TEXT("revision", revision, "TEXT", "another text gives the image another digest"),
};
static const struct program image_program = {
    .name = "kubesim image",
    .synopsis = "set REPOSITORY:TAG --program NAME [--revision TEXT] | list",
    .description = "Sets or moves a tag of the built-in registry, or lists what it has. "
                   "REPOSITORY@DIGEST instead: what runs as an image that another registry has.",
    .options = image_items,
    .option_count = ARRAY_SIZE(image_items),
    .maximum_operands = 2,
};

static const struct option fault_items[] = {
    KUBECONFIG,
    TEXT("verb", verb, "VERB",
         "get, list, watch, create, update, patch, delete; event, bookmark: what "
         "open watches deliver; by default every request"),
    TEXT("resource", resource, "PLURAL", "by default every one"),
    TEXT("user-agent", user_agent, "PREFIX", "by default every one"),
    TEXT("action", action, "ACTION",
         "status, drop (cut the connection), stall (no answer, or a silent watch), stale (an old "
         "list), lose (a bookmark), slow"),
    NUMBER("code", code, "500", 400, "HTTP status of --action status"),
    NUMBER("count", count, "1", -1, "how often; -1: for ever"),
    NUMBER("after", after, "0", 0, "let so many through first"),
    TEXT("probability", probability, "P", "of each match, 0 to 1"),
    NUMBER("seed", seed, "1", 0, "of that chance"),
    NUMBER("retry-after", retry_after_seconds, "0", 0, "seconds, in a Retry-After header"),
    NUMBER("revisions", revisions, "10", 1, "how many changes a stale list is behind"),
    TEXT("delay", delay, "DURATION", "of slow"),
    NUMBER("pid", pid, "0", 0, "process that kill ends"),
    TEXT("username", username, "NAME", "of registry basic and bearer"),
    TEXT("password", password, "TEXT", "of registry basic and bearer"),
};
static const struct program fault_program = {
    .name = "kubesim fault",
    .synopsis =
        "add --action ACTION [options] | list | clear | drop-watches [--resource PLURAL] |\n"
        "       registry up|down|missing|slow|basic|bearer | kill --pid PID --after N",
    .description = "Makes things go wrong: an API request (add), all open watches (drop-watches), "
                   "the registry, "
                   "or a client, killed when it sends the request after --after others (kill).",
    .options = fault_items,
    .option_count = ARRAY_SIZE(fault_items),
    .maximum_operands = 2,
};

static const struct option stats_items[] = {
    KUBECONFIG,
    { .name = "reset",
      .kind = OPTION_FLAG,
      .offset = offsetof(struct client_options, reset),
      .help = "count from zero again" },
};
static const struct program stats_program = {
    .name = "kubesim stats",
    .synopsis = "[--reset]",
    .description = "Prints how often each verb, resource and user agent was seen, as JSON.",
    .options = stats_items,
    .option_count = ARRAY_SIZE(stats_items),
};

/* --- one request ------------------------------------------------------------------------------ */

/* The server's URL; new text. */
static char *read_server(const char *path, struct err *err)
{
    auto_buf struct buf text;
    buf_init(&text, LIMIT_CREDENTIAL);
    if (!path) {
        err_set(err, ERR_INVALID, "expected --kubeconfig FILE or $KUBECONFIG");
        return NULL;
    }
    if (file_read(path, &text, err) < 0)
        return NULL;
    auto_json json_t *config = yaml_parse((struct span){ text.data, text.length }, path, err);
    if (!config)
        return NULL;
    const char *server =
        jx_string(json_array_get(jx_get(config, "clusters", NULL), 0), "cluster", "server", NULL);
    if (!server)
        err_set(err, ERR_INVALID, "%s: expected a file that kubesim serve wrote", path);
    return server ? mem_strdup(server) : NULL;
}

static int check_answer(int status, const char *body, struct err *err)
{
    if (status / 100 == 2)
        return 0;
    struct err ignored;
    auto_json json_t *answer = jx_parse(span_of(body), LIMIT_JSON_DOCUMENT, "answer", &ignored);
    const char *message = jx_string(answer, "message", NULL);
    return err_set(err, ERR_INVALID, "%s", message ? message : body);
}

static int perform(const char *server, const char *method, const char *path, const char *body,
                   char **ret_answer, struct err *err)
{
    auto_free char *url = mem_format("%s/kubesim/%s", server, path);
    const struct http_header headers[] = { { "Content-Type", "application/json" } };
    const struct http_request request = { .method = method,
                                          .url = url,
                                          .hide_path = true,
                                          .headers = headers,
                                          .header_count = ARRAY_SIZE(headers),
                                          .body = span_of(body),
                                          .timeout_ms = 30000 };
    int status;
    size_t length;
    auto_free char *answer = NULL;
    struct transport *transport =
        http_transport_new(&(struct http_options){ .user_agent = "kubesim/" CHURN_VERSION }, err);
    if (!transport)
        return -1;
    int result = transport_perform(transport, &request, &status, &answer, &length, err);
    http_transport_free(transport);
    if (result != 0 || check_answer(status, answer, err) != 0)
        return -1;
    *ret_answer = TAKE(answer);
    return 0;
}

static int ask(const struct client_options *chosen, const char *method, const char *path,
               json_t *take_body, bool print, struct err *err)
{
    auto_json json_t *body = take_body;
    auto_free char *text = body ? json_dumps(body, JSON_COMPACT) : mem_strdup("");
    auto_free char *answer = NULL;
    auto_free char *server = read_server(chosen->kubeconfig, err);
    if (!server || perform(server, method, path, text, &answer, err) != 0)
        return -1;
    if (print)
        puts(answer);
    return 0;
}

/* --- the commands -------------------------------------------------------------------------------
 */

static bool is_word(const struct strings *operands, size_t position, const char *word)
{
    return position < operands->count && strcmp(operands->items[position], word) == 0;
}

static int run_image(const struct client_options *chosen, const struct strings *operands,
                     struct err *err)
{
    if (is_word(operands, 0, "list") && operands->count == 1)
        return ask(chosen, "GET", "images", NULL, true, err);
    if (!is_word(operands, 0, "set") || operands->count != 2 || !chosen->program)
        return err_set(err, ERR_INVALID, "expected %s", image_program.synopsis);
    return ask(chosen, "POST", "images",
               json_pack("{ss ss ss*}", "reference", operands->items[1], "program", chosen->program,
                         "revision", chosen->revision),
               true, err);
}

static json_t *fault_body(const struct client_options *chosen, const char *action)
{
    return json_pack("{ss ss* ss* ss* sI sI sI sI sI sI sI ss* ss*}", "action", action, "verb",
                     chosen->verb, "resource", chosen->resource, "userAgent", chosen->user_agent,
                     "code", chosen->code, "count", chosen->count, "skip", chosen->after, "seed",
                     chosen->seed, "retryAfterSeconds", chosen->retry_after_seconds, "revisions",
                     chosen->revisions, "pid", chosen->pid, "probability", chosen->probability,
                     "delay", chosen->delay);
}

static int run_fault(const struct client_options *chosen, const struct strings *operands,
                     struct err *err)
{
    if (is_word(operands, 0, "list"))
        return ask(chosen, "GET", "faults", NULL, true, err);
    if (is_word(operands, 0, "clear"))
        return ask(chosen, "DELETE", "faults", NULL, false, err);
    if (is_word(operands, 0, "drop-watches")) {
        auto_free char *path =
            mem_format("watches?resource=%s", chosen->resource ? chosen->resource : "");
        return ask(chosen, "DELETE", path, NULL, false, err);
    }
    if (is_word(operands, 0, "registry") && operands->count == 2)
        return ask(chosen, "POST", "registry",
                   json_pack("{ss ss* ss* ss*}", "mode", operands->items[1], "username",
                             chosen->username, "password", chosen->password, "delay",
                             chosen->delay),
                   false, err);
    if (is_word(operands, 0, "kill") && chosen->pid > 0)
        return ask(chosen, "POST", "faults", fault_body(chosen, "kill"), false, err);
    if (is_word(operands, 0, "add") && chosen->action)
        return ask(chosen, "POST", "faults", fault_body(chosen, chosen->action), false, err);
    return err_set(err, ERR_INVALID, "expected %s", fault_program.synopsis);
}

static int run_stats(const struct client_options *chosen, const struct strings *operands,
                     struct err *err)
{
    (void)operands;
    return ask(chosen, chosen->reset ? "DELETE" : "GET", "stats", NULL, !chosen->reset, err);
}

static int command(const struct program *program, int argc, char **argv,
                   int (*run)(const struct client_options *, const struct strings *, struct err *))
{
    auto_arena struct arena arena = { 0 };
    struct client_options chosen = { 0 };
    struct strings operands = { 0 };
    struct err err;
    int code;
    if (!options_begin(program, argc, argv, &arena, &chosen, &operands, &code))
        return code;
    if (run(&chosen, &operands, &err) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", program->name, err.message);
    return err.kind == ERR_INVALID ? 64 : 69;
}

int command_image(int argc, char **argv)
{
    return command(&image_program, argc, argv, run_image);
}

int command_fault(int argc, char **argv)
{
    return command(&fault_program, argc, argv, run_fault);
}

int command_stats(int argc, char **argv)
{
    return command(&stats_program, argc, argv, run_stats);
}
