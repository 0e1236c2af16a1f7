/* SETUP: builds the world that executions live in. Runs in the agent itself, since ROOT moves the agent. */
#ifndef SETUP_H
#define SETUP_H

#include "request.h"

enum { SETUP_MESSAGE = 400 };

/* Runs the checked operations in order. 0, or an errno with `message` starting with the failed operation's index. */
int setup_run(uint16_t count, struct bytes operations, char message[SETUP_MESSAGE]);

#endif
