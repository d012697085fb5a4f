// /proc/PID/stat and status, as they are and as a hostile name makes them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace/proc.h"

static const char after[] = " S 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 13 14";

static void test_name(void **state)
{
    static const char *const names[] = {"plain", "two words", ") Z 1 2 3", "((", "a) R (b", ""};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct proc_stat stat = {0};
        char text[256];
        snprintf(text, sizeof text, "17 (%s)%s\n", names[i], after);
        assert_true(proc_stat_parse(text, &stat));
        assert_int_equal(stat.state, 'S');
        assert_int_equal(stat.start_ticks, 4711);
        assert_false(proc_has_ended(&stat));
    }
}

static void test_cut(void **state)
{
    struct proc_stat stat;
    char text[256];
    (void)state;
    assert_false(proc_stat_parse("", &stat));
    assert_false(proc_stat_parse("17 (name)", &stat));
    assert_false(proc_stat_parse("17 (name) ", &stat));
    snprintf(text, sizeof text, "17 (name)%s", after);
    *strstr(text, "4711") = '\0';
    assert_false(proc_stat_parse(text, &stat));
    assert_false(proc_stat_read("/proc/0/stat", &stat));
}

// A process of our own: the kernel writes what we read.
static void test_real(void **state)
{
    struct proc_stat own, child;
    char path[64];
    siginfo_t info;
    (void)state;
    assert_int_equal(prctl(PR_SET_NAME, "x) Z (y"), 0);
    assert_true(proc_stat_read("/proc/self/stat", &own));
    assert_int_equal(own.state, 'R');
    assert_true(own.start_ticks > 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    assert_true(proc_stat_read(path, &child));
    assert_true(proc_has_ended(&child));
    assert_true(child.start_ticks >= own.start_ticks);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(proc_stat_read(path, &child));
}

static void test_status(void **state)
{
    static const char text[] = "Name:\tSigBlk:\nUmask:\t0022\nSigBlk:\t00ff\nLast: 1";
    size_t bytes = 0;
    (void)state;
    const char *value = proc_status_find(text, "SigBlk", &bytes);
    assert_non_null(value);
    assert_int_equal(bytes, 4);
    assert_memory_equal(value, "00ff", 4);
    value = proc_status_find(text, "Last", &bytes);
    assert_non_null(value);
    assert_int_equal(bytes, 1);
    assert_null(proc_status_find(text, "Sig", &bytes));
    assert_null(proc_status_find("", "Sig", &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
