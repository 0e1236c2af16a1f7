#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "cgroup.h"
#include "child.h"
#include "descendants.h"
#include "launch.h"
#include "own.h"
#include "worker.h"

enum { KILL_DEADLINE_MS = 10000 };

static struct supervisor_parts parts;
static char group_name[32];
static int group = -1;
static uint64_t refusals_before, kills_before;
static pid_t main_process;
static int main_status;
static bool has_ended;   /* the main process, with main_status */
static bool is_running;  /* exec succeeded and REPLY was sent */
static bool is_orphaned; /* the agent is gone: nobody to tell */

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void kill_group(void *ignored)
{
    (void)ignored;
    if (group >= 0)
        cgroup_kill(group);
}

static void kill_everything(void)
{
    kill_group(NULL);
    descendants_signal(getpid(), SIGKILL, 1, NULL);
}

/* Kills what is left and removes the group. False when something could not be killed in time. */
static bool clean_up(void)
{
    /* A group also holds processes that got away from this parent; there should be none. */
    kill_group(NULL);
    return descendants_kill_all(KILL_DEADLINE_MS, kill_group, NULL);
}

static void remove_group(void)
{
    if (group >= 0)
        cgroup_remove(parts.base, group_name);
}

static _Noreturn void fail(int code, const char *message)
{
    clean_up();
    remove_group();
    worker_fail(code, message);
}

static void report_launch_failure(const struct launch_failure *f, const struct request *q)
{
    char text[MAX_MESSAGE + 1];
    struct reader program = reader_of(q->as.spawn.argv.at, q->as.spawn.argv.length);
    struct bytes what = f->step == 'd' ? q->as.spawn.cwd : read_str32(&program);
    const char *doing = f->step == 'd'   ? "working directory "
                        : f->step == 'u' ? "user for "
                        : f->step == 'g' ? "cgroup for "
                        : f->step == 'l' ? "limits for "
                        : f->step == 't' ? "terminal for "
                        : f->step == 'm' ? "memory for "
                                         : "exec ";
    snprintf(text, sizeof text, "%s%.*s", doing, (int)(what.length < 480 ? what.length : 480), (const char *)what.at);
    fail(f->code, text);
}

/* The status pipe has news: exec closed it, or a failure is in it. */
static void on_status(int *status, const struct request *q)
{
    struct launch_failure f;
    ssize_t n = read(*status, &f, sizeof f);
    close_fd(status);
    if (n == (ssize_t)sizeof f)
        report_launch_failure(&f, q);
    uint8_t payload[4];
    struct writer w = writer_of(payload, sizeof payload);
    write_u32(&w, (uint32_t)main_process);
    is_running = true;
    worker_say(T_REPLY, payload, w.used);
}

static void on_control(void)
{
    uint8_t message[2];
    ssize_t n = recv(parts.control, message, sizeof message, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        is_orphaned = true;
    if (n <= 0 || message[0] == T_CANCEL)
        kill_everything();
    else if (message[0] == T_SIGNAL && n == 2)
        descendants_signal(getpid(), message[1], 1, NULL);
}

static void on_child(int signals)
{
    struct signalfd_siginfo ignored;
    int status;
    (void)!read(signals, &ignored, sizeof ignored);
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == main_process) {
            has_ended = true;
            main_status = status;
        }
    }
}

static void watch_until_end(int signals, int *status, const struct request *q)
{
    while (!is_orphaned && !(has_ended && is_running)) {
        struct pollfd p[3] = {
            {.fd = *status, .events = POLLIN}, {.fd = parts.control, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(p, 3, -1) < 0)
            continue;
        if (p[2].revents)
            on_child(signals);
        if (p[0].revents)
            on_status(status, q);
        if (p[1].revents)
            on_control();
    }
}

static _Noreturn void report_end(int64_t started_us)
{
    struct rusage r;
    struct cgroup_usage u = {0};
    getrusage(RUSAGE_CHILDREN, &r);
    if (group >= 0) {
        u = cgroup_read_usage(group);
        u.was_refused_processes |= cgroup_count_refusals(parts.base) > refusals_before;
    } else if (agent.confines) { /* the group is all executions' together */
        u.was_killed_for_memory = cgroup_own_memory_kills() > kills_before;
        u.was_refused_processes = cgroup_own_refusals() > refusals_before;
    }
    uint64_t cpu_us = (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
                      (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
    bool was_signalled = WIFSIGNALED(main_status);
    int code = was_signalled ? WTERMSIG(main_status) : WEXITSTATUS(main_status);
    uint8_t payload[28];
    struct writer w = writer_of(payload, sizeof payload);
    write_u8(&w, was_signalled);
    write_u8(&w, (uint8_t)code);
    write_u8(&w, (uint8_t)((u.was_killed_for_memory ? END_KILLED_FOR_MEMORY : 0) |
                          (u.was_refused_processes ? END_REFUSED_PROCESSES : 0)));
    write_u8(&w, 0);
    write_u64(&w, (uint64_t)(now_us() - started_us));
    write_u64(&w, u.cpu_us != 0 ? u.cpu_us : cpu_us);
    write_u64(&w, u.peak_memory != 0 ? u.peak_memory : (uint64_t)r.ru_maxrss * 1024);
    remove_group();
    worker_finish(payload, w.used);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void open_group(const struct spawn_request *s)
{
    if (parts.base < 0) {
        if (agent.confines) {
            kills_before = cgroup_own_memory_kills();
            refusals_before = cgroup_own_refusals();
        }
        return;
    }
    refusals_before = cgroup_count_refusals(parts.base);
    snprintf(group_name, sizeof group_name, "x%llu", (unsigned long long)parts.number);
    group = cgroup_create(parts.base, group_name, s->max_processes, s->max_memory);
    if (group < 0) {
        int code = errno;
        unlinkat(parts.base, group_name, AT_REMOVEDIR);
        worker_fail(code, "cgroup for the execution");
    }
}

static void close_main_ends(void)
{
    close_fd(&parts.in);
    close_fd(&parts.out);
    close_fd(&parts.err);
    close_fd(&parts.terminal);
}

_Noreturn void supervisor_run(struct supervisor_parts *given, const struct request *q)
{
    int status[2];
    parts = *given;
    worker_socket = parts.control;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int signals = open_signals();
    open_group(&q->as.spawn);
    int64_t started_us = now_us();
    if (signals < 0 || pipe2(status, O_CLOEXEC) != 0)
        fail(errno, "supervisor");
    pid_t self = getpid();
    main_process = fork();
    if (main_process < 0)
        fail(errno, "fork");
    if (main_process == 0)
        launch(&parts, group, status[1], self, q);
    close(status[1]);
    close_main_ends();
    watch_until_end(signals, &status[0], q);
    bool is_clean = clean_up();
    if (is_orphaned) {
        remove_group();
        _exit(0);
    }
    if (!is_clean)
        fail(ETIMEDOUT, "processes of the execution could not be killed");
    report_end(started_us);
}
