/*
 * tests/bench/bench_window.c: many window entries written and expired in one store on RocksDB, in one thread,
 * with a writer of checkpoints beside it, by the rules of runtime/keep.c.
 *
 * Event time goes on by 1 ms every 20 entries; keys are one of 100 000; 60 s are retained, so more
 * than a million rows are alive at any time. Prints entries a second, CPU, the longest stall between two
 * entries (whatever it was, waiting for a core too), how many were longer than 10 ms, the greatest
 * size of the directory, and of each phase the longest time, of the clock and of CPU. Not a test:
 * nothing is judged.
 *
 * usage: bench_window [entries=N] [dir=DIR] [buffer=BYTES] [retention=MS]
 */
#include "statestore/inside.h"
#include "statestore/windows.h"

#include "base/clock.h"
#include "base/mem.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEYS = 100000, PER_MS = 20, COMMIT_EVERY = 10000, THAW_STEP = 16384 };

typedef enum phase_t { PUTS, COMMIT, THAW, FREEZE, EVICT, WAIT, PHASES } phase_t;

static const char *const phase_names[] = {"puts", "commit", "thaw", "freeze", "evict", "wait"};

typedef struct bench_t {
    char dir[200];
    size_t entries, buffer_bytes;
    int64_t retention_ms;
    leat__budget_t budget;
    leat__task_state_t *state;
    leat__store_t *store;
    leat__frozen_t *frozen;
    pthread_t writer;
    atomic_int result;
    size_t checkpoints, long_stalls;
    int64_t longest_us;
    double start_s, start_cpu_s;                     /* of the phase under way */
    double longest_s[PHASES], longest_cpu_s[PHASES]; /* puts: of 100 */
    uint64_t disk_bytes;
} bench_t;

static void stop(const leat_error_t *err)
{
    fprintf(stderr, "bench_window: %s: %s\n", err->where, err->text);
    exit(1);
}

static void ignore_log(void *user, leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t time_ms, const leat_headers_t *headers)
{
    (void)user, (void)s, (void)key, (void)value, (void)time_ms, (void)headers;
}

static void empty(const bench_t *b)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", b->dir);
    if (system(command) != 0)
        exit(1);
}

static void open_store(bench_t *b)
{
    leat_error_t err;
    leat__task_state_opts_t opts = {.dir = b->dir, .budget = &b->budget, .wall_ms = 1};
    leat__store_def_t def = {.name = "s", .kind = LEAT_WINDOWS, .backend = leat_backend_rocksdb(),
        .logged = true, .hooks = {.log = ignore_log},
        .opts = {.retention_ms = b->retention_ms, .window_size_ms = 1000}};
    empty(b);
    if (leat__task_state_open(&b->state, &opts, &err))
        stop(&err);
    b->store = leat__store_open(b->state, &def, &err);
    if (!b->store)
        stop(&err);
}

static uint64_t bytes_in(const char *dir)
{
    DIR *d = opendir(dir);
    uint64_t sum = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[600];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
            sum += (uint64_t)st.st_size;
    }
    if (d)
        closedir(d);
    return sum;
}

static double cpu_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void begin(bench_t *b)
{
    b->start_s = cpu_s(CLOCK_MONOTONIC);
    b->start_cpu_s = cpu_s(CLOCK_THREAD_CPUTIME_ID);
}

