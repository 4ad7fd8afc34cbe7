/*
 * tests/unit/test_ask_wire.c: questions and answers between processes: what is put is taken back;
 * cut, lengthened and changed bytes are refused or read without harm, at each place and at random.
 * LEAT_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/ask_wire.h"

enum { ROUNDS = 20000 };

static leat_slice_t slice_of(const leat__buf_t *b)
{
    return (leat_slice_t){b->data, b->size};
}

static leat__question_t *question(void)
{
    leat__question_t *r = leat__question_new(LEAT__QUESTION_OPEN, (leat__task_ref_t){3, 11});

    r->stale = true;
    r->at_least = leat__must_strdup("in-11@42");
    leat__question_set_ask(r, "per-minute",
        &(leat__ask_t){.verb = LEAT__ASK_WINDOWS, .committed = true, .order = LEAT_DESCENDING,
            .from = {"a\0b", 3}, .from_ms = INT64_MIN, .to_ms = 77, .mark = {"", 0}});
    return r;
}

static void put_question(leat__buf_t *out)
{
    leat__question_t *r = question();

    leat__wire_put_question(out, "app", "process-1", r, 2500);
    leat__question_drop(r);
}

static void test_a_question_is_taken_back(void **state)
{
    leat__buf_t bytes = {0};
    leat__wire_question_t w;

    (void)state;
    put_question(&bytes);
    assert_true(leat__wire_take_question(slice_of(&bytes), &w));
    assert_true(leat_slice_is(&w.application, "app"));
    assert_true(leat_slice_is(&w.process, "process-1"));
    assert_int_equal(w.timeout_ms, 2500);
    const leat__question_t *r = w.question;
    assert_int_equal(r->ref.group, 3);
    assert_int_equal(r->ref.partition, 11);
    assert_string_equal(r->store, "per-minute");
    assert_string_equal(r->at_least, "in-11@42");
    assert_true(r->stale);
    assert_true(r->once);
    assert_int_equal(r->ask.verb, LEAT__ASK_WINDOWS);
    assert_int_equal(r->ask.order, LEAT_DESCENDING);
    assert_true(r->ask.committed);
    assert_int_equal(r->ask.from.size, 3);
    assert_memory_equal(r->ask.from.data, "a\0b", 3);
    assert_null(r->ask.to.data);
    assert_non_null(r->ask.mark.data);
    assert_int_equal(r->ask.mark.size, 0);
    assert_true(r->ask.from_ms == INT64_MIN);
    assert_int_equal(r->ask.to_ms, 77);
    leat__question_drop(w.question);
    leat__buf_release(&bytes);
}

/* A page of one row: see statestore/ask.c. */
static void put_row(leat__buf_t *page, leat_slice_t key, leat_slice_t value)
{
    char head[32] = {0};

    leat__store_be64(head, 5);
    leat__store_be32(head + 24, (uint32_t)key.size);
    leat__store_be32(head + 28, (uint32_t)value.size);
    leat__buf_put(page, head, sizeof head);
    leat__buf_put(page, key.data, key.size);
    leat__buf_put(page, value.data, value.size);
}

static void put_answer(leat__buf_t *out)
{
    leat__question_t r = {.lag = 9, .more = true};

    leat__error(&r.err, LEAT_ERESTORING, LEAT_RETRIABLE, "0_3", "ask again");
    put_row(&r.page, leat_slice("key"), leat_slice("value"));
    put_row(&r.page, leat_slice(""), leat_slice(""));
    leat__buf_put_text(&r.position, "in-3@7");
    leat__buf_put_text(&r.mark, "key");
    leat__wire_put_answer(out, &r);
    leat__buf_release(&r.page);
    leat__buf_release(&r.position);
    leat__buf_release(&r.mark);
}

