/*
 * runtime/checkpointer.c: the background writer of frozen state: one thread per process, first
 * come, first served.
 *
 *    stream thread: freeze ──submit──▶ queue ──▶ this thread: write ──▶ *result = 1 or -1
 *    stream thread: sees the result, ends the checkpoint
 *
 * A frozen part is immutable, so nothing is locked while it is written. The result is the only
 * thing that goes back; who submitted keeps frozen part and result alive until it is there. A
 * failed write (full disk) is not tried again here: the owner keeps the data, waits, and submits
 * anew (PROTOCOLS.md 18).
 *
 * Between two jobs it deletes the folders of tasks that were not used for long (task_dir.c); not before
 * that time has passed in this process too, or a process that was down for a while would delete what it
 * came back for.
 */
#include "worker.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/mem.h"
#include "state_dir.h"

enum { CLEAN_MS = 1000, CLEAN_MS_MAX = 60000 };

typedef struct job_t {
    struct job_t *next;
    leat__frozen_t *frozen;
    _Atomic int *result;
} job_t;

struct leat__checkpointer_t {
    pthread_mutex_t lock;
    pthread_cond_t more;
    job_t *first, **last;
    bool stop;
    char *clean_dir; /* NULL: nothing is deleted */
    int64_t clean_delay_ms;
    struct timespec clean_at;
    pthread_t thread;
};

static int64_t pause_ms(const struct leat__checkpointer_t *c)
{
    int64_t quarter = c->clean_delay_ms / 4;

    return quarter < CLEAN_MS ? CLEAN_MS : quarter > CLEAN_MS_MAX ? CLEAN_MS_MAX : quarter;
}

/* With the lock, which it lets go meanwhile. */
static void clean(struct leat__checkpointer_t *c)
{
    pthread_mutex_unlock(&c->lock);
    leat__state_dir_expire(c->clean_dir, leat__clock_wall_ms(NULL) - c->clean_delay_ms);
    pthread_mutex_lock(&c->lock);
    c->clean_at = leat__deadline(pause_ms(c));
}

static job_t *next_job(struct leat__checkpointer_t *c)
{
    job_t *job;

    pthread_mutex_lock(&c->lock);
    while (!c->first && !c->stop)
        if (!c->clean_dir)
            pthread_cond_wait(&c->more, &c->lock);
        else if (pthread_cond_timedwait(&c->more, &c->lock, &c->clean_at) == ETIMEDOUT)
            clean(c);
    job = c->first;
    if (job) {
        c->first = job->next;
        if (!c->first)
            c->last = &c->first;
    }
    pthread_mutex_unlock(&c->lock);
    return job;
}

static void *run(void *user)
{
    struct leat__checkpointer_t *c = user;
    job_t *job;

    while ((job = next_job(c))) {
        leat_error_t err;
        int rc = leat__checkpoint_write(job->frozen, &err);

        if (rc)
            leat__log(LEAT_LOG_WARN, "checkpoint", err.where, "%s", err.text);
        atomic_store_explicit(job->result, rc ? -1 : 1, memory_order_release);
        leat__free(job);
    }
    return NULL;
}

struct leat__checkpointer_t *leat__checkpointer_start(void)
{
    struct leat__checkpointer_t *c = leat__must_alloc(sizeof *c);

    pthread_mutex_init(&c->lock, NULL);
    leat__cond_init(&c->more);
    c->last = &c->first;
    if (pthread_create(&c->thread, NULL, run, c)) {
        pthread_cond_destroy(&c->more);
        pthread_mutex_destroy(&c->lock);
        leat__free(c);
        return NULL;
    }
    return c;
}

void leat__checkpointer_clean(struct leat__checkpointer_t *c, const char *dir, int64_t delay_ms)
{
    if (!c || delay_ms > LEAT_DAYS(36500))
        return;
    pthread_mutex_lock(&c->lock);
    c->clean_dir = leat__must_strdup(dir);
    c->clean_delay_ms = delay_ms;
    c->clean_at = leat__deadline(delay_ms);
    pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
}

void leat__checkpointer_stop(struct leat__checkpointer_t *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->more);
    pthread_mutex_destroy(&c->lock);
    leat__free(c->clean_dir);
    leat__free(c);
}

void leat__checkpointer_submit(
    struct leat__checkpointer_t *c, leat__frozen_t *f, _Atomic int *result)
{
    job_t *job = leat__must_alloc(sizeof *job);

    job->frozen = f;
    job->result = result;
    pthread_mutex_lock(&c->lock);
    *c->last = job;
    c->last = &job->next;
    pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
}
