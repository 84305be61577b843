/* kubesim serve: the loop around cluster, front, runner and HTTP server. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/options.h"
#include "kubesim/front/front.h"
#include "net/httpd.h"
#include "kubesim/program/commands.h"
#include "kubesim/runner/folder.h"
#include "kubesim/runner/runner.h"

struct serve_options {
    const char *listen, *bin, *data, *kubeconfig, *ready_file;
    int64_t pod_backoff_ms, bookmark_interval_ms, watch_window, seed;
};

static const struct option options[] = {
    { "listen", OPTION_TEXT, offsetof(struct serve_options, listen), .fallback = "127.0.0.1:0",
      .argument = "HOST:PORT", .help = "address to serve on; port 0 takes a free one" },
    { "bin", OPTION_TEXT, offsetof(struct serve_options, bin), .argument = "DIR",
      .help = "folder of the programs that images name" },
    { "data", OPTION_TEXT, offsetof(struct serve_options, data), .argument = "DIR",
      .help = "folder for the pods' logs and temporary files" },
    { "kubeconfig", OPTION_TEXT, offsetof(struct serve_options, kubeconfig), .argument = "FILE",
      .help = "where to write the configuration for clients, with a secret" },
    { "ready-file", OPTION_TEXT, offsetof(struct serve_options, ready_file), .argument = "FILE",
      .help = "written when the server is ready: its HOST:PORT" },
    { "pod-backoff", OPTION_DURATION, offsetof(struct serve_options, pod_backoff_ms),
      .fallback = "10s", .minimum = 1, .maximum = 600000, .argument = "DURATION",
      .help = "delay before a failed pod of a Job is replaced, doubling" },
    { "bookmark-interval", OPTION_DURATION, offsetof(struct serve_options, bookmark_interval_ms),
      .fallback = "60s", .minimum = 10, .maximum = 3600000, .argument = "DURATION",
      .help = "between bookmarks of a watch" },
    { "watch-window", OPTION_INT, offsetof(struct serve_options, watch_window), .fallback = "16384",
      .minimum = 1, .maximum = 10000000, .argument = "N",
      .help = "changes that a watch can go back before it gets 410" },
    { "seed", OPTION_INT, offsetof(struct serve_options, seed), .fallback = "0", .minimum = 0,
      .maximum = INT64_MAX, .argument = "N", .help = "of uids and names; 0: by chance" },
};

static const struct program program = {
    .name = "kubesim serve",
    .synopsis = "--bin DIR --data DIR --kubeconfig FILE [options]",
    .description =
        "Serves a Kubernetes API on loopback until SIGTERM. Objects are in memory; pods run as "
        "processes of this user, without isolation. Never a place for production data.",
    .options = options,
    .option_count = ARRAY_SIZE(options),
};

/* --- exchanges over httpd ------------------------------------------------------------------ */

static const struct exchange_port httpd_exchanges = {
    httpd_query,        httpd_header,        httpd_reply,      httpd_stream_begin,
    httpd_stream_write, httpd_stream_queued, httpd_stream_end, httpd_abort,
};

static void on_request(void *context, struct httpd_exchange *exchange)
{
    front_handle(context, &(struct exchange){ .port = &httpd_exchanges,
                                              .handle = exchange,
                                              .method = httpd_method(exchange),
                                              .path = httpd_path(exchange),
                                              .body = httpd_body(exchange) });
}

/* --- signals: one thread waits for them and wakes the loop ---------------------------------- */

struct signals {
    sigset_t set;
    pthread_t thread;
    struct httpd *server;
    atomic_bool stop, child;
};

static void *wait_for_signals(void *context)
{
    struct signals *signals = context;
    for (;;) {
        int number = sigwaitinfo(&signals->set, NULL);
        if (number == SIGCHLD)
            atomic_store(&signals->child, true);
        else if (number > 0)
            atomic_store(&signals->stop, true);
        httpd_wake(signals->server);
        if (atomic_load(&signals->stop))
            return NULL;
    }
}

static int signals_begin(struct signals *signals, struct httpd *server, struct err *err)
{
    signals->server = server;
    int failure = pthread_create(&signals->thread, NULL, wait_for_signals, signals);
    return failure ? err_errno(err, failure, "pthread_create") : 0;
}

