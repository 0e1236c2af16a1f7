/*
 * The connection to the host: bytes in, frames out, both through fixed buffers. The link knows frames, not what
 * they mean; whoever opens it says what to do with one.
 */
#ifndef LINK_H
#define LINK_H

#include "frame.h"

/* Room that must be free before a frame of the host is handled: its answers always fit. */
enum { LINK_ANSWER_ROOM = 8192, LINK_SOURCE_ROOM = MAX_DATA + LINK_ANSWER_ROOM };

struct link_handlers {
    /* A checked header has arrived, its payload perhaps not yet. Returns NULL, or what is wrong with it. */
    const char *(*header)(const struct frame *f);
    /* A whole frame. Returns NULL, or what is wrong with it. */
    const char *(*frame)(const struct frame *f, const uint8_t *payload);
    /* The host came (back): greet it. */
    void (*connected)(void);
    /* The host is gone: end everything that was done for it. */
    void (*lost)(void);
};

/*
 * Takes both descriptors. A port (virtio-serial) outlives its host: hang-up means waiting for the next one. On any
 * other stream the end is final, and link_is_over turns true.
 */
void link_open(int in_fd, int out_fd, bool is_port, const struct link_handlers *handlers);
size_t link_room(void);
bool link_has_room_for_source(void);
/* Queues a frame. The caller made sure of the room; a frame that does not fit is a bug and ends the agent. */
void link_send(uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t size);
void link_send_end(uint32_t stream, const void *payload, size_t size);
/* `code` is an errno; the message is cut to what the wire allows. */
void link_send_error(uint32_t stream, int code, const char *message);
/* Queues FATAL; nothing of this host is read any more, and a stream that is not a port is over once it is out. */
void link_break(int code, const char *message);
/* Writes what the descriptor takes and arms the watches for the next turn. Returns the longest wait in ms, -1: any. */
int link_prepare(void);
bool link_is_over(void);
/* Writes everything queued, blocking at most `deadline_ms`. */
void link_drain(int deadline_ms);

#endif
