/*
 * runtime/query_part.c: one partition of a read asked: here, or in the process that has it.
 *
 *   open ─▶ send ─▶ wait ─▶ page                 a round: the owner; then, if stale reads are
 *            ▲        │ moved, silent            allowed, who has a copy, caught up first
 *            └────────┘ next turn of the round, or after a pause the next round
 *
 * Of what an owner says "moved" is passing: who has the task now is looked up anew for each round,
 * until the query's time is over. An owner that cannot be reached is waited for only a moment; then the
 * error says who will have the task. Here a request goes by mail (asks.h): the control thread's table
 * of tasks is looked at under the app's lock, since the app may stop at any time, and a request that
 * nobody reads any more is answered by whoever frees it.
 */
#include "query_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ask_wire.h"
#include "asks.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    AGAIN_MS = 10,      /* between two rounds; routed: doubling up to 16 times that */
    DOUBLINGS = 4,
    MOVING_MS = 500,    /* for a task that is on its way, an owner that cannot be reached */
    OWNER_MS = 1000,    /* for an owner, where a copy may answer too */
    ATTEMPT_MS = 5000   /* for another process, before the owner is looked up anew */
};

static int64_t steady_ms(const leat_query_t *q)
{
    return leat__clock_steady_ms(q->app->worker.clock);
}

bool leat__query_has(const leat_query_t *q, leat__task_ref_t ref, bool stale)
{
    leat_app_t *app = q->app;

    pthread_mutex_lock(&app->lock);
    bool here = app->control != NULL && leat__control_has(app->control, ref, stale);
    pthread_mutex_unlock(&app->lock);
    return here;
}

/* The placement says that it is ours: if it is not here, it is on its way. */
static bool is_ours(const leat_query_t *q, leat__task_ref_t ref)
{
    leat__owners_t *o = leat__query_owners(q);
    const leat__task_hosts_t *t = o ? leat__owners_find(o, ref) : NULL;
    bool ours = t && !t->moving && t->owner >= 0 && o->hosts[t->owner].here;

    leat__owners_drop(o);
    return ours;
}

bool leat__query_may_ask(const leat_query_t *q, leat__task_ref_t ref)
{
    return leat__query_has(q, ref, q->stale) || is_ours(q, ref);
}

/* ---- whom to ask ---- */

/* host NULL: this process. False: nobody is left in this round. */
static bool find_target(const leat_query_t *q, const leat__query_store_t *h, const leat__query_part_t *p,
    const leat__host_t **host)
{
    const leat__owners_t *o = p->owners;
    const leat__task_hosts_t *t = o ? leat__owners_find(o, p->ref) : NULL;
    int found = -1;

    *host = NULL;
    if (!q->routed || h->group->global)
        return p->turn == 0;
    if (p->turn == 0)
        found = t && !leat__query_has(q, p->ref, false) ? t->owner : -1;
    else if (q->stale && t && p->turn <= t->copy_count)
        found = o->copies[t->first_copy + p->turn - 1].host;
    else
        return false;
    if (found >= 0 && !o->hosts[found].here)
        *host = &o->hosts[found];
    return true;
}

static bool has_next(const leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p)
{
    const leat__host_t *host;

    p->turn++;
    bool has = find_target(q, h, p, &host);
    p->turn--;
    return has;
}

/* ---- sending ---- */

/* False: nobody here has the task. */
static bool post(leat_query_t *q, const leat__query_store_t *h, leat__question_t *r)
{
    leat_app_t *app = q->app;
    bool posted = false;

    if (h->group->global)
        return leat__globals_serve(app, r);
    pthread_mutex_lock(&app->lock);
    if (app->control != NULL)
        posted = leat__control_ask(app->control, r->ref, r);
    pthread_mutex_unlock(&app->lock);
    return posted;
}

static void not_here(const leat_query_t *q, leat__question_t *r)
{
    leat_state_t state = leat_app_state(q->app);

    if (state != LEAT_STATE_RUNNING && state != LEAT_STATE_REBALANCING)
        leat__error(&r->err, LEAT_ESTATE, 0, "query", "the app does not run");
    else
        leat__error(&r->err, LEAT_EMOVED, LEAT_RETRIABLE, "query",
            "partition %" PRId32 " (task %" PRId32 "_%" PRId32 ") is not in this process",
            r->ref.partition, r->ref.group, r->ref.partition);
}

