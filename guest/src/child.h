/* The agent's own children: workers and supervisors. Anything else that turns up as a child is a stray. */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Forks. In the child (returns 0) signals are as a fresh program has them, and the descriptors in `keep` are the
 * only ones left besides 0, 1 and 2: they are moved to 3 and up and written back, with close-on-exec set.
 * In the parent the child is remembered until it is reaped.
 */
pid_t child_fork(int *const keep[], size_t count);
bool child_is_known(pid_t pid);
/* Whether any of them is left. */
bool child_any_known(void);
/* Reaps whoever ended. True when a stray was among them: its own children are strays now. */
bool child_reap_all(void (*reaped)(pid_t pid));
/*
 * Kills every descendant that is not in the care of a known child: what a supervisor left that was itself killed.
 */
void child_kill_strays(void);
/* Signals to their defaults, nothing blocked. */
void child_reset_signals(void);
/* Moves the descriptors to 3 and up and closes the rest. -1 entries stay -1. */
void child_keep_only(int *const keep[], size_t count);
/* Becomes the user, if the agent is root; else does nothing. 0 or -1 with errno. */
int child_become(uid_t uid, gid_t gid);

#endif
