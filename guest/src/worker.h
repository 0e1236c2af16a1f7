/*
 * The worker's side of the message socket: it answers one request in a process of its own, so a hung file system
 * or a full host never holds up the agent. Everything here blocks; a closed socket ends the process.
 */
#ifndef WORKER_H
#define WORKER_H

#include "request.h"

/* Set by worker_run; for supervisors by themselves. */
extern int worker_socket;

_Noreturn void worker_run(int socket, const struct request *q, int upper, int base);

/* Sends one message. Ends the process when the agent is gone. */
void worker_say(uint8_t type, const void *payload, size_t size);
/* Buffers DATA; goes out in messages as large as allowed. */
void worker_put(const void *bytes, size_t size);
/* Sends what is buffered, then END, and exits. */
_Noreturn void worker_finish(const void *payload, size_t size);
/* Sends what is buffered, then ERROR, and exits. The message should name the path. */
_Noreturn void worker_fail(int code, const char *message);
/* As above with a path that need not end in NUL. */
_Noreturn void worker_fail_path(int code, struct bytes path);

/* Reads exactly `size` bytes of what the host sends. False at a clean end before the first; ends the stream with
 * EPROTO when it ends in the middle. */
bool worker_get(void *bytes, size_t size);
/* Reads whatever is there, 1 to `size` bytes; 0 at the end. */
size_t worker_get_some(void *bytes, size_t size);
/* What the process must do before it dies of CANCEL: remove this path (NULL: nothing). */
void worker_set_temporary(const char *path);

/* The verbs; each ends the process. */
_Noreturn void verb_read(const struct request *q);
_Noreturn void verb_write(const struct request *q);
_Noreturn void verb_stat(const struct request *q);
_Noreturn void verb_list(const struct request *q);
_Noreturn void verb_remove(const struct request *q);
_Noreturn void verb_changes(const struct request *q, int upper);
_Noreturn void verb_fetch(const struct request *q);
_Noreturn void verb_unpack(const struct request *q);
_Noreturn void verb_freeze(bool freeze, int base);
_Noreturn void verb_probe(uint16_t port);

#endif
