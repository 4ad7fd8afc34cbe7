/*
 * runtime/control_seats.c: the stream threads of a process: how many there are, and whether they still come back.
 *
 * A seat is the place of a stream thread; its number is part of the thread's transactional ids, so seats are filled from 0 up and
 * given up from the highest down: "n seats" says which ids a process may have used (PROTOCOLS.md 12).
 *
 *   more wanted   a new highest seat; tasks move to it one by one, in two steps (TAKE, RELEASED, GIVE)
 *   fewer wanted  the highest seat is leaving: its tasks are taken and given to others, then it stops and is gone
 *   failed        the program decides: a fresh thread in the same seat, or the end of the process or of all
 *   stuck         no step for max.poll.interval.ms, so the program's code does not come back (PROTOCOLS.md 15, 7 c). A thread
 *                 cannot be ended from outside: its ids are fenced, then its tasks are said to be given up, and go elsewhere. When
 *                 it comes back it finds LOST and STOP in its mail, commits nothing, closes, and a fresh thread takes the seat
 */
#include "control_inside.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { SLEPT_MS = 1000, CALM_MS = 60000 };

/* ---- making and replacing ---- */

int leat__control_seats_open(leat__control_t *c, leat_error_t *err)
{
    c->threads_wanted = c->w->thread_count;
    c->seats = leat__must_alloc((size_t)(c->threads_wanted + 1) * sizeof *c->seats);
    for (int i = 0; i < c->threads_wanted; i++) {
        c->seats[i].thread = leat__thread_new(c->w, i, err);
        if (c->seats[i].thread == NULL)
            return err->code;
        c->seats[i].replace_at_ms = -1;
        c->seats[i].backoff = leat__backoff(c->w->config, c->w->process_id, i);
        c->seat_count++;
    }
    return 0;
}

void leat__control_seats_free(leat__control_t *c)
{
    for (int i = 0; i < c->seat_count; i++) {
        leat__thread_join(c->seats[i].thread);
        leat__thread_free(c->seats[i].thread);
        leat__op_free(c->seats[i].fence);
    }
    leat__free(c->seats);
    leat__free(c->given_up);
}

static leat__thread_t *make_thread(leat__control_t *c, int i, leat_error_t *err)
{
    leat__thread_t *fresh = leat__thread_new(c->w, i, err);

    if (fresh != NULL && leat__thread_start(fresh, err) != 0) {
        leat__thread_free(fresh);
        fresh = NULL;
    }
    return fresh;
}

/* What it missed. */
static void brief(leat__control_t *c, int i)
{
    if (c->paused)
        leat__control_tell(c, i, leat__message_new(LEAT__SAY_PAUSE));
    if (c->membership != NULL)
        leat__control_tell_membership(c, i);
}

/* In place of one that is over. */
static void replace(leat__control_t *c, int i)
{
    leat_error_t err;
    leat__thread_t *fresh = make_thread(c, i, &err);
    leat__seat_t *s = &c->seats[i];

    if (fresh == NULL) {
        leat__control_fail(c, &err);
        return;
    }
    leat__thread_t *old = s->thread;
    leat__op_free(s->fence);
    pthread_mutex_lock(&c->seats_lock);
    *s = (leat__seat_t){.thread = fresh,
        .leaving = s->leaving,
        .beat_ms = c->now_ms,
        .backoff = s->backoff,
        .failed_ms = s->failed_ms,
        .replace_at_ms = -1};
    pthread_mutex_unlock(&c->seats_lock);
    leat__thread_join(old);
    leat__thread_free(old);
    brief(c, i);
}

static void disown_all_of(leat__control_t *c, int thread)
{
    for (size_t k = c->owned_count; k > 0; k--)
        if (c->owned[k - 1].thread == thread)
            leat__control_disown(c, c->owned[k - 1].ref);
}

/* At once, if it was calm before; what fails again and again must not spin. */
static void replace_later(leat__control_t *c, int i)
{
    leat__seat_t *s = &c->seats[i];
    bool calm = s->failed_ms == 0 || c->now_ms - s->failed_ms > CALM_MS;

    s->failed_ms = c->now_ms;
    if (calm) {
        leat__backoff_reset(&s->backoff);
        replace(c, i);
        return;
    }
    s->replace_at_ms = c->now_ms + leat__backoff_next_ms(&s->backoff);
    leat__log(LEAT_LOG_WARN, "control", NULL,
        "thread %d failed again: a fresh one takes its place in %lld ms", i,
        (long long)(s->replace_at_ms - c->now_ms));
}

