/*
 * Goal: a task by itself: order of inputs, time, forwarding, sinks, positions, abort. Method:
 * topologies of the Processor API, compiled for real; records are fed as batches; what leaves the
 * task is noted as text.
 */
#include "task_rig.h"

static void test_record_goes_through_and_batch_is_released(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(uppers), NULL, NULL, false);
    feed(&w, "in", "a=x@5 key=yz@4");
    assert_int_equal(leat__task_queued(w.task, 0), 2);
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=X@5 out/4:key=YZ@4 ");
    assert_int_equal(w.released, 1);
    assert_int_equal(leat__task_position(w.task, 0), 2);
    assert_int_equal(leat__task_partition_time(w.task, 0), 5);
    assert_int_equal(leat__task_stream_time(w.task), 5);
    assert_true(leat__task_touched(w.task));
    leat__task_committed(w.task, NULL);
    assert_false(leat__task_touched(w.task));
    close_world(&w);
}

static void test_nulls_pass_and_null_key_has_no_partition(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, false);
    feed(&w, "in", "=x@1 a=@2");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/-1:null=x@1 out/5:a=null@2 ");
    close_world(&w);
}

static leat_builder_t *two_sources(void)
{
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "left", "s1", S, S, NULL);
    leat_builder_source(b, "right", "s2", S, S, NULL);
    leat_builder_processor(b, "s1,s2", "proc", passes, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    return b;
}

static void test_smallest_time_goes_first_ties_by_heap(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, two_sources(), NULL, NULL, false);
    feed(&w, "right", "key=r1@3 key=r2@10");
    feed(&w, "left", "a=l1@3 a=l2@4");
    assert_int_equal(run(&w), 0);
    /* right entered first; after its record it enters again behind left */
    assert_string_equal(w.out, "out/4:key=r1@3 out/5:a=l1@3 out/5:a=l2@4 out/4:key=r2@10 ");
    close_world(&w);
}

static void test_waits_for_an_input_not_known_empty(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, two_sources(), NULL, NULL, false);
    feed(&w, "left", "a=l1@3");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "");
    leat__task_set_at_end(w.task, leat__task_input_of(w.task, "right"), true);
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=l1@3 ");
    assert_int_equal(leat__task_counts(w.task)->forced, 1);
    close_world(&w);
}

static void test_idle_time_is_waited(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, two_sources(), "max.task.idle.ms", "100", false);
    feed(&w, "left", "a=l1@3");
    leat__task_set_at_end(w.task, leat__task_input_of(w.task, "right"), true);
    assert_int_equal(run(&w), 0);
    leat__task_set_wall(w.task, 1099);
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "");
    leat__task_set_wall(w.task, 1100);
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=l1@3 ");
    feed(&w, "left", "a=l2@4");
    feed(&w, "right", "a=r1@5"); /* ends the waiting: the next wait is a new one */
    assert_int_equal(run(&w), 0);
    feed(&w, "left", "a=l3@6");
    assert_int_equal(run(&w), 0);
    assert_null(strstr(w.out, "a=l3"));
    close_world(&w);
}

static void test_topic_with_fewer_partitions_is_not_waited_for(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "s1", S, S, NULL);
    leat_builder_source(b, "narrow", "s2", S, S, NULL);
    leat_builder_processor(b, "s1,s2", "proc", passes, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=x@3");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=x@3 ");
    assert_int_equal(leat__task_counts(w.task)->forced, 0);
    close_world(&w);
}

static void test_idle_minus_one_does_not_wait(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, two_sources(), "max.task.idle.ms", "-1", false);
    feed(&w, "left", "a=l1@3");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=l1@3 ");
    close_world(&w);
}

/* ---- time ---- */

static leat_builder_t *timed(leat_timestamp_fn fn)
{
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "in", "source", S, S, &(leat_source_opts_t){.timestamp = fn});
    leat_builder_sink(b, "source", "sink", "out", S, S, NULL);
    return b;
}

static void test_negative_time_fails_and_says_where(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, timed(NULL), NULL, NULL, false);
    feed(&w, "in", "a=x@1 a=y@-1");
    assert_int_equal(run(&w), LEAT_ETIME);
    assert_string_equal(w.err.where, "source, task 0_3, in-3@1");
    assert_string_equal(w.out, "out/5:a=x@1 ");
    close_world(&w);
}

