/*
 * tests/bench/bench_store.c: what one get + put on a store costs, key by key, in one thread.
 *
 * For 10 thousand and 1 million keys of 16 bytes and values of 8, in random order: cold (each key
 * is new), hot (all in the buffer), hot with a commit every 10 000 updates, the same with
 * checkpoints written by another thread all the while, and with a buffer too small for the keys, so
 * that every second get reads the backend. Prints nanoseconds of wall clock and of this thread's
 * CPU per get + put. Not a test: nothing is judged.
 *
 * usage: bench_store [keys=N] [dir=DIR] [cache=BYTES]
 */
#include "statestore/inside.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef struct bench_t {
    const char *dir;
    void *block_cache;
    leat__budget_t budget;
    leat__task_state_t *state;
    leat__store_t *store;
    size_t keys, updates, committed, since_commit, commit_every;
    size_t bytes_max;
    leat__frozen_t *frozen;
    pthread_t writer;
    atomic_int result;
    size_t checkpoints;
} bench_t;

static size_t logged;

static void count_log(void *user, leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t time_ms, const leat_headers_t *headers)
{
    (void)user, (void)s, (void)key, (void)value, (void)time_ms, (void)headers;
    logged++;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    return x;
}

static void stop(const leat_error_t *err)
{
    fprintf(stderr, "bench_store: %s: %s\n", err->where, err->text);
    exit(1);
}

static void open_store(bench_t *b, const leat_backend_t *backend, bool cached)
{
    leat_error_t err;
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", b->dir);
    if (system(command) != 0)
        exit(1);
    leat__task_state_opts_t opts = {
        .dir = b->dir, .budget = &b->budget, .block_cache = b->block_cache, .wall_ms = 1};
    leat__store_def_t def = {.name = "s", .kind = LEAT_TIMESTAMPED_KV, .backend = backend,
        .logged = true, .cached = cached, .hooks = {.log = count_log}};
    if (leat__task_state_open(&b->state, &opts, &err))
        stop(&err);
    b->store = leat__store_open(b->state, &def, &err);
    if (!b->store)
        stop(&err);
}

static void *write_checkpoint(void *user)
{
    bench_t *b = user;
    leat_error_t err;
    if (leat__checkpoint_write(b->frozen, &err))
        stop(&err);
    atomic_store(&b->result, 1);
    return NULL;
}

static void keep_checkpointing(bench_t *b)
{
    if (b->frozen && atomic_load(&b->result)) {
        pthread_join(b->writer, NULL);
        leat__checkpoint_end(b->frozen, true);
        b->frozen = NULL;
        b->checkpoints++;
    }
    if (b->frozen)
        return;
    b->frozen = leat__checkpoint_begin(b->state, 2);
    atomic_store(&b->result, 0);
    if (b->frozen && pthread_create(&b->writer, NULL, write_checkpoint, b) != 0)
        exit(1);
}

static void wait_for_checkpoint(bench_t *b)
{
    while (b->frozen) {
        usleep(1000);
        if (atomic_load(&b->result)) {
            pthread_join(b->writer, NULL);
            leat__checkpoint_end(b->frozen, true);
            b->frozen = NULL;
            b->checkpoints++;
        }
    }
}

static void commit(bench_t *b)
{
    leat__store_flush(b->store);
    b->committed += b->since_commit;
    b->since_commit = 0;
    leat__store_committed(b->store, (int64_t)b->committed);
}

/* One record of a count: get, add one, put. */
static void update(bench_t *b, uint64_t number)
{
    char key[16];
    uint64_t id = mix(number + 1);
    memcpy(key, &number, 8);
    memcpy(key + 8, &id, 8);
    leat_slice_t k = {key, sizeof key}, v;
    int64_t count = 0, time_ms;
    if (leat__store_get(b->store, k, &v, &time_ms))
        memcpy(&count, v.data, sizeof count);
    count++;
    v = (leat_slice_t){(char *)&count, sizeof count};
    leat__store_put(b->store, k, &v, (int64_t)number, NULL);
    b->since_commit++;
}

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void run(bench_t *b, const char *what, bool each_once, bool checkpoints)
{
    int64_t start = leat__clock_steady_us(NULL), cpu = cpu_us();
    uint64_t random = 88172645463325252u;
    size_t updates = each_once ? b->keys : b->updates;
    size_t done = b->checkpoints;
    for (size_t i = 0; i < updates; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        update(b, each_once ? i : random % b->keys);
        if (b->commit_every && b->since_commit >= b->commit_every) {
            commit(b);
            if (checkpoints)
                keep_checkpointing(b);
            if (b->bytes_max && b->budget.entry_bytes > b->bytes_max)
                leat__task_state_evict(b->state, b->budget.entry_bytes - b->bytes_max / 10 * 9);
        }
    }
    int64_t took = leat__clock_steady_us(NULL) - start;
    cpu = cpu_us() - cpu;
    printf("%-9zu %-46s %7.0f ns  %7.0f ns cpu  %6.1f MB  %zu checkpoints\n", b->keys, what,
        (double)took * 1000.0 / (double)updates, (double)cpu * 1000.0 / (double)updates,
        (double)b->budget.entry_bytes / 1e6, b->checkpoints - done);
    fflush(stdout);
}

