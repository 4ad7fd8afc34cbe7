/*
 * Every operator adopts its .user: freed exactly once, whether the call succeeds, fails, is made
 * on a nil handle, on a builder without memory, or runs out of memory at any allocation.
 *
 * Method: a table of calls, each with a counting destructor, run against every kind of upstream.
 */
#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"
#include "dsl_kit.h"

typedef struct upstream_t {
    leat_builder_t *b;
    leat_stream_t *stream;
    leat_table_t *table;
    leat_grouped_t *grouped, *grouped_table;
    bool good; /* else required functions are left out */
} upstream_t;

static int freed, adopted;

static void count_free(void *user)
{
    assert_ptr_equal(user, &freed);
    freed++;
}

#define USER .user = &freed, .user_free = count_free

static leat_node_opts_t node_opts(void)
{
    adopted++;
    return (leat_node_opts_t){USER};
}

#define NODE_CALL(name_, call_)                                                                    \
    static void name_(upstream_t *u)                                                               \
    {                                                                                              \
        leat_node_opts_t o = node_opts();                                                          \
        leat_map_fn fn = u->good ? same : NULL;                                                    \
        leat_predicate_fn test = u->good ? yes : NULL;                                             \
                                                                                                   \
        (void)fn;                                                                                  \
        (void)test;                                                                                \
        call_;                                                                                     \
    }

NODE_CALL(filter, leat_stream_filter(u->stream, NULL, test, &o))
NODE_CALL(filter_not, leat_stream_filter_not(u->stream, NULL, test, &o))
NODE_CALL(map, leat_stream_map(u->stream, NULL, fn, str(), str(), &o))
NODE_CALL(map_values, leat_stream_map_values(u->stream, NULL, fn, str(), &o))
NODE_CALL(flat_map, leat_stream_flat_map(u->stream, NULL, fn, str(), str(), &o))
NODE_CALL(flat_map_values, leat_stream_flat_map_values(u->stream, NULL, fn, str(), &o))
NODE_CALL(select_key, leat_stream_select_key(u->stream, NULL, fn, str(), &o))
NODE_CALL(peek, leat_stream_peek(u->stream, NULL, fn, &o))
NODE_CALL(for_each, leat_stream_for_each(u->stream, NULL, fn, &o))
NODE_CALL(process, leat_stream_process(u->stream, NULL, fn, str(), str(), &o))
NODE_CALL(process_values, leat_stream_process_values(u->stream, NULL, fn, str(), &o))
NODE_CALL(merge, leat_stream_merge(u->stream, u->stream, u->good ? NULL : "bad name", &o))
NODE_CALL(group_by, leat_stream_group_by(u->stream, NULL, fn, str(), &o))
NODE_CALL(group_by_key, leat_stream_group_by_key(u->stream, u->good ? NULL : "bad name", &o))
NODE_CALL(table_group_by, leat_table_group_by(u->table, NULL, fn, str(), str(), &o))

static void split(upstream_t *u)
{
    leat_node_opts_t o = node_opts();
    leat_branch_t branches[] = {{.when = u->good ? yes : NULL, USER}, {.name = "rest", USER}};

    adopted += 2;
    leat_stream_split(u->stream, NULL, branches, 2, &o);
    assert_non_null(branches[0].stream);
    leat_stream_for_each(branches[1].stream, NULL, nothing, NULL);
}

static void repartition(upstream_t *u)
{
    leat_repartition_opts_t o = {USER, .reserved = {u->good ? NULL : u}};

    adopted++;
    leat_stream_repartition(u->stream, NULL, &o);
}

static void to(upstream_t *u)
{
    leat_sink_opts_t o = {USER};

    adopted++;
    leat_stream_to(u->stream, u->good ? "out" : NULL, &o);
}

static void route(upstream_t *u)
{
    leat_sink_opts_t o = {USER};

    adopted++;
    leat_stream_route(u->stream, u->good ? same : NULL, &o);
}

static void read_stream(upstream_t *u)
{
    leat_source_opts_t o = {USER};

    adopted++;
    leat_builder_stream(u->b, "more", str(), u->good ? str() : NULL, &o);
}

static void read_table(upstream_t *u)
{
    leat_source_opts_t o = {USER};

    adopted++;
    leat_builder_table(u->b, "rows", u->good ? str() : NULL, str(), &o);
}

