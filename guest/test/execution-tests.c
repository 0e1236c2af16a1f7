/* SPAWN and what belongs to it, against the built agent. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suites.h"

/* A sleep nobody else on the machine has: processes are counted by it. */
static const char *new_mark(void)
{
    static char mark[32];
    static int count;
    snprintf(mark, sizeof mark, "%d.%03d", 100000 + (int)getpid(), count++);
    return mark;
}

static char script[2048];

static struct answer run(struct host *h, uint32_t options, const char *text)
{
    struct writer w = payload_shell(options, text);
    return host_ask(h, T_SPAWN, &w, NULL, 0);
}

static void output_errors_and_exit_code_come_back(void)
{
    struct host h;
    host_open(&h);
    struct answer a = run(&h, 0, "echo out; echo err >&2; exit 7");
    CHECK(a.has_reply && number_at(a.reply, 0, 4) > 1);
    CHECK(strcmp((char *)a.out, "out\n") == 0 && strcmp(a.err, "err\n") == 0);
    CHECK_EQUAL(a.type, T_END);
    CHECK_EQUAL(a.end_size, 28);
    CHECK(a.end[0] == 0 && a.end[1] == 7 && a.end[2] == 0 && a.end[3] == 0);
    CHECK(number_at(a.end, 4, 4) > 0 && number_at(a.end, 20, 4) > 0);
    free(a.out);
    CHECK_EQUAL(host_close(&h), 0);
}

static void the_reply_comes_before_any_output(void)
{
    struct host h;
    host_open(&h);
    for (int i = 0; i < 100; i++) {
        const char *const argv[] = {"echo", "quick", NULL};
        struct writer w = payload_spawn(0, argv);
        uint32_t stream = host_request(&h, T_SPAWN, &w);
        CHECK(host_receive(&h, 20000) && h.frame.type == T_REPLY);
        struct answer a = host_wait(&h, stream);
        CHECK(strcmp((char *)a.out, "quick\n") == 0);
        free(a.out);
    }
    host_close(&h);
}

static void a_killed_command_reports_its_signal(void)
{
    struct host h;
    host_open(&h);
    struct answer a = run(&h, 0, "kill -9 $$");
    CHECK(a.type == T_END && a.end[0] == 1 && a.end[1] == 9);
    free(a.out);
    host_close(&h);
}

static void merged_errors_keep_their_order(void)
{
    struct host h;
    host_open(&h);
    struct answer a = run(&h, SPAWN_MERGE, "echo 1; echo 2 >&2; echo 3; echo 4 >&2");
    CHECK(strcmp((char *)a.out, "1\n2\n3\n4\n") == 0);
    CHECK_EQUAL(a.err_size, 0);
    free(a.out);
    host_close(&h);
}

static void what_cannot_start_is_an_error(void)
{
    struct host h;
    host_open(&h);
    const char *const missing[] = {"/no/such/program", NULL}, *const directory[] = {"/", NULL};
    struct writer w = payload_spawn(0, missing);
    struct answer a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    CHECK(a.type == T_ERROR && a.code == ENOENT && strstr(a.message, "/no/such/program") && !a.has_reply);
    free(a.out);
    w = payload_spawn(0, directory);
    a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    CHECK(a.type == T_ERROR && a.code == EACCES);
    free(a.out);
    host_close(&h);
}

static void nothing_leaks_into_the_command(void)
{
    struct host h;
    host_open(&h);
    struct answer a = run(&h, 0, "ls /proc/self/fd; env | grep -v -e ^PWD= -e ^PATH= -e ^_= -e ^SHLVL=; umask; "
                                 "grep -E 'Sig(Blk|Ign)' /proc/self/status");
    /* 3 is ls's own directory. */
    CHECK(strcmp((char *)a.out, "0\n1\n2\n3\n0022\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n") == 0 ||
          !printf("  %s\n", (char *)a.out));
    free(a.out);
    host_close(&h);
}

