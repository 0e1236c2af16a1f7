/* CHANGES and FETCH: what changed, and its bytes. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "suites.h"

enum { MOST_ENTRIES = 4096 };

struct change {
    uint8_t kind, flags;
    uint32_t mode;
    size_t path_length;
    char path[MAX_TREE_PATH + 1];
    char target[4096];
};

static struct host h;
static struct change changes[MOST_ENTRIES];
static int change_count;
static bool is_truncated;

static void set_workspace(const char *path, const char *upper)
{
    struct writer w = payload_new();
    write_u16(&w, 1);
    write_u8(&w, OP_WORKSPACE);
    put_text(&w, path);
    put_text(&w, upper);
    struct answer a = host_ask(&h, T_SETUP, &w, NULL, 0);
    CHECK_EQUAL(a.type, T_END);
    free(a.out);
}

static void parse_changes(const struct answer *a)
{
    struct reader r = reader_of(a->out, a->out_size);
    change_count = 0;
    while (r.left > 0 && !r.bad && change_count < MOST_ENTRIES) {
        struct change *c = &changes[change_count++];
        memset(c, 0, sizeof *c);
        struct reader stat = r;
        read_bytes(&r, STAT_SIZE);
        c->kind = read_u8(&stat);
        c->flags = read_u8(&stat);
        read_u16(&stat);
        c->mode = read_u32(&stat);
        struct bytes path = read_str16(&r);
        c->path_length = path.length;
        memcpy(c->path, path.at, path.length <= MAX_TREE_PATH ? path.length : 0);
        if (c->kind == KIND_SYMLINK) {
            struct bytes target = read_str16(&r);
            memcpy(c->target, target.at, target.length < sizeof c->target ? target.length : 0);
        }
    }
    CHECK(!r.bad && r.left == 0);
}

static uint32_t ask_changes(uint32_t mode, uint32_t most, const char *prune)
{
    struct writer w = payload_new();
    write_u32(&w, mode);
    write_u32(&w, most);
    write_u16(&w, prune ? 1 : 0);
    if (prune)
        put_text(&w, prune);
    struct answer a = host_ask(&h, T_CHANGES, &w, NULL, 0);
    change_count = 0;
    if (a.type == T_END) {
        parse_changes(&a);
        is_truncated = a.end[8];
        CHECK_EQUAL(number_at(a.end, 0, 4), change_count);
    }
    free(a.out);
    return a.type == T_END ? 0 : a.code;
}

static const struct change *change_of(const char *path)
{
    for (int i = 0; i < change_count; i++) {
        if (strcmp(changes[i].path, path) == 0)
            return &changes[i];
    }
    static const struct change none;
    return &none;
}

static void a_walk_reports_every_kind_parents_first(void)
{
    const char *f = temporary_folder();
    mkdir(in_folder(f, "d"), 0755);
    mkdir(in_folder(f, "d/e"), 0700);
    make_file(in_folder(f, "d/e/f"), "x");
    (void)!symlink("/etc/passwd", in_folder(f, "l"));
    (void)!symlink("..", in_folder(f, "d/up"));
    mkfifo(in_folder(f, "fifo"), 0644);
    make_file(in_folder(f, "suid"), "x");
    chmod(in_folder(f, "suid"), 04755);
    mkdir(in_folder(f, ".git"), 0755);
    make_file(in_folder(f, ".git/HEAD"), "x");
    mkdir(in_folder(f, "d/.git"), 0755);
    make_file(in_folder(f, "d/.git/HEAD"), "x");
    mkdir(in_folder(f, "pruned"), 0755);
    make_file(in_folder(f, "pruned/x"), "x");
    set_workspace(f, "");
    CHECK_EQUAL(ask_changes(CHANGES_WALK, 1000, "pruned"), 0);
    CHECK(change_of("d")->kind == KIND_DIRECTORY && change_of("d/e/f")->kind == KIND_FILE);
    CHECK(change_of("d") < change_of("d/e") && change_of("d/e") < change_of("d/e/f"));
    CHECK(change_of("l")->kind == KIND_SYMLINK && strcmp(change_of("l")->target, "/etc/passwd") == 0);
    CHECK(strcmp(change_of("d/up")->target, "..") == 0);
    CHECK(change_of("fifo")->kind == KIND_SPECIAL);
    CHECK(change_of("suid")->flags == STAT_SETID && change_of("suid")->mode == 04755);
    CHECK(change_of(".git")->kind == KIND_DIRECTORY && change_of(".git")->flags == STAT_PRUNED);
    CHECK(change_of(".git/HEAD")->kind == 0 && change_of("d/.git/HEAD")->kind == KIND_FILE);
    CHECK(change_of("pruned")->flags == STAT_PRUNED && change_of("pruned/x")->kind == 0);
    CHECK(change_count == 11 && !is_truncated);
    CHECK_EQUAL(ask_changes(CHANGES_WALK, 5, NULL), 0);
    CHECK(change_count == 5 && is_truncated);
}

static void a_list_of_long_texts_is_cut_short(void)
{
    static char target[4001];
    const char *f = temporary_folder();
    memset(target, 'x', sizeof target - 1);
    for (int i = 0; i < 18000; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%d", i);
        CHECK_EQUAL(symlink(target, in_folder(f, name)), 0);
    }
    set_workspace(f, "");
    struct writer w = payload_new();
    write_u32(&w, CHANGES_WALK);
    write_u32(&w, 100000);
    write_u16(&w, 0);
    struct answer a = host_ask(&h, T_CHANGES, &w, NULL, 0);
    CHECK(a.type == T_END && a.end[8] == 1);
    uint64_t count = number_at(a.end, 0, 4);
    CHECK(count > 16000 && count < 18000);
    free(a.out);
}

static void overlay_capture_without_an_upper_layer_is_an_error(void)
{
    set_workspace(temporary_folder(), "");
    CHECK_EQUAL(ask_changes(CHANGES_OVERLAY, 10, NULL), EINVAL);
}

static void a_directory_that_cannot_be_opened_is_said_to_be_so(void)
{
    if (getuid() == 0) {
        skip("root opens everything; runs as an ordinary user");
        return;
    }
    const char *f = temporary_folder();
    mkdir(in_folder(f, "locked"), 0);
    set_workspace(f, "");
    CHECK_EQUAL(ask_changes(CHANGES_WALK, 10, NULL), 0);
    CHECK(change_of("locked")->kind == KIND_UNREADABLE && change_of("locked")->mode == EACCES);
    chmod(in_folder(f, "locked"), 0700);
}

static int make_deep(const char *top, const char *name, int levels)
{
    int at = open(top, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < levels; i++) {
        mkdirat(at, name, 0755);
        int next = openat(at, name, O_RDONLY | O_DIRECTORY);
        close(at);
        at = next;
    }
    return at;
}

static void deep_directories_are_bounded(void)
{
    const char *f = temporary_folder();
    close(make_deep(f, "d", 600));
    set_workspace(f, "");
    CHECK_EQUAL(ask_changes(CHANGES_WALK, 4096, NULL), 0);
    CHECK_EQUAL(change_count, MAX_TREE_DEPTH);
    CHECK(changes[MAX_TREE_DEPTH - 1].kind == KIND_TOO_DEEP && changes[MAX_TREE_DEPTH - 2].kind == KIND_DIRECTORY);
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    const char *g = temporary_folder();
    close(make_deep(g, name, 100));
    set_workspace(g, "");
    CHECK_EQUAL(ask_changes(CHANGES_WALK, 4096, NULL), 0);
    const struct change *last = &changes[change_count - 1];
    CHECK(last->kind == KIND_TOO_DEEP && last->path_length <= MAX_TREE_PATH && last->path_length > 16128);
    CHECK_EQUAL(change_count, 64);
}

static void put_paths(struct writer *w, const char *const paths[])
{
    for (; *paths; paths++)
        put_text(w, *paths);
}

static struct answer fetch(uint64_t most, const void *paths, size_t size)
{
    struct writer w = payload_new();
    write_u32(&w, 0);
    write_u64(&w, most);
    return host_ask(&h, T_FETCH, &w, paths, size);
}

/* One answer of FETCH read back; content longer than the buffer is cut. */
struct fetched {
    uint32_t code;
    uint8_t kind, flags;
    size_t size;
    char content[65536];
};

