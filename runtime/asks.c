/* runtime/asks.c: see asks.h; the questions, and the thread that answers them. */
#include "asks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "thread_inside.h"

enum { PAGE_BYTES = 64 * 1024, IDLE_MS = 5 * 60 * 1000 };

/* ---- requests ---- */

leat__question_t *leat__question_new(leat__question_what_t what, leat__task_ref_t ref)
{
    leat__question_t *r = leat__must_alloc(sizeof *r);

    r->what = what;
    r->ref = ref;
    r->holders = 1;
    pthread_mutex_init(&r->lock, NULL);
    leat__cond_init(&r->done_changed);
    return r;
}

void leat__question_set_ask(leat__question_t *r, const char *store, const leat__ask_t *ask)
{
    r->store = leat__must_strdup(store);
    r->ask = *ask;
    leat__buf_reserve(&r->texts, ask->from.size + ask->to.size + ask->mark.size + 1);
    leat__buf_put(&r->texts, ask->from.data, ask->from.size);
    leat__buf_put(&r->texts, ask->to.data, ask->to.size);
    leat__buf_put(&r->texts, ask->mark.data, ask->mark.size);
    if (ask->from.data)
        r->ask.from.data = r->texts.data;
    if (ask->to.data)
        r->ask.to.data = r->texts.data + ask->from.size;
    if (ask->mark.data)
        r->ask.mark.data = r->texts.data + ask->from.size + ask->to.size;
}

void leat__question_drop(leat__question_t *r)
{
    if (atomic_fetch_sub(&r->holders, 1) != 1)
        return;
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->done_changed);
    leat__buf_release(&r->texts);
    leat__buf_release(&r->page);
    leat__buf_release(&r->position);
    leat__buf_release(&r->mark);
    leat__free(r->store);
    leat__free(r->at_least);
    leat__free(r);
}

leat__message_t *leat__question_message(leat__question_t *r)
{
    leat__message_t *m = leat__message_new(LEAT__SAY_ASK);

    atomic_fetch_add(&r->holders, 1);
    m->question = r;
    return m;
}

void leat__question_answer(leat__question_t *r)
{
    pthread_mutex_lock(&r->lock);
    r->done = true;
    pthread_cond_signal(&r->done_changed);
    pthread_mutex_unlock(&r->lock);
    leat__question_drop(r);
}

bool leat__question_wait(leat__question_t *r, int64_t timeout_ms)
{
    struct timespec until = leat__deadline(timeout_ms);
    bool done;

    pthread_mutex_lock(&r->lock);
    while (!r->done && pthread_cond_timedwait(&r->done_changed, &r->lock, &until) != ETIMEDOUT)
        continue;
    done = r->done;
    pthread_mutex_unlock(&r->lock);
    return done;
}

/* ---- cursors that wait for their next page ---- */

struct leat__asked_t {
    leat__asked_t *next;
    uint64_t cursor;
    int64_t used_ms;
    leat__answer_t *answer;
};

static void end(leat__asked_t **at)
{
    leat__asked_t *a = *at;

    *at = a->next;
    leat__answer_close(a->answer);
    leat__free(a);
}

void leat__asks_cut(leat__asks_t *asks)
{
    while (asks->first)
        end(&asks->first);
}

void leat__asks_keep(leat__asks_t *asks, int64_t now_ms)
{
    for (leat__asked_t **at = &asks->first; *at;) {
        if (now_ms - (*at)->used_ms > IDLE_MS)
            end(at);
        else
            at = &(*at)->next;
    }
}

static void turn_page(leat__asked_t **at, int64_t now_ms, leat__question_t *r)
{
    (*at)->used_ms = now_ms;
    r->cursor = leat__answer_page((*at)->answer, PAGE_BYTES, &r->page) ? (*at)->cursor : 0;
    if (!r->cursor)
        end(at);
}

static void give_once(leat__store_t *s, leat__question_t *r)
{
    leat__answer_t *a = leat__answer_open(s, &r->ask);

    r->more = leat__answer_page(a, PAGE_BYTES, &r->page);
    if (r->more)
        leat__answer_mark(a, &r->mark);
    leat__answer_close(a);
}

static void begin(leat__asks_t *asks, leat__store_t *s, int64_t now_ms, leat__question_t *r)
{
    leat__asked_t *a = leat__must_alloc(sizeof *a);

    a->cursor = ++asks->last;
    a->answer = leat__answer_open(s, &r->ask);
    a->next = asks->first;
    asks->first = a;
    turn_page(&asks->first, now_ms, r);
}

