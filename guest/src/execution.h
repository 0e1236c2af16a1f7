/* SPAWN, the agent's half: descriptors, and the supervisor process that runs the command. */
#ifndef EXECUTION_H
#define EXECUTION_H

#include "request.h"

/* Starts the execution and opens its stream, or answers ERROR. */
void execution_start(uint32_t stream, const struct request *q);

#endif
