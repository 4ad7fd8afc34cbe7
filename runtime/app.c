/*
 * runtime/app.c: the life of an app.
 *
 *   CREATED ─start─▶ REBALANCING ◀─▶ RUNNING ─stop─▶ PENDING_SHUTDOWN ─▶ NOT_RUNNING
 *                          └──────── failure ───────▶ PENDING_ERROR ─▶ ERROR
 *
 * start() does what may fail for reasons that a user can mend (configuration, topology, state directory, broker, topics) before
 * any thread runs, and says so in one error. After it only the control thread and the stream threads act; whoever calls stop,
 * run or free waits for them and takes everything down.
 */
#include "app.h"
#include "peers.h"
#include "query/http.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static leat_app_t nil_app = {
    .nil = true, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
    .globals_lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- states ---- */

static bool is_final(leat_state_t state)
{
    return state == LEAT_STATE_NOT_RUNNING || state == LEAT_STATE_ERROR;
}

/* from: only if it is in one of these states (a bit each). */
static void change_state(leat_app_t *app, unsigned from, leat_state_t to)
{
    pthread_mutex_lock(&app->lock);
    leat_state_t before = app->state;
    bool change = before != to && (from & 1u << before) != 0;
    if (change)
        app->state = to;
    pthread_cond_broadcast(&app->changed);
    pthread_mutex_unlock(&app->lock);
    if (change && app->until_signal && is_final(to))
        leat__signals_wake();
    if (change && app->opts.on_state != NULL)
        app->opts.on_state(app->opts.user, to, before);
}

enum {
    THREADS_MAX = 1000, /* of num.stream.threads */
    WAIT_MS = 1000,     /* at most, for an end that wakes */
    ALIVE = 1u << LEAT_STATE_REBALANCING | 1u << LEAT_STATE_RUNNING,
    ANY_STARTED = ALIVE | 1u << LEAT_STATE_PENDING_SHUTDOWN | 1u << LEAT_STATE_PENDING_ERROR
};

static void on_control_state(void *user, bool running)
{
    change_state(user, ALIVE, running ? LEAT_STATE_RUNNING : LEAT_STATE_REBALANCING);
}

static leat_rescue_t on_thread_failed(void *user, const leat_error_t *err)
{
    leat_app_t *app = user;

    if (app->opts.on_thread_failure == NULL)
        return LEAT_SHUTDOWN_CLIENT;
    return app->opts.on_thread_failure(app->opts.user, err);
}

static void on_control_failed(void *user, const leat_error_t *err)
{
    leat_app_t *app = user;

    leat__log(LEAT_LOG_ERROR, "app", NULL, "%s: %s", err->where, err->text);
    pthread_mutex_lock(&app->lock);
    leat__error_keep(&app->failure, err);
    pthread_mutex_unlock(&app->lock);
    change_state(app, ALIVE, LEAT_STATE_PENDING_ERROR);
}

void leat__app_fail(leat_app_t *app, const leat_error_t *err)
{
    on_control_failed(app, err);
    pthread_mutex_lock(&app->lock);
    if (app->control != NULL)
        leat__control_stop(app->control);
    pthread_mutex_unlock(&app->lock);
}

static void on_control_stopped(void *user)
{
    leat_app_t *app = user;

    pthread_mutex_lock(&app->lock);
    app->over = true;
    bool failed = app->failure.code != 0;
    pthread_mutex_unlock(&app->lock);
    change_state(app, ANY_STARTED, failed ? LEAT_STATE_ERROR : LEAT_STATE_NOT_RUNNING);
}

/* ---- making and freeing ---- */

leat_app_t *leat_app_new(
    leat_topology_t *topology, leat_config_t *config, const leat_app_opts_t *opts)
{
    leat_app_t *app = leat__alloc(sizeof *app);

    if (app == NULL) {
        leat_topology_free(topology);
        leat_config_free(config);
        if (opts != NULL && opts->user_free != NULL)
            opts->user_free(opts->user);
        return &nil_app;
    }
    app->topology = topology;
    app->config = config != NULL ? config : leat_config_new();
    if (opts != NULL)
        app->opts = *opts;
    app->dir.lock = -1;
    pthread_mutex_init(&app->lock, NULL);
    leat__cond_init(&app->changed);
    pthread_mutex_init(&app->globals_lock, NULL);
    return app;
}

