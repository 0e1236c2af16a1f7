/* A host that breaks the protocol: each time the agent says FATAL and ends, and takes everything it started along. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suites.h"

static struct host h;

/* The agent must have said FATAL, closed, and ended by itself. */
static void expect_fatal(void)
{
    bool was_fatal = false;
    while (!was_fatal && host_receive(&h, 20000))
        was_fatal = h.frame.type == T_FATAL;
    CHECK(was_fatal);
    if (was_fatal)
        CHECK(number_at(h.payload, 0, 4) == EPROTO && number_at(h.payload, 4, 2) + 6 == h.frame.size);
    CHECK(!host_receive(&h, 20000));
    CHECK_EQUAL(host_close(&h), 0);
}

static void send_header(uint32_t size, uint8_t type, uint8_t flags, uint16_t reserved, uint32_t stream)
{
    uint8_t header[HEADER_SIZE];
    struct writer w = writer_of(header, sizeof header);
    write_u32(&w, size);
    write_u8(&w, type);
    write_u8(&w, flags);
    write_u16(&w, reserved);
    write_u32(&w, stream);
    host_send_raw(&h, header, sizeof header);
}

static void a_bad_header_is_fatal_before_its_payload(void)
{
    const struct {
        uint32_t size;
        uint8_t type, flags;
        uint16_t reserved;
        uint32_t stream;
    } bad[] = {
        {MAX_PAYLOAD + 1, T_ENTROPY, 0, 0, 1}, {UINT32_MAX, T_ENTROPY, 0, 0, 1}, {0, 0x22, 0, 0, 1}, {0, 0, 0, 0, 1},
        {0, 0xff, 0, 0, 1},  {0, T_FREEZE, 1, 0, 1},  {0, T_FREEZE, 0, 1, 1}, {0, T_FREEZE, 0, 0, 0},
        {16, T_KNOCK, 0, 0, 1}, {MAX_DATA + 1, T_DATA, 0, 0, 1}, {0, T_DATA, 0, 0, 1}, {1, T_EOF, 0, 0, 1},
        {0, T_HELLO, 0, 0, 0}, {6, T_ERROR, 0, 0, 1}, {10, T_DATA, 0, 0, 1 /* never opened */}, {4, T_CREDIT, 0, 0, 7},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        host_open(&h);
        send_header(bad[i].size, bad[i].type, bad[i].flags, bad[i].reserved, bad[i].stream);
        expect_fatal();
    }
}

static void every_bad_vector_is_fatal(void)
{
    FILE *f = fopen("vectors/frames.tsv", "r");
    char *line = NULL;
    size_t capacity = 0;
    int seen = 0;
    if (!CHECK(f != NULL))
        return;
    while (getline(&line, &capacity, f) > 0) {
        char *rest = line, *name = strsep(&rest, "\t"), *direction = strsep(&rest, "\t");
        strsep(&rest, "\t");
        char *verdict = strsep(&rest, "\t"), *hex = strsep(&rest, "\t");
        if (strcmp(direction, "h2g") != 0 || strcmp(verdict, "bad") != 0)
            continue;
        static uint8_t bytes[HEADER_SIZE + MAX_PAYLOAD];
        size_t size = strlen(hex) / 2;
        for (size_t i = 0; i < size; i++) {
            char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
            bytes[i] = (uint8_t)strtoul(two, NULL, 16);
        }
        host_open(&h);
        host_send_raw(&h, bytes, size);
        bool was_fatal = host_receive(&h, 20000) && h.frame.type == T_FATAL;
        if (!CHECK(was_fatal))
            printf("  vector %s\n", name);
        host_close(&h);
        seen++;
    }
    CHECK(seen > 60);
    free(line);
    fclose(f);
}

static uint32_t start_cat(uint32_t options)
{
    struct writer w = payload_shell(options, "exec cat");
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 20000) && h.frame.type != T_REPLY)
        continue;
    return stream;
}

static void a_stream_id_is_used_once(void)
{
    host_open(&h);
    h.last = 41;
    start_cat(SPAWN_STDIN);
    h.last = 41;
    host_request(&h, T_FREEZE, NULL);
    expect_fatal();
    host_open(&h);
    h.last = 41;
    start_cat(SPAWN_STDIN);
    h.last = 5;
    host_request(&h, T_FREEZE, NULL);
    expect_fatal();
}

