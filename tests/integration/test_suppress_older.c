/*
 * What Kafka Streams up to release 2.5 left in the changelog of a suppress buffer: versions 0, 1
 * and 2 of its records, whose bytes and meaning are those of
 * tests/conformance/formats/suppress-buffer-changelog-older.json. Goal: a restore reads them, and
 * says which record it cannot read. Method: a process runs and stops, records of old versions are
 * written to its changelog, it starts again in an empty folder and the time of its stream goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "thread_rig.h"

#define CHANGELOG "app-held-store-changelog"

static rig_record_t room[16];
static bool on_disk;

static void holding(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_table_t *rows = leat_builder_table(b, "in", str, str, NULL);

    leat_table_to(
        leat_table_suppress(rows, "held", 100, &(leat_suppress_opts_t){.on_disk = on_disk}), "out",
        NULL);
}

/* ---- bytes as old releases wrote them ---- */

static void put_number(leat__buf_t *out, int64_t number)
{
    char bytes[8];

    leat__store_be64(bytes, (uint64_t)number);
    leat__buf_put(out, bytes, sizeof bytes);
}

static void put_text(leat__buf_t *out, const char *text)
{
    char size[4];

    leat__store_be32(size, text ? (uint32_t)strlen(text) : UINT32_MAX);
    leat__buf_put(out, size, sizeof size);
    leat__buf_put(out, text, text ? strlen(text) : 0);
}

/* Of a record of topic "in", partition 0, without headers. */
static void put_context(leat__buf_t *out, int64_t time_ms)
{
    put_number(out, time_ms);
    put_number(out, 5);
    put_text(out, "in");
    leat__buf_put(out, "\0\0\0\0\0\0\0\0", 8);
}

/* {length 4}? {old: none}{new} */
static void put_change(leat__buf_t *out, const char *value, bool sized)
{
    char size[4];

    leat__store_be32(size, 8 + (uint32_t)strlen(value));
    if (sized)
        leat__buf_put(out, size, sizeof size);
    put_text(out, NULL);
    put_text(out, value);
}

static void put_row(leat__buf_t *out, int version, const char *value, int64_t time_ms)
{
    if (version < 2)
        put_number(out, time_ms);
    if (version > 0)
        put_context(out, time_ms);
    put_change(out, value, version > 0);
    if (version >= 2) {
        put_text(out, NULL);
        put_number(out, time_ms);
    }
}

static void write_old(
    rig_world_t *w, int version, const char *key, const char *value, int64_t time_ms)
{
    const char byte = (char)version;
    const leat_header_t header = {"v", {&byte, 1}};
    leat_error_t err = {0};
    leat__out_t *out = w->outside->vt->writer_topic(w->writer, CHANGELOG, &err);
    leat__buf_t row = {0};
    leat__arena_t scratch;

    assert_non_null(out);
    leat__arena_init(&scratch);
    put_row(&row, version, value, time_ms);
    assert_int_equal(
        w->outside->vt->produce(w->writer, out, 0, leat_slice(key),
            (leat_slice_t){row.data, row.size}, time_ms,
            version ? leat__headers_new(&scratch, &header, 1) : NULL, &err),
        0);
    leat__op_free(w->outside->vt->writer_flush(w->writer));
    leat__arena_release(&scratch);
    leat__buf_release(&row);
}

/* ---- a process with a past ---- */

/* Stopped, and its folder empty: all comes from the changelog. */
static void open_with_past(rig_world_t *w)
{
    char command[128];
    rig_t *r;

    rig_world_open(w, holding, 1, "exactly_once_v2");
    rig_topic(w, CHANGELOG, 1, "compact");
    rig_topic(w, "app-in-STATE-STORE-0000000000-changelog", 1, "compact");
    r = rig_start(w, 0);
    rig_write(w, "in", 0, "now", "5", 1000);
    rig_settle(r);
    rig_stop(r);
    snprintf(command, sizeof command, "rm -rf '%s'/*", w->dir);
    assert_int_equal(system(command), 0);
}

static bool has_three(rig_t *r)
{
    return rig_read(r->world, "out", 1, true, room, 16) >= 3;
}

static void old_rows_go_on(bool disk)
{
    rig_world_t w;
    rig_t *r;

    on_disk = disk;
    open_with_past(&w);
    write_old(&w, 0, "v0", "zero", 1010);
    write_old(&w, 1, "v1", "one", 1020);
    write_old(&w, 1, "v1", "one more", 1020); /* the place is kept */
    write_old(&w, 2, "v2", "two", 1030);
    r = rig_start(&w, 0);
    rig_write(&w, "in", 0, "end", "6", 1125);
    assert_true(rig_until(r, has_three, 10000));
    assert_int_equal(rig_read(&w, "out", 1, true, room, 16), 3); /* v2 waits until 1130 */
    assert_string_equal(room[0].key, "now");
    assert_string_equal(room[1].key, "v0");
    assert_string_equal(room[1].value, "zero");
    assert_string_equal(room[2].key, "v1");
    assert_string_equal(room[2].value, "one more");
    assert_int_equal(room[2].time_ms, 1020);
    rig_write(&w, "in", 0, "end", "7", 1130);
    rig_settle(r);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 16), 4);
    assert_string_equal(room[3].value, "two");
    rig_stop(r);
    rig_world_close(&w);
}

static void test_rows_of_older_versions_are_restored(void **state)
{
    (void)state;
    old_rows_go_on(false);
    old_rows_go_on(true);
}

static void test_an_unknown_version_is_refused_with_its_place(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    on_disk = false;
    open_with_past(&w);
    write_old(&w, 7, "v7", "seven", 1010);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_failed, 10000));
    assert_non_null(strstr(r->failure.text, "header v = 7: not a record of this store"));
    rig_crash(r);
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_older_versions_are_restored),
        cmocka_unit_test(test_an_unknown_version_is_refused_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
