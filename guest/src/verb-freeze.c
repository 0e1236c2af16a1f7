/* FREEZE and THAW: every process of every execution, all at once. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "cgroup.h"
#include "descendants.h"
#include "worker.h"

enum { DEADLINE_MS = 5000, MOST_ROUNDS = 2000, PATIENT_ROUNDS = 50, CLEAN_ROUNDS = 2, ROUND_MS = 2, EXECUTED_DEPTH = 2 };

/* Agent's children are supervisors and workers; what they run is one level further down. */
static uint32_t stop_all(pid_t top)
{
    int clean = 0;
    for (int round = 0; round < MOST_ROUNDS; round++) {
        /* A parent in vfork waits, uninterruptibly, for a child that is stopped: it will never look stopped. */
        bool accept_blocked = round >= PATIENT_ROUNDS;
        clean = descendants_stop(top, EXECUTED_DEPTH, accept_blocked) == 0 ? clean + 1 : 0;
        /* Twice, since a child may have been born behind the place where the list was being read. */
        if (clean == CLEAN_ROUNDS)
            return (uint32_t)descendants_signal(top, 0, EXECUTED_DEPTH, NULL);
        poll(NULL, 0, clean > 0 ? 0 : ROUND_MS);
    }
    worker_fail(ETIMEDOUT, "processes did not stop");
}

_Noreturn void verb_freeze(bool freeze, int base)
{
    pid_t top = getppid();
    uint32_t count = 0;
    if (base >= 0) {
        if (cgroup_freeze(base, freeze, DEADLINE_MS) != 0)
            worker_fail(errno, "cgroup.freeze");
        count = cgroup_count(base);
    } else if (freeze) {
        count = stop_all(top);
    } else {
        descendants_signal(top, SIGCONT, EXECUTED_DEPTH, NULL);
    }
    uint8_t payload[4];
    struct writer w = writer_of(payload, sizeof payload);
    write_u32(&w, count);
    worker_finish(payload, freeze ? w.used : 0);
}
