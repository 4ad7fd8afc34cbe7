/*
 * runtime/leader.c: the leader's work: owner of partition 0 of the control topic in this generation.
 *
 *   CLAIM ─▶ MEASURE ─▶ READ ─▶ DESCRIBE ─▶ PLACED ──(a status changed, a fence is up)──▶ PLACED
 *
 * It reads the control topic to the high watermark taken after its claim, so whatever any member acted on before this
 * generation stands in what it knows. A task is taken from (a) who released it for the revision that asked, (b) a process
 * absent from the group, after its transactional ids were initialised anew, (c) a process present under another member id,
 * once its new status says so (PROTOCOLS.md 7, 12). Everyone else keeps what they have; moves of live tasks are two steps.
 */
#include "control_inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

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
    leat__control_log_claim(&c->log, &claim);
    c->lead.state = LEAT__LEAD_CLAIM;
}

/* ---- computing ---- */

/* The members that can be told apart: in the group, and their status says who they are. */
static void list_members(const leat__control_t *c, leat__placement_t *p, const char *without)
{
    const leat__lead_t *d = &c->lead;

    p->members = leat__must_alloc(
        (d->member_count + c->log.placement.member_count + 1) * sizeof *p->members);
    for (size_t i = 0; i < d->member_count; i++) {
        const leat__status_t *s = leat__control_log_member(&c->log, d->members[i].member_id);
        if (s == NULL)
            continue;
        leat__placed_member_t *m = &p->members[p->member_count++];
        m->member_id = leat__must_strdup(s->member_id);
        m->process_id = leat__must_strdup(s->process_id);
        m->threads = s->state == LEAT__PROCESS_RUNNING ? s->threads : 0;
        if (without != NULL && strcmp(without, s->member_id) == 0)
            m->threads = 0;
    }
}

static int member_of_process(const leat__placement_t *p, size_t count, const char *process_id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(p->members[i].process_id, process_id) == 0)
            return (int)i;
    return -1;
}

static bool in_group(const leat__lead_t *d, const char *process_id, const char *member_id)
{
    for (size_t i = 0; i < d->member_count; i++) {
        const leat__group_member_t *m = &d->members[i];
        if (strcmp(m->member_id, member_id) == 0 ||
            (m->instance_id != NULL && strcmp(m->instance_id, process_id) == 0))
            return true;
    }
    return false;
}

static bool lists(const leat__task_ref_t *refs, size_t count, leat__task_ref_t ref)
{
    for (size_t i = 0; i < count; i++)
        if (leat__task_ref_compare(&refs[i], &ref) == 0)
            return true;
    return false;
}

static bool has_released(const leat__control_t *c, const leat__status_t *s, leat__task_ref_t ref)
{
    const leat__placement_t *before = &c->log.placement;

    if (s->state != LEAT__PROCESS_RUNNING)
        return !lists(s->held, s->held_count, ref);
    return s->released_generation == before->generation &&
           s->released_revision == before->revision && lists(s->released, s->released_count, ref);
}

/* What is known of one task before it is placed. */
struct standing {
    int holder;                           /* present member that owns it; -1 */
    int sticky;                           /* free, but this member has its state; -1 */
    const leat__placed_member_t *blocked; /* owner that is not in the group and not fenced yet */
};

static struct standing standing_of(
    leat__control_t *c, const leat__placement_t *p, size_t present, leat__task_ref_t ref)
{
    const leat__placement_t *before = &c->log.placement;
    const leat__placed_task_t *t =
        c->log.placement_offset >= 0 ? leat__placement_find(before, ref) : NULL;
    struct standing s = {.holder = -1, .sticky = -1};

    if (t != NULL && t->owner >= 0) {
        const leat__placed_member_t *owner = &before->members[t->owner];
        int same = leat__placement_member(p, owner->member_id);
        int reborn = member_of_process(p, present, owner->process_id);

        if (same >= 0 && (size_t)same < present) {
            const leat__status_t *status = leat__control_log_member(&c->log, owner->member_id);
            if (status == NULL || !has_released(c, status, ref))
                s.holder = same;
        } else if (reborn >= 0) {
            s.sticky = reborn;
        } else if (in_group(&c->lead, owner->process_id, owner->member_id) ||
                   (c->w->exactly_once &&
                       leat__map_get(&c->lead.fenced, owner->process_id) == NULL)) {
            s.blocked = owner;
        }
    }
    for (size_t i = 0; s.holder < 0 && s.blocked == NULL && i < present; i++) {
        const leat__status_t *status = leat__control_log_member(&c->log, p->members[i].member_id);
        if (status != NULL && lists(status->held, status->held_count, ref))
            s.holder = (int)i;
    }
    return s;
}

static int absent_member(leat__placement_t *p, const leat__placed_member_t *owner)
{
    int at = leat__placement_member(p, owner->member_id);

    if (at >= 0)
        return at;
    leat__placed_member_t *m = &p->members[p->member_count];
    m->member_id = leat__must_strdup(owner->member_id);
    m->process_id = leat__must_strdup(owner->process_id);
    m->threads = 0;
    return (int)p->member_count++;
}

