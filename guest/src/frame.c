#include "frame.h"

void frame_write(uint8_t out[HEADER_SIZE], const struct frame *f)
{
    struct writer w = writer_of(out, HEADER_SIZE);
    write_u32(&w, f->size);
    write_u8(&w, f->type);
    write_u8(&w, f->flags);
    write_u16(&w, 0);
    write_u32(&w, f->stream);
}

bool frame_is_request(uint8_t type) { return type >= T_SPAWN && type <= T_ACCEPT; }

static uint32_t largest_payload(uint8_t type)
{
    switch (type) {
    case T_DATA:
        return MAX_DATA;
    case T_KNOCK:
        return 16;
    case T_CREDIT:
    case T_SIGNAL:
    case T_RESIZE:
        return 4;
    case T_EOF:
    case T_CANCEL:
        return 0;
    default:
        return MAX_PAYLOAD;
    }
}

static bool comes_from_host(uint8_t type)
{
    return type == T_KNOCK || type == T_DATA || (type >= T_EOF && type <= T_CANCEL) || frame_is_request(type);
}

const char *frame_read_from_host(const uint8_t in[HEADER_SIZE], struct frame *f)
{
    struct reader r = reader_of(in, HEADER_SIZE);
    f->size = read_u32(&r);
    f->type = read_u8(&r);
    f->flags = read_u8(&r);
    uint16_t reserved = read_u16(&r);
    f->stream = read_u32(&r);
    if (f->size > MAX_PAYLOAD)
        return "frame too large";
    if (!comes_from_host(f->type))
        return "unknown frame type";
    if (f->flags != 0)
        return "unknown frame flag";
    if (reserved != 0)
        return "reserved field is not 0";
    if ((f->stream == 0) != (f->type == T_KNOCK))
        return "wrong stream for this frame";
    if (f->size > largest_payload(f->type) || (f->type == T_DATA && f->size == 0))
        return "wrong payload size for this frame";
    return NULL;
}