static void read_fetched(struct reader *r, struct fetched *f)
{
    memset(f, 0, sizeof *f);
    f->code = read_u32(r);
    if (f->code != 0)
        return;
    f->kind = read_bytes(r, STAT_SIZE).at[0];
    for (;;) {
        struct bytes chunk = read_str32(r);
        if (chunk.length == 0)
            break;
        CHECK(chunk.length <= MAX_CHUNK);
        if (f->size + chunk.length < sizeof f->content)
            memcpy(f->content + f->size, chunk.at, chunk.length);
        f->size += chunk.length;
    }
    f->flags = read_u8(r);
}

static void fetch_answers_every_path_in_order(void)
{
    static uint8_t memory[4096];
    static struct fetched got;
    const char *f = temporary_folder();
    mkdir(in_folder(f, "d"), 0755);
    make_file(in_folder(f, "d/f"), "content");
    make_file(in_folder(f, "empty"), "");
    (void)!symlink("d/f", in_folder(f, "l"));
    (void)!symlink("d", in_folder(f, "dl"));
    mkfifo(in_folder(f, "fifo"), 0644);
    set_workspace(f, "");
    mkdir(in_folder(f, "d/sub"), 0755);
    make_file(in_folder(f, "d/sub/f"), "behind a link");
    const char *const paths[] = {"d/f", "none", "l", "dl/f", "fifo", "empty", "d", "d/f/x", "dl/sub/f", NULL};
    struct writer w = writer_of(memory, sizeof memory);
    put_paths(&w, paths);
    struct answer a = fetch(1000, w.at, w.used);
    CHECK(a.type == T_END && number_at(a.end, 0, 4) == 9);
    struct reader r = reader_of(a.out, a.out_size);
    read_fetched(&r, &got);
    CHECK(got.kind == KIND_FILE && strcmp(got.content, "content") == 0 && got.flags == 0);
    read_fetched(&r, &got);
    CHECK_EQUAL(got.code, ENOENT);
    read_fetched(&r, &got);
    CHECK(got.kind == KIND_SYMLINK && strcmp(got.content, "d/f") == 0);
    read_fetched(&r, &got);
    CHECK(got.code == ELOOP || got.code == ENOTDIR);
    read_fetched(&r, &got);
    CHECK(got.kind == KIND_SPECIAL && got.size == 0);
    read_fetched(&r, &got);
    CHECK(got.kind == KIND_FILE && got.size == 0 && got.flags == 0);
    read_fetched(&r, &got);
    CHECK(got.kind == KIND_DIRECTORY && got.size == 0);
    read_fetched(&r, &got);
    CHECK_EQUAL(got.code, ENOTDIR);
    read_fetched(&r, &got);
    CHECK_EQUAL(got.code, ELOOP);
    CHECK(reader_is_done(&r));
    free(a.out);
    a = fetch(3, w.at, 5);
    r = reader_of(a.out, a.out_size);
    read_fetched(&r, &got);
    CHECK(strcmp(got.content, "con") == 0 && got.flags == FETCH_CUT);
    free(a.out);
}