/* A changelog of new keys into an empty store, 1000 records at a time. */
static void restore(bench_t *b)
{
    enum { BATCH = 1000 };
    static leat__restore_record_t records[BATCH];
    static uint64_t keys[BATCH][2], values[BATCH];
    leat_error_t err;
    int64_t start = leat__clock_steady_us(NULL), cpu = cpu_us();
    for (size_t at = 0; at < b->keys; at += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            keys[i][0] = mix(at + i + 1);
            keys[i][1] = at + i;
            values[i] = at;
            records[i] = (leat__restore_record_t){
                {(char *)keys[i], sizeof keys[i]}, {(char *)&values[i], 8}, 1};
        }
        if (leat__store_restore(b->store, records, BATCH, (int64_t)(at + BATCH), &err))
            stop(&err);
    }
    if (leat__restore_write(b->store, &err))
        stop(&err);
    printf("%-9zu %-46s %7.0f ns  %7.0f ns cpu\n", b->keys, "rocksdb, restore",
        (double)(leat__clock_steady_us(NULL) - start) * 1000.0 / (double)b->keys,
        (double)(cpu_us() - cpu) * 1000.0 / (double)b->keys);
}

static void bench(const char *dir, void *block_cache, size_t keys)
{
    bench_t b = {.dir = dir,
        .block_cache = block_cache,
        .keys = keys,
        .updates = keys < 1000000 ? 4000000 : 2000000};
    open_store(&b, leat_backend_memory(), false);
    run(&b, "memory, cold", true, false);
    run(&b, "memory, hot", false, false);
    leat__task_state_close(b.state);

    open_store(&b, leat_backend_rocksdb(), false);
    b.commit_every = 10000;
    run(&b, "rocksdb, cold, commits", true, false);
    b.commit_every = 0;
    run(&b, "rocksdb, hot, no commit", false, false);
    b.commit_every = 10000;
    run(&b, "rocksdb, hot, commits", false, false);
    run(&b, "rocksdb, hot, commits and checkpoints", false, true);
    wait_for_checkpoint(&b);
    b.bytes_max = b.budget.entry_bytes / 2;
    run(&b, "rocksdb, half of it fits, commits, checkpoints", false, true);
    wait_for_checkpoint(&b);
    leat__task_state_close(b.state);

    b.bytes_max = 0;
    open_store(&b, leat_backend_rocksdb(), false);
    restore(&b);
    leat__task_state_close(b.state);

    open_store(&b, leat_backend_rocksdb(), true);
    run(&b, "rocksdb, cached, cold, commits", true, false);
    run(&b, "rocksdb, cached, hot, commits and checkpoints", false, true);
    wait_for_checkpoint(&b);
    leat__task_state_close(b.state);
}

int main(int argc, char **argv)
{
    const char *dir = "/tmp/leat-bench-store";
    size_t keys = 0, cache_bytes = 16 << 20;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "keys=", 5) == 0)
            keys = strtoull(argv[i] + 5, NULL, 10);
        else if (strncmp(argv[i], "dir=", 4) == 0)
            dir = argv[i] + 4;
        else if (strncmp(argv[i], "cache=", 6) == 0)
            cache_bytes = strtoull(argv[i] + 6, NULL, 10);
        else
            return fprintf(stderr, "usage: bench_store [keys=N] [dir=DIR] [cache=BYTES]\n"), 1;
    }
    void *cache = leat__block_cache_new(cache_bytes);
    bench(dir, cache, keys ? keys : 10000);
    if (!keys)
        bench(dir, cache, 1000000);
    leat__block_cache_free(cache);
    printf("%zu records logged\n", logged);
    return 0;
}
