/*
 * tests/unit/test_commit.c: the write buffer's rules one by one: what is flushed, kept, forgotten
 * and counted. The random walk over all of them together is test_store.c.
 */
#include "store_kit.h"

typedef struct heard_t {
    kit_t kit;
    char text[1024]; /* "key:old>new@time " for each forward */
    bool puts_again;
    bool puts_self;
} heard_t;

static void hear(void *user, leat__store_t *s, const leat__change_view_t *c)
{
    heard_t *h = user;
    size_t at = strlen(h->text);
    if (h->puts_self) { /* a processor downstream writes the very key that is being forwarded */
        h->puts_self = false;
        leat_slice_t value =
            leat_slice("a much longer value than the one before it, so that it moves");
        leat__store_put(s, c->key, &value, 9, NULL);
    }
    snprintf(h->text + at, sizeof h->text - at, "%.*s:%.*s>%.*s@%d ", (int)c->key.size, c->key.data,
        c->old_value ? (int)c->old_value->size : 1, c->old_value ? c->old_value->data : "-",
        c->value ? (int)c->value->size : 1, c->value ? c->value->data : "-", (int)c->time_ms);
    if (h->puts_again) {
        h->puts_again = false;
        leat_slice_t value = leat_slice("again");
        leat__store_put(s, leat_slice("b"), &value, 7, NULL);
    }
}

static heard_t *open_cached(const leat_backend_t *backend, bool wants_old)
{
    static heard_t h;
    h = (heard_t){0};
    kit_init(&h.kit);
    h.kit.def.backend = backend;
    h.kit.def.cached = true;
    kit_open(&h.kit);
    leat__store_on_flush(h.kit.store, hear, &h, wants_old);
    return &h;
}

static void expect_heard(heard_t *h, const char *text)
{
    assert_string_equal(h->text, text);
    h->text[0] = 0;
}

static void test_flush_order_is_that_of_the_last_write(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_memory(), true);
    kit_put(&h->kit, "a", "1");
    kit_put(&h->kit, "b", "1");
    kit_put(&h->kit, "c", "1");
    kit_put(&h->kit, "a", "2");
    leat__store_flush(h->kit.store);
    expect_heard(h, "b:->1@1 c:->1@1 a:->2@1 ");
    kit_release(&h->kit);
}

static void test_flush_of_a_key_never_seen_and_gone_says_nothing(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_rocksdb(), false);
    kit_put(&h->kit, "a", "1");
    kit_put(&h->kit, "a", NULL);
    kit_put(&h->kit, "b", NULL);
    kit_commit(&h->kit);
    expect_heard(h, "");
    assert_int_equal(h->kit.count, 0);
    kit_put(&h->kit, "a", "1");
    kit_commit(&h->kit);
    kit_put(&h->kit, "a", NULL);
    kit_commit(&h->kit);
    expect_heard(h, "a:->1@1 a:->-@1 ");
    assert_int_equal(h->kit.count, 2);
    kit_release(&h->kit);
}

static void test_flush_without_listener_writes_every_deletion(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_rocksdb(), false);
    leat__store_on_flush(h->kit.store, NULL, NULL, false);
    kit_put(&h->kit, "b", NULL);
    kit_commit(&h->kit);
    assert_int_equal(h->kit.count, 1);
    assert_null(h->kit.log[0].value);
    kit_release(&h->kit);
}

/* The old value of a key that is no longer in the buffer comes from the backend. */
static void test_flush_old_value_is_read_from_beneath(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_rocksdb(), true);
    kit_put(&h->kit, "a", "1");
    kit_commit(&h->kit);
    assert_true(kit_checkpoint(&h->kit));
    assert_true(leat__task_state_evict(h->kit.state, SIZE_MAX) > 0);
    assert_int_equal(h->kit.store->count, 0);
    kit_put(&h->kit, "a", "2");
    kit_commit(&h->kit);
    expect_heard(h, "a:->1@1 a:1>2@1 ");
    kit_release(&h->kit);
}