static void test_time_functions(void **state)
{
    world_t skip = {0}, partition = {0}, wall = {0};

    (void)state;
    open_world(&skip, timed(leat_timestamp_skip_invalid), NULL, NULL, false);
    feed(&skip, "in", "a=x@-5 a=y@7");
    assert_int_equal(run(&skip), 0);
    assert_string_equal(skip.out, "out/5:a=y@7 ");
    assert_int_equal(leat__task_counts(skip.task)->dropped, 1);
    close_world(&skip);

    open_world(&partition, timed(leat_timestamp_partition), NULL, NULL, false);
    feed(&partition, "in", "a=x@9 a=y@-1 a=z@4");
    assert_int_equal(run(&partition), 0);
    assert_string_equal(partition.out, "out/5:a=x@9 out/5:a=y@9 out/5:a=z@4 ");
    close_world(&partition);

    open_world(&wall, timed(leat_timestamp_wall), NULL, NULL, false);
    feed(&wall, "in", "a=x@9");
    assert_int_equal(run(&wall), 0);
    assert_string_equal(wall.out, "out/5:a=x@1000 ");
    close_world(&wall);
}

static int64_t from_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    int64_t time_ms = -1;

    assert_int_equal(leat_meta(ctx)->partition, 3);
    if (!leat_slice_int64(in->value, &time_ms))
        leat_fail(ctx, LEAT_EUSER, "no number in %.*s", LEAT_P((const leat_slice_t *)in->value));
    return time_ms;
}

static void test_time_from_value(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, timed(from_value), "processing.exception.handler", "continue", false);
    feed(&w, "in", "a=70@1 a=x@2");
    assert_int_equal(run(&w), LEAT_EUSER); /* a time function's failure is final */
    assert_string_equal(w.out, "out/5:a=70@70 ");
    close_world(&w);
}

/* ---- sinks ---- */

static void by_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    if (!leat_slice_is(in->value, "nowhere"))
        leat_emit_topic(ctx, in->value);
}

static void test_topic_chosen_per_record(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_route(b, "source", "sink", by_value, S, S, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=t1@1 a=t2@2 a=t1@3");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "t1/5:a=t1@1 t2/5:a=t2@2 t1/5:a=t1@3 ");
    feed(&w, "in", "a=nowhere@4");
    assert_int_equal(run(&w), LEAT_EARGUMENT);
    close_world(&w);
}

static void test_missing_topic_is_named(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_sink(b, "source", "sink", "missing", S, S, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=x@1");
    assert_int_equal(run(&w), LEAT_ETOPIC);
    assert_string_equal(w.err.where, "sink, task 0_3, in-3@0");
    close_world(&w);
}

static void first_digit_times(leat_ctx_t *ctx, const leat_record_t *in)
{
    int count = ((const leat_slice_t *)in->value)->data[0] - '0';

    assert_int_equal(leat_partition_count(ctx), 7);
    for (int i = 0; i < count; i++)
        leat_emit_partition(ctx, i == 2 ? LEAT_PARTITION_BY_KEY : i);
}

static void test_partitioner_drops_and_multiplies(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_sink(
        b, "source", "sink", "out", S, S, &(leat_sink_opts_t){.partition = first_digit_times});
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=0@1 a=3@2");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/0:a=3@2 out/1:a=3@2 out/5:a=3@2 ");
    assert_int_equal(leat__task_counts(w.task)->dropped, 1);
    feed(&w, "in", "a=9@3");
    assert_int_equal(run(&w), LEAT_EARGUMENT);
    close_world(&w);
}

/* One record with a windowed key: {key}{suffix of zeros and a start}. */
static void feed_windowed(world_t *w, const char *key, size_t suffix)
{
    fed_t *fed = leat__must_alloc(sizeof *fed);
    size_t size = strlen(key);

    memcpy(fed->text[0][0], key, size);
    fed->text[0][0][size + suffix - 1] = 100;
    fed->raw[0] = (leat__raw_t){.key = {fed->text[0][0], size + suffix},
        .value = {"v", 1},
        .offset = w->offsets[0],
        .time_ms = 1};
    leat__task_feed(w->task, 0,
        (leat__batch_t){.records = fed->raw,
            .count = 1,
            .next = ++w->offsets[0],
            .at_end = true,
            .native = fed});
    assert_int_equal(run(w), 0);
}

/* conformance/formats/partitioner-windowed.json */
static void test_windowed_keys_are_partitioned_by_the_inner_key(void **state)
{
    static const struct {
        const char *key;
        int partition;
    } cases[] = {{"a", 5}, {"ab", 0}, {"abc", 4}, {"abcd", 5}, {"hello world", 2}, {"user-42", 1}};

    (void)state;
    for (int session = 0; session < 2; session++) {
        leat_builder_t *b = leat_builder_new();
        const leat_serde_t *key =
            session ? leat_serde_session_windowed(b, S) : leat_serde_windowed(b, S, 10);
        world_t w = {0};

        leat_builder_source(b, "in", "source", key, S, NULL);
        leat_builder_sink(b, "source", "sink", "out", key, S, NULL);
        open_world(&w, b, NULL, NULL, false);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char expected[16];

            w.out[0] = '\0';
            feed_windowed(&w, cases[i].key, session ? 16 : 8);
            snprintf(expected, sizeof expected, "out/%d:", cases[i].partition);
            assert_memory_equal(w.out, expected, strlen(expected));
        }
        close_world(&w);
    }
}