static void call(leat_query_t *q, leat__query_part_t *p, const leat__host_t *host, int64_t left_ms)
{
    leat_app_t *app = q->app;
    leat__buf_t body = {0};

    if (!q->line) {
        pthread_mutex_lock(&app->lock);
        if (!app->peers)
            app->peers = leat__peers_new(app->config);
        pthread_mutex_unlock(&app->lock);
        q->line = leat__peers_lend(app->peers);
    }
    leat__wire_put_question(
        &body, app->worker.application_id, host->process_id, p->r, left_ms);
    p->call = leat__line_ask(q->line, host->address, &body, left_ms);
}

static void send(
    leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p, int64_t until_ms)
{
    const leat__host_t *host;
    int64_t left_ms = until_ms - steady_ms(q);

    p->absent = p->silent = p->elsewhere = false;
    find_target(q, h, p, &host);
    if (!host && !post(q, h, p->r)) {
        not_here(q, p->r);
        p->absent = p->r->done = true;
    } else if (host && !host->address) {
        p->r->err.code = LEAT_EMOVED; /* explained when nobody else has it */
        p->silent = p->r->done = true;
    } else if (host) {
        int64_t most_ms = has_next(q, h, p) ? OWNER_MS : ATTEMPT_MS;

        left_ms = left_ms < most_ms ? left_ms : most_ms;
        p->elsewhere = true;
        call(q, p, host, left_ms > 1 ? left_ms : 1);
    }
}

/* Of the same question; what was answered is gone. */
static leat__question_t *again(const leat__query_store_t *h, const leat__question_t *of)
{
    leat__question_t *r = leat__question_new(of->what, of->ref);

    r->cursor = of->cursor;
    r->stale = of->stale;
    r->at_least = of->at_least ? leat__must_strdup(of->at_least) : NULL;
    if (of->what == LEAT__QUESTION_OPEN)
        leat__question_set_ask(r, h->spec->name, &of->ask);
    return r;
}

static void replace(const leat__query_store_t *h, leat__query_part_t *p)
{
    leat__question_t *old = p->r; /* it may still be answered: whoever lets go last frees it */

    p->r = again(h, old);
    leat__question_drop(old);
}

static void begin_round(const leat_query_t *q, leat__query_part_t *p)
{
    p->turn = 0;
    if (!q->routed)
        return;
    leat__owners_drop(p->owners);
    p->owners = leat__query_owners(q);
}

void leat__query_part_open(
    leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p, const leat__ask_t *ask)
{
    p->r = leat__question_new(LEAT__QUESTION_OPEN, p->ref);
    p->r->stale = q->stale;
    p->r->at_least = q->at_least ? leat__must_strdup(q->at_least) : NULL;
    leat__question_set_ask(p->r, h->spec->name, ask);
    begin_round(q, p);
    send(q, h, p, steady_ms(q) + q->timeout_ms);
}

/* ---- waiting ---- */

static void wait_here(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p, int64_t left_ms)
{
    if (leat__question_wait(p->r, left_ms))
        return;
    replace(h, p); /* another one carries the failure */
    p->r->done = true;
    leat__error(&p->r->err, LEAT_ETIMEOUT, LEAT_RETRIABLE, "query",
        "task %" PRId32 "_%" PRId32 " gave no answer in %lld ms: its thread is busy in a function of "
        "the program, or waits for the disk",
        p->ref.group, p->ref.partition, (long long)q->timeout_ms);
}

