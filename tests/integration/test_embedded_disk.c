/*
 * tests/integration/test_embedded_disk.c: embedded:DIR: what a process leaves behind, the next one
 * finds: after a clean stop, after kill -9 at any instant, after a torn end; one process at a time;
 * a full disk stops it and nothing more.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtime/embedded/faults.h"
#include "seam_kit.h"

#define VT (seam_b->vt)

static leat__log_t *the_log;
static char dir[64];

static const struct seam_fixture fixture = {.name = "embedded",
    .patience_ms = 5000,
    .session_ms = 10000,
    .heartbeat_ms = 200,
    .max_poll_ms = 60000,
    .transaction_timeout_ms = 60000};

static void open_log(void)
{
    leat_error_t err;

    the_log = leat__log_open(dir, NULL, &err);
    if (!the_log)
        fail_msg("%s", err.text);
    seam_b = leat__embedded_client(the_log, NULL);
}

static void close_log(void)
{
    VT->close(seam_b);
    leat__log_unref(the_log);
}

static void reopen(void)
{
    close_log();
    open_log();
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/leat-disk-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    seam = &fixture;
    open_log();
    return 0;
}

static int remove_dir(void **state)
{
    char command[100];

    (void)state;
    close_log();
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void test_records_come_back_as_they_were(void **state)
{
    leat_header_t headers[] = {{"name", {"value", 5}}, {"null", {NULL, 0}}};
    leat__arena_t scratch;
    leat__writer_t *w;
    leat__reader_t *r;
    leat__batch_t batch;
    leat_error_t err;
    const leat_headers_t *h;

    (void)state;
    leat__arena_init(&scratch);
    seam_topic("input", 2, NULL);
    w = seam_writer(NULL);
    assert_int_equal(
        VT->produce(w, seam_out(w, "input"), 1, leat_slice("key"), (leat_slice_t){NULL, 0}, 77,
            leat__headers_new(&scratch, headers, 2), &err),
        0);
    seam_put(w, seam_out(w, "input"), 0, NULL, "");
    seam_must(VT->writer_flush(w));
    seam_close_writer(w);
    reopen();
    r = seam_reader(true);
    assert_true(VT->reader_take(r, seam_add(r, "input", 1, 0), 10, &batch));
    assert_int_equal(batch.count, 1);
    assert_true(leat_slice_is(&batch.records[0].key, "key"));
    assert_null(batch.records[0].value.data);
    assert_int_equal(batch.records[0].time_ms, 77);
    h = VT->reader_headers(r, &batch.records[0], &scratch);
    assert_int_equal(leat_headers_count(h), 2);
    assert_true(leat_slice_is(leat_headers_get(h, "name"), "value"));
    assert_null(leat_headers_at(h, 1)->value.data);
    VT->reader_release(r, &batch);
    assert_true(VT->reader_take(r, seam_add(r, "input", 0, 0), 10, &batch));
    assert_null(batch.records[0].key.data);
    assert_non_null(batch.records[0].value.data);
    VT->reader_release(r, &batch);
    VT->reader_close(r);
    w = seam_writer(NULL); /* and it goes on behind them */
    seam_put(w, seam_out(w, "input"), 0, "k", "more");
    seam_must(VT->writer_flush(w));
    assert_int_equal(VT->out_delivered(seam_out(w, "input"), 0), 2);
    seam_close_writer(w);
    reopen();
    seam_reads("input", true, "more"); /* the empty one before it does not show */
    leat__arena_release(&scratch);
}

