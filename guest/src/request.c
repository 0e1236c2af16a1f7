#include "request.h"

#include "path.h"

static struct bytes read_path(struct reader *r)
{
    struct bytes p = read_str16(r);
    if (!path_is_absolute(p, MAX_PATH))
        r->bad = true;
    return p;
}

static struct bytes read_text(struct reader *r, size_t least, size_t most)
{
    struct bytes b = read_str16(r);
    if (b.length < least || b.length > most || has_nul(b))
        r->bad = true;
    return b;
}

static uint32_t read_options(struct reader *r, uint32_t known)
{
    uint32_t options = read_u32(r);
    if (options & ~known)
        r->bad = true;
    return options;
}

static uint32_t read_mode(struct reader *r)
{
    uint32_t mode = read_u32(r);
    if (mode > 07777)
        r->bad = true;
    return mode;
}

static void read_owner(struct reader *r, uint32_t *uid, uint32_t *gid)
{
    *uid = read_u32(r);
    *gid = read_u32(r);
}

static struct bytes read_strings(struct reader *r, uint16_t *count)
{
    *count = read_u16(r);
    struct bytes all = {.at = r->at, .length = 0};
    for (uint16_t i = 0; i < *count && !r->bad; i++) {
        if (has_nul(read_str32(r)))
            r->bad = true;
    }
    all.length = (size_t)(r->at - all.at);
    return all;
}

static void read_spawn(struct reader *r, struct request *q)
{
    struct spawn_request *s = &q->as.spawn;
    q->options = read_options(r, SPAWN_PTY | SPAWN_MERGE | SPAWN_STDIN);
    read_owner(r, &s->uid, &s->gid);
    s->rows = read_u16(r);
    s->columns = read_u16(r);
    s->max_processes = read_u32(r);
    s->max_memory = read_u64(r);
    s->max_files = read_u32(r);
    s->cwd = read_path(r);
    s->argv = read_strings(r, &s->argc);
    if (r->bad)
        return;
    struct reader program = reader_of(s->argv.at, s->argv.length);
    if (s->argc == 0 || read_str32(&program).length == 0)
        r->bad = true;
    s->envp = read_strings(r, &s->envc);
}

static void read_file_verb(struct reader *r, struct request *q, uint32_t known_options)
{
    struct path_request *f = &q->as.file;
    *f = (struct path_request){0};
    q->options = read_options(r, known_options);
    read_owner(r, &f->uid, &f->gid);
    if (q->verb == T_READ) {
        f->offset = read_u64(r);
        f->most = read_u64(r);
    }
    if (q->verb == T_WRITE)
        f->mode = read_mode(r);
    if (q->verb == T_LIST)
        f->most = read_u32(r);
    f->path = read_path(r);
}

static void read_changes(struct reader *r, struct request *q)
{
    struct changes_request *c = &q->as.changes;
    c->mode = read_u32(r);
    if (c->mode > CHANGES_WALK)
        r->bad = true;
    c->most = read_u32(r);
    c->prune_count = read_u16(r);
    c->prune = (struct bytes){.at = r->at, .length = 0};
    for (uint16_t i = 0; i < c->prune_count && !r->bad; i++) {
        if (!path_is_within(read_str16(r), MAX_PATH))
            r->bad = true;
    }
    c->prune.length = (size_t)(r->at - c->prune.at);
}

void setup_next(struct reader *r, struct setup_op *op)
{
    *op = (struct setup_op){.code = read_u8(r)};
    switch (op->code) {
    case OP_MKDIR:
    case OP_FILE:
        op->mode = read_mode(r);
        read_owner(r, &op->uid, &op->gid);
        op->path = read_path(r);
        if (op->code == OP_FILE)
            op->text = read_str32(r);
        break;
    case OP_MOUNT:
        op->flags = read_u64(r);
        op->text = read_text(r, 0, MAX_PATH);
        op->path = read_path(r);
        op->type = read_text(r, 0, MAX_PATH);
        op->data = read_text(r, 0, MAX_PATH);
        break;
    case OP_SYMLINK:
        op->path = read_path(r);
        op->text = read_text(r, 1, MAX_PATH);
        break;
    case OP_HOSTNAME:
        op->text = read_text(r, 1, MAX_HOSTNAME);
        break;
    case OP_LOOPBACK:
        break;
    case OP_ROOT:
        op->path = read_path(r);
        break;
    case OP_WORKSPACE:
        op->path = read_path(r);
        op->text = read_text(r, 0, MAX_PATH);
        if (op->text.length > 0 && op->text.at[0] != '/')
            r->bad = true;
        break;
    case OP_CGROUP:
        op->path = read_path(r);
        op->max_processes = read_u32(r);
        break;
    case OP_CONFINE:
        op->keep = read_u64(r);
        break;
    default:
        r->bad = true;
    }
}

