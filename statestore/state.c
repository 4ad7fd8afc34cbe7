/*
 * statestore/state.c: all stores of one task: opening and closing, notes.
 *
 * A task's directory holds one database, DIR/rocksdb. What cannot be trusted (corrupt, of another
 * format) is renamed to DIR/rocksdb.bad-<wall_ms> and the stores are rebuilt; what is merely in the
 * way (permissions, a lock, a full disk) is an error. Age concerns each store by itself: beneath.c.
 */
#include "statestore/inside.h"
#include "statestore/shape.h"

#include "base/log.h"
#include "base/mem.h"
#include "statestore/db.h"
#include "statestore/disk.h"

#include <inttypes.h>

#define FORMAT "1" /* of everything below DIR/rocksdb */

static const leat_slice_t none = {NULL, 0};

/* ---- the database ---- */

static char *database_path(const leat__task_state_t *state)
{
    return leat__must_format("%s/rocksdb", state->dir);
}

static int write_format(leat__db_t *db, leat_error_t *err)
{
    leat__batch_t *b = leat__batch_new();
    leat__batch_put(b, leat__db_meta(db), leat_slice("v"), none, leat_slice(FORMAT));
    int code = leat__db_write(db, b, err);
    leat__batch_free(b);
    return code;
}

/* Why local state must not be used; NULL: it may. *code: the check itself failed. */
static const char *check_format(leat__db_t *db, int *code, leat_error_t *err)
{
    leat_slice_t format;
    void *pin;
    *code = leat__db_get(db, leat__db_meta(db), leat_slice("v"), &format, &pin, err);
    if (*code == 1 && !leat__db_family_at(db, 0)) {
        *code = write_format(db, err);
        return NULL;
    }
    const char *why = NULL;
    if (*code == 1)
        why = "it has no format version";
    else if (*code == 0 && !leat_slice_is(&format, FORMAT))
        why = "it has another format version";
    if (*code >= 0)
        leat__db_unpin(pin);
    *code = *code < 0 ? *code : 0;
    return why;
}

/* A look at the first and last row of each family, so that plain damage is met here, where all can
 * be set aside, and not by the first record. */
static int look_into(leat__db_t *db, leat_error_t *err)
{
    leat__family_t *f;
    int code = 0;
    for (size_t i = 0; code >= 0 && (f = leat__db_family_at(db, i)); i++)
        for (int way = LEAT_ASCENDING; code >= 0 && way <= LEAT_DESCENDING; way++) {
            leat_slice_t key, value;
            leat__db_iter_t *it = leat__db_scan(db, f, &none, &none, (leat_order_t)way);
            code = leat__db_next(it, &key, &value, err);
            leat__db_end(it);
        }
    return code < 0 ? code : 0;
}

static const char *distrust(leat__task_state_t *state, int *code, leat_error_t *err)
{
    const char *why = check_format(state->db, code, err);
    if (!*code && !why)
        *code = look_into(state->db, err);
    return why;
}

static int open_once(
    leat__task_state_t *state, const char *path, bool *set_aside, leat_error_t *err)
{
    leat__db_opts_t opts = {state->block_cache, state->memtable_bytes};
    int code = leat__db_open(&state->db, path, &opts, set_aside, err);
    if (code)
        return code;
    const char *why = distrust(state, &code, err);
    if (!code && !why)
        code = leat__prepare_found(state, err);
    *set_aside = why != NULL || leat__db_damaged(state->db);
    if (code || why) {
        leat__db_close(state->db);
        state->db = NULL;
    }
    return why ? leat__error(err, LEAT_ESTORE, 0, path, "local state is not used: %s", why) : code;
}

static int open_database(leat__task_state_t *state, leat_error_t *err)
{
    char *path = database_path(state);
    leat_error_t why = {0};
    bool set_aside = false;
    int code = open_once(state, path, &set_aside, &why);
    if (code && set_aside) {
        leat__log(LEAT_LOG_WARN, "store", NULL, "%s: %s", why.where, why.text);
        code = leat__disk_set_aside(path, state->opened_ms, &why);
        if (!code)
            code = open_once(state, path, &set_aside, &why);
    }
    leat__free(path);
    if (code && err)
        *err = why;
    return code;
}

int leat__task_state_open(
    leat__task_state_t **out, const leat__task_state_opts_t *opts, leat_error_t *err)
{
    leat__task_state_t *state = leat__must_alloc(sizeof *state);
    *out = NULL;
    leat__error_clear(err);
    state->dir = opts->dir ? leat__must_strdup(opts->dir) : NULL;
    state->budget = opts->budget ? opts->budget : &state->own_budget;
    state->age_max_ms = opts->age_max_ms;
    state->opened_ms = state->checkpoint_ms = opts->wall_ms;
    state->memtable_bytes = opts->memtable_bytes;
    state->block_cache = opts->block_cache;
    int code = state->dir ? leat__disk_make(state->dir, err) : 0;
    if (!code && state->dir)
        code = open_database(state, err);
    if (code) {
        leat__task_state_close(state);
        return code;
    }
    *out = state;
    return 0;
}

static void store_free(leat__store_t *s)
{
    if (s->custom)
        leat__custom_close(s);
    leat__buffer_drop(s);
    leat__beneath_close(s);
    leat__shape_close(s);
    leat__free(s->name);
    leat__free(s);
}

