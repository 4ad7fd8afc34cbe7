/*
 * tests/unit/test_kv.c: the typed verbs of leat/store.h, least-recently-used and custom stores.
 *
 * The owner is a plain struct that keeps the first failure, as a processor's context does.
 */
#include "store_kit.h"

#include "statestore/typed.h"

typedef struct user_t {
    leat__owner_t owner; /* first: the failure callback gets its address */
    leat__arena_t scratch;
    int code;
    char text[512];
    kit_t kit;
    leat_kv_t *kv;
} user_t;

static void keep_failure(leat__owner_t *o, int code, const char *text)
{
    user_t *u = (user_t *)(void *)o;
    if (u->code)
        return;
    u->code = code;
    snprintf(u->text, sizeof u->text, "%s", text);
}

static user_t *open_user(leat_store_kind_t kind, const leat_backend_t *backend,
    const leat_serde_t *key, const leat_serde_t *value)
{
    static user_t u;
    u = (user_t){0};
    kit_init(&u.kit);
    u.kit.def.kind = kind;
    u.kit.def.backend = backend;
    u.kit.def.log_each = true;
    u.kit.def.entries_max = 3;
    kit_open(&u.kit);
    leat__arena_init(&u.scratch);
    u.owner = (leat__owner_t){.fail = keep_failure, .scratch = &u.scratch, .time_ms = 100};
    u.kv = leat__kv_new(u.kit.store, key, value, "app-s-changelog", &u.owner);
    return &u;
}

static void close_user(user_t *u)
{
    leat__owner_finish(&u->owner);
    leat__kv_free(u->kv);
    leat__arena_release(&u->scratch);
    kit_release(&u->kit);
}

static user_t *open_counts(leat_store_kind_t kind)
{
    return open_user(kind, leat_backend_rocksdb(), leat_serde_string(), leat_serde_int64());
}

static void put(user_t *u, const char *key, int64_t value)
{
    leat_slice_t k = leat_slice(key);
    leat_kv_put(u->kv, &k, &value);
}

static void expect(user_t *u, const char *key, int64_t value)
{
    leat_slice_t k = leat_slice(key);
    const int64_t *found = leat_kv_get(u->kv, &k);
    assert_non_null(found);
    assert_int_equal(*found, value);
}

static void expect_none(user_t *u, const char *key)
{
    leat_slice_t k = leat_slice(key);
    assert_null(leat_kv_get(u->kv, &k));
}

static void test_put_and_get_carry_the_time(void **state)
{
    (void)state;
    user_t *u = open_counts(LEAT_TIMESTAMPED_KV);
    leat_slice_t a = leat_slice("a");
    int64_t value = 7;
    put(u, "a", 5);
    const leat_row_t *row = leat_kv_row(u->kv, &a);
    assert_int_equal(row->time_ms, 100);
    assert_int_equal(*(const int64_t *)row->value, 5);
    leat_kv_put_at(u->kv, &a, &value, 20); /* older: applies all the same */
    assert_int_equal(leat_kv_row(u->kv, &a)->time_ms, 20);
    expect(u, "a", 7);
    assert_int_equal(u->kit.log[1].time_ms, 20);
    assert_int_equal(u->kit.log[1].size, 8); /* the changelog has the plain value */
    leat_kv_put_at(u->kv, &a, NULL, 20);
    assert_int_equal(u->kit.log[2].time_ms, 100); /* a deletion: at the record's time */
    assert_null(leat_kv_row(u->kv, &a));
    close_user(u);
}

static void test_plain_store_has_no_times(void **state)
{
    (void)state;
    user_t *u = open_counts(LEAT_KV);
    leat_slice_t a = leat_slice("a");
    put(u, "a", 5);
    assert_int_equal(leat_kv_row(u->kv, &a)->time_ms, -1);
    assert_int_equal(u->kit.log[0].time_ms, 100);
    close_user(u);
}

static void test_delete_and_put_if_absent_return_what_was_there(void **state)
{
    (void)state;
    user_t *u = open_counts(LEAT_TIMESTAMPED_KV);
    leat_slice_t a = leat_slice("a");
    int64_t one = 1, two = 2;
    assert_null(leat_kv_put_if_absent(u->kv, &a, &one));
    assert_int_equal(*(const int64_t *)leat_kv_put_if_absent(u->kv, &a, &two), 1);
    expect(u, "a", 1);
    assert_int_equal(u->kit.count, 1);
    assert_int_equal(*(const int64_t *)leat_kv_delete(u->kv, &a), 1);
    assert_null(leat_kv_delete(u->kv, &a));
    expect_none(u, "a");
    assert_int_equal(u->kit.count, 3); /* Kafka logs the second deletion too */
    close_user(u);
}

