/*
 * statestore/prepare.c: stores without changelog under exactly once (PROTOCOLS.md 20).
 *
 * Their committed entries would be lost by a kill -9 until the next checkpoint, since nothing
 * replays them. So before each commit the dirty ones go to the WAL as a numbered *part*, with a
 * token that says which commit it belongs to. Only the last part is ever in doubt: a newer one
 * exists only if the older one's transaction was committed (an aborted one is deleted by the next
 * prepare). A checkpoint holds what the parts before it hold and deletes them in its last batch.
 *
 *   t<part>                      the token
 *   p<part><store>\0<key>        value: 0 (deleted), or 1 time value
 */
#include "statestore/inside.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "statestore/db.h"

enum { NUMBER_BYTES = 8, HEAD_BYTES = 1 + NUMBER_BYTES };

static leat_slice_t numbered(char kind, uint64_t part, char room[HEAD_BYTES])
{
    room[0] = kind;
    leat__store_be64(room + 1, part);
    return (leat_slice_t){room, HEAD_BYTES};
}

static bool takes_part(const leat__store_t *s)
{
    return !s->has_changelog && !s->resident && !s->custom && s->state->db;
}

/* ---- prepare ---- */

static void prepare_entry(
    leat__batch_t *b, leat__store_t *s, uint64_t part, const leat__entry_t *e, leat__buf_t *key)
{
    leat__view_t v = leat__entry_view(e);
    char head[HEAD_BYTES], value[1 + 8] = {0};
    leat_slice_t start = numbered('p', part, head);
    key->size = 0;
    leat__buf_put(key, start.data, start.size);
    leat__buf_put(key, s->name, strlen(s->name) + 1);
    leat__buf_put(key, e->bytes, e->key_size);
    value[0] = v.size != LEAT__ABSENT;
    leat__store_be64(value + 1, (uint64_t)v.time_ms);
    leat__batch_put(b, leat__db_meta(s->state->db), (leat_slice_t){key->data, key->size},
        (leat_slice_t){value, value[0] ? sizeof value : 1},
        (leat_slice_t){v.data ? v.data : "", value[0] ? v.size : 0});
}

static void delete_part(leat__batch_t *b, leat__family_t *meta, uint64_t from, uint64_t until)
{
    char first[HEAD_BYTES], last[HEAD_BYTES];
    leat__batch_delete_range(b, meta, numbered('p', from, first), numbered('p', until, last));
    leat__batch_delete_range(b, meta, numbered('t', from, first), numbered('t', until, last));
}

void leat__prepare_forget(leat__batch_t *b, leat__family_t *meta, uint64_t last)
{
    if (last)
        delete_part(b, meta, 0, last + 1);
}

int leat__task_state_prepare(leat__task_state_t *state, leat_slice_t token, leat_error_t *err)
{
    size_t dirty = 0;
    for (size_t i = 0; i < state->count; i++)
        if (takes_part(state->stores[i]))
            dirty += state->stores[i]->open.count;
    if (!dirty && !state->part_stale)
        return 0;
    LEAT_ASSERT(!state->part_undecided);
    int code = leat__state_recover(state, err);
    if (code)
        return code;
    leat__batch_t *b = leat__batch_new();
    leat__family_t *meta = leat__db_meta(state->db);
    leat__buf_t key = {0};
    char room[HEAD_BYTES];
    if (state->part_stale)
        delete_part(b, meta, state->part, state->part + 1);
    uint64_t part = state->part + 1;
    for (size_t i = 0; dirty && i < state->count; i++) {
        leat__store_t *s = state->stores[i];
        for (size_t k = 0; takes_part(s) && k < s->open.count; k++)
            prepare_entry(b, s, part, s->open.at[k], &key);
    }
    if (dirty)
        leat__batch_put(b, meta, numbered('t', part, room), (leat_slice_t){NULL, 0}, token);
    code = leat__db_write(state->db, b, err);
    leat__batch_free(b);
    leat__buf_release(&key);
    if (code) {
        state->reopen = true;
        return code;
    }
    state->part_stale = false;
    state->part = part;
    return 0;
}

void leat__prepare_aborted(leat__store_t *s)
{
    if (takes_part(s) && s->open.count && s->state->part)
        s->state->part_stale = true;
}

/* All entries of earlier parts are committed at a time when nothing is dirty; else the last is in
 * doubt. */
