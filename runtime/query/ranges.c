/*
 * runtime/query/ranges.c: reads of many rows, a page at a time.
 *
 * A page ends after `limit` rows with a token (place.h) that says which row was the last. The next page
 * is the same read, begun there: rows of keys are in the order of their bytes, so the range is cut; of
 * windows, sessions and versions, what the last page had is passed over.
 */
#include "base/log.h"
#include "place.h"
#include "read.h"
#include "routes.h"
#include "row_json.h"

#include <string.h>

enum { LIMIT = 100 };

typedef struct list_t {
    leat__read_t read;
    leat__ask_t ask;     /* as the request says it */
    size_t limit;
    leat__place_t place; /* same 0: nothing was given yet */
    uint32_t passed;     /* rows like the one that the last page ended with */
    bool found;          /* that one was seen */
} list_t;

/* ---- what is asked for ---- */

static bool begin(list_t *l, leat__request_t *r, leat__verb_t verb, leat__reply_t *reply)
{
    *l = (list_t){.ask = {.verb = verb, .from_ms = INT64_MIN, .to_ms = INT64_MAX}};
    return leat__read_begin(&l->read, r, verb, reply);
}

/* limit, order, page; then the query is open. */
static bool begin_page(list_t *l, leat__reply_t *reply)
{
    leat__request_t *r = l->read.r;
    const size_t most = r->site->rows_max;
    int64_t limit = (int64_t)(most < LIMIT ? most : LIMIT);
    int order = LEAT_ASCENDING;
    const leat_slice_t *token = leat__request_find(r, "page");

    if (!leat__request_int(r, "limit", 1, (int64_t)most, &limit, reply) ||
        !leat__request_choice(r, "order", "asc,desc", &order, reply))
        return false;
    l->limit = (size_t)limit;
    l->ask.order = order ? LEAT_DESCENDING : LEAT_ASCENDING;
    if (token &&
        !leat__place_take(*token, l->read.spec->name, &l->ask, r->scratch, &l->place)) {
        leat__reply_error(reply, 400, leat_error_name(LEAT_EARGUMENT), "page",
            "it is no token that this read has given: give the same parameters with it");
        return false;
    }
    return leat__read_open(&l->read, reply);
}

static bool key_parameter(list_t *l, const char *name, leat_slice_t *bytes, leat__reply_t *reply)
{
    const leat_slice_t *text = leat__request_find(l->read.r, name);

    return !text || leat__read_key(&l->read, name, *text, bytes, reply);
}

/* One key, from the path, or a range of them. */
static bool keys(list_t *l, bool one, leat__reply_t *reply)
{
    if (!one)
        return key_parameter(l, "from_key", &l->ask.from, reply) &&
               key_parameter(l, "to_key", &l->ask.to, reply);
    if (!leat__read_key(&l->read, "key", l->read.r->parts[4], &l->ask.from, reply))
        return false;
    l->ask.to = l->ask.from;
    return true;
}

static bool times(list_t *l, leat__reply_t *reply)
{
    leat__request_t *r = l->read.r;

    return leat__request_int(r, "from", INT64_MIN, INT64_MAX, &l->ask.from_ms, reply) &&
           leat__request_int(r, "to", INT64_MIN, INT64_MAX, &l->ask.to_ms, reply);
}

/* ---- going on behind a place ---- */

static bool by_key(const list_t *l)
{
    return l->ask.verb == LEAT__ASK_RANGE || l->ask.verb == LEAT__ASK_PREFIX;
}

/* The range that is left. A prefix becomes a range that begins, or ends, with its last key. */
static leat__ask_t rest_of(const list_t *l)
{
    leat__ask_t ask = l->ask;

    if (!l->place.same || !by_key(l))
        return ask;
    ask.verb = LEAT__ASK_RANGE;
    if (ask.order == LEAT_DESCENDING)
        ask.to = l->place.key;
    else
        ask.from = l->place.key;
    return ask;
}

static bool is_at(const list_t *l, const leat__window_row_t *row, int32_t partition)
{
    const leat__place_t *p = &l->place;

    return leat_slice_equal(&row->key, &p->key) &&
           (by_key(l) || (row->start_ms == p->start_ms && row->end_ms == p->end_ms &&
                             partition == p->partition));
}

/* False: the last page had it. */
static bool is_new(list_t *l, const leat__window_row_t *row, int32_t partition, uint32_t same)
{
    if (l->found)
        return true;
    if (is_at(l, row, partition))
        return ++l->passed > same ? (l->found = true) : false;
    l->found = by_key(l) || l->passed > 0;
    return l->found;
}

