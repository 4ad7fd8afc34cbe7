/*
 * Goal: properties are checked when they are set, the first error is kept and says what to do,
 * values come from the environment and from files without ever standing in an error, properties
 * files are read as Java reads them. Method: set, look, break each rule once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/config_inside.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static leat_config_t *c;
static leat_error_t err;
static int warnings;
static char last_log[1100];

static void keep_log(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    (void)user;
    (void)area;
    (void)fields;
    warnings += level == LEAT_LOG_WARN;
    snprintf(last_log, sizeof last_log, "%s", text);
}

static int setup(void **state)
{
    (void)state;
    leat_log_to(keep_log, NULL, LEAT_LOG_WARN);
    warnings = 0;
    c = leat_config_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat_config_free(c);
    leat_log_to(NULL, NULL, LEAT_LOG_INFO);
    return 0;
}

/* The first error is this one; then everything is as new. */
static void expect_error(const char *where, const char *text)
{
    assert_int_equal(leat_config_check(c, &err), LEAT_ECONFIG);
    assert_string_equal(err.text, text);
    assert_string_equal(err.where, where);
    leat_config_free(c);
    c = leat_config_new();
}

static void expect_refused(const char *key, const char *value, const char *text)
{
    leat_config_set(c, key, value);
    expect_error(key, text);
}

static void expect_setting(const char *key, const char *value)
{
    assert_int_equal(leat_config_check(c, &err), 0);
    assert_string_equal(leat_config_get(c, key), value);
}

/* ---- defaults and values ---- */

static void test_defaults_without_a_config_too(void **state)
{
    (void)state;
    assert_int_equal(leat_config_check(NULL, &err), 0);
    assert_string_equal(leat_config_get(NULL, "num.stream.threads"), "1");
    assert_int_equal(leat__config_int(NULL, "commit.interval.ms"), 30000);
    assert_int_equal(leat__config_int(c, "statestore.cache.max.bytes"), 10485760);
    assert_int_equal(leat__config_int(c, "ensure.explicit.internal.resource.naming"), 0);
    assert_string_equal(leat_config_get(c, "application.id"), "");
    assert_string_equal(leat_config_get(c, "program.anything"), "");
    assert_string_equal(leat_config_get(c, "no.such.thing"), "");
    assert_string_equal(leat_config_get(c, NULL), "");
    assert_false(leat__config_is_set(c, "num.stream.threads"));
    assert_int_equal(leat__config_error(NULL)->code, 0);
    leat_config_free(NULL);
    leat_config_set(NULL, "application.id", "x");
    leat_config_load(NULL, "x");
}

static void test_default_state_dir_is_in_the_temporary_folder(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char wanted[4200];

    (void)state;
    snprintf(wanted, sizeof wanted, "%s/leat", tmp && *tmp ? tmp : "/tmp");
    assert_string_equal(leat_config_get(c, "state.dir"), wanted);
}

static void test_every_default_is_allowed(void **state)
{
    const leat__property_t *p;

    (void)state;
    for (size_t i = 0; (p = leat__property_at(i)) != NULL; i++) {
        const char *initial = leat__property_initial(p, false);

        if (p->kind == LEAT__P_REFUSED || p->kind == LEAT__P_ALIAS || !*initial)
            continue;
        leat_config_set(c, p->name, initial);
        if (p->initial_exactly_once)
            leat_config_set(c, p->name, p->initial_exactly_once);
        assert_string_equal(leat__config_error(c)->text, "");
    }
    assert_int_equal(leat_config_check(c, &err), 0);
}

static void test_rows_are_sorted_and_whole(void **state)
{
    const leat__property_t *p, *last = NULL;

    (void)state;
    for (size_t i = 0; (p = leat__property_at(i)) != NULL; last = p, i++) {
        if (last && strcmp(last->name, p->name) >= 0)
            fail_msg("%s stands before %s", last->name, p->name);
        if (!p->sentence || !strchr(".;", p->sentence[strlen(p->sentence) - 1]))
            fail_msg("%s has no sentence", p->name);
        if (p->kind == LEAT__P_ALIAS)
            assert_non_null(leat__property_find(p->name));
        if (p->kind == LEAT__P_CHOICE || p->kind == LEAT__P_CHOICES)
            assert_non_null(p->choices);
    }
}

