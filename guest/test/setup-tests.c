/* SETUP, inside namespaces of the test's own. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suites.h"

static struct host h;

static struct writer start(uint16_t count)
{
    struct writer w = payload_new();
    write_u16(&w, count);
    return w;
}

static void put_mkdir(struct writer *w, uint32_t mode, const char *path)
{
    write_u8(w, OP_MKDIR);
    write_u32(w, mode);
    write_u32(w, getuid());
    write_u32(w, getgid());
    put_text(w, path);
}

static void put_file(struct writer *w, uint32_t mode, const char *path, const char *content)
{
    write_u8(w, OP_FILE);
    write_u32(w, mode);
    write_u32(w, getuid());
    write_u32(w, getgid());
    put_text(w, path);
    write_u32(w, (uint32_t)strlen(content));
    write_bytes(w, content, strlen(content));
}

static void put_symlink(struct writer *w, const char *link, const char *target)
{
    write_u8(w, OP_SYMLINK);
    put_text(w, link);
    put_text(w, target);
}

static void put_mount(struct writer *w, uint64_t flags, const char *source, const char *target, const char *type)
{
    write_u8(w, OP_MOUNT);
    write_u64(w, flags);
    put_text(w, source);
    put_text(w, target);
    put_text(w, type);
    put_text(w, "");
}

static void operations_run_in_order(void)
{
    const char *f = temporary_folder();
    char target[64] = "";
    struct stat s;
    host_open(&h);
    struct writer w = start(5);
    put_mkdir(&w, 0700, in_folder(f, "a/b"));
    put_mkdir(&w, 0711, in_folder(f, "a/b"));
    put_file(&w, 0640, in_folder(f, "a/b/f"), "first");
    put_file(&w, 0600, in_folder(f, "a/b/f"), "two");
    put_symlink(&w, in_folder(f, "a/l"), "b/f");
    struct answer a = host_ask(&h, T_SETUP, &w, NULL, 0);
    CHECK_EQUAL(a.type, T_END);
    CHECK(stat(in_folder(f, "a"), &s) == 0 && (s.st_mode & 07777) == 0755);
    CHECK(stat(in_folder(f, "a/b"), &s) == 0 && (s.st_mode & 07777) == 0711);
    CHECK(stat(in_folder(f, "a/b/f"), &s) == 0 && (s.st_mode & 07777) == 0600);
    CHECK(strcmp(file_content(in_folder(f, "a/l")), "two") == 0);
    free(a.out);
    w = start(1);
    put_symlink(&w, in_folder(f, "a/l"), "elsewhere");
    a = host_ask(&h, T_SETUP, &w, NULL, 0);
    CHECK(a.type == T_END && readlink(in_folder(f, "a/l"), target, sizeof target) == 9);
    free(a.out);
    host_close(&h);
}

static void the_first_failure_stops_and_says_where(void)
{
    const char *f = temporary_folder();
    host_open(&h);
    make_file(in_folder(f, "file"), "");
    struct writer w = start(4);
    put_mkdir(&w, 0755, in_folder(f, "one"));
    put_mkdir(&w, 0755, in_folder(f, "two"));
    put_mkdir(&w, 0755, in_folder(f, "file/three"));
    put_mkdir(&w, 0755, in_folder(f, "four"));
    struct answer a = host_ask(&h, T_SETUP, &w, NULL, 0);
    CHECK(a.type == T_ERROR && a.code == ENOTDIR && strncmp(a.message, "2 mkdir ", 8) == 0);
    CHECK(access(in_folder(f, "two"), F_OK) == 0 && access(in_folder(f, "four"), F_OK) != 0);
    free(a.out);
    w = start(1);
    write_u8(&w, OP_CGROUP);
    put_text(&w, f);
    write_u32(&w, 0);
    a = host_ask(&h, T_SETUP, &w, NULL, 0);
    CHECK(a.type == T_ERROR && a.code == EINVAL);
    free(a.out);
    host_close(&h);
}

static bool leave_for_own_namespaces(void)
{
    return getuid() == 0 && unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void a_new_root_is_built_and_lived_in(void)
{
    static char root[64];
    if (!leave_for_own_namespaces()) {
        skip("needs root for namespaces of its own");
        return;
    }
    strcpy(root, temporary_folder());
    host_open(&h);
    struct writer w = start(11);
    put_mount(&w, 0, "tmpfs", root, "tmpfs");
    const char *const parts[] = {"usr", "bin", "lib", "lib64"};
    for (size_t i = 0; i < 4; i++) {
        struct stat s;
        char path[16];
        snprintf(path, sizeof path, "/%s", parts[i]);
        if (lstat(path, &s) == 0 && S_ISLNK(s.st_mode)) {
            char usr[16];
            snprintf(usr, sizeof usr, "usr/%s", parts[i]);
            put_symlink(&w, in_folder(root, parts[i]), usr);
        } else {
            put_mount(&w, MS_BIND, path, in_folder(root, parts[i]), "");
        }
    }
    put_mount(&w, 0, "proc", in_folder(root, "proc"), "proc");
    put_mkdir(&w, 0755, in_folder(root, "area/space"));
    put_file(&w, 0644, in_folder(root, "area/space/f"), "x");
    write_u8(&w, OP_WORKSPACE);
    put_text(&w, "/area/space");
    put_text(&w, in_folder(root, "area/space"));
    write_u8(&w, OP_HOSTNAME);
    put_text(&w, "sandbox-test");
    write_u8(&w, OP_ROOT);
    put_text(&w, root);
    struct answer a = host_ask(&h, T_SETUP, &w, NULL, 0);
    if (!CHECK(a.type == T_END))
        printf("  errno %u: %s\n", a.code, a.message);
    free(a.out);
    w = payload_shell(0, "ls -d /area/space /etc 2>&1; cat /proc/sys/kernel/hostname; pwd; ls /proc/self/fd | wc -l");
    a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    CHECK(strstr((char *)a.out, "/area/space\n") && strstr((char *)a.out, "cannot access '/etc'"));
    CHECK(strstr((char *)a.out, "sandbox-test\n/\n") != NULL);
    free(a.out);
    w = payload_new();
    write_u32(&w, CHANGES_OVERLAY);
    write_u32(&w, 10);
    write_u16(&w, 0);
    a = host_ask(&h, T_CHANGES, &w, NULL, 0);
    CHECK(a.type == T_END && a.out_size == STAT_SIZE + 2 + 1);
    free(a.out);
    host_close(&h);
}

static void loopback_comes_up(void)
{
    if (!leave_for_own_namespaces()) {
        skip("needs root for a network of its own");
        return;
    }
    host_open(&h);
    uint8_t port[2] = {1, 0};
    struct writer w = payload_new();
    write_bytes(&w, port, 2);
    struct answer a = host_ask(&h, T_PROBE, &w, NULL, 0);
    CHECK(a.type == T_END && number_at(a.end, 0, 4) == ENETUNREACH);
    CHECK_EQUAL(number_at(a.end, 4, 4), 0);
    CHECK_EQUAL(number_at(a.end, 8, 4), 0);
    free(a.out);
    w = start(1);
    write_u8(&w, OP_LOOPBACK);
    a = host_ask(&h, T_SETUP, &w, NULL, 0);
    CHECK_EQUAL(a.type, T_END);
    free(a.out);
    w = payload_new();
    write_bytes(&w, port, 2);
    a = host_ask(&h, T_PROBE, &w, NULL, 0);
    CHECK(a.type == T_END && number_at(a.end, 0, 4) == ECONNREFUSED);
    free(a.out);
    host_close(&h);
}

/* The cgroup2 of the machine, if this process may make groups in it. */
static const char *find_cgroup(void)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (size_t i = 0; i < 2; i++) {
        if (access(in_folder(places[i], "cgroup.controllers"), F_OK) == 0 && access(places[i], W_OK) == 0)
            return places[i];
    }
    return NULL;
}