static void replace_due(leat__control_t *c)
{
    for (int i = 0; i < c->seat_count; i++) {
        leat__seat_t *s = &c->seats[i];

        if (s->replace_at_ms < 0 || c->now_ms < s->replace_at_ms)
            continue;
        s->replace_at_ms = -1;
        c->obeyed = -1;
        if (!s->leaving)
            replace(c, i);
    }
}

void leat__control_thread_failed(leat__control_t *c, const leat__message_t *m)
{
    leat__seat_t *s = &c->seats[m->from];
    leat_rescue_t rescue = LEAT_SHUTDOWN_CLIENT;

    s->stopped = true;
    s->barrier_due = s->lost_due = false;
    if (s->stuck)
        return; /* it was given up before: nothing of it is left to decide about */
    leat__log(LEAT_LOG_ERROR, "control", NULL, "thread %d failed: %s: %s", m->from, m->err.where,
        m->err.text);
    if (c->hooks.thread_failed != NULL && !c->stopping)
        rescue = c->hooks.thread_failed(c->hooks.user, &m->err);
    disown_all_of(c, m->from);
    if (rescue == LEAT_REPLACE_THREAD && !c->stopping) {
        c->obeyed = -1; /* what it had is given again */
        if (!s->leaving)
            replace_later(c, m->from);
        return;
    }
    c->shutdown_all = c->shutdown_all || rescue == LEAT_SHUTDOWN_APPLICATION;
    leat__control_fail(c, &m->err);
}

/* ---- more, and fewer ---- */

static void tell_shares(leat__control_t *c)
{
    c->w->thread_count = c->seat_count > 0 ? c->seat_count : 1; /* for threads still to be made */
    leat__control_tell_all(c, LEAT__SAY_SHARES, c->w->thread_count);
}

static void add_seat(leat__control_t *c)
{
    leat_error_t err;
    int i = c->seat_count;
    leat__seat_t *more = leat__must_alloc((size_t)(i + 1) * sizeof *more), *before = c->seats;
    leat__thread_t *fresh = make_thread(c, i, &err);

    if (fresh == NULL) {
        leat__log(LEAT_LOG_ERROR, "control", NULL, "no thread %d could be added: %s: %s", i,
            err.where, err.text);
        c->threads_wanted = i;
        leat__free(more);
        return;
    }
    memcpy(more, before, (size_t)i * sizeof *more);
    more[i] = (leat__seat_t){.thread = fresh,
        .beat_ms = c->now_ms,
        .backoff = leat__backoff(c->w->config, c->w->process_id, i),
        .replace_at_ms = -1};
    pthread_mutex_lock(&c->seats_lock);
    c->seats = more;
    c->seat_count++;
    pthread_mutex_unlock(&c->seats_lock);
    leat__free(before);
    tell_shares(c);
    brief(c, i);
    c->spread = true;
    c->obeyed = -1; /* tasks may have waited for a thread */
    leat__log(LEAT_LOG_INFO, "control", NULL, "thread %d added", i);
}

static void drop_seat(leat__control_t *c)
{
    leat__seat_t gone = c->seats[c->seat_count - 1];

    pthread_mutex_lock(&c->seats_lock);
    c->seat_count--;
    pthread_mutex_unlock(&c->seats_lock);
    leat__thread_join(gone.thread);
    leat__thread_free(gone.thread);
    leat__op_free(gone.fence);
    tell_shares(c);
    c->obeyed = -1;
    leat__log(LEAT_LOG_INFO, "control", NULL, "thread %d removed", c->seat_count);
}

static bool owns_any(const leat__control_t *c, int thread)
{
    for (size_t k = 0; k < c->owned_count; k++)
        if (c->owned[k].thread == thread)
            return true;
    return false;
}

static void leave_seat(leat__control_t *c, int i)
{
    leat__seat_t *s = &c->seats[i];

    for (size_t k = 0; k < c->owned_count; k++)
        if (c->owned[k].thread == i && !c->owned[k].releasing)
            leat__control_take(c, &c->owned[k]);
    if (!s->ending && !s->stuck && !owns_any(c, i)) {
        s->ending = true;
        leat__control_tell(c, i, leat__message_new(LEAT__SAY_STOP));
    }
}