void leat__asks_turn(
    leat__asks_t *asks, leat__store_t *s, const char *name, int64_t now_ms, leat__question_t *r)
{
    leat__asked_t **at = &asks->first;

    if (r->what == LEAT__QUESTION_OPEN && s) {
        if (r->once)
            give_once(s, r);
        else
            begin(asks, s, now_ms, r);
        leat__store_failed(s, &r->err);
        return;
    }
    while (*at && (*at)->cursor != r->cursor)
        at = &(*at)->next;
    if (r->what == LEAT__QUESTION_OPEN)
        leat__error(&r->err, LEAT_EMOVED, LEAT_RETRIABLE, name, "store %s is not open in task %s",
            r->store, name);
    else if (!*at)
        leat__error(&r->err, LEAT_EMOVED, LEAT_RETRIABLE, name,
            "task %s was closed or moved while its rows were being read, or they were left for over "
            "five minutes: read again",
            name);
    else if (r->what == LEAT__QUESTION_MORE)
        turn_page(at, now_ms, r);
    else
        end(at);
}

/* ---- answering ---- */

static leat__owned_t *find_owned(const leat__thread_t *t, leat__task_ref_t ref)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->ref.group == ref.group && t->tasks[i]->ref.partition == ref.partition &&
            t->tasks[i]->task)
            return t->tasks[i];
    return NULL;
}

/* Changelog records that its state lacks; -1: it is not known, so nothing is shown of it. */
static int64_t lag_of(const leat__owned_t *o)
{
    switch (o->phase) {
    case LEAT__PHASE_RUNNING:
        return 0;
    case LEAT__PHASE_STANDBY:
        return (int64_t)leat__standby_left(o);
    case LEAT__PHASE_RESTORING:
        return (int64_t)leat__restore_left(o);
    default: /* a standby until a moment ago, on the way to its restore */
        return o->behind;
    }
}

static bool may_answer(const leat__owned_t *o, leat__question_t *r)
{
    int64_t lag = lag_of(o);

    r->lag = lag > 0 ? lag : 0;
    if (o->phase == LEAT__PHASE_RUNNING || (r->stale && lag >= 0))
        return true;
    if (o->phase == LEAT__PHASE_STANDBY)
        leat__error(&r->err, LEAT_EMOVED, LEAT_RETRIABLE, o->id,
            "task %s is a standby here and its owner is another process: ask there, or allow stale "
            "reads", o->id);
    else
        leat__error(&r->err, LEAT_ERESTORING, LEAT_RETRIABLE, o->id,
            "task %s is being restored (%" PRId64 " records left): ask again later%s", o->id, r->lag,
            r->stale ? "" : ", or allow stale reads");
    return false;
}

static int64_t position_of(const leat__owned_t *o, size_t input, bool committed)
{
    const leat__lane_t *in = &o->inputs[input];

    return committed || o->phase != LEAT__PHASE_RUNNING
               ? in->committed
               : leat__task_position(o->task, (int)input);
}

static void put_position(const leat__owned_t *o, leat__question_t *r)
{
    for (size_t i = 0; i < o->input_count; i++) {
        int64_t at = position_of(o, i, r->ask.committed);

        if (o->inputs[i].present && at >= 0)
            leat__buf_format(&r->position, "%s%s-%" PRId32 "@%" PRId64, r->position.size ? "," : "",
                o->inputs[i].topic, o->ref.partition, at);
    }
}

/* "topic-partition@offset,...": everything below the offset is in. Other tasks' parts do not count. */
static bool has_reached(const leat__owned_t *o, leat__question_t *r)
{
    bool all = true;
    char name[300];

    put_position(o, r);
    for (size_t i = 0; r->at_least && i < o->input_count; i++) {
        int size = snprintf(name, sizeof name, "%s-%" PRId32 "@", o->inputs[i].topic,
            o->ref.partition);
        const char *at = r->at_least;

        while ((at = strstr(at, name)) && at != r->at_least && at[-1] != ',')
            at++;
        if (at && position_of(o, i, r->ask.committed) < strtoll(at + size, NULL, 10))
            all = false;
    }
    if (!all)
        leat__error(&r->err, LEAT_EBOUND, LEAT_RETRIABLE, o->id,
            "task %s is at %s, before the wanted %s", o->id, leat__buf_text(&r->position),
            r->at_least);
    return all;
}

static leat__store_t *find_store(const leat__owned_t *o, const char *name)
{
    for (size_t i = 0; i < leat__task_store_count(o->task); i++)
        if (!strcmp(leat__task_store_spec(o->task, i)->name, name))
            return leat__task_store(o->task, i);
    return NULL;
}

void leat__asks_serve(leat__thread_t *t, leat__question_t *r)
{
    leat__owned_t *o = find_owned(t, r->ref);
    bool opens = r->what == LEAT__QUESTION_OPEN;

    if (!o) {
        leat__error(&r->err, LEAT_EMOVED, LEAT_RETRIABLE, t->name,
            "task %" PRId32 "_%" PRId32 " is not here", r->ref.group, r->ref.partition);
    } else if (!opens || (may_answer(o, r) && has_reached(o, r))) {
        leat__asks_turn(
            &o->asks, opens ? find_store(o, r->store) : NULL, o->id, t->now_ms, r);
    }
    leat__question_answer(r);
}
