/* REMOVE: a path, or a whole tree, never through a symlink and never into another mount. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"
#include "path.h"
#include "stat.h"
#include "worker.h"

/* Descriptors held open at once. A deeper tree is brought up: its subtrees are renamed into the top and go next. */
enum { MOST_LEVELS = 200 };

static char path[MAX_PATH + 1];
static uint64_t removed;
static uint64_t top_device;
static unsigned brought_up;
static int top = -1;

static void empty_directory(int fd, int level);

static void bring_up(int dir, const char *name)
{
    char new_name[64];
    do
        snprintf(new_name, sizeof new_name, ".safe-coder-deep-%u", brought_up++);
    while (faccessat(top, new_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    if (renameat(dir, name, top, new_name) != 0)
        worker_fail(errno, path);
}

static void remove_directory(int dir, const char *name, int level)
{
    struct file_stat s;
    owned_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || stat_at(fd, "", AT_EMPTY_PATH, &s) != 0)
        worker_fail(errno, path);
    if (s.device != top_device || (s.flags & STAT_MOUNT))
        worker_fail(EXDEV, path);
    empty_directory(fd, level + 1);
    if (unlinkat(dir, name, AT_REMOVEDIR) != 0)
        worker_fail(errno, path);
    removed++;
}

static void remove_entry(int dir, const char *name, int level)
{
    struct file_stat s;
    if (stat_at(dir, name, AT_SYMLINK_NOFOLLOW, &s) != 0) {
        if (errno == ENOENT)
            return;
        worker_fail(errno, path);
    }
    if (s.kind == KIND_DIRECTORY && level >= MOST_LEVELS) {
        bring_up(dir, name);
    } else if (s.kind == KIND_DIRECTORY) {
        remove_directory(dir, name, level);
    } else {
        if (unlinkat(dir, name, 0) != 0)
            worker_fail(errno, path);
        removed++;
    }
}

/* One pass over the entries; false when there were none. */
static bool pass(int fd, int level)
{
    owned_fd again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    owned_dir dir = again < 0 ? NULL : fdopendir(again);
    bool found = false;
    if (!dir)
        worker_fail(errno, path);
    again = -1; /* the DIR owns it */
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(dir);
        if (!e && errno != 0)
            worker_fail(errno, path);
        if (!e)
            return found;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        found = true;
        remove_entry(fd, e->d_name, level);
    }
}

static void empty_directory(int fd, int level)
{
    while (pass(fd, level))
        continue; /* again: entries may have been brought up, or missed while the directory shrank */
}

static void remove_tree(void)
{
    struct file_stat s;
    owned_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || stat_at(fd, "", AT_EMPTY_PATH, &s) != 0)
        worker_fail(errno, path);
    if (s.flags & STAT_MOUNT)
        worker_fail(EBUSY, path);
    top = fd;
    top_device = s.device;
    empty_directory(fd, 0);
    if (rmdir(path) != 0)
        worker_fail(errno, path);
    removed++;
}

_Noreturn void verb_remove(const struct request *q)
{
    struct file_stat s;
    path_copy(path, q->as.file.path);
    /* With a slash at the end the kernel would follow a symlink. */
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end--)
        path[end - 1] = '\0';
    if (stat_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &s) != 0)
        worker_fail(errno, path);
    if (s.kind == KIND_DIRECTORY && (q->options & OPT_RECURSIVE)) {
        remove_tree();
    } else {
        if (s.kind == KIND_DIRECTORY ? rmdir(path) : unlink(path))
            worker_fail(errno, path);
        removed++;
    }
    uint8_t payload[8];
    struct writer w = writer_of(payload, sizeof payload);
    write_u64(&w, removed);
    worker_finish(payload, w.used);
}