static leat_fold_opts_t fold_opts(void)
{
    adopted++;
    return (leat_fold_opts_t){USER};
}

static void count(upstream_t *u)
{
    leat_fold_opts_t o = fold_opts();

    o.subtract = u->good ? NULL : second;
    leat_grouped_count(u->grouped, NULL, &o);
}

static void reduce(upstream_t *u)
{
    leat_fold_opts_t o = fold_opts();

    leat_grouped_reduce(u->grouped, NULL, u->good ? second : NULL, &o);
}

static void aggregate(upstream_t *u)
{
    leat_fold_opts_t o = fold_opts();

    leat_grouped_aggregate(u->grouped, NULL, second, u->good ? str() : NULL, &o);
}

static void reduce_table(upstream_t *u)
{
    leat_fold_opts_t o = fold_opts();

    o.subtract = u->good ? second : NULL;
    leat_grouped_reduce(u->grouped_table, NULL, second, &o);
}

#define TABLE_CALL(name_, call_)                                                                   \
    static void name_(upstream_t *u)                                                               \
    {                                                                                              \
        leat_table_opts_t o = {USER};                                                              \
                                                                                                   \
        adopted++;                                                                                 \
        call_;                                                                                     \
    }

TABLE_CALL(table_filter, leat_table_filter(u->table, NULL, u->good ? yes : NULL, &o))
TABLE_CALL(table_filter_not, leat_table_filter_not(u->table, NULL, u->good ? yes : NULL, &o))
TABLE_CALL(table_map, leat_table_map_values(u->table, NULL, u->good ? same : NULL, str(), &o))
TABLE_CALL(
    table_transform, leat_table_transform_values(u->table, NULL, u->good ? same : NULL, str(), &o))

static void to_stream(upstream_t *u)
{
    leat_to_stream_opts_t o = {.key = same, USER};

    adopted++;
    leat_table_to_stream(u->table, u->good ? NULL : "bad name", &o);
}

static void table_to(upstream_t *u)
{
    leat_sink_opts_t o = {USER};

    adopted++;
    leat_table_to(u->table, u->good ? "out" : NULL, &o);
}

static leat_join_opts_t join_opts(void)
{
    adopted++;
    return (leat_join_opts_t){USER};
}

static void table_join(upstream_t *u)
{
    leat_join_opts_t o = join_opts();

    leat_table_join(u->table, u->table, NULL, u->good ? second : NULL, str(), &o);
}

static void join_foreign(upstream_t *u)
{
    leat_join_opts_t o = join_opts();

    leat_table_join_foreign(
        u->table, u->table, NULL, u->good ? value_as_key : NULL, second, str(), &o);
}

static void join_global(upstream_t *u)
{
    leat_join_opts_t o = join_opts();
    leat_source_opts_t source = {USER};

    adopted++;
    leat_stream_join_global(u->stream,
        leat_builder_global(u->b, "global", str(), u->good ? str() : NULL, &source), NULL,
        value_as_key, second, str(), &o);
}

static void cogroup(upstream_t *u)
{
    leat_fold_opts_t o = fold_opts();
    leat_part_t parts[] = {{u->grouped, second, &freed, count_free},
        {u->grouped, u->good ? second : NULL, &freed, count_free}};

    adopted += 2;
    leat_grouped_cogroup(parts, 2, NULL, str(), &o);
}

static void global_store(upstream_t *u)
{
    leat_fill_opts_t o = {.store.name = "filled", .node = {USER}};

    adopted++;
    leat_builder_global_store(
        u->b, "fill", NULL, u->good ? nothing : NULL, LEAT_KV, str(), str(), &o);
}

static void read_only_store(upstream_t *u)
{
    leat_fill_opts_t o = {.store.name = u->good ? "read" : NULL, .node = {USER}};

    adopted++;
    leat_builder_read_only_store(u->b, "read", "reader", nothing, LEAT_KV, str(), str(), &o);
}

typedef void (*call_fn)(upstream_t *u);

static const call_fn calls[] = {filter, filter_not, map, map_values, flat_map, flat_map_values,
    select_key, peek, for_each, process, process_values, merge, group_by, group_by_key,
    table_group_by, split, repartition, to, route, read_stream, read_table, count, reduce,
    aggregate, reduce_table, table_filter, table_filter_not, table_map, table_transform, to_stream,
    table_to, table_join, join_foreign, join_global, cogroup, global_store, read_only_store};

