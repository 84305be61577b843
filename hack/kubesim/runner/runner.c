#include "kubesim/runner/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/limits.h"
#include "kubesim/runner/folder.h"
#include "kubesim/runner/launch.h"

/* A container runtime rotates logs at 10 MiB. */
#define LIMIT_POD_LOG     (16 * MIB)
#define LOG_CHECK_MS      1000
#define RETRY_MS          2000 /* for an image or a Secret that is not there yet */
#define MESSAGE_BYTES     4096 /* of a termination message, as the kubelet */
#define MESSAGE_LOG_BYTES 2048 /* of the log in its place */

struct process {
    struct runner *runner;
    char *uid, *folder;
    json_t *pod;
    pid_t pid; /* 0: does not run */
    bool stopping, killed, waited;
    struct timer begin_timer; /* start, and again after a failure */
    struct timer kill_timer, log_timer;
};

static char *path_in(const struct process *process, const char *name)
{
    return mem_format("%s/%s", process->folder, name);
}

static void report(struct process *process, const struct pod_report *report)
{
    kubelet_report(&process->runner->cluster->kubelet, process->uid, report);
}

/* --- the end ----------------------------------------------------------------------------- */

static void read_file(const char *path, off_t offset, struct buf *out)
{
    char bytes[16 * 1024];
    ssize_t length;
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    while (!out->overflow && (length = pread(fd, bytes, sizeof(bytes), offset)) > 0) {
        buf_append(out, bytes, (size_t)length);
        offset += length;
    }
}

void runner_read_log(void *context, const char *uid, uint64_t offset, struct buf *out)
{
    struct runner *runner = context;
    const struct process *process = index_get(&runner->pods, uid);
    if (!process)
        return;
    auto_free char *path = path_in(process, "log");
    read_file(path, (off_t)offset, out);
}

/* JSON takes UTF-8 only: other bytes become '?'. */
static void make_printable(char *text)
{
    json_t *value = json_string(text);
    for (; !value && *text; text++)
        if ((unsigned char)*text >= 0x80)
            *text = '?';
    json_decref(value);
}

/* The termination message; after a failure without one, the end of the log when the container
 * asks for that. */
static char *termination_message(const struct process *process, bool failed)
{
    const json_t *container = json_array_get(jx_get(process->pod, "spec", "containers", NULL), 0);
    const char *policy = jx_string(container, "terminationMessagePolicy", NULL);
    auto_free char *path = path_in(process, "termination-log");
    auto_buf struct buf text;
    buf_init(&text, MESSAGE_BYTES);
    read_file(path, 0, &text);
    if (text.length == 0 && failed && policy && strcmp(policy, "FallbackToLogsOnError") == 0) {
        auto_free char *log = path_in(process, "log");
        struct stat status;
        off_t size = stat(log, &status) == 0 ? status.st_size : 0;
        read_file(log, size > MESSAGE_LOG_BYTES ? size - MESSAGE_LOG_BYTES : 0, &text);
    }
    char *message = mem_strdup(buf_text(&text));
    make_printable(message);
    return message;
}

static void ended(struct process *process, int status)
{
    struct timers *timers = process->runner->cluster->timers;
    int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    int code = signal_number ? 128 + signal_number : WEXITSTATUS(status);
    bool out_of_memory = signal_number == SIGKILL && !process->killed;
    process->pid = 0;
    timer_stop(timers, &process->kill_timer);
    timer_stop(timers, &process->log_timer);
    auto_free char *message = termination_message(process, code != 0);
    report(process, &(struct pod_report){ .phase = POD_TERMINATED,
                                          .reason = out_of_memory ? "OOMKilled"
                                                    : code        ? "Error"
                                                                  : "Completed",
                                          .message = *message ? message : NULL,
                                          .exit_code = code,
                                          .signal = signal_number });
}

void runner_reap(struct runner *runner)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < runner->pods.count; i++) {
            struct process *process = runner->pods.entries[i].value;
            if (process->pid != pid)
                continue;
            kill(-pid, SIGKILL); /* what it left behind in its group */
            ended(process, status);
            break;
        }
    }
}

/* --- the beginning --------------------------------------------------------------------------- */

static void keep_log_small(void *context)
{
    struct process *process = context;
    auto_free char *path = path_in(process, "log");
    struct stat status;
    if (stat(path, &status) == 0 && status.st_size > (off_t)LIMIT_POD_LOG && truncate(path, 0) != 0)
        return;
    timer_set(process->runner->cluster->timers, &process->log_timer, LOG_CHECK_MS);
}

/* In the child: only async-signal-safe calls. */
static void become(const struct launch *launch, const char *folder, int log, pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 ||
        dup2(log, 2) < 0 || chdir(folder) != 0)
        _exit(126);
    close_range(3, ~0U, 0);
    execve(launch->program, launch->arguments, launch->environment);
    _exit(127);
}

