/*
 * tools/leat/top.c: a live table of an application: its workers and their tasks, with rates and
 * lag.
 *
 * One worker is named; it knows the others (/v1/workers), and each that has told its address
 * (leat.http.advertised) is asked for its own tasks. Who does not answer is shown as that, with the tasks that the placement gives
 * it. On a terminal the table is drawn in place; elsewhere each look is a block of lines, or a line
 * of JSON.
 */
#include "top.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "screen.h"
#include "worker.h"

enum { INTERVAL_MS = 2000, INTERVAL_MS_MIN = 100, PATIENCE_MS = 1000 };

const cli_option_t cli_top_options[] = {
    {"interval", NULL, "TIME", "between two looks (2s)", NULL, false},
    {"once", NULL, NULL, "two looks, of which the second is shown, with rates", NULL, false},
    {0},
};

typedef struct peer_t {
    char *host;
    cli_worker_t *worker;
} peer_t;

typedef struct top_t {
    cli_t *cli;
    cli_worker_t *first;
    peer_t *peers;
    size_t peer_count, peer_room;
    char *application;
    json_t *counts; /* of the look before */
    int64_t counted_ms;
} top_t;

/* ---- whom to ask ---- */

/* The connection to host, which is kept. */
static cli_worker_t *peer(top_t *t, const char *host)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (strcmp(t->peers[i].host, host) == 0)
            return t->peers[i].worker;
    LEAT__GROW(t->peers, t->peer_count, t->peer_room);
    t->peers[t->peer_count] =
        (peer_t){leat__must_strdup(host), cli_worker_open(t->cli, host, PATIENCE_MS)};
    return t->peers[t->peer_count++].worker;
}

static cli_worker_t *worker_of(top_t *t, const json_t *row, const char *this_process)
{
    const char *process = json_string_value(json_object_get(row, "process")),
               *host = json_string_value(json_object_get(row, "host"));

    if (process && this_process && strcmp(process, this_process) == 0)
        return t->first;
    return host && *host ? peer(t, host) : NULL;
}

/* ---- a look ---- */

static void add_task(json_t *tasks, json_t *task, const json_t *row)
{
    json_object_set(task, "process", json_object_get(row, "process"));
    json_object_set(task, "worker", json_object_get(row, "worker"));
    json_array_append(tasks, task);
}

/* What the placement gives a worker that does not answer. */
static void add_placed(json_t *tasks, const json_t *row, const char *member, const char *role)
{
    json_t *name;
    size_t i;

    json_array_foreach(json_object_get(row, member), i, name) {
        json_t *task = json_pack("{s:O, s:s}", "task", name, "role", role);

        add_task(tasks, task, row);
        json_decref(task);
    }
}

static void look_at(top_t *t, json_t *tasks, json_t *row, const char *this_process)
{
    cli_worker_t *w = worker_of(t, row, this_process);
    const char *host = json_string_value(json_object_get(row, "host"));
    cli_answer_t answer = {.json = NULL};
    bool answers = w && cli_worker_try(w, "/v1/tasks", NULL, &answer);
    json_t *task;
    size_t i;

    json_object_set(row, "worker",
        json_object_get(row, host && *host ? "host" : "process"));
    json_object_set_new(row, "task_count",
        json_integer((json_int_t)json_array_size(json_object_get(row, "tasks"))));
    json_object_set_new(row, "standby_count",
        json_integer((json_int_t)json_array_size(json_object_get(row, "standbys"))));
    json_object_set_new(row, "answers", json_boolean(answers));
    if (answers) {
        json_object_set(row, "state", json_object_get(answer.json, "state"));
        json_array_foreach(json_object_get(answer.json, "tasks"), i, task)
            add_task(tasks, task, row);
    } else {
        json_object_set_new(row, "state", json_string(w ? "no answer" : "no address"));
        add_placed(tasks, row, "tasks", "active");
        add_placed(tasks, row, "standbys", "standby");
    }
    json_decref(answer.json);
}