uint64_t leat__prepare_decided(const leat__task_state_t *state)
{
    bool dirty = state->part_undecided || state->part_stale;
    for (size_t i = 0; i < state->count; i++)
        dirty = dirty || (takes_part(state->stores[i]) && state->stores[i]->open.count);
    return state->part - (state->part && dirty);
}

/* ---- after a start ---- */

typedef struct found_t {
    leat_slice_t store, key;
    leat_change_t change;
    int64_t time_ms;
    uint64_t part;
} found_t;

static bool parse(leat_slice_t key, leat_slice_t value, found_t *found)
{
    if (key.size < HEAD_BYTES || !value.size || (value.data[0] && value.size < 9))
        return false;
    const char *name = key.data + HEAD_BYTES, *end = memchr(name, 0, key.size - HEAD_BYTES);
    if (!end)
        return false;
    found->part = leat__load_be64(key.data + 1);
    found->store = (leat_slice_t){name, (size_t)(end - name)};
    found->key = (leat_slice_t){end + 1, key.size - (size_t)(end + 1 - key.data)};
    found->change = (leat_change_t){.key = found->key};
    if (value.data[0]) {
        found->time_ms = (int64_t)leat__load_be64(value.data + 1);
        found->change.value = (leat_slice_t){value.data + 9, value.size - 9};
    }
    return true;
}

static leat__store_t *store_named(leat__task_state_t *state, leat_slice_t name)
{
    for (size_t i = 0; i < state->count; i++)
        if (leat_slice_is(&name, state->stores[i]->name))
            return state->stores[i];
    return NULL;
}

static int apply_one(leat__task_state_t *state, const found_t *found, leat_error_t *err)
{
    leat__store_t *s = store_named(state, found->store);
    if (!s || !takes_part(s))
        return 0; /* the topology has changed: the store is gone */
    leat__restore_record_t record = {found->key, found->change.value, found->time_ms};
    return leat__restore_rows(s, &record, 1, s->meta.changelog_next, err);
}

/* Parts in their order, up to `last`. */
static int apply_parts(leat__task_state_t *state, uint64_t last, leat_error_t *err)
{
    leat_slice_t from = {"p", 1}, until = {"q", 1}, key, value;
    leat__db_iter_t *it =
        leat__db_scan(state->db, leat__db_meta(state->db), &from, &until, LEAT_ASCENDING);
    int code;
    while ((code = leat__db_next(it, &key, &value, err)) > 0) {
        found_t found = {0};
        if (!parse(key, value, &found)) {
            code = leat__error(err, LEAT_ESTORE, 0, state->dir, "a prepared entry is damaged");
            break;
        }
        if (found.part > last)
            break;
        code = apply_one(state, &found, err);
        if (code)
            break;
    }
    leat__db_end(it);
    for (size_t i = 0; code >= 0 && i < state->count; i++)
        if (takes_part(state->stores[i]) && leat__restore_write(state->stores[i], err))
            code = LEAT_ESTORE;
    return code < 0 ? code : 0;
}

int leat__prepare_found(leat__task_state_t *state, leat_error_t *err)
{
    leat_slice_t from = {"t", 1}, until = {"u", 1}, key, value;
    leat__db_iter_t *it =
        leat__db_scan(state->db, leat__db_meta(state->db), &from, &until, LEAT_DESCENDING);
    int code = leat__db_next(it, &key, &value, err);
    if (code > 0 && key.size == HEAD_BYTES) {
        state->part = leat__load_be64(key.data + 1);
        state->part_undecided = true;
        state->token = leat__must_alloc(value.size + 1);
        state->token_size = value.size;
        memcpy(state->token, value.data, value.size);
    }
    leat__db_end(it);
    return code < 0 ? code : 0;
}

bool leat__task_state_prepared(leat__task_state_t *state, leat_slice_t *token)
{
    if (!state->part_undecided)
        return false;
    *token = (leat_slice_t){state->token, state->token_size};
    return true;
}

int leat__task_state_resolve(leat__task_state_t *state, bool apply, leat_error_t *err)
{
    if (!state->part_undecided)
        return 0;
    int code = apply_parts(state, state->part - !apply, err);
    if (code)
        return code;
    leat__batch_t *b = leat__batch_new();
    leat__prepare_forget(b, leat__db_meta(state->db), state->part);
    code = leat__db_write(state->db, b, err);
    leat__batch_free(b);
    if (!code)
        state->part_undecided = false;
    return code;
}