static void test_topics_settings_offsets_and_generations_come_back(void **state)
{
    leat__setting_t setting = {"retention.ms", "-1"};
    leat__topic_t t = {.name = (char *)(uintptr_t) "kept",
        .partitions = 3,
        .replication = -1,
        .settings = &setting,
        .setting_count = 1};
    const char *names[] = {"kept", "gone"};
    leat__position_t p = seam_at("kept", 2, 5), below;
    leat__membership_t *under;
    leat__member_t *m;
    leat__writer_t *w;
    leat__op_t *op;
    int32_t generation;
    bool found = false;

    (void)state;
    seam_must(VT->ensure_topics(seam_b, &t, 1));
    seam_topic("gone", 1, NULL);
    m = seam_join(seam_b, "group", NULL, "kept");
    under = seam_assigned(seam_b, m, NULL);
    generation = leat__membership_generation(under);
    p.metadata = (char *)(uintptr_t) "meta";
    seam_must(VT->member_commit(m, under, &p, 1));
    leat__membership_unref(under);
    seam_must(VT->member_close(m, true));
    w = seam_writer(NULL);
    for (int i = 0; i < 10; i++)
        seam_put(w, seam_out(w, "kept"), 0, "k", "v");
    seam_must(VT->writer_flush(w));
    seam_close_writer(w);
    below = seam_at("kept", 0, 10);
    seam_must(VT->delete_records(seam_b, &below, 1)); /* all of it */
    seam_must(VT->delete_topics(seam_b, &names[1], 1));
    reopen();
    op = seam_done(VT->describe_topics(seam_b, names, 2, true));
    assert_int_equal(op->topics[0].partitions, 3);
    for (size_t i = 0; i < op->topics[0].setting_count; i++)
        found |= strcmp(op->topics[0].settings[i].key, "retention.ms") == 0 &&
                 strcmp(op->topics[0].settings[i].value, "-1") == 0;
    assert_true(found);
    assert_int_equal(op->topics[1].partitions, 0);
    leat__op_free(op);
    op = seam_done(seam_committed_op("group", "kept", 2));
    assert_int_equal(op->positions[0].offset, 5);
    assert_string_equal(op->positions[0].metadata, "meta");
    leat__op_free(op);
    assert_int_equal(seam_offset("kept", 0, LEAT__EARLIEST, 0), 10);
    assert_int_equal(
        seam_offset("kept", 0, LEAT__HIGH_WATERMARK, 0), 10); /* offsets do not start again */
    m = seam_join(seam_b, "group", NULL, "kept");
    under = seam_assigned(seam_b, m, NULL);
    assert_true(leat__membership_generation(under) >
                generation); /* finding 7: never again the same number */
    leat__membership_unref(under);
    seam_must(VT->member_close(m, true));
}

static void test_transactions_end_as_they_were_decided(void **state)
{
    leat__writer_t *w, *open;

    (void)state;
    seam_topic("input", 1, NULL);
    w = seam_writer("decided");
    open = seam_writer("open");
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "k", "a");
    seam_must(VT->writer_commit(w));
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "k", "hidden");
    seam_must(VT->writer_flush(w));
    seam_must(VT->writer_abort(w));
    leat__fault_delay_markers(the_log, NULL, 0, true);
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "k", "b");
    seam_must(VT->writer_commit(w)); /* decided; the process dies before its marker */
    seam_begin(open);
    seam_put(open, seam_out(open, "input"), 0, "k", "open");
    seam_must(VT->writer_flush(open));
    seam_reads("input", true, "a");
    seam_close_writer(w);
    seam_close_writer(open);
    reopen();
    seam_reads("input", true, "a b"); /* decided is decided */
    seam_reads("input", false, "a hidden b open");
    open = seam_writer("open"); /* its next life aborts what it left open */
    assert_int_equal(seam_offset("input", 0, LEAT__STABLE_END, 0),
        seam_offset("input", 0, LEAT__HIGH_WATERMARK, 0));
    seam_reads("input", true, "a b");
    seam_close_writer(open);
    reopen();
    seam_reads("input", true, "a b");
}

static void test_pending_offsets_are_decided_after_a_restart(void **state)
{
    leat__position_t p = seam_at("input", 0, 8);
    leat__membership_t *under;
    leat__writer_t *w;
    leat__op_t *op;

    (void)state;
    seam_topic("input", 1, NULL);
    under = leat__fault_membership(the_log, "group", -1, "");
    w = seam_writer("id");
    seam_begin(w);
    seam_must(VT->writer_send_offsets(w, &p, 1, under));
    seam_close_writer(w);
    reopen();
    op = seam_committed_op("group", "input", 0);
    assert_false(leat__op_wait(op, 200)); /* still open: nobody knows */
    w = seam_writer("id");
    assert_int_equal(seam_done(op)->positions[0].offset, LEAT__OFFSET_NONE);
    leat__op_free(op);
    leat__fault_delay_markers(the_log, "__consumer_offsets", -1, true);
    seam_begin(w);
    seam_must(VT->writer_send_offsets(w, &p, 1, under));
    seam_must(VT->writer_commit(w));
    seam_close_writer(w);
    reopen();
    assert_int_equal(seam_committed("group", "input", 0), 8);
    leat__membership_unref(under);
}

/* ---- killed ---- */

