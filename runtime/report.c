/*
 * runtime/report.c: leat_app_report(): a running app as text, for people and for programs.
 *
 * Numbers come from the threads' views, at most a second old; who owns what elsewhere from the
 * control thread, which is asked by mail and answers at once.
 */
#include "app.h"
#include "asks.h"
#include "metrics.h"
#include "plan.h"
#include "text.h"

#include "base/config.h"
#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS_MS = 5000 };

const char *leat__state_name(leat_state_t state)
{
    static const char *const names[] = {"CREATED", "REBALANCING", "RUNNING", "PENDING_SHUTDOWN",
        "NOT_RUNNING", "PENDING_ERROR", "ERROR"};

    return names[state];
}

/* ---- Prometheus ---- */

/* A label's value: \, " and line ends are written as \\, \" and \n. */
static void put_label(leat__text_t *out, const char *value)
{
    char c[2] = "";

    for (; *value; value++) {
        c[0] = *value;
        leat__text_put(out, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : *value == '\\' ? "\\\\" : c);
    }
}

static void put_number(leat__text_t *out, double value)
{
    if (isinf(value))
        leat__text_put(out, "+Inf\n");
    else if (value == floor(value) && fabs(value) < 9e15)
        leat__text_format(out, "%" PRId64 "\n", (int64_t)value);
    else
        leat__text_format(out, "%.6g\n", value);
}

static void put_head(leat__text_t *out, const char *name, bool counter, const char *meaning)
{
    leat__text_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, meaning, name,
        counter ? "counter" : "gauge");
}

static void put_name(leat__text_t *out, const leat_app_t *app, const char *name)
{
    leat__text_format(out, "%s{application_id=\"", name);
    put_label(out, leat__config_text(app->config, "application.id"));
    leat__text_put(out, "\"");
}

static void put_metric(leat__text_t *out, const leat_app_t *app, const leat__metric_row_t *row,
    const leat__thread_view_t *views, int count)
{
    char name[120];

    snprintf(name, sizeof name, "leat_%s", row->name);
    for (char *c = name; *c; c++)
        if (*c == '-')
            *c = '_';
    put_head(out, name, row->counter, row->meaning);
    for (int i = 0; i < count; i++) {
        put_name(out, app, name);
        leat__text_format(out, ",thread=\"%d\"} ", views[i].index);
        put_number(out, row->value(&views[i]));
    }
}

static void put_metrics(leat_app_t *app, leat__text_t *out)
{
    leat_state_t state = leat_app_state(app);
    leat__thread_view_t *views = NULL;
    int count = 0;

    pthread_mutex_lock(&app->lock);
    if (app->control != NULL)
        count = leat__control_views(app->control, &views);
    pthread_mutex_unlock(&app->lock);
    put_head(out, "leat_state", false, "State of the app; leat_state_t says which number is which.");
    put_name(out, app, "leat_state");
    leat__text_format(out, ",state=\"%s\"} %d\n", leat__state_name(state), (int)state);
    for (size_t i = 0; i < leat__metric_count; i++)
        put_metric(out, app, &leat__metrics[i], views, count);
    leat__free(views);
}

/* ---- JSON ---- */

static const char *phase_of(const leat__task_view_t *v)
{
    return v->running ? "running" : v->standby ? "standby" : "restoring";
}

/* null: not known yet */
static void put_count(leat__text_t *out, const char *name, uint64_t count)
{
    if (count == UINT64_MAX)
        leat__text_format(out, ",\"%s\":null", name);
    else
        leat__text_format(out, ",\"%s\":%" PRIu64, name, count);
}

static void put_task(leat__text_t *out, int thread, const leat__task_view_t *v)
{
    leat__text_format(out,
        "{\"task\":\"%" PRId32 "_%" PRId32 "\",\"subtopology\":%" PRId32 ",\"partition\":%" PRId32
        ",\"thread\":%d,\"role\":\"%s\",\"state\":\"%s\"",
        v->ref.group, v->ref.partition, v->ref.group, v->ref.partition, thread,
        v->standby ? "standby" : "active", phase_of(v));
    put_count(out, "processed", v->records);
    put_count(out, "lag", v->lag);
    put_count(out, "records_left", v->left);
    put_count(out, "records_total", v->total);
    leat__text_format(out, ",\"records_per_second\":%.0f}", v->rate);
}

