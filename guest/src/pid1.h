/* The duties of the first process of a machine. */
#ifndef PID1_H
#define PID1_H

#include <stdbool.h>

/*
 * Mounts /proc, /sys and /dev, gives the process its three standard descriptors, loads the modules in /modules and
 * opens the host's port. Returns the port. A failure is said on the console and powers the machine off.
 */
int pid1_start(void);
/*
 * The agent and what it does for the host go before what it runs: a machine full of processes still answers, and one
 * that is short of memory loses something else. Executions step down from there.
 */
void pid1_stand_above(void);
/* False with errno when it can't. */
bool pid1_step_down(void);
/* Kills everything, syncs, unmounts what can be and powers off. */
_Noreturn void pid1_power_off(void);

#endif
