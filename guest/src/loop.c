#include "loop.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent.h"

enum { BATCH = 64 };

static int main_set = -1;
static int source_set = -1;
static bool sources_armed;

bool loop_open(void)
{
    main_set = epoll_create1(EPOLL_CLOEXEC);
    source_set = epoll_create1(EPOLL_CLOEXEC);
    return main_set >= 0 && source_set >= 0;
}

void loop_arm(struct watch *w, uint32_t events)
{
    if (w->fd < 0 || w->armed == events)
        return;
    int set = w->is_source ? source_set : main_set;
    struct epoll_event e = {.events = events, .data.ptr = w};
    int how = events == 0 ? EPOLL_CTL_DEL : w->armed == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(set, how, w->fd, &e) != 0)
        say("epoll on %d: errno %d", w->fd, errno);
    else
        w->armed = events;
}

void loop_close(struct watch *w)
{
    if (w->fd < 0)
        return;
    loop_arm(w, 0);
    close(w->fd);
    w->fd = -1;
    w->armed = 0;
}

static void hold_sources(bool serve)
{
    if (serve == sources_armed)
        return;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(main_set, serve ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, source_set, &e) == 0)
        sources_armed = serve;
}

static void serve_sources(bool (*may_serve)(void))
{
    struct epoll_event events[BATCH];
    int n = epoll_wait(source_set, events, BATCH, 0);
    for (int i = 0; i < n && may_serve(); i++) {
        struct watch *w = events[i].data.ptr;
        /* An earlier event of this batch may have closed it. */
        if (w->fd >= 0 && w->armed != 0)
            w->ready(w, events[i].events);
    }
}

void loop_turn(int timeout_ms, bool (*may_serve)(void))
{
    struct epoll_event events[BATCH];
    hold_sources(may_serve());
    int n = epoll_wait(main_set, events, BATCH, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct watch *w = events[i].data.ptr;
        if (w == NULL)
            serve_sources(may_serve);
        else if (w->fd >= 0 && w->armed != 0)
            w->ready(w, events[i].events);
    }
}
