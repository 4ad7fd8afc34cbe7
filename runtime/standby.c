/*
 * runtime/standby.c: a task of which this thread keeps a copy: its stores are open, its changelogs
 * are read for ever, nothing of it runs.
 *
 *    MEASURING ──▶ STANDBY: batches straight into the backend (restore.c) ──GIVE──▶ ASKING
 *                     │  at its ends: as new as the changelogs, which is written beside the data
 *                     └─ measured again, now and then
 *
 * A promotion leaves the stores open, and the way of every task to RUNNING finds them almost there:
 * only the rest is replayed. A source topic that serves as changelog is followed up to the group's
 * committed offset only: beyond it the active task still has to see old values (PROTOCOLS.md 23).
 *
 * What is read comes from the log again at any time, so a standby is never worth a failure of the
 * thread: what is refused is tried again, and running and restoring tasks come first.
 */
#include <string.h>

#include "base/log.h"
#include "thread_inside.h"

enum { LIMIT_MS = 1000 };

static bool follows_inputs(const leat__owned_t *o)
{
    for (size_t i = 0; i < o->store_count; i++)
        if (o->stores[i].topic && o->stores[i].spec->source_topic)
            return true;
    return false;
}

/* ---- how far it is ---- */

static uint64_t distance(const leat__owned_t *o, const leat__changelog_t *c)
{
    leat__thread_t *t = o->thread;
    int64_t end = c->end;
    int64_t seen = c->spec->source_topic ? end : t->vt->reader_high_watermark(t->restorer, c->slot);

    if (seen > end)
        end = seen;
    return end > c->at ? (uint64_t)(end - c->at) : 0;
}

uint64_t leat__standby_left(const leat__owned_t *o)
{
    uint64_t left = 0;

    for (size_t i = 0; i < o->store_count; i++)
        if (o->stores[i].slot >= 0)
            left += distance(o, &o->stores[i]);
    return left;
}

static bool reached(const leat__owned_t *o)
{
    for (size_t i = 0; i < o->store_count; i++)
        if (o->stores[i].topic && o->stores[i].at < o->stores[i].end)
            return false;
    return true;
}

/*
 * All that the changelogs held when they were measured is in: as new as that is the copy. It is
 * written when it would otherwise look too old one day (PROTOCOLS.md 9), with the next checkpoint.
 */
static void write_age(leat__owned_t *o)
{
    if (o->measured_ms - o->age_ms < o->age_max_ms / 4)
        return;
    for (size_t i = 0; i < o->store_count; i++)
        if (o->stores[i].topic)
            leat__store_set_behind(o->stores[i].store, false);
    leat__keep_checkpoint(o, o->measured_ms);
    if (o->frozen)
        o->age_ms = o->measured_ms;
    for (size_t i = 0; i < o->store_count; i++)
        if (o->stores[i].topic)
            leat__store_set_behind(o->stores[i].store, true);
}

/* ---- measuring again ---- */

static void ask(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    leat__position_t *of = leat__must_alloc((o->store_count + 1) * sizeof *of);
    size_t count = 0;

    for (size_t i = 0; i < o->store_count; i++) {
        const leat__changelog_t *c = &o->stores[i];

        if (c->topic && !c->spec->source_topic)
            of[count++] = leat__place(c->topic, o->ref.partition, LEAT__OFFSET_NONE);
    }
    o->asked_ms = t->wall_ms;
    o->ask_at_ms = t->now_ms + o->age_max_ms / 8;
    if (count)
        o->ops[1] = t->vt->offsets(t->b, of, count, LEAT__HIGH_WATERMARK);
    for (size_t i = count = 0; i < o->store_count; i++) {
        const leat__changelog_t *c = &o->stores[i];

        if (c->topic && c->spec->source_topic)
            of[count++] = leat__place(c->topic, o->ref.partition, LEAT__OFFSET_NONE);
    }
    if (count) {
        o->ask_at_ms = t->now_ms + LIMIT_MS;
        o->ops[2] = t->vt->committed(t->b, t->w->application_id, of, count);
    }
    leat__free(of);
}

static bool well(const leat__op_t *op)
{
    for (size_t i = 0; op && !op->err.code && i < op->position_count; i++)
        if (op->positions[i].code)
            return false;
    return !op || !op->err.code;
}

static void take_ends(leat__owned_t *o, const leat__op_t *op)
{
    for (size_t i = 0; op && i < op->position_count; i++)
        for (size_t k = 0; k < o->store_count; k++) {
            leat__changelog_t *c = &o->stores[k];

            if (c->topic && !strcmp(c->topic, op->positions[i].topic) &&
                op->positions[i].offset > c->end)
                c->end = op->positions[i].offset;
        }
}

/* What is not answered is asked again at the next time for it. */
static void take_answers(leat__owned_t *o)
{
    bool answered = well(o->ops[1]) && well(o->ops[2]);

    if (answered) {
        take_ends(o, o->ops[1]);
        take_ends(o, o->ops[2]);
        o->measured_ms = o->asked_ms;
        o->aged = false;
    }
    leat__op_drop(&o->ops[1]);
    leat__op_drop(&o->ops[2]);
}

/* ---- a step ---- */

void leat__standby_begin(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    bool limited = follows_inputs(o);

    if (limited)
        leat__starts_ask(o);
    else
        leat__life_measure(o);
    o->measured_ms = t->wall_ms;
    o->age_ms = t->wall_ms - o->age_max_ms; /* not known */
    o->aged = false;
    o->ask_at_ms = t->now_ms + (limited ? LIMIT_MS : o->age_max_ms / 8);
}

void leat__standby_step(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;

    if (o->ops[1] || o->ops[2]) {
        if ((!o->ops[1] || leat__op_done(o->ops[1])) && (!o->ops[2] || leat__op_done(o->ops[2])))
            take_answers(o);
    } else if (t->now_ms >= o->ask_at_ms) {
        ask(o);
    }
    if (!o->aged && reached(o) && !o->frozen) {
        o->aged = true;
        write_age(o);
    }
}

void leat__standby_promote(leat__owned_t *o)
{
    if (o->phase == LEAT__PHASE_STANDBY)
        leat__log(LEAT_LOG_INFO, "standby", o->id,
            "becomes active: about %llu records of its changelogs are left to replay",
            (unsigned long long)leat__standby_left(o));
    o->behind = o->phase == LEAT__PHASE_STANDBY ? (int64_t)leat__standby_left(o) : -1;
    leat__owned_again(o);
    o->standby = false;
}
