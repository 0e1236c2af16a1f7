#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "own.h"

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
/* struct open_how and its flags, declared here because the C library has none. */
struct how {
    uint64_t flags, mode, resolve;
};
enum { NO_XDEV = 0x01, NO_SYMLINKS = 0x04, BENEATH = 0x08 };

enum { DIRECTORY_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static int open_by_steps(int top, char *text, uint32_t make_mode)
{
    owned_fd at = fcntl(top, F_DUPFD_CLOEXEC, 0);
    for (char *step = text; at >= 0 && step;) {
        char *slash = strchr(step, '/');
        if (slash)
            *slash = '\0';
        if (make_mode != 0 && mkdirat(at, step, make_mode) != 0 && errno != EEXIST)
            return -1;
        int next = openat(at, step, DIRECTORY_FLAGS);
        int code = errno;
        if (slash)
            *slash = '/';
        close_fd(&at);
        at = next;
        errno = code;
        step = slash ? slash + 1 : NULL;
    }
    return steal_fd(&at);
}

int tree_open_parent(int top, char *text, const char **name, uint32_t make_mode)
{
    char *slash = strrchr(text, '/');
    *name = slash ? slash + 1 : text;
    if (!slash)
        return fcntl(top, F_DUPFD_CLOEXEC, 0);
    *slash = '\0';
    int fd = -1;
    errno = ENAMETOOLONG;
    if (strlen(text) < PATH_MAX) {
        struct how how = {.flags = DIRECTORY_FLAGS, .resolve = NO_XDEV | NO_SYMLINKS | BENEATH};
        fd = (int)syscall(SYS_openat2, top, text, &how, sizeof how);
    }
    /* Step by step: for long paths, kernels before 5.6 (or a filter that hides the call), and to make what lacks. */
    bool try_steps = errno == ENAMETOOLONG || errno == ENOSYS || errno == EPERM || errno == EAGAIN ||
                     (errno == ENOENT && make_mode != 0);
    if (fd < 0 && try_steps)
        fd = open_by_steps(top, text, make_mode);
    return fd;
}
