/*
 * Goal: bytes become text and JSON, and come back the same; what is not of a format is said and
 * shown as bytes. Method: pairs of bytes and texts as Kafka's serializers write them, both ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/leat/cli.h"
#include "tools/leat/produce.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const cli_option_t options[] = {{"key-format", NULL, "FORMAT", "", NULL, false}, {0}};
static const cli_verb_t verb = {.name = "test", .options = options};

static cli_format_t *format(const char *name)
{
    cli_t c = {.verb = &verb};
    cli_format_t *f = cli_format_new(&c, "key-format", name);

    if (c.status)
        assert_null(f);
    return f;
}

#define BYTES(text) ((leat_slice_t){text, sizeof(text) - 1})

static void expect_both_ways(const char *name, leat_slice_t bytes, const char *text)
{
    cli_format_t *f = format(name);
    leat__arena_t scratch;
    leat_slice_t got;
    leat_error_t err;

    assert_non_null(f);
    leat__arena_init(&scratch);
    if (!cli_format_text(f, bytes, &scratch, &got, &err))
        fail_msg("%s: %s", name, err.text);
    if (!leat_slice_is(&got, text))
        fail_msg("%s shows '%.*s', not '%s'", name, LEAT_P(&got), text);
    if (!cli_format_bytes(f, leat_slice(text), &scratch, &got, &err))
        fail_msg("%s: %s", name, err.text);
    if (!leat_slice_equal(&got, &bytes))
        fail_msg("%s: '%s' became other bytes", name, text);
    leat__arena_release(&scratch);
    cli_format_free(f);
}

static void test_format_text_both_ways(void **state)
{
    (void)state;
    expect_both_ways("string", BYTES("h\xc3\xa4llo"), "h\xc3\xa4llo");
    expect_both_ways("string", BYTES(""), "");
    expect_both_ways("int32", BYTES("\xff\xff\xff\xfe"), "-2");
    expect_both_ways("integer", BYTES("\0\0\1\0"), "256");
    expect_both_ways("i64", BYTES("\0\0\0\0\0\0\0\7"), "7");
    expect_both_ways("long", BYTES("\x80\0\0\0\0\0\0\0"), "-9223372036854775808");
    expect_both_ways("double", BYTES("\x3f\xf8\0\0\0\0\0\0"), "1.5");
    expect_both_ways("float", BYTES("\x3f\xc0\0\0"), "1.5");
    expect_both_ways("hex", BYTES("\0\xff\x10"), "00ff10");
    expect_both_ways("base64", BYTES("\0\xff\x10"), "AP8Q");
    expect_both_ways("base64", BYTES("ab"), "YWI=");
    expect_both_ways("base64", BYTES("a"), "YQ==");
    expect_both_ways("base64", BYTES(""), "");
    expect_both_ways("json", BYTES("{\"a\":[1,2.5,null]}"), "{\"a\":[1,2.5,null]}");
    expect_both_ways("windowed:string:5s", BYTES("k@y\0\0\0\0\0\0\x03\xe8"), "[k@y@1000/6000]");
    expect_both_ways(
        "session:int32", BYTES("\0\0\0\7\0\0\0\0\0\0\0\x14\0\0\0\0\0\0\0\x0a"), "[7@10/20]");
}

static void expect_hex(const char *name, leat_slice_t bytes, const char *text)
{
    cli_format_t *f = format(name);
    leat__arena_t scratch;
    leat_slice_t got;
    leat_error_t err;

    leat__arena_init(&scratch);
    assert_int_equal(cli_format_text(f, bytes, &scratch, &got, &err), strcmp(name, "auto") == 0);
    assert_true(leat_slice_is(&got, text));
    leat__arena_release(&scratch);
    cli_format_free(f);
}

static void test_format_unfit_bytes_shown_as_hex(void **state)
{
    (void)state;
    expect_hex("int64", BYTES("1"), "0x31");
    expect_hex("int32", BYTES(""), "0x");
    expect_hex("json", BYTES("{oh"), "0x7b6f68");
    expect_hex("windowed:string", BYTES("short"), "0x73686f7274");
    expect_hex("auto", BYTES("\0\0\0\1"), "0x00000001");
    expect_hex("auto", BYTES("\xff"), "0xff");
    expect_hex("auto", BYTES("a\tb\n"), "a\tb\n");
}

static void test_format_unfit_text_refused(void **state)
{
    static const char *const bad[][2] = {{"int32", "2147483648"}, {"int32", "x"}, {"int64", ""},
        {"double", "1,5"}, {"hex", "abc"}, {"hex", "zz"}, {"base64", "YQ="}, {"base64", "Y=Q="},
        {"base64", "YQ=a"}, {"base64", "===="}, {"json", "{"}, {"json", ""}, {"json", "1 2"},
        {"windowed:string", "k"}, {"windowed:string", "[k@x/y]"}};
    leat__arena_t scratch;
    leat_slice_t got;
    leat_error_t err;

    (void)state;
    leat__arena_init(&scratch);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cli_format_t *f = format(bad[i][0]);

        if (cli_format_bytes(f, leat_slice(bad[i][1]), &scratch, &got, &err))
            fail_msg("%s took '%s'", bad[i][0], bad[i][1]);
        assert_true(strlen(err.text) > 5);
        cli_format_free(f);
    }
    leat__arena_release(&scratch);
}

static void test_format_unknown_names(void **state)
{
    static const char *const bad[] = {"", "int", "utf8", "windowed", "windowed:", "windowed:auto",
        "windowed:string:", "windowed:string:0", "windowed:string:x", "session:nix",
        "windowed:windowed:string"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (format(bad[i]))
            fail_msg("'%s' was taken as a format", bad[i]);
}

/* A line of consume --json, with the bytes given, becomes a record with the same bytes. */
static void expect_json_round(const char *name, leat_slice_t bytes, const char *line)
{
    cli_format_t *f = format(name);
    cli_lines_t lines = {.json = true, .partition = -1, .time_ms = -1};
    leat__arena_t scratch;
    cli_record_t r;
    leat_error_t err;
    json_t *object = json_object();
    char *text;

    leat__arena_init(&scratch);
    leat__arena_init(&lines.scratch);
    lines.key_format = format("string");
    lines.value_format = f;
    cli_format_put_json(f, object, "value", bytes, &scratch);
    text = json_dumps(object, JSON_COMPACT);
    if (line)
        assert_string_equal(text, line);
    if (!cli_lines_take(&lines, leat_slice(text), &r, &err))
        fail_msg("%s: %s: %s", name, text, err.text);
    if (!leat_slice_equal(&r.value, &bytes) || !r.value.data != !bytes.data)
        fail_msg("%s: %s became other bytes", name, text);
    free(text);
    json_decref(object);
    leat__arena_release(&scratch);
    cli_lines_release(&lines);
}

