/* READ, STAT and LIST: what is at a path. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"
#include "path.h"
#include "stat.h"
#include "worker.h"

static char path[MAX_PATH + 1];

/* What reading something that is not a regular file answers. */
static int code_of_kind(uint8_t kind)
{
    return kind == KIND_DIRECTORY ? EISDIR : kind == KIND_SYMLINK ? ELOOP : EINVAL;
}

static void send_content(int fd, uint64_t offset, uint64_t most)
{
    static uint8_t chunk[MAX_DATA];
    uint64_t sent = 0;
    while (sent < most) {
        size_t want = most - sent < sizeof chunk ? (size_t)(most - sent) : sizeof chunk;
        ssize_t n = pread(fd, chunk, want, (off_t)(offset + sent));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            worker_fail(errno, path);
        if (n == 0)
            break;
        worker_put(chunk, (size_t)n);
        sent += (uint64_t)n;
    }
    uint8_t payload[8];
    struct writer w = writer_of(payload, sizeof payload);
    write_u64(&w, sent);
    worker_finish(payload, w.used);
}

_Noreturn void verb_read(const struct request *q)
{
    struct file_stat before, s;
    int at_flags = q->options & OPT_NO_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
    path_copy(path, q->as.file.path);
    if (q->as.file.offset > INT64_MAX)
        worker_fail(EINVAL, path);
    /* Looked at first: opening a device can already do something. */
    if (stat_at(AT_FDCWD, path, at_flags, &before) != 0)
        worker_fail(errno, path);
    if (before.kind != KIND_FILE)
        worker_fail(code_of_kind(before.kind), path);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (at_flags ? O_NOFOLLOW : 0));
    if (fd < 0 || stat_at(fd, "", AT_EMPTY_PATH, &s) != 0)
        worker_fail(errno, path);
    if (s.kind != KIND_FILE)
        worker_fail(code_of_kind(s.kind), path);
    uint8_t reply[STAT_SIZE];
    struct writer w = writer_of(reply, sizeof reply);
    stat_write(&w, &s);
    worker_say(T_REPLY, reply, w.used);
    uint64_t offset = q->as.file.offset, room = (uint64_t)INT64_MAX - offset;
    send_content(fd, offset, q->as.file.most < room ? q->as.file.most : room);
    _exit(1); /* not reached */
}

/* The absolute path without symlinks; with `no_follow`, the last component stays what it is. */
static bool canonicalise(bool no_follow, char out[PATH_MAX])
{
    if (!no_follow)
        return realpath(path, out) != NULL;
    char parent[MAX_PATH + 1];
    memcpy(parent, path, sizeof parent);
    size_t end = strlen(parent);
    while (end > 1 && parent[end - 1] == '/')
        parent[--end] = '\0';
    char *slash = strrchr(parent, '/');
    const char *name = slash + 1;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return realpath(path, out) != NULL;
    *slash = '\0';
    if (!realpath(slash == parent ? "/" : parent, out))
        return false;
    size_t length = strlen(out);
    if (length + 1 + strlen(name) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (length > 1)
        out[length++] = '/';
    strcpy(out + length, name);
    return true;
}

_Noreturn void verb_stat(const struct request *q)
{
    static uint8_t payload[STAT_SIZE + 2 * (2 + PATH_MAX)];
    static char canonical[PATH_MAX], target[PATH_MAX];
    bool no_follow = q->options & OPT_NO_FOLLOW;
    struct file_stat s;
    ssize_t target_length = 0;
    path_copy(path, q->as.file.path);
    if (stat_at(AT_FDCWD, path, no_follow ? AT_SYMLINK_NOFOLLOW : 0, &s) != 0)
        worker_fail(errno, path);
    if (!canonicalise(no_follow, canonical))
        worker_fail(errno, path);
    if (s.kind == KIND_SYMLINK && (target_length = readlink(path, target, sizeof target)) < 0)
        worker_fail(errno, path);
    struct writer w = writer_of(payload, sizeof payload);
    stat_write(&w, &s);
    write_str16(&w, canonical, strlen(canonical));
    write_str16(&w, target, (size_t)target_length);
    worker_finish(payload, w.used);
}

static void put_entry(const struct file_stat *s, const char *name)
{
    uint8_t entry[STAT_SIZE + 2 + NAME_MAX + 1];
    struct writer w = writer_of(entry, sizeof entry);
    stat_write(&w, s);
    write_str16(&w, name, strlen(name));
    if (w.full)
        worker_fail(ENAMETOOLONG, name);
    worker_put(entry, w.used);
}

_Noreturn void verb_list(const struct request *q)
{
    path_copy(path, q->as.file.path);
    DIR *dir = opendir(path);
    if (!dir)
        worker_fail(errno, path);
    uint32_t entries = 0;
    bool is_truncated = false;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(dir);
        if (!e && errno != 0)
            worker_fail(errno, path);
        if (!e)
            break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (entries == q->as.file.most) {
            is_truncated = true;
            break;
        }
        struct file_stat s;
        if (stat_at(dirfd(dir), e->d_name, AT_SYMLINK_NOFOLLOW, &s) != 0) {
            if (errno == ENOENT)
                continue; /* removed since */
            s = (struct file_stat){.kind = KIND_UNREADABLE, .mode = (uint32_t)errno};
        }
        put_entry(&s, e->d_name);
        entries++;
    }
    uint8_t payload[5];
    struct writer w = writer_of(payload, sizeof payload);
    write_u32(&w, entries);
    write_u8(&w, is_truncated);
    worker_finish(payload, w.used);
}