static void signals_block(struct signals *signals)
{
    sigemptyset(&signals->set);
    sigaddset(&signals->set, SIGCHLD);
    sigaddset(&signals->set, SIGTERM);
    sigaddset(&signals->set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
}

/* --- files for clients ------------------------------------------------------------------------ */

/* Appears whole: others wait for it. */
static int write_file(const char *path, const char *text, struct err *err)
{
    auto_free char *part = mem_format("%s.part", path);
    if (file_write(part, 0600, span_of(text), err) != 0)
        return -1;
    return rename(part, path) == 0 ? 0 : err_errno(err, errno, "%s", path);
}

static int write_kubeconfig(const char *path, const char *address, const char *secret,
                            struct err *err)
{
    auto_free char *text = mem_format(
        "# Written by kubesim at every start: a local API server that is never a place for\n"
        "# production data. The server's URL holds a secret.\n"
        "apiVersion: v1\nkind: Config\ncurrent-context: kubesim\n"
        "clusters:\n- name: kubesim\n  cluster: {server: \"http://%s/%s\"}\n"
        "users:\n- name: kubesim\n  user: {}\n"
        "contexts:\n- name: kubesim\n  context: {cluster: kubesim, user: kubesim, namespace: "
        "default}\n",
        address, secret);
    return write_file(path, text, err);
}

static int write_ready(const char *path, const char *address, struct err *err)
{
    auto_free char *text = mem_format("%s\n", address);
    return write_file(path, text, err);
}

static int random_bytes(void *bytes, size_t length, struct err *err)
{
    return getrandom(bytes, length, 0) == (ssize_t)length ? 0 : err_errno(err, errno, "getrandom");
}

static int make_secret(char secret[33], struct err *err)
{
    unsigned char bytes[16];
    if (random_bytes(bytes, sizeof(bytes), err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(secret + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* --- the server ---------------------------------------------------------------------------------
 */

struct server {
    struct timers timers;
    struct cluster cluster;
    struct front front;
    struct runner runner;
    struct signals signals;
    struct httpd *httpd;
    char secret[33];
};

static int split_address(const char *text, char **ret_host, unsigned *ret_port, struct err *err)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || colon == text)
        return err_set(err, ERR_INVALID, "--listen %s: expected HOST:PORT", text);
    if (num_int64(span_of(colon + 1), 0, 65535, &port, err) != 0)
        return err_wrap(err, "--listen %s", text);
    *ret_host = mem_strndup(text, (size_t)(colon - text));
    *ret_port = (unsigned)port;
    return 0;
}

static int listen_on(struct server *server, const char *address, char **ret_address,
                     struct err *err)
{
    auto_free char *host = NULL;
    unsigned port;
    if (split_address(address, &host, &port, err) != 0)
        return -1;
    server->httpd = httpd_new(
        &(struct httpd_options){
            .address = host, .port = port, .handler = on_request, .context = &server->front },
        err);
    if (!server->httpd)
        return -1;
    *ret_address = mem_format("%s:%u", host, httpd_port(server->httpd));
    return 0;
}

static int assemble(struct server *server, const struct serve_options *chosen, struct err *err)
{
    uint64_t seed = (uint64_t)chosen->seed;
    if (make_secret(server->secret, err) != 0 ||
        (seed == 0 && random_bytes(&seed, sizeof(seed), err) != 0))
        return -1;
    timers_init(&server->timers, &clock_system);
    server->runner = (struct runner){ .bin = chosen->bin,
                                      .data = chosen->data,
                                      .images = &server->front.images,
                                      .cluster = &server->cluster };
    cluster_init(&server->cluster,
                 &(struct cluster_options){ .timers = &server->timers,
                                            .seed = seed,
                                            .watch_window = (size_t)chosen->watch_window,
                                            .job_backoff_ms = chosen->pod_backoff_ms,
                                            .pods = &runner_port,
                                            .pods_context = &server->runner });
    front_init(&server->front,
               &(struct front_options){ .cluster = &server->cluster,
                                        .secret = server->secret,
                                        .bookmark_interval_ms = chosen->bookmark_interval_ms,
                                        .read_log = runner_read_log,
                                        .log_context = &server->runner });
    return 0;
}

static void take_apart(struct server *server)
{
    runner_release(&server->runner);
    front_release(&server->front);
    if (server->httpd)
        httpd_run(server->httpd, 0); /* ends of streams on their way */
    httpd_free(server->httpd);
    cluster_release(&server->cluster);
    timers_release(&server->timers);
}

static void serve_until_stopped(struct server *server)
{
    while (!atomic_load(&server->signals.stop)) {
        int64_t wait_ms = timers_run(&server->timers);
        if (atomic_exchange(&server->signals.child, false))
            runner_reap(&server->runner);
        else
            httpd_run(server->httpd, wait_ms);
    }
    pthread_join(server->signals.thread, NULL);
}

static int run(struct server *server, const struct serve_options *chosen, struct err *err)
{
    auto_free char *address = NULL;
    signals_block(&server->signals);
    if (listen_on(server, chosen->listen, &address, err) != 0 ||
        write_kubeconfig(chosen->kubeconfig, address, server->secret, err) != 0 ||
        (chosen->ready_file && write_ready(chosen->ready_file, address, err) != 0) ||
        signals_begin(&server->signals, server->httpd, err) != 0)
        return -1;
    printf("kubesim is ready at http://%s, for trying out and for tests, never a place for "
           "production data; KUBECONFIG=%s\n",
           address, chosen->kubeconfig);
    fflush(stdout);
    serve_until_stopped(server);
    return 0;
}

static int serve(const struct serve_options *chosen, struct err *err)
{
    if (!chosen->bin || !chosen->data || !chosen->kubeconfig)
        return err_set(err, ERR_INVALID, "expected --bin, --data and --kubeconfig; see --help");
    auto_free struct server *server = mem_zero(1, sizeof(*server));
    if (folder_make(chosen->data, err) != 0 || assemble(server, chosen, err) != 0)
        return -1;
    int result = run(server, chosen, err);
    take_apart(server);
    return result;
}

/* Absolute: pods run in folders of their own. */
static const char *absolute(struct arena *arena, const char *path)
{
    auto_free char *folder = getcwd(NULL, 0);
    return !path || *path == '/' ? path : arena_format(arena, "%s/%s", folder ? folder : "", path);
}

int command_serve(int argc, char **argv)
{
    auto_arena struct arena arena = { 0 };
    struct serve_options chosen;
    struct strings operands;
    struct err err;
    int code;
    if (!options_begin(&program, argc, argv, &arena, &chosen, &operands, &code))
        return code;
    chosen.bin = absolute(&arena, chosen.bin);
    chosen.data = absolute(&arena, chosen.data);
    if (serve(&chosen, &err) == 0)
        return 0;
    fprintf(stderr, "kubesim serve: %s\n", err.message);
    return err.kind == ERR_INVALID ? 64 : 70;
}
