/* READ, WRITE, STAT, LIST, REMOVE and UNPACK. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "suites.h"

static struct host h;

static struct answer read_path(uint32_t options, const char *path)
{
    struct writer w = payload_read(options, path);
    return host_ask(&h, T_READ, &w, NULL, 0);
}

static struct answer write_path(uint32_t options, uint32_t mode, const char *path, const char *content)
{
    struct writer w = payload_write(options, mode, path);
    return host_ask(&h, T_WRITE, &w, content, strlen(content));
}

static struct answer ask_path(uint8_t verb, uint32_t options, const char *path)
{
    struct writer w = payload_file(options, path);
    return host_ask(&h, verb, &w, NULL, 0);
}

static struct answer list_most(const char *path, uint32_t most)
{
    struct writer w = payload_new();
    write_u32(&w, 0);
    write_u32(&w, getuid());
    write_u32(&w, getgid());
    write_u32(&w, most);
    put_text(&w, path);
    return host_ask(&h, T_LIST, &w, NULL, 0);
}

static void expect_error(struct answer a, uint32_t code)
{
    CHECK_EQUAL(a.type, T_ERROR);
    CHECK_EQUAL(a.code, code);
    free(a.out);
}

static void a_file_is_read_with_its_stat(void)
{
    const char *f = temporary_folder(), *path = in_folder(f, "a");
    make_file(path, "hello");
    struct answer a = read_path(0, path);
    CHECK(a.has_reply && a.reply[0] == KIND_FILE && number_at(a.reply, 4, 4) == 0644 && number_at(a.reply, 24, 4) == 5);
    CHECK(a.out_size == 5 && memcmp(a.out, "hello", 5) == 0);
    CHECK(a.end_size == 8 && number_at(a.end, 0, 4) == 5);
    free(a.out);
}

static void an_offset_and_a_limit_cut_what_is_read(void)
{
    const char *path = in_folder(temporary_folder(), "a");
    make_file(path, "0123456789");
    struct writer w = payload_new();
    write_u32(&w, 0);
    write_u32(&w, getuid());
    write_u32(&w, getgid());
    write_u64(&w, 3);
    write_u64(&w, 4);
    put_text(&w, path);
    struct answer a = host_ask(&h, T_READ, &w, NULL, 0);
    CHECK(a.out_size == 4 && memcmp(a.out, "3456", 4) == 0);
    free(a.out);
}

static void what_is_not_a_regular_file_is_refused_without_blocking(void)
{
    const char *f = temporary_folder();
    mkfifo(in_folder(f, "fifo"), 0644);
    (void)!symlink("loop", in_folder(f, "loop"));
    (void)!symlink("fifo", in_folder(f, "to-fifo"));
    make_file(in_folder(f, "real"), "x");
    (void)!symlink("real", in_folder(f, "link"));
    expect_error(read_path(0, in_folder(f, "fifo")), EINVAL);
    expect_error(read_path(0, in_folder(f, "to-fifo")), EINVAL);
    expect_error(read_path(0, "/dev/zero"), EINVAL);
    expect_error(read_path(0, f), EISDIR);
    expect_error(read_path(0, in_folder(f, "loop")), ELOOP);
    expect_error(read_path(OPT_NO_FOLLOW, in_folder(f, "link")), ELOOP);
    expect_error(read_path(0, in_folder(f, "missing")), ENOENT);
    struct answer a = read_path(0, in_folder(f, "link"));
    CHECK(a.type == T_END && a.out_size == 1);
    free(a.out);
}

static void a_write_replaces_all_or_nothing(void)
{
    const char *f = temporary_folder(), *path = in_folder(f, "a");
    struct stat before, after;
    make_file(path, "old");
    chmod(path, 0750);
    stat(path, &before);
    struct answer a = write_path(0, 0, path, "new content");
    CHECK(a.type == T_END && a.end_size == STAT_SIZE + 1 && a.end[STAT_SIZE] == 0 && number_at(a.end, 4, 4) == 0750);
    free(a.out);
    stat(path, &after);
    CHECK(strcmp(file_content(path), "new content") == 0 && (after.st_mode & 07777) == 0750);
    CHECK(after.st_ino != before.st_ino);
    a = write_path(0, 0600, path, "");
    stat(path, &after);
    CHECK(a.type == T_END && after.st_size == 0 && (after.st_mode & 07777) == 0600);
    free(a.out);
}

static void a_new_file_gets_its_parents_when_asked(void)
{
    const char *f = temporary_folder(), *path = in_folder(f, "x/y/z");
    expect_error(write_path(0, 0, path, "1"), ENOENT);
    struct answer a = write_path(OPT_MAKE_PARENTS, 0, path, "1");
    struct stat s;
    CHECK(a.type == T_END && a.end[STAT_SIZE] == 1);
    CHECK(stat(path, &s) == 0 && (s.st_mode & 07777) == 0644);
    free(a.out);
    expect_error(write_path(OPT_EXCLUSIVE, 0, path, "2"), EEXIST);
    (void)!symlink("nowhere", in_folder(f, "dangling"));
    expect_error(write_path(OPT_EXCLUSIVE, 0, in_folder(f, "dangling"), "2"), EEXIST);
    CHECK(strcmp(file_content(path), "1") == 0);
    a = write_path(OPT_EXCLUSIVE, 0, in_folder(f, "fresh"), "3");
    CHECK(a.type == T_END && strcmp(file_content(in_folder(f, "fresh")), "3") == 0);
    free(a.out);
}

static void a_write_goes_through_a_final_symlink(void)
{
    const char *f = temporary_folder();
    struct stat s;
    mkdir(in_folder(f, "d"), 0755);
    make_file(in_folder(f, "d/real"), "old");
    (void)!symlink("d/real", in_folder(f, "one"));
    (void)!symlink(in_folder(f, "one"), in_folder(f, "two"));
    (void)!symlink("loop", in_folder(f, "loop"));
    struct answer a = write_path(0, 0, in_folder(f, "two"), "through");
    CHECK_EQUAL(a.type, T_END);
    CHECK(strcmp(file_content(in_folder(f, "d/real")), "through") == 0);
    CHECK(lstat(in_folder(f, "two"), &s) == 0 && S_ISLNK(s.st_mode));
    free(a.out);
    expect_error(write_path(0, 0, in_folder(f, "loop"), "x"), ELOOP);
    expect_error(write_path(0, 0, f, "x"), EISDIR);
    mkfifo(in_folder(f, "fifo"), 0644);
    expect_error(write_path(0, 0, in_folder(f, "fifo"), "x"), EINVAL);
}

static void a_cancelled_write_changes_nothing(void)
{
    const char *f = temporary_folder(), *path = in_folder(f, "a");
    make_file(path, "old");
    struct writer w = payload_write(0, 0, path);
    uint32_t stream = host_request(&h, T_WRITE, &w);
    host_send(&h, T_DATA, 0, stream, "half", 4);
    host_send(&h, T_CANCEL, 0, stream, NULL, 0);
    expect_error(host_wait(&h, stream), ECANCELED);
    CHECK(strcmp(file_content(path), "old") == 0);
    struct answer a = list_most(f, 100);
    CHECK_EQUAL(number_at(a.end, 0, 4), 1);
    free(a.out);
}

static void stat_tells_the_canonical_path_and_the_target(void)
{
    const char *f = temporary_folder();
    static char want[256];
    mkdir(in_folder(f, "d"), 0755);
    make_file(in_folder(f, "d/real"), "x");
    (void)!symlink("d", in_folder(f, "dl"));
    (void)!symlink("real", in_folder(f, "d/l"));
    struct answer a = ask_path(T_STAT, 0, in_folder(f, "dl/../dl/l"));
    snprintf(want, sizeof want, "%s/d/real", f);
    CHECK(a.type == T_END && a.end[0] == KIND_FILE && number_at(a.end, STAT_SIZE, 2) == strlen(want));
    CHECK(memcmp(a.end + STAT_SIZE + 2, want, strlen(want)) == 0);
    free(a.out);
    a = ask_path(T_STAT, OPT_NO_FOLLOW, in_folder(f, "dl/l"));
    snprintf(want, sizeof want, "%s/d/l", f);
    CHECK(a.end[0] == KIND_SYMLINK && memcmp(a.end + STAT_SIZE + 2, want, strlen(want)) == 0);
    CHECK(a.end_size == STAT_SIZE + 2 + strlen(want) + 2 + 4 && memcmp(a.end + a.end_size - 4, "real", 4) == 0);
    free(a.out);
    expect_error(ask_path(T_STAT, 0, in_folder(f, "none")), ENOENT);
    a = ask_path(T_STAT, OPT_NO_FOLLOW, "/");
    CHECK(a.type == T_END && a.end[0] == KIND_DIRECTORY && number_at(a.end, STAT_SIZE, 2) == 1);
    free(a.out);
}

static void a_list_is_complete_or_says_it_is_not(void)
{
    const char *f = temporary_folder();
    char name[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "file-%05d", i);
        make_file(in_folder(f, name), "");
    }
    struct answer a = list_most(f, 5000);
    CHECK(number_at(a.end, 0, 4) == 3000 && a.end[4] == 0);
    CHECK_EQUAL(a.out_size, 3000 * (STAT_SIZE + 2 + 10));
    free(a.out);
    a = list_most(f, 2999);
    CHECK(number_at(a.end, 0, 4) == 2999 && a.end[4] == 1);
    free(a.out);
    expect_error(list_most(in_folder(f, "file-00000"), 1), ENOTDIR);
}

static void remove_takes_a_tree_but_not_what_its_links_name(void)
{
    const char *f = temporary_folder();
    struct stat s;
    mkdir(in_folder(f, "t"), 0755);
    mkdir(in_folder(f, "t/d"), 0755);
    mkdir(in_folder(f, "keep"), 0755);
    make_file(in_folder(f, "t/d/x"), "x");
    make_file(in_folder(f, "keep/x"), "x");
    (void)!symlink("../../keep", in_folder(f, "t/d/l"));
    expect_error(ask_path(T_REMOVE, 0, in_folder(f, "t")), ENOTEMPTY);
    struct answer a = ask_path(T_REMOVE, OPT_RECURSIVE, in_folder(f, "t"));
    CHECK(a.type == T_END && number_at(a.end, 0, 4) == 4);
    CHECK(stat(in_folder(f, "t"), &s) != 0 && stat(in_folder(f, "keep/x"), &s) == 0);
    free(a.out);
    (void)!symlink("keep", in_folder(f, "l"));
    a = ask_path(T_REMOVE, OPT_RECURSIVE, in_folder(f, "l/"));
    CHECK(a.type == T_END && lstat(in_folder(f, "l"), &s) != 0 && stat(in_folder(f, "keep/x"), &s) == 0);
    free(a.out);
    expect_error(ask_path(T_REMOVE, OPT_RECURSIVE, in_folder(f, "t")), ENOENT);
}

static void remove_takes_a_tree_deeper_than_any_path(void)
{
    const char *f = temporary_folder();
    struct stat s;
    mkdir(in_folder(f, "t"), 0755);
    int at = open(in_folder(f, "t"), O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 1500; i++) {
        mkdirat(at, "deeper-and-deeper", 0755);
        int next = openat(at, "deeper-and-deeper", O_RDONLY | O_DIRECTORY);
        close(at);
        at = next;
    }
    close(at);
    struct answer a = ask_path(T_REMOVE, OPT_RECURSIVE, in_folder(f, "t"));
    CHECK(a.type == T_END && number_at(a.end, 0, 4) == 1501);
    CHECK(stat(in_folder(f, "t"), &s) != 0);
    free(a.out);
}

static void put_entry(struct writer *w, uint8_t kind, uint32_t mode, const char *path)
{
    write_u8(w, kind);
    write_u32(w, mode);
    write_i64(w, 1000000000123456789);
    put_text(w, path);
}

static void put_content(struct writer *w, const char *content)
{
    if (*content) {
        write_u32(w, (uint32_t)strlen(content));
        write_bytes(w, content, strlen(content));
    }
    write_u32(w, 0);
}

static struct answer unpack(const char *directory, const struct writer *entries)
{
    struct writer w = payload_file(0, directory);
    return host_ask(&h, T_UNPACK, &w, entries->at, entries->used);
}

static void unpack_makes_what_it_is_told(void)
{
    static uint8_t memory[4096];
    const char *f = temporary_folder();
    struct stat s;
    char target[16] = "";
    struct writer e = writer_of(memory, sizeof memory);
    put_entry(&e, KIND_DIRECTORY, 0555, "d");
    put_entry(&e, KIND_FILE, 0640, "d/f");
    put_content(&e, "content");
    put_entry(&e, KIND_SYMLINK, 0777, "d/l");
    put_text(&e, "../../etc");
    put_entry(&e, KIND_FILE, 0600, "parents/are/made");
    put_content(&e, "");
    make_file(in_folder(f, "x"), "");
    struct answer a = unpack(in_folder(f, "new"), &e);
    CHECK(a.type == T_END && number_at(a.end, 0, 4) == 4);
    CHECK(stat(in_folder(f, "new/d"), &s) == 0 && (s.st_mode & 07777) == 0555 && s.st_mtim.tv_sec == 1000000000);
    CHECK(stat(in_folder(f, "new/d/f"), &s) == 0 && (s.st_mode & 07777) == 0640 && s.st_mtim.tv_nsec == 123456789);
    CHECK(strcmp(file_content(in_folder(f, "new/d/f")), "content") == 0);
    CHECK(readlink(in_folder(f, "new/d/l"), target, sizeof target) == 9 && memcmp(target, "../../etc", 9) == 0);
    CHECK(stat(in_folder(f, "new/parents/are/made"), &s) == 0 && s.st_size == 0);
    chmod(in_folder(f, "new/d"), 0755); /* or it can't be removed */
    free(a.out);
}