static void a_pipe_carries_input_and_its_end(void)
{
    struct host h;
    static uint8_t input[200000], *at;
    host_open(&h);
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)(i * 7 + i / 251);
    struct writer w = payload_shell(SPAWN_STDIN, "cat");
    struct answer a = host_ask(&h, T_SPAWN, &w, input, sizeof input);
    at = a.out;
    CHECK(a.out_size == sizeof input && memcmp(at, input, sizeof input) == 0);
    free(a.out);
    host_close(&h);
}

/* Without credit given back, more input than the first credit could never arrive. */
static void credit_for_input_comes_back_as_it_is_read(void)
{
    struct host h;
    static uint8_t block[65536];
    uint64_t sent = 0, credit = INITIAL_CREDIT, total = 3 << 20;
    host_open(&h);
    struct writer w = payload_shell(SPAWN_STDIN, "wc -c");
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (sent < total) {
        while (credit >= sizeof block && sent < total) {
            host_send(&h, T_DATA, 0, stream, block, sizeof block);
            sent += sizeof block;
            credit -= sizeof block;
        }
        if (sent == total)
            break;
        if (!CHECK(host_receive(&h, 20000)))
            break;
        if (h.frame.type == T_CREDIT)
            credit += number_at(h.payload, 0, 4);
    }
    host_send(&h, T_EOF, 0, stream, NULL, 0);
    struct answer a = host_wait(&h, stream);
    CHECK(atoi((char *)a.out) == 3 << 20);
    free(a.out);
    host_close(&h);
}

/* Input for a command that never reads: its stream is stuck, others are not. */
static void a_command_that_does_not_read_stalls_only_itself(void)
{
    struct host h;
    static uint8_t block[65536];
    host_open(&h);
    struct writer w = payload_shell(SPAWN_STDIN, "exec sleep 1000");
    uint32_t stuck = host_request(&h, T_SPAWN, &w);
    for (int i = 0; i < 4; i++)
        host_send(&h, T_DATA, 0, stuck, block, sizeof block);
    struct answer a = run(&h, 0, "echo alive");
    CHECK(strcmp((char *)a.out, "alive\n") == 0);
    free(a.out);
    host_send(&h, T_CANCEL, 0, stuck, NULL, 0);
    a = host_wait(&h, stuck);
    CHECK(a.type == T_END && a.end[0] == 1 && a.end[1] == SIGKILL);
    free(a.out);
    host_close(&h);
}

static void input_after_the_reader_closed_is_dropped_with_credit(void)
{
    struct host h;
    static uint8_t block[65536];
    uint32_t credit = 0;
    host_open(&h);
    struct writer w = payload_shell(SPAWN_STDIN, "exec <&-; echo closed; exec sleep 1000");
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 20000) && h.frame.type != T_DATA)
        continue;
    for (int i = 0; i < 4; i++)
        host_send(&h, T_DATA, 0, stream, block, sizeof block);
    while (credit < 3 * sizeof block && host_receive(&h, 20000)) {
        if (h.frame.type == T_CREDIT)
            credit += number_at(h.payload, 0, 4);
    }
    CHECK(credit >= 3 * sizeof block);
    host_send(&h, T_CANCEL, 0, stream, NULL, 0);
    free(host_wait(&h, stream).out);
    host_close(&h);
}

/* 50 MB through 256 KiB of credit that is given in small steps, while another stream stays quick. */
static void large_output_to_a_slow_reader_arrives_whole(void)
{
    struct host h;
    uint64_t total = 0, owed = 0;
    bool is_right = true;
    host_open(&h);
    struct writer w = payload_shell(0, "yes 0123456789abcde | head -c 50000000");
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 60000) && h.frame.type != T_END) {
        if (h.frame.type != T_DATA)
            continue;
        for (size_t i = 0; i < h.frame.size && is_right; i++)
            is_right = h.payload[i] == (uint8_t)"0123456789abcde\n"[(total + i) % 16];
        total += h.frame.size;
        owed += h.frame.size;
        if (total % 7 == 0)
            poll(NULL, 0, 1);
        if (owed >= 100000) {
            host_credit(&h, stream, (uint32_t)owed);
            owed = 0;
        }
    }
    CHECK(is_right);
    CHECK_EQUAL(total, 50000000);
    host_close(&h);
}