static void data_beyond_credit_is_fatal(void)
{
    static uint8_t block[MAX_DATA];
    host_open(&h);
    struct writer w = payload_shell(SPAWN_STDIN, "exec sleep 1000");
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    for (int i = 0; i < INITIAL_CREDIT / MAX_DATA; i++)
        host_send(&h, T_DATA, 0, stream, block, sizeof block);
    host_send(&h, T_DATA, 0, stream, block, sizeof block);
    host_send(&h, T_DATA, 0, stream, block, sizeof block);
    expect_fatal();
}

static void credit_beyond_its_limit_is_fatal(void)
{
    host_open(&h);
    uint32_t stream = start_cat(SPAWN_STDIN);
    host_credit(&h, stream, MAX_CREDIT - INITIAL_CREDIT);
    host_send(&h, T_DATA, 0, stream, "x", 1);
    CHECK(host_receive(&h, 20000) && h.frame.type == T_DATA);
    host_credit(&h, stream, 2); /* one byte was used of it */
    expect_fatal();
}

static void data_where_none_is_taken_is_fatal(void)
{
    host_open(&h);
    uint32_t stream = start_cat(SPAWN_STDIN);
    host_send(&h, T_EOF, 0, stream, NULL, 0);
    host_send(&h, T_DATA, 0, stream, "x", 1);
    /* The stream may have ended before the frame came: then it is late, and ignored. */
    bool was_fatal = false, ended = false;
    while (!was_fatal && !ended && host_receive(&h, 20000)) {
        was_fatal = h.frame.type == T_FATAL;
        ended = h.frame.type == T_END;
    }
    CHECK(was_fatal || ended);
    host_close(&h);
    host_open(&h);
    struct writer w = payload_shell(0, "exec sleep 1000");
    stream = host_request(&h, T_SPAWN, &w);
    host_send(&h, T_DATA, 0, stream, "x", 1);
    expect_fatal();
}

static void signals_and_sizes_are_for_executions(void)
{
    uint8_t payload[4] = {15};
    host_open(&h);
    struct writer w = payload_write(0, 0, "/tmp/never-written");
    uint32_t stream = host_request(&h, T_WRITE, &w);
    host_send(&h, T_SIGNAL, 0, stream, payload, sizeof payload);
    expect_fatal();
    host_open(&h);
    stream = start_cat(SPAWN_STDIN);
    host_send(&h, T_RESIZE, 0, stream, payload, sizeof payload);
    expect_fatal();
}

static void late_frames_of_an_ended_stream_are_ignored(void)
{
    uint8_t payload[4] = {15};
    host_open(&h);
    struct writer w = payload_shell(SPAWN_STDIN, "exit 0");
    struct answer a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    uint32_t stream = h.last;
    free(a.out);
    host_send(&h, T_DATA, 0, stream, "late", 4);
    host_credit(&h, stream, MAX_CREDIT);
    host_send(&h, T_SIGNAL, 0, stream, payload, sizeof payload);
    host_send(&h, T_RESIZE, 0, stream, payload, sizeof payload);
    host_send(&h, T_EOF, 0, stream, NULL, 0);
    host_send(&h, T_CANCEL, 0, stream, NULL, 0);
    w = payload_shell(0, "echo alive");
    a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    CHECK(a.type == T_END && strcmp((char *)a.out, "alive\n") == 0);
    free(a.out);
    CHECK_EQUAL(host_close(&h), 0);
}

static void frames_cut_anywhere_arrive_whole(void)
{
    host_open(&h);
    struct writer w = payload_shell(0, "echo whole");
    uint8_t *whole = malloc(HEADER_SIZE + w.used);
    frame_write(whole, &(struct frame){.size = (uint32_t)w.used, .type = T_SPAWN, .stream = ++h.last});
    memcpy(whole + HEADER_SIZE, w.at, w.used);
    for (size_t i = 0; i < HEADER_SIZE + w.used; i++) {
        host_send_raw(&h, whole + i, 1);
        if (i % 8 == 0)
            poll(NULL, 0, 1);
    }
    struct answer a = host_wait(&h, h.last);
    CHECK(a.type == T_END && strcmp((char *)a.out, "whole\n") == 0);
    free(a.out);
    free(whole);
    host_close(&h);
}

