/*
 * runtime/embedded/segment.c: a run of records in memory: one array of records, one block with
 * their bytes.
 *
 * Neither ever moves: a segment is made with its final room, filled by appending, and then sealed.
 * So a reader may keep pointers into the filled part without the log's lock, as long as it holds a
 * reference; what is appended behind, dropped or compacted away meanwhile does not touch it. Only
 * `hidden` (records of aborted transactions) changes afterwards, and is looked at under the lock
 * only.
 */
#include <string.h>

#include "base/mem.h"
#include "runtime/embedded/internal.h"

leat__seg_t *leat__seg_new(int64_t base, uint32_t room, size_t size_room, bool per_record_time)
{
    leat__seg_t *s = leat__must_alloc(sizeof *s);

    atomic_init(&s->refs, 1);
    s->base = s->end = s->file_base = base;
    s->room = room;
    s->size_room = size_room;
    s->latest_ms = INT64_MIN;
    s->raws = leat__must_alloc(room * sizeof *s->raws);
    s->hidden = leat__must_alloc(room);
    s->owners = leat__must_alloc(room * sizeof *s->owners);
    if (per_record_time)
        s->appended = leat__must_alloc(room * sizeof *s->appended);
    s->data =
        leat__must_alloc(size_room + 1); /* an empty value at the very end still has an address */
    return s;
}

leat__seg_t *leat__seg_ref(leat__seg_t *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void leat__seg_unref(leat__seg_t *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    leat__free(s->raws);
    leat__free(s->hidden);
    leat__free(s->owners);
    leat__free(s->appended);
    leat__free(s->data);
    leat__free(s);
}

size_t leat__seg_memory(const leat__seg_t *s)
{
    size_t each = sizeof *s->raws + sizeof *s->owners + 1 + (s->appended ? sizeof *s->appended : 0);

    return s->raws ? sizeof *s + s->room * each + s->size_room : sizeof *s;
}

bool leat__seg_fits(const leat__seg_t *s, const leat__raw_t *raw)
{
    return !s->sealed && s->count < s->room && leat__raw_bytes(raw) <= s->size_room - s->size;
}

static leat_slice_t copy_in(leat__seg_t *s, leat_slice_t bytes)
{
    leat_slice_t copy = {NULL, bytes.size};

    if (!bytes.data)
        return copy;
    copy.data = s->data + s->size;
    if (bytes.size)
        memcpy(s->data + s->size, bytes.data, bytes.size);
    s->size += bytes.size;
    return copy;
}

void leat__seg_add(leat__seg_t *s, const leat__raw_t *raw, uint32_t owner, int64_t now_ms)
{
    leat__raw_t *own = &s->raws[s->count];
    size_t headers_size = leat__raw_headers_size(raw);

    own->offset = raw->offset;
    own->time_ms = raw->time_ms;
    own->key = copy_in(s, raw->key);
    own->value = copy_in(s, raw->value);
    own->native = NULL;
    if (headers_size)
        own->native = (void *)(uintptr_t)copy_in(s, (leat_slice_t){raw->native, headers_size}).data;
    s->owners[s->count] = owner;
    if (s->appended)
        s->appended[s->count] = now_ms;
    s->appended_ms = now_ms;
    if (raw->time_ms > s->latest_ms)
        s->latest_ms = raw->time_ms;
    s->end = raw->offset + 1;
    s->count++;
}

uint32_t leat__seg_find(const leat__seg_t *s, int64_t offset)
{
    uint32_t low = 0, high = s->count;

    if (offset <= s->base)
        return 0;
    if (offset >= s->end)
        return s->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (s->raws[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
