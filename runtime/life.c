/*
 * runtime/life.c: the life of a task in its thread.
 *
 *    CREATED ──▶ ASKING ──▶ MEASURING ──▶ RESOLVING ──▶ PLACING ──▶ RESTORING ──▶ RUNNING
 *    opens its   committed  ends of the   starts where  commit of   changelogs    feed, process,
 *    stores      offsets    changelogs    none was      the starts  to their end  commit
 *       ▲  ▲________│__________│ again: no answer, doubt                             │
 *       │                                                                            │
 *       └── DRAINING ◀── dirty (unknown outcome, fenced, lost): nothing kept but ────┤
 *              │          what was checkpointed; the changelog has the rest          │
 *              ▼                                                                     ▼
 *            GONE ◀─────────────── CLOSING: the last checkpoint ◀── clean, after a commit
 *
 * A standby goes from CREATED to MEASURING and stays in STANDBY; given to this thread for good, it
 * starts at CREATED again, with its stores open (standby.c).
 *
 * The order is the rule: `committed` has answered before the changelog's end is taken
 * (PROTOCOLS.md 1), and no record is processed before every start position is a number that is
 * committed (3, 4). Local state is never wiped because of a crash; it is emptied only where
 * restore.c finds that it does not belong to its changelog.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "state_dir.h"
#include "thread_inside.h"

#define DELETE_RETENTION_MS 86400000 /* Kafka's default of delete.retention.ms */

/* ---- made and freed ---- */

static const leat__group_t *find_group(const leat__plan_t *plan, int32_t id)
{
    for (size_t i = 0; i < plan->group_count; i++)
        if (plan->groups[i].id == id)
            return &plan->groups[i];
    return NULL;
}

/* PROTOCOLS.md 9: tombstones are kept so long; older local state could miss some. */
static int64_t age_max_ms(const leat__group_t *group)
{
    int64_t least = DELETE_RETENTION_MS;

    for (size_t i = 0; i < group->store_count; i++) {
        const leat__store_spec_t *s = group->stores[i];

        for (size_t k = 0; k < s->setting_count; k++)
            if (!strcmp(s->settings[k].key, "delete.retention.ms") &&
                strtoll(s->settings[k].value, NULL, 10) < least)
                least = strtoll(s->settings[k].value, NULL, 10);
    }
    return least / 2 > 0 ? least / 2 : 1;
}

leat__owned_t *leat__owned_new(leat__thread_t *t, leat__task_ref_t ref)
{
    const leat__group_t *group = find_group(t->w->plan, ref.group);
    leat__owned_t *o;

    if (!group)
        return NULL;
    o = leat__must_alloc(sizeof *o);
    o->thread = t;
    o->ref = ref;
    o->group = group;
    snprintf(o->id, sizeof o->id, "%d_%d", (int)ref.group, (int)ref.partition);
    o->dir = t->w->state_dir ? leat__must_format("%s/%s", t->w->state_dir, o->id) : NULL;
    o->input_count = group->topic_count;
    o->inputs = leat__must_alloc((group->topic_count + 1) * sizeof *o->inputs);
    for (size_t i = 0; i < group->topic_count; i++)
        o->inputs[i] = (leat__lane_t){.topic = group->topics[i],
            .source = group->sources[i],
            .present = ref.partition < group->partition_counts[i],
            .slot = -1,
            .committed = LEAT__OFFSET_NONE,
            .committed_time_ms = -1};
    o->store_count = group->store_count;
    o->stores = leat__must_alloc((group->store_count + 1) * sizeof *o->stores);
    for (size_t i = 0; i < o->store_count; i++)
        o->stores[i].slot = -1;
    o->lock = -1;
    o->retry_at_ms = o->unanswered_since_ms = o->doubt_since_ms = o->asked_since_ms = -1;
    o->age_max_ms = age_max_ms(group);
    o->backoff = leat__backoff(t->w->config, t->w->process_id, ref.group * 100000 + ref.partition);
    return o;
}

static void drop_ops(leat__owned_t *o)
{
    for (int i = 0; i < 3; i++)
        leat__op_drop(&o->ops[i]);
    for (size_t i = 0; i < o->input_count; i++)
        leat__op_drop(&o->inputs[i].reset);
}

