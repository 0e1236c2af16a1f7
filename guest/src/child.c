#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "descendants.h"
#include "own.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* More than the streams: ended streams' workers may still be going. */
enum { MOST_CHILDREN = 4 * MAX_STREAMS, FIRST_KEPT = 3 };

static pid_t known[MOST_CHILDREN];

void child_reset_signals(void)
{
    sigset_t none;
    /* The system call itself: a C library refuses to touch the signals it keeps for itself (32, 33), and a parent
     * that ignores those would have every command inherit it. All zero is the default action. */
    static const unsigned long default_action[8];
    for (int s = 1; s <= 64; s++)
        syscall(SYS_rt_sigaction, s, default_action, NULL, sizeof(uint64_t));
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(unsigned first)
{
    if (syscall(SYS_close_range, first, ~0U, 0) == 0)
        return;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned fd = first; fd < limit.rlim_cur; fd++)
        close((int)fd);
}

void child_keep_only(int *const keep[], size_t count)
{
    int low = FIRST_KEPT + (int)count;
    for (size_t i = 0; i < count; i++) {
        if (*keep[i] >= 0 && *keep[i] < low)
            *keep[i] = fcntl(*keep[i], F_DUPFD_CLOEXEC, low);
    }
    int next = FIRST_KEPT;
    for (size_t i = 0; i < count; i++) {
        if (*keep[i] < 0)
            continue;
        dup3(*keep[i], next, O_CLOEXEC);
        *keep[i] = next++;
    }
    close_from((unsigned)next);
}

pid_t child_fork(int *const keep[], size_t count)
{
    size_t slot = 0;
    while (slot < MOST_CHILDREN && known[slot] != 0)
        slot++;
    if (slot == MOST_CHILDREN) {
        errno = EAGAIN;
        return -1;
    }
    pid_t pid = fork();
    if (pid > 0)
        known[slot] = pid;
    if (pid == 0) {
        child_reset_signals();
        child_keep_only(keep, count);
    }
    return pid;
}

bool child_is_known(pid_t pid)
{
    for (size_t i = 0; i < MOST_CHILDREN; i++) {
        if (known[i] == pid)
            return true;
    }
    return false;
}

bool child_any_known(void)
{
    for (size_t i = 0; i < MOST_CHILDREN; i++) {
        if (known[i] != 0)
            return true;
    }
    return false;
}

bool child_reap_all(void (*reaped)(pid_t pid))
{
    pid_t pid;
    bool found_stray = false;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
        found_stray |= !child_is_known(pid);
        for (size_t i = 0; i < MOST_CHILDREN; i++) {
            if (known[i] == pid)
                known[i] = 0;
        }
        reaped(pid);
    }
    return found_stray;
}

void child_kill_strays(void) { descendants_signal(getpid(), SIGKILL, 1, child_is_known); }

/* In a user namespace that was made without privilege nobody may change groups: leaving some could widen access. */
static bool groups_are_fixed(void)
{
    char text[8] = "";
    owned_fd fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    bool is_fixed = n > 0 && strncmp(text, "deny", 4) == 0;
    if (!is_fixed)
        errno = EPERM;
    return is_fixed;
}

int child_become(uid_t uid, gid_t gid)
{
    if (!agent.is_root)
        return 0;
    /* Exactly the one group: the agent's own supplementary groups must not leak into a user's process. */
    bool has_groups = setgroups(1, &gid) == 0 || (errno == EPERM && groups_are_fixed());
    if (!has_groups || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return -1;
    return 0;
}
