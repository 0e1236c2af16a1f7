/* Drives a built agent through every verb: agent-test AGENT SUITE [TITLE]. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        const struct test *tests;
        int count;
    } suites[] = {
        {"execution", execution_tests, execution_test_count}, {"file", file_tests, file_test_count},
        {"capture", capture_tests, capture_test_count},       {"hostile", hostile_tests, hostile_test_count},
        {"setup", setup_tests, setup_test_count},             {"relay", relay_tests, relay_test_count},
    };
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc >= 3) {
        agent_program = argv[1];
        for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
            if (strcmp(suites[i].name, argv[2]) != 0)
                continue;
            int code = run_tests(argv[2], suites[i].tests, suites[i].count, argc > 3 ? argv[3] : NULL);
            temporary_remove_all();
            return code;
        }
    }
    fprintf(stderr, "usage: agent-test AGENT execution|file|capture|hostile|setup [TITLE]\n");
    return 64;
}