static void test_set_get_unset(void **state)
{
    (void)state;
    leat_config_set(c, "num.stream.threads", " 4 "); /* blanks as Java: not for texts */
    expect_setting("num.stream.threads", "4");
    assert_int_equal(leat__config_int(c, "num.stream.threads"), 4);
    assert_true(leat__config_is_set(c, "num.stream.threads"));
    leat_config_set(c, "num.stream.threads", "5");
    expect_setting("num.stream.threads", "5");
    leat_config_set(c, "num.stream.threads", NULL);
    expect_setting("num.stream.threads", "1");
    leat_config_set(c, "ensure.explicit.internal.resource.naming", "TRUE");
    assert_int_equal(leat__config_int(c, "ensure.explicit.internal.resource.naming"), 1);
    leat_config_set(c, "program.greeting", " hello ");
    expect_setting("program.greeting", " hello ");
}

static void test_commit_interval_default_follows_the_guarantee(void **state)
{
    (void)state;
    leat_config_set(c, "processing.guarantee", "exactly_once_v2");
    assert_int_equal(leat__config_int(c, "commit.interval.ms"), 100);
    leat_config_set(c, "commit.interval.ms", "250");
    assert_int_equal(leat__config_int(c, "commit.interval.ms"), 250);
    leat_config_set(c, "commit.interval.ms", NULL);
    leat_config_set(c, "processing.guarantee", "at_least_once");
    assert_int_equal(leat__config_int(c, "commit.interval.ms"), 30000);
}

static void test_older_names_are_the_same_property(void **state)
{
    (void)state;
    leat_config_set(c, "cache.max.bytes.buffering", "77");
    expect_setting("statestore.cache.max.bytes", "77");
    expect_setting("cache.max.bytes.buffering", "77");
    leat_config_set(c, "statestore.cache.max.bytes", "78");
    assert_int_equal(leat__config_int(c, "cache.max.bytes.buffering"), 78);
    assert_true(leat__config_is_set(c, "cache.max.bytes.buffering"));
}

static void join(void *user, const char *key, const char *value)
{
    char *text = user;

    sprintf(text + strlen(text), "%s=%s;", key, value);
}

static void test_each_gives_what_has_the_prefix(void **state)
{
    char text[300] = "";

    (void)state;
    leat_config_set(c, "consumer.fetch.min.bytes", "1");
    leat_config_set(c, "producer.compression.type", "lz4");
    leat_config_set(c, "consumer.fetch.max.bytes", "2");
    leat__config_each(c, "consumer.", join, text);
    assert_string_equal(text, "fetch.min.bytes=1;fetch.max.bytes=2;");
    text[0] = '\0';
    leat_config_set(c, "send.buffer.bytes", "131072");
    leat_config_set(c, "sasl.username", "me");
    leat_config_set(c, "security.protocol", "SASL_SSL");
    leat_config_set(c, "ssl.ca.location", "/ca.pem");
    leat__config_each_client(c, join, text);
    assert_string_equal(text, "socket.send.buffer.bytes=131072;sasl.username=me;"
                              "security.protocol=SASL_SSL;ssl.ca.location=/ca.pem;");
    leat__config_each(NULL, "consumer.", join, text);
    leat__config_each_client(NULL, join, text);
}

static void test_secrets_are_known_by_name_whatever_stands_before(void **state)
{
    static const char *const secret[] = {"sasl.password", "ssl.key.password", "ssl.key.pem",
        "consumer.sasl.password", "sasl.oauthbearer.client.secret", "sasl.jaas.config",
        "leat.http.token"};
    static const char *const open[] = {
        "sasl.username", "ssl.key.location", "application.id", "program.password", "", "word"};

    (void)state;
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        assert_true(leat__config_is_secret(secret[i]));
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        assert_false(leat__config_is_secret(open[i]));
    for (size_t i = 0; leat__property_at(i); i++)
        assert_int_equal(
            leat__property_at(i)->secret && !leat__config_is_secret(leat__property_at(i)->name), 0);
}

static void test_clone_stands_alone(void **state)
{
    leat_config_t *copy;

    (void)state;
    leat_config_set(c, "application.id", "app");
    leat_config_set(c, "num.stream.threads", "many");
    copy = leat__config_clone(c);
    leat_config_set(c, "application.id", "other");
    assert_string_equal(leat_config_get(copy, "application.id"), "app");
    assert_int_equal(leat_config_check(copy, &err), LEAT_ECONFIG);
    leat_config_free(copy);
    copy = leat__config_clone(NULL);
    assert_int_equal(leat_config_check(copy, &err), 0);
    leat_config_free(copy);
}

