#include "describe.h"

#include <inttypes.h>

#include "../src/request.h"

static void put_hex(FILE *out, struct bytes b)
{
    for (size_t i = 0; i < b.length; i++)
        fprintf(out, "%02x", b.at[i]);
}

static void put_bytes(FILE *out, const char *key, struct bytes b)
{
    fprintf(out, " %s=", key);
    put_hex(out, b);
}

static void put_list(FILE *out, const char *key, struct bytes all, uint16_t count, bool is_wide)
{
    struct reader r = reader_of(all.at, all.length);
    fprintf(out, " %s=[", key);
    for (uint16_t i = 0; i < count; i++) {
        if (i > 0)
            fputc(',', out);
        put_hex(out, is_wide ? read_str32(&r) : read_str16(&r));
    }
    fputc(']', out);
}

static void put_spawn(FILE *out, const struct request *q)
{
    const struct spawn_request *s = &q->as.spawn;
    fprintf(out, " options=%u uid=%u gid=%u rows=%u columns=%u", q->options, s->uid, s->gid, s->rows, s->columns);
    fprintf(out, " maxProcesses=%u maxMemory=%" PRIu64 " maxFiles=%u", s->max_processes, s->max_memory, s->max_files);
    put_bytes(out, "cwd", s->cwd);
    put_list(out, "argv", s->argv, s->argc, true);
    put_list(out, "env", s->envp, s->envc, true);
}

static void put_file_verb(FILE *out, const struct request *q)
{
    const struct path_request *f = &q->as.file;
    fprintf(out, " options=%u uid=%u gid=%u", q->options, f->uid, f->gid);
    if (q->verb == T_READ)
        fprintf(out, " offset=%" PRIu64 " most=%" PRIu64, f->offset, f->most);
    if (q->verb == T_WRITE)
        fprintf(out, " mode=%u", f->mode);
    if (q->verb == T_LIST)
        fprintf(out, " most=%" PRIu64, f->most);
    put_bytes(out, "path", f->path);
}

static void put_owned(FILE *out, const struct setup_op *op)
{
    fprintf(out, " mode=%u uid=%u gid=%u", op->mode, op->uid, op->gid);
    put_bytes(out, "path", op->path);
}

static void put_operation(FILE *out, const struct setup_op *op)
{
    switch (op->code) {
    case OP_MKDIR:
        fputs(" op=MKDIR", out);
        put_owned(out, op);
        break;
    case OP_MOUNT:
        fprintf(out, " op=MOUNT mountFlags=%" PRIu64, op->flags);
        put_bytes(out, "source", op->text);
        put_bytes(out, "target", op->path);
        put_bytes(out, "fstype", op->type);
        put_bytes(out, "data", op->data);
        break;
    case OP_SYMLINK:
        fputs(" op=SYMLINK", out);
        put_bytes(out, "link", op->path);
        put_bytes(out, "target", op->text);
        break;
    case OP_FILE:
        fputs(" op=FILE", out);
        put_owned(out, op);
        put_bytes(out, "bytes", op->text);
        break;
    case OP_HOSTNAME:
        fputs(" op=HOSTNAME", out);
        put_bytes(out, "name", op->text);
        break;
    case OP_LOOPBACK:
        fputs(" op=LOOPBACK", out);
        break;
    case OP_ROOT:
        fputs(" op=ROOT", out);
        put_bytes(out, "path", op->path);
        break;
    case OP_WORKSPACE:
        fputs(" op=WORKSPACE", out);
        put_bytes(out, "path", op->path);
        put_bytes(out, "upper", op->text);
        break;
    case OP_CONFINE:
        fprintf(out, " op=CONFINE keep=%" PRIu64, op->keep);
        break;
    default:
        fputs(" op=CGROUP", out);
        put_bytes(out, "path", op->path);
        fprintf(out, " maxProcesses=%u", op->max_processes);
    }
}

