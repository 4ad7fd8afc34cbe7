/*
 * runtime/embedded/request.c: calls that may have to wait.
 *
 * A request is tried when it is made and, in order, after every change that could let it go on: a
 * transaction finished, a fault switched off, time passed. Most are done at the first try. Its
 * effect and its answer are two steps, so that a fault can stand before, between or behind them, as
 * on a network.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

char **leat__names_copy(const char *const *names, size_t count)
{
    char **copy = leat__must_alloc((count ? count : 1) * sizeof *copy);

    for (size_t i = 0; i < count; i++)
        copy[i] = leat__must_strdup(names[i]);
    return copy;
}

void leat__names_free(char **names, size_t count)
{
    for (size_t i = 0; names && i < count; i++)
        leat__free(names[i]);
    leat__free(names);
}

leat__topic_t *leat__topics_copy(const leat__topic_t *topics, size_t count)
{
    leat__topic_t *copy = leat__must_alloc((count ? count : 1) * sizeof *copy);

    for (size_t i = 0; i < count; i++) {
        size_t settings = topics[i].setting_count;

        copy[i].name = leat__must_strdup(topics[i].name);
        copy[i].partitions = topics[i].partitions;
        copy[i].setting_count = settings;
        copy[i].settings = leat__must_alloc((settings + 1) * sizeof *copy[i].settings);
        for (size_t s = 0; s < settings; s++)
            copy[i].settings[s] = (leat__setting_t){leat__must_strdup(topics[i].settings[s].key),
                leat__must_strdup(topics[i].settings[s].value)};
    }
    return copy;
}

void leat__topics_free(leat__topic_t *topics, size_t count)
{
    for (size_t i = 0; topics && i < count; i++) {
        for (size_t s = 0; s < topics[i].setting_count; s++) {
            leat__free((void *)(uintptr_t)topics[i].settings[s].key);
            leat__free((void *)(uintptr_t)topics[i].settings[s].value);
        }
        leat__free(topics[i].settings);
        leat__free(topics[i].name);
    }
    leat__free(topics);
}

leat__request_t *leat__request_new(
    leat__broker_t *b, leat__fault_call_t call, bool (*run)(leat__log_t *log, leat__request_t *r))
{
    leat__request_t *r = leat__must_alloc(sizeof *r);

    r->client = leat__client_of(b);
    r->op = leat__op_new();
    r->call = call;
    r->run = run;
    return r;
}

static void request_free(leat__request_t *r)
{
    leat__positions_free(r->positions, r->count);
    leat__membership_unref(r->under);
    leat__topics_free(r->topics, r->count);
    leat__names_free(r->names, r->count);
    leat__free(r->group);
    if (r->writer)
        leat__writer_unref(r->writer);
    leat__free(r);
}

static void lose_answer(leat__log_t *log, leat__request_t *r)
{
    log->faults.lose[r->call]--;
    leat__error(&r->op->err, LEAT_ETIMEOUT, r->call == LEAT__CALL_COMMIT ? 0 : LEAT_RETRIABLE, NULL,
        "no answer from the log in time: whether it was carried out is not known");
}

/* True: the answer may go out. */
static bool attempt(leat__log_t *log, leat__request_t *r)
{
    struct leat__faults_t *f = &log->faults;

    if (!r->finished) {
        if (!r->unbound && leat__client_down(r->client))
            return false;
        if (f->hold[r->call] == LEAT__HOLD_BEFORE)
            return false;
        if (f->lose[r->call] && !f->lose_effect[r->call])
            lose_answer(log, r);
        else if (!r->run(log, r))
            return false;
        else if (f->lose[r->call] && r->op->err.code == 0)
            lose_answer(log, r);
        r->finished = true;
    }
    return f->hold[r->call] != LEAT__HOLD_ANSWER;
}

static bool run_once(leat__log_t *log)
{
    bool progress = false;

    for (leat__request_t **at = &log->requests; *at;) {
        leat__request_t *r = *at;

        if (!attempt(log, r)) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        if (!r->next)
            log->requests_end = at;
        leat__op_complete(r->op);
        request_free(r);
        progress = true;
    }
    return progress;
}

void leat__requests_run(leat__log_t *log)
{
    if (log->running) { /* from inside a request: the outer loop goes round once more */
        log->run_again = true;
        return;
    }
    log->running = true;
    do {
        log->run_again = false;
        run_once(log);
    } while (log->run_again);
    log->running = false;
    pthread_cond_broadcast(&log->changed);
}

leat__op_t *leat__request_start(leat__request_t *r)
{
    leat__log_t *log = r->client->log;
    leat__op_t *op = r->op;

    leat__log_enter(log);
    *log->requests_end = r;
    log->requests_end = &r->next;
    leat__requests_run(log);
    if (log->requests)
        leat__log_nudge(log);
    leat__log_leave(log);
    return op;
}

void leat__requests_cancel(
    leat__log_t *log, leat__client_t *client, leat__writer_t *writer, const char *why)
{
    for (leat__request_t **at = &log->requests; *at;) {
        leat__request_t *r = *at;

        if ((client && r->client != client) || (writer && r->writer != writer)) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        if (!r->next)
            log->requests_end = at;
        if (!r->finished)
            leat__error(&r->op->err, LEAT_ESTATE, 0, NULL, "given up: %s", why);
        leat__op_complete(r->op);
        request_free(r);
    }
}