static void unpack_follows_no_symlink_and_leaves_no_way_out(void)
{
    static uint8_t memory[4096];
    const char *f = temporary_folder();
    mkdir(in_folder(f, "out"), 0755);
    mkdir(in_folder(f, "in"), 0755);
    struct writer e = writer_of(memory, sizeof memory);
    put_entry(&e, KIND_SYMLINK, 0777, "l");
    put_text(&e, "../out");
    put_entry(&e, KIND_FILE, 0644, "l/escaped");
    put_content(&e, "x");
    struct answer a = unpack(in_folder(f, "in"), &e);
    CHECK(a.type == T_ERROR && (a.code == ELOOP || a.code == ENOTDIR));
    free(a.out);
    CHECK(access(in_folder(f, "out/escaped"), F_OK) != 0);
    const char *const bad[] = {"../x", "/x", "a/../../x", "a//b", ".", "a/"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        e = writer_of(memory, sizeof memory);
        put_entry(&e, KIND_FILE, 0644, bad[i]);
        put_content(&e, "x");
        a = unpack(in_folder(f, "in"), &e);
        CHECK(a.type == T_ERROR && a.code == EPROTO);
        free(a.out);
    }
    /* A symlink where a file should come is replaced, not written through. */
    make_file(in_folder(f, "out/victim"), "untouched");
    (void)!symlink("../out/victim", in_folder(f, "in/file"));
    e = writer_of(memory, sizeof memory);
    put_entry(&e, KIND_FILE, 0644, "file");
    put_content(&e, "new");
    a = unpack(in_folder(f, "in"), &e);
    CHECK(a.type == T_END && strcmp(file_content(in_folder(f, "out/victim")), "untouched") == 0);
    free(a.out);
    mkdir(in_folder(f, "in/dir"), 0755);
    e = writer_of(memory, sizeof memory);
    put_entry(&e, KIND_FILE, 0644, "dir");
    put_content(&e, "new");
    expect_error(unpack(in_folder(f, "in"), &e), EISDIR);
}