/* [own] */
static json_t *look(top_t *t)
{
    int64_t now_ms = leat__clock_steady_ms(NULL);
    cli_answer_t answer;
    json_t *tasks = json_array(), *workers, *row, *all;
    const char *this_process;
    char time[32];
    size_t i;

    cli_print_time(leat__clock_wall_ms(NULL), time);
    cli_worker_try(t->first, "/v1/workers", NULL, &answer);
    this_process = json_string_value(json_object_get(answer.json, "this_process"));
    workers = json_incref(json_object_get(answer.json, "workers"));
    json_array_foreach(workers, i, row)
        look_at(t, tasks, row, this_process);
    cli_top_rates(tasks, t->counts, (double)(now_ms - t->counted_ms) / 1000);
    json_decref(t->counts);
    t->counts = cli_top_counts(tasks);
    t->counted_ms = now_ms;
    all = json_pack("{s:s, s:s, s:o, s:o}", "application", t->application, "time", time, "workers",
        workers ? workers : json_array(), "tasks", tasks);
    if (!answer.json)
        json_object_set_new(all, "error", json_string(answer.text));
    json_decref(answer.json);
    return all;
}

/* ---- shown ---- */

static void print(const top_t *t, json_t *all, bool again)
{
    char *text;

    if (t->cli->json) {
        cli_print_json(t->cli, json_incref(all));
        return;
    }
    text = cli_top_text(all);
    printf("%s%s", again ? "\n" : "", text);
    leat__free(text);
}

static void run_on_screen(top_t *t, int64_t interval_ms)
{
    int key = CLI_KEY_NONE;
    char *text = NULL;

    while (key != CLI_KEY_END && key != 'q') {
        if (key != CLI_KEY_SIZE) {
            json_t *all = look(t);

            leat__free(text);
            text = cli_top_text(all);
            json_decref(all);
        }
        cli_screen_draw(t->cli, text);
        key = cli_screen_key(interval_ms);
    }
    leat__free(text);
}

static void run_in_lines(top_t *t, int64_t interval_ms)
{
    bool once = cli_has(t->cli, "once");

    for (int64_t i = 0; !cli_stop_wanted(); i++) {
        json_t *all = look(t);
        bool dead = json_object_get(all, "error") != NULL;

        if (!once || i == 1 || dead)
            print(t, all, !once && i > 0);
        json_decref(all);
        if (dead && once)
            t->cli->status = CLI_NO_ANSWER;
        if (!cli_flush(t->cli) || (once && (i == 1 || dead)))
            return;
        cli_pause((long)interval_ms);
    }
}

static bool begin(top_t *t)
{
    json_t *topology;

    t->first = cli_worker_open(t->cli, NULL, t->cli->timeout_ms);
    topology = t->first ? cli_worker_ask(t->first, "/v1/topology", NULL) : NULL;
    t->application =
        leat__must_strdup(json_string_value(json_object_get(topology, "application_id")));
    if (topology && !t->application)
        t->application = leat__must_strdup(cli_worker_name(t->first));
    json_decref(topology);
    return topology != NULL;
}

static void release(top_t *t)
{
    for (size_t i = 0; i < t->peer_count; i++) {
        leat__free(t->peers[i].host);
        cli_worker_close(t->peers[i].worker);
    }
    leat__free(t->peers);
    leat__free(t->application);
    json_decref(t->counts);
    cli_worker_close(t->first);
}

void cli_top(cli_t *c)
{
    int64_t interval_ms = cli_duration(c, "interval", INTERVAL_MS);
    cli_screen_t screen;
    top_t t = {.cli = c};

    if (interval_ms < INTERVAL_MS_MIN || interval_ms > 3600000)
        cli_usage(c, "--interval takes 100ms to 1h");
    cli_stop_begin();
    if (begin(&t)) {
        if (!c->json && !cli_has(c, "once") && cli_screen_begin(&screen)) {
            run_on_screen(&t, interval_ms);
            cli_screen_end(&screen);
        } else {
            run_in_lines(&t, interval_ms);
        }
    }
    release(&t);
}
