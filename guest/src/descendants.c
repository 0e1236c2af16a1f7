#include "descendants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "own.h"

enum { MOST_PROCESSES = 32768, ROUND_MS = 5 };

struct process {
    pid_t pid, parent;
    int depth; /* 0: not known to be below the root */
    char state;
};

static struct process processes[MOST_PROCESSES];

static bool read_process(int proc, const char *name, struct process *p)
{
    char path[64];
    snprintf(path, sizeof path, "%.20s/stat", name);
    owned_fd fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    char text[512];
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    /* The name in parentheses is the process's own choice and may hold anything: the last one ends it. */
    char *after = strrchr(text, ')');
    if (!after || strlen(after) < 4)
        return false;
    p->pid = (pid_t)strtol(name, NULL, 10);
    p->state = after[2];
    p->parent = (pid_t)strtol(after + 4, NULL, 10);
    p->depth = 0;
    return true;
}

static size_t read_all(void)
{
    owned_dir dir = opendir("/proc");
    size_t count = 0;
    if (!dir)
        return 0;
    for (struct dirent *e; count < MOST_PROCESSES && (e = readdir(dir));) {
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && read_process(dirfd(dir), e->d_name, &processes[count]))
            count++;
    }
    return count;
}

/* The kernel lists /proc by rising pid. */
static const struct process *find(size_t count, pid_t pid)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (processes[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && processes[low].pid == pid ? &processes[low] : NULL;
}

/* Depths spread from parents to children until nothing changes; parents mostly come first, so this is quick. */
static void mark_depths(size_t count, pid_t root, bool (*spare)(pid_t pid))
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < count; i++) {
            struct process *p = &processes[i];
            if (p->depth != 0)
                continue;
            const struct process *parent = find(count, p->parent);
            bool is_below = p->parent == root || (parent && parent->depth > 0);
            if (!is_below || (spare && spare(p->pid)))
                continue;
            p->depth = p->parent == root ? 1 : parent->depth + 1;
            changed = true;
        }
    }
}

static bool is_alive_below(const struct process *p, int least_depth)
{
    return p->depth > 0 && p->depth >= least_depth && p->state != 'Z' && p->state != 'X';
}

size_t descendants_signal(pid_t root, int signo, int least_depth, bool (*spare)(pid_t pid))
{
    size_t count = read_all(), reached = 0;
    mark_depths(count, root, spare);
    for (size_t i = 0; i < count; i++) {
        const struct process *p = &processes[i];
        if (is_alive_below(p, least_depth) && kill(p->pid, signo) == 0)
            reached++;
    }
    return reached;
}

size_t descendants_stop(pid_t root, int least_depth, bool accept_blocked)
{
    size_t count = read_all(), running = 0;
    mark_depths(count, root, NULL);
    for (size_t i = 0; i < count; i++) {
        const struct process *p = &processes[i];
        if (!is_alive_below(p, least_depth) || p->state == 'T' || p->state == 't')
            continue;
        bool was_sent = kill(p->pid, SIGSTOP) == 0;
        running += was_sent && !(accept_blocked && p->state == 'D');
    }
    return running;
}

/* True when no child is left at all. */
static bool reap(void)
{
    pid_t pid;
    do
        pid = waitpid(-1, NULL, WNOHANG);
    while (pid > 0);
    return pid < 0 && errno == ECHILD;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool descendants_kill_all(int deadline_ms, void (*also)(void *), void *argument)
{
    int64_t end = now_ms() + deadline_ms;
    while (!reap()) {
        if (also)
            also(argument);
        descendants_signal(getpid(), SIGKILL, 1, NULL);
        if (reap())
            return true;
        if (now_ms() > end)
            return false;
        poll(NULL, 0, ROUND_MS);
    }
    return true;
}