static void put_number(leat__writer_t *w, int64_t number)
{
    char value[200];

    snprintf(value, sizeof value, "%0150lld", (long long)number);
    seam_put(w, seam_out(w, "input"), 0, "k", value);
    seam_put(w, seam_out(w, "input"), 0, "k", value);
    seam_put(w, seam_out(w, "table"), 0, "k", value);
}

/* One transaction after the other: number i twice in "input", once in "table", and offset i. Every
 * seventh is aborted once. */
static void run_until_killed(void)
{
    leat__membership_t *under;
    leat__writer_t *w;
    int64_t last;

    open_log();
    under = leat__fault_membership(the_log, "group", -1, "");
    w = seam_writer("id");
    last = seam_committed("group", "input", 0);
    for (int64_t i = last < 0 ? 1 : last + 1;; i++) {
        leat__position_t p = seam_at("input", 0, i);

        for (bool again = i % 7 == 0;; again = false) {
            seam_begin(w);
            put_number(w, i);
            seam_must(VT->writer_send_offsets(w, &p, 1, under));
            if (!again)
                break;
            seam_must(VT->writer_abort(w));
        }
        seam_must(VT->writer_commit(w));
        if (i % 50 == 0)
            leat__log_compact(the_log, "table", 0);
    }
}

/* Every committed number up to the committed offset exactly twice in "input", in order; the last
 * one in "table". */
static void check_survivors(void)
{
    leat__writer_t *w = seam_writer("id");
    int64_t last = seam_committed("group", "input", 0), count = 0;
    leat__reader_t *r = seam_reader(true);
    leat__batch_t batch;
    int slot = seam_add(r, "input", 0, 0);
    char text[200];

    while (VT->reader_take(r, slot, 1000, &batch)) {
        for (size_t i = 0; i < batch.count; i++, count++) {
            snprintf(text, sizeof text, "%.*s", LEAT_P(&batch.records[i].value));
            assert_int_equal(strtoll(text, NULL, 10), count / 2 + 1);
        }
        VT->reader_release(r, &batch);
    }
    assert_int_equal(count, last > 0 ? last * 2 : 0);
    slot = seam_add(r, "table", 0, 0);
    text[0] = '\0';
    while (VT->reader_take(r, slot, 1000, &batch)) {
        for (size_t i = 0; i < batch.count; i++)
            snprintf(text, sizeof text, "%.*s", LEAT_P(&batch.records[i].value));
        VT->reader_release(r, &batch);
    }
    assert_int_equal(strtoll(text, NULL, 10), last > 0 ? last : 0);
    VT->reader_close(r);
    seam_close_writer(w);
}

static void test_killed_at_any_instant_loses_and_doubles_nothing(void **state)
{
    int64_t before = 0;

    (void)state;
    seam_topic("input", 1, NULL);
    seam_topic("table", 1, "compact");
    for (int round = 0; round < 12; round++) {
        pid_t child;
        int status;

        close_log();
        child = fork();
        if (child == 0) {
            run_until_killed();
            _exit(1);
        }
        usleep(20000 + (useconds_t)(round * 7919 % 30000));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        open_log();
        check_survivors();
    }
    before = seam_committed("group", "input", 0);
    assert_true(before > 12);
}

/* ---- damage ---- */

static int find_data_file(char *path, size_t size)
{
    char topics[100], folder[200] = "";
    DIR *d;

    snprintf(topics, sizeof topics, "%s/topics", dir);
    d = opendir(topics);
    for (struct dirent *e; (e = readdir(d));)
        if (strstr(e->d_name, "-input"))
            snprintf(folder, sizeof folder, "%.90s/%.90s", topics, e->d_name);
    closedir(d);
    d = opendir(folder);
    path[0] = '\0';
    for (struct dirent *e; d && (e = readdir(d));) /* the first by name */
        if (e->d_name[0] != '.') {
            char file[500];

            snprintf(file, sizeof file, "%.200s/%.200s", folder, e->d_name);
            if (!path[0] || strcmp(file, path) < 0)
                snprintf(path, size, "%s", file);
        }
    closedir(d);
    return open(path, O_RDWR);
}