/* PROTOCOLS.md 22: one flush each; what is dirtied meanwhile is logged now and forwarded next
 * time. */
static void test_flush_cascade_into_the_same_store_is_logged_now_and_forwarded_later(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_rocksdb(), true);
    kit_put(&h->kit, "a", "1");
    h->puts_again = true;
    kit_commit(&h->kit);
    expect_heard(h, "a:->1@1 ");
    assert_int_equal(h->kit.count, 2);
    assert_string_equal(h->kit.log[1].key, "b");
    kit_check(&h->kit);
    kit_commit(&h->kit);
    expect_heard(h, "b:->again@7 ");
    assert_int_equal(h->kit.count, 2); /* it stood in the changelog already */
    kit_check(&h->kit);
    kit_release(&h->kit);
}

static void test_flush_cascade_not_logged_is_not_committed(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_rocksdb(), true);
    kit_put(&h->kit, "a", "1");
    h->puts_again = true;
    leat__store_flush(h->kit.store);
    leat__store_committed(h->kit.store, (int64_t)h->kit.count);
    assert_true(leat__store_dirty(h->kit.store));
    assert_true(kit_checkpoint(&h->kit));
    kit_abort(&h->kit);
    kit_expect(&h->kit, "a", "1");
    kit_expect(&h->kit, "b", NULL);
    kit_release(&h->kit);
}

static void test_flush_listener_sees_a_still_value_while_it_writes_the_key(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_rocksdb(), true);
    kit_put(&h->kit, "a", "1");
    h->puts_self = true;
    leat__store_flush(h->kit.store);
    expect_heard(h, "a:->1@1 ");
    assert_string_equal(h->kit.log[0].value, "1");
    kit_check(&h->kit);
    leat__store_flush(h->kit.store);
    expect_heard(h, "a:1>a much longer value than the one before it, so that it moves@9 ");
    kit_check(&h->kit);
    kit_release(&h->kit);
}

static void test_commit_three_versions_of_a_key_stay_apart(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_rocksdb(), true);
    kit_put(&h->kit, "a", "committed");
    kit_commit(&h->kit);
    kit_put(&h->kit, "a", "forwarded");
    leat__store_flush(h->kit.store);
    kit_put(&h->kit, "a", "current");
    expect_heard(h, "a:->committed@1 a:committed>forwarded@1 ");
    leat__store_flush(h->kit.store);
    expect_heard(h, "a:forwarded>current@1 ");
    kit_expect(&h->kit, "a", "current");
    kit_abort(&h->kit);
    kit_expect(&h->kit, "a", "committed");
    kit_put(&h->kit, "a", "next");
    leat__store_flush(h->kit.store);
    expect_heard(h, "a:committed>next@1 ");
    kit_release(&h->kit);
}

static void test_abort_of_a_clean_key_comes_back_from_the_backend(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_put(&kit, "a", "2");
    kit_put(&kit, "n", "new");
    kit_abort(&kit);
    kit_check(&kit);
    kit_expect(&kit, "a", "1");
    kit_expect(&kit, "n", NULL);
    kit_release(&kit);
}

/* A get of an absent key and the put after it: the backend is asked once. */
static void test_get_remembers_that_there_is_nothing(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    kit_expect(&kit, "b", NULL);
    assert_int_equal(kit.store->count, 1); /* nothing beneath: not even asked */
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_expect(&kit, "b", NULL);
    assert_int_equal(kit.store->count, 2);
    kit_release(&kit);
}

/* Puts, gets and commits of known keys live on the pieces they give back: the pool does not
 * grow. */
