/* churn-controller - watches ChurnModels and ChurnBatches and runs their Jobs. */
#include <errno.h>
#include <signal.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/options.h"
#include "base/uri.h"
#include "contract/exit_code.h"
#include "contract/program.h"
#include "net/guard.h"
#include "net/http.h"

#include "hook_server.h"
#include "lookup.h"
#include "manager.h"
#include "telemetry.h"

#define LEASE_NAME  "churn-operator"
#define PUBLISH_MS  1000 /* figures are at most this old while there is work */
#define HOST_LENGTH 65
#define SKEW_MS     60000 /* between two clocks that are set */

/* --- options ------------------------------------------------------------------- */

struct arguments {
    const char *kubeconfig, *context, *namespace;
    const char *trainer_image, *scorer_image;
    struct strings insecure_registries, file_roots, allowed_uris;
    const char *registry_ca;
    bool probe_pods;
    const char *metrics_address;
    const char *hooks_address, *hooks_host, *hooks_audience, *hooks_issuer, *hooks_keys_url;
    const char *hooks_token_file;
    struct strings hooks_emails;
    bool leader_elect, watch_list;
    const char *lease_namespace, *identity;
    int64_t lease_duration_ms, lease_renew_deadline_ms, lease_retry_period_ms;
    const char *log_level;
};

#define OPTION(member, option_name, option_kind, ...)                                              \
    {                                                                                              \
        .name = (option_name), .kind = (option_kind),                                              \
        .offset = offsetof(struct arguments, member), __VA_ARGS__                                  \
    }