void leat__app_use(leat_app_t *app, leat__broker_t *broker)
{
    app->broker = broker;
}

/* ---- the HTTP server, if this build has one ---- */

/* Where others reach this process; port 0 stands for the one that is listened on. */
static char *advertised(const leat_app_t *app)
{
    const char *text = leat__config_text(app->config, "leat.http.advertised");

    if (text[0] == '\0')
        return NULL;
#ifdef LEAT_WITH_HTTP
    const char *colon = strrchr(text, ':');
    if (app->http != NULL && strcmp(colon, ":0") == 0)
        return leat__must_format(
            "%.*s:%d", (int)(colon - text), text, leat__http_port(app->http));
#endif
    return leat__must_strdup(text);
}

static int start_http(leat_app_t *app, leat_error_t *err)
{
#ifdef LEAT_WITH_HTTP
    int rc = leat__http_listen(app, &app->http, err);

    if (rc == 0)
        app->worker.advertised = advertised(app);
    return rc != 0 ? rc : leat__http_serve(app->http, err);
#else
    app->worker.advertised = advertised(app);
    if (leat__config_text(app->config, "leat.http.listen")[0] == '\0')
        return 0;
    return leat__error(err, LEAT_ECONFIG, LEAT_FATAL, "leat.http.listen",
        "this build of leat has no HTTP server: build it with -DLEAT_WITH_HTTP=ON");
#endif
}

static void stop_http(leat_app_t *app)
{
#ifdef LEAT_WITH_HTTP
    leat__http_stop(app->http);
    app->http = NULL;
#else
    (void)app;
#endif
}

/* Everything that start made, last made first. The control thread has ended. */
static void take_down(leat_app_t *app)
{
    leat__worker_t *w = &app->worker;

    pthread_mutex_lock(&app->lock);
    leat__control_t *control = app->control;
    app->control = NULL; /* leat_app_metric and its like find nothing from here on */
    pthread_mutex_unlock(&app->lock);
    leat__control_free(control); /* answers what is still asked */
    stop_http(app);
    leat__globals_stop(app);
    if (w->checkpointer != NULL)
        leat__checkpointer_stop(w->checkpointer);
    if (w->application_id != NULL)
        leat__mailbox_release(&w->control);
    leat__block_cache_free(w->block_cache);
    leat__free(w->application_id);
    leat__free(w->process_id);
    leat__free(w->state_dir);
    leat__free(w->advertised);
    memset(w, 0, sizeof *w);
    for (size_t i = 0; i < app->created_count; i++)
        leat__free(app->created[i]);
    leat__free(app->created);
    app->created = NULL;
    app->created_count = 0;
    if (app->broker != NULL)
        app->broker->vt->close(app->broker);
    app->broker = NULL;
    leat__state_dir_close(&app->dir);
    leat__plan_free(app->plan);
    app->plan = NULL;
}

void leat_app_free(leat_app_t *app)
{
    if (app == NULL || app->nil)
        return;
    leat_app_stop(app, NULL);
    if (app->has_ender)
        pthread_join(app->ender, NULL);
    take_down(app); /* what a start that failed has left */
    leat__peers_free(app->peers);
    leat_topology_free(app->topology);
    leat_config_free(app->config);
    if (app->opts.user_free != NULL)
        app->opts.user_free(app->opts.user);
    pthread_mutex_destroy(&app->lock);
    pthread_cond_destroy(&app->changed);
    pthread_mutex_destroy(&app->globals_lock);
    leat__free(app);
}

/* ---- start ---- */

static int check_config(const leat_app_t *app, leat_error_t *err)
{
    int rc = leat_config_check(app->config, err);
    const char *id = leat__config_text(app->config, "application.id");

    if (rc != 0)
        return rc;
    if (id[0] == '\0')
        return leat__error(err, LEAT_ECONFIG, LEAT_FATAL, "application.id",
            "not set: it names the group, the internal topics and the state of this application");
    if (!leat__name_legal(id))
        return leat__error(err, LEAT_ECONFIG, LEAT_FATAL, "application.id",
            "\"%s\" is not allowed: 1 to 249 of [A-Za-z0-9._-], since topics begin with it", id);
    return 0;
}

