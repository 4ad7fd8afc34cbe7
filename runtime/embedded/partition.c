/*
 * runtime/embedded/partition.c: the log of one partition: offsets, ends, and what a reader may see.
 *
 *   log_start <= ... records and markers, each with an offset ... <= stable <= next
 *
 * `next` is the high watermark: there is one replica.
 *
 * A marker takes an offset and nothing else: it is a gap between records, as compaction leaves
 * gaps. `stable` (the LSO) is the first offset of the oldest open transaction, else `next`. A
 * read_committed reader stops at `stable`; everything below is decided, so a record there is either
 * visible for good or hidden (its transaction was aborted).
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

enum {
    FIRST_RECORDS = 32,
    FIRST_BYTES = 2048,          /* a topic that nearly nothing is written to stays small */
    FIRST_FILE_BYTES = 64 << 10, /* a segment is a file on disk: not too many of them */
    RECORDS_MAX = 16384,
    BYTES_MAX = 1 << 20
};

leat__part_t *leat__part_new(leat__etopic_t *t, int32_t number)
{
    leat__part_t *p = leat__must_alloc(sizeof *p);

    p->log = t->log;
    p->topic = t;
    p->topic_name = leat__must_strdup(t->name);
    p->number = number;
    p->refs = 1;
    p->active_fd = -1;
    return p;
}

leat__part_t *leat__part_ref(leat__part_t *p)
{
    p->refs++;
    return p;
}

void leat__part_unref(leat__part_t *p)
{
    if (!p || --p->refs > 0)
        return;
    leat__disk_close_part(p);
    for (size_t i = 0; i < p->seg_count; i++)
        leat__seg_unref(p->segs[i]);
    leat__free(p->segs);
    leat__free(p->open);
    leat__free(p->topic_name);
    leat__free(p);
}

void leat__part_changed(leat__part_t *p)
{
    for (leat__slot_t *s = p->slots; s; s = s->next) {
        if (s->told_end == leat__part_end(p, s->committed) && !p->deleted)
            continue; /* an open transaction grew: nothing to see for this one */
        s->told_ready = s->told_code = false;
        leat__reader_signal(s->reader);
    }
}

int64_t leat__part_end(const leat__part_t *p, bool committed)
{
    return committed ? p->stable : p->next;
}

void leat__part_update_stable(leat__part_t *p)
{
    p->stable = p->next;
    for (size_t i = 0; i < p->open_count; i++)
        if (p->open[i].first < p->stable)
            p->stable = p->open[i].first;
}

/* ---- segments ---- */

leat__seg_t *leat__part_push_seg(leat__part_t *p, leat__seg_t *s)
{
    if (p->seg_count)
        p->segs[p->seg_count - 1]->sealed = true;
    LEAT__GROW(p->segs, p->seg_count, p->seg_room);
    p->segs[p->seg_count++] = s;
    p->memory_bytes += leat__seg_memory(s);
    return s;
}

void leat__part_drop_first(leat__part_t *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        p->memory_bytes -= leat__seg_memory(p->segs[i]);
        leat__disk_drop_seg(p, p->segs[i]);
        leat__seg_unref(p->segs[i]);
    }
    p->seg_count -= count;
    memmove(p->segs, p->segs + count, p->seg_count * sizeof *p->segs);
    p->clean_count -= p->clean_count < count ? p->clean_count : count;
}

/* A new one of twice the room of the last. */
static leat__seg_t *next_seg(leat__part_t *p, size_t bytes)
{
    leat__seg_t *last = p->seg_count ? p->segs[p->seg_count - 1] : NULL;
    size_t size_room = p->log->disk ? FIRST_FILE_BYTES : FIRST_BYTES;
    uint32_t room = p->log->disk ? FIRST_FILE_BYTES / 64 : FIRST_RECORDS;

    if (last && last->room >= room) {
        room = last->room < RECORDS_MAX / 2 ? last->room * 2 : RECORDS_MAX;
        size_room = last->size_room < BYTES_MAX / 2 ? last->size_room * 2 : BYTES_MAX;
    }
    if (size_room < bytes)
        size_room = bytes;
    leat__disk_grown(p->log);
    return leat__part_push_seg(p, leat__seg_new(p->next, room, size_room, p->topic->compact));
}

