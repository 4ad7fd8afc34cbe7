/* runtime/control_ask.c: which thread of this process has a task, for those who ask about its state. */
#include "asks.h"
#include "control_inside.h"

#include "base/mem.h"

/* The owner's seat, else a standby's; -1: none. Under seats_lock. */
static int seat_of(leat__control_t *c, leat__task_ref_t ref, bool stale)
{
    leat__task_view_t *tasks = NULL;
    size_t room = 0;
    int found = -1;
    bool owner = false;

    for (int i = 0; i < c->seat_count && !owner; i++) {
        size_t count = leat__thread_tasks(c->seats[i].thread, &tasks, &room);

        for (size_t k = 0; k < count && !owner; k++) {
            if (leat__task_ref_compare(&tasks[k].ref, &ref) != 0 || (tasks[k].standby && !stale))
                continue;
            owner = !tasks[k].standby;
            found = i;
        }
    }
    leat__free(tasks);
    return found;
}

bool leat__control_has(leat__control_t *c, leat__task_ref_t ref, bool stale)
{
    pthread_mutex_lock(&c->seats_lock);
    bool here = seat_of(c, ref, stale) >= 0;
    pthread_mutex_unlock(&c->seats_lock);
    return here;
}

bool leat__control_ask(leat__control_t *c, leat__task_ref_t ref, leat__question_t *r)
{
    pthread_mutex_lock(&c->seats_lock);
    int seat = seat_of(c, ref, true);
    if (seat >= 0)
        leat__mailbox_post(
            leat__thread_mail(c->seats[seat].thread), leat__question_message(r));
    pthread_mutex_unlock(&c->seats_lock);
    return seat >= 0;
}
