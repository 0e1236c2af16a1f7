#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "child.h"
#include "link.h"

enum { CREDIT_STEP = 65536 };

static struct stream table[MAX_STREAMS];
/* Input not passed on yet: as large as the credit, so that a worker that does not read stalls only itself. */
static uint8_t inputs[MAX_STREAMS][INITIAL_CREDIT] __attribute__((aligned(4096)));
/* One message or one read; never kept between events. */
static uint8_t scratch[1 + MAX_DATA];

static uint8_t *input_of(const struct stream *s) { return inputs[s - table]; }

static void arm(struct stream *s);
static void settle(struct stream *s);

void streams_init(void)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        struct stream *s = &table[i];
        s->control.fd = s->out.fd = s->err.fd = s->in.fd = -1;
    }
}

bool streams_have_room(void)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        if (!table[i].is_open)
            return true;
    }
    return false;
}

struct stream *stream_find(uint32_t id)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        if (table[i].is_open && table[i].id == id)
            return &table[i];
    }
    return NULL;
}

static void close_stream(struct stream *s)
{
    loop_close(&s->control);
    loop_close(&s->out);
    loop_close(&s->err);
    loop_close(&s->in);
    if (s->takes_input)
        madvise(input_of(s), INITIAL_CREDIT, MADV_DONTNEED);
    s->is_open = false;
}

/* File workers hold nothing of their own and may hang in a file system; supervisors end by themselves. */
static void stop_worker(struct stream *s)
{
    if (s->worker > 0 && s->verb != T_SPAWN)
        kill(s->worker, SIGTERM);
}

static void fail(struct stream *s, int code, const char *message)
{
    stop_worker(s);
    link_send_error(s->id, code, message);
    close_stream(s);
}

void streams_drop_all(void)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        if (!table[i].is_open)
            continue;
        stop_worker(&table[i]);
        close_stream(&table[i]);
    }
}

void streams_forget_worker(pid_t pid)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        if (table[i].worker == pid)
            table[i].worker = 0;
    }
}

bool stream_is_worker(pid_t pid)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        if (table[i].worker == pid)
            return true;
    }
    return false;
}

/* --- from the worker and its pipes to the host --- */

