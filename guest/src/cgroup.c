#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "own.h"

enum { REMOVE_TRIES = 50, REMOVE_PAUSE_MS = 2, FREEZE_PAUSE_MS = 1 };

static int write_value(int dir, const char *file, const char *value)
{
    owned_fd fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, value, strlen(value));
    return n < 0 ? -1 : 0;
}

static int write_number(int dir, const char *file, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return write_value(dir, file, text);
}

static bool read_file(int dir, const char *file, char *text, size_t size)
{
    owned_fd fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (n < 0)
        return false;
    text[n] = '\0';
    return true;
}

/* The number behind "key " in a flat-keyed file of the kernel's. */
static uint64_t read_keyed(int dir, const char *file, const char *key)
{
    char text[1024];
    if (!read_file(dir, file, text, sizeof text))
        return 0;
    size_t length = strlen(key);
    for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return strtoull(line + length + 1, NULL, 10);
    }
    return 0;
}

/* One by one: a controller that is missing must not keep the others out. */
static void enable_controllers(int dir)
{
    static const char *const wanted[] = {"+pids", "+memory", "+cpu"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        (void)!write_value(dir, "cgroup.subtree_control", wanted[i]);
}

static int make_and_open(int dir, const char *name)
{
    if (mkdirat(dir, name, 0755) != 0 && errno != EEXIST)
        return -1;
    return openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int set_limit(int group, const char *file, uint64_t value)
{
    if (value == 0 || write_number(group, file, value) == 0)
        return 0;
    if (errno == ENOENT || errno == EACCES)
        errno = ENOTSUP;
    return -1;
}

int cgroup_open_base(const char *path, uint32_t max_processes)
{
    owned_fd top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return -1;
    if (faccessat(top, "cgroup.controllers", F_OK, 0) != 0) {
        errno = EINVAL; /* not a cgroup2 */
        return -1;
    }
    enable_controllers(top);
    owned_fd base = make_and_open(top, "executions");
    if (base < 0)
        return -1;
    enable_controllers(base);
    if (set_limit(base, "pids.max", max_processes) != 0)
        return -1;
    return steal_fd(&base);
}

int cgroup_create(int base, const char *name, uint32_t max_processes, uint64_t max_memory)
{
    owned_fd group = make_and_open(base, name);
    if (group < 0)
        return -1;
    if (set_limit(group, "pids.max", max_processes) != 0 || set_limit(group, "memory.max", max_memory) != 0)
        return -1;
    if (max_memory != 0)
        (void)!write_value(group, "memory.swap.max", "0"); /* missing without swap accounting */
    return steal_fd(&group);
}

int cgroup_enter(int group) { return write_value(group, "cgroup.procs", "0"); }

void cgroup_kill(int group) { (void)!write_value(group, "cgroup.kill", "1"); /* before 5.14: /proc is walked */ }

struct cgroup_usage cgroup_read_usage(int group)
{
    char text[64];
    struct cgroup_usage u = {0};
    if (read_file(group, "memory.peak", text, sizeof text))
        u.peak_memory = strtoull(text, NULL, 10);
    u.cpu_us = read_keyed(group, "cpu.stat", "usage_usec");
    u.was_killed_for_memory = read_keyed(group, "memory.events", "oom_kill") > 0;
    u.was_refused_processes = cgroup_count_refusals(group) > 0;
    return u;
}

uint64_t cgroup_count_refusals(int group) { return read_keyed(group, "pids.events", "max"); }

uint64_t cgroup_own_memory_kills(void)
{
    uint64_t kills = read_keyed(AT_FDCWD, "/sys/fs/cgroup/memory.events", "oom_kill");
    return kills != 0 ? kills : read_keyed(AT_FDCWD, "/sys/fs/cgroup/memory/memory.oom_control", "oom_kill");
}

uint64_t cgroup_own_refusals(void)
{
    uint64_t refusals = read_keyed(AT_FDCWD, "/sys/fs/cgroup/pids.events", "max");
    return refusals != 0 ? refusals : read_keyed(AT_FDCWD, "/sys/fs/cgroup/pids/pids.events", "max");
}

void cgroup_remove(int base, const char *name)
{
    for (int i = 0; i < REMOVE_TRIES && unlinkat(base, name, AT_REMOVEDIR) != 0 && errno == EBUSY; i++)
        poll(NULL, 0, REMOVE_PAUSE_MS);
}

int cgroup_freeze(int base, bool freeze, int deadline_ms)
{
    if (write_value(base, "cgroup.freeze", freeze ? "1" : "0") != 0)
        return -1;
    for (int waited = 0; waited < deadline_ms; waited += FREEZE_PAUSE_MS) {
        if ((read_keyed(base, "cgroup.events", "frozen") == 1) == freeze)
            return 0;
        poll(NULL, 0, FREEZE_PAUSE_MS);
    }
    errno = ETIMEDOUT;
    return -1;
}

static uint32_t count_lines(int group)
{
    owned_fd fd = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    char text[4096];
    uint32_t lines = 0;
    for (ssize_t n; fd >= 0 && (n = read(fd, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < n; i++)
            lines += text[i] == '\n';
    }
    return lines;
}

uint32_t cgroup_count(int base)
{
    owned_fd again = openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    owned_dir dir = again < 0 ? NULL : fdopendir(again);
    uint32_t count = 0;
    if (!dir)
        return 0;
    again = -1; /* the DIR owns it */
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        owned_fd group = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (group >= 0)
            count += count_lines(group);
    }
    return count;
}