static void test_format_json_lines_lose_nothing(void **state)
{
    (void)state;
    expect_json_round("auto", BYTES("text"), "{\"value\":\"text\"}");
    expect_json_round("auto", BYTES("\0\xff\x10"), "{\"value_base64\":\"AP8Q\"}");
    expect_json_round("auto", BYTES("a\0b"), "{\"value_base64\":\"YQBi\"}");
    expect_json_round("string", BYTES("a\0b"), "{\"value\":\"a\\u0000b\"}");
    expect_json_round("auto", BYTES("\x1b[1m"), "{\"value\":\"\\u001B[1m\"}");
    expect_json_round("auto", BYTES(""), "{\"value\":\"\"}");
    expect_json_round("auto", (leat_slice_t){NULL, 0}, "{\"value\":null}");
    expect_json_round("string", BYTES("\xff"), "{\"value_base64\":\"/w==\"}");
    expect_json_round("int64", BYTES("\0\0\0\0\0\0\0\7"), "{\"value\":7}");
    expect_json_round(
        "int64", BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff"), "{\"value\":9223372036854775807}");
    expect_json_round("double", BYTES("\x3f\xf8\0\0\0\0\0\0"), "{\"value\":1.5}");
    expect_json_round("double", BYTES("\x7f\xf8\0\0\0\0\0\0"), NULL); /* not a number */
    expect_json_round("hex", BYTES("\0\xff"), "{\"value\":\"00ff\"}");
    expect_json_round("base64", BYTES("\0\xff"), "{\"value_base64\":\"AP8=\"}");
    expect_json_round("json", BYTES("{\"a\":1}"), "{\"value\":{\"a\":1}}");
    expect_json_round("windowed:string:5s", BYTES("k\0\0\0\0\0\0\x03\xe8"),
        "{\"value\":{\"key\":\"k\",\"start\":1000,\"end\":6000}}");
    expect_json_round("session:int64",
        BYTES("\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\x14\0\0\0\0\0\0\0\x0a"),
        "{\"value\":{\"key\":7,\"start\":10,\"end\":20}}");
    expect_json_round("int64", BYTES("odd"),
        "{\"value_base64\":\"b2Rk\",\"value_error\":\"int64 takes 8 bytes, got 3\"}");
}

/* Whatever the bytes are, in any format: a line that gives the same bytes back. */
static void test_format_json_lines_of_random_bytes(void **state)
{
    static const char *const names[] = {"auto", "string", "int32", "int64", "float", "double",
        "hex", "base64", "windowed:string:5s", "windowed:int32", "session:double", "session:hex"};
    static const char likely[] = "az09\"\\{}[]@/:.,-e \n";
    unsigned seed = 7;
    char bytes[32];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t size = (seed = seed * 1103515245 + 12345) >> 16 & 31;

        for (size_t i = 0; i < size; i++) {
            seed = seed * 1103515245 + 12345;
            bytes[i] = (char)(seed >> 16);
            if (round % 2)
                bytes[i] = likely[(seed >> 16) % (sizeof likely - 1)];
        }
        expect_json_round(names[(size_t)round % (sizeof names / sizeof *names)],
            (leat_slice_t){bytes, size}, NULL);
    }
}