static void test_an_answer_is_taken_back(void **state)
{
    leat__question_t *r = question();
    leat__buf_t bytes = {0};
    leat__window_row_t row;

    (void)state;
    put_answer(&bytes);
    assert_true(leat__wire_take_answer(slice_of(&bytes), r));
    assert_int_equal(r->err.code, LEAT_ERESTORING);
    assert_int_equal(r->err.flags, LEAT_RETRIABLE);
    assert_string_equal(r->err.where, "0_3");
    assert_string_equal(r->err.text, "ask again");
    assert_int_equal(r->lag, 9);
    assert_true(r->more);
    assert_int_equal(r->mark.size, 3);
    assert_string_equal(leat__buf_text(&r->position), "in-3@7");
    leat_slice_t page = slice_of(&r->page);
    assert_true(leat__page_next(&page, &row));
    assert_int_equal(row.start_ms, 5);
    assert_true(leat_slice_is(&row.value, "value"));
    assert_true(leat__page_next(&page, &row));
    assert_int_equal(row.value.size, 0);
    assert_false(leat__page_next(&page, &row));
    leat__question_drop(r);
    leat__buf_release(&bytes);
}

static bool take_either(const char *bytes, size_t size)
{
    char *exact = leat__must_alloc(size + 1); /* a read behind the end is one behind the block */
    leat_slice_t all = {exact + 1, size};
    leat__wire_question_t w;
    leat__question_t *r = question();
    leat__window_row_t row;
    bool taken;

    memcpy(exact + 1, bytes, size);
    taken = leat__wire_take_question(all, &w);
    if (taken) {
        assert_true(w.question->ask.verb <= LEAT__ASK_COUNT);
        assert_true(strlen(w.question->store) <= size);
        leat__question_drop(w.question);
    }
    if (leat__wire_take_answer(all, r)) {
        taken = true;
        for (leat_slice_t page = slice_of(&r->page); leat__page_next(&page, &row);)
            assert_true(row.key.size + row.value.size <= size);
    }
    leat__question_drop(r);
    leat__free(exact);
    return taken;
}

static void test_cut_and_lengthened_bytes_are_refused(void **state)
{
    leat__buf_t texts[2] = {{0}, {0}};

    (void)state;
    put_question(&texts[0]);
    put_answer(&texts[1]);
    for (int k = 0; k < 2; k++) {
        for (size_t size = 0; size < texts[k].size; size++)
            assert_false(take_either(texts[k].data, size));
        assert_true(take_either(texts[k].data, texts[k].size));
        leat__buf_put(&texts[k], "", 1);
        assert_false(take_either(texts[k].data, texts[k].size));
        leat__buf_release(&texts[k]);
    }
}

static uint64_t random_now;

static uint64_t draw(uint64_t below)
{
    random_now ^= random_now << 13;
    random_now ^= random_now >> 7;
    random_now ^= random_now << 17;
    return (random_now >> 11) % below;
}

static void test_changed_bytes_do_no_harm(void **state)
{
    const char *seed = getenv("LEAT_SEED");
    leat__buf_t texts[2] = {{0}, {0}};

    (void)state;
    random_now = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) | 1;
    print_message("LEAT_SEED=%llu\n", (unsigned long long)random_now);
    put_question(&texts[0]);
    put_answer(&texts[1]);
    for (int i = 0; i < ROUNDS; i++) {
        leat__buf_t *from = &texts[i % 2], changed = {0};

        leat__buf_put(&changed, from->data, from->size);
        for (uint64_t n = draw(4) + 1; n > 0; n--) {
            static const char often[] = {0, 1, '\x7f', '\x80', '\xff'};

            changed.data[draw(changed.size)] =
                draw(2) ? often[draw(sizeof often)] : (char)draw(256);
        }
        take_either(changed.data, changed.size);
        leat__buf_release(&changed);
    }
    leat__buf_release(&texts[0]);
    leat__buf_release(&texts[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question_is_taken_back),
        cmocka_unit_test(test_an_answer_is_taken_back),
        cmocka_unit_test(test_cut_and_lengthened_bytes_are_refused),
        cmocka_unit_test(test_changed_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