/* The task ends, its state stays open. */
static void close_task(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;

    drop_ops(o);
    leat__restore_stop(o, LEAT_RESTORE_SUSPEND);
    leat__asks_cut(&o->asks);
    if (o->task) {
        leat__task_counts_add(&t->closed, leat__task_counts(o->task));
        leat__task_node_counts_add(t->closed_nodes, o->task);
        leat__task_close(o->task); /* gives its batches back, then the slots may go */
    }
    o->task = NULL;
    for (size_t i = 0; i < o->input_count; i++) {
        if (o->inputs[i].slot >= 0)
            t->vt->reader_remove(t->reader, o->inputs[i].slot);
        o->inputs[i].slot = -1;
        o->inputs[i].lost = false;
    }
    for (size_t i = 0; i < o->store_count; i++) {
        const leat__changelog_t *c = &o->stores[i];

        o->stores[i] =
            (leat__changelog_t){.store = c->store, .spec = c->spec, .topic = c->topic, .slot = -1};
    }
}

static void close_state(leat__owned_t *o)
{
    if (o->state)
        leat__task_state_close(o->state);
    o->state = NULL;
    for (size_t i = 0; i < o->store_count; i++)
        o->stores[i] = (leat__changelog_t){.slot = -1};
    leat__task_dir_unlock(&o->lock);
}

void leat__owned_free(leat__owned_t *o)
{
    if (!o)
        return;
    close_task(o);
    while (o->frozen && !leat__keep_checkpoint_done(o)) { /* the background writer has it */
        struct timespec moment = {.tv_nsec = 1000000};

        nanosleep(&moment, NULL);
    }
    close_state(o);
    leat__progress_release(&o->progress);
    leat__free(o->inputs);
    leat__free(o->stores);
    leat__free(o->dir);
    leat__free(o);
}

/* ---- the way to RUNNING ---- */

static int open_stores(leat__owned_t *o, leat_error_t *err)
{
    leat__thread_t *t = o->thread;
    leat__task_state_opts_t state = {.dir = o->store_count ? o->dir : NULL,
        .budget = &t->budget,
        .block_cache = t->w->block_cache,
        .wall_ms = t->wall_ms,
        .age_max_ms = o->age_max_ms};
    leat__task_env_t env = leat__thread_env;
    leat__task_opts_t opts = {.plan = t->w->plan,
        .groups = &o->group,
        .group_count = 1,
        .partition = o->ref.partition,
        .env = &env,
        .globals = t->w->globals,
        .state_dir = o->dir ? o->dir : ""};

    if (state.dir && leat__task_dir_lock(o->dir, &o->lock, err))
        return err->code;
    if (leat__task_state_open(&o->state, &state, err))
        return err->code;
    env.user = o;
    env.config = t->w->config;
    env.clock = t->w->clock;
    if (!t->w->opts || !t->w->opts->on_bad_record)
        env.on_bad_record = NULL;
    opts.state = o->state;
    o->task = leat__task_new(&opts, err);
    if (!o->task)
        return err->code ? (int)err->code : LEAT_ESTORE;
    leat__task_state_opened(o->state);
    for (size_t i = 0; i < o->store_count; i++) {
        const leat__store_spec_t *spec = leat__task_store_spec(o->task, i);

        o->stores[i] = (leat__changelog_t){.store = leat__task_store(o->task, i),
            .spec = spec,
            .slot = -1,
            .topic = spec->source_topic ? spec->source_topic
                     : spec->logged     ? spec->changelog
                                        : NULL};
    }
    return 0;
}

/* Given back to us while it was closing. */
static bool waits_for_twin(const leat__owned_t *o)
{
    const leat__thread_t *t = o->thread;

    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i] != o && t->tasks[i]->ref.group == o->ref.group &&
            t->tasks[i]->ref.partition == o->ref.partition)
            return true;
    return false;
}

/* A full disk passes (PROTOCOLS.md 18), and so does a deletion that goes on; what does not pass
 * fails the thread. */
static void not_opened(leat__owned_t *o, const leat_error_t *cause)
{
    leat_error_t err = leat__thread_error(o, cause);

    if (!(err.flags & LEAT_RETRIABLE)) {
        leat__thread_fail(o->thread, &err);
        return;
    }
    if (o->unanswered_since_ms < 0)
        leat__log(LEAT_LOG_WARN, "task", o->id, "local state cannot be opened: %s", err.text);
    leat__starts_refused(o, cause, "opening the local state");
}

