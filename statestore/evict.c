/*
 * statestore/evict.c: what is clean leaves the table when memory is wanted.
 *
 * The clock's hand goes over the table: what was used since it came by last stays this time. Of
 * windows the oldest leave first, for while the table has all rows from some time on, reads of that
 * time stay here. `pressure` says how many eighths of the time between the coldest row that reads
 * may want and the newest one have to go; it grows with each time round that found little.
 *
 * Windows that reads no longer reach back to (cold: shape.h) leave with each checkpoint, wanted or
 * not: a join needs the rows of its window, not those of its whole retention.
 */
#include "statestore/inside.h"
#include "statestore/shape.h"

/* STRIDE is odd: the hand comes everywhere, and the table stays evenly filled. */
enum { STEPS_MAX = 1 << 16, STRIDE = 40503, PRESSURE_MAX = 8 };

/* Windows from this time on stay. */
static int64_t spared_ms(const leat__store_t *s)
{
    int64_t from_ms = s->cold_ms > 0 ? s->cold_ms : 0, span_ms = s->meta.observed_ms - from_ms;
    if (s->pressure >= PRESSURE_MAX)
        return INT64_MAX;
    if (s->pressure == 0 || span_ms < 0)
        return s->cold_ms;
    return from_ms + span_ms / PRESSURE_MAX * s->pressure;
}

static bool may_go(const leat__store_t *s, const leat__entry_t *e, int64_t before_ms)
{
    return !(e->flags & (LEAT__PENDING | LEAT__LISTED | LEAT__USED)) &&
           (s->shape != LEAT__SEGMENTS || before_ms == INT64_MAX ||
               leat__shape_entry_before(s, e, before_ms));
}

/* One step of the hand; how many entries left. Rows of other stores have no time: all may go. */
static size_t step(leat__store_t *s, int64_t before_ms)
{
    size_t gone = 0;
    uint64_t slot = s->slots[s->hand];
    leat__entry_t *e = leat__slot_entry(slot);
    __builtin_prefetch(leat__slot_entry(s->slots[(s->hand + STRIDE) & s->mask]));
    for (; slot && may_go(s, e, before_ms); gone++) {
        leat__shape_leaves(s, e);
        leat__entry_remove(s, e);
        slot = s->slots[s->hand]; /* another entry may have moved here: look again */
        e = leat__slot_entry(slot);
    }
    if (slot)
        e->flags &= ~(uint32_t)LEAT__USED;
    s->hand = (s->hand + STRIDE) & s->mask;
    return gone;
}

/* After a time round. */
static void press(leat__store_t *s)
{
    if (s->round_gone < s->count / 16 && s->pressure < PRESSURE_MAX)
        s->pressure++;
    else if (s->round_gone > s->count / 4 && s->pressure > 0)
        s->pressure--;
    s->round_gone = s->round_steps = 0;
}

/* Until everything clean is gone, at most. Of windows, which are asked again soon, some steps at a
 * time. */
static void evict(leat__store_t *s, size_t target)
{
    const size_t *bytes = &s->state->budget->entry_bytes;
    bool windows = s->shape == LEAT__SEGMENTS;
    size_t rounds = windows && target > 0 ? PRESSURE_MAX + 2 : 2;
    size_t left = s->slots ? rounds * (s->mask + 1) : 0;
    bool some = windows && target > 0 && left > STEPS_MAX;
    if (some)
        left = STEPS_MAX;
    if (target == 0)
        s->pressure = PRESSURE_MAX;
    for (; left > 0 && *bytes > target; left--) {
        s->round_gone += step(s, spared_ms(s));
        if (++s->round_steps > s->mask)
            press(s);
    }
    s->barren = *bytes > target && !some;
}

void leat__store_shed(leat__store_t *s)
{
    evict(s, 0);
    s->pressure = 0;
    s->round_gone = s->round_steps = 0;
    s->barren = false;
}

void leat__store_shed_cold(leat__store_t *s)
{
    size_t left = s->slots ? (s->mask + 1) / 2 : 0;
    if (s->shape != LEAT__SEGMENTS || s->cached)
        return;
    for (left = left < STEPS_MAX ? left : STEPS_MAX; left > 0; left--)
        step(s, s->cold_ms);
}

size_t leat__task_state_evict(leat__task_state_t *state, size_t bytes)
{
    size_t before = state->budget->entry_bytes, target = before > bytes ? before - bytes : 0;
    for (size_t i = 0; i < state->count && state->budget->entry_bytes > target; i++) {
        leat__store_t *s = state->stores[state->evict_at % state->count];
        if (!s->resident && !s->custom && !s->barren)
            evict(s, target);
        if (state->budget->entry_bytes > target)
            state->evict_at++;
    }
    return before - state->budget->entry_bytes;
}