/* Of one phase, and beginning of the next. */
static void end(bench_t *b, phase_t phase)
{
    double took_s = cpu_s(CLOCK_MONOTONIC) - b->start_s;
    double took_cpu_s = cpu_s(CLOCK_THREAD_CPUTIME_ID) - b->start_cpu_s;
    b->longest_s[phase] = took_s > b->longest_s[phase] ? took_s : b->longest_s[phase];
    b->longest_cpu_s[phase] =
        took_cpu_s > b->longest_cpu_s[phase] ? took_cpu_s : b->longest_cpu_s[phase];
    begin(b);
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

static void end_checkpoint(bench_t *b)
{
    if (!b->frozen || !atomic_load(&b->result) || !leat__checkpoint_thaw(b->frozen, THAW_STEP))
        return;
    pthread_join(b->writer, NULL);
    leat__checkpoint_end(b->frozen, true);
    b->frozen = NULL;
    b->checkpoints++;
}

static void begin_checkpoint(bench_t *b)
{
    b->frozen = leat__checkpoint_begin(b->state, 2);
    atomic_store(&b->result, 0);
    if (b->frozen && pthread_create(&b->writer, NULL, write_checkpoint, b) != 0)
        exit(1);
}

static void commit(bench_t *b, size_t at)
{
    begin(b);
    leat__store_flush(b->store);
    leat__store_committed(b->store, (int64_t)at);
    end(b, COMMIT);
    end_checkpoint(b);
    end(b, THAW);
    if (!b->frozen && b->budget.frozen_bytes > b->buffer_bytes / 4)
        begin_checkpoint(b);
    end(b, FREEZE);
    if (b->budget.entry_bytes > b->buffer_bytes)
        leat__task_state_evict(b->state, b->budget.entry_bytes - b->buffer_bytes / 10 * 9);
    end(b, EVICT);
    while (b->frozen && b->budget.frozen_bytes > b->buffer_bytes) {
        usleep(500);
        end_checkpoint(b);
    }
    end(b, WAIT);
}

static void put(bench_t *b, size_t i)
{
    char key[24], value[8];
    uint64_t x = i * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    int size = snprintf(key, sizeof key, "k%015llu", (unsigned long long)(x % KEYS));
    int64_t time_ms = INT64_C(1700000000000) + (int64_t)(i / PER_MS);
    memcpy(value, &i, 8);
    leat_slice_t v = {value, 8};
    leat__window_put(b->store, (leat_slice_t){key, (size_t)size}, &v, time_ms, time_ms, NULL);
}

static void run(bench_t *b)
{
    int64_t start = leat__clock_steady_us(NULL), last = start, look = start;
    char inside[300];
    snprintf(inside, sizeof inside, "%s/rocksdb", b->dir);
    begin(b);
    for (size_t i = 0; i < b->entries; i++) {
        put(b, i);
        if ((i + 1) % 100 == 0)
            end(b, PUTS);
        if ((i + 1) % COMMIT_EVERY == 0)
            commit(b, i);
        int64_t now = leat__clock_steady_us(NULL), took = now - last;
        b->longest_us = took > b->longest_us ? took : b->longest_us;
        b->long_stalls += took > 10000;
        last = now;
        if (now - look > 500000) {
            uint64_t bytes = bytes_in(inside);
            b->disk_bytes = bytes > b->disk_bytes ? bytes : b->disk_bytes;
            look = last = leat__clock_steady_us(NULL);
        }
    }
    double seconds = (double)(leat__clock_steady_us(NULL) - start) / 1e6;
    printf("entries=%zu entries_per_s=%.0f thread_cpu_us=%.2f process_cpu_us=%.2f "
           "longest_stall_ms=%.1f stalls_over_10ms=%zu checkpoints=%zu disk_max_mb=%.0f "
           "buffer_mb=%zu\n",
        b->entries, (double)b->entries / seconds,
        cpu_s(CLOCK_THREAD_CPUTIME_ID) * 1e6 / (double)b->entries,
        cpu_s(CLOCK_PROCESS_CPUTIME_ID) * 1e6 / (double)b->entries, (double)b->longest_us / 1e3,
        b->long_stalls, b->checkpoints, (double)b->disk_bytes / 1e6, b->budget.entry_bytes >> 20);
    for (int i = 0; i < PHASES; i++)
        printf("longest_ms_of=%s clock=%.1f cpu=%.1f\n", phase_names[i], b->longest_s[i] * 1e3,
            b->longest_cpu_s[i] * 1e3);
}

int main(int argc, char **argv)
{
    static bench_t b = {.entries = 10000000, .buffer_bytes = 96 << 20, .retention_ms = 60000};
    snprintf(b.dir, sizeof b.dir, "/tmp/leat-bench-window");
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "entries=", 8) == 0)
            b.entries = strtoull(argv[i] + 8, NULL, 10);
        else if (strncmp(argv[i], "dir=", 4) == 0)
            snprintf(b.dir, sizeof b.dir, "%s", argv[i] + 4);
        else if (strncmp(argv[i], "buffer=", 7) == 0)
            b.buffer_bytes = strtoull(argv[i] + 7, NULL, 10);
        else if (strncmp(argv[i], "retention=", 10) == 0)
            b.retention_ms = strtoll(argv[i] + 10, NULL, 10);
        else
            return fprintf(stderr, "usage: bench_window [entries=N] [dir=DIR] [buffer=BYTES] "
                                   "[retention=MS]\n"), 1;
    }
    open_store(&b);
    run(&b);
    while (b.frozen) {
        usleep(1000);
        end_checkpoint(&b);
    }
    leat__task_state_close(b.state);
    empty(&b);
    return 0;
}
