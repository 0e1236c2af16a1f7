/* Ownership you can see: an `owned_fd` closes itself when its scope ends, unless it was handed on by steal_fd. */
#ifndef OWN_H
#define OWN_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Takes the descriptor out of its variable; the caller owns it from here. */
static inline int steal_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

static inline void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
    *dir = NULL;
}

static inline void free_bytes(char **bytes)
{
    free(*bytes);
    *bytes = NULL;
}

#define owned_fd __attribute__((cleanup(close_fd))) int
#define owned_dir __attribute__((cleanup(close_dir))) DIR *
#define owned_bytes __attribute__((cleanup(free_bytes))) char *

#endif