static void test_utf8(void **state)
{
    static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
        "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82",
        "a\xff"};

    (void)state;
    assert_true(cli_is_utf8(BYTES("")));
    assert_true(cli_is_utf8(BYTES("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cli_is_utf8(leat_slice(bad[i])))
            fail_msg("case %zu is not UTF-8", i);
}

static void expect_safe(leat_slice_t text, const char *shown)
{
    char *got = NULL;
    size_t size;
    FILE *to = open_memstream(&got, &size);

    cli_put_safe(to, text);
    fclose(to);
    assert_string_equal(got, shown);
    free(got);
}

static void test_put_safe_terminal_never_obeys(void **state)
{
    (void)state;
    expect_safe(BYTES("plain \xc3\xa4"), "plain \xc3\xa4");
    expect_safe(BYTES("a\tb\nc\rd"), "a\\tb\\nc\\rd");
    expect_safe(BYTES("\x1b[2J"), "\\x1b[2J");
    expect_safe(BYTES("\xc2\x9b"
                      "31m"),
        "\\xc2\\x9b31m");
    expect_safe(BYTES("\0\x7f\xff"), "\\x00\\x7f\\xff");
    expect_safe(BYTES(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_format_text_both_ways),
        cmocka_unit_test(test_format_unfit_bytes_shown_as_hex),
        cmocka_unit_test(test_format_unfit_text_refused),
        cmocka_unit_test(test_format_unknown_names),
        cmocka_unit_test(test_format_json_lines_lose_nothing),
        cmocka_unit_test(test_format_json_lines_of_random_bytes), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_put_safe_terminal_never_obeys)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
