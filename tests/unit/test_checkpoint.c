/*
 * tests/unit/test_checkpoint.c: what reaches the disk, and what is believed of it afterwards.
 *
 * Crashes are real where they matter: a forked child is killed in the middle of a checkpoint.
 * Damage is made by writing into the files; a full disk by RLIMIT_FSIZE, which makes write(2) fail
 * with EFBIG.
 */
#include "store_kit.h"

#include "statestore/db.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static size_t warnings;

static void count_warnings(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    (void)user, (void)area, (void)text, (void)fields;
    warnings += level == LEAT_LOG_WARN;
}

static size_t count_named(const char *dir, const char *part)
{
    DIR *d = opendir(dir);
    size_t count = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        count += strstr(e->d_name, part) != NULL;
    if (d)
        closedir(d);
    return count;
}

static void put_number(kit_t *kit, int i, int64_t number)
{
    char key[16];
    leat_slice_t value = {(char *)&number, sizeof number};
    int size = snprintf(key, sizeof key, "key-%07d", i);
    leat__store_put(kit->store, (leat_slice_t){key, (size_t)size}, &value, number, NULL);
}

static int64_t get_number(kit_t *kit, int i)
{
    char key[16];
    leat_slice_t value;
    int64_t number = -1;
    int size = snprintf(key, sizeof key, "key-%07d", i);
    if (leat__store_get(kit->store, (leat_slice_t){key, (size_t)size}, &value, NULL))
        memcpy(&number, value.data, sizeof number);
    return number;
}

/* ---- metadata ---- */

static void test_meta_stands_beside_the_data_it_describes(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, -1);
    leat__store_set_meta(kit.store, 77, 123);
    kit_put(&kit, "a", "1");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_put(&kit, "b", "2");
    kit_commit(&kit);
    kit_reopen(&kit); /* b was not checkpointed: replayed */
    assert_int_equal(kit.replayed, 1);
    leat__store_meta_t meta = leat__store_meta(kit.store);
    assert_int_equal(meta.incarnation, 77);
    assert_int_equal(meta.observed_ms, 123);
    kit_expect(&kit, "a", "1");
    kit_expect(&kit, "b", "2");
    kit_reopen(&kit); /* what was restored counts as checkpointed */
    assert_int_equal(kit.replayed, 0);
    kit_release(&kit);
}

/* PROTOCOLS.md 5: a memory store beside a RocksDB store has no metadata after a restart. */
static void test_meta_of_a_memory_store_is_gone_with_it(void **state)
{
    (void)state;
    static kit_t kit;
    leat_error_t err;
    kit_init(&kit);
    kit_open(&kit);
    leat__store_def_t def = kit.def;
    def.name = "memory";
    def.backend = leat_backend_memory();
    leat__store_t *memory = leat__store_open(kit.state, &def, &err);
    leat_slice_t value = leat_slice("1");
    leat__store_put(memory, leat_slice("m"), &value, 1, NULL);
    leat__store_flush(memory);
    leat__store_committed(memory, 5);
    kit_put(&kit, "a", "1");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_close(&kit);
    kit_open(&kit);
    memory = leat__store_open(kit.state, &def, &err);
    assert_int_equal(leat__store_meta(memory).changelog_next, -1);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, 2);
    kit_release(&kit);
}

static void test_notes_go_with_the_next_checkpoint(void **state)
{
    (void)state;
    static kit_t kit;
    leat_slice_t value;
    kit_init(&kit);
    kit_open(&kit);
    assert_false(leat__task_state_noted(kit.state, "input", &value));
    assert_int_equal(leat__task_state_note(kit.state, "input", leat_slice("12"), NULL), LEAT_OK);
    assert_true(leat__task_state_noted(kit.state, "input", &value));
    kit_close(&kit);
    kit_open(&kit);
    assert_false(leat__task_state_noted(kit.state, "input", &value));
    leat__task_state_note(kit.state, "input", leat_slice("13"), NULL);
    assert_true(kit_checkpoint(&kit));
    assert_false(kit_checkpoint(&kit)); /* nothing more to write */
    kit_close(&kit);
    kit_open(&kit);
    assert_true(leat__task_state_noted(kit.state, "input", &value));
    assert_true(leat_slice_is(&value, "13"));
    kit_release(&kit);
}

