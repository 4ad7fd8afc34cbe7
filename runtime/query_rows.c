/*
 * runtime/query_rows.c: one read of a store: its partitions asked, their rows merged.
 *
 *   remote (statestore/ask.h) ─▶ parts: one per partition (query_part.c) ─▶ rows
 *
 * A read goes to the partitions that it may touch. A point read asks the partition that the key
 * hashes to first; then the others that are here, since a topology may choose partitions its own
 * way, but not those of other processes. A range asks all at once and merges.
 */
#include "query_inside.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct leat__rows_t {
    leat__query_store_t *h;
    leat__ask_t ask; /* its texts are the caller's: used while opening only */
    leat__query_part_t *parts;
    size_t count, at;
    leat__window_row_t shown;
};

static void add_part(leat__rows_t *rows, size_t *room, int32_t partition)
{
    LEAT__GROW(rows->parts, rows->count, *room);
    rows->parts[rows->count++] =
        (leat__query_part_t){.ref = {.group = (int32_t)rows->h->group->id, .partition = partition}};
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
        leat__task_ref_t ref = {.group = (int32_t)group->id, .partition = i};

        if (q->routed ? !leat__ask_is_point(rows->ask.verb) || rows->ask.verb == LEAT__ASK_COUNT
                      : leat__query_may_ask(q, ref))
            add_part(rows, &room, i);
    }
}

/* The partition that the key hashes to comes first. */
static void put_first(leat_query_t *q, leat__rows_t *rows)
{
    int32_t home = leat__partition_of(rows->ask.from, rows->h->group->task_count);
    leat__query_part_t first;

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
        leat__query_part_t *p = &rows->parts[i];

        leat__query_part_open(q, h, p, &rows->ask);
        const leat_error_t *err = leat__query_part_take(q, h, p);
        if (err && err->code == LEAT_EMOVED && q->all) {
            if (i == 0)
                missing = *err;
            continue;
        }
        if (err) {
            leat__query_fail(q, err);
            return;
        }
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

/* False: failed, and said. */
static bool take_page(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p)
{
    const leat_error_t *err = leat__query_part_take(q, h, p);

    if (err)
        leat__query_fail(q, err);
    return !err;
}

/* The next row of a part, if there is one: has_row. */
static void fill(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p)
{
    p->has_row = false;
    while (!q->failure.code && !(p->has_row = leat__page_next(&p->rest, &p->row)))
        if (!leat__query_part_more(q, h, p) || !take_page(q, h, p))
            return;
}

static void sum_up(leat_query_t *q, leat__rows_t *rows)
{
    int64_t sum = 0;

    for (size_t i = 0; i < rows->count; i++)
        leat__query_part_open(q, rows->h, &rows->parts[i], &rows->ask);
    for (size_t i = 0; i < rows->count; i++) {
        leat__query_part_t *p = &rows->parts[i];

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
        leat__query_part_open(q, rows->h, &rows->parts[i], &rows->ask);
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

static bool before(const leat__rows_t *rows, const leat__query_part_t *a, const leat__query_part_t *b)
{
    leat_slice_t x = a->row.key, y = b->row.key;
    size_t size = x.size < y.size ? x.size : y.size;
    int way = size ? memcmp(x.data, y.data, size) : 0;

    way = way ? way : (x.size > y.size) - (x.size < y.size);
    return rows->ask.order == LEAT_DESCENDING ? way > 0 : way < 0;
}

static leat__query_part_t *pick(leat__rows_t *rows)
{
    leat__query_part_t *best = NULL;

    for (size_t i = 0; i < rows->count; i++) {
        leat__query_part_t *p = &rows->parts[i];

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
    leat__query_part_t *p;

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
        leat__query_part_end(rows->h->q, rows->h, &rows->parts[i]);
    leat__free(rows->parts);
    leat__free(rows);
}