static void test_torn_end_is_cut_and_the_rest_is_there(void **state)
{
    leat__writer_t *w;
    char path[500];
    struct stat st;
    int fd;

    (void)state;
    seam_topic("input", 1, NULL);
    w = seam_writer(NULL);
    seam_put(w, seam_out(w, "input"), 0, "k", "whole");
    seam_must(VT->writer_flush(w));
    seam_put(w, seam_out(w, "input"), 0, "k", "torn");
    seam_must(VT->writer_flush(w));
    seam_close_writer(w);
    close_log();
    fd = find_data_file(path, sizeof path);
    assert_true(fd >= 0);
    fstat(fd, &st);
    assert_int_equal(ftruncate(fd, st.st_size - 3), 0);
    close(fd);
    snprintf(path, sizeof path, "%s/journal", dir);
    fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "\0\0\0\20half of an", 14), 14);
    close(fd);
    open_log();
    seam_reads("input", true, "whole");
    w = seam_writer(NULL);
    seam_put(w, seam_out(w, "input"), 0, "k", "again");
    seam_must(VT->writer_flush(w));
    seam_close_writer(w);
    reopen();
    seam_reads("input", true, "whole again");
}

static void test_damage_in_the_middle_is_an_error_that_names_the_file(void **state)
{
    leat__writer_t *w;
    leat_error_t err;
    char path[500];
    int fd;

    (void)state;
    seam_topic("input", 1, NULL);
    w = seam_writer(NULL);
    for (int i = 0; i < 5000; i++)
        seam_put(
            w, seam_out(w, "input"), 0, "k", "some forty bytes of value, to fill several files");
    seam_must(VT->writer_flush(w));
    seam_close_writer(w);
    close_log();
    fd = find_data_file(path, sizeof path);
    assert_int_equal(pwrite(fd, "XXXX", 4, 200), 4);
    close(fd);
    assert_null(leat__log_open(dir, NULL, &err));
    assert_int_equal(err.code, LEAT_EIO);
    assert_non_null(strstr(err.text, path));
    unlink(path);
    open_log(); /* what is left can be used */
    assert_true(seam_offset("input", 0, LEAT__HIGH_WATERMARK, 0) == 5000);
}

/* A compaction that is killed between writing its files and removing the old ones leaves both. */
static void test_half_finished_compaction_shows_every_record_once(void **state)
{
    leat__writer_t *w;
    char path[500], command[1200];
    int fd;

    (void)state;
    seam_topic("input", 1, "compact");
    w = seam_writer("id");
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "a", "old");
    seam_put(w, seam_out(w, "input"), 0, "b", "b");
    seam_must(VT->writer_commit(w));
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "c", "aborted");
    seam_must(VT->writer_flush(w));
    seam_must(VT->writer_abort(w));
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "a", "new");
    seam_must(VT->writer_commit(w));
    seam_close_writer(w);
    fd = find_data_file(path, sizeof path);
    assert_true(fd >= 0);
    close(fd);
    snprintf(command, sizeof command, "cp %s %s/aside", path, dir);
    assert_int_equal(system(command), 0);
    leat__log_compact(the_log, "input", 0);
    assert_int_not_equal(access(path, F_OK), 0); /* the old file went */
    close_log();
    snprintf(command, sizeof command, "cp %s/aside %s", dir, path);
    assert_int_equal(system(command), 0);
    open_log();
    seam_reads("input", true, "b new");
    assert_int_equal(seam_offset("input", 0, LEAT__HIGH_WATERMARK, 0), 7);
    w = seam_writer(NULL);
    seam_put(w, seam_out(w, "input"), 0, "d", "more");
    seam_must(VT->writer_flush(w));
    seam_close_writer(w);
    reopen();
    seam_reads("input", true, "b new more");
}

/* ---- one process ---- */

