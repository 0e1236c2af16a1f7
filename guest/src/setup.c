#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "cgroup.h"
#include "own.h"
#include "path.h"

#ifndef BLKFLSBUF
#define BLKFLSBUF 0x1261
#endif

static char path[MAX_PATH + 1];

/* Makes the directories above the path, or the whole path; what exists is accepted. */
static int make_directories(bool whole)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0755);
        int code = errno;
        *slash = '/';
        if (failed != 0 && code != EEXIST && code != EROFS)
            return code;
    }
    return whole && mkdir(path, 0755) != 0 && errno != EEXIST ? errno : 0;
}

static int make_directory(const struct setup_op *op)
{
    struct stat s;
    int code = make_directories(true);
    if (code != 0)
        return code;
    if (stat(path, &s) != 0)
        return errno;
    if (!S_ISDIR(s.st_mode))
        return ENOTDIR;
    if ((s.st_uid != op->uid || s.st_gid != op->gid) && agent.is_root && chown(path, op->uid, op->gid) != 0)
        return errno;
    return chmod(path, op->mode) == 0 ? 0 : errno;
}

/* The disk may have been written by the host after the kernel last read it, before this machine was restored. */
static int drop_cached_pages(const char *source)
{
    struct stat s;
    if (source[0] != '/' || stat(source, &s) != 0 || !S_ISBLK(s.st_mode))
        return 0;
    owned_fd fd = open(source, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    return ioctl(fd, BLKFLSBUF, 0) == 0 ? 0 : errno;
}

static int make_mount_target(const char *source, unsigned long flags)
{
    struct stat s;
    if (stat(path, &s) == 0)
        return 0;
    if ((flags & MS_BIND) && stat(source, &s) == 0 && !S_ISDIR(s.st_mode)) {
        int code = make_directories(false);
        owned_fd fd = code != 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        return code != 0 ? code : fd < 0 ? errno : 0;
    }
    return make_directories(true);
}

static int make_mount(const struct setup_op *op)
{
    static char source[MAX_PATH + 1], type[MAX_PATH + 1], data[MAX_PATH + 1];
    path_copy(source, op->text);
    path_copy(type, op->type);
    path_copy(data, op->data);
    int code = drop_cached_pages(source);
    if (code == 0)
        code = make_mount_target(source, (unsigned long)op->flags);
    if (code != 0)
        return code;
    if (mount(source, path, type, (unsigned long)op->flags, data) != 0)
        return errno;
    if (strcmp(type, "overlay") == 0 && strstr(data, "userxattr"))
        agent.upper_uses_user_xattr = true;
    return 0;
}

static int make_symlink(const struct setup_op *op)
{
    char target[MAX_PATH + 1];
    path_copy(target, op->text);
    int code = make_directories(false);
    if (code != 0)
        return code;
    if (unlink(path) != 0 && errno != ENOENT)
        return errno;
    return symlink(target, path) == 0 ? 0 : errno;
}

static int make_file(const struct setup_op *op)
{
    int code = make_directories(false);
    if (code != 0)
        return code;
    owned_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    for (size_t done = 0; done < op->text.length;) {
        ssize_t n = write(fd, op->text.at + done, op->text.length - done);
        if (n < 0 && errno != EINTR)
            return errno;
        done += n > 0 ? (size_t)n : 0;
    }
    if (agent.is_root && fchown(fd, op->uid, op->gid) != 0)
        return errno;
    return fchmod(fd, op->mode) == 0 ? 0 : errno;
}

static int raise_loopback(void)
{
    owned_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
        return errno;
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP | IFF_RUNNING);
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : errno;
}

/* Point of no return: the old root is out of reach afterwards, except through descriptors that are open. */
static int move_root(void)
{
    /* Where the root can be exchanged, it is: everybody's, so that the old one is out of reach by anybody's /proc entry.
     * A machine's first root can't be. */
    if (!agent.is_pid1 && chdir(path) == 0 && syscall(SYS_pivot_root, ".", ".") == 0)
        return umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 ? 0 : errno;
    if (chdir(path) != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0)
        return errno;
    if (chroot(".") != 0 || chdir("/") != 0)
        return errno;
    return 0;
}

static int set_workspace(const struct setup_op *op)
{
    char upper[MAX_PATH + 1];
    owned_fd fd = -1;
    path_copy(upper, op->text);
    if (upper[0] != '\0' && (fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return errno;
    close_fd(&agent.upper_fd);
    agent.upper_fd = steal_fd(&fd);
    memcpy(agent.workspace, path, sizeof path);
    agent.has_workspace = true;
    return 0;
}

static int set_cgroup(const struct setup_op *op)
{
    owned_fd fd = cgroup_open_base(path, op->max_processes);
    if (fd < 0)
        return errno;
    close_fd(&agent.cgroup_fd);
    agent.cgroup_fd = steal_fd(&fd);
    return 0;
}

static int run_one(const struct setup_op *op)
{
    path_copy(path, op->path);
    switch (op->code) {
    case OP_MKDIR:
        return make_directory(op);
    case OP_MOUNT:
        return make_mount(op);
    case OP_SYMLINK:
        return make_symlink(op);
    case OP_FILE:
        return make_file(op);
    case OP_HOSTNAME:
        return sethostname((const char *)op->text.at, op->text.length) == 0 ? 0 : errno;
    case OP_LOOPBACK:
        return raise_loopback();
    case OP_ROOT:
        return move_root();
    case OP_WORKSPACE:
        return set_workspace(op);
    case OP_CONFINE:
        agent.confines = true;
        agent.keep = op->keep;
        return 0;
    default:
        return set_cgroup(op);
    }
}

static const char *name_of(uint8_t code)
{
    static const char *const names[] = {"",         "mkdir",    "mount", "symlink",   "file",
                                        "hostname", "loopback", "root",  "workspace", "cgroup",
                                        "confine"};
    return names[code];
}

int setup_run(uint16_t count, struct bytes operations, char message[SETUP_MESSAGE])
{
    struct reader r = reader_of(operations.at, operations.length);
    for (uint16_t i = 0; i < count; i++) {
        struct setup_op op;
        setup_next(&r, &op);
        int code = run_one(&op);
        if (code != 0) {
            snprintf(message, SETUP_MESSAGE, "%u %s %.300s", i, name_of(op.code), path);
            return code;
        }
    }
    return 0;
}
