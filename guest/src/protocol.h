/* The numbers of guest/PROTOCOL.md, and nothing else. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

enum {
    PROTOCOL_VERSION = 1,
    HEADER_SIZE = 12,
    MAX_PAYLOAD = 262144,
    MAX_DATA = 65536,
    INITIAL_CREDIT = 262144,
    MAX_CREDIT = 16777216,
    MAX_STREAMS = 192,
    MAX_MESSAGE = 512,
    MAX_PATH = 4095,
    MAX_TREE_PATH = 16384,
    MAX_TREE_DEPTH = 512,
    MAX_CHUNK = 1048576,
    MAX_ENTROPY = 512,
    MAX_HOSTNAME = 64,
    STAT_SIZE = 56,
};

enum frame_type {
    T_HELLO = 0x01,
    T_KNOCK = 0x02,
    T_FATAL = 0x03,
    T_SPAWN = 0x10,
    T_READ = 0x11,
    T_WRITE = 0x12,
    T_STAT = 0x13,
    T_LIST = 0x14,
    T_REMOVE = 0x15,
    T_CHANGES = 0x16,
    T_FETCH = 0x17,
    T_UNPACK = 0x18,
    T_SETUP = 0x19,
    T_CLOCK = 0x1a,
    T_ENTROPY = 0x1b,
    T_FREEZE = 0x1c,
    T_THAW = 0x1d,
    T_PROBE = 0x1e,
    T_SHUTDOWN = 0x1f,
    T_LISTEN = 0x20,
    T_ACCEPT = 0x21,
    T_DATA = 0x40,
    T_REPLY = 0x41,
    T_END = 0x42,
    T_ERROR = 0x43,
    T_EOF = 0x44,
    T_CREDIT = 0x45,
    T_SIGNAL = 0x46,
    T_RESIZE = 0x47,
    T_CANCEL = 0x48,
};

enum { DATA_STDERR = 1 };
enum { CAP_PID1 = 1, CAP_CGROUP = 2, CAP_OVERLAY = 4, CAP_PTY = 8 };
enum { SPAWN_PTY = 1, SPAWN_MERGE = 2, SPAWN_STDIN = 4 };
enum { OPT_NO_FOLLOW = 1 };                       /* READ, STAT */
enum { OPT_MAKE_PARENTS = 1, OPT_EXCLUSIVE = 2 }; /* WRITE */
enum { OPT_RECURSIVE = 1 };                       /* REMOVE */
enum { CHANGES_OVERLAY = 0, CHANGES_WALK = 1 };
enum { FETCH_UNSTABLE = 1, FETCH_CUT = 2 };
enum { END_KILLED_FOR_MEMORY = 1, END_REFUSED_PROCESSES = 2 };

enum file_kind {
    KIND_FILE = 1,
    KIND_DIRECTORY = 2,
    KIND_SYMLINK = 3,
    KIND_DELETED = 4,
    KIND_SPECIAL = 5,
    KIND_UNREADABLE = 6,
    KIND_TOO_DEEP = 7,
};
enum { STAT_OPAQUE = 1, STAT_MOUNT = 2, STAT_PRUNED = 4, STAT_SETID = 8 };

enum setup_op_code {
    OP_MKDIR = 1,
    OP_MOUNT = 2,
    OP_SYMLINK = 3,
    OP_FILE = 4,
    OP_HOSTNAME = 5,
    OP_LOOPBACK = 6,
    OP_ROOT = 7,
    OP_WORKSPACE = 8,
    OP_CGROUP = 9,
    OP_CONFINE = 10,
};

#endif
