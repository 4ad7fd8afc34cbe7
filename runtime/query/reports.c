/* runtime/query/reports.c: what a worker says about itself: health, metrics, topology, tasks, workers. */
#include "routes.h"

#include "base/mem.h"
#include "embedded_files.h"
#include "runtime/plan.h"

#include <string.h>

static void put(void *user, const char *data, size_t size)
{
    leat__buf_put(user, data, size);
}

static void report(leat__request_t *r, leat__reply_t *reply, leat_report_t what)
{
    if (leat__request_all_known(r, reply))
        leat_app_report(r->site->app, what, put, &reply->body);
}

void leat__answer_page_html(leat__request_t *r, leat__reply_t *reply)
{
    (void)r; /* parameters are the page's own */
    reply->type = "text/html; charset=utf-8";
    reply->fixed = (leat_slice_t){(const char *)leat__file_page_html, leat__file_page_html_size};
}

void leat__answer_openapi(leat__request_t *r, leat__reply_t *reply)
{
    if (leat__request_all_known(r, reply))
        reply->fixed =
            (leat_slice_t){(const char *)leat__file_openapi_json, leat__file_openapi_json_size};
}

static void health(leat__reply_t *reply, leat_state_t state, bool well)
{
    leat__buf_put_text(&reply->body, "{");
    leat__reply_put_field(reply, "state", leat_slice(leat__state_name(state)));
    leat__buf_put_text(&reply->body, "}");
    reply->status = well ? 200 : 503;
    reply->retry_after_s = well ? 0 : 1;
}

/* A process that has failed, or hangs on nothing, is to be started anew. */
void leat__answer_live(leat__request_t *r, leat__reply_t *reply)
{
    leat_state_t state = leat_app_state(r->site->app);

    health(reply, state, state != LEAT_STATE_ERROR && state != LEAT_STATE_PENDING_ERROR);
}

void leat__answer_ready(leat__request_t *r, leat__reply_t *reply)
{
    leat_state_t state = leat_app_state(r->site->app);

    health(reply, state, state == LEAT_STATE_RUNNING);
}

void leat__answer_metrics(leat__request_t *r, leat__reply_t *reply)
{
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    report(r, reply, LEAT_REPORT_METRICS);
}

void leat__answer_topology(leat__request_t *r, leat__reply_t *reply)
{
    static const struct {
        leat_format_t format;
        const char *type;
    } forms[] = {{LEAT_FORMAT_JSON, NULL},
        {LEAT_FORMAT_TEXT, "text/plain; charset=utf-8"},
        {LEAT_FORMAT_DOT, "text/vnd.graphviz; charset=utf-8"}};
    int form = 0;
    char *text;

    if (!leat__request_choice(r, "format", "json,text,dot", &form, reply) ||
        !leat__request_all_known(r, reply))
        return;
    text = leat__plan_text(r->site->app->plan, forms[form].format);
    reply->type = forms[form].type;
    leat__buf_put_text(&reply->body, text ? text : "");
    leat__free(text);
}

void leat__answer_tasks(leat__request_t *r, leat__reply_t *reply)
{
    report(r, reply, LEAT_REPORT_TASKS);
}

void leat__answer_nodes(leat__request_t *r, leat__reply_t *reply)
{
    report(r, reply, LEAT_REPORT_NODES);
}

void leat__answer_workers(leat__request_t *r, leat__reply_t *reply)
{
    report(r, reply, LEAT_REPORT_WORKERS);
}
