#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "own.h"
#include "stream.h"

enum { BACKLOG = 128 };

static void on_client(struct watch *w, uint32_t events);

/* A source like the streams: clients wait while the link to the host is congested. */
static struct watch listener = {.fd = -1, .is_source = true, .ready = on_client};

static void on_client(struct watch *w, uint32_t events)
{
    (void)events;
    struct stream *s = stream_awaiting_client();
    if (s == NULL) {
        loop_arm(w, 0);
        return;
    }
    int client = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0)
        stream_connect(s, client);
}

int relay_listen(uint16_t port, uint16_t *bound)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int on = 1;
    relay_close();
    owned_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return errno;
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0)
        return errno;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return errno;
    *bound = ntohs(address.sin_port);
    listener.fd = steal_fd(&fd);
    return 0;
}

void relay_accept(uint32_t stream)
{
    if (listener.fd < 0) {
        link_send_error(stream, ENOTCONN, "not listening");
        return;
    }
    stream_open(stream, T_ACCEPT,
                &(struct stream_parts){.control = -1, .out = -1, .err = -1, .in = -1, .takes_input = true});
    loop_arm(&listener, EPOLLIN);
}

void relay_close(void) { loop_close(&listener); }