static void test_opened_drops_what_the_topology_has_no_more(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_close(&kit);
    kit.def.name = "other";
    kit_open(&kit);
    kit_close(&kit);
    kit.def.name = "s";
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, -1);
    kit_expect(&kit, "a", NULL);
    kit_release(&kit);
}

static void test_clear_empties_backend_and_meta(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_put(&kit, "b", "1");
    leat__store_clear(kit.store);
    assert_int_equal(kit.budget.dirty_bytes, 0);
    kit_expect(&kit, "a", NULL);
    kit_close(&kit);
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, -1);
    kit_expect(&kit, "a", NULL);
    kit_release(&kit);
}

/* ---- what is not believed (PROTOCOLS.md 9, 29) ---- */

static void test_open_too_old_is_emptied_and_restored(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit.opts.age_max_ms = 1000;
    kit_open(&kit);
    kit_put(&kit, "deleted meanwhile", "1");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_close(&kit);
    kit.opts.wall_ms += 1000;
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, 1);
    kit_close(&kit);
    kit.opts.wall_ms += 1;
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, -1);
    kit_cut(&kit, 0); /* the log has neither the value nor its tombstone any more */
    kit.committed = 0;
    kit_replay(&kit);
    kit_expect(&kit, "deleted meanwhile", NULL);
    kit_release(&kit);
}

static void test_open_too_old_spares_a_store_without_changelog(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit.opts.age_max_ms = 1000;
    kit.def.logged = false;
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_close(&kit);
    kit.opts.wall_ms += 100000;
    kit_open(&kit);
    kit_expect(&kit, "a", "1");
    kit_release(&kit);
}

/* Half a restore is as old as its beginning, however late it was made; one whose beginning nobody
 * knows is not believed. */
static void test_open_after_a_restore_cut_short_goes_on_while_it_is_young(void **state)
{
    (void)state;
    static kit_t kit;
    leat_error_t err;
    leat__restore_record_t record = {{"a", 1}, {"1", 1}, 5};
    kit_init(&kit);
    kit.opts.age_max_ms = 1000;
    kit.opts.wall_ms = 1000000;
    kit_open(&kit);
    assert_int_equal(leat__store_restore(kit.store, &record, 1, 1, &err), LEAT_OK);
    assert_int_equal(leat__restore_write(kit.store, &err), LEAT_OK);
    kit_close(&kit);
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, -1);
    leat__store_clear(kit.store);
    assert_int_equal(leat__store_restore(kit.store, &record, 1, 1, &err), LEAT_OK);
    assert_true(kit_checkpoint(&kit)); /* leaves its age as it was */
    kit_close(&kit);
    kit.opts.wall_ms = 1001000;
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, 1);
    kit_close(&kit);
    kit.opts.wall_ms += 1;
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, -1);
    kit_release(&kit);
}

/* An idle task writes its wall time often enough. */
static void test_checkpoint_of_an_idle_task_keeps_it_young(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit.opts.age_max_ms = 1000;
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    assert_false(leat__checkpoint_due(kit.state, kit.opts.wall_ms + 200, 100, 0, 0));
    for (int i = 0; i < 10; i++) {
        kit.opts.wall_ms += 300;
        assert_true(leat__checkpoint_due(kit.state, kit.opts.wall_ms, 100, 0, 0));
        assert_true(kit_checkpoint(&kit));
    }
    kit_close(&kit);
    kit_open(&kit);
    kit_expect(&kit, "a", "1");
    kit_release(&kit);
}

