/* dsl/idle.c: looks at the clock for operators whose input may run dry. */
#include "idle.h"

enum { LOOKS = 4, INTERVAL_MS_MIN = 10, INTERVAL_MS_MAX = 1000 };

void leat__idle_open(leat_ctx_t *ctx, leat__idle_t *idle, int64_t close_ms, leat_map_fn fn)
{
    int64_t interval_ms = close_ms / LOOKS;

    *idle = (leat__idle_t){.close_ms = close_ms, .time_ms = -1};
    if (!close_ms)
        return;
    if (interval_ms < INTERVAL_MS_MIN)
        interval_ms = INTERVAL_MS_MIN;
    if (interval_ms > INTERVAL_MS_MAX)
        interval_ms = INTERVAL_MS_MAX;
    leat_schedule(ctx, interval_ms, LEAT_WALL_TIME, fn);
}

bool leat__idle_moves(leat_ctx_t *ctx, const leat__idle_t *idle, int64_t *observed_ms)
{
    int64_t since_ms = leat_wall_ms(ctx) - idle->wall_ms;

    if (idle->time_ms < 0 || since_ms < idle->close_ms ||
        *observed_ms - idle->time_ms >= since_ms)
        return false;
    *observed_ms = idle->time_ms > INT64_MAX - since_ms ? INT64_MAX : idle->time_ms + since_ms;
    return true;
}
