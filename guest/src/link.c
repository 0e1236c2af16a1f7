#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "loop.h"

enum {
    OUT_SIZE = 8 * (HEADER_SIZE + MAX_DATA),
    PORT_POLL_MS = 20,
    LAST_WORDS_MS = 2000,
};

static uint8_t in_buffer[HEADER_SIZE + MAX_PAYLOAD];
static size_t in_used;
static uint8_t out_buffer[OUT_SIZE];
static size_t out_start, out_used;
static struct watch in_watch = {.fd = -1}, out_watch = {.fd = -1};
static const struct link_handlers *handlers;
static bool is_port;
static bool is_connected;
static bool is_broken; /* FATAL was said: this host is not listened to any more */
static bool is_over;
static bool has_more; /* whole frames wait in in_buffer for room */

size_t link_room(void) { return OUT_SIZE - out_used; }
bool link_has_room_for_source(void) { return is_connected && !is_broken && link_room() >= LINK_SOURCE_ROOM; }
bool link_is_over(void) { return is_over; }

void link_send(uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t size)
{
    if (is_broken || !is_connected)
        return;
    if (HEADER_SIZE + size > link_room()) {
        say("frame of type %u does not fit", type);
        abort();
    }
    if (out_start + out_used + HEADER_SIZE + size > OUT_SIZE) {
        memmove(out_buffer, out_buffer + out_start, out_used);
        out_start = 0;
    }
    uint8_t *at = out_buffer + out_start + out_used;
    frame_write(at, &(struct frame){.size = (uint32_t)size, .type = type, .flags = flags, .stream = stream});
    if (size > 0)
        memcpy(at + HEADER_SIZE, payload, size);
    out_used += HEADER_SIZE + size;
}

void link_send_end(uint32_t stream, const void *payload, size_t size) { link_send(T_END, 0, stream, payload, size); }

static void send_message(uint8_t type, uint32_t stream, int code, const char *message)
{
    uint8_t payload[6 + MAX_MESSAGE];
    struct writer w = writer_of(payload, sizeof payload);
    write_u32(&w, code > 0 ? (uint32_t)code : EIO);
    write_str16(&w, message, strnlen(message, MAX_MESSAGE));
    link_send(type, 0, stream, payload, w.used);
}

void link_send_error(uint32_t stream, int code, const char *message) { send_message(T_ERROR, stream, code, message); }

void link_break(int code, const char *message)
{
    send_message(T_FATAL, 0, code, message);
    is_broken = true;
    in_used = 0;
    has_more = false;
    handlers->lost();
    if (!is_port) {
        link_drain(LAST_WORDS_MS);
        is_over = true;
    }
}

static void lose(void)
{
    bool was_connected = is_connected;
    is_connected = false;
    is_broken = false;
    has_more = false;
    in_used = out_used = out_start = 0;
    if (!is_port)
        is_over = true;
    if (was_connected)
        handlers->lost();
}

static void flush(void)
{
    while (out_used > 0) {
        ssize_t n = write(out_watch.fd, out_buffer + out_start, out_used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            lose();
            return;
        }
        out_start += (size_t)n;
        out_used -= (size_t)n;
    }
    out_start = 0;
}

/* Hands over whole frames as long as their answers have room. Leaves the rest at the front of the buffer. */
static void take_frames(void)
{
    size_t at = 0;
    has_more = false;
    while (in_used - at >= HEADER_SIZE) {
        struct frame f;
        const char *fault = frame_read_from_host(in_buffer + at, &f);
        if (!fault)
            fault = handlers->header(&f);
        if (fault) {
            link_break(EPROTO, fault);
            return;
        }
        if (in_used - at - HEADER_SIZE < f.size)
            break;
        if (link_room() < LINK_ANSWER_ROOM) {
            has_more = true;
            break;
        }
        fault = handlers->frame(&f, in_buffer + at + HEADER_SIZE);
        if (fault)
            link_break(EPROTO, fault);
        if (is_broken || is_over)
            return;
        at += HEADER_SIZE + f.size;
    }
    if (at > 0) {
        memmove(in_buffer, in_buffer + at, in_used - at);
        in_used -= at;
    }
}

static void on_readable(struct watch *w, uint32_t events)
{
    (void)events;
    ssize_t n = read(w->fd, in_buffer + in_used, sizeof in_buffer - in_used);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lose();
        return;
    }
    if (is_broken)
        return; /* read and dropped, until the hang-up */
    in_used += (size_t)n;
    take_frames();
}

static void on_writable(struct watch *w, uint32_t events)
{
    (void)w;
    if (events & (EPOLLERR | EPOLLHUP))
        lose();
    else
        flush();
}

/* A port without a host reads as empty and hung up; old bytes in its queue belong to nobody. */
static bool port_has_host(void)
{
    struct pollfd p = {.fd = in_watch.fd, .events = POLLIN};
    if (poll(&p, 1, 0) < 0)
        return false;
    if (!(p.revents & POLLHUP))
        return true;
    while (read(in_watch.fd, in_buffer, sizeof in_buffer) > 0)
        continue;
    return false;
}

static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void link_open(int in_fd, int out_fd, bool port, const struct link_handlers *h)
{
    handlers = h;
    is_port = port;
    in_watch = (struct watch){.fd = in_fd, .ready = on_readable};
    out_watch = (struct watch){.fd = out_fd, .ready = on_writable};
    set_nonblocking(in_fd);
    set_nonblocking(out_fd);
}

int link_prepare(void)
{
    if (!is_connected && !is_over && (!is_port || port_has_host())) {
        is_connected = true;
        handlers->connected();
    }
    if (has_more && link_room() >= LINK_ANSWER_ROOM)
        take_frames();
    if (is_connected)
        flush();
    if (!is_connected || is_over) {
        loop_arm(&in_watch, 0);
        loop_arm(&out_watch, 0);
        return is_over ? 0 : PORT_POLL_MS;
    }
    loop_arm(&in_watch, has_more ? 0 : EPOLLIN);
    loop_arm(&out_watch, out_used > 0 ? EPOLLOUT : 0);
    /* Room may have come from the flush just now. */
    return has_more && link_room() >= LINK_ANSWER_ROOM ? 0 : -1;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void link_drain(int deadline_ms)
{
    int64_t end = now_ms() + deadline_ms;
    while (is_connected && out_used > 0) {
        flush();
        int64_t left = end - now_ms();
        if (out_used == 0 || left <= 0)
            return;
        struct pollfd p = {.fd = out_watch.fd, .events = POLLOUT};
        poll(&p, 1, (int)left);
    }
}
