/*
 * runtime/query_rows.c: one read of a store: its partitions asked, their rows merged.
 *
 *   remote (statestore/ask.h) ─▶ parts: one per partition ─▶ requests (asks.h)
 *
 * A read goes to the partitions that it may touch. A point read asks the partition that the key
 * hashes to first, then the others that are here, since a topology may choose partitions its own way.
 * A range asks all at once and merges. The app may stop at any time: the control thread's table of
 * tasks is looked at under the app's lock, and a request that nobody reads any more is answered by
 * whoever frees it.
 */
#include "query_inside.h"

#include <inttypes.h>
#include <string.h>

#include "asks.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

enum { AGAIN_MS = 10, MOVING_MS = 500 };

typedef struct part_t { /* one partition's rows */
    leat__task_ref_t ref;
    leat__question_t *r; /* the one whose page is being read, or that is on its way */
    leat_slice_t rest;
    leat__window_row_t row;
    bool has_row;
} part_t;

struct leat__rows_t {
    leat__query_store_t *h;
    leat__ask_t ask; /* its texts are the caller's: used while opening only */
    part_t *parts;
    size_t count, at;
    leat__window_row_t shown;
};

/* ---- one request ---- */

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

static int64_t steady_ms(const leat_query_t *q)
{
    return leat__clock_steady_ms(q->app->worker.clock);
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

static void await(leat_query_t *q, part_t *p, int64_t until_ms)
{
    int64_t left_ms = until_ms - steady_ms(q);

    if (leat__question_wait(p->r, left_ms > 0 ? left_ms : 0))
        return;
    /* it may still be answered, so another one carries the failure */
    leat__question_t *late = p->r;
    p->r = leat__question_new(late->what, late->ref);
    leat__question_drop(late);
    leat__error(&p->r->err, LEAT_ETIMEOUT, LEAT_RETRIABLE, "query",
        "task %" PRId32 "_%" PRId32 " gave no answer in %lld ms: its thread is busy in a function of "
        "the program, or waits for the disk",
        p->ref.group, p->ref.partition, (long long)q->timeout_ms);
}

/* A task that is on its way here or back is asked again for a moment; one that has to reach a
 * position, until the query's time is over. */
static bool passes(const leat__question_t *r, int64_t waited_ms)
{
    return r->err.code == LEAT_EBOUND || (r->err.code == LEAT_EMOVED && r->what == LEAT__QUESTION_OPEN &&
                                             waited_ms < MOVING_MS);
}

static void settle(leat_query_t *q, const leat__query_store_t *h, part_t *p, int64_t since_ms)
{
    int64_t until_ms = since_ms + q->timeout_ms;
    leat_error_t before = {0};

    for (await(q, p, until_ms); passes(p->r, steady_ms(q) - since_ms) && steady_ms(q) < until_ms;
         await(q, p, until_ms)) {
        leat__question_t *next = again(h, p->r);
        struct timespec moment = {.tv_nsec = AGAIN_MS * 1000000L};

        before = p->r->err;
        nanosleep(&moment, NULL);
        if (!post(q, h, next)) {
            leat__question_drop(next);
            return;
        }
        leat__question_drop(p->r);
        p->r = next;
    }
    if (p->r->err.code == LEAT_ETIMEOUT && before.code)
        p->r->err = before; /* the time is over, and this is what it waited for */
}

static void note(leat_query_t *q, const part_t *p)
{
    const leat__question_t *r = p->r;

    if (r->lag > q->lag)
        q->lag = r->lag;
    if (r->what != LEAT__QUESTION_OPEN || !r->position.size)
        return;
    if (q->position.size)
        leat__buf_put_text(&q->position, ",");
    leat__buf_put(&q->position, r->position.data, r->position.size);
}

/* ---- parts ---- */

static void send_open(
    leat_query_t *q, const leat__query_store_t *h, part_t *p, const leat__ask_t *ask)
{
    p->r = leat__question_new(LEAT__QUESTION_OPEN, p->ref);
    p->r->stale = q->stale;
    p->r->at_least = q->at_least ? leat__must_strdup(q->at_least) : NULL;
    leat__question_set_ask(p->r, h->spec->name, ask);
    if (post(q, h, p->r))
        return;
    not_here(q, p->r);
    p->r->done = true;
}

/* False: failed, and said. */
static bool take_page(leat_query_t *q, const leat__query_store_t *h, part_t *p)
{
    settle(q, h, p, steady_ms(q));
    if (p->r->err.code) {
        leat__query_fail(q, &p->r->err);
        return false;
    }
    note(q, p);
    p->rest = (leat_slice_t){p->r->page.data, p->r->page.size};
    return true;
}

static bool next_page(leat_query_t *q, const leat__query_store_t *h, part_t *p)
{
    leat__question_t *r = leat__question_new(LEAT__QUESTION_MORE, p->ref);

    r->cursor = p->r->cursor;
    leat__question_drop(p->r);
    p->r = r;
    if (!post(q, h, r)) {
        not_here(q, r);
        r->done = true;
    }
    return take_page(q, h, p);
}

static void fill(leat_query_t *q, const leat__query_store_t *h, part_t *p)
{
    p->has_row = false;
    while (!q->failure.code && !(p->has_row = leat__page_next(&p->rest, &p->row)))
        if (!p->r || !p->r->cursor || !next_page(q, h, p))
            return;
}

static void end_part(leat_query_t *q, const leat__query_store_t *h, part_t *p)
{
    if (p->r && p->r->done && p->r->cursor && !p->r->err.code) {
        leat__question_t *r = leat__question_new(LEAT__QUESTION_CLOSE, p->ref);

        r->cursor = p->r->cursor;
        post(q, h, r);
        leat__question_drop(r);
    }
    if (p->r)
        leat__question_drop(p->r);
    p->r = NULL;
}

static void add_part(leat__rows_t *rows, size_t *room, int32_t partition)
{
    LEAT__GROW(rows->parts, rows->count, *room);
    rows->parts[rows->count++] =
        (part_t){.ref = {.group = (int32_t)rows->h->group->id, .partition = partition}};
}

static void list_parts(leat_query_t *q, leat__rows_t *rows)
{
    const leat__group_t *group = rows->h->group;
    size_t room = 0;

    if (group->global) {
        add_part(rows, &room, 0);
        return;
    }
    if (!q->all) {
        for (size_t i = 0; i < q->partition_count; i++)
            add_part(rows, &room, q->partitions[i]);
        return;
    }
    for (int32_t i = 0; i < group->task_count; i++) {
        pthread_mutex_lock(&q->app->lock);
        bool here = q->app->control != NULL &&
                    leat__control_has(q->app->control,
                        (leat__task_ref_t){.group = (int32_t)group->id, .partition = i}, q->stale);
        pthread_mutex_unlock(&q->app->lock);
        if (here)
            add_part(rows, &room, i);
    }
}

/* The partition that the key hashes to comes first. */
static void put_first(leat_query_t *q, leat__rows_t *rows)
{
    int32_t home = leat__partition_of(rows->ask.from, rows->h->group->task_count);
    part_t first;

    for (size_t i = 0; i < rows->count; i++) {
        if (rows->parts[i].ref.partition != home)
            continue;
        first = rows->parts[i];
        rows->parts[i] = rows->parts[0];
        rows->parts[0] = first;
        return;
    }
    if (q->all) { /* asked first all the same: it says where the partition is not */
        size_t room = rows->count;
        add_part(rows, &room, home);
        first = rows->parts[rows->count - 1];
        memmove(rows->parts + 1, rows->parts, (rows->count - 1) * sizeof *rows->parts);
        rows->parts[0] = first;
    }
}

/* One partition after the other, until one has it. Not here and nowhere else is a failure. */
static void find_point(leat_query_t *q, leat__rows_t *rows)
{
    const leat__query_store_t *h = rows->h;
    leat_error_t missing = {0};

    for (size_t i = 0; i < rows->count && !q->failure.code; i++) {
        part_t *p = &rows->parts[i];

        send_open(q, h, p, &rows->ask);
        settle(q, h, p, steady_ms(q));
        if (p->r->err.code == LEAT_EMOVED && q->all) {
            if (i == 0)
                missing = p->r->err;
            continue;
        }
        if (p->r->err.code) {
            leat__query_fail(q, &p->r->err);
            return;
        }
        note(q, p);
        p->rest = (leat_slice_t){p->r->page.data, p->r->page.size};
        p->has_row = leat__page_next(&p->rest, &p->row);
        if (p->has_row) {
            rows->at = i;
            return;
        }
    }
    rows->at = rows->count;
    if (missing.code)
        leat__query_fail(q, &missing);
}

static void sum_up(leat_query_t *q, leat__rows_t *rows)
{
    int64_t sum = 0;

    for (size_t i = 0; i < rows->count; i++)
        send_open(q, rows->h, &rows->parts[i], &rows->ask);
    for (size_t i = 0; i < rows->count; i++) {
        part_t *p = &rows->parts[i];

        if (take_page(q, rows->h, p) && leat__page_next(&p->rest, &p->row))
            sum += p->row.start_ms;
    }
    if (!rows->count)
        return;
    rows->at = 0;
    rows->parts[0].row = (leat__window_row_t){.start_ms = sum};
    rows->parts[0].has_row = !q->failure.code;
}

static void open_all(leat_query_t *q, leat__rows_t *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        send_open(q, rows->h, &rows->parts[i], &rows->ask);
    for (size_t i = 0; i < rows->count; i++)
        if (take_page(q, rows->h, &rows->parts[i]))
            fill(q, rows->h, &rows->parts[i]);
}

leat__rows_t *leat__query_rows(leat__remote_t *remote, const leat__ask_t *ask)
{
    leat__query_store_t *h =
        (leat__query_store_t *)(void *)((char *)remote - offsetof(leat__query_store_t, remote));
    leat_query_t *q = h->q;
    leat__rows_t *rows = leat__must_alloc(sizeof *rows);

    rows->h = h;
    rows->ask = *ask;
    rows->ask.committed = q->committed;
    if (q->failure.code)
        return rows;
    list_parts(q, rows);
    if (ask->verb == LEAT__ASK_COUNT) {
        sum_up(q, rows);
    } else if (leat__ask_is_point(ask->verb)) {
        if (!h->group->global && h->group->task_count > 0)
            put_first(q, rows);
        find_point(q, rows);
    } else {
        open_all(q, rows);
    }
    return rows;
}

/* ---- rows ---- */

static bool merges(const leat__rows_t *rows)
{
    return rows->ask.verb == LEAT__ASK_RANGE || rows->ask.verb == LEAT__ASK_PREFIX;
}

static bool before(const leat__rows_t *rows, const part_t *a, const part_t *b)
{
    leat_slice_t x = a->row.key, y = b->row.key;
    size_t size = x.size < y.size ? x.size : y.size;
    int way = size ? memcmp(x.data, y.data, size) : 0;

    way = way ? way : (x.size > y.size) - (x.size < y.size);
    return rows->ask.order == LEAT_DESCENDING ? way > 0 : way < 0;
}

static part_t *pick(leat__rows_t *rows)
{
    part_t *best = NULL;

    for (size_t i = 0; i < rows->count; i++) {
        part_t *p = &rows->parts[i];

        if (!p->has_row)
            continue;
        if (!merges(rows))
            return p;
        if (!best || before(rows, p, best))
            best = p;
    }
    return best;
}

/* The row's bytes stand in the part's page: the part moves on with the next call. */
bool leat__query_next(leat__rows_t *rows, leat__window_row_t *row)
{
    leat_query_t *q = rows->h->q;
    part_t *p;

    if (leat__ask_is_point(rows->ask.verb)) {
        if (q->failure.code || rows->at >= rows->count || !rows->parts[rows->at].has_row)
            return false;
        *row = rows->parts[rows->at].row;
        q->partition = rows->parts[rows->at].ref.partition;
        rows->parts[rows->at].has_row = false;
        return true;
    }
    if (rows->at > 0)
        fill(q, rows->h, &rows->parts[rows->at - 1]);
    rows->at = 0;
    if (q->failure.code || !(p = pick(rows)))
        return false;
    *row = p->row;
    q->partition = p->ref.partition;
    rows->at = (size_t)(p - rows->parts) + 1;
    return true;
}

void leat__query_end(leat__rows_t *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        end_part(rows->h->q, rows->h, &rows->parts[i]);
    leat__free(rows->parts);
    leat__free(rows);
}
