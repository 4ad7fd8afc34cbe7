/*
 * tests/unit/store_kit.h: what the tests of statestore share: a task's state in a directory of its
 * own, one store in it, and a changelog that the store's hook writes to.
 *
 * The changelog is a plain list. Records of an open transaction stand at its end, from `committed`
 * on; an abort cuts them off, as a read_committed reader would see it. After a reopen the kit
 * replays from the offset that the store's metadata name, as runtime does.
 */
#ifndef LEAT_TESTS_STORE_KIT_H
#define LEAT_TESTS_STORE_KIT_H

#include "base/log.h"
#include "base/mem.h"
#include "statestore/inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct kit_record_t {
    char *key;
    size_t key_size;
    char *value; /* NULL: tombstone */
    size_t size;
    int64_t time_ms;
} kit_record_t;

typedef struct kit_t {
    char dir[64];
    leat__budget_t budget;
    leat__task_state_opts_t opts;
    leat__store_def_t def;
    leat__task_state_t *state;
    leat__store_t *store;
    kit_record_t *log;
    size_t count, room, committed;
    size_t replayed; /* by the last reopen */
    size_t dropped;  /* puts that were refused */
} kit_t;

static inline leat_slice_t kit_copy(const char *data, size_t size)
{
    char *copy = leat__must_alloc(size + 1);
    if (size)
        memcpy(copy, data, size);
    return (leat_slice_t){copy, size};
}

static inline void kit_log(void *user, leat__store_t *s, leat_slice_t key,
    const leat_slice_t *value, int64_t time_ms, const leat_headers_t *headers)
{
    kit_t *kit = user;
    (void)s;
    (void)headers;
    LEAT__GROW(kit->log, kit->count, kit->room);
    kit_record_t *r = &kit->log[kit->count++];
    *r = (kit_record_t){.key_size = key.size, .time_ms = time_ms};
    r->key = (char *)(uintptr_t)kit_copy(key.data, key.size).data;
    if (value) {
        r->value = (char *)(uintptr_t)kit_copy(value->data, value->size).data;
        r->size = value->size;
    }
}

static inline void kit_dropped(void *user, leat__store_t *s)
{
    kit_t *kit = user;
    (void)s;
    kit->dropped++;
}

static inline void kit_cut(kit_t *kit, size_t count)
{
    while (kit->count > count) {
        kit->count--;
        free(kit->log[kit->count].key);
        free(kit->log[kit->count].value);
    }
}

static inline void kit_remove(const char *dir)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

/* A definition to start from: uncached, logged, RocksDB. */
static inline void kit_init(kit_t *kit)
{
    *kit = (kit_t){0};
    snprintf(kit->dir, sizeof kit->dir, "/tmp/leat-store-%d-XXXXXX", (int)getpid());
    assert_non_null(mkdtemp(kit->dir));
    kit->opts = (leat__task_state_opts_t){.dir = kit->dir, .budget = &kit->budget, .wall_ms = 1000};
    kit->def = (leat__store_def_t){
        .name = "s", .kind = LEAT_KV, .backend = leat_backend_rocksdb(), .logged = true};
}

static inline void kit_replay(kit_t *kit)
{
    leat__store_meta_t meta = leat__store_meta(kit->store);
    if (meta.changelog_next < 0)
        leat__store_clear(kit->store);
    size_t at = meta.changelog_next < 0 ? 0 : (size_t)meta.changelog_next;
    assert_true(at <= kit->committed);
    kit->replayed = kit->committed - at;
    while (at < kit->committed) {
        leat__restore_record_t batch[64];
        size_t count = 0;
        leat_error_t err;
        for (; at < kit->committed && count < 64; at++) {
            const kit_record_t *r = &kit->log[at];
            batch[count++] = (leat__restore_record_t){
                {r->key, r->key_size}, {r->value, r->size}, r->time_ms};
        }
        assert_int_equal(
            leat__store_restore(kit->store, batch, count, (int64_t)at, &err), LEAT_OK);
    }
    assert_int_equal(leat__restore_write(kit->store, NULL), LEAT_OK);
}