/* ---- what is refused ---- */

static void test_unknown_names_hint_at_the_nearest(void **state)
{
    (void)state;
    expect_refused("num.stream.thread", "2",
        "there is no property 'num.stream.thread'; did you mean num.stream.threads? (a program's "
        "own "
        "options start with program.)");
    expect_refused("procesing.garantee", "x",
        "there is no property 'procesing.garantee'; did you mean processing.guarantee? (a "
        "program's "
        "own options start with program.)");
    expect_refused("xyzzy", "x",
        "there is no property 'xyzzy': docs/CONFIGURATION.md lists all; a program's own options "
        "start "
        "with program.");
    expect_refused("consumer.", "x",
        "there is no property 'consumer.': docs/CONFIGURATION.md lists all; a program's own "
        "options "
        "start with program.");
    leat_config_set(c, "aplication.id", NULL);
    assert_int_equal(leat_config_check(c, NULL), LEAT_ECONFIG);
}

static void test_a_name_of_any_length_is_refused(void **state)
{
    char name[5000];

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    leat_config_set(c, name, "x");
    assert_int_equal(leat_config_check(c, &err), LEAT_ECONFIG);
}

static void test_bad_values_say_what_is_allowed(void **state)
{
    static const struct {
        const char *key, *value, *text;
    } cases[] = {
        {"num.stream.threads", "0",
            "num.stream.threads is '0'; allowed: a whole number from 1 to 1024"},
        {"num.stream.threads", "two",
            "num.stream.threads is 'two'; allowed: a whole number from 1 to 1024"},
        {"num.stream.threads", "",
            "num.stream.threads is ''; allowed: a whole number from 1 to 1024"},
        {"commit.interval.ms", "99999999999999999999",
            "commit.interval.ms is '99999999999999999999'; allowed: a whole number from 0 to "
            "2147483647"},
        {"acceptable.recovery.lag", "-1",
            "acceptable.recovery.lag is '-1'; allowed: a whole number from 0 on"},
        {"session.timeout.ms", "3000",
            "session.timeout.ms is '3000'; allowed: a whole number from 6000 to 1800000"},
        {"ensure.explicit.internal.resource.naming", "yes",
            "ensure.explicit.internal.resource.naming is 'yes'; allowed: true or false"},
        {"processing.guarantee", "exactly_once",
            "processing.guarantee is 'exactly_once': write exactly_once_v2; allowed: "
            "at_least_once, "
            "exactly_once_v2"},
        {"processing.guarantee", "at_least",
            "processing.guarantee is 'at_least'; allowed: at_least_once, exactly_once_v2"},
        {"deserialization.exception.handler",
            "org.apache.kafka.streams.errors.LogAndContinueExceptionHandler",
            "deserialization.exception.handler is "
            "'org.apache.kafka.streams.errors.LogAndContinueExceptionHandler': Java classes cannot be "
            "loaded; allowed: fail, continue, dead_letter"},
        {"application.id", "my app",
            "application.id is 'my app'; allowed: 1 to 200 letters, digits, '.', '_' and '-' (not "
            "\".\" or \"..\")"},
        {"application.id", "..",
            "application.id is '..'; allowed: 1 to 200 letters, digits, '.', '_' and '-' (not "
            "\".\" "
            "or \"..\")"},
        {"leat.http.advertised", "host",
            "leat.http.advertised is 'host'; allowed: HOST:PORT, https://HOST:PORT, or nothing"},
        {"leat.http.advertised", "host:70000",
            "leat.http.advertised is 'host:70000'; allowed: HOST:PORT, https://HOST:PORT, or nothing"},
        {"leat.http.listen", "everywhere",
            "leat.http.listen is 'everywhere'; allowed: PORT, HOST:PORT, or nothing"},
        {"default.key.serde", "x",
            "default.key.serde is not supported: Serdes stand in the topology, where a type is "
            "said: "
            "leat_builder_stream() and others."},
        {"topology.optimization", "none,all",
            "topology.optimization is 'none,all'; allowed: none, all, reuse.ktable.source.topics, "
            "merge.repartition.topics, single.store.self.join; several of the last three with "
            "commas "
            "between"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refused(cases[i].key, cases[i].value, cases[i].text);
}

static void test_good_values_of_every_kind(void **state)
{
    static const char *const cases[][2] = {{"leat.http.advertised", "[::1]:8080"},
        {"leat.http.advertised", "https://eu-1.example:443"}, {"leat.http.advertised", ""},
        {"leat.http.listen", "8080"}, {"leat.http.listen", "[::]:0"}, {"topology.optimization", "all"},
        {"topology.optimization", "merge.repartition.topics, reuse.ktable.source.topics"},
        {"max.task.idle.ms", "-1"}, {"state.cleanup.delay.ms", "9223372036854775807"},
        {"group.instance.id", ""}, {"client.tag.zone", "eu-1"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        leat_config_set(c, cases[i][0], cases[i][1]);
        expect_setting(cases[i][0], cases[i][1]);
    }
}

static void test_what_has_no_effect_is_warned_of(void **state)
{
    (void)state;
    leat_config_set(c, "metrics.num.samples", "3");
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_log, "metrics.num.samples has no effect: "));
    leat_config_set(c, "rack.aware.assignment.strategy", "none"); /* the default */
    assert_int_equal(warnings, 1);
    leat_config_set(c, "rack.aware.assignment.strategy", "min_traffic");
    assert_int_equal(warnings, 2);
    assert_int_equal(leat_config_check(c, &err), 0);
}

static void test_tags_are_few_and_short(void **state)
{
    char key[40];

    (void)state;
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "client.tag.t%d", i);
        leat_config_set(c, key, "x");
    }
    leat_config_set(c, "client.tag.t1", "again");
    assert_int_equal(leat_config_check(c, &err), 0);
    expect_refused("client.tag.t5", "x", "client.tag.t5: at most 5 tags");
    expect_refused("client.tag.a-name-of-21-letters-", "x",
        "client.tag.a-name-of-21-letters-: a tag's name has up to 20, its value up to 30 "
        "characters");
}