static void output_never_exceeds_credit(void)
{
    struct host h;
    uint64_t got = 0;
    host_open(&h);
    struct writer w = payload_shell(0, "head -c 1000000 /dev/zero");
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 500)) {
        if (h.frame.type == T_DATA)
            got += h.frame.size;
    }
    CHECK_EQUAL(got, INITIAL_CREDIT);
    host_credit(&h, stream, 1);
    CHECK(host_receive(&h, 20000) && h.frame.type == T_DATA && h.frame.size == 1);
    CHECK(!host_receive(&h, 300));
    host_credit(&h, stream, 1000000);
    struct answer a = host_wait(&h, stream);
    CHECK_EQUAL(a.out_size, 1000000 - INITIAL_CREDIT - 1);
    free(a.out);
    host_close(&h);
}

static void nothing_is_left_when_the_command_ends(void)
{
    struct host h;
    const char *mark = new_mark();
    host_open(&h);
    snprintf(script, sizeof script,
             "sleep %s & setsid sleep %s & (setsid sh -c 'trap \"\" TERM HUP INT; sleep %s & sleep %s' &); "
             "(setsid setsid nohup sleep %s >/dev/null 2>&1 &) ; sleep 0.3; echo up",
             mark, mark, mark, mark, mark);
    struct answer a = run(&h, 0, script);
    CHECK(strcmp((char *)a.out, "up\n") == 0);
    CHECK_EQUAL(a.type, T_END);
    CHECK_EQUAL(count_processes(mark), 0);
    free(a.out);
    host_close(&h);
}

static void a_fork_storm_ends_with_its_command(void)
{
    struct host h;
    const char *mark = new_mark();
    host_open(&h);
    snprintf(script, sizeof script,
             "i=0; while [ $i -lt 60 ]; do (setsid sh -c 'while :; do sleep 0.01; done; : %s' &); i=$((i+1)); done", mark);
    struct answer a = run(&h, 0, script);
    CHECK_EQUAL(a.type, T_END);
    CHECK_EQUAL(count_processes(mark), 0);
    free(a.out);
    host_close(&h);
}

static void cancel_kills_the_whole_execution(void)
{
    struct host h;
    const char *mark = new_mark();
    host_open(&h);
    snprintf(script, sizeof script, "trap '' TERM; setsid sleep %s & sleep %s", mark, mark);
    struct writer w = payload_shell(0, script);
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    /* The shell's own command line and those of its two children. */
    CHECK(wait_for_processes(mark, 3));
    host_send(&h, T_CANCEL, 0, stream, NULL, 0);
    struct answer a = host_wait(&h, stream);
    CHECK(a.type == T_END && a.end[0] == 1 && a.end[1] == SIGKILL);
    CHECK_EQUAL(count_processes(mark), 0);
    free(a.out);
    host_close(&h);
}

static void cancel_ends_a_stream_whose_output_nobody_takes(void)
{
    struct host h;
    host_open(&h);
    struct writer w = payload_shell(0, "exec yes");
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 300))
        continue; /* no credit is given back */
    host_send(&h, T_CANCEL, 0, stream, NULL, 0);
    bool ended = false;
    while (!ended && host_receive(&h, 20000))
        ended = h.frame.type == T_END;
    CHECK(ended);
    host_close(&h);
}

