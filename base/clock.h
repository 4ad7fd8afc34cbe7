/*
 * base/clock.h: time that tests can set. Wall time is ms since the epoch; steady time is for
 * intervals (CLOCK_BOOTTIME). And how threads wait: conditions on CLOCK_MONOTONIC, so that no
 * change of the wall clock makes a wait longer.
 */
#ifndef LEAT__BASE_CLOCK_H
#define LEAT__BASE_CLOCK_H

#include <leat/base.h>

#include <pthread.h>
#include <time.h>

typedef struct leat__clock_t {
    bool manual; /* then now = wall_ms / steady_ms below */
    int64_t wall_ms, steady_ms;
} leat__clock_t;

int64_t leat__clock_wall_ms(const leat__clock_t *c); /* NULL: the real clock */
int64_t leat__clock_steady_ms(const leat__clock_t *c);
int64_t leat__clock_steady_us(const leat__clock_t *c);

void leat__cond_init(pthread_cond_t *cond); /* to be waited on until a leat__deadline */
struct timespec leat__deadline(int64_t ms);  /* so long from now; ms >= 0 */

#endif
