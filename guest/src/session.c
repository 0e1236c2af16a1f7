#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "cgroup.h"
#include "child.h"
#include "descendants.h"
#include "execution.h"
#include "own.h"
#include "relay.h"
#include "request.h"
#include "setup.h"
#include "stream.h"
#include "worker.h"

#ifndef BUILD_ID
#error "BUILD_ID is the digest of the sources, given by the Makefile"
#endif

enum { ADD_ENTROPY = 0x40085203, RESEED = 0x5207 };

static uint32_t last_stream;
static bool wants_shutdown;

bool session_wants_shutdown(void) { return wants_shutdown; }

/* --- HELLO --- */

static void read_line(const char *path, char *out, size_t size)
{
    owned_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static bool kernel_has(const char *file_system)
{
    char text[4096];
    owned_fd fd = open("/proc/filesystems", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, file_system) != NULL;
}

static uint32_t capabilities(void)
{
    uint32_t c = access("/dev/ptmx", R_OK | W_OK) == 0 || agent.is_pid1 ? CAP_PTY : 0;
    if (agent.is_pid1)
        c |= CAP_PID1;
    if (agent.is_root && kernel_has("\tcgroup2\n"))
        c |= CAP_CGROUP;
    if (agent.is_root && kernel_has("\toverlay\n"))
        c |= CAP_OVERLAY;
    return c;
}

static void write_short(struct writer *w, const char *text, size_t most) { write_str16(w, text, strnlen(text, most)); }

static void send_hello(uint64_t nonce)
{
    uint8_t payload[512];
    char boot_id[65];
    struct utsname u;
    struct writer w = writer_of(payload, sizeof payload);
    uname(&u);
    read_line("/proc/sys/kernel/random/boot_id", boot_id, sizeof boot_id);
    write_u16(&w, PROTOCOL_VERSION);
    write_u16(&w, 0);
    write_u32(&w, capabilities());
    write_u64(&w, nonce);
    write_u64(&w, (uint64_t)getpid());
    write_short(&w, BUILD_ID, 64);
    write_short(&w, u.release, 64);
    write_short(&w, boot_id, 64);
    write_short(&w, u.machine, 16);
    link_send(T_HELLO, 0, 0, payload, w.used);
}

/* --- a session's beginning and end --- */

/* A frozen process would never run to its end; the next host knows nothing of a freeze. */
static void forget_host(void)
{
    streams_drop_all();
    relay_close();
    last_stream = 0;
    if (agent.is_frozen && agent.cgroup_fd >= 0)
        cgroup_freeze(agent.cgroup_fd, false, 0);
    agent.is_frozen = false;
}

static void on_connected(void) { send_hello(0); }

static const char *on_knock(const uint8_t *payload, size_t size)
{
    uint16_t version;
    uint64_t nonce;
    if (!knock_parse(payload, size, &version, &nonce))
        return "malformed knock";
    forget_host();
    send_hello(nonce); /* whatever the version: the host reads ours and decides */
    return NULL;
}

/* --- requests --- */

static void start_worker(uint32_t stream, const struct request *q)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        link_send_error(stream, errno, "socketpair");
        return;
    }
    int upper = agent.upper_fd, base = agent.cgroup_fd, socket = pair[1];
    int *const keep[] = {&socket, &upper, &base};
    pid_t pid = child_fork(keep, sizeof keep / sizeof keep[0]);
    if (pid == 0)
        worker_run(socket, q, upper, base);
    int code = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        link_send_error(stream, code, "fork");
        return;
    }
    bool takes_input = q->verb == T_WRITE || q->verb == T_FETCH || q->verb == T_UNPACK;
    stream_open(stream, q->verb,
                &(struct stream_parts){
                    .worker = pid, .control = pair[0], .out = -1, .err = -1, .in = -1, .takes_input = takes_input});
}

static int set_clock(int64_t ns)
{
    /* On somebody's own machine the clock is not ours to set. */
    if (!agent.is_pid1)
        return EPERM;
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    return clock_settime(CLOCK_REALTIME, &t) == 0 ? 0 : errno;
}

