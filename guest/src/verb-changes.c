/*
 * CHANGES: what is in the workspace's upper layer, or in the workspace. The walk goes by open directories and
 * never follows a symlink, so a guest that renames directories meanwhile can only confuse its own report.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent.h"
#include "own.h"
#include "stat.h"
#include "worker.h"

/* A directory with a longer path is not descended: any name in it still makes a path of the wire. */
enum { MOST_DIRECTORY_PATH = MAX_TREE_PATH - 1 - NAME_MAX };
/* Paths and targets of one list together: the host keeps them all. */
enum { MOST_LISTED_BYTES = 64 << 20 };

static char path[MAX_TREE_PATH + NAME_MAX + 2];
static DIR *levels[MAX_TREE_DEPTH];
static size_t path_ends[MAX_TREE_DEPTH];
static struct bytes *prunes;
static size_t prune_count;
static bool is_overlay;
static uint64_t top_device;
static uint64_t entries, most;
static uint64_t listed_bytes;

static int compare(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return x->length == 0 ? 0 : memcmp(x->at, y->at, x->length);
}

/* Sorted once, so that a long list does not cost every directory a search through it. */
static void read_prunes(const struct changes_request *c)
{
    struct reader r = reader_of(c->prune.at, c->prune.length);
    prunes = calloc((size_t)c->prune_count + 1, sizeof *prunes);
    if (!prunes)
        worker_fail(ENOMEM, "prune list");
    while (prune_count < c->prune_count)
        prunes[prune_count++] = read_str16(&r);
    qsort(prunes, prune_count, sizeof *prunes, compare);
}

static bool is_pruned(size_t length)
{
    struct bytes key = {.at = (const uint8_t *)path, .length = length};
    if (length == 4 && memcmp(path, ".git", 4) == 0)
        return true;
    return bsearch(&key, prunes, prune_count, sizeof *prunes, compare) != NULL;
}

static bool is_opaque(int fd)
{
    char value = 0;
    const char *name = agent.upper_uses_user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
    return fgetxattr(fd, name, &value, 1) == 1 && value == 'y';
}

static void put_entry(const struct file_stat *s, size_t length, const char *target, size_t target_length)
{
    static uint8_t entry[STAT_SIZE + 2 + MAX_TREE_PATH + 2 + PATH_MAX];
    struct writer w = writer_of(entry, sizeof entry);
    stat_write(&w, s);
    write_str16(&w, path, length);
    if (s->kind == KIND_SYMLINK)
        write_str16(&w, target, target_length);
    worker_put(entry, w.used);
    entries++;
    listed_bytes += length + target_length;
}

static void put_symlink(int dir, const char *name, struct file_stat *s, size_t length)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof target);
    if (n < 0) {
        if (errno == ENOENT)
            return;
        *s = (struct file_stat){.kind = KIND_UNREADABLE, .mode = (uint32_t)errno};
        n = 0;
    }
    put_entry(s, length, target, (size_t)n);
}

/* Reports a directory and, if it is to be walked, returns it open. */
static DIR *enter(int dir, const char *name, struct file_stat *s, size_t length, size_t depth)
{
    bool is_mount = (s->flags & STAT_MOUNT) || s->device != top_device;
    if (is_mount)
        s->flags |= STAT_MOUNT;
    if (is_pruned(length))
        s->flags |= STAT_PRUNED;
    bool is_deep = depth >= MAX_TREE_DEPTH || length > MOST_DIRECTORY_PATH;
    if (is_deep && !(s->flags & (STAT_MOUNT | STAT_PRUNED)))
        s->kind = KIND_TOO_DEEP;
    if (is_mount) {
        put_entry(s, length, NULL, 0);
        return NULL;
    }
    owned_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return NULL; /* removed since */
    if (fd < 0) {
        s->kind = KIND_UNREADABLE;
        s->mode = (uint32_t)errno;
    } else if (is_overlay && is_opaque(fd)) {
        s->flags |= STAT_OPAQUE;
    }
    put_entry(s, length, NULL, 0);
    if (s->kind != KIND_DIRECTORY || (s->flags & STAT_PRUNED))
        return NULL;
    DIR *opened = fdopendir(fd);
    if (!opened)
        worker_fail(errno, path);
    fd = -1; /* the DIR owns it */
    return opened;
}

/* Handles one entry; an opened directory is the next level. */
static DIR *visit(int dir, const char *name, size_t length, size_t depth)
{
    struct file_stat s;
    if (stat_at(dir, name, AT_SYMLINK_NOFOLLOW, &s) != 0) {
        if (errno == ENOENT)
            return NULL;
        s = (struct file_stat){.kind = KIND_UNREADABLE, .mode = (uint32_t)errno};
    }
    if (is_overlay && s.is_whiteout)
        s.kind = KIND_DELETED;
    if (s.kind == KIND_DIRECTORY)
        return enter(dir, name, &s, length, depth);
    s.flags &= (uint8_t)~STAT_MOUNT; /* said of directories only: other kinds have nothing to descend */
    if (s.kind == KIND_SYMLINK)
        put_symlink(dir, name, &s, length);
    else
        put_entry(&s, length, NULL, 0);
    return NULL;
}

static bool walk(DIR *top)
{
    size_t depth = 0;
    levels[0] = top;
    path_ends[0] = 0;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(levels[depth]);
        if (!e && errno != 0)
            worker_fail(errno, path);
        if (!e) {
            closedir(levels[depth]);
            if (depth == 0)
                return false;
            depth--;
            continue;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (entries == most || listed_bytes >= MOST_LISTED_BYTES)
            return true;
        size_t at = path_ends[depth], name_length = strlen(e->d_name);
        if (at > 0)
            path[at++] = '/';
        memcpy(path + at, e->d_name, name_length + 1);
        DIR *next = visit(dirfd(levels[depth]), e->d_name, at + name_length, depth + 1);
        if (!next)
            continue;
        depth++;
        levels[depth] = next;
        path_ends[depth] = at + name_length;
    }
}

_Noreturn void verb_changes(const struct request *q, int upper)
{
    struct file_stat s;
    is_overlay = q->as.changes.mode == CHANGES_OVERLAY;
    most = q->as.changes.most;
    if (!agent.has_workspace || (is_overlay && upper < 0))
        worker_fail(EINVAL, is_overlay ? "no upper layer was set up" : "no workspace was set up");
    read_prunes(&q->as.changes);
    int fd = is_overlay ? openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                        : open(agent.workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || stat_at(fd, "", AT_EMPTY_PATH, &s) != 0)
        worker_fail(errno, agent.workspace);
    top_device = s.device;
    DIR *top = fdopendir(fd);
    if (!top)
        worker_fail(errno, agent.workspace);
    bool is_truncated = walk(top);
    uint8_t payload[9];
    struct writer w = writer_of(payload, sizeof payload);
    write_u64(&w, entries);
    write_u8(&w, is_truncated);
    worker_finish(payload, w.used);
}