static const struct option options[] = {
    OPTION(kubeconfig, "kubeconfig", OPTION_TEXT, .argument = "FILE",
           .help = "How to reach the API server; default: $KUBECONFIG, the pod's service account, "
                   "~/.kube/config."),
    OPTION(context, "context", OPTION_TEXT, .argument = "NAME",
           .help = "Context of the kubeconfig; default: its current one."),
    OPTION(namespace, "namespace", OPTION_TEXT, .argument = "NAME",
           .help = "Watch this namespace only; default: all."),
    OPTION(trainer_image, "default-trainer-image", OPTION_TEXT,
           .environment = "CHURN_TRAINER_IMAGE",
           .fallback = "ghcr.io/churn-operator/churn-trainer:" CHURN_VERSION, .argument = "IMAGE",
           .help = "Trainer of models that name none; another digest of it retrains them."),
    OPTION(scorer_image, "default-scorer-image", OPTION_TEXT, .environment = "CHURN_SCORER_IMAGE",
           .fallback = "ghcr.io/churn-operator/churn-scorer:" CHURN_VERSION, .argument = "IMAGE",
           .help = "Scorer of batches that name none."),
    OPTION(insecure_registries, "insecure-registry", OPTION_TEXTS, .argument = "HOST:PORT",
           .help = "Registry to be reached over plain HTTP, on any address; repeatable."),
    OPTION(registry_ca, "registry-ca", OPTION_TEXT, .argument = "FILE",
           .help = "PEM file of certificate authorities that registries are trusted by, besides "
                   "the system's; read again for every connection."),
    OPTION(probe_pods, "probe-pods", OPTION_FLAG, .fallback = "false",
           .help = "Where a registry refuses the controller, have a node pull the image for a pod "
                   "of a moment (--version), whose status names the digest."),
    OPTION(file_roots, "file-root", OPTION_TEXTS, .argument = "FOLDER",
           .help = "file:// folders below this one may be listed by the controller; repeatable."),
    OPTION(allowed_uris, "allowed-uri", OPTION_TEXTS, .argument = "FOLDER[=NAMESPACE]",
           .help = "gs:// or s3:// folder below which the controller may list and look at files by "
                   "its own cloud identity, for all namespaces or for that one; repeatable."),
    OPTION(metrics_address, "metrics-address", OPTION_TEXT, .fallback = "0.0.0.0:8080",
           .argument = "HOST:PORT", .help = "Where /metrics, /healthz and /readyz are served."),
    OPTION(hooks_address, "hooks-address", OPTION_TEXT, .argument = "HOST:PORT",
           .help = "Where POST /v1/hooks/storage takes pushes about new objects, over plain HTTP; "
                   "default: nowhere."),
    OPTION(hooks_host, "hooks-host", OPTION_TEXT, .environment = "POD_IP", .argument = "HOST",
           .help = "How the other replicas reach --hooks-address; default: its HOST."),
    OPTION(hooks_audience, "hooks-audience", OPTION_TEXT, .argument = "TEXT",
           .help = "Audience of the tokens that Pub/Sub signs for its pushes; default: such "
                   "tokens are not accepted."),
    OPTION(hooks_emails, "hooks-service-account", OPTION_TEXTS, .argument = "EMAIL",
           .help = "Service account that may push with such tokens; repeatable; default: any, "
                   "which is for audiences that nobody else can know."),
    OPTION(hooks_issuer, "hooks-issuer", OPTION_TEXT, .fallback = "https://accounts.google.com",
           .argument = "URL", .help = "Issuer of such tokens."),
    OPTION(hooks_keys_url, "hooks-keys-url", OPTION_TEXT,
           .fallback = "https://www.googleapis.com/oauth2/v3/certs", .argument = "URL",
           .help = "The issuer's keys (JWKS); https://, or http:// to this machine."),
    OPTION(hooks_token_file, "hooks-token-file", OPTION_TEXT, .argument = "FILE",
           .help = "Holds a token of at least 16 characters with which stores may push: "
                   "Authorization: Bearer, the password of Basic, or the query's \"token\"."),
    OPTION(leader_elect, "leader-elect", OPTION_FLAG, .fallback = "true",
           .help = "Elect one leader among all replicas by a Lease."),
    OPTION(watch_list, "watch-list", OPTION_FLAG, .fallback = "false",
           .help = "Take over what the API server holds as a stream of events (WatchList), which "
                   "costs it less memory than lists; where it cannot do that, by lists."),
    OPTION(lease_namespace, "lease-namespace", OPTION_TEXT, .argument = "NAME",
           .help = "Namespace of the Lease; default: the pod's, or the kubeconfig context's."),
    OPTION(identity, "identity", OPTION_TEXT, .argument = "NAME",
           .help =
               "Name of this process in Lease and Events; default: host name and random digits."),
    OPTION(lease_duration_ms, "lease-duration", OPTION_DURATION, .fallback = "15s", .minimum = 1000,
           .maximum = 3600 * 1000, .argument = "DURATION",
           .help = "After how long without a renewal others may lead."),
    OPTION(lease_renew_deadline_ms, "lease-renew-deadline", OPTION_DURATION, .fallback = "10s",
           .minimum = 500, .maximum = 3600 * 1000, .argument = "DURATION",
           .help = "After how long without a renewal the leader gives up."),
    OPTION(lease_retry_period_ms, "lease-retry-period", OPTION_DURATION, .fallback = "2s",
           .minimum = 100, .maximum = 3600 * 1000, .argument = "DURATION",
           .help = "How often the Lease is renewed or looked at."),
    OPTION(log_level, "log-level", OPTION_TEXT, .fallback = "info", .argument = "LEVEL",
           .help = "debug, info, warning or error."),
};

static const struct program program = {
    .name = "churn-controller",
    .synopsis = "[options]",
    .description = "Watches ChurnModels and ChurnBatches, and runs their trainings and scorings as "
                   "Kubernetes Jobs.",
    .epilogue = "SIGTERM and SIGINT stop it gracefully: requests come to an end and the Lease is "
                "given back.\nExit codes: 0 stopped; 1 leadership lost, or it cannot start; "
                "64 usage.\n",
    .options = options,
    .option_count = ARRAY_SIZE(options),
};

/* --- signals -------------------------------------------------------------------- */

/* A signal handler has no context: what it touches must be here. */
static volatile sig_atomic_t stop_requests;
static struct transport *volatile waiting_transport;

/* The first request stops gracefully, the second at once. */
static void request_stop(int signal_number)
{
    (void)signal_number;
    if (++stop_requests > 1)
        _exit(1);
    if (waiting_transport)
        transport_wake(waiting_transport);
}

