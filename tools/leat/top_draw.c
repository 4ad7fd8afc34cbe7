/*
 * tools/leat/top_draw.c: a look at an application as text: a line about all of it, its workers, its
 * tasks. Who restores stands first, then who is most behind.
 */
#include "top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BAR_CELLS = 10 };

/* ---- rates ---- */

static char *name_of(const json_t *task)
{
    return leat__must_format("%s/%s", json_string_value(json_object_get(task, "process")),
        json_string_value(json_object_get(task, "task")));
}

json_t *cli_top_counts(const json_t *tasks)
{
    json_t *counts = json_object(), *task;
    size_t i;

    json_array_foreach(tasks, i, task) {
        json_t *processed = json_object_get(task, "processed");
        char *name = name_of(task);

        if (json_is_integer(processed))
            json_object_set(counts, name, processed);
        leat__free(name);
    }
    return counts;
}

/* A task that moved, or whose count began anew, has no rate this time. */
void cli_top_rates(json_t *tasks, const json_t *before, double seconds)
{
    json_t *task;
    size_t i;

    json_array_foreach(tasks, i, task) {
        char *name = name_of(task);
        const json_t *was = json_object_get(before, name),
                     *is = json_object_get(task, "processed");
        json_int_t more = json_integer_value(is) - json_integer_value(was);

        leat__free(name);
        if (was && json_is_integer(is) && more >= 0 && seconds > 0)
            json_object_set_new(
                task, "processed_per_second", json_integer((json_int_t)((double)more / seconds)));
    }
}

/* ---- sums ---- */

static json_int_t sum_of(const json_t *tasks, const char *member, const char *process)
{
    json_int_t sum = 0;
    const json_t *task;
    size_t i;

    json_array_foreach(tasks, i, task) {
        const char *whose = json_string_value(json_object_get(task, "process"));

        if (!process || (whose && strcmp(whose, process) == 0))
            sum += json_integer_value(json_object_get(task, member));
    }
    return sum;
}

static void add_sums(json_t *workers, const json_t *tasks)
{
    json_t *worker;
    size_t i;

    json_array_foreach(workers, i, worker) {
        const char *process = json_string_value(json_object_get(worker, "process"));

        if (!json_is_true(json_object_get(worker, "answers")))
            continue;
        json_object_set_new(worker, "rate",
            json_integer(sum_of(tasks, "processed_per_second", process)));
        json_object_set_new(worker, "lag", json_integer(sum_of(tasks, "lag", process)));
    }
}

/* ---- order ---- */

static int rank(const json_t *task)
{
    const char *state = json_string_value(json_object_get(task, "state"));

    return !state                          ? 2
           : strcmp(state, "restoring") == 0 ? 0
           : strcmp(state, "standby") == 0   ? 3
                                           : 1;
}

static int compare(const void *a, const void *b)
{
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    json_int_t x_lag = json_integer_value(json_object_get(x, "lag")),
               y_lag = json_integer_value(json_object_get(y, "lag"));
    const char *x_name = json_string_value(json_object_get(x, "task")),
               *y_name = json_string_value(json_object_get(y, "task"));

    if (rank(x) != rank(y))
        return rank(x) - rank(y);
    if (x_lag != y_lag)
        return x_lag < y_lag ? 1 : -1;
    return strverscmp(x_name ? x_name : "", y_name ? y_name : "");
}

/* [own] */
static json_t *sorted(const json_t *tasks)
{
    size_t count = json_array_size(tasks);
    const json_t **all = leat__must_alloc((count + 1) * sizeof *all);
    json_t *result = json_array();

    for (size_t i = 0; i < count; i++)
        all[i] = json_array_get(tasks, i);
    qsort(all, count, sizeof *all, compare);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(result, json_deep_copy(all[i]));
    leat__free(all);
    return result;
}

/* ---- text ---- */

static void add_progress(json_t *task)
{
    const char *state = json_string_value(json_object_get(task, "state"));
    const json_t *left = json_object_get(task, "records_left");
    double total = json_number_value(json_object_get(task, "records_total")),
           rate = json_number_value(json_object_get(task, "records_per_second"));
    leat__buf_t text = {0};

    if (!state || strcmp(state, "running") == 0 || !json_is_integer(left) || total < 1)
        return;
    cli_put_bar(&text, 1 - json_number_value(left) / total, BAR_CELLS);
    if (rate >= 1)
        leat__buf_format(&text, " %.0f s", json_number_value(left) / rate);
    json_object_set_new(task, "progress", json_string(leat__buf_text(&text)));
    leat__buf_release(&text);
}

static size_t count_active(const json_t *tasks)
{
    const json_t *task;
    size_t i, count = 0;

    json_array_foreach(tasks, i, task) {
        const char *role = json_string_value(json_object_get(task, "role"));

        count += role && strcmp(role, "active") == 0;
    }
    return count;
}

static void put_head(leat__buf_t *out, const json_t *look)
{
    const json_t *tasks = json_object_get(look, "tasks");
    size_t workers = json_array_size(json_object_get(look, "workers")),
           active = count_active(tasks);
    const char *error = json_string_value(json_object_get(look, "error"));

    leat__buf_format(out, "%s  %zu worker%s  %zu task%s  %lld records/s  lag %lld  %s\n",
        json_string_value(json_object_get(look, "application")), workers, workers == 1 ? "" : "s",
        active, active == 1 ? "" : "s",
        (long long)sum_of(tasks, "processed_per_second", NULL),
        (long long)sum_of(tasks, "lag", NULL),
        json_string_value(json_object_get(look, "time")));
    if (error)
        leat__buf_format(out, "%s\n", error);
}

char *cli_top_text(json_t *look)
{
    static const cli_column_t of_workers[] = {{"WORKER", "worker", false},
        {"STATE", "state", false}, {"THREADS", "threads", true}, {"TASKS", "task_count", true},
        {"STANDBYS", "standby_count", true}, {"RECORDS/S", "rate", true}, {"LAG", "lag", true},
        {0}};
    static const cli_column_t of_tasks[] = {{"TASK", "task", false}, {"WORKER", "worker", false},
        {"THREAD", "thread", true}, {"ROLE", "role", false}, {"STATE", "state", false},
        {"RECORDS/S", "processed_per_second", true}, {"LAG", "lag", true},
        {"RESTORED", "progress", false}, {0}};
    json_t *workers = json_object_get(look, "workers"),
           *tasks = sorted(json_object_get(look, "tasks")), *task;
    leat__buf_t out = {0};
    size_t i;

    json_array_foreach(tasks, i, task)
        add_progress(task);
    add_sums(workers, tasks);
    put_head(&out, look);
    leat__buf_put_text(&out, "\n");
    cli_put_table(&out, workers, of_workers);
    leat__buf_put_text(&out, "\n");
    cli_put_table(&out, tasks, of_tasks);
    json_decref(tasks);
    return leat__buf_finish(&out);
}