static void executions_live_in_groups_of_their_own(void)
{
    static char folder[128], script[512];
    const char *place = find_cgroup();
    if (!place || getuid() != 0) {
        skip("no writable cgroup2 here");
        return;
    }
    snprintf(folder, sizeof folder, "%s/safe-coder-test-%d", place, (int)getpid());
    if (mkdir(folder, 0755) != 0) {
        skip("no group can be made in the cgroup2 here");
        return;
    }
    host_open(&h);
    struct writer w = start(1);
    write_u8(&w, OP_CGROUP);
    put_text(&w, folder);
    write_u32(&w, 0);
    struct answer a = host_ask(&h, T_SETUP, &w, NULL, 0);
    CHECK_EQUAL(a.type, T_END);
    free(a.out);
    snprintf(script, sizeof script, "grep -o executions/x[0-9]* /proc/self/cgroup; setsid sleep 1000 & exit 0");
    w = payload_shell(0, script);
    a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    CHECK(a.type == T_END && strcmp((char *)a.out, "executions/x0\n") == 0);
    CHECK(access(in_folder(folder, "executions/x0"), F_OK) != 0);
    free(a.out);
    w = payload_shell(0, "setsid sleep 1000 & sleep 1000");
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 20000) && h.frame.type != T_REPLY)
        continue;
    a = host_ask(&h, T_FREEZE, NULL, NULL, 0);
    CHECK(a.type == T_END && number_at(a.end, 0, 4) >= 1);
    CHECK(strstr(file_content(in_folder(folder, "executions/cgroup.events")), "frozen 1") != NULL);
    free(a.out);
    a = host_ask(&h, T_THAW, NULL, NULL, 0);
    CHECK(a.type == T_END);
    CHECK(strstr(file_content(in_folder(folder, "executions/cgroup.events")), "frozen 0") != NULL);
    free(a.out);
    host_send(&h, T_CANCEL, 0, stream, NULL, 0);
    a = host_wait(&h, stream);
    CHECK(a.type == T_END && a.end[0] == 1 && a.end[1] == 9);
    free(a.out);
    host_close(&h);
    rmdir(in_folder(folder, "executions"));
    CHECK(rmdir(folder) == 0);
}

