/*
 * runtime/testing/driver_state.c: the stores of a driver, to look at and to prepare; its metrics.
 */
#include "driver.h"

#include <math.h>
#include <string.h>

static int index_of(leat_test_t *t, const char *store)
{
    size_t count = leat__driver_store_count(t);
    leat_error_t err;

    for (size_t i = 0; i < count; i++)
        if (strcmp(leat__driver_store_spec(t, i)->name, store) == 0)
            return (int)i;
    leat__error(&err, LEAT_EUNKNOWN, 0, store, "the topology has no store of this name");
    leat__driver_fail(t, &err);
    return -1;
}

/* The store of that name, if its kind is one of two. NULL: a failure. */
static const leat__store_spec_t *find(leat_test_t *t, const char *store, leat_store_kind_t kind,
    leat_store_kind_t other, const char *what, int *index)
{
    const leat__store_spec_t *spec;
    leat_error_t err;

    *index = index_of(t, store);
    if (*index < 0)
        return NULL;
    spec = leat__driver_store_spec(t, (size_t)*index);
    if (spec->kind == kind || spec->kind == other)
        return spec;
    leat__error(&err, LEAT_ETYPE, 0, store, "it is not a %s store", what);
    leat__driver_fail(t, &err);
    return NULL;
}

leat_kv_t *leat_test_kv(leat_test_t *t, const char *store)
{
    int i;
    const leat__store_spec_t *spec =
        find(t, store, LEAT_KV, LEAT_TIMESTAMPED_KV, "key-value", &i);

    if (!spec)
        return leat__kv_nil(&t->owner);
    if (!t->stores[i])
        t->stores[i] = leat__kv_new(leat__driver_store(t, (size_t)i), spec->key, spec->value,
            spec->changelog, &t->owner);
    return t->stores[i];
}

leat_windows_t *leat_test_windows(leat_test_t *t, const char *store)
{
    int i;
    const leat__store_spec_t *spec =
        find(t, store, LEAT_WINDOWS, LEAT_TIMESTAMPED_WINDOWS, "window", &i);

    if (!spec)
        return leat__windows_nil(&t->owner);
    if (!t->stores[i])
        t->stores[i] = leat__windows_new(leat__driver_store(t, (size_t)i), spec->key,
            spec->value, spec->changelog, &t->owner);
    return t->stores[i];
}

leat_sessions_t *leat_test_sessions(leat_test_t *t, const char *store)
{
    int i;
    const leat__store_spec_t *spec = find(t, store, LEAT_SESSIONS, LEAT_SESSIONS, "session", &i);

    if (!spec)
        return leat__sessions_nil(&t->owner);
    if (!t->stores[i])
        t->stores[i] = leat__sessions_new(leat__driver_store(t, (size_t)i), spec->key,
            spec->value, spec->changelog, &t->owner);
    return t->stores[i];
}

leat_versions_t *leat_test_versions(leat_test_t *t, const char *store)
{
    int i;
    const leat__store_spec_t *spec = find(t, store, LEAT_VERSIONS, LEAT_VERSIONS, "versioned", &i);

    if (!spec)
        return leat__versions_nil(&t->owner);
    if (!t->stores[i])
        t->stores[i] = leat__versions_new(leat__driver_store(t, (size_t)i), spec->key,
            spec->value, spec->changelog, &t->owner);
    return t->stores[i];
}

/* ---- rows as bytes ---- */

static void close_cursor(leat_test_t *t)
{
    if (t->cursor)
        leat__cursor_close(t->cursor);
    leat__window_close(t->windows);
    t->cursor = NULL;
    t->windows = NULL;
}

static void open_cursor(leat_test_t *t, size_t i)
{
    const leat_slice_t open = {NULL, 0};
    leat__store_t *s = leat__driver_store(t, i);

    switch (leat__store_kind(s)) {
    case LEAT_WINDOWS:
    case LEAT_TIMESTAMPED_WINDOWS:
        t->windows = leat__window_range(s, open, open, INT64_MIN, INT64_MAX, LEAT_ASCENDING);
        break;
    case LEAT_SESSIONS:
        t->windows = leat__session_find(s, open, open, INT64_MIN, INT64_MAX, LEAT_ASCENDING);
        break;
    case LEAT_VERSIONS:
        t->windows = leat__versioned_rows(s);
        break;
    default:
        t->cursor = leat__store_range(s, open, open, LEAT_ASCENDING);
    }
}

