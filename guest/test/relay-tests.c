/* LISTEN and ACCEPT: clients on the guest's loopback, carried to the host. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suites.h"

static struct host h;

static struct answer ask_to_listen(uint16_t port)
{
    struct writer w = payload_new();
    write_u16(&w, port);
    write_u16(&w, 0);
    return host_ask(&h, T_LISTEN, &w, NULL, 0);
}

/* Starts an agent that listens, on a port that the system chose. */
static uint16_t open_listening(void)
{
    host_open(&h);
    struct answer a = ask_to_listen(0);
    CHECK_EQUAL(a.type, T_END);
    CHECK_EQUAL(a.end_size, 2);
    free(a.out);
    return (uint16_t)number_at(a.end, 0, 2);
}

static uint32_t accept_one(void)
{
    struct writer w = payload_new();
    write_u32(&w, 0);
    return host_request(&h, T_ACCEPT, &w);
}

static int connect_client(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static bool receives(uint8_t type, uint32_t stream)
{
    return CHECK(host_receive(&h, 20000)) && CHECK_EQUAL(h.frame.type, type) && CHECK_EQUAL(h.frame.stream, stream);
}

static void bytes_go_both_ways(void)
{
    char got[8] = "";
    uint16_t port = open_listening();
    uint32_t stream = accept_one();
    int client = connect_client(port);
    receives(T_REPLY, stream);
    CHECK(send(client, "ping", 4, 0) == 4);
    receives(T_DATA, stream);
    CHECK(h.frame.size == 4 && memcmp(h.payload, "ping", 4) == 0);
    host_send(&h, T_DATA, 0, stream, "pong!", 5);
    CHECK(recv(client, got, 5, MSG_WAITALL) == 5 && memcmp(got, "pong!", 5) == 0);
    close(client);
    receives(T_EOF, stream);
    host_send(&h, T_EOF, 0, stream, NULL, 0);
    receives(T_END, stream);
    CHECK_EQUAL(host_close(&h), 0);
}

static void each_side_ends_on_its_own(void)
{
    char got[8] = "";
    uint16_t port = open_listening();
    uint32_t stream = accept_one();
    int client = connect_client(port);
    receives(T_REPLY, stream);
    CHECK(shutdown(client, SHUT_WR) == 0);
    receives(T_EOF, stream);
    host_send(&h, T_DATA, 0, stream, "late", 4);
    host_send(&h, T_EOF, 0, stream, NULL, 0);
    receives(T_END, stream);
    CHECK(recv(client, got, 4, MSG_WAITALL) == 4 && memcmp(got, "late", 4) == 0);
    CHECK(recv(client, got, 1, 0) == 0);
    close(client);
    stream = accept_one();
    client = connect_client(port);
    receives(T_REPLY, stream);
    host_send(&h, T_EOF, 0, stream, NULL, 0);
    CHECK(recv(client, got, 1, 0) == 0);
    CHECK(send(client, "still", 5, MSG_NOSIGNAL) == 5);
    receives(T_DATA, stream);
    close(client);
    receives(T_EOF, stream);
    receives(T_END, stream);
    CHECK_EQUAL(host_close(&h), 0);
}

static void clients_wait_for_the_host_in_order(void)
{
    uint16_t port = open_listening();
    int first = connect_client(port);
    int second = connect_client(port);
    CHECK(send(first, "1", 1, 0) == 1 && send(second, "2", 1, 0) == 1);
    CHECK(!host_receive(&h, 100));
    uint32_t a = accept_one();
    receives(T_REPLY, a);
    receives(T_DATA, a);
    CHECK(h.payload[0] == '1');
    uint32_t b = accept_one();
    receives(T_REPLY, b);
    receives(T_DATA, b);
    CHECK(h.payload[0] == '2');
    close(first);
    close(second);
    CHECK_EQUAL(host_close(&h), 0);
}

static void a_client_that_does_not_read_stalls_only_itself(void)
{
    static uint8_t block[65536];
    uint16_t port = open_listening();
    uint32_t stuck = accept_one();
    int client = connect_client(port);
    receives(T_REPLY, stuck);
    uint64_t credit = INITIAL_CREDIT, sent = 0;
    /* More than the sockets' buffers take: credit stops coming. */
    for (bool stalled = false; !stalled && sent < 64u << 20;) {
        while (credit >= sizeof block) {
            host_send(&h, T_DATA, 0, stuck, block, sizeof block);
            credit -= sizeof block;
            sent += sizeof block;
        }
        if (host_receive(&h, 500))
            credit += h.frame.type == T_CREDIT ? number_at(h.payload, 0, 4) : 0;
        else
            stalled = true;
    }
    CHECK(sent < 64u << 20);
    struct writer w = payload_shell(0, "echo alive");
    struct answer a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    CHECK(strcmp((char *)a.out, "alive\n") == 0);
    free(a.out);
    host_send(&h, T_CANCEL, 0, stuck, NULL, 0);
    a = host_wait(&h, stuck);
    CHECK(a.type == T_ERROR && a.code == ECANCELED);
    free(a.out);
    close(client);
    CHECK_EQUAL(host_close(&h), 0);
}

static void what_a_client_sends_never_exceeds_credit(void)
{
    static uint8_t block[1 << 20];
    uint16_t port = open_listening();
    uint32_t stream = accept_one();
    int client = connect_client(port);
    receives(T_REPLY, stream);
    send(client, block, sizeof block, MSG_DONTWAIT);
    uint64_t got = 0;
    while (host_receive(&h, 500))
        got += h.frame.type == T_DATA ? h.frame.size : 0;
    CHECK_EQUAL(got, INITIAL_CREDIT);
    close(client);
    CHECK_EQUAL(host_close(&h), 0);
}

static void a_client_that_went_takes_the_rest_without_harm(void)
{
    static uint8_t block[65536];
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    uint16_t port = open_listening();
    uint32_t stream = accept_one();
    int client = connect_client(port);
    receives(T_REPLY, stream);
    setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(client); /* a reset */
    receives(T_EOF, stream);
    for (int i = 0; i < 4; i++)
        host_send(&h, T_DATA, 0, stream, block, sizeof block);
    host_send(&h, T_EOF, 0, stream, NULL, 0);
    while (CHECK(host_receive(&h, 20000)) && h.frame.type == T_CREDIT)
        continue;
    CHECK(h.frame.type == T_END && h.frame.stream == stream);
    CHECK_EQUAL(host_close(&h), 0);
}

static void without_a_port_there_is_nothing_to_accept(void)
{
    host_open(&h);
    struct answer a = host_wait(&h, accept_one());
    CHECK(a.type == T_ERROR && a.code == ENOTCONN);
    free(a.out);
    uint16_t port = open_listening();
    struct host other = h;
    host_open(&h);
    a = ask_to_listen(port);
    CHECK(a.type == T_ERROR && a.code == EADDRINUSE);
    free(a.out);
    host_close(&h);
    CHECK_EQUAL(host_close(&other), 0);
}

static void a_port_is_closed_with_its_host(void)
{
    uint16_t port = open_listening();
    uint32_t waiting = accept_one();
    (void)waiting;
    struct writer w = payload_new();
    write_u16(&w, PROTOCOL_VERSION);
    write_u16(&w, 0);
    write_u32(&w, 0);
    write_u64(&w, 7);
    host_send(&h, T_KNOCK, 0, 0, w.at, w.used);
    CHECK(host_receive(&h, 20000) && h.frame.type == T_HELLO);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(client, (struct sockaddr *)&address, sizeof address) != 0 && errno == ECONNREFUSED);
    close(client);
    CHECK_EQUAL(host_close(&h), 0);
}

const struct test relay_tests[] = {
    {"bytes go both ways", bytes_go_both_ways},
    {"each side ends on its own", each_side_ends_on_its_own},
    {"clients wait for the host, in order", clients_wait_for_the_host_in_order},
    {"a client that does not read stalls only itself", a_client_that_does_not_read_stalls_only_itself},
    {"what a client sends never exceeds credit", what_a_client_sends_never_exceeds_credit},
    {"a client that went takes the rest without harm", a_client_that_went_takes_the_rest_without_harm},
    {"without a port there is nothing to accept", without_a_port_there_is_nothing_to_accept},
    {"a port is closed with its host", a_port_is_closed_with_its_host},
};
const int relay_test_count = sizeof relay_tests / sizeof relay_tests[0];
