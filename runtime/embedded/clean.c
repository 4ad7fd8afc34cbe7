/*
 * runtime/embedded/clean.c: compaction and retention: what keeps a long-running log's memory
 * bounded.
 *
 * Compaction rewrites the sealed, decided segments at the front of a partition: the last record of
 * each key stays, at its own offset. A tombstone stays until delete.retention.ms after it was
 * written, so that whoever reads with less delay than that sees every deletion (PROTOCOLS.md 9). It
 * starts when half of the bytes are new since the last time. Segments are immutable, so the work
 * itself is done without the log's lock where a keeper thread does it; only the exchange takes it.
 * Retention drops whole segments. DIFFERS: age counts from when the last record was appended, not
 * from the records' own times, so that old data that is played in for a first try does not vanish.
 */
#include <string.h>

#include "base/mem.h"
#include "runtime/embedded/internal.h"

enum { DIRTY_BYTES_MIN = 512 << 10, CHUNK_RECORDS = 16384, CHUNK_BYTES = 1 << 20 };

typedef struct last_t {
    uint64_t hash;
    const leat__raw_t *raw; /* NULL: free */
} last_t;

typedef struct job_t {
    leat__seg_t **old;
    size_t old_count;
    leat__seg_t **fresh;
    size_t fresh_count, fresh_room;
    last_t *table;
    size_t mask;
    size_t records;
    int64_t now_ms, delete_retention_ms;
} job_t;

size_t leat__seg_bytes(const leat__seg_t *s)
{
    return s->size + s->count * sizeof(leat__raw_t);
}

/* Only what could be compacted counts: sealed and decided. */
bool leat__clean_wanted(const leat__part_t *p)
{
    size_t clean = 0, dirty = 0;

    if (p->deleted || !p->topic->compact)
        return false;
    for (size_t i = 0; i < p->seg_count; i++) {
        const leat__seg_t *s = p->segs[i];

        if (i < p->clean_count)
            clean += leat__seg_bytes(s);
        else if (s->sealed && s->end <= p->stable)
            dirty += leat__seg_bytes(s);
    }
    return dirty >= DIRTY_BYTES_MIN && dirty >= clean;
}

/* ---- without the lock: `old` is pinned and does not change ---- */

static last_t *place_of(job_t *j, const leat__raw_t *raw, uint64_t hash)
{
    size_t at = (size_t)hash & j->mask;

    while (j->table[at].raw &&
           (j->table[at].hash != hash || !leat_slice_equal(&j->table[at].raw->key, &raw->key)))
        at = (at + 1) & j->mask;
    return &j->table[at];
}

static void index_keys(job_t *j)
{
    for (size_t i = 0; i < j->old_count; i++) {
        leat__seg_t *s = j->old[i];

        for (uint32_t k = 0; k < s->count; k++) {
            const leat__raw_t *raw = &s->raws[k];
            uint64_t hash = leat__hash(raw->key.data, raw->key.size);

            if (s->hidden[k])
                continue;
            *place_of(j, raw, hash) = (last_t){hash, raw};
        }
    }
}

static bool survives(job_t *j, const leat__seg_t *s, uint32_t k)
{
    const leat__raw_t *raw = &s->raws[k];

    if (s->hidden[k] || place_of(j, raw, leat__hash(raw->key.data, raw->key.size))->raw != raw)
        return false;
    return raw->value.data || s->appended[k] + j->delete_retention_ms >= j->now_ms;
}

typedef struct chunk_t {
    const leat__seg_t **from;
    uint32_t *at;
    uint32_t count;
    size_t bytes;
} chunk_t;

static void chunk_flush(job_t *j, chunk_t *c)
{
    leat__seg_t *s;

    if (c->count == 0)
        return;
    s = leat__seg_new(j->fresh_count ? c->from[0]->raws[c->at[0]].offset : j->old[0]->base,
        c->count, c->bytes, true);
    for (uint32_t i = 0; i < c->count; i++)
        leat__seg_add(
            s, &c->from[i]->raws[c->at[i]], LEAT__NO_PRODUCER, c->from[i]->appended[c->at[i]]);
    s->sealed = true;
    LEAT__GROW(j->fresh, j->fresh_count, j->fresh_room);
    j->fresh[j->fresh_count++] = s;
    c->count = 0;
    c->bytes = 0;
}