static void put_setup(FILE *out, const struct request *q)
{
    struct reader r = reader_of(q->as.setup.operations.at, q->as.setup.operations.length);
    fprintf(out, " n=%u", q->as.setup.count);
    for (uint16_t i = 0; i < q->as.setup.count; i++) {
        struct setup_op op;
        setup_next(&r, &op);
        put_operation(out, &op);
    }
}

static const char *const request_names[] = {"SPAWN", "READ",  "WRITE", "STAT",    "LIST",   "REMOVE", "CHANGES", "FETCH",
                                            "UNPACK", "SETUP", "CLOCK", "ENTROPY", "FREEZE", "THAW",   "PROBE",   "SHUTDOWN",
                                            "LISTEN", "ACCEPT"};

static bool describe_request(FILE *out, const struct frame *f, const uint8_t *payload)
{
    struct request q;
    if (!request_parse(f->type, payload, f->size, &q))
        return false;
    fprintf(out, "type=%s flags=0 stream=%u", request_names[f->type - T_SPAWN], f->stream);
    if (f->type == T_SPAWN)
        put_spawn(out, &q);
    else if ((f->type >= T_READ && f->type <= T_REMOVE) || f->type == T_UNPACK)
        put_file_verb(out, &q);
    else if (f->type == T_CHANGES) {
        fprintf(out, " mode=%u most=%u", q.as.changes.mode, q.as.changes.most);
        put_list(out, "prune", q.as.changes.prune, q.as.changes.prune_count, false);
    } else if (f->type == T_FETCH)
        fprintf(out, " options=%u most=%" PRIu64, q.options, q.as.fetch_most);
    else if (f->type == T_SETUP)
        put_setup(out, &q);
    else if (f->type == T_CLOCK)
        fprintf(out, " realtimeNs=%" PRId64, q.as.clock_ns);
    else if (f->type == T_ENTROPY)
        put_bytes(out, "bytes", q.as.entropy);
    else if (f->type == T_ACCEPT)
        fprintf(out, " options=%u", q.options);
    else if (f->type == T_PROBE || f->type == T_LISTEN)
        fprintf(out, " port=%u", q.as.port);
    return true;
}

static bool describe_flow(FILE *out, const struct frame *f, const uint8_t *payload)
{
    uint32_t number;
    uint16_t version, rows, columns;
    uint64_t nonce;
    switch (f->type) {
    case T_KNOCK:
        if (!knock_parse(payload, f->size, &version, &nonce))
            return false;
        fprintf(out, "type=KNOCK flags=0 stream=0 version=%u nonce=%" PRIu64, version, nonce);
        return true;
    case T_DATA:
        fprintf(out, "type=DATA flags=0 stream=%u", f->stream);
        put_bytes(out, "bytes", (struct bytes){payload, f->size});
        return true;
    case T_CREDIT:
        fprintf(out, "type=CREDIT flags=0 stream=%u", f->stream);
        return credit_parse(payload, f->size, &number) && fprintf(out, " bytes=%u", number) > 0;
    case T_SIGNAL:
        fprintf(out, "type=SIGNAL flags=0 stream=%u", f->stream);
        return signal_parse(payload, f->size, &number) && fprintf(out, " signal=%u", number) > 0;
    case T_RESIZE:
        fprintf(out, "type=RESIZE flags=0 stream=%u", f->stream);
        return resize_parse(payload, f->size, &rows, &columns) && fprintf(out, " rows=%u columns=%u", rows, columns) > 0;
    default:
        fprintf(out, "type=%s flags=0 stream=%u", f->type == T_EOF ? "EOF" : "CANCEL", f->stream);
        return true;
    }
}

bool describe(const uint8_t *frame, size_t size, FILE *out)
{
    struct frame f;
    if (size < HEADER_SIZE || frame_read_from_host(frame, &f) != NULL || f.size != size - HEADER_SIZE)
        return false;
    if (frame_is_request(f.type))
        return describe_request(out, &f, frame + HEADER_SIZE);
    return describe_flow(out, &f, frame + HEADER_SIZE);
}
