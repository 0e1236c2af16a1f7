#include "execution.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "agent.h"
#include "child.h"
#include "link.h"
#include "own.h"
#include "stream.h"
#include "supervisor.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

/* Both sides of everything between the agent and one execution; owned until handed on. */
struct plumbing {
    int control[2];
    int in[2], out[2], err[2]; /* pipes: 0 reads, 1 writes */
    int master, master_too, terminal;
};

static void close_plumbing(struct plumbing *p)
{
    int *all[] = {&p->control[0], &p->control[1], &p->in[0],  &p->in[1],      &p->out[0],  &p->out[1],
                  &p->err[0],     &p->err[1],     &p->master, &p->master_too, &p->terminal};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        close_fd(all[i]);
}

#define owned_plumbing __attribute__((cleanup(close_plumbing))) struct plumbing

static bool set_nonblocking(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0; }

/* Asks the pty itself for its other end, so no path to /dev/pts is needed. */
static bool open_pty(struct plumbing *p, const struct spawn_request *s)
{
    struct winsize size = {.ws_row = s->rows, .ws_col = s->columns};
    int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
    p->master = posix_openpt(flags);
    if (p->master < 0 || grantpt(p->master) != 0 || unlockpt(p->master) != 0)
        return false;
    p->terminal = ioctl(p->master, TIOCGPTPEER, flags);
    if (p->terminal < 0)
        return false;
    ioctl(p->master, TIOCSWINSZ, &size);
    if (agent.is_root && fchown(p->terminal, s->uid, s->gid) != 0)
        return false;
    p->master_too = fcntl(p->master, F_DUPFD_CLOEXEC, 0);
    return p->master_too >= 0 && set_nonblocking(p->master);
}

static bool open_pipes(struct plumbing *p, uint32_t options)
{
    if (pipe2(p->out, O_CLOEXEC) != 0 || !set_nonblocking(p->out[0]))
        return false;
    if (!(options & SPAWN_MERGE) && (pipe2(p->err, O_CLOEXEC) != 0 || !set_nonblocking(p->err[0])))
        return false;
    return !(options & SPAWN_STDIN) || (pipe2(p->in, O_CLOEXEC) == 0 && set_nonblocking(p->in[1]));
}

static bool open_plumbing(struct plumbing *p, const struct request *q)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->control) != 0)
        return false;
    return q->options & SPAWN_PTY ? open_pty(p, &q->as.spawn) : open_pipes(p, q->options);
}

void execution_start(uint32_t stream, const struct request *q)
{
    owned_plumbing p = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}, -1, -1, -1};
    if (agent.is_frozen) {
        link_send_error(stream, EBUSY, "frozen");
        return;
    }
    if (!open_plumbing(&p, q)) {
        link_send_error(stream, errno, q->options & SPAWN_PTY ? "pty" : "pipe");
        return;
    }
    struct supervisor_parts parts = {.control = p.control[1],
                                     .in = p.in[0],
                                     .out = p.out[1],
                                     .err = p.err[1],
                                     .terminal = p.terminal,
                                     .base = agent.cgroup_fd,
                                     .number = agent.executions++};
    int *const keep[] = {&parts.control, &parts.in, &parts.out, &parts.err, &parts.terminal, &parts.base};
    pid_t pid = child_fork(keep, sizeof keep / sizeof keep[0]);
    if (pid == 0)
        supervisor_run(&parts, q);
    if (pid < 0) {
        link_send_error(stream, errno, "fork");
        return;
    }
    bool has_pty = q->options & SPAWN_PTY;
    stream_open(stream, T_SPAWN,
                &(struct stream_parts){.worker = pid,
                                       .control = steal_fd(&p.control[0]),
                                       .out = steal_fd(has_pty ? &p.master : &p.out[0]),
                                       .err = steal_fd(&p.err[0]),
                                       .in = steal_fd(has_pty ? &p.master_too : &p.in[1]),
                                       .takes_input = has_pty || (q->options & SPAWN_STDIN),
                                       .has_pty = has_pty});
}
