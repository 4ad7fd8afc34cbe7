/*
 * runtime/signals.c: SIGINT and SIGTERM while a function whose name says so waits for them. The handlers that stood there before
 * come back afterwards. A second signal while the clean stop runs ends the process as it would have without leat.
 */
#include "app.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int ends[2] = {-1, -1};
static volatile sig_atomic_t seen;
static struct sigaction before[2];
static const int signals[2] = {SIGINT, SIGTERM};

static void on_signal(int number)
{
    char byte = (char)number;

    seen = seen + 1;
    if (write(ends[1], &byte, 1) < 0) {
        /* the pipe is full: it is readable already */
    }
    for (int i = 0; i < 2; i++)
        sigaction(signals[i], &before[i], NULL);
}

void leat__signals_begin(void)
{
    struct sigaction act;

    if (ends[0] < 0 && pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        ends[0] = ends[1] = -1;
    seen = 0;
    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal;
    sigemptyset(&act.sa_mask);
    for (int i = 0; i < 2; i++)
        sigaction(signals[i], &act, &before[i]);
}

static void drain(void)
{
    char bytes[16];

    while (ends[0] >= 0 && read(ends[0], bytes, sizeof bytes) > 0)
        ;
}

void leat__signals_end(void)
{
    for (int i = 0; i < 2; i++)
        sigaction(signals[i], &before[i], NULL);
    drain();
}

void leat__signals_wait(int ms)
{
    struct pollfd p = {.fd = ends[0], .events = POLLIN};

    poll(&p, 1, ms);
    drain();
}

void leat__signals_wake(void)
{
    if (write(ends[1], "", 1) < 0) {
        /* the pipe is full: it is readable already */
    }
}

bool leat__signals_seen(void)
{
    return seen != 0;
}

int leat__signals_fd(void)
{
    return ends[0];
}
