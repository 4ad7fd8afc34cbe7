/*
 * base/clock.h: time that tests can set. Wall time is ms since the epoch; steady time is for
 * intervals (CLOCK_BOOTTIME).
 */
#ifndef LEAT__BASE_CLOCK_H
#define LEAT__BASE_CLOCK_H

#include <leat/base.h>

typedef struct leat__clock_t {
    bool manual; /* then now = wall_ms / steady_ms below */
    int64_t wall_ms, steady_ms;
} leat__clock_t;

int64_t leat__clock_wall_ms(const leat__clock_t *c); /* NULL: the real clock */
int64_t leat__clock_steady_ms(const leat__clock_t *c);
int64_t leat__clock_steady_us(const leat__clock_t *c);

#endif
