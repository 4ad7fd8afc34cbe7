/*
 * runtime/query/peer.c: what other workers ask: POST /v1/internal/ask, a question in, its answer out
 * (runtime/ask_wire.h).
 *
 * Each is answered on its own and nothing is kept, so who asks may die at any time. All that can be
 * wrong with a question that reached this process is said in the answer.
 */
#include "routes.h"
#include "row_json.h"

#include <inttypes.h>

#include "base/log.h"
#include "runtime/ask_wire.h"
#include "runtime/query_inside.h"

static bool post(leat_app_t *app, leat__question_t *r)
{
    pthread_mutex_lock(&app->lock);
    bool posted = app->control != NULL && leat__control_ask(app->control, r->ref, r);
    pthread_mutex_unlock(&app->lock);
    return posted;
}

/* 0: it may be asked here. */
static int check(const leat_app_t *app, const leat__wire_question_t *w, leat_error_t *err)
{
    const leat__worker_t *here = &app->worker;
    const leat__question_t *r = w->question;
    const leat__store_spec_t *spec = leat__query_spec(app->plan, r->store);

    if (!leat_slice_is(&w->application, here->application_id))
        return leat__error(err, LEAT_EARGUMENT, 0, "ask", "this is a worker of application %s, not of %.*s",
            here->application_id, LEAT_P(&w->application));
    if (w->process.size && !leat_slice_is(&w->process, here->process_id))
        return leat__error(err, LEAT_EMOVED, LEAT_RETRIABLE, "ask",
            "process %.*s was here; now it is %s", LEAT_P(&w->process), here->process_id);
    if (!spec)
        return leat__error(err, LEAT_EUNKNOWN, 0, "ask",
            "no store is named \"%.100s\" here: do all workers run the same program?", r->store);
    if (!leat__store_has_rows(spec) || !leat__ask_fits(r->ask.verb, spec->kind))
        return leat__error(
            err, LEAT_ETYPE, 0, "ask", "store %.100s is of another kind here", r->store);
    return 0;
}

static void answer(leat_app_t *app, leat__wire_question_t *w, leat__buf_t *out)
{
    leat__question_t *r = w->question;
    leat__question_t said = {0}; /* in place of the thread */

    if (check(app, w, &said.err)) {
        leat__wire_put_answer(out, &said);
    } else if (!post(app, r)) {
        leat__error(&said.err, LEAT_EMOVED, LEAT_RETRIABLE, "ask",
            "task %" PRId32 "_%" PRId32 " is not in process %s", r->ref.group, r->ref.partition,
            app->worker.process_id);
        leat__wire_put_answer(out, &said);
    } else if (leat__question_wait(r, w->timeout_ms)) {
        leat__wire_put_answer(out, r);
    } else {
        leat__error(&said.err, LEAT_ETIMEOUT, LEAT_RETRIABLE, "ask",
            "task %" PRId32 "_%" PRId32 " gave no answer in %" PRId64 " ms: its thread is busy in a "
            "function of the program, or waits for the disk",
            r->ref.group, r->ref.partition, w->timeout_ms);
        leat__wire_put_answer(out, &said);
    }
}

void leat__answer_ask(leat__request_t *r, leat__reply_t *reply)
{
    leat__wire_question_t w;

    if (!leat__wire_take_question(r->body, &w)) {
        leat__reply_error(reply, 400, "argument_invalid", "body",
            "this is no question of a worker of this version");
        return;
    }
    reply->type = "application/octet-stream";
    answer(r->site->app, &w, &reply->body);
    leat__question_drop(w.question);
}
