/*
 * safe-coder-guest: the guest agent. As PID 1 it is a machine's init and talks through a virtio port; elsewhere
 * it is an ordinary process, `safe-coder-guest --fd N` or `--stdio`, and ends with its stream. A container's PID 1 is
 * given `--stdio`.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent.h"
#include "child.h"
#include "descendants.h"
#include "link.h"
#include "loop.h"
#include "own.h"
#include "pid1.h"
#include "session.h"
#include "stream.h"

enum { FILES_OF_AGENT = 8192, GRACE_MS = 3000, LEAVE_DEADLINE_MS = 5000, SHUTDOWN_DRAIN_MS = 2000 };

struct agent agent = {.upper_fd = -1, .cgroup_fd = -1};
static bool was_terminated;

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dprintf(2, "safe-coder-guest: ");
    vdprintf(2, format, arguments);
    dprintf(2, "\n");
    va_end(arguments);
}

static void on_signal(struct watch *w, uint32_t events)
{
    struct signalfd_siginfo info;
    (void)events;
    while (read(w->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD && child_reap_all(streams_forget_worker))
            child_kill_strays();
        else if (info.ssi_signo != SIGCHLD && !agent.is_pid1)
            was_terminated = true;
    }
}

/* Signals first: blocked before anything can be started that would end with one. */
static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* Ctrl-C at the terminal is for the host to act on */
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void raise_file_limit(void)
{
    getrlimit(RLIMIT_NOFILE, &agent.files);
    struct rlimit own = agent.files;
    if (own.rlim_cur < FILES_OF_AGENT)
        own.rlim_cur = own.rlim_max < FILES_OF_AGENT ? own.rlim_max : FILES_OF_AGENT;
    setrlimit(RLIMIT_NOFILE, &own);
}

/* Takes the stream's descriptors out of the way of 0 and 1, which become /dev/null for all that is started. */
static void take_stream(int in, int out, int taken[2])
{
    taken[0] = fcntl(in, F_DUPFD_CLOEXEC, 3);
    taken[1] = fcntl(out, F_DUPFD_CLOEXEC, 3);
    owned_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (taken[0] < 0 || taken[1] < 0 || null < 0) {
        say("cannot take the stream: %s", strerror(errno));
        exit(2);
    }
    if (in > 2)
        close(in);
    dup2(null, 0);
    dup2(null, 1);
    if (fcntl(2, F_GETFD) < 0)
        dup2(null, 2);
    if (null <= 2)
        steal_fd(&null);
}

static void parse_arguments(int argc, char **argv, int taken[2])
{
    if (argc == 2 && strcmp(argv[1], "--stdio") == 0) {
        take_stream(0, 1, taken);
        return;
    }
    if (argc == 3 && strcmp(argv[1], "--fd") == 0) {
        char *end;
        long fd = strtol(argv[2], &end, 10);
        if (*argv[2] != '\0' && *end == '\0' && fd >= 0 && fd <= 1048576 && fcntl((int)fd, F_GETFD) >= 0) {
            take_stream((int)fd, (int)fd, taken);
            return;
        }
    }
    dprintf(2, "usage: safe-coder-guest --fd N | --stdio\n");
    exit(64);
}

static void open_as_process(int argc, char **argv)
{
    int taken[2];
    parse_arguments(argc, argv, taken);
    /* The host's death ends us even when somebody else holds the stream open; we adopt what would get away. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    link_open(taken[0], taken[1], false, &session_handlers);
}

static void open_as_pid1(void)
{
    int port = pid1_start();
    int port_too = fcntl(port, F_DUPFD_CLOEXEC, 3);
    link_open(port, port_too, true, &session_handlers);
}

/* Supervisors see their sockets close and clean up after themselves; then goes whatever is left. */
static void leave(void)
{
    streams_drop_all();
    for (int waited = 0; child_any_known() && waited < GRACE_MS; waited++) {
        child_reap_all(streams_forget_worker);
        poll(NULL, 0, 1);
    }
    if (!descendants_kill_all(LEAVE_DEADLINE_MS, NULL, NULL))
        say("processes were left that could not be killed");
}

int main(int argc, char **argv)
{
    agent.is_pid1 = getpid() == 1 && !(argc == 2 && strcmp(argv[1], "--stdio") == 0);
    agent.is_root = geteuid() == 0;
    struct watch signals = {.fd = block_signals(), .ready = on_signal};
    streams_init();
    if (agent.is_pid1)
        open_as_pid1();
    else
        open_as_process(argc, argv);
    raise_file_limit();
    if (agent.is_pid1)
        pid1_stand_above();
    if (signals.fd < 0 || !loop_open()) {
        say("cannot start: %s", strerror(errno));
        return 2;
    }
    loop_arm(&signals, EPOLLIN);
    while (!link_is_over() && !was_terminated && !session_wants_shutdown())
        loop_turn(link_prepare(), link_has_room_for_source);
    if (session_wants_shutdown())
        link_drain(SHUTDOWN_DRAIN_MS);
    if (agent.is_pid1)
        pid1_power_off();
    leave();
    return 0;
}
