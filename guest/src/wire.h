/*
 * Little-endian bytes in and out. A reader never reads past its end: after the first fault everything it returns
 * is zero and `bad` stays set, so a parser checks once, at the end. A writer likewise sets `full`.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *at;
    size_t length;
};

struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

struct reader reader_of(const void *bytes, size_t length);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
int64_t read_i64(struct reader *r);
/* A view into the reader's memory; valid as long as that memory is. */
struct bytes read_bytes(struct reader *r, size_t length);
struct bytes read_str16(struct reader *r);
struct bytes read_str32(struct reader *r);
/* True when everything was read and nothing was bad. */
bool reader_is_done(const struct reader *r);

struct writer {
    uint8_t *at;
    size_t used;
    size_t size;
    bool full;
};

struct writer writer_of(void *bytes, size_t size);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_i64(struct writer *w, int64_t v);
void write_bytes(struct writer *w, const void *bytes, size_t length);
/* Longer strings than a u16 can say set `full`. */
void write_str16(struct writer *w, const void *bytes, size_t length);

bool has_nul(struct bytes b);

#endif
