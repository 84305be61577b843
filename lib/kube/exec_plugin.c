#include "kube/exec_plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/num.h"

static const char *const *copy_texts(const char *const *texts, size_t count, struct arena *arena)
{
    const char **copies = arena_zero(arena, count + 1, sizeof(*copies));

    for (size_t i = 0; i < count; i++)
        copies[i] = arena_strdup(arena, texts[i]);
    return copies;
}

static const char *copy_text(const char *text, struct arena *arena)
{
    return text ? arena_strdup(arena, text) : NULL;
}

struct exec_plugin *exec_plugin_copy(const struct exec_plugin *plugin, struct arena *arena)
{
    struct exec_plugin *copy = arena_zero(arena, 1, sizeof(*copy));

    *copy = *plugin;
    copy->command = copy_text(plugin->command, arena);
    copy->arguments = copy_texts(plugin->arguments, plugin->argument_count, arena);
    copy->variables = copy_texts(plugin->variables, plugin->variable_count, arena);
    copy->api_version = copy_text(plugin->api_version, arena);
    copy->install_hint = copy_text(plugin->install_hint, arena);
    copy->cluster_json = copy_text(plugin->cluster_json, arena);
    return copy;
}

void exec_credential_release(struct exec_credential *credential)
{
    free(credential->token);
    free(credential->certificate_pem);
    free(credential->key_pem);
    *credential = (struct exec_credential){ 0 };
}

/* --- starting it ------------------------------------------------------------ */

static char *exec_info(const struct exec_plugin *plugin, struct arena *arena)
{
    return arena_format(arena,
                        "KUBERNETES_EXEC_INFO={\"apiVersion\":\"%s\",\"kind\":\"ExecCredential\","
                        "\"spec\":{\"interactive\":false%s%s}}",
                        plugin->api_version, plugin->cluster_json ? ",\"cluster\":" : "",
                        plugin->cluster_json ? plugin->cluster_json : "");
}

/* Whether a later "NAME=value" sets the same variable. */
static bool is_overridden(const char *variable, char *const *later)
{
    size_t length = strcspn(variable, "=") + 1;

    for (; *later; later++)
        if (strncmp(variable, *later, length) == 0)
            return true;
    return false;
}

/* Ours, then the kubeconfig's, then KUBERNETES_EXEC_INFO; of one name only the last. */
static char **build_environment(const struct exec_plugin *plugin, struct arena *arena)
{
    size_t ours = 0, count = 0;

    while (plugin->environment && plugin->environment[ours])
        ours++;

    size_t total = ours + plugin->variable_count + 1;
    char **all = arena_zero(arena, total + 1, sizeof(*all));

    for (size_t i = 0; i < ours; i++)
        all[i] = plugin->environment[i];
    for (size_t i = 0; i < plugin->variable_count; i++)
        all[ours + i] = arena_strdup(arena, plugin->variables[i]);
    all[total - 1] = exec_info(plugin, arena);
    for (size_t i = 0; i < total; i++)
        if (!is_overridden(all[i], all + i + 1))
            all[count++] = all[i];
    all[count] = NULL;
    return all;
}

static char **build_arguments(const struct exec_plugin *plugin, struct arena *arena)
{
    char **all = arena_zero(arena, plugin->argument_count + 2, sizeof(*all));

    all[0] = arena_strdup(arena, plugin->command);
    for (size_t i = 0; i < plugin->argument_count; i++)
        all[i + 1] = arena_strdup(arena, plugin->arguments[i]);
    return all;
}

/* A running plugin; descriptors are -1 when they are closed. */
struct process {
    pid_t pid;
    int handle; /* pidfd */
    int output, errors;
};

/* In a process group of its own, so that its children can be killed too; with SIGPIPE as usual,
 * which we ignore. */
static int spawn(const struct exec_plugin *plugin, int output, int errors, pid_t *ret_pid)
{
    struct arena arena = { 0 };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int result;

    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    result = posix_spawnp(ret_pid, plugin->command, &actions, &attributes,
                          build_arguments(plugin, &arena), build_environment(plugin, &arena));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    arena_release(&arena);
    return result;
}

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

static int start(const struct exec_plugin *plugin, struct process *ret_process, struct err *err)
{
    int output[2], errors[2], result;
    struct process process = { .handle = -1 };

    if (pipe2(output, O_CLOEXEC) < 0)
        return err_errno(err, errno, "a pipe for the exec plugin %s", plugin->command);
    if (pipe2(errors, O_CLOEXEC) < 0) {
        result = errno;
        close(output[0]);
        close(output[1]);
        return err_errno(err, result, "a pipe for the exec plugin %s", plugin->command);
    }
    result = spawn(plugin, output[1], errors[1], &process.pid);
    close(output[1]);
    close(errors[1]);
    process.output = output[0];
    process.errors = errors[0];
    if (result == 0) {
        *ret_process = process;
        return 0;
    }
    close_descriptor(&process.output);
    close_descriptor(&process.errors);
    return err_set(err, ERR_NOT_FOUND, "the exec plugin %s cannot be started: %s%s%s",
                   plugin->command, strerrordesc_np(result), plugin->install_hint ? "; " : "",
                   plugin->install_hint ? plugin->install_hint : "");
}

/* --- hearing it out ----------------------------------------------------------- */

/* Reads what is there; closes the descriptor at its end. What does not fit is thrown away, one
 * piece a call: a plugin that never stops writing must not keep us from looking at the time. */
