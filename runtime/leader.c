/*
 * runtime/leader.c: the leader's work: owner of partition 0 of the control topic in this
 * generation.
 *
 *   CLAIM ─▶ MEASURE ─▶ READ ─▶ DESCRIBE ─▶ PLACED ──(a status changed, a fence is up, it is time)──▶ PLACED
 *
 * It reads the control topic to the high watermark taken after its claim, so whatever any member
 * acted on before this generation stands in what it knows. What follows from it is leader_view.c's.
 * Here are the steps, the fences, and the statuses of processes that are gone for good, which it
 * deletes.
 */
#include "control_inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

enum { YOUNG_MS = 200 };

static void forget_members(leat__lead_t *d)
{
    for (size_t i = 0; i < d->member_count; i++) {
        leat__free(d->members[i].member_id);
        leat__free(d->members[i].instance_id);
    }
    leat__free(d->members);
    d->members = NULL;
    d->member_count = 0;
}

static void forget_fencing(leat__lead_t *d)
{
    for (size_t i = 0; i < d->fencing_count; i++)
        leat__free(d->fencing[i]);
    leat__free(d->fencing);
    d->fencing = NULL;
    d->fencing_count = 0;
    leat__op_free(d->fence);
    d->fence = NULL;
}

void leat__lead_end(leat__control_t *c)
{
    leat__lead_t *d = &c->lead;

    leat__op_free(d->op);
    d->op = NULL;
    forget_members(d);
    forget_fencing(d);
    leat__map_release(&d->fenced, NULL);
    leat__free(d->published);
    d->published = NULL;
    d->state = LEAT__LEAD_NO;
}

void leat__lead_begin(leat__control_t *c)
{
    leat__claim_t claim = {.generation = leat__membership_generation(c->membership),
        .member_id = (char *)(uintptr_t)leat__membership_member_id(c->membership)};

    leat__lead_end(c);
    c->lead.revision = 0;
    c->lead.since_ms = c->now_ms;
    c->lead.buried = false;
    leat__control_log_claim(&c->log, &claim);
    c->lead.state = LEAT__LEAD_CLAIM;
}

/* ---- fencing the absent ---- */

static int threads_of(const leat__control_t *c, const leat__placed_member_t *m)
{
    const leat__status_t *s = leat__control_log_process(&c->log, m->process_id);

    if (s != NULL && s->seats > m->threads)
        return s->seats;
    for (size_t i = 0; i < c->log.placement.member_count; i++) {
        const leat__placed_member_t *b = &c->log.placement.members[i];
        if (strcmp(b->process_id, m->process_id) == 0 && b->threads > 0)
            return b->threads;
    }
    return m->threads > 0 ? m->threads : 1;
}

/* It says it will be back, and has let go of everything. */
static bool restarts(const leat__control_t *c, const char *process_id)
{
    const leat__status_t *s = leat__control_log_process(&c->log, process_id);

    return s != NULL && s->state == LEAT__PROCESS_RESTARTING && c->now_ms < s->kept_until_ms;
}

static void fence_absent(leat__control_t *c, const leat__placement_t *p)
{
    leat__lead_t *d = &c->lead;
    char **ids = NULL;
    size_t count = 0, room = 0, fencing_room = 0;
    char id[600];

    if (!c->w->exactly_once || d->fence != NULL)
        return;
    bool *owns = leat__must_alloc((p->member_count + 1) * sizeof *owns);
    for (size_t k = 0; k < p->task_count; k++)
        if (p->tasks[k].owner >= 0)
            owns[p->tasks[k].owner] = true;
    for (size_t i = 0; i < p->member_count; i++) {
        const leat__placed_member_t *m = &p->members[i];

        if (!owns[i] || leat__lead_knows(d, m->process_id, m->member_id) ||
            restarts(c, m->process_id) || leat__map_get(&d->fenced, m->process_id) != NULL)
            continue;
        for (int t = 0; t < threads_of(c, m); t++)
            for (char which = 'a'; which <= 'b'; which++) {
                leat__transactional_id(
                    id, sizeof id, c->w->application_id, m->process_id, t, which);
                LEAT__GROW(ids, count, room);
                ids[count++] = leat__must_strdup(id);
            }
        LEAT__GROW(d->fencing, d->fencing_count, fencing_room);
        d->fencing[d->fencing_count++] = leat__must_strdup(m->process_id);
        leat__log(LEAT_LOG_INFO, "control", NULL, "process %s is gone: fencing its transactions",
            m->process_id);
    }
    if (count > 0)
        d->fence = c->w->broker->vt->fence(c->w->broker, (const char *const *)ids, count);
    for (size_t i = 0; i < count; i++)
        leat__free(ids[i]);
    leat__free(ids);
    leat__free(owns);
}

