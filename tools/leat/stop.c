/*
 * tools/leat/stop.c: Ctrl-C and SIGTERM as a wish to end well. A second one ends the program at
 * once, as it would have without us. Calls that wait are interrupted (no SA_RESTART), so that a
 * read of a terminal returns.
 */
#include "cli.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t wanted;

static void on_signal(int number)
{
    (void)number;
    wanted = 1;
}

void cli_stop_begin(void)
{
    struct sigaction act;

    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal;
    act.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

bool cli_stop_wanted(void)
{
    return wanted != 0;
}
