#include "wire.h"

#include <string.h>

struct reader reader_of(const void *bytes, size_t length)
{
    return (struct reader){.at = bytes, .left = length, .bad = false};
}

struct bytes read_bytes(struct reader *r, size_t length)
{
    if (r->bad || length > r->left) {
        r->bad = true;
        return (struct bytes){.at = r->at, .length = 0};
    }
    struct bytes taken = {.at = r->at, .length = length};
    if (length > 0)
        r->at += length;
    r->left -= length;
    return taken;
}

static uint64_t read_number(struct reader *r, size_t width)
{
    struct bytes b = read_bytes(r, width);
    uint64_t v = 0;
    for (size_t i = b.length; i > 0; i--)
        v = v << 8 | b.at[i - 1];
    return v;
}

uint8_t read_u8(struct reader *r) { return (uint8_t)read_number(r, 1); }
uint16_t read_u16(struct reader *r) { return (uint16_t)read_number(r, 2); }
uint32_t read_u32(struct reader *r) { return (uint32_t)read_number(r, 4); }
uint64_t read_u64(struct reader *r) { return read_number(r, 8); }
int64_t read_i64(struct reader *r) { return (int64_t)read_number(r, 8); }

struct bytes read_str16(struct reader *r) { return read_bytes(r, read_u16(r)); }
struct bytes read_str32(struct reader *r) { return read_bytes(r, read_u32(r)); }

bool reader_is_done(const struct reader *r) { return !r->bad && r->left == 0; }

struct writer writer_of(void *bytes, size_t size)
{
    return (struct writer){.at = bytes, .used = 0, .size = size, .full = false};
}

void write_bytes(struct writer *w, const void *bytes, size_t length)
{
    if (w->full || length > w->size - w->used) {
        w->full = true;
        return;
    }
    if (length > 0)
        memcpy(w->at + w->used, bytes, length);
    w->used += length;
}

static void write_number(struct writer *w, uint64_t v, size_t width)
{
    uint8_t b[8];
    for (size_t i = 0; i < width; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    write_bytes(w, b, width);
}

void write_u8(struct writer *w, uint8_t v) { write_number(w, v, 1); }
void write_u16(struct writer *w, uint16_t v) { write_number(w, v, 2); }
void write_u32(struct writer *w, uint32_t v) { write_number(w, v, 4); }
void write_u64(struct writer *w, uint64_t v) { write_number(w, v, 8); }
void write_i64(struct writer *w, int64_t v) { write_number(w, (uint64_t)v, 8); }

void write_str16(struct writer *w, const void *bytes, size_t length)
{
    if (length > UINT16_MAX) {
        w->full = true;
        return;
    }
    write_u16(w, (uint16_t)length);
    write_bytes(w, bytes, length);
}

bool has_nul(struct bytes b) { return b.length > 0 && memchr(b.at, 0, b.length) != NULL; }
