/* PROBE: whether something in the guest listens, and whether the guest has any way out. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own.h"
#include "worker.h"

enum { CONNECT_MS = 2000 };

static uint32_t connect_code(uint16_t port)
{
    owned_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0)
        return (uint32_t)errno;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return (uint32_t)errno;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    if (poll(&p, 1, CONNECT_MS) <= 0)
        return ETIMEDOUT;
    int code = 0;
    socklen_t size = sizeof code;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    return (uint32_t)code;
}

static uint32_t count_interfaces(void)
{
    struct if_nameindex *all = if_nameindex();
    uint32_t count = 0;
    for (struct if_nameindex *i = all; i && i->if_index != 0; i++)
        count += strcmp(i->if_name, "lo") != 0;
    if (all)
        if_freenameindex(all);
    return count;
}

/* Lines of a table of the kernel's that do not end in, or start with, the loopback's name. */
static uint32_t count_routes(const char *file, bool name_is_last, int header_lines)
{
    char line[512];
    uint32_t count = 0;
    FILE *f = fopen(file, "re");
    for (int i = 0; f && fgets(line, sizeof line, f); i++) {
        line[strcspn(line, "\n")] = '\0';
        const char *space = strrchr(line, ' ');
        bool is_loopback = name_is_last ? space && strcmp(space + 1, "lo") == 0 : strncmp(line, "lo\t", 3) == 0;
        count += i >= header_lines && !is_loopback;
    }
    if (f)
        fclose(f);
    return count;
}

_Noreturn void verb_probe(uint16_t port)
{
    uint8_t payload[12];
    struct writer w = writer_of(payload, sizeof payload);
    write_u32(&w, connect_code(port));
    write_u32(&w, count_interfaces());
    write_u32(&w, count_routes("/proc/net/route", false, 1) + count_routes("/proc/net/ipv6_route", true, 0));
    worker_finish(payload, w.used);
}
