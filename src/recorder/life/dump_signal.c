// The dump signal: see dump_signal.h. Knows signals and the summary.
#include "recorder/life/dump_signal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "recorder/core/recorder.h"
#include "recorder/life/dump.h"

static void on_dump_signal(int number)
{
    (void)number;
    int kept = errno;
    if (!recorder_is_forked() && recorder_trace.header)
        dump_summary(false);
    errno = kept;
}

void dump_signal_take(void)
{
    struct sigaction old,
        ours = {.sa_handler = on_dump_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    int number = recorder_options.signal;
    sigemptyset(&ours.sa_mask);
    if (number > 0 && sigaction(number, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
        old.sa_handler == SIG_DFL)
        (void)sigaction(number, &ours, NULL);
}

void dump_signal_give_back(void)
{
    struct sigaction old;
    int number = recorder_options.signal;
    if (number > 0 && sigaction(number, NULL, &old) == 0 && old.sa_handler == on_dump_signal)
        (void)signal(number, SIG_DFL);
}
