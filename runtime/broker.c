/*
 * runtime/broker.c: the part of the broker seam that both implementations share: operations,
 * memberships, positions.
 *
 * An operation is counted twice: by the caller, who looks at it and frees it, and by the worker,
 * who completes it. Whoever lets go last gives the memory back, so a caller may drop a pending
 * operation and a worker may complete one that nobody waits for any more. Completion happens once:
 * results are written before, `done` is set under the operation's lock, and a waiter that sees
 * `done` sees the results.
 *
 * Waiting is in real time even where the log's clock is a manual one: a simulator polls
 * leat__op_done instead.
 */
#include "runtime/broker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"

typedef struct op_lock_t {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} op_lock_t;

leat__op_t *leat__op_new(void)
{
    leat__op_t *op = leat__must_alloc(sizeof *op);
    op_lock_t *lock = leat__must_alloc(sizeof *lock);

    pthread_mutex_init(&lock->mutex, NULL);
    leat__cond_init(&lock->changed);
    op->private_lock = lock;
    atomic_init(&op->done, 0);
    atomic_init(&op->refs, 2);
    return op;
}

static void topics_free(leat__topic_t *topics, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t s = 0; s < topics[i].setting_count; s++) {
            leat__free((void *)(uintptr_t)topics[i].settings[s].key);
            leat__free((void *)(uintptr_t)topics[i].settings[s].value);
        }
        leat__free(topics[i].settings);
        leat__free(topics[i].name);
        leat__free(topics[i].error);
    }
    leat__free(topics);
}

static void members_free(leat__group_member_t *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        leat__free(members[i].member_id);
        leat__free(members[i].instance_id);
        leat__free(members[i].client_id);
        leat__free(members[i].host);
    }
    leat__free(members);
}

static void op_unref(leat__op_t *op)
{
    op_lock_t *lock = op->private_lock;

    if (atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1)
        return;
    leat__positions_free(op->positions, op->position_count);
    topics_free(op->topics, op->topic_count);
    members_free(op->members, op->member_count);
    pthread_cond_destroy(&lock->changed);
    pthread_mutex_destroy(&lock->mutex);
    leat__free(lock);
    leat__free(op);
}

bool leat__op_done(const leat__op_t *op)
{
    return atomic_load_explicit(&op->done, memory_order_acquire) != 0;
}

bool leat__op_wait(leat__op_t *op, int64_t timeout_ms)
{
    op_lock_t *lock = op->private_lock;
    struct timespec until;
    int rc = 0;

    if (leat__op_done(op) || timeout_ms <= 0)
        return leat__op_done(op);
    until = leat__deadline(timeout_ms);
    pthread_mutex_lock(&lock->mutex);
    while (!leat__op_done(op) && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&lock->changed, &lock->mutex, &until);
    pthread_mutex_unlock(&lock->mutex);
    return leat__op_done(op);
}

void leat__op_free(leat__op_t *op)
{
    if (op)
        op_unref(op);
}

void leat__op_complete(leat__op_t *op)
{
    op_lock_t *lock = op->private_lock;

    LEAT_ASSERT(!leat__op_done(op));
    pthread_mutex_lock(&lock->mutex);
    atomic_store_explicit(&op->done, 1, memory_order_release);
    pthread_cond_broadcast(&lock->changed);
    pthread_mutex_unlock(&lock->mutex);
    op_unref(op);
}

/* ---- positions ---- */

leat__position_t *leat__positions_copy(const leat__position_t *p, size_t count)
{
    leat__position_t *copy = leat__must_alloc((count ? count : 1) * sizeof *copy);

    for (size_t i = 0; i < count; i++) {
        copy[i] = p[i];
        copy[i].topic = leat__must_strdup(p[i].topic);
        copy[i].metadata = p[i].metadata ? leat__must_strdup(p[i].metadata) : NULL;
    }
    return copy;
}

void leat__positions_free(leat__position_t *p, size_t count)
{
    if (!p)
        return;
    for (size_t i = 0; i < count; i++) {
        leat__free(p[i].topic);
        leat__free(p[i].metadata);
    }
    leat__free(p);
}

/* ---- memberships ---- */

struct leat__membership_t {
    _Atomic int refs;
    int32_t generation;
    char *member_id, *instance_id;
    void *native;
    void (*native_free)(void *);
};

leat__membership_t *leat__membership_new(int32_t generation, const char *member_id,
    const char *instance_id, void *native, void (*native_free)(void *))
{
    leat__membership_t *m = leat__must_alloc(sizeof *m);

    atomic_init(&m->refs, 1);
    m->generation = generation;
    m->member_id = leat__must_strdup(member_id ? member_id : "");
    m->instance_id = instance_id ? leat__must_strdup(instance_id) : NULL;
    m->native = native;
    m->native_free = native_free;
    return m;
}

leat__membership_t *leat__membership_ref(leat__membership_t *m)
{
    if (m)
        atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void leat__membership_unref(leat__membership_t *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (m->native_free)
        m->native_free(m->native);
    leat__free(m->member_id);
    leat__free(m->instance_id);
    leat__free(m);
}

int32_t leat__membership_generation(const leat__membership_t *m)
{
    return m->generation;
}

const char *leat__membership_member_id(const leat__membership_t *m)
{
    return m->member_id;
}

const char *leat__membership_instance_id(const leat__membership_t *m)
{
    return m->instance_id;
}

void *leat__membership_native(const leat__membership_t *m)
{
    return m->native;
}