static void put_number(leat__buf_t *out, uint64_t number)
{
    char bytes[8];

    leat__store_be64(bytes, number);
    leat__buf_put(out, bytes, sizeof bytes);
}

static bool next_row(leat_test_t *t, leat_store_kind_t kind, leat_slice_t *key,
    leat_slice_t *value, int64_t *time_ms)
{
    leat__window_row_t row;
    char seq[4];

    if (t->cursor)
        return leat__cursor_next(t->cursor, key, value, time_ms);
    if (!leat__window_next(t->windows, &row))
        return false;
    t->row_key.size = 0;
    leat__buf_put(&t->row_key, row.key.data, row.key.size);
    put_number(&t->row_key, (uint64_t)(kind == LEAT_SESSIONS ? row.end_ms : row.start_ms));
    if (kind == LEAT_SESSIONS) {
        put_number(&t->row_key, (uint64_t)row.start_ms);
    } else if (kind == LEAT_VERSIONS) {
        put_number(&t->row_key, (uint64_t)row.end_ms);
    } else {
        leat__store_be32(seq, row.seq);
        leat__buf_put(&t->row_key, seq, sizeof seq);
    }
    *key = (leat_slice_t){t->row_key.data, t->row_key.size};
    *value = row.value;
    *time_ms = row.time_ms;
    return true;
}

bool leat_test_store_bytes(leat_test_t *t, const char *store, size_t *at, leat_slice_t *key,
    leat_slice_t *value, int64_t *time_ms)
{
    int i = index_of(t, store);
    leat_store_kind_t kind;

    if (i < 0)
        return false;
    kind = leat__store_kind(leat__driver_store(t, (size_t)i));
    if (*at == 0 || (!t->cursor && !t->windows) || t->cursor_at != *at) {
        close_cursor(t);
        open_cursor(t, (size_t)i);
        for (t->cursor_at = 0; t->cursor_at < *at; t->cursor_at++)
            if (!next_row(t, kind, key, value, time_ms))
                break;
    }
    if (next_row(t, kind, key, value, time_ms)) {
        t->cursor_at = ++*at;
        return true;
    }
    close_cursor(t);
    return false;
}

/* Each kind of handle is a leat_kv_t inside (statestore/handle.h). */
void leat__driver_state_free(leat_test_t *t)
{
    size_t count = t->stores ? leat__driver_store_count(t) : 0;

    close_cursor(t);
    leat__buf_release(&t->row_key);
    leat__owner_finish(&t->owner);
    for (size_t i = 0; i < count; i++)
        leat__kv_free(t->stores[i]);
    leat__free(t->stores);
}

static uint64_t global_dropped(const leat_test_t *t)
{
    return t->globals ? leat__task_counts(leat__globals_task(t->globals))->dropped : 0;
}

double leat_test_metric(const leat_test_t *t, const char *name)
{
    const leat__task_counts_t *counts = t->task ? leat__task_counts(t->task) : NULL;
    const char *node, *found;
    double sum = NAN;
    int64_t value;

    if (!counts)
        return NAN;
    if (strcmp(name, "dropped-records-total") == 0)
        return (double)(counts->dropped + global_dropped(t));
    if (strcmp(name, "process-total") == 0)
        return (double)counts->records;
    if (strcmp(name, "punctuate-total") == 0)
        return (double)counts->punctuations;
    if (strcmp(name, "enforced-processing-total") == 0)
        return (double)counts->forced;
    for (size_t i = 0; leat__task_metric(t->task, i, &node, &found, &value); i++)
        if (strcmp(found, name) == 0)
            sum = (sum == sum ? sum : 0) + (double)value;
    return sum;
}