static void test_second_process_is_told_who_has_it(void **state)
{
    leat__log_t *same;
    leat_error_t err;
    pid_t child;
    int status;

    (void)state;
    same = leat__log_open(dir, NULL, &err); /* in the same process it is the same log */
    assert_ptr_equal(same, the_log);
    leat__log_unref(same);
    child = fork();
    if (child == 0) {
        char who[32], link[100];

        /* A process of its own: not the registry that came with fork. */
        snprintf(link, sizeof link, "%s/../%s", dir, strrchr(dir, '/') + 1);
        snprintf(who, sizeof who, "%ld", (long)getppid());
        if (execl("/proc/self/exe", "test_embedded_disk", "--open", link, who, (char *)NULL))
            _exit(9);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int open_from_outside(const char *path, const char *owner)
{
    leat_error_t err;

    if (leat__log_open(path, NULL, &err))
        return 1;
    if (err.code != LEAT_ELOCKED || !strstr(err.text, owner))
        return 2;
    return 0;
}

static void test_unusable_directory_is_an_error(void **state)
{
    leat_error_t err;

    (void)state;
    assert_null(leat__log_open("/proc/nothing/here", NULL, &err));
    assert_int_equal(err.code, LEAT_EIO);
    assert_non_null(strstr(err.text, "/proc/nothing/here"));
}

/* ---- memory and room ---- */

static void write_wide(const char *topic, int count)
{
    leat__writer_t *w = seam_writer(NULL);
    leat__out_t *out = seam_out(w, topic);
    char value[1001];

    for (int i = 0; i < count; i++) {
        snprintf(value, sizeof value, "%01000d", i);
        seam_put(w, out, 0, "k", value);
    }
    seam_must(VT->writer_flush(w));
    seam_close_writer(w);
}

static void read_wide(const char *topic, int count)
{
    leat__reader_t *r = seam_reader(true);
    int slot = seam_add(r, topic, 0, 0), next = 0;
    leat__batch_t batch;

    while (VT->reader_take(r, slot, 100, &batch)) {
        assert_int_equal(batch.code, 0);
        for (size_t i = 0; i < batch.count; i++, next++) {
            char text[1001];

            snprintf(text, sizeof text, "%.*s", LEAT_P(&batch.records[i].value));
            assert_int_equal(strtol(text, NULL, 10), next);
        }
        VT->reader_release(r, &batch);
        leat__log_keep_in_memory(the_log, 2000000);
    }
    assert_int_equal(next, count);
    VT->reader_close(r);
}

static void test_records_leave_memory_and_are_read_again(void **state)
{
    (void)state;
    seam_topic("input", 1, NULL);
    write_wide("input", 20000);
    assert_true(leat__log_memory(the_log, "input", 0) > 15000000);
    leat__log_keep_in_memory(the_log, 2000000);
    assert_true(leat__log_memory(the_log, "input", 0) < 4000000);
    read_wide("input", 20000);
    assert_true(leat__log_memory(the_log, "input", 0) < 6000000);
    assert_int_equal(seam_offset("input", 0, LEAT__AT_TIME, 1000), 0);
    reopen();
    read_wide("input", 20000);
}

/* A limit on file sizes stands for a full disk: the write fails in the middle. */
static void test_full_disk_stands_still_and_goes_on(void **state)
{
    struct rlimit was, small;
    leat__writer_t *w;
    leat__op_t *flush;
    char value[1001];

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    seam_topic("input", 1, NULL);
    w = seam_writer(NULL);
    seam_put(w, seam_out(w, "input"), 0, "k", "0");
    seam_must(VT->writer_flush(w));
    getrlimit(RLIMIT_FSIZE, &was);
    small = was;
    small.rlim_cur = 20000;
    setrlimit(RLIMIT_FSIZE, &small);
    for (int i = 1; i <= 50; i++) {
        snprintf(value, sizeof value, "%01000d", i);
        seam_put(w, seam_out(w, "input"), 0, "k", value);
        VT->writer_poll(w);
    }
    flush = VT->writer_flush(w);
    assert_false(leat__op_wait(flush, 300));
    setrlimit(RLIMIT_FSIZE, &was);
    seam_must(flush);
    seam_close_writer(w);
    assert_int_equal(seam_offset("input", 0, LEAT__HIGH_WATERMARK, 0), 51);
    reopen();
    read_wide("input", 51);
}

#define T(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(test_records_come_back_as_they_were),
        T(test_topics_settings_offsets_and_generations_come_back),
        T(test_transactions_end_as_they_were_decided),
        T(test_pending_offsets_are_decided_after_a_restart),
        T(test_killed_at_any_instant_loses_and_doubles_nothing),
        T(test_torn_end_is_cut_and_the_rest_is_there),
        T(test_damage_in_the_middle_is_an_error_that_names_the_file),
        T(test_half_finished_compaction_shows_every_record_once),
        T(test_second_process_is_told_who_has_it),
        T(test_unusable_directory_is_an_error),
        T(test_records_leave_memory_and_are_read_again),
        T(test_full_disk_stands_still_and_goes_on),
    };

    if (argc == 4 && strcmp(argv[1], "--open") == 0)
        return open_from_outside(argv[2], argv[3]);
    if (getenv("LEAT_TEST_ONLY"))
        cmocka_set_test_filter(getenv("LEAT_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
