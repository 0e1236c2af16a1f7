/* A host for tests: starts the built agent on a socket, sends frames as told (right or wrong), collects answers. */
#ifndef HOST_H
#define HOST_H

#include <sys/types.h>

#include "../src/frame.h"

extern const char *agent_program;

struct host {
    int fd;
    pid_t pid;
    uint32_t last;
    struct frame frame; /* the last one received, with its payload */
    uint8_t payload[MAX_PAYLOAD + 1];
};

struct answer {
    uint8_t type;        /* T_END, T_ERROR, T_FATAL; 0: the connection ended */
    uint32_t code;       /* of ERROR and FATAL */
    char message[MAX_MESSAGE + 1];
    uint8_t end[8192];   /* payload of END */
    size_t end_size;
    bool has_reply;
    uint8_t reply[64];
    uint8_t *out;        /* DATA of channel 0, NUL behind it */
    size_t out_size;
    char err[4096];      /* DATA of channel 1, cut */
    size_t err_size;
};

/* Starts the agent and reads its HELLO. Ends the test program when that fails. */
void host_open(struct host *h);
void host_open_as(struct host *h, uid_t uid);
/* Closes the connection and waits for the agent's end; returns its exit code, -1 when it did not end in 15 s. */
int host_close(struct host *h);

void host_send(struct host *h, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t size);
void host_send_raw(struct host *h, const void *bytes, size_t size);
void host_credit(struct host *h, uint32_t stream, uint32_t bytes);
/* Reads one frame into h. False at the end of the connection, or after `ms` without one. */
bool host_receive(struct host *h, int ms);
/* Opens a stream. */
uint32_t host_request(struct host *h, uint8_t verb, const struct writer *payload);
/* DATA in steps within the first credit (`size` at most 262144), then EOF. */
void host_input(struct host *h, uint32_t stream, const void *bytes, size_t size);
/* Collects one stream's answer, giving credit as it goes. Free `out`. */
struct answer host_wait(struct host *h, uint32_t stream);
/* Request, input if not NULL, answer; frees nothing but its own. */
struct answer host_ask(struct host *h, uint8_t verb, const struct writer *payload, const void *input, size_t size);

/* Payload builders; the writer's memory is static and reused by the next. */
struct writer payload_new(void);
struct writer payload_file(uint32_t options, const char *path); /* STAT, REMOVE, UNPACK */
struct writer payload_spawn(uint32_t options, const char *const argv[]);
struct writer payload_shell(uint32_t options, const char *script);
struct writer payload_read(uint32_t options, const char *path);
struct writer payload_write(uint32_t options, uint32_t mode, const char *path);
void put_text(struct writer *w, const char *text);

/* A new temporary folder, removed with everything in it by temporary_remove_all. */
const char *temporary_folder(void);
void temporary_remove_all(void);
/* "folder/name", in one of a few static buffers. */
const char *in_folder(const char *folder, const char *name);
void copy_program(const char *from, const char *to);
void make_file(const char *path, const char *content);
/* Whole file as a string of at most 64 KiB; NULL when there is none. Static. */
const char *file_content(const char *path);
/* Processes of the machine whose command line contains this. */
int count_processes(const char *mark);
/* Waits up to 5 s until that many are there. */
bool wait_for_processes(const char *mark, int count);

uint32_t number_at(const uint8_t *bytes, size_t at, size_t width);

#endif