static void fill_worker(leat_app_t *app)
{
    leat__worker_t *w = &app->worker;
    const leat_config_t *c = app->config;
    int64_t memory = leat__config_int(c, "memory.max.bytes");

    w->config = c;
    w->opts = &app->opts;
    w->broker = app->broker;
    w->plan = app->plan;
    w->process_id = leat__must_strdup(app->dir.process_id);
    w->state_dir = leat__must_strdup(app->dir.path);
    w->exactly_once = strcmp(leat__config_text(c, "processing.guarantee"), "exactly_once_v2") == 0;
    w->thread_count = (int)leat__config_int(c, "num.stream.threads");
    w->clock = app->broker->vt->clock(app->broker);
    /* a quarter of the memory for reading, the rest is the write buffers' and the queues' */
    w->block_cache = leat__block_cache_new(memory > 0 ? (size_t)memory / 4 : (size_t)32 << 20);
    w->checkpointer = leat__checkpointer_start();
    leat__checkpointer_clean(
        w->checkpointer, w->state_dir, leat__config_int(c, "state.cleanup.delay.ms"));
}

static int start_control(leat_app_t *app, leat_error_t *err)
{
    leat__control_hooks_t hooks = {.state = on_control_state,
        .thread_failed = on_thread_failed,
        .failed = on_control_failed,
        .stopped = on_control_stopped,
        .user = app};
    leat__control_t *control = leat__control_new(&app->worker, &hooks, app->log_start,
        (const char *const *)app->created, app->created_count, err);
    int rc;

    if (control == NULL)
        return err->code;
    pthread_mutex_lock(&app->lock);
    app->control = control;
    app->threads = app->worker.thread_count;
    pthread_mutex_unlock(&app->lock);
    change_state(app, 1u << LEAT_STATE_CREATED, LEAT_STATE_REBALANCING);
    rc = leat__control_start(control, err);
    pthread_mutex_lock(&app->lock);
    if (rc == 0 && app->failure.code != 0) /* of the global stores, before there was anything to stop */
        leat__control_stop(control);
    pthread_mutex_unlock(&app->lock);
    return rc;
}

static int start(leat_app_t *app, leat_error_t *err)
{
    int rc = leat_topology_check(app->topology, app->config, err);

    if (rc == 0)
        rc = check_config(app, err);
    if (rc == 0)
        rc = leat__topology_compile(app->topology, app->config, &app->plan, err);
    if (rc == 0)
        rc = leat__state_dir_open(&app->dir, app->config, err);
    if (rc == 0 && app->broker == NULL) {
        app->broker = leat__broker_open(app->config, err);
        rc = app->broker == NULL ? err->code : 0;
    }
    if (rc != 0)
        return rc;
    app->worker.application_id =
        leat__must_strdup(leat__config_text(app->config, "application.id"));
    leat__mailbox_init(&app->worker.control);
    rc = leat__app_topics(app, err);
    if (rc != 0)
        return rc;
    fill_worker(app);
    rc = start_http(app, err);
    if (rc == 0)
        rc = leat__globals_start(app, err);
    return rc != 0 ? rc : start_control(app, err);
}

int leat_app_start(leat_app_t *app, leat_error_t *err)
{
    leat_error_t local;
    int rc;

    if (err == NULL)
        err = &local;
    leat__error_clear(err);
    if (app == NULL || app->nil)
        return leat__error(err, LEAT_ENOMEM, LEAT_FATAL, "app", "%s", leat_error_text(LEAT_ENOMEM));
    if (app->state != LEAT_STATE_CREATED)
        return leat__error(err, LEAT_ESTATE, 0, "app", "an app is started once");
    rc = start(app, err);
    if (rc != 0) {
        pthread_mutex_lock(&app->lock);
        leat__error_keep(&app->failure, err);
        app->over = true;
        pthread_mutex_unlock(&app->lock);
        take_down(app);
        change_state(app, ~0u, LEAT_STATE_ERROR);
    }
    return rc;
}

