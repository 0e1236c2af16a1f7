/* The duties of the first process of a machine. */
#ifndef PID1_H
#define PID1_H

/*
 * Mounts /proc, /sys and /dev, gives the process its three standard descriptors, loads the modules in /modules and
 * opens the host's port. Returns the port. A failure is said on the console and powers the machine off.
 */
int pid1_start(void);
/* Kills everything, syncs, unmounts what can be and powers off. */
_Noreturn void pid1_power_off(void);

#endif
