/*
 * runtime/timers.c: punctuation. Two heaps of timers, one per clock, as Kafka's PunctuationQueue.
 *
 * Stream time: due at once when stream time is known, then at multiples of the interval; the task
 * looks after each record. Wall clock: first one interval from now. In both, missed ones collapse
 * into one call. A cancelled timer stays in its heap until its time has come; then its memory
 * serves the next schedule, so a cancelled handle must not be used again.
 */
#include "task_inside.h"

leat_timer_t *leat_schedule(
    leat_ctx_t *ctx, int64_t interval_ms, leat_clock_t clock, leat_map_fn fn)
{
    leat__task_t *t = ctx->task;
    leat_timer_t *timer = t->timers_free;

    if (interval_ms < 1 || !fn || (clock != LEAT_STREAM_TIME && clock != LEAT_WALL_TIME)) {
        leat__ctx_fail(ctx, fn ? LEAT_EARGUMENT : LEAT_ENULL, "leat_schedule(): %s",
            !fn               ? "the function is NULL"
            : interval_ms < 1 ? "the interval must be 1 ms or more"
                              : "no such clock");
        return NULL;
    }
    if (timer) {
        t->timers_free = timer->next;
    } else {
        timer = leat__must_alloc(sizeof *timer);
    }
    *timer = (leat_timer_t){
        .next = t->timers, .node = ctx->node, .fn = fn, .interval_ms = interval_ms, .clock = clock};
    t->timers = timer;
    if (clock == LEAT_WALL_TIME)
        timer->at_ms = leat__clock_wall_ms(t->env.clock) + interval_ms;
    leat__heap_push(&t->due[clock], timer->at_ms, timer);
    return timer;
}

void leat_cancel(leat_ctx_t *ctx, leat_timer_t *timer)
{
    if (!timer)
        timer = ctx->timer;
    if (timer)
        timer->cancelled = true;
}

static void recycle(leat__task_t *t, leat_timer_t *timer)
{
    leat_timer_t **at = &t->timers;

    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
    timer->next = t->timers_free;
    t->timers_free = timer;
}

static void tick(leat__task_t *t, leat_timer_t *timer, int64_t now_ms)
{
    leat_ctx_t *ctx = &t->ctx;
    leat__record_t record = {.pub = {.time_ms = now_ms}};

    t->touched = true;
    t->counts.punctuations++;
    t->raw = NULL;
    ctx->meta = NULL;
    ctx->timer = timer;
    leat__run_tick(ctx, timer->node, timer->fn, &record);
    ctx->timer = NULL;
    ctx->node = NULL;
    leat__ctx_finish(ctx);
}

static void again(leat__task_t *t, leat_timer_t *timer, int64_t now_ms)
{
    int64_t missed = (now_ms - timer->at_ms) / timer->interval_ms;

    if (missed > 0)
        timer->at_ms += missed * timer->interval_ms;
    timer->at_ms += timer->interval_ms;
    leat__heap_push(&t->due[timer->clock], timer->at_ms, timer);
}

int leat__timers_run(leat__task_t *t, leat_clock_t clock, int64_t now_ms)
{
    leat__heap_t *due = &t->due[clock];
    int count = 0;

    while (due->count && due->items[0].time_ms <= now_ms && !t->ctx.failed) {
        leat_timer_t *timer = leat__heap_pop(due);

        if (!timer->cancelled) {
            tick(t, timer, now_ms);
            count++;
        }
        if (timer->cancelled)
            recycle(t, timer);
        else
            again(t, timer, now_ms);
    }
    return count;
}

int64_t leat__task_next_punctuation_ms(const leat__task_t *t)
{
    const leat__heap_t *due = &t->due[LEAT_WALL_TIME];

    return due->count ? due->items[0].time_ms : INT64_MAX;
}

static void list_free(leat_timer_t *timer)
{
    while (timer) {
        leat_timer_t *next = timer->next;

        leat__free(timer);
        timer = next;
    }
}

void leat__timers_release(leat__task_t *t)
{
    list_free(t->timers);
    list_free(t->timers_free);
    t->timers = t->timers_free = NULL;
    leat__heap_release(&t->due[LEAT_STREAM_TIME]);
    leat__heap_release(&t->due[LEAT_WALL_TIME]);
}
