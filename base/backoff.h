/*
 * base/backoff.h: how long to wait before what a broker refused is tried again.
 *
 * As Kafka's clients do: retry.backoff.ms at first, twice as long each time, up to
 * retry.backoff.max.ms, give or take a fifth, so that many processes that lost the same broker do
 * not come back in step. The jitter is a sequence of the seed: a simulated run repeats.
 */
#ifndef LEAT__BASE_BACKOFF_H
#define LEAT__BASE_BACKOFF_H

#include <leat/config.h>

typedef struct leat__backoff_t {
    int64_t first_ms, max_ms;
    int64_t last_ms; /* the wait before without its jitter; 0: none since all was well */
    uint64_t random;
} leat__backoff_t;

/** By the two properties. seed: who waits; any text and number that differ between those who do. */
leat__backoff_t leat__backoff(const leat_config_t *config, const char *who, int number);
/** The next wait, in ms: 1 or more. */
int64_t leat__backoff_next_ms(leat__backoff_t *b);
/** It succeeded: the next wait is a first one. */
void leat__backoff_reset(leat__backoff_t *b);

#endif
