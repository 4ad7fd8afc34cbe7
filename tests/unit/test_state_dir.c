/*
 * The folder of a process: one process at a time, and always the same one. Goal: whoever cannot have
 * it is told why and what to do; nobody is kept out by a process that is dead. Method: children of the
 * test hold it, and are killed.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/files.h"
#include "runtime/state_dir.h"

static char base[64];

static int set_up(void **state)
{
    (void)state;
    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    snprintf(base, sizeof base, "/tmp/leat-state-dir-XXXXXX");
    return mkdtemp(base) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return leat__remove_tree(base);
}

static int open_in(leat__state_dir_t *d, const char *dir, leat_error_t *err)
{
    leat_config_t *config = leat_config_new();
    int rc;

    leat_config_set(config, "application.id", "app");
    leat_config_set(config, "state.dir", dir);
    memset(err, 0, sizeof *err);
    rc = leat__state_dir_open(d, config, err);
    leat_config_free(config);
    return rc;
}

static const char *in(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/app.leat/%s", base, name);
    return path;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* A process that has the folder, until it is killed. */
static pid_t hold(void)
{
    int ready[2];
    char byte;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        leat__state_dir_t d;
        leat_error_t err;

        if (open_in(&d, base, &err) || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void test_open_makes_the_folder_and_keeps_the_process_id(void **state)
{
    leat__state_dir_t d;
    leat_error_t err;
    char dir[128], id[40];

    (void)state;
    snprintf(dir, sizeof dir, "%s/not/there/yet", base);
    assert_int_equal(open_in(&d, dir, &err), 0);
    assert_int_equal(strlen(d.process_id), 36);
    memcpy(id, d.process_id, sizeof id);
    leat__state_dir_close(&d);
    assert_int_equal(open_in(&d, dir, &err), 0);
    assert_string_equal(d.process_id, id);
    assert_int_equal(leat__state_dir_clean(&d, &err), 0);
    leat__state_dir_close(&d);
    assert_int_equal(open_in(&d, dir, &err), 0);
    assert_string_equal(d.process_id, id); /* who it is outlives what it knew */
    leat__state_dir_close(&d);
}

static void test_open_beside_another_process_names_it(void **state)
{
    leat__state_dir_t d;
    leat_error_t err;
    pid_t child = hold();
    char pid[32];

    (void)state;
    snprintf(pid, sizeof pid, "pid %ld", (long)child);
    assert_int_equal(open_in(&d, base, &err), LEAT_ELOCKED);
    assert_true(err.flags & LEAT_FATAL);
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, "app.leat"));
    assert_non_null(strstr(err.text, "state.dir"));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    /* the file and its pid are still there; the lock died with the process */
    assert_int_equal(access(in(".lock"), F_OK), 0);
    assert_int_equal(open_in(&d, base, &err), 0);
    leat__state_dir_close(&d);
}

static void test_open_where_nothing_can_be_written_says_so(void **state)
{
    leat__state_dir_t d;
    leat_error_t err;
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/file", base);
    write_file(path, "");
    assert_int_equal(open_in(&d, path, &err), LEAT_EIO);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, strerror(ENOTDIR)));
    assert_non_null(strstr(err.text, "state.dir"));
    if (geteuid() == 0)
        return; /* root writes everywhere */
    snprintf(path, sizeof path, "%s/read-only", base);
    assert_int_equal(mkdir(path, 0555), 0);
    assert_int_equal(open_in(&d, path, &err), LEAT_EIO);
    assert_non_null(strstr(err.text, "state.dir"));
}

static void test_open_a_lock_that_cannot_be_opened_says_so(void **state)
{
    leat__state_dir_t d;
    leat_error_t err;

    (void)state;
    assert_int_equal(open_in(&d, base, &err), 0);
    leat__state_dir_close(&d);
    assert_int_equal(unlink(in(".lock")), 0);
    assert_int_equal(mkdir(in(".lock"), 0777), 0);
    assert_int_equal(open_in(&d, base, &err), LEAT_EIO);
    assert_non_null(strstr(err.text, ".lock"));
}

static void test_open_with_a_broken_process_id_makes_a_new_one(void **state)
{
    static const char *const broken[] = {
        "", "\n", "too short\n", "0123456789abcdef0123456789abcdef012Z\n"};
    leat__state_dir_t d;
    leat_error_t err;

    (void)state;
    assert_int_equal(open_in(&d, base, &err), 0);
    leat__state_dir_close(&d);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char id[40];

        write_file(in("process.id"), broken[i]);
        assert_int_equal(open_in(&d, base, &err), 0);
        assert_int_equal(strlen(d.process_id), 36);
        memcpy(id, d.process_id, sizeof id);
        leat__state_dir_close(&d);
        assert_int_equal(open_in(&d, base, &err), 0);
        assert_string_equal(d.process_id, id);
        leat__state_dir_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_open_makes_the_folder_and_keeps_the_process_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_open_beside_another_process_names_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_open_where_nothing_can_be_written_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_open_a_lock_that_cannot_be_opened_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_open_with_a_broken_process_id_makes_a_new_one, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