static void read_setup(struct reader *r, struct request *q)
{
    struct setup_op ignored;
    q->as.setup.count = read_u16(r);
    q->as.setup.operations = (struct bytes){.at = r->at, .length = r->left};
    for (uint16_t i = 0; i < q->as.setup.count && !r->bad; i++)
        setup_next(r, &ignored);
}

static void read_entropy(struct reader *r, struct request *q)
{
    if (r->left == 0 || r->left > MAX_ENTROPY)
        r->bad = true;
    q->as.entropy = read_bytes(r, r->left);
}

bool request_parse(uint8_t verb, const uint8_t *payload, size_t size, struct request *out)
{
    struct reader r = reader_of(payload, size);
    *out = (struct request){.verb = verb};
    switch (verb) {
    case T_SPAWN:
        read_spawn(&r, out);
        break;
    case T_READ:
    case T_STAT:
        read_file_verb(&r, out, OPT_NO_FOLLOW);
        break;
    case T_WRITE:
        read_file_verb(&r, out, OPT_MAKE_PARENTS | OPT_EXCLUSIVE);
        break;
    case T_REMOVE:
        read_file_verb(&r, out, OPT_RECURSIVE);
        break;
    case T_LIST:
    case T_UNPACK:
        read_file_verb(&r, out, 0);
        break;
    case T_CHANGES:
        read_changes(&r, out);
        break;
    case T_FETCH:
        out->options = read_options(&r, 0);
        out->as.fetch_most = read_u64(&r);
        break;
    case T_SETUP:
        read_setup(&r, out);
        break;
    case T_CLOCK:
        out->as.clock_ns = read_i64(&r);
        break;
    case T_ENTROPY:
        read_entropy(&r, out);
        break;
    case T_PROBE:
        out->as.port = read_u16(&r);
        break;
    case T_LISTEN:
        out->as.port = read_u16(&r);
        if (read_u16(&r) != 0)
            return false;
        break;
    case T_ACCEPT:
        out->options = read_options(&r, 0);
        break;
    case T_FREEZE:
    case T_THAW:
    case T_SHUTDOWN:
        break;
    default:
        return false;
    }
    return reader_is_done(&r);
}

bool knock_parse(const uint8_t *payload, size_t size, uint16_t *version, uint64_t *nonce)
{
    struct reader r = reader_of(payload, size);
    *version = read_u16(&r);
    uint16_t reserved = read_u16(&r);
    uint32_t reserved_too = read_u32(&r);
    *nonce = read_u64(&r);
    return reader_is_done(&r) && reserved == 0 && reserved_too == 0;
}

bool credit_parse(const uint8_t *payload, size_t size, uint32_t *bytes)
{
    struct reader r = reader_of(payload, size);
    *bytes = read_u32(&r);
    return reader_is_done(&r) && *bytes >= 1 && *bytes <= MAX_CREDIT;
}

bool signal_parse(const uint8_t *payload, size_t size, uint32_t *signo)
{
    struct reader r = reader_of(payload, size);
    *signo = read_u32(&r);
    return reader_is_done(&r) && *signo >= 1 && *signo <= 64;
}

bool resize_parse(const uint8_t *payload, size_t size, uint16_t *rows, uint16_t *columns)
{
    struct reader r = reader_of(payload, size);
    *rows = read_u16(&r);
    *columns = read_u16(&r);
    return reader_is_done(&r);
}
