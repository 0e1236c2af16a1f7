/* What the file system says of a file, in the words of the wire. */
#ifndef STAT_H
#define STAT_H

#include <sys/types.h>

#include "protocol.h"
#include "wire.h"

struct file_stat {
    uint8_t kind, flags;
    uint32_t mode, uid, gid, nlink;
    uint64_t size, ino;
    int64_t mtime_ns, ctime_ns;
    /* Not on the wire. */
    uint64_t device;
    bool is_whiteout; /* character device 0/0; `kind` still says special */
};

/* As fstatat with these AT_ flags; "" and AT_EMPTY_PATH for the descriptor itself. 0, or -1 with errno. */
int stat_at(int dir, const char *name, int at_flags, struct file_stat *out);
/* Appends the 56 bytes of the wire. */
void stat_write(struct writer *w, const struct file_stat *s);
/* Same file, size and times: nobody wrote to it in between, as far as the file system tells. */
bool stat_is_same(const struct file_stat *a, const struct file_stat *b);

#endif