static void test_null_key_fails_the_record(void **state)
{
    (void)state;
    user_t *u = open_counts(LEAT_KV);
    int64_t one = 1;
    assert_null(leat_kv_get(u->kv, NULL));
    assert_int_equal(u->code, LEAT_ENULL);
    assert_non_null(strstr(u->text, "store s"));
    u->code = 0;
    leat_kv_put(u->kv, NULL, &one);
    assert_int_equal(u->code, LEAT_ENULL);
    assert_int_equal(u->kit.count, 0);
    u->code = 0;
    assert_null(leat_kv_delete(u->kv, NULL));
    assert_int_equal(u->code, LEAT_ENULL);
    close_user(u);
}

static void test_value_that_does_not_decode_fails_the_record(void **state)
{
    (void)state;
    user_t *u = open_counts(LEAT_KV);
    leat_slice_t value = leat_slice("123");
    leat__store_put(u->kit.store, leat_slice("a"), &value, 1, NULL);
    expect_none(u, "a");
    assert_int_equal(u->code, LEAT_ESERDE);
    close_user(u);
}

/* What get gave stays, though the store changes under it within the record. */
static void test_get_outlives_later_writes(void **state)
{
    (void)state;
    user_t *u = open_user(
        LEAT_KV, leat_backend_memory(), leat_serde_string(), leat_serde_string());
    leat_slice_t a = leat_slice("a"), first = leat_slice("first"), other = leat_slice("other");
    leat_kv_put(u->kv, &a, &first);
    const leat_slice_t *value = leat_kv_get(u->kv, &a);
    leat_kv_put(u->kv, &a, &other);
    assert_true(leat_slice_is(value, "first"));
    leat_kv_delete(u->kv, &a);
    assert_true(leat_slice_is(value, "first"));
    close_user(u);
}

static void test_get_many_counts_what_it_found(void **state)
{
    (void)state;
    user_t *u = open_counts(LEAT_KV);
    leat_slice_t a = leat_slice("a"), b = leat_slice("b"), c = leat_slice("c");
    const void *keys[] = {&a, &b, &c}, *values[3];
    put(u, "a", 1);
    put(u, "c", 3);
    assert_int_equal(leat_kv_get_many(u->kv, keys, values, 3), 2);
    assert_int_equal(*(const int64_t *)values[2], 3);
    assert_null(values[1]);
    close_user(u);
}

static void expect_rows(leat_iter_t *it, const char *rows)
{
    char text[256] = "";
    size_t at = 0;
    const leat_row_t *row;
    while ((row = leat_iter_next(it))) {
        const leat_slice_t *key = row->key;
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s=%lld ", LEAT_P(key),
            (long long)*(const int64_t *)row->value);
    }
    assert_string_equal(text, rows);
    assert_null(leat_iter_next(it));
    leat_iter_close(it); /* optional, and fine after the end */
}

static void test_range_and_prefix(void **state)
{
    (void)state;
    user_t *u = open_counts(LEAT_TIMESTAMPED_KV);
    leat_slice_t a = leat_slice("a"), b = leat_slice("b"), z = leat_slice("z");
    put(u, "a", 1);
    put(u, "ab", 2);
    put(u, "b", 3);
    put(u, "\xc3\xa9", 4); /* é: after every ASCII letter */
    expect_rows(leat_kv_range(u->kv, NULL, NULL, LEAT_ASCENDING), "a=1 ab=2 b=3 \xc3\xa9=4 ");
    expect_rows(leat_kv_range(u->kv, &a, &b, LEAT_DESCENDING), "b=3 ab=2 a=1 ");
    expect_rows(leat_kv_range(u->kv, &b, NULL, LEAT_ASCENDING), "b=3 \xc3\xa9=4 ");
    expect_rows(leat_kv_range(u->kv, &b, &a, LEAT_ASCENDING), "");
    expect_rows(leat_kv_prefix(u->kv, &a, LEAT_ASCENDING), "a=1 ab=2 ");
    expect_rows(leat_kv_prefix(u->kv, &z, LEAT_ASCENDING), "");
    assert_int_equal(u->code, 0);
    assert_int_equal(leat_kv_count(u->kv), 4);
    close_user(u);
}

