/*
 * What the host's payloads say, decoded. Nothing here touches the system: bytes in, a struct of views out, or a
 * refusal. Views point into the payload and live as long as it does.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "frame.h"

struct spawn_request {
    uint32_t uid, gid;
    uint16_t rows, columns;
    uint32_t max_processes;
    uint64_t max_memory;
    uint32_t max_files;
    struct bytes cwd;
    uint16_t argc;
    struct bytes argv; /* argc checked str32s */
    uint16_t envc;
    struct bytes envp; /* envc checked str32s */
};

/* The fields of the verbs that name one path. Each verb uses those that PROTOCOL.md gives it. */
struct path_request {
    uint32_t uid, gid, mode;
    uint64_t offset, most;
    struct bytes path;
};

struct changes_request {
    uint32_t mode, most;
    uint16_t prune_count;
    struct bytes prune; /* prune_count checked str16s */
};

struct request {
    uint8_t verb;
    uint32_t options;
    union {
        struct spawn_request spawn;
        struct path_request file;
        struct changes_request changes;
        struct {
            uint16_t count;
            struct bytes operations; /* count checked operations, read by setup_next */
        } setup;
        uint64_t fetch_most;
        int64_t clock_ns;
        struct bytes entropy;
        uint16_t port; /* PROBE, LISTEN */
    } as;
};

struct setup_op {
    uint8_t code;
    uint32_t mode, uid, gid; /* MKDIR, FILE */
    uint32_t max_processes;  /* CGROUP */
    uint64_t keep;           /* CONFINE */
    uint64_t flags;          /* MOUNT */
    struct bytes path;       /* MKDIR, MOUNT target, SYMLINK link, FILE, ROOT, WORKSPACE, CGROUP */
    struct bytes text;       /* MOUNT source, SYMLINK target, FILE content, HOSTNAME, WORKSPACE upper */
    struct bytes type, data; /* MOUNT */
};

/* False when the payload is not exactly a request of this verb. */
bool request_parse(uint8_t verb, const uint8_t *payload, size_t size, struct request *out);
/* Reads the next operation of a checked list; sets the reader bad on any fault. */
void setup_next(struct reader *r, struct setup_op *op);

bool knock_parse(const uint8_t *payload, size_t size, uint16_t *version, uint64_t *nonce);
bool credit_parse(const uint8_t *payload, size_t size, uint32_t *bytes);
bool signal_parse(const uint8_t *payload, size_t size, uint32_t *signo);
bool resize_parse(const uint8_t *payload, size_t size, uint16_t *rows, uint16_t *columns);

#endif
