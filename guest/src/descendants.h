/* The processes below one process, found through /proc. */
#ifndef DESCENDANTS_H
#define DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Sends the signal (0: none, only count) to every living process at least `least_depth` levels below `root`
 * (children are level 1), except subtrees whose top `spare` accepts (NULL: none). Returns how many took it.
 */
size_t descendants_signal(pid_t root, int signo, int least_depth, bool (*spare)(pid_t pid));
/*
 * Sends SIGSTOP likewise to all that are not stopped yet. Returns how many those were; with `accept_blocked` those
 * in an uninterruptible wait are not counted: they stop before they run any instruction of their own again.
 */
size_t descendants_stop(pid_t root, int least_depth, bool accept_blocked);
/*
 * For a subreaper: kills and reaps everything below the caller, again until nothing is left. False when something
 * was still alive after `deadline_ms`. `also` (may be NULL) runs on each round.
 */
bool descendants_kill_all(int deadline_ms, void (*also)(void *), void *argument);

#endif
