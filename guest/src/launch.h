/* The last steps of a process before it becomes the command. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <sys/types.h>

#include "supervisor.h"

/* What could not be done, sent through the status pipe. */
struct launch_failure {
    int code;
    char step; /* 'g' cgroup, 'l' limit, 'u' user, 'd' working directory, 'x' exec, 'm' memory, 't' terminal,
                  'c' confinement */
};

/* Runs in the forked child. Never returns: the command runs, or `status` gets a launch_failure. */
_Noreturn void launch(const struct supervisor_parts *parts, int group, int status, pid_t supervisor,
                      const struct request *q);

#endif