static int spawn(struct process *process, const struct launch *launch, struct err *err)
{
    auto_free char *log_path = path_in(process, "log");
    auto_close int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return err_errno(err, errno, "%s", log_path);
    if (access(launch->program, X_OK) != 0)
        return err_errno(err, errno, "%s", launch->program);
    pid_t parent = getpid();
    process->pid = fork();
    if (process->pid == 0)
        become(launch, process->folder, log, parent);
    if (process->pid < 0) {
        process->pid = 0;
        return err_errno(err, errno, "fork");
    }
    setpgid(process->pid, process->pid); /* as the child does: whoever comes first */
    return 0;
}

/* Reports why it waits and tries again later: the image or the Secret may come. */
static void wait_for(struct process *process, const char *reason, const char *message)
{
    report(process,
           &(struct pod_report){ .phase = POD_WAITING, .reason = reason, .message = message });
    timer_set(process->runner->cluster->timers, &process->begin_timer, RETRY_MS);
}

static void wait_for_image(struct process *process, const char *reference)
{
    auto_free char *message = process->waited
                                  ? mem_format("Back-off pulling image \"%s\"", reference)
                                  : mem_format("failed to pull image \"%s\": not found", reference);
    wait_for(process, process->waited ? "ImagePullBackOff" : "ErrImagePull", message);
    process->waited = true;
}

static void run(struct process *process, const struct image *image, const char *reference,
                const struct launch *launch)
{
    struct err err;
    const char *end = reference + strlen(reference), *at = strchr(reference, '@');
    const char *slash = strrchr(reference, '/'), *colon = strchr(slash ? slash : reference, ':');
    end = at ? at : colon ? colon : end;
    auto_free char *image_id =
        mem_format("%.*s@%s", (int)(end - reference), reference, image->digest);
    if (spawn(process, launch, &err) != 0) {
        report(process, &(struct pod_report){ .phase = POD_TERMINATED,
                                              .reason = "StartError",
                                              .message = err.message,
                                              .image_id = image_id,
                                              .exit_code = 128 });
        return;
    }
    report(process, &(struct pod_report){ .phase = POD_RUNNING, .image_id = image_id });
    timer_set(process->runner->cluster->timers, &process->log_timer, LOG_CHECK_MS);
}

static void begin(void *context)
{
    struct process *process = context;
    struct runner *runner = process->runner;
    const json_t *container = json_array_get(jx_get(process->pod, "spec", "containers", NULL), 0);
    const char *reference = jx_string(container, "image", NULL);
    struct launch launch;
    auto_arena struct arena arena = { 0 };
    struct err err;
    if (process->stopping) {
        report(process, &(struct pod_report){ .phase = POD_NEVER_RAN });
        return;
    }
    const struct image *image = images_find(runner->images, reference);
    if (!image)
        wait_for_image(process, reference);
    else if (folder_make(process->folder, &err) != 0 ||
             launch_prepare(runner->cluster, process->pod, image->program, runner->bin,
                            process->folder, &arena, &launch, &err) != 0)
        wait_for(process, "CreateContainerConfigError", err.message);
    else
        run(process, image, reference, &launch);
}

/* --- the port ----------------------------------------------------------------------------------
 */

static void kill_group(void *context)
{
    struct process *process = context;
    process->killed = true;
    kill(-process->pid, SIGKILL);
}

static void start_pod(void *context, const json_t *pod)
{
    struct runner *runner = context;
    struct process *process = mem_zero(1, sizeof(*process));
    process->runner = runner;
    process->uid = mem_strdup(jx_string(pod, "metadata", "uid", NULL));
    process->folder = mem_format("%s/%s", runner->data, process->uid);
    process->pod = json_incref((json_t *)pod);
    process->begin_timer = (struct timer){ .fire = begin, .context = process };
    process->kill_timer = (struct timer){ .fire = kill_group, .context = process };
    process->log_timer = (struct timer){ .fire = keep_log_small, .context = process };
    index_put(&runner->pods, process->uid, process);
    timer_set(runner->cluster->timers, &process->begin_timer, 0);
}

static void stop_pod(void *context, const char *uid, int64_t grace_ms)
{
    struct runner *runner = context;
    struct process *process = index_get(&runner->pods, uid);
    struct timers *timers = runner->cluster->timers;
    if (!process)
        return;
    process->stopping = true;
    if (process->pid == 0) {
        timer_set(timers, &process->begin_timer, 0);
        return;
    }
    if (grace_ms > 0)
        kill(-process->pid, SIGTERM);
    timer_set(timers, &process->kill_timer, grace_ms);
}

static void forget_pod(void *context, const char *uid)
{
    struct runner *runner = context;
    struct process *process = index_remove(&runner->pods, uid);
    struct timers *timers = runner->cluster->timers;
    if (!process)
        return;
    if (process->pid)
        kill(-process->pid, SIGKILL);
    timer_stop(timers, &process->begin_timer);
    timer_stop(timers, &process->kill_timer);
    timer_stop(timers, &process->log_timer);
    folder_remove(process->folder);
    json_decref(process->pod);
    free(process->folder);
    free(process->uid);
    free(process);
}

const struct pod_port runner_port = { start_pod, stop_pod, forget_pod };

void runner_release(struct runner *runner)
{
    while (runner->pods.count > 0)
        forget_pod(runner, runner->pods.entries[0].key);
    index_release(&runner->pods);
    while (waitpid(-1, NULL, 0) > 0) /* all of them were killed */
        ;
}
