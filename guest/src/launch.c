#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "agent.h"
#include "cgroup.h"
#include "child.h"
#include "confine.h"
#include "path.h"
#include "pid1.h"

extern char **environ;

static int status_pipe;

static _Noreturn void give_up(char step, int code)
{
    struct launch_failure f = {.code = code, .step = step};
    (void)!write(status_pipe, &f, sizeof f);
    _exit(127);
}

/* The checked str32s as an array of strings. Lives until exec. */
static char **strings_of(struct bytes all, uint16_t count)
{
    struct reader r = reader_of(all.at, all.length);
    char **list = calloc((size_t)count + 1, sizeof *list);
    /* Each string's NUL takes the room of its length. */
    char *text = malloc(all.length + 1);
    if (!list || !text)
        give_up('m', ENOMEM);
    for (uint16_t i = 0; i < count; i++) {
        struct bytes s = read_str32(&r);
        path_copy(text, s);
        list[i] = text;
        text += s.length + 1;
    }
    return list;
}

/* What the agent has over what it runs: see pid1_stand_above. */
static void step_down(void)
{
    if (agent.is_pid1 && !pid1_step_down())
        give_up('l', errno);
}

static void set_limits(uint32_t max_files)
{
    struct rlimit files = agent.files;
    if (max_files != 0)
        files.rlim_cur = files.rlim_max = max_files;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        give_up('l', errno);
}

static void set_descriptors(const struct supervisor_parts *p)
{
    int in = p->terminal >= 0 ? p->terminal : p->in;
    int out = p->terminal >= 0 ? p->terminal : p->out;
    int err = p->terminal >= 0 ? p->terminal : p->err >= 0 ? p->err : p->out;
    if (p->terminal >= 0 && ioctl(p->terminal, TIOCSCTTY, 0) != 0)
        give_up('t', errno);
    /* Standard input is /dev/null already when there is no pipe. */
    if ((in >= 0 && dup2(in, 0) < 0) || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        give_up('t', errno);
}

_Noreturn void launch(const struct supervisor_parts *parts, int group, int status, pid_t supervisor,
                      const struct request *q)
{
    const struct spawn_request *s = &q->as.spawn;
    char cwd[MAX_PATH + 1];
    status_pipe = status;
    child_reset_signals();
    setsid();
    if (group >= 0 && cgroup_enter(group) != 0)
        give_up('g', errno);
    step_down();
    set_limits(s->max_files);
    set_descriptors(parts);
    if (child_become(s->uid, s->gid) != 0)
        give_up('u', errno);
    /* After the change of user, which clears it. A supervisor that died in between is noticed here. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(127);
    umask(022);
    path_copy(cwd, s->cwd);
    if (chdir(cwd) != 0)
        give_up('d', errno);
    int code = agent.confines ? confine(agent.keep) : 0;
    if (code != 0)
        give_up('c', code);
    char **argv = strings_of(s->argv, s->argc);
    environ = strings_of(s->envp, s->envc);
    /* Point of no return: every other descriptor closes on exec. */
    execvp(argv[0], argv);
    give_up('x', errno);
}