static void wait_there(leat__query_part_t *p, int64_t left_ms)
{
    leat_slice_t body;
    leat_error_t *err = &p->r->err;

    if (!leat__call_wait(p->call, left_ms)) {
        leat__error(err, LEAT_ETIMEOUT, LEAT_RETRIABLE, "query",
            "task %" PRId32 "_%" PRId32 ": no answer from the process that has it",
            p->ref.group, p->ref.partition);
    } else if (leat__call_answer(p->call, &body, err)) {
        p->silent = err->code == LEAT_EMOVED;
    } else if (!leat__wire_take_answer(body, p->r)) {
        leat__error(err, LEAT_EFAILED, 0, "query",
            "task %" PRId32 "_%" PRId32 ": the answer of the process that has it is unreadable: do "
            "all run the same version?",
            p->ref.group, p->ref.partition);
    }
    p->r->done = true;
    leat__call_end(p->call);
    p->call = NULL;
}

static void wait(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p, int64_t until_ms)
{
    int64_t left_ms = until_ms - steady_ms(q);
    int64_t most_ms = has_next(q, h, p) ? OWNER_MS : left_ms;

    left_ms = left_ms < most_ms ? left_ms : most_ms;
    left_ms = left_ms > 0 ? left_ms : 0;
    if (p->call)
        wait_there(p, left_ms);
    else
        wait_here(q, h, p, left_ms);
}

/* Somebody else of the round may know more. */
static bool goes_on(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p)
{
    int code = p->r->err.code;

    return (code == LEAT_EMOVED || code == LEAT_ERESTORING || code == LEAT_ETIMEOUT) &&
           has_next(q, h, p);
}

/* Worth another round: of what the owner said. */
static bool passes(const leat_query_t *q, const leat__query_part_t *p, int code, int64_t waited_ms)
{
    if (code == LEAT_EBOUND)
        return true;
    if (p->r->what != LEAT__QUESTION_OPEN)
        return false;
    if (q->routed && code == LEAT_ETIMEOUT)
        return p->elsewhere;
    if (code != LEAT_EMOVED)
        return false;
    if (q->routed)
        return !p->silent || waited_ms < MOVING_MS;
    return is_ours(q, p->ref) || (!p->absent && waited_ms < MOVING_MS);
}

static void pause_before(const leat_query_t *q, int round)
{
    int64_t ms = q->routed ? AGAIN_MS << (round < DOUBLINGS ? round : DOUBLINGS) : AGAIN_MS;
    struct timespec moment = {.tv_nsec = ms * 1000000L};

    nanosleep(&moment, NULL);
}

/* One round: p->r has the answer, or what the owner said. silent, absent, elsewhere: of the owner too. */
static void ask_round(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p, int64_t until_ms)
{
    leat_error_t said = {0};
    bool absent = false, silent = false, elsewhere = false;

    for (wait(q, h, p, until_ms); goes_on(q, h, p); wait(q, h, p, until_ms)) {
        if (p->turn++ == 0) {
            said = p->r->err;
            absent = p->absent;
            silent = p->silent;
            elsewhere = p->elsewhere;
        }
        replace(h, p);
        send(q, h, p, until_ms);
    }
    if (p->r->err.code == 0 || p->turn == 0)
        return;
    p->r->err = said;
    p->absent = absent;
    p->silent = silent;
    p->elsewhere = elsewhere;
}

/* ---- what is wrong ---- */

static const char *name_of(const leat__host_t *host)
{
    return host->address ? host->address : host->process_id;
}

/* The owner cannot be asked: why, who will have the task, and what to do. */
static void explain_silence(const leat_query_t *q, const char *what, const leat__host_t *owner,
    const leat__host_t *next, leat_error_t *err)
{
    leat_slice_t said = leat_slice(err->text);
    char why[100];

    leat_slice_copy(&said, why, sizeof why);
    if (!owner->address)
        leat__error(err, LEAT_EMOVED, LEAT_RETRIABLE, "query",
            "%s is in process %s, which says no leat.http.advertised: set it there, or ask there",
            what, owner->process_id);
    else if (owner->returns)
        leat__error(err, LEAT_EMOVED, LEAT_RETRIABLE, "query",
            "%s belongs to %.80s, which restarts: ask again when it is back%s", what, owner->address,
            q->stale || !next ? "" : ", or allow stale reads");
    else
        leat__error(err, LEAT_EMOVED, LEAT_RETRIABLE, "query",
            "%s belongs to %.60s, which cannot be reached (%s). If it is gone, %.60s will own it when "
            "session.timeout.ms is over: ask again then%s",
            what, owner->address, why, next ? name_of(next) : "another worker",
            q->stale || !next ? "" : ", or allow stale reads");
}