static void a_signal_reaches_every_process(void)
{
    struct host h;
    const char *mark = new_mark();
    host_open(&h);
    snprintf(script, sizeof script,
             "setsid sh -c 'trap \"echo two; exit\" USR1; echo up; while :; do sleep 0.05; done' %s & "
             "trap 'wait; echo one; exit' USR1; while :; do sleep 0.05; done",
             mark);
    struct writer w = payload_shell(0, script);
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 20000) && h.frame.type != T_DATA)
        continue;
    uint8_t usr1[4] = {SIGUSR1};
    host_send(&h, T_SIGNAL, 0, stream, usr1, sizeof usr1);
    struct answer a = host_wait(&h, stream);
    CHECK(strstr((char *)a.out, "two\n") && strstr((char *)a.out, "one\n"));
    free(a.out);
    host_close(&h);
}

static void a_terminal_is_one(void)
{
    struct host h;
    host_open(&h);
    struct answer a = run(&h, SPAWN_PTY, "test -t 0 && test -t 1 && test -t 2 && echo terminal; stty size; "
                                         "(: >/dev/tty) && echo controlling; echo err >&2");
    CHECK(strcmp((char *)a.out, "terminal\r\n24 80\r\ncontrolling\r\nerr\r\n") == 0 || !printf("  %s\n", (char *)a.out));
    CHECK(a.type == T_END && a.err_size == 0);
    free(a.out);
    host_close(&h);
}

static void a_terminal_is_resized_and_typed_into(void)
{
    struct host h;
    host_open(&h);
    struct writer w = payload_shell(SPAWN_PTY, "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done");
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 20000) && h.frame.type != T_DATA)
        continue;
    uint8_t size[4] = {50, 0, 132, 0};
    host_send(&h, T_RESIZE, 0, stream, size, sizeof size);
    struct answer a = host_wait(&h, stream);
    CHECK(strstr((char *)a.out, "50 132") != NULL);
    free(a.out);
    w = payload_shell(SPAWN_PTY, "echo ready; exec cat");
    stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 20000) && h.frame.type != T_DATA)
        continue;
    host_send(&h, T_DATA, 0, stream, "word\n", 5);
    bool got_word = false;
    int words = 0;
    while (!got_word && host_receive(&h, 20000)) {
        h.payload[h.frame.size] = '\0';
        /* Once as the terminal's echo, once from cat, which is then there to be interrupted. */
        words += strstr((char *)h.payload, "word\r\nword\r\n") ? 2 : strstr((char *)h.payload, "word\r\n") ? 1 : 0;
        got_word = words >= 2;
    }
    CHECK(got_word);
    host_send(&h, T_DATA, 0, stream, "\x03", 1); /* Ctrl-C */
    a = host_wait(&h, stream);
    if (!CHECK(a.type == T_END && a.end[0] == 1 && a.end[1] == SIGINT))
        printf("  %u %u %s\n", a.end[0], a.end[1], (char *)a.out);
    free(a.out);
    host_close(&h);
}

static void freeze_stops_everything_and_thaw_continues(void)
{
    struct host h;
    const char *folder = temporary_folder();
    host_open(&h);
    snprintf(script, sizeof script, "setsid sh -c 'while :; do echo x >> %s/log; sleep 0.01; done'", folder);
    struct writer w = payload_shell(0, script);
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    struct stat before, after;
    const char *log = in_folder(folder, "log");
    for (int i = 0; i < 500 && stat(log, &before) != 0; i++)
        poll(NULL, 0, 10);
    struct answer a = host_ask(&h, T_FREEZE, NULL, NULL, 0);
    CHECK(a.type == T_END && a.end_size == 4 && number_at(a.end, 0, 4) >= 1);
    free(a.out);
    stat(log, &before);
    a = run(&h, 0, "true");
    CHECK(a.type == T_ERROR && a.code == EBUSY);
    free(a.out);
    poll(NULL, 0, 200);
    stat(log, &after);
    CHECK_EQUAL(after.st_size, before.st_size);
    a = host_ask(&h, T_THAW, NULL, NULL, 0);
    CHECK(a.type == T_END && a.end_size == 0);
    free(a.out);
    for (int i = 0; i < 500 && after.st_size == before.st_size; i++) {
        poll(NULL, 0, 10);
        stat(log, &after);
    }
    CHECK(after.st_size > before.st_size);
    host_send(&h, T_CANCEL, 0, stream, NULL, 0);
    free(host_wait(&h, stream).out);
    host_close(&h);
}