static void a_connection_cut_in_the_middle_ends_the_agent(void)
{
    host_open(&h);
    start_cat(SPAWN_STDIN);
    send_header(1000, T_SPAWN, 0, 0, ++h.last);
    host_send_raw(&h, "half", 4);
    CHECK_EQUAL(host_close(&h), 0);
}

static void the_largest_frame_is_taken(void)
{
    static uint8_t zeros[MAX_PAYLOAD];
    host_open(&h);
    struct writer w = payload_new();
    write_u16(&w, 1);
    write_u8(&w, OP_FILE);
    write_u32(&w, 0644);
    write_u32(&w, getuid());
    write_u32(&w, getgid());
    const char *path = in_folder(temporary_folder(), "big");
    put_text(&w, path);
    uint32_t rest = (uint32_t)(MAX_PAYLOAD - w.used - 4);
    write_u32(&w, rest);
    write_bytes(&w, zeros, rest);
    CHECK_EQUAL(w.used, MAX_PAYLOAD);
    struct answer a = host_ask(&h, T_SETUP, &w, NULL, 0);
    CHECK_EQUAL(a.type, T_END);
    free(a.out);
    host_close(&h);
}

/* A host that asks without ever reading: the agent stops taking, and stays in its bounds. */
static void a_host_that_does_not_read_is_not_served_without_bound(void)
{
    host_open(&h);
    uint8_t knock[16] = {1};
    char path[64], line[256];
    long resident = 0;
    size_t sent = 0;
    for (int i = 0; i < 400000; i++) {
        uint8_t frame[HEADER_SIZE + 16];
        frame_write(frame, &(struct frame){.size = 16, .type = T_KNOCK});
        memcpy(frame + HEADER_SIZE, knock, sizeof knock);
        ssize_t n = send(h.fd, frame, sizeof frame, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < (ssize_t)sizeof frame)
            break;
        sent += sizeof frame;
    }
    CHECK(sent < 400000UL * (HEADER_SIZE + 16));
    snprintf(path, sizeof path, "/proc/%d/status", (int)h.pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "VmRSS: %ld", &resident);
    if (f)
        fclose(f);
    CHECK(resident > 0);
    printf("  resident while flooded: %ld kB\n", resident);
    CHECK(resident < 200000); /* a sanitized build is the large one */
    CHECK_EQUAL(host_close(&h), 0);
}

static void random_bytes_end_the_agent_cleanly(void)
{
    unsigned seed = 12345;
    for (int round = 0; round < 60; round++) {
        uint8_t noise[2048];
        host_open(&h);
        for (size_t i = 0; i < sizeof noise; i++) {
            seed = seed * 1103515245 + 12345;
            noise[i] = (uint8_t)(seed >> 16);
        }
        host_send_raw(&h, noise, sizeof noise);
        shutdown(h.fd, SHUT_WR);
        while (host_receive(&h, 5000))
            continue;
        CHECK_EQUAL(host_close(&h), 0);
    }
}

const struct test hostile_tests[] = {
    {"a bad header is fatal before its payload", a_bad_header_is_fatal_before_its_payload},
    {"every bad vector is fatal", every_bad_vector_is_fatal},
    {"a stream id is used once", a_stream_id_is_used_once},
    {"data beyond credit is fatal", data_beyond_credit_is_fatal},
    {"credit beyond its limit is fatal", credit_beyond_its_limit_is_fatal},
    {"data where none is taken is fatal", data_where_none_is_taken_is_fatal},
    {"signals and sizes are for executions", signals_and_sizes_are_for_executions},
    {"late frames of an ended stream are ignored", late_frames_of_an_ended_stream_are_ignored},
    {"frames cut anywhere arrive whole", frames_cut_anywhere_arrive_whole},
    {"a connection cut in the middle ends the agent", a_connection_cut_in_the_middle_ends_the_agent},
    {"the largest frame is taken", the_largest_frame_is_taken},
    {"a host that does not read is not served without bound", a_host_that_does_not_read_is_not_served_without_bound},
    {"random bytes end the agent cleanly", random_bytes_end_the_agent_cleanly},
};
const int hostile_test_count = sizeof hostile_tests / sizeof hostile_tests[0];