static bool has_bytes(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

/* Sends one read's worth. True when something was sent. Closes the source at its end. */
static bool pump_output(struct stream *s, struct watch *source, uint8_t flags)
{
    size_t most = s->send_credit < MAX_DATA ? s->send_credit : MAX_DATA;
    if (source->fd < 0 || most == 0)
        return false;
    ssize_t n = read(source->fd, scratch, most);
    if (n > 0) {
        s->send_credit -= (uint32_t)n;
        link_send(T_DATA, flags, s->id, scratch, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    loop_close(source); /* end of file; EIO is how a pty says it */
    return false;
}

/* Whether descriptors of the stream carry its bytes, and no worker's messages. */
static bool is_piped(const struct stream *s) { return s->verb == T_SPAWN || s->verb == T_ACCEPT; }

static void on_out(struct watch *w, uint32_t events)
{
    struct stream *s = w->owner;
    (void)events;
    pump_output(s, w, 0);
    settle(s);
}

static void on_err(struct watch *w, uint32_t events)
{
    struct stream *s = w->owner;
    (void)events;
    pump_output(s, w, DATA_STDERR);
    arm(s);
}

/*
 * The supervisor said END: its processes are dead and what they wrote is in the pipes. True when all of it is
 * sent. Output that the host gives no credit for holds the END back, unless it cancelled.
 */
static bool is_drained(struct stream *s)
{
    if (pump_output(s, &s->out, 0) || pump_output(s, &s->err, DATA_STDERR))
        return false;
    return s->is_cancelled || (!has_bytes(s->out.fd) && !has_bytes(s->err.fd));
}

/* How long the waiting message is, with its first bytes in scratch; -1: none yet; 0: the worker is gone. */
static ssize_t peek_message(const struct stream *s)
{
    ssize_t n = recv(s->control.fd, scratch, sizeof scratch, MSG_PEEK | MSG_DONTWAIT);
    /* A worker that ended with input unread resets the socket; its last words are still behind that error. */
    if (n < 0 && errno == ECONNRESET)
        n = recv(s->control.fd, scratch, sizeof scratch, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return -1;
    return n < 0 ? 0 : n;
}

static void drop_message(const struct stream *s)
{
    uint8_t type;
    (void)!recv(s->control.fd, &type, sizeof type, MSG_DONTWAIT);
}

static void forward_data(struct stream *s, size_t length)
{
    size_t left = length - 1 - s->message_sent;
    size_t n = left < s->send_credit ? left : s->send_credit;
    if (n > 0)
        link_send(T_DATA, 0, s->id, scratch + 1 + s->message_sent, n);
    s->send_credit -= (uint32_t)n;
    s->message_sent += n;
    if (n < left)
        return;
    s->message_sent = 0;
    drop_message(s);
}

static void forward_message(struct stream *s, size_t length)
{
    uint8_t type = scratch[0];
    if (type == T_DATA && s->verb != T_SPAWN && length > 1) {
        forward_data(s, length);
        return;
    }
    if (type == T_REPLY && !s->has_replied && length - 1 <= STAT_SIZE) {
        s->has_replied = true;
        link_send(T_REPLY, 0, s->id, scratch + 1, length - 1);
        drop_message(s);
        return;
    }
    bool is_error = type == T_ERROR && length >= 1 + 6 && length <= 1 + 6 + MAX_MESSAGE;
    if (!is_error && (type != T_END || length - 1 > LINK_ANSWER_ROOM / 2)) {
        fail(s, EPROTO, "worker broke its protocol");
        return;
    }
    if (s->verb == T_SPAWN) {
        bool done = is_drained(s);
        if (!done)
            return;
        if (peek_message(s) != (ssize_t)length)
            return; /* draining used the scratch; a datagram does not change */
    }
    link_send(type, 0, s->id, scratch + 1, length - 1);
    close_stream(s);
}

static void on_control_readable(struct stream *s)
{
    ssize_t length = peek_message(s);
    if (length < 0)
        return;
    if (length == 0) {
        if (s->verb == T_SPAWN)
            child_kill_strays();
        fail(s, EIO, "worker died");
    } else {
        forward_message(s, (size_t)length);
    }
}

/* --- from the host to the worker --- */

static void credit_back(struct stream *s, size_t bytes)
{
    s->passed_on += (uint32_t)bytes;
    if (s->passed_on < CREDIT_STEP || s->has_eof)
        return;
    uint8_t payload[4];
    struct writer w = writer_of(payload, sizeof payload);
    write_u32(&w, s->passed_on);
    link_send(T_CREDIT, 0, s->id, payload, w.used);
    s->receive_credit += s->passed_on;
    s->passed_on = 0;
}

static void consume_input(struct stream *s, size_t bytes)
{
    s->input_start = (s->input_start + (uint32_t)bytes) % INITIAL_CREDIT;
    s->input_used -= (uint32_t)bytes;
    if (s->input_used == 0)
        s->input_start = 0;
    credit_back(s, bytes);
}

/* The bytes at the front that lie in one piece, at most `most`. */
static size_t front_input(const struct stream *s, size_t most)
{
    size_t n = INITIAL_CREDIT - s->input_start;
    n = s->input_used < n ? s->input_used : n;
    return n < most ? n : most;
}

static void on_stdin_writable(struct watch *w, uint32_t events)
{
    struct stream *s = w->owner;
    (void)events;
    size_t n = front_input(s, MAX_DATA);
    ssize_t sent = n == 0 ? 0 : write(w->fd, input_of(s) + s->input_start, n);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        loop_close(w); /* nobody reads it any more: what comes is dropped, with its credit given back */
        sent = s->input_used;
        consume_input(s, (size_t)sent);
    } else if (sent > 0) {
        consume_input(s, (size_t)sent);
    }
    settle(s);
}

static bool send_to_worker(struct stream *s, uint8_t type, const void *bytes, size_t size)
{
    struct iovec parts[2] = {{.iov_base = &type, .iov_len = 1}, {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(s->control.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void on_control_writable(struct stream *s)
{
    size_t n = front_input(s, MAX_DATA / 2);
    if (n > 0) {
        if (send_to_worker(s, T_DATA, input_of(s) + s->input_start, n))
            consume_input(s, n);
    } else if (s->has_eof && !s->passed_eof) {
        s->passed_eof = send_to_worker(s, T_EOF, NULL, 0);
    }
}

static void on_control(struct watch *w, uint32_t events)
{
    struct stream *s = w->owner;
    if (events & EPOLLOUT)
        on_control_writable(s);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_control_readable(s);
    if (s->is_open)
        arm(s);
}

/* --- what to wait for --- */

/* Whether the next message can be handled: partly sent DATA, and an END behind output, wait for credit. */
static bool can_take_message(const struct stream *s)
{
    if (s->send_credit > 0 || s->is_cancelled)
        return true;
    uint8_t type = 0;
    if (recv(s->control.fd, &type, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return true; /* nothing there, or the end: both are for the loop to see */
    if (type == T_DATA)
        return false;
    bool is_last = type == T_END || type == T_ERROR;
    return !(is_last && s->verb == T_SPAWN && (has_bytes(s->out.fd) || has_bytes(s->err.fd)));
}

static void pass_eof(struct stream *s)
{
    /* A client has one socket for both directions. */
    if (s->verb == T_ACCEPT && s->in.fd < 0 && !s->has_replied)
        return;
    s->passed_eof = true;
    if (s->verb == T_ACCEPT && s->in.fd >= 0)
        shutdown(s->in.fd, SHUT_WR);
    loop_close(&s->in);
}

static void arm(struct stream *s)
{
    bool has_input = s->input_used > 0;
    if (is_piped(s)) {
        if (!has_input && s->has_eof && !s->has_pty && !s->passed_eof)
            pass_eof(s);
        loop_arm(&s->in, has_input ? EPOLLOUT : 0);
        /* Output waits for REPLY, which takes the way through the supervisor. */
        bool may_send = s->has_replied && s->send_credit > 0;
        loop_arm(&s->out, may_send ? EPOLLIN : 0);
        loop_arm(&s->err, may_send ? EPOLLIN : 0);
    }
    bool feeds_worker = !is_piped(s) && s->takes_input && (has_input || (s->has_eof && !s->passed_eof));
    loop_arm(&s->control, (can_take_message(s) ? EPOLLIN : 0) | (feeds_worker ? EPOLLOUT : 0));
}

struct stream *stream_open(uint32_t id, uint8_t verb, const struct stream_parts *parts)
{
    struct stream *s = table;
    while (s->is_open)
        s++;
    *s = (struct stream){
        .is_open = true,
        .verb = verb,
        .id = id,
        .worker = parts->worker,
        .control = {.fd = parts->control, .is_source = true, .owner = s, .ready = on_control},
        .out = {.fd = parts->out, .is_source = true, .owner = s, .ready = on_out},
        .err = {.fd = parts->err, .is_source = true, .owner = s, .ready = on_err},
        .in = {.fd = parts->in, .is_source = true, .owner = s, .ready = on_stdin_writable},
        .send_credit = INITIAL_CREDIT,
        .receive_credit = INITIAL_CREDIT,
        .takes_input = parts->takes_input,
        .has_pty = parts->has_pty,
    };
    arm(s);
    return s;
}

/* --- clients of the relay --- */

struct stream *stream_awaiting_client(void)
{
    struct stream *first = NULL;
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        struct stream *s = &table[i];
        if (s->is_open && s->verb == T_ACCEPT && !s->has_replied && (!first || s->id < first->id))
            first = s;
    }
    return first;
}

void stream_connect(struct stream *s, int client)
{
    s->out.fd = client;
    s->in.fd = fcntl(client, F_DUPFD_CLOEXEC, 0);
    if (s->in.fd < 0) {
        fail(s, errno, "dup");
        return;
    }
    s->has_replied = true;
    link_send(T_REPLY, 0, s->id, NULL, 0);
    settle(s);
}

/*
 * Arms the stream's watches. Tells the host when a client sends no more, and ends the stream once neither side does; a
 * client that takes no more is no end, as it may be sending still.
 */
static void settle(struct stream *s)
{
    arm(s);
    if (s->verb != T_ACCEPT || !s->has_replied || s->out.fd >= 0)
        return;
    if (!s->has_told_eof) {
        s->has_told_eof = true;
        link_send(T_EOF, 0, s->id, NULL, 0);
    }
    if (s->in.fd >= 0)
        return;
    link_send_end(s->id, NULL, 0);
    close_stream(s);
}

/* --- host frames --- */

const char *stream_take_data(struct stream *s, const uint8_t *bytes, uint32_t size)
{
    if (!s->takes_input)
        return "data on a stream that takes none";
    if (s->has_eof)
        return "data after end of file";
    if (size > s->receive_credit)
        return "data beyond credit";
    s->receive_credit -= size;
    bool is_unread = is_piped(s) && s->in.fd < 0 && (s->verb == T_SPAWN || s->has_replied);
    if (is_unread) {
        credit_back(s, size);
        return NULL;
    }
    /* It fits: what is buffered and what may still come never exceed the first credit together. */
    uint8_t *ring = input_of(s);
    size_t at = (s->input_start + s->input_used) % INITIAL_CREDIT;
    size_t first = INITIAL_CREDIT - at < size ? INITIAL_CREDIT - at : size;
    memcpy(ring + at, bytes, first);
    memcpy(ring, bytes + first, size - first);
    s->input_used += size;
    arm(s);
    return NULL;
}

const char *stream_take_credit(struct stream *s, uint32_t bytes)
{
    if (bytes > MAX_CREDIT - s->send_credit)
        return "credit beyond its limit";
    s->send_credit += bytes;
    arm(s);
    return NULL;
}

void stream_take_eof(struct stream *s)
{
    if (s->has_eof || !s->takes_input)
        return;
    s->has_eof = true;
    settle(s);
}

void stream_take_cancel(struct stream *s)
{
    if (s->verb != T_SPAWN) {
        fail(s, ECANCELED, "cancelled");
        return;
    }
    s->is_cancelled = true;
    send_to_worker(s, T_CANCEL, NULL, 0);
    arm(s);
}

const char *stream_take_signal(struct stream *s, uint32_t signo)
{
    if (s->verb != T_SPAWN)
        return "signal for a stream that runs nothing";
    uint8_t number = (uint8_t)signo;
    send_to_worker(s, T_SIGNAL, &number, 1);
    return NULL;
}

const char *stream_take_resize(struct stream *s, uint16_t rows, uint16_t columns)
{
    if (!s->has_pty)
        return "resize of a stream without a terminal";
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    if (s->out.fd >= 0)
        ioctl(s->out.fd, TIOCSWINSZ, &size);
    return NULL;
}
