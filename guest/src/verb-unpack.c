/* UNPACK: a stream of entries becomes files below one directory; no symlink below it is followed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"
#include "path.h"
#include "tree.h"
#include "worker.h"

enum { MOST_LATE_DIRECTORIES = 262144 };

struct entry {
    uint8_t kind;
    uint32_t mode;
    int64_t mtime_ns;
};

/* Modes and times of directories are set at the end, or a read-only one could not be filled. */
struct late_directory {
    struct late_directory *next;
    uint32_t mode;
    int64_t mtime_ns;
    char path[];
};

static char path[MAX_PATH + 1];
static char scratch[MAX_PATH + 1];
static int top = -1;
static struct late_directory *late;
static size_t late_count;
/* Neighbours mostly share their directory: the last one stays open. */
static char parent_path[MAX_PATH + 1];
static int parent = -1;

static int64_t seconds_of(int64_t ns) { return ns / 1000000000 - (ns % 1000000000 < 0); }

static void set_times(int dir, const char *name, int64_t ns)
{
    int64_t s = seconds_of(ns);
    struct timespec t = {.tv_sec = (time_t)s, .tv_nsec = (long)(ns - s * 1000000000)};
    struct timespec times[2] = {t, t};
    if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) != 0)
        worker_fail(errno, path);
}

static void get(void *bytes, size_t size)
{
    if (!worker_get(bytes, size))
        worker_fail(EPROTO, "data ended in the middle");
}

static uint32_t get_u32(void)
{
    uint8_t b[4];
    get(b, sizeof b);
    struct reader r = reader_of(b, sizeof b);
    return read_u32(&r);
}

/* A str16 into `text`, which holds MAX_PATH + 1. */
static size_t get_text(char *text)
{
    uint8_t b[2];
    get(b, sizeof b);
    struct reader r = reader_of(b, sizeof b);
    size_t length = read_u16(&r);
    if (length == 0 || length > MAX_PATH)
        worker_fail(EPROTO, "string of a bad length");
    get(text, length);
    text[length] = '\0';
    if (strlen(text) != length)
        worker_fail(EPROTO, "NUL in a string");
    return length;
}

/* The directory of `path`, made if missing, and its last component. */
static int open_parent(const char **name)
{
    memcpy(scratch, path, sizeof scratch);
    char *slash = strrchr(scratch, '/');
    size_t length = slash ? (size_t)(slash - scratch) : 0;
    *name = path + (slash ? length + 1 : 0);
    if (parent >= 0 && strlen(parent_path) == length && memcmp(parent_path, scratch, length) == 0)
        return parent;
    close_fd(&parent);
    const char *ignored;
    parent = tree_open_parent(top, scratch, &ignored, 0755);
    if (parent < 0)
        worker_fail(errno, path);
    memcpy(parent_path, path, length);
    parent_path[length] = '\0';
    return parent;
}

static void forget_parent(void)
{
    close_fd(&parent);
}

static void make_directory(int dir, const char *name, const struct entry *e)
{
    struct stat s;
    if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(s.st_mode) && unlinkat(dir, name, 0) != 0)
        worker_fail(errno, path);
    if (mkdirat(dir, name, 0700) != 0 && errno != EEXIST)
        worker_fail(errno, path);
    size_t length = strlen(path);
    struct late_directory *d = late_count < MOST_LATE_DIRECTORIES ? malloc(sizeof *d + length + 1) : NULL;
    if (!d)
        worker_fail(ENOMEM, "too many directories");
    *d = (struct late_directory){.next = late, .mode = e->mode, .mtime_ns = e->mtime_ns};
    memcpy(d->path, path, length + 1);
    late = d;
    late_count++;
}

static void clear_the_way(int dir, const char *name)
{
    /* A directory stays and is an error: unlink says EISDIR. */
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        worker_fail(errno, path);
}

static void make_symlink(int dir, const char *name, const struct entry *e)
{
    static char target[MAX_PATH + 1];
    get_text(target);
    clear_the_way(dir, name);
    if (symlinkat(target, dir, name) != 0)
        worker_fail(errno, path);
    set_times(dir, name, e->mtime_ns);
}

static void copy_chunk(int fd, uint32_t left)
{
    static uint8_t buffer[MAX_DATA];
    while (left > 0) {
        size_t n = left < sizeof buffer ? left : sizeof buffer;
        get(buffer, n);
        for (size_t done = 0; done < n;) {
            ssize_t written = write(fd, buffer + done, n - done);
            if (written < 0 && errno != EINTR)
                worker_fail(errno, path);
            if (written > 0)
                done += (size_t)written;
        }
        left -= (uint32_t)n;
    }
}

static void make_file(int dir, const char *name, const struct entry *e)
{
    clear_the_way(dir, name);
    owned_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        worker_fail(errno, path);
    for (uint32_t length; (length = get_u32()) != 0;) {
        if (length > MAX_CHUNK)
            worker_fail(EPROTO, "chunk too long");
        copy_chunk(fd, length);
    }
    if (fchmod(fd, e->mode) != 0)
        worker_fail(errno, path);
    int64_t s = seconds_of(e->mtime_ns);
    struct timespec t = {.tv_sec = (time_t)s, .tv_nsec = (long)(e->mtime_ns - s * 1000000000)};
    struct timespec times[2] = {t, t};
    if (futimens(fd, times) != 0)
        worker_fail(errno, path);
}

static bool get_entry(struct entry *e)
{
    uint8_t header[1 + 4 + 8];
    if (!worker_get(header, sizeof header))
        return false;
    struct reader r = reader_of(header, sizeof header);
    e->kind = read_u8(&r);
    e->mode = read_u32(&r);
    e->mtime_ns = read_i64(&r);
    if (e->kind < KIND_FILE || e->kind > KIND_SYMLINK || e->mode > 07777)
        worker_fail(EPROTO, "entry of an unknown kind or mode");
    size_t length = get_text(path);
    if (!path_is_within((struct bytes){.at = (const uint8_t *)path, .length = length}, MAX_PATH))
        worker_fail(EPROTO, "path is not plain and relative");
    return true;
}

static void make_entry(const struct entry *e)
{
    const char *name;
    int dir = open_parent(&name);
    if (e->kind == KIND_DIRECTORY)
        make_directory(dir, name, e);
    else if (e->kind == KIND_SYMLINK)
        make_symlink(dir, name, e);
    else
        make_file(dir, name, e);
}

/* Last made, first done: children before parents, so that a parent's time stays. */
static void finish_directories(void)
{
    forget_parent();
    for (struct late_directory *d = late; d; d = d->next) {
        memcpy(path, d->path, strlen(d->path) + 1);
        const char *name;
        int dir = open_parent(&name);
        owned_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue; /* a later entry replaced it, or the guest removed it */
        if (fd < 0 || fchmod(fd, d->mode) != 0)
            worker_fail(errno, path);
        set_times(dir, name, d->mtime_ns);
    }
}

_Noreturn void verb_unpack(const struct request *q)
{
    struct entry e;
    uint64_t entries = 0;
    path_copy(path, q->as.file.path);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        worker_fail(errno, path);
    top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        worker_fail(errno, path);
    for (; get_entry(&e); entries++)
        make_entry(&e);
    finish_directories();
    uint8_t payload[8];
    struct writer w = writer_of(payload, sizeof payload);
    write_u64(&w, entries);
    worker_finish(payload, w.used);
}