static void fetch_reads_a_path_longer_than_the_kernel_takes(void)
{
    static char path[MAX_TREE_PATH + 1];
    static uint8_t memory[MAX_TREE_PATH + 2];
    static struct fetched got;
    const char *f = temporary_folder();
    int at = make_deep(f, "directory-name", 500);
    int file = openat(at, "f", O_WRONLY | O_CREAT, 0644);
    (void)!write(file, "deep", 4);
    close(file);
    close(at);
    for (int i = 0; i < 500; i++)
        strcpy(path + i * 15, "directory-name/");
    strcpy(path + 500 * 15, "f");
    set_workspace(f, "");
    struct writer w = writer_of(memory, sizeof memory);
    put_text(&w, path);
    struct answer a = fetch(1000, w.at, w.used);
    struct reader r = reader_of(a.out, a.out_size);
    read_fetched(&r, &got);
    CHECK(a.type == T_END && got.code == 0 && strcmp(got.content, "deep") == 0);
    free(a.out);
}

static void fetch_refuses_paths_that_are_not_plain(void)
{
    const char *f = temporary_folder();
    set_workspace(f, "");
    const char *const bad[] = {"../x", "/etc/passwd", "a/../../b", "a//b", "./a", "a/", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t memory[64];
        struct writer w = writer_of(memory, sizeof memory);
        put_text(&w, bad[i]);
        struct answer a = fetch(1000, w.at, w.used);
        CHECK(a.type == T_ERROR && a.code == EPROTO);
        free(a.out);
    }
    struct answer a = fetch(1000, "\x05\x00" "ab", 4);
    CHECK(a.type == T_ERROR && a.code == EPROTO);
    free(a.out);
}