static void unpack_of_cut_data_is_an_error(void)
{
    static uint8_t memory[4096];
    const char *f = temporary_folder();
    struct writer whole = writer_of(memory, sizeof memory);
    put_entry(&whole, KIND_FILE, 0644, "f");
    put_content(&whole, "content");
    for (size_t cut = 1; cut < whole.used; cut++) {
        struct writer part = whole;
        part.used = cut;
        expect_error(unpack(f, &part), EPROTO);
    }
}

static void a_probe_finds_no_listener_where_none_is(void)
{
    uint8_t port[2] = {1, 0};
    struct writer w = payload_new();
    write_bytes(&w, port, 2);
    struct answer a = host_ask(&h, T_PROBE, &w, NULL, 0);
    CHECK(a.type == T_END && a.end_size == 12 && number_at(a.end, 0, 4) == ECONNREFUSED);
    free(a.out);
}

static void clock_and_entropy_are_refused_outside_a_machine_of_its_own(void)
{
    struct writer w = payload_new();
    write_i64(&w, 0);
    expect_error(host_ask(&h, T_CLOCK, &w, NULL, 0), EPERM);
    expect_error(host_ask(&h, T_ENTROPY, &w, NULL, 0), EPERM);
}

static void open_connection(void) { host_open(&h); }
static void close_connection(void) { CHECK_EQUAL(host_close(&h), 0); }

