/*
 * runtime/embedded/transaction.c: the transaction coordinator.
 *
 *   EMPTY --first write--> ONGOING --end--> COMMITTING or ABORTING --all markers written--> EMPTY
 *
 * A transaction is *decided* when it leaves ONGOING; the answer goes to the writer then, and the
 * markers are written one by one, per partition, which a fault may delay: until the last one the
 * writer's next transaction waits (Kafka's CONCURRENT_TRANSACTIONS, which clients retry by
 * themselves), readers stand at the stable end, and committed() waits. Whoever initialises the same
 * id, or its timeout, aborts what is open and raises the epoch: a writer with an older epoch is
 * fenced. Kafka's coordinator looks for timeouts now and then only, so one ends between once and
 * twice its timeout.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

leat__txn_t *leat__txn_get(leat__log_t *log, const char *id)
{
    leat__txn_t *t = leat__map_get(&log->txns, id);

    if (t)
        return t;
    t = leat__must_alloc(sizeof *t);
    t->id = leat__must_strdup(id);
    t->pid = log->next_pid++;
    t->epoch = -1;
    leat__map_put(&log->txns, id, t);
    return t;
}

leat__txn_t *leat__txn_by_pid(leat__log_t *log, uint32_t pid)
{
    const char *id;
    void *t;

    for (size_t at = 0; leat__map_next(&log->txns, &at, &id, &t);)
        if (((leat__txn_t *)t)->pid == pid)
            return t;
    return NULL;
}

void leat__txn_free(void *txn)
{
    leat__txn_t *t = txn;

    for (size_t i = 0; i < t->part_count; i++)
        leat__part_unref(t->parts[i]);
    leat__free(t->parts);
    leat__free(t->id);
    leat__free(t);
}

bool leat__txn_busy(const leat__txn_t *t)
{
    return t->state == TXN_COMMITTING || t->state == TXN_ABORTING;
}

void leat__txn_enter(leat__log_t *log, leat__txn_t *t)
{
    if (t->state != TXN_EMPTY)
        return;
    t->state = TXN_ONGOING;
    t->until_ms = leat__log_now(log) + t->timeout_ms;
    if (t->timeout_ms > 0)
        t->until_ms += (int64_t)(leat__log_random(log) % (uint64_t)t->timeout_ms);
    leat__journal_txn(log, t);
    leat__log_nudge(log);
}

void leat__txn_add(leat__log_t *log, leat__txn_t *t, leat__part_t *p)
{
    leat__txn_enter(log, t);
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i] == p)
            return;
    LEAT__GROW(t->parts, t->part_count, t->part_room);
    t->parts[t->part_count++] = leat__part_ref(p);
}

void leat__txn_write_markers(leat__log_t *log, leat__txn_t *t)
{
    bool commit = t->state == TXN_COMMITTING;

    if (!leat__txn_busy(t))
        return;
    for (size_t i = t->part_count; i-- > 0;) {
        leat__part_t *p = t->parts[i];

        if (!p->deleted && leat__marker_delayed(log, p->topic_name, p->number))
            continue;
        if (!p->deleted)
            leat__part_marker(p, t->pid, commit);
        leat__part_unref(p);
        t->parts[i] = t->parts[--t->part_count];
    }
    if (t->offsets && !leat__marker_delayed(log, LEAT__OFFSETS_TOPIC, -1)) {
        leat__offsets_end(log, t->pid, commit);
        t->offsets = false;
    }
    if (t->part_count || t->offsets)
        return;
    t->last_committed = commit;
    t->state = TXN_EMPTY;
    leat__journal_txn(log, t);
    leat__requests_run(log);
}

void leat__txn_write_all_markers(leat__log_t *log)
{
    const char *id;
    void *t;

    for (size_t at = 0; leat__map_next(&log->txns, &at, &id, &t);)
        leat__txn_write_markers(log, t);
    leat__requests_run(log);
}

void leat__txn_end(leat__log_t *log, leat__txn_t *t, bool commit)
{
    if (t->state == TXN_EMPTY) { /* nothing was written: nothing to decide */
        t->last_committed = commit;
        return;
    }
    t->state = commit ? TXN_COMMITTING : TXN_ABORTING;
    leat__journal_txn(log, t);
    leat__txn_write_markers(log, t);
}

bool leat__txn_init(leat__log_t *log, leat__txn_t *t, int64_t timeout_ms)
{
    if (t->state == TXN_ONGOING) {
        t->epoch++; /* the old writer is fenced from here on, before the abort is through */
        leat__txn_end(log, t, false);
    }
    if (leat__txn_busy(t))
        return false;
    t->epoch++;
    if (timeout_ms > 0)
        t->timeout_ms = timeout_ms;
    leat__journal_txn(log, t);
    return true;
}

void leat__txn_tick(leat__log_t *log, int64_t now_ms)
{
    const char *id;
    void *value;

    for (size_t at = 0; leat__map_next(&log->txns, &at, &id, &value);) {
        leat__txn_t *t = value;

        if (t->state != TXN_ONGOING || now_ms < t->until_ms)
            continue;
        leat__log(LEAT_LOG_INFO, "embedded", NULL,
            "transaction of %s aborted: open for longer than its timeout of %lld ms", t->id,
            (long long)t->timeout_ms);
        t->epoch++;
        leat__txn_end(log, t, false);
    }
}

/* ---- fencing other processes' ids ---- */

static bool run_fence(leat__log_t *log, leat__request_t *r)
{
    /* Those that wait do not keep the others: each id is asked in turn, the done ones are not asked
     * again. */
    size_t left = 0;

    for (size_t i = 0; i < r->count; i++) {
        if (!r->names[i])
            continue;
        if (leat__txn_init(log, leat__txn_get(log, r->names[i]), 0)) {
            leat__free(r->names[i]);
            r->names[i] = NULL;
        } else {
            left++;
        }
    }
    return left == 0;
}

leat__op_t *leat__admin_fence(leat__broker_t *b, const char *const *ids, size_t count)
{
    leat__request_t *r = leat__request_new(b, LEAT__CALL_FENCE, run_fence);

    r->names = leat__names_copy(ids, count);
    r->count = count;
    return leat__request_start(r);
}
