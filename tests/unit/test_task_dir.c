/*
 * The folder of a task, and what becomes of folders that nobody uses. Goal: what is held is never
 * deleted, what is told of it is what was written. Method: a folder of the test's own, file times set
 * back by hand.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/state_dir.h"
#include "runtime/worker.h"

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    snprintf(dir, sizeof dir, "/tmp/leat-task-dir-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return leat__remove_tree(dir);
}

static const char *in(const char *name)
{
    static char room[4][256];
    static int turn;
    char *path = room[turn++ % 4];

    snprintf(path, 256, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in(name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static bool exists(const char *name)
{
    return access(in(name), F_OK) == 0;
}

/* Last used so long ago. */
static void age(const char *task, time_t seconds)
{
    struct timespec then = {.tv_sec = time(NULL) - seconds}, times[2] = {then, then};
    char name[64];

    snprintf(name, sizeof name, "%s/.lock", task);
    assert_int_equal(utimensat(AT_FDCWD, in(name), times, 0), 0);
}

static int64_t ago_ms(time_t seconds)
{
    return (int64_t)(time(NULL) - seconds) * 1000;
}

static void make(const char *task, int64_t offset)
{
    leat__task_offset_t offsets[] = {{"app-a-changelog", offset}, {"app-b-changelog", 1}};
    int lock;

    assert_int_equal(leat__task_dir_lock(in(task), &lock, NULL), 0);
    leat__task_dir_note(in(task), offsets, 2);
    leat__task_dir_unlock(&lock);
    assert_int_equal(lock, -1);
}

static void test_lock_is_not_shared_even_within_a_process(void **state)
{
    leat_error_t err;
    int one, two;

    (void)state;
    assert_int_equal(leat__task_dir_lock(in("0_0"), &one, &err), 0);
    assert_int_equal(leat__task_dir_lock(in("0_0"), &two, &err), LEAT_ELOCKED);
    assert_int_equal(two, -1);
    assert_true(err.flags & LEAT_RETRIABLE);
    assert_non_null(strstr(err.where, "0_0"));
    leat__task_dir_unlock(&one);
    assert_int_equal(leat__task_dir_lock(in("0_0"), &two, &err), 0);
    leat__task_dir_unlock(&two);
}

static void test_lock_in_a_place_that_is_no_folder_says_so(void **state)
{
    leat_error_t err;
    int lock;

    (void)state;
    write_file("0_0", "");
    assert_int_equal(leat__task_dir_lock(in("0_0"), &lock, &err), LEAT_EIO);
    assert_false(err.flags & LEAT_RETRIABLE);
    assert_non_null(strstr(err.text, "state.dir"));
    assert_int_equal(lock, -1);
}

static void test_tasks_are_told_with_the_sum_of_their_offsets(void **state)
{
    leat__local_task_t *tasks;
    size_t count;

    (void)state;
    make("0_0", 10);
    make("12_345", 20);
    assert_int_equal(mkdir(in("0_1"), 0777), 0); /* nothing known of it */
    assert_int_equal(mkdir(in("global"), 0777), 0);
    write_file("process.id", "x\n");
    count = leat__state_dir_tasks(dir, &tasks);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        bool first = tasks[i].group == 0;

        assert_int_equal(tasks[i].group, first ? 0 : 12);
        assert_int_equal(tasks[i].partition, first ? 0 : 345);
        assert_int_equal(tasks[i].offset_sum, first ? 11 : 21);
    }
    leat__free(tasks);
    leat__task_dir_note(in("0_0"), NULL, 0);
    leat__task_dir_note(in("12_345"), NULL, 0);
    assert_int_equal(leat__state_dir_tasks(dir, &tasks), 0);
    assert_null(tasks);
    assert_int_equal(leat__state_dir_tasks(in("no-such"), &tasks), 0);
}

static void test_tasks_broken_files_are_no_reason_to_fail(void **state)
{
    static const char *const texts[] = {
        "", "2\nx 5\n", "1", "1\nx\ny -5\nz 99999999999999999999\nw 4"};
    leat__local_task_t *tasks;

    (void)state;
    make("0_0", 1);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file("0_0/offsets", texts[i]);
        assert_int_equal(leat__state_dir_tasks(dir, &tasks), i == 3);
        leat__free(tasks);
    }
    assert_int_equal(unlink(in("0_0/offsets")), 0);
    assert_int_equal(mkdir(in("0_0/offsets"), 0777), 0);
    assert_int_equal(leat__state_dir_tasks(dir, &tasks), 0);
}