static void fence_step(leat__control_t *c)
{
    leat__lead_t *d = &c->lead;

    if (d->fence == NULL || !leat__op_done(d->fence))
        return;
    if (d->fence->err.code == 0 || d->fence->err.code == LEAT_EFENCED) {
        for (size_t i = 0; i < d->fencing_count; i++)
            leat__map_put(&d->fenced, d->fencing[i], d);
        leat__backoff_reset(&d->backoff);
        d->again = true;
    } else {
        leat__log(LEAT_LOG_WARN, "control", NULL, "fencing failed, again: %s", d->fence->err.text);
        d->again = true; /* compute finds them blocked still, and fences again */
        d->retry_ms = c->now_ms + leat__backoff_next_ms(&d->backoff);
    }
    forget_fencing(d);
}

/* ---- publishing ---- */

static char *text_of(const leat__placement_t *p)
{
    leat__buf_t text = {0};
    leat__placement_t same = *p;

    same.revision = 0;
    leat__placement_encode(&same, &text);
    return leat__buf_finish(&text);
}

/*
 * With many members one joins after the other: as long as nobody lacks an owner a young generation
 * is given time, the next may follow at once (PROTOCOLS.md 16).
 */
static bool waits_for_more(const leat__control_t *c, bool settled)
{
    return settled && c->lead.published == NULL && c->now_ms < c->lead.since_ms + YOUNG_MS;
}

static void publish(leat__control_t *c, const char *without)
{
    leat__lead_t *d = &c->lead;
    leat__placement_t p;
    int64_t began_ms = leat__clock_steady_ms(c->w->clock);

    d->changes = c->log.changes;
    d->again = false;
    bool settled = leat__lead_compute(c, &p, without);
    /* a storm of statuses must not keep this thread from everything else */
    d->retry_ms = c->now_ms + 5 * (leat__clock_steady_ms(c->w->clock) - began_ms);
    if (without == NULL && waits_for_more(c, settled)) {
        d->again = true;
        d->retry_ms = d->since_ms + YOUNG_MS;
        leat__placement_release(&p);
        return;
    }
    char *text = text_of(&p);
    if (d->published == NULL || strcmp(d->published, text) != 0) {
        const leat__placement_t *before = &c->log.placement;
        if (c->log.placement_offset >= 0 && before->generation == p.generation &&
            before->revision >= d->revision)
            d->revision = before->revision;
        p.revision = ++d->revision;
        leat__control_log_place(&c->log, &p);
        leat__free(d->published);
        d->published = text;
        d->buried = false;
    } else {
        leat__free(text);
    }
    if (without == NULL)
        fence_absent(c, &p);
    leat__placement_release(&p);
}

/* ---- the gone ---- */

static bool places(const leat__placement_t *p, const char *process_id)
{
    for (size_t i = 0; i < p->member_count; i++)
        if (strcmp(p->members[i].process_id, process_id) == 0)
            return true;
    return false;
}

/*
 * Deletes the statuses of processes that were not in the group when it was asked after they had
 * been written, and that the placement in force does not know any more: nothing of theirs is left
 * to take or to fence. One that was deleted too early (it joined meanwhile) writes its status
 * again.
 */
static void bury(leat__control_t *c)
{
    const leat__lead_t *d = &c->lead;
    char **gone = NULL;
    size_t count = 0, room = 0;
    const char *key;
    void *value;

    for (size_t i = 0; leat__map_next(&c->log.statuses, &i, &key, &value);) {
        const leat__status_t *s = value;
        if (s->seen > d->asked_at || leat__lead_knows(d, key, s->member_id) ||
            places(&c->log.placement, key) || restarts(c, key))
            continue;
        LEAT__GROW(gone, count, room);
        gone[count++] = leat__must_strdup(key);
    }
    for (size_t i = 0; i < count; i++) {
        leat__log(LEAT_LOG_INFO, "control", NULL, "process %s is gone for good: status deleted",
            gone[i]);
        leat__control_log_forget(&c->log, gone[i]);
        leat__free(gone[i]);
    }
    leat__free(gone);
}

void leat__lead_hand_over(leat__control_t *c)
{
    const leat__lead_t *d = &c->lead;
    bool placed = d->state == LEAT__LEAD_PLACED || (d->state == LEAT__LEAD_DESCRIBE && d->published);

    if (placed && d->member_count > 1)
        publish(c, leat__membership_member_id(c->membership));
}

static void keep_members(leat__lead_t *d, const leat__op_t *op)
{
    forget_members(d);
    d->members = leat__must_alloc((op->member_count + 1) * sizeof *d->members);
    for (size_t i = 0; i < op->member_count; i++) {
        d->members[i].member_id = leat__must_strdup(op->members[i].member_id);
        const char *instance = op->members[i].instance_id;
        d->members[i].instance_id =
            instance == NULL || instance[0] == '\0' ? NULL : leat__must_strdup(instance);
        d->member_count++;
    }
}