static void drain(int *descriptor, struct buf *out)
{
    char piece[4096];
    ssize_t length;

    while (*descriptor >= 0) {
        length = read(*descriptor, piece, sizeof(piece));
        if (length > 0)
            buf_append(out, piece, (size_t)length);
        else if (length == 0 || (errno != EAGAIN && errno != EINTR))
            close_descriptor(descriptor);
        if (out->overflow || (length < 0 && errno == EAGAIN))
            return;
    }
}

/* Until the process itself has ended: a child of it may keep the pipes open. False: too late. */
static bool listen_to(struct process *process, int64_t deadline_ms, struct buf *output,
                      struct buf *errors)
{
    bool ended = false;

    fcntl(process->output, F_SETFL, O_NONBLOCK);
    fcntl(process->errors, F_SETFL, O_NONBLOCK);
    while (!ended) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms(&clock_system);
        struct pollfd polled[] = { { process->handle, POLLIN, 0 },
                                   { process->output, POLLIN, 0 },
                                   { process->errors, POLLIN, 0 } };

        if (left_ms <= 0)
            return false;
        if (poll(polled, 3, (int)left_ms) < 0 && errno != EINTR)
            return false;
        ended = polled[0].revents != 0;
        drain(&process->output, output);
        drain(&process->errors, errors);
    }
    return true;
}

static const char *last_line(struct buf *errors)
{
    while (errors->length > 0 && strchr("\r\n ", errors->data[errors->length - 1]))
        errors->data[--errors->length] = '\0';

    const char *line = strrchr(buf_text(errors), '\n');
    return line ? line + 1 : buf_text(errors);
}

static int judge(const struct exec_plugin *plugin, int status, struct buf *errors, struct err *err)
{
    const char *line = last_line(errors);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        return err_set(err, ERR_DENIED, "the exec plugin %s failed with exit code %d%s%s",
                       plugin->command, WEXITSTATUS(status), *line ? ": " : "", line);
    return err_set(err, ERR_DENIED, "the exec plugin %s was killed by signal %d", plugin->command,
                   WTERMSIG(status));
}

static int run(const struct exec_plugin *plugin, int64_t timeout_ms, struct buf *output,
               struct err *err)
{
    auto_buf struct buf errors = { 0 };
    struct process process;
    bool ended;
    int status = 0;

    buf_init(&errors, LIMIT_PLUGIN_ERRORS);
    if (start(plugin, &process, err) < 0)
        return -1;
    process.handle = pidfd_open(process.pid, 0);
    ended = process.handle >= 0 &&
            listen_to(&process, clock_monotonic_ms(&clock_system) + timeout_ms, output, &errors);
    if (!ended)
        kill(-process.pid, SIGKILL);
    while (waitpid(process.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close_descriptor(&process.handle);
    close_descriptor(&process.output);
    close_descriptor(&process.errors);
    if (!ended)
        return err_set(err, ERR_RETRY, "the exec plugin %s did not end within %lld s",
                       plugin->command, (long long)(timeout_ms / 1000));
    return judge(plugin, status, &errors, err);
}

/* --- its answer ---------------------------------------------------------------- */

static const char *present(const char *text)
{
    return text && *text ? text : NULL;
}

static char *copy_or_null(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

static int decode(const struct exec_plugin *plugin, struct span text,
                  struct exec_credential *ret_credential, struct err *err)
{
    auto_json json_t *document = jx_parse(text, LIMIT_CREDENTIAL, "its output", err);
    const json_t *status = jx_get(document, "status", NULL);
    const char *kind = jx_string(document, "kind", NULL);
    const char *version = jx_string(document, "apiVersion", NULL);
    const char *expires = jx_string(status, "expirationTimestamp", NULL);
    const char *token = present(jx_string(status, "token", NULL));
    const char *certificate = present(jx_string(status, "clientCertificateData", NULL));
    const char *key = present(jx_string(status, "clientKeyData", NULL));
    int64_t expires_ms = 0;

    if (!document)
        return -1;
    if (!kind || strcmp(kind, "ExecCredential") != 0 || !version ||
        strcmp(version, plugin->api_version) != 0)
        return err_set(err, ERR_INVALID, "its output is no ExecCredential of %s",
                       plugin->api_version);
    if (!token && !certificate)
        return err_set(err, ERR_INVALID, "its ExecCredential has neither token nor certificate");
    if (!certificate != !key)
        return err_set(
            err, ERR_INVALID,
            "its ExecCredential has only one of clientCertificateData and clientKeyData");
    if (expires && num_time_ms(span_of(expires), &expires_ms, err) < 0)
        return err_wrap(err, "its status.expirationTimestamp");
    *ret_credential = (struct exec_credential){ .token = copy_or_null(token),
                                                .certificate_pem = copy_or_null(certificate),
                                                .key_pem = copy_or_null(key),
                                                .expires_ms = expires_ms };
    return 0;
}

int exec_plugin_run(const struct exec_plugin *plugin, int64_t timeout_ms,
                    struct exec_credential *ret_credential, struct err *err)
{
    auto_buf struct buf output = { 0 };

    buf_init(&output, LIMIT_CREDENTIAL);
    if (run(plugin, timeout_ms, &output, err) < 0)
        return -1;
    if (buf_check(&output, "its output", err) < 0 ||
        decode(plugin, (struct span){ output.data, output.length }, ret_credential, err) < 0)
        return err_wrap(err, "the exec plugin %s", plugin->command);
    return 0;
}