static int add_entropy(struct bytes b)
{
    struct {
        int bits, size;
        uint8_t bytes[MAX_ENTROPY];
    } pool = {.bits = (int)b.length * 8, .size = (int)b.length};
    if (!agent.is_pid1)
        return EPERM;
    memcpy(pool.bytes, b.at, b.length);
    owned_fd fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, ADD_ENTROPY, &pool) != 0)
        return errno;
    /* A restored machine has the generator's state of its twins until it takes the new bytes in. */
    return ioctl(fd, RESEED, 0) == 0 ? 0 : errno;
}

static void answer(uint32_t stream, int code, const char *message)
{
    if (code == 0)
        link_send_end(stream, NULL, 0);
    else
        link_send_error(stream, code, message);
}

static void run_setup(uint32_t stream, const struct request *q)
{
    char message[SETUP_MESSAGE];
    int code = setup_run(q->as.setup.count, q->as.setup.operations, message);
    answer(stream, code, message);
}

static void listen_for_clients(uint32_t stream, uint16_t port)
{
    uint8_t payload[2];
    uint16_t bound = 0;
    struct writer w = writer_of(payload, sizeof payload);
    int code = relay_listen(port, &bound);
    write_u16(&w, bound);
    if (code == 0)
        link_send_end(stream, payload, w.used);
    else
        link_send_error(stream, code, "listen");
}

static void run_request(uint32_t stream, const struct request *q)
{
    switch (q->verb) {
    case T_SPAWN:
        execution_start(stream, q);
        break;
    case T_SETUP:
        run_setup(stream, q);
        break;
    case T_CLOCK:
        answer(stream, set_clock(q->as.clock_ns), "clock");
        break;
    case T_ENTROPY:
        answer(stream, add_entropy(q->as.entropy), "entropy");
        break;
    case T_SHUTDOWN:
        answer(stream, 0, NULL);
        wants_shutdown = true;
        break;
    case T_LISTEN:
        listen_for_clients(stream, q->as.port);
        break;
    case T_ACCEPT:
        relay_accept(stream);
        break;
    case T_FREEZE:
    case T_THAW:
        /* From the request on, so that nothing starts while it is carried out. */
        agent.is_frozen = q->verb == T_FREEZE;
        start_worker(stream, q);
        break;
    default:
        start_worker(stream, q);
    }
}

static const char *on_request(const struct frame *f, const uint8_t *payload)
{
    struct request q;
    if (!request_parse(f->type, payload, f->size, &q))
        return "malformed request";
    last_stream = f->stream;
    if (streams_have_room())
        run_request(f->stream, &q);
    else
        link_send_error(f->stream, EAGAIN, "too many streams");
    return NULL;
}

/* --- frames of open streams --- */

static const char *on_stream_frame(struct stream *s, const struct frame *f, const uint8_t *payload)
{
    uint32_t number;
    uint16_t rows, columns;
    switch (f->type) {
    case T_DATA:
        return stream_take_data(s, payload, f->size);
    case T_CREDIT:
        return credit_parse(payload, f->size, &number) ? stream_take_credit(s, number) : "malformed credit";
    case T_SIGNAL:
        return signal_parse(payload, f->size, &number) ? stream_take_signal(s, number) : "malformed signal";
    case T_RESIZE:
        return resize_parse(payload, f->size, &rows, &columns) ? stream_take_resize(s, rows, columns)
                                                               : "malformed resize";
    case T_EOF:
        stream_take_eof(s);
        return NULL;
    default:
        stream_take_cancel(s);
        return NULL;
    }
}

static const char *on_header(const struct frame *f)
{
    if (f->type == T_KNOCK)
        return NULL;
    if (frame_is_request(f->type))
        return f->stream > last_stream ? NULL : "stream id was used before";
    return f->stream <= last_stream ? NULL : "stream was never opened";
}

static const char *on_frame(const struct frame *f, const uint8_t *payload)
{
    if (wants_shutdown)
        return NULL;
    if (f->type == T_KNOCK)
        return on_knock(payload, f->size);
    if (frame_is_request(f->type))
        return on_request(f, payload);
    struct stream *s = stream_find(f->stream);
    return s ? on_stream_frame(s, f, payload) : NULL; /* late frames of an ended stream mean nothing */
}

const struct link_handlers session_handlers = {
    .header = on_header, .frame = on_frame, .connected = on_connected, .lost = forget_host};