static int custom_runs;
static void custom_encode(leat_codec_t *c, const void *value)
{
    custom_runs++;
    leat_codec_put(c, value, 1);
}
static void custom_decode(leat_codec_t *c, void *room)
{
    custom_runs++;
    *(char *)room = *leat_codec_take(c, 1).data;
}
static const leat_serde_t custom = {
    .name = "letter", .size = 1, .encode = custom_encode, .decode = custom_decode};

static void test_bytes_ride_along(void **state)
{
    world_t w = {0}, seen = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    custom_runs = 0;
    leat_builder_source(b, "in", "source", S, &custom, NULL);
    leat_builder_sink(b, "source", "sink", "out", S, &custom, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=x@1");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=x@1 ");
    assert_int_equal(custom_runs, 0); /* nobody looks at the value */
    close_world(&w);

    b = leat_builder_new();
    leat_builder_source(b, "in", "source", S, &custom, NULL);
    leat_builder_processor(b, "source", "proc", passes, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, &custom, NULL);
    open_world(&seen, b, NULL, NULL, false);
    feed(&seen, "in", "a=x@1");
    assert_int_equal(run(&seen), 0);
    assert_string_equal(seen.out, "out/5:a=x@1 ");
    assert_int_equal(custom_runs, 1); /* decoded for the processor, not encoded again */
    close_world(&seen);
}

/* ---- positions and abort ---- */

static void test_records_below_position_are_skipped(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, false);
    leat__task_set_position(w.task, 0, 2, 40);
    assert_int_equal(leat__task_stream_time(w.task), 40);
    feed(&w, "in", "a=0@1");
    assert_int_equal(w.released, 1);
    feed(&w, "in", "a=1@1 a=2@2");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=2@2 ");
    assert_int_equal(leat__task_position(w.task, 0), 3);
    assert_int_equal(leat__task_partition_time(w.task, 0), 40);
    close_world(&w);
}

static void test_markers_move_the_position(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, false);
    feed(&w, "in", "a=0@1");
    leat__task_feed(w.task, 0,
        (leat__batch_t){.native = leat__must_alloc(sizeof(fed_t)), .next = 5, .at_end = true});
    assert_int_equal(leat__task_position(w.task, 0), 0);
    assert_int_equal(run(&w), 0);
    assert_int_equal(leat__task_position(w.task, 0), 5);
    assert_int_equal(w.released, 2);
    close_world(&w);
}

static int opened, closed;
static void note_open(leat_ctx_t *ctx)
{
    opened++;
    assert_int_equal(*(int *)leat_local(ctx), 0);
}
static void note_close(leat_ctx_t *ctx)
{
    closed++;
    leat_emit(ctx, NULL, NULL); /* not heard */
}
static void counts_locally(leat_ctx_t *ctx, const leat_record_t *in)
{
    int *local = leat_local(ctx);

    (*local)++;
    assert_string_equal(leat_user(ctx), "mine");
    if (leat_slice_is(in->value, "bad"))
        leat_fail(ctx, LEAT_EUSER, "after %d", *local);
    leat_emit_value(ctx, leat_text(ctx, "%.*s%d", LEAT_P((const leat_slice_t *)in->value), *local));
}

static void test_abort_starts_anew(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();
    static char mine[] = "mine";

    (void)state;
    opened = closed = 0;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", counts_locally,
        &(leat_node_opts_t){
            .open = note_open, .close = note_close, .local_size = sizeof(int), .user = mine});
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=x@5 a=bad@6 a=y@7");
    assert_int_equal(run(&w), LEAT_EUSER);
    assert_string_equal(w.err.text, "after 2");
    assert_int_equal(leat__task_abort(w.task, &w.err), LEAT_OK);
    assert_int_equal(w.released, 1);
    assert_int_equal(opened, 2);
    assert_int_equal(closed, 1);
    assert_int_equal(leat__task_stream_time(w.task), -1);
    leat__task_set_position(w.task, 0, 0, -1);
    w.offsets[0] = 0;
    w.out[0] = '\0';
    feed(&w, "in", "a=x@5");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=x1@5 ");
    close_world(&w);
    assert_int_equal(closed, 2);
}