static void step_created(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    leat_error_t err = {0};

    if ((!o->standby && t->commit.state >= LEAT__COMMIT_CLOSE_WRITERS) ||
        t->now_ms < o->retry_at_ms || waits_for_twin(o))
        return; /* our own last transaction is not decided yet, or our stores are still open */
    if (!o->task)
        o->behind = -1;
    if (!o->task && open_stores(o, &err)) {
        close_task(o);
        close_state(o);
        not_opened(o, &err);
        return;
    }
    t->busy = true;
    if (o->store_count)
        leat__restorer(t, &err); /* connects meanwhile; who needs it looks at the outcome */
    if (o->standby)
        leat__standby_begin(o);
    else
        leat__starts_ask(o);
}

/* What was prepared beside a commit counts if that commit did. */
static bool resolve_prepared(leat__owned_t *o)
{
    leat_slice_t token;
    leat_error_t err;
    bool apply;

    if (!o->state || !leat__task_state_prepared(o->state, &token))
        return true;
    apply = leat__token_reached(o, token);
    leat__log(LEAT_LOG_INFO, "task", o->id, "entries prepared before the last stop %s",
        apply ? "were committed: taken over" : "were not committed: dropped");
    if (!leat__task_state_resolve(o->state, apply, &err))
        return true;
    err = leat__thread_error(o, &err);
    leat__thread_fail(o->thread, &err);
    return false;
}

void leat__life_measure(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    leat__position_t *of = leat__must_alloc((o->store_count + 1) * sizeof *of);
    size_t count = 0;

    for (size_t i = 0; i < o->store_count; i++)
        if (o->stores[i].topic)
            of[count++] = leat__place(o->stores[i].topic, o->ref.partition, LEAT__OFFSET_NONE);
    o->phase = LEAT__PHASE_MEASURING;
    if (count) {
        o->ops[0] = t->vt->offsets(t->b, of, count, LEAT__EARLIEST);
        o->ops[1] = t->vt->offsets(t->b, of, count, LEAT__HIGH_WATERMARK);
    }
    leat__free(of);
}

static bool any_fresh(const leat__owned_t *o)
{
    for (size_t i = 0; i < o->input_count; i++)
        if (o->inputs[i].fresh)
            return true;
    return false;
}

static void step_asked(leat__owned_t *o)
{
    bool well;

    if (o->phase == LEAT__PHASE_ASKING)
        leat__starts_wait(o);
    for (int i = 0; i < 3; i++)
        if (o->ops[i] && !leat__op_done(o->ops[i]))
            return;
    o->thread->busy = true;
    if (o->phase == LEAT__PHASE_ASKING)
        well = leat__starts_take(o);
    else if (o->phase == LEAT__PHASE_MEASURING)
        /* not before doubts are settled; a standby cannot know what was committed */
        well = leat__starts_measured(o) && (o->standby || resolve_prepared(o));
    else
        well = leat__starts_resolved(o);
    drop_ops(o);
    if (!well)
        o->phase = LEAT__PHASE_CREATED;
    else if (o->phase == LEAT__PHASE_ASKING)
        leat__life_measure(o);
    else if (o->phase == LEAT__PHASE_RESOLVING)
        o->phase = LEAT__PHASE_PLACING; /* the next commit takes it along, and then it restores */
    else if (!o->standby && any_fresh(o))
        leat__starts_resolve(o);
    else
        leat__restore_begin(o);
}

static void say_restored(leat__owned_t *o)
{
    leat__message_t *m = leat__message_new(LEAT__SAY_RESTORED);

    m->tasks = leat__must_alloc(sizeof *m->tasks);
    m->tasks[0] = o->ref;
    m->task_count = 1;
    leat__thread_say(o->thread, m);
}

void leat__life_run(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    leat_error_t err = {0};

    o->unanswered_since_ms = -1;
    for (size_t i = 0; i < o->input_count; i++) {
        leat__lane_t *in = &o->inputs[i];

        in->fresh = false;
        leat__task_set_position(
            o->task, (int)i, in->present ? in->committed : 0, in->committed_time_ms);
        if (!in->present) {
            leat__task_set_at_end(o->task, (int)i, true);
            continue;
        }
        in->slot = t->vt->reader_add(t->reader, in->topic, o->ref.partition, in->committed, &err);
        if (in->slot < 0)
            goto failed;
    }
    leat__task_set_progress(o->task, &o->progress);
    leat__task_set_wall(o->task, t->wall_ms);
    if (leat__task_open(o->task, &err))
        goto failed;
    o->phase = LEAT__PHASE_RUNNING;
    o->behind = -1;
    t->busy = true;
    t->view_at_ms = 0;
    say_restored(o);
    return;
failed:
    err = leat__thread_error(o, &err);
    leat__thread_fail(t, &err);
}

