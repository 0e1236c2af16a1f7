#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent.h"
#include "child.h"

int worker_socket = -1;

static uint8_t out[MAX_DATA];
static size_t out_used;
static uint8_t in[1 + MAX_DATA];
static size_t in_at, in_end;
static bool in_eof;
static const char *volatile temporary;

void worker_say(uint8_t type, const void *payload, size_t size)
{
    struct iovec parts[2] = {{.iov_base = &type, .iov_len = 1},
                             {.iov_base = (void *)(uintptr_t)payload, .iov_len = size}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    while (sendmsg(worker_socket, &m, MSG_NOSIGNAL) < 0) {
        if (errno == EINTR)
            continue;
        if (temporary)
            unlink(temporary);
        _exit(1);
    }
}

static void flush(void)
{
    if (out_used > 0)
        worker_say(T_DATA, out, out_used);
    out_used = 0;
}

void worker_put(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        size_t n = size < sizeof out - out_used ? size : sizeof out - out_used;
        memcpy(out + out_used, at, n);
        out_used += n;
        at += n;
        size -= n;
        if (out_used == sizeof out)
            flush();
    }
}

_Noreturn void worker_finish(const void *payload, size_t size)
{
    flush();
    worker_say(T_END, payload, size);
    _exit(0);
}

_Noreturn void worker_fail_path(int code, struct bytes path)
{
    uint8_t payload[6 + MAX_MESSAGE];
    struct writer w = writer_of(payload, sizeof payload);
    flush();
    if (temporary)
        unlink(temporary);
    write_u32(&w, code > 0 ? (uint32_t)code : EIO);
    write_str16(&w, path.at, path.length < MAX_MESSAGE ? path.length : MAX_MESSAGE);
    worker_say(T_ERROR, payload, w.used);
    _exit(1);
}

_Noreturn void worker_fail(int code, const char *message)
{
    worker_fail_path(code, (struct bytes){.at = (const uint8_t *)message, .length = strlen(message)});
}

/* Waits for the next message. Leaves in_at == in_end at the end of the host's data. */
static void refill(void)
{
    while (!in_eof && in_at == in_end) {
        ssize_t n = recv(worker_socket, in, sizeof in, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (temporary)
                unlink(temporary);
            _exit(1);
        }
        if (in[0] == T_EOF)
            in_eof = true;
        if (in[0] != T_DATA)
            continue;
        in_at = 1;
        in_end = (size_t)n;
    }
}

size_t worker_get_some(void *bytes, size_t size)
{
    refill();
    size_t n = in_end - in_at < size ? in_end - in_at : size;
    memcpy(bytes, in + in_at, n);
    in_at += n;
    return n;
}

bool worker_get(void *bytes, size_t size)
{
    uint8_t *at = bytes;
    size_t got = 0;
    while (got < size) {
        size_t n = worker_get_some(at + got, size - got);
        if (n == 0 && got == 0)
            return false;
        if (n == 0)
            worker_fail(EPROTO, "data ended in the middle");
        got += n;
    }
    return true;
}

static void on_terminate(int signo)
{
    (void)signo;
    if (temporary)
        unlink(temporary);
    _exit(1);
}

void worker_set_temporary(const char *path)
{
    temporary = path;
    signal(SIGTERM, on_terminate);
}

/* CHANGES and FETCH see everything, whoever owns it; the others act as the user they serve. */
static void become_requester(const struct request *q)
{
    bool is_file_verb = (q->verb >= T_READ && q->verb <= T_REMOVE) || q->verb == T_UNPACK;
    if (is_file_verb && child_become(q->as.file.uid, q->as.file.gid) != 0)
        worker_fail(errno, "user of the request");
}

_Noreturn void worker_run(int socket, const struct request *q, int upper, int base)
{
    worker_socket = socket;
    umask(022);
    become_requester(q);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    switch (q->verb) {
    case T_READ:
        verb_read(q);
    case T_WRITE:
        verb_write(q);
    case T_STAT:
        verb_stat(q);
    case T_LIST:
        verb_list(q);
    case T_REMOVE:
        verb_remove(q);
    case T_CHANGES:
        verb_changes(q, upper);
    case T_FETCH:
        verb_fetch(q);
    case T_UNPACK:
        verb_unpack(q);
    case T_FREEZE:
    case T_THAW:
        verb_freeze(q->verb == T_FREEZE, base);
    case T_PROBE:
        verb_probe(q->as.port);
    default:
        worker_fail(ENOSYS, "verb");
    }
}