void leat__task_state_close(leat__task_state_t *state)
{
    if (!state)
        return;
    leat__checkpoint_settle(state);
    LEAT_ASSERT(state->cursors == 0);
    for (size_t i = 0; i < state->count; i++)
        store_free(state->stores[i]);
    bool damaged = state->db && leat__db_damaged(state->db);
    leat__db_close(state->db);
    if (damaged) {
        char *path = database_path(state);
        leat__disk_set_aside(path, state->opened_ms, NULL);
        leat__free(path);
    }
    for (size_t i = 0; i < state->note_count; i++) {
        leat__free(state->notes[i].name);
        leat__free(state->notes[i].bytes);
    }
    leat__free(state->notes);
    leat__free(state->stores);
    leat__free(state->token);
    leat__free(state->dir);
    leat__free(state);
}

/* ---- stores ---- */

leat__store_t *leat__store_open(
    leat__task_state_t *state, const leat__store_def_t *def, leat_error_t *err)
{
    leat__store_t *s = leat__must_alloc(sizeof *s);
    leat__error_clear(err);
    leat__checkpoint_settle(state); /* its parts are as many as the stores */
    s->state = state;
    s->name = leat__must_strdup(def->name);
    s->kind = def->kind;
    s->backend = def->backend;
    s->cached = def->cached;
    s->timestamped = def->kind == LEAT_TIMESTAMPED_KV || def->kind == LEAT_VERSIONS ||
                     def->kind == LEAT_TIMESTAMPED_WINDOWS;
    s->hooks = def->hooks;
    s->logged = def->logged && !def->source_logged && def->hooks.log;
    s->has_changelog = def->logged;
    s->log_each = def->log_each && !def->cached;
    s->entries_max = def->entries_max;
    s->duplicates = leat__store_has_retention(def->kind) && def->kind != LEAT_SESSIONS &&
                    def->opts.duplicates;
    s->ttl_ms = s->timestamped && def->clock_ms ? def->opts.ttl_ms : 0;
    s->clock_ms = def->clock_ms;
    s->clock_committed_ms = -1;
    s->meta = s->written = (leat__store_meta_t){.changelog_next = -1, .observed_ms = -1};
    int code = def->kind == LEAT_CUSTOM ? leat__custom_open(s, def, err)
                                        : leat__beneath_open(s, def, err);
    if (!code)
        code = leat__shape_open(s, def, err);
    if (!code && s->lru && !s->entries_max)
        code = leat__error(err, LEAT_EARGUMENT, 0, s->name,
            "leat_backend_lru() needs .entries_max: how many rows to keep");
    if (code) {
        store_free(s);
        return NULL;
    }
    LEAT__GROW(state->stores, state->count, state->room);
    return state->stores[state->count++] = s;
}

static bool belongs(const leat__task_state_t *state, const leat__family_t *f)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->stores[i]->family == f)
            return true;
    return false;
}

static int drop_family(leat__task_state_t *state, leat__family_t *f, leat_error_t *err)
{
    const char *name = leat__family_name(f);
    leat__log(LEAT_LOG_INFO, "store", NULL,
        "%s: the topology has no store %s any more: its local state is dropped", state->dir,
        name + 2);
    char *meta = leat__must_format("m%s", name + 2);
    leat__batch_t *b = leat__batch_new();
    leat__batch_delete(b, leat__db_meta(state->db), leat_slice(meta));
    int code = leat__db_write(state->db, b, err);
    leat__batch_free(b);
    leat__free(meta);
    return code ? code : leat__db_drop(state->db, f, err);
}

void leat__task_state_opened(leat__task_state_t *state)
{
    leat_error_t err;
    leat__family_t *f;
    for (size_t i = 0; state->db && (f = leat__db_family_at(state->db, i));) {
        if (belongs(state, f)) {
            i++;
        } else if (drop_family(state, f, &err)) {
            leat__log(LEAT_LOG_WARN, "store", NULL, "%s: %s", err.where, err.text);
            i++;
        }
    }
}

/* ---- notes ---- */

static leat__note_t *find_note(leat__task_state_t *state, const char *name)
{
    for (size_t i = 0; i < state->note_count; i++)
        if (strcmp(state->notes[i].name, name) == 0)
            return &state->notes[i];
    return NULL;
}

static leat__note_t *set_note(leat__task_state_t *state, const char *name, leat_slice_t value)
{
    leat__note_t *n = find_note(state, name);
    if (!n) {
        LEAT__GROW(state->notes, state->note_count, state->note_room);
        n = &state->notes[state->note_count++];
        *n = (leat__note_t){.name = leat__must_strdup(name)};
    }
    leat__free(n->bytes);
    n->bytes = leat__must_alloc(value.size + 1);
    if (value.size)
        memcpy(n->bytes, value.data, value.size);
    n->size = value.size;
    return n;
}

int leat__task_state_note(
    leat__task_state_t *state, const char *name, leat_slice_t value, leat_error_t *err)
{
    leat__error_clear(err);
    leat__note_t *n = find_note(state, name);
    if (n && n->size == value.size && (!n->size || memcmp(n->bytes, value.data, n->size) == 0))
        return 0;
    set_note(state, name, value)->fresh = true;
    return 0;
}

bool leat__task_state_noted(leat__task_state_t *state, const char *name, leat_slice_t *value)
{
    leat__note_t *n = find_note(state, name);
    if (!n && state->db) {
        char *key = leat__must_format("n%s", name);
        leat_slice_t bytes;
        leat_error_t err;
        void *pin = NULL;
        int code =
            leat__db_get(state->db, leat__db_meta(state->db), leat_slice(key), &bytes, &pin, &err);
        leat__free(key);
        if (code == 0)
            n = set_note(state, name, bytes);
        else if (code < 0)
            leat__state_fail(state, &err);
        leat__db_unpin(pin);
    }
    if (n)
        *value = (leat_slice_t){n->bytes, n->size};
    return n != NULL;
}
