/* Rules of paths as bytes; no file system is touched. */
#ifndef PATH_H
#define PATH_H

#include "wire.h"

/* 1 to `longest` bytes, no NUL, starting with a slash. */
bool path_is_absolute(struct bytes p, size_t longest);
/* 1 to `longest` bytes, no NUL, no leading or trailing slash, no empty, "." or ".." component. */
bool path_is_within(struct bytes p, size_t longest);
/* Copies a path into `out` and ends it with NUL; `out` must hold length + 1. */
void path_copy(char *out, struct bytes p);

#endif