static inline void kit_open(kit_t *kit)
{
    leat_error_t err;
    kit->def.hooks = (leat__store_hooks_t){.log = kit_log, .user = kit, .dropped = kit_dropped};
    if (leat__task_state_open(&kit->state, &kit->opts, &err) != LEAT_OK)
        fail_msg("%s: %s", err.where, err.text);
    kit->store = leat__store_open(kit->state, &kit->def, &err);
    if (!kit->store)
        fail_msg("%s: %s", err.where, err.text);
    leat__task_state_opened(kit->state);
}

static inline void kit_close(kit_t *kit)
{
    leat__task_state_close(kit->state);
    kit->state = NULL;
    kit->store = NULL;
    assert_int_equal(kit->budget.entry_bytes, 0);
    assert_int_equal(kit->budget.dirty_bytes, 0);
    assert_int_equal(kit->budget.frozen_bytes, 0);
    assert_int_equal(kit->budget.cached_dirty_bytes, 0);
}

static inline void kit_reopen(kit_t *kit)
{
    kit_close(kit);
    kit_cut(kit, kit->committed);
    kit->opts.wall_ms++;
    kit_open(kit);
    kit_replay(kit);
}

static inline void kit_release(kit_t *kit)
{
    if (kit->state)
        kit_close(kit);
    kit_cut(kit, 0);
    leat__free(kit->log);
    kit_remove(kit->dir);
}

static inline void kit_commit(kit_t *kit)
{
    leat__store_flush(kit->store);
    leat__store_flush_rest(kit->store);
    kit->committed = kit->count;
    leat__store_committed(kit->store, (int64_t)kit->count);
}

static inline void kit_abort(kit_t *kit)
{
    leat__store_abort(kit->store);
    kit_cut(kit, kit->committed);
}

static inline bool kit_checkpoint(kit_t *kit)
{
    leat_error_t err;
    leat__frozen_t *f = leat__checkpoint_begin(kit->state, ++kit->opts.wall_ms);
    if (!f)
        return false;
    int code = leat__checkpoint_write(f, &err);
    leat__checkpoint_end(f, code == LEAT_OK);
    return code == LEAT_OK;
}

/* ---- text keys and values, for tests that read well ---- */

static inline void kit_put(kit_t *kit, const char *key, const char *value)
{
    leat_slice_t v = leat_slice(value);
    leat__store_put(kit->store, leat_slice(key), value ? &v : NULL, 1, NULL);
}

static inline void kit_expect(kit_t *kit, const char *key, const char *value)
{
    leat_slice_t v;
    bool found = leat__store_get(kit->store, leat_slice(key), &v, NULL);
    if (found != (value != NULL) || (found && !leat_slice_is(&v, value)))
        fail_msg("%s is %.*s, not %s", key, found ? (int)v.size : 6, found ? v.data : "absent",
            value ? value : "absent");
}

/* "a=1 b=2" of a cursor, which is closed. */
static inline void kit_expect_rows(leat__cursor_t *c, const char *rows)
{
    char text[1024] = "";
    size_t at = 0;
    leat_slice_t key, value;
    while (leat__cursor_next(c, &key, &value, NULL))
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s=%.*s", at ? " " : "",
            (int)key.size, key.data, (int)value.size, value.data);
    leat__cursor_close(c);
    assert_string_equal(text, rows);
}

static inline leat__cursor_t *kit_all(kit_t *kit)
{
    leat_slice_t open = {NULL, 0};
    return leat__store_range(kit->store, open, open, LEAT_ASCENDING);
}

/* The budget says what the entries say. */
static inline void kit_check(const kit_t *kit)
{
    leat__budget_t sum = {0};
    leat__store_check(kit->store);
    leat__store_account(kit->store, &sum);
    assert_int_equal(kit->budget.dirty_bytes, sum.dirty_bytes);
    assert_int_equal(kit->budget.frozen_bytes, sum.frozen_bytes);
    assert_int_equal(kit->budget.cached_dirty_bytes, sum.cached_dirty_bytes);
}

#endif