/* ---- waiting ---- */

int leat_app_wait(leat_app_t *app, leat_state_t state, int64_t timeout_ms, leat_error_t *err)
{
    struct timespec until = leat__deadline(timeout_ms);
    leat_state_t now;
    int rc = 0;

    leat__error_clear(err);
    pthread_mutex_lock(&app->lock);
    while (app->state != state && !is_final(app->state) && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&app->changed, &app->lock, &until);
    now = app->state;
    if (now != state && is_final(now) && app->failure.code != 0 && err != NULL)
        *err = app->failure;
    rc = app->failure.code;
    pthread_mutex_unlock(&app->lock);
    if (now == state)
        return 0;
    if (is_final(now))
        return rc != 0 ? rc : leat__error(err, LEAT_ESTATE, 0, "app", "it was stopped meanwhile");
    return leat__error(err, LEAT_ETIMEOUT, LEAT_RETRIABLE, "app", "not in that state after %lld ms",
        (long long)timeout_ms);
}

static int failure_of(leat_app_t *app, leat_error_t *err)
{
    pthread_mutex_lock(&app->lock);
    int code = app->failure.code;
    if (code != 0 && err != NULL)
        *err = app->failure;
    pthread_mutex_unlock(&app->lock);
    return code;
}

/* Until it is over; a signal, if waited for, stops it cleanly. */
static int run(leat_app_t *app, leat_error_t *err, bool signals)
{
    leat_error_t local;
    int rc;

    if (err == NULL)
        err = &local;
    if (signals)
        leat__signals_begin();
    if (app != NULL && !app->nil)
        app->until_signal = signals;
    rc = leat_app_start(app, err);
    if (rc != 0 && signals && leat__signals_seen() && (err->flags & LEAT_RETRIABLE)) {
        leat__log(LEAT_LOG_INFO, "app", NULL, "stopped before it had started");
        leat__signals_end();
        leat__error_clear(err);
        return 0;
    }
    bool asked = false;
    while (rc == 0 && !is_final(leat_app_state(app))) {
        if (signals) {
            leat__signals_wait(WAIT_MS);
            if (leat__signals_seen() && !asked) {
                asked = true;
                leat__log(LEAT_LOG_INFO, "app", NULL, "stopping: committing what is done");
                change_state(app, ALIVE, LEAT_STATE_PENDING_SHUTDOWN);
                pthread_mutex_lock(&app->lock);
                if (app->control != NULL)
                    leat__control_stop(app->control);
                pthread_mutex_unlock(&app->lock);
            }
        } else {
            leat_app_wait(app, LEAT_STATE_NOT_RUNNING, WAIT_MS, NULL);
        }
    }
    if (signals)
        leat__signals_end();
    if (rc != 0)
        return rc;
    leat_app_stop(app, NULL);
    return failure_of(app, err);
}

int leat_app_run(leat_app_t *app, leat_error_t *err)
{
    return run(app, err, false);
}

int leat_app_run_until_signal(leat_app_t *app, leat_error_t *err)
{
    return run(app, err, true);
}

int leat_app_run_to_end(leat_app_t *app, leat_error_t *err)
{
    leat_error_t local;
    leat__ends_t ends = {0};
    int rc;

    if (err == NULL)
        err = &local;
    if (!app->nil)
        leat__commit_often(app->config);
    rc = leat_app_start(app, err);
    if (rc == 0)
        rc = leat__ends_now(app, &ends, err);
    while (rc == 0 && !is_final(leat_app_state(app))) {
        rc = leat__ends_reached(app, &ends, err);
        if (rc == 0)
            leat_app_wait(app, LEAT_STATE_NOT_RUNNING, 100, NULL);
    }
    leat__ends_release(&ends);
    if (app->nil)
        return rc;
    leat_app_stop(app, NULL);
    return rc < 0 ? rc : failure_of(app, err);
}

/* ---- stop ---- */

