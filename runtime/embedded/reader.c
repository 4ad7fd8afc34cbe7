/*
 * runtime/embedded/reader.c: reading partitions, each from its own position.
 *
 * Nothing is fetched ahead: a batch points into the log's own segment and holds a reference to it.
 * So an unread slot costs nothing, and a batch that is kept only delays the freeing of its segment.
 *
 * reader_wait tells of a slot once: if nobody takes from it (its task is full), it does not count
 * again until something new arrives there, or the next wait would spin.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

struct leat__reader_t {
    leat__client_t *client;
    bool committed;
    leat__slot_t **slots; /* NULL: free */
    size_t count, room;
    pthread_cond_t cond;
    bool woken;
};

leat__reader_t *leat__reader_open(
    leat__broker_t *b, const leat__reader_opts_t *o, leat_error_t *err)
{
    leat__reader_t *r = leat__must_alloc(sizeof *r);

    leat__error_clear(err);
    r->client = leat__client_of(b);
    r->committed = o->read_committed;
    leat__cond_init(&r->cond);
    return r;
}

void leat__reader_signal(leat__reader_t *r)
{
    pthread_cond_signal(&r->cond);
}

/* ---- slots ---- */

static void detach(leat__slot_t *s)
{
    if (!s->part)
        return;
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    leat__part_unref(s->part);
    s->part = NULL;
}

static void attach(leat__slot_t *s, leat__part_t *p)
{
    s->part = leat__part_ref(p);
    s->next = p->slots;
    s->link = &p->slots;
    if (s->next)
        s->next->link = &s->next;
    p->slots = s;
}

/* The partition by name: after the topic was deleted and made anew it is another one. */
static leat__part_t *part_of(leat__slot_t *s)
{
    leat__part_t *p;

    if (s->part && !s->part->deleted)
        return s->part;
    detach(s);
    p = leat__part_find(s->reader->client->log, s->topic, s->partition);
    if (p)
        attach(s, p);
    return p;
}

static void slot_free(leat__slot_t *s)
{
    detach(s);
    leat__free(s->topic);
    leat__free(s);
}

void leat__reader_close(leat__reader_t *r)
{
    leat__log_enter(r->client->log);
    for (size_t i = 0; i < r->count; i++)
        if (r->slots[i])
            slot_free(r->slots[i]);
    leat__log_leave(r->client->log);
    pthread_cond_destroy(&r->cond);
    leat__free(r->slots);
    leat__free(r);
}

static int slot_place(leat__reader_t *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (!r->slots[i])
            return (int)i;
    LEAT__GROW(r->slots, r->count, r->room);
    r->slots[r->count] = NULL;
    return (int)r->count++;
}

int leat__reader_add(
    leat__reader_t *r, const char *topic, int32_t partition, int64_t offset, leat_error_t *err)
{
    leat__log_t *log = r->client->log;
    leat__slot_t *s;
    int place = -1;

    leat__error_clear(err);
    leat__log_enter(log);
    if (!leat__part_find(log, topic, partition)) {
        leat__error(err, LEAT_ETOPIC, 0, topic,
            "topic %s has no partition %d: create the topic first", topic, (int)partition);
        goto out;
    }
    s = leat__must_alloc(sizeof *s);
    s->reader = r;
    s->committed = r->committed;
    s->topic = leat__must_strdup(topic);
    s->partition = partition;
    s->position = offset;
    s->told_end = -1;
    place = slot_place(r);
    r->slots[place] = s;
    part_of(s);
out:
    leat__log_leave(log);
    return place;
}

void leat__reader_remove(leat__reader_t *r, int slot)
{
    leat__log_enter(r->client->log);
    slot_free(r->slots[slot]);
    r->slots[slot] = NULL;
    leat__log_leave(r->client->log);
}

void leat__reader_seek(leat__reader_t *r, int slot, int64_t offset)
{
    leat__slot_t *s = r->slots[slot];

    leat__log_enter(r->client->log);
    s->position = offset;
    s->told_end = -1;
    s->told_code = s->told_ready = false;
    leat__log_leave(r->client->log);
}

int64_t leat__reader_high_watermark(leat__reader_t *r, int slot)
{
    leat__part_t *p;
    int64_t end;

    leat__log_enter(r->client->log);
    p = part_of(r->slots[slot]);
    end = p ? p->next : -1;
    leat__log_leave(r->client->log);
    return end;
}

/* ---- taking ---- */

static bool out_of_range(const leat__slot_t *s, const leat__part_t *p)
{
    return !p || s->position < p->log_start || s->position > p->next;
}

static bool has_something(leat__slot_t *s)
{
    leat__part_t *p = part_of(s);
    int64_t end;

    if (out_of_range(s, p))
        return !s->told_code;
    end = leat__part_end(p, s->committed);
    return s->position < end || s->told_end != end;
}

static bool tell_code(leat__slot_t *s, leat__batch_t *batch, int code)
{
    batch->code = code;
    batch->next = s->position;
    if (s->told_code)
        return false;
    s->told_code = true;
    return true;
}

static bool take(leat__slot_t *s, size_t max, leat__batch_t *batch)
{
    leat__part_t *p;

    if (leat__client_down(s->reader->client) || !has_something(s))
        return false;
    s->told_ready = false;
    p = part_of(s);
    if (out_of_range(s, p))
        return tell_code(s, batch, LEAT_ETOPIC);
    leat__part_read(p, s->position, s->committed, max, batch);
    if (batch->code)
        return tell_code(s, batch, batch->code);
    s->position = batch->next;
    s->told_end = batch->at_end ? leat__part_end(p, s->committed) : -1;
    return true;
}

bool leat__reader_take(leat__reader_t *r, int slot, size_t max, leat__batch_t *batch)
{
    bool some;

    memset(batch, 0, sizeof *batch);
    leat__log_enter(r->client->log);
    some = take(r->slots[slot], max, batch);
    leat__log_leave(r->client->log);
    return some;
}

void leat__reader_release(leat__reader_t *r, leat__batch_t *batch)
{
    (void)r;
    leat__seg_unref(batch->native);
    memset(batch, 0, sizeof *batch);
}

const leat_headers_t *leat__reader_headers(
    leat__reader_t *r, const leat__raw_t *raw, leat__arena_t *scratch)
{
    (void)r;
    return leat__raw_headers(raw, scratch);
}

/* ---- waiting ---- */

static bool any_ready(leat__reader_t *r)
{
    bool ready = r->woken;

    r->woken = false;
    if (leat__client_down(r->client))
        return ready;
    for (size_t i = 0; i < r->count; i++) {
        leat__slot_t *s = r->slots[i];

        if (!s || s->told_ready || !has_something(s))
            continue;
        s->told_ready = true;
        ready = true;
    }
    return ready;
}

/* Under a manual clock time does not pass by itself: there it only looks. */
bool leat__reader_wait(leat__reader_t *r, int64_t timeout_ms)
{
    leat__log_t *log = r->client->log;
    struct timespec until = leat__deadline(timeout_ms > 0 ? timeout_ms : 0);
    bool ready;
    int rc = 0;

    leat__log_enter(log);
    ready = any_ready(r);
    while (!ready && timeout_ms > 0 && rc != ETIMEDOUT && !(log->clock && log->clock->manual)) {
        rc = pthread_cond_timedwait(&r->cond, &log->lock, &until);
        ready = any_ready(r);
    }
    leat__log_leave(log);
    return ready;
}

void leat__reader_wake(leat__reader_t *r)
{
    leat__log_enter(r->client->log);
    r->woken = true;
    leat__reader_signal(r);
    leat__log_leave(r->client->log);
}
