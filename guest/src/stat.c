#include "stat.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The kernel's statx, declared here because older C libraries lack it. Only it tells mount points of bind mounts. */
struct kernel_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t pad;
};
struct kernel_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, pad;
    uint64_t ino, size, blocks, attributes_mask;
    struct kernel_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t spare[14];
};
enum { BASIC_STATS = 0x7ff, ATTRIBUTE_MOUNT_ROOT = 0x2000 };

static uint8_t kind_of(uint32_t mode)
{
    if (S_ISREG(mode))
        return KIND_FILE;
    if (S_ISDIR(mode))
        return KIND_DIRECTORY;
    if (S_ISLNK(mode))
        return KIND_SYMLINK;
    return KIND_SPECIAL;
}

static void set_mode(struct file_stat *out, uint32_t mode)
{
    out->kind = kind_of(mode);
    out->mode = mode & 07777;
    if (S_ISREG(mode) && (mode & (S_ISUID | S_ISGID)))
        out->flags |= STAT_SETID;
}

static int stat_without_statx(int dir, const char *name, int at_flags, struct file_stat *out)
{
    struct stat s;
    if (fstatat(dir, name, &s, at_flags) != 0)
        return -1;
    *out = (struct file_stat){
        .uid = s.st_uid,
        .gid = s.st_gid,
        .nlink = (uint32_t)s.st_nlink,
        .size = (uint64_t)s.st_size,
        .ino = s.st_ino,
        .mtime_ns = (int64_t)s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec,
        .ctime_ns = (int64_t)s.st_ctim.tv_sec * 1000000000 + s.st_ctim.tv_nsec,
        .device = s.st_dev,
        .is_whiteout = S_ISCHR(s.st_mode) && s.st_rdev == 0,
    };
    set_mode(out, s.st_mode);
    return 0;
}

static int64_t in_ns(struct kernel_time t)
{
    /* The multiplication wraps for times a hostile file system invents; unsigned, so that it may. */
    return (int64_t)((uint64_t)t.seconds * 1000000000U + t.nanoseconds);
}

int stat_at(int dir, const char *name, int at_flags, struct file_stat *out)
{
    struct kernel_statx s;
    if (syscall(SYS_statx, dir, name, at_flags, BASIC_STATS, &s) != 0)
        return errno == ENOSYS ? stat_without_statx(dir, name, at_flags, out) : -1;
    *out = (struct file_stat){
        .uid = s.uid,
        .gid = s.gid,
        .nlink = s.nlink,
        .size = s.size,
        .ino = s.ino,
        .mtime_ns = in_ns(s.mtime),
        .ctime_ns = in_ns(s.ctime),
        .device = makedev(s.dev_major, s.dev_minor),
        .is_whiteout = S_ISCHR(s.mode) && s.rdev_major == 0 && s.rdev_minor == 0,
    };
    set_mode(out, s.mode);
    if (s.attributes & ATTRIBUTE_MOUNT_ROOT)
        out->flags |= STAT_MOUNT;
    return 0;
}

void stat_write(struct writer *w, const struct file_stat *s)
{
    write_u8(w, s->kind);
    write_u8(w, s->flags);
    write_u16(w, 0);
    write_u32(w, s->mode);
    write_u32(w, s->uid);
    write_u32(w, s->gid);
    write_u32(w, s->nlink);
    write_u32(w, 0);
    write_u64(w, s->size);
    write_u64(w, s->ino);
    write_i64(w, s->mtime_ns);
    write_i64(w, s->ctime_ns);
}

bool stat_is_same(const struct file_stat *a, const struct file_stat *b)
{
    return a->device == b->device && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns;
}
