/*
 * base/clock.c: the real clocks behind a switch. CLOCK_BOOTTIME goes on while the machine
 * sleeps, as the broker's session timeouts do (PROTOCOLS.md, S1); where it does not exist,
 * CLOCK_MONOTONIC.
 */
#include "clock.h"

#ifdef CLOCK_BOOTTIME
#define STEADY_CLOCK CLOCK_BOOTTIME
#else
#define STEADY_CLOCK CLOCK_MONOTONIC
#endif

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t leat__clock_wall_ms(const leat__clock_t *c)
{
    return c && c->manual ? c->wall_ms : read_us(CLOCK_REALTIME) / 1000;
}

int64_t leat__clock_steady_ms(const leat__clock_t *c)
{
    return c && c->manual ? c->steady_ms : read_us(STEADY_CLOCK) / 1000;
}

int64_t leat__clock_steady_us(const leat__clock_t *c)
{
    return c && c->manual ? c->steady_ms * 1000 : read_us(STEADY_CLOCK);
}

void leat__cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct timespec leat__deadline(int64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_nsec -= 1000000000L;
        at.tv_sec++;
    }
    return at;
}
