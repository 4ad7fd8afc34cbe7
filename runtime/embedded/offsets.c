/*
 * runtime/embedded/offsets.c: committed offsets of groups.
 *
 * An offset sent in a transaction is pending, beside the final one, until the transaction's marker
 * reaches the group coordinator; while one is pending, committed() waits, so that a new owner never
 * starts at the old offset of a transaction that will commit. Which of two final offsets counts is
 * decided by the order in which they were sent (`seq`), not by the order of the markers: two
 * producers that take turns cannot overwrite n+1 with a late n (PROTOCOLS.md, "Tried").
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/embedded/internal.h"

typedef struct pending_t {
    uint32_t pid;
    uint64_t seq;
    int64_t offset;
    char *metadata;
} pending_t;

typedef struct committed_t {
    char *topic;
    int32_t partition;
    bool final;
    uint64_t seq;
    int64_t offset;
    char *metadata;
    pending_t *pending;
    size_t count, room;
} committed_t;

/* Topic names have no '/', so the text is unique. */
static const char *key_of(char *room, size_t size, const char *topic, int32_t partition)
{
    snprintf(room, size, "%s/%d", topic, (int)partition);
    return room;
}

static committed_t *find(leat__group_t *g, const char *topic, int32_t partition)
{
    char key[300];

    return leat__map_get(&g->offsets, key_of(key, sizeof key, topic, partition));
}

static committed_t *get(leat__group_t *g, const char *topic, int32_t partition)
{
    committed_t *c = find(g, topic, partition);
    char key[300];

    if (c)
        return c;
    c = leat__must_alloc(sizeof *c);
    c->topic = leat__must_strdup(topic);
    c->partition = partition;
    leat__map_put(&g->offsets, key_of(key, sizeof key, topic, partition), c);
    return c;
}

/* Takes over metadata. */
static void make_final(committed_t *c, int64_t offset, char *metadata, uint64_t seq)
{
    if (c->final && c->seq > seq) {
        leat__free(metadata);
        return;
    }
    leat__free(c->metadata);
    c->final = true;
    c->offset = offset;
    c->metadata = metadata;
    c->seq = seq;
}

/* Of one producer only the last one sent counts. */
static pending_t *pending_of(committed_t *c, uint32_t pid)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->pending[i].pid == pid) {
            leat__free(c->pending[i].metadata);
            return &c->pending[i];
        }
    LEAT__GROW(c->pending, c->count, c->room);
    return &c->pending[c->count++];
}

void leat__offset_put(leat__group_t *g, const leat__position_t *p, uint32_t pid, uint64_t seq)
{
    committed_t *c = get(g, p->topic, p->partition);
    char *metadata = leat__strdup(p->metadata);

    leat__journal_offset(g, p, pid, seq);
    if (pid == LEAT__NO_PRODUCER)
        make_final(c, p->offset, metadata, seq);
    else
        *pending_of(c, pid) = (pending_t){pid, seq, p->offset, metadata};
}

bool leat__offset_pending(leat__group_t *g, const char *topic, int32_t partition)
{
    committed_t *c = find(g, topic, partition);

    return c && c->count > 0;
}

static void end_one(committed_t *c, uint32_t pid, bool commit)
{
    for (size_t i = 0; i < c->count; i++) {
        pending_t was = c->pending[i];

        if (was.pid != pid)
            continue;
        c->pending[i] = c->pending[--c->count];
        if (commit)
            make_final(c, was.offset, was.metadata, was.seq);
        else
            leat__free(was.metadata);
        return;
    }
}

void leat__offsets_end(leat__log_t *log, uint32_t pid, bool commit)
{
    const char *name, *key;
    void *g, *c;

    leat__journal_offsets_end(log, pid, commit);
    for (size_t at = 0; leat__map_next(&log->groups, &at, &name, &g);)
        for (size_t in = 0; leat__map_next(&((leat__group_t *)g)->offsets, &in, &key, &c);)
            end_one(c, pid, commit);
}

bool leat__offsets_have_pending(leat__log_t *log, uint32_t pid)
{
    const char *name, *key;
    void *g, *c;

    for (size_t at = 0; leat__map_next(&log->groups, &at, &name, &g);)
        for (size_t in = 0; leat__map_next(&((leat__group_t *)g)->offsets, &in, &key, &c);)
            for (size_t i = 0; i < ((committed_t *)c)->count; i++)
                if (((committed_t *)c)->pending[i].pid == pid)
                    return true;
    return false;
}

void leat__offsets_each(leat__group_t *g,
    void (*fn)(void *user, leat__group_t *g, const leat__position_t *p, uint32_t pid, uint64_t seq),
    void *user)
{
    const char *key;
    void *value;

    for (size_t at = 0; leat__map_next(&g->offsets, &at, &key, &value);) {
        committed_t *c = value;

        if (c->final)
            fn(user, g, &(leat__position_t){c->topic, c->partition, c->offset, c->metadata, 0},
                LEAT__NO_PRODUCER, c->seq);
        for (size_t i = 0; i < c->count; i++)
            fn(user, g,
                &(leat__position_t){
                    c->topic, c->partition, c->pending[i].offset, c->pending[i].metadata, 0},
                c->pending[i].pid, c->pending[i].seq);
    }
}

void leat__offsets_forget(leat__group_t *g)
{
    const char *key;
    void *value;

    leat__journal_forget(g);
    for (size_t at = 0; leat__map_next(&g->offsets, &at, &key, &value);)
        ((committed_t *)value)->final = false;
}

static void committed_free(void *value)
{
    committed_t *c = value;

    for (size_t i = 0; i < c->count; i++)
        leat__free(c->pending[i].metadata);
    leat__free(c->pending);
    leat__free(c->metadata);
    leat__free(c->topic);
    leat__free(c);
}

void leat__offsets_release(leat__group_t *g)
{
    leat__map_release(&g->offsets, committed_free);
}

/* ---- asking ---- */

static bool takes_none(leat__log_t *log, const char *group)
{
    size_t left = (size_t)(uintptr_t)leat__map_get(&log->faults.no_offsets, group);

    if (left)
        leat__map_put(&log->faults.no_offsets, group, (void *)(uintptr_t)(left - 1));
    return left > 0;
}

static bool run_committed(leat__log_t *log, leat__request_t *r)
{
    leat__group_t *g = leat__group_get(log, r->group);
    bool none;

    for (size_t i = 0; i < r->count; i++)
        if (leat__offset_pending(g, r->positions[i].topic, r->positions[i].partition))
            return false;
    none = takes_none(log, r->group);
    r->op->positions = leat__positions_copy(r->positions, r->count);
    r->op->position_count = r->count;
    for (size_t i = 0; i < r->count; i++) {
        leat__position_t *p = &r->op->positions[i];
        committed_t *c = find(g, p->topic, p->partition);

        leat__free(p->metadata);
        p->metadata = NULL;
        p->code = 0;
        p->offset = LEAT__OFFSET_NONE;
        if (c && c->final && !none) {
            p->offset = c->offset;
            p->metadata = leat__strdup(c->metadata);
        }
    }
    return true;
}

leat__op_t *leat__admin_committed(
    leat__broker_t *b, const char *group, const leat__position_t *of, size_t count)
{
    leat__request_t *r = leat__request_new(b, LEAT__CALL_COMMITTED, run_committed);

    r->group = leat__must_strdup(group);
    r->positions = leat__positions_copy(of, count);
    r->count = count;
    return leat__request_start(r);
}