static void move_place(list_t *l, const leat__window_row_t *row, int32_t partition)
{
    leat__place_t *p = &l->place;

    if (p->same && is_at(l, row, partition)) {
        p->same++;
        return;
    }
    *p = (leat__place_t){.key = {leat__arena_copy(l->read.r->scratch, row->key.data, row->key.size),
                             row->key.size},
        .start_ms = row->start_ms,
        .end_ms = row->end_ms,
        .partition = partition,
        .same = 1};
}

/* ---- the reply ---- */

/* Behind the last key with the prefix, where the rest is read as a range. */
static bool is_over(const list_t *l, const leat__window_row_t *row)
{
    return l->ask.verb == LEAT__ASK_PREFIX &&
           (row->key.size < l->ask.from.size ||
               memcmp(row->key.data, l->ask.from.data, l->ask.from.size) != 0);
}

/* True: there are more. */
static bool put_rows(list_t *l, leat__remote_t *remote, leat__rows_t *rows, leat__reply_t *reply)
{
    const uint32_t same = l->place.same;
    leat__window_row_t row;
    size_t count = 0;

    l->found = same == 0;
    while (remote->next(rows, &row) && !is_over(l, &row)) {
        int32_t partition = leat__query_partition(l->read.q);

        if (!is_new(l, &row, partition, same))
            continue;
        if (count == l->limit)
            return true;
        leat__buf_put_text(&reply->body, count++ ? "," : "");
        leat__row_json_put(&reply->body, l->read.spec, &row, partition, l->read.r->scratch);
        leat__buf_put_text(&reply->body, "}");
        move_place(l, &row, partition);
    }
    l->found = l->found || by_key(l);
    return false;
}

static void put_page(list_t *l, leat__remote_t *remote, leat__rows_t *rows, leat__reply_t *reply)
{
    bool more;

    leat__buf_put_text(&reply->body, "{\"rows\":[");
    more = put_rows(l, remote, rows, reply);
    if (!l->found) {
        leat__reply_error(reply, 410, "page_gone", "page",
            "the row that the last page ended with is not there any more: begin with the first page");
        return;
    }
    leat__buf_put_text(&reply->body, more ? "],\"next\":\"" : "],\"next\":null");
    if (more) {
        leat__place_put(&reply->body, l->read.spec->name, &l->ask, &l->place);
        leat__buf_put_text(&reply->body, "\"");
    }
    leat__read_put_state(&l->read, reply);
}

static void answer(list_t *l, leat__reply_t *reply)
{
    leat__remote_t *remote = leat__query_remote(l->read.q, l->read.spec->name);
    leat__ask_t ask = rest_of(l);

    if (remote) {
        leat__rows_t *rows = remote->open(remote, &ask);

        put_page(l, remote, rows, reply);
        remote->close(rows);
    }
    leat__read_end(&l->read, reply);
}

/* ---- the paths ---- */

void leat__answer_keys(leat__request_t *r, leat__reply_t *reply)
{
    const leat_slice_t *prefix = leat__request_find(r, "prefix");
    list_t l;

    if (!begin(&l, r, prefix ? LEAT__ASK_PREFIX : LEAT__ASK_RANGE, reply))
        return;
    if (prefix && (leat__request_find(r, "from") || leat__request_find(r, "to")))
        leat__reply_error(reply, 400, leat_error_name(LEAT_EARGUMENT), "prefix",
            "either a prefix, or from and to");
    else if ((prefix ? leat__read_key(&l.read, "prefix", *prefix, &l.ask.from, reply)
                     : key_parameter(&l, "from", &l.ask.from, reply) &&
                           key_parameter(&l, "to", &l.ask.to, reply)) &&
             begin_page(&l, reply))
        answer(&l, reply);
}

static void answer_windows(
    leat__request_t *r, leat__reply_t *reply, leat__verb_t verb, bool one)
{
    list_t l;

    if (begin(&l, r, verb, reply) && keys(&l, one, reply) && times(&l, reply) &&
        begin_page(&l, reply))
        answer(&l, reply);
}

void leat__answer_windows_of(leat__request_t *r, leat__reply_t *reply)
{
    answer_windows(r, reply, LEAT__ASK_WINDOWS, true);
}

void leat__answer_windows(leat__request_t *r, leat__reply_t *reply)
{
    answer_windows(r, reply, LEAT__ASK_WINDOWS, false);
}

void leat__answer_sessions_of(leat__request_t *r, leat__reply_t *reply)
{
    answer_windows(r, reply, LEAT__ASK_SESSIONS, true);
}

void leat__answer_sessions(leat__request_t *r, leat__reply_t *reply)
{
    answer_windows(r, reply, LEAT__ASK_SESSIONS, false);
}

void leat__answer_history(leat__request_t *r, leat__reply_t *reply)
{
    answer_windows(r, reply, LEAT__ASK_HISTORY, true);
}
