/*
 * Who has a key: three apps on one embedded log, with a standby for each task. Method: asked until
 * all of them say the same of every key: one owner, which says that it is here, and one standby,
 * which is another; then one app leaves, and the others say so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "routing_rig.h"

enum { APPS = 3 };

static const char *const hosts[APPS] = {
    "w0.example:8000", "https://w1.example:443", "127.0.0.1:7002"};

static leat_app_t *start(rig_world_t *w, int i)
{
    return routing_start(w, i,
        (const char *[]){"application.server", hosts[i], "num.standby.replicas", "1", NULL});
}

/* Whether all apps that are there say the same of this key, and it makes sense. */
static bool agree_on(leat_app_t **apps, const char *key)
{
    leat_slice_t k = leat_slice(key);
    char host[300] = "", standbys[300] = "";
    int here = 0, asked = 0;
    bool same = true;

    for (int i = 0; i < APPS; i++) {
        leat_owner_t owner;
        leat_query_t *q;

        if (!apps[i])
            continue;
        q = leat_query_open(apps[i], NULL);
        if (leat_query_owner(q, "counts", &k, &owner) || owner.host[0] == '\0' ||
            owner.standbys[0] == '\0')
            same = false;
        else if (asked++ == 0) {
            snprintf(host, sizeof host, "%s", owner.host);
            snprintf(standbys, sizeof standbys, "%s", owner.standbys);
        } else
            same = same && !strcmp(host, owner.host) && !strcmp(standbys, owner.standbys);
        here += owner.here;
        same = same && (!owner.here || !strcmp(owner.host, hosts[i]));
        leat_query_close(q, NULL);
    }
    return same && here == 1 && strcmp(host, standbys) != 0;
}

static bool all_agree(void *user)
{
    char room[16];

    for (int i = 0; i < ROUTING_KEYS; i += 7)
        if (!agree_on(user, routing_key(i, room)))
            return false;
    return true;
}

static void keep_text(void *user, const char *data, size_t size)
{
    leat__buf_put(user, data, size);
}

/* In the report of the first: the others may be known before they are placed. */
static bool all_are_listed(void *user)
{
    leat_app_t **apps = user;
    leat__buf_t report = {0};
    bool all = true;

    leat_app_report(apps[0], LEAT_REPORT_WORKERS, keep_text, &report);
    for (int i = 0; i < APPS; i++)
        all = all && strstr(leat__buf_text(&report), hosts[i]);
    leat__buf_release(&report);
    return all;
}

static void test_every_app_knows_who_has_a_key(void **state)
{
    leat_app_t *apps[APPS];
    rig_world_t w;

    (void)state;
    routing_open(&w);
    for (int i = 0; i < APPS; i++)
        apps[i] = start(&w, i);
    routing_await(all_are_listed, apps, "all are listed");
    routing_await(all_agree, apps, "all agree on every key");
    leat_app_free(apps[1]);
    apps[1] = NULL;
    routing_await(all_agree, apps, "two agree on every key");
    leat_app_free(apps[0]);
    leat_app_free(apps[2]);
    rig_world_close(&w);
}

static void test_what_cannot_be_told_is_an_error(void **state)
{
    leat_slice_t k = leat_slice("k0001");
    leat_owner_t owner;
    leat_query_t *q;
    leat_app_t *app;
    rig_world_t w;

    (void)state;
    routing_open(&w);
    app = routing_start(&w, 0, (const char *[]){NULL});
    q = leat_query_open(app, NULL);
    assert_int_equal(leat_query_owner(q, "nothing", &k, &owner), LEAT_EUNKNOWN);
    assert_int_equal(owner.partition, -1);
    assert_int_equal(leat_query_close(q, NULL), LEAT_EUNKNOWN);
    q = leat_query_open(app, NULL);
    assert_int_equal(leat_query_owner(q, "visits", NULL, &owner), LEAT_ENULL);
    leat_query_close(q, NULL);
    leat_app_stop(app, NULL);
    q = leat_query_open(app, NULL);
    assert_int_equal(leat_query_owner(q, "counts", &k, &owner), LEAT_ESTATE);
    leat_query_close(q, NULL);
    leat_app_free(app);
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_app_knows_who_has_a_key),
        cmocka_unit_test(test_what_cannot_be_told_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
