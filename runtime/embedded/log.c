/*
 * runtime/embedded/log.c: the log as a whole: opened, shared, kept, closed.
 *
 * A log lives as long as somebody holds it. One in a directory is shared by everybody in the
 * process who names that directory, and locked against other processes. In real time a keeper
 * thread does what is due by the clock; under a manual clock every call does it first.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

enum { KEEP_BUSY_MS = 50, KEEP_IDLE_MS = 1000, RETAIN_EVERY_MS = 1000 };

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static leat__log_t *registry;

int64_t leat__log_now(const leat__log_t *log)
{
    return leat__clock_steady_ms(log->clock);
}

int64_t leat__log_wall(const leat__log_t *log)
{
    return leat__clock_wall_ms(log->clock);
}

/* splitmix64: the same run of numbers from the same seed, so that a simulation can be repeated. */
uint64_t leat__log_random(leat__log_t *log)
{
    uint64_t z = log->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool manual(const leat__log_t *log)
{
    return log->clock && log->clock->manual;
}

void leat__log_enter(leat__log_t *log)
{
    pthread_mutex_lock(&log->lock);
    if (manual(log) && log->clock->steady_ms != log->ticked_ms)
        leat__log_do_tick(log);
}

void leat__log_leave(leat__log_t *log)
{
    pthread_mutex_unlock(&log->lock);
}

void leat__log_nudge(leat__log_t *log)
{
    log->keeper_nudged = true;
    if (log->has_keeper)
        pthread_cond_signal(&log->keeper_wake);
}

/* ---- keeping ---- */

/*
 * The next partition that was not looked at in this round and wants compaction. Compacting may give
 * up the lock, so the search starts anew each time.
 */
static leat__part_t *dirty_part(leat__log_t *log)
{
    const char *name;
    void *value;

    for (size_t at = 0; leat__map_next(&log->topics, &at, &name, &value);) {
        leat__etopic_t *t = value;

        for (int32_t i = 0; t->compact && i < t->part_count; i++) {
            if (t->parts[i]->clean_round == log->clean_round)
                continue;
            t->parts[i]->clean_round = log->clean_round;
            if (leat__clean_wanted(t->parts[i]))
                return t->parts[i];
        }
    }
    return NULL;
}

static void clean(leat__log_t *log)
{
    leat__part_t *p;

    if (log->cleaning)
        return;
    log->clean_round++;
    while ((p = dirty_part(log)) && !log->cleaning)
        leat__clean_part(p);
}

static void retain(leat__log_t *log)
{
    const char *name;
    void *value;

    for (size_t at = 0; leat__map_next(&log->topics, &at, &name, &value);) {
        leat__etopic_t *t = value;

        for (int32_t i = 0; i < t->part_count; i++)
            leat__retain_part(t->parts[i]);
    }
}

void leat__log_do_tick(leat__log_t *log)
{
    int64_t now_ms = leat__log_now(log);

    log->ticked_ms = now_ms;
    leat__txn_tick(log, now_ms);
    leat__group_tick(log, now_ms);
    if (now_ms - log->kept_ms >= RETAIN_EVERY_MS || now_ms < log->kept_ms) {
        log->kept_ms = now_ms;
        leat__disk_retry(log);
        retain(log);
        leat__disk_evict(log);
    }
    clean(log);
    leat__requests_run(log);
}

static bool busy(leat__log_t *log)
{
    const char *name;
    void *value;

    if (log->requests)
        return true;
    for (size_t at = 0; leat__map_next(&log->txns, &at, &name, &value);)
        if (((leat__txn_t *)value)->state != TXN_EMPTY)
            return true;
    for (size_t at = 0; leat__map_next(&log->groups, &at, &name, &value);)
        if (((leat__group_t *)value)->count)
            return true;
    return false;
}

static void *keep(void *arg)
{
    leat__log_t *log = arg;

    pthread_mutex_lock(&log->lock);
    while (!log->stopping) {
        struct timespec until;
        int64_t wait_ms;

        leat__log_do_tick(log);
        wait_ms = busy(log) ? KEEP_BUSY_MS : KEEP_IDLE_MS;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (time_t)(wait_ms / 1000);
        until.tv_nsec += (long)(wait_ms % 1000) * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        if (!log->stopping && !(log->keeper_nudged && wait_ms == KEEP_IDLE_MS))
            pthread_cond_timedwait(&log->keeper_wake, &log->lock, &until);
        log->keeper_nudged = false;
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* ---- open, share, close ---- */

static leat__log_t *log_new(leat__clock_t *clock)
{
    leat__log_t *log = leat__must_alloc(sizeof *log);

    pthread_mutex_init(&log->lock, NULL);
    leat__cond_init(&log->keeper_wake);
    pthread_cond_init(&log->changed, NULL);
    atomic_init(&log->refs, 1);
    log->clock = clock;
    log->requests_end = &log->requests;
    log->next_pid = 1;
    log->next_topic = 1;
    log->next_seq = 1;
    log->ticked_ms = log->kept_ms = leat__log_now(log);
    if (!manual(log) &&
        getrandom(&log->random, sizeof log->random, 0) != (ssize_t)sizeof log->random)
        log->random = (uint64_t)leat__clock_steady_us(NULL);
    return log;
}

static void topic_release(void *t)
{
    leat__topic_free(t);
}

static void log_free(leat__log_t *log)
{
    if (log->has_keeper) {
        pthread_mutex_lock(&log->lock);
        log->stopping = true;
        pthread_cond_signal(&log->keeper_wake);
        pthread_mutex_unlock(&log->lock);
        pthread_join(log->keeper, NULL);
    }
    leat__requests_cancel(log, NULL, NULL, "the log was closed");
    leat__map_release(&log->txns, leat__txn_free);
    leat__map_release(&log->groups, leat__group_free);
    leat__map_release(&log->topics, topic_release);
    leat__disk_close(log);
    leat__map_release(&log->faults.no_offsets, NULL);
    for (size_t i = 0; i < log->faults.delay_count; i++)
        leat__free(log->faults.delays[i].topic);
    leat__free(log->faults.delays);
    leat__free(log->path);
    pthread_cond_destroy(&log->changed);
    pthread_cond_destroy(&log->keeper_wake);
    pthread_mutex_destroy(&log->lock);
    leat__free(log);
}

static leat__log_t *open_dir(const char *dir, leat__clock_t *clock, leat_error_t *err)
{
    char path[PATH_MAX];
    leat__log_t *log;

    if (mkdir(dir, 0777) && errno != EEXIST) {
        leat__error(err, LEAT_EIO, LEAT_FATAL, dir, "cannot make the directory %s: %s", dir,
            strerror(errno));
        return NULL;
    }
    if (!realpath(dir, path)) {
        leat__error(err, LEAT_EIO, LEAT_FATAL, dir, "cannot use the directory %s: %s", dir,
            strerror(errno));
        return NULL;
    }
    for (log = registry; log; log = log->registered)
        if (strcmp(log->path, path) == 0)
            return leat__log_ref(log);
    log = log_new(clock);
    log->path = leat__must_strdup(path);
    log->disk = leat__disk_open(log, path, err);
    if (!log->disk || leat__disk_load(log, err)) {
        log_free(log);
        return NULL;
    }
    log->registered = registry;
    registry = log;
    return log;
}

static void start_keeper(leat__log_t *log)
{
    if (manual(log))
        return;
    leat__log_enter(log); /* the keeper begins when it knows that it is there: it gives up the lock */
    if (!log->has_keeper)
        log->has_keeper = pthread_create(&log->keeper, NULL, keep, log) == 0;
    leat__log_leave(log);
}

leat__log_t *leat__log_open(const char *dir, leat__clock_t *clock, leat_error_t *err)
{
    leat__log_t *log;

    leat__error_clear(err);
    pthread_mutex_lock(&registry_lock);
    log = dir ? open_dir(dir, clock, err) : log_new(clock);
    if (log)
        start_keeper(log);
    pthread_mutex_unlock(&registry_lock);
    return log;
}

leat__log_t *leat__log_ref(leat__log_t *log)
{
    atomic_fetch_add(&log->refs, 1);
    return log;
}

void leat__log_unref(leat__log_t *log)
{
    if (!log)
        return;
    pthread_mutex_lock(&registry_lock); /* nobody may find it in the registry while it dies */
    if (atomic_fetch_sub(&log->refs, 1) == 1) {
        for (leat__log_t **at = &registry; *at; at = &(*at)->registered)
            if (*at == log) {
                *at = log->registered;
                break;
            }
        log_free(log);
    }
    pthread_mutex_unlock(&registry_lock);
}

void leat__log_auto_create(leat__log_t *log, int32_t partitions)
{
    leat__log_enter(log);
    log->auto_partitions = partitions;
    leat__log_leave(log);
}
