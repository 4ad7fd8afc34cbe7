/*
 * runtime/embedded/faults.c: the switches of faults.h. Each takes the lock, sets, and lets go what
 * may go on now.
 */
#include "runtime/embedded/faults.h"

#include <string.h>

#include "base/mem.h"
#include "runtime/embedded/internal.h"

static void wake_readers(leat__log_t *log)
{
    const char *name;
    void *value;

    for (size_t at = 0; leat__map_next(&log->topics, &at, &name, &value);) {
        leat__etopic_t *t = value;

        for (int32_t i = 0; i < t->part_count; i++)
            for (leat__slot_t *s = t->parts[i]->slots; s; s = s->next) {
                s->told_ready = false;
                leat__reader_signal(s->reader);
            }
    }
}

void leat__fault_down(leat__log_t *log, leat__broker_t *client, bool down)
{
    leat__log_enter(log);
    if (client)
        leat__client_of(client)->cut = down;
    else
        log->faults.down = down;
    if (!down)
        wake_readers(log);
    leat__requests_run(log);
    leat__log_leave(log);
}

void leat__fault_hold(leat__log_t *log, leat__fault_call_t call, leat__fault_when_t when)
{
    leat__log_enter(log);
    log->faults.hold[call] = when;
    leat__requests_run(log);
    leat__log_leave(log);
}

void leat__fault_lose(leat__log_t *log, leat__fault_call_t call, unsigned times, bool effect)
{
    leat__log_enter(log);
    log->faults.lose[call] = times;
    log->faults.lose_effect[call] = effect;
    leat__log_leave(log);
}

/* ---- markers ---- */

static bool same_place(const struct leat__fault_marker_t *m, const char *topic, int32_t partition)
{
    return strcmp(m->topic, topic) == 0 && m->partition == partition;
}

bool leat__marker_delayed(const leat__log_t *log, const char *topic, int32_t partition)
{
    if (log->faults.delay_all)
        return true;
    for (size_t i = 0; i < log->faults.delay_count; i++)
        if (same_place(&log->faults.delays[i], topic, partition))
            return true;
    return false;
}

static void remove_delay(struct leat__faults_t *f, const char *topic, int32_t partition)
{
    for (size_t i = f->delay_count; i-- > 0;)
        if (same_place(&f->delays[i], topic, partition)) {
            leat__free(f->delays[i].topic);
            f->delays[i] = f->delays[--f->delay_count];
        }
}

void leat__fault_delay_markers(leat__log_t *log, const char *topic, int32_t partition, bool delay)
{
    struct leat__faults_t *f = &log->faults;

    leat__log_enter(log);
    if (!topic) {
        f->delay_all = delay;
    } else {
        remove_delay(f, topic, partition);
        if (delay) {
            LEAT__GROW(f->delays, f->delay_count, f->delay_room);
            f->delays[f->delay_count++] =
                (struct leat__fault_marker_t){leat__must_strdup(topic), partition};
        }
    }
    leat__txn_write_all_markers(log);
    leat__log_leave(log);
}

void leat__fault_time_out(leat__log_t *log, const char *transactional_id)
{
    leat__txn_t *t;

    leat__log_enter(log);
    t = leat__map_get(&log->txns, transactional_id);
    if (t && t->state == TXN_ONGOING) {
        t->until_ms = leat__log_now(log);
        leat__log_do_tick(log);
    }
    leat__log_leave(log);
}

/* ---- groups ---- */

void leat__fault_no_offsets(leat__log_t *log, const char *group, unsigned times)
{
    leat__log_enter(log);
    leat__map_put(&log->faults.no_offsets, group, (void *)(uintptr_t)times);
    leat__log_leave(log);
}

static bool meant(const leat__gmember_t *gm, const char *member_id)
{
    return !member_id || strcmp(gm->id, member_id) == 0;
}

void leat__fault_keep_session(leat__log_t *log, const char *group, const char *member_id, bool keep)
{
    leat__group_t *g;

    leat__log_enter(log);
    g = leat__group_get(log, group);
    for (size_t i = 0; i < g->count; i++)
        if (meant(g->members[i], member_id))
            g->members[i]->kept = keep;
    leat__log_leave(log);
}

void leat__fault_end_session(leat__log_t *log, const char *group, const char *member_id)
{
    leat__group_t *g;

    leat__log_enter(log);
    g = leat__group_get(log, group);
    for (size_t i = g->count; i-- > 0;)
        if (i < g->count && meant(g->members[i], member_id))
            leat__group_remove(g, g->members[i]);
    leat__log_leave(log);
}

void leat__fault_expire_offsets(leat__log_t *log, const char *group)
{
    leat__log_enter(log);
    leat__offsets_forget(leat__group_get(log, group));
    leat__log_leave(log);
}

leat__membership_t *leat__fault_membership(
    leat__log_t *log, const char *group, int32_t generation, const char *member_id)
{
    leat__membership_t *m;

    leat__log_enter(log);
    m = leat__group_membership(leat__group_get(log, group), generation, member_id, NULL);
    leat__log_leave(log);
    return m;
}

/* ---- topics, time ---- */

static leat__topic_t settings_of(const leat__etopic_t *t)
{
    leat__topic_t copy = {.name = leat__must_strdup(t->name), .partitions = t->part_count};
    const char *key;
    void *value;

    copy.settings = leat__must_alloc((t->settings.count + 1) * sizeof *copy.settings);
    for (size_t at = 0; leat__map_next(&t->settings, &at, &key, &value);)
        copy.settings[copy.setting_count++] =
            (leat__setting_t){leat__must_strdup(key), leat__must_strdup(value)};
    return copy;
}

bool leat__fault_recreate_topic(leat__log_t *log, const char *topic)
{
    leat__etopic_t *t;

    leat__log_enter(log);
    t = leat__topic_find(log, topic);
    if (t) {
        leat__topic_t *same = leat__must_alloc(sizeof *same);

        *same = settings_of(t);
        leat__topic_delete(log, t);
        leat__topic_create(log, same, 0, NULL);
        leat__topics_free(same, 1);
    }
    leat__log_leave(log);
    return t != NULL;
}

void leat__log_tick(leat__log_t *log)
{
    leat__log_enter(log);
    leat__log_do_tick(log);
    leat__log_leave(log);
}

void leat__log_compact(leat__log_t *log, const char *topic, int32_t partition)
{
    leat__part_t *p;

    leat__log_enter(log);
    p = leat__part_find(log, topic, partition);
    if (p && p->topic->compact && p->seg_count) {
        if (p->segs[p->seg_count - 1]->end <= p->stable)
            p->segs[p->seg_count - 1]->sealed = true;
        leat__clean_part(p);
    }
    leat__log_leave(log);
}

void leat__log_keep_in_memory(leat__log_t *log, size_t bytes)
{
    leat__log_enter(log);
    if (log->disk) {
        log->disk->resident_max = bytes;
        leat__disk_evict(log);
    }
    leat__log_leave(log);
}

size_t leat__log_memory(leat__log_t *log, const char *topic, int32_t partition)
{
    leat__part_t *p;
    size_t bytes;

    leat__log_enter(log);
    p = leat__part_find(log, topic, partition);
    bytes = p ? p->memory_bytes : 0;
    leat__log_leave(log);
    return bytes;
}
