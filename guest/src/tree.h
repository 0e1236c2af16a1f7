/* Opening things below a directory without following a single symlink, at any path length. */
#ifndef TREE_H
#define TREE_H

#include "wire.h"

/*
 * Opens the directory that holds the last component of a checked relative path (path_is_within), and sets `name`
 * to that component inside `text`, which is the path ended with NUL and may be cut up. O_PATH; -1 with errno.
 * `make_mode` other than 0: missing directories on the way are made.
 */
int tree_open_parent(int top, char *text, const char **name, uint32_t make_mode);

#endif