static void catch_signals(void)
{
    struct sigaction stop = { .sa_handler = request_stop };
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* --- wiring --------------------------------------------------------------------- */

/* A listing that hangs may outlive the controller: what it uses is never freed. */
static struct proxy_environment proxies;
static struct guard_peers private_peers = GUARD_PEERS_INIT;

/* All that lives as long as the process; zeroed members are not there yet. */
struct controller {
    struct arena arena;
    struct arguments arguments;
    struct settings settings;
    struct timers timers;
    struct transport *transport;
    struct kube_config config;
    struct kube_client *client;
    struct lease_options lease;
    uint64_t seed;
    struct manager *manager;
    struct telemetry *telemetry;
    struct hooks *hooks; /* NULL: no --hooks-address */
    struct hook_server *hook_server;
    bool clock_is_off;
};

static void controller_release(struct controller *controller)
{
    waiting_transport = NULL;
    telemetry_free(controller->telemetry);
    hooks_free(controller->hooks);
    hook_server_free(controller->hook_server);
    manager_free(controller->manager);
    kube_client_free(controller->client);
    kube_config_release(&controller->config);
    http_transport_free(controller->transport);
    timers_release(&controller->timers);
    arena_release(&controller->arena);
}

static uint64_t random_seed_of_process(void)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        seed = (uint64_t)clock_wall_ms(&clock_system) ^ (uint64_t)getpid();
    return seed;
}

static const char *default_identity(struct controller *controller)
{
    char host[HOST_LENGTH] = "";

    if (gethostname(host, sizeof(host) - 1) < 0 || !*host)
        return arena_format(&controller->arena, "churn-controller_%016" PRIx64, controller->seed);
    return arena_format(&controller->arena, "%s_%08" PRIx32, host, (uint32_t)controller->seed);
}

/* Keys that came over an open network would let anybody sign. */
static int check_keys_url(const char *text, struct err *err)
{
    struct url url;

    if (url_parse(text, &url, err) < 0)
        return err_wrap(err, "--hooks-keys-url");
    if (url.https || proxy_is_loopback(url.host))
        return 0;
    return err_set(err, ERR_INVALID, "--hooks-keys-url %s: must be https://", text);
}

static int check_hooks(const struct arguments *arguments, struct err *err)
{
    if (!arguments->hooks_address)
        return 0;
    if (!arguments->hooks_audience && !arguments->hooks_token_file)
        return err_set(err, ERR_INVALID,
                       "--hooks-address %s: needs --hooks-audience, --hooks-token-file, or both",
                       arguments->hooks_address);
    if (arguments->hooks_token_file && hooks_check_token_file(arguments->hooks_token_file, err) < 0)
        return err_wrap(err, "--hooks-token-file");
    return check_keys_url(arguments->hooks_keys_url, err);
}

static int check_arguments(struct controller *controller, struct err *err)
{
    struct arguments *arguments = &controller->arguments;
    enum log_level level;

    if (log_level_parse(arguments->log_level, &level, err) < 0)
        return -1;
    log_set_level(level);
    for (size_t i = 0; i < arguments->file_roots.count; i++)
        if (arguments->file_roots.items[i][0] != '/')
            return err_set(err, ERR_INVALID, "--file-root %s: must be an absolute path",
                           arguments->file_roots.items[i]);
    for (size_t i = 0; i < arguments->allowed_uris.count; i++)
        if (lookup_check_allowed(arguments->allowed_uris.items[i], err) < 0)
            return err_wrap(err, "--allowed-uri %s", arguments->allowed_uris.items[i]);
    if (arguments->registry_ca && access(arguments->registry_ca, R_OK) < 0)
        return err_errno(err, errno, "--registry-ca %s", arguments->registry_ca);
    if (check_hooks(arguments, err) < 0)
        return -1;
    if (!arguments->identity)
        arguments->identity = default_identity(controller);
    controller->settings = (struct settings){ .trainer_image = arguments->trainer_image,
                                              .scorer_image = arguments->scorer_image,
                                              .file_roots = arguments->file_roots,
                                              .allowed_uris = arguments->allowed_uris,
                                              .probe_pods = arguments->probe_pods };
    controller->lease =
        (struct lease_options){ .namespace = "default",
                                .name = LEASE_NAME,
                                .identity = arguments->identity,
                                .duration_ms = arguments->lease_duration_ms,
                                .renew_deadline_ms = arguments->lease_renew_deadline_ms,
                                .retry_period_ms = arguments->lease_retry_period_ms,
                                .seed = controller->seed + 100 };
    return arguments->leader_elect ? lease_options_complete(&controller->lease, err) : 0;
}

