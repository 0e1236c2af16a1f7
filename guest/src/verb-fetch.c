/* FETCH: the bytes of named files of the workspace, no symlink followed anywhere, and whether they held still. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "own.h"
#include "path.h"
#include "stat.h"
#include "tree.h"
#include "worker.h"

static char path[MAX_TREE_PATH + 1];
static uint64_t most;

static void put_u32(uint32_t v)
{
    uint8_t b[4];
    struct writer w = writer_of(b, sizeof b);
    write_u32(&w, v);
    worker_put(b, w.used);
}

static void put_start(const struct file_stat *s)
{
    uint8_t b[4 + STAT_SIZE];
    struct writer w = writer_of(b, sizeof b);
    write_u32(&w, 0);
    stat_write(&w, s);
    worker_put(b, w.used);
}

static void put_end(uint8_t flags)
{
    put_u32(0);
    worker_put(&flags, 1);
}

static void put_chunk(const void *bytes, size_t size)
{
    put_u32((uint32_t)size);
    worker_put(bytes, size);
}

static void send_file(int fd, const struct file_stat *before)
{
    static uint8_t chunk[MAX_DATA];
    struct file_stat after;
    uint64_t sent = 0;
    uint8_t flags = 0;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            worker_fail(errno, path);
        if (n == 0)
            break;
        uint64_t take = most - sent < (uint64_t)n ? most - sent : (uint64_t)n;
        if (take > 0)
            put_chunk(chunk, (size_t)take);
        sent += take;
        if (take < (uint64_t)n) {
            flags |= FETCH_CUT;
            break;
        }
    }
    if (stat_at(fd, "", AT_EMPTY_PATH, &after) != 0)
        worker_fail(errno, path);
    if (!stat_is_same(before, &after) || (!(flags & FETCH_CUT) && sent != before->size))
        flags |= FETCH_UNSTABLE;
    put_end(flags);
}

static void answer_file(int dir, const char *name)
{
    struct file_stat s;
    /* O_NOATIME leaves no trace of the capture; only the owner and root may ask for it. */
    owned_fd fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || stat_at(fd, "", AT_EMPTY_PATH, &s) != 0) {
        put_u32((uint32_t)errno);
        return;
    }
    s.flags &= (uint8_t)~STAT_MOUNT;
    if (s.kind != KIND_FILE) {
        put_u32(EAGAIN); /* it was a file a moment ago */
        return;
    }
    put_start(&s);
    send_file(fd, &s);
}

static void answer_symlink(int dir, const char *name, const struct file_stat *s)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof target);
    if (n < 0) {
        put_u32((uint32_t)errno);
        return;
    }
    size_t take = most < (uint64_t)n ? (size_t)most : (size_t)n;
    put_start(s);
    if (take > 0)
        put_chunk(target, take);
    put_end(take < (size_t)n ? FETCH_CUT : 0);
}

static void answer(int top)
{
    struct file_stat s;
    const char *name;
    owned_fd dir = tree_open_parent(top, path, &name, 0);
    if (dir < 0 || stat_at(dir, name, AT_SYMLINK_NOFOLLOW, &s) != 0) {
        put_u32((uint32_t)errno);
        return;
    }
    if (s.kind != KIND_DIRECTORY)
        s.flags &= (uint8_t)~STAT_MOUNT;
    if (s.kind == KIND_FILE) {
        answer_file(dir, name);
    } else if (s.kind == KIND_SYMLINK) {
        answer_symlink(dir, name, &s);
    } else {
        put_start(&s);
        put_end(0);
    }
}

_Noreturn void verb_fetch(const struct request *q)
{
    uint8_t header[2];
    uint64_t paths = 0;
    most = q->as.fetch_most;
    if (!agent.has_workspace)
        worker_fail(EINVAL, "no workspace was set up");
    int top = open(agent.workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        worker_fail(errno, agent.workspace);
    while (worker_get(header, sizeof header)) {
        struct reader r = reader_of(header, sizeof header);
        size_t length = read_u16(&r);
        if (length == 0 || length > MAX_TREE_PATH)
            worker_fail(EPROTO, "path of a bad length");
        if (!worker_get(path, length))
            worker_fail(EPROTO, "data ended in the middle");
        path[length] = '\0';
        if (!path_is_within((struct bytes){.at = (const uint8_t *)path, .length = length}, MAX_TREE_PATH))
            worker_fail(EPROTO, "path is not plain and relative");
        answer(top);
        paths++;
    }
    uint8_t payload[8];
    struct writer w = writer_of(payload, sizeof payload);
    write_u64(&w, paths);
    worker_finish(payload, w.used);
}
