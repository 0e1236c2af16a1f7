/* WRITE: new content for a file, all of it or nothing. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "own.h"
#include "path.h"
#include "stat.h"
#include "worker.h"

enum { MOST_LINKS = 40, DEFAULT_MODE = 0644 };

static char path[PATH_MAX];
static char temporary[PATH_MAX];

/* Length of the directory part, with its slash. */
static size_t directory_length(const char *p) { return (size_t)(strrchr(p, '/') + 1 - p); }

/* Replaces `path` by what its final symlink names, until that is no symlink. */
static void follow_final_link(void)
{
    char target[PATH_MAX], next[PATH_MAX];
    for (int i = 0;; i++) {
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n < 0)
            return; /* not a symlink, or not there: both are fine, and other faults show when it is opened */
        if (i == MOST_LINKS)
            worker_fail(ELOOP, path);
        target[n] = '\0';
        int prefix = target[0] == '/' ? 0 : (int)directory_length(path);
        int length = snprintf(next, sizeof next, "%.*s%s", prefix, path, target);
        if (length < 0 || (size_t)length >= sizeof next)
            worker_fail(ENAMETOOLONG, path);
        memcpy(path, next, (size_t)length + 1);
    }
}

static void make_parents(void)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0755);
        if (failed != 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
            worker_fail(errno, path);
        *slash = '/'; /* what could not be made may still be there; else the open says so */
    }
}

/* A new file in the target's directory, without a name if the file system can; else `temporary` is its name. */
static int open_new(bool *has_name)
{
    char directory[PATH_MAX];
    size_t length = directory_length(path);
    memcpy(directory, path, length);
    directory[length] = '\0';
    *has_name = false;
    int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
        return fd;
    for (int i = 0; i < 100; i++) {
        if (snprintf(temporary, sizeof temporary, "%.*s.safe-coder-%d-%d", (int)length, path, (int)getpid(), i) >=
            (int)sizeof temporary) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) {
            *has_name = true;
            worker_set_temporary(temporary);
        }
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static void write_all(int fd, const uint8_t *at, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            worker_fail(errno, path);
        at += n;
        size -= (size_t)n;
    }
}

/* Gives the nameless file a temporary name, so that it can replace by rename. */
static void name_file(int fd)
{
    char self[64];
    size_t length = directory_length(path);
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    for (int i = 0; i < 100; i++) {
        if (snprintf(temporary, sizeof temporary, "%.*s.safe-coder-%d-%d", (int)length, path, (int)getpid(), i) >=
            (int)sizeof temporary)
            worker_fail(ENAMETOOLONG, path);
        worker_set_temporary(temporary);
        if (linkat(AT_FDCWD, self, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == 0)
            return;
        int code = errno;
        worker_set_temporary(NULL);
        if (code != EEXIST)
            worker_fail(code, path);
    }
    worker_fail(EEXIST, path);
}

/* Point of no return: after this the new content is the file. */
static void put_in_place(int fd, bool is_exclusive, bool has_name)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (is_exclusive) {
        int failed = has_name ? linkat(AT_FDCWD, temporary, AT_FDCWD, path, 0)
                              : linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
        if (failed != 0)
            worker_fail(errno, path);
        if (has_name)
            unlink(temporary);
    } else {
        if (!has_name)
            name_file(fd);
        if (rename(temporary, path) != 0)
            worker_fail(errno, path);
    }
    worker_set_temporary(NULL);
}

static void check_existing(const struct file_stat *s, bool is_exclusive)
{
    if (is_exclusive)
        worker_fail(EEXIST, path);
    if (s->kind != KIND_FILE)
        worker_fail(s->kind == KIND_DIRECTORY ? EISDIR : EINVAL, path);
    /* Replacing by rename would need no right to the file itself; an ordinary write does. */
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
        worker_fail(errno, path);
}

_Noreturn void verb_write(const struct request *q)
{
    static uint8_t chunk[MAX_DATA];
    struct file_stat s = {0};
    bool is_exclusive = q->options & OPT_EXCLUSIVE, has_name;
    path_copy(path, q->as.file.path);
    if (path[strlen(path) - 1] == '/')
        worker_fail(EISDIR, path);
    if (!is_exclusive)
        follow_final_link();
    if (q->options & OPT_MAKE_PARENTS)
        make_parents();
    bool exists = stat_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &s) == 0;
    if (!exists && errno != ENOENT)
        worker_fail(errno, path);
    if (exists)
        check_existing(&s, is_exclusive);
    owned_fd fd = open_new(&has_name);
    if (fd < 0)
        worker_fail(errno, path);
    for (size_t n; (n = worker_get_some(chunk, sizeof chunk)) > 0;)
        write_all(fd, chunk, n);
    /* A kept mode loses setuid and setgid, as on any write. */
    uint32_t mode = q->as.file.mode != 0 ? q->as.file.mode : exists ? s.mode & 01777 : DEFAULT_MODE;
    /* Only root may keep another owner; anybody else becomes it, as with any editor that replaces files. */
    if (exists)
        (void)!fchown(fd, s.uid, s.gid);
    if (fchmod(fd, mode) != 0)
        worker_fail(errno, path);
    put_in_place(fd, is_exclusive, has_name);
    if (stat_at(fd, "", AT_EMPTY_PATH, &s) != 0)
        worker_fail(errno, path);
    uint8_t payload[STAT_SIZE + 1];
    struct writer w = writer_of(payload, sizeof payload);
    stat_write(&w, &s);
    write_u8(&w, !exists);
    worker_finish(payload, w.used);
}