static void test_first_error_is_kept_and_others_are_counted(void **state)
{
    (void)state;
    leat_config_set(c, "num.stream.threads", "0");
    leat_config_set(c, "nothing.like.it", "0");
    leat_config_set(c, NULL, "0");
    assert_int_equal(leat_config_check(c, &err), LEAT_ECONFIG);
    assert_string_equal(err.where, "num.stream.threads");
    assert_int_equal(err.others, 2);
    assert_string_equal(leat_config_get(c, "num.stream.threads"), "1");
    leat_config_free(c);
    c = leat_config_new();
    leat_config_set(c, "", "0");
    assert_int_equal(leat_config_check(c, NULL), LEAT_ENULL);
}

static void test_properties_against_each_other(void **state)
{
    (void)state;
    leat_config_set(c, "processing.guarantee", "exactly_once_v2");
    leat_config_set(c, "commit.interval.ms", "20000");
    expect_error("commit.interval.ms",
        "commit.interval.ms 20000 is more than transaction.timeout.ms 10000: each transaction "
        "would "
        "time out before its commit; make the first smaller (100 is usual) or the second larger");
    leat_config_set(c, "heartbeat.interval.ms", "10000");
    expect_error("heartbeat.interval.ms",
        "heartbeat.interval.ms 10000 must be less than session.timeout.ms 10000, a third at most");
    leat_config_set(c, "max.poll.interval.ms", "10000");
    leat_config_set(c, "session.timeout.ms", "10001");
    expect_error("max.poll.interval.ms",
        "max.poll.interval.ms 10000 must not be less than session.timeout.ms 10001");
    leat_config_set(c, "processing.exception.handler", "dead_letter");
    expect_error("processing.exception.handler", "processing.exception.handler is dead_letter, but "
                                                 "errors.dead.letter.queue.topic.name names "
                                                 "no topic");
    leat_config_set(c, "errors.dead.letter.queue.drops", "true");
    expect_error("errors.dead.letter.queue.drops", "errors.dead.letter.queue.drops is true, but "
                                                   "errors.dead.letter.queue.topic.name names no "
                                                   "topic");
    leat_config_set(c, "processing.exception.handler", "dead_letter");
    leat_config_set(c, "errors.dead.letter.queue.topic.name", "dead");
    assert_int_equal(leat_config_check(c, &err), 0);
    leat_config_set(c, "memory.max.bytes", "1000");
    expect_error("memory.max.bytes",
        "memory.max.bytes is 1000; allowed: 0 (no common bound), or 16777216 and more");
}

/* ---- the environment and files ---- */

static char folder[] = "/tmp/leat-test-config-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static const char *written(const char *text, size_t size)
{
    static char path[64];
    FILE *file;

    snprintf(path, sizeof path, "%s/file", folder);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
    return path;
}