static void test_iterator_shows_the_store_of_its_opening(void **state)
{
    (void)state;
    user_t *u = open_counts(LEAT_KV);
    put(u, "a", 1);
    put(u, "b", 2);
    leat_iter_t *it = leat_kv_range(u->kv, NULL, NULL, LEAT_ASCENDING);
    assert_non_null(leat_iter_next(it));
    put(u, "b", 20);
    put(u, "c", 30);
    expect_rows(it, "b=2 ");
    leat_kv_range(u->kv, NULL, NULL, LEAT_ASCENDING); /* never read: closed with the record */
    leat__owner_finish(&u->owner);
    assert_int_equal(u->kit.state->cursors, 0);
    close_user(u);
}

static void test_nil_store_absorbs_calls(void **state)
{
    (void)state;
    leat_kv_t *nil = leat__kv_nil(NULL);
    leat_slice_t a = leat_slice("a");
    int64_t one = 1;
    leat_kv_put(nil, &a, &one);
    assert_null(leat_kv_get(nil, &a));
    assert_null(leat_kv_row(nil, &a));
    assert_null(leat_kv_delete(nil, &a));
    assert_null(leat_iter_next(leat_kv_range(nil, NULL, NULL, LEAT_ASCENDING)));
    assert_null(leat_iter_next(leat_kv_prefix(nil, &a, LEAT_ASCENDING)));
    assert_int_equal(leat_kv_count(nil), 0);
    leat__kv_free(nil);
}

/* ---- least recently used: three rows at most ---- */

static user_t *open_lru(void)
{
    return open_user(LEAT_KV, leat_backend_lru(), leat_serde_string(), leat_serde_int64());
}

static void test_lru_drops_the_least_recently_used_also_from_the_changelog(void **state)
{
    (void)state;
    user_t *u = open_lru();
    put(u, "a", 1);
    put(u, "b", 2);
    put(u, "c", 3);
    expect(u, "a", 1); /* used: now b is the eldest */
    put(u, "d", 4);
    expect_none(u, "b");
    expect(u, "a", 1);
    assert_int_equal(leat_kv_count(u->kv), 3);
    assert_int_equal(u->kit.count, 5); /* the tombstone of b stands before d, as in Kafka */
    assert_string_equal(u->kit.log[3].key, "b");
    assert_null(u->kit.log[3].value);
    assert_string_equal(u->kit.log[4].key, "d");
    kit_check(&u->kit);
    close_user(u);
}

static void test_lru_abort_brings_the_dropped_row_back(void **state)
{
    (void)state;
    user_t *u = open_lru();
    put(u, "a", 1);
    put(u, "b", 2);
    put(u, "c", 3);
    kit_commit(&u->kit);
    put(u, "d", 4);
    expect_none(u, "a");
    kit_abort(&u->kit);
    expect(u, "a", 1);
    expect(u, "b", 2);
    expect(u, "c", 3);
    expect_none(u, "d");
    kit_check(&u->kit);
    close_user(u);
}

static void test_lru_restores_no_more_than_it_holds(void **state)
{
    (void)state;
    user_t *u = open_lru();
    const char *keys[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++) {
        char number[8] = {0, 0, 0, 0, 0, 0, 0, (char)i};
        leat__restore_record_t r = {leat_slice(keys[i]), {number, 8}, 1};
        assert_int_equal(leat__store_restore(u->kit.store, &r, 1, (int64_t)i + 1, NULL), LEAT_OK);
    }
    assert_int_equal(leat_kv_count(u->kv), 3);
    expect_none(u, "a");
    expect_none(u, "b");
    expect(u, "e", 4);
    assert_int_equal(u->kit.count, 0);
    close_user(u);
}

static void test_lru_ranges_over_what_it_holds(void **state)
{
    (void)state;
    user_t *u = open_lru();
    put(u, "b", 1);
    put(u, "d", 2);
    put(u, "a", 3);
    leat_iter_t *it = leat_kv_range(u->kv, NULL, NULL, LEAT_ASCENDING);
    put(u, "c", 4); /* b goes */
    expect_rows(it, "a=3 b=1 d=2 ");
    expect_rows(leat_kv_range(u->kv, NULL, NULL, LEAT_ASCENDING), "a=3 c=4 d=2 ");
    close_user(u);
}

