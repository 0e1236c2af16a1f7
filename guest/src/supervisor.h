/*
 * One process per execution. It is the parent that every orphan of the execution comes to, so it can find and kill
 * whatever is left when the main process ends, and when the agent goes away.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "request.h"

/* Descriptors of the supervisor and its main process; -1 where there is none. */
struct supervisor_parts {
    int control;          /* message socket to the agent */
    int in, out, err;     /* the main process's ends */
    int terminal;         /* the pty's slave, instead of the three */
    int base;             /* the cgroup for all executions */
    uint64_t number;      /* names this execution's group */
};

_Noreturn void supervisor_run(struct supervisor_parts *parts, const struct request *q);

#endif