/* A file that somebody writes to all the time is marked as changed at least once in many tries. */
static void fetch_notices_a_file_that_changes(void)
{
    static char script[512];
    static struct fetched got;
    const char *f = temporary_folder();
    bool was_noticed = false;
    set_workspace(f, "");
    snprintf(script, sizeof script,
             "head -c 4000000 /dev/zero > %s/big; echo ready; while :; do echo x >> %s/big; done", f, f);
    struct writer w = payload_shell(0, script);
    uint32_t stream = host_request(&h, T_SPAWN, &w);
    while (host_receive(&h, 20000) && h.frame.type != T_DATA)
        continue;
    for (int i = 0; i < 50 && !was_noticed; i++) {
        struct answer a = fetch(100000000, "\x03\x00" "big", 5);
        struct reader r = reader_of(a.out, a.out_size);
        read_fetched(&r, &got);
        was_noticed = got.flags & FETCH_UNSTABLE;
        free(a.out);
    }
    CHECK(was_noticed);
    host_send(&h, T_CANCEL, 0, stream, NULL, 0);
    free(host_wait(&h, stream).out);
}

/* In a mount namespace of its own. */
static const char *make_overlay(void)
{
    static char top[64], options[512];
    if (getuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return NULL;
    strcpy(top, temporary_folder());
    if (mount("tmpfs", top, "tmpfs", 0, NULL) != 0)
        return NULL;
    const char *const names[] = {"lower", "upper", "work", "merged", "lower/dir", "lower/gone-dir"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        mkdir(in_folder(top, names[i]), 0755);
    make_file(in_folder(top, "lower/dir/old"), "old");
    make_file(in_folder(top, "lower/gone"), "x");
    make_file(in_folder(top, "lower/kept"), "x");
    make_file(in_folder(top, "lower/gone-dir/x"), "x");
    snprintf(options, sizeof options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", top, top, top);
    return mount("overlay", in_folder(top, "merged"), "overlay", 0, options) == 0 ? top : NULL;
}

static void overlay_capture_reports_what_the_upper_layer_holds(void)
{
    static struct fetched got;
    const char *top = make_overlay();
    if (!top) {
        skip("no overlay can be mounted here (needs root)");
        return;
    }
    struct host outside = h; /* an agent inside the new mount namespace */
    host_open(&h);
    static char workspace[128], upper[128];
    strcpy(workspace, in_folder(top, "merged"));
    strcpy(upper, in_folder(top, "upper"));
    set_workspace(workspace, upper);
    CHECK_EQUAL(ask_changes(CHANGES_OVERLAY, 100, NULL), 0);
    CHECK_EQUAL(change_count, 0);
    unlink(in_folder(workspace, "gone"));
    unlink(in_folder(workspace, "gone-dir/x"));
    rmdir(in_folder(workspace, "gone-dir"));
    unlink(in_folder(workspace, "dir/old"));
    rmdir(in_folder(workspace, "dir"));
    mkdir(in_folder(workspace, "dir"), 0755);
    make_file(in_folder(workspace, "dir/new"), "new");
    CHECK_EQUAL(ask_changes(CHANGES_OVERLAY, 100, NULL), 0);
    CHECK(change_of("gone")->kind == KIND_DELETED && change_of("gone-dir")->kind == KIND_DELETED);
    CHECK(change_of("dir")->kind == KIND_DIRECTORY && change_of("dir")->flags == STAT_OPAQUE);
    CHECK(change_of("dir/new")->kind == KIND_FILE);
    CHECK_EQUAL(change_count, 4);
    struct answer a = fetch(100, "\x07\x00" "dir/new" "\x04\x00" "gone", 15);
    struct reader r = reader_of(a.out, a.out_size);
    read_fetched(&r, &got);
    CHECK(got.code == 0 && strcmp(got.content, "new") == 0);
    read_fetched(&r, &got);
    CHECK_EQUAL(got.code, ENOENT);
    free(a.out);
    /* A mount inside is reported and not entered; REMOVE stops at it too. */
    mkdir(in_folder(workspace, "dir/mnt"), 0755);
    CHECK(mount("tmpfs", in_folder(workspace, "dir/mnt"), "tmpfs", 0, NULL) == 0);
    make_file(in_folder(workspace, "dir/mnt/inside"), "x");
    CHECK_EQUAL(ask_changes(CHANGES_WALK, 100, NULL), 0);
    CHECK((change_of("dir/mnt")->flags & STAT_MOUNT) && change_of("dir/mnt/inside")->kind == 0);
    a = fetch(100, "\x0e\x00" "dir/mnt/inside", 16);
    r = reader_of(a.out, a.out_size);
    read_fetched(&r, &got);
    CHECK_EQUAL(got.code, EXDEV);
    free(a.out);
    struct writer w = payload_file(OPT_RECURSIVE, in_folder(workspace, "dir"));
    a = host_ask(&h, T_REMOVE, &w, NULL, 0);
    CHECK(a.type == T_ERROR && a.code == EXDEV);
    CHECK(access(in_folder(workspace, "dir/mnt/inside"), F_OK) == 0);
    free(a.out);
    host_close(&h);
    umount2(in_folder(workspace, "dir/mnt"), MNT_DETACH);
    umount2(workspace, MNT_DETACH);
    umount2(top, MNT_DETACH);
    h = outside;
}

static void open_connection(void) { host_open(&h); }
static void close_connection(void) { CHECK_EQUAL(host_close(&h), 0); }

static void capture_before_setup_is_an_error(void)
{
    CHECK_EQUAL(ask_changes(CHANGES_WALK, 10, NULL), EINVAL);
    struct answer a = fetch(10, "\x01\x00" "a", 3);
    CHECK(a.type == T_ERROR && a.code == EINVAL);
    free(a.out);
}

const struct test capture_tests[] = {
    {"the agent starts", open_connection},
    {"capture before SETUP is an error", capture_before_setup_is_an_error},
    {"a walk reports every kind, parents first", a_walk_reports_every_kind_parents_first},
    {"a list of long texts is cut short", a_list_of_long_texts_is_cut_short},
    {"overlay capture without an upper layer is an error", overlay_capture_without_an_upper_layer_is_an_error},
    {"a directory that cannot be opened is said to be so", a_directory_that_cannot_be_opened_is_said_to_be_so},
    {"deep directories are bounded", deep_directories_are_bounded},
    {"fetch answers every path in order", fetch_answers_every_path_in_order},
    {"fetch reads a path longer than the kernel takes", fetch_reads_a_path_longer_than_the_kernel_takes},
    {"fetch refuses paths that are not plain", fetch_refuses_paths_that_are_not_plain},
    {"fetch notices a file that changes", fetch_notices_a_file_that_changes},
    {"overlay capture reports what the upper layer holds", overlay_capture_reports_what_the_upper_layer_holds},
    {"the agent ends with its connection", close_connection},
};
const int capture_test_count = sizeof capture_tests / sizeof capture_tests[0];
