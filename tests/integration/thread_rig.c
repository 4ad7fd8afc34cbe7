/* tests/integration/thread_rig.c: see thread_rig.h. */
#include "thread_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/log.h"

enum { STEP_MS = 5 };

/* ---- the world ---- */

static void wait_done(rig_world_t *w, leat__op_t *op)
{
    if (w->real)
        leat__op_wait(op, 20000);
    for (int i = 0; i < 10000 && !leat__op_done(op); i++) {
        w->clock.steady_ms += STEP_MS;
        w->clock.wall_ms += STEP_MS;
        leat__log_tick(w->log);
    }
    if (!leat__op_done(op))
        fail_msg("an operation of the test itself never ended");
    if (op->err.code)
        fail_msg("an operation of the test itself failed: %s", op->err.text);
}

void rig_world_set(rig_world_t *w, const char *key, const char *value)
{
    for (size_t i = 0; i < w->setting_count; i++)
        if (!strcmp(w->settings[i][0], key)) {
            w->settings[i][1] = value;
            return;
        }
    w->settings[w->setting_count][0] = key;
    w->settings[w->setting_count++][1] = value;
}

void rig_topic(rig_world_t *w, const char *topic, int32_t partitions, const char *policy)
{
    leat__setting_t setting = {"cleanup.policy", policy};
    leat__topic_t t = {.name = (char *)(uintptr_t)topic,
        .partitions = partitions,
        .replication = -1,
        .settings = &setting,
        .setting_count = 1};
    leat__op_t *op = w->outside->vt->ensure_topics(w->outside, &t, 1);

    wait_done(w, op);
    leat__op_free(op);
}

