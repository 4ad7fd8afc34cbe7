/*
 * tools/leat/describe.c: what a running worker is: its topology, tasks and stores, and all workers
 * of the application.
 */
#include "worker.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

const cli_option_t cli_describe_options[] = {
    {"topology", NULL, NULL, "only the topology", NULL, false},
    {"tasks", NULL, NULL, "only the tasks of this worker", NULL, false},
    {"workers", NULL, NULL, "only who works for the application", NULL, false},
    {"stores", NULL, NULL, "only the stores", NULL, false},
    {"format", NULL, "NAME", "of the topology alone: text (default), json or dot",
        "text json dot", false},
    {0},
};

static const struct {
    const char *name, *title, *path;
    const char *rows; /* the member of the answer that has them; NULL: the answer itself */
    cli_column_t columns[9];
} parts[] = {
    {"tasks", "Tasks", "/v1/tasks", "tasks",
        {{"TASK", "task", false}, {"THREAD", "thread", true}, {"ROLE", "role", false},
            {"STATE", "state", false}, {"PROCESSED", "processed", true}, {"LAG", "lag", true},
            {"TO RESTORE", "records_left", true}}},
    {"workers", "Workers", "/v1/workers", "workers",
        {{"PROCESS", "process", false}, {"HOST", "host", false}, {"STATE", "state", false},
            {"THREADS", "threads", true}, {"LEADS", "leads", false}, {"TASKS", "tasks", false},
            {"STANDBYS", "standbys", false}}},
    {"stores", "Stores", "/v1/stores", NULL,
        {{"STORE", "name", false}, {"KIND", "kind", false}, {"KEY", "key", false},
            {"VALUE", "value", false}, {"HERE", "partitions", false},
            {"CHANGELOG", "changelog", false}}},
};
enum { PARTS = sizeof parts / sizeof *parts };

static bool wants(const cli_t *c, const char *part)
{
    if (cli_has(c, part))
        return true;
    for (size_t i = 0; i < PARTS; i++)
        if (cli_has(c, parts[i].name))
            return false;
    return !cli_has(c, "topology") && !cli_has(c, "format");
}

/* ---- as text ---- */

static void show_topology(cli_t *c, cli_worker_t *w, const char *format)
{
    char *path = leat__must_format("/v1/topology?format=%s", format),
         *text = cli_worker_text(w, path);

    if (text)
        printf("%s%s", text, *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
    leat__free(text);
    leat__free(path);
    (void)c;
}

static void show_part(cli_t *c, cli_worker_t *w, size_t i)
{
    json_t *answer = cli_worker_ask(w, parts[i].path, NULL),
           *rows = parts[i].rows ? json_object_get(answer, parts[i].rows) : answer;
    const char *state = json_string_value(json_object_get(answer, "state"));

    if (!answer)
        return;
    if (json_array_size(rows)) {
        cli_print_table(c, rows, parts[i].columns);
    } else {
        printf("%s: none\n", parts[i].title);
    }
    if (state)
        cli_note(c, "%s is %s", cli_worker_name(w), state);
    json_decref(answer);
}

static void show(cli_t *c, cli_worker_t *w)
{
    const char *gap = "";

    if (wants(c, "topology") || cli_has(c, "format")) {
        show_topology(c, w, cli_text(c, "format", "text"));
        gap = "\n";
    }
    for (size_t i = 0; i < PARTS && !c->status; i++) {
        if (!wants(c, parts[i].name))
            continue;
        fputs(gap, stdout);
        show_part(c, w, i);
        gap = "\n";
    }
}

/* ---- as JSON ---- */

static void show_json(cli_t *c, cli_worker_t *w)
{
    json_t *all = json_pack("{s:s}", "worker", cli_worker_name(w)), *answer;

    if (wants(c, "topology"))
        json_object_set_new(all, "topology", cli_worker_ask(w, "/v1/topology", NULL));
    for (size_t i = 0; i < PARTS && !c->status; i++) {
        if (!wants(c, parts[i].name))
            continue;
        answer = cli_worker_ask(w, parts[i].path, NULL);
        if (json_is_object(answer))
            json_object_update_missing(all, answer);
        else
            json_object_set(all, parts[i].name, answer);
        json_decref(answer);
    }
    if (!c->status)
        cli_print_json(c, json_incref(all));
    json_decref(all);
}

static void check_options(cli_t *c)
{
    static const char *const forms[] = {"json", "format", NULL};

    cli_at_most_one(c, forms);
    for (size_t i = 0; i < PARTS; i++)
        if (cli_has(c, "format") && cli_has(c, parts[i].name))
            cli_usage(c, "--format is of the topology alone, not of --%s", parts[i].name);
}

void cli_describe(cli_t *c)
{
    cli_worker_t *w;

    check_options(c);
    cli_stop_begin();
    w = cli_worker_open(c, NULL, c->timeout_ms);
    if (w && c->json)
        show_json(c, w);
    else if (w)
        show(c, w);
    cli_worker_close(w);
}
