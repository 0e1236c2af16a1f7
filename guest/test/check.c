#include "check.h"

#include <stdio.h>
#include <string.h>

static bool has_failed;
static const char *skipped;

bool check(bool condition, const char *text, const char *file, int line)
{
    if (!condition) {
        printf("  %s:%d: not so: %s\n", file, line, text);
        has_failed = true;
    }
    return condition;
}

bool check_equal(long long actual, long long expected, const char *text, const char *file, int line)
{
    if (actual != expected) {
        printf("  %s:%d: %s is %lld, not %lld\n", file, line, text, actual, expected);
        has_failed = true;
    }
    return actual == expected;
}

void skip(const char *why) { skipped = why; }

int run_tests(const char *suite, const struct test *tests, int count, const char *only)
{
    int passed = 0, failed = 0, skips = 0;
    for (int i = 0; i < count; i++) {
        if (only && !strstr(tests[i].title, only))
            continue;
        has_failed = false;
        skipped = NULL;
        tests[i].run();
        if (has_failed) {
            printf("FAILED  %s\n", tests[i].title);
            failed++;
        } else if (skipped) {
            printf("skipped %s: %s\n", tests[i].title, skipped);
            skips++;
        } else {
            passed++;
        }
        fflush(stdout);
    }
    printf("%s: %d passed, %d failed, %d skipped\n", suite, passed, failed, skips);
    return failed > 0 || passed == 0;
}
