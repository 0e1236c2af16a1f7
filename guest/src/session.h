/* What the host asks: frames of the link become streams, workers and answers. */
#ifndef SESSION_H
#define SESSION_H

#include "link.h"

extern const struct link_handlers session_handlers;
/* The host said SHUTDOWN and was answered. */
bool session_wants_shutdown(void);

#endif