static void put_tasks(leat_app_t *app, leat__text_t *out)
{
    bool first = true;

    leat__text_format(out, "{\"state\":\"%s\",\"tasks\":[", leat__state_name(leat_app_state(app)));
    pthread_mutex_lock(&app->lock);
    if (app->control != NULL) {
        leat__task_view_t *tasks = NULL;
        size_t room = 0;

        for (int i = 0, count; (count = leat__control_tasks(app->control, i, &tasks, &room)) >= 0; i++)
            for (int k = 0; k < count; k++) {
                leat__text_put(out, first ? "" : ",");
                put_task(out, i, &tasks[k]);
                first = false;
            }
        leat__free(tasks);
    }
    pthread_mutex_unlock(&app->lock);
    leat__text_put(out, "]}");
}

/* The control thread's answer, which is JSON already (control_ask.c). */
static void put_workers(leat_app_t *app, leat__text_t *out)
{
    leat__question_t *q = leat__question_new(LEAT__QUESTION_WORKERS, (leat__task_ref_t){0, 0});
    bool asked = false;

    pthread_mutex_lock(&app->lock);
    if (app->control != NULL) {
        leat__mailbox_post(&app->worker.control, leat__question_message(q));
        asked = true;
    }
    pthread_mutex_unlock(&app->lock);
    if (asked && leat__question_wait(q, WORKERS_MS) && !q->err.code)
        leat__text_format(out, "%.*s", (int)q->page.size, q->page.data);
    else
        leat__text_put(out, "{\"generation\":null,\"workers\":[]}");
    leat__question_drop(q);
}

/* Those of global stores are in no task, and not told. */
static void put_nodes(leat_app_t *app, leat__text_t *out)
{
    const char *comma = "";

    leat__text_put(out, "{\"nodes\":[");
    pthread_mutex_lock(&app->lock);
    if (app->control != NULL) {
        const leat__plan_t *plan = app->plan;
        uint64_t *sum = leat__must_alloc((plan->node_count + 1) * sizeof *sum);

        leat__control_nodes(app->control, sum);
        for (size_t i = 0; i < plan->node_count; i++) {
            if (plan->groups[plan->nodes[i]->group].global)
                continue;
            leat__text_format(out, "%s{\"name\":", comma);
            leat__text_quote(out, plan->nodes[i]->name);
            leat__text_format(out, ",\"records\":%" PRIu64 "}", sum[i]);
            comma = ",";
        }
        leat__free(sum);
    }
    pthread_mutex_unlock(&app->lock);
    leat__text_put(out, "]}");
}

/* Before the start the topology is compiled for it; then the plan that runs is shown. */
static void put_topology(leat_app_t *app, leat__text_t *out)
{
    char *text;

    pthread_mutex_lock(&app->lock);
    if (app->plan != NULL) {
        text = leat__plan_text(app->plan, LEAT_FORMAT_JSON);
        leat__text_put(out, text != NULL ? text : "{}");
        leat__free(text);
    } else {
        leat__text_put(
            out, leat_topology_describe(app->topology, app->config, LEAT_FORMAT_JSON));
    }
    pthread_mutex_unlock(&app->lock);
}

void leat_app_report(
    const leat_app_t *const_app, leat_report_t what, leat_write_fn write, void *user)
{
    leat_app_t *app = (leat_app_t *)(uintptr_t)const_app; /* its locks */
    leat__text_t out = {0};
    char *text;

    switch (what) {
    case LEAT_REPORT_METRICS:
        put_metrics(app, &out);
        break;
    case LEAT_REPORT_TASKS:
        put_tasks(app, &out);
        break;
    case LEAT_REPORT_TOPOLOGY:
        put_topology(app, &out);
        break;
    case LEAT_REPORT_WORKERS:
        put_workers(app, &out);
        break;
    case LEAT_REPORT_NODES:
        put_nodes(app, &out);
        break;
    }
    text = leat__text_finish(&out);
    if (text != NULL)
        write(user, text, strlen(text));
    leat__free(text);
}
