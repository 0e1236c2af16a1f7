/*
 * libFuzzer target: the host's bytes as a stream of frames, through header check, payload parsers and the reading
 * of SETUP operations and string lists, as the agent does it but without acting on anything.
 */
#include <stdlib.h>
#include <string.h>

#include "../src/path.h"
#include "../src/request.h"

static volatile uint64_t sink;

/* Reads every byte of a view, so that a view beyond the payload is found out. */
static void touch(struct bytes b)
{
    for (size_t i = 0; i < b.length; i++)
        sink += b.at[i];
}

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void check_strings(struct bytes all, uint16_t count, bool is_wide)
{
    struct reader r = reader_of(all.at, all.length);
    for (uint16_t i = 0; i < count; i++) {
        struct bytes s = is_wide ? read_str32(&r) : read_str16(&r);
        expect(!has_nul(s));
        touch(s);
    }
    expect(reader_is_done(&r));
}

static void check_setup(const struct request *q)
{
    struct reader r = reader_of(q->as.setup.operations.at, q->as.setup.operations.length);
    for (uint16_t i = 0; i < q->as.setup.count; i++) {
        struct setup_op op;
        setup_next(&r, &op);
        expect(!r.bad && op.code >= OP_MKDIR && op.code <= OP_CONFINE && op.mode <= 07777);
        expect(op.path.length <= MAX_PATH && !has_nul(op.path));
        expect(op.type.length <= MAX_PATH && op.data.length <= MAX_PATH);
        expect(op.code == OP_FILE || op.text.length <= MAX_PATH);
        touch(op.path);
        touch(op.text);
        touch(op.type);
        touch(op.data);
    }
    expect(reader_is_done(&r));
}

static void check_request(const struct request *q)
{
    switch (q->verb) {
    case T_SPAWN:
        expect(q->as.spawn.argc > 0 && path_is_absolute(q->as.spawn.cwd, MAX_PATH));
        check_strings(q->as.spawn.argv, q->as.spawn.argc, true);
        check_strings(q->as.spawn.envp, q->as.spawn.envc, true);
        break;
    case T_CHANGES:
        check_strings(q->as.changes.prune, q->as.changes.prune_count, false);
        break;
    case T_SETUP:
        check_setup(q);
        break;
    case T_ENTROPY:
        expect(q->as.entropy.length >= 1 && q->as.entropy.length <= MAX_ENTROPY);
        touch(q->as.entropy);
        break;
    case T_READ:
    case T_WRITE:
    case T_STAT:
    case T_LIST:
    case T_REMOVE:
    case T_UNPACK:
        expect(path_is_absolute(q->as.file.path, MAX_PATH) && q->as.file.mode <= 07777);
        touch(q->as.file.path);
        break;
    default:
        break;
    }
}

static void take_frame(const struct frame *f, const uint8_t *payload)
{
    struct request q;
    uint32_t number;
    uint16_t a, b;
    uint64_t nonce;
    if (frame_is_request(f->type)) {
        if (request_parse(f->type, payload, f->size, &q))
            check_request(&q);
    } else if (f->type == T_KNOCK) {
        knock_parse(payload, f->size, &a, &nonce);
    } else if (f->type == T_CREDIT) {
        expect(!credit_parse(payload, f->size, &number) || (number >= 1 && number <= MAX_CREDIT));
    } else if (f->type == T_SIGNAL) {
        expect(!signal_parse(payload, f->size, &number) || (number >= 1 && number <= 64));
    } else if (f->type == T_RESIZE) {
        resize_parse(payload, f->size, &a, &b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    while (size >= HEADER_SIZE) {
        struct frame f;
        if (frame_read_from_host(data, &f) != NULL)
            return 0;
        expect(f.size <= MAX_PAYLOAD && (f.type != T_DATA || (f.size >= 1 && f.size <= MAX_DATA)));
        if (f.size > size - HEADER_SIZE)
            return 0;
        /* A copy of exactly its size: AddressSanitizer guards both ends. */
        uint8_t *payload = malloc(f.size ? f.size : 1);
        if (!payload)
            return 0;
        memcpy(payload, data + HEADER_SIZE, f.size);
        take_frame(&f, payload);
        free(payload);
        data += HEADER_SIZE + f.size;
        size -= HEADER_SIZE + f.size;
    }
    return 0;
}
