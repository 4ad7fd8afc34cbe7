/*
 * runtime/restore_bar.c: see restore_bar.h. A thread of its own looks at the app's metrics a few
 * times a second; it and the log share a lock, so that a line takes the place of the bar, which is drawn
 * again below it.
 */
#include "restore_bar.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LOOK_MS = 250, CELLS = 20, COLUMNS = 80 };

struct leat__restore_bar_t {
    leat_app_t *app;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;
    uint64_t total, left;
    char *line; /* [own] as it is on the terminal; NULL: nothing is there */
};

/* ---- the line ---- */

/* A task that begins later makes the whole larger; what is done stays done. */
char *leat__restore_line(
    const leat__restores_t *now, uint64_t *total, uint64_t *left, size_t columns)
{
    leat__buf_t out = {0};
    double part;

    if (!now->restoring) {
        *total = *left = 0;
        return NULL;
    }
    if (now->left > *left)
        *total += now->left - *left;
    *left = now->left;
    part = *total ? (double)(*total - *left) / (double)*total : 0;
    leat__buf_put_text(&out, "[");
    for (int i = 0; i < CELLS; i++)
        leat__buf_put_text(&out, i < (int)(part * CELLS) ? "#" : ".");
    leat__buf_format(&out, "] %3d %%  %zu of %zu tasks restore: %llu of %llu records, %.0f/s",
        (int)(100 * part), now->restoring, now->tasks, (unsigned long long)(*total - *left),
        (unsigned long long)*total, now->rate);
    if (now->rate >= 1)
        leat__buf_format(&out, ", %.0f s", (double)*left / now->rate);
    if (out.size > columns)
        out.size = columns;
    return leat__buf_finish(&out);
}

/* ---- on the terminal, under the lock ---- */

static void clear(const leat__restore_bar_t *bar)
{
    if (bar->line)
        fputs("\r\033[K", stderr);
}

static void draw(const leat__restore_bar_t *bar)
{
    if (bar->line)
        fprintf(stderr, "\r%s\033[K", bar->line);
}

static void log_above(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    leat__restore_bar_t *bar = user;

    pthread_mutex_lock(&bar->lock);
    clear(bar);
    leat__log_to_stderr(NULL, level, area, text, fields);
    draw(bar);
    pthread_mutex_unlock(&bar->lock);
}

static size_t columns_now(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return COLUMNS - 1;
    return size.ws_col - 1U; /* the last cell would move some terminals on */
}

static void look(leat__restore_bar_t *bar)
{
    leat__restores_t now = {.tasks = (size_t)leat_app_metric(bar->app, "tasks"),
        .restoring = (size_t)leat_app_metric(bar->app, "restoring-tasks"),
        .left = (uint64_t)leat_app_metric(bar->app, "restore-records-left"),
        .rate = leat_app_metric(bar->app, "restore-records-rate")};
    char *line = leat__restore_line(&now, &bar->total, &bar->left, columns_now());
    bool changed;

    pthread_mutex_lock(&bar->lock);
    if (!line)
        clear(bar);
    changed = !line || !bar->line || strcmp(line, bar->line) != 0;
    leat__free(bar->line);
    bar->line = line;
    if (changed)
        draw(bar);
    pthread_mutex_unlock(&bar->lock);
}

static void *keep_looking(void *user)
{
    leat__restore_bar_t *bar = user;
    struct timespec until;

    pthread_mutex_lock(&bar->lock);
    while (!bar->over) {
        pthread_mutex_unlock(&bar->lock);
        look(bar);
        until = leat__deadline(LOOK_MS);
        pthread_mutex_lock(&bar->lock);
        if (!bar->over)
            pthread_cond_timedwait(&bar->changed, &bar->lock, &until);
    }
    pthread_mutex_unlock(&bar->lock);
    return NULL;
}

/* ---- its life ---- */

static void release(leat__restore_bar_t *bar)
{
    leat__log_divert(NULL, NULL);
    clear(bar);
    bar->app->worker.shows_restores = false;
    pthread_cond_destroy(&bar->changed);
    pthread_mutex_destroy(&bar->lock);
    leat__free(bar->line);
    leat__free(bar);
}

leat__restore_bar_t *leat__restore_bar_start(leat_app_t *app)
{
    leat__restore_bar_t *bar;

    if (app->nil || !isatty(STDERR_FILENO) || !leat__log_on(LEAT_LOG_INFO))
        return NULL;
    bar = leat__must_alloc(sizeof *bar);
    bar->app = app;
    pthread_mutex_init(&bar->lock, NULL);
    leat__cond_init(&bar->changed);
    app->worker.shows_restores = leat__log_divert(log_above, bar);
    if (app->worker.shows_restores && !pthread_create(&bar->thread, NULL, keep_looking, bar))
        return bar;
    release(bar);
    return NULL;
}

void leat__restore_bar_stop(leat__restore_bar_t *bar)
{
    if (!bar)
        return;
    pthread_mutex_lock(&bar->lock);
    bar->over = true;
    pthread_cond_signal(&bar->changed);
    pthread_mutex_unlock(&bar->lock);
    pthread_join(bar->thread, NULL);
    release(bar);
}