static void nothing_is_left_when_the_host_goes(void)
{
    struct host h;
    const char *mark = new_mark();
    host_open(&h);
    snprintf(script, sizeof script, "setsid sleep %s & sleep %s", mark, mark);
    struct writer w = payload_shell(0, script);
    host_request(&h, T_SPAWN, &w);
    host_request(&h, T_SPAWN, &w);
    CHECK(wait_for_processes(mark, 6));
    CHECK_EQUAL(host_close(&h), 0);
    CHECK_EQUAL(count_processes(mark), 0);
}

static void a_knock_ends_what_ran_and_starts_anew(void)
{
    struct host h;
    const char *mark = new_mark();
    host_open(&h);
    snprintf(script, sizeof script, "setsid sleep %s & sleep %s", mark, mark);
    struct writer w = payload_shell(0, script);
    host_request(&h, T_SPAWN, &w);
    CHECK(wait_for_processes(mark, 3));
    uint8_t knock[16] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    host_send(&h, T_KNOCK, 0, 0, knock, sizeof knock);
    while (host_receive(&h, 20000) && h.frame.type != T_HELLO)
        continue;
    CHECK(memcmp(h.payload + 8, knock + 8, 8) == 0);
    CHECK(wait_for_processes(mark, 0));
    h.last = 0;
    struct answer a = run(&h, 0, "echo again");
    CHECK(a.type == T_END && strcmp((char *)a.out, "again\n") == 0);
    free(a.out);
    host_close(&h);
}

/* A command that runs as the agent's user can kill its supervisor: the stream ends, and nothing stays. */
static void a_killed_supervisor_leaves_nothing(void)
{
    struct host h;
    const char *mark = new_mark();
    host_open(&h);
    snprintf(script, sizeof script, "setsid sleep %s & sleep 0.2; kill -9 $PPID; sleep %s", mark, mark);
    struct answer a = run(&h, 0, script);
    CHECK(a.type == T_ERROR && a.code == EIO);
    CHECK(wait_for_processes(mark, 0));
    free(a.out);
    a = run(&h, 0, "echo alive");
    CHECK(strcmp((char *)a.out, "alive\n") == 0);
    free(a.out);
    host_close(&h);
}

static void a_limit_of_open_files_holds(void)
{
    struct host h;
    host_open(&h);
    struct writer w = payload_shell(0, "ulimit -n; ulimit -Hn");
    /* The field after the limits of processes and memory. */
    w.at[4 + 8 + 4 + 4 + 8] = 64;
    struct answer a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    CHECK(strcmp((char *)a.out, "64\n64\n") == 0);
    free(a.out);
    host_close(&h);
}

static void many_streams_run_at_once_and_one_more_is_refused(void)
{
    struct host h;
    static bool ended[MAX_STREAMS + 3];
    uint32_t streams[MAX_STREAMS], alive = 0;
    host_open(&h);
    for (int i = 0; i < MAX_STREAMS; i++) {
        struct writer w = payload_shell(SPAWN_STDIN, "cat");
        streams[i] = host_request(&h, T_SPAWN, &w);
    }
    struct writer w = payload_shell(0, "true");
    uint32_t extra = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 60000) && !(h.frame.type == T_ERROR && h.frame.stream == extra))
        CHECK(h.frame.type == T_REPLY);
    CHECK_EQUAL(number_at(h.payload, 0, 4), EAGAIN);
    for (int i = 0; i < MAX_STREAMS; i++)
        host_input(&h, streams[i], "ok", 2);
    memset(ended, 0, sizeof ended);
    while (alive < MAX_STREAMS && host_receive(&h, 60000)) {
        if (h.frame.type == T_END && !ended[h.frame.stream]) {
            ended[h.frame.stream] = true;
            alive++;
        }
    }
    CHECK_EQUAL(alive, MAX_STREAMS);
    struct answer a = run(&h, 0, "echo room again");
    CHECK(strcmp((char *)a.out, "room again\n") == 0);
    free(a.out);
    host_close(&h);
}

