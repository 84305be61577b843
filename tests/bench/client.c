/* bench-client: the bare client that the controller is compared with. */
#include "client.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "net/http.h"

static const struct option options[] = {
    { "kubeconfig", OPTION_TEXT, offsetof(struct bench_options, kubeconfig),
      .environment = "KUBECONFIG", .argument = "FILE", .help = "where the API server is" },
    { "count", OPTION_INT, offsetof(struct bench_options, count), .fallback = "1", .minimum = 1,
      .maximum = 1000000, .argument = "N", .help = "flows of replay, events of watch" },
    { "concurrency", OPTION_INT, offsetof(struct bench_options, concurrency), .fallback = "16",
      .minimum = 1, .maximum = 256, .argument = "N", .help = "flows of replay at once" },
    { "group", OPTION_TEXT, offsetof(struct bench_options, group), .fallback = "batch",
      .argument = "GROUP", .help = "of watch" },
    { "version", OPTION_TEXT, offsetof(struct bench_options, version), .fallback = "v1",
      .argument = "VERSION", .help = "of watch" },
    { "resource", OPTION_TEXT, offsetof(struct bench_options, plural), .fallback = "jobs",
      .argument = "PLURAL", .help = "of watch" },
    { "type", OPTION_TEXT, offsetof(struct bench_options, type), .fallback = "ADDED",
      .argument = "TYPE", .help = "of the events that watch counts" },
    { "contains", OPTION_TEXT, offsetof(struct bench_options, contains), .fallback = "",
      .argument = "TEXT", .help = "that such an event must contain" },
};

static const struct program program = {
    .name = "bench-client",
    .synopsis = "drain [options] | replay [options] STEPS.json | watch [options]",
    .description = "Reads, writes or watches as fast as the server allows; see client.h.",
    .options = options,
    .option_count = ARRAY_SIZE(options),
    .maximum_operands = 2,
};

double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void bench_fail(struct bench *bench, const struct err *failure)
{
    if (bench->failed)
        return;
    bench->failed = true;
    bench->failure = *failure;
}

int bench_run(struct bench *bench, struct err *err)
{
    while (bench->running > 0 && !bench->failed) {
        int64_t wait_ms = timers_run(bench->timers);
        transport_run(bench->transport, wait_ms);
    }
    if (!bench->failed)
        return 0;
    *err = bench->failure;
    return -1;
}

static int run_command(struct bench *bench, const char *command, struct err *err)
{
    if (strcmp(command, "drain") == 0)
        return bench_drain(bench, err);
    if (strcmp(command, "replay") == 0)
        return bench_replay(bench, err);
    if (strcmp(command, "watch") == 0)
        return bench_watch(bench, err);
    return err_set(err, ERR_INVALID, "expected %s", program.synopsis);
}

static int connect_and_run(const struct bench_options *chosen, const char *command, struct err *err)
{
    auto_kube_config struct kube_config config = { 0 };
    struct timers timers;
    const struct kube_environment environment = { .variables = environ };
    const struct kube_config_options wanted = { .kubeconfig = chosen->kubeconfig,
                                                .user_agent = "bench-client" };
    if (kube_config_load(&environment, &wanted, &config, err) != 0)
        return -1;
    struct transport *transport = http_transport_new(
        &(struct http_options){ .user_agent = "bench-client", .maximum_connections = 64 }, err);
    if (!transport)
        return -1;
    timers_init(&timers, &clock_system);
    struct kube_client *client = kube_client_new(&(struct kube_client_options){
        .transport = transport, .timers = &timers, .config = &config });
    struct bench bench = {
        .options = chosen, .client = client, .transport = transport, .timers = &timers
    };
    int result = run_command(&bench, command, err);
    kube_client_free(client);
    http_transport_free(transport);
    timers_release(&timers);
    return result;
}

int main(int argc, char **argv)
{
    auto_arena struct arena arena = { 0 };
    struct bench_options chosen = { 0 };
    struct strings operands = { 0 };
    struct err err;
    int code, result = 0;
    (void)signal(SIGPIPE, SIG_IGN);
    if (!options_begin(&program, argc, argv, &arena, &chosen, &operands, &code))
        return code;
    if (operands.count == 0)
        result = err_set(&err, ERR_INVALID, "expected %s", program.synopsis);
    if (result == 0) {
        chosen.operands = (struct strings){ operands.items + 1, operands.count - 1 };
        result = connect_and_run(&chosen, operands.items[0], &err);
    }
    if (result == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", program.name, err.message);
    return 1;
}
