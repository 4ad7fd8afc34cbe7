/*
 * runtime/query.c: leat/query.h: reads by threads of the program.
 *
 *   leat_kv_get ... ─▶ remote (statestore/ask.h) ─▶ parts: one per partition ─▶ requests (asks.h)
 *
 * A read goes to the partitions that it may touch. A point read asks the partition that the key
 * hashes to first, then the others that are here, since a topology may choose partitions its own way.
 * A range asks all at once and merges. The app may stop at any time: the control thread's table of
 * tasks is looked at under the app's lock, and a request that nobody reads any more is answered by
 * whoever frees it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <leat/query.h>

#include "app.h"
#include "asks.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "statestore/typed.h"

enum { TIMEOUT_MS = 30000, AGAIN_MS = 10, MOVING_MS = 500 };

typedef struct handle_t {
    struct handle_t *next;
    leat__remote_t remote;
    leat_query_t *q;
    const leat__store_spec_t *spec;
    const leat__group_t *group;
    leat_kv_t *kv; /* of these one */
    leat_windows_t *windows;
    leat_sessions_t *sessions;
    leat_versions_t *versions;
} handle_t;

struct leat_query_t {
    leat_app_t *app;
    leat__owner_t owner;
    leat__arena_t scratch;
    bool committed, stale, all;
    int32_t *partitions; /* unless all */
    size_t partition_count;
    char *at_least;
    int64_t timeout_ms;
    leat_error_t failure;
    handle_t *handles;
    leat__buf_t position;
    int64_t lag;
    int32_t partition; /* of the row handed out last */
};

typedef struct part_t { /* one partition's rows */
    leat__task_ref_t ref;
    leat__question_t *r; /* the one whose page is being read, or that is on its way */
    leat_slice_t rest;
    leat__window_row_t row;
    bool has_row;
} part_t;

struct leat__rows_t {
    handle_t *h;
    leat__ask_t ask; /* its texts are the caller's: used while opening only */
    part_t *parts;
    size_t count, at;
    leat__window_row_t shown;
};

static const leat_error_t *fail(leat_query_t *q, const leat_error_t *err)
{
    if (!q->failure.code)
        q->failure = *err;
    return err;
}

static void on_fail(leat__owner_t *o, int code, const char *text)
{
    leat_query_t *q = (leat_query_t *)(void *)((char *)o - offsetof(leat_query_t, owner));
    leat_error_t err;

    leat__error(&err, code, 0, "query", "%s", text);
    fail(q, &err);
}

/* ---- one request ---- */

/* False: nobody here has the task. */
static bool post(leat_query_t *q, const handle_t *h, leat__question_t *r)
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
static leat__question_t *again(const handle_t *h, const leat__question_t *of)
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

static void settle(leat_query_t *q, const handle_t *h, part_t *p, int64_t since_ms)
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

static void send_open(leat_query_t *q, const handle_t *h, part_t *p, const leat__ask_t *ask)
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
static bool take_page(leat_query_t *q, const handle_t *h, part_t *p)
{
    settle(q, h, p, steady_ms(q));
    if (p->r->err.code) {
        fail(q, &p->r->err);
        return false;
    }
    note(q, p);
    p->rest = (leat_slice_t){p->r->page.data, p->r->page.size};
    return true;
}

static bool next_page(leat_query_t *q, const handle_t *h, part_t *p)
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

static void fill(leat_query_t *q, const handle_t *h, part_t *p)
{
    p->has_row = false;
    while (!q->failure.code && !(p->has_row = leat__page_next(&p->rest, &p->row)))
        if (!p->r || !p->r->cursor || !next_page(q, h, p))
            return;
}

static void end_part(leat_query_t *q, const handle_t *h, part_t *p)
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
    const handle_t *h = rows->h;
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
            fail(q, &p->r->err);
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
        fail(q, &missing);
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