/* ---- back, and out ---- */

bool leat__owned_broken(const leat__owned_t *o)
{
    leat_error_t err;

    return o->store_count && o->stores[0].store && leat__store_failed(o->stores[0].store, &err);
}

void leat__owned_rewind(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    leat_error_t err = {0};

    o->in_commit = false;
    if (o->phase != LEAT__PHASE_RUNNING)
        return;
    if (leat__owned_broken(o)) {
        leat__owned_drop(o, true); /* what is damaged is set aside when it is closed */
        return;
    }
    for (size_t i = 0; i < o->store_count; i++)
        o->stores[i].wrote = false;
    if (leat__task_abort(o->task, &err)) {
        err = leat__thread_error(o, &err);
        leat__thread_fail(t, &err);
        return;
    }
    for (size_t i = 0; i < o->input_count; i++) {
        leat__lane_t *in = &o->inputs[i];

        leat__op_drop(&in->reset);
        in->lost = false;
        if (!in->present)
            continue;
        leat__task_set_position(o->task, (int)i, in->committed, in->committed_time_ms);
        leat__task_set_at_end(o->task, (int)i, false);
        t->vt->reader_seek(t->reader, in->slot, in->committed);
    }
}

void leat__owned_again(leat__owned_t *o)
{
    if (o->phase >= LEAT__PHASE_CLOSING)
        return; /* goes there by itself */
    drop_ops(o);
    leat__restore_stop(o, LEAT_RESTORE_END);
    o->retry_at_ms = o->unanswered_since_ms = o->doubt_since_ms = -1;
    o->phase = LEAT__PHASE_CREATED;
    o->thread->busy = true;
}

void leat__owned_close(leat__owned_t *o)
{
    if (o->phase == LEAT__PHASE_CLOSING || o->phase == LEAT__PHASE_GONE)
        return;
    if (o->phase == LEAT__PHASE_DRAINING) {
        o->again = false;
        return;
    }
    close_task(o);
    o->last_checkpoint = o->phase != LEAT__PHASE_RUNNING && o->phase != LEAT__PHASE_RESTORING &&
                         o->phase != LEAT__PHASE_STANDBY; /* else: not begun */
    o->phase = LEAT__PHASE_CLOSING;
    o->thread->busy = true;
}

void leat__owned_drop(leat__owned_t *o, bool again)
{
    if (o->phase == LEAT__PHASE_CLOSING || o->phase == LEAT__PHASE_GONE)
        return; /* it was closed after a commit that succeeded */
    close_task(o);
    o->in_commit = false;
    o->again = again;
    o->phase = LEAT__PHASE_DRAINING;
    o->thread->busy = true;
}

static void step_closing(leat__owned_t *o)
{
    if (!leat__keep_checkpoint_done(o))
        return;
    if (o->phase == LEAT__PHASE_CLOSING && !o->last_checkpoint) {
        o->last_checkpoint = true;
        leat__keep_checkpoint(o, o->thread->wall_ms);
        if (!leat__keep_checkpoint_done(o))
            return;
    }
    if (o->phase == LEAT__PHASE_CLOSING)
        leat__keep_note(o);
    close_state(o);
    o->thread->busy = true;
    o->phase =
        o->phase == LEAT__PHASE_DRAINING && o->again ? LEAT__PHASE_CREATED : LEAT__PHASE_GONE;
}

void leat__owned_step(leat__owned_t *o)
{
    switch (o->phase) {
    case LEAT__PHASE_CREATED:
        step_created(o);
        break;
    case LEAT__PHASE_ASKING:
    case LEAT__PHASE_MEASURING:
    case LEAT__PHASE_RESOLVING:
        step_asked(o);
        break;
    case LEAT__PHASE_STANDBY:
        leat__standby_step(o);
        break;
    case LEAT__PHASE_CLOSING:
    case LEAT__PHASE_DRAINING:
        step_closing(o);
        break;
    case LEAT__PHASE_PLACING:   /* commit.c */
    case LEAT__PHASE_RESTORING: /* restore.c */
    case LEAT__PHASE_RUNNING:
    case LEAT__PHASE_GONE:
        break;
    }
}
