/*
 * Mailboxes and the background writer: order, waiting, waking, nothing lost between threads.
 * Method: real threads; the checkpointer writes the frozen state of a real task state.
 */
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/mem.h"
#include "runtime/worker.h"

static leat__message_t *numbered(int64_t number)
{
    leat__message_t *m = leat__message_new(LEAT__SAY_BARRIER);

    m->number = number;
    return m;
}

static void test_mailbox_keeps_the_order(void **state)
{
    leat__mailbox_t box;

    (void)state;
    leat__mailbox_init(&box);
    for (int64_t i = 0; i < 100; i++)
        leat__mailbox_post(&box, numbered(i));
    assert_int_equal(box.count, 100);
    for (int64_t i = 0; i < 100; i++) {
        leat__message_t *m = leat__mailbox_take(&box, 0);

        assert_non_null(m);
        assert_int_equal(m->number, i);
        leat__message_free(m);
    }
    assert_null(leat__mailbox_take(&box, 0));
    leat__mailbox_release(&box);
}

static void test_mailbox_empty_waits_only_so_long(void **state)
{
    leat__mailbox_t box;
    int64_t before = leat__clock_steady_ms(NULL), took;

    (void)state;
    leat__mailbox_init(&box);
    assert_null(leat__mailbox_take(&box, 60));
    took = leat__clock_steady_ms(NULL) - before;
    assert_true(took >= 50 && took < 2000);
    leat__mailbox_release(&box);
}

static void test_mailbox_release_frees_what_was_not_read(void **state)
{
    leat__mailbox_t box;
    leat__message_t *m = leat__message_new(LEAT__SAY_COMMIT);

    (void)state;
    leat__mailbox_init(&box);
    m->membership = leat__membership_new(3, "member", NULL, NULL, NULL);
    m->tasks = leat__must_alloc(sizeof *m->tasks);
    m->positions = leat__must_alloc(sizeof *m->positions);
    m->positions[0].topic = leat__must_strdup("in");
    m->position_count = 1;
    leat__mailbox_post(&box, m); /* LeakSanitizer is the judge */
    leat__mailbox_release(&box);
}

enum { SENDERS = 4, EACH = 5000 };

static leat__mailbox_t shared;

static void *send_many(void *user)
{
    for (int64_t i = 0; i < EACH; i++) {
        leat__message_t *m = numbered(i);

        m->from = *(int *)user;
        leat__mailbox_post(&shared, m);
    }
    return NULL;
}

static void count_wake(void *user)
{
    atomic_fetch_add((_Atomic int *)user, 1);
}

static void test_mailbox_of_many_senders_loses_nothing(void **state)
{
    pthread_t threads[SENDERS];
    int names[SENDERS];
    int64_t next[SENDERS] = {0};
    _Atomic int woken = 0;

    (void)state;
    leat__mailbox_init(&shared);
    shared.wake = count_wake;
    shared.wake_user = &woken;
    for (int i = 0; i < SENDERS; i++) {
        names[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &names[i]), 0);
    }
    for (int i = 0; i < SENDERS * EACH; i++) {
        leat__message_t *m = leat__mailbox_take(&shared, 10000);

        assert_non_null(m);
        assert_int_equal(m->number, next[m->from]++); /* each sender's own order */
        leat__message_free(m);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&woken), SENDERS * EACH);
    leat__mailbox_release(&shared);
}

/* ---- the background writer ---- */

static void pause_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000L};

    nanosleep(&t, NULL);
}

static void test_checkpointer_writes_what_is_submitted(void **state)
{
    struct leat__checkpointer_t *c = leat__checkpointer_start();
    leat__budget_t budget = {0};
    leat__task_state_opts_t opts = {.budget = &budget, .wall_ms = 1000};
    leat__store_def_t def = {
        .name = "s", .kind = LEAT_KV, .backend = leat_backend_rocksdb(), .logged = true};
    leat__task_state_t *task;
    leat__store_t *store;
    leat__frozen_t *frozen;
    leat_error_t err;
    _Atomic int result = 0;
    char dir[] = "/tmp/leat-checkpointer-XXXXXX", command[100];
    leat_slice_t value = leat_slice("value");

    (void)state;
    assert_non_null(c);
    assert_non_null(mkdtemp(dir));
    opts.dir = dir;
    assert_int_equal(leat__task_state_open(&task, &opts, &err), 0);
    store = leat__store_open(task, &def, &err);
    assert_non_null(store);
    leat__task_state_opened(task);
    leat__store_put(store, leat_slice("key"), &value, 1, NULL);
    leat__store_flush(store);
    leat__store_committed(store, 42);
    frozen = leat__checkpoint_begin(task, 2000);
    assert_non_null(frozen);
    leat__checkpointer_submit(c, frozen, &result);
    for (int i = 0; i < 5000 && !atomic_load(&result); i++)
        pause_ms(1);
    assert_int_equal(atomic_load(&result), 1);
    leat__checkpoint_end(frozen, true);
    leat__task_state_close(task);
    leat__checkpointer_stop(c);

    assert_int_equal(leat__task_state_open(&task, &opts, &err), 0);
    store = leat__store_open(task, &def, &err);
    assert_int_equal(leat__store_meta(store).changelog_next, 42);
    assert_true(leat__store_get(store, leat_slice("key"), &value, NULL));
    assert_true(leat_slice_is(&value, "value"));
    leat__task_state_close(task);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

static void test_checkpointer_stops_with_nothing_to_do(void **state)
{
    (void)state;
    leat__checkpointer_stop(leat__checkpointer_start());
    leat__checkpointer_stop(NULL);
}

static void test_transactional_ids_tell_process_thread_and_writer(void **state)
{
    char room[64];

    (void)state;
    leat__transactional_id(room, sizeof room, "app", "p1", 3, 'b');
    assert_string_equal(room, "app-p1-3-b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailbox_keeps_the_order),
        cmocka_unit_test(test_mailbox_empty_waits_only_so_long),
        cmocka_unit_test(test_mailbox_release_frees_what_was_not_read),
        cmocka_unit_test(test_mailbox_of_many_senders_loses_nothing),
        cmocka_unit_test(test_checkpointer_writes_what_is_submitted),
        cmocka_unit_test(test_checkpointer_stops_with_nothing_to_do),
        cmocka_unit_test(test_transactional_ids_tell_process_thread_and_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