static void test_put_over_known_keys_grows_nothing(void **state)
{
    (void)state;
    static kit_t kit;
    char key[16], bytes[8] = {0};
    kit_init(&kit);
    kit.def.logged = false;
    kit_open(&kit);
    const leat__store_t *s = kit.store;
    leat__store_t settled = {0};
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < 20000; i++) {
            leat_slice_t v;
            leat_slice_t k = {key, (size_t)snprintf(key, sizeof key, "%d", i % 10000)};
            leat__store_get(kit.store, k, &v, NULL);
            v = (leat_slice_t){bytes, i % 2 ? 8 : 5};
            leat__store_put(kit.store, k, &v, i, NULL);
        }
        kit_commit(&kit);
        if (round == 3)
            settled = *s;
        kit_check(&kit);
    }
    assert_ptr_equal(s->pool.chunks, settled.pool.chunks); /* (under ASan there are none) */
    assert_ptr_equal(s->pool.at, settled.pool.at);
    assert_int_equal(s->open.room, settled.open.room);
    assert_int_equal(s->dirty.room, settled.dirty.room);
    assert_int_equal(s->committed.room, settled.committed.room);
    assert_int_equal(s->mask, settled.mask);
    kit_release(&kit);
}

static void test_budget_counts_each_state(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_rocksdb(), false);
    const leat__budget_t *b = &h->kit.budget;
    kit_put(&h->kit, "a", "12345678");
    size_t one = b->dirty_bytes;
    assert_true(one >= sizeof(leat__entry_t) + 9);
    assert_int_equal(b->cached_dirty_bytes, one);
    assert_int_equal(b->frozen_bytes, 0);
    leat__store_flush(h->kit.store);
    assert_int_equal(b->cached_dirty_bytes, 0);
    assert_int_equal(b->dirty_bytes, one);
    kit_commit(&h->kit);
    assert_int_equal(b->dirty_bytes, 0);
    assert_int_equal(b->frozen_bytes, one);
    leat__frozen_t *f = leat__checkpoint_begin(h->kit.state, 5000);
    assert_int_equal(b->frozen_bytes, one);
    leat_error_t err;
    assert_int_equal(leat__checkpoint_write(f, &err), LEAT_OK);
    leat__checkpoint_end(f, true);
    assert_int_equal(b->frozen_bytes, 0);
    size_t before = b->entry_bytes;
    assert_int_equal(leat__task_state_evict(h->kit.state, SIZE_MAX), one);
    assert_int_equal(b->entry_bytes, before - one);
    kit_release(&h->kit);
}

static void test_budget_does_not_hold_what_memory_stores_keep(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit.def.backend = leat_backend_memory();
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    assert_true(kit.budget.dirty_bytes > 0);
    assert_int_equal(kit.budget.entry_bytes, kit.budget.dirty_bytes);
    kit_commit(&kit);
    assert_int_equal(kit.budget.entry_bytes, 0);
    assert_int_equal(leat__task_state_evict(kit.state, SIZE_MAX), 0);
    kit_expect(&kit, "a", "1");
    kit_release(&kit);
}

/* Second chance: what was used since the hand came by stays. */
static void test_evict_keeps_what_was_used(void **state)
{
    (void)state;
    static kit_t kit;
    char key[16];
    kit_init(&kit);
    kit_open(&kit);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "%d", i);
        kit_put(&kit, key, "12345678");
    }
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    /* the hand goes round once: nothing is "used" now */
    leat__task_state_evict(kit.state, 100 * 64);
    size_t kept = kit.store->count;
    assert_in_range(kept, 895, 905);
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "%d", i);
        kit_expect(&kit, key, "12345678");
    }
    leat__task_state_evict(kit.state, 400 * 64);
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_non_null(leat__entry_find(
            kit.store, leat_slice(key), leat__entry_hash(leat_slice(key))));
    }
    kit_check(&kit);
    kit_release(&kit);
}

