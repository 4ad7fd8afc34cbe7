/* runtime/metrics.c: the table of metrics.h, and the numbers by name. */
#include "metrics.h"

#include "app.h"

#include <math.h>
#include <string.h>

static double records(const leat__thread_view_t *v) { return (double)v->counts.records; }
static double dropped(const leat__thread_view_t *v) { return (double)v->counts.dropped; }
static double forwarded(const leat__thread_view_t *v) { return (double)v->counts.forwarded; }
static double sent(const leat__thread_view_t *v) { return (double)v->counts.sent; }
static double punctuations(const leat__thread_view_t *v) { return (double)v->counts.punctuations; }
static double forced(const leat__thread_view_t *v) { return (double)v->counts.forced; }
static double lag(const leat__thread_view_t *v) { return (double)v->lag; }
static double commits(const leat__thread_view_t *v) { return (double)v->commits; }
static double aborts(const leat__thread_view_t *v) { return (double)v->aborts; }
static double threads(const leat__thread_view_t *v) { return (double)v->threads; }
static double tasks(const leat__thread_view_t *v) { return (double)v->task_count; }
static double restoring(const leat__thread_view_t *v) { return (double)v->restoring_count; }
static double restore_left(const leat__thread_view_t *v) { return (double)v->restore_left; }
static double restore_rate(const leat__thread_view_t *v) { return v->restore_rate; }
static double standbys(const leat__thread_view_t *v) { return (double)v->standby_count; }
static double standby_left(const leat__thread_view_t *v) { return (double)v->standby_left; }

static double restore_remaining_seconds(const leat__thread_view_t *v)
{
    if (v->restore_left == 0)
        return 0;
    return v->restore_rate > 0 ? (double)v->restore_left / v->restore_rate
                               : (double)INFINITY;
}

const leat__metric_row_t leat__metrics[] = {
    {"records-total", true, "records", "stream-task process-total", "Input records processed.",
        records},
    {"dropped-records-total", true, "records", "stream-task dropped-records-total",
        "Records left out: too late, without a key, or bad and let go.", dropped},
    {"forwarded-total", true, "records", "stream-processor-node process-total",
        "Records that went from one node to the next.", forwarded},
    {"sent-total", true, "records", "stream-topic records-produced-total",
        "Records written to topics other than changelogs.", sent},
    {"punctuations-total", true, "calls", "stream-thread punctuate-total",
        "Calls of scheduled functions.", punctuations},
    {"enforced-processing-total", true, "records", "stream-task enforced-processing-total",
        "Records processed although another input was empty (max.task.idle.ms).", forced},
    {"records-lag", false, "records", "consumer-fetch-manager records-lag",
        "Input records still to be processed, up to the ends as last seen.", lag},
    {"commits-total", true, "commits", "stream-thread commit-total",
        "Commits that succeeded, of all threads.", commits},
    {"aborts-total", true, "aborts", "", "Transactions given up; their records are done again.",
        aborts},
    {"threads", false, "threads", "stream-metrics alive-stream-threads",
        "Stream threads that are alive.", threads},
    {"tasks", false, "tasks", "stream-state-updater active-running-tasks",
        "Tasks that this process owns.", tasks},
    {"restoring-tasks", false, "tasks", "stream-state-updater active-restoring-tasks",
        "Owned tasks that do not process yet.", restoring},
    {"restore-records-left", false, "records", "stream-task restore-remaining-records-total",
        "Changelog records still to be replayed.", restore_left},
    {"restore-records-rate", false, "records/s", "stream-state-updater restore-records-rate",
        "How fast they are replayed.", restore_rate},
    {"restore-remaining-seconds", false, "s", "",
        "How long that will take at this rate; infinite while nothing moves.", restore_remaining_seconds},
    {"standby-updating-tasks", false, "tasks", "stream-state-updater standby-updating-tasks",
        "Copies of other processes' tasks kept here.", standbys},
    {"standby-records-left", false, "records", "",
        "Changelog records that these copies are behind.", standby_left},
};
const size_t leat__metric_count = sizeof leat__metrics / sizeof *leat__metrics;

double leat_app_metric(leat_app_t *app, const char *name)
{
    leat__thread_view_t v = {0};

    pthread_mutex_lock(&app->lock);
    if (app->control != NULL)
        leat__control_view(app->control, &v);
    pthread_mutex_unlock(&app->lock);
    for (size_t i = 0; i < leat__metric_count; i++)
        if (strcmp(leat__metrics[i].name, name) == 0)
            return leat__metrics[i].value(&v);
    return (double)NAN;
}
