#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

const char *agent_program;

enum { PATIENCE_MS = 60000 };

static void die(const char *what)
{
    perror(what);
    exit(70);
}

void host_open_as(struct host *h, uid_t uid)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair");
    /* A large buffer, so that a test can send what an agent that stopped reading never takes. */
    int size = 4 << 20;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    h->last = 0;
    h->fd = pair[0];
    h->pid = fork();
    if (h->pid == 0) {
        char number[16];
        int fd = dup(pair[1]);
        snprintf(number, sizeof number, "%d", fd);
        if (uid != 0 && (setgid(uid) != 0 || setuid(uid) != 0))
            _exit(70);
        execl(agent_program, agent_program, "--fd", number, (char *)NULL);
        _exit(71);
    }
    close(pair[1]);
    if (!host_receive(h, PATIENCE_MS) || h->frame.type != T_HELLO) {
        fprintf(stderr, "the agent said no HELLO\n");
        exit(70);
    }
}

void host_open(struct host *h) { host_open_as(h, 0); }

int host_close(struct host *h)
{
    int status;
    close(h->fd);
    for (int i = 0; i < 1500; i++) {
        if (waitpid(h->pid, &status, WNOHANG) == h->pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        poll(NULL, 0, 10);
    }
    kill(h->pid, SIGKILL);
    waitpid(h->pid, NULL, 0);
    return -1;
}

/* The agent may have closed on purpose: what it then does not take is its choice. */
void host_send_raw(struct host *h, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t n = send(h->fd, at, size, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += n;
        size -= (size_t)n;
    }
}

void host_send(struct host *h, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t size)
{
    uint8_t *whole = malloc(HEADER_SIZE + size);
    frame_write(whole, &(struct frame){.size = (uint32_t)size, .type = type, .flags = flags, .stream = stream});
    if (size > 0)
        memcpy(whole + HEADER_SIZE, payload, size);
    host_send_raw(h, whole, HEADER_SIZE + size);
    free(whole);
}

void host_credit(struct host *h, uint32_t stream, uint32_t bytes)
{
    uint8_t payload[4];
    struct writer w = writer_of(payload, sizeof payload);
    write_u32(&w, bytes);
    host_send(h, T_CREDIT, 0, stream, payload, w.used);
}

static bool receive_all(struct host *h, uint8_t *at, size_t size, int ms)
{
    while (size > 0) {
        struct pollfd p = {.fd = h->fd, .events = POLLIN};
        if (poll(&p, 1, ms) <= 0)
            return false;
        ssize_t n = recv(h->fd, at, size, 0);
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool host_receive(struct host *h, int ms)
{
    uint8_t header[HEADER_SIZE];
    if (!receive_all(h, header, sizeof header, ms))
        return false;
    struct reader r = reader_of(header, sizeof header);
    h->frame.size = read_u32(&r);
    h->frame.type = read_u8(&r);
    h->frame.flags = read_u8(&r);
    uint16_t reserved = read_u16(&r);
    h->frame.stream = read_u32(&r);
    CHECK(reserved == 0 && h->frame.size <= MAX_PAYLOAD);
    CHECK(h->frame.type != T_DATA || (h->frame.size >= 1 && h->frame.size <= MAX_DATA));
    return receive_all(h, h->payload, h->frame.size, PATIENCE_MS);
}

uint32_t host_request(struct host *h, uint8_t verb, const struct writer *payload)
{
    host_send(h, verb, 0, ++h->last, payload ? payload->at : NULL, payload ? payload->used : 0);
    return h->last;
}

void host_input(struct host *h, uint32_t stream, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t done = 0; done < size;) {
        size_t n = size - done < MAX_DATA ? size - done : MAX_DATA;
        host_send(h, T_DATA, 0, stream, at + done, n);
        done += n;
    }
    host_send(h, T_EOF, 0, stream, NULL, 0);
}

static void append_out(struct answer *a, const uint8_t *bytes, size_t size)
{
    static size_t room;
    if (a->out == NULL)
        room = 0;
    if (a->out_size + size + 1 > room) {
        room = 2 * (a->out_size + size + 1);
        a->out = realloc(a->out, room);
    }
    memcpy(a->out + a->out_size, bytes, size);
    a->out_size += size;
    a->out[a->out_size] = '\0';
}

static void take_message(struct answer *a, const struct host *h)
{
    struct reader r = reader_of(h->payload, h->frame.size);
    a->code = read_u32(&r);
    struct bytes m = read_str16(&r);
    CHECK(reader_is_done(&r) && a->code != 0 && m.length <= MAX_MESSAGE);
    memcpy(a->message, m.at, m.length);
}

struct answer host_wait(struct host *h, uint32_t stream)
{
    struct answer a = {0};
    append_out(&a, (const uint8_t *)"", 0);
    while (host_receive(h, PATIENCE_MS)) {
        if (h->frame.type == T_FATAL) {
            take_message(&a, h);
            a.type = T_FATAL;
            return a;
        }
        if (h->frame.stream != stream)
            continue;
        switch (h->frame.type) {
        case T_DATA:
            if (h->frame.flags & DATA_STDERR) {
                size_t n = h->frame.size < sizeof a.err - 1 - a.err_size ? h->frame.size : sizeof a.err - 1 - a.err_size;
                memcpy(a.err + a.err_size, h->payload, n);
                a.err_size += n;
            } else {
                append_out(&a, h->payload, h->frame.size);
            }
            host_credit(h, stream, h->frame.size);
            break;
        case T_REPLY:
            CHECK(!a.has_reply && h->frame.size <= sizeof a.reply);
            a.has_reply = true;
            memcpy(a.reply, h->payload, h->frame.size);
            break;
        case T_END:
            a.type = T_END;
            a.end_size = h->frame.size;
            memcpy(a.end, h->payload, h->frame.size < sizeof a.end ? h->frame.size : sizeof a.end);
            return a;
        case T_ERROR:
            a.type = T_ERROR;
            take_message(&a, h);
            return a;
        default:
            CHECK(h->frame.type == T_CREDIT);
        }
    }
    return a;
}

struct answer host_ask(struct host *h, uint8_t verb, const struct writer *payload, const void *input, size_t size)
{
    uint32_t stream = host_request(h, verb, payload);
    if (input)
        host_input(h, stream, input, size);
    return host_wait(h, stream);
}

struct writer payload_new(void)
{
    static uint8_t memory[MAX_PAYLOAD];
    return writer_of(memory, sizeof memory);
}

void put_text(struct writer *w, const char *text) { write_str16(w, text, strlen(text)); }

static void put_owner(struct writer *w)
{
    write_u32(w, getuid());
    write_u32(w, getgid());
}

struct writer payload_file(uint32_t options, const char *path)
{
    struct writer w = payload_new();
    write_u32(&w, options);
    put_owner(&w);
    put_text(&w, path);
    return w;
}

struct writer payload_read(uint32_t options, const char *path)
{
    struct writer w = payload_new();
    write_u32(&w, options);
    put_owner(&w);
    write_u64(&w, 0);
    write_u64(&w, UINT64_MAX);
    put_text(&w, path);
    return w;
}

struct writer payload_write(uint32_t options, uint32_t mode, const char *path)
{
    struct writer w = payload_new();
    write_u32(&w, options);
    put_owner(&w);
    write_u32(&w, mode);
    put_text(&w, path);
    return w;
}

static void put_long_text(struct writer *w, const char *text)
{
    write_u32(w, (uint32_t)strlen(text));
    write_bytes(w, text, strlen(text));
}

struct writer payload_spawn(uint32_t options, const char *const argv[])
{
    struct writer w = payload_new();
    uint16_t argc = 0;
    while (argv[argc])
        argc++;
    write_u32(&w, options);
    put_owner(&w);
    write_u16(&w, 24);
    write_u16(&w, 80);
    write_u32(&w, 0);
    write_u64(&w, 0);
    write_u32(&w, 0);
    put_text(&w, "/");
    write_u16(&w, argc);
    for (uint16_t i = 0; i < argc; i++)
        put_long_text(&w, argv[i]);
    write_u16(&w, 1);
    put_long_text(&w, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    return w;
}

struct writer payload_shell(uint32_t options, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    return payload_spawn(options, argv);
}

static int run_program(const char *const argv[])
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return status;
}

static char folders[256][64];
static int folder_count;

const char *temporary_folder(void)
{
    char *folder = folders[folder_count++ % 256];
    strcpy(folder, "/tmp/safe-coder-guest-test-XXXXXX");
    if (!mkdtemp(folder) || chmod(folder, 0755) != 0)
        die("mkdtemp");
    return folder;
}

void temporary_remove_all(void)
{
    for (int i = 0; i < folder_count && i < 256; i++) {
        const char *const argv[] = {"rm", "-rf", "--", folders[i], NULL};
        run_program(argv);
    }
}

const char *in_folder(const char *folder, const char *name)
{
    static char paths[8][4200];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void copy_program(const char *from, const char *to)
{
    const char *const argv[] = {"cp", "--", from, to, NULL};
    if (run_program(argv) != 0)
        die("cp");
    chmod(to, 0755);
}

void make_file(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");
    if (!f)
        die(path);
    fputs(content, f);
    fclose(f);
}

const char *file_content(const char *path)
{
    static char text[65537];
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static bool process_has(const char *pid, const char *mark)
{
    char path[300], text[4096];
    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    for (size_t i = 0; i < n; i++)
        text[i] = text[i] ? text[i] : ' ';
    text[n] = '\0';
    return strstr(text, mark) != NULL;
}

int count_processes(const char *mark)
{
    DIR *dir = opendir("/proc");
    int count = 0;
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] >= '1' && e->d_name[0] <= '9' && process_has(e->d_name, mark);
    closedir(dir);
    return count;
}

bool wait_for_processes(const char *mark, int count)
{
    for (int i = 0; i < 500; i++) {
        if (count_processes(mark) == count)
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

uint32_t number_at(const uint8_t *bytes, size_t at, size_t width)
{
    uint32_t v = 0;
    for (size_t i = width; i > 0; i--)
        v = v << 8 | bytes[at + i - 1];
    return v;
}
