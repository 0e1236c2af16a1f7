/* What the agent knows about itself and was told by SETUP. One process, one of these; workers inherit a copy. */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "protocol.h"

struct agent {
    bool is_pid1;
    bool is_root;              /* effective uid 0: requests' uid and gid are honoured */
    bool is_frozen;            /* between FREEZE and THAW */
    bool has_workspace;
    bool upper_uses_user_xattr; /* an overlay was mounted with userxattr */
    char workspace[MAX_PATH + 1];
    int upper_fd;              /* upper layer of the workspace's overlay; -1: capture by walk */
    int cgroup_fd;             /* the cgroup that holds the executions' groups; -1: none */
    bool confines;             /* executions are confined to these capabilities */
    uint64_t keep;
    struct rlimit files;       /* the limit executions get when none is asked for */
    uint64_t executions;       /* counted, to name their groups */
};

extern struct agent agent;

/* Writes one line to standard error: the console for PID 1. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

#endif