/* One agent serves them all, so that each also shows that the one before left it in order. */
const struct test file_tests[] = {
    {"the agent starts", open_connection},
    {"a file is read with its stat", a_file_is_read_with_its_stat},
    {"an offset and a limit cut what is read", an_offset_and_a_limit_cut_what_is_read},
    {"what is not a regular file is refused without blocking", what_is_not_a_regular_file_is_refused_without_blocking},
    {"a write replaces all or nothing", a_write_replaces_all_or_nothing},
    {"a new file gets its parents when asked", a_new_file_gets_its_parents_when_asked},
    {"a write goes through a final symlink", a_write_goes_through_a_final_symlink},
    {"a cancelled write changes nothing", a_cancelled_write_changes_nothing},
    {"stat tells the canonical path and the target", stat_tells_the_canonical_path_and_the_target},
    {"a list is complete or says it is not", a_list_is_complete_or_says_it_is_not},
    {"remove takes a tree but not what its links name", remove_takes_a_tree_but_not_what_its_links_name},
    {"remove takes a tree deeper than any path", remove_takes_a_tree_deeper_than_any_path},
    {"unpack makes what it is told", unpack_makes_what_it_is_told},
    {"unpack follows no symlink and leaves no way out", unpack_follows_no_symlink_and_leaves_no_way_out},
    {"unpack of cut data is an error", unpack_of_cut_data_is_an_error},
    {"a probe finds no listener where none is", a_probe_finds_no_listener_where_none_is},
    {"clock and entropy are refused outside a machine of its own",
     clock_and_entropy_are_refused_outside_a_machine_of_its_own},
    {"the agent ends with its connection", close_connection},
};
const int file_test_count = sizeof file_tests / sizeof file_tests[0];
