/* The suites of agent-test. */
#ifndef SUITES_H
#define SUITES_H

#include "check.h"
#include "host.h"

extern const struct test execution_tests[], file_tests[], capture_tests[], hostile_tests[], setup_tests[],
    relay_tests[];
extern const int execution_test_count, file_test_count, capture_test_count, hostile_test_count, setup_test_count,
    relay_test_count;

#endif
