/* A test is a title and a function; a failed CHECK is printed and fails its test, the rest still runs. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

struct test {
    const char *title;
    void (*run)(void);
};

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(actual, expected) check_equal((long long)(actual), (long long)(expected), #actual, __FILE__, __LINE__)

bool check(bool condition, const char *text, const char *file, int line);
bool check_equal(long long actual, long long expected, const char *text, const char *file, int line);
/* Says why the running test could not be run here; it counts as skipped. */
void skip(const char *why);
/* Runs them all and prints "N passed, N failed, N skipped". Returns the exit code. */
int run_tests(const char *suite, const struct test *tests, int count, const char *only);

#endif
