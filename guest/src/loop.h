/*
 * The event loop's watches. Two epoll sets, one inside the other: streams' descriptors are "sources" and can all
 * be held back at once while the link to the host is congested; the link and the signals never are.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
    int fd; /* -1: unused */
    uint32_t armed;
    bool is_source;
    void *owner;
    void (*ready)(struct watch *self, uint32_t events);
};

/* Makes the two sets. False with errno when the system refuses. */
bool loop_open(void);
/*
 * Waits for these events on the watch's descriptor; 0 takes it out altogether, since epoll reports hang-ups of
 * everything that is in it. Does nothing when nothing changes.
 */
void loop_arm(struct watch *w, uint32_t events);
/* Takes it out and closes its descriptor. */
void loop_close(struct watch *w);
/* Waits once, at most `timeout_ms` (-1: for ever). Sources are served only while `may_serve` says so. */
void loop_turn(int timeout_ms, bool (*may_serve)(void));

#endif
