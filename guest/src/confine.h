/*
 * Confinement of executions where the kernel is the host's own: they keep only the named capabilities, gain none, and can't
 * call what widens their reach in the kernel.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdint.h>

/* For this process and all it starts, for good. `keep` has a bit for each capability. Returns 0 or an errno. */
int confine(uint64_t keep);

#endif
