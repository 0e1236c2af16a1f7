/* What reads and writes bytes, without an agent: the golden vectors, bounds, and path rules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/path.h"
#include "../src/request.h"
#include "../src/stat.h"
#include "check.h"
#include "describe.h"

static const char *vector_file;

struct vector {
    char *name, *direction, *verb, *verdict, *hex, *fields;
};

static bool next_vector(FILE *f, char **line, size_t *capacity, struct vector *v)
{
    ssize_t n = getline(line, capacity, f);
    if (n <= 0)
        return false;
    if ((*line)[n - 1] == '\n')
        (*line)[n - 1] = '\0';
    char *rest = *line;
    char **columns[] = {&v->name, &v->direction, &v->verb, &v->verdict, &v->hex, &v->fields};
    for (size_t i = 0; i < 6; i++)
        *columns[i] = rest ? strsep(&rest, "\t") : NULL;
    return v->fields != NULL;
}

/* Exactly as large as the bytes, so that AddressSanitizer sees a read beyond them. */
static uint8_t *from_hex(const char *hex, size_t *size)
{
    *size = strlen(hex) / 2;
    uint8_t *bytes = malloc(*size ? *size : 1);
    for (size_t i = 0; i < *size; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        bytes[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return bytes;
}

static bool check_host_vector(const struct vector *v)
{
    size_t size, length;
    char *text = NULL;
    uint8_t *frame = from_hex(v->hex, &size);
    FILE *out = open_memstream(&text, &length);
    bool is_ok = describe(frame, size, out);
    fclose(out);
    bool agrees = is_ok == (strcmp(v->verdict, "ok") == 0) && (!is_ok || strcmp(text, v->fields) == 0);
    if (!agrees)
        printf("  vector %s: %s\n    want %s %s\n", v->name, is_ok ? text : "refused", v->verdict, v->fields);
    free(text);
    free(frame);
    return agrees;
}

static void every_host_vector_decodes_as_written(void)
{
    FILE *f = fopen(vector_file, "r");
    char *line = NULL;
    size_t capacity = 0;
    struct vector v;
    int ok = 0, bad = 0;
    if (!CHECK(f != NULL))
        return;
    while (next_vector(f, &line, &capacity, &v)) {
        if (strcmp(v.direction, "h2g") != 0)
            continue;
        CHECK(check_host_vector(&v));
        *(strcmp(v.verdict, "ok") == 0 ? &ok : &bad) += 1;
    }
    CHECK(ok > 30 && bad > 60);
    free(line);
    fclose(f);
}

static long long field(const char *fields, const char *key)
{
    char pattern[32];
    snprintf(pattern, sizeof pattern, " %s=", key);
    const char *at = strstr(fields, pattern);
    return at ? (long long)strtoull(at + strlen(pattern), NULL, 10) : 0;
}

static void every_stat_vector_is_written_as_given(void)
{
    FILE *f = fopen(vector_file, "r");
    char *line = NULL;
    size_t capacity = 0;
    struct vector v;
    int seen = 0;
    if (!CHECK(f != NULL))
        return;
    while (next_vector(f, &line, &capacity, &v)) {
        if (strcmp(v.verdict, "ok") != 0 || !strstr(v.fields, " statFlags="))
            continue;
        struct file_stat s = {.kind = (uint8_t)field(v.fields, "kind"),
                              .flags = (uint8_t)field(v.fields, "statFlags"),
                              .mode = (uint32_t)field(v.fields, "mode"),
                              .uid = (uint32_t)field(v.fields, "uid"),
                              .gid = (uint32_t)field(v.fields, "gid"),
                              .nlink = (uint32_t)field(v.fields, "nlink"),
                              .size = (uint64_t)field(v.fields, "size"),
                              .ino = (uint64_t)field(v.fields, "ino"),
                              .mtime_ns = field(v.fields, "mtimeNs"),
                              .ctime_ns = field(v.fields, "ctimeNs")};
        uint8_t written[STAT_SIZE];
        struct writer w = writer_of(written, sizeof written);
        stat_write(&w, &s);
        size_t size;
        uint8_t *frame = from_hex(v.hex, &size);
        CHECK(!w.full && w.used == STAT_SIZE && size >= HEADER_SIZE + STAT_SIZE);
        if (!CHECK(memcmp(written, frame + HEADER_SIZE, STAT_SIZE) == 0))
            printf("  vector %s\n", v.name);
        free(frame);
        seen++;
    }
    CHECK(seen >= 4);
    free(line);
    fclose(f);
}

/* Any cut of a good payload is refused and reads nothing beyond its end. */
static void every_shortened_request_is_refused(void)
{
    FILE *f = fopen(vector_file, "r");
    char *line = NULL;
    size_t capacity = 0;
    struct vector v;
    int seen = 0;
    if (!CHECK(f != NULL))
        return;
    while (next_vector(f, &line, &capacity, &v)) {
        size_t size;
        uint8_t *frame = from_hex(v.hex, &size);
        bool is_request = strcmp(v.direction, "h2g") == 0 && strcmp(v.verdict, "ok") == 0 &&
                          frame_is_request(frame[4]) && frame[4] != T_ENTROPY;
        for (size_t cut = 0; is_request && cut < size - HEADER_SIZE; cut++) {
            struct request q;
            uint8_t *part = malloc(cut ? cut : 1);
            memcpy(part, frame + HEADER_SIZE, cut);
            if (!CHECK(!request_parse(frame[4], part, cut, &q)))
                printf("  vector %s cut to %zu\n", v.name, cut);
            free(part);
            seen++;
        }
        free(frame);
    }
    CHECK(seen > 500);
    free(line);
    fclose(f);
}

static void a_reader_stays_bad_and_reads_zero(void)
{
    const uint8_t three[3] = {1, 2, 3};
    struct reader r = reader_of(three, sizeof three);
    CHECK_EQUAL(read_u16(&r), 0x0201);
    CHECK_EQUAL(read_u32(&r), 0);
    CHECK(r.bad);
    CHECK_EQUAL(read_u8(&r), 0);
    CHECK(!reader_is_done(&r));
    r = reader_of(three, sizeof three);
    CHECK_EQUAL(read_str32(&r).length, 0);
    CHECK(r.bad);
}

static void a_writer_never_passes_its_end(void)
{
    uint8_t five[5] = {0};
    struct writer w = writer_of(five, 4);
    write_u16(&w, 0x1234);
    write_u32(&w, 0xffffffff);
    CHECK(w.full && w.used == 2 && five[2] == 0 && five[4] == 0);
    write_u8(&w, 7);
    CHECK(w.used == 2);
    w = writer_of(five, 4);
    write_str16(&w, five, 65536);
    CHECK(w.full && w.used == 0);
}

static void numbers_keep_their_value_both_ways(void)
{
    uint8_t b[32];
    struct writer w = writer_of(b, sizeof b);
    write_u64(&w, UINT64_MAX - 1);
    write_i64(&w, INT64_MIN);
    write_u32(&w, 0x80000001);
    struct reader r = reader_of(b, w.used);
    CHECK(read_u64(&r) == UINT64_MAX - 1);
    CHECK(read_i64(&r) == INT64_MIN);
    CHECK(read_u32(&r) == 0x80000001);
    CHECK(reader_is_done(&r));
}

static struct bytes text(const char *s) { return (struct bytes){(const uint8_t *)s, strlen(s)}; }

static void a_path_within_has_only_plain_components(void)
{
    const char *good[] = {"a", "a/b", "...", "..a", "a/.b/c..", ".git", "\xff\xfe", "a b\n"};
    const char *bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/..", "../a", "a/../b", "a/./b"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(path_is_within(text(good[i]), MAX_PATH));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!path_is_within(text(bad[i]), MAX_PATH));
    CHECK(!path_is_within((struct bytes){(const uint8_t *)"a\0b", 3}, MAX_PATH));
    CHECK(path_is_within(text("abc"), 3) && !path_is_within(text("abcd"), 3));
}

static void an_absolute_path_starts_with_a_slash_and_is_bounded(void)
{
    CHECK(path_is_absolute(text("/"), MAX_PATH) && path_is_absolute(text("/a/../b"), MAX_PATH));
    CHECK(!path_is_absolute(text(""), MAX_PATH) && !path_is_absolute(text("a"), MAX_PATH));
    CHECK(!path_is_absolute((struct bytes){(const uint8_t *)"/\0", 2}, MAX_PATH));
    CHECK(path_is_absolute(text("/bc"), 3) && !path_is_absolute(text("/bcd"), 3));
}

static void only_the_same_stat_is_the_same(void)
{
    struct file_stat a = {.ino = 1, .size = 2, .mtime_ns = 3, .ctime_ns = 4, .device = 5}, b = a;
    CHECK(stat_is_same(&a, &b));
    b.ctime_ns++;
    CHECK(!stat_is_same(&a, &b));
    b = a;
    b.size++;
    CHECK(!stat_is_same(&a, &b));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        {"every host vector decodes as written", every_host_vector_decodes_as_written},
        {"every stat vector is written as given", every_stat_vector_is_written_as_given},
        {"every shortened request is refused", every_shortened_request_is_refused},
        {"a reader stays bad and reads zero", a_reader_stays_bad_and_reads_zero},
        {"a writer never passes its end", a_writer_never_passes_its_end},
        {"numbers keep their value both ways", numbers_keep_their_value_both_ways},
        {"a path within has only plain components", a_path_within_has_only_plain_components},
        {"an absolute path starts with a slash and is bounded", an_absolute_path_starts_with_a_slash_and_is_bounded},
        {"only the same stat is the same", only_the_same_stat_is_the_same},
    };
    if (argc < 2) {
        fprintf(stderr, "usage: codec-test frames.tsv [title]\n");
        return 64;
    }
    vector_file = argv[1];
    return run_tests("codec", tests, sizeof tests / sizeof tests[0], argc > 2 ? argv[2] : NULL);
}
