// What ends the command does not cost the report.
//
// Whoever stops a run often signals twice: timeout(1) its child and then the group, a service
// manager each process of the group, a person at the terminal the group. What of that arrives when
// the command has ended already was meant for the command.
#include "cli/run/run.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "trace/clock.h"

static uint64_t until_ns;

// In a signal handler.
static void pass_over(int number)
{
    if (clock_now(CLOCK_MONOTONIC) < until_ns)
        return;
    (void)signal(number, SIG_DFL);
    (void)raise(number); // comes when this handler has returned
}

void run_begin_grace(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    const struct sigaction pass = {.sa_handler = pass_over, .sa_flags = SA_RESTART};
    until_ns = clock_now(CLOCK_MONOTONIC) + UINT64_C(5000000000);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct sigaction now;
        if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            (void)sigaction(ends[i], &pass, NULL);
    }
}