static void an_ordinary_user_runs_everything_as_itself(void)
{
    struct host h;
    if (getuid() != 0) {
        skip("needs root to become somebody else; the other tests run as an ordinary user here");
        return;
    }
    /* The checkout may be closed to others. */
    const char *program = agent_program, *copy = in_folder(temporary_folder(), "agent");
    copy_program(program, copy);
    agent_program = copy;
    host_open_as(&h, 65534);
    agent_program = program;
    struct answer a = run(&h, 0, "id -u; id -G");
    CHECK(strcmp((char *)a.out, "65534\n65534\n") == 0 || !printf("  %s\n", (char *)a.out));
    free(a.out);
    a = run(&h, SPAWN_PTY, "test -t 0 && id -u");
    CHECK(strcmp((char *)a.out, "65534\r\n") == 0);
    free(a.out);
    struct writer w = payload_read(0, "/etc/shadow");
    a = host_ask(&h, T_READ, &w, NULL, 0);
    CHECK(a.type == T_ERROR && a.code == EACCES);
    free(a.out);
    CHECK_EQUAL(host_close(&h), 0);
}

const struct test execution_tests[] = {
    {"output, errors and exit code come back", output_errors_and_exit_code_come_back},
    {"the reply comes before any output", the_reply_comes_before_any_output},
    {"a killed command reports its signal", a_killed_command_reports_its_signal},
    {"merged errors keep their order", merged_errors_keep_their_order},
    {"what cannot start is an error", what_cannot_start_is_an_error},
    {"nothing leaks into the command", nothing_leaks_into_the_command},
    {"a pipe carries input and its end", a_pipe_carries_input_and_its_end},
    {"credit for input comes back as it is read", credit_for_input_comes_back_as_it_is_read},
    {"a command that does not read stalls only itself", a_command_that_does_not_read_stalls_only_itself},
    {"input after the reader closed is dropped with credit", input_after_the_reader_closed_is_dropped_with_credit},
    {"large output to a slow reader arrives whole", large_output_to_a_slow_reader_arrives_whole},
    {"output never exceeds credit", output_never_exceeds_credit},
    {"nothing is left when the command ends", nothing_is_left_when_the_command_ends},
    {"a fork storm ends with its command", a_fork_storm_ends_with_its_command},
    {"cancel kills the whole execution", cancel_kills_the_whole_execution},
    {"cancel ends a stream whose output nobody takes", cancel_ends_a_stream_whose_output_nobody_takes},
    {"a signal reaches every process", a_signal_reaches_every_process},
    {"a terminal is one", a_terminal_is_one},
    {"a terminal is resized and typed into", a_terminal_is_resized_and_typed_into},
    {"freeze stops everything and thaw continues", freeze_stops_everything_and_thaw_continues},
    {"nothing is left when the host goes", nothing_is_left_when_the_host_goes},
    {"a knock ends what ran and starts anew", a_knock_ends_what_ran_and_starts_anew},
    {"a killed supervisor leaves nothing", a_killed_supervisor_leaves_nothing},
    {"a limit of open files holds", a_limit_of_open_files_holds},
    {"many streams run at once and one more is refused", many_streams_run_at_once_and_one_more_is_refused},
    {"an ordinary user runs everything as itself", an_ordinary_user_runs_everything_as_itself},
};
const int execution_test_count = sizeof execution_tests / sizeof execution_tests[0];