static void test_headers_of_the_last_write_go_with_the_flush(void **state)
{
    (void)state;
    heard_t *h = open_cached(leat_backend_rocksdb(), false);
    leat__arena_t arena;
    leat__arena_init(&arena);
    leat_header_t header = {"trace", {"42", 2}};
    leat_slice_t value = leat_slice("1");
    const leat_headers_t *headers = leat__headers_new(&arena, &header, 1);
    leat__store_put(h->kit.store, leat_slice("a"), &value, 1, headers);
    leat__arena_release(&arena); /* the store keeps its own */
    size_t with = h->kit.budget.entry_bytes;
    leat__store_flush(h->kit.store);
    assert_true(h->kit.budget.entry_bytes < with);
    kit_release(&h->kit);
}

static void test_cursor_reversed_range_has_no_rows(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit_open(&kit);
    kit_put(&kit, "", "0");
    kit_put(&kit, "a", "1");
    kit_put(&kit, "b", "2");
    kit_put(&kit, "\xff", "3");
    kit_expect_rows(
        leat__store_range(kit.store, leat_slice("b"), leat_slice("a"), LEAT_ASCENDING), "");
    kit_expect_rows(
        leat__store_range(kit.store, leat_slice("a"), leat_slice("b"), LEAT_DESCENDING), "b=2 a=1");
    kit_expect_rows(
        leat__store_range(kit.store, leat_slice(""), leat_slice(""), LEAT_ASCENDING), "=0");
    kit_expect_rows(leat__store_prefix(kit.store, leat_slice("\xff"), LEAT_ASCENDING), "\xff=3");
    kit_expect_rows(leat__store_prefix(kit.store, leat_slice(""), LEAT_DESCENDING),
        "\xff=3 b=2 a=1 =0");
    kit_release(&kit);
}

/* PROTOCOLS.md 11, step by step: frozen, written, cleaned and evicted while a cursor is open. */
static void test_cursor_is_not_disturbed_by_a_checkpoint_and_an_eviction(void **state)
{
    (void)state;
    static kit_t kit;
    leat_error_t err;
    kit_init(&kit);
    kit_open(&kit);
    kit_put(&kit, "a", "old");
    kit_put(&kit, "k", "old");
    kit_commit(&kit);
    assert_true(kit_checkpoint(&kit));
    kit_put(&kit, "k", "new");
    kit_commit(&kit);
    leat__frozen_t *f = leat__checkpoint_begin(kit.state, 5000);
    leat__cursor_t *c = kit_all(&kit);
    assert_int_equal(leat__checkpoint_write(f, &err), LEAT_OK);
    leat__checkpoint_end(f, true);
    leat__task_state_evict(kit.state, SIZE_MAX);
    assert_int_equal(kit.store->count, 0);
    kit_put(&kit, "a", "later");
    kit_expect_rows(c, "a=old k=new");
    kit_release(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flush_order_is_that_of_the_last_write),
        cmocka_unit_test(test_flush_of_a_key_never_seen_and_gone_says_nothing),
        cmocka_unit_test(test_flush_without_listener_writes_every_deletion),
        cmocka_unit_test(test_flush_old_value_is_read_from_beneath),
        cmocka_unit_test(test_flush_cascade_into_the_same_store_is_logged_now_and_forwarded_later),
        cmocka_unit_test(test_flush_cascade_not_logged_is_not_committed),
        cmocka_unit_test(test_flush_listener_sees_a_still_value_while_it_writes_the_key),
        cmocka_unit_test(test_commit_three_versions_of_a_key_stay_apart),
        cmocka_unit_test(test_abort_of_a_clean_key_comes_back_from_the_backend),
        cmocka_unit_test(test_get_remembers_that_there_is_nothing),
        cmocka_unit_test(test_put_over_known_keys_grows_nothing),
        cmocka_unit_test(test_budget_counts_each_state),
        cmocka_unit_test(test_budget_does_not_hold_what_memory_stores_keep),
        cmocka_unit_test(test_evict_keeps_what_was_used),
        cmocka_unit_test(test_headers_of_the_last_write_go_with_the_flush),
        cmocka_unit_test(test_cursor_reversed_range_has_no_rows),
        cmocka_unit_test(test_cursor_is_not_disturbed_by_a_checkpoint_and_an_eviction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
