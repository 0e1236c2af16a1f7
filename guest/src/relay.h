/*
 * The way out of a machine without a network: a port on its loopback whose clients the host takes one by one, each as
 * a stream of its own. Where their bytes go is the host's affair.
 */
#ifndef RELAY_H
#define RELAY_H

#include <stdint.h>

/* Listens on 127.0.0.1; port 0 lets the system choose. Replaces the port before. Returns 0 or an errno. */
int relay_listen(uint16_t port, uint16_t *bound);
/* Opens the stream for the next client, or answers ERROR. Precondition: streams_have_room. */
void relay_accept(uint32_t stream);
void relay_close(void);

#endif
