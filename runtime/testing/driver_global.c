/*
 * runtime/testing/driver_global.c: the global stores of a driver. What is written to their topics
 * is applied at once, before anything that waits (conformance/FORMAT.md, 7).
 */
#include "driver.h"

int leat__driver_globals_open(leat_test_t *t, const leat__task_env_t *env, leat_error_t *err)
{
    leat__task_state_opts_t state = {.budget = &t->budget, .wall_ms = t->clock.wall_ms};
    char *dir;
    size_t inputs;
    int code;

    if (!leat__plan_has_globals(t->plan))
        return LEAT_OK;
    dir = leat__must_format("%s/global", t->dir);
    state.dir = dir;
    code = leat__task_state_open(&t->global_state, &state, err);
    if (code == LEAT_OK)
        t->globals = leat__globals_new(t->plan, env, t->global_state, t->dir, err);
    leat__free(dir);
    if (!t->globals)
        return err->code;
    inputs = leat__task_input_count(leat__globals_task(t->globals));
    t->global_times_ms = leat__must_alloc((inputs + 1) * sizeof *t->global_times_ms);
    t->global_offsets = leat__must_alloc((inputs + 1) * sizeof *t->global_offsets);
    for (size_t i = 0; i < inputs; i++)
        t->global_times_ms[i] = -1;
    return LEAT_OK;
}

void leat__driver_globals_close(leat_test_t *t)
{
    leat__globals_free(t->globals);
    if (t->global_state)
        leat__task_state_close(t->global_state);
    leat__free(t->global_times_ms);
    leat__free(t->global_offsets);
}

bool leat__driver_globals_take(leat_test_t *t, const leat__node_t *source, leat__kept_t *kept)
{
    leat__task_t *task = t->globals ? leat__globals_task(t->globals) : NULL;
    size_t count = task ? leat__task_input_count(task) : 0, i = 0;
    leat_error_t err;

    while (i < count && leat__task_input_source(task, (int)i) != source)
        i++;
    if (i == count)
        return false;
    kept->raw.offset = t->global_offsets[i]++;
    kept->raw.native = kept;
    if (leat__globals_apply(t->globals, (int)i, 0,
            (leat__batch_t){.records = &kept->raw,
                .count = 1,
                .bytes = kept->raw.key.size + kept->raw.value.size,
                .next = kept->raw.offset + 1,
                .native = kept},
            &t->global_times_ms[i], &err) != LEAT_OK)
        leat__driver_fail(t, &err);
    return true;
}

static size_t own_stores(const leat_test_t *t)
{
    return t->task ? leat__task_store_count(t->task) : 0;
}

size_t leat__driver_store_count(const leat_test_t *t)
{
    return own_stores(t) +
           (t->globals ? leat__task_store_count(leat__globals_task(t->globals)) : 0);
}

const leat__store_spec_t *leat__driver_store_spec(const leat_test_t *t, size_t i)
{
    return i < own_stores(t)
               ? leat__task_store_spec(t->task, i)
               : leat__task_store_spec(leat__globals_task(t->globals), i - own_stores(t));
}

leat__store_t *leat__driver_store(const leat_test_t *t, size_t i)
{
    return i < own_stores(t) ? leat__task_store(t->task, i)
                             : leat__task_store(leat__globals_task(t->globals), i - own_stores(t));
}