static void test_values_from_the_environment(void **state)
{
    (void)state;
    setenv("LEAT_TEST_SECRET", "s3cret", 1);
    leat_config_set(c, "sasl.password", "${env:LEAT_TEST_SECRET}");
    expect_setting("sasl.password", "s3cret");
    leat_config_set(c, "program.text", "a ${env:LEAT_TEST_SECRET}$${env:LEAT_TEST_SECRET} ${x} $");
    expect_setting("program.text", "a s3cret$s3cret ${x} $");
    setenv("LEAT_TEST_SECRET", "${env:HOME}", 1); /* not looked at again */
    leat_config_set(c, "program.text", "${env:LEAT_TEST_SECRET}");
    expect_setting("program.text", "${env:HOME}");
    unsetenv("LEAT_TEST_SECRET");
    expect_refused("program.text", "${env:LEAT_TEST_SECRET}",
        "${env:LEAT_TEST_SECRET}: the environment has no variable LEAT_TEST_SECRET: set it, or "
        "write "
        "the value itself");
    expect_refused("program.text", "${env:HOME",
        "a value has ${env: or ${file: without a name and } behind it");
    expect_refused(
        "program.text", "${file:}", "a value has ${env: or ${file: without a name and } behind it");
}

static void test_values_from_files(void **state)
{
    static char large[70000];
    char value[100], text[200];

    (void)state;
    snprintf(value, sizeof value, "x${file:%s}y", written("s3cret \r\n", 9));
    leat_config_set(c, "program.text", value);
    expect_setting("program.text", "xs3cret y");
    written("two\n\n", 5);
    leat_config_set(c, "program.text", value);
    expect_setting("program.text", "xtwo\ny");
    written("", 0);
    leat_config_set(c, "program.text", value);
    expect_setting("program.text", "xy");
    snprintf(text, sizeof text, "${file:%s}: has a zero byte: not a text file", written("a\0b", 3));
    expect_refused("program.text", value, text);
    memset(large, 'x', sizeof large);
    snprintf(text, sizeof text, "${file:%s}: more than 65536 bytes", written(large, sizeof large));
    expect_refused("program.text", value, text);
    unlink(written("", 0));
    snprintf(text, sizeof text, "${file:%s/file}: No such file or directory", folder);
    expect_refused("program.text", value, text);
    snprintf(value, sizeof value, "${file:%s}", folder);
    snprintf(text, sizeof text, "${file:%s}: Is a directory", folder);
    expect_refused("program.text", value, text);
}

static void test_no_secret_stands_in_an_error_or_log(void **state)
{
    (void)state;
    setenv("LEAT_TEST_SECRET", "s3cret", 1);
    expect_refused("num.stream.threads", "${env:LEAT_TEST_SECRET}",
        "num.stream.threads is '${env:LEAT_TEST_SECRET}'; allowed: a whole number from 1 to 1024");
    leat_config_set(c, "sasl.jaas.config", "password=s3cret");
    leat_config_check(c, &err);
    assert_null(strstr(err.text, "s3cret"));
    leat_config_set(c, "ssl.truststore.password", "s3cret"); /* the second error is logged */
    assert_null(strstr(last_log, "s3cret"));
    unsetenv("LEAT_TEST_SECRET");
}

/* ---- properties files ---- */

static void load(const char *text)
{
    const char *path = written(text, strlen(text));

    leat_config_load(c, path);
    unlink(path);
}