static void spoil_files(const char *dir, const char *suffix)
{
    DIR *d = opendir(dir);
    size_t spoilt = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strstr(e->d_name, suffix))
            continue;
        char path[512], junk[4096];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        memset(junk, 0x5a, sizeof junk);
        int fd = open(path, O_WRONLY);
        struct stat st;
        assert_int_equal(fstat(fd, &st), 0);
        off_t end = st.st_size;
        for (off_t at = 0; at < end; at += (off_t)sizeof junk) {
            size_t size = end - at < (off_t)sizeof junk ? (size_t)(end - at) : sizeof junk;
            assert_int_equal(pwrite(fd, junk, size, at), (ssize_t)size);
        }
        close(fd);
        spoilt++;
    }
    closedir(d);
    assert_true(spoilt > 0);
}

static void fill_and_close(kit_t *kit)
{
    kit_init(kit);
    kit_open(kit);
    for (int i = 0; i < 20000; i++)
        put_number(kit, i, i);
    kit_commit(kit);
    assert_true(kit_checkpoint(kit));
    kit_close(kit);
}

static void test_open_damaged_manifest_is_set_aside_and_rebuilt(void **state)
{
    (void)state;
    static kit_t kit;
    char path[128];
    fill_and_close(&kit);
    snprintf(path, sizeof path, "%s/rocksdb", kit.dir);
    spoil_files(path, "MANIFEST");
    warnings = 0;
    leat_log_to(count_warnings, NULL, LEAT_LOG_WARN);
    kit_open(&kit);
    assert_true(warnings > 0);
    assert_int_equal(count_named(kit.dir, "rocksdb.bad-"), 1);
    kit_replay(&kit);
    assert_int_equal(kit.replayed, 20000);
    assert_int_equal(get_number(&kit, 1234), 1234);
    kit_close(&kit);
    kit_open(&kit);
    kit_close(&kit);
    spoil_files(path, ".sst"); /* and once more: the older one that was set aside goes */
    kit.opts.wall_ms++;
    kit_open(&kit);
    leat_log_to(NULL, NULL, LEAT_LOG_INFO);
    assert_int_equal(count_named(kit.dir, "rocksdb.bad-"), 1);
    kit_replay(&kit);
    assert_int_equal(get_number(&kit, 1234), 1234);
    kit_release(&kit);
}

static off_t spoil_in_the_middle(const char *dir)
{
    DIR *d = opendir(dir);
    off_t spoilt = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[512], junk[4096];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (!strstr(e->d_name, ".sst") || stat(path, &st) != 0 || st.st_size < 400000)
            continue;
        int fd = open(path, O_WRONLY);
        memset(junk, 0x5a, sizeof junk);
        for (off_t at = 100000; at < 300000; at += (off_t)sizeof junk)
            spoilt += pwrite(fd, junk, sizeof junk, at);
        close(fd);
    }
    closedir(d);
    return spoilt;
}

/* Damage that shows only when a row is read: the read is no "absent", and the next open starts
 * anew. */
static void test_read_of_damaged_data_is_a_failure_and_set_aside_at_close(void **state)
{
    (void)state;
    static kit_t kit;
    char path[128];
    leat_error_t err;
    fill_and_close(&kit);
    kit_open(&kit); /* the WAL becomes a table file */
    kit_close(&kit);
    snprintf(path, sizeof path, "%s/rocksdb", kit.dir);
    assert_true(spoil_in_the_middle(path) > 0);
    leat_log_to(count_warnings, NULL, LEAT_LOG_WARN);
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, 20000);
    assert_int_equal(get_number(&kit, 6000), -1);
    assert_true(leat__store_failed(kit.store, &err));
    assert_int_equal(err.code, LEAT_ESTORE);
    assert_non_null(strstr(err.text, "damaged"));
    assert_int_equal(kit.store->count, 0); /* nothing was learnt from it */
    kit_close(&kit);
    kit_open(&kit);
    leat_log_to(NULL, NULL, LEAT_LOG_INFO);
    assert_int_equal(count_named(kit.dir, "rocksdb.bad-"), 1);
    kit_replay(&kit);
    assert_int_equal(get_number(&kit, 6000), 6000);
    kit_release(&kit);
}