static size_t all_tasks(const leat__plan_t *plan, leat__task_ref_t **refs)
{
    size_t count = 0;

    for (size_t g = 0; g < plan->group_count; g++)
        count += (size_t)plan->groups[g].task_count;
    *refs = leat__must_alloc((count + 1) * sizeof **refs);
    count = 0;
    for (size_t g = 0; g < plan->group_count; g++)
        for (int32_t i = 0; i < plan->groups[g].task_count; i++)
            (*refs)[count++] = (leat__task_ref_t){.group = (int32_t)g, .partition = i};
    return count;
}

static void compute(leat__control_t *c, leat__placement_t *p, const char *without)
{
    leat__task_ref_t *refs;
    size_t count = all_tasks(c->w->plan, &refs), present;
    struct standing *standings = leat__must_alloc((count + 1) * sizeof *standings);
    int *current = leat__must_alloc((count + 1) * sizeof *current);
    int *target = leat__must_alloc((count + 1) * sizeof *target);
    int *threads;

    memset(p, 0, sizeof *p);
    p->generation = leat__membership_generation(c->membership);
    p->leader = leat__must_strdup(leat__membership_member_id(c->membership));
    list_members(c, p, without);
    present = p->member_count;
    threads = leat__must_alloc((present + 1) * sizeof *threads);
    for (size_t i = 0; i < present; i++)
        threads[i] = p->members[i].threads;
    for (size_t i = 0; i < count; i++) {
        standings[i] = standing_of(c, p, present, refs[i]);
        current[i] = standings[i].holder >= 0 ? standings[i].holder : standings[i].sticky;
    }
    leat__place(threads, present, refs, count, current, target);
    p->tasks = leat__must_alloc((count + 1) * sizeof *p->tasks);
    for (size_t i = 0; i < count; i++) {
        leat__placed_task_t *t = &p->tasks[p->task_count++];
        t->ref = refs[i];
        if (standings[i].blocked != NULL) {
            t->owner = absent_member(p, standings[i].blocked);
        } else if (standings[i].holder >= 0) {
            t->owner = standings[i].holder;
            t->release = target[i] >= 0 && target[i] != t->owner;
        } else {
            t->owner = target[i];
        }
    }
    leat__free(refs);
    leat__free(standings);
    leat__free(current);
    leat__free(target);
    leat__free(threads);
}

/* ---- fencing the absent ---- */

static int threads_of(const leat__control_t *c, const leat__placed_member_t *m)
{
    const leat__status_t *s = leat__control_log_process(&c->log, m->process_id);

    if (s != NULL && s->threads > m->threads)
        return s->threads;
    for (size_t i = 0; i < c->log.placement.member_count; i++) {
        const leat__placed_member_t *b = &c->log.placement.members[i];
        if (strcmp(b->process_id, m->process_id) == 0 && b->threads > 0)
            return b->threads;
    }
    return m->threads > 0 ? m->threads : 1;
}

static void fence_absent(leat__control_t *c, const leat__placement_t *p)
{
    leat__lead_t *d = &c->lead;
    char **ids = NULL;
    size_t count = 0, room = 0, fencing_room = 0;
    char id[600];

    if (!c->w->exactly_once || d->fence != NULL)
        return;
    for (size_t i = 0; i < p->member_count; i++) {
        const leat__placed_member_t *m = &p->members[i];
        bool owns = false;

        for (size_t k = 0; k < p->task_count; k++)
            owns = owns || p->tasks[k].owner == (int)i;
        if (!owns || in_group(d, m->process_id, m->member_id) ||
            leat__map_get(&d->fenced, m->process_id) != NULL)
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
}

static void fence_step(leat__control_t *c)
{
    leat__lead_t *d = &c->lead;

    if (d->fence == NULL || !leat__op_done(d->fence))
        return;
    if (d->fence->err.code == 0 || d->fence->err.code == LEAT_EFENCED) {
        for (size_t i = 0; i < d->fencing_count; i++)
            leat__map_put(&d->fenced, d->fencing[i], d);
        d->again = true;
    } else {
        leat__log(LEAT_LOG_WARN, "control", NULL, "fencing failed, again: %s", d->fence->err.text);
        d->again = true; /* compute finds them blocked still, and fences again */
        d->retry_ms = c->now_ms + 200;
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

static void publish(leat__control_t *c, const char *without)
{
    leat__lead_t *d = &c->lead;
    leat__placement_t p;

    d->changes = c->log.changes;
    d->again = false;
    compute(c, &p, without);
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
    } else {
        leat__free(text);
    }
    if (without == NULL)
        fence_absent(c, &p);
    leat__placement_release(&p);
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
        d->state = LEAT__LEAD_PLACED;
        d->again = true;
    } else {
        d->retry_ms = c->now_ms + 10;
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
    } else {
        d->retry_ms = c->now_ms + 50;
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
        if (d->changes != c->log.changes)
            d->again = true;
        if (somebody_is_new(c)) {
            d->state = LEAT__LEAD_DESCRIBE;
            return true;
        }
        /* the next one is computed from the last one, so that must have been read back */
        if (d->again && c->now_ms >= d->retry_ms && (d->revision == 0 || read_back(c)))
            publish(c, NULL);
        return d->again || d->fence != NULL;
    case LEAT__LEAD_NO:
        break;
    }
    return false;
}