/* Towards the number that is wanted: leaving seats are always the highest ones. */
static void settle_count(leat__control_t *c)
{
    int staying = c->seat_count;

    while (staying > 0 && c->seats[staying - 1].leaving)
        staying--;
    while (staying > c->threads_wanted)
        c->seats[--staying].leaving = true;
    while (staying < c->threads_wanted && staying < c->seat_count && !c->seats[staying].ending)
        c->seats[staying++].leaving = false; /* changed its mind */
    for (int i = staying; i < c->seat_count; i++)
        leave_seat(c, i);
    while (c->seat_count > staying && c->seats[c->seat_count - 1].stopped &&
           !c->seats[c->seat_count - 1].stuck)
        drop_seat(c);
    if (staying == c->seat_count && staying < c->threads_wanted && !c->losing && !c->revoking)
        add_seat(c);
}

/* ---- spread over the seats ---- */

struct load {
    size_t group, all;
};

/* Of tasks that run, or of standbys. */
static struct load load_of(const leat__control_t *c, int thread, int32_t group, bool standby)
{
    struct load l = {0, 0};

    for (size_t k = 0; k < c->owned_count; k++) {
        bool counts = c->owned[k].thread == thread && c->owned[k].standby == standby;

        l.all += counts;
        l.group += counts && c->owned[k].ref.group == group;
    }
    return l;
}

/*
 * The thread with fewest tasks of that sub-topology, then with fewest at all, standbys likewise among
 * themselves; -1: there is none. A task that moves there only if helps() never comes back: the sum of
 * the squares falls each time.
 */
int leat__control_choose_thread(const leat__control_t *c, leat__task_ref_t ref, bool standby)
{
    struct load least = {0, 0};
    int best = -1;

    for (int i = 0; i < c->seat_count; i++) {
        struct load l = load_of(c, i, ref.group, standby);

        if (c->seats[i].stopped || c->seats[i].leaving || c->seats[i].stuck)
            continue;
        if (best < 0 || l.group < least.group || (l.group == least.group && l.all < least.all)) {
            best = i;
            least = l;
        }
    }
    return best;
}

static bool helps(const leat__control_t *c, const leat__holding_t *o, int target)
{
    struct load from, to;

    if (target < 0 || target == o->thread)
        return false;
    from = load_of(c, o->thread, o->ref.group, o->standby);
    to = load_of(c, target, o->ref.group, o->standby);
    return from.group >= to.group + 2 || (from.group == to.group + 1 && from.all >= to.all + 2);
}

/* One task at a time, and only while all of them run: the others go on meanwhile. */
static void spread(leat__control_t *c)
{
    if (!c->running || !c->settled)
        return;
    for (size_t k = 0; k < c->owned_count; k++)
        if (c->owned[k].releasing)
            return;
    for (size_t k = 0; k < c->owned_count; k++) {
        leat__holding_t *o = &c->owned[k];

        if (helps(c, o, leat__control_choose_thread(c, o->ref, o->standby))) {
            leat__control_take(c, o);
            return;
        }
    }
    c->spread = false;
}

/* ---- stuck in the program's code ---- */

static void start_fence(leat__control_t *c, int i)
{
    char ids[2][600];
    const char *list[2] = {ids[0], ids[1]};

    for (int k = 0; k < 2; k++)
        leat__transactional_id(ids[k], sizeof ids[k], c->w->application_id, c->w->process_id, i,
            (char)('a' + k));
    leat__op_free(c->seats[i].fence);
    c->seats[i].fence = c->w->broker->vt->fence(c->w->broker, list, 2);
}

static void give_up(leat__control_t *c, int i)
{
    leat__seat_t *s = &c->seats[i];
    leat__buf_t text = {0};

    s->stuck = true;
    s->barrier_due = s->lost_due = false;
    for (size_t k = 0; k < c->owned_count; k++) {
        if (c->owned[k].thread != i)
            continue;
        LEAT__GROW(c->given_up, c->given_up_count, c->given_up_room);
        c->given_up[c->given_up_count++] = (leat__given_up_t){.ref = c->owned[k].ref, .seat = i};
        leat__buf_format(&text, "%s%d_%d", text.size > 0 ? ", " : "", (int)c->owned[k].ref.group,
            (int)c->owned[k].ref.partition);
    }
    disown_all_of(c, i);
    leat__thread_give_up(s->thread);
    leat__control_tell(c, i, leat__message_new(LEAT__SAY_LOST));
    leat__control_tell(c, i, leat__message_new(LEAT__SAY_STOP));
    leat__log(LEAT_LOG_ERROR, "control", NULL,
        "thread %d has not come back from the program's code for %lld ms (max.poll.interval.ms): "
        "its tasks are given up (%s) and go to other processes; the other threads go on, and this "
        "one is replaced when it comes back",
        i, (long long)leat__config_int(c->w->config, "max.poll.interval.ms"),
        text.size > 0 ? leat__buf_text(&text) : "none");
    leat__buf_release(&text);
    if (c->w->exactly_once)
        start_fence(c, i);
}

