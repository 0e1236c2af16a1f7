/* One frame's header: how it is written, and what a host may put there. */
#ifndef FRAME_H
#define FRAME_H

#include "protocol.h"
#include "wire.h"

struct frame {
    uint32_t size;
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
};

void frame_write(uint8_t out[HEADER_SIZE], const struct frame *f);
/*
 * Decodes and checks a header that came from the host: size, type, flags, reserved, and whether the stream may be
 * 0. Returns NULL when it is fine, else what is wrong with it. Which streams are open is the session's knowledge.
 */
const char *frame_read_from_host(const uint8_t in[HEADER_SIZE], struct frame *f);
bool frame_is_request(uint8_t type);

#endif
