/*
 * runtime/kafka/worker.c: helper threads: the only threads of leat that wait inside librdkafka.
 *
 * A worker is a queue of jobs and up to threads_max threads, started when a job finds none idle.
 * With one thread jobs run in the order they were posted, which is what a writer's commit after its
 * offsets relies on. A job that carries an op completes it exactly once: after its run, or with
 * LEAT_ESTATE when the worker closes before.
 */
#include "runtime/kafka/kafka.h"

#include "base/log.h"
#include "base/mem.h"

struct leat__kworker_t {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    leat__kjob_t *first, **last;
    pthread_t *threads;
    size_t thread_count, threads_max, idle, waiting, ended;
    _Atomic bool closing;
};

static leat__kjob_t *next_job(leat__kworker_t *w)
{
    leat__kjob_t *job;

    pthread_mutex_lock(&w->lock);
    w->idle++;
    while (!w->first && !w->closing)
        pthread_cond_wait(&w->changed, &w->lock);
    w->idle--;
    job = w->first;
    if (job) {
        w->first = job->next;
        w->waiting--;
        if (!w->first)
            w->last = &w->first;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void finish(leat__kjob_t *job, bool run)
{
    leat__op_t *op = job->op;

    if (run)
        job->run(job);
    else if (op)
        leat__error(&op->err, LEAT_ESTATE, 0, NULL, "the connection to Kafka was closed first");
    job->release(job);
    if (op)
        leat__op_complete(op);
}

static void *work(void *arg)
{
    leat__kworker_t *w = arg;
    leat__kjob_t *job;

    pthread_setname_np(pthread_self(), "leat-kafka");
    while ((job = next_job(w)))
        finish(job, job->always || !w->closing);
    pthread_mutex_lock(&w->lock);
    w->ended++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

leat__kworker_t *leat__kworker_new(size_t threads_max)
{
    leat__kworker_t *w = leat__must_alloc(sizeof *w);

    pthread_mutex_init(&w->lock, NULL);
    leat__cond_init(&w->changed);
    w->last = &w->first;
    w->threads_max = threads_max;
    w->threads = leat__must_alloc(threads_max * sizeof *w->threads);
    return w;
}

void leat__kworker_post(leat__kworker_t *w, leat__kjob_t *job)
{
    bool stuck = false;

    job->worker = w;
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    *w->last = job;
    w->last = &job->next;
    w->waiting++;
    if (w->waiting > w->idle && w->thread_count < w->threads_max) {
        if (pthread_create(&w->threads[w->thread_count], NULL, work, w) == 0)
            w->thread_count++;
        else
            stuck = w->thread_count == 0;
    }
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (stuck && (job = next_job(w)))
        finish(job, true); /* no thread to be had: late is better than never */
}

bool leat__kworker_close(leat__kworker_t *w, int64_t ms)
{
    struct timespec until = leat__deadline(ms);
    int rc = 0;

    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->changed);
    while (w->ended < w->thread_count && rc == 0)
        rc = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    bool ended = w->ended == w->thread_count;
    pthread_mutex_unlock(&w->lock);
    return ended;
}

void leat__kworker_free(leat__kworker_t *w)
{
    leat__kjob_t *job;

    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
    while ((job = next_job(w)))
        finish(job, job->always);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    leat__free(w->threads);
    leat__free(w);
}

bool leat__kjob_closing(const leat__kjob_t *job)
{
    return job->worker && job->worker->closing;
}

bool leat__kjob_unwanted(const leat__kjob_t *job)
{
    if (leat__kjob_closing(job))
        return true;
    return job->op && atomic_load_explicit(&job->op->refs, memory_order_relaxed) < 2;
}