/* Its transactions can commit nothing any more. */
static bool fence_is_up(leat__control_t *c, int i)
{
    leat__seat_t *s = &c->seats[i];

    if (s->fence == NULL)
        return true;
    if (!leat__op_done(s->fence))
        return false;
    if (s->fence->err.code != 0 && s->fence->err.code != LEAT_EFENCED) {
        leat__log(LEAT_LOG_WARN, "control", NULL, "fencing thread %d failed, again: %s", i,
            s->fence->err.text);
        start_fence(c, i);
        return false;
    }
    leat__op_free(s->fence);
    s->fence = NULL;
    return true;
}

/*
 * What was given up is somebody else's from the moment the status says so. It may be given back only
 * by a placement that comes after one which knows that: the one in force may be older than the status.
 */
void leat__control_see_given_up(leat__control_t *c, int me)
{
    size_t kept = 0;

    for (size_t k = 0; k < c->given_up_count; k++) {
        leat__given_up_t g = c->given_up[k];
        const leat__placed_task_t *t = leat__placement_find(&c->log.placement, g.ref);

        g.taken = g.taken || t == NULL || t->owner != me;
        if (g.seat >= 0 || !g.taken)
            c->given_up[kept++] = g;
    }
    c->given_up_count = kept;
}

static void came_back(leat__control_t *c, int i)
{
    for (size_t k = 0; k < c->given_up_count; k++)
        if (c->given_up[k].seat == i)
            c->given_up[k].seat = -1;
    leat__log(LEAT_LOG_WARN, "control", NULL,
        "thread %d has come back from the program's code; it committed nothing, a fresh one takes "
        "its place",
        i);
    c->obeyed = -1;
    if (c->seats[i].leaving)
        c->seats[i].stuck = false; /* stopped: settle_count() drops it */
    else
        replace(c, i);
}

/*
 * A thread makes a step at least every poll.ms, unless the program's code keeps it. Time in which
 * this thread did not run either (the process was stopped, the machine slept) does not count.
 */
static void watch(leat__control_t *c)
{
    int64_t limit_ms = leat__config_int(c->w->config, "max.poll.interval.ms");
    bool slept = c->now_ms - c->watched_ms > SLEPT_MS;

    c->watched_ms = c->now_ms;
    for (int i = 0; i < c->seat_count; i++) {
        leat__seat_t *s = &c->seats[i];
        uint64_t beat = leat__thread_beat(s->thread);

        if (s->stuck) {
            bool fenced = fence_is_up(c, i);

            if (s->stopped && fenced && !c->stopping)
                came_back(c, i);
        } else if (s->stopped || slept || beat != s->beat) {
            s->beat = beat;
            s->beat_ms = c->now_ms;
        } else if (c->now_ms - s->beat_ms > limit_ms) {
            give_up(c, i);
        }
    }
}

bool leat__control_given_up(const leat__control_t *c, leat__task_ref_t ref)
{
    for (size_t k = 0; k < c->given_up_count; k++)
        if (leat__task_ref_compare(&c->given_up[k].ref, &ref) == 0)
            return true;
    return false;
}

/* Until its fence is up nothing is said of this process: what it had is neither held nor given up. */
bool leat__control_fencing(const leat__control_t *c)
{
    for (int i = 0; i < c->seat_count; i++)
        if (c->seats[i].fence != NULL && !c->stopping)
            return true;
    return false;
}

/* [own] s->given_up */
void leat__control_list_given_up(const leat__control_t *c, leat__status_t *s)
{
    s->given_up = leat__must_alloc((c->given_up_count + 1) * sizeof *s->given_up);
    for (size_t k = 0; k < c->given_up_count; k++)
        s->given_up[s->given_up_count++] = c->given_up[k].ref;
    qsort(s->given_up, s->given_up_count, sizeof *s->given_up, leat__task_ref_compare);
}

int leat__control_able_threads(const leat__control_t *c)
{
    int able = 0;

    for (int i = 0; i < c->seat_count; i++)
        able += !c->seats[i].stuck && !c->seats[i].leaving;
    return able;
}

void leat__control_seats_step(leat__control_t *c)
{
    watch(c);
    if (c->stopping)
        return;
    replace_due(c);
    settle_count(c);
    if (c->spread)
        spread(c);
}