static leat__rows_t *on_open(leat__remote_t *remote, const leat__ask_t *ask)
{
    handle_t *h = (handle_t *)(void *)((char *)remote - offsetof(handle_t, remote));
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
static bool on_next(leat__rows_t *rows, leat__window_row_t *row)
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

static void on_close(leat__rows_t *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        end_part(rows->h->q, rows->h, &rows->parts[i]);
    leat__free(rows->parts);
    leat__free(rows);
}

/* ---- queries ---- */

static void bad_option(leat_query_t *q, const char *option, const char *value, const char *form)
{
    leat_error_t err;

    leat__error(&err, LEAT_EARGUMENT, 0, "query", ".%s is \"%s\": it must be like %s", option, value,
        form);
    fail(q, &err);
}

static void read_partitions(leat_query_t *q, const char *text)
{
    size_t room = 0;
    const char *at = text;

    for (;;) {
        char *end;
        long n = strtol(at, &end, 10);

        if (end == at || n < 0 || n > INT32_MAX || (*end != ',' && *end != '\0')) {
            bad_option(q, "partitions", text, "\"0,3\"");
            return;
        }
        LEAT__GROW(q->partitions, q->partition_count, room);
        q->partitions[q->partition_count++] = (int32_t)n;
        if (*end == '\0')
            return;
        at = end + 1;
    }
}

/* topic-partition@offset, and more behind commas. */
static bool is_position(const char *text)
{
    while (*text) {
        size_t size = strcspn(text, ",");
        const char *at = memchr(text, '@', size);

        if (!at || at == text || strspn(at + 1, "0123456789") != (size_t)(text + size - at - 1) ||
            at + 1 == text + size)
            return false;
        text += size + (text[size] == ',');
    }
    return true;
}

leat_query_t *leat_query_open(leat_app_t *app, const leat_query_opts_t *opts)
{
    static const leat_query_opts_t defaults;
    leat_query_t *q = leat__must_alloc(sizeof *q);

    opts = opts ? opts : &defaults;
    q->app = app;
    leat__arena_init(&q->scratch);
    q->owner = (leat__owner_t){.fail = on_fail, .scratch = &q->scratch, .read_only = true};
    q->committed = opts->isolation == LEAT_ISOLATION_COMMITTED;
    q->stale = opts->stale;
    q->all = opts->partitions == NULL;
    q->timeout_ms = opts->timeout_ms > 0 ? opts->timeout_ms : TIMEOUT_MS;
    if (opts->partitions)
        read_partitions(q, opts->partitions);
    if (opts->at_least && !is_position(opts->at_least))
        bad_option(q, "at_least", opts->at_least, "\"orders-0@43,orders-1@18\"");
    q->at_least = opts->at_least ? leat__must_strdup(opts->at_least) : NULL;
    return q;
}

int leat_query_close(leat_query_t *q, leat_error_t *err)
{
    int code = q->failure.code;

    if (err)
        *err = q->failure;
    leat__owner_finish(&q->owner);
    while (q->handles) {
        handle_t *h = q->handles;

        q->handles = h->next;
        leat__kv_free(h->kv);
        leat__windows_free(h->windows);
        leat__sessions_free(h->sessions);
        leat__versions_free(h->versions);
        leat__free(h);
    }
    leat__arena_release(&q->scratch);
    leat__buf_release(&q->position);
    leat__free(q->partitions);
    leat__free(q->at_least);
    leat__free(q);
    return code;
}

static bool runs(leat_query_t *q)
{
    leat_state_t state = leat_app_state(q->app);
    leat_error_t err;

    if (q->failure.code)
        return false;
    if (state == LEAT_STATE_RUNNING || state == LEAT_STATE_REBALANCING)
        return true;
    leat__error(&err, LEAT_ESTATE, 0, "query",
        "the app does not run: start it, and wait until it is in LEAT_STATE_RUNNING");
    fail(q, &err);
    return false;
}

static const leat__group_t *group_of(const leat__plan_t *plan, const leat__store_spec_t *spec)
{
    for (size_t g = 0; g < plan->group_count; g++)
        for (size_t i = 0; i < plan->groups[g].store_count; i++)
            if (plan->groups[g].stores[i] == spec)
                return &plan->groups[g];
    return NULL;
}

static const leat__store_spec_t *find_spec(const leat__plan_t *plan, const char *name)
{
    for (size_t i = 0; i < plan->store_count; i++)
        if (!strcmp(plan->stores[i]->name, name) && group_of(plan, plan->stores[i]))
            return plan->stores[i];
    return NULL;
}

/* NULL: failed, and said. */
static handle_t *open_store(leat_query_t *q, const char *name, leat__verb_t verb, const char *what)
{
    const leat__store_spec_t *spec;
    leat_error_t err;
    handle_t *h;

    if (!runs(q))
        return NULL;
    spec = find_spec(q->app->plan, name);
    if (!spec) {
        leat__error(&err, LEAT_EUNKNOWN, 0, "query",
            "no store is named \"%s\": leat_topology_describe() lists them", name);
        fail(q, &err);
        return NULL;
    }
    if (!leat__ask_fits(verb, spec->kind)) {
        leat__error(&err, LEAT_ETYPE, 0, "query", "store %s is not a %s", name, what);
        fail(q, &err);
        return NULL;
    }
    for (h = q->handles; h; h = h->next)
        if (h->spec == spec)
            return h;
    h = leat__must_alloc(sizeof *h);
    h->q = q;
    h->spec = spec;
    h->group = group_of(q->app->plan, spec);
    h->remote = (leat__remote_t){.open = on_open,
        .next = on_next,
        .close = on_close,
        .name = spec->name,
        .kind = spec->kind};
    h->next = q->handles;
    q->handles = h;
    return h;
}

const leat_kv_t *leat_query_kv(leat_query_t *q, const char *store)
{
    handle_t *h = open_store(q, store, LEAT__ASK_GET, "key-value store");

    if (!h)
        return leat__kv_nil(&q->owner);
    if (!h->kv)
        h->kv = leat__kv_remote(
            &h->remote, h->spec->key, h->spec->value, h->spec->changelog, &q->owner);
    return h->kv;
}

const leat_windows_t *leat_query_windows(leat_query_t *q, const char *store)
{
    handle_t *h = open_store(q, store, LEAT__ASK_WINDOW, "window store");

    if (!h)
        return leat__windows_nil(&q->owner);
    if (!h->windows)
        h->windows = leat__windows_remote(
            &h->remote, h->spec->key, h->spec->value, h->spec->changelog, &q->owner);
    return h->windows;
}

const leat_sessions_t *leat_query_sessions(leat_query_t *q, const char *store)
{
    handle_t *h = open_store(q, store, LEAT__ASK_SESSION, "session store");

    if (!h)
        return leat__sessions_nil(&q->owner);
    if (!h->sessions)
        h->sessions = leat__sessions_remote(
            &h->remote, h->spec->key, h->spec->value, h->spec->changelog, &q->owner);
    return h->sessions;
}

const leat_versions_t *leat_query_versions(leat_query_t *q, const char *store)
{
    handle_t *h = open_store(q, store, LEAT__ASK_VERSION, "versioned store");

    if (!h)
        return leat__versions_nil(&q->owner);
    if (!h->versions)
        h->versions = leat__versions_remote(
            &h->remote, h->spec->key, h->spec->value, h->spec->changelog, &q->owner);
    return h->versions;
}

const char *leat_query_position(const leat_query_t *q)
{
    return leat__buf_text((leat__buf_t *)(uintptr_t)&q->position);
}

int64_t leat_query_lag(const leat_query_t *q)
{
    return q->lag;
}

int32_t leat__query_partition(const leat_query_t *q)
{
    return q->partition;
}