static void confined_executions_gain_nothing(void)
{
    host_open(&h);
    struct writer w = start(1);
    write_u8(&w, OP_CONFINE);
    write_u64(&w, 1); /* CAP_CHOWN */
    struct answer a = host_ask(&h, T_SETUP, &w, NULL, 0);
    CHECK_EQUAL(a.type, T_END);
    free(a.out);
    w = payload_shell(0, "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\n\t'");
    a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    if (getuid() == 0)
        CHECK(strcmp((char *)a.out, "CapBnd:0000000000000001NoNewPrivs:1Seccomp:2") == 0);
    else
        CHECK(strstr((char *)a.out, "NoNewPrivs:1Seccomp:2") != NULL);
    free(a.out);
    static const char *const refused[] = {"unshare --user true", "unshare --mount true", "mount -t tmpfs x /mnt",
                                          "nsenter --target $PPID --mount true"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        w = payload_shell(SPAWN_MERGE, refused[i]);
        a = host_ask(&h, T_SPAWN, &w, NULL, 0);
        CHECK(a.type == T_END && a.end[1] != 0);
        free(a.out);
    }
    w = payload_shell(0, "(sleep 0 & wait; echo ok | cat; dd if=/dev/zero bs=1k count=1 2>/dev/null | wc -c) | tr '\n' ' '");
    a = host_ask(&h, T_SPAWN, &w, NULL, 0);
    CHECK(strcmp((char *)a.out, "ok 1024 ") == 0);
    free(a.out);
    host_close(&h);
}

static void shutdown_answers_and_ends_the_agent(void)
{
    char mark[32], script[128];
    snprintf(mark, sizeof mark, "%d.777", 200000 + (int)getpid());
    host_open(&h);
    snprintf(script, sizeof script, "setsid sleep %s & sleep %s", mark, mark);
    struct writer w = payload_shell(0, script);
    host_request(&h, T_SPAWN, &w);
    CHECK(wait_for_processes(mark, 3));
    struct answer a = host_ask(&h, T_SHUTDOWN, NULL, NULL, 0);
    CHECK(a.type == T_END && a.end_size == 0);
    free(a.out);
    CHECK(!host_receive(&h, 20000));
    CHECK_EQUAL(count_processes(mark), 0);
    CHECK_EQUAL(host_close(&h), 0);
}

const struct test setup_tests[] = {
    {"confined executions gain nothing", confined_executions_gain_nothing},
    {"operations run in order", operations_run_in_order},
    {"the first failure stops and says where", the_first_failure_stops_and_says_where},
    {"executions live in groups of their own", executions_live_in_groups_of_their_own},
    {"shutdown answers and ends the agent", shutdown_answers_and_ends_the_agent},
    {"loopback comes up", loopback_comes_up},
    {"a new root is built and lived in", a_new_root_is_built_and_lived_in},
};
const int setup_test_count = sizeof setup_tests / sizeof setup_tests[0];