enum { CALLS = sizeof calls / sizeof calls[0] };

static upstream_t upstream_of(leat_builder_t *b, bool good)
{
    upstream_t u = {.b = b, .good = good};

    u.stream = leat_builder_stream(b, "in", str(), str(), NULL);
    u.table = leat_builder_table(b, "table", str(), str(), NULL);
    u.grouped = leat_stream_group_by_key(u.stream, NULL, NULL);
    u.grouped_table = leat_table_group_by(u.table, NULL, same, str(), str(), NULL);
    return u;
}

static void nil_upstream(upstream_t *u)
{
    u->stream = leat_stream_map(u->stream, NULL, NULL, str(), str(), NULL);
    u->table = leat_stream_to_table(u->stream, NULL, NULL);
    u->grouped = leat_stream_group_by_key(u->stream, NULL, NULL);
    u->grouped_table = leat_table_group_by(u->table, NULL, same, str(), str(), NULL);
}

static void start(void)
{
    freed = adopted = 0;
}

static void check_freed(void)
{
    assert_true(adopted > 0);
    assert_int_equal(freed, adopted);
}

static void test_good_call_frees_once_with_the_topology(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        leat_builder_t *b = leat_builder_new();
        upstream_t u = upstream_of(b, true);
        leat_topology_t *t;
        leat_error_t err;

        start();
        calls[i](&u);
        t = leat_builder_finish(b);
        if (leat_topology_check(t, NULL, &err) != LEAT_OK)
            fail_msg("call %zu: %s: %s", i, err.where, err.text);
        assert_int_equal(freed, 0);
        leat_topology_free(t);
        check_freed();
    }
}

static void test_failing_call_frees_once_and_is_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        leat_builder_t *b = leat_builder_new();
        upstream_t u = upstream_of(b, false);
        leat_topology_t *t;

        start();
        calls[i](&u);
        t = leat_builder_finish(b);
        if (leat_topology_check(t, NULL, NULL) == LEAT_OK)
            fail_msg("call %zu did not fail", i);
        leat_topology_free(t);
        check_freed();
    }
}

static void test_nil_upstream_still_adopts(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        leat_builder_t *b = leat_builder_new();
        upstream_t u = upstream_of(b, true);

        nil_upstream(&u);
        start();
        calls[i](&u);
        leat_builder_free(b);
        check_freed();
    }
}

static void test_builder_without_memory_still_adopts(void **state)
{
    leat_error_t err;

    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        leat_builder_t *b;
        leat_topology_t *t;
        upstream_t u;

        leat__fail_allocation(1);
        b = leat_builder_new();
        leat__fail_allocation(0);
        u = upstream_of(b, true);
        start();
        calls[i](&u);
        check_freed();
        t = leat_builder_finish(b);
        assert_int_equal(leat_topology_check(t, NULL, &err), LEAT_ENOMEM);
        leat_topology_free(t);
    }
}

/* Until a run needs fewer allocations than the one that is to fail. */
static void test_each_failing_allocation_is_reported_and_frees_once(void **state)
{
    size_t n = 1, made;

    (void)state;
    do {
        size_t before = leat__allocations();
        leat_builder_t *b;
        leat_topology_t *t;
        upstream_t u;

        start();
        leat__fail_allocation(n);
        b = leat_builder_new();
        u = upstream_of(b, true);
        for (size_t i = 0; i < CALLS; i++)
            calls[i](&u);
        t = leat_builder_finish(b);
        leat__fail_allocation(0);
        made = leat__allocations() - before;
        if (n <= made)
            assert_int_equal(leat_topology_check(t, NULL, NULL), LEAT_ENOMEM);
        else
            assert_int_equal(leat_topology_check(t, NULL, NULL), LEAT_OK);
        leat_topology_free(t);
        check_freed();
    } while (n++ <= made);
    assert_true(n > 100); /* it was a long way */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_call_frees_once_with_the_topology),
        cmocka_unit_test(test_failing_call_frees_once_and_is_reported),
        cmocka_unit_test(test_nil_upstream_still_adopts),
        cmocka_unit_test(test_builder_without_memory_still_adopts),
        cmocka_unit_test(test_each_failing_allocation_is_reported_and_frees_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