static void warn(void *context, const char *text)
{
    (void)context;
    log_write(LOG_WARNING, "the API server warns", LOG_TEXT("warning", text));
}

static int connect_to_cluster(struct controller *controller, struct err *err)
{
    struct kube_environment environment = { .kubeconfig = getenv("KUBECONFIG"),
                                            .home = getenv("HOME"),
                                            .service_host = getenv("KUBERNETES_SERVICE_HOST"),
                                            .service_port = getenv("KUBERNETES_SERVICE_PORT"),
                                            .variables = environ };
    struct kube_config_options config = { .kubeconfig = controller->arguments.kubeconfig,
                                          .context = controller->arguments.context,
                                          .user_agent = "churn-controller/" CHURN_VERSION };
    proxies = proxy_environment_read(program_variable, NULL);
    struct http_options http = { .user_agent = config.user_agent,
                                 .maximum_connections = MANAGER_CONNECTIONS_MAXIMUM,
                                 .proxies = proxies,
                                 .private_peers = &private_peers };

    if (kube_config_load(&environment, &config, &controller->config, err) < 0)
        return -1;
    controller->transport = http_transport_new(&http, err);
    if (!controller->transport)
        return -1;
    controller->client =
        kube_client_new(&(struct kube_client_options){ .transport = controller->transport,
                                                       .timers = &controller->timers,
                                                       .config = &controller->config,
                                                       .field_manager = "churn-controller",
                                                       .on_warning = warn });
    return 0;
}

/* --- pushes --- */

static bool leads(void *context)
{
    return manager_leads(((struct controller *)context)->manager);
}

static const char *leader_address(void *context)
{
    return manager_leader_address(((struct controller *)context)->manager);
}

static size_t object_came(void *context, const char *uri)
{
    return manager_push(((struct controller *)context)->manager, uri);
}

/* What other replicas may say http:// to; NULL: they cannot reach us. */
static const char *own_address(struct controller *controller)
{
    const struct arguments *arguments = &controller->arguments;
    char *host auto_free = NULL;
    unsigned port;
    const char *name;

    if (!controller->hook_server ||
        telemetry_parse_address(arguments->hooks_address, &host, &port, NULL) < 0)
        return NULL;
    name = arguments->hooks_host ? arguments->hooks_host : host;
    if (strcmp(name, "0.0.0.0") == 0 || strcmp(name, "::") == 0)
        return NULL;
    return arena_format(&controller->arena, strchr(name, ':') ? "[%s]:%u" : "%s:%u", name,
                        hook_server_port(controller->hook_server));
}

/* Pushes that come before there is a manager wait for the first turn of the loop. */
static int start_hooks(struct controller *controller, struct err *err)
{
    const struct arguments *arguments = &controller->arguments;

    if (!arguments->hooks_address)
        return 0;
    controller->hooks =
        hooks_new(&(struct hooks_options){ .transport = controller->transport,
                                           .clock = &clock_system,
                                           .issuer = arguments->hooks_issuer,
                                           .keys_url = arguments->hooks_keys_url,
                                           .audience = arguments->hooks_audience,
                                           .emails = arguments->hooks_emails,
                                           .token_file = arguments->hooks_token_file,
                                           .leads = leads,
                                           .leader_address = leader_address,
                                           .object_came = object_came,
                                           .context = controller });
    controller->hook_server =
        hook_server_new(arguments->hooks_address, controller->transport, controller->hooks, err);
    return controller->hook_server ? 0 : -1;
}

/* --- all of it --- */

static int start_manager(struct controller *controller, struct err *err)
{
    const struct arguments *arguments = &controller->arguments;

    controller->lease.note_name = MANAGER_ADDRESS_NOTE;
    controller->lease.note = own_address(controller);
    controller->lease.namespace =
        arguments->lease_namespace ? arguments->lease_namespace : controller->config.namespace;
    controller->manager = manager_new(
        &(struct manager_options){ .client = controller->client,
                                   .transport = controller->transport,
                                   .timers = &controller->timers,
                                   .settings = &controller->settings,
                                   .namespace = arguments->namespace,
                                   .registries = { .insecure = arguments->insecure_registries,
                                                   .ca_file = arguments->registry_ca,
                                                   .google_metadata = getenv("GCE_METADATA_HOST") },
                                   .identity = arguments->identity,
                                   .lease = arguments->leader_elect ? &controller->lease : NULL,
                                   .buckets = { .variable = program_variable,
                                                .proxies = &proxies,
                                                .private_peers = &private_peers },
                                   .seed = controller->seed,
                                   .watch_list = arguments->watch_list },
        err);
    return controller->manager ? 0 : -1;
}