static void emits_in_open(leat_ctx_t *ctx)
{
    leat_emit(ctx, NULL, NULL);
}

static void test_open_may_not_emit(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", passes, &(leat_node_opts_t){.open = emits_in_open});
    open_world(&w, b, NULL, NULL, false);
    assert_int_equal(w.err.code, LEAT_ETYPE);
    assert_string_equal(w.err.where, "proc, task 0_3");
    close_world(&w);
}

static void test_commit_metadata(void **state)
{
    static const struct {
        int64_t time_ms;
        const char *text;
    } cases[] = {
        {-1, "Av//////////"},
        {0, "AgAAAAAAAAAA"},
        {1700000000000, "AgAAAYvP5WgA"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = leat__commit_metadata(cases[i].time_ms, NULL);

        assert_string_equal(text, cases[i].text);
        assert_int_equal(leat__commit_metadata_time(text), cases[i].time_ms);
        leat__free(text);
    }
    assert_int_equal(
        leat__commit_metadata_time(
            "AgAAAAAAAAAeAAAAAQAAACFub2RlLUtTVFJFQU0tQUdHUkVHQVRFLTAwMDAwMDAwMDEAAAAAAAAAGQ=="),
        30);
    assert_int_equal(leat__commit_metadata_time(NULL), -1);
    assert_int_equal(leat__commit_metadata_time(""), -1);
    assert_int_equal(leat__commit_metadata_time("AgAAAAAAAAA"), -1);
    assert_int_equal(leat__commit_metadata_time("BwAAAAAAAAAA"), -1);
    assert_int_equal(leat__commit_metadata_time("A!AAAAAAAAAA"), -1);
}

static void test_commit_metadata_carries_progress(void **state)
{
    static const char text[] =
        "AgAAAAAAAAAeAAAAAQAAACFub2RlLUtTVFJFQU0tQUdHUkVHQVRFLTAwMDAwMDAwMDEAAAAAAAAAGQ==";
    static const char name[] = "node-KSTREAM-AGGREGATE-0000000001";
    leat__progress_t p = {0}, read = {0};
    char *made, *cut;

    (void)state;
    leat__progress_merge(&p, name, strlen(name), 25);
    made = leat__commit_metadata(30, &p);
    assert_string_equal(made, text);
    leat__progress_merge(&read, name, strlen(name), 7);
    leat__progress_merge(&read, "other", 5, 8);
    leat__commit_metadata_progress(made, &read);
    assert_int_equal(read.count, 2);
    assert_int_equal(read.at[0].value, 25);
    assert_int_equal(read.at[1].value, 8);
    for (size_t size = strlen(made); size-- > 0;) { /* damaged ones say nothing, and do no harm */
        cut = leat__must_strdup(made);
        cut[size] = '\0';
        leat__commit_metadata_progress(cut, &read);
        leat__free(cut);
    }
    assert_int_equal(read.count, 2);
    leat__free(made);
    leat__progress_release(&p);
    leat__progress_release(&read);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_goes_through_and_batch_is_released),
        cmocka_unit_test(test_nulls_pass_and_null_key_has_no_partition),
        cmocka_unit_test(test_smallest_time_goes_first_ties_by_heap),
        cmocka_unit_test(test_waits_for_an_input_not_known_empty),
        cmocka_unit_test(test_idle_time_is_waited),
        cmocka_unit_test(test_topic_with_fewer_partitions_is_not_waited_for),
        cmocka_unit_test(test_idle_minus_one_does_not_wait),
        cmocka_unit_test(test_negative_time_fails_and_says_where),
        cmocka_unit_test(test_time_functions),
        cmocka_unit_test(test_time_from_value),
        cmocka_unit_test(test_topic_chosen_per_record),
        cmocka_unit_test(test_missing_topic_is_named),
        cmocka_unit_test(test_partitioner_drops_and_multiplies),
        cmocka_unit_test(test_windowed_keys_are_partitioned_by_the_inner_key),
        cmocka_unit_test(test_bytes_ride_along),
        cmocka_unit_test(test_records_below_position_are_skipped),
        cmocka_unit_test(test_markers_move_the_position),
        cmocka_unit_test(test_abort_starts_anew),
        cmocka_unit_test(test_open_may_not_emit),
        cmocka_unit_test(test_commit_metadata),
        cmocka_unit_test(test_commit_metadata_carries_progress),
    };

    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