static void test_open_twice_is_locked_and_harms_nothing(void **state)
{
    (void)state;
    static kit_t kit;
    leat__task_state_t *second;
    leat_error_t err;
    kit_init(&kit);
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    assert_int_equal(leat__task_state_open(&second, &kit.opts, &err), LEAT_ELOCKED);
    assert_null(second);
    assert_int_equal(count_named(kit.dir, "rocksdb.bad-"), 0);
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_release(&kit);
}

static void test_open_in_a_place_that_cannot_be_written_says_so(void **state)
{
    (void)state;
    static kit_t kit;
    leat__task_state_t *none;
    leat_error_t err;
    char path[128];
    kit_init(&kit);
    snprintf(path, sizeof path, "%s/file", kit.dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    snprintf(path, sizeof path, "%s/file/task", kit.dir);
    kit.opts.dir = path;
    assert_int_equal(leat__task_state_open(&none, &kit.opts, &err), LEAT_EIO);
    assert_non_null(strstr(err.text, "state.dir"));
    kit.opts.dir = kit.dir;
    kit_release(&kit);
}

/* ---- full disk (PROTOCOLS.md 18) ---- */

static void test_write_full_disk_keeps_all_and_goes_on_when_there_is_room(void **state)
{
    (void)state;
    static kit_t kit;
    leat_error_t err;
    struct rlimit before, tiny;
    kit_init(&kit);
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    for (int i = 0; i < 50000; i++)
        put_number(&kit, i, i);
    kit_commit(&kit);
    size_t frozen_bytes = kit.budget.frozen_bytes;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tiny = (struct rlimit){200000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    leat__frozen_t *f = leat__checkpoint_begin(kit.state, 5000);
    int code = leat__checkpoint_write(f, &err);
    leat__checkpoint_end(f, false);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(code, LEAT_ESTORE);
    assert_non_null(strstr(err.text, "full"));

    kit_check(&kit);
    assert_int_equal(kit.budget.frozen_bytes, frozen_bytes);
    assert_int_equal(get_number(&kit, 49999), 49999);
    assert_null(leat__checkpoint_begin(kit.state, 5500)); /* a pause first */
    assert_false(leat__checkpoint_due(kit.state, 5500, 0, 1, 1));
    put_number(&kit, 7, 70);
    kit_commit(&kit);
    kit.opts.wall_ms = 50000;
    assert_true(kit_checkpoint(&kit));
    assert_int_equal(kit.budget.frozen_bytes, 0);
    kit_reopen(&kit);
    assert_int_equal(kit.replayed, 0);
    assert_int_equal(get_number(&kit, 7), 70);
    assert_int_equal(get_number(&kit, 49999), 49999);
    kit_expect(&kit, "a", "1");
    kit_release(&kit);
}

/* A restore meets the full disk too: the same batch is tried again and goes through. */
static void test_restore_full_disk_goes_on_when_there_is_room(void **state)
{
    (void)state;
    enum { ROWS = 3000 };
    static kit_t kit;
    static char keys[ROWS][8], value[200];
    static leat__restore_record_t records[ROWS];
    leat_error_t err;
    struct rlimit before, tiny;
    kit_init(&kit);
    kit_open(&kit);
    for (int i = 0; i < ROWS; i++) {
        int size = snprintf(keys[i], sizeof keys[i], "%d", i);
        records[i] = (leat__restore_record_t){
            {keys[i], (size_t)size}, {value, sizeof value}, i};
    }
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tiny = (struct rlimit){200000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    int code = leat__store_restore(kit.store, records, ROWS, ROWS, &err);
    code = code ? code : leat__restore_write(kit.store, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(code, LEAT_ESTORE);
    assert_int_equal(err.flags & LEAT_RETRIABLE, LEAT_RETRIABLE);
    assert_int_equal(leat__store_restore(kit.store, records, ROWS, ROWS, &err), LEAT_OK);
    assert_int_equal(leat__restore_write(kit.store, &err), LEAT_OK);
    kit_close(&kit);
    kit_open(&kit);
    assert_int_equal(leat__store_meta(kit.store).changelog_next, ROWS);
    leat_slice_t found;
    assert_true(leat__store_get(kit.store, leat_slice("2999"), &found, NULL));
    assert_int_equal(found.size, sizeof value);
    kit_release(&kit);
}

/* ---- another thread writes while the owner goes on (run it under TSan too) ---- */

typedef struct writer_t {
    leat__frozen_t *frozen;
    int code;
    atomic_bool done;
} writer_t;

static void *write_it(void *user)
{
    writer_t *w = user;
    leat_error_t err;
    w->code = leat__checkpoint_write(w->frozen, &err);
    atomic_store(&w->done, true);
    return NULL;
}

static void test_write_on_another_thread_while_the_owner_goes_on(void **state)
{
    (void)state;
    enum { KEYS = 5000, ROUNDS = 6 };
    static kit_t kit;
    static int64_t now[KEYS], committed[KEYS];
    kit_init(&kit);
    kit_open(&kit);
    for (int i = 0; i < KEYS; i++)
        now[i] = committed[i] = -1;
    uint64_t random = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        writer_t w = {0};
        pthread_t thread;
        for (int i = 0; i < KEYS; i++)
            put_number(&kit, i, now[i] = round * 100000 + i);
        kit_commit(&kit);
        memcpy(committed, now, sizeof now);
        w.frozen = leat__checkpoint_begin(kit.state, 5000 + round);
        assert_int_equal(pthread_create(&thread, NULL, write_it, &w), 0);
        for (int step = 0; step < 20000 || (!atomic_load(&w.done) && step < 2000000); step++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            int i = (int)(random >> 33) % KEYS;
            assert_int_equal(get_number(&kit, i), now[i]);
            put_number(&kit, i, now[i] = step);
            if (step % 997 == 0) {
                kit_commit(&kit);
                memcpy(committed, now, sizeof now);
            } else if (step % 1499 == 0) {
                kit_abort(&kit);
                memcpy(now, committed, sizeof now);
            }
        }
        pthread_join(thread, NULL);
        assert_int_equal(w.code, LEAT_OK);
        leat__checkpoint_end(w.frozen, true);
        kit_check(&kit);
        leat__task_state_evict(kit.state, 100000);
    }
    kit_abort(&kit);
    kit_reopen(&kit);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(get_number(&kit, i), committed[i]);
    kit_release(&kit);
}

/* Closing waits for a write under way; the checkpointer's late answer finds nothing to touch. */
static void test_close_waits_for_a_checkpoint_that_is_being_written(void **state)
{
    (void)state;
    static kit_t kit;
    writer_t w = {0};
    pthread_t thread;
    kit_init(&kit);
    kit_open(&kit);
    for (int i = 0; i < 30000; i++)
        put_number(&kit, i, i);
    kit_commit(&kit);
    w.frozen = leat__checkpoint_begin(kit.state, 5000);
    assert_int_equal(pthread_create(&thread, NULL, write_it, &w), 0);
    usleep(2000);
    kit_close(&kit);
    pthread_join(thread, NULL);
    leat__checkpoint_end(w.frozen, w.code == LEAT_OK);
    kit_open(&kit);
    kit_replay(&kit);
    assert_int_equal(get_number(&kit, 29999), 29999);
    kit_release(&kit);
}

/* ---- kill -9 in the middle of a checkpoint of many batches (PROTOCOLS.md 19) ---- */

enum { MANY = 60000 };

/* This program again, as `test_checkpoint DIR`: says so on its output when the checkpoint is about
 * to begin. */
static int child(const char *dir)
{
    static kit_t kit;
    kit.opts = (leat__task_state_opts_t){.dir = dir, .budget = &kit.budget, .wall_ms = 1001};
    kit.def = (leat__store_def_t){
        .name = "s", .kind = LEAT_KV, .backend = leat_backend_rocksdb(), .logged = true};
    kit_open(&kit);
    for (int i = 0; i < MANY; i++)
        put_number(&kit, i, 2000000 + i);
    leat__store_flush(kit.store);
    leat__store_committed(kit.store, 2 * MANY);
    if (write(STDOUT_FILENO, "!", 1) != 1)
        return 1;
    leat__frozen_t *f = leat__checkpoint_begin(kit.state, 9000);
    leat__checkpoint_write(f, NULL);
    leat__checkpoint_end(f, true);
    pause();
    return 0;
}

static pid_t start_child(const char *dir, int *ready)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execl("/proc/self/exe", "test_checkpoint", dir, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *ready = ends[0];
    return pid;
}

static void test_write_killed_midway_is_replayed_from_the_old_offset(void **state)
{
    (void)state;
    static kit_t kit;
    size_t midway = 0;
    for (int round = 0; round < 6; round++) {
        int ready, status;
        char one;
        kit_init(&kit);
        kit_open(&kit);
        for (int i = 0; i < MANY; i++)
            put_number(&kit, i, 1000000 + i);
        kit_commit(&kit);
        assert_true(kit_checkpoint(&kit));
        kit_close(&kit);
        pid_t pid = start_child(kit.dir, &ready);
        assert_int_equal(read(ready, &one, 1), 1);
        usleep((useconds_t)(round * 20000));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        close(ready);
        for (int i = 0; i < MANY; i++) { /* what the child had logged and committed */
            char key[16];
            int64_t number = 2000000 + i;
            leat_slice_t value = {(char *)&number, sizeof number};
            int size = snprintf(key, sizeof key, "key-%07d", i);
            kit_log(&kit, NULL, (leat_slice_t){key, (size_t)size}, &value, number, NULL);
        }
        kit.committed = kit.count;
        kit_open(&kit);
        leat__store_meta_t meta = leat__store_meta(kit.store);
        assert_true(meta.changelog_next == MANY || meta.changelog_next == 2 * MANY);
        midway += meta.changelog_next == MANY;
        kit_replay(&kit);
        for (int i = 0; i < MANY; i += 7)
            assert_int_equal(get_number(&kit, i), 2000000 + i);
        kit_release(&kit);
    }
    assert_true(midway > 0);
}

/* ---- stores without changelog (PROTOCOLS.md 20) ---- */

static void open_unlogged(kit_t *kit)
{
    kit->def.logged = false;
    kit_open(kit);
}

static void prepare(kit_t *kit, const char *token)
{
    leat_error_t err;
    leat__store_flush(kit->store);
    if (leat__task_state_prepare(kit->state, leat_slice(token), &err) != LEAT_OK)
        fail_msg("%s", err.text);
}

static void expect_token(kit_t *kit, const char *token)
{
    leat_slice_t found = {NULL, 0};
    assert_int_equal(leat__task_state_prepared(kit->state, &found), token != NULL);
    if (token)
        assert_true(leat_slice_is(&found, token));
}

static void crash_unlogged(kit_t *kit)
{
    kit_close(kit);
    open_unlogged(kit);
}

static void test_prepared_part_is_applied_or_not_as_the_commit_went(void **state)
{
    (void)state;
    for (int applied = 0; applied < 2; applied++) {
        static kit_t kit;
        kit_init(&kit);
        open_unlogged(&kit);
        expect_token(&kit, NULL);
        kit_put(&kit, "a", "1");
        kit_put(&kit, "gone", "1");
        prepare(&kit, "offsets 1");
        leat__store_committed(kit.store, -1);
        kit_put(&kit, "a", "2");
        kit_put(&kit, "gone", NULL);
        kit_put(&kit, "", "empty key");
        prepare(&kit, "offsets 2");
        crash_unlogged(&kit);
        expect_token(&kit, "offsets 2");
        assert_int_equal(leat__task_state_resolve(kit.state, applied, NULL), LEAT_OK);
        expect_token(&kit, NULL);
        kit_expect(&kit, "a", applied ? "2" : "1");
        kit_expect(&kit, "gone", applied ? NULL : "1");
        kit_expect(&kit, "", applied ? "empty key" : NULL);
        crash_unlogged(&kit);
        expect_token(&kit, NULL);
        kit_expect(&kit, "a", applied ? "2" : "1");
        kit_release(&kit);
    }
}

static void test_prepared_part_of_an_aborted_commit_is_never_applied(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    open_unlogged(&kit);
    kit_put(&kit, "a", "1");
    prepare(&kit, "offsets 1");
    leat__store_abort(kit.store);
    prepare(&kit, "offsets 2"); /* nothing is dirty; this commit goes through */
    leat__store_committed(kit.store, -1);
    crash_unlogged(&kit);
    expect_token(&kit, NULL);
    kit_expect(&kit, "a", NULL);
    kit_release(&kit);
}

static void test_prepared_parts_end_with_the_checkpoint_that_holds_them(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    open_unlogged(&kit);
    kit_put(&kit, "a", "1");
    prepare(&kit, "offsets 1");
    leat__store_committed(kit.store, -1);
    assert_true(kit_checkpoint(&kit));
    crash_unlogged(&kit);
    expect_token(&kit, NULL);
    kit_expect(&kit, "a", "1");
    kit_put(&kit, "a", "2");
    prepare(&kit, "offsets 2");
    leat__store_committed(kit.store, -1);
    /* dirty: the part before it may be in doubt and must outlive the checkpoint */
    kit_put(&kit, "a", "3");
    assert_true(kit_checkpoint(&kit));
    crash_unlogged(&kit);
    expect_token(&kit, "offsets 2");
    assert_int_equal(leat__task_state_resolve(kit.state, true, NULL), LEAT_OK);
    kit_expect(&kit, "a", "2");
    kit_release(&kit);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return child(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meta_stands_beside_the_data_it_describes),
        cmocka_unit_test(test_meta_of_a_memory_store_is_gone_with_it),
        cmocka_unit_test(test_notes_go_with_the_next_checkpoint),
        cmocka_unit_test(test_opened_drops_what_the_topology_has_no_more),
        cmocka_unit_test(test_clear_empties_backend_and_meta),
        cmocka_unit_test(test_open_too_old_is_emptied_and_restored),
        cmocka_unit_test(test_open_too_old_spares_a_store_without_changelog),
        cmocka_unit_test(test_open_after_a_restore_cut_short_goes_on_while_it_is_young),
        cmocka_unit_test(test_checkpoint_of_an_idle_task_keeps_it_young),
        cmocka_unit_test(test_open_damaged_manifest_is_set_aside_and_rebuilt),
        cmocka_unit_test(test_read_of_damaged_data_is_a_failure_and_set_aside_at_close),
        cmocka_unit_test(test_open_twice_is_locked_and_harms_nothing),
        cmocka_unit_test(test_open_in_a_place_that_cannot_be_written_says_so),
        cmocka_unit_test(test_write_full_disk_keeps_all_and_goes_on_when_there_is_room),
        cmocka_unit_test(test_restore_full_disk_goes_on_when_there_is_room),
        cmocka_unit_test(test_write_on_another_thread_while_the_owner_goes_on),
        cmocka_unit_test(test_close_waits_for_a_checkpoint_that_is_being_written),
        cmocka_unit_test(test_write_killed_midway_is_replayed_from_the_old_offset),
        cmocka_unit_test(test_prepared_part_is_applied_or_not_as_the_commit_went),
        cmocka_unit_test(test_prepared_part_of_an_aborted_commit_is_never_applied),
        cmocka_unit_test(test_prepared_parts_end_with_the_checkpoint_that_holds_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