static void described(leat__control_t *c)
{
    leat__lead_t *d = &c->lead;
    const char *me = leat__membership_member_id(c->membership);
    bool here = false;

    for (size_t i = 0; i < d->op->member_count; i++)
        here = here || strcmp(d->op->members[i].member_id, me) == 0;
    if (d->op->err.code == 0 && d->op->stable && here) {
        keep_members(d, d->op);
        d->buried = false;
        d->state = LEAT__LEAD_PLACED;
        d->again = true;
        leat__backoff_reset(&d->backoff);
    } else { /* refused, or members are still coming */
        d->retry_ms = c->now_ms + (d->op->err.code ? leat__backoff_next_ms(&d->backoff) : 10);
    }
    leat__op_free(d->op);
    d->op = NULL;
}

static void ask_who_is_here(leat__control_t *c)
{
    c->lead.asked_at = c->log.changes;
    c->lead.op = c->w->broker->vt->describe_group(c->w->broker, c->w->application_id);
}

/*
 * A static member that comes back does not change the generation, only its member id: the first
 * that is heard of it is a status under an id that was not in the group when it was asked for.
 */
static bool somebody_is_new(const leat__control_t *c)
{
    const leat__lead_t *d = &c->lead;
    const char *key;
    void *value;

    if (d->asked_at == c->log.changes)
        return false;
    for (size_t i = 0; leat__map_next(&c->log.statuses, &i, &key, &value);) {
        const leat__status_t *s = value;
        bool known = s->state != LEAT__PROCESS_RUNNING;

        for (size_t k = 0; !known && k < d->member_count; k++)
            known = strcmp(d->members[k].member_id, s->member_id) == 0;
        if (!known)
            return true;
    }
    return false;
}

static void measured(leat__control_t *c)
{
    leat__lead_t *d = &c->lead;

    if (d->op->err.code == 0 && d->op->position_count > 0) {
        d->target = d->op->positions[0].offset;
        d->state = LEAT__LEAD_READ;
        leat__backoff_reset(&d->backoff);
    } else {
        d->retry_ms = c->now_ms + leat__backoff_next_ms(&d->backoff);
    }
    leat__op_free(d->op);
    d->op = NULL;
}

static bool claim_is_mine(const leat__control_t *c)
{
    return c->log.claim.member_id != NULL &&
           c->log.claim.generation == leat__membership_generation(c->membership) &&
           strcmp(c->log.claim.member_id, leat__membership_member_id(c->membership)) == 0;
}

/* The last placement published here stands in the log as the one that counts. */
static bool read_back(const leat__control_t *c)
{
    return c->log.placement.generation == leat__membership_generation(c->membership) &&
           c->log.placement.revision >= c->lead.revision;
}

bool leat__lead_step(leat__control_t *c)
{
    leat__lead_t *d = &c->lead;
    leat__position_t end = {.topic = c->log.topic, .partition = 0};

    if (d->state == LEAT__LEAD_NO || c->stopping)
        return false;
    if (d->op != NULL && !leat__op_done(d->op))
        return true;
    switch (d->state) {
    case LEAT__LEAD_CLAIM:
        if (leat__control_log_written(&c->log))
            d->state = LEAT__LEAD_MEASURE;
        return true;
    case LEAT__LEAD_MEASURE:
        if (d->op != NULL)
            measured(c);
        else if (c->now_ms >= d->retry_ms)
            d->op = c->w->broker->vt->offsets(c->w->broker, &end, 1, LEAT__HIGH_WATERMARK);
        return true;
    case LEAT__LEAD_READ:
        if (c->log.next < d->target)
            return true;
        if (claim_is_mine(c)) {
            d->state = LEAT__LEAD_DESCRIBE;
        } else {
            leat__log(
                LEAT_LOG_INFO, "control", NULL, "another process claimed to lead: giving way");
            leat__lead_end(c);
            return false;
        }
        return true;
    case LEAT__LEAD_DESCRIBE:
        if (d->op != NULL)
            described(c);
        else if (c->now_ms >= d->retry_ms)
            ask_who_is_here(c);
        return true;
    case LEAT__LEAD_PLACED:
        fence_step(c);
        if (d->changes != c->log.changes || c->now_ms >= d->wake_ms)
            d->again = true;
        if (somebody_is_new(c)) {
            d->state = LEAT__LEAD_DESCRIBE;
            return true;
        }
        /* the next one is computed from the last one, so that must have been read back */
        if (d->again && c->now_ms >= d->retry_ms && (d->revision == 0 || read_back(c)))
            publish(c, NULL);
        if (!d->again && !d->buried && d->fence == NULL && read_back(c)) {
            d->buried = true;
            bury(c);
        }
        return d->again || d->fence != NULL;
    case LEAT__LEAD_NO:
        break;
    }
    return false;
}