static void test_expire_deletes_what_nobody_used_for_long(void **state)
{
    (void)state;
    make("0_0", 1);
    make("0_1", 1);
    write_file("0_0/rocksdb", "rows");
    assert_int_equal(mkdir(in("global"), 0777), 0);
    assert_int_equal(mkdir(in("0_7.deleted"), 0777), 0); /* of a crash */
    age("0_0", 100);
    age("0_1", 50);
    assert_int_equal(leat__state_dir_expire(dir, ago_ms(75)), 1);
    assert_false(exists("0_0"));
    assert_true(exists("0_1"));
    assert_true(exists("global"));
    assert_false(exists("0_7.deleted"));
}

static void test_expire_spares_what_is_held_and_what_it_meets_first(void **state)
{
    int lock;

    (void)state;
    make("0_0", 1);
    assert_int_equal(leat__task_dir_lock(in("0_0"), &lock, NULL), 0);
    age("0_0", 100);
    assert_int_equal(leat__state_dir_expire(dir, ago_ms(50)), 0);
    assert_true(exists("0_0/offsets"));
    leat__task_dir_unlock(&lock); /* is the last use */
    assert_int_equal(leat__state_dir_expire(dir, ago_ms(50)), 0);
    assert_int_equal(mkdir(in("0_1"), 0777), 0); /* of unknown age: from now on */
    assert_int_equal(leat__state_dir_expire(dir, ago_ms(50)), 0);
    assert_true(exists("0_1"));
    assert_int_equal(leat__state_dir_expire(dir, ago_ms(-50)), 2);
}

static void test_expire_deletes_what_was_set_aside_long_ago(void **state)
{
    char old[64], young[64];
    int lock;

    (void)state;
    make("0_0", 1);
    snprintf(old, sizeof old, "0_0/rocksdb.bad-%lld", (long long)ago_ms(100));
    snprintf(young, sizeof young, "0_0/rocksdb.bad-%lld", (long long)ago_ms(10));
    assert_int_equal(mkdir(in(old), 0777), 0);
    assert_int_equal(mkdir(in(young), 0777), 0);
    assert_int_equal(mkdir(in("0_0/rocksdb"), 0777), 0);
    assert_int_equal(leat__task_dir_lock(in("0_0"), &lock, NULL), 0); /* held or not */
    assert_int_equal(leat__state_dir_expire(dir, ago_ms(50)), 0);
    assert_false(exists(old));
    assert_true(exists(young));
    assert_true(exists("0_0/rocksdb"));
    leat__task_dir_unlock(&lock);
}

/* The background writer does it, between its jobs. */
static void test_cleaner_deletes_in_the_background(void **state)
{
    struct leat__checkpointer_t *c = leat__checkpointer_start();
    int lock;

    (void)state;
    make("0_0", 1);
    make("0_1", 1);
    age("0_0", 100);
    assert_int_equal(leat__task_dir_lock(in("0_1"), &lock, NULL), 0);
    age("0_1", 100);
    leat__checkpointer_clean(c, dir, 0);
    for (int i = 0; i < 500 && exists("0_0"); i++)
        usleep(10000);
    assert_false(exists("0_0"));
    leat__checkpointer_stop(c);
    assert_true(exists("0_1"));
    leat__task_dir_unlock(&lock);
}

static void test_cleaner_waits_for_its_delay_from_its_start(void **state)
{
    struct leat__checkpointer_t *c = leat__checkpointer_start();

    (void)state;
    make("0_0", 1);
    age("0_0", 100000); /* the process was down for so long */
    leat__checkpointer_clean(c, dir, 60000);
    usleep(50000);
    leat__checkpointer_stop(c);
    assert_true(exists("0_0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_lock_is_not_shared_even_within_a_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_lock_in_a_place_that_is_no_folder_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_tasks_are_told_with_the_sum_of_their_offsets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_tasks_broken_files_are_no_reason_to_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_expire_deletes_what_nobody_used_for_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_expire_spares_what_is_held_and_what_it_meets_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_expire_deletes_what_was_set_aside_long_ago, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cleaner_deletes_in_the_background, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_cleaner_waits_for_its_delay_from_its_start, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