/* Who owns it, and who will. */
static void explain(const leat_query_t *q, leat__query_part_t *p)
{
    const leat__owners_t *o = p->owners;
    const leat__task_hosts_t *t = o ? leat__owners_find(o, p->ref) : NULL;
    char what[80];

    if (!q->routed || p->r->err.code != LEAT_EMOVED || !t)
        return;
    const leat__host_t *owner = t->owner < 0 ? NULL : &o->hosts[t->owner];
    const leat__host_t *next = leat__owners_next(o, t) < 0 ? NULL : &o->hosts[leat__owners_next(o, t)];
    snprintf(what, sizeof what, "partition %" PRId32 " (task %" PRId32 "_%" PRId32 ")",
        p->ref.partition, p->ref.group, p->ref.partition);
    if (!owner)
        leat__error(&p->r->err, LEAT_EMOVED, LEAT_RETRIABLE, "query",
            "%s has no owner: none of the workers takes it; ask again later", what);
    else if (p->silent)
        explain_silence(q, what, owner, next, &p->r->err);
    else
        leat__error(&p->r->err, LEAT_EMOVED, LEAT_RETRIABLE, "query",
            "%s is being moved to %.80s: ask again", what,
            name_of(t->moving && next ? next : owner));
}

/* ---- pages ---- */

static void note(leat_query_t *q, const leat__question_t *r)
{
    if (r->lag > q->lag)
        q->lag = r->lag;
    if (r->what != LEAT__QUESTION_OPEN || !r->position.size || r->ask.mark.data)
        return;
    if (q->position.size)
        leat__buf_put_text(&q->position, ",");
    leat__buf_put(&q->position, r->position.data, r->position.size);
}

const leat_error_t *leat__query_part_take(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p)
{
    int64_t since_ms = steady_ms(q), until_ms = since_ms + q->timeout_ms;
    leat_error_t before = {0};

    for (int round = 0;; round++) {
        ask_round(q, h, p, until_ms);
        int code = p->r->err.code;
        int64_t now_ms = steady_ms(q);

        if (!code || !passes(q, p, code, now_ms - since_ms) || now_ms >= until_ms)
            break;
        before = p->r->err;
        pause_before(q, round);
        replace(h, p);
        begin_round(q, p);
        send(q, h, p, until_ms);
    }
    if (p->r->err.code == LEAT_ETIMEOUT && before.code)
        p->r->err = before; /* the time is over, and this is what it waited for */
    if (p->r->err.code) {
        explain(q, p);
        return &p->r->err;
    }
    note(q, p->r);
    p->rest = (leat_slice_t){p->r->page.data, p->r->page.size};
    return NULL;
}

bool leat__query_part_more(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p)
{
    leat__question_t *old = p->r;

    if (!old || !(p->elsewhere ? old->more : old->cursor != 0))
        return false;
    if (p->elsewhere) {
        leat__ask_t ask = old->ask;

        ask.mark = (leat_slice_t){old->mark.data, old->mark.size};
        leat__query_part_open(q, h, p, &ask);
    } else {
        p->r = leat__question_new(LEAT__QUESTION_MORE, p->ref);
        p->r->cursor = old->cursor;
        if (!post(q, h, p->r)) {
            not_here(q, p->r);
            p->absent = p->r->done = true;
        }
    }
    leat__question_drop(old);
    return true;
}

void leat__query_part_end(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p)
{
    bool answered = p->r && !p->elsewhere && leat__question_wait(p->r, 0);

    if (answered && p->r->cursor && !p->r->err.code) {
        leat__question_t *r = leat__question_new(LEAT__QUESTION_CLOSE, p->ref);

        r->cursor = p->r->cursor;
        post(q, h, r);
        leat__question_drop(r);
    }
    leat__call_end(p->call);
    if (p->r)
        leat__question_drop(p->r);
    leat__owners_drop(p->owners);
    p->call = NULL;
    p->r = NULL;
    p->owners = NULL;
}
