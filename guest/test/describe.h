/* A host frame's fields in the words of guest/vectors/README.md. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <stdio.h>

#include "../src/frame.h"

/* False when the frame is refused. */
bool describe(const uint8_t *frame, size_t size, FILE *out);

#endif