static void test_lru_timestamped_drops_without_a_tombstone(void **state)
{
    (void)state;
    user_t *u = open_user(
        LEAT_TIMESTAMPED_KV, leat_backend_lru(), leat_serde_string(), leat_serde_int64());
    put(u, "a", 1);
    put(u, "b", 2);
    put(u, "c", 3);
    put(u, "d", 4);
    expect_none(u, "a");
    assert_int_equal(u->kit.count, 4); /* as in Kafka Streams: a restore trims what it reads */
    kit_check(&u->kit);
    close_user(u);
}

static void test_lru_cached_is_trimmed_at_the_flush(void **state)
{
    (void)state;
    static kit_t kit;
    kit_init(&kit);
    kit.def.backend = leat_backend_lru();
    kit.def.entries_max = 2;
    kit.def.cached = true;
    kit_open(&kit);
    kit_put(&kit, "a", "1");
    kit_put(&kit, "b", "2");
    kit_put(&kit, "c", "3");
    kit_expect(&kit, "a", "1");
    kit_commit(&kit);
    kit_check(&kit);
    assert_int_equal(leat__store_count(kit.store), 2);
    kit_expect(&kit, "b", NULL); /* a was read after it */
    assert_int_equal(kit.count, 4);
    assert_string_equal(kit.log[3].key, "b");
    assert_null(kit.log[3].value);
    kit_release(&kit);
}

/* ---- custom ---- */

typedef struct model_t {
    char text[256];
    int opened, closed;
} model_t;

static model_t model;

static int model_open(void **self, const char *dir, leat_error_t *err)
{
    (void)dir, (void)err;
    model.opened++;
    model.text[0] = 0;
    *self = &model;
    return 0;
}

static void model_apply(void *self, leat_slice_t key, leat_slice_t value)
{
    model_t *m = self;
    size_t at = strlen(m->text);
    snprintf(m->text + at, sizeof m->text - at, "%.*s=%.*s ", LEAT_P(&key),
        value.data ? (int)value.size : 1, value.data ? value.data : "-");
}

static void model_close(void *self)
{
    model_t *m = self;
    m->closed++;
}

static void test_custom_sees_every_change_in_order_after_its_commit(void **state)
{
    (void)state;
    static const leat_custom_t custom = {
        .name = "model", .open = model_open, .apply = model_apply, .close = model_close};
    static kit_t kit;
    model = (model_t){0};
    kit_init(&kit);
    kit.def.kind = LEAT_CUSTOM;
    kit.def.custom = &custom;
    kit_open(&kit);
    assert_ptr_equal(leat__store_custom_self(kit.store), &model);
    kit_put(&kit, "a", "1");
    kit_put(&kit, "a", "2");
    kit_put(&kit, "b", NULL);
    assert_true(leat__store_dirty(kit.store));
    assert_true(kit.budget.dirty_bytes > 0);
    assert_string_equal(model.text, "");
    assert_int_equal(kit.count, 3);
    kit_commit(&kit);
    assert_string_equal(model.text, "a=1 a=2 b=- ");
    assert_int_equal(kit.budget.dirty_bytes, 0);
    kit_put(&kit, "c", "3");
    kit_abort(&kit);
    kit_commit(&kit);
    assert_string_equal(model.text, "a=1 a=2 b=- ");
    kit_reopen(&kit); /* opened, emptied, replayed from the beginning */
    assert_string_equal(model.text, "a=1 a=2 b=- ");
    kit_release(&kit);
    assert_int_equal(model.opened, model.closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_and_get_carry_the_time),
        cmocka_unit_test(test_plain_store_has_no_times),
        cmocka_unit_test(test_delete_and_put_if_absent_return_what_was_there),
        cmocka_unit_test(test_null_key_fails_the_record),
        cmocka_unit_test(test_value_that_does_not_decode_fails_the_record),
        cmocka_unit_test(test_get_outlives_later_writes),
        cmocka_unit_test(test_get_many_counts_what_it_found),
        cmocka_unit_test(test_range_and_prefix),
        cmocka_unit_test(test_iterator_shows_the_store_of_its_opening),
        cmocka_unit_test(test_nil_store_absorbs_calls),
        cmocka_unit_test(test_lru_drops_the_least_recently_used_also_from_the_changelog),
        cmocka_unit_test(test_lru_abort_brings_the_dropped_row_back),
        cmocka_unit_test(test_lru_restores_no_more_than_it_holds),
        cmocka_unit_test(test_lru_ranges_over_what_it_holds),
        cmocka_unit_test(test_lru_timestamped_drops_without_a_tombstone),
        cmocka_unit_test(test_lru_cached_is_trimmed_at_the_flush),
        cmocka_unit_test(test_custom_sees_every_change_in_order_after_its_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
