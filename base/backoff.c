/* base/backoff.c: exponential waits with jitter. */
#include "base/backoff.h"

#include "base/config.h"
#include "base/map.h"

#include <string.h>

leat__backoff_t leat__backoff(const leat_config_t *config, const char *who, int number)
{
    leat__backoff_t b = {.first_ms = leat__config_int(config, "retry.backoff.ms"),
        .max_ms = leat__config_int(config, "retry.backoff.max.ms"),
        .random = ((uint64_t)leat__murmur2(who, strlen(who)) << 32) + (uint64_t)number};

    if (b.first_ms > b.max_ms)
        b.first_ms = b.max_ms;
    return b;
}

/* splitmix64 */
static uint64_t random_next(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t leat__backoff_next_ms(leat__backoff_t *b)
{
    int64_t wait_ms = b->first_ms, fifth_ms;

    if (b->last_ms)
        wait_ms = b->last_ms < b->max_ms / 2 ? b->last_ms * 2 : b->max_ms;
    b->last_ms = wait_ms;
    fifth_ms = wait_ms / 5;
    return wait_ms - fifth_ms + (int64_t)(random_next(&b->random) % (uint64_t)(2 * fifth_ms + 1));
}

void leat__backoff_reset(leat__backoff_t *b)
{
    b->last_ms = 0;
}