static void test_file_forms_of_a_line(void **state)
{
    static const char *const cases[][2] = {
        {"program.k=v", "v"},
        {"program.k = v ", "v "},
        {"program.k:v", "v"},
        {"program.k v", "v"},
        {" \t\fprogram.k\t=\tv=w:x y", "v=w:x y"},
        {"program.k", ""},
        {"program.k=", ""},
        {"program.k = = v", "= v"},
        {"program.k=a\\\n   b\\\r\n\tc", "abc"},
        {"program.k=a\\\\\nprogram.l=x", "a\\"},
        {"program.k=\\ a\\tb\\nc\\qd", " a\tb\ncqd"},
        {"program\\.k=v", "v"},
        {"program.\\\n  k=v", "v"},
        {"program.k=\\u00e9\\u20AC", "é€"},
        {"program.k=\\ud83d\\ude00", "😀"},
        {"program.k=é", "é"},
        {"program.k=\\é", "é"},
        {"program.k=a\\", "a"},
        {"#no=1\n!no=1\n\n  # no=\\\nprogram.k=v\r\n\r\n", "v"},
        {"program.k=1\rprogram.k=2\r", "2"},
        {"\xef\xbb\xbfprogram.k=v", "v"},
        {"program.k=# no comment", "# no comment"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        load(cases[i][0]);
        expect_setting("program.k", cases[i][1]);
        leat_config_set(c, "program.k", "unset");
    }
    load("program.a\\=b\\:c\\ d=v");
    expect_setting("program.a=b:c d", "v");
}

static void test_file_errors_name_the_line(void **state)
{
    char where[64];

    (void)state;
    snprintf(where, sizeof where, "%s/file:%d", folder, 4);
    load("# comment\nprogram.k=a\\\n  b\nnum.stream.threads = none\nprogram.k=c\n");
    assert_string_equal(leat_config_get(c, "program.k"), "c"); /* goes on behind the error */
    expect_error(where, "num.stream.threads is 'none'; allowed: a whole number from 1 to 1024");
    snprintf(where, sizeof where, "%s/file:%d", folder, 2);
    load("\nprogram.k=\\u12x4\nprogram.l=ok\n");
    assert_string_equal(leat_config_get(c, "program.l"), "ok");
    expect_error(where, "\\u needs four hexadecimal digits behind it");
    load("\nprogram.k=\\u12");
    expect_error(where, "\\u needs four hexadecimal digits behind it");
    load("\nprogram.k=\\ud83d-");
    expect_error(where, "a \\u escape that is no character");
    load("\nprogram.k=\\u0000");
    expect_error(where, "a \\u escape that is no character");
    load("\n = value");
    expect_error(where, "a value without a name");
}

static void test_file_that_cannot_be_read(void **state)
{
    static char large[5 * 1024 * 1024];
    const char *path;

    (void)state;
    leat_config_load(c, "/nowhere/at/all.properties");
    expect_error("/nowhere/at/all.properties", "cannot be read: No such file or directory");
    leat_config_load(c, folder);
    expect_error(folder, "Is a directory");
    path = written("a=\0b", 4);
    leat_config_load(c, path);
    expect_error(path, "has a zero byte: this is no text file");
    memset(large, 'x', sizeof large);
    path = written(large, sizeof large);
    leat_config_load(c, path);
    expect_error(path, "more than 4 MiB: this is no file of properties");
    unlink(path);
    leat_config_load(c, NULL);
    assert_int_equal(leat_config_check(c, NULL), LEAT_ENULL);
}

/* Any bytes: no crash, no read beyond (ASan). */
static void test_file_of_random_bytes(void **state)
{
    static const char letters[] = "\\\\\\uud83d0041=: \t\n\r#!ab${env:}";
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 300; round++) {
        char text[200];
        const char *path;

        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = letters[(seed >> 10) % (sizeof letters - 1)];
        }
        path = written(text, sizeof text - (seed >> 8) % 100);
        leat_config_load(c, path);
        unlink(path);
    }
    assert_int_not_equal(leat_config_check(c, &err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults_without_a_config_too),
        TEST(test_default_state_dir_is_in_the_temporary_folder),
        TEST(test_every_default_is_allowed),
        TEST(test_rows_are_sorted_and_whole),
        TEST(test_set_get_unset),
        TEST(test_commit_interval_default_follows_the_guarantee),
        TEST(test_older_names_are_the_same_property),
        TEST(test_each_gives_what_has_the_prefix),
        TEST(test_secrets_are_known_by_name_whatever_stands_before),
        TEST(test_clone_stands_alone),
        TEST(test_unknown_names_hint_at_the_nearest),
        TEST(test_a_name_of_any_length_is_refused),
        TEST(test_bad_values_say_what_is_allowed),
        TEST(test_good_values_of_every_kind),
        TEST(test_what_has_no_effect_is_warned_of),
        TEST(test_tags_are_few_and_short),
        TEST(test_first_error_is_kept_and_others_are_counted),
        TEST(test_properties_against_each_other),
        TEST(test_values_from_the_environment),
        TEST(test_values_from_files),
        TEST(test_no_secret_stands_in_an_error_or_log),
        TEST(test_file_forms_of_a_line),
        TEST(test_file_errors_name_the_line),
        TEST(test_file_that_cannot_be_read),
        TEST(test_file_of_random_bytes),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
