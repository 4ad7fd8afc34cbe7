/*
 * runtime/mailbox.c: messages between the control thread and the stream threads, and the boxes
 * they wait in.
 *
 * A message is one heap block with its lists; who posts gives it away, who takes frees it. Order
 * is kept per box. The box is bounded by its users' protocol, not by refusing: each side sends at
 * most a few messages per task and question, and a message that could be refused would need a
 * second protocol for that. The waker runs outside the lock, so that it may take locks of its own.
 */
#include "asks.h"

#include <errno.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"

leat__message_t *leat__message_new(leat__say_t say)
{
    leat__message_t *m = leat__must_alloc(sizeof *m);

    m->say = say;
    m->from = -1;
    return m;
}

void leat__message_free(leat__message_t *m)
{
    if (!m)
        return;
    leat__membership_unref(m->membership);
    leat__free(m->tasks);
    leat__positions_free(m->positions, m->position_count);
    leat__op_free(m->op);
    if (m->question) {
        leat__error(&m->question->err, LEAT_EMOVED, LEAT_RETRIABLE, "query",
            "task %d_%d: its thread has ended", (int)m->question->ref.group,
            (int)m->question->ref.partition);
        leat__question_answer(m->question);
    }
    leat__free(m);
}

void leat__mailbox_init(leat__mailbox_t *m)
{

    *m = (leat__mailbox_t){0};
    pthread_mutex_init(&m->lock, NULL);
    leat__cond_init(&m->more);
    m->last = &m->first;
}

void leat__mailbox_release(leat__mailbox_t *m)
{
    while (m->first) {
        leat__message_t *next = m->first->next;

        leat__message_free(m->first);
        m->first = next;
    }
    m->last = &m->first;
    m->count = 0;
    pthread_cond_destroy(&m->more);
    pthread_mutex_destroy(&m->lock);
}

void leat__mailbox_post(leat__mailbox_t *m, leat__message_t *message)
{
    void (*wake)(void *);
    void *wake_user;

    message->next = NULL;
    pthread_mutex_lock(&m->lock);
    *m->last = message;
    m->last = &message->next;
    m->count++;
    wake = m->wake;
    wake_user = m->wake_user;
    pthread_cond_signal(&m->more);
    pthread_mutex_unlock(&m->lock);
    if (wake)
        wake(wake_user);
}

static void wait_locked(leat__mailbox_t *m, int64_t wait_ms)
{
    struct timespec until;

    if (m->first || wait_ms <= 0)
        return;
    until = leat__deadline(wait_ms);
    while (!m->first && pthread_cond_timedwait(&m->more, &m->lock, &until) != ETIMEDOUT)
        continue;
}

void leat__mailbox_wait(leat__mailbox_t *m, int64_t wait_ms)
{
    pthread_mutex_lock(&m->lock);
    wait_locked(m, wait_ms);
    pthread_mutex_unlock(&m->lock);
}

leat__message_t *leat__mailbox_take(leat__mailbox_t *m, int64_t wait_ms)
{
    leat__message_t *message;

    pthread_mutex_lock(&m->lock);
    wait_locked(m, wait_ms);
    message = m->first;
    if (message) {
        m->first = message->next;
        if (!m->first)
            m->last = &m->first;
        m->count--;
        message->next = NULL;
    }
    pthread_mutex_unlock(&m->lock);
    return message;
}
