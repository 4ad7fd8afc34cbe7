/* Goal: a line becomes the record that it says, or is refused with the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/leat/produce.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

/* The record as text: "key|value|name=value,..." with - for none. */
static void put(leat__buf_t *text, leat_slice_t s)
{
    if (s.data)
        leat__buf_put(text, s.data, s.size);
    else
        leat__buf_put_text(text, "-");
}

static char *record_text(const cli_record_t *r)
{
    leat__buf_t text = {0};

    put(&text, r->key);
    leat__buf_put_text(&text, "|");
    put(&text, r->value);
    leat__buf_put_text(&text, "|");
    for (size_t i = 0; i < r->header_count; i++) {
        leat__buf_format(&text, "%s%s=", i ? "," : "", r->headers[i].name);
        put(&text, r->headers[i].value);
    }
    if (r->partition >= 0)
        leat__buf_format(&text, "|partition %d", (int)r->partition);
    if (r->time_ms >= 0)
        leat__buf_format(&text, "|time %lld", (long long)r->time_ms);
    return leat__buf_finish(&text);
}

/* options: as on the command line, ended by NULL. expected NULL: refused. */
static void expect(const char *const *options, const char *line, const char *expected)
{
    const cli_verb_t *v = cli_verbs;
    cli_t c = {0};
    cli_lines_t lines;
    cli_record_t r;
    leat_error_t err = {0};
    int argc = 0;
    bool ok;

    while (strcmp(v->name, "produce") != 0)
        v++;
    c.verb = v;
    while (options[argc])
        argc++;
    assert_true(cli_parse(&c, argc, (char **)(uintptr_t)options));
    cli_lines_init(&c, &lines);
    assert_int_equal(c.status, 0);
    ok = cli_lines_take(&lines, leat_slice(line), &r, &err);
    if (ok && expected) {
        char *text = record_text(&r);

        assert_string_equal(text, expected);
        leat__free(text);
    } else if (ok || expected) {
        fail_msg("'%s' was %s: %s", line, ok ? "taken" : "refused", err.text);
    } else {
        assert_true(strlen(err.text) > 5);
    }
    cli_lines_release(&lines);
    cli_release(&c);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_line_key_and_value(void **state)
{
    (void)state;
    expect(OPTIONS("t"), "a:b", "-|a:b|");
    expect(OPTIONS("t"), "", "-||");
    expect(OPTIONS("t", "--key-separator", ":"), "a:b:c", "a|b:c|");
    expect(OPTIONS("t", "--key-separator", ":"), ":", "||");
    expect(OPTIONS("t", "--key-separator", ":"), "none", NULL);
    expect(OPTIONS("t", "--key-separator", "\\t"), "a\tb", "a|b|");
    expect(OPTIONS("t", "--key-separator=->"), "a->b->c", "a|b->c|");
    expect(OPTIONS("t", "--key", "k"), "v", "k|v|");
    expect(OPTIONS("t", "--key-separator", ":", "--null-marker", "NULL"), "a:NULL", "a|-|");
    expect(OPTIONS("t", "--key-separator", ":", "--null-marker", "NULL"), "NULL:NULL ", "-|NULL |");
    expect(OPTIONS("t", "--value-format", "int32"), "1818386804", "-|lbat|");
    expect(OPTIONS("t", "--value-format", "int32"), "many", NULL);
    expect(OPTIONS("t", "--partition", "2", "--timestamp", "1970-01-01T00:00:05Z"), "v",
        "-|v||partition 2|time 5000");
}

static void test_line_headers(void **state)
{
    (void)state;
    expect(OPTIONS("t", "--header", "a=1", "--header", "b=x=y,z"), "v", "-|v|a=1,b=x=y,z");
    expect(OPTIONS("t", "--parse-headers"), "a:1,b:2\tv", "-|v|a=1,b=2");
    expect(OPTIONS("t", "--parse-headers"), "\tv", "-|v|");
    expect(OPTIONS("t", "--parse-headers"), "a:\tv", "-|v|a=");
    expect(OPTIONS("t", "--parse-headers"), "a:x:y\tv", "-|v|a=x:y");
    expect(OPTIONS("t", "--parse-headers", "--header", "z=0", "--key-separator", ";",
               "--null-marker", "N"),
        "a:N\tk;v", "k|v|z=0,a=-");
    expect(OPTIONS("t", "--parse-headers"), "no tab", NULL);
    expect(OPTIONS("t", "--parse-headers"), "a\tv", NULL);
    expect(OPTIONS("t", "--parse-headers"), ":1\tv", NULL);
}

static void test_line_json(void **state)
{
    const char *const *options = OPTIONS("t", "--from-json");

    (void)state;
    expect(options, "{}", "-|-|");
    expect(options, "{\"key\":\"k\",\"value\":\"v\"}", "k|v|");
    expect(options, "{\"key\":null,\"value\":{\"a\":1}}", "-|{\"a\":1}|");
    expect(options, "{\"key_base64\":\"YQ==\",\"value\":7}", "a|7|");
    expect(options, "{\"value\":\"v\",\"timestamp\":5,\"partition\":3}", "-|v||time 5");
    expect(options, "{\"headers\":[[\"a\",\"1\"],[\"b\",null],[\"c\",{\"base64\":\"YQ==\"}]]}",
        "-|-|a=1,b=-,c=a");
    expect(options, "[]", NULL);
    expect(options, "{", NULL);
    expect(options, "{\"key_base64\":\"?\"}", NULL);
    expect(options, "{\"headers\":[[\"a\"]]}", NULL);
    expect(options, "{\"headers\":[[1,\"a\"]]}", NULL);
    expect(options, "{\"headers\":[[\"a\",1]]}", NULL);
    expect(OPTIONS("t", "--from-json", "--value-format", "int32"), "{\"value\":\"x\"}", NULL);
    expect(OPTIONS("t", "--from-json", "--value-format", "json"), "{\"value\":\"x\"}", "-|\"x\"|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line_key_and_value),
        cmocka_unit_test(test_line_headers), cmocka_unit_test(test_line_json)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