static void copy_survivors(job_t *j)
{
    chunk_t c = {.from = leat__must_alloc(CHUNK_RECORDS * sizeof *c.from),
        .at = leat__must_alloc(CHUNK_RECORDS * sizeof *c.at)};

    for (size_t i = 0; i < j->old_count; i++)
        for (uint32_t k = 0; k < j->old[i]->count; k++) {
            size_t bytes = leat__raw_bytes(&j->old[i]->raws[k]);

            if (!survives(j, j->old[i], k))
                continue;
            if (c.count == CHUNK_RECORDS || c.bytes + bytes > CHUNK_BYTES)
                chunk_flush(j, &c);
            c.from[c.count] = j->old[i];
            c.at[c.count++] = k;
            c.bytes += bytes;
        }
    chunk_flush(j, &c);
    leat__free(c.from);
    leat__free(c.at);
}

static void compact(job_t *j)
{
    size_t room = 16;

    while (room < j->records * 2)
        room *= 2;
    j->mask = room - 1;
    j->table = leat__must_alloc(room * sizeof *j->table);
    index_keys(j);
    copy_survivors(j);
    leat__free(j->table);
}

/* ---- with the lock ---- */

static bool gather(leat__part_t *p, job_t *j)
{
    j->old = leat__must_alloc((p->seg_count + 1) * sizeof *j->old);
    for (size_t i = 0; i < p->seg_count; i++) {
        leat__seg_t *s = p->segs[i];

        if (!s->sealed || s->end > p->stable)
            break;
        if (!s->raws && leat__disk_read_seg(p, s))
            break;
        j->old[j->old_count++] = leat__seg_ref(s);
        j->records += s->count;
    }
    j->now_ms = leat__log_wall(p->log);
    j->delete_retention_ms = p->topic->delete_retention_ms;
    return j->old_count > 0;
}

/* Retention or a deletion may have taken segments away meanwhile: then this round is lost. */
static bool unchanged(const leat__part_t *p, const job_t *j)
{
    if (p->deleted || p->seg_count < j->old_count)
        return false;
    return memcmp(p->segs, j->old, j->old_count * sizeof *p->segs) == 0;
}

static void exchange(leat__part_t *p, job_t *j)
{
    size_t rest = p->seg_count - j->old_count;
    leat__seg_t **segs = leat__must_alloc((j->fresh_count + rest + 1) * sizeof *segs);

    leat__disk_replace(p, j->old, j->old_count, j->fresh, j->fresh_count);
    for (size_t i = 0; i < j->old_count; i++) {
        p->memory_bytes -= leat__seg_memory(j->old[i]);
        leat__seg_unref(j->old[i]); /* the partition's reference */
    }
    for (size_t i = 0; i < j->fresh_count; i++) {
        segs[i] = leat__seg_ref(j->fresh[i]);
        p->memory_bytes += leat__seg_memory(j->fresh[i]);
    }
    for (size_t i = 0; i < rest; i++)
        segs[j->fresh_count + i] = p->segs[j->old_count + i];
    leat__free(p->segs);
    p->segs = segs;
    p->seg_count = j->fresh_count + rest;
    p->seg_room = j->fresh_count + rest + 1;
    p->clean_count = j->fresh_count;
    leat__journal_log_start(p); /* also says where the log ends, if no segment is left to say it */
}

static void job_release(job_t *j)
{
    for (size_t i = 0; i < j->old_count; i++)
        leat__seg_unref(j->old[i]);
    for (size_t i = 0; i < j->fresh_count; i++)
        leat__seg_unref(j->fresh[i]);
    leat__free(j->old);
    leat__free(j->fresh);
}

void leat__clean_part(leat__part_t *p)
{
    leat__log_t *log = p->log;
    job_t j = {0};

    if (log->cleaning)
        return;
    leat__part_ref(p);
    if (gather(p, &j)) {
        log->cleaning = true;
        if (log->has_keeper)
            pthread_mutex_unlock(&log->lock);
        compact(&j);
        if (log->has_keeper)
            pthread_mutex_lock(&log->lock);
        log->cleaning = false;
        if (unchanged(p, &j))
            exchange(p, &j);
    }
    job_release(&j);
    leat__part_unref(p);
}

static bool expired(const leat__part_t *p, const leat__seg_t *s, int64_t now_ms)
{
    const leat__etopic_t *t = p->topic;

    if (s->end > p->stable)
        return false;
    if (t->retention_bytes >= 0 && s->sealed && p->memory_bytes > (size_t)t->retention_bytes)
        return true;
    return t->retention_ms >= 0 && now_ms - s->appended_ms > t->retention_ms;
}

void leat__retain_part(leat__part_t *p)
{
    int64_t now_ms = leat__log_wall(p->log);

    if (p->deleted || !p->topic->expire)
        return;
    while (p->seg_count && expired(p, p->segs[0], now_ms))
        leat__part_delete_below(p, p->seg_count > 1 ? p->segs[1]->base : p->next);
}