static void *take_down_at_last(void *user)
{
    leat_app_t *app = user;

    leat__control_join(app->control);
    take_down(app);
    pthread_mutex_lock(&app->lock);
    app->down = true;
    pthread_cond_broadcast(&app->changed);
    pthread_mutex_unlock(&app->lock);
    return NULL;
}

/* A thread of its own: closing connections to a broker that is away takes longer than a caller may want to wait. */
static void begin_taking_down(leat_app_t *app)
{
    app->taking_down = true;
    app->has_ender = pthread_create(&app->ender, NULL, take_down_at_last, app) == 0;
    if (app->has_ender)
        return;
    pthread_mutex_unlock(&app->lock);
    take_down_at_last(app);
    pthread_mutex_lock(&app->lock);
}

int leat_app_stop(leat_app_t *app, const leat_stop_opts_t *opts)
{
    struct timespec until =
        leat__deadline(opts != NULL && opts->timeout_ms > 0 ? opts->timeout_ms : LEAT_DAYS(10000));
    int rc = 0;

    if (app == NULL || app->nil || leat_app_state(app) == LEAT_STATE_CREATED)
        return 0;
    change_state(app, ALIVE, LEAT_STATE_PENDING_SHUTDOWN);
    pthread_mutex_lock(&app->lock);
    bool started = app->control != NULL || app->taking_down;
    if (app->control != NULL)
        leat__control_stop(app->control);
    while (started && !app->down && rc != ETIMEDOUT) {
        if (app->over && !app->taking_down)
            begin_taking_down(app);
        else
            rc = pthread_cond_timedwait(&app->changed, &app->lock, &until);
    }
    bool late = started && !app->down;
    pthread_mutex_unlock(&app->lock);
    return late ? LEAT_ETIMEOUT : 0;
}

leat_state_t leat_app_state(const leat_app_t *app)
{
    leat_app_t *a = (leat_app_t *)(uintptr_t)app;

    pthread_mutex_lock(&a->lock);
    leat_state_t state = a->state;
    pthread_mutex_unlock(&a->lock);
    return state;
}

static int change_threads(leat_app_t *app, int by, leat_error_t *err)
{
    int rc = 0;

    leat__error_clear(err);
    pthread_mutex_lock(&app->lock);
    if (app->control == NULL || (ALIVE & 1u << app->state) == 0)
        rc = leat__error(err, LEAT_ESTATE, 0, "app",
            "threads are added and removed while the app runs: between its start and its stop");
    else if (app->threads + by < 0)
        rc = leat__error(err, LEAT_ESTATE, 0, "app", "it has no thread left to remove");
    else if (app->threads + by > THREADS_MAX)
        rc = leat__error(err, LEAT_EARGUMENT, 0, "app", "more than %d threads", (int)THREADS_MAX);
    else
        leat__control_set_threads(app->control, app->threads += by);
    pthread_mutex_unlock(&app->lock);
    return rc;
}

int leat_app_add_thread(leat_app_t *app, leat_error_t *err)
{
    return change_threads(app, 1, err);
}

int leat_app_remove_thread(leat_app_t *app, leat_error_t *err)
{
    return change_threads(app, -1, err);
}

static void pause_all(leat_app_t *app, bool pause)
{
    pthread_mutex_lock(&app->lock);
    if (app->control != NULL)
        leat__control_pause(app->control, pause);
    pthread_mutex_unlock(&app->lock);
}

void leat_app_pause(leat_app_t *app)
{
    pause_all(app, true);
}

void leat_app_resume(leat_app_t *app)
{
    pause_all(app, false);
}

int leat_app_clean_up(leat_app_t *app, leat_error_t *err)
{
    leat__state_dir_t dir = {.lock = -1};
    leat_state_t state = leat_app_state(app);
    int rc;

    leat__error_clear(err);
    if (state != LEAT_STATE_CREATED && !is_final(state))
        return leat__error(
            err, LEAT_ESTATE, 0, "app", "local state is deleted only while the app does not run");
    rc = app->nil ? LEAT_ENOMEM : check_config(app, err);
    if (rc == 0)
        rc = leat__state_dir_open(&dir, app->config, err);
    if (rc == 0)
        rc = leat__state_dir_clean(&dir, err);
    leat__state_dir_close(&dir);
    return rc;
}
