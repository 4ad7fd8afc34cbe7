/*
 * tests/unit/test_disk_full.c: a disk that fills up at any instant, and is emptied again (PROTOCOLS.md 18).
 *
 * A small tmpfs of its own holds the state. A thread beside fills it to the last block and gives some of
 * it back, again and again, at moments that nobody chose: under puts, checkpoints of every size, restores
 * and reopens. The process must live, every failure must say that it may be tried again, and once there
 * is room all that was committed is there. LEAT_DISK_S: how many seconds; LEAT_SEED repeats the draws of the main
 * thread. Mounting needs root or user namespaces; without, it says so and is skipped.
 */
#include "store_kit.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

enum { KEYS = 6000, VALUE_BYTES = 300, BLOCK = 4096, SKIPPED = 77, PASSING_MS = 100000 };

typedef struct disk_t {
    kit_t kit;
    uint64_t random;
    uint32_t expected[KEYS], committed[KEYS]; /* 0: not there */
    size_t refusals, checkpoints, restores, reopens;
} disk_t;

static uint64_t draw(uint64_t *random, uint64_t below)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (*random >> 11) % below;
}

/* ---- what fills the disk ---- */

typedef struct ballast_t {
    char path[128];
    atomic_bool stop;
    pthread_t thread;
} ballast_t;