static void world_open(
    rig_world_t *w, leat_build_fn build, int32_t partitions, const char *guarantee, bool real)
{
    leat_error_t err = {0};

    leat_log_to(NULL, NULL, getenv("LEAT_TEST_LOG") ? LEAT_LOG_DEBUG : LEAT_LOG_ERROR);
    *w = (rig_world_t){
        .build = build, .partitions = partitions, .static_member = true, .real = real};
    w->clock = (leat__clock_t){.manual = true, .wall_ms = 1700000000000, .steady_ms = 1000000};
    snprintf(w->dir, sizeof w->dir, "/tmp/leat-rig-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->log = leat__log_open(NULL, real ? NULL : &w->clock, &err);
    assert_non_null(w->log);
    w->outside = leat__embedded_client(w->log, NULL);
    w->writer =
        w->outside->vt->writer_open(w->outside, &(leat__writer_opts_t){.client_id = "test"}, &err);
    assert_non_null(w->writer);
    rig_world_set(w, "application.id", RIG_APP);
    rig_world_set(w, "bootstrap.servers", "embedded:");
    rig_world_set(w, "processing.guarantee", guarantee);
    rig_world_set(w, "commit.interval.ms", "100");
    rig_world_set(w, "statestore.checkpoint.interval.ms", "60000");
    rig_topic(w, "app-control-changelog", 1, "compact");
    rig_topic(w, "in", partitions, "delete");
    rig_topic(w, "out", partitions, "delete");
}

void rig_world_open(rig_world_t *w, leat_build_fn build, int32_t partitions, const char *guarantee)
{
    world_open(w, build, partitions, guarantee, false);
}

void rig_world_open_real(
    rig_world_t *w, leat_build_fn build, int32_t partitions, const char *guarantee)
{
    world_open(w, build, partitions, guarantee, true);
}

void rig_world_close(rig_world_t *w)
{
    char command[128];

    leat__op_free(w->outside->vt->writer_close(w->writer));
    w->outside->vt->close(w->outside);
    leat__log_unref(w->log);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
}

void rig_write(rig_world_t *w, const char *topic, int32_t partition, const char *key,
    const char *value, int64_t time_ms)
{
    leat_error_t err = {0};
    leat__out_t *out = w->outside->vt->writer_topic(w->writer, topic, &err);
    leat__op_t *op;

    assert_non_null(out);
    assert_int_equal(w->outside->vt->produce(w->writer, out, partition, leat_slice(key),
                         leat_slice(value), time_ms, NULL, &err),
        0);
    op = w->outside->vt->writer_flush(w->writer);
    wait_done(w, op);
    leat__op_free(op);
}

static void copy_record(rig_record_t *to, const leat__raw_t *raw, int32_t partition)
{
    *to = (rig_record_t){.offset = raw->offset, .time_ms = raw->time_ms, .partition = partition};
    leat_slice_copy(&raw->key, to->key, sizeof to->key);
    to->null_value = !raw->value.data;
    if (raw->value.size == 8)
        to->number = (int64_t)leat__load_be64(raw->value.data);
    leat_slice_copy(&raw->value, to->value, sizeof to->value);
}

static size_t read_partition(rig_world_t *w, const char *topic, int32_t partition, bool committed,
    rig_record_t *room, size_t max)
{
    const leat__broker_vt_t *vt = w->outside->vt;
    leat__reader_opts_t opts = {.client_id = "test", .read_committed = committed, .tail = true};
    leat_error_t err = {0};
    leat__reader_t *reader = vt->reader_open(w->outside, &opts, &err);
    int slot = vt->reader_add(
        reader, topic, partition, rig_offset(w, topic, partition, LEAT__EARLIEST), &err);
    size_t count = 0;
    bool end = false;

    for (int i = 0; i < 1000 && !end; i++) {
        leat__batch_t batch;

        if (!vt->reader_take(reader, slot, 100, &batch))
            continue;
        for (size_t k = 0; k < batch.count && count < max; k++)
            copy_record(&room[count++], &batch.records[k], partition);
        end = batch.at_end || batch.code;
        vt->reader_release(reader, &batch);
    }
    vt->reader_close(reader);
    return count;
}

size_t rig_read(rig_world_t *w, const char *topic, int32_t partitions, bool committed,
    rig_record_t *room, size_t max)
{
    size_t count = 0;

    for (int32_t p = 0; p < partitions; p++)
        count += read_partition(w, topic, p, committed, room + count, max - count);
    return count;
}

int64_t rig_offset(rig_world_t *w, const char *topic, int32_t partition, leat__where_t where)
{
    leat__position_t of = leat__place(topic, partition, -1);
    leat__op_t *op = w->outside->vt->offsets(w->outside, &of, 1, where);
    int64_t offset;

    wait_done(w, op);
    offset = op->positions[0].offset;
    leat__op_free(op);
    return offset;
}

int64_t rig_committed(rig_world_t *w, const char *topic, int32_t partition)
{
    leat__position_t of = leat__place(topic, partition, -1);
    leat__op_t *op = w->outside->vt->committed(w->outside, RIG_APP, &of, 1);
    int64_t offset = op && leat__op_done(op) && !op->err.code ? op->positions[0].offset : -2;

    leat__op_free(op);
    return offset;
}

/* ---- a process ---- */

static int32_t partitions_of(void *user, const char *topic)
{
    (void)topic;
    return ((rig_world_t *)user)->partitions;
}

static void internal_topics(rig_t *r)
{
    for (size_t i = 0; i < r->plan->internal_topic_count; i++)
        if (!r->plan->internal_topics[i].source_changelog)
            rig_topic(r->world, r->plan->internal_topics[i].name,
                r->plan->internal_topics[i].partitions,
                r->plan->internal_topics[i].repartition ? "delete" : "compact");
}

static uint64_t incarnation(void *user, const char *topic)
{
    (void)topic;
    return ((rig_t *)user)->incarnation;
}

static double heard(void *user)
{
    return ((rig_t *)user)->heard_ms;
}

static void on_restore(void *user, const leat_restore_t *progress)
{
    rig_t *r = user;

    r->events[progress->standby][progress->event]++;
    if (progress->event == LEAT_RESTORE_START)
        r->began = progress->start;
    if (progress->event == LEAT_RESTORE_END && !progress->standby)
        r->replayed += (uint64_t)(progress->end - progress->start);
}

void rig_join(rig_t *r)
{
    static const char *const topics[] = {"app-control-changelog", "in"};
    leat__member_opts_t opts = {.group = RIG_APP,
        .instance_id = r->world->static_member ? r->instance : NULL,
        .client_id = "rig",
        .topics = topics,
        .topic_count = 2,
        .session_timeout_ms = 10000,
        .heartbeat_interval_ms = 200,
        .max_poll_interval_ms = 60000};
    leat_error_t err = {0};

    r->member = r->broker->vt->member_open(r->broker, &opts, &err);
    assert_non_null(r->member);
}

static rig_t *start(rig_world_t *w, int number, int index)
{
    rig_t *r = leat__must_alloc(sizeof *r);
    leat_error_t err = {0};

    r->world = w;
    snprintf(r->instance, sizeof r->instance, "process-%d", number);
    if (number > 1)
        snprintf(r->dir, sizeof r->dir, "%s/process-%d", w->dir, number);
    else
        snprintf(r->dir, sizeof r->dir, "%s", w->dir);
    r->incarnation = 77;
    r->broker = leat__embedded_client(w->log, NULL);
    r->config = leat_config_new();
    for (size_t i = 0; i < w->setting_count; i++)
        leat_config_set(r->config, w->settings[i][0], w->settings[i][1]);
    if (leat_config_check(r->config, &err))
        fail_msg("%s: %s", err.where, err.text);
    r->topology = leat_topology_build(w->build, r->config);
    if (leat__topology_compile(r->topology, r->config, &r->plan, &err))
        fail_msg("%s: %s", err.where, err.text);
    if (w->adjust)
        w->adjust(r->plan);
    if (leat__plan_resolve(r->plan, partitions_of, w, &err))
        fail_msg("%s: %s", err.where, err.text);
    internal_topics(r);
    r->opts = (leat_app_opts_t){.on_restore = on_restore, .user = r};
    r->worker = (leat__worker_t){.config = r->config,
        .broker = r->broker,
        .plan = r->plan,
        .clock = w->real ? NULL : &w->clock,
        .checkpointer = w->real ? leat__checkpointer_start() : NULL,
        .opts = &r->opts,
        .application_id = (char *)(uintptr_t)RIG_APP,
        .process_id = r->instance,
        .state_dir = r->dir,
        .exactly_once =
            !strcmp(leat__config_text(r->config, "processing.guarantee"), "exactly_once_v2"),
        .thread_count = 1,
        .incarnation = incarnation,
        .incarnation_user = r,
        .heard_ms = heard,
        .heard_user = r};
    leat__mailbox_init(&r->worker.control);
    r->thread = leat__thread_new(&r->worker, index, &err);
    if (!r->thread || (w->real && leat__thread_start(r->thread, &err)))
        fail_msg("%s", err.text);
    return r;
}

rig_t *rig_start(rig_world_t *w, int index)
{
    rig_t *r = start(w, 1, index);

    rig_join(r);
    return r;
}

rig_t *rig_start_other(rig_world_t *w, int number)
{
    return start(w, number, 0);
}

static void free_process(rig_t *r)
{
    leat__thread_join(r->thread);
    leat__thread_free(r->thread);
    leat__checkpointer_stop(r->worker.checkpointer);
    if (r->member)
        leat__op_free(r->broker->vt->member_close(r->member, false));
    leat__message_free(r->kept);
    leat__membership_unref(r->membership);
    leat__mailbox_release(&r->worker.control);
    r->broker->vt->close(r->broker);
    leat__plan_free(r->plan);
    leat_topology_free(r->topology);
    leat_config_free(r->config);
    leat__free(r);
}

void rig_crash(rig_t *r)
{
    free_process(r);
}

/* ---- in place of the control thread ---- */

void rig_say(rig_t *r, leat__message_t *m)
{
    leat__mailbox_post(leat__thread_mail(r->thread), m);
}

static leat__task_ref_t *all_tasks(rig_t *r, size_t *count)
{
    leat__task_ref_t *tasks = NULL;
    size_t room = 0;

    *count = 0;
    for (size_t g = 0; g < r->plan->group_count; g++)
        for (int32_t p = 0; p < r->plan->groups[g].task_count; p++) {
            LEAT__GROW(tasks, *count, room);
            tasks[(*count)++] = (leat__task_ref_t){r->plan->groups[g].id, p};
        }
    return tasks;
}

void rig_tell(rig_t *r, leat__say_t say)
{
    leat__message_t *m = leat__message_new(say);

    m->tasks = all_tasks(r, &m->task_count);
    m->epoch = r->epoch;
    rig_say(r, m);
}

void rig_give_all(rig_t *r)
{
    rig_tell(r, LEAT__SAY_GIVE);
    r->given = true;
}

void rig_keep_copies(rig_t *r)
{
    rig_tell(r, LEAT__SAY_GIVE_STANDBY);
    r->copies = true;
}

static void assigned(rig_t *r, leat__membership_t *membership)
{
    leat__message_t *m = leat__message_new(LEAT__SAY_MEMBERSHIP);

    leat__membership_unref(r->membership);
    r->membership = membership;
    m->membership = leat__membership_ref(membership);
    m->epoch = r->epoch;
    if (r->given || r->copies)
        m->tasks = all_tasks(r, &m->task_count);
    rig_say(r, m);
    if (!r->given && !r->copies)
        rig_give_all(r);
}

void rig_rejoin(rig_t *r)
{
    rig_say(r, leat__message_new(LEAT__SAY_LOST));
    r->epoch++;
    r->given = false;
    leat__op_free(r->broker->vt->member_close(r->member, false));
    rig_join(r);
}

static void poll_member(rig_t *r)
{
    leat__member_event_t e;

    if (!r->member)
        return;
    memset(&e, 0, sizeof e);
    switch (r->broker->vt->member_poll(r->member, &e)) {
    case LEAT__MEMBER_ASSIGNED:
        assigned(r, e.membership);
        break;
    case LEAT__MEMBER_REVOKED: {
        leat__message_t *m = leat__message_new(LEAT__SAY_BARRIER);

        m->number = r->last_barrier + 1;
        rig_say(r, m);
        break;
    }
    case LEAT__MEMBER_LOST:
        rig_say(r, leat__message_new(LEAT__SAY_LOST));
        r->epoch++;
        r->given = false;
        r->broker->vt->member_answer_revoke(r->member);
        break;
    case LEAT__MEMBER_FAILED:
        fail_msg("the member failed: %s", e.err.text);
        break;
    default:
        break;
    }
}

static void commit_for(rig_t *r, leat__message_t *asked)
{
    leat__message_t *m = leat__message_new(LEAT__SAY_COMMITTING);

    r->commits_asked++;
    if (!r->refuse_commits && asked->epoch == r->epoch && r->membership)
        m->op = r->broker->vt->member_commit(
            r->member, r->membership, asked->positions, asked->position_count);
    rig_say(r, m);
}

static void hear(rig_t *r, leat__message_t *m)
{
    switch (m->say) {
    case LEAT__SAY_RESTORED:
        r->restored += (int)m->task_count;
        break;
    case LEAT__SAY_RELEASED:
        r->released++;
        break;
    case LEAT__SAY_BARRIER_DONE:
        r->barriers++;
        r->last_barrier = m->number;
        r->broker->vt->member_answer_revoke(r->member);
        break;
    case LEAT__SAY_LOST_DONE:
        r->lost++;
        break;
    case LEAT__SAY_FAILED:
        r->failed++;
        r->failure = m->err;
        break;
    case LEAT__SAY_STOPPED:
        r->stopped++;
        break;
    case LEAT__SAY_COMMIT:
        if (r->hold_commits) {
            r->kept = m;
            return;
        }
        commit_for(r, m);
        break;
    default:
        fail_msg("the thread said %d to control", (int)m->say);
    }
    leat__message_free(m);
}

void rig_step(rig_t *r)
{
    leat__message_t *m;

    leat__log_tick(r->world->log);
    poll_member(r);
    if (!r->world->real)
        leat__thread_step(r->thread);
    while ((m = leat__mailbox_take(&r->worker.control, r->world->real ? 1 : 0)))
        hear(r, m);
    r->world->clock.steady_ms += STEP_MS;
    r->world->clock.wall_ms += STEP_MS;
}

void rig_steps(rig_t *r, int count)
{
    for (int i = 0; i < count; i++)
        rig_step(r);
}

bool rig_until(rig_t *r, bool (*done)(rig_t *r), int steps_max)
{
    for (int i = 0; i < steps_max; i++) {
        if (done(r))
            return true;
        rig_step(r);
    }
    return done(r);
}

bool rig_runs(rig_t *r)
{
    for (size_t i = 0; i < r->thread->task_count; i++)
        if (r->thread->tasks[i]->phase != LEAT__PHASE_RUNNING)
            return false;
    return r->given && r->thread->task_count > 0 && !r->thread->failing;
}

bool rig_failed(rig_t *r)
{
    return r->failed > 0;
}

static bool all_committed(rig_t *r)
{
    if (!rig_runs(r) || !leat__commit_idle(r->thread) || leat__commit_has_work(r->thread))
        return false;
    for (size_t i = 0; i < r->thread->task_count; i++) {
        leat__owned_t *o = r->thread->tasks[i];

        for (size_t k = 0; k < o->input_count; k++)
            if (o->inputs[k].present && (leat__task_queued(o->task, (int)k) ||
                                            leat__task_position(o->task, (int)k) <
                                                rig_offset(r->world, o->inputs[k].topic,
                                                    o->ref.partition, LEAT__HIGH_WATERMARK)))
                return false;
    }
    return true;
}

void rig_settle(rig_t *r)
{
    if (!rig_until(r, all_committed, 20000))
        fail_msg("the input is not processed and committed after 20000 steps (commit state %d, "
                 "failed %d: %s)",
            (int)r->thread->commit.state, r->failed, r->failure.text);
}

static bool is_stopped(rig_t *r)
{
    return r->stopped > 0;
}

void rig_stop(rig_t *r)
{
    rig_say(r, leat__message_new(LEAT__SAY_STOP));
    if (!rig_until(r, is_stopped, 20000))
        fail_msg("the thread does not stop (commit state %d)", (int)r->thread->commit.state);
    free_process(r);
}

leat__owned_t *rig_task(rig_t *r, const char *id)
{
    for (size_t i = 0; i < r->thread->task_count; i++)
        if (!strcmp(r->thread->tasks[i]->id, id))
            return r->thread->tasks[i];
    return NULL;
}

int64_t rig_count(rig_t *r, const char *task, const char *key)
{
    leat__owned_t *o = rig_task(r, task);
    leat_slice_t value;

    if (!o || !o->task ||
        !leat__store_get(leat__task_store(o->task, 0), leat_slice(key), &value, NULL))
        return -1;
    assert_int_equal(value.size, 8);
    return (int64_t)leat__load_be64(value.data);
}

/* ---- a topology ---- */

static void count(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *counts = leat_kv(ctx, "counts");
    const int64_t *before = leat_kv_get(counts, in->key);
    int64_t now = before ? *before + 1 : 1;

    leat_kv_put(counts, in->key, &now);
    leat_emit_value(ctx, &now);
}

void rig_build_copy(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_sink(b, "source", "sink", "out", str, str, NULL);
}

void rig_build_count(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(b, "source", "count", count, &(leat_node_opts_t){.stores = "counts"});
    leat_builder_store(b, "counts", LEAT_TIMESTAMPED_KV, str, number, NULL);
    leat_builder_sink(b, "count", "sink", "out", str, number, NULL);
}
