/*
 * The table of open streams: what each may still send, what it was sent and has not passed on, and the descriptors
 * between it and its worker process, or its client. A worker speaks in messages of one byte of frame type and the payload; what
 * it says is checked, because it may run as a user of the guest.
 */
#ifndef STREAM_H
#define STREAM_H

#include <sys/types.h>

#include "frame.h"
#include "loop.h"

struct stream {
    bool is_open;
    uint8_t verb;
    uint32_t id;
    pid_t worker;         /* 0 once reaped */
    struct watch control; /* message socket to the worker */
    struct watch out;     /* SPAWN: output pipe or pty master */
    struct watch err;     /* SPAWN: error pipe */
    struct watch in;      /* SPAWN: stdin pipe, or a second descriptor of the pty master */
    uint32_t send_credit; /* what the host still takes */
    uint32_t receive_credit; /* what the host may still send */
    uint32_t passed_on;   /* bytes taken from the host and not credited back yet */
    uint32_t input_start, input_used;
    size_t message_sent;  /* how much of the worker's waiting DATA message is out already */
    bool takes_input;
    bool has_pty;
    bool has_eof;         /* the host said EOF */
    bool passed_eof;
    bool has_replied;
    bool is_cancelled;
    bool has_told_eof;    /* ACCEPT: the client said it sends no more, and so did we */
};

/* What a new stream gets; descriptors that do not apply are -1. The stream owns them from here. */
struct stream_parts {
    pid_t worker;
    int control, out, err, in;
    bool takes_input, has_pty;
};

void streams_init(void);
/* Whether another stream fits. */
bool streams_have_room(void);
/* Precondition: streams_have_room. */
struct stream *stream_open(uint32_t id, uint8_t verb, const struct stream_parts *parts);
/* NULL when no such stream is open. */
struct stream *stream_find(uint32_t id);
/* Ends every stream without a frame; their workers see the closed socket and kill what they run. */
void streams_drop_all(void);
/* The connection-less ACCEPT stream that was opened first; NULL when there is none. */
struct stream *stream_awaiting_client(void);
/* Gives it a client: a connected, nonblocking socket, which the stream owns from here. */
void stream_connect(struct stream *s, int client);
/* A child of the agent was reaped: it is no stream's worker any more. */
void streams_forget_worker(pid_t pid);
bool stream_is_worker(pid_t pid);

/* Host frames on an open stream. They return NULL, or what the host did wrong. */
const char *stream_take_data(struct stream *s, const uint8_t *bytes, uint32_t size);
const char *stream_take_credit(struct stream *s, uint32_t bytes);
void stream_take_eof(struct stream *s);
void stream_take_cancel(struct stream *s);
const char *stream_take_signal(struct stream *s, uint32_t signo);
const char *stream_take_resize(struct stream *s, uint16_t rows, uint16_t columns);

#endif
