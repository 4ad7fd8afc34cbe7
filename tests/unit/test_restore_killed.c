/*
 * tests/unit/test_restore_killed.c: a process killed in the middle of a restore goes on from what its metadata say.
 *
 * A forked child restores a changelog, with a budget so small that it writes every few thousand rows, and is killed
 * at some instant. The offset that the next open finds may be anything, but the rows below it are
 * there: replaying the rest gives what the changelog says (PROTOCOLS.md 19).
 */
#include "store_kit.h"

#include <signal.h>
#include <sys/wait.h>

enum { RECORDS = 150000, KEYS = 60000, BATCH = 1000, ROUNDS = 6 };

static uint32_t key_of(uint32_t i)
{
    return (uint32_t)((i * UINT64_C(2654435761)) % KEYS);
}

static bool is_tombstone(uint32_t i)
{
    return i % 11 == 0;
}

static void restore(kit_t *kit, int64_t from)
{
    static leat__restore_record_t records[BATCH];
    static char keys[BATCH][16];
    static uint32_t values[BATCH];
    leat_error_t err;
    for (uint32_t at = (uint32_t)from; at < RECORDS;) {
        size_t count = 0;
        for (; count < BATCH && at < RECORDS; count++, at++) {
            int size = snprintf(keys[count], 16, "key-%06u", key_of(at));
            values[count] = at;
            records[count] = (leat__restore_record_t){{keys[count], (size_t)size},
                {is_tombstone(at) ? NULL : (char *)&values[count], is_tombstone(at) ? 0 : 4}, 1};
        }
        assert_int_equal(leat__store_restore(kit->store, records, count, at, &err), LEAT_OK);
    }
}

static void child(kit_t *kit, int ready)
{
    kit_open(kit);
    leat__store_clear(kit->store);
    if (write(ready, "r", 1) != 1)
        _exit(1);
    restore(kit, 0);
    leat__restore_write(kit->store, NULL);
    pause();
}

static void test_restore_killed_goes_on_from_its_offset(void **state)
{
    (void)state;
    static uint32_t last[KEYS];
    size_t midway = 0;
    for (uint32_t i = 0; i < RECORDS; i++)
        last[key_of(i)] = i + 1;
    for (int round = 0; round < ROUNDS; round++) {
        static kit_t kit;
        int ends[2];
        char one;
        kit_init(&kit);
        kit.budget.restore_bytes = 500000;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0)
            child(&kit, ends[1]);
        assert_true(pid > 0);
        assert_int_equal(read(ends[0], &one, 1), 1);
        usleep((useconds_t)(round * 40000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(ends[0]);
        close(ends[1]);
        kit_open(&kit);
        int64_t next = leat__store_meta(kit.store).changelog_next;
        midway += next > 0 && next < RECORDS;
        if (next < 0)
            leat__store_clear(kit.store);
        restore(&kit, next < 0 ? 0 : next);
        assert_int_equal(leat__restore_write(kit.store, NULL), LEAT_OK);
        for (uint32_t k = 0; k < KEYS; k++) {
            char key[16];
            leat_slice_t value = {NULL, 0};
            uint32_t at = last[k] - 1;
            int size = snprintf(key, sizeof key, "key-%06u", k);
            bool found = leat__store_get(kit.store, (leat_slice_t){key, (size_t)size}, &value, NULL);
            assert_int_equal(found, last[k] && !is_tombstone(at));
            if (found)
                assert_memory_equal(value.data, &at, 4);
        }
        kit_release(&kit);
    }
    printf("%zu of %d were killed midway\n", midway, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore_killed_goes_on_from_its_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