leat__seg_t *leat__part_tail(leat__part_t *p)
{
    leat__seg_t *last = p->seg_count ? p->segs[p->seg_count - 1] : NULL;

    return last && !last->sealed ? last : next_seg(p, 0);
}

void leat__part_add_raw(leat__part_t *p, const leat__raw_t *raw, uint32_t owner, int64_t now_ms)
{
    leat__seg_t *s = p->seg_count ? p->segs[p->seg_count - 1] : NULL;

    if (!s || !leat__seg_fits(s, raw))
        s = next_seg(p, leat__raw_bytes(raw));
    leat__seg_add(s, raw, owner, now_ms);
    p->next = raw->offset + 1;
}

/* ---- appending ---- */

bool leat__part_has_open(const leat__part_t *p, uint32_t pid)
{
    for (size_t i = 0; i < p->open_count; i++)
        if (p->open[i].pid == pid)
            return true;
    return false;
}

void leat__part_open_txn(leat__part_t *p, uint32_t pid, int64_t first)
{
    if (leat__part_has_open(p, pid))
        return;
    LEAT__GROW(p->open, p->open_count, p->open_room);
    p->open[p->open_count++] = (leat__open_txn_t){pid, first};
}

int64_t leat__part_append(leat__part_t *p, const leat__pack_t *pack, uint32_t pid)
{
    const char *at = pack->bytes.data, *end = at + pack->bytes.size, *run = at;
    int64_t base = p->next, now_ms = leat__log_wall(p->log);
    size_t before = p->seg_count;
    leat__seg_t *filling = NULL;
    uint32_t in_run = 0;
    leat__raw_t raw;

    if (pid != LEAT__NO_PRODUCER)
        leat__part_open_txn(p, pid, base);
    for (const char *start = at; leat__pack_next(&at, end, base, &raw); start = at) {
        leat__seg_t *s;

        leat__part_add_raw(p, &raw, pid, now_ms);
        s = p->segs[p->seg_count - 1];
        if (s != filling && in_run) {
            leat__disk_append(p, filling, base, pid, run, (size_t)(start - run), in_run);
            run = start;
            in_run = 0;
        }
        filling = s;
        in_run++;
    }
    if (in_run)
        leat__disk_append(p, filling, base, pid, run, (size_t)(end - run), in_run);
    LEAT_DASSERT(at == end && p->next == base + pack->count);
    leat__part_update_stable(p);
    leat__part_changed(p);
    if (p->seg_count != before && leat__clean_wanted(p))
        leat__log_nudge(p->log);
    return base;
}

static void hide(leat__part_t *p, const leat__open_txn_t *txn)
{
    for (size_t i = p->seg_count; i-- > 0 && p->segs[i]->end > txn->first;) {
        leat__seg_t *s = p->segs[i];

        for (uint32_t k = leat__seg_find(s, txn->first); k < s->count; k++)
            if (s->owners[k] == txn->pid && !s->hidden[k]) {
                s->hidden[k] = 1;
                s->hidden_count++;
            }
    }
}

void leat__part_apply_marker(leat__part_t *p, uint32_t pid, bool commit)
{
    for (size_t i = 0; i < p->open_count; i++)
        if (p->open[i].pid == pid) {
            if (!commit)
                hide(p, &p->open[i]);
            p->open[i] = p->open[--p->open_count];
            break;
        }
    p->next++;
    leat__part_update_stable(p);
}

void leat__part_marker(leat__part_t *p, uint32_t pid, bool commit)
{
    leat__disk_marker(p, pid, commit, p->next);
    leat__part_apply_marker(p, pid, commit);
    leat__part_changed(p);
}

