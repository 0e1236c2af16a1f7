/* cgroup2: one group per execution, below one group for all of them. */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>
#include <stdint.h>

struct cgroup_usage {
    uint64_t peak_memory; /* 0: not known */
    uint64_t cpu_us;      /* 0: not known */
    bool was_killed_for_memory;
    bool was_refused_processes; /* by its own limit, or by one above where the kernel counts that here */
};

/* Makes the group for all executions in the cgroup2 mounted at `path`. An open directory, or -1 with errno. */
int cgroup_open_base(const char *path, uint32_t max_processes);
/*
 * Makes and opens a group with its limits (0: none). -1 with errno; ENOTSUP when a limit was asked for whose
 * controller is missing.
 */
int cgroup_create(int base, const char *name, uint32_t max_processes, uint64_t max_memory);
/* Moves the calling process in. 0, or -1 with errno. */
int cgroup_enter(int group);
void cgroup_kill(int group);
struct cgroup_usage cgroup_read_usage(int group);
/* How often a limit of processes was reached. Kernels from 6.11 on count that where the limit is, older ones where the fork was. */
uint64_t cgroup_count_refusals(int group);
/* The same of this container's own group, of either version; 0 where the kernel doesn't say. */
uint64_t cgroup_own_memory_kills(void);
uint64_t cgroup_own_refusals(void);
/* Removes an empty group, waiting a little for it to become empty. */
void cgroup_remove(int base, const char *name);
/* Freezes or thaws everything below; waits until it is so, at most `deadline_ms`. 0, or -1 with errno. */
int cgroup_freeze(int base, bool freeze, int deadline_ms);
/* Processes in the groups directly below. */
uint32_t cgroup_count(int base);

#endif