static void nap(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

static void fill(int fd, off_t *size)
{
    static char block[BLOCK];
    while (pwrite(fd, block, sizeof block, *size) == (ssize_t)sizeof block)
        *size += (off_t)sizeof block;
}

static void *ballast(void *user)
{
    ballast_t *b = user;
    uint64_t random = 99991;
    off_t size = 0;
    int fd = open(b->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    while (!atomic_load(&b->stop)) {
        fill(fd, &size);
        nap(draw(&random, 10000));
        off_t give = (off_t)draw(&random, draw(&random, 2) ? 256 : 6000) * BLOCK;
        size = size > give ? size - give : 0;
        if (ftruncate(fd, size) != 0)
            break;
        nap(draw(&random, 4) ? draw(&random, 5000) : draw(&random, 60000));
    }
    close(fd);
    unlink(b->path);
    return NULL;
}

static void start(ballast_t *b, const char *dir)
{
    snprintf(b->path, sizeof b->path, "%s/ballast", dir);
    atomic_store(&b->stop, false);
    assert_int_equal(pthread_create(&b->thread, NULL, ballast, b), 0);
}

static void stop(ballast_t *b)
{
    atomic_store(&b->stop, true);
    pthread_join(b->thread, NULL);
}

/* ---- the store under test ---- */

static void refused(disk_t *d, const leat_error_t *err)
{
    if (!(err->flags & LEAT_RETRIABLE))
        fail_msg("not to be tried again: %s: %s", err->where, err->text);
    d->refusals++;
    nap(2000);
}

static void open_state(disk_t *d)
{
    leat_error_t err;
    kit_t *kit = &d->kit;
    for (;;) {
        kit->opts.wall_ms += PASSING_MS; /* past every pause */
        if (leat__task_state_open(&kit->state, &kit->opts, &err) == 0) {
            kit->store = leat__store_open(kit->state, &kit->def, &err);
            if (kit->store)
                break;
            leat__task_state_close(kit->state);
        }
        refused(d, &err);
    }
    leat__task_state_opened(kit->state);
}

static leat_slice_t key_at(int i, char room[16])
{
    return (leat_slice_t){room, (size_t)snprintf(room, 16, "key-%07d", i)};
}

static leat_slice_t value_of(uint32_t number, char room[VALUE_BYTES])
{
    memset(room, (int)('a' + number % 26), VALUE_BYTES);
    memcpy(room, &number, sizeof number);
    return (leat_slice_t){room, number ? sizeof number + number % (VALUE_BYTES - 4) : 0};
}

static void step_put(disk_t *d, size_t count)
{
    char room[16], bytes[VALUE_BYTES];
    for (size_t i = 0; i < count; i++) {
        int at = (int)draw(&d->random, KEYS);
        uint32_t number = draw(&d->random, 8) ? (uint32_t)draw(&d->random, UINT32_MAX) : 0;
        leat_slice_t value = value_of(number, bytes);
        leat__store_put(d->kit.store, key_at(at, room), number ? &value : NULL, 1, NULL);
        d->expected[at] = number;
    }
}

static void step_commit(disk_t *d)
{
    kit_commit(&d->kit);
    memcpy(d->committed, d->expected, sizeof d->committed);
}

static void step_abort(disk_t *d)
{
    kit_abort(&d->kit);
    memcpy(d->expected, d->committed, sizeof d->expected);
}

static bool step_checkpoint(disk_t *d)
{
    leat_error_t err;
    d->kit.opts.wall_ms += PASSING_MS;
    leat__frozen_t *f = leat__checkpoint_begin(d->kit.state, d->kit.opts.wall_ms);
    if (!f)
        return false;
    int code = leat__checkpoint_write(f, &err);
    leat__checkpoint_end(f, code == 0);
    if (code)
        refused(d, &err);
    else
        d->checkpoints++;
    return code == 0;
}

/* A read of a full disk may fail, and nothing but the truth may come of it. */
static void step_get(disk_t *d, size_t count)
{
    char room[16], bytes[VALUE_BYTES];
    leat_slice_t found, wanted;
    leat_error_t err;
    for (size_t i = 0; i < count; i++) {
        int at = (int)draw(&d->random, KEYS);
        bool there = leat__store_get(d->kit.store, key_at(at, room), &found, NULL);
        if (leat__store_failed(d->kit.store, &err))
            return;
        assert_int_equal(there, d->expected[at] != 0);
        wanted = value_of(d->expected[at], bytes);
        if (there)
            assert_true(leat_slice_equal(&found, &wanted));
    }
}

/* From the kit's changelog, as runtime does: what is refused begins anew with an opened state. */
static bool replay(disk_t *d)
{
    kit_t *kit = &d->kit;
    leat_error_t err;
    leat__store_meta_t meta = leat__store_meta(kit->store);
    if (meta.changelog_next < 0)
        leat__store_clear(kit->store);
    size_t at = meta.changelog_next < 0 ? 0 : (size_t)meta.changelog_next;
    int code = leat__store_failed(kit->store, &err) ? LEAT_ESTORE : 0;
    while (!code && at < kit->committed) {
        leat__restore_record_t batch[500];
        size_t count = 0;
        for (; at < kit->committed && count < 500; at++) {
            const kit_record_t *r = &kit->log[at];
            batch[count++] = (leat__restore_record_t){
                {r->key, r->key_size}, {r->value, r->size}, r->time_ms};
        }
        code = leat__store_restore(kit->store, batch, count, (int64_t)at, &err);
    }
    if (!code && draw(&d->random, 2))
        code = leat__restore_write(kit->store, &err);
    else if (!code)
        code = leat__store_restored(kit->store, &err);
    if (code)
        refused(d, &err);
    d->restores += code == 0;
    return code == 0;
}

static void step_reopen(disk_t *d)
{
    do {
        kit_close(&d->kit);
        kit_cut(&d->kit, d->kit.committed);
        open_state(d);
    } while (!replay(d));
    memcpy(d->expected, d->committed, sizeof d->expected);
    d->reopens++;
}

static void step(disk_t *d)
{
    leat_error_t err;
    uint64_t what = draw(&d->random, 100);
    if (what < 40)
        step_put(d, draw(&d->random, 4) ? draw(&d->random, 100) : draw(&d->random, 8000));
    else if (what < 55)
        step_get(d, 50);
    else if (what < 75)
        step_commit(d);
    else if (what < 78)
        step_abort(d);
    else if (what < 93)
        step_checkpoint(d);
    else if (what < 97)
        leat__task_state_evict(d->kit.state, draw(&d->random, 4 << 20));
    else if (d->kit.budget.dirty_bytes < 1 << 20)
        step_reopen(d);
    if (leat__store_failed(d->kit.store, &err) || d->kit.count > 200000)
        step_reopen(d); /* as runtime does with a task whose state cannot be read */
    if (d->kit.budget.dirty_bytes + d->kit.budget.frozen_bytes > 3 << 20) { /* a full buffer waits */
        step_commit(d);
        step_checkpoint(d);
    }
}

/* Anew, before the changelog in memory grows without end. */
static void begin_anew(disk_t *d)
{
    kit_close(&d->kit);
    kit_cut(&d->kit, 0);
    d->kit.committed = 0;
    kit_remove(d->kit.dir);
    assert_int_equal(mkdir(d->kit.dir, 0700), 0);
    open_state(d);
    memset(d->expected, 0, sizeof d->expected);
    memset(d->committed, 0, sizeof d->committed);
}

static bool mount_small(const char *dir)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return mount("tmpfs", dir, "tmpfs", 0, "size=24m") == 0;
}

static void quiet(void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    (void)user, (void)area, (void)fields;
    if (level >= LEAT_LOG_ERROR && getenv("LEAT_DISK_LOG"))
        fprintf(stderr, "%s\n", text);
}

static int seconds(void)
{
    const char *text = getenv("LEAT_DISK_S");
    return text ? atoi(text) : 5;
}

static void test_disk_full_at_any_instant_loses_nothing(void **state)
{
    static disk_t d;
    static ballast_t b;
    const char *seed = getenv("LEAT_SEED"), *mounted = *state;
    int64_t end_ms = leat__clock_steady_ms(NULL) + 1000 * seconds();
    d.random = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 1000 + 7;
    printf("LEAT_SEED=%llu\n", (unsigned long long)d.random);
    kit_init(&d.kit);
    kit_remove(d.kit.dir);
    snprintf(d.kit.dir, sizeof d.kit.dir, "%s/state", mounted);
    d.kit.budget.restore_bytes = 300000;
    d.kit.def.hooks = (leat__store_hooks_t){.log = kit_log, .user = &d.kit};
    leat_log_to(quiet, NULL, LEAT_LOG_WARN);
    open_state(&d);
    start(&b, mounted);
    while (leat__clock_steady_ms(NULL) < end_ms) {
        step(&d);
        if (d.kit.count > 200000) {
            stop(&b);
            begin_anew(&d);
            start(&b, mounted);
        }
    }
    stop(&b);
    step_abort(&d);
    while (!step_checkpoint(&d) && leat__checkpoint_due(d.kit.state, d.kit.opts.wall_ms, 0, 1, 1))
        continue;
    step_reopen(&d);
    step_get(&d, 20000);
    leat_error_t err;
    assert_false(leat__store_failed(d.kit.store, &err));
    leat_log_to(NULL, NULL, LEAT_LOG_INFO);
    printf("%zu refusals, %zu checkpoints, %zu reopens, %zu restores\n", d.refusals, d.checkpoints,
        d.reopens, d.restores);
    assert_true(d.refusals > 0 && d.checkpoints > 0);
    kit_release(&d.kit);
}

int main(void)
{
    char dir[] = "/tmp/leat-disk-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_disk_full_at_any_instant_loses_nothing, dir),
    };
    assert_non_null(mkdtemp(dir));
    if (!mount_small(dir)) {
        printf("SKIPPED: no small disk could be mounted (%s): run it as root\n", strerror(errno));
        rmdir(dir);
        return SKIPPED;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    umount2(dir, MNT_DETACH);
    rmdir(dir);
    return failed;
}