/* ---- reading ---- */

/* The last segment that starts at or below the offset. */
static size_t seg_at(const leat__part_t *p, int64_t offset)
{
    size_t low = 0, high = p->seg_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (p->segs[middle]->base <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? low - 1 : 0;
}

typedef struct cursor_t {
    size_t seg;
    uint32_t at;
} cursor_t;

static bool seg_ready(leat__part_t *p, leat__seg_t *s)
{
    return s->raws || leat__disk_read_seg(p, s) == 0;
}

/* Moves to the next record below limit that the reader may see. 1: there; 0: none; negative:
 * unreadable. */
static int find_visible(
    leat__part_t *p, cursor_t *c, int64_t position, int64_t limit, bool committed)
{
    for (; c->seg < p->seg_count; c->seg++, c->at = 0) {
        leat__seg_t *s = p->segs[c->seg];

        if (s->end <= position || c->at >= s->count)
            continue;
        if (s->base >= limit)
            return 0;
        if (!seg_ready(p, s))
            return LEAT_EIO;
        if (s->raws[c->at].offset < position)
            c->at = leat__seg_find(s, position);
        while (committed && s->hidden_count && c->at < s->count && s->hidden[c->at])
            c->at++;
        if (c->at < s->count)
            return s->raws[c->at].offset < limit;
    }
    return 0;
}

static uint32_t visible_run(
    const leat__seg_t *s, uint32_t at, int64_t limit, bool committed, size_t max)
{
    uint32_t stop = limit >= s->end ? s->count : leat__seg_find(s, limit);
    uint32_t run = stop - at;

    if (run > max)
        run = (uint32_t)max;
    if (committed && s->hidden_count) {
        const uint8_t *first = memchr(s->hidden + at, 1, run);

        if (first)
            run = (uint32_t)(first - (s->hidden + at));
    }
    return run;
}

bool leat__part_read(
    leat__part_t *p, int64_t position, bool committed, size_t max, leat__batch_t *batch)
{
    int64_t limit = leat__part_end(p, committed);
    cursor_t c = {seg_at(p, position), 0};
    int found = find_visible(p, &c, position, limit, committed);

    memset(batch, 0, sizeof *batch);
    batch->next = position;
    if (found > 0) {
        leat__seg_t *s = p->segs[c.seg];

        batch->records = s->raws + c.at;
        batch->count = visible_run(s, c.at, limit, committed, max ? max : 1);
        for (size_t i = 0; i < batch->count; i++)
            batch->bytes += batch->records[i].key.size + batch->records[i].value.size;
        batch->native = leat__seg_ref(s);
        c.at += (uint32_t)batch->count;
        batch->next = batch->records[batch->count - 1].offset + 1;
        found = find_visible(p, &c, batch->next, limit, committed);
    }
    if (found == 0) { /* markers and aborted records up to the end are passed over at once */
        batch->at_end = true;
        if (batch->next < limit)
            batch->next = limit;
    } else if (found < 0 && batch->count == 0) {
        batch->code = found;
    }
    return batch->count > 0;
}

int64_t leat__part_at_time(leat__part_t *p, int64_t time_ms)
{
    for (size_t i = 0; i < p->seg_count; i++) {
        leat__seg_t *s = p->segs[i];

        if (s->latest_ms < time_ms || !seg_ready(p, s))
            continue;
        for (uint32_t k = 0; k < s->count; k++)
            if (s->raws[k].time_ms >= time_ms && s->raws[k].offset >= p->log_start)
                return s->raws[k].offset;
    }
    return p->next;
}

void leat__part_delete_below(leat__part_t *p, int64_t offset)
{
    size_t drop = 0;

    if (offset <= p->log_start)
        return;
    p->log_start = offset;
    leat__journal_log_start(p);
    while (drop < p->seg_count && p->segs[drop]->end <= offset)
        drop++;
    if (drop)
        leat__part_drop_first(p, drop);
    leat__part_changed(p);
}