static int start(struct controller *controller, struct err *err)
{
    timers_init(&controller->timers, &clock_system);
    if (connect_to_cluster(controller, err) < 0)
        return -1;
    waiting_transport = controller->transport;
    controller->telemetry = telemetry_new(controller->arguments.metrics_address, err);
    if (!controller->telemetry || start_hooks(controller, err) < 0 ||
        start_manager(controller, err) < 0)
        return -1;
    log_write(LOG_INFO, "started", LOG_TEXT("version", CHURN_VERSION),
              LOG_TEXT("config", controller->config.origin),
              LOG_TEXT("identity", controller->arguments.identity),
              LOG_TEXT("address", controller->arguments.metrics_address),
              LOG_INT("metricsPort", telemetry_port(controller->telemetry)),
              LOG_INT("hooksPort",
                      controller->hook_server ? hook_server_port(controller->hook_server) : 0));
    return 0;
}

/* --- running -------------------------------------------------------------------- */

/* Leases and tokens do not depend on it; schedules and times in status do. */
static void tell_skew(struct controller *controller, int64_t skew_ms)
{
    bool is_off = skew_ms > SKEW_MS || skew_ms < -SKEW_MS;

    if (is_off && !controller->clock_is_off)
        log_write(LOG_WARNING, "this clock is not the API server's: schedules follow this one",
                  LOG_INT("aheadSeconds", skew_ms / 1000));
    else if (!is_off && controller->clock_is_off)
        log_write(LOG_INFO, "this clock is the API server's again");
    controller->clock_is_off = is_off;
}

/* Publishes figures when they are old, or when readiness has changed. */
static void publish(struct controller *controller, int64_t *published_ms, bool *published_ready)
{
    int64_t now_ms = clock_monotonic_ms(&clock_system);
    bool ready = manager_is_ready(controller->manager);
    struct metrics metrics;

    if (ready == *published_ready && now_ms - *published_ms < PUBLISH_MS)
        return;
    manager_snapshot(controller->manager, &metrics);
    if (controller->hooks)
        hooks_snapshot(controller->hooks, &metrics);
    telemetry_publish(controller->telemetry, &metrics);
    tell_skew(controller, metrics.clock_skew_ms);
    *published_ms = now_ms;
    *published_ready = ready;
}

static int run(struct controller *controller)
{
    struct manager *manager = controller->manager;
    int64_t published_ms = 0;
    bool published_ready = false;

    while (!manager_is_stopped(manager) && !manager_loss(manager)) {
        if (stop_requests > 0)
            manager_stop(manager);
        manager_turn(manager, TELEMETRY_TURN_MS);
        if (controller->hook_server)
            hook_server_poll(controller->hook_server);
        publish(controller, &published_ms, &published_ready);
    }
    if (manager_loss(manager)) {
        log_failure(LOG_ERROR, "leadership is lost", manager_loss(manager));
        return 1;
    }
    log_write(LOG_INFO, "stopped");
    return EXIT_CODE_DONE;
}

int main(int argc, char **argv)
{
    __attribute__((cleanup(controller_release))) struct controller controller = { 0 };
    struct strings operands;
    struct err err;
    int code;

    catch_signals();
    controller.seed = random_seed_of_process();
    if (!options_begin(&program, argc, argv, &controller.arena, &controller.arguments, &operands,
                       &code))
        return code;
    if (check_arguments(&controller, &err) < 0) {
        fprintf(stderr, "churn-controller: %s\n", err.message);
        return EXIT_CODE_USAGE;
    }
    if (start(&controller, &err) < 0) {
        log_failure(LOG_ERROR, "cannot start", &err);
        return 1;
    }
    return run(&controller);
}
