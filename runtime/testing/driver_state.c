/*
 * runtime/testing/driver_state.c: the stores of a driver, to look at and to prepare; its metrics.
 */
#include "driver.h"

#include <math.h>
#include <string.h>

static int index_of(leat_test_t *t, const char *store)
{
    size_t count = t->task ? leat__task_store_count(t->task) : 0;
    leat_error_t err;

    for (size_t i = 0; i < count; i++)
        if (strcmp(leat__task_store_spec(t->task, i)->name, store) == 0)
            return (int)i;
    leat__error(&err, LEAT_EUNKNOWN, 0, store, "the topology has no store of this name");
    leat__driver_fail(t, &err);
    return -1;
}

leat_kv_t *leat_test_kv(leat_test_t *t, const char *store)
{
    int i = index_of(t, store);
    const leat__store_spec_t *spec;
    leat_error_t err;

    if (i < 0)
        return leat__kv_nil(&t->owner);
    spec = leat__task_store_spec(t->task, (size_t)i);
    if (spec->kind != LEAT_KV && spec->kind != LEAT_TIMESTAMPED_KV) {
        leat__error(&err, LEAT_ETYPE, 0, store, "it is not a key-value store");
        leat__driver_fail(t, &err);
        return leat__kv_nil(&t->owner);
    }
    if (!t->stores[i])
        t->stores[i] = leat__kv_new(leat__task_store(t->task, (size_t)i), spec->key, spec->value,
            spec->changelog, &t->owner);
    return t->stores[i];
}

static void close_cursor(leat_test_t *t)
{
    if (t->cursor)
        leat__cursor_close(t->cursor);
    t->cursor = NULL;
}

bool leat_test_store_bytes(leat_test_t *t, const char *store, size_t *at, leat_slice_t *key,
    leat_slice_t *value, int64_t *time_ms)
{
    const leat_slice_t open = {NULL, 0};

    if (*at == 0 || !t->cursor || t->cursor_at != *at) {
        int i = index_of(t, store);

        close_cursor(t);
        if (i < 0)
            return false;
        t->cursor =
            leat__store_range(leat__task_store(t->task, (size_t)i), open, open, LEAT_ASCENDING);
        for (t->cursor_at = 0; t->cursor_at < *at; t->cursor_at++)
            if (!leat__cursor_next(t->cursor, key, value, time_ms))
                break;
    }
    if (leat__cursor_next(t->cursor, key, value, time_ms)) {
        t->cursor_at = ++*at;
        return true;
    }
    close_cursor(t);
    return false;
}

void leat__driver_state_free(leat_test_t *t)
{
    size_t count = t->stores ? leat__task_store_count(t->task) : 0;

    close_cursor(t);
    leat__owner_finish(&t->owner);
    for (size_t i = 0; i < count; i++)
        leat__kv_free(t->stores[i]);
    leat__free(t->stores);
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
        return (double)counts->dropped;
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
